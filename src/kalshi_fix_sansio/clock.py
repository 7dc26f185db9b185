"""Time as the core sees it: passed in from outside, as two clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""The first time that a datetime can hold."""
END: Final = datetime.max.replace(tzinfo=UTC)
"""The last one."""


def shifted(time: datetime, by: timedelta) -> datetime:
    """Return `time + by` in UTC; `BEGINNING` or `END` where the calendar has no such time, as for a peer's
    time in the year 1 or 9999."""
    try:
        return time + by
    except OverflowError:
        return BEGINNING if by < timedelta(0) else END


@attrs.frozen(init=False)
class Instant:
    """One moment, read from two clocks by whoever drives the core.

    Deadlines use `monotonic` alone, so that a step of the wall clock never breaks a
    heartbeat; SendingTime (52) uses `utc` alone.

    Attributes:
        monotonic: Seconds of a clock that never goes back; its zero has no meaning.
        utc: The wall clock, time-zone aware, in UTC.
    """

    monotonic: float
    utc: datetime

    def __init__(self, monotonic: float, utc: datetime) -> None:
        # One is made for each message, and what attrs writes here takes nearly twice as long.
        if utc.tzinfo is None:
            raise ValueError("Instant.utc must be a time-zone aware datetime in UTC")
        _set_monotonic(self, monotonic)
        _set_utc(self, utc)


_set_monotonic: Callable[[Instant, float], None] = vars(Instant)["monotonic"].__set__
_set_utc: Callable[[Instant, datetime], None] = vars(Instant)["utc"].__set__
