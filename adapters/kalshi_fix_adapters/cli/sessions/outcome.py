"""The outcome of one request, according to the messages of its session."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.errors import ClientTimeoutError
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown, RejectReceived, Uncertainty
from kalshi_fix_sansio.trading.orders.order_reports import PENDING_TYPES

FOLLOW_UP_SECONDS: Final = 0.25
"""Number of seconds to wait for further reports after the answer. Such reports are fills, and the cancels
that follow a mass cancel.
"""
MAX_REPORTS: Final = 10_000
"""Maximum number of reports that are kept. A mass cancel causes a report for each order."""
Answer = ExecutionReport | OrderCancelReject | OrderMassCancelReport
Request = NewOrderSingle | OrderCancelReplaceRequest | OrderCancelRequest | OrderMassCancelRequest


@attrs.define
class Outcome:
    """The known state of a sent request."""

    request: Request
    never_rests: bool = False
    """Whether the order cannot stay open, so only a report with LeavesQty 0 answers it."""
    reports: list[ExecutionReport] = attrs.field(factory=list)
    """All reports except pending reports, in the order received. Reports about other orders are included."""
    answer: Answer | None = None
    reject: Message | None = None
    """A Reject or BusinessMessageReject that answers the request."""
    reason: str = ""
    """The reason why there is no answer, or why the answer is inconclusive."""
    venue_is_unsure: bool = False
    """Whether the venue has reported that it does not know the outcome either."""

    @property
    def is_answered(self) -> bool:
        """Whether an answer has been received."""
        return self.answer is not None or self.reject is not None

    @property
    def is_unknown(self) -> bool:
        """Whether the outcome of the request is unknown."""
        return self.venue_is_unsure or not self.is_answered

    @property
    def report(self) -> ExecutionReport | None:
        """The newest report about the order of the request; None if there is none."""
        return next((each for each in reversed(self.reports) if self._is_about_order(each)), None)

    @property
    def fills(self) -> list[ExecutionReport]:
        """The reported trades of the order, without duplicates."""
        trades = {
            each.exec_id: each
            for each in self.reports
            if each.exec_type == ExecType.TRADE and self._is_about_order(each)
        }
        return list(trades.values())

    def _is_about_order(self, report: ExecutionReport) -> bool:
        ids = {self.request.cl_ord_id, getattr(self.request, "orig_cl_ord_id", None)} - {None}
        return report.cl_ord_id in ids or report.orig_cl_ord_id in ids

    def apply(self, event: object) -> None:
        """Process an event from the client."""
        match event:
            case MessageReceived(message=ExecutionReport() as message):
                if message.exec_type not in PENDING_TYPES:
                    if len(self.reports) < MAX_REPORTS:
                        self.reports.append(message)
                    self._apply_answer(message)
            case MessageReceived(message=OrderCancelReject() | OrderMassCancelReport() as message):
                self._apply_answer(message)
            case RejectReceived(sent=sent, reject=reject):
                if getattr(sent, "cl_ord_id", None) == self.request.cl_ord_id:
                    self.reject = reject
            case OutcomesUnknown(request_ids=ids, why=why):
                if self.request.cl_ord_id in ids:
                    self.venue_is_unsure = self.venue_is_unsure or why is Uncertainty.PEER_UNSURE
                    self.reason = self.reason or why.value

    def record_failure(self, reason: str) -> None:
        """Record why the session ended. Do nothing if the outcome is known, or if the venue has reported that
        it does not know the outcome.
        """
        if not (self.is_answered or self.venue_is_unsure):
            self.reason = reason

    def _apply_answer(self, message: Answer) -> None:
        if message.cl_ord_id != self.request.cl_ord_id:
            return
        # Reports about the cancelled orders may contain the ClOrdID of the mass cancel, but do not answer it.
        if isinstance(message, ExecutionReport) and (
            isinstance(self.request, OrderMassCancelRequest) or (self.never_rests and message.leaves_qty)
        ):
            return
        self.answer = message


def carry_out(
    plan: ConnectionPlan, request: Request, *, wait_for_reports: bool, never_rests: bool
) -> Outcome:
    """Log on, send a request, wait for its answer, and log out.

    Args:
        plan: the plan of a client that does not reconnect.
        request: an order, an amend, a cancel or a mass cancel.
        wait_for_reports: whether to wait `FOLLOW_UP_SECONDS` seconds for further reports after the answer.
        never_rests: whether the order cannot stay open.

    Raises:
        KalshiFixError: nothing was sent.
        KeyboardInterrupt: nothing was sent.
    """
    outcome = Outcome(request, never_rests=never_rests)
    client, may_have_been_sent = Client(plan), False
    try:
        with client:
            # Set before `send`, because an interrupt may occur after the bytes were sent. A KalshiFixError
            # from `send` means that they were not sent.
            may_have_been_sent = True
            try:
                client.send(request, timeout=plan.timeout)
            except KalshiFixError:
                may_have_been_sent = False
                raise
            _listen(client, outcome, plan.timeout, lambda: outcome.is_answered)
            if not outcome.is_answered:
                outcome.reason = outcome.reason or f"no answer within {plan.timeout:g} seconds"
            elif wait_for_reports:
                _listen(client, outcome, FOLLOW_UP_SECONDS, lambda: False)
    except (KalshiFixError, KeyboardInterrupt) as error:
        if not may_have_been_sent:
            raise
        interrupted = isinstance(error, KeyboardInterrupt)
        outcome.record_failure("interrupted before the answer" if interrupted else str(error))
    # Process messages that the venue sent before it answered the Logout.
    for event in client.events():
        outcome.apply(event)
    return outcome


def _listen(client: Client, outcome: Outcome, seconds: float, is_enough: Callable[[], bool]) -> None:
    """Process events until `is_enough` returns True, for at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_enough():
        try:
            outcome.apply(client.receive(max(0.0, deadline - time.monotonic())))
        except ClientTimeoutError:
            return
