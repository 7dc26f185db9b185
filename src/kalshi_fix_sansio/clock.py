"""Time in the core: passed in by the caller, as readings of two clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""The earliest time that a datetime can hold."""
END: Final = datetime.max.replace(tzinfo=UTC)
"""The latest time that a datetime can hold."""


def shifted(time: datetime, by: timedelta) -> datetime:
    """Return `time + by` in UTC, or `BEGINNING` or `END` if a datetime cannot hold it, such as for a peer's
    time in the year 1 or 9999."""
    try:
        return time + by
    except OverflowError:
        return BEGINNING if by < timedelta(0) else END


@attrs.frozen(init=False)
class Instant:
    """A point in time, read from two clocks by the caller of the core.

    Deadlines use only `monotonic`, so steps of the wall clock do not affect heartbeats; SendingTime (52) uses
    only `utc`.

    Attributes:
        monotonic: Seconds of a monotonic clock with an arbitrary zero.
        utc: The wall clock, time-zone aware, in UTC.
    """

    monotonic: float
    utc: datetime

    def __init__(self, monotonic: float, utc: datetime) -> None:
        # One is made for each message, and the constructor that attrs writes takes nearly twice as long.
        if utc.tzinfo is None:
            raise ValueError("Instant.utc must be a time-zone aware datetime in UTC")
        _set_monotonic(self, monotonic)
        _set_utc(self, utc)


_set_monotonic: Callable[[Instant, float], None] = vars(Instant)["monotonic"].__set__
_set_utc: Callable[[Instant, datetime], None] = vars(Instant)["utc"].__set__
