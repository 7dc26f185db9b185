"""Facts about the generated Kalshi dialect, stated independently of the spec folder."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import (
    DIALECT,
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    ExecInst,
    ExecType,
    ExecutionReport,
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
def test_code_values_are_those_of_the_venue(code: object, value: object) -> None:
    assert code == value


def test_names_follow_the_python_conventions() -> None:
    names = {member.name: member.attribute for member in ExecutionReport.LAYOUT.members}
    assert names["TrdMatchID"] == "trd_match_id"
    assert names["NoMiscFees"] == "misc_fees"
    assert names["NoPartyIDs"] == "party_ids"
    assert names["ClOrdID"] == "cl_ord_id"
    assert (
        AcceptQuoteStatus(quote_id="q", accept_quote_status=0).accept_quote_status
        is AcceptQuoteStatusCode.ACCEPTED
    )


def test_an_order_needs_few_attributes() -> None:
    order = NewOrderSingle(cl_ord_id="a-1", symbol="KXTEST", side=Side.BUY, order_qty=10, price="0.75")
    assert repr(order) == (
        "NewOrderSingle(cl_ord_id='a-1', order_qty=10 contracts, ord_type=OrdType.LIMIT, "
        "price=0.75, side=Side.BUY, symbol='KXTEST')"
    )
    assert (
        NewOrderSingle.LAYOUT.encode(order) == "11=a-1\x0138=10\x0140=2\x0144=0.75\x0154=1\x0155=KXTEST\x01"
    )
