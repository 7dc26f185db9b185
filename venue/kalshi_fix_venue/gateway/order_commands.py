"""Translation of new orders (D), amends (G) and cancels (F) into exchange commands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import (
    ExecInst,
    NewOrderSingle,
    OrderCancelRequest,
    OrdType,
    SelfTradePreventionType,
    Side,
    TimeInForce,
)
from kalshi_fix_venue import exchange
from kalshi_fix_venue.exchange import (
    AmendOrder,
    CancelOrder,
    Exchange,
    PlaceOrder,
    RefusalCause,
    RejectCause,
)
from kalshi_fix_venue.gateway.clearing import ChangeMessage, OrderMessage, account_of, operator_of
from kalshi_fix_venue.gateway.logins import Login
from kalshi_fix_venue.gateway.units import order_price_from_wire

TIMES_IN_FORCE: dict[str | None, exchange.TimeInForce] = {
    None: exchange.TimeInForce.DAY,
    **{TimeInForce[each.name]: each for each in exchange.TimeInForce},
}
"""An absent TimeInForce is Day (FIX 5.0 SP2, field 59). The exchange uses the FIX names for the other
values."""
SELF_TRADE_PREVENTIONS: dict[int | None, exchange.SelfTradePrevention] = {
    None: exchange.SelfTradePrevention.TAKER_AT_CROSS,
    SelfTradePreventionType.UNKNOWN: exchange.SelfTradePrevention.TAKER_AT_CROSS,
    SelfTradePreventionType.TAKER_AT_CROSS: exchange.SelfTradePrevention.TAKER_AT_CROSS,
    SelfTradePreventionType.MAKER: exchange.SelfTradePrevention.MAKER,
}
AUTO_ROUTE = -1
"""The ExDestination (100) that selects the shard according to the Symbol (55)."""


def known_side(side: str | None) -> Side | None:
    """Return the Side (54), or None if the venue does not know it."""
    return side if isinstance(side, Side) else None


def shard_of(message: OrderMessage, venue: Exchange) -> int:
    """Return the destination shard of a message. On margin, ExDestination (100) is ignored."""
    requested = message.ex_destination
    if venue.product == exchange.MARGIN or requested is None or requested == AUTO_ROUTE:
        return venue.shard_of(message.symbol)
    return requested


def place_order_command(
    message: NewOrderSingle, login: Login, order_id: str, shard: int, venue: Exchange
) -> PlaceOrder | RejectCause:
    """Return the command for a new order on a shard, or the cause of its refusal.

    Values that the venue does not know make an order invalid; the session has already refused an unknown Side
    or SelfTradePreventionType.
    """
    account = account_of(message, login, shard, venue)
    if isinstance(account, RejectCause):
        return account
    time_in_force = TIMES_IN_FORCE.get(message.time_in_force)
    if (
        time_in_force is None
        or message.ord_type != OrdType.LIMIT
        or message.exec_inst not in (None, ExecInst.POST_ONLY, ExecInst.REDUCE_ONLY)
    ):
        return RejectCause.INVALID_ORDER
    has_expiry = time_in_force is exchange.TimeInForce.GOOD_TILL_DATE
    return PlaceOrder(
        order_id=order_id,
        cl_ord_id=message.cl_ord_id,
        account=account,
        origin=login.origin,
        market=message.symbol,
        side=Side(message.side),
        quantity=message.order_qty,
        price=order_price_from_wire(message.price, dollars=login.flags.use_dollars),
        time_in_force=time_in_force,
        expire_time=message.expire_time if has_expiry else None,
        post_only=message.exec_inst == ExecInst.POST_ONLY,
        reduce_only=message.exec_inst == ExecInst.REDUCE_ONLY,
        self_trade_prevention=SELF_TRADE_PREVENTIONS[message.self_trade_prevention_type],
        cancel_on_pause=message.cancel_order_on_pause is True,
        max_execution_cost=message.max_execution_cost,
        group=message.secondary_cl_ord_id or message.order_group_id,
        reserves_cap=login.flags.use_cap_reservation,
        operator=operator_of(message),
    )


def change_order_command(
    message: ChangeMessage, login: Login, shard: int, venue: Exchange
) -> CancelOrder | AmendOrder | RefusalCause:
    """Return the command for a cancel or an amend on a shard, or the cause of its refusal."""
    account = account_of(message, login, shard, venue)
    if isinstance(account, RejectCause):
        return RefusalCause.ORDER_NOT_FOUND
    fields: dict[str, Any] = {
        "cl_ord_id": message.cl_ord_id,
        "orig_cl_ord_id": message.orig_cl_ord_id,
        "account": account,
        "origin": login.origin,
        "market": message.symbol,
        "side": Side(message.side),
        "order_id": message.order_id,
        "reserves_cap": login.flags.use_cap_reservation,
        "operator": operator_of(message),
    }
    if isinstance(message, OrderCancelRequest):
        return CancelOrder(**fields)
    if message.ord_type != OrdType.LIMIT:
        return RefusalCause.INVALID_ORDER
    price: Decimal | None = None
    if message.price is not None:
        price = order_price_from_wire(message.price, dollars=login.flags.use_dollars)
    return AmendOrder(
        **fields,
        quantity=message.order_qty,
        price=price,
        # If TimeInForce is absent, the order keeps its previous one; only on a new order does this mean Day.
        time_in_force=None if message.time_in_force is None else TIMES_IN_FORCE[message.time_in_force],
        expire_time=message.expire_time,
    )
