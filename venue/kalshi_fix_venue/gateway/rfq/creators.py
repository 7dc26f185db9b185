"""Messages from creators: QuoteRequest (R), AcceptQuote (UA) or an order with QuoteID, RFQCancel (UE)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import (
    AcceptQuote,
    BusinessRejectReason,
    NewOrderSingle,
    OrdType,
    Party,
    QuoteRequest,
    QuoteRequestRejectReason,
    QuoteRequestSymbol,
    RFQCancel,
    RFQCancelStatusCode,
    Side,
)
from kalshi_fix_venue.exchange import PauseState, RejectCause
from kalshi_fix_venue.gateway import reports
from kalshi_fix_venue.gateway.clearing import account_of, account_of_parties
from kalshi_fix_venue.gateway.logins import Delivery, Login, Result
from kalshi_fix_venue.gateway.order_commands import known_side
from kalshi_fix_venue.gateway.order_entry import OrderEntry
from kalshi_fix_venue.gateway.refusals import business_reject
from kalshi_fix_venue.gateway.rfq import messages, texts
from kalshi_fix_venue.gateway.rfq.book import Acceptance, Combo, Quote, QuoteState, Rfq, RfqState
from kalshi_fix_venue.gateway.rfq.combos import Combos
from kalshi_fix_venue.gateway.rfq.context import MAKER_SESSION, RfqContext, truncate_to_milliseconds
from kalshi_fix_venue.gateway.rfq.lifecycle import Lifecycle, creator_cl_ord_id, creator_order
from kalshi_fix_venue.gateway.rfq.texts import RefusalError, refuse_if
from kalshi_fix_venue.gateway.units import order_price_from_wire

_WITHDRAWABLE_STATES = (RfqState.OPEN, RfqState.ACCEPTED)


@attrs.define(eq=False)
class Creators:
    """The creators' side. Handlers raise RefusalError for messages that they refuse."""

    _context: RfqContext
    _lifecycle: Lifecycle
    _combos: Combos
    _orders: OrderEntry

    # QuoteRequest

    def request(self, message: QuoteRequest, login: Login, now: datetime) -> Result:
        """Accept a request and forward it to every maker that is logged on."""
        rfq = self._new_rfq(message, login, now)
        deliveries: list[Delivery] = []
        # Earlier requests are replaced only now, because a refused request must not replace any.
        if message.related_sym[0].replace_existing is True:
            for old in self._rfqs_to_replace(rfq):
                deliveries += self._lifecycle.expire(old)
        # Makers that log on later receive neither the request nor the notice of its end.
        rfq.makers = self._context.logins.connected(MAKER_SESSION)
        self._lifecycle.open(rfq)
        deliveries.append((login, messages.request_ack(rfq)))
        public_id = self._context.public_id(login.owner)
        for maker in rfq.makers:
            own = maker.owner == login.owner
            deliveries.append((maker, messages.request_to_maker(rfq, public_id, own=own)))
        return deliveries, ()

    def _new_rfq(self, message: QuoteRequest, login: Login, now: datetime) -> Rfq:
        """Return the new request. If several reasons to refuse it apply, the first one is reported."""
        exchange = self._context.exchange
        self._context.check_pause(PauseState.OPEN)
        entry = message.related_sym[0]
        has_symbol = entry.symbol is not None
        if has_symbol == (message.multivariate_collection_ticker is not None):
            raise RefusalError(texts.MARKET_OR_COMBO)
        market, combo = self._market(message, entry, now)
        refuse_if(exchange.market_refusal(market))
        shard = exchange.shard_of(market)
        account = account_of_parties(entry.party_ids, message.alloc_account, login, shard, exchange)
        if isinstance(account, RejectCause):
            raise RefusalError(account.value)
        if not exchange.has_account(account):
            raise RefusalError(texts.ACCOUNT_NOT_FOUND)
        rfq = Rfq(
            rfq_id=self._context.new_id(),
            client_id=message.quote_req_id,
            creator=login,
            account=account,
            market=market,
            contracts=entry.order_qty,
            cash=entry.cash_order_qty,
            cash_excludes_fees=entry.target_cost_excludes_fees is True,
            obscured=entry.obscure_creator_id is True,
            rest_remainder=entry.rest_remainder is True,
            created=truncate_to_milliseconds(now),
            combo=combo,
            by_legs=not has_symbol,
        )
        self._check_request(rfq, replaces=entry.replace_existing is True)
        return rfq

    def _market(
        self, message: QuoteRequest, entry: QuoteRequestSymbol, now: datetime
    ) -> tuple[str, Combo | None]:
        """Return the requested market; the market of a combination is created if necessary."""
        if entry.symbol is not None:
            if entry.symbol in self._context.exchange.markets:
                return entry.symbol, self._combos.combo_of(entry.symbol)
            unknown_symbol = QuoteRequestRejectReason.UNKNOWN_SYMBOL
            raise RefusalError(RejectCause.MARKET_NOT_FOUND.value, unknown_symbol)
        combo = Combo(
            collection=message.multivariate_collection_ticker or "",
            legs=tuple(message.multivariate_selected_legs),
        )
        return self._combos.find_or_create_market(combo, now), combo

    def _check_request(self, rfq: Rfq, *, replaces: bool) -> None:
        """Refuse a well-formed request if it is not acceptable."""
        rules, settings = self._context.rules(rfq.market), self._context.settings
        amount = rfq.cash if rfq.contracts is None else rfq.contracts
        open_requests = self._withdrawable_requests(rfq)
        # The session has checked that OrderQty or CashOrderQty is present and not negative.
        if not amount:
            raise RefusalError(texts.INVALID_PARAMETERS)
        if rfq.contracts is not None and rfq.contracts > rules.maximum_quantity:
            raise RefusalError(texts.TOO_MANY_CONTRACTS, QuoteRequestRejectReason.EXCEEDS_LIMIT)
        if rfq.contracts is not None and not rules.accepts_quantity(rfq.contracts):
            raise RefusalError(texts.INVALID_PARAMETERS)
        if self._already_exists(rfq, open_requests, replaces=replaces):
            raise RefusalError(texts.RFQ_ALREADY_EXISTS)
        if not replaces and len(open_requests) >= settings.max_open:
            raise RefusalError(texts.TOO_MANY_RFQS, QuoteRequestRejectReason.EXCEEDS_LIMIT)
        if self._minimum_cost(rfq) > self._context.exchange.account(rfq.account).available:
            raise RefusalError(texts.INSUFFICIENT_BALANCE, QuoteRequestRejectReason.INSUFFICIENT_CREDIT)

    def _already_exists(self, rfq: Rfq, open_requests: list[Rfq], *, replaces: bool) -> bool:
        """Return whether an open request has this QuoteReqID or, without `replaces`, is for the same
        market.
        """
        same_id = self._context.book.find(rfq.account.owner, rfq.client_id)
        if same_id is not None and same_id.state is not RfqState.CLOSED:
            return True
        return not replaces and any(old.market == rfq.market for old in open_requests)

    def _minimum_cost(self, rfq: Rfq) -> Decimal:
        """Return the minimum amount in dollars that a request needs to trade: its cash, or the value of its
        contracts at the lowest price of the market."""
        if rfq.contracts is None:
            return rfq.cash or Decimal(0)
        return rfq.contracts * self._context.rules(rfq.market).minimum_price

    def _withdrawable_requests(self, rfq: Rfq) -> list[Rfq]:
        """Return the requester's requests that can still be withdrawn, oldest first."""
        requests = self._context.book.open_rfqs_of(rfq.requester)
        return [old for old in requests if old.state in _WITHDRAWABLE_STATES]

    def _rfqs_to_replace(self, rfq: Rfq) -> list[Rfq]:
        """Return the requests that ReplaceExisting closes, so that at most `max_replacing` are open with
        the new one.
        """
        open_requests = self._withdrawable_requests(rfq)
        return open_requests[: max(0, len(open_requests) - (self._context.settings.max_replacing - 1))]

    # RFQCancel

    def cancel(self, message: RFQCancel, login: Login, now: datetime) -> Result:  # noqa: ARG002 - all handlers have the same signature
        """Cancel a request for its creator, unless a maker has confirmed a quote on it."""
        request_id = message.quote_req_id or message.rfq_id or ""
        named_rfq = self._find(message, login)
        try:
            rfq = self._require_withdrawable(named_rfq)
            self._check_customer(message.party_ids, rfq, login)
        except RefusalError as refusal:
            rfq_id = None if named_rfq is None else named_rfq.rfq_id
            status = messages.request_end_status(
                request_id, RFQCancelStatusCode.REJECTED, rfq_id, refusal.text
            )
            return [(login, status)], ()
        status = messages.request_end_status(request_id, RFQCancelStatusCode.CANCELED, rfq.rfq_id)
        return [(login, status), *self._lifecycle.close(rfq, texts.RFQ_CANCELED)], ()

    def _find(self, message: RFQCancel, login: Login) -> Rfq | None:
        if message.rfq_id is None:
            return self._context.book.find(login.owner, message.quote_req_id or "")
        rfq = self._context.book.get(message.rfq_id)
        return rfq if rfq is not None and rfq.account.owner == login.owner else None

    def _check_customer(self, parties: Sequence[Party], rfq: Rfq, login: Login) -> None:
        """Refuse a message that names a customer other than that of the request. A message that names no
        customer is not refused."""
        if not parties:
            return
        account = account_of_parties(parties, None, login, rfq.account.shard, self._context.exchange)
        if isinstance(account, RejectCause):
            raise RefusalError(account.value)
        if account != rfq.account:
            raise RefusalError(texts.ACCOUNT_NOT_FOUND)

    def _require_withdrawable(self, rfq: Rfq | None) -> Rfq:
        """Return the request that a message withdraws, or refuse the message."""
        self._context.check_pause(PauseState.OPEN, PauseState.TRADING_PAUSED)
        if rfq is None:
            raise RefusalError(texts.RFQ_NOT_FOUND)
        if rfq.state is RfqState.CONFIRMED:
            raise RefusalError(texts.QUOTE_ALREADY_CONFIRMED)
        if rfq.state not in _WITHDRAWABLE_STATES:
            raise RefusalError(texts.RFQ_CLOSED)
        return rfq

    # AcceptQuote, and an order with QuoteID

    def accept(self, message: AcceptQuote, login: Login, now: datetime) -> Result:
        """Handle the acceptance of a quote."""
        side, prefer_better = known_side(message.side), message.prefer_better_quote is True
        named_quote = self._find_quote(login, message.quote_id, message.rfq_id)
        if named_quote is None:
            raise RefusalError(texts.QUOTE_NOT_FOUND)
        quote = _open_quote(named_quote, side, prefer_better=prefer_better)
        if side is None:
            raise RefusalError(texts.INVALID_PARAMETERS)
        self._check_customer(message.party_ids, quote.rfq, login)
        acceptance = self._acceptance(quote, side, message, login, self._context.new_id())
        ack = messages.accept_ack(message.quote_id, acceptance.quote, message.cl_ord_id)
        return [(login, ack), *self._lifecycle.accept(acceptance, now)], ()

    def accept_by_order(self, message: NewOrderSingle, login: Login, now: datetime) -> Result:
        """Handle an order that accepts a quote. The order trades at the quote's price, which must be within
        the order's limit."""
        quote_id = message.quote_id
        if quote_id is None:
            text = "RfqId requires QuoteID"
            reason = BusinessRejectReason.CONDITIONALLY_REQUIRED_FIELD_MISSING
            return [(login, business_reject(message, reason, text))], ()
        side = known_side(message.side)
        named_quote = self._find_quote(login, quote_id, message.rfq_id)
        if named_quote is None:
            reject = business_reject(message, BusinessRejectReason.UNKNOWN_ID, "Unknown QuoteID")
            return [(login, reject)], ()
        order_id = self._context.new_id()
        try:
            quote = _open_quote(named_quote, side)
            if side is None or not self._is_valid_acceptance(message, quote, side, login):
                raise RefusalError(RejectCause.INVALID_ORDER.value)
            acceptance = self._acceptance(quote, side, message, login, order_id)
        except RefusalError as refusal:
            # The client sent an order, so the refusal is an execution report.
            cause = _reject_cause(refusal.text)
            exec_id = self._context.exchange.next_exec_id(named_quote.rfq.account.shard)
            return self._orders.report_refusal(message, order_id, exec_id, cause, login, now), ()
        deliveries: list[Delivery] = []
        if not login.flags.skip_pending_exec_reports:
            deliveries.append((login, reports.pending_new(message, order_id, login.flags, now)))
        # AcceptQuoteStatus exists on KalshiRT only; an order may also be sent on KalshiNR.
        if login.session_type == acceptance.quote.rfq.creator.session_type:
            ack = messages.accept_ack(quote_id, acceptance.quote, message.cl_ord_id)
            deliveries.append((login, ack))
        return deliveries + self._lifecycle.accept(acceptance, now), ()

    def _find_quote(self, login: Login, quote_id: str, rfq_id: str | None) -> Quote | None:
        """Return the quote that an acceptance names, on one of the sender's requests."""
        # Makers choose the QuoteIDs, so two makers may use the same one. RfqId identifies the request;
        # without it, the newest quote is used.
        if rfq_id is None:
            return self._context.book.quote_for_creator(login.owner, quote_id)
        rfq = self._context.book.get(rfq_id)
        return rfq.quotes.get(quote_id) if rfq is not None and rfq.account.owner == login.owner else None

    def _acceptance(
        self, quote: Quote, side: Side, message: AcceptQuote | NewOrderSingle, login: Login, order_id: str
    ) -> Acceptance:
        """Return the acceptance of a quote, or refuse it."""
        price, size = quote.price(side), quote.size(side)
        if price is None or size is None:
            raise RefusalError(texts.INVALID_PARAMETERS)
        quantity = size if message.order_qty is None else message.order_qty
        if quantity > size or not self._context.rules(quote.rfq.market).accepts_quantity(quantity):
            raise RefusalError(texts.INVALID_PARAMETERS)
        acceptance = Acceptance(
            quote=quote,
            login=login,
            side=side,
            price=price,
            quantity=quantity,
            cl_ord_id=message.cl_ord_id or creator_cl_ord_id(quote),
            order_id=order_id,
            order=message if isinstance(message, NewOrderSingle) else None,
        )
        # The creator's balance is checked here, and again when its order enters the book, because it may
        # change in between.
        refuse_if(self._context.exchange.order_refusal(creator_order(acceptance)))
        return acceptance

    def _is_valid_acceptance(self, message: NewOrderSingle, quote: Quote, side: Side, login: Login) -> bool:
        """Return whether an order is a valid acceptance of the quote."""
        rfq = quote.rfq
        limit = order_price_from_wire(message.price, dollars=login.flags.use_dollars)
        price = quote.price(side)
        if price is None:
            return False
        return (
            message.symbol == rfq.market
            and message.ord_type == OrdType.LIMIT
            and message.exec_inst is None
            and account_of(message, login, rfq.account.shard, self._context.exchange) == rfq.account
            and (limit >= price if side is Side.BUY else limit <= price)
        )


def _open_quote(quote: Quote, side: Side | None, *, prefer_better: bool = False) -> Quote:
    """Return the quote or, with `prefer_better`, the best one of the same request; refuse it if it is not
    open.
    """
    # A better quote is selected even if the named one has ended: PreferBetterQuote permits any quote that is
    # no worse.
    if prefer_better and side is not None and quote.rfq.state is RfqState.OPEN:
        quote = _best(quote, side)
    if quote.rfq.state in (RfqState.ACCEPTED, RfqState.CONFIRMED):
        raise RefusalError(texts.RFQ_CLOSED)
    if quote.state is not QuoteState.OPEN:
        raise RefusalError(texts.QUOTE_EXPIRED)
    return quote


def _best(quote: Quote, side: Side) -> Quote:
    """Return the best open quote of the same request, or this quote if it is better than all of them.
    Among equal quotes, this one is preferred if it is open, then the oldest.
    """
    best = quote
    for other in quote.rfq.open_quotes.values():
        price, best_price = other.price(side), best.price(side)
        if price is None or best_price is None:
            continue
        gain = best_price - price if side is Side.BUY else price - best_price
        if gain > 0 or (gain == 0 and best.state is not QuoteState.OPEN):
            best = other
    return best


def _reject_cause(text: str) -> RejectCause:
    """Return the RejectCause of an order for the text of a refused acceptance."""
    if text in (texts.QUOTE_EXPIRED, texts.RFQ_CLOSED):
        return RejectCause.EXPIRED
    return RejectCause(text) if text in {cause.value for cause in RejectCause} else RejectCause.INVALID_ORDER
