"""What is known of a creator's requests and of the quotes on them, and the state that follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    MultivariateSelectedLeg,
    Side,
)
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import ZERO, subtract
from kalshi_fix_sansio.trading.dumping import dump_text, dump_time, load_number, load_time
from kalshi_fix_sansio.trading.received import clipped, readable
from kalshi_fix_sansio.trading.rfq import (
    ONE,
    RfqDiscrepancy,
    dump_legs,
    load_legs,
)

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@explained
class RfqState(Enum):
    """Where a request stands."""

    SENT = "sent, and not answered"
    OPEN = "it takes quotes"
    ACCEPTING = "a quote is being accepted; the venue has not answered"
    ACCEPTED = "a quote is accepted; its maker may confirm, and then it trades"
    UNKNOWN = "what became of it will not be told by itself"
    """See `RfqCreator.doubts`."""
    EXECUTED = "its order has come to the book"
    """From then on it is an order as any other: `Orders` follows it."""
    FAILED = "its order was refused"
    REFUSED = "the venue has refused it"
    CANCELED = "cancelled, as was asked"
    EXPIRED = "the venue has closed it; what was accepted does not trade"


OVER: Final = frozenset(
    (RfqState.EXECUTED, RfqState.FAILED, RfqState.REFUSED, RfqState.CANCELED, RfqState.EXPIRED)
)


@explained
@attrs.define(eq=False)
class CreatorQuote:
    """A quote of a maker on a request of the creator's. To be read."""

    quote_id: str
    """The id to accept it by."""
    symbol: str
    """Ticker of the market."""
    bid: Decimal | None = None
    """Dollars that the maker pays for YES; None for nothing."""
    offer: Decimal | None = None
    """Dollars that the maker pays for NO; None for nothing."""
    bid_size: Decimal | None = None
    """Contracts of the bid."""
    offer_size: Decimal | None = None
    """Contracts of the offer."""
    contracts: Decimal | None = None
    """Contracts of the request, where it names them."""
    maker: str | None = None
    """The maker's public id."""
    made: datetime | None = None
    """UTC, by the venue."""
    gone: str | None = None
    """The text by which the venue has said that it is there no more."""
    _age: tuple[datetime, datetime, int] = attrs.field(default=(_NEVER, _NEVER, 0), repr=False)
    """The newer the higher."""

    def price(self, side: Side) -> Decimal | None:
        """Return the YES price in dollars at which the creator trades on a side; None if the quote does not
        have it. Who buys takes what the maker pays for NO: the two make a dollar."""
        if side is Side.SELL:
            return self.bid
        return None if self.offer is None else subtract(ONE, self.offer)

    def size(self, side: Side) -> Decimal | None:
        """Return how many contracts the creator can trade on a side; None if it is not told."""
        return (self.bid_size if side is Side.SELL else self.offer_size) or self.contracts


@explained
@attrs.define(eq=False)
class Acceptance:
    """What the creator has accepted, or tried to. To be read."""

    quote_id: str
    """The quote that was to be accepted."""
    side: Side
    """BUY to buy YES, SELL to sell it."""
    cl_ord_id: str | None
    """Of the order that results."""
    price: Decimal | None
    """YES, dollars: that of the quote; a better one may be taken with `prefers_better`."""
    quantity: Decimal
    """Contracts that may trade, at the most."""
    by_order: bool = False
    """Whether it is a NewOrderSingle, and not an AcceptQuote."""
    prefers_better: bool = False
    """Whether the best quote of the request is taken, if it is at least as good as this one."""
    accepted_quote_id: str | None = None
    """The quote that was taken in the end."""
    deadline: datetime | None = None
    """UTC: when the report of the trade is due at the latest, once the venue has answered."""
    filled: Decimal = ZERO
    """Contracts of its order that are filled, by the reports that have come."""
    text: str = ""
    """Why it was refused, or its order."""
    # What is known of it, one flag for each kind of message; the rest follows from the set of them, since
    # reports and answers come in no order that can be relied on.
    _taken: bool = attrs.field(default=False, repr=False)
    _refused: bool = attrs.field(default=False, repr=False)
    _executed: bool = attrs.field(default=False, repr=False)
    _rejected: bool = attrs.field(default=False, repr=False)
    """Whether a report has refused its order."""
    _lost_at: datetime | None = attrs.field(default=None, repr=False)

    @property
    def is_refused(self) -> bool:
        """Whether the venue did not take it. The request goes on."""
        # A refused order means that for an acceptance by order alone: AcceptQuote is refused by its status,
        # and the order that a taken one brings about may be refused later, which ends the request.
        return not self._taken and (self._refused or (self._rejected and self.by_order))

    @property
    def is_at_stake(self) -> bool:
        """Whether it may still trade."""
        return not (self.is_refused or self._executed or self._rejected)


@explained
@attrs.define(eq=False)
class CreatorRfq:
    """A request of the creator's own. To be read: `RfqCreator` changes it in place."""

    quote_req_id: str
    """The creator's id."""
    symbol: str | None
    """The market; None for a combination until the venue has found or made it."""
    contracts: Decimal | None = None
    """How many are asked for; None where cash is."""
    cash: Decimal | None = None
    """Dollars to spend, where no contracts are named."""
    rest_remainder: bool = False
    """RestRemainder: whether what does not trade may rest in the book."""
    alloc_account: int | None = None
    """Number of the subaccount; None for the primary one."""
    customer: str | None = None
    """The customer of a clearing member."""
    collection: str | None = None
    """What the market is a combination of, if it is one."""
    legs: tuple[MultivariateSelectedLeg, ...] = ()
    """The legs of the combination."""
    rfq_id: str | None = None
    """The venue's id, once it is known."""
    quotes: dict[str, CreatorQuote] = attrs.field(factory=dict, repr=False)
    """What makers offer, by QuoteID: of each maker the newest."""
    acceptances: list[Acceptance] = attrs.field(factory=list, repr=False)
    """The last ones, the newest last."""
    text: str = ""
    """Why the venue has refused the request, or a cancel of it."""
    _refused: bool = attrs.field(default=False, repr=False)
    _canceled: bool = attrs.field(default=False, repr=False)
    _expired: bool = attrs.field(default=False, repr=False)
    _lost_at: datetime | None = attrs.field(default=None, repr=False)

    @property
    def state(self) -> RfqState:
        """Where it stands."""
        # From what proves most to what proves least: what has come to the book has, whatever came before or
        # after.
        if any(each._executed for each in self.acceptances):
            return RfqState.EXECUTED
        if any(each._rejected and not each.is_refused for each in self.acceptances):
            return RfqState.FAILED
        if self._expired or self._canceled:
            return RfqState.EXPIRED if self._expired else RfqState.CANCELED
        if self._refused:
            return RfqState.REFUSED
        acceptance = self.acceptance
        if acceptance is not None:
            if acceptance._lost_at is not None:
                return RfqState.UNKNOWN
            return RfqState.ACCEPTED if acceptance._taken else RfqState.ACCEPTING
        if self._lost_at is not None:
            return RfqState.UNKNOWN
        return RfqState.SENT if self.rfq_id is None else RfqState.OPEN

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.state in OVER

    @property
    def acceptance(self) -> Acceptance | None:
        """What was accepted and may still trade, as far as reports tell."""
        return next((each for each in reversed(self.acceptances) if each.is_at_stake), None)

    def best(self, side: Side) -> CreatorQuote | None:
        """Return the quote at which the creator trades best on a side, the oldest of equal ones; None if
        there is none."""
        standing = [
            quote for quote in self.quotes.values() if quote.price(side) is not None and quote.gone is None
        ]
        return min(standing, key=lambda quote: _rank(quote, side), default=None)

    def _price(self, quote_id: str, side: Side) -> Decimal | None:
        quote = self.quotes.get(quote_id)
        return None if quote is None else quote.price(side)


@explained
@attrs.define(eq=False)
class CreatorUpdate:
    """What something did to a request."""

    rfq: CreatorRfq | None = None
    """The request itself, which goes on changing; None for a discrepancy that is about none."""
    before: RfqState | None = None
    """Its state before; None if it is new."""
    quote: CreatorQuote | None = None
    """A quote that has come."""
    answered: Acceptance | None = None
    """An acceptance that was taken, refused, or has come to its end."""
    discrepancies: list[RfqDiscrepancy] = attrs.field(factory=list)
    """What did not fit."""

    @property
    def state_changed(self) -> bool:
        """Whether the request's state is another than before."""
        return self.rfq is not None and self.rfq.state is not self.before


def _rank(quote: CreatorQuote, side: Side) -> tuple[Decimal, tuple[datetime, datetime, int], str]:
    """Return what is lower for a quote that is better for the creator."""
    price = quote.price(side) or ZERO
    return (price if side is Side.BUY else -price), quote._age, quote.quote_id


def read_quote(message: Any) -> CreatorQuote | None:
    """Return what a maker offers; None if it cannot be read or is no quote."""
    prices = [price for price in (message.bid_px, message.offer_px) if price]
    if not readable(message.quote_id) or not prices or min(prices) < ZERO or sum(prices) > ONE:
        return None
    header = message.header
    sent = None if header is None else header.orig_sending_time or header.sending_time
    number = None if header is None else header.msg_seq_num
    return CreatorQuote(
        message.quote_id,
        clipped(message.symbol),
        message.bid_px or None,
        message.offer_px or None,
        message.bid_size,
        message.offer_size,
        message.order_qty,
        clipped(message.party_ids[0].party_id) or None if message.party_ids else None,
        message.transact_time,
        age=(message.transact_time or _NEVER, sent or _NEVER, number or 0),
    )


_NUMBERS: Final = ("bid", "offer", "bid_size", "offer_size", "contracts")
_RFQ_PLAIN: Final = (
    "quote_req_id",
    "symbol",
    "rest_remainder",
    "alloc_account",
    "customer",
    "collection",
    "rfq_id",
    "text",
    "_refused",
    "_canceled",
    "_expired",
)
_ACCEPTANCE_PLAIN: Final = (
    "quote_id",
    "cl_ord_id",
    "by_order",
    "prefers_better",
    "accepted_quote_id",
    "text",
    "_taken",
    "_refused",
    "_executed",
    "_rejected",
)


def dump_rfq(rfq: CreatorRfq) -> dict[str, Any]:
    """Return a request as values that JSON has."""
    return {
        **{name: getattr(rfq, name) for name in _RFQ_PLAIN},
        "contracts": dump_text(rfq.contracts),
        "cash": dump_text(rfq.cash),
        "legs": dump_legs(rfq.legs),
        "lost_at": dump_time(rfq._lost_at),
        "quotes": [dump_quote(quote) for quote in rfq.quotes.values()],
        "acceptances": [_dump_acceptance(acceptance) for acceptance in rfq.acceptances],
    }


def load_rfq(row: Mapping[str, Any]) -> CreatorRfq:
    """Return a request of a dump."""
    rfq = CreatorRfq(
        row["quote_req_id"],
        row["symbol"],
        load_number(row["contracts"]),
        load_number(row["cash"]),
        legs=load_legs(row["legs"]),
        quotes={each["quote_id"]: load_quote(each) for each in row["quotes"]},
        acceptances=[_load_acceptance(each) for each in row["acceptances"]],
        lost_at=load_time(row["lost_at"]),
    )
    for name in _RFQ_PLAIN:
        setattr(rfq, name, row[name])
    return rfq


def dump_quote(quote: CreatorQuote) -> dict[str, Any]:
    """Return a quote as values that JSON has."""
    made, sent, number = quote._age
    return {
        "quote_id": quote.quote_id,
        "symbol": quote.symbol,
        **{name: dump_text(getattr(quote, name)) for name in _NUMBERS},
        "maker": quote.maker,
        "made": dump_time(quote.made),
        "gone": quote.gone,
        "age": [made.isoformat(), sent.isoformat(), number],
    }


def load_quote(row: Mapping[str, Any]) -> CreatorQuote:
    """Return a quote of a dump."""
    made, sent, number = row["age"]
    quote = CreatorQuote(
        row["quote_id"],
        row["symbol"],
        maker=row["maker"],
        made=load_time(row["made"]),
        gone=row["gone"],
        age=(datetime.fromisoformat(made), datetime.fromisoformat(sent), number),
    )
    for name in _NUMBERS:
        setattr(quote, name, load_number(row[name]))
    return quote


def _dump_acceptance(acceptance: Acceptance) -> dict[str, Any]:
    return {
        **{name: getattr(acceptance, name) for name in _ACCEPTANCE_PLAIN},
        "side": acceptance.side.value,
        "price": dump_text(acceptance.price),
        "quantity": str(acceptance.quantity),
        "filled": str(acceptance.filled),
        "deadline": dump_time(acceptance.deadline),
        "lost_at": dump_time(acceptance._lost_at),
    }


def _load_acceptance(row: Mapping[str, Any]) -> Acceptance:
    acceptance = Acceptance(
        row["quote_id"],
        Side(row["side"]),
        row["cl_ord_id"],
        load_number(row["price"]),
        Decimal(row["quantity"]),
        deadline=load_time(row["deadline"]),
        filled=Decimal(row["filled"]),
        lost_at=load_time(row["lost_at"]),
    )
    for name in _ACCEPTANCE_PLAIN:
        setattr(acceptance, name, row[name])
    return acceptance
