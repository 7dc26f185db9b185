"""The exceptions of the library, in one hierarchy.

Errors of the caller raise; errors of the peer become state and events
(`kalshi_fix_sansio.events`), never an exception from `Session.receive_data`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_fix_sansio.dialect.problems import Problem


class KalshiFixError(Exception):
    """Base of all exceptions that this library raises deliberately."""


class LocalProtocolError(KalshiFixError):
    """The protocol does not allow this call; the session is unchanged.

    No sequence number is used and no byte is produced when this is raised.
    """


class InvalidMessageError(LocalProtocolError):
    """A message to be sent violates the dialect; `problems` lists the violations."""

    def __init__(self, message_name: str, problems: tuple[Problem, ...]) -> None:
        self.message_name = message_name
        self.problems = problems
        listed = "; ".join(str(problem) for problem in problems)
        super().__init__(f"{message_name} cannot be sent: {listed}")


class EncodeError(LocalProtocolError, ValueError):
    """A value of a message cannot be encoded in FIX (for example a string that contains SOH)."""


class DecodeError(KalshiFixError, ValueError):
    """Bytes given to `decode` or `decode_strict` are not an acceptable message.

    `problems` lists all problems, in the order of the message.
    """

    def __init__(self, text: str, problems: tuple[Problem, ...] = ()) -> None:
        self.problems = problems
        super().__init__(text)


class ConfigurationError(KalshiFixError, ValueError):
    """A setting is missing or contradicts another; the message names the setting and its valid values."""


class StoreError(KalshiFixError):
    """A store could not read or write, or is the wrong one; the message contains the remedy.

    A session ends when its store raises this (`CloseReason.STORE_FAILED`). The store cannot be used until it
    is reopened.
    """


class SendFailedError(StoreError):
    """The store failed while a message was being sent. The session is over (`CloseReason.STORE_FAILED`)."""

    __cause__: BaseException | None

    def __init__(self, error: StoreError | None) -> None:
        self.may_have_been_sent: bool = False
        """Whether the peer may have the message. False in this version: no byte is sent before the store has
        it."""
        super().__init__(f"nothing was sent: the store failed ({error}), and the session is over")
        self.__cause__ = error


class KeyFileError(ConfigurationError):
    """A private or public key could not be read, decrypted or used for signing."""
