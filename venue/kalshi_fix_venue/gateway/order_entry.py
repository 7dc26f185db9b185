"""Order entry: executes new orders (D), amends (G), cancels (F) and mass cancels (q) on the exchange, and
distributes the reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from kalshi_fix_sansio import (
    BusinessRejectReason,
    MassCancelRequestType,
    MassCancelResponse,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
)
from kalshi_fix_venue.exchange import (
    AccountId,
    AmendOrder,
    CancelAll,
    CancelCause,
    Exchange,
    ExecId,
    RefusalCause,
    RejectCause,
)
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import (
    MassCancelAnswered,
    OrderOutcome,
    OrderRejected,
    OrderTraded,
    Outcome,
    RequestRefused,
)
from kalshi_fix_venue.gateway import reports
from kalshi_fix_venue.gateway.clearing import ChangeMessage
from kalshi_fix_venue.gateway.logins import Delivery, Handlers, Login, Logins, Result
from kalshi_fix_venue.gateway.order_commands import change_order_command, place_order_command, shard_of
from kalshi_fix_venue.gateway.refusals import business_reject
from kalshi_fix_venue.gateway.texts import CAUSES_WITHOUT_TEXT

SESSION_TYPES = ("KalshiNR", "KalshiRT")
_MASS_CANCEL_REJECT_REASON = 99
"""MassCancelRejectReason (532) of a refused mass cancel: Other in FIX; Kalshi documents no values."""


class OrderEntry:
    """The order entry gateway of one product."""

    def __init__(self, exchange: Exchange, logins: Logins, new_id: Callable[[], str]) -> None:
        """Serve an exchange; `new_id` generates the ids of orders and mass cancels."""
        self._exchange = exchange
        self._logins = logins
        self._new_id = new_id
        self._in_flight: dict[Login, set[str]] = {}
        """Orders with an unanswered amend, by login; only for logins with UseCapReservation."""
        self.accept_quote: Callable[[NewOrderSingle, Login, datetime], Result] = _refuse_quote_order
        """The handler of orders that accept a quote of an RFQ."""

    def handlers(self) -> Handlers:
        """Return the handler of each message class."""
        return {
            NewOrderSingle: self._place,
            OrderCancelRequest: self._change,
            OrderCancelReplaceRequest: self._change,
            OrderMassCancelRequest: self._mass_cancel,
        }

    def record_output_written(self, login: Login) -> None:
        """Record that a login's messages have been written, or never will be, so none of its amends is still
        in flight."""
        self._in_flight.pop(login, None)

    def distribute(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Return the reports of order outcomes for their recipients: the sessions that placed or
        changed the orders, and the listeners of their owners."""
        # The outcomes of a command are collected per login before they are reported. The report of an outcome
        # may depend on the next outcome and on the login's flags (`reports_of`).
        events_by_login: dict[Login, list[OrderOutcome]] = {}
        reports_blocks = self._exchange.assumptions.blocks_are_reported_to_order_sessions
        for outcome in outcomes:
            if isinstance(outcome, OrderOutcome):
                order = outcome.order
                origins = (order.origin, *(() if outcome.request is None else (outcome.request.origin,)))
                if reports_blocks and isinstance(outcome, OrderTraded) and outcome.aggressor is None:
                    origins = self._logins.origins(order.account.owner, SESSION_TYPES)
                for login in self._logins.audience(order.account, origins):
                    events_by_login.setdefault(login, []).append(outcome)
        return [
            (login, report)
            for login, events in events_by_login.items()
            for report in reports.reports_of(events, login.flags)
        ]

    def _place(self, message: NewOrderSingle, login: Login, now: datetime) -> Result:
        if message.quote_id is not None or message.rfq_id is not None:
            return self.accept_quote(message, login, now)
        # Generated for refused orders too, because each report has an OrderID (37).
        order_id = self._new_id()
        shard = shard_of(message, self._exchange)
        command = place_order_command(message, login, order_id, shard, self._exchange)
        if isinstance(command, RejectCause):
            # It never reached the exchange, so no pending report is sent.
            exec_id = self._exchange.next_exec_id(shard)
            return self.report_refusal(message, order_id, exec_id, command, login, now), ()
        deliveries: list[Delivery] = []
        if not login.flags.skip_pending_exec_reports:
            deliveries.append((login, reports.pending_new(message, order_id, login.flags, now)))
        outcomes = self._exchange.apply(command, now)
        for outcome in outcomes:
            if isinstance(outcome, OrderRejected):
                deliveries += self.report_refusal(
                    message, order_id, outcome.exec_id, outcome.cause, login, now
                )
        return deliveries + self.distribute(outcomes), outcomes

    def report_refusal(
        self,
        message: NewOrderSingle,
        order_id: str,
        exec_id: ExecId,
        cause: RejectCause,
        login: Login,
        now: datetime,
    ) -> list[Delivery]:
        """Report a refused new order to its sender and to the listeners of the account."""
        audience = [login]
        if self._exchange.assumptions.listeners_receive_rejects:
            customer = next((party.party_id for party in message.party_ids), "")
            account = AccountId(login.owner, message.alloc_account or 0, customer=customer)
            audience = self._logins.audience(account, (login.origin,))
        return [
            (each, reports.order_reject(message, order_id, exec_id, cause, each.flags, now, login.flags))
            for each in audience
        ]

    def _change(self, message: ChangeMessage, login: Login, now: datetime) -> Result:
        command = change_order_command(message, login, shard_of(message, self._exchange), self._exchange)
        if isinstance(command, RefusalCause):
            return [(login, self._change_refusal(message, command, None))], ()
        deliveries: list[Delivery] = []
        # Looked up before the command is executed: afterwards the order has a different ClOrdID, or has
        # ended.
        order = self._exchange.find(command.account.owner, command.orig_cl_ord_id)
        # With UseCapReservation an order has at most one amend in flight. It is in flight until its answer
        # has been written.
        if command.reserves_cap and isinstance(command, AmendOrder) and order is not None:
            in_flight = self._in_flight.setdefault(login, set())
            if order.order_id in in_flight:
                refusal = reports.cancel_reject(message, RefusalCause.ORDER_AMEND_IN_PROGRESS, order)
                return [(login, refusal)], ()
            in_flight.add(order.order_id)
        if order is not None and not login.flags.skip_pending_exec_reports:
            deliveries.append((login, reports.pending_change(message, order, login.flags, now)))
        outcomes = self._exchange.apply(command, now)
        deliveries.extend(
            (login, self._change_refusal(message, outcome.cause, outcome.order))
            for outcome in outcomes
            if isinstance(outcome, RequestRefused)
        )
        return deliveries + self.distribute(outcomes), outcomes

    def _change_refusal(
        self, message: ChangeMessage, cause: RefusalCause, order: OrderSnapshot | None
    ) -> OrderCancelReject:
        refusal = reports.cancel_reject(message, cause, order)
        if cause in CAUSES_WITHOUT_TEXT and not self._exchange.assumptions.unknown_orders_have_text:
            refusal.text = None
        return refusal

    def _mass_cancel(self, message: OrderMassCancelRequest, login: Login, now: datetime) -> Result:
        if message.mass_cancel_request_type != MassCancelRequestType.CANCEL_FOR_SESSION:
            return [(login, self.mass_cancel_report(message, refused=True))], ()
        outcomes = self._exchange.apply(CancelAll(origin=login.origin, cause=CancelCause.MASS_CANCELED), now)
        deliveries: list[Delivery] = [
            (login, self.mass_cancel_report(message, refused=outcome.refusal is not None))
            for outcome in outcomes
            if isinstance(outcome, MassCancelAnswered)
        ]
        return deliveries + self.distribute(outcomes), outcomes

    def mass_cancel_report(self, message: OrderMassCancelRequest, *, refused: bool) -> OrderMassCancelReport:
        """Return the report of a mass cancel."""
        cancelled = MassCancelResponse.ALL_ORDERS_CANCELLED
        return OrderMassCancelReport(
            cl_ord_id=message.cl_ord_id,
            order_id=self._new_id(),
            mass_cancel_response=MassCancelResponse.REJECTED if refused else cancelled,
            mass_cancel_reject_reason=_MASS_CANCEL_REJECT_REASON if refused else None,
        )


def _refuse_quote_order(message: NewOrderSingle, login: Login, now: datetime) -> Result:  # noqa: ARG001 - all handlers have the same signature
    return [(login, business_reject(message, BusinessRejectReason.UNKNOWN_ID, "Unknown QuoteID"))], ()
