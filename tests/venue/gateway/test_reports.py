"""Execution reports that depend on the product, the time, or the rounding of fees."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kalshi_fix_sansio import Side
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import MARGIN, PREDICTION, AccountId, prediction_market
from kalshi_fix_venue.exchange.accounts import AccountTerms
from tests.venue.exchange_harness import MARKET, START, d
from tests.venue.gateway.gateway_harness import GatewayHarness, reports

BUY, SELL = Side.BUY, Side.SELL


def test_reports_on_margin_are_always_in_dollars_and_have_no_prediction_fields() -> None:
    harness = GatewayHarness(MARGIN)
    ann, bob = harness.login("ann", split_collateral_return=True), harness.login("bob")
    harness.send(ann, harness.order("a1", BUY, 4, "19.5"))
    (trade,) = reports(harness.send(bob, harness.order("b1", SELL, 4, "19.5")), bob)
    assert (str(trade.last_px), trade.aggressor_indicator, trade.transact_time) == ("19.5000", True, START)


@pytest.mark.parametrize(("included", "change"), [(True, "-0.29"), (False, "-0.30")])
def test_a_trade_reports_its_net_fee_and_the_change_in_the_balance(included: bool, change: str) -> None:
    """The second of two fills, in which a cent of rounding fees is rebated."""
    harness = GatewayHarness(
        markets=(prediction_market(MARKET, tick=d("0.0001")),),
        fees=None,
        terms={"bob": AccountTerms(direct_member=False)},
        assumptions=Assumptions(balance_change_includes_rebate=included),
    )
    ann, bob = harness.login("ann"), harness.login("bob")
    for name in ("a1", "a2"):
        harness.send(ann, harness.order(name, SELL, 5, "0.055"))
    *_, trade = reports(harness.send(bob, harness.order("b1", BUY, 10, "0.055")), bob)
    (fee,), (moved,) = trade.misc_fees, trade.collateral_amount_changes
    assert (fee.misc_fee_amt, fee.misc_fee_curr, fee.misc_fee_type) == (d("0.015"), "USD", "4")
    assert (moved.collateral_amount_change, moved.collateral_amount_type) == (d(change), "BALANCE")
    assert harness.gateway.exchange.account(AccountId("bob")).balance == 10_000 - d("0.59")


@pytest.mark.parametrize(
    ("product", "utc", "date"),
    [
        (PREDICTION, "2026-08-21T03:59:59.999999", "2026-08-20"),
        (PREDICTION, "2026-08-21T04:00:00", "2026-08-21"),
        (PREDICTION, "2026-08-20T20:00:00", "2026-08-20"),
        (MARGIN, "2026-08-20T19:59:59.999999", "2026-08-20"),
        (MARGIN, "2026-08-20T20:00:00", "2026-08-21"),
        (MARGIN, "2026-08-22T04:00:00", "2026-08-22"),
        (MARGIN, "2026-12-01T20:59:59.999999", "2026-12-01"),
        (MARGIN, "2026-12-01T21:00:00", "2026-12-02"),
    ],
)
def test_the_clearing_date_follows_new_york_time_and_the_product(product: str, utc: str, date: str) -> None:
    harness = GatewayHarness(product)
    ann, bob = harness.login("ann"), harness.login("bob")
    harness.now = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    price = "0.50" if product == PREDICTION else "19.5"
    harness.send(ann, harness.order("a1", BUY, 1, price))
    deliveries = harness.send(bob, harness.order("b1", SELL, 1, price))
    for login in (ann, bob):
        (trade,) = reports(deliveries, login)
        assert str(trade.clearing_business_date) == date
