"""Lookup of orders by ClOrdID, by session and by expiry."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime

import attrs

from kalshi_fix_venue.exchange.orders import Order, OrderSnapshot

MAX_STALE = 1000
"""`schedule` removes the stale expiries, which belong to ended or changed orders, when they outnumber the
open orders by more than this."""
Key = tuple[str, str]
"""Owner and ClOrdID."""


@attrs.define(eq=False)
class OrderRegistry:
    """All open orders, and the last `retained` ended ones. When a late cancel is refused, the ended order
    determines the cause."""

    retained: int = 10_000
    _open: dict[Key, Order] = attrs.field(factory=dict)
    _by_id: dict[str, Order] = attrs.field(factory=dict)
    _by_origin: dict[str, dict[str, Order]] = attrs.field(factory=dict)
    _by_group: dict[str, dict[str, Order]] = attrs.field(factory=dict)
    _done: OrderedDict[Key, OrderSnapshot] = attrs.field(factory=OrderedDict)
    _expiries: list[tuple[datetime, str]] = attrs.field(factory=list)

    def __iter__(self) -> Iterator[Order]:
        """Iterate over a copy of the open orders, oldest first."""
        return iter(tuple(self._by_id.values()))

    def add(self, order: Order) -> None:
        """Add a new open order."""
        self._open[order.account.owner, order.cl_ord_id] = order
        self._by_id[order.order_id] = order
        self._by_origin.setdefault(order.origin, {})[order.order_id] = order
        if order.group is not None:
            self._by_group.setdefault(order.group, {})[order.order_id] = order

    def schedule(self, order: Order) -> None:
        """Schedule the expiry of a resting order, if it has one, replacing an earlier expiry."""
        if order.expire_time is None:
            return
        heapq.heappush(self._expiries, (order.expire_time, order.order_id))
        # Stale entries are removed from time to time, because a client can create any number of them.
        if len(self._expiries) > MAX_STALE + 2 * len(self._by_id):
            self._expiries = [
                (each.expire_time, each.order_id)
                for each in self._by_id.values()
                if each.expire_time is not None
            ]
            heapq.heapify(self._expiries)

    def rename(self, order: Order, cl_ord_id: str) -> None:
        """Index an open order by the id of the request that changed it."""
        del self._open[order.account.owner, order.cl_ord_id]
        order.cl_ord_id = cl_ord_id
        self._open[order.account.owner, cl_ord_id] = order

    def finish(self, order: Order, cl_ord_id: str | None = None) -> None:
        """Move an ended order out of the open orders; `cl_ord_id` is the id of the request that ended it."""
        del self._open[order.account.owner, order.cl_ord_id]
        del self._by_id[order.order_id]
        _drop(self._by_origin, order.origin, order)
        if order.group is not None:
            _drop(self._by_group, order.group, order)
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
        return tuple(self._by_origin.get(origin, {}).values())

    def orders_of_group(self, group: str) -> tuple[Order, ...]:
        """Return the open orders of an order group, oldest first."""
        return tuple(self._by_group.get(group, {}).values())

    def next_expiry(self) -> datetime | None:
        """Return the earliest expiry of an open order."""
        # Expiries of ended or rescheduled orders stay in the heap until they reach its top.
        while self._expiries and not self._is_current(*self._expiries[0]):
            heapq.heappop(self._expiries)
        return self._expiries[0][0] if self._expiries else None

    def pop_expired(self, now: datetime) -> Order | None:
        """Return the open order that expired first, or None."""
        expiry = self.next_expiry()
        if expiry is None or expiry > now:
            return None
        return self._by_id[heapq.heappop(self._expiries)[1]]

    def _is_current(self, expire_time: datetime, order_id: str) -> bool:
        order = self._by_id.get(order_id)
        return order is not None and order.expire_time == expire_time

    def _remember(self, cl_ord_id: str, snapshot: OrderSnapshot) -> None:
        self._done[snapshot.account.owner, cl_ord_id] = snapshot
        self._done.move_to_end((snapshot.account.owner, cl_ord_id))
        while len(self._done) > self.retained:
            self._done.popitem(last=False)


def _drop(index: dict[str, dict[str, Order]], key: str, order: Order) -> None:
    orders = index[key]
    del orders[order.order_id]
    if not orders:
        del index[key]
