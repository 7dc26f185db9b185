"""The maker's side of requests for quotes (KalshiRFQ): quotes, confirmations, and exposure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    ExecInst,
    ExecutionReport,
    Quote,
    QuoteCancel,
    QuoteCancelStatus,
    QuoteCancelStatusCode,
    QuoteConfirm,
    QuoteConfirmStatus,
    QuoteConfirmStatusCode,
    QuoteRequest,
    QuoteRequestReject,
    QuoteStatus,
    QuoteStatusReport,
    Side,
)
from kalshi_fix_sansio.clock import END, shift_time
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LoggedOn, OpenRequest, SessionEnded
from kalshi_fix_sansio.trading.common.dumping import keyed_by, loading
from kalshi_fix_sansio.trading.common.received import clipped, is_valid_id
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequests
from kalshi_fix_sansio.trading.orders.order_reports import PENDING_TYPES
from kalshi_fix_sansio.trading.rfq.coverage import ReportKeys
from kalshi_fix_sansio.trading.rfq.deals import Fact
from kalshi_fix_sansio.trading.rfq.machine import RfqMachine
from kalshi_fix_sansio.trading.rfq.maker_state import (
    ENDED_STATES,
    MakerQuote,
    MakerRfq,
    MakerUpdate,
    QuoteState,
    QuoteTerms,
)
from kalshi_fix_sansio.trading.rfq.values import (
    CLOSED_QUOTE_TEXTS,
    HIGH_VOLATILITY,
    STANDARD,
    RfqDiscrepancyKind,
    RfqRequestError,
    RfqWindows,
    UncertainRfq,
    UncertainRfqKind,
    read_price,
    uncertain_rfq,
    window_end,
    wire_price,
)

MAX_QUOTES: Final = 16
"""Maximum number of quotes kept per request, including the open one."""
_ACTIVE_STATES: Final = frozenset(
    (QuoteState.SENT, QuoteState.OPEN, QuoteState.CONFIRMING, QuoteState.CONFIRMED)
)
"""States in which further messages are expected from the venue. These messages may be lost with the
connection.
"""
_ANSWERS: Final = frozenset(
    (QuoteStatusReport.MSG_TYPE, QuoteConfirmStatus.MSG_TYPE, QuoteCancelStatus.MSG_TYPE)
)
"""Messages that change the state of a quote, in addition to execution reports and the end of its request."""
_FACT_BY_RESOLUTION: Final = {
    QuoteState.OPEN: Fact.OPEN,
    QuoteState.CANCELED: Fact.CANCELED,
    QuoteState.CONFIRMED: Fact.CONFIRMED,
    QuoteState.EXECUTED: Fact.EXECUTED,
    QuoteState.FAILED: Fact.ORDER_REFUSED,
}
"""States that the user can pass to `RfqMaker.resolve`, each with the fact that follows from it."""
_CONFLICT: Final = "a quote is both confirmed and cancelled"


@attrs.frozen
class _State:
    """The layout of a dump."""

    _now: datetime | None
    _logged_on: bool
    _dollars: bool
    _keys: ReportKeys
    _rfqs: dict[str, MakerRfq] = attrs.field(metadata=keyed_by("rfq_id"))
    unattributed: UnattributedRequests


class RfqMaker(RfqMachine[MakerRfq, MakerQuote, MakerUpdate]):
    """The requests for quotes that a session (KalshiRFQ) receives and the maker's quotes, over any number of
    connections.

    Pass every event of the session to `apply`. It calls the `quote` callback to get the terms of a quote for
    each request, and the `confirm` callback to decide whether to confirm an accepted quote. The updates
    contain the messages to send. No message from the venue raises an exception; exceptions raised by the
    callbacks propagate.
    """

    _UPDATE, _STATE = MakerUpdate, _State
    _REQUESTS = (Quote, QuoteConfirm, QuoteCancel)

    def __init__(
        self,
        quote: Callable[[MakerRfq], QuoteTerms | None],
        confirm: Callable[[MakerQuote], bool],
        new_id: Callable[[], str],
        *,
        standard: RfqWindows = STANDARD,
        high_volatility: RfqWindows = HIGH_VOLATILITY,
        volatile_symbols: Container[str] = (),
        grace: float = 5,
        dollars: bool = True,
        alloc_account: int | None = None,
        max_rfqs: int = 10_000,
    ) -> None:
        """Start without requests.

        Args:
            quote: function that returns the terms of a quote for a request; None for no quote.
            confirm: function that returns whether to confirm an accepted quote now (last look). If it returns
                False, you can still call the method `confirm` until `MakerQuote.deadline`.
            new_id: function that returns a new, unique QuoteID, such as `lambda: str(uuid4())`.
            standard: time windows of standard markets.
            high_volatility: time windows of high volatility markets.
            volatile_symbols: tickers of the high volatility markets, in addition to all combinations.
                Messages do not mark these markets. The container is read for each request, so it may change.
            grace: seconds to wait for the report of a trade after the end of the window for execution. Then
                it counts as missing.
            dollars: whether the session logs on with UseDollars; used until the first LoggedOn event.
            alloc_account: the subaccount that quotes.
            max_rfqs: maximum number of requests, about 2 KB each with one quote, and up to 16 KB with many.
                Beyond it, a new request replaces the oldest one without an open quote, or else the oldest one
                without an accepted quote. If there is none, the new request is ignored.
        """
        super().__init__(
            standard, high_volatility, volatile_symbols, grace=grace, dollars=dollars, max_rfqs=max_rfqs
        )
        self._quote, self._confirm, self._new_id = quote, confirm, new_id
        self.alloc_account: int | None = alloc_account
        self._idle: dict[str, None] = {}
        """RfqIds of requests without an open quote, the oldest first."""
        self._quotes: dict[str, MakerQuote] = {}
        self._logged_on = False
        """Whether the session is logged on, according to its events."""

    # --- queries --------------------------------------------------------------------------------------

    def rfq(self, rfq_id: str) -> MakerRfq | None:
        """Return the request with this RfqId; None if it is not kept."""
        return self._rfqs.get(rfq_id)

    def quote_of(self, quote_id: str) -> MakerQuote | None:
        """Return the maker's quote with this QuoteID; None if it is not kept."""
        return self._quotes.get(quote_id)

    def _uncertain_items(self) -> Iterator[UncertainRfq]:
        for quote in self._quotes.values():
            if quote.state is QuoteState.UNKNOWN:
                kind, rfq_id = _uncertain_kind(quote), quote.rfq.rfq_id
                yield uncertain_rfq(
                    kind, rfq_id, quote.rfq.symbol, rfq_id, quote.quote_id, quote.uncertain_since
                )

    def _awaited_deals(self) -> Iterator[tuple[MakerQuote, datetime]]:
        for quote in self._tradable_deals.values():
            if quote.deadline is not None and quote.state in (QuoteState.ACCEPTED, QuoteState.CONFIRMED):
                yield quote, quote.deadline

    def _uncertain_deals(self) -> Iterator[tuple[MakerQuote, datetime]]:
        for quote in self._tradable_deals.values():
            if quote.state is QuoteState.UNKNOWN:
                yield quote, self._order_due(quote)

    # --- outgoing messages ----------------------------------------------------------------------------

    def requote(self, rfq: MakerRfq) -> Quote | QuoteCancel | None:
        """Call the `quote` callback again, for example after the market has moved. Return the message to
        send, if any: a quote that replaces the open quote, or a cancel of the open quote. Return None if the
        request is not kept, has ended or has an accepted quote.

        Raises:
            RfqRequestError: `new_id` returned a QuoteID that is in use; the session requires whole cents, and
                a price has a fraction of a cent; or too many quotes for the request have not ended.
        """
        current = rfq.quote
        if rfq.is_closed or rfq.rfq_id not in self._rfqs or (current is not None and current.may_trade):
            return None
        terms = self._quote(rfq)
        is_open = current is not None and not current.canceling
        if terms is None:
            return self.cancel(current) if current is not None and is_open else None
        if current is not None and is_open and current.terms == terms and current.uncertain_since is None:
            return None
        return self._new_quote(rfq, terms)

    def cancel(self, quote: MakerQuote) -> QuoteCancel:
        """Return a message that cancels a quote. An accepted quote can still be cancelled, but a
        confirmed one cannot.

        Raises:
            RfqRequestError: the quote has ended, or is confirmed.
        """
        if quote.state in ENDED_STATES or Fact.CONFIRMED in quote.facts:
            raise RfqRequestError(f"quote {quote.quote_id} can no longer be cancelled: {quote.state.value}")
        quote.canceling = True
        return QuoteCancel(quote_id=quote.quote_id, rfq_id=quote.rfq.rfq_id)

    def confirm(self, quote: MakerQuote, now: datetime) -> QuoteConfirm:
        """Return a message that confirms an accepted quote: one for which the `confirm` callback returned
        False, or whose confirmation the venue has refused.

        Raises:
            RfqRequestError: the quote does not await a confirmation, or its deadline has passed.
        """
        self._advance(now)
        if quote.state is not QuoteState.ACCEPTED:
            raise RfqRequestError(f"quote {quote.quote_id} cannot be confirmed: {quote.state.value}")
        return self._confirmation(quote)

    def withdraw(self, request: Message) -> None:
        """Undo the effect of a message that was not sent because `send` refused it."""
        if not isinstance(request, Quote | QuoteConfirm | QuoteCancel):
            return
        quote = self._quotes.get(request.quote_id)
        if quote is None:
            return
        if isinstance(request, QuoteConfirm):
            # Not below the number of refusals, because the venue has received the confirmations that it
            # refused.
            quote.confirms = max(len(quote.refusals), quote.confirms - 1)
        elif isinstance(request, QuoteCancel):
            quote.canceling = False
        elif not quote.facts:  # no message from the venue shows that it was sent
            del self._quotes[quote.quote_id], quote.rfq.quotes[quote.quote_id]
        self._reindex(quote.rfq, quote)

    def resolve(self, quote: MakerQuote, state: QuoteState) -> None:
        """Set the state that the user has learned elsewhere, for example via REST: OPEN, CANCELED, CONFIRMED,
        EXECUTED or FAILED. This ends the uncertainty about the quote.

        Raises:
            RfqRequestError: another state was passed.
        """
        fact = _FACT_BY_RESOLUTION.get(state)
        if fact is None:
            raise RfqRequestError(f"a quote cannot be resolved to this state: {state.value}")
        quote.end_uncertainty()
        quote.facts.discard(Fact.NO_ORDER)
        if state is QuoteState.CONFIRMED:
            seconds = self._windows(volatile=quote.rfq.high_volatility).execution + self._grace
            quote.deadline = None if self._now is None else shift_time(self._now, timedelta(seconds=seconds))
        else:
            quote.facts.discard(Fact.CONFIRMED)
            quote.confirms = 0
            quote.refusals.clear()
        if state is QuoteState.OPEN:
            quote.facts -= {Fact.ACCEPTED, Fact.CANCELED, Fact.LAPSED, Fact.REFUSED, Fact.REPLACED}
        quote.facts.add(fact)
        self._reindex(quote.rfq, quote)

    # --- events ---------------------------------------------------------------------------------------

    def _handle_message(self, message: object, now: datetime, *, is_unwrapped: bool) -> None:
        match message:
            case QuoteRequest():
                self._handle_request(message)
            case QuoteStatusReport():
                self._handle_status(message, now)
            case QuoteConfirmStatus():
                self._handle_confirm_status(message, now)
            case QuoteCancelStatus():
                self._handle_cancel_status(message)
            case QuoteRequestReject():
                self._handle_rfq_end(message)
            # The venue sends no Quote on KalshiRFQ, so a Quote outside of an event is one that the maker is
            # about to send.
            case Quote() if not is_unwrapped:
                self._handle_quote(message)
            case QuoteConfirm() | QuoteCancel():
                self._handle_confirm_or_cancel(message)
            case LoggedOn(flags=flags):
                # KalshiRFQ has no resends, so messages in transit at the end of a session are lost.
                if self._logged_on:  # the end of the previous session was not reported
                    self._record_lost_answers()
                self._logged_on, self._dollars = True, flags.get("use_dollars") is True
            case SessionEnded():
                self._logged_on = False
                self._record_lost_answers()

    # --- requests -------------------------------------------------------------------------------------

    def _handle_request(self, request: Any) -> None:
        problem = _terms_problem(request)
        if problem is not None:
            detail = f"{request.NAME} {clipped(request.quote_req_id)!r}: {clipped(problem)}"
            self._add_discrepancy(None, RfqDiscrepancyKind.UNREADABLE, detail)
            return
        entry = request.related_sym[0]
        rfq = self._rfq_of(request.quote_req_id, entry.symbol)
        if rfq is None or rfq.terms_received:
            return
        rfq.symbol = entry.symbol
        rfq.contracts, rfq.cash = entry.order_qty or None, entry.cash_order_qty
        rfq.collection = clipped(request.multivariate_collection_ticker) or None
        rfq.legs = tuple(request.multivariate_selected_legs)
        rfq.requester = clipped(entry.party_ids[0].party_id) if entry.party_ids else None
        rfq.created = entry.transact_time
        rfq.high_volatility = rfq.collection is not None or rfq.symbol in self._volatile_symbols
        update = self._update_of(rfq, None)
        # Set before the callback is called: if `quote` raises, it must not be called again for the same
        # request.
        rfq.terms_received = True
        # The request may have ended already, or the user may have sent a quote for it without the callback.
        if rfq.is_closed or rfq.quotes:
            return
        terms = self._quote(rfq)
        if terms is not None:
            update.send = self._new_quote(rfq, terms)
            update.quote = rfq.quote

    def _rfq_of(self, rfq_id: str, symbol: str) -> MakerRfq | None:
        """Return the request with this id, adding it if it is new; None if there is no room for it."""
        rfq = self._rfqs.get(rfq_id)
        if rfq is None:
            if not self._make_room():
                detail = f"request {rfq_id}: all {len(self._rfqs)} other requests have accepted quotes"
                self._add_discrepancy(None, RfqDiscrepancyKind.TOO_MANY, detail)
                return None
            rfq = self._rfqs[rfq_id] = MakerRfq(rfq_id, symbol)
            rfq.high_volatility = symbol in self._volatile_symbols
            self._idle[rfq_id] = None
        return rfq

    def _make_room(self) -> bool:
        """Remove a request if the maximum is reached; return False if no request can be removed."""
        if len(self._rfqs) < self._max_rfqs:
            return True
        tradable_ids = {quote.rfq.rfq_id for quote in self._tradable_deals.values()}
        # A request with a quote that may trade is kept, because without it the execution reports could not be
        # matched.
        evicted_id = next(iter(self._idle), None) or next(
            (rfq_id for rfq_id in self._rfqs if rfq_id not in tradable_ids), None
        )
        if evicted_id is None:
            return False
        for quote_id in self._rfqs.pop(evicted_id).quotes:
            del self._quotes[quote_id]
        self._idle.pop(evicted_id, None)
        return True

    def _new_quote(self, rfq: MakerRfq, terms: QuoteTerms) -> Quote:
        """Return a new quote, which counts as sent.

        Raises:
            RfqRequestError: the QuoteID is in use; the session requires whole cents, and a price has a
                fraction of a cent; or too many quotes for the request have not ended.
        """
        message = Quote(
            quote_id=self._new_id(),
            quote_req_id=rfq.rfq_id,
            symbol=rfq.symbol,
            bid_px=wire_price(terms.bid, dollars=self._dollars),
            offer_px=wire_price(terms.offer, dollars=self._dollars),
            exec_inst=ExecInst.POST_ONLY if terms.post_only else None,
            alloc_account=self.alloc_account,
            rest_remainder=terms.rest_remainder or None,
        )
        if message.quote_id in self._quotes:
            raise RfqRequestError(f"QuoteID {message.quote_id} is already in use; use another one")
        self._add(rfq, message.quote_id, terms, self.alloc_account or 0)
        return message

    def _add(self, rfq: MakerRfq, quote_id: str, terms: QuoteTerms, alloc_account: int) -> None:
        if len(rfq.quotes) >= MAX_QUOTES:
            evicted = next((each for each in rfq.quotes.values() if each.state in ENDED_STATES), None)
            if evicted is None:
                raise RfqRequestError(
                    f"request {rfq.rfq_id} has {MAX_QUOTES} quotes that may still be open; cancel one first"
                )
            del rfq.quotes[evicted.quote_id], self._quotes[evicted.quote_id]
        quote = MakerQuote(quote_id, rfq, terms, alloc_account)
        rfq.quotes[quote_id] = self._quotes[quote_id] = quote
        self._reindex(rfq, quote)

    def _handle_quote(self, message: Quote) -> None:
        """Record a quote that the user created, or that was read from a log."""
        if message.quote_id in self._quotes:
            return
        rfq = self._rfq_of(message.quote_req_id, message.symbol)
        if rfq is None:
            return
        bid, offer = (read_price(each, dollars=self._dollars) for each in (message.bid_px, message.offer_px))
        try:
            terms = QuoteTerms(bid, offer, message.exec_inst is not None, message.rest_remainder is True)
        except ValueError:  # the venue will refuse it
            return
        self._add(rfq, message.quote_id, terms, message.alloc_account or 0)

    def _confirmation(self, quote: MakerQuote, *, sent_earlier: bool = False) -> QuoteConfirm:
        """Return a confirmation, which counts as sent now or, with `sent_earlier`, at an unknown earlier
        time.
        """
        # Counted, because the venue answers each confirmation. While there are more confirmations than
        # refusals, at least one is unanswered or accepted.
        quote.confirms += 1
        quote.end_uncertainty()
        if not sent_earlier:
            self._keys.record_preceding(quote.preceding, None)
        return QuoteConfirm(quote_id=quote.quote_id, rfq_id=quote.rfq.rfq_id)

    def _handle_confirm_or_cancel(
        self, message: QuoteConfirm | QuoteCancel, *, sent_earlier: bool = False
    ) -> None:
        quote = self._quotes.get(message.quote_id)
        if quote is None:
            return
        self._update_of(quote.rfq, quote)
        if isinstance(message, QuoteCancel):
            quote.canceling = True
        elif not quote.confirmation_unanswered:
            self._confirmation(quote, sent_earlier=sent_earlier)
        self._reindex(quote.rfq, quote)

    # --- messages from the venue ------------------------------------------------------------------------

    def _handle_status(self, report: Any, now: datetime) -> None:
        quote = self._quotes.get(report.quote_id or "") or self._quote_refused_without_id(report)
        status = report.quote_status
        if quote is None:
            if self.unattributed.answer(report.quote_id, Quote):
                return
            detail = f"{clipped(report.quote_id)!r} is {clipped(str(status))}"
            self._add_discrepancy(None, RfqDiscrepancyKind.UNKNOWN_QUOTE, detail)
            return
        update = self._update_of(quote.rfq, quote)
        if status == QuoteStatus.PENDING:
            quote.sizes = (report.bid_size, report.offer_size)
            quote.facts.add(Fact.OPEN)
            # The venue sends Pending before an acceptance or a confirmation, so it does not resolve an
            # uncertainty about either.
            if Fact.ACCEPTED not in quote.facts and not quote.confirms:
                quote.end_uncertainty()
            self._replace(quote)
        elif status == QuoteStatus.REJECTED:
            quote.facts.add(Fact.REFUSED)
            quote.record_text(report)
        elif status == QuoteStatus.CANCELED:
            self._handle_cancel(update, quote)
        elif status == QuoteStatus.ACCEPTED:
            self._accept(update, quote, report, now)
        else:
            self._record_unreadable(update, "QuoteStatus", status)
        self._reindex(quote.rfq, quote)

    def _quote_refused_without_id(self, report: Any) -> MakerQuote | None:
        """Return the quote that a refusal without a QuoteID concerns: the oldest unanswered quote for the
        same request.
        """
        rfq = self._rfqs.get(report.quote_req_id or "")
        if rfq is None or report.quote_id or report.quote_status != QuoteStatus.REJECTED:
            return None
        return next((each for each in rfq.quotes.values() if each.state is QuoteState.SENT), None)

    def _replace(self, quote: MakerQuote) -> None:
        """Record that a quote acknowledged by the venue has replaced the earlier quotes of its subaccount."""
        for other in takewhile(lambda each: each is not quote, quote.rfq.quotes.values()):
            if other.alloc_account == quote.alloc_account:
                self._update_of(quote.rfq, other)
                other.facts.add(Fact.REPLACED)

    def _accept(self, update: MakerUpdate, quote: MakerQuote, report: Any, now: datetime) -> None:
        if Fact.ACCEPTED in quote.facts:
            return
        windows = self._windows(volatile=quote.rfq.high_volatility)
        # If the answer to a confirmation arrived before this acceptance, it has set a later deadline.
        if Fact.CONFIRMED not in quote.facts:
            quote.deadline = window_end(report, windows.confirmation, now)
            if not quote.confirms:
                self._keys.record_preceding(quote.preceding, window_end(report, 0, now))
            if quote.deadline <= now:
                quote.facts.add(Fact.LAPSED)
            quote.end_uncertainty()
        quote.facts.add(Fact.ACCEPTED)
        quote.side = _accepted_side(quote, report)
        if quote.price is None:
            quote.side = None
            detail = f"quote {quote.quote_id} is accepted on side {clipped(str(report.side))}"
            self._add_discrepancy(update, RfqDiscrepancyKind.UNREADABLE, detail)
            return
        size = report.bid_size if quote.side is Side.BUY else report.offer_size
        quote.taken = size or report.order_qty
        # Updated before `confirm` is called, because `confirm` may read the exposure, which must include this
        # quote.
        self._reindex(quote.rfq, quote)
        if quote.state is QuoteState.ACCEPTED and self._confirm(quote):
            update.send = self._confirmation(quote)

    def _handle_confirm_status(self, status: Any, now: datetime) -> None:
        quote = self._find_or_record_unknown(status, QuoteConfirm)
        if quote is None:
            return
        update = self._update_of(quote.rfq, quote)
        code = status.quote_confirm_status
        if code == QuoteConfirmStatusCode.ACCEPTED:
            if Fact.CONFIRMED not in quote.facts:
                quote.facts.add(Fact.CONFIRMED)
                quote.end_uncertainty()
                seconds = self._windows(volatile=quote.rfq.high_volatility).execution + self._grace
                quote.deadline = window_end(status, seconds, now)
                if Fact.CANCELED in quote.facts:
                    self._add_discrepancy(
                        update, RfqDiscrepancyKind.CONFLICT, f"{_CONFLICT}: {quote.quote_id}"
                    )
        elif code == QuoteConfirmStatusCode.REJECTED:
            quote.refuse_confirmation(status)
        else:
            self._record_unreadable(update, "QuoteConfirmStatus", code)
        self._reindex(quote.rfq, quote)

    def _handle_cancel_status(self, status: Any) -> None:
        quote = self._find_or_record_unknown(status, QuoteCancel)
        if quote is None:
            return
        update = self._update_of(quote.rfq, quote)
        quote.canceling = False
        code = status.quote_cancel_status
        if code == QuoteCancelStatusCode.CANCELED:
            self._handle_cancel(update, quote)
        elif code == QuoteCancelStatusCode.REJECTED:
            quote.record_text(status)
            # A quote without a confirmation cannot trade. If another process had confirmed it, the text would
            # differ.
            if status.text in CLOSED_QUOTE_TEXTS and not quote.was_confirmed:
                quote.facts.add(Fact.CANCELED)
        else:
            self._record_unreadable(update, "QuoteCancelStatus", code)
        self._reindex(quote.rfq, quote)

    def _handle_rfq_end(self, message: Any) -> None:
        """Record that the venue reported the end of a request."""
        rfq = self._rfqs.get(message.quote_req_id or "")
        if rfq is None or rfq.is_closed:
            return
        self._update_of(rfq, None)
        self._close(rfq)

    def _close(self, rfq: MakerRfq) -> None:
        # The state of a quote depends on its request. The updates must therefore be created before the
        # request changes, so that they contain the previous states. The indexes must be updated afterwards.
        for quote in rfq.quotes.values():
            self._update_of(rfq, quote)
        rfq.is_closed = True
        for quote in rfq.quotes.values():
            self._reindex(rfq, quote)

    def _handle_report(self, report: Any) -> None:
        self._keys.record_report(report, [each.preceding for each in self._tradable_deals.values()])
        if report.exec_type in PENDING_TYPES:
            return
        quote = self._quotes.get(_quote_id(report))
        if quote is None:
            self.unattributed.answer(_quote_id(report), *self._REQUESTS)
            return
        self._update_of(quote.rfq, quote)
        quote.apply_report(report)
        self._close(quote.rfq)

    def _order_due(self, quote: MakerQuote) -> datetime:
        """Return the latest time at which the order of a quote that may still trade would be reported."""
        windows = self._windows(volatile=quote.rfq.high_volatility)
        if Fact.CONFIRMED in quote.facts and quote.deadline is not None:
            return quote.deadline
        seconds = windows.execution + self._grace
        if quote.deadline is not None:
            return shift_time(quote.deadline, timedelta(seconds=seconds))
        # The acceptance was not received, so the window for confirmation may have begun at any time until the
        # quote became uncertain.
        return shift_time(quote.preceding.lost_at or END, timedelta(seconds=windows.confirmation + seconds))

    def _handle_no_order(self, deal: MakerQuote) -> None:
        self._update_of(deal.rfq, deal)
        deal.facts.add(Fact.NO_ORDER)
        self._reindex(deal.rfq, deal)

    def _handle_reject(self, sent: object, reject: Any) -> None:
        if not isinstance(sent, Quote | QuoteConfirm | QuoteCancel):
            return
        quote = self._quotes.get(sent.quote_id)
        if quote is None:
            return
        self._update_of(quote.rfq, quote)
        if isinstance(sent, Quote):
            quote.facts.add(Fact.REFUSED)
            quote.record_text(reject)
        elif isinstance(sent, QuoteConfirm):
            quote.refuse_confirmation(reject)
        else:
            quote.canceling, quote.text = False, clipped(reject.text)
        self._reindex(quote.rfq, quote)

    def _find_or_record_unknown(self, status: Any, request: type[Message]) -> MakerQuote | None:
        quote = self._quotes.get(status.quote_id or "")
        if quote is None:
            self._record_unknown(RfqDiscrepancyKind.UNKNOWN_QUOTE, status, status.quote_id, Quote, request)
        return quote

    def _handle_cancel(self, update: MakerUpdate, quote: MakerQuote) -> None:
        """Record that a quote is cancelled. A confirmed quote may still trade."""
        if Fact.CONFIRMED in quote.facts and Fact.CANCELED not in quote.facts:
            self._add_discrepancy(update, RfqDiscrepancyKind.CONFLICT, f"{_CONFLICT}: {quote.quote_id}")
        quote.facts.add(Fact.CANCELED)

    # --- session and deadlines ------------------------------------------------------------------------

    def _handle_unanswered(self, request: OpenRequest, message: Any) -> None:
        quote = self._quotes.get(request.request_id)
        if isinstance(message, Quote) and quote is None:
            quote = self._adopt(message)
        if quote is None:
            self.unattributed.keep(request)
            return
        if isinstance(message, QuoteConfirm):
            self._handle_confirm_or_cancel(message, sent_earlier=True)
        self._record_lost_answers([quote.quote_id], request.sent_at)

    def _adopt(self, message: Quote) -> MakerQuote | None:
        try:
            self._handle_quote(message)
        except RfqRequestError:  # the request already has too many quotes
            return None
        quote = self._quotes.get(message.quote_id)
        if quote is not None:
            self._updates[quote.rfq.rfq_id, quote.quote_id] = MakerUpdate(quote.rfq, quote)
        return quote

    def _record_lost_answers(self, quote_ids: list[str] | None = None, since: datetime | None = None) -> None:
        """Record that messages about these quotes, or about all quotes if None, may have been lost since a
        time. `since` is None if the time is unknown.
        """
        quotes = self._quotes.values() if quote_ids is None else map(self._quotes.get, quote_ids)
        for quote in quotes:
            if quote is not None and quote.state in _ACTIVE_STATES:
                self._update_of(quote.rfq, quote)
                quote.canceling = False
                quote.record_loss(since, self._now)

    def _handle_overdue(self, deal: MakerQuote) -> None:
        self._update_of(deal.rfq, deal)
        if deal.state is QuoteState.ACCEPTED:
            deal.facts.add(Fact.LAPSED)
            self._reindex(deal.rfq, deal)
        else:
            deal.record_loss(None, self._now)

    def _handle_undelivered(self, refused: Any) -> None:
        # A message that could not be decoded may concern any quote.
        if refused is None:
            self._record_lost_answers()
        elif refused.msg_type == ExecutionReport.MSG_TYPE:
            self._record_lost_answers([_quote_id(refused)])
        elif refused.msg_type in _ANSWERS:
            self._record_lost_answers([refused.quote_id] if refused.quote_id else None)

    # --- indexes and updates --------------------------------------------------------------------------

    def _reindex(self, rfq: MakerRfq, quote: MakerQuote | None) -> None:
        """Update the indexes of quotes that may trade and of open quotes, after the state of a quote has
        changed.
        """
        if quote is not None and quote.may_trade:
            self._tradable_deals[quote.quote_id] = quote
        elif quote is not None:
            self._tradable_deals.pop(quote.quote_id, None)
        if rfq.quote is None:
            self._idle.setdefault(rfq.rfq_id)
        else:
            self._idle.pop(rfq.rfq_id, None)

    def _update_of(self, rfq: MakerRfq, quote: MakerQuote | None) -> MakerUpdate:
        """Return the update of a quote that is about to change."""
        # Must be called before the change, because the update contains the previous state.
        key = (rfq.rfq_id, "" if quote is None else quote.quote_id)
        update = self._updates.get(key)
        if update is None:
            update = self._updates[key] = MakerUpdate(rfq, quote, None if quote is None else quote.state)
        return update

    # --- load -----------------------------------------------------------------------------------------

    def load(self, dumped: Mapping[str, Any]) -> list[MakerUpdate]:
        """Replace the state with a dump that this process or an earlier one wrote.

        The session at the time of the dump counts as ended. Quotes for which further messages were expected
        become uncertain, which the returned updates report.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "RfqMaker") as state:
            quotes = {
                quote_id: quote for rfq in state._rfqs.values() for quote_id, quote in rfq.quotes.items()
            }
        self._restore(state)
        self._quotes, self._idle = quotes, {}
        for rfq in self._rfqs.values():
            for quote in rfq.quotes.values():
                quote.rfq = rfq
            self._reindex(rfq, None)
        for quote in self._quotes.values():
            self._reindex(quote.rfq, quote)
        if self._logged_on:
            self._logged_on = False
            self._record_lost_answers()
        return self._take_updates()


def _terms_problem(request: Any) -> str | None:
    """Return the reason why the terms of a request cannot be read; None if they can be read. A request with
    unreadable terms is not quoted.
    """
    if not request.related_sym:
        return "no market"
    if request.problems:
        return str(request.problems[0])
    names = [request.quote_req_id, request.related_sym[0].symbol]
    for leg in request.multivariate_selected_legs:
        names += [leg.multivariate_selected_event_ticker, leg.multivariate_selected_market_ticker]
        names.append(leg.multivariate_selected_side)
    return None if all(map(is_valid_id, names)) else "an id or ticker is missing or too long"


def _quote_id(report: Any) -> str:
    """Return the QuoteID after the second colon of a report's ClOrdID; empty if there is none."""
    return (report.cl_ord_id or "").partition(":")[2].partition(":")[2]


def _accepted_side(quote: MakerQuote, report: Any) -> Side | None:
    """Return the accepted side of a quote; None if the report does not contain it."""
    if report.side in (Side.BUY, Side.SELL):
        return Side(report.side)
    if quote.terms.bid is None or quote.terms.offer is None:
        return Side.SELL if quote.terms.bid is None else Side.BUY
    return None


def _uncertain_kind(quote: MakerQuote) -> UncertainRfqKind:
    if Fact.CONFIRMED in quote.facts:
        return UncertainRfqKind.EXECUTION_UNKNOWN
    return UncertainRfqKind.CONFIRM_UNKNOWN if quote.may_trade else UncertainRfqKind.QUOTE_UNKNOWN
