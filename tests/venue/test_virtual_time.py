"""Virtual time passes without waiting."""

from __future__ import annotations

from datetime import timedelta

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.virtual_time import pass_time
from tests.venue.venue_harness import START, VenueHarness


def test_virtual_time_stops_at_each_deadline_and_at_the_end(harness: VenueHarness) -> None:
    harness.connect("ann", heart_bt_int=10)
    stops: list[Instant] = []
    end = pass_time(harness.venue, 25, harness.now, after=stops.append)
    assert end == Instant(75.0, START + timedelta(seconds=25))
    assert stops[0].monotonic == 60.0  # the deadline of the venue's first Heartbeat
    assert stops[-1] == end
    assert all(stop.utc - START == timedelta(seconds=stop.monotonic - 50) for stop in stops)


def test_an_overdue_deadline_is_processed_immediately_and_zero_seconds_are_valid(
    harness: VenueHarness,
) -> None:
    harness.connect("ann", heart_bt_int=10)
    late = Instant(100.0, START + timedelta(seconds=50))
    stops: list[Instant] = []
    assert pass_time(harness.venue, 0, late, after=stops.append) == late
    assert {stop.monotonic for stop in stops} == {100.0}
    assert pass_time(VenueHarness().venue, 0, late) == late
