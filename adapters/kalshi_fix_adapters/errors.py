"""What can go wrong between a client and the venue, each with one sentence that says what to do."""

from __future__ import annotations

from typing import Final

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import ConfigurationError, KalshiFixError
from kalshi_fix_sansio.events import (
    GapDetected,
    GarbledReceived,
    LoggedOn,
    MessageRejected,
    MessagesLost,
    MessageTooLarge,
    OrdersUnverified,
    OutcomesUnknown,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.outcomes import OpenRequest, RestingOrder, Uncertainty
from kalshi_fix_sansio.problems import Problem

_MAX_SHOWN: Final = 10
"""Ids and problems that a text names; the attributes have all of them."""


class AdapterError(KalshiFixError):
    """Base of what the adapters raise when the world outside does not do its part."""


class ConnectionFailedError(AdapterError, ConnectionError):
    """No connection came about: unreachable, refused, reset, or not in time."""


class HostNotFoundError(ConnectionFailedError):
    """The host's name has no address."""


class ConnectTimeoutError(ConnectionFailedError, TimeoutError):
    """TCP or TLS was not ready within the deadline."""


class TlsError(ConnectionFailedError):
    """The TLS handshake failed for another reason than the certificate."""


class CertificateRejectedError(TlsError):
    """The venue's certificate does not verify, names another host, or is not the pinned one."""


class PlaintextRefusedError(ConfigurationError):
    """Plain TCP to another machine was not asked for by name."""


class LogonRefusedError(AdapterError):
    """The venue answered the Logon by a Logout."""

    def __init__(self, text: str, advice: str, *, retryable: bool) -> None:
        self.text = text
        """The venue's Text (58)."""
        self.advice = advice
        """What to do about it."""
        self.retryable = retryable
        """Whether time alone can cure it."""
        super().__init__(f"the venue refused the logon: {text or 'no reason given'}; {advice}")


class LogonFailedError(AdapterError):
    """The Logon got no proper answer: none in time, the connection ended, or a breach of the protocol."""

    def __init__(self, text: str, ended: SessionEnded | None = None) -> None:
        self.ended = ended
        """How the session ended, if it had begun."""
        super().__init__(text)


class SigningError(AdapterError):
    """What signs the Logon has failed; its own exception is the cause."""


class ClientTimeoutError(AdapterError, TimeoutError):
    """What was waited for did not happen within the deadline."""


class SessionClosedError(AdapterError):
    """The session is over; `ended` says why, unless the client was never opened or failed by itself."""

    def __init__(self, text: str, ended: SessionEnded | None = None) -> None:
        self.ended = ended
        super().__init__(text)


class NotConnectedError(SessionClosedError):
    """Nothing can be sent now: the client is not logged on. Messages are never kept for later."""


class SessionInterruptedError(SessionClosedError):
    """The connection was lost, and the client is connecting again; go on iterating to go on."""


class ReconcileError(AdapterError):
    """Something was lost or is in doubt: look it up elsewhere, by drop copy or REST.

    `messages` raises it where `events` tells the same as an event. The client goes on; so does whoever
    iterates again, which says that the matter was taken care of.
    """


class OutcomesUnknownError(ReconcileError):
    """The outcome of requests that were sent cannot be learnt from this session."""

    def __init__(self, event: OutcomesUnknown) -> None:
        self.event = event
        names = [each.label for each in event.requests]
        super().__init__(
            f"{len(names)} outcomes are unknown ({event.why.value}): {_some(names)}; look them up by drop "
            "copy or REST, then iterate again"
        )

    @property
    def requests(self) -> tuple[OpenRequest, ...]:
        """What was sent, oldest first."""
        return self.event.requests

    @property
    def request_ids(self) -> tuple[str, ...]:
        """What the requests are known by: ClOrdIDs, for orders."""
        return self.event.request_ids

    @property
    def why(self) -> Uncertainty:
        """Why nothing more is known."""
        return self.event.why


class OrdersUnverifiedError(ReconcileError):
    """The connection ended where nothing is sent again, and orders rested when it did."""

    def __init__(self, event: OrdersUnverified) -> None:
        self.event = event
        names = [each.cl_ord_id or each.order_id for each in event.orders]
        more = "" if event.complete else ", and more than were followed"
        super().__init__(
            f"{len(names)} orders rested when the connection ended: {_some(names)}{more}; look them up by "
            "drop copy or REST, then iterate again"
        )

    @property
    def orders(self) -> tuple[RestingOrder, ...]:
        """What is known of each."""
        return self.event.orders

    @property
    def complete(self) -> bool:
        """Whether these are all that rested."""
        return self.event.complete


class MessagesLostError(ReconcileError):
    """Messages of the venue will not come: it has them no more (MessagesLost), has skipped them without
    saying what they were (SequenceSkipped), or they are missing where nothing is sent again (GapDetected)."""

    def __init__(self, event: MessagesLost | SequenceSkipped | GapDetected) -> None:
        self.event = event
        super().__init__(
            f"the venue's messages {event.begin} to {event.end} are lost; look up by drop copy or REST what "
            "they may have said, then iterate again"
        )

    @property
    def begin(self) -> int:
        """MsgSeqNum of the first."""
        return self.event.begin

    @property
    def end(self) -> int:
        """MsgSeqNum of the last."""
        return self.event.end


class NumbersResetError(ReconcileError):
    """The numbers began again at 1 without this side's asking for it now: what the venue had sent before, and
    had not come, is lost."""

    def __init__(self, event: LoggedOn) -> None:
        self.event = event
        super().__init__(
            "the venue's numbers began again at 1, and what had not come before does not come any more; "
            "look up by drop copy or REST what happened, then iterate again"
        )


class MessageRejectedError(ReconcileError):
    """A message of the venue broke the rules, so that it was refused and not delivered."""

    def __init__(self, event: MessageRejected) -> None:
        self.event = event
        name = "a message" if event.message is None else event.message.NAME
        super().__init__(
            f"{name} of the venue was refused ({_some([str(each) for each in event.problems])}); look up by "
            "drop copy or REST what it said, then iterate again"
        )

    @property
    def message(self) -> Message | None:
        """The message, as far as it could be read."""
        return self.event.message

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was wrong with it."""
        return self.event.problems


class GarbledReceivedError(ReconcileError):
    """Bytes that are no FIX message were skipped. If one was meant, its number is missing: it comes again, or
    MessagesLostError follows, unless the session ends before that is noticed."""

    def __init__(self, event: GarbledReceived) -> None:
        self.event = event
        super().__init__(
            f"{event.size} bytes that are no FIX message were skipped ({event.reason}); iterate again"
        )


class MessageTooLargeError(ReconcileError):
    """A message of the venue is longer than `max_message_size` and was skipped. It comes again as large as
    before, so that the client cannot go on for long with this limit."""

    def __init__(self, event: MessageTooLarge) -> None:
        self.event = event
        name = "a message" if event.msg_type is None else f"a message (MsgType {event.msg_type})"
        super().__init__(
            f"{name} of {event.size} bytes was skipped, because max_message_size is {event.limit}; set that "
            "option of the client higher, or iterate again"
        )

    @property
    def size(self) -> int:
        """Its BodyLength (9), in bytes."""
        return self.event.size

    @property
    def limit(self) -> int:
        """`max_message_size`, in bytes."""
        return self.event.limit

    @property
    def msg_type(self) -> str | None:
        """Its MsgType (35); None if that could not be read."""
        return self.event.msg_type


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MAX_SHOWN]) + (", ..." if len(names) > _MAX_SHOWN else "")
