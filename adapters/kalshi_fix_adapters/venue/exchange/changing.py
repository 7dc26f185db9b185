"""Cancels and amends of open orders, by their owner or by the exchange."""

from __future__ import annotations

from kalshi_fix_adapters.venue.exchange.commands import AmendOrder, CancelAll, CancelOrder
from kalshi_fix_adapters.venue.exchange.floor import Batch, Floor
from kalshi_fix_adapters.venue.exchange.matching import crosses, match, meets_own
from kalshi_fix_adapters.venue.exchange.orders import Order, OrderSnapshot
from kalshi_fix_adapters.venue.exchange.outcomes import (
    MassCancelDone,
    MassCancelRefused,
    OrderReplaced,
    RequestRefused,
)
from kalshi_fix_adapters.venue.exchange.placing import (
    affordability_refusal,
    market_refusal,
    pause_refusal,
)
from kalshi_fix_adapters.venue.exchange.terms import CancelCause, OrderState, PauseState, RefusalCause


def cancel(floor: Floor, batch: Batch, command: CancelOrder) -> None:
    """Cancel an order for its owner, or refuse to."""
    if floor.pause is PauseState.EXCHANGE_PAUSED:
        _refuse(floor, batch, command, RefusalCause.EXCHANGE_PAUSED)
        return
    order = _find(floor, command)
    if order is None:
        filled = _was_filled(floor, command)
        _refuse(
            floor,
            batch,
            command,
            RefusalCause.ORDER_ALREADY_FILLED if filled else RefusalCause.ORDER_NOT_FOUND,
        )
        return
    floor.cancel(batch, order, CancelCause.REQUESTED, requester=command.origin, cl_ord_id=command.cl_ord_id)


def cancel_all(floor: Floor, batch: Batch, command: CancelAll) -> None:
    """Cancel what one session placed. Only the exchange itself may do so while it is paused."""
    orders = floor.orders.of_origin(command.origin)
    if command.cause is CancelCause.MASS_CANCELED:
        if floor.pause is PauseState.EXCHANGE_PAUSED:
            batch.outcomes.append(
                MassCancelRefused(origin=command.origin, cause=RefusalCause.EXCHANGE_PAUSED)
            )
            return
        batch.outcomes.append(MassCancelDone(origin=command.origin, count=len(orders)))
    for order in orders:
        floor.cancel(batch, order, command.cause)


def amend(floor: Floor, batch: Batch, command: AmendOrder) -> None:
    """Amend an order for its owner, or refuse to and change nothing.

    A new price or a larger quantity lets the order join the book anew, trading first where it
    crosses; a smaller quantity keeps its place; the quantity already filled cancels the rest.
    """
    order = _find(floor, command)
    cause = _amend_refusal(floor, command, order)
    if cause is not None or order is None:
        _refuse(floor, batch, command, cause or RefusalCause.ORDER_NOT_FOUND)
        return
    if command.quantity == order.filled:
        floor.cancel(
            batch,
            order,
            CancelCause.AMENDED_TO_FILLED,
            requester=command.origin,
            cl_ord_id=command.cl_ord_id,
        )
        return
    keeps_place = command.quantity <= order.quantity and command.price in (None, order.price)
    if keeps_place:
        _shrink(floor, batch, order, command)
    else:
        _requeue(floor, batch, order, command)


def _shrink(floor: Floor, batch: Batch, order: Order, command: AmendOrder) -> None:
    market = floor.markets[order.market]
    less = order.quantity - command.quantity
    market.book.reduce(order, less)
    batch.touched[market.ticker] = market
    floor.account(order).work(order.market, order.side, order.price, -less)
    order.leaves -= less
    _replaced(floor, batch, order, command)


def _requeue(floor: Floor, batch: Batch, order: Order, command: AmendOrder) -> None:
    price = order.price if command.price is None else command.price
    leaves = command.quantity - order.filled
    account, market = floor.account(order), floor.markets[order.market]
    reserved = account.reserved
    account.work(order.market, order.side, order.price, -order.leaves)
    account.work(order.market, order.side, price, leaves)
    exceeded = affordability_refusal(account, market, order.side, reserved)
    if exceeded is not None:
        account.work(order.market, order.side, price, -leaves)
        account.work(order.market, order.side, order.price, order.leaves)
        _refuse(floor, batch, command, RefusalCause[exceeded.name])
        return
    floor.lift(batch, order)
    order.price, order.leaves = price, leaves
    _replaced(floor, batch, order, command)
    if order.post_only and crosses(market.book, order):
        floor.cancel(batch, order, CancelCause.POST_ONLY_CROSS)
        return
    match(floor, batch, order)
    if order.leaves:
        floor.rest(batch, order)


def _replaced(floor: Floor, batch: Batch, order: Order, command: AmendOrder) -> None:
    order.quantity = command.quantity
    orig_cl_ord_id = order.cl_ord_id
    floor.orders.rename(order, command.cl_ord_id)
    batch.outcomes.append(
        OrderReplaced(
            exec_id=batch.exec_id(),
            time=batch.now,
            order=order.snapshot(),
            requester=command.origin,
            orig_cl_ord_id=orig_cl_ord_id,
        )
    )


def _amend_refusal(floor: Floor, command: AmendOrder, order: Order | None) -> RefusalCause | None:
    paused = pause_refusal(floor)
    if paused is not None:
        return RefusalCause[paused.name]
    if order is None:
        if _was_filled(floor, command):
            return RefusalCause.CANNOT_UPDATE_FILLED_ORDER
        return RefusalCause.ORDER_NOT_FOUND
    market = floor.markets[order.market]
    closed = market_refusal(market)
    if closed is not None:
        return RefusalCause[closed.name]
    namesake = floor.orders.find(order.account.owner, command.cl_ord_id)
    if namesake is not None and namesake is not order:
        return RefusalCause.ORDER_ALREADY_EXISTS
    if command.quantity == order.filled:
        return None
    if command.quantity < order.filled:
        return RefusalCause.INVALID_AMEND_QTY_FOR_ORDER
    price = order.price if command.price is None else command.price
    if not (market.rules.accepts_quantity(command.quantity) and market.rules.accepts_price(price)):
        return RefusalCause.INVALID_ORDER
    if meets_own(market.book, order, price):
        return RefusalCause.SELF_CROSS_ATTEMPT
    return None


def _find(floor: Floor, command: CancelOrder | AmendOrder) -> Order | None:
    order = floor.orders.find(command.account.owner, command.orig_cl_ord_id)
    if order is None or not _is_meant(order, command):
        return None
    return order


def _was_filled(floor: Floor, command: CancelOrder | AmendOrder) -> bool:
    done = floor.orders.find_done(command.account.owner, command.orig_cl_ord_id)
    return done is not None and _is_meant(done, command) and done.state is OrderState.FILLED


def _is_meant(order: Order | OrderSnapshot, command: CancelOrder | AmendOrder) -> bool:
    """Say whether the request names the order rightly in every way in which it names it."""
    return (
        order.account == command.account
        and order.market == command.market
        and order.side is command.side
        and command.order_id in (None, order.order_id)
    )


def _refuse(floor: Floor, batch: Batch, command: CancelOrder | AmendOrder, cause: RefusalCause) -> None:
    order = floor.orders.find(command.account.owner, command.orig_cl_ord_id)
    known = (
        order.snapshot()
        if order is not None
        else floor.orders.find_done(command.account.owner, command.orig_cl_ord_id)
    )
    if known is not None and not _is_meant(known, command):
        known = None
    batch.outcomes.append(RequestRefused(request=command, cause=cause, order=known))
