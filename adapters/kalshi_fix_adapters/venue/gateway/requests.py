"""What a client asks (D, G, F), as commands for the exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kalshi_fix_adapters.venue import exchange
from kalshi_fix_adapters.venue.exchange import (
    AmendOrder,
    CancelOrder,
    Exchange,
    PlaceOrder,
    RefusalCause,
    RejectCause,
)
from kalshi_fix_adapters.venue.gateway.clearing import OrderMessage, account_of, operator_of
from kalshi_fix_adapters.venue.gateway.logins import Login
from kalshi_fix_adapters.venue.gateway.units import order_price_from_wire
from kalshi_fix_sansio import (
    ExecInst,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdType,
    SelfTradePreventionType,
    Side,
    TimeInForce,
)

SIDES: dict[str, exchange.Side] = {Side.BUY: exchange.Side.BUY, Side.SELL: exchange.Side.SELL}
TIMES_IN_FORCE: dict[str | None, exchange.TimeInForce] = {
    None: exchange.TimeInForce.DAY,
    **{TimeInForce[each.name]: each for each in exchange.TimeInForce},
}
"""An absent TimeInForce is Day (FIX 5.0 SP2, field 59). The exchange has the names of FIX for the others."""
SELF_TRADE_PREVENTIONS: dict[int | None, exchange.SelfTradePrevention] = {
    None: exchange.SelfTradePrevention.TAKER_AT_CROSS,
    SelfTradePreventionType.UNKNOWN: exchange.SelfTradePrevention.TAKER_AT_CROSS,
    SelfTradePreventionType.TAKER_AT_CROSS: exchange.SelfTradePrevention.TAKER_AT_CROSS,
    SelfTradePreventionType.MAKER: exchange.SelfTradePrevention.MAKER,
}
AUTO_ROUTE = -1
"""The ExDestination (100) that leaves the shard to the Symbol (55)."""


def shard_of(message: OrderMessage, venue: Exchange) -> int:
    """Return the shard that a message goes to. On margin ExDestination (100) means nothing."""
    asked = message.ex_destination
    if venue.product == exchange.MARGIN or asked == AUTO_ROUTE:
        return venue.shard_of(message.symbol)
    if asked is None:
        return (
            venue.shard_of(message.symbol) if venue.assumptions.absent_ex_destination_routes_by_symbol else 0
        )
    return asked


def place_order(
    message: NewOrderSingle, login: Login, order_id: str, shard: int, venue: Exchange
) -> PlaceOrder | RejectCause:
    """Return the command for a new order that goes to a shard, or why there is none.

    Values the venue does not know make an order invalid.
    """
    account = account_of(message, login, shard, venue)
    if isinstance(account, RejectCause):
        return account
    side = SIDES.get(message.side)
    time_in_force = TIMES_IN_FORCE.get(message.time_in_force)
    prevention = SELF_TRADE_PREVENTIONS.get(message.self_trade_prevention_type)
    price = order_price_from_wire(message.price, dollars=login.flags.use_dollars)
    if (
        side is None
        or time_in_force is None
        or prevention is None
        or message.ord_type != OrdType.LIMIT
        or message.exec_inst not in (None, ExecInst.POST_ONLY, ExecInst.REDUCE_ONLY)
    ):
        return RejectCause.INVALID_ORDER
    dated = time_in_force is exchange.TimeInForce.GOOD_TILL_DATE
    return PlaceOrder(
        order_id=order_id,
        cl_ord_id=message.cl_ord_id,
        account=account,
        origin=login.origin,
        market=message.symbol,
        side=side,
        quantity=message.order_qty,
        price=price,
        time_in_force=time_in_force,
        expire_time=message.expire_time if dated else None,
        post_only=message.exec_inst == ExecInst.POST_ONLY,
        reduce_only=message.exec_inst == ExecInst.REDUCE_ONLY,
        self_trade_prevention=prevention,
        cancel_on_pause=message.cancel_order_on_pause is True,
        max_execution_cost=message.max_execution_cost,
        group=message.secondary_cl_ord_id or message.order_group_id,
        reserves_cap=login.flags.reserves_caps,
        operator=operator_of(message),
    )


def cancel_order(
    message: OrderCancelRequest, login: Login, shard: int, venue: Exchange
) -> CancelOrder | RefusalCause:
    """Return the command for a cancel that goes to a shard, or why there is none."""
    about = _about(message, login, shard, venue)
    return RefusalCause.ORDER_NOT_FOUND if about is None else CancelOrder(**about)


def amend_order(
    message: OrderCancelReplaceRequest, login: Login, shard: int, venue: Exchange
) -> AmendOrder | RefusalCause:
    """Return the command for an amend that goes to a shard, or why there is none."""
    about = _about(message, login, shard, venue)
    if about is None:
        return RefusalCause.ORDER_NOT_FOUND
    price: Decimal | None = None
    if message.price is not None:
        price = order_price_from_wire(message.price, dollars=login.flags.use_dollars)
    # An absent TimeInForce leaves the expiry as it is, unlike that of a new order.
    time_in_force = None if message.time_in_force is None else TIMES_IN_FORCE.get(message.time_in_force)
    if message.ord_type != OrdType.LIMIT or (time_in_force is None) != (message.time_in_force is None):
        return RefusalCause.INVALID_ORDER
    return AmendOrder(
        **about,
        quantity=message.order_qty,
        price=price,
        time_in_force=time_in_force,
        expire_time=message.expire_time,
    )


def _about(
    message: OrderCancelRequest | OrderCancelReplaceRequest, login: Login, shard: int, venue: Exchange
) -> dict[str, Any] | None:
    """Return which order is meant; None if there can be none."""
    side = SIDES.get(message.side)
    account = account_of(message, login, shard, venue)
    if side is None or isinstance(account, RejectCause):
        return None
    return {
        "cl_ord_id": message.cl_ord_id,
        "orig_cl_ord_id": message.orig_cl_ord_id,
        "account": account,
        "origin": login.origin,
        "market": message.symbol,
        "side": side,
        "order_id": message.order_id,
        "reserves_cap": login.flags.reserves_caps,
        "operator": operator_of(message),
    }
