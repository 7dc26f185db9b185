"""Clearing members through real sessions: customer accounts (453) and operators (SenderSubID 50)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    Logout,
    OrderCancelReject,
    OrdRejReason,
    PartyRole,
    Reject,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_venue.config import CustomerConfig
from kalshi_fix_venue.exchange import AccountId
from tests.helpers import SUB_ID_LENGTH
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import (
    Client,
    VenueHarness,
    accounts,
    amend,
    api_key,
    cancel,
    config,
    customer,
    decode_all,
    framed,
    order,
    raw_logon,
)

BUY, SELL = Side.BUY, Side.SELL
MEMBER = "550e8400-e29b-41d4-a716-446655440000"
ONE, TWO, OTHERS = f"{MEMBER}_customer1", f"{MEMBER}_2", "110e8400-e29b-41d4-a716-446655440000_x"
CUSTOMER, OPERATOR = PartyRole.CUSTOMER_ACCOUNT, PartyRole.EXECUTING_TRADER
ACCOUNTS = accounts(
    ann={
        "customers": (
            CustomerConfig(party_id=ONE, balance=Decimal(100)),
            CustomerConfig(party_id=TWO, balance=Decimal(100)),
        )
    },
    bob={"customers": (CustomerConfig(party_id=OTHERS, balance=Decimal(10)),)},
)
ONE_ACCOUNT = AccountId("ann", customer=ONE)


def cleared(**changes: Any) -> VenueHarness:
    return VenueHarness(**({"accounts": ACCOUNTS} | changes))


@pytest.fixture
def harness() -> VenueHarness:
    return cleared()


def send(client: Client, message: Message, operator: str | None = None) -> list[Any]:
    """Send a message with this operator; return the answers."""
    fields = None if operator is None else {"sender_sub_id": operator}
    client.session.send(message, client.harness.now, header_fields=fields)
    client.harness.run()
    return client.take()


def parties(message: Message) -> list[tuple[str, int | None]]:
    assert isinstance(message, ExecutionReport), message
    return [(party.party_id, party.party_role) for party in message.party_ids]


def test_an_order_for_a_customer_belongs_to_the_customer(
    harness: VenueHarness, ann: Client, bob: Client
) -> None:
    (new,) = send(ann, order("a1", BUY, 10, "0.40", party_ids=customer(ONE)))
    assert parties(new) == [(ONE, CUSTOMER)]
    bob.send(order("b1", SELL, 10, "0.40"))
    trade = ann.take_only(ExecutionReport)
    assert (trade.exec_type, trade.long_qty, parties(trade)) == (
        ExecType.TRADE,
        Decimal(10),
        [(ONE, CUSTOMER)],
    )
    exchange = harness.venue.exchange("prediction")
    assert exchange.position(ONE_ACCOUNT, MARKET).net == Decimal(10)
    assert exchange.position(AccountId("ann"), MARKET).net == 0
    assert exchange.account(AccountId("ann")).balance == 1000
    assert exchange.account(ONE_ACCOUNT).balance < 100


def test_a_customers_balance_pays_only_for_its_own_orders(ann: Client) -> None:
    (refused,) = send(ann, order("a1", BUY, 300, "0.40", party_ids=customer(ONE)))
    assert isinstance(refused, ExecutionReport)
    assert (refused.text, parties(refused)) == ("INSUFFICIENT_BALANCE", [(ONE, CUSTOMER)])
    (new,) = send(ann, order("a1", BUY, 300, "0.40"))
    assert (new.exec_type, parties(new)) == (ExecType.NEW, [])


@pytest.mark.parametrize(
    ("party_id", "text"),
    [
        (f"{MEMBER}_customer2", "CUSTOMER_ACCOUNT_NOT_FOUND"),
        (ONE.upper(), "CUSTOMER_ACCOUNT_NOT_FOUND"),  # suffixes are case-sensitive
        ("customer1", "CUSTOMER_ACCOUNT_NOT_FOUND"),
        (OTHERS, "PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT"),
    ],
)
def test_other_customers_are_refused(ann: Client, party_id: str, text: str) -> None:
    (refused,) = send(ann, order("a1", BUY, 1, "0.40", party_ids=customer(party_id)))
    assert isinstance(refused, ExecutionReport)
    expected = (ExecType.REJECTED, OrdRejReason.UNKNOWN_ACCOUNT, text)
    assert (refused.exec_type, refused.ord_rej_reason, refused.text) == expected
    assert parties(refused) == [(party_id, CUSTOMER)]


def test_a_key_may_be_restricted_to_some_customers() -> None:
    keys = (attrs.evolve(api_key("ann"), customers=frozenset({ONE})), api_key("bob"))
    ann = cleared(api_keys=keys).connect("ann")
    (refused,) = send(ann, order("a1", BUY, 1, "0.40", party_ids=customer(TWO)))
    assert isinstance(refused, ExecutionReport)
    assert refused.text == "PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT"
    (new,) = send(ann, order("a1", BUY, 1, "0.40", party_ids=customer(ONE)))
    assert parties(new) == [(ONE, CUSTOMER)]


def test_requests_about_an_order_must_name_its_customer(ann: Client) -> None:
    send(ann, order("a1", BUY, 5, "0.40", party_ids=customer(ONE)))
    for fields in ({}, {"party_ids": customer(TWO)}, {"party_ids": customer(OTHERS)}):
        for message in (amend("x", "a1", 6, **fields), cancel("x", "a1", **fields)):
            (refused,) = send(ann, message)
            assert isinstance(refused, OrderCancelReject)
            assert refused.cxl_rej_reason == CxlRejReason.UNKNOWN_ORDER
    (replaced,) = send(ann, amend("a2", "a1", 6, party_ids=customer(ONE)))
    assert (replaced.exec_type, parties(replaced)) == (ExecType.REPLACED, [(ONE, CUSTOMER)])
    (gone,) = send(ann, cancel("a3", "a2", party_ids=customer(ONE)))
    assert (gone.exec_type, parties(gone)) == (ExecType.CANCELED, [(ONE, CUSTOMER)])


def test_customers_of_one_member_trade_with_each_other_but_not_with_themselves(ann: Client) -> None:
    send(ann, order("a1", SELL, 5, "0.40", party_ids=customer(ONE)))
    kinds = [m.exec_type for m in send(ann, order("a2", BUY, 2, "0.40", party_ids=customer(TWO)))]
    assert sorted(kinds) == [ExecType.TRADE, ExecType.TRADE]
    own = send(ann, order("a3", BUY, 2, "0.40", party_ids=customer(ONE)))
    assert [m.text for m in own] == ["TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"]
    house = send(ann, order("a4", BUY, 3, "0.40"))
    assert [m.exec_type for m in house] == [ExecType.TRADE, ExecType.TRADE]


def test_a_listener_of_the_member_gets_reports_of_its_customers(harness: VenueHarness) -> None:
    ann, listener = harness.connect("ann"), harness.connect("ann-2", "KalshiRT", listener_session=True)
    send(ann, order("a1", BUY, 5, "0.40", party_ids=customer(ONE)), "joe")
    assert [parties(message) for message in listener.take()] == [[(ONE, CUSTOMER), ("joe", OPERATOR)]]


# --- operators ------------------------------------------------------------------------------------------


def test_the_operator_of_an_order_is_on_its_reports_after_the_customer(harness: VenueHarness) -> None:
    ann, bob = harness.connect("ann", skip_pending_exec_reports=False), harness.connect("bob")
    both = [(ONE, CUSTOMER), ("joe", OPERATOR)]
    received = send(ann, order("a1", BUY, 5, "0.40", party_ids=customer(ONE)), "joe")
    assert [m.exec_type for m in received] == [ExecType.PENDING_NEW, ExecType.NEW]
    bob.send(order("b1", SELL, 1, "0.40"))
    received += ann.take()
    assert [parties(message) for message in received] == [both, both, both]
    pending, refused = send(ann, order("a2", BUY, 500, "0.40", party_ids=customer(ONE)), "joe")
    assert (parties(pending), parties(refused)) == (both, both)


def test_without_a_customer_the_operator_is_the_only_party(ann: Client) -> None:
    (new,) = send(ann, order("a1", BUY, 5, "0.40"), "joe")
    assert parties(new) == [("joe", OPERATOR)]


def test_reports_of_amends_and_cancels_contain_their_operator(harness: VenueHarness) -> None:
    ann = harness.connect("ann", skip_pending_exec_reports=False)
    send(ann, order("a1", BUY, 5, "0.40"), "joe")
    pending, replaced = send(ann, amend("a2", "a1", 6), "sue")
    assert (parties(pending), parties(replaced)) == ([("sue", OPERATOR)], [("sue", OPERATOR)])
    pending, canceled = send(ann, cancel("a3", "a2"), "sue")
    assert (parties(pending), parties(canceled)) == ([("sue", OPERATOR)], [("sue", OPERATOR)])


def test_without_an_operator_amends_and_cancels_use_that_of_the_order(ann: Client) -> None:
    send(ann, order("a1", BUY, 5, "0.40"), "joe")
    (replaced,) = send(ann, amend("a2", "a1", 6))
    (canceled,) = send(ann, cancel("a3", "a2"))
    assert (parties(replaced), parties(canceled)) == ([("joe", OPERATOR)], [("joe", OPERATOR)])


def test_reports_after_an_amend_contain_the_operator_of_the_order(
    harness: VenueHarness, ann: Client, bob: Client
) -> None:
    send(ann, order("a1", BUY, 5, "0.40", time_in_force=TimeInForce.DAY), "joe")
    send(ann, amend("a2", "a1", 6), "sue")
    bob.send(order("b1", SELL, 1, "0.40"))
    assert parties(ann.take()[0]) == [("joe", OPERATOR)]
    harness.wait(24 * 3600)
    (expired,) = ann.take()
    assert parties(expired) == [("joe", OPERATOR)]


@pytest.mark.parametrize("operator", ["x" * (SUB_ID_LENGTH + 1), "joe\u00e9"])
def test_an_operator_is_printable_ascii_of_bounded_length(
    harness: VenueHarness, ann: Client, operator: str
) -> None:
    (new,) = send(ann, order("a1", BUY, 1, "0.40"), "~ printable ~".ljust(SUB_ID_LENGTH, "~"))
    assert parties(new) == [("~ printable ~".ljust(SUB_ID_LENGTH, "~"), OPERATOR)]
    ann.session.send(order("a2", BUY, 1, "0.40"), harness.now, header_fields={"sender_sub_id": "joe"})
    wire = ann.session.data_to_send()
    (_,) = decode_all(wire)
    changed = framed(wire, b"50=joe", b"50=" + operator.encode("latin-1"))
    harness.venue.receive_data(ann.conn, changed, harness.now)
    (refused,) = decode_all(harness.venue.data_to_send(ann.conn))
    assert isinstance(refused, Reject)
    assert refused.ref_tag_id == 50


def test_a_logon_with_an_operator_is_refused(harness: VenueHarness) -> None:
    logon = framed(raw_logon("ann"), b"56=KalshiNR\x01", b"56=KalshiNR\x0150=joe\x01")
    conn, reply = harness.begin(logon)
    assert isinstance(reply, Logout)
    assert reply.text is not None
    assert "SenderSubID" in reply.text
    assert harness.venue.should_close(conn)


def test_only_clearing_members_have_operators() -> None:
    harness = VenueHarness()
    ann = harness.connect("ann")
    for message in (order("a1", BUY, 1, "0.40"), amend("a2", "a1", 2), cancel("a3", "a1")):
        ann.session.send(message, harness.now, header_fields={"sender_sub_id": "joe"})
        harness.run()
        (event,) = (event for event in ann.events if isinstance(event, RejectReceived))
        ann.events.clear()
        assert isinstance(event.reject, BusinessMessageReject)
        assert event.reject.business_reject_reason == BusinessRejectReason.NOT_AUTHORIZED


# --- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "party_id", [MEMBER, f"{MEMBER}_", f"{MEMBER}_{'x' * 17}", f"{MEMBER}_a-b", "ann_1", f"{MEMBER}_1\n"]
)
def test_customer_accounts_have_a_fixed_format(party_id: str) -> None:
    account = attrs.evolve(ACCOUNTS[0], customers=(CustomerConfig(party_id=party_id, balance=Decimal(1)),))
    with pytest.raises(ConfigurationError, match="is not a customer account"):
        config(accounts=(account, *ACCOUNTS[1:]))


def test_customer_accounts_are_unique() -> None:
    twice = attrs.evolve(ACCOUNTS[1], customers=ACCOUNTS[0].customers)
    with pytest.raises(ConfigurationError, match="is defined twice"):
        config(accounts=(ACCOUNTS[0], twice, ACCOUNTS[2]))


def test_a_key_can_only_be_restricted_to_customers_of_its_owner() -> None:
    key = attrs.evolve(api_key("ann"), customers=frozenset({OTHERS}))
    with pytest.raises(ConfigurationError, match="add it to `customers`"):
        config(accounts=ACCOUNTS, api_keys=(key,))
