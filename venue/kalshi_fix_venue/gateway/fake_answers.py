"""Fake answers that faults inject: refusals of requests that the exchange never received, or has in fact
executed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from kalshi_fix_sansio import (
    TEXTS,
    BusinessRejectReason,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelRequest,
    OrdRejReason,
    OrdStatus,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import MARGIN, Exchange, RefusalCause, RejectCause
from kalshi_fix_venue.gateway import reports
from kalshi_fix_venue.gateway.logins import Delivery, Login
from kalshi_fix_venue.gateway.order_entry import OrderEntry
from kalshi_fix_venue.gateway.refusals import business_reject


class FakeAnswers:
    """Creates the fake answers of one product's gateway."""

    def __init__(self, exchange: Exchange, orders: OrderEntry, new_id: Callable[[], str]) -> None:
        """Imitate the answers of an exchange; `new_id` generates the ids of fictitious orders."""
        self._exchange = exchange
        self._orders = orders
        self._new_id = new_id

    def refusal(
        self, message: Message, text: str, login: Login, now: datetime, *, broadcast: bool = True
    ) -> list[Delivery]:
        """Refuse a request with the message that the venue uses for requests of its type.

        Refusals of orders, cancels and amends have this Text and the code that Kalshi documents for it.
        The report of a refused mass cancel has no Text. Other requests get a BusinessMessageReject with the
        Text and the code OTHER.

        With `broadcast`, listeners also receive the report of a refused order. Without it only the sender
        does, as if the gateway could not reach the exchange.
        """
        if isinstance(message, NewOrderSingle):
            return self._order_refusal(message, text, login, now, broadcast=broadcast)
        if isinstance(message, OrderCancelRequest | OrderCancelReplaceRequest):
            order = self._exchange.find(login.owner, message.orig_cl_ord_id)
            refusal = reports.cancel_reject(message, RefusalCause.INVALID_ORDER, order)
            meaning = TEXTS.get((OrderCancelReject.MSG_TYPE, text))
            refusal.cxl_rej_reason = CxlRejReason.OTHER if meaning is None else meaning.code
            refusal.text = text
            return [(login, refusal)]
        if isinstance(message, OrderMassCancelRequest):
            return [(login, self._orders.mass_cancel_report(message, refused=True))]
        return [(login, business_reject(message, BusinessRejectReason.OTHER, text))]

    def _order_refusal(
        self, message: NewOrderSingle, text: str, login: Login, now: datetime, *, broadcast: bool
    ) -> list[Delivery]:
        exec_id = self._exchange.next_exec_id()
        deliveries = self._orders.report_refusal(
            message, self._new_id(), exec_id, RejectCause.INVALID_ORDER, login, now
        )
        meaning = TEXTS.get((ExecutionReport.MSG_TYPE, text))
        for _, answer in deliveries:
            report = cast("ExecutionReport", answer)
            report.text = text
            report.ord_rej_reason = OrdRejReason.OTHER
            if meaning is not None and meaning.attribute == "ord_rej_reason":
                report.ord_rej_reason = meaning.code
                # Kalshi's page on margin documents a different code for STALE_ORDER.
                if meaning.code == OrdRejReason.STALE_ORDER and self._exchange.product == MARGIN:
                    report.ord_rej_reason = OrdRejReason.STALE_ORDER_MARGIN
            elif meaning is not None and meaning.attribute == "exec_type":
                # The Text belongs to an order that was accepted, but cancelled before any fill.
                report.ord_rej_reason = None
                report.exec_type, report.ord_status = ExecType.CANCELED, OrdStatus.CANCELED
        return [(to_login, answer) for to_login, answer in deliveries if broadcast or to_login is login]


def without_answer(deliveries: list[Delivery], message: Message, login: Login) -> list[Delivery]:
    """Return the deliveries except those that report the outcome of a request to the login that sent it."""
    cl_ord_id = getattr(message, "cl_ord_id", None)
    return [
        (to_login, answer)
        for to_login, answer in deliveries
        if to_login is not login or getattr(answer, "cl_ord_id", None) != cl_ord_id
    ]
