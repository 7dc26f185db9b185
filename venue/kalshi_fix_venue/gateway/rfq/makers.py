"""Messages from makers on KalshiRFQ: Quote (S), QuoteCancel (Z), QuoteConfirm (U7)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import ExecInst, QuoteCancel, QuoteConfirm, QuoteStatus, Side
from kalshi_fix_sansio import Quote as QuoteMessage
from kalshi_fix_venue.exchange import PauseState, PlaceOrder
from kalshi_fix_venue.exchange.terms import opposite
from kalshi_fix_venue.gateway.logins import Delivery, Login, Result
from kalshi_fix_venue.gateway.refusals import rate_limit_reject
from kalshi_fix_venue.gateway.rfq import messages, texts
from kalshi_fix_venue.gateway.rfq.book import ONE, Quote, QuoteState, Rfq, RfqState
from kalshi_fix_venue.gateway.rfq.context import RfqContext, truncate_to_milliseconds
from kalshi_fix_venue.gateway.rfq.lifecycle import Lifecycle, maker_cl_ord_id, maker_order
from kalshi_fix_venue.gateway.units import order_price_from_wire

ZERO = Decimal(0)


@attrs.define(eq=False)
class Makers:
    """The makers' side."""

    _context: RfqContext
    _lifecycle: Lifecycle

    def quote(self, message: QuoteMessage, login: Login, now: datetime) -> Result:
        """Accept a quote, which replaces the previous quote of the maker's account on the request."""
        if message.exec_inst == ExecInst.POST_ONLY and self._context.crosses_too_often(login.owner, now):
            return [(login, rate_limit_reject(message))], ()
        quote = self._quote(message, login, now)
        if isinstance(quote, str):
            return [(login, messages.quote_refusal(message, quote))], ()
        rfq = quote.rfq
        deliveries: list[Delivery] = []
        # An account has at most one quote on a request, so the old quote must be cancelled before the new one
        # is added.
        for old in self._quotes_to_replace(quote):
            deliveries += self._lifecycle.cancel_quote(old)
        self._context.book.add_quote(quote)
        deliveries.append((login, messages.quote_status(quote, QuoteStatus.PENDING)))
        public_id = self._context.public_id(quote.account.owner)
        deliveries.append((rfq.creator, messages.quote_to_creator(quote, public_id)))
        return deliveries, ()

    def cancel(self, message: QuoteCancel, login: Login, now: datetime) -> Result:  # noqa: ARG002 like all handlers
        """Cancel a quote, unless it is confirmed."""
        quote = self._find(login, message.quote_id, message.rfq_id)
        text = self._cancel_refusal(quote)
        deliveries: list[Delivery] = [(login, messages.cancel_answer(message.quote_id, text))]
        if text is None and quote is not None:
            deliveries += self._lifecycle.cancel_quote(quote)
        return deliveries, ()

    def confirm(self, message: QuoteConfirm, login: Login, now: datetime) -> Result:
        """Handle the confirmation of an accepted quote."""
        quote = self._find(login, message.quote_id, message.rfq_id)
        acceptance = None if quote is None else quote.rfq.acceptance
        text = self._confirm_refusal(quote)
        deliveries: list[Delivery] = [(login, messages.confirm_answer(message.quote_id, text))]
        if text is None and acceptance is not None:
            deliveries += self._lifecycle.confirm(acceptance, now)
        return deliveries, ()

    def end_session(self, login: Login) -> None:
        """Cancel the open quotes of a session that has ended; accepted and confirmed ones stay."""
        if self._context.exchange.assumptions.quotes_end_with_session:
            for quote in self._context.book.open_quotes_of(login):
                self._context.book.end_quote(quote, QuoteState.CANCELED)

    def _quote(self, message: QuoteMessage, login: Login, now: datetime) -> Quote | str:
        """Return the quote, or the Text of its refusal."""
        exchange = self._context.exchange
        if exchange.pause is not PauseState.OPEN:
            return exchange.pause.name
        rfq = self._context.book.get(message.quote_req_id)
        if rfq is None:
            return texts.RFQ_NOT_FOUND
        if rfq.state is not RfqState.OPEN:
            return texts.RFQ_CLOSED
        if not login.may_act_for(message.alloc_account):
            return texts.WRONG_SUBACCOUNT
        account = login.account(message.alloc_account, rfq.account.shard)
        if not exchange.has_account(account):
            return texts.ACCOUNT_NOT_FOUND
        if rfq.account.owner == login.owner:
            return texts.OWN_RFQ
        # The session has refused invalid prices; 0 means no price on that side.
        dollars = login.flags.use_dollars
        bid, offer = (
            order_price_from_wire(value or ZERO, dollars=dollars)
            for value in (message.bid_px, message.offer_px)
        )
        if (
            message.symbol != rfq.market
            or message.exec_inst not in (None, ExecInst.POST_ONLY)
            or not self._has_valid_prices(rfq, bid, offer)
        ):
            return texts.INVALID_PARAMETERS
        # The creator accepts by QuoteID, which must therefore be unique on the request across makers.
        if self._context.book.quote_of_maker(login.owner, message.quote_id) or message.quote_id in rfq.quotes:
            return texts.QUOTE_ALREADY_EXISTS
        # A replacement does not increase the number of quotes.
        if account not in rfq.open_quotes and self._context.book.is_full(rfq):
            return texts.TOO_MANY_QUOTES
        quote = Quote(
            quote_id=message.quote_id,
            rfq=rfq,
            maker=login,
            account=account,
            bid=bid or None,
            offer=offer or None,
            bid_size=None,
            offer_size=None,
            post_only=message.exec_inst is not None,
            rest_remainder=message.rest_remainder is True,
            created=truncate_to_milliseconds(now),
        )
        return self._set_sizes(quote) or quote

    def _set_sizes(self, quote: Quote) -> str | None:
        """Set the sizes of a quote, or return the Text of its refusal."""
        for side in Side:
            price = quote.price(side)
            if price is None:
                continue
            size = self._context.size(quote.rfq, side, price)
            if side is Side.SELL:
                quote.bid_size = size
            else:
                quote.offer_size = size
            if not size:
                return texts.INVALID_PARAMETERS
            refusal = self._context.exchange.order_refusal(_order(quote, side, price, size))
            if refusal is not None:
                return refusal.value
        return None

    def _has_valid_prices(self, rfq: Rfq, bid: Decimal, offer: Decimal) -> bool:
        """Return whether the prices of a quote are valid on the request's market."""
        if not (bid or offer) or bid + offer > ONE:
            return False
        rules = self._context.rules(rfq.market)
        return all(not price or rules.accepts_price(price) for price in (bid, ONE - offer if offer else ZERO))

    def _quotes_to_replace(self, quote: Quote) -> list[Quote]:
        """Return the quotes that a new one replaces."""
        rfqs: tuple[Rfq, ...] = (quote.rfq,)
        if self._context.exchange.assumptions.one_quote_per_market:
            rfqs = self._context.book.open_rfqs_on(quote.rfq.market)
        found = (rfq.open_quotes.get(quote.account) for rfq in rfqs)
        return [old for old in found if old is not None and old.state is QuoteState.OPEN]

    def _find(self, login: Login, quote_id: str, rfq_id: str | None) -> Quote | None:
        """Return this maker's quote with these ids."""
        quote = self._context.book.quote_of_maker(login.owner, quote_id)
        if quote is None or rfq_id not in (None, quote.rfq.rfq_id):
            return None
        return quote if login.restricted_to in (None, quote.account.subaccount) else None

    def _cancel_refusal(self, quote: Quote | None) -> str | None:
        # Like cancels of orders, cancels of quotes are allowed during a trading pause.
        if self._context.exchange.pause is PauseState.EXCHANGE_PAUSED:
            return PauseState.EXCHANGE_PAUSED.name
        if quote is None:
            return texts.QUOTE_NOT_FOUND
        if quote.state is QuoteState.CONFIRMED:
            return texts.QUOTE_ALREADY_CONFIRMED
        if quote.state not in (QuoteState.OPEN, QuoteState.ACCEPTED):
            return texts.QUOTE_EXPIRED
        return None

    def _confirm_refusal(self, quote: Quote | None) -> str | None:
        if self._context.exchange.pause is not PauseState.OPEN:
            return self._context.exchange.pause.name
        if quote is None:
            return texts.QUOTE_NOT_FOUND
        if quote.state is QuoteState.OPEN:
            return texts.QUOTE_NOT_ACCEPTED
        if quote.state is QuoteState.CONFIRMED:
            return texts.QUOTE_ALREADY_CONFIRMED
        acceptance = quote.rfq.acceptance
        if quote.state is not QuoteState.ACCEPTED or acceptance is None:
            return texts.QUOTE_EXPIRED
        # Checked again at the confirmation: a maker that can no longer pay cannot confirm.
        refusal = self._context.exchange.order_refusal(maker_order(acceptance, order_id=""))
        return None if refusal is None else refusal.value


def _order(quote: Quote, side: Side, price: Decimal, size: Decimal) -> PlaceOrder:
    """Return the order that the maker would place if the creator traded on this side."""
    return PlaceOrder(
        order_id="",
        cl_ord_id=maker_cl_ord_id(quote),
        account=quote.account,
        origin=quote.maker.origin,
        market=quote.rfq.market,
        side=opposite(side),
        quantity=size,
        price=price,
    )
