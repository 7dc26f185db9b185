"""The uncertain items about a session's orders, and the drop copy ranges that resolve them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Final

import attrs

from kalshi_fix_sansio._generated import (
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelRequest,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey, covers, first_keys
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequest
from kalshi_fix_sansio.trading.common.uncertain_items import LazyItems, Remedy
from kalshi_fix_sansio.trading.orders.answers import RequestSettler
from kalshi_fix_sansio.trading.orders.mass_cancels import MassCancel, MassCancels
from kalshi_fix_sansio.trading.orders.newest_reports import NewestReports
from kalshi_fix_sansio.trading.orders.order import Cohort, Order, OrderState, OrderUpdate, PendingRequest
from kalshi_fix_sansio.trading.orders.order_index import OrderIndex
from kalshi_fix_sansio.trading.orders.uncertain_orders import (
    DropCopyRange,
    UncertainOrder,
    UncertainOrderKind,
)

_ITEM_BY_MSG_TYPE: Final = {
    NewOrderSingle.MSG_TYPE: (UncertainOrderKind.ORDER_UNKNOWN, "order"),
    OrderCancelReplaceRequest.MSG_TYPE: (UncertainOrderKind.REQUEST_UNKNOWN, "request"),
    OrderCancelRequest.MSG_TYPE: (UncertainOrderKind.REQUEST_UNKNOWN, "request"),
    OrderMassCancelRequest.MSG_TYPE: (UncertainOrderKind.MASS_CANCEL_UNKNOWN, "mass cancel"),
}


@attrs.frozen(eq=False, repr=False)
class Uncertainty:
    """Lists the uncertainties about the orders and mass cancels of a session, and resolves them with drop
    copy.
    """

    _index: OrderIndex
    _reports: NewestReports
    _answers: RequestSettler
    _mass_cancels: MassCancels

    def items(
        self, orders: Iterable[Order], requests: Iterable[UnattributedRequest] = ()
    ) -> Iterator[UncertainOrder]:
        """Yield the uncertain items about these orders and unattributed requests, and about mass cancels."""
        for order in orders:
            state = order.state
            if state is OrderState.UNKNOWN and order.placed is not None:
                begin = self._reports.newest_before(order)
                yield _uncertain_order(UncertainOrderKind.ORDER_UNKNOWN, order, order.placed.since, begin)
            elif state is OrderState.UNVERIFIED:
                begin, since = self._reports.drop_copy_begin(order), order.knowledge.since
                yield _uncertain_order(UncertainOrderKind.ORDER_UNVERIFIED, order, since, begin)
            if order.unreported_qty:
                yield _uncertain_order(UncertainOrderKind.FILLS_UNREPORTED, order, None, order.first_key)
            for request in list(order.pending):
                if request.is_unknown:
                    yield _uncertain_order(
                        UncertainOrderKind.REQUEST_UNKNOWN, order, request.since, request.after, request
                    )
        for each in list(self._mass_cancels.open):
            if each.is_unknown:
                yield UncertainOrder(
                    kind=UncertainOrderKind.MASS_CANCEL_UNKNOWN,
                    what=UncertainOrderKind.MASS_CANCEL_UNKNOWN.value,
                    about=f"mass cancel {each.cl_ord_id}",
                    since=each.since,
                    remedies=(Remedy.DROP_COPY, Remedy.REST),
                    mass_cancel=each,
                    begin=min(self._drop_copy_keys(each).values(), default=None),
                )
        for unattributed in requests:
            kind, about = _ITEM_BY_MSG_TYPE[unattributed.msg_type]
            yield UncertainOrder(
                kind=kind,
                what=kind.value,
                about=f"{about} {unattributed.request_id}",
                since=unattributed.sent_at,
                unattributed=unattributed,
            )

    def drop_copy_start(self, forgotten: Mapping[int, ExecKey]) -> dict[int, ExecKey]:
        """Return, by shard, the key at which drop copy must begin; see `Orders.drop_copy_start`."""
        keys = [cohort.begin for cohort in self._index.cohorts if cohort.slots]
        for item in self.items(self._index.outside_cohorts(self._uniform_cohorts())):
            keys.append(item.begin)
            if item.mass_cancel is not None:
                keys.extend(self._drop_copy_keys(item.mass_cancel).values())
        return first_keys(keys, forgotten)

    def _uniform_cohorts(self) -> list[Cohort]:
        """Return the cohorts whose orders are all certain, or all need drop copy from the same report on."""
        return [each for each in self._index.cohorts if not each.is_lost or each.begin is not None]

    def _drop_copy_keys(self, mass_cancel: MassCancel) -> dict[int, ExecKey]:
        """Return, by shard, the key at which drop copy must begin to resolve a mass cancel: the newest report
        known when it was sent. Only shards with an order that it should cancel and that has not ended are
        included.
        """
        cohorts = [cohort for cohort in self._index.cohorts if cohort.shard is not None]
        shards = {cohort.shard for cohort in cohorts if not mass_cancel.waiting.isdisjoint(cohort.slots)}
        others = (
            order for order in self._index.outside_cohorts(cohorts) if order.number in mass_cancel.waiting
        )
        shards.update(map(self._reports.shard_of, others))
        return {shard: key for shard, key in mass_cancel.newest.items() if shard in shards}

    def apply_range(self, drop_copy_range: DropCopyRange) -> None:
        """Apply a complete drop copy range."""
        # A range with an end proves nothing about later reports, which may still determine any outcome.
        if drop_copy_range.end is not None:
            return
        index, uniform, verified = self._index, self._uniform_cohorts(), list[int]()
        still_open = set()
        for order in index.outside_cohorts(each for each in uniform if each.shard is not None):
            if not order.is_done and self._reports.shard_of(order) == drop_copy_range.shard:
                self._resolve_order(order, drop_copy_range)
                if order.state is OrderState.OPEN:
                    still_open.add(order.number)
        if index.losses.epoch <= drop_copy_range.epoch:  # no reports were lost after the range was requested
            for cohort in uniform:
                if cohort.shard == drop_copy_range.shard and covers(drop_copy_range.begin, cohort.begin):
                    verified += index.verify(cohort)
        if verified:
            index.touched.append(OrderUpdate(None, verified=LazyItems(partial(index.with_numbers, verified))))
        self._mass_cancels.record_covered(still_open, drop_copy_range.begin, drop_copy_range.epoch)
        for cohort in index.cohorts:
            if cohort.shard == drop_copy_range.shard and not cohort.is_lost:
                self._mass_cancels.record_covered(
                    cohort.slots.keys(), drop_copy_range.begin, drop_copy_range.epoch
                )

    def _resolve_order(self, order: Order, drop_copy_range: DropCopyRange) -> None:
        """Resolve the uncertainties about an order that a complete drop copy range covers."""
        state_before = order.state
        resolved = [
            request
            for request in order.pending
            if 0 < request.uncertain_since_epoch <= drop_copy_range.epoch
            and covers(drop_copy_range.begin, request.after)
        ]
        if order.last is None:
            placed = order.placed
            if placed is not None and 0 < placed.uncertain_since_epoch <= drop_copy_range.epoch:
                placed.missing = covers(drop_copy_range.begin, self._reports.newest_before(order))
        else:
            needed = self._reports.drop_copy_begin(order)
            order.knowledge = order.knowledge.record_coverage(
                drop_copy_range.epoch, drop_copy_range.begin, needed
            )
        if resolved or order.state is not state_before:
            self._index.begin(order)
            for request in list(order.pending) if order.is_done else resolved:
                self._answers.settle_early(order, request)


def _uncertain_order(
    kind: UncertainOrderKind,
    order: Order,
    since: datetime | None,
    begin: ExecKey | None,
    request: PendingRequest | None = None,
) -> UncertainOrder:
    name = order.cl_ord_id or order.order_id or order.symbol
    return UncertainOrder(
        kind=kind,
        what=kind.value,
        about=f"order {name}" if request is None else f"request {request.cl_ord_id} about order {name}",
        since=since,
        remedies=(Remedy.REST,) if begin is None else (Remedy.DROP_COPY, Remedy.REST),
        order=order,
        request=request,
        begin=begin,
    )
