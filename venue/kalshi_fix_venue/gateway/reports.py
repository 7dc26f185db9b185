"""Execution reports (8) and cancel rejects (9), written according to a session's flags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import (
    CollateralAmountType,
    CxlRejResponseTo,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrdStatus,
    SelfTradePreventionType,
    TimeInForce,
)
from kalshi_fix_venue import exchange
from kalshi_fix_venue.exchange import CancelCause, ExchangeOrderState, RefusalCause, RejectCause
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import (
    OrderAccepted,
    OrderCanceled,
    OrderOutcome,
    OrderReplaced,
    OrderTraded,
)
from kalshi_fix_venue.gateway.clearing import ChangeMessage, operator_of, parties
from kalshi_fix_venue.gateway.flags import LogonFlags
from kalshi_fix_venue.gateway.texts import (
    CANCEL_TEXTS,
    CXL_REJ_REASONS,
    ORD_REJ_REASONS,
    REJECT_TEXTS,
)
from kalshi_fix_venue.gateway.units import (
    collateral_changes,
    contracts,
    exchange_fees,
    money,
    price_in_other_unit,
    price_to_wire,
)

PENDING_EXEC_ID = "-1;-1"
"""ExecID (17) of all pending reports."""
UNKNOWN_ORDER_ID = "NONE"
"""OrderID (37) if the order is unknown (FIX 5.0 SP2, OrderCancelReject)."""
_PREVENTIONS = {
    exchange.SelfTradePrevention.TAKER_AT_CROSS: SelfTradePreventionType.TAKER_AT_CROSS,
    exchange.SelfTradePrevention.MAKER: SelfTradePreventionType.MAKER,
}
_ZERO = Decimal("0.00")


def reports_of(outcomes: Sequence[OrderOutcome], flags: LogonFlags) -> Iterator[ExecutionReport]:
    """Yield the reports of one command's order outcomes for a session with these flags.

    The New report of an order is merged into the report of its next outcome in the same command. With
    AlwaysEmitNewBeforeTrade, it is not merged into a Trade. The last Trade of a partly filled IOC order also
    reports its cancellation, with LeavesQty 0, unless EnableIocCancelReport requests a separate report.
    """
    # `following`: the next outcome of the same order in the same command, or None.
    for outcome, following in zip(outcomes, _next_outcomes(outcomes), strict=True):
        match outcome:
            case OrderAccepted():
                before_trade = isinstance(following, OrderTraded)
                if following is None or (before_trade and flags.always_emit_new_before_trade):
                    yield _outcome_report(outcome, flags, exec_type=ExecType.NEW, ord_status=OrdStatus.NEW)
            case OrderReplaced():
                yield _replace_report(outcome, flags)
            case OrderTraded():
                yield _trade_report(outcome, flags, ends_order=_is_unreported(following, flags))
            case OrderCanceled():
                if not _is_unreported(outcome, flags):
                    yield _cancel_report(outcome, flags)


def pending_new(message: NewOrderSingle, order_id: str, flags: LogonFlags, now: datetime) -> ExecutionReport:
    """Return the report that a new order is pending."""
    return _message_report(
        message,
        order_id,
        flags,
        now,
        exec_id=PENDING_EXEC_ID,
        exec_type=ExecType.PENDING_NEW,
        ord_status=OrdStatus.PENDING_NEW,
        order_qty=contracts(message.order_qty),
        leaves_qty=contracts(message.order_qty),
    )


def pending_change(
    message: ChangeMessage, order: OrderSnapshot, flags: LogonFlags, now: datetime
) -> ExecutionReport:
    """Return the report that a cancel or an amend of a known order is pending."""
    is_amend = isinstance(message, OrderCancelReplaceRequest)
    return _report(
        order,
        flags,
        cl_ord_id=message.cl_ord_id,
        orig_cl_ord_id=message.orig_cl_ord_id,
        exec_id=PENDING_EXEC_ID,
        exec_type=ExecType.PENDING_REPLACE if is_amend else ExecType.PENDING_CANCEL,
        ord_status=OrdStatus.PENDING_REPLACE if is_amend else OrdStatus.PENDING_CANCEL,
        transact_time=now,
        operator=operator_of(message),
    )


def order_reject(
    message: NewOrderSingle,
    order_id: str,
    exec_id: exchange.ExecId,
    cause: RejectCause,
    flags: LogonFlags,
    now: datetime,
    origin_flags: LogonFlags | None = None,
) -> ExecutionReport:
    """Return the report of a refused new order. `origin_flags` are the flags of the session that placed it,
    if the report is for a different session."""
    price = message.price
    if origin_flags is not None and origin_flags.use_dollars is not flags.use_dollars:
        price = price_in_other_unit(message.price, dollars=flags.use_dollars)
    order_qty = message.order_qty if flags.preserve_original_order_qty else _ZERO
    return _message_report(
        message,
        order_id,
        flags,
        now,
        exec_id=str(exec_id),
        last_mkt=str(exec_id.shard),
        exec_type=ExecType.REJECTED,
        ord_status=OrdStatus.REJECTED,
        ord_rej_reason=ORD_REJ_REASONS[cause],
        text=REJECT_TEXTS[cause],
        order_qty=contracts(order_qty),
        leaves_qty=_ZERO,
        price=price,
    )


def cancel_reject(
    message: ChangeMessage, cause: RefusalCause, order: OrderSnapshot | None
) -> OrderCancelReject:
    """Return the reject of a cancel or an amend; `order` is the order that it references, if it is known."""
    response_to = CxlRejResponseTo.ORDER_CANCEL_REQUEST
    if isinstance(message, OrderCancelReplaceRequest):
        response_to = CxlRejResponseTo.ORDER_CANCEL_REPLACE_REQUEST
    return OrderCancelReject(
        order_id=UNKNOWN_ORDER_ID if order is None else order.order_id,
        cl_ord_id=message.cl_ord_id,
        orig_cl_ord_id=message.orig_cl_ord_id,
        ord_status=OrdStatus.REJECTED if order is None else _status(order),
        cxl_rej_response_to=response_to,
        cxl_rej_reason=CXL_REJ_REASONS[cause],
        text=cause.value,
    )


def _replace_report(outcome: OrderReplaced, flags: LogonFlags) -> ExecutionReport:
    return _outcome_report(
        outcome,
        flags,
        exec_type=ExecType.REPLACED,
        ord_status=OrdStatus.REPLACED,
        time_in_force=(
            TimeInForce.GOOD_TILL_CANCEL if outcome.order.expire_time is None else TimeInForce.GOOD_TILL_DATE
        ),
    )


def _cancel_report(outcome: OrderCanceled, flags: LogonFlags) -> ExecutionReport:
    expired = outcome.cause.is_expiry and flags.use_expired_ord_status
    return _outcome_report(
        outcome,
        flags,
        exec_type=ExecType.EXPIRED if expired else ExecType.CANCELED,
        ord_status=OrdStatus.EXPIRED if expired else OrdStatus.CANCELED,
        text=CANCEL_TEXTS[outcome.cause],
    )


def _trade_report(outcome: OrderTraded, flags: LogonFlags, *, ends_order: bool) -> ExecutionReport:
    change = outcome.balance_change
    if not outcome.rebate_reported:
        change -= outcome.charge.rebate
    single_market = outcome.collateral_return if flags.split_collateral_return else None
    # Only positive returns are reported here; a negative one is only part of the balance change.
    ranged_market = max(outcome.ranged_return, _ZERO) if flags.split_collateral_return else None
    report = _outcome_report(
        outcome,
        flags,
        exec_type=ExecType.TRADE,
        ord_status=OrdStatus.CANCELED if ends_order else _status(outcome.order),
        last_px=price_to_wire(outcome.price, dollars=flags.use_dollars),
        last_qty=contracts(outcome.quantity),
        clearing_business_date=outcome.clearing_date,
        trd_match_id=outcome.trade_id,
        aggressor_indicator=outcome.aggressor,
        long_qty=contracts(outcome.long_quantity),
        short_qty=contracts(outcome.short_quantity),
        misc_fees=exchange_fees(outcome.fee),
        collateral_amount_changes=collateral_changes(change, CollateralAmountType.BALANCE),
        single_market_collateral_return=money(single_market) if single_market else None,
        ranged_market_collateral_return=money(ranged_market) if ranged_market else None,
    )
    # The following cancel has no separate report, so this report must end the order.
    if ends_order:
        report.leaves_qty = _ZERO
        if not flags.preserve_original_order_qty:
            report.order_qty = report.cum_qty
    return report


def _outcome_report(outcome: OrderOutcome, flags: LogonFlags, **fields: Any) -> ExecutionReport:
    """Return the report of an exchange outcome, with the fields that all such reports have."""
    if outcome.request is not None:
        fields["orig_cl_ord_id"] = outcome.request.orig_cl_ord_id
        fields["operator"] = outcome.request.operator
    return _report(
        outcome.order,
        flags,
        exec_id=str(outcome.exec_id),
        last_mkt=str(outcome.exec_id.shard),
        transact_time=outcome.time,
        **fields,
    )


def _report(
    order: OrderSnapshot, flags: LogonFlags, *, operator: str | None = None, **fields: Any
) -> ExecutionReport:
    """Return a report about an order on the exchange, with the fields that all such reports have. `operator`
    is the person who sent the reported request, if it is not the order's operator."""
    order_qty = order.quantity if flags.preserve_original_order_qty else order.filled_qty + order.leaves
    return ExecutionReport(
        **{
            "order_id": order.order_id,
            "cl_ord_id": order.cl_ord_id,
            "side": order.side,
            "symbol": order.market,
            "order_qty": contracts(order_qty),
            "leaves_qty": contracts(order.leaves),
            "cum_qty": contracts(order.filled_qty),
            "avg_px": price_to_wire(order.average_price, dollars=flags.use_dollars),
            "price": price_to_wire(order.price, dollars=flags.use_dollars),
            "expire_time": order.expire_time,
            "alloc_account": order.account.subaccount or None,
            "party_ids": parties(order.account.customer, operator or order.operator),
            "self_trade_prevention_type": _PREVENTIONS[order.self_trade_prevention],
            **fields,
        }
    )


def _message_report(
    message: NewOrderSingle, order_id: str, flags: LogonFlags, now: datetime, **fields: Any
) -> ExecutionReport:
    """Return a report about an order that the exchange does not have, which repeats fields of its message."""
    return ExecutionReport(
        **{
            "order_id": order_id,
            "cl_ord_id": message.cl_ord_id,
            "cum_qty": _ZERO,
            "avg_px": price_to_wire(_ZERO, dollars=flags.use_dollars),
            "transact_time": now,
            "side": message.side,
            "symbol": message.symbol,
            "price": message.price,
            "party_ids": [*message.party_ids, *parties("", operator_of(message))],
            "alloc_account": message.alloc_account,
            "self_trade_prevention_type": message.self_trade_prevention_type,
            **fields,
        }
    )


def _status(order: OrderSnapshot) -> OrdStatus:
    if order.state is ExchangeOrderState.FILLED:
        return OrdStatus.FILLED
    if order.state is ExchangeOrderState.CANCELED:
        return OrdStatus.CANCELED
    return OrdStatus.PARTIALLY_FILLED if order.filled_qty else OrdStatus.NEW


def _next_outcomes(outcomes: Sequence[OrderOutcome]) -> list[OrderOutcome | None]:
    """Return, for each outcome, the next outcome of the same order, or None."""
    following: list[OrderOutcome | None] = []
    next_by_order: dict[str, OrderOutcome] = {}
    for outcome in reversed(outcomes):
        following.append(next_by_order.get(outcome.order.order_id))
        next_by_order[outcome.order.order_id] = outcome
    following.reverse()
    return following


def _is_unreported(outcome: OrderOutcome | None, flags: LogonFlags) -> bool:
    """Return whether this is the cancel of a partly filled IOC order, which is not reported separately to a
    session without EnableIocCancelReport."""
    return (
        isinstance(outcome, OrderCanceled)
        and outcome.cause is CancelCause.IMMEDIATE_OR_CANCELLED
        and outcome.order.filled_qty > 0
        and not flags.enable_ioc_cancel_report
    )
