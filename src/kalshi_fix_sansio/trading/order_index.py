"""The orders that are kept, and how they are found: by OrderID, ClOrdID, symbol and side."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Final

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order import (
    NO_KEY,
    Order,
    OrderDiscrepancy,
    OrderDiscrepancyKind,
    OrderState,
    OrderUpdate,
    PendingRequest,
    Placed,
)

_new = object.__new__
MAX_NAMESAKES: Final = 32
"""Orders of one ClOrdID that are looked at; further ones are older, and settled unless none ever was."""


class OrderIndex:
    """What `Orders` keeps, within its bound, and what each message did to it."""

    __slots__ = ("by_id", "done", "floors", "live", "max_orders", "names", "orders", "touched", "unsettled")

    def __init__(self, max_orders: int) -> None:
        self.max_orders: int = max_orders
        self.orders: dict[int, Order] = {}
        self.done: OrderedDict[int, None] = OrderedDict()
        """Numbers of orders that have ended, the first one first. To find it, a dict walks over all that were
        taken off its front: of 100,000 orders, a new one took up to four times as long."""
        self.by_id: dict[str, Order] = {}
        self.names: dict[str, dict[int, Order]] = {}
        """By ClOrdID: whose request, or order, has it."""
        self.live: dict[tuple[str, str], dict[int, Order]] = {}
        """By symbol and side: those that are not done."""
        self.unsettled: dict[int, Order] = {}
        """Those that something may be unknown of: not done, or with fills or answers to come."""
        self.floors: dict[int, ExecKey] = {}
        """By shard: what is not newer may be about an order that is no longer kept."""
        self.touched: list[OrderUpdate] = []
        """What is being told; each is the `update` of its order."""

    def named(self, cl_ord_id: str) -> Order | None:
        """Return the order of a ClOrdID; see `Orders.by_cl_ord_id`."""
        return max(
            self.namesakes(cl_ord_id), key=lambda order: (not order.is_done, order.number), default=None
        )

    def namesakes(self, name: str) -> Iterable[Order]:
        """Return the newest orders that have a ClOrdID, or had it when they were placed, or have a request of
        that id."""
        holders = self.names.get(name)
        return () if holders is None else islice(reversed(holders.values()), MAX_NAMESAKES)

    def live_ones(self, symbol: str | None = None, side: Side | None = None) -> list[Order]:
        """Return the orders that are not done, in any state, the oldest first."""
        if symbol is not None and side is not None:
            return list(self.live.get((symbol, side), {}).values())
        found = [
            order
            for (its_symbol, its_side), orders in self.live.items()
            if symbol in (None, its_symbol) and side in (None, its_side)
            for order in orders.values()
        ]
        return sorted(found, key=_number)

    def unlinked(self, name: str) -> list[tuple[Order, Placed]]:
        """Return the orders of this side whose outcome the venue has not told, by a ClOrdID: those first that
        have had no answer, the oldest first."""
        found = [
            (order, order.placed)
            for order in self.namesakes(name)
            if order.placed is not None
            and not (order.last is not None or order.end is not None or order.placed.refused)
        ]
        return sorted(found, key=_attempt) if len(found) > 1 else found

    def rematch(self, order: Order) -> None:
        """Of orders sent under one ClOrdID, let the first that the venue has be the first that was sent.

        Which report came first does not count. Requests whose answer left them open go last: what the venue
        has is another one, as long as there is one.
        """
        placed = order.placed
        if placed is None or len(self.names[placed.cl_ord_id]) == 1:
            return
        group = [
            each
            for each in self.namesakes(placed.cl_ord_id)
            if each.placed is not None
            and each.placed.cl_ord_id == placed.cl_ord_id
            and (each.symbol, each.side) == (order.symbol, order.side)
            and not each.placed.refused
        ]
        known = sorted((each for each in group if _is_told(each)), key=_first)
        others = sorted((each for each in group if not _is_told(each)), key=_number)
        requests = [each.placed for each in group if each.placed is not None]
        requests.sort(key=_request_order if others else _request_number)
        for each, request in zip([*known, *others], requests, strict=True):
            if each.placed is not request:
                self.begin(each)
                each.placed = request

    def requests(self, name: str, msg_type: str | None = None) -> list[tuple[Order, PendingRequest]]:
        """Return the pending requests of a ClOrdID: those first that an answer may still come for."""
        holders = self.names.get(name)
        if holders is None or (len(holders) == 1 and not next(iter(holders.values())).pending):
            return []  # as with most reports
        found = [
            (order, request)
            for order in self.namesakes(name)
            for request in order.pending
            if request.cl_ord_id == name and msg_type in (None, request.msg_type)
        ]
        return sorted(found, key=_is_unknown)

    def answer(self, order: Order, request: PendingRequest) -> None:
        """Take note that a change or a cancel is no longer pending."""
        self.begin(order).answered.append(request)
        order.pending.remove(request)

    def add(self, order: Order) -> None:
        """Take up an order, and begin its update."""
        self.orders[order.number] = order
        self.begin(order)
        if order.order_id is not None:
            self.by_id[order.order_id] = order

    def drop(self, order: Order) -> None:
        """Forget an order, which its update tells."""
        self.begin(order).forgotten = True
        number = order.number
        del self.orders[number]
        if order.order_id is not None:
            del self.by_id[order.order_id]
        self._name(order, ())
        self._end(order)
        self.unsettled.pop(number, None)
        self.done.pop(number, None)

    def make_room(self) -> bool:
        """Say whether there is room for another order; the one goes that was done first."""
        if len(self.orders) < self.max_orders:
            return True
        number = next(iter(self.done), None)
        if number is None:
            return False
        order = self.orders[number]
        first, last = order.first_key, order.key
        if first is not None and last is not None:
            # What is between them is of one shard if they are.
            for key in (last,) if first.shard == last.shard else (last, *order.fills):
                if key > self.floors.get(key.shard, NO_KEY):
                    self.floors[key.shard] = key
        self.drop(order)
        return True

    def begin(self, order: Order) -> OrderUpdate:
        """Begin the update of an order, once for a message."""
        update = order.update
        if update is None:
            # Without its constructor it takes three quarters of the time.
            update = order.update = _new(OrderUpdate)
            self.touched.append(update)
            update.order = order
            update.before = order.indexed_as
            update.fills = []
            update.answered = []
            update.discrepancies = []
            update.forgotten = False
            update.mass_cancel = None
        return update

    def note(self, order: Order | None, kind: OrderDiscrepancyKind, detail: str) -> None:
        """Tell a discrepancy, of an order if it is known of which."""
        if order is None:
            update = OrderUpdate(None)
            self.touched.append(update)
        else:
            update = self.begin(order)
        update.discrepancies.append(OrderDiscrepancy(kind, detail))

    def told(self) -> list[OrderUpdate]:
        """End the updates of what was applied; return them."""
        told, self.touched = self.touched, []
        for update in told:
            order = update.order
            if order is not None:
                order.update = None
                if not update.forgotten:
                    self.index(order)
        return told

    def index(self, order: Order) -> None:
        """Let an order be found by what it is called now, and how it stands."""
        before, state, names = order.indexed_as, order.state, order.names
        order.indexed_as = state
        if names != order.indexed:
            self._name(order, names)
        if state is not OrderState.DONE:
            if before is None or before is OrderState.DONE:
                self.unsettled[order.number] = order
                self.live.setdefault((order.symbol, order.side), {})[order.number] = order
                self.done.pop(order.number, None)
            return
        if order.pending or order.told > order.filled:
            self.unsettled[order.number] = order
        else:
            self.unsettled.pop(order.number, None)
        if before is not OrderState.DONE:
            self._end(order)
            self.done[order.number] = None

    def _name(self, order: Order, names: tuple[str, ...]) -> None:
        """Let an order be found by these ClOrdIDs alone."""
        for name in order.indexed:
            if name not in names:
                holders = self.names[name]
                del holders[order.number]
                if not holders:
                    del self.names[name]
        for name in names:
            if name not in order.indexed:
                self.names.setdefault(name, {})[order.number] = order
        order.indexed = names

    def _end(self, order: Order) -> None:
        """Take an order from those that are not done."""
        where = order.symbol, order.side
        orders = self.live.get(where)
        if orders is not None:
            orders.pop(order.number, None)
            if not orders:
                del self.live[where]


def _is_told(order: Order) -> bool:
    """Say whether the venue has told anything of a new order."""
    return order.order_id is not None or order.end is not None


def _number(order: Order) -> int:
    return order.number


def _first(order: Order) -> tuple[ExecKey, str]:
    return order.first_key or NO_KEY, order.order_id or ""


def _request_number(placed: Placed) -> int:
    return placed.number


def _request_order(placed: Placed) -> tuple[bool, int]:
    return placed.unsure, placed.number


def _attempt(found: tuple[Order, Placed]) -> tuple[bool, int]:
    return found[1].unsure, found[0].number


def _is_unknown(found: tuple[Order, PendingRequest]) -> bool:
    return found[1].is_unknown
