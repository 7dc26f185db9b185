"""What the generated Kalshi dialect says, in a few plain facts that do not come from the spec folder."""

from __future__ import annotations

import pytest

import kalshi_fix_sansio
from kalshi_fix_sansio import (
    DIALECT,
    ENDPOINTS,
    ENVIRONMENTS,
    PRODUCTS,
    SESSION_TYPES,
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    ExecInst,
    ExecType,
    ExecutionReport,
    Logon,
    MassCancelRequestType,
    MDEntryType,
    MDUpdateAction,
    NewOrderSingle,
    OrderGroupAction,
    OrdStatus,
    OrdType,
    SelfTradePreventionType,
    Side,
    SubscriptionRequestType,
    TimeInForce,
)
from kalshi_fix_sansio.layout import FieldMember, Sender

MSG_TYPES = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "8",
    "9",
    "A",
    "AG",
    "AI",
    "D",
    "F",
    "G",
    "R",
    "S",
    "U1",
    "U2",
    "U3",
    "U7",
    "U8",
    "U9",
    "UA",
    "UB",
    "UC",
    "UE",
    "UMS",
    "UOG",
    "UOH",
    "V",
    "W",
    "X",
    "Y",
    "Z",
    "b",
    "e",
    "f",
    "j",
    "q",
    "r",
]


def test_the_public_surface_is_listed_once_and_there() -> None:
    names = kalshi_fix_sansio.__all__
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(kalshi_fix_sansio, name)] == []


def test_every_message_of_the_venue_is_there() -> None:
    assert sorted(DIALECT.messages) == sorted(MSG_TYPES)
    assert [m for m in DIALECT.messages if DIALECT.messages[m].admin] == ["A", "0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("name", "port", "role", "resend", "products"),
    [
        ("KalshiNR", 8228, "orders", False, {"prediction", "margin"}),
        ("KalshiDC", 8229, "orders", False, {"prediction", "margin"}),
        ("KalshiRT", 8230, "orders", True, {"prediction", "margin"}),
        ("KalshiPT", 8231, "orders", True, {"prediction"}),
        ("KalshiRFQ", 8232, "orders", False, {"prediction"}),
        ("KalshiMD", 8233, "market_data", False, {"prediction", "margin"}),
    ],
)
def test_session_types(name: str, port: int, role: str, resend: bool, products: set[str]) -> None:
    session_type = SESSION_TYPES[name]
    assert (session_type.name, session_type.port, session_type.host_role) == (name, port, role)
    assert (session_type.resend, session_type.reset_required) == (resend, not resend)
    assert set(session_type.products) == products
    assert set(session_type.comp_ids) == {name, "Kalshi"}
    assert DIALECT.session_types[name] is session_type


def test_hosts_and_products() -> None:
    assert dict(PRODUCTS) == {"prediction": "KALSHI", "margin": "KALSHI_PERPS"}
    assert set(ENVIRONMENTS) == {"production", "demo"}
    assert len(ENDPOINTS) == len(ENVIRONMENTS) * len(PRODUCTS) * 2
    assert ENDPOINTS["production", "prediction", "orders"] == "mm.fix.elections.kalshi.com"
    assert ENDPOINTS["demo", "margin", "market_data"] == "margin-marketdata.fix.demo.kalshi.co"


def test_the_dialect_runs_on_fixt() -> None:
    assert (DIALECT.name, DIALECT.begin_string, DIALECT.appl_ver_id) == ("kalshi", "FIXT.1.1", "9")
    assert [member.tag for member in DIALECT.header.members][:10] == [8, 9, 35, 49, 56, 34, 52, 43, 97, 122]
    assert DIALECT.trailer.members[-1].tag == 10


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (Side.BUY, "1"),
        (Side.SELL, "2"),
        (OrdType.LIMIT, "2"),
        (ExecInst.POST_ONLY, "6"),
        (OrdStatus.PARTIALLY_FILLED, "1"),
        (OrdStatus.EXPIRED, "C"),
        (ExecType.TRADE, "F"),
        (ExecType.PENDING_REPLACE, "E"),
        (TimeInForce.DAY, "0"),
        (TimeInForce.GOOD_TILL_CANCEL, "1"),
        (TimeInForce.IMMEDIATE_OR_CANCEL, "3"),
        (TimeInForce.FILL_OR_KILL, "4"),
        (TimeInForce.GOOD_TILL_DATE, "6"),
        (SelfTradePreventionType.TAKER_AT_CROSS, 1),
        (SelfTradePreventionType.MAKER, 2),
        (SubscriptionRequestType.SNAPSHOT, "0"),
        (SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES, "1"),
        (SubscriptionRequestType.DISABLE_PREVIOUS, "2"),
        (MDEntryType.TRADE, "2"),
        (MDUpdateAction.DELETE, "2"),
        (MassCancelRequestType.CANCEL_FOR_SESSION, "6"),
        (OrderGroupAction.TRIGGER, 4),
        (AcceptQuoteStatusCode.REJECTED, 1),
    ],
)
def test_code_values(code: object, value: object) -> None:
    assert code == value


def test_names_in_python() -> None:
    names = {member.name: member.attribute for member in ExecutionReport.LAYOUT.members}
    assert names["TrdMatchID"] == "trd_match_id"
    assert names["NoMiscFees"] == "misc_fees"
    assert names["NoPartyIDs"] == "party_ids"
    assert names["ClOrdID"] == "cl_ord_id"
    assert (
        AcceptQuoteStatus(quote_id="q", accept_quote_status=0).accept_quote_status
        is AcceptQuoteStatusCode.ACCEPTED
    )


@pytest.mark.parametrize(
    ("tag", "unit"),
    [
        *((tag, "dollars or cents") for tag in (6, 31, 44, 132, 133)),
        *((tag, "dollars") for tag in (137, 152, 270, 1704, 21009, 21030, 21031)),
        (730, "cents"),
        (38, "contracts"),
        (108, "seconds"),
        (20200, "hours"),
    ],
)
def test_units(tag: int, unit: str) -> None:
    assert DIALECT.fields[tag].unit == unit


def test_moved_tags_are_still_read() -> None:
    moved = {
        member.name: member.legacy_tags
        for layout in DIALECT.messages.values()
        for member in layout.body.members
        if isinstance(member, FieldMember) and member.legacy_tags
    }
    assert moved == {"SkipPendingExecReports": (21003,), "QuoteConfirmStatus": (297,)}


@pytest.mark.parametrize(
    ("msg_type", "product", "session", "sender", "allowed"),
    [
        ("D", "prediction", "KalshiNR", Sender.CLIENT, True),
        ("D", "prediction", "KalshiDC", Sender.CLIENT, False),
        ("D", "margin", "KalshiRT", Sender.CLIENT, True),
        ("D", "prediction", "KalshiNR", Sender.VENUE, False),
        ("q", "prediction", "KalshiRT", Sender.CLIENT, False),
        ("R", "prediction", "KalshiRT", Sender.CLIENT, True),
        ("R", "prediction", "KalshiRFQ", Sender.VENUE, True),
        ("R", "margin", "KalshiRT", Sender.CLIENT, False),
        ("8", "prediction", "KalshiDC", Sender.VENUE, True),
        ("e", "margin", "KalshiMD", Sender.CLIENT, False),
        ("2", "prediction", "KalshiPT", Sender.CLIENT, True),
        ("2", "prediction", "KalshiNR", Sender.CLIENT, False),
        ("A", "margin", "KalshiMD", Sender.VENUE, True),
    ],
)
def test_where_messages_go(msg_type: str, product: str, session: str, sender: Sender, allowed: bool) -> None:
    assert DIALECT.messages[msg_type].allowed(product, session, sender) is allowed


def test_a_user_needs_little_to_place_an_order() -> None:
    order = NewOrderSingle(
        cl_ord_id="a-1", symbol="KXTEST", side=Side.BUY, ord_type="2", order_qty=10, price="0.75"
    )
    assert repr(order) == (
        "NewOrderSingle(cl_ord_id='a-1', order_qty=10 contracts, ord_type=OrdType.LIMIT, "
        "price=0.75 dollars or cents, side=Side.BUY, symbol='KXTEST')"
    )
    assert (
        NewOrderSingle.LAYOUT.encode(order) == "11=a-1\x0138=10\x0140=2\x0144=0.75\x0154=1\x0155=KXTEST\x01"
    )


def test_a_signature_is_never_shown() -> None:
    logon = Logon(heart_bt_int=30, raw_data=b"c2lnbmF0dXJl", password="hunter2")
    assert "c2lnbmF0dXJl" not in repr(logon)
    assert "hunter2" not in repr(logon)
    assert "raw_data=<hidden>" in repr(logon)
