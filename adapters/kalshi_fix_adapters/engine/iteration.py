"""What somebody who iterates over messages gets for each event: the rule behind `messages` of every client.

Nothing is silent for the user of the simplest call. What an event tells about loss or doubt is raised, with
the identifiers in the exception. It counts as taken care of like any event: when the next one is asked for.
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
    """Return the message to hand out for an event, the error to raise, or None to go on to the next one.

    None stands for events that say nothing about messages (`Connecting`, heartbeats, a `LoggedOn` as it was
    asked for), and for those that another one follows on: a gap that is being filled ends with the messages
    or with MessagesLost, the end of a session with `Disconnected`, or with the SessionClosedError at the end
    of the iteration.
    """
    # What is not listed is None: a new event that tells of loss or doubt has to be added here.
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
                f"the connection was lost ({event.ended.text}); the client connects again in "
                f"{event.retry_in:.1f} s, iterate again to go on",
                event.ended,
            )
    return None
