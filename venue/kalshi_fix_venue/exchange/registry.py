"""Lookup of orders by ClOrdID, by session and by expiry."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime

import attrs

from kalshi_fix_venue.deadlines import Deadlines
from kalshi_fix_venue.exchange.orders import Order, OrderSnapshot
from kalshi_fix_venue.index import Index

Key = tuple[str, str]
"""Owner and ClOrdID."""


@attrs.define(eq=False)
class OrderRegistry:
    """All open orders, and the last `retained` ended ones. When a late cancel is refused, the ended order
    determines the cause."""

    retained: int = 10_000
    _open: dict[Key, Order] = attrs.field(factory=dict)
    _by_id: dict[str, Order] = attrs.field(factory=dict)
    _by_origin: Index[str, Order] = attrs.field(factory=Index)
    _by_group: Index[str, Order] = attrs.field(factory=Index)
    _done: OrderedDict[Key, OrderSnapshot] = attrs.field(factory=OrderedDict)
    _expiries: Deadlines[str, datetime] = attrs.field(factory=Deadlines)
    """Expiries of resting orders, by OrderID."""

    def __iter__(self) -> Iterator[Order]:
        """Iterate over a copy of the open orders, oldest first."""
        return iter(tuple(self._by_id.values()))

    def add(self, order: Order) -> None:
        """Add a new open order."""
        self._open[order.account.owner, order.cl_ord_id] = order
        self._by_id[order.order_id] = order
        self._by_origin.add(order.origin, order)
        if order.group is not None:
            self._by_group.add(order.group, order)

    def schedule(self, order: Order) -> None:
        """Set the expiry of a resting order in place of an earlier one; an order may have none."""
        self._expiries.set(order.order_id, order.expire_time)

    def rename(self, order: Order, cl_ord_id: str) -> None:
        """Index an open order by the id of the request that changed it."""
        del self._open[order.account.owner, order.cl_ord_id]
        order.cl_ord_id = cl_ord_id
        self._open[order.account.owner, cl_ord_id] = order

    def finish(self, order: Order, cl_ord_id: str | None = None) -> None:
        """Record that an order has ended; `cl_ord_id` is the id of a request that ended it."""
        del self._open[order.account.owner, order.cl_ord_id]
        del self._by_id[order.order_id]
        self._expiries.set(order.order_id, None)
        self._by_origin.discard(order.origin, order)
        if order.group is not None:
            self._by_group.discard(order.group, order)
        # The order is found under both ids, because a late request may contain its previous id.
        snapshot = order.snapshot()
        self._remember(order.cl_ord_id, snapshot)
        if cl_ord_id is not None:
            order.cl_ord_id = cl_ord_id
            self._remember(cl_ord_id, order.snapshot())

    def find(self, owner: str, cl_ord_id: str) -> Order | None:
        """Return the open order of this owner with this ClOrdID."""
        return self._open.get((owner, cl_ord_id))

    def find_done(self, owner: str, cl_ord_id: str) -> OrderSnapshot | None:
        """Return the last state of this owner's ended order with this ClOrdID, if it is still retained."""
        return self._done.get((owner, cl_ord_id))

    def orders_of_origin(self, origin: str) -> tuple[Order, ...]:
        """Return the open orders that a session placed, oldest first."""
        return self._by_origin[origin]

    def orders_of_group(self, group: str) -> tuple[Order, ...]:
        """Return the open orders of an order group, oldest first."""
        return self._by_group[group]

    def next_expiry(self) -> datetime | None:
        """Return the earliest expiry of an open order."""
        return self._expiries.first()

    def pop_expired(self, now: datetime) -> Order | None:
        """Remove the earliest expiry if it has passed, and return its order; otherwise return None."""
        order_id = self._expiries.pop(now)
        return None if order_id is None else self._by_id[order_id]

    def _remember(self, cl_ord_id: str, snapshot: OrderSnapshot) -> None:
        self._done[snapshot.account.owner, cl_ord_id] = snapshot
        self._done.move_to_end((snapshot.account.owner, cl_ord_id))
        while len(self._done) > self.retained:
            self._done.popitem(last=False)
