"""The reconnect policy without a client: it takes failures and times, and returns a `Wait` or `GiveUp`."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from kalshi_fix_adapters.config.reconnect import (
    Failure,
    GiveUp,
    Maintenance,
    ReconnectPolicy,
    Resolution,
    Wait,
)
from kalshi_fix_sansio.errors import ConfigurationError
from tests.helpers import MAINTENANCE_TIME

NORMAL_TIME = MAINTENANCE_TIME + timedelta(days=1)
"""A time outside the maintenance window."""
LOST_CONNECTION = Failure(resolution=Resolution.TIME, why="it went away")
PERMANENT_FAILURE = Failure(resolution=Resolution.ACTION, why="wrong key")


def wait(policy: ReconnectPolicy, failures: int, drawn: float, now: datetime = NORMAL_TIME) -> float:
    verdict = policy.decide(LOST_CONNECTION, failures=failures, now=now, random=lambda: drawn)
    assert isinstance(verdict, Wait)
    return verdict.seconds


def test_the_bound_doubles_up_to_the_cap() -> None:
    policy = ReconnectPolicy(initial=0.5, cap=10.0)
    assert [wait(policy, failures, 1.0) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert wait(policy, 10_000, 1.0) == 10


def test_a_wait_is_drawn_uniformly_up_to_the_bound() -> None:
    policy = ReconnectPolicy()
    assert [wait(policy, 3, drawn) for drawn in (0.0, 0.25, 0.5)] == [0, 1, 2]


def test_the_policy_gives_up_at_once_after_a_permanent_failure() -> None:
    for now in (NORMAL_TIME, MAINTENANCE_TIME):
        verdict = ReconnectPolicy().decide(PERMANENT_FAILURE, failures=1, now=now, random=lambda: 0.5)
        assert verdict == GiveUp("wrong key")


@pytest.mark.parametrize(
    ("policy", "resolution", "limit"),
    [
        (ReconnectPolicy(), Resolution.UNCLEAR, 8),
        (ReconnectPolicy(), Resolution.REPEATED, 3),
        (ReconnectPolicy(unclear_attempts=1, same_failures=2), Resolution.UNCLEAR, 1),
        (ReconnectPolicy(unclear_attempts=1, same_failures=2), Resolution.REPEATED, 2),
        (ReconnectPolicy(maintenance=None), Resolution.REPEATED, 3),
    ],
)
def test_the_policy_gives_up_after_a_limited_number_of_unclear_or_repeated_failures(
    policy: ReconnectPolicy, resolution: Resolution, limit: int
) -> None:
    def decide(times: int, now: datetime = NORMAL_TIME) -> Wait | GiveUp:
        failure = Failure(resolution=resolution, why="who knows", times=times)
        return policy.decide(failure, failures=1, now=now, random=lambda: 0.5)

    for times in range(1, limit):
        assert isinstance(decide(times), Wait)
    attempts = "1 attempt has" if limit == 1 else f"{limit} consecutive attempts have"
    assert decide(limit) == GiveUp(f"{attempts} failed in this way: who knows")
    assert decide(limit + 1) == GiveUp(f"{limit + 1} consecutive attempts have failed in this way: who knows")
    in_window = decide(limit, MAINTENANCE_TIME)
    if policy.maintenance is None:
        assert isinstance(in_window, GiveUp)
        return
    assert isinstance(in_window, Wait)
    assert in_window.seconds == 45
    assert not in_window.counts
    assert str(policy.maintenance) in in_window.note


@pytest.mark.parametrize("name", ["unclear_attempts", "same_failures"])
def test_numbers_must_be_positive(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be at least 1"):
        ReconnectPolicy(**{name: 0})  # type: ignore[arg-type]


def test_attempts_are_made_at_the_cap_during_maintenance() -> None:
    policy = ReconnectPolicy(cap=40.0)
    assert [wait(policy, 1, drawn, MAINTENANCE_TIME) for drawn in (0.0, 0.5)] == [20, 30]


def test_attempts_can_be_limited() -> None:
    policy = ReconnectPolicy(attempts=3)
    for failures in (1, 2, 3):
        wait(policy, failures, 0.5)
    verdict = policy.decide(LOST_CONNECTION, failures=4, now=NORMAL_TIME, random=lambda: 0.5)
    assert verdict == GiveUp("3 consecutive attempts have failed; last failure: it went away")
    assert isinstance(
        policy.decide(LOST_CONNECTION, failures=4, now=MAINTENANCE_TIME, random=lambda: 0.5), Wait
    )


@pytest.mark.parametrize("now", [NORMAL_TIME, MAINTENANCE_TIME])
def test_no_attempt_is_made_before_it_can_succeed(now: datetime) -> None:
    failure = Failure(resolution=Resolution.TIME, why="already exists", min_wait=100.0)
    verdict = ReconnectPolicy().decide(failure, failures=1, now=now, random=lambda: 0.5)
    assert isinstance(verdict, Wait)
    assert verdict.seconds >= 100
    assert verdict.note


def test_a_wait_is_never_shorter_than_the_given_minimum() -> None:
    failure = Failure(resolution=Resolution.TIME, why="already exists", min_wait=1.0)
    verdict = ReconnectPolicy().decide(failure, failures=6, now=NORMAL_TIME, random=lambda: 0.5)
    assert verdict == Wait(16.0)


@pytest.mark.parametrize(
    ("utc", "inside"),
    [
        # New York is 4 hours behind UTC in summer, 5 in winter.
        ((2026, 8, 20, 6, 59), False),
        ((2026, 8, 20, 7, 0), True),
        ((2026, 8, 20, 8, 59), True),
        ((2026, 8, 20, 9, 0), False),
        ((2026, 8, 21, 7, 30), False),
        ((2026, 12, 3, 7, 59), False),
        ((2026, 12, 3, 8, 0), True),
        ((2026, 12, 3, 9, 59), True),
        ((2026, 12, 3, 10, 0), False),
    ],
)
def test_the_window_is_in_new_york_time(utc: tuple[int, int, int, int, int], inside: bool) -> None:
    at = datetime(*utc, tzinfo=UTC)
    thursday = Maintenance(weekday=3, begin=time(3), end=time(5))
    assert thursday.contains(at) is inside
    local = at.astimezone(tz=None) + timedelta(0)
    assert thursday.contains(local) is inside


def test_the_maintenance_window_is_configurable() -> None:
    window = Maintenance(weekday=6, begin=time(22), end=time(23, 30), zone="UTC")
    assert str(window) == "Sunday 22:00 to 23:30 UTC"
    assert window.contains(datetime(2026, 8, 23, 23, 0, tzinfo=UTC))


def test_without_a_time_zone_database_there_is_no_maintenance_window() -> None:
    assert not Maintenance(zone="Nowhere/At_All").contains(MAINTENANCE_TIME)


@pytest.mark.parametrize("name", ["initial", "cap", "stable_after"])
def test_times_must_be_positive(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be above 0 seconds"):
        ReconnectPolicy(**{name: 0})  # type: ignore[arg-type]


def test_a_standby_has_a_separate_wait_while_another_client_has_the_key() -> None:
    in_use = Failure(resolution=Resolution.TIME, why="Session already exists", min_wait=60.0, key_in_use=True)
    policy = ReconnectPolicy(key_in_use=0.2, attempts=3)
    for failures in (1, 4, 1000):
        verdict = policy.decide(in_use, failures=failures, now=NORMAL_TIME, random=lambda: 0.5)
        assert verdict == Wait(0.2, "another connection uses the API key", counts=False)
    # Other failures, maintenance and clients without this option use the usual waits.
    assert wait(policy, 1, 1.0) == 1.0
    for other, now in ((policy, MAINTENANCE_TIME), (ReconnectPolicy(), NORMAL_TIME)):
        verdict = other.decide(in_use, failures=1, now=now, random=lambda: 0.5)
        assert isinstance(verdict, Wait)
        assert verdict.seconds >= 60.0
    with pytest.raises(ConfigurationError, match="key_in_use must be above 0 seconds"):
        ReconnectPolicy(key_in_use=0.0)
