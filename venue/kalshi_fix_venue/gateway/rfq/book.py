"""Storage and lookup of requests and quotes, without business rules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import TypeVar

import attrs

from kalshi_fix_sansio import MultivariateSelectedLeg, NewOrderSingle, Side
from kalshi_fix_venue.exchange import AccountId
from kalshi_fix_venue.gateway.logins import Login
from kalshi_fix_venue.index import Index

ONE = Decimal(1)
K = TypeVar("K")
V = TypeVar("V")


class RfqState(Enum):
    """The state of a request."""

    OPEN = auto()
    """It accepts quotes."""
    ACCEPTED = auto()
    """A quote was accepted, and its maker must confirm it."""
    CONFIRMED = auto()
    """The maker has confirmed; neither side can withdraw, and the orders follow."""
    CLOSED = auto()


class QuoteState(Enum):
    """The state of a quote."""

    OPEN = auto()
    ACCEPTED = auto()
    CONFIRMED = auto()
    EXECUTED = auto()
    CANCELED = auto()


@attrs.frozen(kw_only=True)
class Combo:
    """The legs of a combo market."""

    collection: str
    legs: tuple[MultivariateSelectedLeg, ...]


@attrs.define(eq=False, kw_only=True)
class Rfq:
    """One request. Its size is either a number of contracts or an amount of cash."""

    rfq_id: str
    """The venue's id."""
    client_id: str
    """The creator's id (QuoteReqID 131)."""
    creator: Login
    account: AccountId
    market: str
    contracts: Decimal | None
    cash: Decimal | None
    """Dollars."""
    cash_excludes_fees: bool
    obscured: bool
    rest_remainder: bool
    """RestRemainder: whether the part of the request that is not filled by the quote rests in the book."""
    created: datetime
    combo: Combo | None
    """The combination that the market represents; None for other markets."""
    by_legs: bool
    """Whether the creator named the legs rather than the market."""
    makers: tuple[Login, ...] = ()
    """The makers who received it."""
    state: RfqState = RfqState.OPEN
    quotes: dict[str, Quote] = attrs.field(factory=dict)
    """The active quotes and the most recently ended ones, by QuoteID."""
    open_quotes: dict[AccountId, Quote] = attrs.field(factory=dict)
    """The active quotes by the maker's account, in the order of receipt."""
    acceptance: Acceptance | None = None
    timer: int | None = None
    """The number of the timer that ends its current state."""

    @property
    def requester(self) -> Requester:
        """The requester whose limit it counts toward."""
        return self.account.owner, self.account.subaccount, self.account.customer


Requester = tuple[str, int, str]
"""Owner, subaccount number, and customer account (empty if none)."""


@attrs.define(eq=False, kw_only=True)
class Quote:
    """A maker's quote: its bids for a YES contract and for a NO contract, in dollars."""

    quote_id: str
    """The maker's id."""
    rfq: Rfq
    maker: Login
    account: AccountId
    bid: Decimal | None
    """The bid for a YES contract."""
    offer: Decimal | None
    """The bid for a NO contract."""
    bid_size: Decimal | None
    offer_size: Decimal | None
    post_only: bool
    rest_remainder: bool
    """RestRemainder."""
    created: datetime
    state: QuoteState = QuoteState.OPEN

    def price(self, side: Side) -> Decimal | None:
        """Return the YES price at which the creator trades on this side, if the quote has one. A creator
        that buys YES trades against the quote's bid for NO: the two prices add up to one dollar."""
        if side is Side.SELL:
            return self.bid
        return None if self.offer is None else ONE - self.offer

    def size(self, side: Side) -> Decimal | None:
        """Return the number of contracts that the creator can trade on this side."""
        return self.bid_size if side is Side.SELL else self.offer_size


@attrs.frozen(kw_only=True)
class Acceptance:
    """The acceptance of a quote by the creator."""

    quote: Quote
    login: Login
    """The login that accepted it."""
    side: Side
    """The creator's side."""
    price: Decimal
    """YES price in dollars."""
    quantity: Decimal
    cl_ord_id: str
    order_id: str
    order: NewOrderSingle | None
    """The accepting order, if the quote was not accepted with AcceptQuote."""


@attrs.define(eq=False)
class RfqBook:
    """All open requests, and the most recently closed ones."""

    retained: int
    """Maximum number of closed requests that are kept."""
    max_quotes: int
    _by_id: dict[str, Rfq] = attrs.field(factory=dict)
    _by_client_id: dict[tuple[str, str], Rfq] = attrs.field(factory=dict)
    """The newest request by owner and QuoteReqID."""
    _open: Index[Requester, Rfq] = attrs.field(factory=Index)
    _open_by_market: Index[str, Rfq] = attrs.field(factory=Index)
    """Open requests by market."""
    _closed: OrderedDict[str, Rfq] = attrs.field(factory=OrderedDict)
    _by_maker: dict[tuple[str, str], Quote] = attrs.field(factory=dict)
    """Quotes by the maker's owner and QuoteID."""
    _by_creator: dict[tuple[str, str], Quote] = attrs.field(factory=dict)
    """The newest quote by the creator's owner and QuoteID."""
    _open_by_login: Index[Login, Quote] = attrs.field(factory=Index)
    """Open quotes by the session that sent them."""

    # Requests

    def add(self, rfq: Rfq) -> None:
        """Add a new request."""
        self._by_id[rfq.rfq_id] = rfq
        self._by_client_id[rfq.account.owner, rfq.client_id] = rfq
        self._open.add(rfq.requester, rfq)
        self._open_by_market.add(rfq.market, rfq)

    def get(self, rfq_id: str) -> Rfq | None:
        """Return the request with this venue id."""
        return self._by_id.get(rfq_id)

    def find(self, owner: str, client_id: str) -> Rfq | None:
        """Return a creator's newest request with this QuoteReqID."""
        return self._by_client_id.get((owner, client_id))

    def open_rfqs_of(self, requester: Requester) -> tuple[Rfq, ...]:
        """Return the open requests of a requester, oldest first."""
        return self._open[requester]

    def open_rfqs_on(self, market: str) -> tuple[Rfq, ...]:
        """Return the open requests on a market, oldest first."""
        return self._open_by_market[market]

    def close(self, rfq: Rfq) -> None:
        """Close a request; it and its quotes are retained for a while."""
        rfq.state = RfqState.CLOSED
        rfq.makers = ()
        self._open.discard(rfq.requester, rfq)
        self._open_by_market.discard(rfq.market, rfq)
        self._closed[rfq.rfq_id] = rfq
        while len(self._closed) > self.retained:
            self._forget(self._closed.popitem(last=False)[1])

    def _forget(self, rfq: Rfq) -> None:
        del self._by_id[rfq.rfq_id]
        _drop(self._by_client_id, (rfq.account.owner, rfq.client_id), rfq)
        for quote in rfq.quotes.values():
            self._forget_quote(quote)

    # Quotes

    def add_quote(self, quote: Quote) -> None:
        """Add a new quote. The caller must have checked `is_full`."""
        rfq = quote.rfq
        rfq.quotes[quote.quote_id] = quote
        rfq.open_quotes[quote.account] = quote
        self._by_maker[quote.account.owner, quote.quote_id] = quote
        self._by_creator[rfq.account.owner, quote.quote_id] = quote
        self._open_by_login.add(quote.maker, quote)

    def is_full(self, rfq: Rfq) -> bool:
        """Return whether a request has the maximum number of active quotes."""
        return len(rfq.open_quotes) >= self.max_quotes

    def end_quote(self, quote: Quote, state: QuoteState) -> None:
        """End a quote; it is retained for a while."""
        quote.state = state
        rfq = quote.rfq
        rfq.open_quotes.pop(quote.account, None)
        self._open_by_login.discard(quote.maker, quote)
        # At most `max_quotes` are active, so there is an ended one to remove. Ended quotes are retained
        # because accepting one must be refused as expired.
        if len(rfq.quotes) > 2 * self.max_quotes:
            oldest = next(each for each in rfq.quotes.values() if each.state is QuoteState.CANCELED)
            del rfq.quotes[oldest.quote_id]
            self._forget_quote(oldest)

    def accept_quote(self, quote: Quote) -> None:
        """Mark a quote as accepted: it no longer ends with its session."""
        quote.state = QuoteState.ACCEPTED
        self._open_by_login.discard(quote.maker, quote)

    def quote_of_maker(self, owner: str, quote_id: str) -> Quote | None:
        """Return a maker's quote by its id."""
        return self._by_maker.get((owner, quote_id))

    def quote_for_creator(self, owner: str, quote_id: str) -> Quote | None:
        """Return the newest quote with this id on a request of this creator."""
        return self._by_creator.get((owner, quote_id))

    def open_quotes_of(self, login: Login) -> Iterable[Quote]:
        """Return the open quotes of a session."""
        return self._open_by_login[login]

    def _forget_quote(self, quote: Quote) -> None:
        _drop(self._by_maker, (quote.account.owner, quote.quote_id), quote)
        _drop(self._by_creator, (quote.rfq.account.owner, quote.quote_id), quote)


def _drop(index: dict[K, V], key: K, value: V) -> None:
    """Remove an entry, unless a newer one has replaced it."""
    if index.get(key) is value:
        del index[key]
