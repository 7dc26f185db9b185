"""The exceptions of the library, in one hierarchy.

Errors made by the caller raise exceptions. Errors made by the peer cause events (`kalshi_fix_sansio.events`)
and may end the session, but never raise an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_fix_sansio.dialect.problems import Problem


class KalshiFixError(Exception):
    """Base of all exceptions that this library raises deliberately."""


class LocalProtocolError(KalshiFixError):
    """The protocol does not allow this call; the session is unchanged.

    When this is raised, no sequence number has been used and no bytes have been queued.
    """


class InvalidMessageError(LocalProtocolError):
    """A message cannot be sent because it violates the dialect; `problems` lists the violations."""

    def __init__(self, message_name: str, problems: tuple[Problem, ...]) -> None:
        self.message_name = message_name
        self.problems = problems
        listed = "; ".join(str(problem) for problem in problems)
        super().__init__(f"{message_name} cannot be sent: {listed}")


class EncodeError(LocalProtocolError, ValueError):
    """A value in a message cannot be encoded in FIX, for example a string that contains SOH."""


class DecodeError(KalshiFixError, ValueError):
    """The input of a decoding function is not an acceptable message.

    `problems` lists the problems, in wire order.
    """

    def __init__(self, text: str, problems: tuple[Problem, ...] = ()) -> None:
        self.problems = problems
        super().__init__(text)


class ConfigurationError(KalshiFixError, ValueError):
    """A setting is missing or invalid, or contradicts another; the text contains the remedy."""


class StoreError(KalshiFixError):
    """A store could not read or write, or is the wrong store; the text contains the remedy.

    A session ends when its store raises this (`CloseReason.STORE_FAILED`). The store cannot be used until it
    is reopened.
    """


class SendFailedError(StoreError):
    """The store failed while a message was being sent. The session has ended (`CloseReason.STORE_FAILED`)."""

    __cause__: BaseException | None

    def __init__(self, error: StoreError | None) -> None:
        self.may_have_been_sent: bool = False
        """Whether the peer may have received the message. Always False in this version, because no byte is
        sent before the store has recorded the message.
        """
        super().__init__(f"nothing was sent: the store failed ({error}), and the session has ended")
        self.__cause__ = error


class KeyFileError(ConfigurationError):
    """A private or public key could not be read, decrypted or used for signing."""
