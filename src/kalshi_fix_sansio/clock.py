"""Time as the core sees it: passed in from outside, as two clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from kalshi_fix_sansio.classes.explained import explained


@explained
@attrs.frozen(init=False)
class Instant:
    """One moment, read from two clocks by whoever drives the core.

    Deadlines use `monotonic` alone, so that a step of the wall clock never breaks a
    heartbeat; SendingTime (52) uses `utc` alone.
    """

    monotonic: float
    """Seconds of a clock that never goes back; its zero has no meaning."""
    utc: datetime
    """The wall clock, time-zone aware, in UTC."""

    def __init__(self, monotonic: float, utc: datetime) -> None:
        # One is made for each message, and what attrs writes here takes nearly twice as long.
        if utc.tzinfo is None:
            raise ValueError("Instant.utc must be a time-zone aware datetime in UTC")
        _set_monotonic(self, monotonic)
        _set_utc(self, utc)


_set_monotonic: Callable[[Instant, float], None] = vars(Instant)["monotonic"].__set__
_set_utc: Callable[[Instant, datetime], None] = vars(Instant)["utc"].__set__
