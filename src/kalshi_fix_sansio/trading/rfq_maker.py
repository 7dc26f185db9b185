"""The maker's side of requests for quotes (KalshiRFQ): what to quote and confirm, and what may trade."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from kalshi_fix_sansio._generated import (
    ExecInst,
    ExecType,
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
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageRejected,
    MessagesLost,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading.amounts import ZERO
from kalshi_fix_sansio.trading.dumping import VERSION, dump_time, load_time, reading_dump
from kalshi_fix_sansio.trading.order_reports import PENDING
from kalshi_fix_sansio.trading.received import clipped, readable
from kalshi_fix_sansio.trading.rfq import (
    HIGH_VOLATILITY,
    STANDARD,
    Exposure,
    RfqDiscrepancy,
    RfqDiscrepancyKind,
    RfqDoubt,
    RfqDoubtKind,
    RfqRequestError,
    RfqWindows,
    answer_key,
    read_price,
    rfq_doubt,
    unwrapped,
    window_end,
    wire_price,
)
from kalshi_fix_sansio.trading.rfq_maker_state import (
    OVER,
    MakerQuote,
    MakerRfq,
    MakerUpdate,
    QuoteState,
    QuoteTerms,
    dump_rfq,
    load_rfq,
)

MAX_QUOTES: Final = 16
"""Quotes of one request that are remembered, with the one that stands."""
_AWAITS_ANSWER: Final = frozenset(
    (QuoteState.SENT, QuoteState.OPEN, QuoteState.CONFIRMING, QuoteState.CONFIRMED)
)
"""What the venue tells more about, which a cut may lose."""
_ANSWERS: Final = frozenset(
    (QuoteStatusReport.MSG_TYPE, QuoteConfirmStatus.MSG_TYPE, QuoteCancelStatus.MSG_TYPE)
)
"""What moves a quote on, beside reports and the end of its request."""
_RESOLVED: Final = frozenset(
    (
        QuoteState.OPEN,
        QuoteState.CANCELED,
        QuoteState.CONFIRMED,
        QuoteState.EXECUTED,
        QuoteState.FAILED,
    )
)
_BOTH: Final = "a quote is confirmed and cancelled"


class RfqMaker:
    """The requests that a maker hears of and its quotes on them, over any number of connections of a session.

    Give `apply` every event of the session. It asks `quote` what to offer on each request, and `confirm`
    whether an accepted quote is to be confirmed, and returns what to send. Nothing that the venue sends
    raises; what `quote` and `confirm` raise goes through.
    """

    __slots__ = (
        "_at_stake",
        "_confirm",
        "_dollars",
        "_grace",
        "_high_volatility",
        "_idle",
        "_is_volatile",
        "_max_rfqs",
        "_new_id",
        "_now",
        "_on",
        "_quote",
        "_quotes",
        "_rfqs",
        "_standard",
        "_updates",
        "alloc_account",
    )

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
            quote: says what to offer on a request; None for nothing.
            confirm: says whether to confirm a quote that was accepted: the last look. Without it `confirm`
                may do so later, until `MakerQuote.deadline`.
            new_id: draws a QuoteID that nobody has used, such as `lambda: str(uuid4())`.
            standard: times of usual markets.
            high_volatility: times of high volatility markets.
            volatile_symbols: markets that are high volatility ones beside all combinations, which no message
                tells. It is looked into for each request, so that it may change.
            grace: seconds beyond the execution timer that the report of a trade may take before its lack is
                told.
            dollars: whether the session logs on with UseDollars; needed only before the first LoggedOn.
            alloc_account: the subaccount that quotes.
            max_rfqs: requests that are kept, about 2 KB each with a quote, and up to 16 KB with many. One
                more takes the place of the oldest without a quote that stands, then of the oldest of whose
                quotes none is accepted; where there is none, it is not quoted on.
        """
        self._quote, self._confirm, self._new_id = quote, confirm, new_id
        self._standard, self._high_volatility = standard, high_volatility
        self._is_volatile = volatile_symbols
        self._grace, self._dollars, self._max_rfqs = grace, dollars, max_rfqs
        self.alloc_account: int | None = alloc_account
        self._rfqs: dict[str, MakerRfq] = {}
        self._idle: dict[str, None] = {}
        """Ids of requests without a quote that is not over."""
        self._quotes: dict[str, MakerQuote] = {}
        self._at_stake: dict[str, MakerQuote] = {}
        self._on = False
        """Whether the session is logged on, as far as its events have told."""
        self._now: datetime | None = None
        self._updates: dict[tuple[str, str] | int, MakerUpdate] = {}
        """What the present call has done so far, by RfqId and QuoteID; discrepancies of no request by a
        number."""

    # --- to be asked ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[MakerRfq]:
        return iter(self._rfqs.values())

    def __len__(self) -> int:
        return len(self._rfqs)

    def rfq(self, rfq_id: str) -> MakerRfq | None:
        """Return the request with this id of the venue's, if it is kept."""
        return self._rfqs.get(rfq_id)

    def quote_of(self, quote_id: str) -> MakerQuote | None:
        """Return the maker's own quote with this QuoteID, if it is kept."""
        return self._quotes.get(quote_id)

    def exposure(self, symbol: str | None = None) -> Exposure:
        """Return what may still trade of the quotes that were accepted, confirmed or not, until a report
        tells of their orders: on one market, or on all."""
        found = Exposure()
        for quote in self._at_stake.values():
            price = quote.price
            if price is not None and quote.side is not None and symbol in (None, quote.rfq.symbol):
                found = found.plus(quote.side, quote.quantity, price)
        return found

    def doubts(self) -> list[RfqDoubt]:
        """Return what is not known, and will not be told by itself."""
        return [
            rfq_doubt(
                _doubt(quote),
                quote.rfq.rfq_id,
                quote.rfq.symbol,
                quote.rfq.rfq_id,
                quote.quote_id,
                quote._lost_at,
            )
            for quote in self._quotes.values()
            if quote.state is QuoteState.UNKNOWN
        ]

    def next_deadline(self) -> datetime | None:
        """Return when to call `handle_timer`, in UTC; None for never."""
        due = [
            quote.deadline
            for quote in self._at_stake.values()
            if quote.deadline is not None and quote.state in (QuoteState.ACCEPTED, QuoteState.CONFIRMED)
        ]
        return min(due, default=None)

    # --- to be sent -----------------------------------------------------------------------------------

    def requote(self, rfq: MakerRfq) -> Quote | QuoteCancel | None:
        """Ask `quote` again, as the market has moved; return what to send, if anything: a quote that takes
        the place of the one that stands, or the cancel of it. A request that is over, or of which a quote is
        accepted, is left alone."""
        before = rfq.quote
        if rfq.is_closed or rfq.rfq_id not in self._rfqs or (before is not None and before.is_at_stake):
            return None
        terms = self._quote(rfq)
        stands = before is not None and not before._canceling
        if terms is None:
            return self.cancel(before) if before is not None and stands else None
        if before is not None and stands and before.terms == terms and before._lost_at is None:
            return None
        return self._make(rfq, terms)

    def cancel(self, quote: MakerQuote) -> QuoteCancel:
        """Return what takes a quote back: also one that was accepted and is not confirmed.

        Raises:
            RfqRequestError: it is over, or confirmed.
        """
        if quote.state in OVER or quote._confirmed:
            raise RfqRequestError(f"quote {quote.quote_id} can no longer be cancelled: {quote.state.value}")
        quote._canceling = True
        return QuoteCancel(quote_id=quote.quote_id, rfq_id=quote.rfq.rfq_id)

    def confirm(self, quote: MakerQuote, now: datetime) -> QuoteConfirm:
        """Return the confirmation of a quote that was accepted: one that `confirm` has left open, or that the
        venue has refused to take.

        Raises:
            RfqRequestError: it does not wait for one, or it is too late.
        """
        self._advance(now)
        if quote.state is not QuoteState.ACCEPTED:
            raise RfqRequestError(f"quote {quote.quote_id} cannot be confirmed: {quote.state.value}")
        return self._confirmation(quote)

    def withdraw(self, request: Message) -> None:
        """Take back what was to be sent and `send` has refused, so that nothing of it left."""
        if not isinstance(request, Quote | QuoteConfirm | QuoteCancel):
            return
        quote = self._quotes.get(request.quote_id)
        if quote is None:
            return
        if isinstance(request, QuoteConfirm):
            # Not below those that were answered: they have left.
            quote._confirms = max(len(quote._refusals), quote._confirms - 1)
        elif isinstance(request, QuoteCancel):
            quote._canceling = False
        elif quote.state is QuoteState.SENT:
            del self._quotes[quote.quote_id], quote.rfq.quotes[quote.quote_id]
        self._reindex(quote.rfq, quote)

    def resolve(self, quote: MakerQuote, state: QuoteState) -> None:
        """Take what the user has found out elsewhere, such as by REST: OPEN, CANCELED, CONFIRMED, EXECUTED or
        FAILED. Its doubt goes.

        Raises:
            RfqRequestError: another state.
        """
        if state not in _RESOLVED:
            raise RfqRequestError(f"a quote cannot be found to be: {state.value}")
        quote._lost_at = None
        if state is QuoteState.CONFIRMED:
            seconds = self._windows(quote.rfq).execution + self._grace
            quote._confirmed = True
            quote.deadline = None if self._now is None else self._now + timedelta(seconds=seconds)
        else:
            quote._confirmed, quote._confirms = False, 0
            quote._refusals.clear()
            if state is QuoteState.OPEN:
                quote._pending, quote._accepted, quote._replaced = True, False, False
            quote._canceled |= state is QuoteState.CANCELED
            quote._executed |= state is QuoteState.EXECUTED
            quote._failed |= state is QuoteState.FAILED
        self._reindex(quote.rfq, quote)

    # --- what happened --------------------------------------------------------------------------------

    def handle_timer(self, now: datetime) -> list[MakerUpdate]:
        """Take note of the time, which is aware; one that goes back is ignored. Returns what it ends."""
        self._advance(now)
        return self._drain_updates()

    def apply(self, happened: object, now: datetime) -> list[MakerUpdate]:
        """Take an event of the session or client, a message received, a report of drop copy (`Copied`), or a
        request that is about to be sent; those that the maker has made itself may come, and change nothing.

        Returns what it did, and what has to be sent now. Any other event or message does nothing.
        """
        # First: what was due before the event has ended before it.
        now = self._advance(now)
        message = unwrapped(happened)
        match message:
            case QuoteRequest():
                self._take_request(message)
            case QuoteStatusReport():
                self._take_status(message, now)
            case QuoteConfirmStatus():
                self._take_confirm_status(message, now)
            case QuoteCancelStatus():
                self._take_cancel_status(message)
            case QuoteRequestReject():
                self._take_rfq_end(message)
            case ExecutionReport():
                self._take_report(message)
            # KalshiRFQ sends no Quote to makers: only one that is about to be sent is the maker's own.
            case Quote() if message is happened:
                self._take_quote(message)
            case QuoteConfirm() | QuoteCancel():
                self._take_own(message)
            case RejectReceived(sent=Quote() | QuoteConfirm() | QuoteCancel() as sent, reject=reject):
                self._take_reject(sent, reject)
            case OutcomesUnknown(requests=requests):
                self._doubt_answers([each.request_id for each in requests])
            case LoggedOn(flags=flags):
                # KalshiRFQ has no resend, so that what was on its way at the end of a session is lost.
                if self._on:  # its end was not told
                    self._doubt_answers()
                self._on, self._dollars = True, flags.get("use_dollars") is True
            case SessionEnded():
                self._on = False
                self._doubt_answers()
            case MessagesLost() | SequenceSkipped(gap_fill=False):
                self._doubt_answers()
            # One that this side has refused and that does come again is taken then.
            case MessageRejected(comes_again=False, message=refused):
                self._take_undelivered(refused)
        return self._drain_updates()

    # --- requests -------------------------------------------------------------------------------------

    def _take_request(self, request: Any) -> None:
        wrong = _unreadable(request)
        if wrong is not None:
            detail = f"{request.NAME} {clipped(request.quote_req_id)!r}: {clipped(wrong)}"
            self._note(None, RfqDiscrepancyKind.UNREADABLE, detail)
            return
        entry = request.related_sym[0]
        rfq = self._rfq_of(request.quote_req_id, entry.symbol)
        if rfq is None or rfq._shown:
            return
        rfq.symbol = entry.symbol
        rfq.contracts, rfq.cash = entry.order_qty or None, entry.cash_order_qty
        rfq.collection = clipped(request.multivariate_collection_ticker) or None
        rfq.legs = tuple(request.multivariate_selected_legs)
        rfq.requester = clipped(entry.party_ids[0].party_id) if entry.party_ids else None
        rfq.created = entry.transact_time
        rfq.high_volatility = rfq.collection is not None or rfq.symbol in self._is_volatile
        update = self._update_of(rfq, None)
        # Before the user is asked: should `quote` raise, the same request must not ask it again.
        rfq._shown = True
        # It is over already, or the user has made a quote on it himself.
        if rfq.is_closed or rfq.quotes:
            return
        terms = self._quote(rfq)
        if terms is not None:
            update.send = self._make(rfq, terms)
            update.quote = rfq.quote

    def _rfq_of(self, rfq_id: str, symbol: str) -> MakerRfq | None:
        """Return a request, which may be new; None if there is no room for it."""
        rfq = self._rfqs.get(rfq_id)
        if rfq is None:
            if not self._make_room():
                detail = f"request {rfq_id}: quotes on all {len(self._rfqs)} others are accepted"
                self._note(None, RfqDiscrepancyKind.TOO_MANY, detail)
                return None
            rfq = self._rfqs[rfq_id] = MakerRfq(rfq_id, symbol)
            rfq.high_volatility = symbol in self._is_volatile
            self._idle[rfq_id] = None
        return rfq

    def _make_room(self) -> bool:
        if len(self._rfqs) < self._max_rfqs:
            return True
        stakes = {quote.rfq.rfq_id for quote in self._at_stake.values()}
        # Never one of which a quote may trade: its report would be of nothing that is known.
        leaves = next(iter(self._idle), None) or next(
            (each for each in self._rfqs if each not in stakes), None
        )
        if leaves is None:
            return False
        for quote_id in self._rfqs.pop(leaves).quotes:
            del self._quotes[quote_id]
        self._idle.pop(leaves, None)
        return True

    def _make(self, rfq: MakerRfq, terms: QuoteTerms) -> Quote:
        """Return a new quote, which counts as sent.

        Raises:
            RfqRequestError: its id is taken, its prices are no whole cents on a session that has them, or
                too many quotes of the request are in doubt.
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
            raise RfqRequestError(f"QuoteID {message.quote_id} is taken; draw another")
        self._add(rfq, message.quote_id, terms, self.alloc_account or 0)
        return message

    def _add(self, rfq: MakerRfq, quote_id: str, terms: QuoteTerms, alloc_account: int) -> None:
        if len(rfq.quotes) >= MAX_QUOTES:
            leaves = next((each for each in rfq.quotes.values() if each.state in OVER), None)
            if leaves is None:
                raise RfqRequestError(f"{MAX_QUOTES} quotes on request {rfq.rfq_id} are not known to be over")
            del rfq.quotes[leaves.quote_id], self._quotes[leaves.quote_id]
        quote = MakerQuote(quote_id, rfq, terms, alloc_account)
        rfq.quotes[quote_id] = self._quotes[quote_id] = quote
        self._reindex(rfq, quote)

    def _take_quote(self, message: Quote) -> None:
        """Take a quote that the user makes himself, or that a log has."""
        if message.quote_id in self._quotes:
            return
        rfq = self._rfq_of(message.quote_req_id, message.symbol)
        if rfq is None:
            return
        bid, offer = (read_price(each, dollars=self._dollars) for each in (message.bid_px, message.offer_px))
        try:
            terms = QuoteTerms(bid, offer, message.exec_inst is not None, message.rest_remainder is True)
        except ValueError:  # the venue refuses it
            return
        self._add(rfq, message.quote_id, terms, message.alloc_account or 0)

    def _confirmation(self, quote: MakerQuote) -> QuoteConfirm:
        """Return a confirmation, which counts as sent."""
        # Counted, since each gets an answer: it is open while there are more of them than refusals.
        quote._confirms += 1
        quote._lost_at = None
        return QuoteConfirm(quote_id=quote.quote_id, rfq_id=quote.rfq.rfq_id)

    def _take_own(self, message: QuoteConfirm | QuoteCancel) -> None:
        quote = self._quotes.get(message.quote_id)
        if quote is None:
            return
        self._update_of(quote.rfq, quote)
        if isinstance(message, QuoteCancel):
            quote._canceling = True
        elif quote._confirms == len(quote._refusals):
            self._confirmation(quote)
        self._reindex(quote.rfq, quote)

    # --- what the venue tells -------------------------------------------------------------------------

    def _take_status(self, report: Any, now: datetime) -> None:
        quote = self._quotes.get(report.quote_id or "") or self._refused_without_id(report)
        status = report.quote_status
        if quote is None:
            detail = f"{clipped(report.quote_id)!r} is {clipped(str(status))}"
            self._note(None, RfqDiscrepancyKind.UNKNOWN_QUOTE, detail)
            return
        update = self._update_of(quote.rfq, quote)
        if status == QuoteStatus.PENDING:
            quote._sizes = (report.bid_size, report.offer_size)
            quote._pending = True
            # It tells nothing of an acceptance or a confirmation, which came after it.
            if not (quote._accepted or quote._confirms):
                quote._lost_at = None
            self._replace(quote)
        elif status == QuoteStatus.REJECTED:
            quote._rejected, quote.text = True, clipped(report.text)
        elif status == QuoteStatus.CANCELED:
            self._take_cancel(update, quote)
        elif status == QuoteStatus.ACCEPTED:
            self._accept(update, quote, report, now)
        else:
            self._note(update, RfqDiscrepancyKind.UNREADABLE, f"QuoteStatus {clipped(str(status))}")
        self._reindex(quote.rfq, quote)

    def _refused_without_id(self, report: Any) -> MakerQuote | None:
        """Return the quote that is refused without its id: the oldest of its request that waits."""
        rfq = self._rfqs.get(report.quote_req_id or "")
        if rfq is None or report.quote_id or report.quote_status != QuoteStatus.REJECTED:
            return None
        return next((each for each in rfq.quotes.values() if each.state is QuoteState.SENT), None)

    def _replace(self, quote: MakerQuote) -> None:
        """Take note that quotes of before have left for one that the venue has taken."""
        for other in takewhile(lambda each: each is not quote, quote.rfq.quotes.values()):
            if other.alloc_account == quote.alloc_account:
                self._update_of(quote.rfq, other)
                other._replaced = True

    def _accept(self, update: MakerUpdate, quote: MakerQuote, report: Any, now: datetime) -> None:
        if quote._accepted:
            return
        windows = self._windows(quote.rfq)
        # A confirmation may be answered before this copy of the acceptance comes: its deadline is a later
        # one.
        if not quote._confirmed:
            quote.deadline = window_end(report, windows.confirmation, now)
            quote._lapsed = quote.deadline <= now
            quote._lost_at = None
        quote._accepted = True
        quote.side = _accepted_side(quote, report)
        if quote.price is None:
            quote.side = None
            detail = f"quote {quote.quote_id} is accepted on side {clipped(str(report.side))}"
            self._note(update, RfqDiscrepancyKind.UNREADABLE, detail)
            return
        size = report.bid_size if quote.side is Side.BUY else report.offer_size
        quote._taken = size or report.order_qty
        # The exposure that `confirm` may look at has this quote in it.
        self._reindex(quote.rfq, quote)
        if quote.state is QuoteState.ACCEPTED and self._confirm(quote):
            update.send = self._confirmation(quote)

    def _take_confirm_status(self, status: Any, now: datetime) -> None:
        quote = self._find_or_note(status)
        if quote is None:
            return
        update = self._update_of(quote.rfq, quote)
        code = status.quote_confirm_status
        if code == QuoteConfirmStatusCode.ACCEPTED:
            if not quote._confirmed:
                quote._confirmed, quote._lost_at = True, None
                seconds = self._windows(quote.rfq).execution + self._grace
                quote.deadline = window_end(status, seconds, now)
                if quote._canceled:
                    self._note(update, RfqDiscrepancyKind.CONFLICT, f"{_BOTH}: {quote.quote_id}")
        elif code == QuoteConfirmStatusCode.REJECTED:
            self._refuse_confirmation(quote, status)
        else:
            self._note(update, RfqDiscrepancyKind.UNREADABLE, f"QuoteConfirmStatus {clipped(str(code))}")
        self._reindex(quote.rfq, quote)

    def _refuse_confirmation(self, quote: MakerQuote, answer: Any) -> None:
        quote._refusals.add(answer_key(answer, quote._confirms))
        # One that was sent by somebody else, or by a process of before.
        quote._confirms = max(quote._confirms, len(quote._refusals))
        quote.text = clipped(answer.text)
        if quote._confirms == len(quote._refusals) and not quote._confirmed:
            quote._lost_at = None

    def _take_cancel_status(self, status: Any) -> None:
        quote = self._find_or_note(status)
        if quote is None:
            return
        update = self._update_of(quote.rfq, quote)
        quote._canceling = False
        code = status.quote_cancel_status
        if code == QuoteCancelStatusCode.CANCELED:
            self._take_cancel(update, quote)
        elif code == QuoteCancelStatusCode.REJECTED:
            quote.text = clipped(status.text)
        else:
            self._note(update, RfqDiscrepancyKind.UNREADABLE, f"QuoteCancelStatus {clipped(str(code))}")
        self._reindex(quote.rfq, quote)

    def _take_rfq_end(self, message: Any) -> None:
        """The venue says that a request is over."""
        rfq = self._rfqs.get(message.quote_req_id or "")
        if rfq is None or rfq.is_closed:
            return
        self._update_of(rfq, None)
        self._close(rfq)

    def _close(self, rfq: MakerRfq) -> None:
        # Their states follow from that of the request: noted before it changes, listed after it has.
        for quote in rfq.quotes.values():
            self._update_of(rfq, quote)
        rfq.is_closed = True
        for quote in rfq.quotes.values():
            self._reindex(rfq, quote)

    def _take_report(self, report: Any) -> None:
        quote = self._quotes.get(_quote_id(report))
        if quote is None or report.exec_type in PENDING:
            return
        self._update_of(quote.rfq, quote)
        if report.exec_type == ExecType.REJECTED:
            quote._failed, quote.text = True, clipped(report.text)
        else:
            # CumQty (14) never falls, and reports may come out of order or again.
            quote._executed = True
            quote.filled = max(quote.filled, report.cum_qty or ZERO)
        self._close(quote.rfq)

    def _take_reject(self, sent: Any, reject: Any) -> None:
        quote = self._quotes.get(sent.quote_id)
        if quote is None:
            return
        self._update_of(quote.rfq, quote)
        if isinstance(sent, Quote):
            quote._rejected, quote.text = True, clipped(reject.text)
        elif isinstance(sent, QuoteConfirm):
            self._refuse_confirmation(quote, reject)
        else:
            quote._canceling, quote.text = False, clipped(reject.text)
        self._reindex(quote.rfq, quote)

    def _find_or_note(self, status: Any) -> MakerQuote | None:
        quote = self._quotes.get(status.quote_id or "")
        if quote is None:
            detail = f"{status.NAME} of {clipped(status.quote_id)!r}"
            self._note(None, RfqDiscrepancyKind.UNKNOWN_QUOTE, detail)
        return quote

    def _take_cancel(self, update: MakerUpdate, quote: MakerQuote) -> None:
        """Take that a quote is cancelled. One that is confirmed counts on: it may trade."""
        if quote._confirmed and not quote._canceled:
            self._note(update, RfqDiscrepancyKind.CONFLICT, f"{_BOTH}: {quote.quote_id}")
        quote._canceled = True

    def _windows(self, rfq: MakerRfq) -> RfqWindows:
        return self._high_volatility if rfq.high_volatility else self._standard

    # --- what becomes of the session, and of time -----------------------------------------------------

    def _doubt_answers(self, quote_ids: list[str] | None = None) -> None:
        """What the venue tells of these quotes, or of any, may not come."""
        known = self._quotes.values() if quote_ids is None else map(self._quotes.get, quote_ids)
        for quote in known:
            if quote is not None and quote.state in _AWAITS_ANSWER:
                self._update_of(quote.rfq, quote)
                quote._lost_at, quote._canceling = self._now, False

    def _advance(self, now: datetime) -> datetime:
        # A clock that goes back would open windows again that have been told as over.
        if self._now is None or now > self._now:
            self._now = now
        for quote in list(self._at_stake.values()):
            if quote.deadline is None or quote.deadline > self._now:
                continue
            if quote.state is QuoteState.ACCEPTED:
                self._update_of(quote.rfq, quote)
                quote._lapsed = True
                self._reindex(quote.rfq, quote)
            elif quote.state is QuoteState.CONFIRMED:
                self._update_of(quote.rfq, quote)
                quote._lost_at = self._now
        return self._now

    def _take_undelivered(self, refused: Any) -> None:
        """This side has refused a message, and did not deliver it."""
        # Of what could not even be decoded nothing is known, so that it may be about any quote.
        if refused is None:
            self._doubt_answers()
        elif refused.msg_type == ExecutionReport.MSG_TYPE:
            self._doubt_answers([_quote_id(refused)])
        elif refused.msg_type in _ANSWERS:
            self._doubt_answers([refused.quote_id] if refused.quote_id else None)

    # --- what is kept, and told -----------------------------------------------------------------------

    def _reindex(self, rfq: MakerRfq, quote: MakerQuote | None) -> None:
        """Keep the lists of what is at stake and of what stands as they follow from a quote's state."""
        if quote is not None and quote.is_at_stake:
            self._at_stake[quote.quote_id] = quote
        elif quote is not None:
            self._at_stake.pop(quote.quote_id, None)
        if rfq.quote is None:
            self._idle.setdefault(rfq.rfq_id)
        else:
            self._idle.pop(rfq.rfq_id, None)

    def _update_of(self, rfq: MakerRfq, quote: MakerQuote | None) -> MakerUpdate:
        """Return the update of a quote that is about to change."""
        # Called before the change: the update remembers the state of before.
        key = (rfq.rfq_id, "" if quote is None else quote.quote_id)
        found = self._updates.get(key)
        if found is None:
            found = self._updates[key] = MakerUpdate(rfq, quote, None if quote is None else quote.state)
        return found

    def _note(self, update: MakerUpdate | None, kind: RfqDiscrepancyKind, detail: str) -> None:
        if update is None:
            update = self._updates[len(self._updates)] = MakerUpdate()
        update.discrepancies.append(RfqDiscrepancy(kind, detail))

    def _drain_updates(self) -> list[MakerUpdate]:
        told, self._updates = self._updates, {}
        return [
            each
            for each in told.values()
            if each.quote is None or each.state_changed or each.send is not None or each.discrepancies
        ]

    # --- to be kept by the user -----------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values that JSON has; `load` takes it."""
        return {
            "version": VERSION,
            "now": dump_time(self._now),
            "on": self._on,
            "dollars": self._dollars,
            "rfqs": [dump_rfq(rfq) for rfq in self._rfqs.values()],
        }

    def load(self, dumped: Mapping[str, Any]) -> list[MakerUpdate]:
        """Take the place of what is known by what `dump` gave, in the process of before or in this one.

        The session of before has ended: what its venue had still to tell is in doubt, which the updates say.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "a maker's quotes", "RfqMaker"):
            now, on, dollars = load_time(dumped["now"]), bool(dumped["on"]), bool(dumped["dollars"])
            rfqs = {rfq.rfq_id: rfq for rfq in map(load_rfq, dumped["rfqs"])}
        self._now, self._on, self._dollars, self._rfqs = now, False, dollars, rfqs
        self._quotes = {name: quote for rfq in rfqs.values() for name, quote in rfq.quotes.items()}
        self._idle, self._at_stake = {}, {}
        self._updates.clear()
        for rfq in rfqs.values():
            self._reindex(rfq, None)
        for quote in self._quotes.values():
            self._reindex(quote.rfq, quote)
        if on:
            self._doubt_answers()
        return self._drain_updates()


def _unreadable(request: Any) -> str | None:
    """Return why a request is not quoted on: what it asks for is not quite known. None if it is."""
    if not request.related_sym:
        return "no market"
    if request.problems:
        return str(request.problems[0])
    names = [request.quote_req_id, request.related_sym[0].symbol]
    for leg in request.multivariate_selected_legs:
        names += [leg.multivariate_selected_event_ticker, leg.multivariate_selected_market_ticker]
        names.append(leg.multivariate_selected_side)
    return None if all(map(readable, names)) else "an id or ticker is missing or too long"


def _quote_id(report: Any) -> str:
    """Return the QuoteID that a report's ClOrdID names behind its second colon; empty if it names none."""
    return (report.cl_ord_id or "").partition(":")[2].partition(":")[2]


def _accepted_side(quote: MakerQuote, report: Any) -> Side | None:
    """Return the side of a quote that was accepted; None if the report does not tell."""
    if report.side in (Side.BUY, Side.SELL):
        return Side(report.side)
    if quote.terms.bid is None or quote.terms.offer is None:
        return Side.SELL if quote.terms.bid is None else Side.BUY
    return None


def _doubt(quote: MakerQuote) -> RfqDoubtKind:
    if quote._confirmed:
        return RfqDoubtKind.EXECUTION_UNKNOWN
    return RfqDoubtKind.CONFIRM_UNKNOWN if quote.is_at_stake else RfqDoubtKind.QUOTE_UNKNOWN
