"""Orders in a closed market of the exchange model; dialogues/market_life.yaml tests the other states."""

from __future__ import annotations

import pytest

from kalshi_fix_venue.exchange import Advance, CancelCause, MarketState, SetMarketState, TimeInForce
from kalshi_fix_venue.exchange.pausing import ORDERS_REST_AFTER_CLOSE
from tests.venue.exchange_harness import BUY, MARKET, ExchangeHarness, summary

REST_SECONDS = int(ORDERS_REST_AFTER_CLOSE.total_seconds())


def test_an_order_that_expires_before_the_delayed_cancel_is_reported_as_expired() -> None:
    harness = ExchangeHarness()
    times = [harness.now.replace(second=REST_SECONDS + offset) for offset in (-1, 0, 1)]
    for name, time in zip("abc", times, strict=True):
        harness.place("ann", name, BUY, 1, "0.40", tif=TimeInForce.GOOD_TILL_DATE, expire=time)
    harness.market_state(MarketState.CLOSED)
    harness.now = times[-1]
    assert summary(harness.exchange.apply(Advance(), harness.now)) == [
        "a canceled EXPIRED",
        "b canceled EXPIRED",
        "c canceled MARKET_CLOSED",
    ]


def test_the_end_of_a_session_cancels_its_orders_in_a_closed_market() -> None:
    harness = ExchangeHarness()
    harness.place("ann", "a1", BUY, 1, "0.40")
    harness.market_state(MarketState.CLOSED)
    assert summary(harness.mass_cancel("ann", CancelCause.DISCONNECTED)) == ["a1 canceled DISCONNECTED"]


def test_an_impossible_state_change_changes_nothing() -> None:
    harness = ExchangeHarness()
    harness.market_state(MarketState.CLOSED)
    with pytest.raises(ValueError, match="is closed and cannot become inactive"):
        harness.exchange.apply(SetMarketState(MARKET, MarketState.INACTIVE), harness.now)
    clearings = dict(harness.exchange.clearings)
    assert harness.market_state(MarketState.CLOSED) == (), "a second close"
    assert harness.exchange.clearings == clearings
