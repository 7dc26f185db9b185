"""Converts each event to the message that the client's `messages` returns, or to the error that it raises.

Events that report loss or uncertainty are raised as exceptions, so that a user of `messages`, the simplest
call, cannot overlook them. Each exception contains its event. The user confirms the event like any other, by
requesting the next one.
"""

from __future__ import annotations

from kalshi_fix_adapters import errors
from kalshi_fix_adapters.events import ClientEvent, Disconnected
from kalshi_fix_sansio import events
from kalshi_fix_sansio.dialect.base import Message


def message_or_error(event: ClientEvent) -> Message | errors.AdapterError | None:
    """Return the message for an event, the error to raise, or None to skip the event.

    Skipped events are of two kinds. Some do not concern messages: `Connecting`, heartbeats, and a `LoggedOn`
    without an unexpected reset. The others are followed by an event or error that is not skipped. After a gap
    that can be filled, the messages or MessagesLost follow. After the end of a session, `Disconnected`
    follows, or SessionClosedError if the iteration ends.
    """
    # Unlisted events are skipped, so a new event that reports loss or uncertainty must be added here.
    match event:
        case events.MessageReceived():
            return event.message
        case events.RejectReceived():
            return event.reject
        case events.OutcomesUnknown():
            return errors.OutcomesUnknownError(event)
        case events.OrdersUnverified():
            return errors.OrdersUnverifiedError(event)
        case (
            events.MessagesLost()
            | events.SequenceSkipped(gap_fill=False)
            | events.GapDetected(recoverable=False)
        ):
            return errors.MessagesLostError(event)
        case events.LoggedOn(reset=True, reset_requested=False):
            return errors.NumbersResetError(event)
        case events.MessageRejected():
            return errors.MessageRejectedError(event)
        case events.MessageTooLarge():
            return errors.MessageTooLargeError(event)
        case events.GarbledReceived():
            return errors.GarbledReceivedError(event)
        case Disconnected():
            return errors.SessionInterruptedError(
                f"the connection was lost ({event.ended.text}); the client will reconnect in "
                f"{event.retry_in:.1f} s; iterate again to continue",
                event.ended,
            )
    return None
