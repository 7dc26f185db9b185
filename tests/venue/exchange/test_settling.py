"""Results that the exchange model refuses; dialogues/settlements.yaml tests payouts and reports."""

from __future__ import annotations

import pytest

from kalshi_fix_venue.exchange import (
    MARGIN,
    MarketGroup,
    MarketResult,
    MarketState,
    prediction_market,
)
from kalshi_fix_venue.exchange.netting import GroupKind
from kalshi_fix_venue.exchange.outcomes import MarketSettled, MarketStateChanged
from tests.venue.exchange_harness import SELL, ExchangeHarness, ds

DETERMINED, SETTLED = MarketState.DETERMINED, MarketState.SETTLED
YES, NO, SCALAR = MarketResult


@pytest.mark.parametrize(
    ("state", "result", "price", "expected"),
    [
        (DETERMINED, None, None, "has no result; specify yes, no, or scalar with its price"),
        (DETERMINED, None, "0.5", "a price needs a result"),
        (DETERMINED, SCALAR, None, "a scalar result needs its price"),
        (DETERMINED, SCALAR, "1.0001", "0 to 1 dollar in steps of 0.0001, not 1.0001"),
        (DETERMINED, SCALAR, "-0.0001", "0 to 1 dollar"),
        (DETERMINED, SCALAR, "0.00005", "in steps of 0.0001"),
        (DETERMINED, SCALAR, "NaN", "0 to 1 dollar"),
        (DETERMINED, YES, "0.5", "the result yes fixes the price at 1; leave the price out"),
        (DETERMINED, NO, "1", "the result no fixes the price at 0; leave the price out"),
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
    assert harness.exchange.levels(harness.market, SELL) == (ds("0.90", 10),)


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
    """A contradiction would revoke collateral already returned for the group."""
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
