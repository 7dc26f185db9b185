"""The two clocks of one side, as functions of virtual time. Durations are in seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from kalshi_fix_sansio.clock import Instant

START = datetime(2026, 8, 21, 14, 0, 0, tzinfo=UTC)
MAX_OFFSET = 8.0
"""The maximum error of a wall clock in seconds: two such errors and a delay stay within the tolerance."""


class SideClock:
    """A monotonic clock with a slightly wrong rate, and a wall clock that drifts and is corrected."""

    __slots__ = ("_base", "_rate", "_utc_rate", "fault_offset", "offset")

    def __init__(self, random: Random) -> None:
        self._base = random.uniform(0, 1e6)
        self._rate = 1 + random.uniform(-2e-4, 2e-4)
        self._utc_rate = 1 + random.uniform(-2e-4, 2e-4)
        self.offset = random.uniform(-MAX_OFFSET / 2, MAX_OFFSET / 2)
        self.fault_offset = 0.0
        """The temporary offset that a fault adds."""

    def monotonic(self, virtual: float) -> float:
        return self._base + virtual * self._rate

    def instant(self, virtual: float) -> Instant:
        utc = START + timedelta(seconds=virtual * self._utc_rate + self.offset + self.fault_offset)
        return Instant(self._base + virtual * self._rate, utc)

    def since_boot(self, virtual: float) -> float:
        """Return the time of a clock that continues while the machine sleeps; only differences are
        meaningful."""
        return virtual * self._rate

    def virtual(self, monotonic: float) -> float:
        """Return the virtual time at which the monotonic clock has this value."""
        return (monotonic - self._base) / self._rate

    def step(self, seconds: float) -> None:
        """Step the wall clock, but only so far that the clocks of both sides stay within the tolerance."""
        self.offset = max(-MAX_OFFSET, min(MAX_OFFSET, self.offset + seconds))

    def subtract_sleep(self, seconds: float) -> None:
        """Set the monotonic clock back by the time that the machine slept."""
        self._base -= seconds * self._rate

    def reboot(self, virtual: float, random: Random) -> None:
        """Restart the monotonic clock, as a restart of the machine does."""
        self._base = random.uniform(0, 1e4) - virtual * self._rate
