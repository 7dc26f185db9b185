"""Execution reports: which a session gets, and what stands in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import (
    MARGIN,
    PREDICTION,
    AccountId,
    Advance,
    CancelAll,
    CancelCause,
    MarketState,
    SetMarketState,
    prediction_market,
)
from kalshi_fix_adapters.venue.exchange.accounts import AccountTerms
from kalshi_fix_adapters.venue.gateway.logins import Login
from kalshi_fix_sansio import (
    ExecInst,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrdStatus,
    Side,
    TimeInForce,
)
from tests.adapters.venue.desk import MARKET, START, d, ds
from tests.adapters.venue.gateway.gateway_desk import GatewayDesk, line, only, reports, told

BUY, SELL = Side.BUY, Side.SELL


def test_a_new_order_is_pending_and_then_new(desk: GatewayDesk) -> None:
    ann = desk.login("ann", skip_pending=False)
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


def test_without_use_dollars_prices_are_whole_cents(desk: GatewayDesk) -> None:
    ann, bob = desk.login("ann", use_dollars=False), desk.login("bob")
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 10, 75)), ann)
    assert str(new.price) == "75"
    (rejected,) = reports(desk.send(ann, desk.order("a2", BUY, 10, "0.75")), ann)
    assert (rejected.ord_rej_reason, rejected.text, rejected.price) == (11, "INVALID_ORDER", d("0.75"))
    deliveries = desk.send(bob, desk.order("b1", SELL, 4, "0.75"))
    (mine,), (theirs,) = reports(deliveries, ann), reports(deliveries, bob)
    assert (str(mine.last_px), str(mine.avg_px)) == ("75", "75")
    assert (str(theirs.last_px), str(theirs.avg_px)) == ("0.7500", "0.7500")


def test_a_price_off_the_cent_is_told_as_it_is_even_in_cents() -> None:
    desk = GatewayDesk(markets=(prediction_market(MARKET, subpenny=True),))
    ann, bob = desk.login("ann", use_dollars=False), desk.login("bob")
    desk.send(bob, desk.order("b1", SELL, 1, "0.4025"))
    desk.send(bob, desk.order("b2", SELL, 2, "0.4050"))
    trades = reports(desk.send(ann, desk.order("a1", BUY, 3, 41)), ann)
    assert [(str(t.last_px), str(t.avg_px)) for t in trades] == [("40.25", "40.25"), ("40.5", "40.42")]


def test_margin_is_always_in_dollars_and_has_no_prediction_fields() -> None:
    desk = GatewayDesk(MARGIN)
    ann, bob = desk.login("ann", split_collateral_return=True), desk.login("bob")
    desk.send(ann, desk.order("a1", BUY, 4, "19.5"))
    (trade,) = reports(desk.send(bob, desk.order("b1", SELL, 4, "19.5")), bob)
    assert (str(trade.last_px), trade.aggressor_indicator, trade.transact_time) == ("19.5000", True, START)


def test_a_trade_tells_position_fee_and_balance() -> None:
    desk = GatewayDesk(fees=None)
    ann, bob = desk.login("ann"), desk.login("bob")
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
    desk = GatewayDesk(markets=(prediction_market(MARKET, subpenny=True),))
    ann, bob = desk.login("ann"), desk.login("bob")
    desk.send(ann, desk.order("a1", BUY, "0.01", "0.1234"))
    (trade,) = reports(desk.send(bob, desk.order("b1", SELL, "0.01", "0.1234")), bob)
    (change,) = trade.collateral_amount_changes
    assert str(change.collateral_amount_change) == "-0.0088"


@pytest.mark.parametrize(("included", "change"), [(True, "-0.29"), (False, "-0.30")])
def test_a_trade_tells_its_net_fee_and_the_change_of_the_balance(included: bool, change: str) -> None:
    """The second of two fills, with which a cent of rounding fees comes back."""
    desk = GatewayDesk(
        markets=(prediction_market(MARKET, subpenny=True),),
        fees=None,
        terms={"bob": AccountTerms(direct_member=False)},
        assumptions=Assumptions(balance_change_includes_rebate=included),
    )
    ann, bob = desk.login("ann"), desk.login("bob")
    for name in ("a1", "a2"):
        desk.send(ann, desk.order(name, SELL, 5, "0.055"))
    *_, trade = reports(desk.send(bob, desk.order("b1", BUY, 10, "0.055")), bob)
    (fee,), (moved,) = trade.misc_fees, trade.collateral_amount_changes
    assert (fee.misc_fee_amt, fee.misc_fee_curr, fee.misc_fee_type) == (d("0.015"), "USD", "4")
    assert (moved.collateral_amount_change, moved.collateral_amount_type) == (d(change), "BALANCE")
    assert desk.gateway.exchange.account(AccountId("bob")).balance == 10_000 - d("0.59")


def test_split_collateral_return_tells_what_closing_gave_back(desk: GatewayDesk) -> None:
    ann, bob = desk.login("ann", split_collateral_return=True), desk.login("bob")
    desk.send(ann, desk.order("a1", BUY, 10, "0.40"))
    opened = reports(desk.send(bob, desk.order("b1", SELL, 10, "0.40")), ann)
    desk.send(ann, desk.order("a2", SELL, 10, "0.60"))
    deliveries = desk.send(bob, desk.order("b2", BUY, 10, "0.60"))
    closed, theirs = reports(deliveries, ann), reports(deliveries, bob)
    assert [r.single_market_collateral_return for r in opened + closed + theirs] == [None, d(6), None]


@pytest.mark.parametrize(("new_before_trade", "told_first"), [(False, []), (True, ["0/0 3.00+0.00"])])
def test_new_is_folded_into_the_first_trade_unless_asked_for(
    desk: GatewayDesk, new_before_trade: bool, told_first: list[str]
) -> None:
    ann, bob = desk.login("ann"), desk.login("bob", new_before_trade=new_before_trade)
    desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    desk.send(ann, desk.order("a2", BUY, 1, "0.41"))
    found = reports(desk.send(bob, desk.order("b1", SELL, 3, "0.40")), bob)
    assert [line(r) for r in found] == [*told_first, "F/1 2.00+1.00", "F/1 1.00+2.00"]


@pytest.mark.parametrize("new_before_trade", [False, True])
def test_an_order_that_ends_untraded_is_told_once(desk: GatewayDesk, new_before_trade: bool) -> None:
    ann, bob = desk.login("ann"), desk.login("bob", new_before_trade=new_before_trade)
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
        desk = GatewayDesk()
        ann, bob = desk.login("ann"), desk.login("bob", ioc_cancel_report=ioc_cancel_report)
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
        desk = GatewayDesk()
        ann, bob = desk.login("ann", preserve_original_quantity=preserve), desk.login("bob")
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


def test_a_cancel_is_pending_and_then_done_under_the_ids_of_the_request(desk: GatewayDesk) -> None:
    ann = desk.login("ann", skip_pending=False)
    desk.send(ann, desk.order("a1", BUY, 10, "0.75"))
    pending, canceled = reports(desk.send(ann, desk.cancel("a2", "a1", BUY)), ann)
    assert [line(r) for r in (pending, canceled)] == ["6/6 10.00+0.00", "4/4 0.00+0.00"]
    assert pending.exec_id == "-1;-1"
    assert (pending.cl_ord_id, pending.orig_cl_ord_id) == ("a2", "a1")
    assert (canceled.cl_ord_id, canceled.orig_cl_ord_id) == ("a2", "a1")
    assert (str(canceled.order_qty), canceled.text) == ("0.00", None)


def test_an_amend_is_pending_and_then_done(desk: GatewayDesk) -> None:
    ann, bob = desk.login("ann", skip_pending=False), desk.login("bob")
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


def test_pending_reports_have_an_exec_id_that_is_none(desk: GatewayDesk) -> None:
    ann = desk.login("ann", skip_pending=False)
    requests = (
        desk.order("a1", BUY, 10, "0.75"),
        desk.amend("a2", "a1", BUY, 8),
        desk.cancel("a3", "a2", BUY),
    )
    told_of = [(r.exec_type, r.exec_id) for each in requests for r in reports(desk.send(ann, each), ann)]
    assert told_of == [
        (ExecType.PENDING_NEW, "-1;-1"),
        (ExecType.NEW, "1;1"),
        (ExecType.PENDING_REPLACE, "-1;-1"),
        (ExecType.REPLACED, "2;1"),
        (ExecType.PENDING_CANCEL, "-1;-1"),
        (ExecType.CANCELED, "3;1"),
    ]


def test_a_replaced_report_says_how_long_the_order_stays(desk: GatewayDesk, ann: Login) -> None:
    desk.send(ann, desk.order("a1", BUY, 10, "0.75"))
    hour = START + timedelta(hours=1)
    end_of_day = datetime(2026, 8, 21, 3, 59, 59, 999_000, tzinfo=UTC)
    gtc, gtd, day = TimeInForce.GOOD_TILL_CANCEL, TimeInForce.GOOD_TILL_DATE, TimeInForce.DAY
    changes: list[tuple[dict[str, Any], TimeInForce, datetime | None]] = [
        ({}, gtc, None),
        ({"time_in_force": gtd, "expire_time": hour}, gtd, hour),
        ({}, gtd, hour),
        ({"time_in_force": day}, gtd, end_of_day),
        ({"time_in_force": gtc}, gtc, None),
    ]
    for number, (asked, told_of, until) in enumerate(changes, 1):
        (report,) = reports(desk.send(ann, desk.amend(f"a{number + 1}", f"a{number}", BUY, 10, **asked)), ann)
        assert (report.exec_type, report.time_in_force, report.expire_time) == (
            ExecType.REPLACED,
            told_of,
            until,
        )


@pytest.mark.parametrize("kind", ["3", "4", "Z"])
def test_an_expiry_that_no_replace_takes_is_refused(desk: GatewayDesk, ann: Login, kind: str) -> None:
    desk.send(ann, desk.order("a1", BUY, 10, "0.75"))
    refused = only(desk.send(ann, desk.amend("a2", "a1", BUY, 10, time_in_force=kind)), OrderCancelReject)
    assert refused.text == "INVALID_ORDER"


@pytest.mark.parametrize(
    ("product", "utc", "cleared"),
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
def test_a_trade_clears_on_the_date_of_new_york(product: str, utc: str, cleared: str) -> None:
    desk = GatewayDesk(product)
    ann, bob = desk.login("ann"), desk.login("bob")
    desk.now = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    price = "0.50" if product == PREDICTION else "19.5"
    desk.send(ann, desk.order("a1", BUY, 1, price))
    deliveries = desk.send(bob, desk.order("b1", SELL, 1, price))
    for login in (ann, bob):
        (trade,) = reports(deliveries, login)
        assert str(trade.clearing_business_date) == cleared


def test_expiry_style_cancels_are_expired_for_those_who_asked(desk: GatewayDesk) -> None:
    ann, bob = desk.login("ann", expired_status=True), desk.login("bob")
    for login, name in ((ann, "a"), (bob, "b")):
        gtd = {"time_in_force": TimeInForce.GOOD_TILL_DATE, "expire_time": START + timedelta(seconds=5)}
        desk.send(login, desk.order(f"{name}1", BUY, 1, "0.40", **gtd))
        desk.send(login, desk.order(f"{name}2", BUY, 1, "0.40"))
    desk.wait(seconds=5)
    deliveries = desk.execute(Advance())
    assert [line(r) for r in reports(deliveries, ann)] == ["C/C 0.00+0.00"]
    assert [line(r) for r in reports(deliveries, bob)] == ["4/4 0.00+0.00"]
    desk.execute(SetMarketState(MARKET, MarketState.CLOSED))
    desk.wait(seconds=Assumptions().orders_rest_after_close)
    deliveries = desk.execute(Advance())
    assert [line(r) for r in reports(deliveries, ann)] == ["C/C 0.00+0.00"]
    assert [line(r) for r in reports(deliveries, bob)] == ["4/4 0.00+0.00"]


def test_day_is_the_default_and_its_end_is_told(ann: Login, desk: GatewayDesk) -> None:
    (new,) = reports(desk.send(ann, desk.order("a1", BUY, 1, "0.40", time_in_force=None)), ann)
    assert new.expire_time == datetime(2026, 8, 21, 3, 59, 59, 999_000, tzinfo=UTC)


def test_reports_go_to_the_session_that_placed_the_one_that_changed_and_listeners(desk: GatewayDesk) -> None:
    ann, second = desk.login("ann"), desk.login("ann", key="key-2")
    listener = desk.login("ann", key="key-3", listener=True)
    absent = desk.login("ann", key="key-4", listener=True)
    absent.connection = None
    stranger = desk.login("bob", listener=True)
    deliveries = desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    assert [login for login, _ in deliveries] == [ann, listener]
    deliveries = desk.send(second, desk.cancel("c1", "a1", BUY))
    assert [login for login, _ in deliveries] == [ann, second, listener]
    assert len({str(r.exec_id) for _, r in deliveries if isinstance(r, ExecutionReport)}) == 1
    assert told(deliveries, stranger) == []


def test_orders_cancelled_by_a_disconnect_are_told_to_listeners(desk: GatewayDesk) -> None:
    ann, listener = desk.login("ann"), desk.login("ann", key="key-3", listener=True)
    desk.send(ann, desk.order("a1", BUY, 1, "0.40"))
    ann.connection = None
    deliveries = desk.execute(CancelAll(origin=ann.origin, cause=CancelCause.DISCONNECTED))
    assert [login for login, _ in deliveries] == [listener]


def test_average_prices_are_rounded_to_four_decimals(desk: GatewayDesk, ann: Login, bob: Login) -> None:
    desk.send(bob, desk.order("b1", SELL, 1, "0.40"))
    desk.send(bob, desk.order("b2", SELL, 2, "0.41"))
    last = reports(desk.send(ann, desk.order("a1", BUY, 3, "0.41")), ann)[-1]
    assert str(last.avg_px) == "0.4067"
    assert last.last_qty == Decimal(2)
    assert (last.long_qty, last.short_qty) == ds(3, 0)
