"""Requests to the gateway: which are refused, by which component, and with which Text."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    CxlRejReason,
    CxlRejResponseTo,
    ExecType,
    ExecutionReport,
    MassCancelResponse,
    OrderCancelReject,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    OrdRejReason,
    OrdStatus,
    SelfTradePreventionType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import CancelCause, PauseState, RefusalCause, RejectCause, SetPause
from kalshi_fix_venue.gateway.logins import Login
from kalshi_fix_venue.gateway.texts import CANCEL_TEXTS, CXL_REJ_REASONS, ORD_REJ_REASONS
from tests.venue.exchange_harness import START
from tests.venue.gateway.gateway_harness import GatewayHarness, messages_to, only, reports
from tests.venue.venue_harness import mass_cancel

BUY, SELL = Side.BUY, Side.SELL


def test_cancels_and_amends_are_refused_with_a_reason(harness: GatewayHarness) -> None:
    ann, bob = harness.login("ann", skip_pending_exec_reports=False), harness.login("bob")
    harness.send(ann, harness.order("a1", BUY, 5, "0.40"))
    harness.send(ann, harness.order("a2", SELL, 5, "0.60"))
    harness.send(bob, harness.order("b1", SELL, 2, "0.40"))

    def refusal(message: Message) -> tuple[object, ...]:
        *pending, last = messages_to(harness.send(ann, message), ann)
        assert isinstance(last, OrderCancelReject)
        assert all(isinstance(r, ExecutionReport) and r.exec_id == "-1;-1" for r in pending)
        return (len(pending), last.cxl_rej_response_to, last.cxl_rej_reason, last.text, last.ord_status)

    f, g = CxlRejResponseTo.ORDER_CANCEL_REQUEST, CxlRejResponseTo.ORDER_CANCEL_REPLACE_REQUEST
    unknown, other = CxlRejReason.UNKNOWN_ORDER, CxlRejReason.OTHER
    rejected, partly = OrdStatus.REJECTED, OrdStatus.PARTIALLY_FILLED
    assert refusal(harness.cancel("c", "zz", BUY)) == (0, f, unknown, "ORDER_NOT_FOUND", rejected)
    smaller = harness.amend("c", "a1", BUY, 1)
    assert refusal(smaller) == (1, g, CxlRejReason.BROKER, "INVALID_AMEND_QTY_FOR_ORDER", partly)
    crossing = harness.amend("c", "a1", BUY, 5, price="0.60")
    assert refusal(crossing) == (1, g, CxlRejReason.INVALID_PRICE_INCREMENT, "SELF_CROSS_ATTEMPT", partly)
    market_order = harness.amend("c", "a2", SELL, 5, ord_type="1")
    assert refusal(market_order) == (0, g, other, "INVALID_ORDER", rejected)
    harness.send(bob, harness.order("b2", SELL, 3, "0.40"))
    filled, more, late = OrdStatus.FILLED, harness.amend("c", "a1", BUY, 9), harness.cancel("c", "a1", BUY)
    assert refusal(more) == (0, g, CxlRejReason.BROKER, "CANNOT_UPDATE_FILLED_ORDER", filled)
    assert refusal(late) == (0, f, CxlRejReason.TOO_LATE_TO_CANCEL, "ORDER_ALREADY_FILLED", filled)
    harness.send(ann, harness.cancel("a3", "a2", SELL))
    repeated = harness.cancel("c", "a2", SELL)
    assert refusal(repeated) == (0, f, unknown, "ORDER_NOT_FOUND", OrdStatus.CANCELED)


def test_a_cancel_reject_contains_the_order_id_if_the_order_exists(
    ann: Login, harness: GatewayHarness
) -> None:
    harness.send(ann, harness.order("a1", BUY, 5, "0.40"))
    known = only(harness.send(ann, harness.amend("a2", "a1", BUY, "5.001")), OrderCancelReject)
    unknown = only(harness.send(ann, harness.amend("a2", "zz", BUY, 5)), OrderCancelReject)
    assert (known.order_id, known.cl_ord_id, known.orig_cl_ord_id) == ("id-1", "a2", "a1")
    assert (unknown.order_id, unknown.cl_ord_id, unknown.orig_cl_ord_id) == ("NONE", "a2", "zz")


def test_subaccounts_are_in_reports_and_required_in_requests(ann: Login, harness: GatewayHarness) -> None:
    (new,) = reports(harness.send(ann, harness.order("a1", BUY, 5, "0.40", alloc_account=3)), ann)
    assert new.alloc_account == 3
    only(harness.send(ann, harness.cancel("a2", "a1", BUY)), OrderCancelReject)
    (canceled,) = reports(harness.send(ann, harness.cancel("a2", "a1", BUY, alloc_account=3)), ann)
    assert canceled.alloc_account == 3
    (rejected,) = reports(harness.send(ann, harness.order("a3", BUY, 5, "0.40", alloc_account=4)), ann)
    assert (rejected.ord_rej_reason, rejected.text) == (
        OrdRejReason.UNKNOWN_ACCOUNT,
        "CUSTOMER_ACCOUNT_NOT_FOUND",
    )
    assert rejected.alloc_account == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"ord_type": "1"},
        {"time_in_force": "2"},
        {"exec_inst": "G"},
        {"price": "0.405"},
        {"order_qty": "0.001"},
        {"order_qty": "9" * 19},
    ],
    ids=str,
)
def test_values_unknown_to_the_venue_make_an_order_invalid(
    ann: Login, harness: GatewayHarness, fields: dict[str, Any]
) -> None:
    (rejected,) = reports(harness.send(ann, attrs.evolve(harness.order("a1", BUY, 1, "0.40"), **fields)), ann)
    assert (rejected.exec_type, rejected.ord_status) == (ExecType.REJECTED, OrdStatus.REJECTED)
    assert (rejected.ord_rej_reason, rejected.text) == (11, "INVALID_ORDER")
    assert rejected.exec_id == "1;1"


def test_rejects_from_the_exchange_follow_the_pending_report(harness: GatewayHarness) -> None:
    ann = harness.login("ann", skip_pending_exec_reports=False)
    pending, rejected = reports(harness.send(ann, harness.order("a1", BUY, 1, "0.40", symbol="NO-SUCH")), ann)
    assert pending.exec_type == ExecType.PENDING_NEW
    assert (rejected.ord_rej_reason, rejected.text) == (OrdRejReason.UNKNOWN_SYMBOL, "MARKET_NOT_FOUND")
    assert (rejected.order_id, rejected.symbol) == (pending.order_id, "NO-SUCH")
    assert [str(q) for q in (rejected.order_qty, rejected.leaves_qty, rejected.cum_qty)] == ["0.00"] * 3


def test_a_quote_cannot_be_accepted_on_a_product_without_rfqs(ann: Login, harness: GatewayHarness) -> None:
    refused = only(
        harness.send(ann, harness.order("a1", BUY, 1, "0.40", quote_id="q")), BusinessMessageReject
    )
    assert (refused.business_reject_reason, refused.business_reject_ref_id) == (
        BusinessRejectReason.UNKNOWN_ID,
        "a1",
    )
    assert (refused.ref_msg_type, refused.ref_seq_num) == ("D", 2)


def test_an_expire_time_without_gtd_is_ignored(ann: Login, harness: GatewayHarness) -> None:
    (new,) = reports(harness.send(ann, harness.order("a1", BUY, 1, "0.40", expire_time=START)), ann)
    assert (new.exec_type, new.expire_time) == (ExecType.NEW, None)


def test_self_trade_prevention_follows_the_requested_type(ann: Login, harness: GatewayHarness) -> None:
    harness.send(ann, harness.order("a1", SELL, 1, "0.40"))
    taker = reports(harness.send(ann, harness.order("a2", BUY, 1, "0.40", self_trade_prevention_type=0)), ann)
    assert [(r.cl_ord_id, r.text) for r in taker] == [("a2", "TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION")]
    maker = reports(
        harness.send(
            ann, harness.order("a3", BUY, 1, "0.40", self_trade_prevention_type=SelfTradePreventionType.MAKER)
        ),
        ann,
    )
    assert [(r.cl_ord_id, r.text) for r in maker] == [
        ("a3", None),
        ("a1", "MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"),
    ]
    assert maker[0].self_trade_prevention_type == SelfTradePreventionType.MAKER


def test_a_pause_cancels_orders_with_cancel_on_pause(ann: Login, harness: GatewayHarness) -> None:
    harness.send(ann, harness.order("a1", BUY, 1, "0.40", cancel_order_on_pause=True))
    (canceled,) = reports(harness.execute(SetPause(PauseState.TRADING_PAUSED)), ann)
    assert (canceled.cl_ord_id, canceled.text) == ("a1", "TRADING_PAUSED")
    (rejected,) = reports(harness.send(ann, harness.order("a2", BUY, 1, "0.40")), ann)
    assert (rejected.text, rejected.ord_rej_reason) == ("TRADING_PAUSED", OrdRejReason.EXCHANGE_CLOSED)


def test_a_mass_cancel_is_answered_and_a_report_follows_for_each_order(harness: GatewayHarness) -> None:
    ann, other = harness.login("ann"), harness.login("ann", key="key-2")
    for number in (1, 2):
        harness.send(ann, harness.order(f"a{number}", BUY, 1, "0.40"))
    harness.send(other, harness.order("o1", BUY, 1, "0.40"))
    request = mass_cancel("m1")
    answer, *rest = messages_to(harness.send(ann, request), ann)
    assert isinstance(answer, OrderMassCancelReport)
    assert (answer.cl_ord_id, answer.mass_cancel_response) == ("m1", MassCancelResponse.ALL_ORDERS_CANCELLED)
    assert answer.mass_cancel_reject_reason is None
    assert answer.order_id == "id-4"
    assert [(r.cl_ord_id, r.exec_type) for r in rest if isinstance(r, ExecutionReport)] == [
        ("a1", "4"),
        ("a2", "4"),
    ]


def test_an_impossible_mass_cancel_is_refused(ann: Login, harness: GatewayHarness) -> None:
    invalid = OrderMassCancelRequest(cl_ord_id="m1", mass_cancel_request_type="7")
    answer = only(harness.send(ann, invalid), OrderMassCancelReport)
    assert answer.mass_cancel_response == MassCancelResponse.REJECTED
    gtd = {"time_in_force": TimeInForce.GOOD_TILL_DATE, "expire_time": START + timedelta(seconds=5)}
    harness.send(ann, harness.order("a1", BUY, 1, "0.40", **gtd))
    harness.execute(SetPause(PauseState.EXCHANGE_PAUSED))
    harness.wait(seconds=5)
    expired, refused = messages_to(harness.send(ann, mass_cancel("m2")), ann)
    assert isinstance(refused, OrderMassCancelReport)
    assert refused.mass_cancel_response == MassCancelResponse.REJECTED
    assert isinstance(expired, ExecutionReport)


def test_every_cause_has_its_code_and_text() -> None:
    assert set(ORD_REJ_REASONS) == set(RejectCause)
    assert set(CXL_REJ_REASONS) == set(RefusalCause)
    assert set(CANCEL_TEXTS) == set(CancelCause)
