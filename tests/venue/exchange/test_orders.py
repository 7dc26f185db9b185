"""New orders in the exchange model: priority, time in force, and every reason for a rejection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kalshi_fix_venue.exchange import (
    MARGIN,
    Advance,
    SelfTradePrevention,
    TimeInForce,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.exchange.outcomes import OrderAccepted, OrderTraded, TradePrinted
from kalshi_fix_venue.exchange.placing import end_of_day
from tests.venue.exchange_harness import (
    BUY,
    EASTERN,
    MARKET,
    SELL,
    START,
    ExchangeHarness,
    d,
    ds,
    first,
    summary,
)


def test_better_prices_trade_first_then_older_orders(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 2, "0.50")
    harness.place("bob", "b1", SELL, 2, "0.49")
    harness.place("bob", "b2", SELL, 2, "0.50")
    assert summary(harness.place("cat", "c1", BUY, 5, "0.50")) == [
        "c1 accepted",
        "c1 takes 2 at 0.49",
        "b1 makes 2 at 0.49",
        "c1 takes 2 at 0.50",
        "a1 makes 2 at 0.50",
        "c1 takes 1 at 0.50",
        "b2 makes 1 at 0.50",
    ]
    assert (harness.bids(), harness.asks()) == ("", "1@0.50")


def test_both_sides_receive_the_same_trade_each_with_its_own_role(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 3, "0.60")
    outcomes = harness.place("bob", "b1", SELL, 3, "0.55")
    taker, maker = (o for o in outcomes if isinstance(o, OrderTraded))
    (printed,) = (o for o in outcomes if isinstance(o, TradePrinted))
    assert taker.trade_id == maker.trade_id == printed.trade_id
    assert (taker.aggressor, maker.aggressor) == (True, False)
    assert printed.aggressor is SELL
    assert printed.price == d("0.60")
    assert (taker.long_quantity, taker.short_quantity) == ds(0, 3)
    assert (maker.long_quantity, maker.short_quantity) == ds(3, 0)
    assert (taker.order.filled_qty, taker.order.leaves, taker.order.average_price) == ds(3, 0, "0.60")


def test_events_are_numbered_within_their_command(harness: ExchangeHarness) -> None:
    accepted = first(harness.place("ann", "a1", BUY, 3, "0.60"), OrderAccepted)
    outcomes = harness.place("bob", "b1", SELL, 3, "0.60")
    numbers = [str(o.exec_id) for o in outcomes if isinstance(o, OrderAccepted | OrderTraded)]
    assert str(accepted.exec_id) == "1;1"
    assert numbers == ["2;1", "2;2", "2;3"]
    assert str(harness.exchange.draw_exec_id()) == "3;1"


def test_the_untraded_part_of_an_ioc_order_is_cancelled(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 3, "0.60")
    assert summary(harness.place("bob", "b1", BUY, 5, "0.60", tif=TimeInForce.IMMEDIATE_OR_CANCEL)) == [
        "b1 accepted",
        "b1 takes 3 at 0.60",
        "a1 makes 3 at 0.60",
        "b1 canceled IMMEDIATE_OR_CANCELLED",
    ]
    assert (harness.bids(), harness.asks()) == ("", "")


def test_an_fok_order_trades_fully_or_not_at_all(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 3, "0.60")
    harness.place("ann", "a2", SELL, 3, "0.61")
    assert summary(harness.place("bob", "b1", BUY, 5, "0.60", tif=TimeInForce.FILL_OR_KILL)) == [
        "b1 accepted",
        "b1 canceled FOK_INSUFFICIENT_VOLUME",
    ]
    assert harness.asks() == "3@0.60 3@0.61"
    assert summary(harness.place("bob", "b2", BUY, 5, "0.61", tif=TimeInForce.FILL_OR_KILL)) == [
        "b2 accepted",
        "b2 takes 3 at 0.60",
        "a1 makes 3 at 0.60",
        "b2 takes 2 at 0.61",
        "a2 makes 2 at 0.61",
    ]


def test_an_fok_order_does_not_count_orders_of_the_same_owner(harness: ExchangeHarness) -> None:
    harness.place("bob", "b0", SELL, 3, "0.60")
    harness.place("ann", "a1", SELL, 5, "0.61")
    blocked = harness.place("bob", "b1", BUY, 5, "0.61", tif=TimeInForce.FILL_OR_KILL)
    assert summary(blocked)[1:] == ["b1 canceled SELF_CROSS"]
    freed = harness.place(
        "bob", "b2", BUY, 5, "0.61", tif=TimeInForce.FILL_OR_KILL, stp=SelfTradePrevention.MAKER
    )
    assert summary(freed)[1:] == ["b0 canceled SELF_TRADE_MAKER", "b2 takes 5 at 0.61", "a1 makes 5 at 0.61"]


def test_a_day_order_ends_with_the_day_in_new_york(harness: ExchangeHarness) -> None:
    accepted = first(harness.place("ann", "a1", BUY, 1, "0.40", tif=TimeInForce.DAY), OrderAccepted)
    end = datetime(2026, 8, 21, 3, 59, 59, 999_000, tzinfo=UTC)
    assert accepted.order.expire_time == harness.exchange.next_expiry() == end
    harness.now = end - timedelta(milliseconds=1)
    assert harness.exchange.apply(Advance(), harness.now) == ()
    harness.now = end
    assert summary(harness.exchange.apply(Advance(), harness.now)) == ["a1 canceled EXPIRED"]
    assert harness.exchange.next_expiry() is None
    assert harness.bids() == ""


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


def test_a_gtd_order_expires_before_any_other_order_can_trade_with_it(harness: ExchangeHarness) -> None:
    tif = TimeInForce.GOOD_TILL_DATE
    harness.place("ann", "a1", SELL, 1, "0.40", tif=tif, expire=START + timedelta(seconds=10))
    harness.wait(seconds=10)
    assert summary(harness.place("bob", "b1", BUY, 1, "0.40")) == ["a1 canceled EXPIRED", "b1 accepted"]


def test_a_gtd_order_in_the_past_is_immediate_or_cancel(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 1, "0.40")
    tif = TimeInForce.GOOD_TILL_DATE
    assert summary(harness.place("bob", "b1", BUY, 2, "0.40", tif=tif, expire=START)) == [
        "b1 accepted",
        "b1 takes 1 at 0.40",
        "a1 makes 1 at 0.40",
        "b1 canceled IMMEDIATE_OR_CANCELLED",
    ]


def test_a_filled_order_does_not_expire(harness: ExchangeHarness) -> None:
    tif = TimeInForce.GOOD_TILL_DATE
    harness.place("ann", "a1", SELL, 1, "0.40", tif=tif, expire=START + timedelta(seconds=10))
    harness.place("bob", "b1", BUY, 1, "0.40")
    assert harness.exchange.next_expiry() is None


def test_a_post_only_order_never_takes(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 1, "0.40")
    assert summary(harness.place("bob", "b1", BUY, 1, "0.40", post_only=True)) == [
        "b1 accepted",
        "b1 canceled POST_ONLY_CROSS",
    ]
    assert summary(harness.place("bob", "b2", BUY, 1, "0.39", post_only=True)) == ["b2 accepted"]
    assert (harness.bids(), harness.asks()) == ("1@0.39", "1@0.40")


def test_taker_at_cross_stops_at_the_owners_order(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 1, "0.40")
    harness.place("bob", "b1", SELL, 1, "0.40")
    harness.place("cat", "c1", SELL, 1, "0.40")
    assert summary(harness.place("bob", "b2", BUY, 3, "0.40")) == [
        "b2 accepted",
        "b2 takes 1 at 0.40",
        "a1 makes 1 at 0.40",
        "b2 canceled SELF_TRADE_TAKER",
    ]
    assert harness.asks() == "2@0.40"


def test_maker_prevention_cancels_the_resting_order_and_continues(harness: ExchangeHarness) -> None:
    harness.place("bob", "b1", SELL, 1, "0.40")
    harness.place("cat", "c1", SELL, 1, "0.40")
    assert summary(harness.place("bob", "b2", BUY, 2, "0.40", stp=SelfTradePrevention.MAKER)) == [
        "b2 accepted",
        "b1 canceled SELF_TRADE_MAKER",
        "b2 takes 1 at 0.40",
        "c1 makes 1 at 0.40",
    ]
    assert (harness.bids(), harness.asks()) == ("1@0.40", "")


def test_subaccounts_of_one_owner_do_not_trade_with_each_other() -> None:
    harness = ExchangeHarness(balances={"ann": "100", "ann/3": "100"})
    harness.place("ann", "a1", SELL, 1, "0.40")
    assert summary(harness.place("ann/3", "a2", BUY, 1, "0.40"))[-1] == "a2 canceled SELF_TRADE_TAKER"


def test_an_order_with_a_maximum_cost_trades_fully_within_it_or_not_at_all(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", SELL, 1, "0.40")
    harness.place("ann", "a2", SELL, 1, "0.50")
    assert summary(harness.place("bob", "b1", BUY, 2, "0.50", max_cost="0.89"))[1:] == [
        "b1 canceled MAX_EXECUTION_COST"
    ]
    assert summary(harness.place("bob", "b2", BUY, 3, "0.50", max_cost="9"))[1:] == [
        "b2 canceled FOK_INSUFFICIENT_VOLUME"
    ]
    assert summary(harness.place("bob", "b3", BUY, 2, "0.50", max_cost="0.90"))[1::2] == [
        "b3 takes 1 at 0.40",
        "b3 takes 1 at 0.50",
    ]


def test_a_sale_costs_the_price_of_the_no_contracts(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 10, "0.80")
    assert summary(harness.place("bob", "b1", SELL, 10, "0.80", max_cost="1.99"))[1:] == [
        "b1 canceled MAX_EXECUTION_COST"
    ]
    assert summary(harness.place("bob", "b2", SELL, 10, "0.80", max_cost="2"))[1] == "b2 takes 10 at 0.80"


@pytest.mark.parametrize(
    ("quantity", "price"),
    [("1", "0"), ("1", "1.00"), ("1", "0.505"), ("1", "-0.5"), ("0", "0.5"), ("-1", "0.5"), ("0.001", "0.5")],
)
def test_prices_and_quantities_between_the_steps_are_invalid(
    harness: ExchangeHarness, quantity: str, price: str
) -> None:
    assert summary(harness.place("ann", "a1", BUY, quantity, price)) == ["a1 rejected INVALID_ORDER"]


def test_each_market_has_its_own_price_steps() -> None:
    harness = ExchangeHarness(markets=(prediction_market(MARKET, subpenny=True),))
    assert summary(harness.place("ann", "a1", BUY, "0.01", "0.0001")) == ["a1 accepted"]
    assert summary(harness.place("ann", "a2", BUY, "0.01", "0.00005")) == ["a2 rejected INVALID_ORDER"]
    margin = ExchangeHarness(product=MARGIN)
    assert summary(margin.place("ann", "a1", BUY, 1, "19.5001")) == ["a1 accepted"]
    assert summary(margin.place("ann", "a2", BUY, "1.5", "19.5")) == ["a2 rejected INVALID_ORDER"]


def test_order_fields_that_contradict_each_other_are_invalid(harness: ExchangeHarness) -> None:
    ioc, fok, gtd = (
        TimeInForce.IMMEDIATE_OR_CANCEL,
        TimeInForce.FILL_OR_KILL,
        TimeInForce.GOOD_TILL_DATE,
    )
    refused = [
        harness.place("ann", "a1", BUY, 1, "0.5", tif=ioc, post_only=True),
        harness.place("ann", "a1", BUY, 1, "0.5", tif=fok, post_only=True),
        harness.place("ann", "a1", BUY, 1, "0.5", tif=gtd),
        harness.place("ann", "a1", BUY, 1, "0.5", expire=START),
        harness.place("ann", "a1", BUY, 1, "0.5", max_cost="0"),
    ]
    assert [summary(outcomes) for outcomes in refused] == [["a1 rejected INVALID_ORDER"]] * 5


def test_a_cl_ord_id_may_be_reused_only_after_its_order_has_ended(harness: ExchangeHarness) -> None:
    harness.place("ann", "x", BUY, 1, "0.40")
    assert summary(harness.place("ann", "x", BUY, 1, "0.30")) == ["x rejected ORDER_ALREADY_EXISTS"]
    assert summary(harness.place("bob", "x", BUY, 1, "0.30")) == ["x accepted"]
    harness.cancel("ann", "x2", "x")
    assert summary(harness.place("ann", "x", BUY, 1, "0.30")) == ["x accepted"]


def test_the_position_limit_counts_open_orders() -> None:
    harness = ExchangeHarness(markets=(prediction_market(MARKET, position_limit=d(10)),))
    harness.place("bob", "b1", SELL, 4, "0.40")
    harness.place("ann", "a1", BUY, 4, "0.40")
    assert summary(harness.place("ann", "a2", BUY, 6, "0.30")) == ["a2 accepted"]
    assert summary(harness.place("ann", "a3", BUY, 1, "0.20")) == [
        "a3 rejected EXCEEDED_PER_MARKET_RISK_LIMIT"
    ]
    assert summary(harness.place("ann", "a4", SELL, 14, "0.90")) == ["a4 accepted"]
    assert summary(harness.place("ann", "a5", SELL, 1, "0.90")) == [
        "a5 rejected EXCEEDED_PER_MARKET_RISK_LIMIT"
    ]


def test_a_margin_market_has_its_own_tick() -> None:
    harness = ExchangeHarness(product=MARGIN, markets=(margin_market("ETH-PERP", tick=d("0.05")),))
    assert summary(harness.place("ann", "a1", BUY, 1, "19.55")) == ["a1 accepted"]
    assert summary(harness.place("ann", "a2", BUY, 1, "19.56")) == ["a2 rejected INVALID_ORDER"]


def test_levels_of_an_unknown_market_are_empty() -> None:
    assert ExchangeHarness().exchange.levels("NO-SUCH", BUY) == ()
