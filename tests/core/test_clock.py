"""The two clocks of an Instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kalshi_fix_sansio.clock import Instant


def test_an_instant_is_both_clocks_at_once() -> None:
    moment = datetime(2026, 8, 21, tzinfo=UTC)
    assert Instant(1.5, moment) == Instant(1.5, moment)
    assert Instant(1.5, moment).utc == moment


def test_a_naive_wall_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="time-zone aware"):
        Instant(1.5, datetime(2026, 8, 21))  # noqa: DTZ001 - that is the point


def test_another_time_zone_is_the_same_moment() -> None:
    east = timezone(timedelta(hours=2))
    assert Instant(0, datetime(2026, 8, 21, 2, tzinfo=east)) == Instant(0, datetime(2026, 8, 21, tzinfo=UTC))
