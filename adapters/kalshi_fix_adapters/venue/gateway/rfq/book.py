"""Requests and quotes, and where they are found. It decides nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import TypeVar

import attrs

from kalshi_fix_adapters.venue.exchange import AccountId, Side
from kalshi_fix_adapters.venue.gateway.logins import Login
from kalshi_fix_adapters.venue.gateway.timers import Timer
from kalshi_fix_sansio import MultivariateSelectedLeg, NewOrderSingle

ONE = Decimal(1)
K = TypeVar("K")
V = TypeVar("V")


class RfqState(Enum):
    """Where a request stands."""

    OPEN = auto()
    """It takes quotes."""
    ACCEPTED = auto()
    """A quote was accepted; its maker has to confirm it."""
    CONFIRMED = auto()
    """Its maker has; nobody can withdraw any more, and the orders follow."""
    CLOSED = auto()


class QuoteState(Enum):
    """Where a quote stands."""

    OPEN = auto()
    ACCEPTED = auto()
    CONFIRMED = auto()
    EXECUTED = auto()
    CANCELED = auto()


@attrs.frozen(kw_only=True)
class Combo:
    """What a combo market is made from."""

    collection: str
    legs: tuple[MultivariateSelectedLeg, ...]


@attrs.define(eq=False, kw_only=True)
class Rfq:
    """One request. Its size is either a number of contracts or an amount of cash."""

    rfq_id: str
    """The venue's id."""
    client_id: str
    """The creator's (QuoteReqID 131)."""
    creator: Login
    account: AccountId
    market: str
    contracts: Decimal | None
    cash: Decimal | None
    """Dollars."""
    cash_excludes_fees: bool
    obscured: bool
    rests: bool
    """RestRemainder: what the acceptance leaves of the request rests in the book."""
    created: datetime
    combo: Combo | None
    """What the market is a combination of, if it is one."""
    by_legs: bool
    """Whether the creator named the legs, and not the market."""
    makers: tuple[Login, ...] = ()
    """Who was told of it."""
    state: RfqState = RfqState.OPEN
    quotes: dict[str, Quote] = attrs.field(factory=dict)
    """By QuoteID: those that stand, and the last ones that do not."""
    standing: dict[AccountId, Quote] = attrs.field(factory=dict)
    """Those that stand, by the maker's account, in the order in which they came."""
    acceptance: Acceptance | None = None
    timer: Timer | None = None
    """What ends its present state by itself."""

    @property
    def requester(self) -> Requester:
        """Whose requests it is counted with."""
        return self.account.owner, self.account.subaccount, self.account.customer


Requester = tuple[str, int, str]
"""Owner, subaccount and customer of a clearing member."""


@attrs.define(eq=False, kw_only=True)
class Quote:
    """A maker's quote: what it pays for a YES contract and for a NO contract, in dollars."""

    quote_id: str
    """The maker's id."""
    rfq: Rfq
    maker: Login
    account: AccountId
    bid: Decimal | None
    """For YES."""
    offer: Decimal | None
    """For NO."""
    bid_size: Decimal | None
    offer_size: Decimal | None
    post_only: bool
    rests: bool
    """RestRemainder."""
    created: datetime
    state: QuoteState = QuoteState.OPEN

    def price(self, side: Side) -> Decimal | None:
        """Return the YES price at which the creator trades on this side, if the quote has it. A creator who
        buys takes the quote for NO: the maker's NO and the creator's YES make one dollar."""
        if side is Side.SELL:
            return self.bid
        return None if self.offer is None else ONE - self.offer

    def size(self, side: Side) -> Decimal | None:
        """Return how many contracts the creator can trade on this side."""
        return self.bid_size if side is Side.SELL else self.offer_size


@attrs.frozen(kw_only=True)
class Acceptance:
    """What the creator has accepted."""

    quote: Quote
    login: Login
    """Who accepted it."""
    side: Side
    """The creator's."""
    price: Decimal
    """YES, dollars."""
    quantity: Decimal
    cl_ord_id: str
    order_id: str
    order: NewOrderSingle | None
    """The order that it was accepted by, if it was not by AcceptQuote."""


@attrs.define(eq=False)
class RfqBook:
    """All requests that are open, and the last ones that are not."""

    retained: int
    max_quotes: int
    _by_id: dict[str, Rfq] = attrs.field(factory=dict)
    _by_client_id: dict[tuple[str, str], Rfq] = attrs.field(factory=dict)
    """By owner and QuoteReqID: the newest."""
    _open: dict[Requester, dict[str, Rfq]] = attrs.field(factory=dict)
    _open_on: dict[str, dict[str, Rfq]] = attrs.field(factory=dict)
    """By market."""
    _closed: OrderedDict[str, Rfq] = attrs.field(factory=OrderedDict)
    _of_makers: dict[tuple[str, str], Quote] = attrs.field(factory=dict)
    """By the maker's owner and QuoteID."""
    _of_creators: dict[tuple[str, str], Quote] = attrs.field(factory=dict)
    """By the creator's owner and QuoteID: the newest."""
    _of_logins: dict[Login, dict[Quote, None]] = attrs.field(factory=dict)
    """Open quotes by the session that made them."""

    # Requests

    def add(self, rfq: Rfq) -> None:
        """Take in a new request."""
        self._by_id[rfq.rfq_id] = rfq
        self._by_client_id[rfq.account.owner, rfq.client_id] = rfq
        self._open.setdefault(rfq.requester, {})[rfq.rfq_id] = rfq
        self._open_on.setdefault(rfq.market, {})[rfq.rfq_id] = rfq

    def get(self, rfq_id: str) -> Rfq | None:
        """Return the request with this id of the venue's."""
        return self._by_id.get(rfq_id)

    def find(self, owner: str, client_id: str) -> Rfq | None:
        """Return a creator's newest request with this id of its own."""
        return self._by_client_id.get((owner, client_id))

    def open_of(self, requester: Requester) -> tuple[Rfq, ...]:
        """Return the requests that somebody has open, the oldest first."""
        return tuple(self._open.get(requester, {}).values())

    def open_on(self, market: str) -> tuple[Rfq, ...]:
        """Return the open requests on a market, the oldest first."""
        return tuple(self._open_on.get(market, {}).values())

    def close(self, rfq: Rfq) -> None:
        """Take a request out of the open ones; it and its quotes are remembered for a while."""
        rfq.state = RfqState.CLOSED
        rfq.makers = ()
        _take_out(self._open, rfq.requester, rfq.rfq_id)
        _take_out(self._open_on, rfq.market, rfq.rfq_id)
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
        """Take in a new quote. The quotes that stand are few enough (`is_full`)."""
        rfq = quote.rfq
        rfq.quotes[quote.quote_id] = quote
        rfq.standing[quote.account] = quote
        self._of_makers[quote.account.owner, quote.quote_id] = quote
        self._of_creators[rfq.account.owner, quote.quote_id] = quote
        self._of_logins.setdefault(quote.maker, {})[quote] = None

    def is_full(self, rfq: Rfq) -> bool:
        """Say whether no more quotes can stand on a request."""
        return len(rfq.standing) >= self.max_quotes

    def end_quote(self, quote: Quote, state: QuoteState) -> None:
        """Let a quote stand no more; it is remembered for a while."""
        quote.state = state
        rfq = quote.rfq
        rfq.standing.pop(quote.account, None)
        self._unlink(quote)
        # Those that stand are at most `max_quotes`, so that one which does not is there to be forgotten. As
        # many again are remembered, so that who accepts one of them is told that it has expired.
        if len(rfq.quotes) > 2 * self.max_quotes:
            oldest = next(each for each in rfq.quotes.values() if each.state is QuoteState.CANCELED)
            del rfq.quotes[oldest.quote_id]
            self._forget_quote(oldest)

    def hold_quote(self, quote: Quote, state: QuoteState) -> None:
        """Let a quote be accepted or confirmed: it does not end with its session any more."""
        quote.state = state
        self._unlink(quote)

    def quote_of_maker(self, owner: str, quote_id: str) -> Quote | None:
        """Return a maker's quote by its id."""
        return self._of_makers.get((owner, quote_id))

    def quote_for_creator(self, owner: str, quote_id: str) -> Quote | None:
        """Return the newest quote with this id on a request of this creator."""
        return self._of_creators.get((owner, quote_id))

    def open_quotes_of(self, login: Login) -> Iterable[Quote]:
        """Return the open quotes that a session has made."""
        return tuple(self._of_logins.get(login, ()))

    def _unlink(self, quote: Quote) -> None:
        mine = self._of_logins.get(quote.maker)
        if mine is not None:
            mine.pop(quote, None)
            if not mine:
                del self._of_logins[quote.maker]

    def _forget_quote(self, quote: Quote) -> None:
        _drop(self._of_makers, (quote.account.owner, quote.quote_id), quote)
        _drop(self._of_creators, (quote.rfq.account.owner, quote.quote_id), quote)


def _take_out(index: dict[K, dict[str, Rfq]], key: K, name: str) -> None:
    inner = index[key]
    del inner[name]
    if not inner:
        del index[key]


def _drop(index: dict[K, V], key: K, value: V) -> None:
    """Take an entry out, unless something newer has taken its place."""
    if index.get(key) is value:
        del index[key]
