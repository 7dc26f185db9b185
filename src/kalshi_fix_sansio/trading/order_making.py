"""The next request about an order, with the fields that the venue wants to see repeated."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kalshi_fix_sansio._generated import (
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelRequest,
    Party,
    PartyRole,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.trading.amounts import add, to_cents
from kalshi_fix_sansio.trading.mass_cancels import MassCancelState
from kalshi_fix_sansio.trading.order import Order, OrderState, PendingRequest

if TYPE_CHECKING:
    from kalshi_fix_sansio.trading.orders import Orders

_CHANGE = OrderCancelReplaceRequest.MSG_TYPE


class OrderRequestError(LocalProtocolError):
    """A request about an order cannot be made as things stand; nothing was changed."""

    def __init__(self, text: str, order: Order | None = None) -> None:
        self.order = order
        """The order that it is about, or that stands in its way."""
        super().__init__(text)


def new(
    orders: Orders,
    cl_ord_id: str,
    symbol: str,
    side: Side,
    quantity: Decimal | int | str,
    price: Decimal | int | str,
    fields: dict[str, Any],
) -> NewOrderSingle:
    """Return a new order; see `Orders.new`."""
    other = orders.by_cl_ord_id(cl_ord_id)
    if other is not None and other.state not in (OrderState.DONE, OrderState.UNKNOWN):
        raise OrderRequestError(
            f"ClOrdID {cl_ord_id} belongs to an order that is {other.state.value}; take another one", other
        )
    return NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol=symbol,
        side=side,
        order_qty=quantity,
        price=_wire_price(orders, price),
        **fields,
    )


def replace(
    orders: Orders,
    order: Order,
    cl_ord_id: str,
    price: Decimal | int | str | None,
    remaining: Decimal | int | str | None,
    time_in_force: TimeInForce | None,
    expire_time: datetime | None,
) -> OrderCancelReplaceRequest:
    """Return a change of an order; see `Orders.replace`."""
    _check_live(order)
    before = _change_before(order)
    if orders.reserves_cap:
        if order.last is None:
            raise OrderRequestError(
                f"{order.cl_ord_id} has no New report yet, and UseCapReservation allows no change before it",
                order,
            )
        if any(request.msg_type == _CHANGE for request in order.pending):
            raise OrderRequestError(
                f"a change of {order.cl_ord_id} is pending, and UseCapReservation allows one at a time", order
            )
    if remaining is None and before is not None and before.quantity is not None:
        total = before.quantity
    else:
        wanted = order.remaining if remaining is None else Decimal(remaining)
        total = add(max(order.told, order.filled), wanted)
    return OrderCancelReplaceRequest(
        order_qty=total,
        price=None if price is None else _wire_price(orders, price),
        time_in_force=time_in_force,
        expire_time=expire_time,
        **_repeated(order, cl_ord_id),
    )


def cancel(order: Order, cl_ord_id: str) -> OrderCancelRequest:
    """Return a cancel of an order; see `Orders.cancel`."""
    _check_live(order)
    return OrderCancelRequest(**_repeated(order, cl_ord_id))


def cancel_all(orders: Orders, cl_ord_id: str) -> OrderMassCancelRequest:
    """Return a cancel of all orders; see `Orders.cancel_all`."""
    for other in orders.mass_cancels:
        if other.state is MassCancelState.SENT:
            raise OrderRequestError(f"mass cancel {other.cl_ord_id} has no answer yet")
    return OrderMassCancelRequest(cl_ord_id=cl_ord_id)


def _check_live(order: Order) -> None:
    if order.ending is not None:
        raise OrderRequestError(f"{order.cl_ord_id} is done: {order.ending.value}", order)


def _change_before(order: Order) -> PendingRequest | None:
    """Return the newest change that is on its way, which the order has the ClOrdID of once it arrives."""
    return next(
        (each for each in reversed(order.pending) if each.msg_type == _CHANGE and not each.is_unknown), None
    )


def _repeated(order: Order, cl_ord_id: str) -> dict[str, Any]:
    """Return the fields by which the venue finds an order, and those that must be as in it."""
    before = _change_before(order)
    account = order.account
    fields: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "order_id": order.order_id,
        "orig_cl_ord_id": order.cl_ord_id if before is None else before.cl_ord_id,
        "side": order.side,
        "symbol": order.symbol,
        "ex_destination": None if order.placed is None else order.placed.ex_destination,
    }
    if account.customer is not None:
        role = PartyRole.CUSTOMER_ACCOUNT
        fields["party_ids"] = [Party(party_id=account.customer, party_role=role)]
    elif account.subaccount:
        fields["alloc_account"] = account.subaccount
    return fields


def _wire_price(orders: Orders, price: Decimal | int | str) -> Decimal:
    """Return a price in dollars as the session has it.

    Raises:
        OrderRequestError: the session has whole cents.
    """
    dollars = Decimal(price)
    if orders.dollars:
        return dollars
    cents = to_cents(dollars)
    if cents != cents.to_integral_value():
        raise OrderRequestError(f"{dollars:f} dollars are no whole cents; log on with UseDollars")
    return cents
