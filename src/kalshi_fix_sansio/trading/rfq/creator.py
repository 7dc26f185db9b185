"""The creator's side of requests for quotes (KalshiRT): quotes, acceptances, and exposure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    AcceptQuote,
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrdType,
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
from kalshi_fix_sansio.clock import END
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LoggedOn, OpenRequest
from kalshi_fix_sansio.trading.common.amounts import ONE, ZERO, divide, subtract, to_cents
from kalshi_fix_sansio.trading.common.dumping import keyed_by, loading
from kalshi_fix_sansio.trading.common.received import clipped, is_valid_id, remember
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequests
from kalshi_fix_sansio.trading.orders.order_reports import PENDING_TYPES, leaves_open
from kalshi_fix_sansio.trading.orders.order_requests import customer_parties
from kalshi_fix_sansio.trading.rfq.coverage import ReportKeys
from kalshi_fix_sansio.trading.rfq.creator_state import (
    Acceptance,
    CreatorQuote,
    CreatorRfq,
    CreatorUpdate,
    RfqState,
    read_quote,
)
from kalshi_fix_sansio.trading.rfq.deals import Fact
from kalshi_fix_sansio.trading.rfq.machine import RfqMachine
from kalshi_fix_sansio.trading.rfq.values import (
    CLOSED_QUOTE_TEXTS,
    HIGH_VOLATILITY,
    STANDARD,
    RfqDiscrepancyKind,
    RfqRequestError,
    RfqWindows,
    UncertainRfq,
    UncertainRfqKind,
    uncertain_rfq,
    window_end,
)

MAX_ACCEPTANCES: Final = 16
"""Maximum number of acceptances kept per request, including the current acceptance."""
MAX_EARLY_QUOTES: Final = 1_000
"""Maximum number of kept quotes whose RfqId does not belong to a known request yet."""
_ANSWERS: Final = frozenset(
    each.MSG_TYPE for each in (QuoteRequestAck, QuoteRequestReject, AcceptQuoteStatus, RFQCancelStatus)
)
"""Messages that change the state of a request, in addition to execution reports."""
_FACTS_BY_RESOLUTION: Final[Mapping[RfqState, tuple[set[Fact], set[Fact]]]] = {
    RfqState.OPEN: (set(), {Fact.REFUSED}),
    RfqState.ACCEPTED: (set(), {Fact.ACCEPTED}),
    RfqState.EXECUTED: (set(), {Fact.EXECUTED}),
    RfqState.FAILED: (set(), {Fact.ACCEPTED, Fact.ORDER_REFUSED}),
    RfqState.CANCELED: ({Fact.CANCELED}, set()),
    RfqState.EXPIRED: ({Fact.EXPIRED}, set()),
}
"""States that the user can pass to `RfqCreator.resolve`, each with the facts about the request and about its
acceptance that follow from it.
"""


@attrs.frozen
class _State:
    """The layout of a dump."""

    _now: datetime | None
    _dollars: bool
    _keys: ReportKeys
    _rfqs: dict[str, CreatorRfq] = attrs.field(metadata=keyed_by("quote_req_id"))
    _early: dict[tuple[str, str], CreatorQuote]
    unattributed: UnattributedRequests


class RfqCreator(RfqMachine[CreatorRfq, Acceptance, CreatorUpdate]):
    """The requests for quotes that a session (KalshiRT) creates, over any number of connections.

    Pass every event of the session to `apply`, and each QuoteRequest just before it is sent. Messages
    returned by `accept`, `accept_by_order` and `cancel` count as sent; call `withdraw` if they were not. The
    state depends on which messages were received, not on their sequence. No message from the venue raises an
    exception.
    """

    _UPDATE, _STATE = CreatorUpdate, _State
    _REQUESTS = (QuoteRequest, AcceptQuote, RFQCancel, NewOrderSingle)

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
            standard: time windows of standard markets.
            high_volatility: time windows of high volatility markets.
            volatile_symbols: tickers of the high volatility markets, in addition to all combinations.
            grace: seconds after the end of the windows for confirmation and execution, after which the report
                of a trade counts as missing.
            dollars: whether the session logs on with UseDollars; used until the first LoggedOn event.
            max_rfqs: maximum number of requests kept, about 2 KB each. Beyond it, ended requests are removed,
                the oldest first. Active requests are kept even beyond the limit.
            max_quotes: maximum number of quotes per active request, about 1 KB each.
        """
        super().__init__(
            standard, high_volatility, volatile_symbols, grace=grace, dollars=dollars, max_rfqs=max_rfqs
        )
        self._max_quotes = max_quotes
        self._by_rfq_id: dict[str, CreatorRfq] = {}
        self._accepted: dict[str, CreatorRfq] = {}
        """Requests by the ClOrdIDs and QuoteIDs of their acceptances."""
        self._early: dict[tuple[str, str], CreatorQuote] = {}
        """Quotes for requests that are not known yet, by RfqId and QuoteID."""

    # --- queries --------------------------------------------------------------------------------------

    def rfq(self, name: str) -> CreatorRfq | None:
        """Return the request with this QuoteReqID or RfqId; None if it is not kept."""
        return self._rfqs.get(name) or self._by_rfq_id.get(name)

    def _uncertain_items(self) -> Iterator[UncertainRfq]:
        for rfq in self._rfqs.values():
            if rfq.state is RfqState.UNKNOWN:
                kind, quote_id, since = UncertainRfqKind.RFQ_UNKNOWN, None, rfq.uncertain_since
                acceptance = rfq.acceptance
                if acceptance is not None:
                    accepted = Fact.ACCEPTED in acceptance.facts
                    kind = UncertainRfqKind.EXECUTION_UNKNOWN if accepted else UncertainRfqKind.ACCEPT_UNKNOWN
                    quote_id, since = acceptance.quote_id, acceptance.uncertain_since
                yield uncertain_rfq(kind, rfq.quote_req_id, rfq.symbol or "", rfq.rfq_id, quote_id, since)

    def _awaited_deals(self) -> Iterator[tuple[Acceptance, datetime]]:
        for each in self._tradable_deals.values():
            if each.deadline is not None and each.uncertain_since is None:
                yield each, each.deadline

    def _uncertain_deals(self) -> Iterator[tuple[Acceptance, datetime]]:
        for deal in self._tradable_deals.values():
            for each in deal.rfq.acceptances:
                # Without a ClOrdID, no report can be matched with its order.
                if each.may_trade and each.uncertain_since is not None and each.cl_ord_id is not None:
                    yield each, each.deadline or self._deadline(each.rfq, None, each.preceding.lost_at or END)

    # --- outgoing messages ----------------------------------------------------------------------------

    def request(self, request: QuoteRequest) -> CreatorRfq:
        """Record a request that is about to be sent; return its state.

        Raises:
            RfqRequestError: an active request has the same QuoteReqID. Do not send the new request. (An
                uncertain request is replaced instead, unless it has an acceptance that may still trade.)
        """
        previous = self._rfqs.get(request.quote_req_id)
        if previous is not None:
            if not previous.has_ended and (
                previous.uncertain_since is None or previous.acceptance is not None
            ):
                raise RfqRequestError(f"request {request.quote_req_id} has not ended; use another QuoteReqID")
            self._forget(previous)
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
        """Return a message that accepts a quote.

        Args:
            rfq: the request for quotes.
            quote: a quote for it, such as `rfq.best(side)`.
            side: BUY takes the maker's offer, SELL its bid.
            cl_ord_id: ClOrdID of the resulting order.
            quantity: contracts; None for the whole quote.
            prefer_better: whether the venue may accept a better quote instead, if there is one.

        Raises:
            RfqRequestError: the request is not open, or one of its quotes has been accepted or may have been;
                the quote is not, or no longer, one of `rfq.quotes`; the quote has no price for this side;
                another acceptance of the request used the ClOrdID.
        """
        self._check_acceptable(rfq, quote, side, cl_ord_id)
        message = AcceptQuote(
            quote_id=quote.quote_id,
            rfq_id=rfq.rfq_id,
            side=side,
            order_qty=quantity,
            cl_ord_id=cl_ord_id,
            party_ids=customer_parties(rfq.customer),
            prefer_better_quote=prefer_better or None,
        )
        self._add_acceptance(rfq, message)
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
        """Return an order that accepts a quote at the price of the quote; pass it to `Orders` too.

        The arguments are those of `accept`; `fields` are further fields of NewOrderSingle.

        Raises:
            RfqRequestError: as for `accept`, or the quote has no size and no quantity is given.
        """
        price = self._check_acceptable(rfq, quote, side, cl_ord_id)
        size = quote.size(side) if quantity is None else quantity
        if size is None:
            raise RfqRequestError(f"quote {quote.quote_id} has no size; pass a quantity")
        if not self._dollars:
            # Rounded in the direction that does not exclude the quote; the order trades at the price of the
            # quote.
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
            party_ids=customer_parties(rfq.customer),
            **fields,
        )
        self._add_acceptance(rfq, message)
        return message

    def cancel(self, rfq: CreatorRfq) -> RFQCancel:
        """Return a message that cancels a request.

        Raises:
            RfqRequestError: the request has ended.
        """
        if rfq.has_ended:
            raise RfqRequestError(f"request {rfq.quote_req_id} has ended: {rfq.state.value}")
        # No state changes: until the venue answers, the request stays as it is and may still trade.
        return RFQCancel(quote_req_id=rfq.quote_req_id, party_ids=customer_parties(rfq.customer))

    def withdraw(self, request: Message) -> None:
        """Undo the effect of a message that was not sent because `send` refused it."""
        if isinstance(request, QuoteRequest):
            rfq = self._rfqs.get(request.quote_req_id)
            if rfq is not None and rfq.rfq_id is None and not rfq.facts:
                del self._rfqs[request.quote_req_id]
        elif isinstance(request, AcceptQuote | NewOrderSingle):
            acceptance = self._find(request.cl_ord_id, request.quote_id)
            if acceptance is not None and not acceptance.facts:
                self._drop(acceptance)
                self._reindex(acceptance.rfq)

    def resolve(self, rfq: CreatorRfq, state: RfqState, *, rfq_id: str | None = None) -> None:
        """Set the state that the user has found elsewhere, for example through REST: OPEN, ACCEPTED,
        EXECUTED, FAILED, CANCELED or EXPIRED. This ends the uncertainty about the request.

        Args:
            rfq: the request for quotes.
            state: its state.
            rfq_id: RfqId, the venue's id. OPEN requires it if the ack was not received, because quotes
                contain no other id of the request.

        Raises:
            RfqRequestError: another state was passed, the state needs an acceptance and the request has
                none, or the RfqId is missing.
        """
        acceptance = rfq.acceptance
        states_with_acceptance = (RfqState.ACCEPTED, RfqState.EXECUTED, RfqState.FAILED)
        if state not in _FACTS_BY_RESOLUTION or (acceptance is None and state in states_with_acceptance):
            raise RfqRequestError(
                f"request {rfq.quote_req_id} cannot be resolved to this state: {state.value}"
            )
        if state is RfqState.OPEN and rfq.rfq_id is None:
            if rfq_id is None:
                raise RfqRequestError(f"the RfqId of request {rfq.quote_req_id} is unknown; pass it")
            self._set_rfq_id(self._update_of(rfq), rfq, rfq_id)
            acceptance = rfq.acceptance
        rfq_facts, acceptance_facts = _FACTS_BY_RESOLUTION[state]
        rfq.uncertain_since = None
        if acceptance is not None:
            acceptance.end_uncertainty()
            acceptance.facts |= acceptance_facts
            if state is RfqState.OPEN:
                acceptance.facts.discard(Fact.ACCEPTED)
            if state is RfqState.ACCEPTED and self._now is not None:
                acceptance.deadline = self._deadline(rfq, None, self._now)
        rfq.facts |= rfq_facts
        self._reindex(rfq)

    # --- events ---------------------------------------------------------------------------------------

    def _handle_message(self, message: object, now: datetime, *, is_unwrapped: bool) -> None:
        # A message passed without its event is about to be sent, or was received. Its type shows which.
        match message:
            case QuoteRequest() if not is_unwrapped:
                self._updates[message.quote_req_id] = CreatorUpdate(self.request(message))
            case AcceptQuote() | NewOrderSingle() if not is_unwrapped and message.quote_id:
                self._handle_acceptance(message)
            case Quote():
                self._handle_quote(message)
            case AcceptQuoteStatus():
                self._handle_accept_status(message, now)
            case QuoteRequestAck():
                self._handle_ack(message)
            case QuoteRequestReject():
                self._record_refusal(message, message.quote_req_id, message.text)
            case RFQCancelStatus():
                self._handle_cancel_status(message)
            # On KalshiRT the venue resends missed messages after a logon, unless the sequence numbers were
            # reset. The end of a session therefore causes no uncertainty.
            case LoggedOn(reset=reset, flags=flags):
                if reset:
                    self._record_lost_answers()
                self._dollars = flags.get("use_dollars") is True

    # --- own requests ---------------------------------------------------------------------------------

    def _make_room(self) -> None:
        if len(self._rfqs) >= self._max_rfqs:
            evicted = next((rfq for rfq in self._rfqs.values() if rfq.has_ended), None)
            if evicted is not None:
                self._forget(evicted)

    def _forget(self, rfq: CreatorRfq) -> None:
        del self._rfqs[rfq.quote_req_id]
        self._tradable_deals.pop(rfq.quote_req_id, None)
        self._by_rfq_id.pop(rfq.rfq_id or "", None)
        for acceptance in list(rfq.acceptances):
            self._drop(acceptance)

    def _check_acceptable(self, rfq: CreatorRfq, quote: CreatorQuote, side: Side, cl_ord_id: str) -> Decimal:
        """Return the price of a quote; raise RfqRequestError if it cannot be accepted."""
        price = quote.price(side)
        if price is None:
            raise RfqRequestError(f"quote {quote.quote_id} has no price for side {side.name}")
        if rfq.state is not RfqState.OPEN:
            raise RfqRequestError(
                f"no quote for request {rfq.quote_req_id} can be accepted: {rfq.state.value}"
            )
        if quote.quote_id not in rfq.quotes:
            raise RfqRequestError(f"quote {quote.quote_id} is not a quote for request {rfq.quote_req_id}")
        if any(cl_ord_id == each.cl_ord_id for each in rfq.acceptances):
            raise RfqRequestError(f"ClOrdID {cl_ord_id} was used by an earlier acceptance; use another one")
        return price

    def _handle_acceptance(
        self, message: AcceptQuote | NewOrderSingle, *, sent_earlier: bool = False
    ) -> None:
        """Record an acceptance that the user created, that was read from a log, or whose outcome is
        unknown.
        """
        quote_id = message.quote_id or ""
        rfq = self._by_rfq_id.get(message.rfq_id or "") or next(
            (each for each in self._rfqs.values() if quote_id in each.quotes), None
        )
        if rfq is None or any(
            (message.cl_ord_id, quote_id) == (each.cl_ord_id, each.quote_id) for each in rfq.acceptances
        ):
            return
        self._update_of(rfq)
        self._add_acceptance(rfq, message, sent_earlier=sent_earlier)

    def _add_acceptance(
        self, rfq: CreatorRfq, message: AcceptQuote | NewOrderSingle, *, sent_earlier: bool = False
    ) -> None:
        """Add an acceptance to a request. If the message does not determine the quantity, assume the largest
        quantity that may trade. With `sent_earlier`, do not record which reports were received before it.
        """
        side, quote_id = Side(message.side), message.quote_id or ""
        prefers_better = isinstance(message, AcceptQuote) and message.prefer_better_quote is True
        price = rfq.price_of(quote_id, side)
        quantity = message.order_qty
        if quantity is None or rfq.rest_remainder:
            sizes = [rfq.quotes[quote_id].size(side)] if quote_id in rfq.quotes else []
            if prefers_better:
                sizes += [each.size(side) for each in rfq.quotes.values()]
            quantity = max((size for size in sizes if size), default=None) or _requested_quantity(
                rfq, side, price
            )
        acceptance = Acceptance(
            rfq,
            quote_id,
            side,
            message.cl_ord_id,
            price,
            quantity,
            isinstance(message, NewOrderSingle),
            prefers_better,
        )
        if len(rfq.acceptances) >= MAX_ACCEPTANCES:
            ended = (each for each in rfq.acceptances if not each.may_trade)
            self._drop(next(ended, rfq.acceptances[0]))
        rfq.acceptances.append(acceptance)
        if not sent_earlier:
            quote = rfq.quotes.get(quote_id)
            self._keys.record_preceding(acceptance.preceding, None if quote is None else quote.age[1])
        self._index(acceptance)
        self._reindex(rfq)

    def _index(self, acceptance: Acceptance) -> None:
        self._accepted[acceptance.quote_id] = acceptance.rfq
        if acceptance.cl_ord_id is not None:
            self._accepted[acceptance.cl_ord_id] = acceptance.rfq

    def _drop(self, acceptance: Acceptance) -> None:
        rfq = acceptance.rfq
        rfq.acceptances.remove(acceptance)
        for name in (acceptance.quote_id, acceptance.cl_ord_id):
            if not any(name in (each.quote_id, each.cl_ord_id) for each in rfq.acceptances):
                self._accepted.pop(name or "", None)

    # --- messages from the venue ------------------------------------------------------------------------

    def _handle_ack(self, ack: Any) -> None:
        rfq = self._rfqs.get(ack.quote_req_id or "")
        if rfq is None:
            self._record_unknown(RfqDiscrepancyKind.UNKNOWN_RFQ, ack, ack.quote_req_id, QuoteRequest)
            return
        update = self._update_of(rfq)
        if not is_valid_id(ack.rfq_id) or len(ack.symbol or "") > len(clipped(ack.symbol)):
            self._add_discrepancy(
                update, RfqDiscrepancyKind.UNREADABLE, f"{ack.NAME} for {rfq.quote_req_id} without an RfqId"
            )
            return
        rfq.uncertain_since = None
        if rfq.rfq_id is not None:
            return
        rfq.symbol = ack.symbol or rfq.symbol
        if rfq.symbol is not None and ack.ex_destination is not None:
            self._keys.record_shard(rfq.symbol, ack.ex_destination)
        self._set_rfq_id(update, rfq, ack.rfq_id)

    def _set_rfq_id(self, update: CreatorUpdate, rfq: CreatorRfq, rfq_id: str) -> None:
        adopted = self._rfqs.get(rfq_id)
        rfq.rfq_id = rfq_id
        if adopted is not None and adopted.rfq_id == rfq_id:
            self._merge(update, rfq, adopted)
        self._by_rfq_id[rfq_id] = rfq
        # Quotes may arrive before the QuoteRequestAck, but only the ack reveals the RfqId by which they are
        # matched.
        for key in [key for key in self._early if key[0] == rfq_id]:
            self._add_quote(update, rfq, self._early.pop(key))

    def _merge(self, update: CreatorUpdate, rfq: CreatorRfq, adopted: CreatorRfq) -> None:
        """Move the quotes, acceptances and facts of a request that was adopted under its RfqId to the
        request itself.
        """
        acceptances = list(adopted.acceptances)
        self._forget(adopted)
        rfq.facts |= adopted.facts
        for quote in adopted.quotes.values():
            self._add_quote(update, rfq, quote)
        for acceptance in acceptances:
            acceptance.rfq = rfq
            acceptance.quantity = acceptance.quantity or rfq.contracts or ZERO
            rfq.acceptances.append(acceptance)
            self._index(acceptance)
        self._reindex(rfq)

    def _record_refusal(self, message: Any, quote_req_id: str | None, text: str | None) -> None:
        """Record that the venue refused a request, immediately or later."""
        rfq = self.rfq(quote_req_id or "")
        if rfq is None:
            self._record_unknown(
                RfqDiscrepancyKind.UNKNOWN_RFQ, message, quote_req_id, QuoteRequest, RFQCancel
            )
            return
        self._update_of(rfq)
        rfq.facts.add(Fact.REFUSED)
        rfq.text = clipped(text)
        self._reindex(rfq)

    def _handle_cancel_status(self, status: Any) -> None:
        rfq = self.rfq(status.quote_req_id or "") or self.rfq(status.rfq_id or "")
        if rfq is None:
            answers_by_rfq_id = self.unattributed.answer(status.rfq_id, RFQCancel)
            answers_by_quote_req_id = self.unattributed.answer(status.quote_req_id, RFQCancel)
            if not (answers_by_rfq_id or answers_by_quote_req_id):
                self._record_unknown(RfqDiscrepancyKind.UNKNOWN_RFQ, status, status.quote_req_id)
            return
        update = self._update_of(rfq)
        code = status.rfq_cancel_status
        if code == RFQCancelStatusCode.CANCELED:
            rfq.facts.add(Fact.CANCELED)
        elif code == RFQCancelStatusCode.EXPIRED:
            rfq.facts.add(Fact.EXPIRED)
        elif code == RFQCancelStatusCode.REJECTED:
            rfq.text = clipped(status.text)
        else:
            self._record_unreadable(update, "RFQCancelStatus", code)
        self._reindex(rfq)

    def _handle_quote(self, message: Any) -> None:
        quote = read_quote(message)
        if quote is None or not is_valid_id(message.quote_req_id):
            self._add_discrepancy(
                None, RfqDiscrepancyKind.UNREADABLE, f"{message.NAME} {clipped(message.quote_id)!r}"
            )
            return
        rfq = self._by_rfq_id.get(message.quote_req_id)
        if rfq is None:
            remember(self._early, (message.quote_req_id, quote.quote_id), quote, MAX_EARLY_QUOTES)
            return
        self._add_quote(self._update_of(rfq), rfq, quote)

    def _add_quote(self, update: CreatorUpdate, rfq: CreatorRfq, quote: CreatorQuote) -> None:
        """Add a quote in place of the maker's older one; ignore it if the maker has a newer one."""
        # A quote proves that the venue has the request and that the request is open.
        if rfq.acceptance is None:
            rfq.uncertain_since = None
        if rfq.has_ended or quote.quote_id in rfq.quotes:
            return
        if quote.maker is not None:
            # The venue does not report replaced quotes to the creator. After a resend, an older quote may
            # arrive last.
            others = [each for each in rfq.quotes.values() if each.maker == quote.maker]
            if any(each.age > quote.age for each in others):
                return
            for each in others:
                del rfq.quotes[each.quote_id]
        if len(rfq.quotes) >= self._max_quotes:
            self._add_discrepancy(
                update,
                RfqDiscrepancyKind.TOO_MANY,
                f"quote {quote.quote_id}: {self._max_quotes} quotes for its request are already kept",
            )
            return
        rfq.quotes[quote.quote_id] = update.quote = quote

    def _handle_accept_status(self, status: Any, now: datetime) -> None:
        acceptance = self._find(status.cl_ord_id, status.quote_id)
        if acceptance is None:
            self._record_unknown(RfqDiscrepancyKind.UNKNOWN_QUOTE, status, status.quote_id, AcceptQuote)
            return
        rfq = acceptance.rfq
        update = self._update_of(rfq)
        code = status.accept_quote_status
        if code == AcceptQuoteStatusCode.ACCEPTED:
            if Fact.ACCEPTED not in acceptance.facts:
                acceptance.facts.add(Fact.ACCEPTED)
                acceptance.end_uncertainty()
                self._record_better_quote(acceptance, status.accepted_quote_id)
                acceptance.deadline = self._deadline(rfq, status, now)
                update.answered = acceptance
                self._reindex(rfq)
        elif code == AcceptQuoteStatusCode.REJECTED:
            self._refuse_acceptance(acceptance, status.text)
        else:
            self._record_unreadable(update, "AcceptQuoteStatus", code)

    def _record_better_quote(self, acceptance: Acceptance, quote_id: str | None) -> None:
        acceptance.accepted_quote_id = clipped(quote_id) or acceptance.quote_id
        if acceptance.accepted_quote_id != acceptance.quote_id:
            price = acceptance.rfq.price_of(acceptance.accepted_quote_id, acceptance.side)
            acceptance.price = acceptance.price if price is None else price

    def _refuse_acceptance(self, acceptance: Acceptance, text: str | None) -> None:
        rfq = acceptance.rfq
        update = self._update_of(rfq)
        if not acceptance.facts.isdisjoint((Fact.REFUSED, Fact.ACCEPTED)):
            return
        acceptance.facts.add(Fact.REFUSED)
        acceptance.text = clipped(text)
        update.answered = acceptance
        quote = rfq.quotes.get(acceptance.quote_id)
        if quote is not None and text in CLOSED_QUOTE_TEXTS:
            # The venue does not report the end of a quote to the creator in any other message.
            quote.gone = text
        self._reindex(rfq)

    def _handle_report(self, report: Any) -> None:
        deals = self._tradable_deals.values()
        self._keys.record_report(report, [each.preceding for deal in deals for each in deal.rfq.acceptances])
        acceptance = self._find(report.cl_ord_id, None)
        if acceptance is None or report.exec_type in PENDING_TYPES:
            return
        update = self._update_of(acceptance.rfq)
        if report.exec_type == ExecType.REJECTED and leaves_open(report):
            acceptance.record_loss(None, self._now)
            return
        update.answered = acceptance
        acceptance.apply_report(report)
        self._reindex(acceptance.rfq)

    def _handle_no_order(self, deal: Acceptance) -> None:
        self._update_of(deal.rfq).answered = deal
        deal.facts.add(Fact.NO_ORDER)
        self._reindex(deal.rfq)

    def _handle_reject(self, sent: object, reject: Any) -> None:
        if isinstance(sent, QuoteRequest):
            self._record_refusal(reject, sent.quote_req_id, reject.text)
        elif isinstance(sent, RFQCancel):
            rfq = self.rfq(sent.quote_req_id or sent.rfq_id or "")
            if rfq is not None:
                rfq.text = clipped(reject.text)
        elif isinstance(sent, AcceptQuote | NewOrderSingle) and sent.quote_id:
            acceptance = self._find(sent.cl_ord_id, sent.quote_id)
            if acceptance is not None:
                self._refuse_acceptance(acceptance, reject.text)

    def _find(self, cl_ord_id: str | None, quote_id: str | None) -> Acceptance | None:
        """Return the acceptance with this ClOrdID or, if `cl_ord_id` is None, with this QuoteID. If several
        match, return the newest without an answer, or else the newest.
        """
        name = cl_ord_id or quote_id or ""
        rfq = self._accepted.get(name)
        if rfq is None:
            return None
        matches = [
            each for each in rfq.acceptances if name == (each.cl_ord_id if cl_ord_id else each.quote_id)
        ]
        waiting = [each for each in matches if each.may_trade and Fact.ACCEPTED not in each.facts]
        return next(reversed(waiting or matches), None)

    # --- session and deadlines ------------------------------------------------------------------------

    def _handle_unanswered(self, request: OpenRequest, message: Any) -> None:
        # `Orders` already lists every order with an unknown outcome.
        if not self._mark_request_uncertain(request, message) and request.msg_type != NewOrderSingle.MSG_TYPE:
            self.unattributed.keep(request)

    def _mark_request_uncertain(self, request: OpenRequest, message: Any) -> bool:
        """Mark the outcome of a request as uncertain, because it will not be answered. If the request is not
        tracked yet, first start to track it, as `apply` does. Return False if the message cannot be matched
        with a request for quotes.
        """
        if request.msg_type in (AcceptQuote.MSG_TYPE, NewOrderSingle.MSG_TYPE):
            acceptance = self._track_acceptance(request, message)
            if acceptance is None:
                return False
            if not acceptance.rfq.has_ended:
                self._update_of(acceptance.rfq)
                acceptance.record_loss(request.sent_at, self._now)
            return True
        if isinstance(message, QuoteRequest):
            tracked = self._rfqs.get(message.quote_req_id)
            if tracked is None or tracked.has_ended:
                self._updates[message.quote_req_id] = CreatorUpdate(self.request(message))
        rfq = self.rfq(request.request_id)
        if rfq is None:
            return False
        if not rfq.has_ended:
            self._update_of(rfq)
            rfq.uncertain_since = rfq.uncertain_since or request.sent_at
        return True

    def _track_acceptance(
        self, request: OpenRequest, message: AcceptQuote | NewOrderSingle | None
    ) -> Acceptance | None:
        """Return the acceptance that an unanswered request contains, and start to track it if necessary.
        Return None if the request does not accept a quote, or if only `Orders` tracks it.
        """
        if message is not None and message.quote_id:
            rfq_id = message.rfq_id
            is_tracked = isinstance(message, AcceptQuote) or any(
                each.rfq_id is None and not each.has_ended for each in self._rfqs.values()
            )
            if is_tracked and is_valid_id(rfq_id) and rfq_id not in self._by_rfq_id:
                # The request for quotes is unknown, or its ack has not been received. Its acceptance may
                # trade, so it must be tracked. An order for a request that is certainly unknown is tracked by
                # `Orders` alone.
                rfq = CreatorRfq(rfq_id or "", None, rfq_id=rfq_id)
                self._rfqs.setdefault(rfq.quote_req_id, rfq)
                self._by_rfq_id[rfq.quote_req_id] = rfq
            self._handle_acceptance(message, sent_earlier=True)
            return self._find(message.cl_ord_id, message.quote_id)
        by_order = request.msg_type == NewOrderSingle.MSG_TYPE
        return self._find(request.request_id if by_order else None, None if by_order else request.request_id)

    def _record_lost_answers(self) -> None:
        for rfq in self._rfqs.values():
            if not rfq.has_ended:
                self._update_of(rfq)
                rfq.uncertain_since = rfq.uncertain_since or self._now
                acceptance = rfq.acceptance
                if acceptance is not None:
                    acceptance.record_loss(None, self._now)

    def _handle_undelivered(self, refused: Any) -> None:
        if refused is not None and refused.msg_type == ExecutionReport.MSG_TYPE:
            acceptance = self._find(refused.cl_ord_id, None)
            if acceptance is not None and acceptance.may_trade:
                self._update_of(acceptance.rfq)
                acceptance.record_loss(None, self._now)
        elif refused is None or refused.msg_type in _ANSWERS:
            self._record_lost_answers()

    def _handle_overdue(self, deal: Acceptance) -> None:
        self._update_of(deal.rfq)
        deal.record_loss(None, self._now)

    def _deadline(self, rfq: CreatorRfq, status: Any, now: datetime) -> datetime:
        windows = self._windows(volatile=rfq.collection is not None or rfq.symbol in self._volatile_symbols)
        return window_end(status, windows.confirmation + windows.execution + self._grace, now)

    # --- indexes and updates --------------------------------------------------------------------------

    def _reindex(self, rfq: CreatorRfq) -> None:
        """Update the index of acceptances that may still trade, after the state of a request has changed."""
        if rfq.has_ended:
            rfq.quotes.clear()
        acceptance = rfq.acceptance
        if rfq.has_ended or acceptance is None:
            self._tradable_deals.pop(rfq.quote_req_id, None)
        else:
            self._tradable_deals[rfq.quote_req_id] = acceptance

    def _update_of(self, rfq: CreatorRfq) -> CreatorUpdate:
        """Return the update of a request that is about to change."""
        update = self._updates.get(rfq.quote_req_id)
        if update is None:
            update = self._updates[rfq.quote_req_id] = CreatorUpdate(rfq, rfq.state)
        return update

    # --- load -----------------------------------------------------------------------------------------

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with a dump that this process or an earlier one wrote.

        At the next logon on KalshiRT, the venue resends the messages that it has sent since the dump.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "RfqCreator") as state:
            by_rfq_id = {rfq.rfq_id: rfq for rfq in state._rfqs.values() if rfq.rfq_id is not None}
        self._restore(state)
        self._by_rfq_id, self._accepted = by_rfq_id, {}
        for rfq in self._rfqs.values():
            for acceptance in rfq.acceptances:
                acceptance.rfq = rfq
                self._index(acceptance)
            self._reindex(rfq)


def _requested_quantity(rfq: CreatorRfq, side: Side, price: Decimal | None) -> Decimal:
    """Return the number of contracts that a request asks for, or that its cash pays for; 0 if unknown."""
    if rfq.contracts is not None or rfq.cash is None or price is None:
        return rfq.contracts or ZERO
    return divide(rfq.cash, price if side is Side.BUY else subtract(ONE, price))
