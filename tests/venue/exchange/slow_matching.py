"""A slow matching model to compare the exchange with: one list of resting orders, always searched in full."""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import SelfTradePrevention, TimeInForce

Fill = tuple[str, str, Decimal, Decimal]
"""Taker, maker, price, quantity."""


@attrs.define
class SlowOrder:
    name: str
    owner: str
    side: Side
    price: Decimal
    total: Decimal
    leaves: Decimal
    post_only: bool
    filled_qty: Decimal = Decimal(0)


@attrs.define
class SlowBook:
    """One book; `resting` is in time order, and an order that loses its priority moves to the end."""

    resting: list[SlowOrder] = attrs.field(factory=list)
    fills: list[Fill] = attrs.field(factory=list)

    def place(
        self,
        name: str,
        owner: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        tif: TimeInForce,
        post_only: bool,
        stp: SelfTradePrevention,
    ) -> None:
        order = SlowOrder(name, owner, side, price, quantity, quantity, post_only)
        if post_only and self._counterparts(order):
            return
        if tif is TimeInForce.FILL_OR_KILL and self._is_killed(order, stp):
            return
        if self._trade(order, stp) and order.leaves and tif is TimeInForce.GOOD_TILL_CANCEL:
            self.resting.append(order)

    def cancel(self, name: str) -> None:
        self.resting = [order for order in self.resting if order.name != name]

    def amend(self, name: str, quantity: Decimal, price: Decimal, stp: SelfTradePrevention) -> None:
        """Amend a resting order."""
        (order,) = (o for o in self.resting if o.name == name)
        if quantity < order.filled_qty:
            return
        if quantity == order.filled_qty:
            self.cancel(name)
            return
        moved = attrs.evolve(order, price=price, total=quantity, leaves=quantity - order.filled_qty)
        if any(other.owner == order.owner for other in self._counterparts(moved)):
            return
        if quantity <= order.total and price == order.price:
            order.total, order.leaves = moved.total, moved.leaves
            return
        self.resting.remove(order)
        if moved.post_only and self._counterparts(moved):
            return
        if self._trade(moved, stp) and moved.leaves:
            self.resting.append(moved)

    def levels(self, side: Side) -> dict[Decimal, Decimal]:
        sizes: dict[Decimal, Decimal] = {}
        for order in self.resting:
            if order.side is side:
                sizes[order.price] = sizes.get(order.price, Decimal(0)) + order.leaves
        return sizes

    def _counterparts(self, order: SlowOrder) -> list[SlowOrder]:
        """Return the resting orders that the order crosses, in the order in which they trade."""
        if order.side is Side.BUY:
            found = [o for o in self.resting if o.side is Side.SELL and o.price <= order.price]
            return sorted(found, key=lambda o: o.price)
        found = [o for o in self.resting if o.side is Side.BUY and o.price >= order.price]
        return sorted(found, key=lambda o: -o.price)

    def _is_killed(self, order: SlowOrder, stp: SelfTradePrevention) -> bool:
        """Return whether the available quantity is too small for a fill-or-kill order.

        An order that meets an order of the same owner is not killed: it trades the available quantity.
        """
        volume = Decimal(0)
        for other in self._counterparts(order):
            if volume >= order.total:
                break
            if other.owner == order.owner:
                return False
            volume += other.leaves
        return volume < order.total

    def _trade(self, order: SlowOrder, stp: SelfTradePrevention) -> bool:
        """Trade an order; return whether its remaining quantity stays open."""
        for other in self._counterparts(order):
            if not order.leaves:
                break
            if other.owner == order.owner:
                if stp is SelfTradePrevention.TAKER_AT_CROSS:
                    return False
                self.resting.remove(other)
                continue
            quantity = min(order.leaves, other.leaves)
            for each in (order, other):
                each.leaves -= quantity
                each.filled_qty += quantity
            self.fills.append((order.name, other.name, other.price, quantity))
            if not other.leaves:
                self.resting.remove(other)
        return True
