"""Collateral, fees and transfers in the exchange model; dialogues/balances.yaml tests reserved money."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_venue.exchange import MARGIN, AccountId, MoveCash
from kalshi_fix_venue.exchange.fees import MARGIN_FEES, PREDICTION_FEES
from kalshi_fix_venue.exchange.money import MarginCollateral, Position
from tests.venue.exchange_harness import BUY, SELL, ExchangeHarness, d, ds, summary, trades


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
    assert collateral.opening_cost(BUY, d(10)) == collateral.opening_cost(SELL, d(10)) == 2


@pytest.mark.parametrize(
    ("target", "amount", "problem"),
    [
        (AccountId("bob"), "1", "ann cannot move cash to bob"),
        (AccountId("ann", 1), "-1", "multiple of 0.0001"),
    ],
)
def test_an_impossible_transfer_is_refused(target: AccountId, amount: str, problem: str) -> None:
    harness = ExchangeHarness(balances={"ann": "10", "ann/1": "0", "bob": "10"})
    with pytest.raises(ValueError, match=problem):
        harness.exchange.apply(MoveCash(AccountId("ann"), target, d(amount)), harness.now)
