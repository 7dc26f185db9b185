"""The view of a key restricted to some customer accounts: listeners, drop copy, settlement reports."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_sansio import (
    EventResendRequest,
    ExecutionReport,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketSettlementReport,
    Side,
)
from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import MarketResult, MarketState, SetMarketState
from tests.venue.exchange_harness import MARKET, d
from tests.venue.test_clearing import ACCOUNTS, ONE, TWO, cleared
from tests.venue.venue_harness import Client, VenueHarness, api_key, customer, order

BUY, SELL = Side.BUY, Side.SELL
LIMITED = frozenset({ONE})


def harness() -> VenueHarness:
    """Return a venue where the key `ann` trades for all customers; `ann-2` and `ann-md` are for the first
    one.
    """
    keys = (
        api_key("ann"),
        attrs.evolve(api_key("ann-2"), customers=LIMITED),
        attrs.evolve(api_key("ann-md"), customers=LIMITED),
        api_key("bob"),
    )
    accounts = (attrs.evolve(ACCOUNTS[0], drop_copy=True), *ACCOUNTS[1:])
    return cleared(api_keys=keys, accounts=accounts)


def trade(harness: VenueHarness) -> Client:
    """Let Ann and both of her customers hold a contract of Bob's, and each have one order refused."""
    ann, bob = harness.connect("ann"), harness.connect("bob")
    for name, parties in (("own", []), ("one", customer(ONE)), ("two", customer(TWO))):
        ann.send(order(name, BUY, 1, "0.40", party_ids=parties))
        ann.send(order(f"{name}-dear", BUY, 100_000, "0.99", party_ids=parties))
        bob.send(order(f"for-{name}", SELL, 1, "0.40"))
    return ann


def heard(client: Client) -> set[str]:
    return {message.cl_ord_id for message in client.take() if isinstance(message, ExecutionReport)}


def test_a_listener_gets_reports_of_its_customers_and_the_owner() -> None:
    venue = harness()
    listener = venue.connect("ann-2", "KalshiNR", listener_session=True)
    ann = trade(venue)
    seen = {"own", "own-dear", "one", "one-dear"}
    assert heard(listener) == seen
    assert heard(ann) == seen | {"two", "two-dear"}


def test_drop_copy_returns_reports_of_its_customers_and_the_owner() -> None:
    venue = harness()
    trade(venue)
    copy = venue.connect("ann-2", "KalshiDC")
    copy.send(EventResendRequest(begin_exec_id="1;1"))
    assert heard(copy) == {"own", "one"}


def test_a_book_identifies_orders_of_its_customers_and_the_owner() -> None:
    venue = harness()
    ann, md = venue.connect("ann"), venue.connect("ann-md", "KalshiMD")
    md.send(MarketDataRequest.subscribe(MARKET))
    md.take()
    named = []
    for name, parties in (("own", []), ("one", customer(ONE)), ("two", customer(TWO))):
        ann.send(order(name, BUY, 1, "0.40", party_ids=parties))
        (entry,) = md.take_only(MarketDataIncrementalRefresh).md_entries
        named.append((entry.cl_ord_id, entry.alloc_account))
    assert named == [("own", 0), ("one", 0), (None, None)]


def test_a_book_identifies_only_orders_of_its_subaccount() -> None:
    accounts = (AccountConfig(owner="ann", product="prediction", balance=d(100), subaccounts={3: d(100)}),)
    keys = (api_key("ann"), attrs.evolve(api_key("ann-md"), restricted_to=3))
    venue = VenueHarness(accounts=accounts, api_keys=keys)
    ann, md = venue.connect("ann"), venue.connect("ann-md", "KalshiMD")
    md.send(MarketDataRequest.subscribe(MARKET))
    md.take()
    for subaccount, named in ((None, None), (3, "a3")):
        ann.send(order(f"a{subaccount or 0}", BUY, 1, "0.40", alloc_account=subaccount))
        (entry,) = md.take_only(MarketDataIncrementalRefresh).md_entries
        assert entry.cl_ord_id == named


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiPT"])
def test_a_settlement_reports_the_positions_of_its_customers_and_of_the_owner(session_type: str) -> None:
    venue = harness()
    ann = trade(venue)
    ann.logout()
    whole = venue.connect("ann", session_type, receive_settlement_reports=True)
    some = [
        venue.connect(name, session_type, receive_settlement_reports=True) for name in ("ann-2", "ann-md")
    ]
    for state in (MarketState.DETERMINED, MarketState.SETTLED):
        result = MarketResult.YES if state is MarketState.DETERMINED else None
        venue.execute(SetMarketState(MARKET, state, result))
    venue.run()
    reports = [client.take_only(MarketSettlementReport) for client in (whole, *some)]
    received = [
        {party.market_settlement_party_id for party in r.market_settlement_party_ids} for r in reports
    ]
    assert received == [{"ann", ONE, TWO}, {"ann", ONE}, {"ann", ONE}]
    ids = [report.market_settlement_report_id for report in reports]
    assert ids[0] != ids[1] == ids[2]
