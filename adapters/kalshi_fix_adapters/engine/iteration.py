"""Converts each event to the message that the client's `messages` returns, or to the error that it raises.

No loss is silent, even for users of the simplest call: events that report loss or uncertainty are raised as
exceptions, which contain the identifiers. They are confirmed like any event, by requesting the next one.
"""

from __future__ import annotations

from kalshi_fix_adapters.errors import (
    AdapterError,
    GarbledReceivedError,
    MessageRejectedError,
    MessagesLostError,
    MessageTooLargeError,
    NumbersResetError,
    OrdersUnverifiedError,
    OutcomesUnknownError,
    SessionInterruptedError,
)
from kalshi_fix_adapters.events import ClientEvent, Disconnected
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    GapDetected,
    GarbledReceived,
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    MessageTooLarge,
    OrdersUnverified,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
)


def message_or_error(event: ClientEvent) -> Message | AdapterError | None:
    """Return the message for an event, the error to raise, or None to skip the event.

    Skipped events do not concern messages (`Connecting`, heartbeats, `LoggedOn`), or are followed by another
    event: a gap that is being filled ends with the messages or with MessagesLost, and the end of a session is
    followed by `Disconnected` or, at the end of the iteration, by SessionClosedError. A `LoggedOn` that
    reports a reset which the client did not request is not skipped.
    """
    # Unlisted events are skipped, so a new event that reports loss or uncertainty must be added here.
    match event:
        case MessageReceived():
            return event.message
        case RejectReceived():
            return event.reject
        case OutcomesUnknown():
            return OutcomesUnknownError(event)
        case OrdersUnverified():
            return OrdersUnverifiedError(event)
        case MessagesLost() | SequenceSkipped(gap_fill=False) | GapDetected(recoverable=False):
            return MessagesLostError(event)
        case LoggedOn(reset=True, reset_requested=False):
            return NumbersResetError(event)
        case MessageRejected():
            return MessageRejectedError(event)
        case MessageTooLarge():
            return MessageTooLargeError(event)
        case GarbledReceived():
            return GarbledReceivedError(event)
        case Disconnected():
            return SessionInterruptedError(
                f"the connection was lost ({event.ended.text}); the client reconnects in "
                f"{event.retry_in:.1f} s, iterate again to continue",
                event.ended,
            )
    return None
