"""The creator's side of requests for quotes (KalshiRT): quotes, their acceptance, and what may trade."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from kalshi_fix_sansio._generated import (
    AcceptQuote,
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    AcceptQuoteStatusText,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrdType,
    Party,
    PartyRole,
    Quote,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteRequestSymbol,
    RFQCancel,
    RFQCancelStatus,
    RFQCancelStatusCode,
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
)
from kalshi_fix_sansio.trading.amounts import ZERO, divide, subtract, to_cents
from kalshi_fix_sansio.trading.dumping import VERSION, dump_time, load_time, reading_dump
from kalshi_fix_sansio.trading.order_reports import PENDING, leaves_open
from kalshi_fix_sansio.trading.received import clipped, readable
from kalshi_fix_sansio.trading.rfq import (
    HIGH_VOLATILITY,
    ONE,
    STANDARD,
    Exposure,
    RfqDiscrepancy,
    RfqDiscrepancyKind,
    RfqDoubt,
    RfqDoubtKind,
    RfqRequestError,
    RfqWindows,
    rfq_doubt,
    unwrapped,
    window_end,
)
from kalshi_fix_sansio.trading.rfq_creator_state import (
    OVER,
    Acceptance,
    CreatorQuote,
    CreatorRfq,
    CreatorUpdate,
    RfqState,
    dump_quote,
    dump_rfq,
    load_quote,
    load_rfq,
    read_quote,
)

MAX_ACCEPTANCES: Final = 16
"""Acceptances of one request that are remembered, with the one that counts."""
MAX_EARLY: Final = 1_000
"""Quotes that are kept of requests whose id of the venue's is not known yet."""
_GONE: Final = frozenset((AcceptQuoteStatusText.NOT_FOUND.value, AcceptQuoteStatusText.EXPIRED.value))
"""Texts that say that a quote is there no more. Nothing tells the creator before."""
_ANSWERS: Final = frozenset(
    (
        QuoteRequestAck.MSG_TYPE,
        QuoteRequestReject.MSG_TYPE,
        AcceptQuoteStatus.MSG_TYPE,
        RFQCancelStatus.MSG_TYPE,
    )
)
"""What moves a request on, beside reports."""
_FOUND: Final = frozenset((RfqState.OPEN, RfqState.ACCEPTED, *(OVER - {RfqState.REFUSED})))
"""What a user can find out about a request."""


class RfqCreator:
    """The requests for quotes of a session (KalshiRT), over any number of its connections.

    Give `apply` every event of the session, and each QuoteRequest just before it is sent. What `accept`,
    `accept_by_order` and `cancel` return counts as sent: `withdraw` it where it was not. State follows from
    the set of what has come and not from its order. Nothing that the venue sends raises.
    """

    __slots__ = (
        "_accepted",
        "_at_stake",
        "_by_rfq_id",
        "_dollars",
        "_early",
        "_grace",
        "_high_volatility",
        "_is_volatile",
        "_max_quotes",
        "_max_rfqs",
        "_now",
        "_rfqs",
        "_standard",
        "_updates",
    )

    def __init__(
        self,
        *,
        standard: RfqWindows = STANDARD,
        high_volatility: RfqWindows = HIGH_VOLATILITY,
        volatile_symbols: Container[str] = (),
        grace: float = 5,
        dollars: bool = True,
        max_rfqs: int = 10_000,
        max_quotes: int = 1_000,
    ) -> None:
        """Start without requests.

        Args:
            standard: times of usual markets.
            high_volatility: times of high volatility markets.
            volatile_symbols: markets that are high volatility ones beside all combinations.
            grace: seconds beyond confirmation and execution that the report of a trade may take before its
                lack is told.
            dollars: whether the session logs on with UseDollars; needed only before the first LoggedOn.
            max_rfqs: requests that are kept, about 2 KB each; those that are over leave, the oldest
                first. One that is not is always kept.
            max_quotes: quotes of one request that are kept, about 1 KB each, while it is not over.
        """
        self._standard, self._high_volatility = standard, high_volatility
        self._is_volatile = volatile_symbols
        self._grace, self._dollars = grace, dollars
        self._max_rfqs, self._max_quotes = max_rfqs, max_quotes
        self._rfqs: dict[str, CreatorRfq] = {}
        self._by_rfq_id: dict[str, CreatorRfq] = {}
        self._accepted: dict[str, CreatorRfq] = {}
        """By the ClOrdIDs and QuoteIDs of acceptances."""
        self._at_stake: dict[str, CreatorRfq] = {}
        """Of which a quote is accepted that may trade, by QuoteReqID."""
        self._early: dict[tuple[str, str], CreatorQuote] = {}
        """Quotes by RfqId and QuoteID that came before it was known whose they are."""
        self._now: datetime | None = None
        self._updates: dict[str | int, CreatorUpdate] = {}
        """What the present call has done so far, by QuoteReqID; discrepancies of no request by a number."""

    # --- to be asked ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[CreatorRfq]:
        return iter(self._rfqs.values())

    def __len__(self) -> int:
        return len(self._rfqs)

    def rfq(self, name: str) -> CreatorRfq | None:
        """Return the request with this QuoteReqID or RfqId, if it is kept."""
        return self._rfqs.get(name) or self._by_rfq_id.get(name)

    def exposure(self, symbol: str | None = None) -> Exposure:
        """Return what may still trade of what was accepted, until a report tells of its order or the venue
        that the request is over: on one market, or on all."""
        found = Exposure()
        for rfq in self._at_stake.values():
            acceptance = rfq.acceptance
            if acceptance is not None and symbol in (None, rfq.symbol):
                price = acceptance.price
                if price is None:  # not told: whatever the side, it takes less than a dollar
                    price = ONE if acceptance.side is Side.BUY else ZERO
                found = found.plus(acceptance.side, acceptance.quantity, price)
        return found

    def doubts(self) -> list[RfqDoubt]:
        """Return what is not known, and will not be told by itself."""
        found: list[RfqDoubt] = []
        for rfq in self._rfqs.values():
            if rfq.state is RfqState.UNKNOWN:
                kind, quote_id, time = RfqDoubtKind.RFQ_UNKNOWN, None, rfq._lost_at
                acceptance = rfq.acceptance
                if acceptance is not None:
                    kind = RfqDoubtKind.ACCEPT_UNKNOWN
                    if acceptance._taken:
                        kind = RfqDoubtKind.EXECUTION_UNKNOWN
                    quote_id, time = acceptance.quote_id, acceptance._lost_at
                found.append(rfq_doubt(kind, rfq.quote_req_id, rfq.symbol or "", rfq.rfq_id, quote_id, time))
        return found

    def next_deadline(self) -> datetime | None:
        """Return when to call `handle_timer`, in UTC; None for never."""
        return min((deadline for _, _, deadline in self._due()), default=None)

    # --- to be sent -----------------------------------------------------------------------------------

    def ask(self, request: QuoteRequest) -> CreatorRfq:
        """Take a request that is about to be sent; return what is kept of it.

        Raises:
            RfqRequestError: its QuoteReqID is that of one that is not over. Do not send it.
        """
        before = self._rfqs.get(request.quote_req_id)
        if before is not None:
            if not before.is_over and before._lost_at is None:
                raise RfqRequestError(f"request {request.quote_req_id} is not over; take another QuoteReqID")
            self._forget(before)
        self._make_room()
        entry = request.related_sym[0] if request.related_sym else QuoteRequestSymbol()
        rfq = CreatorRfq(
            request.quote_req_id,
            entry.symbol,
            entry.order_qty,
            entry.cash_order_qty,
            entry.rest_remainder is True,
            request.alloc_account,
            entry.party_ids[0].party_id if entry.party_ids else None,
            request.multivariate_collection_ticker,
            tuple(request.multivariate_selected_legs),
        )
        self._rfqs[rfq.quote_req_id] = rfq
        return rfq

    def accept(
        self,
        rfq: CreatorRfq,
        quote: CreatorQuote,
        side: Side,
        cl_ord_id: str,
        *,
        quantity: Decimal | int | str | None = None,
        prefer_better: bool = False,
    ) -> AcceptQuote:
        """Return the acceptance of a quote.

        Args:
            rfq: the request.
            quote: one of its quotes, such as `rfq.best(side)`.
            side: BUY takes the maker's offer, SELL its bid.
            cl_ord_id: of the order that results.
            quantity: contracts; None for all of the quote.
            prefer_better: let the venue take a better quote, if there is one.

        Raises:
            RfqRequestError: the request is not open, a quote of it is accepted already or may be, the quote
                does not have the side, or the ClOrdID is one of before.
        """
        self._check(rfq, quote, side, cl_ord_id)
        message = AcceptQuote(
            quote_id=quote.quote_id,
            rfq_id=rfq.rfq_id,
            side=side,
            order_qty=quantity,
            cl_ord_id=cl_ord_id,
            party_ids=_parties(rfq),
            prefer_better_quote=prefer_better or None,
        )
        self._add(rfq, message)
        return message

    def accept_by_order(
        self,
        rfq: CreatorRfq,
        quote: CreatorQuote,
        side: Side,
        cl_ord_id: str,
        *,
        quantity: Decimal | int | str | None = None,
        **fields: Any,
    ) -> NewOrderSingle:
        """Return an order that accepts a quote, at its price; give it to `Orders` too.

        As `accept`; `fields` are further ones of NewOrderSingle.

        Raises:
            RfqRequestError: as `accept`, or the quote does not tell its size and no quantity is given.
        """
        price = self._check(rfq, quote, side, cl_ord_id)
        size = quote.size(side) if quantity is None else quantity
        if size is None:
            raise RfqRequestError(f"quote {quote.quote_id} does not tell its size; give a quantity")
        if not self._dollars:
            # A limit that is no worse; it trades at the price of the quote.
            rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
            price = to_cents(price).to_integral_value(rounding)
        message = NewOrderSingle(
            cl_ord_id=cl_ord_id,
            symbol=quote.symbol,
            side=side,
            order_qty=size,
            ord_type=OrdType.LIMIT,
            price=price,
            quote_id=quote.quote_id,
            rfq_id=rfq.rfq_id,
            alloc_account=None if rfq.customer else rfq.alloc_account,
            party_ids=_parties(rfq),
            **fields,
        )
        self._add(rfq, message)
        return message

    def cancel(self, rfq: CreatorRfq) -> RFQCancel:
        """Return what ends a request.

        Raises:
            RfqRequestError: it is over.
        """
        if rfq.is_over:
            raise RfqRequestError(f"request {rfq.quote_req_id} is over: {rfq.state.value}")
        # Nothing of it is kept: until the venue answers, the request is where it was, and may still trade.
        return RFQCancel(quote_req_id=rfq.quote_req_id, party_ids=_parties(rfq))

    def withdraw(self, request: Message) -> None:
        """Take back what was to be sent and `send` has refused, so that nothing of it left."""
        if isinstance(request, QuoteRequest):
            rfq = self._rfqs.get(request.quote_req_id)
            if rfq is not None and rfq.state is RfqState.SENT:
                del self._rfqs[request.quote_req_id]
        elif isinstance(request, AcceptQuote | NewOrderSingle):
            rfq, acceptance = self._find(request.cl_ord_id, request.quote_id)
            if rfq is not None and acceptance is not None and rfq.state is RfqState.ACCEPTING:
                self._drop(rfq, acceptance)
                self._reindex(rfq)

    def resolve(self, rfq: CreatorRfq, state: RfqState) -> None:
        """Take what the user has found out elsewhere, such as by REST: OPEN, ACCEPTED, EXECUTED, FAILED,
        CANCELED or EXPIRED. Its doubts go.

        Raises:
            RfqRequestError: another state, or nothing was accepted that could be in it.
        """
        acceptance = rfq.acceptance
        needs = (RfqState.ACCEPTED, RfqState.EXECUTED, RfqState.FAILED)
        if state not in _FOUND or (acceptance is None and state in needs):
            raise RfqRequestError(f"request {rfq.quote_req_id} cannot be found to be: {state.value}")
        rfq._lost_at = None
        if acceptance is not None:
            acceptance._lost_at = None
            acceptance._taken |= state in (RfqState.ACCEPTED, RfqState.FAILED)
            acceptance._rejected |= state is RfqState.FAILED
            acceptance._executed |= state is RfqState.EXECUTED
            if state is RfqState.OPEN:
                acceptance._taken, acceptance._refused = False, True
            if state is RfqState.ACCEPTED and self._now is not None:
                acceptance.deadline = self._deadline(rfq, None, self._now)
        rfq._canceled |= state is RfqState.CANCELED
        rfq._expired |= state is RfqState.EXPIRED
        self._reindex(rfq)

    # --- what happened --------------------------------------------------------------------------------

    def handle_timer(self, now: datetime) -> list[CreatorUpdate]:
        """Take note of the time, which is aware; one that goes back is ignored. Returns what is in doubt by
        it."""
        self._advance(now)
        return self._drain_updates()

    def apply(self, happened: object, now: datetime) -> list[CreatorUpdate]:
        """Take an event of the session or client, a message received, a report of drop copy (`Copied`), or a
        request that is about to be sent; those that the creator has made itself may come, and change nothing.

        Returns what it did. Any other event or message does nothing.

        Raises:
            RfqRequestError: a QuoteRequest with the id of one that is not over. Do not send it.
        """
        now = self._advance(now)
        message = unwrapped(happened)
        # A message that stands by itself is about to be sent, or was received; the kinds of the two differ.
        if message is happened:
            self._take_own(message)
        match message:
            case Quote():
                self._take_quote(message)
            case AcceptQuoteStatus():
                self._take_accept_status(message, now)
            case ExecutionReport():
                self._take_report(message)
            case QuoteRequestAck():
                self._take_ack(message)
            case QuoteRequestReject():
                self._refuse(message.quote_req_id, message.text)
            case RFQCancelStatus():
                self._take_cancel_status(message)
            case RejectReceived(sent=sent, reject=reject):
                self._take_reject(sent, reject)
            case OutcomesUnknown(requests=requests):
                for each in requests:
                    self._doubt_request(each.request_id, each.msg_type)
            # KalshiRT has resend: after a logon the venue sends again what was missed, and only a reset of
            # the numbers ends that. So the end of a session is no reason to doubt.
            case LoggedOn(reset=reset, flags=flags):
                if reset:
                    self._doubt_answers()
                self._dollars = flags.get("use_dollars") is True
            case MessagesLost() | SequenceSkipped(gap_fill=False):
                self._doubt_answers()
            case MessageRejected(comes_again=False, message=refused):
                self._take_undelivered(refused)
        return self._drain_updates()

    # --- own requests ---------------------------------------------------------------------------------

    def _take_own(self, message: object) -> None:
        match message:
            case QuoteRequest():
                self._updates[message.quote_req_id] = CreatorUpdate(self.ask(message))
            case AcceptQuote():
                self._take_acceptance(message)
            case NewOrderSingle() if message.quote_id:
                self._take_acceptance(message)

    def _make_room(self) -> None:
        if len(self._rfqs) >= self._max_rfqs:
            leaves = next((rfq for rfq in self._rfqs.values() if rfq.is_over), None)
            if leaves is not None:
                self._forget(leaves)

    def _forget(self, rfq: CreatorRfq) -> None:
        del self._rfqs[rfq.quote_req_id]
        self._at_stake.pop(rfq.quote_req_id, None)
        self._by_rfq_id.pop(rfq.rfq_id or "", None)
        for acceptance in list(rfq.acceptances):
            self._drop(rfq, acceptance)

    def _check(self, rfq: CreatorRfq, quote: CreatorQuote, side: Side, cl_ord_id: str) -> Decimal:
        """Return the price of a quote that can be accepted."""
        price = quote.price(side)
        if price is None:
            raise RfqRequestError(f"quote {quote.quote_id} has no price to {side.name.lower()} at")
        if rfq.state is not RfqState.OPEN:
            raise RfqRequestError(f"request {rfq.quote_req_id} takes no acceptance: {rfq.state.value}")
        if quote.quote_id not in rfq.quotes:
            raise RfqRequestError(f"quote {quote.quote_id} does not stand on request {rfq.quote_req_id}")
        if any(cl_ord_id == each.cl_ord_id for each in rfq.acceptances):
            raise RfqRequestError(f"ClOrdID {cl_ord_id} belongs to an acceptance of before; take another one")
        return price

    def _take_acceptance(self, message: AcceptQuote | NewOrderSingle) -> None:
        """Take an acceptance that the user makes himself, or that a log has."""
        quote_id = message.quote_id or ""
        rfq = self._by_rfq_id.get(message.rfq_id or "") or next(
            (each for each in self._rfqs.values() if quote_id in each.quotes), None
        )
        if rfq is None or any(
            (message.cl_ord_id, quote_id) == (each.cl_ord_id, each.quote_id) for each in rfq.acceptances
        ):
            return
        self._update_of(rfq)
        self._add(rfq, message)

    def _add(self, rfq: CreatorRfq, message: AcceptQuote | NewOrderSingle) -> None:
        side, quote_id = Side(message.side), message.quote_id or ""
        better = isinstance(message, AcceptQuote) and message.prefer_better_quote is True
        price = rfq._price(quote_id, side)
        quantity = message.order_qty
        if quantity is None or rfq.rest_remainder:
            sizes = [rfq.quotes[quote_id].size(side)] if quote_id in rfq.quotes else []
            if better:
                sizes += [each.size(side) for each in rfq.quotes.values()]
            quantity = max((size for size in sizes if size), default=None) or _bought(rfq, side, price)
        acceptance = Acceptance(
            quote_id,
            side,
            message.cl_ord_id,
            price,
            quantity,
            isinstance(message, NewOrderSingle),
            better,
        )
        if len(rfq.acceptances) >= MAX_ACCEPTANCES:
            self._drop(
                rfq, next((each for each in rfq.acceptances if not each.is_at_stake), rfq.acceptances[0])
            )
        rfq.acceptances.append(acceptance)
        self._accepted[quote_id] = rfq
        if acceptance.cl_ord_id is not None:
            self._accepted[acceptance.cl_ord_id] = rfq
        self._reindex(rfq)

    def _drop(self, rfq: CreatorRfq, acceptance: Acceptance) -> None:
        rfq.acceptances.remove(acceptance)
        for name in (acceptance.quote_id, acceptance.cl_ord_id):
            if not any(name in (each.quote_id, each.cl_ord_id) for each in rfq.acceptances):
                self._accepted.pop(name or "", None)

    # --- what the venue tells -------------------------------------------------------------------------

    def _take_ack(self, ack: Any) -> None:
        rfq = self._rfqs.get(ack.quote_req_id or "")
        if rfq is None:
            self._note(None, RfqDiscrepancyKind.UNKNOWN_RFQ, f"{ack.NAME} of {clipped(ack.quote_req_id)!r}")
            return
        update = self._update_of(rfq)
        if not readable(ack.rfq_id) or len(ack.symbol or "") > len(clipped(ack.symbol)):
            self._note(
                update, RfqDiscrepancyKind.UNREADABLE, f"{ack.NAME} of {rfq.quote_req_id} without RfqId"
            )
            return
        rfq._lost_at = None
        if rfq.rfq_id is not None:
            return
        rfq.rfq_id = ack.rfq_id
        rfq.symbol = ack.symbol or rfq.symbol
        self._by_rfq_id[ack.rfq_id] = rfq
        # Quotes name the RfqId, which the creator learns here: makers may be faster than the ack.
        for key in [key for key in self._early if key[0] == ack.rfq_id]:
            self._put(update, rfq, self._early.pop(key))

    def _refuse(self, quote_req_id: str | None, text: str | None) -> None:
        """The venue refuses a request, or says that it is over."""
        rfq = self.rfq(quote_req_id or "")
        if rfq is None:
            detail = f"{QuoteRequestReject.NAME} of {clipped(quote_req_id)!r}"
            self._note(None, RfqDiscrepancyKind.UNKNOWN_RFQ, detail)
            return
        self._update_of(rfq)
        rfq._refused, rfq.text = True, clipped(text)
        self._reindex(rfq)

    def _take_cancel_status(self, status: Any) -> None:
        rfq = self.rfq(status.quote_req_id or "") or self.rfq(status.rfq_id or "")
        if rfq is None:
            detail = f"{status.NAME} of {clipped(status.quote_req_id)!r}"
            self._note(None, RfqDiscrepancyKind.UNKNOWN_RFQ, detail)
            return
        update = self._update_of(rfq)
        code = status.rfq_cancel_status
        if code == RFQCancelStatusCode.CANCELED:
            rfq._canceled = True
        elif code == RFQCancelStatusCode.EXPIRED:
            rfq._expired = True
        elif code == RFQCancelStatusCode.REJECTED:
            rfq.text = clipped(status.text)
        else:
            self._note(update, RfqDiscrepancyKind.UNREADABLE, f"RFQCancelStatus {clipped(str(code))}")
        self._reindex(rfq)

    def _take_quote(self, message: Any) -> None:
        quote = read_quote(message)
        if quote is None or not readable(message.quote_req_id):
            self._note(None, RfqDiscrepancyKind.UNREADABLE, f"{message.NAME} {clipped(message.quote_id)!r}")
            return
        rfq = self._by_rfq_id.get(message.quote_req_id)
        if rfq is None:
            if len(self._early) >= MAX_EARLY:
                del self._early[next(iter(self._early))]
            self._early[message.quote_req_id, quote.quote_id] = quote
            return
        self._put(self._update_of(rfq), rfq, quote)

    def _put(self, update: CreatorUpdate, rfq: CreatorRfq, quote: CreatorQuote) -> None:
        """Take a quote in the place of an older one of its maker, unless there is a newer one."""
        # A quote on it proves that the venue has the request and that it is open.
        if rfq.acceptance is None:
            rfq._lost_at = None
        if rfq.is_over or quote.quote_id in rfq.quotes:
            return
        if quote.maker is not None:
            # The venue tells no creator that a quote was replaced. After a resend an older one may come last.
            others = [each for each in rfq.quotes.values() if each.maker == quote.maker]
            if any(each._age > quote._age for each in others):
                return
            for each in others:
                del rfq.quotes[each.quote_id]
        if len(rfq.quotes) >= self._max_quotes:
            self._note(update, RfqDiscrepancyKind.TOO_MANY, f"quote {quote.quote_id} is one too many")
            return
        rfq.quotes[quote.quote_id] = update.quote = quote

    def _take_accept_status(self, status: Any, now: datetime) -> None:
        rfq, acceptance = self._find(status.cl_ord_id, status.quote_id)
        if rfq is None or acceptance is None:
            detail = f"{status.NAME} of {clipped(status.quote_id)!r}"
            self._note(None, RfqDiscrepancyKind.UNKNOWN_QUOTE, detail)
            return
        update = self._update_of(rfq)
        code = status.accept_quote_status
        if code == AcceptQuoteStatusCode.ACCEPTED:
            if not acceptance._taken:
                acceptance._taken, acceptance._lost_at = True, None
                self._take_better(rfq, acceptance, status.accepted_quote_id)
                acceptance.deadline = self._deadline(rfq, status, now)
                update.answered = acceptance
                self._reindex(rfq)
        elif code == AcceptQuoteStatusCode.REJECTED:
            self._refuse_acceptance(update, rfq, acceptance, status.text)
        else:
            self._note(update, RfqDiscrepancyKind.UNREADABLE, f"AcceptQuoteStatus {clipped(str(code))}")

    def _take_better(self, rfq: CreatorRfq, acceptance: Acceptance, quote_id: str | None) -> None:
        acceptance.accepted_quote_id = clipped(quote_id) or acceptance.quote_id
        if acceptance.accepted_quote_id != acceptance.quote_id:
            price = rfq._price(acceptance.accepted_quote_id, acceptance.side)
            acceptance.price = acceptance.price if price is None else price

    def _refuse_acceptance(
        self, update: CreatorUpdate, rfq: CreatorRfq, acceptance: Acceptance, text: str | None
    ) -> None:
        if acceptance._refused or acceptance._taken:
            return
        acceptance._refused, acceptance.text = True, clipped(text)
        update.answered = acceptance
        quote = rfq.quotes.get(acceptance.quote_id)
        if quote is not None and text in _GONE:
            quote.gone = text
        self._reindex(rfq)

    def _take_report(self, report: Any) -> None:
        rfq, acceptance = self._find(report.cl_ord_id, None)
        if rfq is None or acceptance is None or report.exec_type in PENDING:
            return
        update = self._update_of(rfq)
        if report.exec_type == ExecType.REJECTED and leaves_open(report):
            acceptance._lost_at = acceptance._lost_at or self._now
            return
        update.answered = acceptance
        if report.exec_type == ExecType.REJECTED:
            acceptance._rejected, acceptance.text = True, clipped(report.text)
        else:
            acceptance._executed = True
            acceptance.filled = max(acceptance.filled, report.cum_qty or ZERO)
        self._reindex(rfq)

    def _take_reject(self, sent: object, reject: Any) -> None:
        if isinstance(sent, QuoteRequest):
            self._refuse(sent.quote_req_id, reject.text)
        elif isinstance(sent, RFQCancel):
            rfq = self.rfq(sent.quote_req_id or sent.rfq_id or "")
            if rfq is not None:
                rfq.text = clipped(reject.text)
        elif isinstance(sent, AcceptQuote | NewOrderSingle) and sent.quote_id:
            rfq, acceptance = self._find(sent.cl_ord_id, sent.quote_id)
            if rfq is not None and acceptance is not None:
                self._refuse_acceptance(self._update_of(rfq), rfq, acceptance, reject.text)

    def _find(
        self, cl_ord_id: str | None, quote_id: str | None
    ) -> tuple[CreatorRfq | None, Acceptance | None]:
        """Return the acceptance that is meant: by the ClOrdID if there is one, else by the QuoteID; of
        several the newest that has no answer."""
        name = cl_ord_id or quote_id or ""
        rfq = self._accepted.get(name)
        if rfq is None:
            return None, None
        meant = [each for each in rfq.acceptances if name == (each.cl_ord_id if cl_ord_id else each.quote_id)]
        waiting = [each for each in meant if each.is_at_stake and not each._taken]
        return rfq, next(reversed(waiting or meant), None)

    # --- what becomes of the session, and of time -----------------------------------------------------

    def _doubt_request(self, request_id: str, msg_type: str) -> None:
        """The session says that what became of a request will not be told."""
        if msg_type in (AcceptQuote.MSG_TYPE, NewOrderSingle.MSG_TYPE):
            by_order = msg_type == NewOrderSingle.MSG_TYPE
            rfq, acceptance = self._find(request_id if by_order else None, None if by_order else request_id)
            if rfq is not None and acceptance is not None and not rfq.is_over:
                self._update_of(rfq)
                acceptance._lost_at = acceptance._lost_at or self._now
        elif msg_type in (QuoteRequest.MSG_TYPE, RFQCancel.MSG_TYPE):
            rfq = self.rfq(request_id)
            if rfq is not None and not rfq.is_over:
                self._update_of(rfq)
                rfq._lost_at = rfq._lost_at or self._now

    def _doubt_answers(self) -> None:
        """What the venue tells of any request may not come."""
        for rfq in self._rfqs.values():
            if not rfq.is_over:
                self._update_of(rfq)
                rfq._lost_at = rfq._lost_at or self._now
                acceptance = rfq.acceptance
                if acceptance is not None:
                    acceptance._lost_at = acceptance._lost_at or self._now

    def _take_undelivered(self, refused: Any) -> None:
        """This side has refused a message, and did not deliver it."""
        if refused is not None and refused.msg_type == ExecutionReport.MSG_TYPE:
            rfq, acceptance = self._find(refused.cl_ord_id, None)
            if rfq is not None and acceptance is not None and acceptance.is_at_stake:
                self._update_of(rfq)
                acceptance._lost_at = acceptance._lost_at or self._now
        elif refused is None or refused.msg_type in _ANSWERS:
            self._doubt_answers()

    def _due(self) -> Iterator[tuple[CreatorRfq, Acceptance, datetime]]:
        """Find what waits for the report of a trade, and until when."""
        for rfq in self._at_stake.values():
            acceptance = rfq.acceptance
            if acceptance is not None and acceptance.deadline is not None and acceptance._lost_at is None:
                yield rfq, acceptance, acceptance.deadline

    def _advance(self, now: datetime) -> datetime:
        if self._now is None or now > self._now:
            self._now = now
        for rfq, acceptance, deadline in self._due():
            if deadline <= self._now:
                self._update_of(rfq)
                acceptance._lost_at = self._now
        return self._now

    def _deadline(self, rfq: CreatorRfq, status: Any, now: datetime) -> datetime:
        volatile = rfq.collection is not None or rfq.symbol in self._is_volatile
        windows = self._high_volatility if volatile else self._standard
        seconds = windows.confirmation + windows.execution + self._grace
        return now + timedelta(seconds=seconds) if status is None else window_end(status, seconds, now)

    # --- what is kept, and told -----------------------------------------------------------------------

    def _reindex(self, rfq: CreatorRfq) -> None:
        """Keep the list of what is at stake as it follows from a request's state."""
        if rfq.is_over:
            rfq.quotes.clear()
        if rfq.is_over or rfq.acceptance is None:
            self._at_stake.pop(rfq.quote_req_id, None)
        else:
            self._at_stake[rfq.quote_req_id] = rfq

    def _update_of(self, rfq: CreatorRfq) -> CreatorUpdate:
        """Return the update of a request that is about to change."""
        found = self._updates.get(rfq.quote_req_id)
        if found is None:
            found = self._updates[rfq.quote_req_id] = CreatorUpdate(rfq, rfq.state)
        return found

    def _note(self, update: CreatorUpdate | None, kind: RfqDiscrepancyKind, detail: str) -> None:
        if update is None:
            update = self._updates[len(self._updates)] = CreatorUpdate()
        update.discrepancies.append(RfqDiscrepancy(kind, detail))

    def _drain_updates(self) -> list[CreatorUpdate]:
        told, self._updates = self._updates, {}
        return [
            each
            for each in told.values()
            if each.state_changed or each.quote is not None or each.answered is not None or each.discrepancies
        ]

    # --- to be kept by the user -----------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values that JSON has; `load` takes it."""
        return {
            "version": VERSION,
            "now": dump_time(self._now),
            "dollars": self._dollars,
            "rfqs": [dump_rfq(rfq) for rfq in self._rfqs.values()],
            "early": [[rfq_id, dump_quote(quote)] for (rfq_id, _), quote in self._early.items()],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave, in the process of before or in this one.

        What the venue tells meanwhile comes at the next logon: KalshiRT sends again.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "a creator's requests", "RfqCreator"):
            now, dollars = load_time(dumped["now"]), bool(dumped["dollars"])
            rfqs = {rfq.quote_req_id: rfq for rfq in map(load_rfq, dumped["rfqs"])}
            early = {(rfq_id, row["quote_id"]): load_quote(row) for rfq_id, row in dumped["early"]}
        self._now, self._dollars, self._rfqs, self._early = now, dollars, rfqs, early
        self._by_rfq_id = {rfq.rfq_id: rfq for rfq in rfqs.values() if rfq.rfq_id is not None}
        self._accepted, self._at_stake = {}, {}
        self._updates.clear()
        for rfq in rfqs.values():
            for acceptance in rfq.acceptances:
                self._accepted[acceptance.quote_id] = rfq
                if acceptance.cl_ord_id is not None:
                    self._accepted[acceptance.cl_ord_id] = rfq
            self._reindex(rfq)


def _bought(rfq: CreatorRfq, side: Side, price: Decimal | None) -> Decimal:
    """Return how many contracts a request is for, at the most; 0 if nothing tells."""
    if rfq.contracts is not None or rfq.cash is None or price is None:
        return rfq.contracts or ZERO
    return divide(rfq.cash, price if side is Side.BUY else subtract(ONE, price))


def _parties(rfq: CreatorRfq) -> list[Party]:
    if rfq.customer is None:
        return []
    return [Party(party_id=rfq.customer, party_role=PartyRole.CUSTOMER_ACCOUNT)]
