"""Pause schedules; dialogues/pauses.yaml tests their effects."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.exchange import PREDICTION, PauseState
from kalshi_fix_venue.pauses import MAX_MANUAL_PAUSES, Pauses, PauseWindow, WeeklyPause
from kalshi_fix_venue.venue import VenueModel
from tests.venue.venue_harness import START, VenueHarness, config

EASTERN = ZoneInfo("America/New_York")
MAINTENANCE = WeeklyPause(weekday=3, begins=time(3), ends=time(5))
"""Thursday from 3 to 5 in New York."""


def state(harness: VenueHarness, product: str = PREDICTION) -> PauseState:
    return harness.venue.exchange(product).pause


def test_manual_pauses_are_bounded() -> None:
    pauses = Pauses((), EASTERN)
    for number in range(3 * MAX_MANUAL_PAUSES):
        begins = START + timedelta(days=3 * MAX_MANUAL_PAUSES - number)
        pauses.pause(PauseWindow(begins=begins, ends=None, products=("prediction",)))
    assert len(pauses._windows) == MAX_MANUAL_PAUSES


def test_a_manual_pause_does_not_end_a_scheduled_one() -> None:
    scheduled = PauseWindow(begins=START, ends=START + timedelta(hours=1), state=PauseState.EXCHANGE_PAUSED)
    pauses = Pauses((scheduled,), EASTERN)
    now = START
    for minutes, manual in ((1, PauseState.TRADING_PAUSED), (2, PauseState.TRADING_PAUSED)):
        now = START + timedelta(minutes=minutes)
        pauses.pause(PauseWindow(begins=now, ends=now + timedelta(minutes=5), state=manual))
        pauses.update(now)
        assert pauses.states[PREDICTION] is PauseState.EXCHANGE_PAUSED
    pauses.resume(None, now)  # this ends the manual pauses and the scheduled one
    pauses.update(now)
    assert pauses.states[PREDICTION] is PauseState.OPEN


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (datetime(2026, 3, 5, 2, 59, tzinfo=EASTERN), datetime(2026, 3, 5, 8, tzinfo=UTC)),
        (datetime(2026, 3, 5, 4, 59, tzinfo=EASTERN), datetime(2026, 3, 5, 8, tzinfo=UTC)),
        (datetime(2026, 3, 5, 5, tzinfo=EASTERN), datetime(2026, 3, 12, 7, tzinfo=UTC)),
        (datetime(2026, 10, 29, 6, tzinfo=EASTERN), datetime(2026, 11, 5, 8, tzinfo=UTC)),
        (datetime(2026, 3, 6, 4, tzinfo=UTC), datetime(2026, 3, 12, 7, tzinfo=UTC)),
    ],
    ids=["before", "during", "after, into summer time", "into winter time", "Friday in UTC"],
)
def test_maintenance_follows_new_york_time_in_summer_and_winter(now: datetime, begins: datetime) -> None:
    window = MAINTENANCE.window(EASTERN, now.astimezone(UTC))
    assert window.begins == begins
    assert window.ends == begins + timedelta(hours=2)


def test_a_venue_that_begins_during_maintenance_is_paused() -> None:
    venue = VenueModel(config(pauses=(MAINTENANCE,)), Random(1))
    now = Instant(5.0, datetime(2026, 8, 27, 4, tzinfo=EASTERN).astimezone(UTC))
    venue.begin(now)
    assert venue.exchange(PREDICTION).pause is PauseState.TRADING_PAUSED
    assert venue.next_deadline() == 5.0 + 3600


def test_a_single_pause_can_be_scheduled() -> None:
    begins = START + timedelta(minutes=5)
    window = PauseWindow(
        begins=begins,
        ends=begins + timedelta(minutes=1),
        state=PauseState.EXCHANGE_PAUSED,
        products=("margin",),
    )
    harness = VenueHarness(pauses=(window, MAINTENANCE))
    ann = harness.connect("ann", heart_bt_int=3600)
    harness.wait(299)
    assert state(harness, "margin") is PauseState.OPEN
    harness.wait(1)
    assert (state(harness), state(harness, "margin")) == (PauseState.OPEN, PauseState.EXCHANGE_PAUSED)
    harness.wait(60)
    assert state(harness, "margin") is PauseState.OPEN
    assert ann.session.is_established


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekday": 7, "begins": time(1), "ends": time(2)},
        {"weekday": -1, "begins": time(1), "ends": time(2)},
        {"weekday": 1, "begins": time(2), "ends": time(2)},
        {"weekday": 1, "begins": time(23), "ends": time(1)},
    ],
)
def test_an_invalid_pause_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"weekday|must end later"):
        WeeklyPause(**wrong)
