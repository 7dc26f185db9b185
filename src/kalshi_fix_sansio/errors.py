"""Every exception the library raises, in one hierarchy.

What the caller does wrong raises; what the peer does wrong becomes state and events
(`kalshi_fix_sansio.events`), never an exception out of `Session.receive_data`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_fix_sansio.problems import Problem


class KalshiFixError(Exception):
    """Base of everything this library raises on purpose."""


class LocalProtocolError(KalshiFixError):
    """The caller asked for something the protocol does not allow; nothing was changed.

    No sequence number is taken and no byte is produced when this is raised.
    """


class InvalidMessageError(LocalProtocolError):
    """A message to be sent breaks the dialect's rules; `problems` says which."""

    def __init__(self, message_name: str, problems: tuple[Problem, ...]) -> None:
        self.message_name = message_name
        self.problems = problems
        listed = "; ".join(str(problem) for problem in problems)
        super().__init__(f"{message_name} cannot be sent: {listed}")


class EncodeError(LocalProtocolError, ValueError):
    """A value of a message has no FIX form (for example a string that holds SOH)."""


class DecodeError(KalshiFixError, ValueError):
    """Bytes given to `decode` or `decode_strict` are not an acceptable message.

    `problems` lists everything that was found, in the order of the message.
    """

    def __init__(self, text: str, problems: tuple[Problem, ...] = ()) -> None:
        self.problems = problems
        super().__init__(text)


class ConfigurationError(KalshiFixError, ValueError):
    """A setting is missing or contradicts another; the text says what to set."""


class StoreError(KalshiFixError):
    """A store could not read or write, or is not the right one; the text says what to do.

    A session ends when its store raises this (`CloseReason.STORE_FAILED`). The store is of no use afterwards
    until it is opened anew.
    """


class KeyFileError(ConfigurationError):
    """A private or public key could not be read, decrypted or used for signing."""
