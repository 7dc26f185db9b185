"""Whether the next request about an order may be made, and the fields that the venue wants repeated in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kalshi_fix_sansio._generated import OrderCancelReplaceRequest, Party, PartyRole
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.trading.amounts import add, to_cents
from kalshi_fix_sansio.trading.order import Order, OrderState, PendingRequest

_CHANGE = OrderCancelReplaceRequest.MSG_TYPE


class OrderRequestError(LocalProtocolError):
    """A request about an order cannot be made as things stand; nothing was changed."""

    def __init__(self, text: str, order: Order | None = None) -> None:
        self.order = order
        """The order that it is about, or that stands in its way."""
        super().__init__(text)


def check_free(cl_ord_id: str, other: Order | None) -> None:
    """Refuse a ClOrdID for a new order if the order that has it already is in the way."""
    if other is not None and other.state not in (OrderState.DONE, OrderState.UNKNOWN):
        raise OrderRequestError(
            f"ClOrdID {cl_ord_id} belongs to an order that is {other.state.value}; take another one", other
        )


def check_live(order: Order) -> None:
    """Refuse a request about an order that is done."""
    if order.ending is not None:
        raise OrderRequestError(f"{order.cl_ord_id} is done: {order.ending.value}", order)


def check_cap(order: Order) -> None:
    """Refuse a change that a session with UseCapReservation does not allow now."""
    if order.last is None:
        raise OrderRequestError(
            f"{order.cl_ord_id} has no New report yet, and UseCapReservation allows no change before it",
            order,
        )
    if any(request.msg_type == _CHANGE for request in order.pending):
        raise OrderRequestError(
            f"a change of {order.cl_ord_id} is pending, and UseCapReservation allows one at a time", order
        )


def total(order: Order, remaining: Decimal | int | str | None) -> Decimal:
    """Return the OrderQty (38) of a change, by how many contracts are to be open; see `Orders.replace`."""
    before = _change_before(order)
    if remaining is None and before is not None and before.quantity is not None:
        return before.quantity
    wanted = order.remaining if remaining is None else Decimal(remaining)
    return add(max(order.told, order.filled), wanted)


def _change_before(order: Order) -> PendingRequest | None:
    """Return the newest change that is on its way, which the order has the ClOrdID of once it arrives."""
    return next(
        (each for each in reversed(order.pending) if each.msg_type == _CHANGE and not each.is_unknown), None
    )


def repeated(order: Order, cl_ord_id: str) -> dict[str, Any]:
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


def wire_price(price: Decimal | int | str, *, dollars: bool) -> Decimal:
    """Return a price in dollars as the session has it.

    Raises:
        OrderRequestError: the session has whole cents.
    """
    price = Decimal(price)
    if dollars:
        return price
    cents = to_cents(price)
    if cents != cents.to_integral_value():
        raise OrderRequestError(f"{price:f} dollars are no whole cents; log on with UseDollars")
    return cents
