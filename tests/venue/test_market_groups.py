"""Collateral returned by closing a position and by netting in a market group, as reported in Trade
reports.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import ExecutionReport, Side
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import GroupKind, MarketGroup, prediction_market
from tests.venue.exchange_harness import NO_FEES
from tests.venue.venue_harness import Client, VenueHarness, config, order

BUY, SELL = Side.BUY, Side.SELL
A, B, ELSEWHERE = "CUP-A", "CUP-B", "CUP-C"
GROUP = MarketGroup(name="CUP", markets=(A, B))
MARKETS = {"prediction": (prediction_market(A), prediction_market(B), prediction_market(ELSEWHERE, shard=1))}


def grouped(**changes: Any) -> dict[str, Any]:
    return {"markets": MARKETS, "market_groups": (GROUP,), "fees": {"prediction": NO_FEES}, **changes}


def sale(ann: Client, bob: Client, name: str, side: Side, price: str, market: str) -> ExecutionReport:
    """Return the Trade report of ann, who places her order second."""
    other = SELL if side is BUY else BUY
    bob.send(order(f"b-{name}", other, 10, price, symbol=market))
    ann.take()
    return ann.answer_to(order(f"a-{name}", side, 10, price, symbol=market), ExecutionReport)


def money_of(report: ExecutionReport) -> tuple[str | None, str | None, str]:
    (change,) = report.collateral_amount_changes
    single, ranged = report.single_market_collateral_return, report.ranged_market_collateral_return
    return (
        None if single is None else str(single),
        None if ranged is None else str(ranged),
        str(change.collateral_amount_change),
    )


def test_a_trade_reports_the_collateral_returned_by_closing_and_netting() -> None:
    harness = VenueHarness(**grouped())
    ann, bob = harness.connect("ann", split_collateral_return=True), harness.connect("bob")
    assert money_of(sale(ann, bob, "1", SELL, "0.30", A)) == (None, None, "-7.00")
    assert money_of(sale(ann, bob, "2", SELL, "0.40", B)) == (None, "10.00", "4.00")
    # Collateral taken back by the group is only part of the balance change.
    assert money_of(sale(ann, bob, "3", BUY, "0.30", A)) == ("7.00", None, "-3.00")
    assert money_of(sale(ann, bob, "4", BUY, "0.30", B)) == ("7.00", None, "7.00")


def test_without_the_logon_flag_returned_collateral_is_not_reported() -> None:
    harness = VenueHarness(**grouped())
    ann, bob = harness.connect("ann"), harness.connect("bob")
    assert money_of(sale(ann, bob, "1", SELL, "0.30", A)) == (None, None, "-7.00")
    assert money_of(sale(ann, bob, "2", SELL, "0.40", B)) == (None, None, "4.00")


BAD_GROUPS = {
    "names CUP-D": MarketGroup(name="bad", markets=(A, "CUP-D")),
    "two or more": MarketGroup(name="bad", markets=(A,)),
    "different markets": MarketGroup(name="bad", markets=(A, A)),
    "different shards": MarketGroup(name="bad", markets=(A, ELSEWHERE), kind=GroupKind.DIRECTIONAL),
}


@pytest.mark.parametrize("problem", BAD_GROUPS)
def test_invalid_groups_are_refused(problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"market group bad.*{problem}|{problem}"):
        config(**grouped(market_groups=(BAD_GROUPS[problem],)))


def test_markets_and_names_belong_to_one_group() -> None:
    for other, problem in ((attrs.evolve(GROUP, name="more"), "in another group"), (GROUP, "defined twice")):
        with pytest.raises(ConfigurationError, match=problem):
            config(**grouped(market_groups=(GROUP, other)))
