"""Exceptions raised by the clients. The text of each contains the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kalshi_fix_sansio import events
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.errors import ConfigurationError, KalshiFixError, StoreError

_MAX_SHOWN: Final = 10
"""Maximum number of ids or problems in the text of an exception. The attributes contain all of them."""


class AdapterError(KalshiFixError):
    """The base class of the adapters' exceptions."""


class StoreUnavailableError(StoreError):
    """The store cannot be opened now, for example because its server is not ready. A later attempt may
    succeed.
    """


class StoreInUseError(StoreUnavailableError):
    """Another process, or another client in this process, uses the store."""


class ConnectionFailedError(AdapterError, ConnectionError):
    """The host could not be reached, or the connection was refused, was reset, or timed out."""


class HostNotFoundError(ConnectionFailedError):
    """The host name has no address."""


class ConnectTimeoutError(ConnectionFailedError, TimeoutError):
    """The connection was not established before the deadline."""


class TlsError(ConnectionFailedError):
    """The TLS handshake failed, for a reason other than the certificate."""


class CertificateRejectedError(TlsError):
    """The venue's certificate could not be verified, is for another host, or is not the pinned
    certificate.
    """


class PlaintextRefusedError(ConfigurationError):
    """Plain TCP to another machine requires `Plaintext(allow_remote=True)`."""


class ConfigFileError(ConfigurationError):
    """An options file cannot be used; the message names the file and the line or the key."""

    def __init__(self, path: Path, text: str, *, key: str | None = None, line: int | None = None) -> None:
        self.path = path
        """The file."""
        self.key = key
        """The option or table, such as `sessions.orders.timeout`; None for the whole file."""
        self.line = line
        """The line of a syntax error; otherwise None."""
        location = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{location}: {text}" if key is None else f"{location}: {key}: {text}")


class LogonRefusedError(AdapterError):
    """The venue answered the Logon with a Logout."""

    def __init__(self, text: str, advice: str, *, retryable: bool) -> None:
        self.text = text
        """The venue's Text (58)."""
        self.advice = advice
        """The remedy."""
        self.retryable = retryable
        """Whether a later attempt may succeed."""
        super().__init__(f"the venue refused the logon: {text or 'no reason given'}; {advice}")


class LogonFailedError(AdapterError):
    """The Logon got no valid answer: there was no answer in time, the connection ended, or the answer
    violated the protocol.
    """

    def __init__(self, text: str, ended: events.SessionEnded | None = None) -> None:
        self.ended = ended
        """The SessionEnded; None if no session had begun."""
        super().__init__(text)


class SigningError(AdapterError):
    """The signer of the Logon raised an exception, which is `__cause__`."""


class ClientTimeoutError(AdapterError, TimeoutError):
    """The awaited event did not occur within the deadline."""


class KeyChangedError(StoreError):
    """A folder or a database has no store for this key, but has a store for another key that may belong to
    the same account.

    With a new, empty store, the rows of `Client.rows` and the open requests would be missing."""

    def __init__(self, text: str, stores: tuple[Path, ...] | tuple[str, ...], command: str) -> None:
        self.stores = stores
        """The files of the stores found, or their names in a database, most recently written first."""
        self.command = command
        """The shell command that moves the first of these stores to this key."""
        super().__init__(text)


class SessionClosedError(AdapterError):
    """The session has ended. `ended` contains the reason; it is None if the client was never opened or failed
    internally.
    """

    def __init__(self, text: str, ended: events.SessionEnded | None = None) -> None:
        self.ended = ended
        super().__init__(text)


class NotConnectedError(SessionClosedError):
    """The client is not logged on, so no message can be sent. Messages are never queued for later."""


class SessionInterruptedError(SessionClosedError):
    """The connection was lost, and the client is reconnecting; iterate again to continue."""


class ReconcileError(AdapterError):
    """Messages were lost, or an outcome is uncertain. Look up the missing information via drop copy or REST.

    `messages` raises this exception in place of an event that `events` would yield. The client keeps running.
    Iterating again confirms that you have handled the exception.
    """


class OutcomesUnknownError(ReconcileError):
    """This session cannot learn the outcome of sent requests."""

    def __init__(self, event: events.OutcomesUnknown) -> None:
        self.event = event
        self.requests: tuple[events.OpenRequest, ...] = event.requests
        """The requests, oldest first."""
        self.request_ids: tuple[str, ...] = event.request_ids
        """The ids of the requests: ClOrdIDs, for orders."""
        self.why: events.Uncertainty = event.why
        """The reason why the outcome is unknown."""
        names = [each.label for each in event.requests]
        outcomes, pronoun = (
            ("1 outcome is", "it") if len(names) == 1 else (f"{len(names)} outcomes are", "them")
        )
        super().__init__(
            f"{outcomes} unknown ({event.why.value}): {_join(names)}; look {pronoun} up via drop copy or "
            "REST, then iterate again"
        )


class OrdersUnverifiedError(ReconcileError):
    """The connection of a session without resend ended while orders were open."""

    def __init__(self, event: events.OrdersUnverified) -> None:
        self.event = event
        self.orders: tuple[events.RestingOrder, ...] = event.orders
        """The last report of each order."""
        self.complete: bool = event.complete
        """Whether `orders` contains all open orders."""
        names = [each.cl_ord_id or each.order_id for each in event.orders]
        open_orders = "1 order was" if len(names) == 1 else f"{len(names)} orders were"
        more = "" if event.complete else ", and others that were not tracked"
        pronoun = "it" if len(names) == 1 and event.complete else "them"
        super().__init__(
            f"{open_orders} open when the connection ended: {_join(names)}{more}; look {pronoun} up via "
            "drop copy or REST, then iterate again"
        )


class MessagesLostError(ReconcileError):
    """Messages from the venue are lost.

    The event shows the reason. MessagesLost: the venue no longer has them, or the sequence numbers were
    reset. SequenceSkipped: the venue has skipped them without a gap fill. GapDetected: they are missing on a
    session without resend.
    """

    def __init__(self, event: events.MessagesLost | events.SequenceSkipped | events.GapDetected) -> None:
        self.event = event
        self.begin: int = event.begin
        """MsgSeqNum of the first lost message."""
        self.end: int = event.end
        """MsgSeqNum of the last lost message."""
        lost, pronoun = (
            (f"message {event.begin} is", "it")
            if event.begin == event.end
            else (f"messages {event.begin} to {event.end} are", "they")
        )
        super().__init__(
            f"the venue's {lost} lost; look up what {pronoun} may have reported via drop copy or REST, then "
            "iterate again"
        )


class NumbersResetError(ReconcileError):
    """The sequence numbers restarted at 1, although the client had not requested a reset. Earlier messages
    from the venue that were not received are lost.
    """

    def __init__(self, event: events.LoggedOn) -> None:
        self.event = event
        super().__init__(
            "the venue's sequence numbers restarted at 1, and any earlier messages that were not received "
            "are lost; look up what they may have reported via drop copy or REST, then iterate again"
        )


class MessageRejectedError(ReconcileError):
    """A message from the venue violated the protocol. It was rejected, and not delivered."""

    def __init__(self, event: events.MessageRejected) -> None:
        self.event = event
        self.message: Message | None = event.message
        """The message, without fields that could not be read; None if it could not be decoded at all."""
        self.problems: tuple[Problem, ...] = event.problems
        """The problems with the message."""
        name = "a message" if event.message is None else event.message.NAME
        super().__init__(
            f"{name} from the venue was rejected ({_join([str(each) for each in event.problems])}); look "
            "up what it reported via drop copy or REST, then iterate again"
        )


class GarbledReceivedError(ReconcileError):
    """Bytes that are not a FIX message were skipped.

    If they were a damaged message, there is a gap in the sequence numbers. When the client detects it, the
    message is resent, or MessagesLostError follows. Neither happens if the session ends first.
    """

    def __init__(self, event: events.GarbledReceived) -> None:
        self.event = event
        skipped = (
            "1 byte that is not a FIX message was"
            if event.size == 1
            else f"{event.size} bytes that are not a FIX message were"
        )
        super().__init__(f"{skipped} skipped ({event.reason}); iterate again")


class MessageTooLargeError(ReconcileError):
    """A message from the venue is longer than `max_message_size` and was skipped. It is resent with the same
    size, so the client cannot continue for long with this limit."""

    def __init__(self, event: events.MessageTooLarge) -> None:
        self.event = event
        self.size: int = event.size
        """BodyLength (9) of the message, in bytes."""
        self.limit: int = event.limit
        """`max_message_size`, in bytes."""
        self.msg_type: str | None = event.msg_type
        """MsgType (35) of the message; None if it could not be read."""
        name = "a message" if event.msg_type is None else f"a message (MsgType {event.msg_type})"
        super().__init__(
            f"{name} of {event.size} bytes was skipped, because max_message_size is {event.limit}; increase "
            "this option of the client, or iterate again"
        )


def _join(names: list[str]) -> str:
    return ", ".join(names[:_MAX_SHOWN]) + (", ..." if len(names) > _MAX_SHOWN else "")
