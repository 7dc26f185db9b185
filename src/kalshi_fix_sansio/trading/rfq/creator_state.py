"""The creator's requests for quotes, their quotes and acceptances, and their states."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MultivariateSelectedLeg, Side
from kalshi_fix_sansio.clock import BEGINNING
from kalshi_fix_sansio.trading.common.amounts import ONE, ZERO, subtract
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, keyed_by
from kalshi_fix_sansio.trading.common.received import clipped, first_sending_time, is_valid_id
from kalshi_fix_sansio.trading.rfq.deals import Deal, Fact, RfqUpdate
from kalshi_fix_sansio.trading.rfq.values import are_valid_prices


class RfqState(Enum):
    """State of a request for quotes.

    Attributes:
        UNKNOWN: See `RfqCreator.uncertain`.
        EXECUTED: From now on, `Orders` tracks its order like any other.
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


ENDED_STATES: Final = frozenset(
    (RfqState.EXECUTED, RfqState.FAILED, RfqState.REFUSED, RfqState.CANCELED, RfqState.EXPIRED)
)
_FINAL_FACTS: Final = frozenset((Fact.EXECUTED, Fact.ORDER_REFUSED, Fact.NO_ORDER))
"""Facts after which an acceptance can no longer trade."""
_ENDING_FACTS: Final = (
    (Fact.EXPIRED, RfqState.EXPIRED),
    (Fact.CANCELED, RfqState.CANCELED),
    (Fact.REFUSED, RfqState.REFUSED),
)
"""Facts that end a request, each with the resulting state, the strongest evidence first."""


@attrs.define(eq=False)
class CreatorQuote:
    """A maker's quote for one of the creator's requests. Read-only.

    Attributes:
        quote_id: QuoteID, which identifies the quote when it is accepted.
        symbol: Ticker of the market.
        bid: Price in dollars that the maker pays for YES; None without a bid.
        offer: Price in dollars that the maker pays for NO; None without an offer.
        bid_size: Contracts of the bid.
        offer_size: Contracts of the offer.
        contracts: Number of contracts requested; None if the request specifies cash.
        maker: The maker's public id.
        made: Time of the quote according to the venue, in UTC.
        gone: Text (58) of the message in which the venue reported that the quote is no longer open; None
            until then.
        age: TransactTime, SendingTime and MsgSeqNum, as a sort key: the newer of two quotes has the higher
            key.
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
        """Return the YES price in dollars at which the creator can trade on a side. A buyer pays one dollar
        minus the maker's price for NO. Return None if the quote has no price for the side.
        """
        if side is Side.SELL:
            return self.bid
        return None if self.offer is None else subtract(ONE, self.offer)

    def size(self, side: Side) -> Decimal | None:
        """Return the number of contracts that the creator can trade on a side; None if unknown."""
        return (self.bid_size if side is Side.SELL else self.offer_size) or self.contracts


@attrs.define(eq=False)
class Acceptance(Deal):
    """An acceptance of a quote by the creator, successful or not. Read-only.

    Attributes:
        rfq: The request for quotes.
        quote_id: QuoteID of the quote that the creator chose.
        side: BUY to buy YES, SELL to sell YES.
        cl_ord_id: ClOrdID of the resulting order.
        price: YES price of the quote in dollars; with `prefers_better` the trade may have a better price.
        quantity: Maximum number of contracts that may trade.
        by_order: Whether it was sent as a NewOrderSingle rather than an AcceptQuote.
        prefers_better: Whether the venue may accept a better quote for the request instead.
        accepted_quote_id: QuoteID of the quote that was finally accepted.
        deadline: Time by which the trade must be reported, in UTC; None before the venue has answered.
        cum_qty: Filled contracts of its order, according to the reports received.
        text: The reason why the acceptance or its order was refused.
        facts: Facts that messages have established about it.
        preceding: The newest reports, and the latest time, known to precede the resulting order.
        uncertain_since: Time since which messages about it may have been lost, in UTC; None while it is
            certain.
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

    def possible_trades(self) -> list[tuple[Side, Decimal, Decimal]]:
        """Return the trade that may result, as a list of one tuple: side, contracts and YES price."""
        price = self.price
        if price is None:  # not reported, so assume the highest cost: a dollar per contract
            price = ONE if self.side is Side.BUY else ZERO
        return [(self.side, self.quantity, price)]

    @property
    def is_refused(self) -> bool:
        """Whether the venue refused the acceptance. The request then stays open."""
        # A refused order is a refused acceptance only if the acceptance was sent as an order. An AcceptQuote
        # is refused with an AcceptQuoteStatus; if its order is refused later, the request ends.
        if Fact.ACCEPTED in self.facts:
            return False
        return Fact.REFUSED in self.facts or (self.by_order and Fact.ORDER_REFUSED in self.facts)

    @property
    def may_trade(self) -> bool:
        """Whether the acceptance may still trade."""
        return self.facts.isdisjoint(_FINAL_FACTS) and not self.is_refused


@attrs.define(eq=False)
class CreatorRfq:
    """A request for quotes by the creator. Read-only: `RfqCreator` changes it in place.

    Attributes:
        quote_req_id: QuoteReqID, the creator's id.
        symbol: Ticker of the market; None for a combination of markets until the venue has found or created
            the market for it.
        contracts: Number of contracts requested; None if `cash` is specified.
        cash: Dollars to spend; None if `contracts` is specified.
        rest_remainder: RestRemainder: whether the remainder may rest in the book.
        alloc_account: Number of the subaccount; None for the primary account.
        customer: The customer of a clearing member.
        collection: The collection of a combination; None if the market is not a combination.
        legs: The legs of the combination.
        rfq_id: RfqId, the venue's id; None until it is known.
        quotes: The newest quote of each maker, by QuoteID.
        acceptances: The latest acceptances, the oldest first.
        text: The venue's reason for refusing the request or its cancel.
        facts: Facts that messages have established about it.
        uncertain_since: Time since which messages about it may have been lost, in UTC; None while it is
            certain.
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
        # Evaluated from the strongest evidence to the weakest, so the sequence of the messages does not
        # matter. A report of an executed order is proof.
        if any(Fact.EXECUTED in each.facts for each in self.acceptances):
            return RfqState.EXECUTED
        if any(Fact.ORDER_REFUSED in each.facts and not each.is_refused for each in self.acceptances):
            return RfqState.FAILED
        for fact, state in _ENDING_FACTS:
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
    def has_ended(self) -> bool:
        """Whether the request has ended."""
        return self.state in ENDED_STATES

    @property
    def acceptance(self) -> Acceptance | None:
        """The acceptance that may still trade, according to the reports received."""
        return next((each for each in reversed(self.acceptances) if each.may_trade), None)

    def best(self, side: Side) -> CreatorQuote | None:
        """Return the best quote for the creator on a side, the oldest if several are equal; None without
        quotes.
        """
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
    """The changes that an event, message or deadline makes to a request.

    Attributes:
        rfq: The request itself, which later messages change; None for a discrepancy that concerns no known
            request.
        before: The previous state of the request; None if the request is new.
        quote: A new quote; None if the update is not about a new quote.
        answered: An acceptance that the venue accepted or refused, or that has ended; None if there is none.
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
    """Return the quote in a message; None if its prices or its QuoteID are not valid."""
    if not (are_valid_prices(message.bid_px, message.offer_px) and is_valid_id(message.quote_id)):
        return None
    header = message.header
    number = None if header is None else header.msg_seq_num
    maker = clipped(message.party_ids[0].party_id) if message.party_ids else None
    return CreatorQuote(
        message.quote_id,
        clipped(message.symbol),
        message.bid_px or None,
        message.offer_px or None,
        message.bid_size,
        message.offer_size,
        message.order_qty,
        maker or None,
        message.transact_time,
        age=(message.transact_time or BEGINNING, first_sending_time(message) or BEGINNING, number or 0),
    )
