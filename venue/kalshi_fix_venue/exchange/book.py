"""One market's resting orders in price-time priority, and a record of the changed levels."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.orders import ZERO, Order
from kalshi_fix_venue.exchange.terms import AccountId, ExchangeOrderState


@attrs.define(eq=False)
class Level:
    """The orders of one side at one price, oldest first."""

    price: Decimal
    size: Decimal = ZERO
    orders: dict[str, Order] = attrs.field(factory=dict)


@attrs.frozen
class OrderName:
    """The ids by which an owner identifies an order."""

    cl_ord_id: str
    account: AccountId


@attrs.frozen
class LevelChange:
    """The new size of one level. Prices are in dollars and sizes in contracts; size 0 means that the level
    was removed.
    """

    side: Side
    price: Decimal
    previous_size: Decimal
    size: Decimal
    causes: Mapping[str, OrderName] = attrs.field(factory=dict, eq=False)
    """By owner, the owner's last order that contributed to the change."""


@attrs.define(eq=False)
class _PendingChange:
    """The changes to a level since the last call to `drain_changes`."""

    previous_size: Decimal
    causes: dict[str, tuple[Order, str]] = attrs.field(factory=dict)
    """The last order of each owner, with its ClOrdID at that time."""

    def names(self) -> dict[str, OrderName]:
        # An open order is identified by its current ClOrdID, which an amend may have changed; an ended order
        # is identified by the recorded ClOrdID.
        return {
            owner: OrderName(
                order.cl_ord_id if order.state is ExchangeOrderState.OPEN else name, order.account
            )
            for owner, (order, name) in self.causes.items()
        }


@attrs.define(eq=False)
class BookSide:
    """All bids, or all asks."""

    side: Side
    levels: dict[Decimal, Level] = attrs.field(factory=dict)
    _ranks: list[Decimal] = attrs.field(factory=list)
    """Prices from best to worst: asks unchanged, bids negated."""

    def _rank(self, price: Decimal) -> Decimal:
        return -price if self.side is Side.BUY else price

    def best(self) -> Level | None:
        """Return the best level, or None."""
        # A rank is the price, negated on bids to sort the best one first on both sides; prices are positive,
        # so `abs` restores the price.
        return self.levels[abs(self._ranks[0])] if self._ranks else None

    def __iter__(self) -> Iterator[Level]:
        """Iterate over the levels, best first."""
        return (self.levels[abs(rank)] for rank in self._ranks)

    def add(self, order: Order) -> None:
        """Add an order behind the others at its price."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = Level(order.price)
            insort(self._ranks, self._rank(order.price))
        level.orders[order.order_id] = order
        level.size += order.leaves

    def remove(self, order: Order) -> None:
        """Remove an order and its open quantity."""
        level = self.levels[order.price]
        del level.orders[order.order_id]
        level.size -= order.leaves
        if not level.orders:
            del self.levels[order.price]
            del self._ranks[bisect_left(self._ranks, self._rank(order.price))]


@attrs.define(eq=False)
class Book:
    """Bids and asks of one market, and a record of the changes since the last call to `drain_changes`."""

    bids: BookSide = attrs.field(factory=lambda: BookSide(Side.BUY))
    asks: BookSide = attrs.field(factory=lambda: BookSide(Side.SELL))
    _pending: dict[tuple[Side, Decimal], _PendingChange] = attrs.field(factory=dict)

    def side(self, side: Side) -> BookSide:
        """Return the bids or the asks."""
        return self.bids if side is Side.BUY else self.asks

    def size(self, side: Side, price: Decimal) -> Decimal:
        """Return the number of contracts resting at a price."""
        level = self.side(side).levels.get(price)
        return level.size if level else ZERO

    def add(self, order: Order) -> None:
        """Add an order."""
        self._record_change(order)
        self.side(order.side).add(order)

    def reduce(self, order: Order, quantity: Decimal, taker: Order | None = None) -> None:
        """Reduce a resting order, which keeps its priority. The caller must then update the order.

        In a trade both orders contribute to the change: `taker` is the incoming order.
        """
        self._record_change(order)
        if taker is not None:
            self._pending[order.side, order.price].causes[taker.account.owner] = (taker, taker.cl_ord_id)
        self.side(order.side).levels[order.price].size -= quantity

    def remove(self, order: Order) -> None:
        """Remove a resting order."""
        self._record_change(order)
        self.side(order.side).remove(order)

    def drain_changes(self) -> tuple[LevelChange, ...]:
        """Return the levels whose size has changed since the last call."""
        changes = tuple(
            LevelChange(side, price, pending.previous_size, size, pending.names())
            for (side, price), pending in self._pending.items()
            if (size := self.size(side, price)) != pending.previous_size
        )
        self._pending.clear()
        return changes

    def _record_change(self, order: Order) -> None:
        key = (order.side, order.price)
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _PendingChange(self.size(*key))
        pending.causes[order.account.owner] = (order, order.cl_ord_id)
