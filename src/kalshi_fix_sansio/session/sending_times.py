"""Which SendingTimes (52) are right now, and which are old only because nobody read them sooner.

FIXT 1.1 session layer, "Message validation": SendingTime is to be close to the reader's clock. That finds a
clock that is wrong, and messages of another time. It finds nothing where the reader came late: an event loop
that was held up, a process that was stopped, a computer that slept. So the caller is asked to come regularly
(`Timers.call_due`), and after a gap between its calls, by either clock, what was sent during the gap may be
as old as that. Everything else is still refused: what is older than the gap, what is ahead of the clock, and,
once something fresh was read, everything that is late.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session.timers import NEVER, Timers

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_END: Final = datetime.max.replace(tzinfo=UTC)
SHORTEST_CALL = 1.0
"""Seconds: the caller is asked to come three times within the tolerance, but not more often than this."""
PERIODS = 30
"""How many times within the tolerance `earliest` and `latest` are reckoned anew. Reckoned for each read, a
report would take 8 % longer."""


class SendingTimes:
    """What SendingTime is compared with."""

    __slots__ = (
        "_call_within",
        "_grace",
        "_since",
        "_timers",
        "_tolerance",
        "_until",
        "begin",
        "catching_up",
        "earliest",
        "end",
        "end_monotonic",
        "latest",
    )

    def __init__(self, tolerance: float | None, timers: Timers) -> None:
        self.begin: datetime = _BEGINNING
        self.end: datetime = _END
        self.end_monotonic: float = NEVER
        """From when until when, by both clocks, `earliest` and `latest` hold: see `PERIODS`."""
        self.earliest: datetime = _BEGINNING
        self.latest: datetime = _END
        """A SendingTime between these is right at any moment of the period. One outside may still be right,
        and is compared with the clock."""
        self.catching_up: bool = False
        """Whether what is read now may have waited here; until something fresh comes."""
        self._since, self._until = _BEGINNING, _END
        """Between these moments a message was sent that may have waited here."""
        self._timers = timers
        self._tolerance = None if tolerance is None else timedelta(seconds=tolerance)
        self._call_within = NEVER if tolerance is None else max(SHORTEST_CALL, tolerance / 3)
        self._grace = self._call_within / 2
        """How much later than agreed the caller may come without having been held up."""

    def note_call(self, now: Instant) -> bool:
        """Take note that the caller is here, at least once in each period; say whether it was held up.

        A clock that steps ahead by more than the tolerance looks the same where the other one stood still: a
        computer that slept.
        """
        tolerance = self._tolerance
        if tolerance is None:
            return False
        timers, utc, monotonic = self._timers, now.utc, now.monotonic
        # `latest` is the last call by the wall clock, plus the tolerance. Each clock may miss what the other
        # shows: the monotonic one may stand still while a computer sleeps, the other one may be set back.
        held_up = monotonic > timers.call_at + self._grace or utc > self.latest
        if held_up:
            # How long ago the last call was, by each clock. What left right before it may be late by the
            # tolerance as well, as at any other time.
            by_monotonic = timedelta(seconds=monotonic - timers.call_at + self._call_within)
            by_utc = utc - self.latest + tolerance
            self.catch_up(utc - max(by_monotonic, by_utc) - tolerance, utc)
        timers.call_at = monotonic + self._call_within
        period = tolerance / PERIODS
        self.begin, self.end = utc, utc + period
        self.end_monotonic = monotonic + period.total_seconds()
        # The oldest that is right at the end of the period, the newest that is right at its beginning.
        self.earliest, self.latest = self.end - tolerance, utc + tolerance
        return held_up

    def catch_up(self, since: datetime = _BEGINNING, until: datetime = _END) -> None:
        """Expect what waited here unread and was sent between these moments."""
        # What waited at an earlier time may not all be read yet.
        if self.catching_up:
            since, until = min(since, self._since), max(until, self._until)
        self.catching_up = True
        self._since, self._until = since, until

    def has_read(self, sending_time: datetime | None) -> None:
        """Take note of a message that was read: behind something fresh nothing waited."""
        if sending_time is not None and sending_time >= self.earliest:
            self.catching_up = False

    def may_have_waited(self, sending_time: datetime) -> bool:
        """Say whether a message is late, and may be so because it waited here."""
        return (
            self.catching_up and sending_time < self.earliest and self._since <= sending_time <= self._until
        )
