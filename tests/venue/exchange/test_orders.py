"""Orders in the exchange model: impossible fields and changes, and bounds on its memory.

dialogues/new_orders.yaml and dialogues/order_changes.yaml test orders over real sessions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kalshi_fix_venue.exchange import (
    MARGIN,
    Advance,
    CancelCause,
    MarketState,
    TimeInForce,
    margin_market,
)
from kalshi_fix_venue.exchange.pausing import CANCEL_DELAY
from kalshi_fix_venue.exchange.placing import end_of_day
from tests.venue.exchange_harness import BUY, EASTERN, SELL, START, ExchangeHarness, d, summary

IOC, FOK, GTD = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL, TimeInForce.GOOD_TILL_DATE
DAY, GTC = TimeInForce.DAY, TimeInForce.GOOD_TILL_CANCEL
LATER = START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-15T12:00", "2026-01-16T04:59:59.999"),
        ("2026-03-08T05:30", "2026-03-09T03:59:59.999"),
        ("2026-11-01T04:30", "2026-11-02T04:59:59.999"),
        ("2026-11-02T04:59:59.999500", "2026-11-03T04:59:59.999"),
    ],
    ids=["winter", "clocks go forward", "clocks go back", "last instant of the day"],
)
def test_the_end_of_the_day_follows_daylight_saving_time(now: str, end: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert end_of_day(EASTERN, at) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_a_filled_order_does_not_expire(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 1, "0.40", tif=GTD, expire=START + timedelta(seconds=10))
    harness.place("bob", "b1", BUY, 1, "0.40")
    assert harness.exchange.next_expiry() is None


def test_order_fields_that_contradict_each_other_are_invalid(harness: ExchangeHarness) -> None:
    refused = [
        harness.place("ann", "a1", BUY, 1, "0.5", tif=IOC, post_only=True),
        harness.place("ann", "a1", BUY, 1, "0.5", tif=FOK, post_only=True),
        harness.place("ann", "a1", BUY, 1, "0.5", tif=GTD),
        harness.place("ann", "a1", BUY, 1, "0.5", expire=START),
        harness.place("ann", "a1", BUY, 1, "0.5", max_cost="0"),
    ]
    assert [summary(outcomes) for outcomes in refused] == [["a1 rejected INVALID_ORDER"]] * 5


def test_a_margin_market_has_its_own_tick() -> None:
    harness = ExchangeHarness(product=MARGIN, markets=(margin_market("ETH-PERP", tick=d("0.05")),))
    assert summary(harness.place("ann", "a1", BUY, 1, "19.55")) == ["a1 accepted"]
    assert summary(harness.place("ann", "a2", BUY, 1, "19.56")) == ["a2 rejected INVALID_ORDER"]


def test_levels_of_an_unknown_market_are_empty() -> None:
    assert ExchangeHarness().exchange.levels("NO-SUCH", BUY) == ()


def test_the_number_of_remembered_ended_orders_is_bounded() -> None:
    harness = ExchangeHarness(retained_orders=1)
    for number in (1, 2):
        harness.place("ann", f"a{number}", BUY, 1, "0.40")
        harness.place("bob", f"b{number}", SELL, 1, "0.40", tif=IOC)
    assert summary(harness.cancel("ann", "c", "a1")) == ["c refused ORDER_NOT_FOUND"]
    assert summary(harness.cancel("ann", "c", "a2")) == ["c refused ORDER_ALREADY_FILLED"]


@pytest.mark.parametrize(
    ("tif", "expire"),
    [
        (GTD, None),
        (None, LATER),
        (DAY, LATER),
        (GTC, LATER),
        (IOC, None),
        (FOK, None),
    ],
)
def test_an_amend_to_an_impossible_expiry_is_refused(
    harness: ExchangeHarness, tif: TimeInForce | None, expire: datetime | None
) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", tif=GTD, expire=LATER)
    refused = harness.amend("ann", "a2", "a1", 5, time_in_force=tif, expire_time=expire)
    assert summary(refused) == ["a2 refused INVALID_ORDER"]
    assert harness.exchange.next_expiry() == LATER


def test_an_impossible_state_change_does_not_expire_overdue_orders(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", tif=DAY)
    harness.wait(days=2)
    with pytest.raises(ValueError, match="cannot become settled"):
        harness.market_state(MarketState.SETTLED)
    assert summary(harness.market_state(MarketState.INACTIVE)) == ["a1 canceled EXPIRED"]


def test_only_cancels_caused_by_time_are_expiries() -> None:
    assert [cause for cause in CancelCause if cause.is_expiry] == [
        CancelCause.EXPIRED,
        CancelCause.MARKET_CLOSED,
    ]


def test_an_order_that_expires_before_the_delayed_cancel_is_reported_as_expired(
    harness: ExchangeHarness,
) -> None:
    delay = int(CANCEL_DELAY.total_seconds())
    times = [harness.now.replace(second=delay + offset) for offset in (-1, 0, 1)]
    for name, time in zip("abc", times, strict=True):
        harness.place("ann", name, BUY, 1, "0.40", tif=GTD, expire=time)
    harness.market_state(MarketState.CLOSED)
    harness.now = times[-1]
    assert summary(harness.exchange.apply(Advance(), harness.now)) == [
        "a canceled EXPIRED",
        "b canceled EXPIRED",
        "c canceled MARKET_CLOSED",
    ]


def test_an_impossible_state_change_changes_nothing(harness: ExchangeHarness) -> None:
    harness.market_state(MarketState.CLOSED)
    with pytest.raises(ValueError, match="is closed and cannot become inactive"):
        harness.market_state(MarketState.INACTIVE)
    cancel_times = dict(harness.exchange.cancel_times)
    assert harness.market_state(MarketState.CLOSED) == (), "a second close"
    assert harness.exchange.cancel_times == cancel_times
