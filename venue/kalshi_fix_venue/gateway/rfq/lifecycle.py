"""The lifecycle of a request: acceptance, confirmation, execution, and every way in which it can end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from typing import Any

import attrs

from kalshi_fix_sansio import (
    NewOrderSingle,
    OrdType,
    QuoteStatus,
    RFQCancelStatusCode,
    Side,
)
from kalshi_fix_venue.exchange import (
    CancelCause,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
    TradeQuote,
)
from kalshi_fix_venue.exchange.outcomes import OrderCanceled, OrderRejected
from kalshi_fix_venue.exchange.terms import opposite
from kalshi_fix_venue.gateway.clearing import parties
from kalshi_fix_venue.gateway.logins import Delivery, Login, Result
from kalshi_fix_venue.gateway.order_commands import SELF_TRADE_PREVENTIONS
from kalshi_fix_venue.gateway.order_entry import OrderEntry
from kalshi_fix_venue.gateway.rfq import messages, texts
from kalshi_fix_venue.gateway.rfq.book import Acceptance, Quote, QuoteState, Rfq, RfqState
from kalshi_fix_venue.gateway.rfq.context import RfqContext
from kalshi_fix_venue.gateway.units import price_to_wire


@attrs.define(eq=False)
class Lifecycle:
    """Advances requests. Its methods return the messages to deliver."""

    _context: RfqContext
    _orders: OrderEntry
    """Writes the reports of orders."""

    def open(self, rfq: Rfq) -> None:
        """Open a new request for quotes."""
        self._context.book.add(rfq)
        self._start_lifetime(rfq)

    def accept(self, acceptance: Acceptance, now: datetime) -> list[Delivery]:
        """Request the confirmation of a quote from its maker."""
        quote, rfq = acceptance.quote, acceptance.quote.rfq
        # From now on the quote survives its maker's session, because the creator relies on it.
        rfq.state, rfq.acceptance = RfqState.ACCEPTED, acceptance
        self._context.book.accept_quote(quote)
        window = self._context.windows(rfq).confirmation
        self._set_timer(rfq, now, window, lambda _: (self._void_acceptance(rfq), ()))
        return [(quote.maker, messages.quote_status(quote, QuoteStatus.ACCEPTED, acceptance))]

    def confirm(self, acceptance: Acceptance, now: datetime) -> list[Delivery]:
        """Schedule the orders of an acceptance and end the other quotes."""
        quote, rfq = acceptance.quote, acceptance.quote.rfq
        # Neither side can withdraw any more, and the orders enter the book only when the execution timer ends
        # (rfq_execution in spec/kalshi/limits.yaml).
        rfq.state, quote.state = RfqState.CONFIRMED, QuoteState.CONFIRMED
        self._set_timer(rfq, now, self._context.windows(rfq).execution, partial(self._execute, acceptance))
        return self._cancel_quotes(rfq, kept_quote=quote)

    def cancel_quote(self, quote: Quote) -> list[Delivery]:
        """Cancel a quote, and notify its maker, but not the creator of its RFQ. Cancelling an accepted quote
        voids the acceptance, so the RFQ then reopens, or expires (see `expire`).
        """
        if quote.state is QuoteState.ACCEPTED:
            return self._void_acceptance(quote.rfq)
        return [self._end_quote(quote)]

    def expire(self, rfq: Rfq) -> list[Delivery]:
        """Close a request on behalf of the exchange, and notify its creator and its makers."""
        notice = messages.request_end_status(rfq.client_id, RFQCancelStatusCode.EXPIRED, rfq.rfq_id)
        return [(rfq.creator, notice), *self.close(rfq, texts.RFQ_EXPIRED)]

    def close(self, rfq: Rfq, text: str, *, kept_quote: Quote | None = None) -> list[Delivery]:
        """Close a request permanently: cancel its quotes and notify its makers. The quote `kept_quote` is not
        cancelled, and its maker is not notified."""
        # The request is closed in the book last, because that removes its makers, who must be notified first.
        self._context.timers.cancel(rfq.timer)
        deliveries = self._cancel_quotes(rfq, kept_quote=kept_quote)
        if self._context.exchange.assumptions.makers_are_notified_of_closed_rfqs:
            notice = messages.request_end_notice(rfq, text)
            deliveries += [
                (maker, notice) for maker in rfq.makers if kept_quote is None or maker is not kept_quote.maker
            ]
        self._context.book.close(rfq)
        return deliveries

    def _start_lifetime(self, rfq: Rfq) -> None:
        lifetime = self._context.settings.lifetime
        if lifetime is not None:
            self._set_timer(rfq, rfq.created, lifetime, lambda _: (self.expire(rfq), ()))

    def _void_acceptance(self, rfq: Rfq) -> list[Delivery]:
        """End an unconfirmed acceptance."""
        acceptance, rfq.acceptance = rfq.acceptance, None
        deliveries: list[Delivery] = [] if acceptance is None else [self._end_quote(acceptance.quote)]
        if self._context.exchange.assumptions.unconfirmed_acceptance_closes_rfq:
            return deliveries + self.expire(rfq)
        rfq.state = RfqState.OPEN
        self._context.timers.cancel(rfq.timer)
        self._start_lifetime(rfq)
        return deliveries

    def _execute(self, acceptance: Acceptance, now: datetime) -> Result:
        quote, rfq = acceptance.quote, acceptance.quote.rfq
        command = TradeQuote(
            maker=maker_order(acceptance, self._context.new_id()),
            maker_rests=quote.rest_remainder,
            creator=creator_order(acceptance),
        )
        # Each of the two orders may be refused or cancelled independently: the state may have changed since
        # the checks.
        outcomes = self._context.exchange.apply(command, now)
        deliveries: list[Delivery] = []
        for outcome in outcomes:
            if isinstance(outcome, OrderRejected):
                login = quote.maker if outcome.request is command.maker else acceptance.login
                deliveries += self._refusal_reports(outcome, login, now)
            elif isinstance(outcome, OrderCanceled) and _is_post_only_cross(outcome, command):
                self._context.record_cross(quote.account.owner, now)
        self._context.book.end_quote(quote, QuoteState.EXECUTED)
        deliveries += self._orders.distribute(outcomes)
        return deliveries + self.close(rfq, texts.RFQ_EXECUTED, kept_quote=quote), outcomes

    def _refusal_reports(self, outcome: OrderRejected, login: Login, now: datetime) -> list[Delivery]:
        """Return the reports of a refused order from a quote. A report repeats fields of the message that
        placed the order. No message placed this order, so one is built here."""
        request = outcome.request
        order = NewOrderSingle(
            cl_ord_id=request.cl_ord_id,
            order_qty=request.quantity,
            ord_type=OrdType.LIMIT,
            price=price_to_wire(request.price, dollars=login.flags.use_dollars),
            side=request.side,
            symbol=request.market,
            alloc_account=request.account.subaccount or None,
            party_ids=parties(request.account.customer, None),
        )
        return self._orders.report_refusal(
            order, request.order_id, outcome.exec_id, outcome.cause, login, now
        )

    def _cancel_quotes(self, rfq: Rfq, *, kept_quote: Quote | None) -> list[Delivery]:
        # A copy: ending a quote removes it from `open_quotes`.
        open_quotes = tuple(rfq.open_quotes.values())
        return [self._end_quote(quote) for quote in open_quotes if quote is not kept_quote]

    def _end_quote(self, quote: Quote) -> Delivery:
        self._context.book.end_quote(quote, QuoteState.CANCELED)
        return quote.maker, messages.quote_status(quote, QuoteStatus.CANCELED)

    def _set_timer(
        self, rfq: Rfq, start: datetime, seconds: float, action: Callable[[datetime], Result]
    ) -> None:
        # Each request has one timer: the timer of the previous state is cancelled.
        self._context.timers.cancel(rfq.timer)
        rfq.timer = self._context.timers.schedule(start + timedelta(seconds=seconds), action)


def _is_post_only_cross(outcome: OrderCanceled, command: TradeQuote) -> bool:
    """Return whether the order of a post-only quote was cancelled because it would have taken liquidity."""
    return outcome.cause is CancelCause.POST_ONLY_CROSS and outcome.order.order_id == command.maker.order_id


def quote_order(
    quote: Quote, side: Side, price: Decimal, quantity: Decimal, order_id: str = ""
) -> PlaceOrder:
    """Return the order for the maker's side of a trade in which the creator is on `side`."""
    return PlaceOrder(
        order_id=order_id,
        cl_ord_id=maker_cl_ord_id(quote),
        account=quote.account,
        origin=quote.maker.origin,
        market=quote.rfq.market,
        side=opposite(side),
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        post_only=quote.post_only,
        from_quote=True,
    )


def maker_order(acceptance: Acceptance, order_id: str = "") -> PlaceOrder:
    """Return the order for the maker's side. With RestRemainder it is for the whole quote."""
    quote = acceptance.quote
    size = quote.size(acceptance.side) or acceptance.quantity
    quantity = size if quote.rest_remainder else acceptance.quantity
    return quote_order(quote, acceptance.side, acceptance.price, quantity, order_id)


def creator_order(acceptance: Acceptance) -> PlaceOrder:
    """Return the order for the creator's side. With RestRemainder it is for the whole request."""
    rfq, order = acceptance.quote.rfq, acceptance.order
    size = acceptance.quote.size(acceptance.side) or acceptance.quantity
    order_options: dict[str, Any] = {}
    if order is not None:
        prevention = SELF_TRADE_PREVENTIONS.get(order.self_trade_prevention_type)
        order_options = {
            "self_trade_prevention": prevention or SelfTradePrevention.TAKER_AT_CROSS,
            "cancel_on_pause": order.cancel_order_on_pause is True,
            "max_execution_cost": order.max_execution_cost,
            "group": order.secondary_cl_ord_id or order.order_group_id,
        }
    return PlaceOrder(
        order_id=acceptance.order_id,
        cl_ord_id=acceptance.cl_ord_id,
        account=rfq.account,
        origin=acceptance.login.origin,
        market=rfq.market,
        side=acceptance.side,
        quantity=size if rfq.rest_remainder else acceptance.quantity,
        price=acceptance.price,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL if rfq.rest_remainder else TimeInForce.IMMEDIATE_OR_CANCEL,
        **order_options,
    )


def maker_cl_ord_id(quote: Quote) -> str:
    """Return the ClOrdID of the maker's order, in the format that Kalshi's changelog documents."""
    return f"quote:{_hash(quote.rfq.rfq_id)}:{quote.quote_id}"


def creator_cl_ord_id(quote: Quote) -> str:
    """Return the ClOrdID of the creator's order if the AcceptQuote has none."""
    return f"rfq:{_hash(quote.rfq.rfq_id)}:{quote.quote_id}"


def _hash(rfq_id: str) -> str:
    return sha256(rfq_id.encode()).hexdigest()[:8]
