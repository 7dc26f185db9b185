"""A creator's requests, the quotes on them, and their state."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    MultivariateSelectedLeg,
    Side,
)
from kalshi_fix_sansio.clock import BEGINNING
from kalshi_fix_sansio.trading.common.amounts import ZERO, subtract, total
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, keyed_by
from kalshi_fix_sansio.trading.common.received import clipped, first_sent, readable
from kalshi_fix_sansio.trading.rfq.deals import Deal, Fact, RfqUpdate
from kalshi_fix_sansio.trading.rfq.values import (
    ONE,
)


class RfqState(Enum):
    """State of a request.

    Attributes:
        UNKNOWN: See `RfqCreator.uncertain`.
        EXECUTED: From then on it is an ordinary order, which `Orders` follows.
    """

    SENT = "sent, not answered yet"
    OPEN = "open for quotes"
    ACCEPTING = "a quote is being accepted; the venue has not answered"
    ACCEPTED = "a quote is accepted and trades if its maker confirms"
    UNKNOWN = "the outcome is unknown, and no message will report it"
    EXECUTED = "its order was executed"
    FAILED = "its order was refused"
    REFUSED = "the venue has refused it"
    CANCELED = "cancelled on request"
    EXPIRED = "closed by the venue; an accepted quote does not trade"


OVER: Final = frozenset(
    (RfqState.EXECUTED, RfqState.FAILED, RfqState.REFUSED, RfqState.CANCELED, RfqState.EXPIRED)
)
_ENDS: Final = frozenset((Fact.EXECUTED, Fact.ORDER_REFUSED, Fact.NO_ORDER))
"""Facts after which an acceptance cannot trade."""
_CLOSED: Final = (
    (Fact.EXPIRED, RfqState.EXPIRED),
    (Fact.CANCELED, RfqState.CANCELED),
    (Fact.REFUSED, RfqState.REFUSED),
)


@attrs.define(eq=False)
class CreatorQuote:
    """A maker's quote on a request of the creator. Read-only.

    Attributes:
        quote_id: QuoteID, used to accept it.
        symbol: Ticker of the market.
        bid: Price in dollars that the maker pays for YES; None without a bid.
        offer: Price in dollars that the maker pays for NO; None without an offer.
        bid_size: Contracts of the bid.
        offer_size: Contracts of the offer.
        contracts: Contracts of the request; None if it has none.
        maker: The maker's public id.
        made: Time of the quote in UTC, by the venue.
        gone: The text by which the venue reported that it is no longer open.
        age: TransactTime, SendingTime and MsgSeqNum: the newer of two quotes compares higher.
    """

    quote_id: str
    symbol: str
    bid: Decimal | None = None
    offer: Decimal | None = None
    bid_size: Decimal | None = None
    offer_size: Decimal | None = None
    contracts: Decimal | None = None
    maker: str | None = None
    made: datetime | None = None
    gone: str | None = None
    age: tuple[datetime, datetime, int] = attrs.field(default=(BEGINNING, BEGINNING, 0), repr=False)

    def price(self, side: Side) -> Decimal | None:
        """Return the YES price in dollars at which the creator trades on a side; None if the quote does not
        have it. The price of a buyer is one dollar minus the maker's price for NO."""
        if side is Side.SELL:
            return self.bid
        return None if self.offer is None else subtract(ONE, self.offer)

    def size(self, side: Side) -> Decimal | None:
        """Return the number of contracts that the creator can trade on a side; None if unknown."""
        return (self.bid_size if side is Side.SELL else self.offer_size) or self.contracts


@attrs.define(eq=False)
class Acceptance(Deal):
    """An acceptance of a quote by the creator, or an attempt. Read-only.

    Attributes:
        rfq: The request.
        quote_id: QuoteID of the requested quote.
        side: BUY to buy YES, SELL to sell it.
        cl_ord_id: ClOrdID of the resulting order.
        price: YES price of the quote in dollars; with `prefers_better` a better one may be taken.
        quantity: Maximum number of contracts that may trade.
        by_order: Whether it is a NewOrderSingle, and not an AcceptQuote.
        prefers_better: Whether the best quote of the request is taken, if it is at least as good as this one.
        accepted_quote_id: QuoteID of the quote that was finally accepted.
        deadline: Latest time of the report of the trade, in UTC, once the venue has answered.
        cum_qty: Filled contracts of its order, by the reports received.
        text: The reason why it or its order was refused.
        facts: Facts that messages have established about it.
        preceding: The reports that precede its order.
        uncertain_since: Time since which its answers may be lost, in UTC; None while they are not.
    """

    rfq: CreatorRfq = attrs.field(repr=False, metadata=NOT_DUMPED)
    quote_id: str
    side: Side
    cl_ord_id: str | None
    price: Decimal | None
    quantity: Decimal
    by_order: bool = False
    prefers_better: bool = False
    accepted_quote_id: str | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the venue refused it. The request stays open."""
        # A refused order means this only for an acceptance by order: AcceptQuote is refused by its status,
        # and the order that results from an accepted one may be refused later, which ends the request.
        if Fact.ACCEPTED in self.facts:
            return False
        return Fact.REFUSED in self.facts or (self.by_order and Fact.ORDER_REFUSED in self.facts)

    @property
    def is_at_stake(self) -> bool:
        """Whether it may still trade."""
        return self.facts.isdisjoint(_ENDS) and not self.is_refused


@attrs.define(eq=False)
class CreatorRfq:
    """A request of the creator. Read-only: `RfqCreator` changes it in place.

    Attributes:
        quote_req_id: QuoteReqID, the creator's id.
        symbol: Ticker of the market; None for a combination until the venue has found or created it.
        contracts: Contracts requested; None if `cash` is requested.
        cash: Dollars to spend; None if `contracts` are requested.
        rest_remainder: RestRemainder: whether the remainder may rest in the book.
        alloc_account: Number of the subaccount; None for the primary one.
        customer: The customer of a clearing member.
        collection: The collection of the combination, if the market is one.
        legs: The legs of the combination.
        rfq_id: RfqId, the venue's id; None until it is known.
        quotes: The newest quote of each maker, by QuoteID.
        acceptances: The last acceptances, the newest last.
        text: The venue's reason for refusing the request, or a cancel of it.
        facts: Facts that messages have established about it.
        uncertain_since: Time since which its answers may be lost, in UTC; None while they are not.
    """

    quote_req_id: str
    symbol: str | None
    contracts: Decimal | None = None
    cash: Decimal | None = None
    rest_remainder: bool = False
    alloc_account: int | None = None
    customer: str | None = None
    collection: str | None = None
    legs: tuple[MultivariateSelectedLeg, ...] = ()
    rfq_id: str | None = None
    quotes: dict[str, CreatorQuote] = attrs.field(factory=dict, repr=False, metadata=keyed_by("quote_id"))
    acceptances: list[Acceptance] = attrs.field(factory=list, repr=False)
    text: str = ""
    facts: set[Fact] = attrs.field(factory=set, repr=False)
    uncertain_since: datetime | None = attrs.field(default=None, repr=False)

    @property
    def state(self) -> RfqState:
        """State derived from the established facts."""
        # From the strongest evidence to the weakest: an order in the book is proof, in any order of messages.
        if any(Fact.EXECUTED in each.facts for each in self.acceptances):
            return RfqState.EXECUTED
        if any(Fact.ORDER_REFUSED in each.facts and not each.is_refused for each in self.acceptances):
            return RfqState.FAILED
        for fact, state in _CLOSED:
            if fact in self.facts:
                return state
        acceptance = self.acceptance
        if acceptance is not None:
            if acceptance.uncertain_since is not None:
                return RfqState.UNKNOWN
            return RfqState.ACCEPTED if Fact.ACCEPTED in acceptance.facts else RfqState.ACCEPTING
        if self.uncertain_since is not None:
            return RfqState.UNKNOWN
        return RfqState.SENT if self.rfq_id is None else RfqState.OPEN

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in OVER

    @property
    def acceptance(self) -> Acceptance | None:
        """The acceptance that may still trade, according to the reports received."""
        return next((each for each in reversed(self.acceptances) if each.is_at_stake), None)

    def best(self, side: Side) -> CreatorQuote | None:
        """Return the best quote for the creator on a side, the oldest of equal ones; None without quotes."""
        open_quotes = [
            quote for quote in self.quotes.values() if quote.price(side) is not None and quote.gone is None
        ]
        return min(open_quotes, key=lambda quote: _rank(quote, side), default=None)

    def price_of(self, quote_id: str, side: Side) -> Decimal | None:
        """Return the price of a quote on a side; None if unknown."""
        quote = self.quotes.get(quote_id)
        return None if quote is None else quote.price(side)


@attrs.define(eq=False)
class CreatorUpdate(RfqUpdate):
    """The changes of a request by an event, message or deadline.

    Attributes:
        rfq: The live object, which later calls change; None for a discrepancy without a request.
        before: Its previous state; None if it is new.
        quote: A new quote.
        answered: An acceptance that was accepted or refused by the venue, or has ended.
        discrepancies: Inconsistencies found.
    """

    rfq: CreatorRfq | None = None
    before: RfqState | None = None
    quote: CreatorQuote | None = None
    answered: Acceptance | None = None

    @property
    def state_changed(self) -> bool:
        """Whether the state of the request has changed."""
        return self.rfq is not None and self.rfq.state is not self.before

    @property
    def has_effect(self) -> bool:
        """Whether it contains a change to report to the user."""
        changed = self.quote is not None or self.answered is not None or self.state_changed
        return changed or super().has_effect


def _rank(quote: CreatorQuote, side: Side) -> tuple[Decimal, tuple[datetime, datetime, int], str]:
    """Return a sort key that is lower for a better quote."""
    price = quote.price(side) or ZERO
    return (price if side is Side.BUY else price.copy_negate()), quote.age, quote.quote_id


def read_quote(message: Any) -> CreatorQuote | None:
    """Return the quote in a message; None if it is unreadable or not a quote."""
    prices = [price for price in (message.bid_px, message.offer_px) if price]
    if not readable(message.quote_id) or not prices or min(prices) < ZERO or total(prices) > ONE:
        return None
    header = message.header
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
        age=(message.transact_time or BEGINNING, first_sent(message) or BEGINNING, number or 0),
    )
