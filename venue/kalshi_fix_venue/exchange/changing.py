"""Cancels and amends of open orders, by their owner or by the exchange."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from kalshi_fix_venue.exchange.commands import AmendOrder, CancelAll, CancelOrder, OrderRequest
from kalshi_fix_venue.exchange.matching import crosses, match, would_self_cross
from kalshi_fix_venue.exchange.orders import ZERO, Order, OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import (
    MassCancelAnswered,
    OrderReplaced,
    RequestRefused,
)
from kalshi_fix_venue.exchange.placing import (
    add_within_limits,
    cancel_refusal,
    expire_time,
    market_refusal,
    pause_refusal,
)
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import (
    CancelCause,
    ExchangeOrderState,
    PauseState,
    RefusalCause,
    TimeInForce,
)

_TIMES_IN_FORCE_WITHOUT_EXPIRE_TIME = (None, TimeInForce.DAY, TimeInForce.GOOD_TILL_CANCEL)


def cancel(state: ExchangeState, batch: Batch, command: CancelOrder) -> None:
    """Cancel an order for its owner, or refuse the request."""
    order = _order_to_cancel(state, command)
    if isinstance(order, RefusalCause):
        _refuse(state, batch, command, order)
    else:
        state.cancel(batch, order, CancelCause.REQUESTED, command)


def cancel_all(state: ExchangeState, batch: Batch, command: CancelAll) -> None:
    """Cancel the orders of one session. An owner's mass cancel is refused while the exchange is paused."""
    orders = state.orders.orders_of_origin(command.origin)
    if command.cause is CancelCause.MASS_CANCELED:
        if state.pause is PauseState.EXCHANGE_PAUSED:
            refusal = RefusalCause.EXCHANGE_PAUSED
            batch.outcomes.append(MassCancelAnswered(origin=command.origin, refusal=refusal))
            return
        orders = tuple(
            order for order in orders if cancel_refusal(state, state.markets[order.market]) is None
        )
        batch.outcomes.append(MassCancelAnswered(origin=command.origin))
    for order in orders:
        state.cancel(batch, order, command.cause)


def amend(state: ExchangeState, batch: Batch, command: AmendOrder) -> None:
    """Amend an order for its owner, or refuse the request without any change.

    With a new price or a larger quantity the order loses its time priority, and trades at once if it crosses.
    With a smaller quantity or a different expiry it keeps its priority. A quantity equal to the filled
    quantity cancels the rest.
    """
    order = _order_to_amend(state, command, batch.now)
    if isinstance(order, RefusalCause):
        _refuse(state, batch, command, order)
    elif command.quantity == order.filled_qty:
        state.cancel(batch, order, CancelCause.AMENDED_TO_FILLED, command)
    elif command.quantity <= order.filled_qty + order.leaves and command.price in (None, order.price):
        _shrink(state, batch, order, command)
    else:
        _requeue(state, batch, order, command)


def _shrink(state: ExchangeState, batch: Batch, order: Order, command: AmendOrder) -> None:
    market = state.markets[order.market]
    # The reduction is 0 if the amend changes only the expiry, or no field at all.
    reduction = order.filled_qty + order.leaves - command.quantity
    market.book.reduce(order, reduction)
    batch.touched_markets[market.ticker] = market
    state.account(order).add_open_quantity(order.market, order.side, order.price, -reduction)
    state.reserve(order, order.price, -reduction)
    order.leaves -= reduction
    _record_replace(state, batch, order, command)


def _requeue(state: ExchangeState, batch: Batch, order: Order, command: AmendOrder) -> None:
    price = order.price if command.price is None else command.price
    leaves = command.quantity - order.filled_qty
    account, market = state.account(order), state.markets[order.market]
    # In the account's open orders, replace the old price and quantity with the new ones.
    exceeded = add_within_limits(
        state, account, market, order.side, (order.price, -order.leaves), (price, leaves)
    )
    if exceeded is not None:
        _refuse(state, batch, command, RefusalCause[exceeded.name])
        return
    state.reserve(order, order.price, -order.leaves)
    state.reserve(order, price, leaves)
    # Removed from the book before its price changes, because its level is found by the old price.
    state.remove_from_book(batch, order)
    order.price, order.leaves = price, leaves
    _record_replace(state, batch, order, command)
    if not market.is_within_bounds(price):
        state.cancel(batch, order, CancelCause.SETTLEMENT_BOUNDS)
        return
    if order.post_only and crosses(market.book, order):
        state.cancel(batch, order, CancelCause.POST_ONLY_CROSS)
        return
    match(state, batch, order)
    if order.leaves:
        state.add_to_book(batch, order)


def _record_replace(state: ExchangeState, batch: Batch, order: Order, command: AmendOrder) -> None:
    if command.time_in_force is not None:
        order.time_in_force = command.time_in_force
        order.expire_time = expire_time(command.time_in_force, command.expire_time, state.zone, batch.now)
        state.orders.schedule(order)
    state.orders.rename(order, command.cl_ord_id)
    batch.outcomes.append(
        OrderReplaced(
            exec_id=batch.exec_id(order.account.shard),
            time=batch.now,
            order=order.snapshot(),
            request=command,
        )
    )


def _order_to_cancel(state: ExchangeState, command: CancelOrder) -> Order | RefusalCause:
    """Return the order that a request cancels, or the cause of its refusal."""
    if state.pause is PauseState.EXCHANGE_PAUSED:
        return RefusalCause.EXCHANGE_PAUSED
    market = state.market_on(command.account, command.market)
    if market is None:
        return RefusalCause.MARKET_NOT_FOUND
    refusal = cancel_refusal(state, market)
    if refusal is not None:
        return RefusalCause[refusal.name]
    return _find(state, command) or _not_found(state, command, RefusalCause.ORDER_ALREADY_FILLED)


def _order_to_amend(state: ExchangeState, command: AmendOrder, now: datetime) -> Order | RefusalCause:
    """Return the order that a request amends, or the cause of its refusal."""
    refusal = pause_refusal(state)
    if refusal is not None:
        return RefusalCause[refusal.name]
    market = state.market_on(command.account, command.market)
    if market is None:
        return RefusalCause.MARKET_NOT_FOUND
    refusal = market_refusal(state, market)
    if refusal is not None:
        return RefusalCause[refusal.name]
    order = _find(state, command)
    if order is None:
        return _not_found(state, command, RefusalCause.CANNOT_UPDATE_FILLED_ORDER)
    # The order's current ClOrdID is not available either: a replace requires a new one.
    if state.orders.find(order.account.owner, command.cl_ord_id) is not None:
        return RefusalCause.ORDER_ALREADY_EXISTS
    if command.quantity == order.filled_qty:
        return order
    if command.quantity < order.filled_qty:
        return RefusalCause.INVALID_AMEND_QTY_FOR_ORDER
    price = order.price if command.price is None else command.price
    if not market.rules.accepts_quantity(command.quantity) or not _has_valid_expiry(command, now):
        return RefusalCause.INVALID_ORDER
    # A resting order may stay outside the band, so an amend that keeps its price is allowed, too.
    moves_outside_band = price != order.price and not market.is_within_band(order.side, price)
    if not market.rules.accepts_price(price) or moves_outside_band:
        return RefusalCause.INVALID_PRICE
    if would_self_cross(market.book, order, price):
        return RefusalCause.SELF_CROSS_ATTEMPT
    if order.reserves_cap and _exceeds_cap(state, order, price, command.quantity - order.filled_qty, now):
        return RefusalCause.EVENT_CONTRACT_DAILY_CAP_EXCEEDED
    return order


def _exceeds_cap(state: ExchangeState, order: Order, price: Decimal, leaves: Decimal, now: datetime) -> bool:
    """Return whether amending an order to this price and open quantity would exceed the daily cap."""
    current = state.weight(order.account, order.side, order.price, order.leaves)
    increase = state.weight(order.account, order.side, price, leaves) - current
    available = state.caps[order.account.customer].remaining(state.clearing_date(now))
    return increase > max(available, ZERO)


def _not_found(state: ExchangeState, command: OrderRequest, cause_if_filled: RefusalCause) -> RefusalCause:
    """Return the cause for refusing a request that matches no open order. If the request matches a filled
    order, the cause is `cause_if_filled`."""
    done_order = state.orders.find_done(command.account.owner, command.orig_cl_ord_id)
    if (
        done_order is not None
        and _matches(done_order, command)
        and done_order.state is ExchangeOrderState.FILLED
    ):
        return cause_if_filled
    if command.reserves_cap:
        order = state.orders.find(command.account.owner, command.orig_cl_ord_id)
        if order is not None and order.account == command.account and command.order_id == order.order_id:
            return RefusalCause.ORDER_ATTRIBUTES_MISMATCH
    return RefusalCause.ORDER_NOT_FOUND


def _has_valid_expiry(command: AmendOrder, now: datetime) -> bool:
    if command.time_in_force is TimeInForce.GOOD_TILL_DATE:
        return command.expire_time is not None and command.expire_time > now
    return command.expire_time is None and command.time_in_force in _TIMES_IN_FORCE_WITHOUT_EXPIRE_TIME


def _find(state: ExchangeState, command: OrderRequest) -> Order | None:
    order = state.orders.find(command.account.owner, command.orig_cl_ord_id)
    return order if order is not None and _matches(order, command) else None


def _matches(order: Order | OrderSnapshot, command: OrderRequest) -> bool:
    """Return whether all identifying fields of the request match the order."""
    return (
        order.account == command.account
        and order.market == command.market
        and order.side is command.side
        and command.order_id in (None, order.order_id)
    )


def _refuse(state: ExchangeState, batch: Batch, command: OrderRequest, cause: RefusalCause) -> None:
    owner, cl_ord_id = command.account.owner, command.orig_cl_ord_id
    order = state.orders.find(owner, cl_ord_id)
    snapshot = state.orders.find_done(owner, cl_ord_id) if order is None else order.snapshot()
    if snapshot is not None and not _matches(snapshot, command):
        snapshot = None
    batch.outcomes.append(RequestRefused(request=command, cause=cause, order=snapshot))
