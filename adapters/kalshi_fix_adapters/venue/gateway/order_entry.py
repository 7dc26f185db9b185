"""Order entry: what D, G, F and q do at the exchange, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from kalshi_fix_adapters.venue.exchange import (
    AmendOrder,
    CancelAll,
    CancelCause,
    CancelOrder,
    Exchange,
    RefusalCause,
    RejectCause,
)
from kalshi_fix_adapters.venue.exchange.outcomes import (
    MassCancelDone,
    MassCancelRefused,
    OrderAccepted,
    OrderCanceled,
    OrderOutcome,
    OrderRejected,
    OrderReplaced,
    OrderTraded,
    Outcome,
    RequestRefused,
)
from kalshi_fix_adapters.venue.gateway import reports
from kalshi_fix_adapters.venue.gateway.refusals import business_reject, not_authorized, unsupported
from kalshi_fix_adapters.venue.gateway.requests import amend_order, cancel_order, place_order
from kalshi_fix_adapters.venue.gateway.seats import Delivery, Seat, Seats
from kalshi_fix_sansio import (
    BusinessRejectReason,
    MassCancelRequestType,
    MassCancelResponse,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
)
from kalshi_fix_sansio.base import Message

SESSION_TYPES = ("KalshiNR", "KalshiRT")

Result = tuple[list[Delivery], Sequence[Outcome]]
"""What is to be delivered, in order, and what happened at the exchange (for market data)."""


class OrderEntry:
    """The order entry gateway of one product."""

    def __init__(self, exchange: Exchange, seats: Seats, new_id: Callable[[], str]) -> None:
        """Stand before an exchange; `new_id` draws the ids of orders and mass cancels."""
        self._exchange = exchange
        self._seats = seats
        self._new_id = new_id

    def handle(self, message: Message, seat: Seat, now: datetime) -> Result:
        """Take an application message of an order entry session."""
        if seat.flags.listener:
            return [(seat, not_authorized(message, "Listener sessions are read-only"))], ()
        if not seat.may_write:
            return [(seat, not_authorized(message, "The API key has no write scope"))], ()
        match message:
            case NewOrderSingle():
                return self._place(message, seat, now)
            case OrderCancelRequest() | OrderCancelReplaceRequest():
                return self._change(message, seat, now)
            case OrderMassCancelRequest():
                return self._mass_cancel(message, seat, now)
            case _:
                return [(seat, unsupported(message))], ()

    def distribute(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Report what happened to orders to everyone concerned: the sessions that placed or
        changed them, and the listeners of their owners."""
        mine: dict[Seat, list[OrderOutcome]] = {}
        for outcome in outcomes:
            if isinstance(outcome, OrderAccepted | OrderTraded | OrderCanceled | OrderReplaced):
                requester = getattr(outcome, "requester", None)
                order = outcome.order
                for seat in self._seats.audience(order.account.owner, (order.origin, requester)):
                    mine.setdefault(seat, []).append(outcome)
        return [
            (seat, report)
            for seat, events in mine.items()
            for report in reports.reports_of(events, seat.flags)
        ]

    def _place(self, message: NewOrderSingle, seat: Seat, now: datetime) -> Result:
        if message.quote_id is not None or message.rfq_id is not None:
            # There are no RFQs here, so no quote has this id.
            refusal = business_reject(message, BusinessRejectReason.UNKNOWN_ID, "Unknown QuoteID")
            return [(seat, refusal)], ()
        order_id = self._new_id()
        command = place_order(message, seat, order_id)
        if isinstance(command, RejectCause):
            exec_id = str(self._exchange.draw_exec_id())
            report = reports.rejected(message, order_id, exec_id, command, seat.flags, now)
            return [(seat, report)], ()
        deliveries: list[Delivery] = []
        if not seat.flags.skip_pending:
            deliveries.append((seat, reports.pending_new(message, order_id, seat.flags, now)))
        outcomes = self._exchange.apply(command, now)
        for outcome in outcomes:
            if isinstance(outcome, OrderRejected):
                exec_id = str(outcome.exec_id)
                report = reports.rejected(message, order_id, exec_id, outcome.cause, seat.flags, now)
                deliveries.append((seat, report))
        return deliveries + self.distribute(outcomes), outcomes

    def _change(
        self, message: OrderCancelRequest | OrderCancelReplaceRequest, seat: Seat, now: datetime
    ) -> Result:
        command: CancelOrder | AmendOrder | RefusalCause
        if isinstance(message, OrderCancelRequest):
            command = cancel_order(message, seat)
        else:
            command = amend_order(message, seat)
        if isinstance(command, RefusalCause):
            return [(seat, reports.refused(message, command, None))], ()
        deliveries: list[Delivery] = []
        order = self._exchange.find(command.account.owner, command.orig_cl_ord_id)
        if order is not None and not seat.flags.skip_pending:
            deliveries.append((seat, reports.pending_change(message, order, seat.flags, now)))
        outcomes = self._exchange.apply(command, now)
        deliveries.extend(
            (seat, reports.refused(message, outcome.cause, outcome.order))
            for outcome in outcomes
            if isinstance(outcome, RequestRefused)
        )
        return deliveries + self.distribute(outcomes), outcomes

    def _mass_cancel(self, message: OrderMassCancelRequest, seat: Seat, now: datetime) -> Result:
        if message.mass_cancel_request_type != MassCancelRequestType.CANCEL_FOR_SESSION:
            return [(seat, self._mass_cancel_report(message, MassCancelResponse.REJECTED))], ()
        outcomes = self._exchange.apply(CancelAll(origin=seat.origin, cause=CancelCause.MASS_CANCELED), now)
        deliveries: list[Delivery] = []
        for outcome in outcomes:
            if isinstance(outcome, MassCancelDone):
                response = MassCancelResponse.ALL_ORDERS_CANCELLED
            elif isinstance(outcome, MassCancelRefused):
                response = MassCancelResponse.REJECTED
            else:
                continue
            deliveries.append((seat, self._mass_cancel_report(message, response)))
        return deliveries + self.distribute(outcomes), outcomes

    def _mass_cancel_report(
        self, message: OrderMassCancelRequest, response: MassCancelResponse
    ) -> OrderMassCancelReport:
        return OrderMassCancelReport(
            cl_ord_id=message.cl_ord_id, order_id=self._new_id(), mass_cancel_response=response
        )
