"""Converts each event to the message that the client's `messages` returns, or to the error that it raises.

No loss is silent, even for users of the simplest call: events that report loss or uncertainty are raised as
exceptions, which contain the identifiers. They are confirmed like any event, by requesting the next one.
"""

from __future__ import annotations

from kalshi_fix_adapters import errors
from kalshi_fix_adapters.events import ClientEvent, Disconnected
from kalshi_fix_sansio import events
from kalshi_fix_sansio.dialect.base import Message


def message_or_error(event: ClientEvent) -> Message | errors.AdapterError | None:
    """Return the message for an event, the error to raise, or None to skip the event.

    Skipped events do not concern messages (`Connecting`, heartbeats, `LoggedOn`), or are followed by another
    event: a gap that is being filled ends with the messages or with MessagesLost, and the end of a session is
    followed by `Disconnected` or, at the end of the iteration, by SessionClosedError. A `LoggedOn` that
    reports a reset which the client did not request is not skipped.
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
                f"the connection was lost ({event.ended.text}); the client reconnects in "
                f"{event.retry_in:.1f} s, iterate again to continue",
                event.ended,
            )
    return None
