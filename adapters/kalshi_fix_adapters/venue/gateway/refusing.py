"""Answers that a fault makes up: refusals of requests that the exchange never heard of, or has carried
out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kalshi_fix_adapters.venue.exchange import Exchange, RefusalCause, RejectCause
from kalshi_fix_adapters.venue.gateway import reports
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Login
from kalshi_fix_adapters.venue.gateway.refusals import business_reject
from kalshi_fix_sansio import (
    TEXTS,
    BusinessRejectReason,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    MassCancelResponse,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    OrdRejReason,
    OrdStatus,
)
from kalshi_fix_sansio.base import Message

RATE_LIMIT_EXCEEDED = "Rate limit exceeded"
"""Text (58) of the j for what is over the rate limit (380=8); the documents name the code alone."""


class MadeUp:
    """Makes the answers of one product's gateway up."""

    def __init__(self, exchange: Exchange, new_id: Callable[[], str]) -> None:
        """Make up what looks like this exchange's; `new_id` draws the ids of orders that never were."""
        self._exchange = exchange
        self._new_id = new_id

    def refusal(self, message: Message, text: str, login: Login, now: datetime) -> Message:
        """Refuse a request with a Text, and with the code that the venue's documents pair it with."""
        if isinstance(message, NewOrderSingle):
            return self._order_refusal(message, text, login, now)
        if isinstance(message, OrderCancelRequest | OrderCancelReplaceRequest):
            order = self._exchange.find(login.owner, message.orig_cl_ord_id)
            refusal = reports.refused(message, RefusalCause.INVALID_ORDER, order)
            known = TEXTS.get((OrderCancelReject.MSG_TYPE, text))
            refusal.cxl_rej_reason = CxlRejReason.OTHER if known is None else known.code
            refusal.text = text
            return refusal
        if isinstance(message, OrderMassCancelRequest):
            return OrderMassCancelReport(
                cl_ord_id=message.cl_ord_id,
                order_id=self._new_id(),
                mass_cancel_response=MassCancelResponse.REJECTED,
            )
        return business_reject(message, BusinessRejectReason.OTHER, text)

    def _order_refusal(
        self, message: NewOrderSingle, text: str, login: Login, now: datetime
    ) -> ExecutionReport:
        exec_id = self._exchange.draw_exec_id()
        report = reports.rejected(
            message, self._new_id(), exec_id, RejectCause.INVALID_ORDER, login.flags, now
        )
        report.text = text
        known = TEXTS.get((ExecutionReport.MSG_TYPE, text))
        report.ord_rej_reason = OrdRejReason.OTHER
        if known is not None and known.attribute == "ord_rej_reason":
            report.ord_rej_reason = known.code
        elif known is not None and known.attribute == "exec_type":
            # Texts of orders that were taken, and cancelled before anything of them traded.
            report.ord_rej_reason = None
            report.exec_type, report.ord_status = ExecType.CANCELED, OrdStatus.CANCELED
        return report


def over_the_limit(message: Message) -> Message:
    """Refuse what is over the rate limit."""
    return business_reject(message, BusinessRejectReason.RATE_LIMIT_EXCEEDED, RATE_LIMIT_EXCEEDED)


def untold(deliveries: list[Delivery], message: Message, login: Login) -> list[Delivery]:
    """Return what is left when a login is not told what came of a request of its own."""
    mine = getattr(message, "cl_ord_id", None)
    return [
        (to, answer)
        for to, answer in deliveries
        if to is not login or getattr(answer, "cl_ord_id", None) != mine
    ]
