"""The end of a market: results, payouts, and the effects on orders, positions and money."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kalshi_fix_venue.exchange import (
    MARGIN,
    MarketGroup,
    MarketResult,
    MarketState,
    prediction_market,
)
from kalshi_fix_venue.exchange.netting import GroupKind
from kalshi_fix_venue.exchange.outcomes import MarketSettled, MarketStateChanged, Outcome
from tests.venue.exchange_harness import BUY, SELL, ExchangeHarness, d, ds, summary

DETERMINED, SETTLED = MarketState.DETERMINED, MarketState.SETTLED
YES, NO, SCALAR = MarketResult
OTHER = "RAINNY-26AUG20"


def settled(outcomes: tuple[Outcome, ...]) -> MarketSettled:
    (found,) = (outcome for outcome in outcomes if isinstance(outcome, MarketSettled))
    return found


def settle(harness: ExchangeHarness, result: MarketResult, price: str | None = None) -> MarketSettled:
    harness.market_state(DETERMINED, result, price)
    return settled(harness.market_state(SETTLED))


def paid(outcome: MarketSettled) -> dict[str, Decimal]:
    return {position.account.owner: position.payout for position in outcome.positions}


@pytest.fixture
def harness() -> ExchangeHarness:
    """Return an exchange on which Ann is 10 long at 40 cents, Bob is 10 short, and Cat has traded and is
    flat."""
    harness = ExchangeHarness(balances=dict.fromkeys(("ann", "bob", "cat"), "100"))
    harness.place("bob", "b1", SELL, 10, "0.40")
    harness.place("ann", "a1", BUY, 10, "0.40")
    harness.place("cat", "c1", BUY, 5, "0.30")
    harness.place("bob", "b2", SELL, 5, "0.30")
    harness.place("bob", "b3", BUY, 5, "0.30")
    harness.place("cat", "c2", SELL, 5, "0.30")
    return harness


@pytest.mark.parametrize(
    ("result", "price", "yes_pays", "ann", "bob"),
    [
        (YES, None, "1", "10", "0"),
        (YES, "1", "1", "10", "0"),
        (NO, None, "0", "0", "10"),
        (SCALAR, "0.3060", "0.3060", "3.06", "6.94"),
        (SCALAR, "0", "0", "0", "10"),
        (SCALAR, "1.0000", "1", "10", "0"),
    ],
)
def test_positions_pay_according_to_the_result(
    harness: ExchangeHarness, result: MarketResult, price: str | None, yes_pays: str, ann: str, bob: str
) -> None:
    before = {owner: harness.balance(owner) for owner in ("ann", "bob", "cat")}
    outcome = settle(harness, result, price)
    assert (outcome.result, outcome.price) == (result, d(yes_pays))
    assert paid(outcome) == {"ann": d(ann), "bob": d(bob)}
    assert harness.balance("ann") == before["ann"] + d(ann)
    assert harness.balance("bob") == before["bob"] + d(bob)
    assert harness.balance("cat") == before["cat"]
    assert [harness.net(owner) for owner in ("ann", "bob", "cat")] == [0, 0, 0]


def test_the_total_payout_equals_the_amount_paid_for_the_contracts(harness: ExchangeHarness) -> None:
    outcome = settle(harness, SCALAR, "0.0001")
    assert sum(paid(outcome).values()) == 10
    assert sum((harness.balance(owner) for owner in ("ann", "bob", "cat")), Decimal(0)) == 300
    held = {p.account.owner: (p.long_quantity, p.short_quantity) for p in outcome.positions}
    assert held == {"ann": ds(10, 0), "bob": ds(0, 10)}


def test_a_position_is_paid_once(harness: ExchangeHarness) -> None:
    settle(harness, YES)
    balance = harness.balance("ann")
    assert harness.market_state(SETTLED) == ()
    with pytest.raises(ValueError, match="is settled; its result cannot"):
        harness.market_state(SETTLED, NO)
    with pytest.raises(ValueError, match="is settled and cannot become determined"):
        harness.market_state(DETERMINED, NO)
    assert harness.balance("ann") == balance


def test_the_end_of_a_market_cancels_open_orders_and_releases_their_money(harness: ExchangeHarness) -> None:
    harness.place("ann", "a2", SELL, 10, "0.90")
    harness.place("cat", "c3", BUY, 10, "0.10")
    assert harness.available("cat") == 99
    ended = harness.market_state(DETERMINED, YES)
    assert summary(ended) == ["a2 canceled MARKET_CLOSED", "c3 canceled MARKET_CLOSED"]
    assert harness.available("cat") == harness.balance("cat") == 100
    assert summary(harness.place("ann", "a3", BUY, 1, "0.50")) == ["a3 rejected MARKET_ALREADY_CLOSED"]
    settled(harness.market_state(SETTLED))
    assert harness.available("ann") == harness.balance("ann")


def test_a_result_may_be_corrected_until_it_is_paid_out(harness: ExchangeHarness) -> None:
    harness.market_state(DETERMINED, YES)
    assert harness.market_state(DETERMINED, SCALAR, "0.5") == ()
    outcome = settled(harness.market_state(SETTLED, NO))
    assert (outcome.result, outcome.price) == (NO, d(0))
    assert paid(outcome) == {"ann": d(0), "bob": d(10)}


def test_rounding_the_balance_down_is_the_fee_of_the_settlement() -> None:
    """The venue's example: 100.01 contracts at 30.60 cents, with a balance of 10 dollars."""
    markets = (prediction_market("HIGHNY-26AUG20", subpenny=True),)
    harness = ExchangeHarness(markets=markets, balances={"ann": "60.005", "bob": "100"})
    harness.place("bob", "b1", SELL, "100.01", "0.50")
    harness.place("ann", "a1", BUY, "100.01", "0.50")
    assert harness.balance("ann") == 10
    outcome = settle(harness, SCALAR, "0.3060")
    ann, _ = outcome.positions
    assert (ann.payout, ann.fee) == ds("30.6030", "0.00006")
    assert harness.balance("ann") == d("40.6030")


@pytest.mark.parametrize(
    ("time", "clears"),
    [
        (datetime(2026, 8, 21, 3, 59, 59, tzinfo=UTC), date(2026, 8, 20)),
        (datetime(2026, 8, 21, 4, 0, 0, tzinfo=UTC), date(2026, 8, 21)),
    ],
)
def test_a_settlement_clears_on_the_date_in_new_york(
    harness: ExchangeHarness, time: datetime, clears: date
) -> None:
    harness.now = time
    assert settle(harness, YES).clearing_date == clears


@pytest.mark.parametrize(
    ("state", "result", "price", "expected"),
    [
        (DETERMINED, None, None, "has no result; give yes, no, or scalar with its price"),
        (DETERMINED, None, "0.5", "a price needs a result"),
        (DETERMINED, SCALAR, None, "a scalar result needs its price"),
        (DETERMINED, SCALAR, "1.0001", "0 to 1 dollar in steps of 0.0001, not 1.0001"),
        (DETERMINED, SCALAR, "-0.0001", "0 to 1 dollar"),
        (DETERMINED, SCALAR, "0.00005", "in steps of 0.0001"),
        (DETERMINED, SCALAR, "NaN", "0 to 1 dollar"),
        (DETERMINED, YES, "0.5", "decided yes pays 1 dollars"),
        (DETERMINED, NO, "1", "decided no pays 0 dollars"),
        (MarketState.CLOSED, YES, None, "a market that is closed has no result"),
        (SETTLED, YES, None, "is active and cannot become settled"),
    ],
)
def test_an_impossible_result_changes_nothing(
    harness: ExchangeHarness,
    state: MarketState,
    result: MarketResult | None,
    price: str | None,
    expected: str,
) -> None:
    harness.place("ann", "a2", SELL, 10, "0.90")
    with pytest.raises(ValueError, match=expected):
        harness.market_state(state, result, price)
    market = harness.exchange.markets[harness.market]
    assert (market.state, market.result) == (MarketState.ACTIVE, None)
    assert harness.asks() == "10@0.90"


def test_perpetuals_do_not_settle() -> None:
    harness = ExchangeHarness(product=MARGIN)
    with pytest.raises(ValueError, match="is a perpetual, which is never determined"):
        harness.market_state(DETERMINED, YES)


def test_subscribers_get_the_state_before_the_payout(harness: ExchangeHarness) -> None:
    harness.market_state(DETERMINED, YES)
    change, payout = harness.market_state(SETTLED)
    assert isinstance(change, MarketStateChanged)
    assert isinstance(payout, MarketSettled)


LADDER = ("ABOVE-50", "ABOVE-60", "ABOVE-70")


@pytest.mark.parametrize(
    ("kind", "exhaustive", "before", "last", "expected"),
    [
        (GroupKind.MUTUALLY_EXCLUSIVE, False, [YES, NO], YES, "ABOVE-50 and ABOVE-70 cannot both be yes"),
        (GroupKind.MUTUALLY_EXCLUSIVE, True, [NO, NO], NO, "not all markets of group g can be no"),
        (GroupKind.MUTUALLY_EXCLUSIVE, False, [NO, NO], NO, None),
        (GroupKind.MUTUALLY_EXCLUSIVE, True, [NO, YES], NO, None),
        (GroupKind.MUTUALLY_EXCLUSIVE, False, [YES, SCALAR], NO, None),
        (GroupKind.DIRECTIONAL, False, [YES, NO], YES, "ABOVE-70 cannot be yes if ABOVE-60 is no"),
        (GroupKind.DIRECTIONAL, False, [YES, YES], YES, None),
        (GroupKind.DIRECTIONAL, False, [YES, NO], NO, None),
    ],
)
def test_a_result_may_not_contradict_the_other_results_in_its_group(
    kind: GroupKind, exhaustive: bool, before: list[MarketResult], last: MarketResult, expected: str | None
) -> None:
    """Otherwise the collateral returned for the group would have to be taken back."""
    group = MarketGroup(name="g", markets=LADDER, kind=kind, exhaustive=exhaustive)
    harness = ExchangeHarness(
        markets=tuple(prediction_market(ticker) for ticker in LADDER), market_groups=(group,)
    )
    for ticker, result in zip(LADDER, before, strict=False):
        harness.market_state(DETERMINED, result, "0.5" if result is SCALAR else None, market=ticker)
    if expected is None:
        harness.market_state(DETERMINED, last, market=LADDER[2])
        return
    with pytest.raises(ValueError, match=expected):
        harness.market_state(DETERMINED, last, market=LADDER[2])
    assert harness.exchange.markets[LADDER[2]].state is MarketState.ACTIVE
    # A wrong result must be corrected first.
    harness.market_state(DETERMINED, SCALAR, "0.5", market=LADDER[0])
    harness.market_state(DETERMINED, SCALAR, "0.5", market=LADDER[1])
    harness.market_state(DETERMINED, last, market=LADDER[2])
