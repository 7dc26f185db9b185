"""Checks before a request about an order is created, and the fields that the venue requires in the
request.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kalshi_fix_sansio._generated import OrderCancelReplaceRequest, Party, PartyRole
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.scalars import to_decimal
from kalshi_fix_sansio.trading.common.amounts import add, to_whole_cents
from kalshi_fix_sansio.trading.orders.order import Order, OrderState, PendingRequest

_CHANGE = OrderCancelReplaceRequest.MSG_TYPE


class OrderRequestError(LocalProtocolError):
    """A request about an order is not allowed in the current state; no state was changed."""

    def __init__(self, text: str, order: Order | None = None) -> None:
        self.order = order
        """The order that the request concerns, or the order that prevents it."""
        super().__init__(text)


def check_cl_ord_id_is_free(cl_ord_id: str, other: Order | None) -> None:
    """Raise OrderRequestError if `other`, an order with this ClOrdID, prevents a new order from using it."""
    if other is not None and other.state not in (OrderState.DONE, OrderState.UNKNOWN):
        raise OrderRequestError(
            f"ClOrdID {cl_ord_id} belongs to an order that is {other.state.value}; use another ClOrdID", other
        )


def check_live(order: Order) -> None:
    """Raise OrderRequestError if an order is done."""
    if order.ending is not None:
        raise OrderRequestError(f"order {order.cl_ord_id} is done: {order.ending.value}", order)


def check_cap(order: Order) -> None:
    """Raise OrderRequestError if a session with UseCapReservation does not allow a change to the order
    now."""
    if order.last is None:
        raise OrderRequestError(
            f"order {order.cl_ord_id} has no New report yet; with UseCapReservation, wait for it first",
            order,
        )
    if any(request.msg_type == _CHANGE for request in order.pending):
        raise OrderRequestError(
            f"a change to order {order.cl_ord_id} is pending; with UseCapReservation, send one at a time",
            order,
        )


def total_qty(order: Order, leaves_qty: Decimal | int | str | None) -> Decimal:
    """Return the OrderQty (38) of a change that leaves `leaves_qty` contracts open; see `Orders.replace`."""
    pending_change = _newest_pending_change(order)
    if leaves_qty is not None:
        return add(max(order.cum_qty, order.filled_qty), to_decimal(leaves_qty))
    if pending_change is not None and pending_change.quantity is not None:
        return pending_change.quantity
    # Not `order.cum_qty`: it may be from a report without a valid ExecID, which may be older than
    # `order.last`.
    return order.leaves_qty if order.last is None else add(order.last.cum_qty, order.last.leaves_qty)


def _newest_pending_change(order: Order) -> PendingRequest | None:
    """Return the newest change that awaits its answer. Later requests must refer to its ClOrdID, which the
    order gets when the venue accepts the change.
    """
    return next(
        (each for each in reversed(order.pending) if each.msg_type == _CHANGE and not each.is_unknown), None
    )


def identifying_fields(order: Order, cl_ord_id: str) -> dict[str, Any]:
    """Return the fields by which the venue identifies an order, and those that must repeat the order's
    values.
    """
    pending_change = _newest_pending_change(order)
    account = order.account
    fields: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "order_id": order.order_id,
        "orig_cl_ord_id": order.cl_ord_id if pending_change is None else pending_change.cl_ord_id,
        "side": order.side,
        "symbol": order.symbol,
        "ex_destination": None if order.placed is None else order.placed.ex_destination,
    }
    if account.customer is not None:
        fields["party_ids"] = customer_parties(account.customer)
    elif account.subaccount:
        fields["alloc_account"] = account.subaccount
    return fields


def customer_parties(customer: str | None) -> list[Party]:
    """Return a list with the party that names a clearing member's customer, or an empty list if there is
    no customer.
    """
    if customer is None:
        return []
    return [Party(party_id=customer, party_role=PartyRole.CUSTOMER_ACCOUNT)]


def wire_price(price: Decimal | int | str, *, dollars: bool) -> Decimal:
    """Convert a price in dollars to the session's unit.

    Raises:
        OrderRequestError: the session's prices are in cents, and this price is not a whole number of cents.
        TypeError: the price is a float, which is not exact.
    """
    price = to_decimal(price)
    return price if dollars else to_whole_cents(price, OrderRequestError)
