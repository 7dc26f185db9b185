"""What is known of the requests that a maker hears of and of its quotes, and the state that follows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    MultivariateSelectedLeg,
    Quote,
    QuoteConfirm,
    Side,
)
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import ZERO, divide, subtract
from kalshi_fix_sansio.trading.dumping import dump_text, dump_time, load_number, load_time
from kalshi_fix_sansio.trading.rfq import (
    ONE,
    RfqDiscrepancy,
    dump_legs,
    load_legs,
)


@explained
class QuoteState(Enum):
    """Where a maker's quote stands."""

    SENT = "sent, and not answered"
    OPEN = "it stands"
    UNKNOWN = "what became of it will not be told by itself"
    """See `RfqMaker.doubts`."""
    ACCEPTED = "accepted, and not confirmed"
    CONFIRMING = "a confirmation was sent, and is not answered"
    CONFIRMED = "confirmed; its order follows"
    LAPSED = "accepted, and not confirmed in time"
    EXECUTED = "its order has come to the book"
    """From then on it is an order as any other: `Orders` follows it."""
    FAILED = "its order was refused"
    REJECTED = "the venue has refused it"
    CANCELED = "it is over: cancelled, or its request is over"
    REPLACED = "a newer quote has taken its place"


OVER: Final = frozenset(
    (
        QuoteState.LAPSED,
        QuoteState.EXECUTED,
        QuoteState.FAILED,
        QuoteState.REJECTED,
        QuoteState.CANCELED,
        QuoteState.REPLACED,
    )
)


def _dollars(price: Decimal | int | str | None) -> Decimal | None:
    return Decimal(price) or None if price is not None else None


@explained
@attrs.frozen
class QuoteTerms:
    """What a maker offers, in dollars; at least one side.

    Raises:
        ValueError: no side, a price outside of 0 to 1, or both together more than a dollar.
    """

    bid: Decimal | None = attrs.field(default=None, converter=_dollars)
    """What it pays for a contract of YES; None or 0 for nothing."""
    offer: Decimal | None = attrs.field(default=None, converter=_dollars)
    """What it pays for a contract of NO; None or 0 for nothing."""
    post_only: bool = False
    """Whether its order must not take liquidity."""
    rest_remainder: bool = False
    """RestRemainder: whether what does not trade may rest in the book."""

    def __attrs_post_init__(self) -> None:
        prices = [price for price in (self.bid, self.offer) if price is not None]
        if not prices or min(prices) <= ZERO or max(prices) >= ONE or sum(prices) > ONE:
            raise ValueError(f"bid {self.bid} and offer {self.offer} are no quote: dollars, one at the most")


@explained
@attrs.define(eq=False)
class MakerRfq:
    """A request that the maker has heard of. To be read: `RfqMaker` changes it in place."""

    rfq_id: str
    """The venue's id."""
    symbol: str
    """The market; of a combination the one that was made for it."""
    contracts: Decimal | None = None
    """How many are asked for; None where cash is."""
    cash: Decimal | None = None
    """Dollars that the creator spends."""
    collection: str | None = None
    """What the market is a combination of, if it is one."""
    legs: tuple[MultivariateSelectedLeg, ...] = ()
    """The legs of the combination."""
    requester: str | None = None
    """The creator's public id, or the one that all share who hide."""
    created: datetime | None = None
    """UTC, by the venue."""
    high_volatility: bool = False
    """Whether it is a high volatility market, with less time to confirm."""
    is_closed: bool = False
    """Whether it is over, as far as the venue has told."""
    quotes: dict[str, MakerQuote] = attrs.field(factory=dict, repr=False)
    """The maker's own by QuoteID, the oldest first: the last ones of them."""
    _shown: bool = attrs.field(default=False, repr=False)
    """Whether the user was asked for a quote."""

    @property
    def quote(self) -> MakerQuote | None:
        """The newest quote that is not over."""
        return next((each for each in reversed(self.quotes.values()) if each.state not in OVER), None)


@explained
@attrs.define(eq=False)
class MakerQuote:
    """A quote of the maker's own. To be read: `RfqMaker` changes it in place."""

    quote_id: str
    """The maker's id of it."""
    rfq: MakerRfq = attrs.field(repr=False)
    """The request that it answers."""
    terms: QuoteTerms
    """What it offers."""
    alloc_account: int = 0
    """Number of the subaccount; 0 is the primary one."""
    side: Side | None = None
    """Once it is accepted: BUY for its bid, where the maker buys YES, SELL for its offer."""
    deadline: datetime | None = None
    """UTC: when it is too late to confirm what was accepted; of a CONFIRMED one, when its report is due."""
    filled: Decimal = ZERO
    """Contracts of its order that are filled, by the reports that have come."""
    text: str = ""
    """Why it was refused, or a request about it."""
    _sizes: tuple[Decimal | None, Decimal | None] = attrs.field(default=(None, None), repr=False)
    """Contracts of bid and offer, by the venue."""
    _taken: Decimal | None = attrs.field(default=None, repr=False)
    """Contracts that were accepted, as far as the acceptance tells."""
    # What is known of it, one flag for each kind of message. `state` follows from the set of them: reports
    # come on several sessions, some again, so that no order of arrival can be relied on. `dump` has them by
    # name.
    _pending: bool = attrs.field(default=False, repr=False)
    _replaced: bool = attrs.field(default=False, repr=False)
    _canceled: bool = attrs.field(default=False, repr=False)
    _rejected: bool = attrs.field(default=False, repr=False)
    _accepted: bool = attrs.field(default=False, repr=False)
    _lapsed: bool = attrs.field(default=False, repr=False)
    _confirms: int = attrs.field(default=0, repr=False)
    _refusals: set[str] = attrs.field(factory=set, repr=False)
    """Answers that have refused a confirmation."""
    _confirmed: bool = attrs.field(default=False, repr=False)
    _executed: bool = attrs.field(default=False, repr=False)
    _failed: bool = attrs.field(default=False, repr=False)
    _canceling: bool = attrs.field(default=False, repr=False)
    _lost_at: datetime | None = attrs.field(default=None, repr=False)

    @property
    def state(self) -> QuoteState:
        """Where it stands."""
        # From what proves most to what proves least: a report of the order proves that it was confirmed and
        # accepted, though neither may have come; a cancel says nothing against a confirmation, which may
        # trade.
        lost = self._lost_at is not None
        if self._executed or self._failed:
            return QuoteState.EXECUTED if self._executed else QuoteState.FAILED
        if self._confirmed:
            return QuoteState.UNKNOWN if lost else QuoteState.CONFIRMED
        if self._canceled or self._rejected:
            return QuoteState.CANCELED if self._canceled else QuoteState.REJECTED
        if self._confirms > len(self._refusals):
            return QuoteState.UNKNOWN if lost else QuoteState.CONFIRMING
        # Behind a confirmation that has no answer: the request may be over because that one has traded.
        if self.rfq.is_closed:
            return QuoteState.CANCELED
        if self._accepted:
            return QuoteState.LAPSED if self._lapsed else QuoteState.ACCEPTED
        if self._replaced:
            return QuoteState.REPLACED
        if lost:
            return QuoteState.UNKNOWN
        return QuoteState.OPEN if self._pending else QuoteState.SENT

    @property
    def is_at_stake(self) -> bool:
        """Whether it may still trade without the maker's doing anything more than to confirm."""
        return (self._accepted or self._confirms > 0 or self._confirmed) and self.state not in OVER

    @property
    def price(self) -> Decimal | None:
        """The YES price in dollars of the side that was accepted."""
        if self.side is Side.BUY:
            return self.terms.bid
        if self.side is None or self.terms.offer is None:
            return None
        return subtract(ONE, self.terms.offer)

    @property
    def quantity(self) -> Decimal:
        """Contracts that may trade, at the most; 0 before it is accepted."""
        price = self.price
        if price is None:
            return ZERO
        size = self._sizes[0 if self.side is Side.BUY else 1] or self.rfq.contracts
        if size is None and self.rfq.cash is not None:
            # What the cash buys for its creator, who is on the other side.
            size = divide(self.rfq.cash, subtract(ONE, price) if self.side is Side.BUY else price)
        # With RestRemainder the order is for the whole quote.
        found = [each for each in (self._taken, size if self.terms.rest_remainder else None) if each]
        return max(found, default=size or ZERO)


@explained
@attrs.define(eq=False)
class MakerUpdate:
    """What something did to a request or a quote."""

    rfq: MakerRfq | None = None
    """The request itself, which goes on changing; None for a discrepancy that is about none."""
    quote: MakerQuote | None = None
    """The quote itself, which goes on changing; None if it is about none."""
    before: QuoteState | None = None
    """The quote's state before; None if it is new, or there is none."""
    send: Quote | QuoteConfirm | None = None
    """What has to be sent now; it counts as sent (`RfqMaker.withdraw`)."""
    discrepancies: list[RfqDiscrepancy] = attrs.field(factory=list)
    """What did not fit."""

    @property
    def state_changed(self) -> bool:
        """Whether the quote's state is another than before."""
        return self.quote is not None and self.quote.state is not self.before


_FLAGS: Final = (
    "_pending",
    "_replaced",
    "_canceled",
    "_rejected",
    "_accepted",
    "_lapsed",
    "_confirms",
    "_confirmed",
    "_executed",
    "_failed",
)


def dump_rfq(rfq: MakerRfq) -> dict[str, Any]:
    """Return a request with its quotes as values that JSON has."""
    return {
        "rfq_id": rfq.rfq_id,
        "symbol": rfq.symbol,
        "contracts": dump_text(rfq.contracts),
        "cash": dump_text(rfq.cash),
        "collection": rfq.collection,
        "legs": dump_legs(rfq.legs),
        "requester": rfq.requester,
        "created": dump_time(rfq.created),
        "high_volatility": rfq.high_volatility,
        "is_closed": rfq.is_closed,
        "shown": rfq._shown,
        "quotes": [_dump_quote(quote) for quote in rfq.quotes.values()],
    }


def load_rfq(row: Mapping[str, Any]) -> MakerRfq:
    """Return a request of a dump, with its quotes."""
    rfq = MakerRfq(
        row["rfq_id"],
        row["symbol"],
        load_number(row["contracts"]),
        load_number(row["cash"]),
        row["collection"],
        load_legs(row["legs"]),
        row["requester"],
        load_time(row["created"]),
        row["high_volatility"],
        row["is_closed"],
        shown=row["shown"],
    )
    rfq.quotes = {quote.quote_id: quote for quote in (_load_quote(rfq, each) for each in row["quotes"])}
    return rfq


def _dump_quote(quote: MakerQuote) -> dict[str, Any]:
    terms = quote.terms
    return {
        "quote_id": quote.quote_id,
        "terms": [dump_text(terms.bid), dump_text(terms.offer), terms.post_only, terms.rest_remainder],
        "alloc_account": quote.alloc_account,
        "side": None if quote.side is None else quote.side.value,
        "deadline": dump_time(quote.deadline),
        "filled": str(quote.filled),
        "text": quote.text,
        "sizes": [dump_text(size) for size in quote._sizes],
        "taken": dump_text(quote._taken),
        "refusals": sorted(quote._refusals),
        "lost_at": dump_time(quote._lost_at),
        **{name: getattr(quote, name) for name in _FLAGS},
    }


def _load_quote(rfq: MakerRfq, row: Mapping[str, Any]) -> MakerQuote:
    quote = MakerQuote(
        row["quote_id"],
        rfq,
        QuoteTerms(*row["terms"]),
        row["alloc_account"],
        None if row["side"] is None else Side(row["side"]),
        load_time(row["deadline"]),
        Decimal(row["filled"]),
        row["text"],
    )
    bid_size, offer_size = map(load_number, row["sizes"])
    quote._sizes, quote._taken = (bid_size, offer_size), load_number(row["taken"])
    quote._refusals, quote._lost_at = set(row["refusals"]), load_time(row["lost_at"])
    for name in _FLAGS:
        setattr(quote, name, row[name])
    return quote
