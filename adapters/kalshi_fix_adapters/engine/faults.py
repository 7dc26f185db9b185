"""Faults of one connection by which the next one will probably end as well.

A message that is refused for its time or its names is recognised by the sessions themselves: the second time
`SessionEnded.advice` is set, and the client gives up at once. The faults that are found here may have other
numbers each time, or pass, so the client gives up after `ReconnectPolicy.same_failures` connections.
"""

from __future__ import annotations

import attrs

from kalshi_fix_adapters.engine.logon_errors import RESET_ADVICE
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    GapClosed,
    GapDetected,
    MessageTooLarge,
    SessionEnded,
)


@attrs.frozen
class Fault:
    """Something that the venue said, and will probably say again."""

    key: tuple[object, ...]
    """The same for the same fault of another connection."""
    advice: str = attrs.field(eq=False)
    at_one_place: bool = attrs.field(default=True, eq=False)
    """Whether the key names a place in what the venue sends (a number, a type). Then it is the same fault
    however long the connection lasted; otherwise one after `ReconnectPolicy.stable_after` counts anew."""


class Faults:
    """Looks for the fault of one connection."""

    def __init__(self) -> None:
        self._too_large: MessageTooLarge | None = None
        """The last one that was skipped on this connection."""
        self._gap: GapDetected | None = None
        """The gap that is open."""

    def note(self, event: Event) -> None:
        """Take note of an event of the session."""
        if isinstance(event, MessageTooLarge):
            self._too_large = event
        elif isinstance(event, GapDetected):
            self._gap = event
        elif isinstance(event, GapClosed):
            self._gap = None

    def behind(self, ended: SessionEnded) -> Fault | None:
        """Return the fault that has ended the session; None if it may well go better the next time."""
        too_large, gap = self._too_large, self._gap
        # Before the gap: a message that was skipped for its size leaves one, and its advice would be no help.
        if ended.reason is CloseReason.SEQUENCE_GAP and too_large is not None:
            return Fault(
                ("too large", too_large.msg_type),
                f"a message of {too_large.size} bytes was skipped each time: set max_message_size, which is "
                f"{too_large.limit}, higher than that",
            )
        if ended.reason is CloseReason.SEQUENCE_GAP and gap is not None:
            return Fault(
                ("gap", gap.begin),
                f"the venue's message {gap.begin} does not come: look up by drop copy or REST what it may "
                "have said, and ask the venue",
            )
        if ended.reason is CloseReason.SEQUENCE_TOO_LOW:
            return Fault((ended.reason, ended.text), RESET_ADVICE)
        # The venue broke the protocol, mostly by something that has no number: only the text tells.
        if ended.reason is CloseReason.PROTOCOL_ERROR:
            return Fault(
                (ended.reason, ended.text),
                "ask the venue about it; the option wire_log writes down what it sends",
                at_one_place=False,
            )
        return None
