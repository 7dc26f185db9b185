"""The orders of `Orders`, indexed by OrderID, ClOrdID, symbol and side."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import filterfalse, islice
from operator import attrgetter
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.common.dumping import dump_row, load_row
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey
from kalshi_fix_sansio.trading.orders.knowledge import KnowledgeKind, Losses, Mark
from kalshi_fix_sansio.trading.orders.newest_reports import NewestReports
from kalshi_fix_sansio.trading.orders.order import (
    UNCERTAIN_STATES,
    Cohort,
    Ending,
    NewOrderRequest,
    Order,
    OrderDiscrepancy,
    OrderDiscrepancyKind,
    OrderState,
    OrderUpdate,
    PendingRequest,
)

MAX_NAMESAKES: Final = 32
"""Maximum number of orders with the same ClOrdID that are searched, the newest first."""
MISSING_ROW: Final = object()
"""Placeholder for a row that a dump does not contain."""
_LOAD_STEP: Final = 200
"""Maximum number of orders loaded in one step."""
_number: Final[Callable[[Order | NewOrderRequest], int]] = attrgetter("number")


@attrs.define(eq=False, repr=False)
class OrderIndex:
    """The orders of `Orders`, up to its limit, and the updates that each message causes."""

    max_orders: int
    losses: Losses
    reports: NewestReports
    orders: dict[int, Order] = attrs.field(factory=dict)
    done: OrderedDict[int, None] = attrs.field(factory=OrderedDict)
    """Numbers of orders that have ended, the earliest ended first. This is an OrderedDict, because a dict
    finds its first entry only after skipping all deleted ones before it: with 100,000 orders, adding an order
    took up to four times as long.
    """
    ended: int = 0
    """`Order.ended` of the order that ended last."""
    free: list[int] = attrs.field(factory=list)
    """Slots without an order."""
    changed: dict[int, int | None] = attrs.field(factory=dict)
    """The numbers of the orders that have changed since the last dump, by slot; None for a removed order."""
    by_id: dict[str, Order] = attrs.field(factory=dict)
    names: dict[str, dict[int, Order]] = attrs.field(factory=dict)
    """Orders by ClOrdID: each order is listed under its own ClOrdIDs and under those of its pending requests.
    """
    live: dict[str, dict[str, dict[int, Order]]] = attrs.field(factory=dict)
    """Orders that are not done, by symbol and then by side. A query for one symbol therefore takes as long
    with 10,000 symbols as with two.
    """
    own: set[int] = attrs.field(factory=set)
    """Numbers of the orders that this session placed and that are not done."""
    unsettled: dict[int, Order] = attrs.field(factory=dict)
    """Orders that may become uncertain, because they are not done or because fills or answers are still
    expected.
    """
    cohorts: list[Cohort] = attrs.field(factory=list)
    """The cohorts of all orders whose state was certain when they were last indexed; see `Cohort`."""
    current: dict[int | None, Cohort] = attrs.field(factory=dict)
    """The cohort that orders join when their states become certain, by shard. After a loss, a new cohort
    replaces it.
    """
    touched: list[OrderUpdate] = attrs.field(factory=list)
    """Updates to report. An update that has an order is also the `update` of that order."""

    def by_cl_ord_id(self, cl_ord_id: str) -> Order | None:
        """Return the order with this ClOrdID; see `Orders.by_cl_ord_id`."""
        return max(
            self.namesakes(cl_ord_id), key=lambda order: (not order.is_done, order.number), default=None
        )

    def namesakes(self, name: str) -> Iterable[Order]:
        """Return the newest orders whose ClOrdID is `name`, that were placed with it, or that have a pending
        request with it.
        """
        holders = self.names.get(name)
        return () if holders is None else islice(reversed(holders.values()), MAX_NAMESAKES)

    def live_orders(self, symbol: str | None = None, side: Side | None = None) -> Iterator[Order]:
        """Yield the orders that are not done, in any state, the oldest first. Orders may change during the
        iteration.
        """
        orders = self.unsettled
        indexes = [orders] if symbol is None else self.live.get(symbol, {}).values()
        # Sorted, because an ended order that a later report shows as open is indexed again, after newer ones.
        for number in sorted(number for index in indexes for number in index):
            order = orders.get(number)
            if order is not None and order.indexed_as is not OrderState.DONE and side in (None, order.side):
                yield order

    def maybe_uncertain(self) -> Iterator[Order]:
        """Yield the orders that may be uncertain, the oldest first. Orders may change during the
        iteration.
        """
        return self.outside_cohorts(each for each in self.cohorts if not each.is_lost)

    def outside_cohorts(self, cohorts: Iterable[Cohort]) -> Iterator[Order]:
        """Yield the orders that may become uncertain and are in none of these cohorts, the oldest first.
        Orders may change during the iteration.
        """
        orders = self.unsettled
        # Most orders are usually in one cohort, so a set of the others is small.
        largest, *others = sorted((each.slots for each in cohorts), key=len, reverse=True) or [{}]
        numbers = set(filterfalse(largest.__contains__, orders))
        for other in others:
            numbers.difference_update(other)
        for number in sorted(numbers):
            if number in orders:
                yield orders[number]

    def with_numbers(self, numbers: Iterable[int]) -> Iterator[Order]:
        """Yield the orders with these numbers that are still kept."""
        return (self.orders[number] for number in numbers if number in self.orders)

    def verify(self, cohort: Cohort) -> Collection[int]:
        """Record that drop copy has returned all reports about a cohort's orders; return the numbers of these
        orders.
        """
        # Uses only the cohort: reading an attribute of 100,000 orders that are not in the processor's caches
        # would take 20 ms.
        numbers = list(cohort.slots)
        self.changed.update(zip(cohort.slots.values(), numbers, strict=True))
        cohort.mark = self.losses.mark
        joined = self._current_cohort(cohort.shard, cohort)
        if joined is not cohort:
            small, large = sorted((cohort, joined), key=lambda each: len(each.slots))
            for number in small.slots:
                self.orders[number].cohort = large
            large.slots.update(small.slots)
            small.slots = {}
            self.current[cohort.shard] = large
        return numbers

    def awaiting_outcome(self, name: str) -> list[tuple[Order, NewOrderRequest]]:
        """Return the orders that this session placed with this ClOrdID and whose outcome the venue has not
        reported. Orders whose answer is still expected are first, orders that drop copy does not contain are
        last. Each group is sorted by the time of sending.
        """
        waiting = [
            (order, order.placed)
            for order in self.namesakes(name)
            if order.placed is not None
            and not (order.last is not None or order.end is not None or order.placed.refused)
        ]
        return sorted(waiting, key=lambda each: _request_sort_key(each[1])) if len(waiting) > 1 else waiting

    def unlisted_order(self, name: str) -> Order | None:
        """Return the order that was placed by the request with this ClOrdID in the current `OutcomesUnknown`
        event. Orders whose request was answered, or listed by an earlier event, are left out. If several
        orders remain, return the oldest uncertain one, or else the oldest.
        """
        candidates = [
            order
            for order in self.namesakes(name)
            if order.placed is not None
            and order.placed.cl_ord_id == name
            and not order.placed.listed
            and not _is_answered(order)
        ]
        return min(candidates, key=_unknown_sort_key, default=None)

    def known_from_reports(self, name: str, after: Mapping[int, ExecKey]) -> Order | None:
        """Return the newest order with this ClOrdID that is known only from reports newer than those in
        `after`.
        """
        for each in self.namesakes(name):
            first = each.first_key or NO_KEY
            is_newer = first == NO_KEY or first > after.get(first.shard, NO_KEY)
            if is_newer and each.placed is None and name in (each.cl_ord_id, each.first_cl_ord_id):
                return each
        return None

    def keep_matches(self, name: str) -> None:
        """Exclude the reported orders with this ClOrdID from later calls of `rematch`, because another order
        is sent with the same ClOrdID. The reports received so far cannot be about that order.
        """
        for order in self.namesakes(name):
            if order.placed is not None and _is_reported(order):
                order.placed.matched = True
                self.changed[order.slot] = order.number

    def rematch(self, order: Order) -> None:
        """Assign requests that share a ClOrdID to the orders with that ClOrdID.

        The order that the venue received first gets the request that was sent first, regardless of the
        sequence in which the reports were received. Requests whose answer is no longer expected are assigned
        last, because a reported order more likely belongs to another request.
        """
        placed = order.placed
        if placed is None or placed.matched or len(self.names[placed.cl_ord_id]) == 1:
            return
        group = [
            each
            for each in self.namesakes(placed.cl_ord_id)
            if each.placed is not None
            and each.placed.cl_ord_id == placed.cl_ord_id
            and (each.symbol, each.side) == (order.symbol, order.side)
            and not (each.placed.refused or each.placed.matched)
        ]
        reported = sorted((each for each in group if _is_reported(each)), key=_first_report_sort_key)
        requests = [each.placed for each in group if each.placed is not None]
        requests.sort(key=_number if len(reported) == len(group) else _request_sort_key)
        matched = requests[: len(reported)]
        # Of the orders without a report, only those whose request was matched get another request.
        unreported = [each for each in group if each not in reported and each.placed in matched]
        spare_requests = [
            each.placed for each in reported if each.placed is not None and each.placed not in matched
        ]
        for each, request in zip([*reported, *unreported], [*matched, *spare_requests], strict=True):
            if each.placed is not request:
                self.begin(each)
                each.placed = request

    def requests(self, name: str, msg_type: str | None = None) -> list[tuple[Order, PendingRequest]]:
        """Return the pending requests with this ClOrdID: first those that await their answer, then the
        uncertain ones. Each group is sorted by the time of sending.
        """
        pairs = [
            (order, request)
            for order in self.namesakes(name)
            for request in order.pending
            if request.cl_ord_id == name and msg_type in (None, request.msg_type)
        ]
        return sorted(pairs, key=lambda each: each[1].is_unknown)

    def answer(self, order: Order, request: PendingRequest) -> None:
        """Record that an order's change or cancel is no longer pending."""
        self.begin(order).answered.append(request)
        order.pending.remove(request)

    def add(self, order: Order) -> None:
        """Add an order, and begin its update."""
        order.slot = self.free.pop() if self.free else len(self.orders)
        self.orders[order.number] = order
        self.begin(order)
        if order.order_id is not None:
            self.by_id[order.order_id] = order

    def drop(self, order: Order) -> None:
        """Remove an order; its update reports the removal."""
        self.begin(order).forgotten = True
        number = order.number
        self.changed[order.slot] = None
        self.free.append(order.slot)
        del self.orders[number]
        if order.order_id is not None:
            del self.by_id[order.order_id]
        self._index_names(order, ())
        self._unindex_live(order)
        self.unsettled.pop(number, None)
        self._leave_cohort(order)
        self.done.pop(number, None)

    def make_room(self) -> bool:
        """Return whether there is room for another order; if necessary, remove the order that ended first."""
        if len(self.orders) < self.max_orders:
            return True
        number = next(iter(self.done), None)
        if number is None:
            return False
        order = self.orders[number]
        first, last = order.first_key, order.key
        if first is not None and last is not None:
            # If the order's first and last reports are on the same shard, so are all reports between them.
            for key in (last,) if first.shard == last.shard else (last, *order.fills):
                if key > self.reports.floors.get(key.shard, NO_KEY):
                    self.reports.floors[key.shard] = key
        self.drop(order)
        return True

    def begin(self, order: Order) -> OrderUpdate:
        """Begin the update of an order, or return the one already begun for this message."""
        update = order.update
        if update is None:
            order.apply_losses()
            update = order.update = OrderUpdate(order, order.indexed_as)
            self.touched.append(update)
        return update

    def record_discrepancy(self, order: Order | None, kind: OrderDiscrepancyKind, detail: str) -> None:
        """Record a discrepancy, in the update of the order if it can be identified."""
        if order is None:
            update = OrderUpdate(None)
            self.touched.append(update)
        else:
            update = self.begin(order)
        update.discrepancies.append(OrderDiscrepancy(kind, detail))

    def take_updates(self) -> list[OrderUpdate]:
        """Complete and return the updates that the applied message causes."""
        updates, self.touched = self.touched, []
        for update in updates:
            order = update.order
            if order is not None:
                if not update.forgotten:
                    self.changed[order.slot] = order.number
                    account = order.account
                    if account != order.booked_to:
                        update.moved_from, order.booked_to = order.booked_to, account
                    self.index(order)
                order.update = None
        return updates

    def index(self, order: Order) -> None:
        """Index an order by its current ClOrdIDs and its state."""
        previous, state, names = order.indexed_as, order.state, order.names
        order.indexed_as = state
        if (
            state is OrderState.DONE
            or state in UNCERTAIN_STATES
            or order.cum_qty > order.filled_qty
            or any(request.uncertain_since_epoch for request in order.pending)
        ):
            self._leave_cohort(order)
        else:
            self._join_cohort(order)
        if names != order.indexed:
            self._index_names(order, names)
        if state is not OrderState.DONE:
            if order.placed is not None:
                self.own.add(order.number)
            if previous is None or previous is OrderState.DONE:
                self.unsettled[order.number] = order
                self.live.setdefault(order.symbol, {}).setdefault(order.side, {})[order.number] = order
                self.done.pop(order.number, None)
                order.ended = 0
            return
        if order.pending or order.cum_qty > order.filled_qty:
            self.unsettled[order.number] = order
        else:
            self.unsettled.pop(order.number, None)
        if previous is not OrderState.DONE:
            self._unindex_live(order)
            self.done[order.number] = None
            if not order.ended:
                self.ended += 1
                order.ended = self.ended

    def dump(self, *, full: bool) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Yield the slots that have changed since the last dump, or all slots if `full`. Each is yielded with
        the row of its order, or with None if it is empty. Orders may change during the iteration.
        """
        if full:
            numbers = {order.slot: number for number, order in self.orders.items()}
            self.changed = {**dict.fromkeys(self.free), **numbers}
        while self.changed:
            slot, number = self.changed.popitem()
            row = None
            if number is not None:
                order = self.orders[number]
                order.apply_coverage()
                order.dumped_mark = order.mark  # keeps the mark alive until the next row of the order
                row = {**dump_row(order), "mark": order.mark.epoch}
            yield slot, row

    def load(self, rows: Iterable[Any], marks: Mapping[int, Mark]) -> Iterator[None]:
        """Add the orders from a dump, given by the rows of all slots in sequence; yield after every 200 rows
        or orders.

        Raises:
            ValueError: a row is missing, or two orders have the same number. A damaged row may also raise
                other exceptions, which `loading` converts.
        """
        orders: dict[int, Order] = {}
        for slot, row in enumerate(rows):
            if not slot % _LOAD_STEP:
                yield
            if row is MISSING_ROW:
                raise ValueError("rows are missing from the dump")
            if row is None:
                self.free.append(slot)
                continue
            order = load_row({name: value for name, value in row.items() if name != "mark"}, Order)
            order.slot, order.losses = slot, self.losses
            order.mark = order.dumped_mark = marks[row["mark"]]
            if order.number in orders:
                raise ValueError(f"two orders have the number {order.number}")
            orders[order.number] = order
        ended: dict[int, int] = {}
        for count, number in enumerate(sorted(orders)):
            if not count % _LOAD_STEP:
                yield
            order = orders[number]
            for fill in order.fills.values():
                order.add_fill(fill)
            order.booked_to = order.account
            self.orders[number] = order
            if order.order_id is not None:
                self.by_id[order.order_id] = order
            self.index(order)
            if order.ended:
                ended[order.ended] = number
        # The loop above adds orders to `done` by number. Sort them by when they ended.
        for count, position in enumerate(sorted(ended)):
            if not count % _LOAD_STEP:
                yield
            self.done.move_to_end(ended[position])
            self.ended = position

    def _join_cohort(self, order: Order) -> None:
        """Add an order whose state is certain to the current cohort of its shard."""
        shard = None
        if order.last is not None and not order.pending and order.knowledge.kind is KnowledgeKind.CLEAR:
            shard = order.last.key.shard
        cohort = order.cohort
        if cohort is None or cohort.shard != shard or cohort.is_lost:
            self._leave_cohort(order)
            cohort = order.cohort = self._current_cohort(shard)
            cohort.slots[order.number] = order.slot

    def _leave_cohort(self, order: Order) -> None:
        if order.cohort is not None:
            del order.cohort.slots[order.number]
            order.cohort = None

    def _current_cohort(self, shard: int | None, new: Cohort | None = None) -> Cohort:
        """Return the cohort that orders of a shard join when their state is certain. If none is current,
        start `new` or, without it, an empty one.
        """
        cohort = self.current.get(shard)
        if cohort is None or cohort.is_lost:
            cohort = self.current[shard] = new or Cohort(self.losses.mark, shard)
            cohorts = [each for each in self.cohorts if each.slots or self.current.get(each.shard) is each]
            self.cohorts = cohorts if cohort in cohorts else [*cohorts, cohort]
        return cohort

    def _index_names(self, order: Order, names: tuple[str, ...]) -> None:
        """Replace the ClOrdIDs by which an order is indexed."""
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

    def _unindex_live(self, order: Order) -> None:
        """Remove an order from the indexes of orders that are not done."""
        self.own.discard(order.number)
        sides = self.live.get(order.symbol, {})
        orders = sides.get(order.side, {})
        orders.pop(order.number, None)
        if not orders:
            sides.pop(order.side, None)
            if not sides:
                self.live.pop(order.symbol, None)


def _is_reported(order: Order) -> bool:
    """Return whether the venue has sent a report about an order that this session placed."""
    return order.order_id is not None or order.end is not None


def _is_answered(order: Order) -> bool:
    """Return whether an order has ended, and its own session has received a report or a reject for it."""
    return order.is_done and (order.seen_live or order.ending in (Ending.REJECTED, Ending.REFUSED))


def _unknown_sort_key(order: Order) -> tuple[bool, int]:
    return order.state is not OrderState.UNKNOWN, order.number


def _first_report_sort_key(order: Order) -> tuple[ExecKey, str]:
    return order.first_key or NO_KEY, order.order_id or ""


def _request_sort_key(placed: NewOrderRequest) -> tuple[bool, bool, int]:
    return placed.missing, placed.uncertain_since_epoch > 0, placed.number
