"""Listener sessions: a live, read-only feed of all events of an account's orders."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    AcceptQuote,
    BusinessMessageReject,
    BusinessRejectReason,
    EventResendComplete,
    EventResendRequest,
    ExecutionReport,
    OrderGroupAction,
    OrderGroupRequest,
    Party,
    PartyRole,
    QuoteRequest,
    QuoteRequestSymbol,
    Side,
)
from kalshi_fix_sansio._generated.limits import READING_SCOPES, TRADING_SCOPES
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.config import CustomerConfig
from tests.venue.exchange_harness import MARKET, PERP, d
from tests.venue.venue_harness import (
    KEYS,
    Client,
    VenueHarness,
    accounts,
    amend,
    api_key,
    cancel,
    mass_cancel,
    named,
    order,
    reports,
)

BUY, SELL = Side.BUY, Side.SELL
CUSTOMER = "550e8400-e29b-41d4-a716-446655440000_one"
ACCOUNTS = accounts(
    ann={
        "subaccounts": {3: d(100)},
        "customers": (CustomerConfig(party_id=CUSTOMER, balance=d(100)),),
    }
)


@pytest.fixture
def harness() -> VenueHarness:
    return VenueHarness(accounts=ACCOUNTS)


def listen(harness: VenueHarness, session_type: str = "KalshiNR", **fields: Any) -> Client:
    listener = harness.connect("ann-reader", session_type, listener_session=True, **fields)
    listener.take()
    return listener


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiRT"])
def test_a_listener_gets_reports_of_exactly_the_orders_of_its_account(
    harness: VenueHarness, session_type: str
) -> None:
    listener = listen(harness, session_type)
    first, second, bob = harness.connect("ann", "KalshiRT"), harness.connect("ann-2"), harness.connect("bob")
    first.send(order("a1", BUY, 10, "0.40"))
    second.send(order("a2", BUY, 10, "0.39", alloc_account=3))
    bob.send(order("b1", BUY, 10, "0.30"))
    bob.send(order("b2", SELL, 4, "0.40"))
    first.send(amend("a1x", "a1", 8))
    first.send(cancel("c1", "a1x"))
    second.send(mass_cancel())
    assert [(r.exec_type, r.cl_ord_id, r.alloc_account) for r in reports(listener)] == [
        ("0", "a1", None),
        ("0", "a2", 3),
        ("F", "a1", None),
        ("5", "a1x", None),
        ("4", "c1", None),
        ("4", "a2", 3),
    ]


def test_a_listener_gets_the_reports_of_the_trading_session_except_pending_ones(
    harness: VenueHarness,
) -> None:
    listener = listen(harness)
    ann = harness.connect("ann", skip_pending_exec_reports=False)
    ann.take()
    ann.send(order("a1", BUY, 10, "0.40"))
    ann.send(cancel("c1", "a1"))
    both = reports(ann)
    assert [report.exec_type for report in both] == ["A", "0", "6", "4"]
    heard = reports(listener)
    assert [report.exec_id for report in heard] == [both[1].exec_id, both[3].exec_id]


@pytest.mark.parametrize("hears", [True, False])
def test_a_listener_gets_reports_of_refused_orders_in_its_own_unit(hears: bool) -> None:
    harness = VenueHarness(accounts=ACCOUNTS, assumptions=Assumptions(listeners_receive_rejects=hears))
    listener = listen(harness)
    cents = harness.connect("ann", use_dollars=False)
    cents.take()
    cents.send(order("a1", BUY, 1, "40", symbol="NO-SUCH"))
    assert [str(report.price) for report in reports(cents)] == ["40"]
    assert harness.venue.exchange("prediction").find("ann", "a1") is None
    heard = reports(listener)
    if not hears:
        assert heard == []
        return
    assert [(r.exec_type, r.cl_ord_id, str(r.price), r.text) for r in heard] == [
        ("8", "a1", "0.4", "MARKET_NOT_FOUND")
    ]
    listener.logout()
    in_cents = listen(harness, use_dollars=False)
    dollars = harness.connect("ann-2")
    dollars.send(order("a3", BUY, 1, "0.4050"))
    assert [str(report.price) for report in reports(in_cents)] == ["40"]


def test_a_listener_gets_reports_of_customers_with_their_parties(harness: VenueHarness) -> None:
    listener = listen(harness)
    party = Party(party_id=CUSTOMER, party_role=PartyRole.CUSTOMER_ACCOUNT)
    harness.connect("ann").send(order("a1", BUY, 1, "0.40", party_ids=[party]))
    (report,) = reports(listener)
    assert [(each.party_id, each.party_role) for each in report.party_ids] == [(CUSTOMER, 24)]


def test_reports_for_a_listener_use_its_own_flags(harness: VenueHarness) -> None:
    listener = listen(harness, use_dollars=False, preserve_original_order_qty=True)
    ann = harness.connect("ann")
    ann.send(order("a1", BUY, 10, "0.40"))
    ann.send(cancel("c1", "a1"))
    new, canceled = reports(listener)
    assert (str(new.price), str(canceled.order_qty)) == ("40", "10.00")


def test_several_listeners_are_independent(harness: VenueHarness) -> None:
    listener, other = listen(harness), harness.connect("ann-2", "KalshiRT", listener_session=True)
    ann = harness.connect("ann")
    other.take()
    ann.send(order("a1", BUY, 1, "0.40"))
    assert len(reports(listener)) == len(reports(other)) == 1
    listener.drop()
    ann.send(order("a2", BUY, 1, "0.40"))
    assert len(reports(other)) == 1
    again = listen(harness)
    ann.send(order("a3", BUY, 1, "0.40"))
    assert [report.cl_ord_id for report in reports(again)] == ["a3"]


def test_a_session_without_the_flag_is_no_longer_a_listener(harness: VenueHarness) -> None:
    listen(harness).logout()
    reader = harness.connect("ann-reader")
    reader.take()
    harness.connect("ann").send(order("a1", BUY, 1, "0.40"))
    assert reader.take() == []


def test_on_rt_missed_reports_are_resent_after_the_reconnect(harness: VenueHarness) -> None:
    store = MemoryStore()
    listener = listen(harness, "KalshiRT", store=store)
    ann = harness.connect("ann")
    listener.drop()
    ann.send(order("a1", BUY, 1, "0.40"))
    ann.send(cancel("c1", "a1"))
    again = harness.connect("ann-reader", "KalshiRT", store=store, listener_session=True)
    assert [report.exec_type for report in reports(again)] == ["0", "4"]


def test_margin_has_listeners_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "perp-reader", named("perp-reader"))
    reader = attrs.evolve(api_key("perp-reader"), scopes=frozenset({"read"}))
    harness = VenueHarness(accounts=ACCOUNTS, api_keys=(api_key("perp"), reader))
    listener = harness.connect("perp-reader", product="margin", listener_session=True)
    listener.take()
    harness.connect("perp", product="margin").send(order("a1", BUY, 10, "19.5", symbol=PERP))
    assert [report.symbol for report in reports(listener)] == [PERP]


@pytest.mark.parametrize(
    ("scopes", "may"),
    [*(({READING_SCOPES[0], each}, True) for each in TRADING_SCOPES), ({READING_SCOPES[0]}, False)],
)
def test_a_key_needs_a_scope_for_trading_to_send_orders(scopes: set[str], may: bool) -> None:
    key = attrs.evolve(api_key("ann"), scopes=frozenset(scopes))
    ann = VenueHarness(accounts=ACCOUNTS, api_keys=(key,)).connect("ann")
    ann.send(order("a1", BUY, 1, "0.40"))
    assert bool(reports(ann)) is may


REQUESTS = (
    order("x", BUY, 1, "0.40"),
    order("x", BUY, 1, "0.40", quote_id="q"),
    cancel("x", "a1"),
    amend("x", "a1", 5),
    OrderGroupRequest(order_group_action=OrderGroupAction.CREATE, order_group_contracts_limit=10),
)


@pytest.mark.parametrize(
    ("session_type", "message"),
    [
        *(("KalshiNR", message) for message in (*REQUESTS, mass_cancel("x"))),
        *(("KalshiRT", message) for message in REQUESTS),
        (
            "KalshiRT",
            QuoteRequest(quote_req_id="x", related_sym=[QuoteRequestSymbol(symbol=MARKET, order_qty=1)]),
        ),
        ("KalshiRT", AcceptQuote(quote_id="q", side=BUY)),
    ],
    ids=lambda value: getattr(value, "MSG_TYPE", value),
)
def test_a_listener_may_not_send_requests(
    harness: VenueHarness, ann: Client, session_type: str, message: Message
) -> None:
    ann.send(order("a1", BUY, 10, "0.40"))
    # A key that may trade: the session still may not.
    listener = harness.connect("ann-2", session_type, listener_session=True)
    refused = listener.answer_to_raw(message, BusinessMessageReject)
    assert refused.business_reject_reason == BusinessRejectReason.NOT_AUTHORIZED
    assert (refused.ref_msg_type, refused.text) == (message.MSG_TYPE, "Listener sessions are read-only")
    exchange = harness.venue.exchange("prediction")
    resting = exchange.find("ann", "a1")
    assert resting is not None
    assert resting.leaves == 10
    assert exchange.find("ann", "x") is None


def test_a_listener_needs_only_a_read_key(harness: VenueHarness) -> None:
    assert harness.connect("ann-reader", listener_session=True).is_logged_on
    reader = harness.connect("ann-reader", "KalshiMD")
    assert reader.ending().text == "already exists"


def test_a_listener_may_request_past_reports() -> None:
    """On KalshiNR, which serves them; the request changes nothing."""
    harness = VenueHarness(accounts=(attrs.evolve(ACCOUNTS[0], drop_copy=True), *ACCOUNTS[1:]))
    ann = harness.connect("ann")
    ann.send(order("a1", BUY, 10, "0.40"))
    listener = listen(harness)
    listener.send(EventResendRequest(begin_exec_id="1;1"))
    past, complete = listener.take()
    assert isinstance(past, ExecutionReport)
    assert (past.cl_ord_id, past.exec_id) == ("a1", "1;1")
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == 1


def test_the_key_of_a_listener_cannot_trade_at_the_same_time(harness: VenueHarness) -> None:
    assert harness.connect("ann-2", listener_session=True).is_logged_on
    assert harness.connect("ann-2").ending().text == "already exists"
