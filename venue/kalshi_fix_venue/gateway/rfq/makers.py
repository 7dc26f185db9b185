"""Messages from makers on KalshiRFQ: Quote (S), QuoteCancel (Z), QuoteConfirm (U7)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import ExecInst, QuoteCancel, QuoteConfirm, QuoteStatus, Side
from kalshi_fix_sansio import Quote as QuoteMessage
from kalshi_fix_venue.exchange import PauseState
from kalshi_fix_venue.gateway.logins import Delivery, Login, Result
from kalshi_fix_venue.gateway.refusals import rate_limit_reject
from kalshi_fix_venue.gateway.rfq import messages, texts
from kalshi_fix_venue.gateway.rfq.book import ONE, Quote, QuoteState, Rfq, RfqState
from kalshi_fix_venue.gateway.rfq.context import RfqContext, truncate_to_milliseconds
from kalshi_fix_venue.gateway.rfq.lifecycle import Lifecycle, maker_order, quote_order
from kalshi_fix_venue.gateway.rfq.texts import RefusalError, refuse_if
from kalshi_fix_venue.gateway.units import order_price_from_wire

ZERO = Decimal(0)


@attrs.define(eq=False)
class Makers:
    """The makers' side. Handlers raise RefusalError for messages that they refuse."""

    _context: RfqContext
    _lifecycle: Lifecycle

    def quote(self, message: QuoteMessage, login: Login, now: datetime) -> Result:
        """Add a quote, which replaces the previous quote of the maker's account on the request."""
        if message.exec_inst == ExecInst.POST_ONLY and self._context.crosses_too_often(login.owner, now):
            return [(login, rate_limit_reject(message))], ()
        quote = self._quote(message, login, now)
        deliveries: list[Delivery] = []
        # An account has at most one quote on a request, so the old quote must be cancelled before the new one
        # is added.
        for old in self._quotes_to_replace(quote):
            deliveries += self._lifecycle.cancel_quote(old)
        self._context.book.add_quote(quote)
        deliveries.append((login, messages.quote_status(quote, QuoteStatus.PENDING)))
        public_id = self._context.public_id(quote.account.owner)
        deliveries.append((quote.rfq.creator, messages.quote_to_creator(quote, public_id)))
        return deliveries, ()

    def cancel(self, message: QuoteCancel, login: Login, now: datetime) -> Result:  # noqa: ARG002 - all handlers have the same signature
        """Cancel a quote, unless it is confirmed."""
        # Like cancels of orders, cancels of quotes are allowed during a trading pause.
        self._context.check_pause(PauseState.OPEN, PauseState.TRADING_PAUSED)
        quote = self._find(message, login)
        if quote.state not in (QuoteState.OPEN, QuoteState.ACCEPTED):
            raise RefusalError(texts.QUOTE_EXPIRED)
        return [(login, messages.cancel_answer(message)), *self._lifecycle.cancel_quote(quote)], ()

    def confirm(self, message: QuoteConfirm, login: Login, now: datetime) -> Result:
        """Handle the confirmation of an accepted quote."""
        self._context.check_pause(PauseState.OPEN)
        quote = self._find(message, login)
        acceptance = quote.rfq.acceptance
        if quote.state is QuoteState.OPEN:
            raise RefusalError(texts.QUOTE_NOT_ACCEPTED)
        if quote.state is not QuoteState.ACCEPTED or acceptance is None:
            raise RefusalError(texts.QUOTE_EXPIRED)
        # Checked again at the confirmation: a maker that can no longer pay cannot confirm.
        refuse_if(self._context.exchange.order_refusal(maker_order(acceptance)))
        return [(login, messages.confirm_answer(message)), *self._lifecycle.confirm(acceptance, now)], ()

    def end_session(self, login: Login) -> None:
        """Cancel the open quotes of a session that has ended, if `quotes_end_with_session` is set; accepted
        and confirmed ones stay.
        """
        if self._context.exchange.assumptions.quotes_end_with_session:
            for quote in self._context.book.open_quotes_of(login):
                self._context.book.end_quote(quote, QuoteState.CANCELED)

    def _quote(self, message: QuoteMessage, login: Login, now: datetime) -> Quote:
        """Return the new quote. If several reasons to refuse it apply, the first one is reported."""
        self._context.check_pause(PauseState.OPEN)
        rfq = self._context.book.get(message.quote_req_id)
        if rfq is None:
            raise RefusalError(texts.RFQ_NOT_FOUND)
        if rfq.state is not RfqState.OPEN:
            raise RefusalError(texts.RFQ_CLOSED)
        if not login.may_act_for(message.alloc_account):
            raise RefusalError(texts.WRONG_SUBACCOUNT)
        account = login.account(message.alloc_account, rfq.account.shard)
        if not self._context.exchange.has_account(account):
            raise RefusalError(texts.ACCOUNT_NOT_FOUND)
        if rfq.account.owner == login.owner:
            raise RefusalError(texts.OWN_RFQ)
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
            raise RefusalError(texts.INVALID_PARAMETERS)
        # The creator accepts by QuoteID, which must therefore be unique on the request across makers.
        if self._context.book.quote_of_maker(login.owner, message.quote_id) or message.quote_id in rfq.quotes:
            raise RefusalError(texts.QUOTE_ALREADY_EXISTS)
        # A replacement does not increase the number of quotes.
        if account not in rfq.open_quotes and self._context.book.is_full(rfq):
            raise RefusalError(texts.TOO_MANY_QUOTES)
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
        self._set_sizes(quote)
        return quote

    def _set_sizes(self, quote: Quote) -> None:
        """Set the sizes of a quote, or refuse it."""
        for creator_side in Side:
            price = quote.price(creator_side)
            if price is None:
                continue
            size = self._context.size(quote.rfq, creator_side, price)
            if creator_side is Side.SELL:
                quote.bid_size = size
            else:
                quote.offer_size = size
            if not size:
                raise RefusalError(texts.INVALID_PARAMETERS)
            refuse_if(self._context.exchange.order_refusal(quote_order(quote, creator_side, price, size)))

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
        quotes = (rfq.open_quotes.get(quote.account) for rfq in rfqs)
        return [old for old in quotes if old is not None and old.state is QuoteState.OPEN]

    def _find(self, message: QuoteCancel | QuoteConfirm, login: Login) -> Quote:
        """Return the maker's quote that the ids in a message identify; refuse the message if there is no such
        quote, or if the quote is confirmed."""
        quote = self._context.book.quote_of_maker(login.owner, message.quote_id)
        if (
            quote is None
            or message.rfq_id not in (None, quote.rfq.rfq_id)
            or login.restricted_to not in (None, quote.account.subaccount)
        ):
            raise RefusalError(texts.QUOTE_NOT_FOUND)
        if quote.state is QuoteState.CONFIRMED:
            raise RefusalError(texts.QUOTE_ALREADY_CONFIRMED)
        return quote
