"""Match answers and reports with pending requests, and recognize redelivered answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    CxlRejResponseTo,
    ExecType,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.common.received import remember
from kalshi_fix_sansio.trading.orders.order import Order, PendingRequest
from kalshi_fix_sansio.trading.orders.order_index import OrderIndex
from kalshi_fix_sansio.trading.orders.order_reports import CHANGE_TYPES, identity

MAX_ANSWERS: Final = 10_000
"""Maximum number of answers that are remembered to recognize redelivered ones, and maximum number of requests
that are remembered because they were settled before they were answered.
"""
_ANSWERED_TYPES: Final[Mapping[str | None, str]] = {
    CxlRejResponseTo.ORDER_CANCEL_REQUEST: OrderCancelRequest.MSG_TYPE,
    CxlRejResponseTo.ORDER_CANCEL_REPLACE_REQUEST: OrderCancelReplaceRequest.MSG_TYPE,
}
"""MsgType of the request that an OrderCancelReject answers, by CxlRejResponseTo (434)."""


@attrs.define(eq=False, repr=False)
class RequestSettler:
    """Finds the pending change or cancel that a message from the venue settles, and settles it. A settled
    request is no longer pending.

    Several requests may have the same ClOrdID, and messages may be received repeatedly and in any order.
    """

    _index: OrderIndex = attrs.field(metadata=NOT_DUMPED)
    known: dict[str, None] = attrs.field(factory=dict)
    """Messages already received, the oldest first: hashes of answers without ExecID, and "OrderID ExecID" of
    reports that settled one of several requests with the same ClOrdID.
    """
    settled_early: dict[str, None] = attrs.field(factory=dict)
    """ClOrdIDs of changes and cancels that were settled before they were answered, the oldest first. Drop
    copy or the end of the order settled them, for example. A later reject of such a request contains no new
    information.
    """

    def record_answer(self, message: Message) -> bool:
        """Record an answer without ExecID; return whether it was already recorded."""
        key = identity(message)
        if key in self.known:
            return True
        remember(self.known, key, None, MAX_ANSWERS)
        return False

    def candidates_for_reject(self, message: Any) -> list[tuple[Order, PendingRequest]]:
        """Return the pending requests that a reject may answer, the likeliest first."""
        orig, answers_to = message.orig_cl_ord_id, getattr(message, "cxl_rej_response_to", None)
        return sorted(
            self._index.requests(message.cl_ord_id or ""),
            key=lambda each: (
                each[1].orig_cl_ord_id != orig,
                each[1].msg_type != _ANSWERED_TYPES.get(answers_to, each[1].msg_type),
            ),
        )

    def settle_early(self, order: Order, request: PendingRequest) -> None:
        """Settle a request on evidence other than its own answer, which may still arrive."""
        self._index.answer(order, request)
        self.record_settled_early(request.cl_ord_id)

    def settle_all(self, order: Order) -> None:
        """Settle all requests of an order that is done."""
        for request in list(order.pending):
            self.settle_early(order, request)

    def record_settled_early(self, cl_ord_id: str) -> None:
        """Remember a change or cancel that was settled without its answer; the answer may still arrive."""
        remember(self.settled_early, cl_ord_id, None, MAX_ANSWERS)

    def settle(self, order: Order, report: Any, key: ExecKey | None, is_copy: bool) -> None:
        """Settle the requests that a report answers, or whose acceptance it implies. If the order is done,
        settle all of its requests. `is_copy` is set if drop copy returned the report.
        """
        if order.is_done:
            self.settle_all(order)
            return
        names_to_check = [report.orig_cl_ord_id]
        if report.exec_type in CHANGE_TYPES:
            self._settle_change(order, report, key, is_copy)
        else:
            names_to_check.append(report.cl_ord_id)
        # A report with the new ClOrdID of a request implies that the request was accepted. Amends that keep
        # the order's ClOrdID are confirmed only by their own reports.
        for name in filter(None, names_to_check):
            for holder, request in self._index.requests(name):
                if not request.renames or request.is_after(key) or request not in holder.pending:
                    continue
                # A request may rename an order back to a ClOrdID that it had before. If the order already had
                # the ClOrdID of the report or of the request, or its current ClOrdID, before the request was
                # sent, the report proves nothing, and only the request's own answer settles it.
                names = {report.cl_ord_id, holder.cl_ord_id, request.cl_ord_id}
                if names.isdisjoint(holder.origins(request)):
                    self._settle_chain(holder, request, is_copy)

    def _settle_change(self, order: Order, report: Any, key: ExecKey | None, is_copy: bool) -> None:
        """Settle the request that a report confirms. If several requests have its ClOrdID, those that await
        an answer are preferred. For a drop copy report, the uncertain ones are preferred instead. Among
        the preferred requests, the one that was sent first is settled.
        """
        msg_type = OrderCancelReplaceRequest.MSG_TYPE if report.exec_type == ExecType.REPLACED else None
        orig = report.orig_cl_ord_id
        candidates = [
            each
            for each in self._index.requests(report.cl_ord_id, msg_type)
            if not each[1].is_after(key) and (each[1].renames or orig in (None, "", each[1].orig_cl_ord_id))
        ]
        report_key = f"{report.order_id} {key}"
        if not candidates or report_key in self.known:
            return
        holder, request = min(
            candidates,
            key=lambda each: (
                each[0] is not order,
                each[1].orig_cl_ord_id != orig,
                each[1].is_unknown is not is_copy,
            ),
        )
        self._settle_chain(holder, request, is_copy)
        if len(candidates) > 1:  # a redelivered report must not settle another request
            remember(self.known, report_key, None, MAX_ANSWERS)

    def _settle_chain(self, order: Order, request: PendingRequest, is_copy: bool) -> None:
        """Settle an accepted request and the earlier requests in its chain, which must have been accepted
        too.
        """
        settle = self.settle_early if is_copy else self._index.answer
        earlier = order.pending[: order.pending.index(request)]
        settle(order, request)
        name = request.orig_cl_ord_id
        for each in reversed(earlier):
            if each.renames and each.cl_ord_id == name:
                settle(order, each)
                name = each.orig_cl_ord_id
