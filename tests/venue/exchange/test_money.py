"""Balances, positions, reserved money and fees in the exchange model."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_venue.exchange import MARGIN
from kalshi_fix_venue.exchange.fees import MARGIN_FEES, PREDICTION_FEES
from kalshi_fix_venue.exchange.money import MarginCollateral, Position
from tests.venue.exchange_harness import BUY, SELL, ExchangeHarness, d, ds, summary, trades


def test_open_orders_reserve_money_and_cancels_release_it() -> None:
    harness = ExchangeHarness(balances={"ann": "10"})
    harness.place("ann", "a1", BUY, 10, "0.40")
    assert harness.available("ann") == 6
    harness.place("ann", "a2", SELL, 10, "0.60")
    assert harness.available("ann") == 2
    assert summary(harness.place("ann", "a3", BUY, 10, "0.21")) == ["a3 rejected INSUFFICIENT_BALANCE"]
    assert summary(harness.place("ann", "a3", BUY, 10, "0.20")) == ["a3 accepted"]
    harness.cancel("ann", "c", "a1")
    assert harness.available("ann") == 4
    assert harness.balance("ann") == 10


def test_closing_a_position_returns_money_and_reserves_none() -> None:
    harness = ExchangeHarness(balances={"ann": "4", "bob": "100"})
    harness.place("bob", "b1", SELL, 10, "0.40")
    harness.place("ann", "a1", BUY, 10, "0.40")
    assert harness.available("ann") == 0
    assert summary(harness.place("ann", "a2", SELL, 11, "0.60")) == ["a2 rejected INSUFFICIENT_BALANCE"]
    assert summary(harness.place("ann", "a2", SELL, 10, "0.60")) == ["a2 accepted"]
    taker, maker = trades(harness.place("bob", "b2", BUY, 15, "0.60"))
    assert (taker.collateral_returned, taker.balance_change) == ds(4, 4)
    assert (maker.collateral_returned, maker.balance_change) == ds(6, 6)
    assert (maker.long_quantity, maker.short_quantity) == ds(0, 0)
    assert harness.balance("ann") == 6


def test_money_is_reserved_for_the_order_that_may_trade_last() -> None:
    """With a long position of ten and two sell orders of ten, the order with the better price trades first
    and closes the position, so money is reserved for the other order."""
    harness = ExchangeHarness(balances={"ann": "6", "bob": "100"})
    harness.place("bob", "b1", SELL, 10, "0.40")
    harness.place("ann", "a1", BUY, 10, "0.40")
    harness.place("ann", "a2", SELL, 10, "0.90")
    assert harness.available("ann") == 2
    assert summary(harness.place("ann", "a3", SELL, 10, "0.70")) == ["a3 accepted"]
    assert harness.available("ann") == 1
    assert summary(harness.place("ann", "a4", SELL, 10, "0.85")) == ["a4 rejected INSUFFICIENT_BALANCE"]


def test_an_account_in_debt_may_still_close_its_position() -> None:
    harness = ExchangeHarness(product=MARGIN, balances={"ann": "100", "bob": "1000000"})
    harness.place("bob", "b1", SELL, 10, "100")
    harness.place("ann", "a1", BUY, 10, "100")
    harness.place("bob", "b2", BUY, 4, "50")
    harness.place("ann", "a2", SELL, 4, "50")
    assert harness.balance("ann") == -160
    assert summary(harness.place("ann", "a3", BUY, 1, "1")) == ["a3 rejected INSUFFICIENT_BALANCE"]
    assert summary(harness.place("ann", "a4", SELL, 6, "60")) == ["a4 accepted"]


@pytest.mark.parametrize(
    ("price", "quantity", "aggressor", "fee"),
    [
        ("0.50", "100", True, "1.75"),
        ("0.50", "1", True, "0.0175"),
        ("0.50", "0.01", True, "0.0002"),
        ("0.01", "1", True, "0.0007"),
        ("0.50", "100", False, "0"),
    ],
)
def test_the_prediction_fee_is_a_rate_on_price_times_its_complement(
    price: str, quantity: str, aggressor: bool, fee: str
) -> None:
    assert PREDICTION_FEES.fee(d(price), d(quantity), aggressor=aggressor) == d(fee)


def test_the_margin_fee_is_a_rate_on_the_notional_value() -> None:
    assert MARGIN_FEES.fee(d("19.5"), d(10), aggressor=True) == d("0.0975")
    assert MARGIN_FEES.fee(d("19.5"), d(10), aggressor=False) == d("0.0390")


def test_a_margin_trade_posts_a_fraction_and_a_close_settles_the_difference() -> None:
    harness = ExchangeHarness(product=MARGIN)
    harness.place("bob", "b1", SELL, 10, "20")
    taker, maker = trades(harness.place("ann", "a1", BUY, 10, "20"))
    assert (taker.balance_change, maker.balance_change) == ds(-20, -20)
    harness.place("bob", "b2", BUY, 4, "25")
    taker, maker = trades(harness.place("ann", "a2", SELL, 4, "25"))
    assert taker.balance_change == 8 + 20
    assert maker.balance_change == 8 - 20
    assert harness.net("ann") == 6


def test_a_partial_close_on_margin_never_loses_a_fraction_of_a_cent() -> None:
    collateral, position = MarginCollateral(), Position()
    collateral.fill(position, BUY, d("10"), d(1))
    collateral.fill(position, BUY, d("10.0001"), d(2))
    returned = sum((collateral.fill(position, SELL, d("11"), d(1)).change for _ in range(3)), Decimal(0))
    assert position == Position()
    posted = d("30.0002") * d("0.1")
    assert returned == posted + 33 - d("30.0002")


def test_opening_a_position_costs_the_same_on_both_sides_of_a_perpetual() -> None:
    collateral = MarginCollateral(rate=d("0.2"))
    assert collateral.opening(BUY, d(10)) == collateral.opening(SELL, d(10)) == 2
