"""Faults of one connection that will probably end the next connection too.

The session itself recognizes a message from the venue that it must reject repeatedly for its SendingTime or
CompIDs. The second time, it sets `SessionEnded.advice`, and the client gives up at once. The faults detected
here may occur at a different sequence number each time, or be temporary. So the client gives up only after
`ReconnectPolicy.same_failures` connections.
"""

from __future__ import annotations

import attrs

from kalshi_fix_adapters.engine.logon_errors import RESET_ADVICE
from kalshi_fix_sansio import events


@attrs.frozen
class Fault:
    """A fault that will probably recur on the next connection."""

    key: tuple[object, ...]
    """Key that identifies the same fault on another connection."""
    advice: str = attrs.field(eq=False)
    identifies_message: bool = attrs.field(default=True, eq=False)
    """Whether the key identifies a message from the venue (by number or type).

    If so, the fault counts as the same one, however long the connection lasted. Otherwise a connection that
    lasted at least `ReconnectPolicy.stable_after` restarts the count.
    """


class Faults:
    """Detects the fault of one connection."""

    def __init__(self) -> None:
        self._too_large: events.MessageTooLarge | None = None
        """The last message that was skipped because of its size on this connection."""
        self._gap: events.GapDetected | None = None
        """The open sequence gap."""

    def handle(self, event: events.Event) -> None:
        """Process an event from the session."""
        if isinstance(event, events.MessageTooLarge):
            self._too_large = event
        elif isinstance(event, events.GapDetected):
            self._gap = event
        elif isinstance(event, events.GapClosed):
            self._gap = None

    def cause(self, ended: events.SessionEnded) -> Fault | None:
        """Return the fault that ended the session; None if the next connection will probably succeed."""
        too_large, gap = self._too_large, self._gap
        # Checked before the gap, because a message skipped for its size leaves a gap, and the advice for gaps
        # would not help.
        if ended.reason is events.CloseReason.SEQUENCE_GAP and too_large is not None:
            return Fault(
                ("too large", too_large.msg_type),
                f"each connection skipped a message of {too_large.size} bytes: raise max_message_size, which "
                f"is {too_large.limit}, above that size",
            )
        if ended.reason is events.CloseReason.SEQUENCE_GAP and gap is not None:
            return Fault(
                ("gap", gap.begin),
                f"the venue does not resend its message {gap.begin}: use drop copy or REST to look up what "
                "it may have reported, and report the gap to the venue",
            )
        if ended.reason is events.CloseReason.SEQUENCE_TOO_LOW:
            return Fault((ended.reason, ended.text), RESET_ADVICE)
        # The venue violated the protocol. Only the text identifies the violation, because most have no
        # sequence number.
        if ended.reason is events.CloseReason.PROTOCOL_ERROR:
            return Fault(
                (ended.reason, ended.text),
                "report this to the venue; the wire_log option records the venue's messages",
                identifies_message=False,
            )
        return None
