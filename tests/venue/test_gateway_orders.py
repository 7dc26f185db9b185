"""Order entry at the gateway: which reports a session gets, and what stands in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.venue.exchange import (
    MARGIN,
    Advance,
    CancelAll,
    CancelCause,
    MarketState,
    PauseState,
    RefusalCause,
    RejectCause,
    SetMarketState,
    SetPause,
    prediction_market,
)
from kalshi_fix_adapters.venue.gateway.texts import CANCEL_TEXTS, CXL_REJ_REASONS, ORD_REJ_REASONS
from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    CxlRejReason,
    CxlRejResponseTo,
    ExecInst,
    ExecType,
    ExecutionReport,
    MassCancelRequestType,
    MassCancelResponse,
    OrderCancelReject,
    OrderGroupAction,
    OrderGroupRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    OrdRejReason,
    OrdStatus,
    Party,
    SelfTradePreventionType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.base import Message
from tests.venue.desk import MARKET, START, d, ds
from tests.venue.front_desk import FrontDesk, line, only, reports, told

BUY, SELL = Side.BUY, Side.SELL


def test_a_new_order_is_pending_and_then_new() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann", skip_pending=False)
    pending, new = reports(desk.send(ann, desk.order("a1", BUY, 10, "0.75")), ann)
    assert [line(r) for r in (pending, new)] == ["A/A 10.00+0.00", "0/0 10.00+0.00"]
    assert (pending.exec_id, new.exec_id) == ("-1;-1", "1;1")
    assert pending.order_id == new.order_id == "id-1"
    assert pending.last_mkt is None
    assert new.last_mkt == "0"
    assert (new.cl_ord_id, new.symbol, new.side, new.transact_time) == ("a1", MARKET, BUY, START)
    assert (str(new.order_qty), str(new.price), str(new.avg_px)) == ("10.00", "0.7500", "0.0000")
    assert new.expire_time is None
    assert new.orig_cl_ord_id is None


def test_skip_pending_leaves_pending_reports_out() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    assert [line(r) for r in reports(desk.send(ann, desk.order("a1", BUY, 10, "0.75")), ann)] == [
        "0/0 10.00+0.00"
    ]


def test_without_use_dollars_prices_are_whole_cents() -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann", use_dollars=False), desk.seat("bob")
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 10, 75)), ann)
    assert str(new.price) == "75"
    (rejected,) = reports(desk.send(ann, desk.order("a2", BUY, 10, "0.75")), ann)
    assert (rejected.ord_rej_reason, rejected.text, rejected.price) == (11, "INVALID_ORDER", d("0.75"))
    deliveries = desk.send(bob, desk.order("b1", SELL, 4, "0.75"))
    (mine,), (theirs,) = reports(deliveries, ann), reports(deliveries, bob)
    assert (str(mine.last_px), str(mine.avg_px)) == ("75", "75")
    assert (str(theirs.last_px), str(theirs.avg_px)) == ("0.7500", "0.7500")


def test_a_price_off_the_cent_is_told_as_it_is_even_in_cents() -> None:
    desk = FrontDesk(markets=(prediction_market(MARKET, subpenny=True),))
    ann, bob = desk.seat("ann", use_dollars=False), desk.seat("bob")
    desk.send(bob, desk.order("b1", SELL, 1, "0.4025"))
    desk.send(bob, desk.order("b2", SELL, 2, "0.4050"))
    trades = reports(desk.send(ann, desk.order("a1", BUY, 3, 41)), ann)
    assert [(str(t.last_px), str(t.avg_px)) for t in trades] == [("40.25", "40.25"), ("40.5", "40.42")]


def test_margin_is_always_in_dollars_and_has_no_prediction_fields() -> None:
    desk = FrontDesk(MARGIN)
    ann, bob = desk.seat("ann", split_collateral_return=True), desk.seat("bob")
    desk.send(ann, desk.order("a1", BUY, 4, "19.5"))
    (trade,) = reports(desk.send(bob, desk.order("b1", SELL, 4, "19.5")), bob)
    assert (str(trade.last_px), trade.aggressor_indicator, trade.transact_time) == ("19.5000", True, START)


def test_a_trade_tells_position_fee_and_balance() -> None:
    desk = FrontDesk(fees=None)
    ann, bob = desk.seat("ann"), desk.seat("bob")
    desk.send(ann, desk.order("a1", BUY, 100, "0.50"))
    deliveries = desk.send(bob, desk.order("b1", SELL, 100, "0.50"))
    (maker,), (taker,) = reports(deliveries, ann), reports(deliveries, bob)
    assert [line(r) for r in (maker, taker)] == ["F/2 0.00+100.00"] * 2
    assert maker.trd_match_id == taker.trd_match_id == "trade-1"
    assert (maker.aggressor_indicator, taker.aggressor_indicator) == (False, True)
    assert (str(maker.long_qty), str(maker.short_qty)) == ("100.00", "0.00")
    assert (str(taker.long_qty), str(taker.short_qty)) == ("0.00", "100.00")
    (fee,) = taker.misc_fees
    assert (str(fee.misc_fee_amt), fee.misc_fee_curr, fee.misc_fee_type, fee.misc_fee_basis) == (
        "1.75",
        "USD",
        "4",
        0,
    )
    (change,) = taker.collateral_amount_changes
    assert (str(change.collateral_amount_change), change.collateral_amount_type) == ("-51.75", "BALANCE")
    (fee,) = maker.misc_fees
    assert str(fee.misc_fee_amt) == "0.00"


def test_amounts_keep_the_decimals_they_have() -> None:
    desk = FrontDesk(markets=(prediction_market(MARKET, subpenny=True),))
    ann, bob = desk.seat("ann"), desk.seat("bob")
    desk.send(ann, desk.order("a1", BUY, "0.01", "0.1234"))
    (trade,) = reports(desk.send(bob, desk.order("b1", SELL, "0.01", "0.1234")), bob)
    (change,) = trade.collateral_amount_changes
    assert str(change.collateral_amount_change) == "-0.008766"


def test_split_collateral_return_tells_what_closing_gave_back() -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann", split_collateral_return=True), desk.seat("bob")
    desk.send(ann, desk.order("a1", BUY, 10, "0.40"))
    opened = reports(desk.send(bob, desk.order("b1", SELL, 10, "0.40")), ann)
    desk.send(ann, desk.order("a2", SELL, 10, "0.60"))
    deliveries = desk.send(bob, desk.order("b2", BUY, 10, "0.60"))
    closed, theirs = reports(deliveries, ann), reports(deliveries, bob)
    assert [r.single_market_collateral_return for r in opened + closed + theirs] == [None, d(6), None]


@pytest.mark.parametrize(("new_before_trade", "told_first"), [(False, []), (True, ["0/0 3.00+0.00"])])
def test_new_is_folded_into_the_first_trade_unless_asked_for(
    new_before_trade: bool, told_first: list[str]
) -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann"), desk.seat("bob", new_before_trade=new_before_trade)
    desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    desk.send(ann, desk.order("a2", BUY, 1, "0.41"))
    found = reports(desk.send(bob, desk.order("b1", SELL, 3, "0.40")), bob)
    assert [line(r) for r in found] == [*told_first, "F/1 2.00+1.00", "F/1 1.00+2.00"]


@pytest.mark.parametrize("new_before_trade", [False, True])
def test_an_order_that_ends_untraded_is_told_once(new_before_trade: bool) -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann"), desk.seat("bob", new_before_trade=new_before_trade)
    desk.send(ann, desk.order("a1", SELL, 1, "0.40"))
    crossing = desk.order("b1", BUY, 1, "0.40", exec_inst=ExecInst.POST_ONLY)
    fok = desk.order("b2", BUY, 2, "0.40", time_in_force=TimeInForce.FILL_OR_KILL)
    ioc = desk.order("b3", BUY, 2, "0.39", time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
    costly = desk.order("b4", BUY, 1, "0.40", max_execution_cost="0.39")
    found = [reports(desk.send(bob, order), bob) for order in (crossing, fok, ioc, costly)]
    assert [[(r.exec_type, r.ord_status, r.text) for r in one] for one in found] == [
        [(ExecType.CANCELED, OrdStatus.CANCELED, text)]
        for text in (
            "POST_ONLY_CROSS",
            "FOK_INSUFFICIENT_VOLUME",
            "IMMEDIATE_OR_CANCELLED",
            "MAX_EXECUTION_COST",
        )
    ]


def test_a_partly_filled_ioc_order_ends_with_its_trade_or_with_a_report_of_its_own() -> None:
    told_apart = {}
    for ioc_cancel_report in (False, True):
        desk = FrontDesk()
        ann, bob = desk.seat("ann"), desk.seat("bob", ioc_cancel_report=ioc_cancel_report)
        desk.send(ann, desk.order("a1", SELL, 1, "0.40"))
        desk.send(ann, desk.order("a2", SELL, 1, "0.41"))
        ioc = desk.order("b1", BUY, 5, "0.41", time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
        found = reports(desk.send(bob, ioc), bob)
        told_apart[ioc_cancel_report] = [f"{line(r)} of {r.order_qty}" for r in found]
    assert told_apart == {
        False: ["F/1 4.00+1.00 of 5.00", "F/4 0.00+2.00 of 2.00"],
        True: ["F/1 4.00+1.00 of 5.00", "F/1 3.00+2.00 of 5.00", "4/4 0.00+2.00 of 2.00"],
    }


def test_preserve_original_quantity_keeps_the_quantity_asked_for() -> None:
    quantities = {}
    for preserve in (False, True):
        desk = FrontDesk()
        ann, bob = desk.seat("ann", preserve_original_quantity=preserve), desk.seat("bob")
        desk.send(bob, desk.order("b1", SELL, 2, "0.40"))
        found = reports(desk.send(ann, desk.order("a1", BUY, 5, "0.40")), ann)
        found += reports(desk.send(ann, desk.amend("a2", "a1", BUY, 4)), ann)
        found += reports(desk.send(ann, desk.cancel("a3", "a2", BUY)), ann)
        found += reports(desk.send(ann, desk.order("a4", BUY, 5, "0.405")), ann)
        bob_ioc = desk.order("b2", SELL, 1, "0.40")
        desk.send(bob, bob_ioc)
        ioc = desk.order("a5", BUY, 5, "0.40", time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
        found += reports(desk.send(ann, ioc), ann)
        quantities[preserve] = [str(r.order_qty) for r in found]
    assert quantities == {
        False: ["5.00", "4.00", "2.00", "0.00", "1.00"],
        True: ["5.00", "4.00", "4.00", "5.00", "5.00"],
    }


def test_a_cancel_is_pending_and_then_done_under_the_ids_of_the_request() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann", skip_pending=False)
    desk.send(ann, desk.order("a1", BUY, 10, "0.75"))
    pending, canceled = reports(desk.send(ann, desk.cancel("a2", "a1", BUY)), ann)
    assert [line(r) for r in (pending, canceled)] == ["6/6 10.00+0.00", "4/4 0.00+0.00"]
    assert pending.exec_id == "-1;-1"
    assert (pending.cl_ord_id, pending.orig_cl_ord_id) == ("a2", "a1")
    assert (canceled.cl_ord_id, canceled.orig_cl_ord_id) == ("a2", "a1")
    assert (str(canceled.order_qty), canceled.text) == ("0.00", None)


def test_an_amend_is_pending_and_then_done() -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann", skip_pending=False), desk.seat("bob")
    desk.send(ann, desk.order("a1", BUY, 10, "0.75"))
    desk.send(bob, desk.order("b1", SELL, 1, "0.76"))
    found = reports(desk.send(ann, desk.amend("a2", "a1", BUY, 8, price="0.76")), ann)
    assert [line(r) for r in found] == ["E/E 10.00+0.00", "5/5 8.00+0.00", "F/1 7.00+1.00"]
    assert [r.orig_cl_ord_id for r in found] == ["a1", "a1", None]
    assert [r.cl_ord_id for r in found] == ["a2"] * 3
    assert [str(r.price) for r in found] == ["0.7500", "0.7600", "0.7600"]
    canceled = reports(desk.send(ann, desk.amend("a3", "a2", BUY, 1)), ann)[-1]
    assert (canceled.exec_type, canceled.cl_ord_id, canceled.orig_cl_ord_id) == (
        ExecType.CANCELED,
        "a3",
        "a2",
    )


def test_refused_cancels_and_amends() -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann", skip_pending=False), desk.seat("bob")
    desk.send(ann, desk.order("a1", BUY, 5, "0.40"))
    desk.send(ann, desk.order("a2", SELL, 5, "0.60"))
    desk.send(bob, desk.order("b1", SELL, 2, "0.40"))

    def refusal(message: Message) -> tuple[object, ...]:
        *pending, last = told(desk.send(ann, message), ann)
        assert isinstance(last, OrderCancelReject)
        assert all(isinstance(r, ExecutionReport) and r.exec_id == "-1;-1" for r in pending)
        return (len(pending), last.cxl_rej_response_to, last.cxl_rej_reason, last.text, last.ord_status)

    f, g = CxlRejResponseTo.ORDER_CANCEL_REQUEST, CxlRejResponseTo.ORDER_CANCEL_REPLACE_REQUEST
    unknown, other = CxlRejReason.UNKNOWN_ORDER, CxlRejReason.OTHER
    rejected, partly = OrdStatus.REJECTED, OrdStatus.PARTIALLY_FILLED
    sideways = attrs.evolve(desk.cancel("c", "a1", BUY), side="7")
    assert refusal(desk.cancel("c", "zz", BUY)) == (0, f, unknown, "ORDER_NOT_FOUND", rejected)
    assert refusal(sideways) == (0, f, unknown, "ORDER_NOT_FOUND", rejected)
    sideways_amend = attrs.evolve(desk.amend("c", "a1", BUY, 9), side="7")
    assert refusal(sideways_amend) == (0, g, unknown, "ORDER_NOT_FOUND", rejected)
    less = desk.amend("c", "a1", BUY, 1)
    assert refusal(less) == (1, g, CxlRejReason.BROKER, "INVALID_AMEND_QTY_FOR_ORDER", partly)
    crossing = desk.amend("c", "a1", BUY, 5, price="0.60")
    assert refusal(crossing) == (1, g, CxlRejReason.INVALID_PRICE_INCREMENT, "SELF_CROSS_ATTEMPT", partly)
    no_limit = desk.amend("c", "a2", SELL, 5, ord_type="1")
    assert refusal(no_limit) == (0, g, other, "INVALID_ORDER", rejected)
    desk.send(bob, desk.order("b2", SELL, 3, "0.40"))
    filled, more, late = OrdStatus.FILLED, desk.amend("c", "a1", BUY, 9), desk.cancel("c", "a1", BUY)
    assert refusal(more) == (0, g, CxlRejReason.BROKER, "CANNOT_UPDATE_FILLED_ORDER", filled)
    assert refusal(late) == (0, f, CxlRejReason.TOO_LATE_TO_CANCEL, "ORDER_ALREADY_FILLED", filled)
    desk.send(ann, desk.cancel("a3", "a2", SELL))
    again = desk.cancel("c", "a2", SELL)
    assert refusal(again) == (0, f, unknown, "ORDER_NOT_FOUND", OrdStatus.CANCELED)


def test_a_cancel_reject_names_the_order_if_there_is_one() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    desk.send(ann, desk.order("a1", BUY, 5, "0.40"))
    known = only(desk.send(ann, desk.amend("a2", "a1", BUY, "5.001")))
    unknown = only(desk.send(ann, desk.amend("a2", "zz", BUY, 5)))
    assert isinstance(known, OrderCancelReject)
    assert isinstance(unknown, OrderCancelReject)
    assert (known.order_id, known.cl_ord_id, known.orig_cl_ord_id) == ("id-1", "a2", "a1")
    assert (unknown.order_id, unknown.cl_ord_id, unknown.orig_cl_ord_id) == ("NONE", "a2", "zz")


def test_cents_off_the_cent_cannot_be_amended_to() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann", use_dollars=False)
    desk.send(ann, desk.order("a1", BUY, 5, 40))
    refused = only(desk.send(ann, desk.amend("a2", "a1", BUY, 5, price="40.5")))
    assert isinstance(refused, OrderCancelReject)
    assert refused.text == "INVALID_ORDER"
    (replaced,) = reports(desk.send(ann, desk.amend("a2", "a1", BUY, 5, price=41)), ann)
    assert str(replaced.price) == "41"


def test_subaccounts_are_named_in_reports_and_must_be_in_requests() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 5, "0.40", alloc_account=3)), ann)
    assert new.alloc_account == 3
    assert isinstance(only(desk.send(ann, desk.cancel("a2", "a1", BUY))), OrderCancelReject)
    (canceled,) = reports(desk.send(ann, desk.cancel("a2", "a1", BUY, alloc_account=3)), ann)
    assert canceled.alloc_account == 3
    (rejected,) = reports(desk.send(ann, desk.order("a3", BUY, 5, "0.40", alloc_account=4)), ann)
    assert (rejected.ord_rej_reason, rejected.text) == (
        OrdRejReason.UNKNOWN_ACCOUNT,
        "CUSTOMER_ACCOUNT_NOT_FOUND",
    )
    assert rejected.alloc_account == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"side": "7"},
        {"ord_type": "1"},
        {"time_in_force": "2"},
        {"exec_inst": "G"},
        {"self_trade_prevention_type": 9},
        {"ex_destination": 4},
        {"price": "0.405"},
        {"order_qty": "0.001"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_values_that_the_venue_does_not_know_make_an_order_invalid(fields: dict[str, Any]) -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    (rejected,) = reports(desk.send(ann, attrs.evolve(desk.order("a1", BUY, 1, "0.40"), **fields)), ann)
    assert (rejected.exec_type, rejected.ord_status) == (ExecType.REJECTED, OrdStatus.REJECTED)
    assert (rejected.ord_rej_reason, rejected.text) == (11, "INVALID_ORDER")
    assert rejected.exec_id == "1;1"


@pytest.mark.parametrize("route", [None, -1, 0])
def test_every_market_is_on_shard_zero(route: int | None) -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 1, "0.40", ex_destination=route)), ann)
    assert new.exec_type == ExecType.NEW


def test_rejects_of_the_exchange_come_after_pending() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann", skip_pending=False)
    pending, rejected = reports(desk.send(ann, desk.order("a1", BUY, 1, "0.40", symbol="NO-SUCH")), ann)
    assert pending.exec_type == ExecType.PENDING_NEW
    assert (rejected.ord_rej_reason, rejected.text) == (OrdRejReason.UNKNOWN_SYMBOL, "MARKET_NOT_FOUND")
    assert (rejected.order_id, rejected.symbol) == (pending.order_id, "NO-SUCH")
    assert [str(q) for q in (rejected.order_qty, rejected.leaves_qty, rejected.cum_qty)] == ["0.00"] * 3


def test_parties_and_order_groups_of_nobody() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    (rejected,) = reports(
        desk.send(ann, desk.order("a1", BUY, 1, "0.40", party_ids=[Party(party_id="sub", party_role=24)])),
        ann,
    )
    assert rejected.text == "CUSTOMER_ACCOUNT_NOT_FOUND"
    assert [party.party_id for party in rejected.party_ids] == ["sub"]
    (rejected,) = reports(desk.send(ann, desk.order("a1", BUY, 1, "0.40", secondary_cl_ord_id="group")), ann)
    assert (rejected.text, rejected.ord_rej_reason) == ("ORDER_GROUP_NOT_FOUND", 11)
    refused = only(
        desk.send(ann, desk.cancel("a2", "a1", BUY, party_ids=[Party(party_id="sub", party_role=24)]))
    )
    assert isinstance(refused, OrderCancelReject)


def test_a_quote_cannot_be_accepted_where_there_are_none() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    refused = only(desk.send(ann, desk.order("a1", BUY, 1, "0.40", quote_id="q")))
    assert isinstance(refused, BusinessMessageReject)
    assert (refused.business_reject_reason, refused.business_reject_ref_id) == (
        BusinessRejectReason.UNKNOWN_ID,
        "a1",
    )
    assert (refused.ref_msg_type, refused.ref_seq_num) == ("D", 2)


def test_expiry_style_cancels_are_expired_for_those_who_asked() -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann", expired_status=True), desk.seat("bob")
    for seat, name in ((ann, "a"), (bob, "b")):
        gtd = {"time_in_force": TimeInForce.GOOD_TILL_DATE, "expire_time": START + timedelta(seconds=5)}
        desk.send(seat, desk.order(f"{name}1", BUY, 1, "0.40", **gtd))
        desk.send(seat, desk.order(f"{name}2", BUY, 1, "0.40"))
    desk.wait(seconds=5)
    deliveries = desk.execute(Advance())
    assert [line(r) for r in reports(deliveries, ann)] == ["C/C 0.00+0.00"]
    assert [line(r) for r in reports(deliveries, bob)] == ["4/4 0.00+0.00"]
    deliveries = desk.execute(SetMarketState(MARKET, MarketState.CLOSED))
    assert [line(r) for r in reports(deliveries, ann)] == ["C/C 0.00+0.00"]
    assert [line(r) for r in reports(deliveries, bob)] == ["4/4 0.00+0.00"]


def test_day_is_the_default_and_its_end_is_told() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 1, "0.40", time_in_force=None)), ann)
    assert new.expire_time == datetime(2026, 8, 21, 3, 59, 59, 999_000, tzinfo=UTC)


def test_an_expire_time_without_gtd_is_not_heeded() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 1, "0.40", expire_time=START)), ann)
    assert (new.exec_type, new.expire_time) == (ExecType.NEW, None)


def test_self_trade_prevention_by_type() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    desk.send(ann, desk.order("a1", SELL, 1, "0.40"))
    taker = reports(desk.send(ann, desk.order("a2", BUY, 1, "0.40", self_trade_prevention_type=0)), ann)
    assert [(r.cl_ord_id, r.text) for r in taker] == [("a2", "TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION")]
    maker = reports(
        desk.send(
            ann, desk.order("a3", BUY, 1, "0.40", self_trade_prevention_type=SelfTradePreventionType.MAKER)
        ),
        ann,
    )
    assert [(r.cl_ord_id, r.text) for r in maker] == [
        ("a3", None),
        ("a1", "MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"),
    ]
    assert maker[0].self_trade_prevention_type == SelfTradePreventionType.MAKER


def test_a_pause_cancels_what_asked_for_it() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    desk.send(ann, desk.order("a1", BUY, 1, "0.40", cancel_order_on_pause=True))
    (canceled,) = reports(desk.execute(SetPause(PauseState.TRADING_PAUSED)), ann)
    assert (canceled.cl_ord_id, canceled.text) == ("a1", "TRADING_PAUSED")
    (rejected,) = reports(desk.send(ann, desk.order("a2", BUY, 1, "0.40")), ann)
    assert (rejected.text, rejected.ord_rej_reason) == ("TRADING_PAUSED", OrdRejReason.EXCHANGE_CLOSED)


def test_a_mass_cancel_is_answered_and_a_report_follows_for_each_order() -> None:
    desk = FrontDesk()
    ann, other = desk.seat("ann"), desk.seat("ann", key="key-2")
    for number in (1, 2):
        desk.send(ann, desk.order(f"a{number}", BUY, 1, "0.40"))
    desk.send(other, desk.order("o1", BUY, 1, "0.40"))
    request = OrderMassCancelRequest(
        cl_ord_id="m1", mass_cancel_request_type=MassCancelRequestType.CANCEL_FOR_SESSION
    )
    answer, *rest = told(desk.send(ann, request), ann)
    assert isinstance(answer, OrderMassCancelReport)
    assert (answer.cl_ord_id, answer.mass_cancel_response) == ("m1", MassCancelResponse.ALL_ORDERS_CANCELLED)
    assert answer.order_id == "id-4"
    assert [(r.cl_ord_id, r.exec_type) for r in rest if isinstance(r, ExecutionReport)] == [
        ("a1", "4"),
        ("a2", "4"),
    ]


def test_a_mass_cancel_that_cannot_be() -> None:
    desk = FrontDesk()
    ann = desk.seat("ann")
    odd = OrderMassCancelRequest(cl_ord_id="m1", mass_cancel_request_type="7")
    answer = only(desk.send(ann, odd))
    assert isinstance(answer, OrderMassCancelReport)
    assert answer.mass_cancel_response == MassCancelResponse.REJECTED
    gtd = {"time_in_force": TimeInForce.GOOD_TILL_DATE, "expire_time": START + timedelta(seconds=5)}
    desk.send(ann, desk.order("a1", BUY, 1, "0.40", **gtd))
    desk.execute(SetPause(PauseState.EXCHANGE_PAUSED))
    desk.wait(seconds=5)
    request = OrderMassCancelRequest(cl_ord_id="m2", mass_cancel_request_type="6")
    answer, expired = told(desk.send(ann, request), ann)
    assert isinstance(answer, OrderMassCancelReport)
    assert answer.mass_cancel_response == MassCancelResponse.REJECTED
    assert isinstance(expired, ExecutionReport)


def test_reports_go_to_the_session_that_placed_the_one_that_changed_and_listeners() -> None:
    desk = FrontDesk()
    ann, second = desk.seat("ann"), desk.seat("ann", key="key-2")
    listener = desk.seat("ann", key="key-3", listener=True)
    absent = desk.seat("ann", key="key-4", listener=True)
    absent.connection = None
    stranger = desk.seat("bob", listener=True)
    deliveries = desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    assert [seat for seat, _ in deliveries] == [ann, listener]
    deliveries = desk.send(second, desk.cancel("c1", "a1", BUY))
    assert [seat for seat, _ in deliveries] == [ann, second, listener]
    assert len({str(r.exec_id) for _, r in deliveries if isinstance(r, ExecutionReport)}) == 1
    assert told(deliveries, stranger) == []


def test_a_listener_sees_no_pending_reports_of_others_and_no_rejects() -> None:
    desk = FrontDesk()
    ann, listener = desk.seat("ann", skip_pending=False), desk.seat("ann", key="key-3", listener=True)
    deliveries = desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    assert [line(r) for r in reports(deliveries, listener)] == ["0/0 1.00+0.00"]
    assert told(desk.send(ann, desk.order("a1", BUY, 1, "0.40")), listener) == []


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiRT"])
def test_listeners_and_read_only_keys_send_nothing(session_type: str) -> None:
    desk = FrontDesk()
    listener = desk.seat("ann", session_type, listener=True)
    reader = desk.seat("bob", session_type, write=False)
    for seat in (listener, reader):
        for message in (
            desk.order("a1", BUY, 1, "0.40"),
            desk.cancel("a2", "a1", BUY),
            desk.amend("a2", "a1", BUY, 1),
        ):
            refused = only(desk.send(seat, message))
            assert isinstance(refused, BusinessMessageReject)
            assert refused.business_reject_reason == BusinessRejectReason.NOT_AUTHORIZED


def test_what_is_not_modelled_is_refused_as_such() -> None:
    desk = FrontDesk()
    for session_type in ("KalshiNR", "KalshiMD", "KalshiDC", "KalshiPT", "KalshiRFQ"):
        seat = desk.seat("ann", session_type)
        request = OrderGroupRequest(
            order_group_action=OrderGroupAction.CREATE, order_group_contracts_limit=10
        )
        refused = only(desk.send(seat, request))
        assert isinstance(refused, BusinessMessageReject)
        assert refused.business_reject_reason == BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE
        assert (refused.text, refused.ref_msg_type) == ("Unsupported Message Type", "UOG")
        assert refused.business_reject_ref_id is None


def test_orders_cancelled_by_a_disconnect_are_told_to_listeners() -> None:
    desk = FrontDesk()
    ann, listener = desk.seat("ann"), desk.seat("ann", key="key-3", listener=True)
    desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    ann.connection = None
    deliveries = desk.execute(CancelAll(origin=ann.origin, cause=CancelCause.DISCONNECTED))
    assert [seat for seat, _ in deliveries] == [listener]


def test_every_cause_has_its_code_and_text() -> None:
    assert set(ORD_REJ_REASONS) == set(RejectCause)
    assert set(CXL_REJ_REASONS) == set(RefusalCause)
    assert set(CANCEL_TEXTS) == set(CancelCause)


def test_average_prices_are_rounded_to_four_decimals() -> None:
    desk = FrontDesk()
    ann, bob = desk.seat("ann"), desk.seat("bob")
    desk.send(bob, desk.order("b1", SELL, 1, "0.40"))
    desk.send(bob, desk.order("b2", SELL, 2, "0.41"))
    last = reports(desk.send(ann, desk.order("a1", BUY, 3, "0.41")), ann)[-1]
    assert str(last.avg_px) == "0.4067"
    assert last.last_qty == Decimal(2)
    assert (last.long_qty, last.short_qty) == ds(3, 0)
