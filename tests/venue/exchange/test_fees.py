"""Fees of trades: rounding, the overpayment of an order, and the fees kept by the exchange."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading.money.fees import CENT, CENTICENT, Charge, FeeAccumulator
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import MARGIN, prediction_market
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from kalshi_fix_venue.exchange.outcomes import Outcome
from tests.venue.exchange.slow_fees import SlowFees
from tests.venue.exchange.test_against_slow_model import (
    OWNERS,
    Amend,
    Cancel,
    Place,
    busy_market_requests,
    requests,
)
from tests.venue.exchange_harness import BUY, MARKET, SELL, ExchangeHarness, d, ds, summary, trades

PRECISIONS = {"ann": CENTICENT, "bob": CENT, "cat": CENT}
TERMS = {owner: AccountTerms(direct_member=step == CENTICENT) for owner, step in PRECISIONS.items()}
SUBPENNY = (prediction_market(MARKET, tick=d("0.0001")),)


def test_a_rebate_waits_until_a_fee_is_at_least_as_large() -> None:
    """After an overpayment of 0.0099 a fill has almost no fee, and a rebate would make the fee negative."""
    order = FeeAccumulator(d("0.0099"))
    assert order.charge(d("-0.5098"), d(0), CENT, rebate_waits=True).net == d("0.0002")
    assert order.overpaid == d("0.0101")
    assert order.charge(d("-0.5"), d("0.01"), CENT, rebate_waits=True).net == 0
    assert order.overpaid == d("0.0001")


def test_a_setting_makes_rebates_immediate() -> None:
    order = FeeAccumulator(d("0.0099"))
    assert order.charge(d("-0.5098"), d(0), CENT, rebate_waits=False).net == d("-0.0098")
    harness = ExchangeHarness(fees=None, terms=TERMS, assumptions=Assumptions(rebate_waits_for_a_fee=False))
    assert lowest_net_fee(harness) < 0
    assert lowest_net_fee(ExchangeHarness(fees=None, terms=TERMS)) >= 0


def lowest_net_fee(harness: ExchangeHarness) -> Decimal:
    """Return the lowest net fee of a resting order that has no trade fee and many small trades, of 1 or 99
    hundredths each."""
    harness.place("bob", "b1", BUY, 100, "0.51")
    found = []
    for number in range(40):
        quantity = "0.01" if number % 2 else "0.99"
        found += trades(harness.place("ann", f"a{number}", SELL, quantity, "0.51"))
    return min(item.charge.net for item in found if item.order.account.owner == "bob")


def test_an_order_keeps_its_overpayment_when_it_changes_from_taker_to_maker() -> None:
    harness = ExchangeHarness(fees=None, terms=TERMS, markets=SUBPENNY)
    harness.place("ann", "a1", SELL, "0.30", "0.50")
    taker, _ = trades(harness.place("bob", "b1", BUY, "0.60", "0.50"))
    assert taker.charge == Charge(trade_fee=d("0.0053"), rounding_fee=d("0.0047"))
    _, maker = trades(harness.place("ann", "a2", SELL, "0.03", "0.50"))
    assert maker.charge == Charge(trade_fee=d(0), rounding_fee=d("0.005"))
    harness.amend("bob", "b2", "b1", "0.61")
    _, maker = trades(harness.place("ann", "a3", SELL, "0.03", "0.50"))
    # By now 0.0147 has been overpaid, but a rebate would exceed the fee.
    assert maker.charge == Charge(trade_fee=d(0), rounding_fee=d("0.005"))
    assert harness.balance("bob") == 10_000 - d("0.16") - d("0.02") - d("0.02")


def test_a_fill_rounds_the_balance_to_the_precision_of_its_owner() -> None:
    harness = ExchangeHarness(fees=None, terms=TERMS, markets=SUBPENNY)
    harness.place("ann", "a1", SELL, "0.03", "0.3301")
    taker, maker = trades(harness.place("bob", "b1", BUY, "0.03", "0.3301"))
    assert taker.charge == Charge(trade_fee=d("0.0005"), rounding_fee=d("0.009597"))
    assert (taker.charge.net, taker.balance_change) == ds("0.010097", "-0.02")
    assert maker.charge == Charge(trade_fee=d(0), rounding_fee=d("0.000003"))
    assert (harness.balance("ann"), harness.balance("bob")) == ds("9999.9799", "9999.98")
    assert harness.exchange.fees_collected == d("0.0101")


def test_fees_of_perpetuals_are_rounded_in_the_same_way() -> None:
    harness = ExchangeHarness(product=MARGIN, fees=None, balances={"ann": "100", "bob": "100"}, terms=TERMS)
    harness.place("ann", "a1", SELL, 1, "19.5555")
    taker, maker = trades(harness.place("bob", "b1", BUY, 1, "19.5555"))
    assert taker.charge == Charge(trade_fee=d("0.0098"), rounding_fee=d("0.00465"))
    assert maker.charge == Charge(trade_fee=d("0.0040"), rounding_fee=d("0.00005"))
    assert (harness.balance("ann"), harness.balance("bob")) == ds("98.0404", "98.03")


def test_a_setting_changes_the_collateral_of_a_perpetual() -> None:
    harness = ExchangeHarness(
        product=MARGIN, balances={"ann": "100"}, assumptions=Assumptions(initial_margin=d("0.25"))
    )
    assert summary(harness.place("ann", "a1", BUY, 41, "10")) == ["a1 rejected INSUFFICIENT_BALANCE"]
    assert summary(harness.place("ann", "a1", BUY, 40, "10")) == ["a1 accepted"]


def test_a_market_may_have_its_own_fees() -> None:
    doubled = attrs.evolve(PREDICTION_FEES, taker_rate=d("0.14"))
    harness = ExchangeHarness(fees=None, markets=(attrs.evolve(SUBPENNY[0], fees=doubled),))
    harness.place("bob", "b1", SELL, 100, "0.50")
    taker, _ = trades(harness.place("ann", "a1", BUY, 100, "0.50"))
    assert taker.charge.net == d("3.5")


def test_an_order_that_opens_a_position_needs_balance_for_its_fee() -> None:
    harness = ExchangeHarness(fees=None, balances={"ann": "50", "bob": "100"})
    assert summary(harness.place("ann", "a1", BUY, 100, "0.50")) == ["a1 rejected INSUFFICIENT_BALANCE"]
    assert summary(harness.place("ann", "a1", BUY, 96, "0.50")) == ["a1 accepted"]
    assert summary(harness.amend("ann", "a2", "a1", 97)) == ["a2 refused INSUFFICIENT_BALANCE"]
    assert summary(harness.place("bob", "b1", SELL, 96, "0.50"))[0] == "b1 accepted"
    assert harness.available("ann") == 2
    # Closing a position needs no money.
    harness.place("ann", "a3", BUY, 3, "0.50")
    assert summary(harness.place("ann", "a4", SELL, 96, "0.52")) == ["a4 accepted"]


def check_fees(sequence: list[Place | Cancel | Amend], *, step: Decimal = CENT) -> int:
    """Apply a sequence of requests and compare each fill with the slow model; return the number of fills."""
    harness = ExchangeHarness(
        balances=dict.fromkeys(OWNERS, "1000"), fees=None, terms=TERMS, markets=SUBPENNY
    )
    slow = SlowFees({owner: Fraction(step) for owner, step in PRECISIONS.items()})
    slow.balances = dict.fromkeys(OWNERS, Fraction(1000))
    placed: list[tuple[str, str, Side]] = []
    fills = 0
    for number, request in enumerate(sequence):
        outcomes: tuple[Outcome, ...] = ()
        if isinstance(request, Place):
            placed.append((f"o{number}", request.owner, request.side))
            outcomes = request.place_in(harness, f"o{number}", request.price + step * (number % 7))
        elif placed:
            name, owner, side = placed[request.index % len(placed)]
            if isinstance(request, Cancel):
                harness.cancel(owner, f"c{number}", name, side)
            else:
                outcomes = harness.amend(owner, name, name, str(request.quantity), str(request.price), side)
        for trade in trades(outcomes):
            fills += 1
            order = trade.order
            charge = trade.charge
            expected = slow.fill(
                order.account.owner,
                order.cl_ord_id,
                buys=order.side is BUY,
                price=Fraction(trade.price),
                quantity=Fraction(trade.quantity),
                taker=trade.aggressor is True,
            )
            received = (charge.trade_fee, charge.rounding_fee, charge.rebate)
            assert tuple(map(Fraction, received)) == expected
            assert charge.net >= 0
            assert charge.rebate % CENT == 0
        assert {owner: harness.balance(owner) for owner in OWNERS} == slow.balances
        assert harness.exchange.fees_collected == slow.fees_collected
        held = sum((max(harness.net(owner), Decimal(0)) for owner in OWNERS), Decimal(0))
        balances = sum((harness.balance(owner) for owner in OWNERS), Decimal(0))
        assert balances + held + harness.exchange.fees_collected == 1000 * len(OWNERS)
        assert all(harness.balance(owner) % PRECISIONS[owner] == 0 for owner in OWNERS)
    return fills


@given(requests, st.sampled_from([CENT, CENTICENT]))
def test_fees_agree_with_the_slow_model(sequence: list[Place | Cancel | Amend], step: Decimal) -> None:
    check_fees(sequence, step=step)


@pytest.mark.parametrize("seed", range(10))
def test_fees_agree_with_the_slow_model_in_a_busy_market(seed: int) -> None:
    assert check_fees(busy_market_requests(seed, 300), step=CENT if seed % 2 else CENTICENT) > 100


@pytest.mark.parametrize(
    ("quantity", "rebate_waits"),
    [(1, False), (3, False), (30, False), (100, False), (100, True), (170, True)],
)
def test_many_small_fills_cost_the_same_as_one_large_one(quantity: int, rebate_waits: bool) -> None:
    """Quantities are in hundredths. The costs differ by at most the possible overpayment of an order plus the
    rounding of the trade fee of each fill. A waiting rebate is paid if a sufficiently large fee follows."""
    assumptions = Assumptions(rebate_waits_for_a_fee=rebate_waits)

    def cost(fills: int) -> Decimal:
        harness = ExchangeHarness(fees=None, terms=TERMS, assumptions=assumptions)
        for number in range(fills):
            harness.place("ann", f"a{number}", SELL, str(quantity * CENT * (100 // fills)), "0.37")
        outcomes = harness.place("bob", "b1", BUY, quantity, "0.37")
        return sum((trade.charge.net for trade in trades(outcomes) if trade.aggressor), Decimal(0))

    assert abs(cost(100) - cost(1)) <= 2 * CENT + 100 * CENTICENT
