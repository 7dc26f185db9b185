"""Time as the core sees it: passed in from outside, as two clocks."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen
class Instant:
    """One moment, read from two clocks by whoever drives the core.

    Deadlines use `monotonic` alone, so that a step of the wall clock never breaks a
    heartbeat; SendingTime (52) uses `utc` alone.
    """

    monotonic: float
    """Seconds of a clock that never goes back; its zero has no meaning."""
    utc: datetime = attrs.field()
    """The wall clock, time-zone aware, in UTC."""

    @utc.validator
    def _aware(self, _attribute: object, value: datetime) -> None:
        if value.tzinfo is None:
            raise ValueError("Instant.utc must be a time-zone aware datetime in UTC")
