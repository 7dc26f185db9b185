"""New orders in the exchange model; dialogues/new_orders.yaml tests them over real sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kalshi_fix_venue.exchange import MARGIN, TimeInForce, margin_market
from kalshi_fix_venue.exchange.placing import end_of_day
from tests.venue.exchange_harness import BUY, EASTERN, SELL, START, ExchangeHarness, d, summary

IOC, FOK, GTD = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL, TimeInForce.GOOD_TILL_DATE


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
