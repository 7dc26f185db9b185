"""`Instant`: a wall-clock time and a monotonic time together."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from kalshi_fix_sansio.clock import Instant


def test_a_naive_wall_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="time-zone aware"):
        Instant(1.5, datetime(2026, 8, 21))  # noqa: DTZ001 - that is the point


def test_an_instant_in_another_time_zone_is_equal() -> None:
    east = timezone(timedelta(hours=2))
    assert Instant(0, datetime(2026, 8, 21, 2, tzinfo=east)) == Instant(0, datetime(2026, 8, 21, tzinfo=UTC))


def test_an_instant_is_immutable() -> None:
    time = datetime(2026, 8, 21, 1, 2, 3, tzinfo=UTC)
    instant = Instant(1.5, time)
    with pytest.raises(FrozenInstanceError):
        instant.monotonic = 2.5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del instant.utc
    assert hash(instant) == hash(Instant(monotonic=1.5, utc=time))
    assert attrs.evolve(instant, monotonic=2.5) == Instant(2.5, time)
    assert pickle.loads(pickle.dumps(instant)) == instant
    assert repr(instant) == f"Instant(monotonic=1.5, utc={time!r})"
