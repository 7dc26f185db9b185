"""Virtual time: a venue advances from deadline to deadline without waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.venue import VenueModel


def pass_time(
    venue: VenueModel, seconds: float, now: Instant, *, after: Callable[[Instant], None] | None = None
) -> Instant:
    """Advance a venue by a number of seconds, stopping at each of its deadlines; return the resulting time.

    `after` is called after each stop with the time of the stop, for instance to transfer the bytes of
    in-memory clients.
    """
    end = now.monotonic + seconds
    begin = now
    while True:
        deadline = venue.next_deadline()
        is_last = deadline is None or deadline > end
        # A deadline in the past is due now: time does not go back.
        monotonic = end if deadline is None or is_last else max(deadline, now.monotonic)
        now = Instant(monotonic, begin.utc + timedelta(seconds=monotonic - begin.monotonic))
        if not is_last:
            venue.handle_timer(now)
        if after is not None:
            after(now)
        if is_last:
            return now
