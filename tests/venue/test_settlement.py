"""Settlement reports (UMS) from the client's point of view: recipients, groups and pages, and queued
reports.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import ExecutionReport, MarketSettlementReport, Party, PartyRole, Side
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.config import CustomerConfig
from kalshi_fix_venue.exchange import (
    AccountId,
    MarketResult,
    MarketState,
    SetMarketState,
    prediction_market,
)
from tests.helpers import by_tags
from tests.venue.exchange_harness import MARKET, d
from tests.venue.venue_harness import Client, VenueHarness, accounts, api_key, order

BUY, SELL = Side.BUY, Side.SELL


def settle(harness: VenueHarness, result: MarketResult = MarketResult.YES, price: str | None = None) -> None:
    dollars = None if price is None else Decimal(price)
    harness.execute(SetMarketState(MARKET, MarketState.DETERMINED, result, dollars))
    harness.execute(SetMarketState(MARKET, MarketState.SETTLED))


def trade(harness: VenueHarness, quantity: int = 10, price: str = "0.40") -> None:
    """Let Ann buy from Bob, on connections that are closed afterwards."""
    bob, ann = harness.connect("bob"), harness.connect("ann")
    bob.send(order("b1", SELL, quantity, price))
    ann.send(order("a1", BUY, quantity, price))
    for client in (bob, ann):
        client.logout()


def settlements(client: Client) -> list[MarketSettlementReport]:
    return [message for message in client.take() if isinstance(message, MarketSettlementReport)]


def test_a_settlement_report_contains_positions_and_payouts(harness: VenueHarness) -> None:
    trade(harness)
    ann = harness.connect("ann", "KalshiPT")
    ann.take()
    settle(harness)
    (report,) = settlements(ann)
    assert (report.symbol, report.market_result, str(report.settlement_price)) == (MARKET, "yes", "100.00")
    assert report.clearing_business_date == date(2026, 8, 20)
    assert (report.last_fragment, report.tot_num_market_settlement_reports) == (True, None)
    (party,) = report.market_settlement_party_ids
    assert (party.market_settlement_party_id, party.market_settlement_party_role) == ("ann", 24)
    assert (str(party.long_qty), str(party.short_qty)) == ("10.00", "0.00")
    (change,) = party.collateral_amount_changes
    assert (str(change.collateral_amount_change), change.collateral_amount_type) == ("10.00", "PAYOUT")
    (fee,) = party.misc_fees
    assert (str(fee.misc_fee_amt), fee.misc_fee_curr, fee.misc_fee_type, fee.misc_fee_basis) == (
        "0.00",
        "USD",
        "4",
        0,
    )


def test_groups_are_nested_on_the_wire(harness: VenueHarness) -> None:
    trade(harness)
    ann = harness.connect("ann", "KalshiPT")
    ann.wire.clear()
    settle(harness)
    body = bytes(ann.wire).replace(b"\x01", b"|").decode()
    party = "NoMarketSettlementPartyIDs=1|MarketSettlementPartyID=ann|MarketSettlementPartyRole=24|"
    nested = by_tags(party) + "704=10.00|705=0.00|1703=1|1704=10.00|1705=PAYOUT|"
    assert nested + "136=1|137=0.00|138=USD|139=4|891=0|" in body


@pytest.mark.parametrize(
    ("result", "price", "cents", "long_pays", "short_pays"),
    [
        (MarketResult.NO, None, "0.00", "0.00", "10.00"),
        (MarketResult.SCALAR, "0.3060", "30.60", "3.06", "6.94"),
    ],
)
def test_each_side_gets_its_own_payout(
    harness: VenueHarness,
    result: MarketResult,
    price: str | None,
    cents: str,
    long_pays: str,
    short_pays: str,
) -> None:
    trade(harness)
    clients = [harness.connect("ann", "KalshiPT"), harness.connect("bob", "KalshiPT")]
    settle(harness, result, price)
    for client, pays in zip(clients, (long_pays, short_pays), strict=True):
        (report,) = settlements(client)
        assert (report.market_result, str(report.settlement_price)) == (result.value, cents)
        (party,) = report.market_settlement_party_ids
        assert str(party.collateral_amount_changes[0].collateral_amount_change) == pays


def test_the_price_is_before_and_the_payout_after_the_fee() -> None:
    harness = VenueHarness(
        markets={"prediction": (prediction_market(MARKET, subpenny=True),)},
    )
    bob, ann = harness.connect("bob"), harness.connect("ann")
    bob.send(attrs.evolve(order("b1", SELL, 1, "0.5"), order_qty=d("100.01")))
    ann.send(attrs.evolve(order("a1", BUY, 1, "0.5"), order_qty=d("100.01")))
    ann.logout()
    post_trade = harness.connect("ann", "KalshiPT")
    exchange = harness.venue.exchange("prediction")
    account = exchange.account(AccountId("ann"))
    before = account.balance
    settle(harness, MarketResult.SCALAR, "0.3060")
    (report,) = settlements(post_trade)
    (party,) = report.market_settlement_party_ids
    paid = party.collateral_amount_changes[0].collateral_amount_change
    assert paid is not None
    assert paid + party.misc_fees[0].misc_fee_amt == d("30.60306")
    assert account.balance == before + paid
    assert str(report.settlement_price) == "30.60"


def test_post_trade_sessions_get_settlement_reports_unless_disabled(harness: VenueHarness) -> None:
    trade(harness)
    yes = harness.connect("ann", "KalshiPT")
    no = harness.connect("ann-2", "KalshiPT", receive_settlement_reports=False)
    settle(harness)
    assert (len(settlements(yes)), len(settlements(no))) == (1, 0)


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiRT"])
def test_order_sessions_get_settlement_reports_if_enabled(harness: VenueHarness, session_type: str) -> None:
    trade(harness)
    asks = harness.connect("ann", session_type, receive_settlement_reports=True)
    silent = harness.connect("ann-2", session_type)
    disabled = harness.connect("bob", session_type, receive_settlement_reports=False)
    settle(harness)
    assert [len(settlements(client)) for client in (asks, silent, disabled)] == [1, 0, 0]


def test_all_sessions_of_an_account_get_the_same_report(harness: VenueHarness) -> None:
    trade(harness)
    post_trade = harness.connect("ann", "KalshiPT")
    reader = harness.connect("ann-reader", "KalshiRT", receive_settlement_reports=True)
    listener = harness.connect("ann-2", listener_session=True, receive_settlement_reports=True)
    settle(harness)
    found = [settlements(client)[0] for client in (post_trade, reader, listener)]
    assert len({report.market_settlement_report_id for report in found}) == 1


def test_an_account_without_a_position_gets_no_report(harness: VenueHarness) -> None:
    bob = harness.connect("bob", "KalshiPT")
    settle(harness)
    assert bob.take() == []


@pytest.mark.parametrize("session_type", ["KalshiPT", "KalshiRT"])
def test_a_report_waits_for_a_session_with_resend(harness: VenueHarness, session_type: str) -> None:
    store = MemoryStore()
    trade(harness)
    ann = harness.connect("ann", session_type, store=store, receive_settlement_reports=True)
    ann.drop()
    settle(harness)
    assert settlements(ann) == []
    again = harness.connect("ann", session_type, store=store, receive_settlement_reports=True)
    (report,) = settlements(again)
    assert report.symbol == MARKET
    assert harness.connect("ann-2", "KalshiNR", receive_settlement_reports=True).take() == []


SUBACCOUNTS = accounts(ann={"subaccounts": dict.fromkeys(range(1, 5), d(100))})


def settled_for_subaccounts(**assumptions: Any) -> list[MarketSettlementReport]:
    """Return the reports of Ann, whose subaccount N holds N + 1 contracts, but number 4 holds 5 NO."""
    harness = VenueHarness(assumptions=Assumptions(**assumptions), accounts=SUBACCOUNTS)
    bob, ann, post_trade = (
        harness.connect("bob"),
        harness.connect("ann"),
        harness.connect("ann-2", "KalshiPT"),
    )
    bob.send(order("b1", SELL, 100, "0.40"))
    bob.send(order("b2", BUY, 100, "0.30"))
    for number in range(4):
        ann.send(order(f"a{number}", BUY, number + 1, "0.40", alloc_account=number))
    ann.send(order("a4", SELL, 5, "0.30", alloc_account=4))
    settle(harness, MarketResult.SCALAR, "0.75")
    return settlements(post_trade)


def test_large_settlements_are_sent_in_pages_with_the_same_symbol() -> None:
    pages = settled_for_subaccounts(parties_per_settlement_report=2)
    assert [len(page.market_settlement_party_ids) for page in pages] == [2, 2, 1]
    assert [page.last_fragment for page in pages] == [False, False, True]
    assert {page.tot_num_market_settlement_reports for page in pages} == {3}
    assert {page.symbol for page in pages} == {MARKET}
    assert len({page.market_settlement_report_id for page in pages}) == 3
    parties = [party for page in pages for party in page.market_settlement_party_ids]
    assert [(p.market_settlement_party_id, p.long_qty, p.short_qty) for p in parties] == [
        ("ann", d(1), d(0)),
        ("ann_1", d(2), d(0)),
        ("ann_2", d(3), d(0)),
        ("ann_3", d(4), d(0)),
        ("ann_4", d(0), d(5)),
    ]


@pytest.mark.parametrize(("size", "count"), [(5, 1), (6, 1), (1, 5)])
def test_pages_are_filled_in_order_and_a_single_page_is_not_counted(size: int, count: int) -> None:
    pages = settled_for_subaccounts(parties_per_settlement_report=size)
    assert len(pages) == count
    assert {page.tot_num_market_settlement_reports for page in pages} == {count if count > 1 else None}


def test_a_clearing_member_gets_one_party_for_each_customer_account() -> None:
    member = "550e8400-e29b-41d4-a716-446655440000"
    customers = (f"{member}_one", f"{member}_2")
    held = tuple(CustomerConfig(party_id=name, balance=d(100)) for name in customers)
    harness = VenueHarness(accounts=accounts(ann={"customers": held}))
    ann, post_trade, bob = (
        harness.connect("ann"),
        harness.connect("ann-2", "KalshiPT"),
        harness.connect("bob"),
    )
    bob.send(order("b1", SELL, 5, "0.40"))
    for number, name in enumerate(customers, 2):
        party = Party(party_id=name, party_role=PartyRole.CUSTOMER_ACCOUNT)
        ann.send(order(f"a{number}", BUY, number, "0.40", party_ids=[party]))
    settle(harness)
    (report,) = settlements(post_trade)
    assert [
        (party.market_settlement_party_id, party.market_settlement_party_role, party.long_qty)
        for party in report.market_settlement_party_ids
    ] == [(customers[0], 24, d(2)), (customers[1], 24, d(3))]
    exchange = harness.venue.exchange("prediction")
    balances = [exchange.account(AccountId("ann", customer=name)).balance for name in customers]
    assert balances[0] - 100 == 2 - d("0.8") - d("0.0336")


def test_a_market_off_shard_0_is_settled_there() -> None:
    there = {"balance": d(7), "on_shards": {2: {0: d(100)}}}
    markets = {"prediction": (prediction_market(MARKET, shard=2),)}
    harness = VenueHarness(markets=markets, accounts=accounts(ann=there, bob=there))
    trade(harness)
    ann = harness.connect("ann", "KalshiPT")
    exchange = harness.venue.exchange("prediction")
    before = exchange.account(AccountId("ann", 0, 2)).balance
    settle(harness)
    assert len(settlements(ann)) == 1
    assert exchange.account(AccountId("ann", 0, 2)).balance == before + 10
    assert exchange.account(AccountId("ann")).balance == 7


def test_the_end_of_trading_is_reported_to_owners_of_open_orders_before_the_payout(
    harness: VenueHarness,
) -> None:
    trade(harness)
    ann = harness.connect("ann", "KalshiRT", receive_settlement_reports=True, use_expired_ord_status=True)
    ann.send(order("a2", SELL, 10, "0.90"))
    ann.take()
    settle(harness)
    ended, report = ann.take()
    assert isinstance(ended, ExecutionReport)
    assert (ended.cl_ord_id, ended.exec_type, ended.leaves_qty) == ("a2", "C", d(0))
    assert isinstance(report, MarketSettlementReport)


def test_a_correction_before_the_payout_applies(harness: VenueHarness) -> None:
    trade(harness)
    ann = harness.connect("ann", "KalshiPT")
    for result in (MarketResult.YES, MarketResult.NO):
        command = SetMarketState(MARKET, MarketState.DETERMINED, result)
        harness.execute(command)
        assert settlements(ann) == []
    harness.execute(SetMarketState(MARKET, MarketState.SETTLED))
    (report,) = settlements(ann)
    assert report.market_result == "no"


def test_a_key_restricted_to_a_subaccount_gets_only_its_settlement() -> None:
    keys = (api_key("ann"), api_key("bob"), attrs.evolve(api_key("ann-2"), restricted_to=1))
    harness = VenueHarness(accounts=SUBACCOUNTS, api_keys=keys)
    bob, ann = harness.connect("bob"), harness.connect("ann", receive_settlement_reports=True)
    restricted = harness.connect("ann-2", receive_settlement_reports=True)
    bob.send(order("b1", SELL, 10, "0.40"))
    for number in range(3):
        ann.send(order(f"a{number}", BUY, 1, "0.40", alloc_account=number))
    settle(harness)
    seen = [
        [party.market_settlement_party_id for party in report.market_settlement_party_ids]
        for client in (ann, restricted)
        for report in settlements(client)
    ]
    assert seen == [["ann", "ann_1", "ann_2"], ["ann_1"]]
