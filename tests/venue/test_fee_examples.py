"""The worked examples on the venue's page about fee rounding, with real orders over real sessions."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from kalshi_fix_sansio import ExecType, ExecutionReport, Side
from kalshi_fix_venue.exchange import AccountId, prediction_market
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from tests.venue.exchange_harness import MARKET, d
from tests.venue.venue_harness import VenueHarness, accounts, order

BOB = AccountId("bob")


@attrs.frozen
class Example:
    """Three equal fills of one order, and the page's figures for each."""

    quantity: str
    """The quantity of each fill."""
    price: str
    trade_fee: str
    rate: str
    """The fee rate. The page does not state it; this rate results in the page's trade fees."""
    net_fees: tuple[str, str, str]
    balance_change: str
    """The balance change of each fill without its rebate, as the page lists it."""
    rebates: tuple[str, str, str]
    overpayment: str
    """The overpayment after the last fill."""


EXAMPLES = {
    "subpenny": Example(
        "1", "0.055", "0.0085", "0.163", ("0.0150", "0.0050", "0.0150"), "-0.07", ("0", "0.01", "0"), "0.0095"
    ),
    "fractional": Example(
        "0.30", "0.50", "0.0041", "0.054", ("0.01", "0", "0.01"), "-0.16", ("0", "0.01", "0"), "0.0077"
    ),
    "both": Example(
        "0.03",
        "0.3301",
        "0.0005",
        "0.07",
        ("0.010097", "0.000097", "0.000097"),
        "-0.02",
        ("0", "0.01", "0.01"),
        # The page's table has 0.018791, the value before the third fill's rebate.
        "0.008791",
    ),
}


def harness_for(example: Example) -> VenueHarness:
    fees = attrs.evolve(PREDICTION_FEES, taker_rate=d(example.rate))
    market = attrs.evolve(prediction_market(MARKET, tick=d("0.0001")), fees=fees)
    return VenueHarness(
        markets={"prediction": (market,), "margin": ()},
        accounts=accounts(bob={"terms": AccountTerms(direct_member=False)}),
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_worked_example_yields_the_figures_on_the_page(name: str) -> None:
    example = EXAMPLES[name]
    harness = harness_for(example)
    ann, bob = harness.connect("ann"), harness.connect("bob")
    quantity = d(example.quantity)
    for number in range(3):
        ann.send(order(f"a{number}", Side.SELL, quantity, example.price))
    bob.send(order("b1", Side.BUY, 3 * quantity, example.price))
    fills = [
        report
        for report in bob.take()
        if isinstance(report, ExecutionReport) and report.exec_type == ExecType.TRADE
    ]
    fees = [sum((fee.misc_fee_amt for fee in fill.misc_fees), Decimal(0)) for fill in fills]
    assert fees == [d(fee) for fee in example.net_fees]
    assert sum(fees) - 3 * d(example.trade_fee) == d(example.overpayment)
    changes = [change.collateral_amount_change for fill in fills for change in fill.collateral_amount_changes]
    expected = [d(example.balance_change) + d(rebate) for rebate in example.rebates]
    assert changes == expected
    exchange = harness.venue.exchange("prediction")
    assert exchange.account(BOB).balance == 1000 + sum(expected)
