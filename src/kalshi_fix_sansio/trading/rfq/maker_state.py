"""The requests for quotes that a maker receives, the maker's quotes, and their states."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MultivariateSelectedLeg, Quote, QuoteConfirm, Side
from kalshi_fix_sansio.scalars import to_decimal
from kalshi_fix_sansio.trading.common.amounts import ONE, ZERO, divide, subtract
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, keyed_by
from kalshi_fix_sansio.trading.rfq.deals import Deal, Fact, RfqUpdate
from kalshi_fix_sansio.trading.rfq.values import answer_key, are_valid_prices


class QuoteState(Enum):
    """State of a maker's quote.

    Attributes:
        UNKNOWN: See `RfqMaker.uncertain`.
        EXECUTED: Its order is now an ordinary order, which `Orders` tracks.
    """

    SENT = "sent, not answered yet"
    OPEN = "open at the venue"
    UNKNOWN = "the outcome is unknown, and no message will report it"
    ACCEPTED = "accepted, and not confirmed"
    CONFIRMING = "a confirmation was sent, not answered yet"
    CONFIRMED = "confirmed; its order will follow"
    LAPSED = "accepted, but not confirmed in time"
    EXECUTED = "its order was executed"
    FAILED = "its order was refused"
    NO_ORDER = "drop copy contains no order for it"
    REJECTED = "refused by the venue"
    CANCELED = "it was cancelled, or its request has ended"
    REPLACED = "replaced by a newer quote"


ENDED_STATES: Final = frozenset(
    (
        QuoteState.LAPSED,
        QuoteState.EXECUTED,
        QuoteState.FAILED,
        QuoteState.NO_ORDER,
        QuoteState.REJECTED,
        QuoteState.CANCELED,
        QuoteState.REPLACED,
    )
)

_EXECUTION_STATES: Final = (
    (Fact.EXECUTED, QuoteState.EXECUTED),
    (Fact.ORDER_REFUSED, QuoteState.FAILED),
    (Fact.NO_ORDER, QuoteState.NO_ORDER),
)


def _dollars(price: Decimal | int | str | None) -> Decimal | None:
    if price is None:
        return None
    return to_decimal(price) or None  # a price of 0 means that this side is not quoted


@attrs.frozen
class QuoteTerms:
    """The terms of a maker's quote, in dollars, with at least one side.

    Raises:
        ValueError: no side is given, a price is not a decimal number, is negative or is not below one dollar,
            or the prices add up to more than one dollar.
        TypeError: a price is a float, which is not exact, or has another wrong type.

    Attributes:
        bid: Price paid for a contract of YES; None or 0 without a bid.
        offer: Price paid for a contract of NO; None or 0 without an offer.
        post_only: Whether the resulting order must not take liquidity.
        rest_remainder: Whether the remainder may rest in the book (RestRemainder).
    """

    bid: Decimal | None = attrs.field(default=None, converter=_dollars)
    offer: Decimal | None = attrs.field(default=None, converter=_dollars)
    post_only: bool = False
    rest_remainder: bool = False

    def __attrs_post_init__(self) -> None:
        if not are_valid_prices(self.bid, self.offer):
            raise ValueError(
                f"bid {self.bid} and offer {self.offer} are not a valid quote: pass at least one price in "
                "dollars; each must be above 0 and below 1, and their sum at most 1"
            )


@attrs.define(eq=False)
class MakerRfq:
    """A request received by the maker. Read-only: `RfqMaker` changes it in place.

    Attributes:
        rfq_id: RfqId, the venue's id.
        symbol: Ticker of the market. For a combination of markets, the ticker of the market created for it.
        contracts: Number of contracts requested; None if `cash` is specified.
        cash: Dollars that the creator wants to spend; None if `contracts` is specified.
        collection: The collection of a combination; None if the market is not a combination.
        legs: The legs of the combination.
        requester: The creator's public id, or the shared id of anonymous creators.
        created: Time of the request according to the venue, in UTC.
        high_volatility: Whether the market has high volatility, so the maker has less time to confirm.
        is_closed: Whether the venue has reported the end of the request.
        quotes: The maker's latest quotes by QuoteID, the oldest first.
        terms_received: Whether its terms have been received. If they are redelivered, `RfqMaker` does not
            call the `quote` callback again.
    """

    rfq_id: str
    symbol: str
    contracts: Decimal | None = None
    cash: Decimal | None = None
    collection: str | None = None
    legs: tuple[MultivariateSelectedLeg, ...] = ()
    requester: str | None = None
    created: datetime | None = None
    high_volatility: bool = False
    is_closed: bool = False
    quotes: dict[str, MakerQuote] = attrs.field(factory=dict, repr=False, metadata=keyed_by("quote_id"))
    terms_received: bool = attrs.field(default=False, repr=False)

    @property
    def quote(self) -> MakerQuote | None:
        """The newest quote that has not ended."""
        return next((each for each in reversed(self.quotes.values()) if each.state not in ENDED_STATES), None)


@attrs.define(eq=False)
class MakerQuote(Deal):
    """A quote by the maker. Read-only: `RfqMaker` changes it in place.

    Attributes:
        quote_id: QuoteID, the maker's id.
        rfq: The request for quotes that it answers.
        terms: Prices and options of the quote.
        alloc_account: Number of the subaccount; 0 is the primary account.
        side: BUY if the creator accepted the bid, so the maker buys YES. SELL if the creator accepted the
            offer, so the maker sells YES. None before the acceptance.
        deadline: For an ACCEPTED quote, the end of the window for confirmation. For a CONFIRMED quote, the
            time by which its trade must be reported. In UTC.
        cum_qty: Filled contracts of its order, according to the reports received.
        text: The reason why the quote, its confirmation or its cancel was refused.
        facts: Facts that messages have established about the quote.
        preceding: The newest reports by shard, and the latest time, that precede the resulting order.
        uncertain_since: Time since which answers about the quote may have been lost, in UTC; None while the
            quote is certain.
        sizes: Numbers of contracts of the bid and the offer, as reported by the venue.
        taken: Number of contracts accepted; None if the acceptance does not contain the number.
        confirms: Number of confirmations sent.
        refusals: Keys of the answers that refused a confirmation.
        canceling: Whether a cancel of the quote is unanswered.
    """

    quote_id: str
    rfq: MakerRfq = attrs.field(repr=False, metadata=NOT_DUMPED)
    terms: QuoteTerms
    alloc_account: int = 0
    side: Side | None = None
    sizes: tuple[Decimal | None, Decimal | None] = attrs.field(default=(None, None), repr=False)
    taken: Decimal | None = attrs.field(default=None, repr=False)
    confirms: int = attrs.field(default=0, repr=False)
    refusals: set[str] = attrs.field(factory=set, repr=False)
    canceling: bool = attrs.field(default=False, repr=False, metadata=NOT_DUMPED)

    @property
    def state(self) -> QuoteState:
        """State derived from the established facts."""
        # Evaluated from the strongest evidence to the weakest. A report of the order proves that the quote
        # was accepted and confirmed, even if neither message was received. A cancel does not revoke a
        # confirmation, so a confirmed quote may trade even if it was cancelled.
        facts, uncertain = self.facts, self.uncertain_since is not None
        for fact, state in _EXECUTION_STATES:
            if fact in facts:
                return state
        if Fact.CONFIRMED in facts:
            return QuoteState.UNKNOWN if uncertain else QuoteState.CONFIRMED
        if Fact.CANCELED in facts:
            return QuoteState.CANCELED
        if Fact.REFUSED in facts:
            return QuoteState.REJECTED
        if self.confirmation_unanswered:
            return QuoteState.UNKNOWN if uncertain else QuoteState.CONFIRMING
        # Checked after unanswered confirmations, because a trade of this quote may have ended the request.
        if self.rfq.is_closed:
            return QuoteState.CANCELED
        if Fact.ACCEPTED in facts:
            return QuoteState.LAPSED if Fact.LAPSED in facts else QuoteState.ACCEPTED
        if Fact.REPLACED in facts:
            return QuoteState.REPLACED
        if uncertain:
            return QuoteState.UNKNOWN
        return QuoteState.OPEN if Fact.OPEN in facts else QuoteState.SENT

    @property
    def confirmation_unanswered(self) -> bool:
        """Whether any confirmation of the quote is unanswered. The venue answers each confirmation, and may
        accept any of them.
        """
        return self.confirms > len(self.refusals)

    @property
    def was_confirmed(self) -> bool:
        """Whether a confirmation of the quote was sent or accepted."""
        return self.confirms > 0 or Fact.CONFIRMED in self.facts

    @property
    def may_trade(self) -> bool:
        """Whether the quote may still trade without further action by the creator; it may still need the
        maker's confirmation.
        """
        return (Fact.ACCEPTED in self.facts or self.was_confirmed) and self.state not in ENDED_STATES

    def refuse_confirmation(self, answer: Any) -> None:
        """Record an answer that refuses a confirmation; redelivered answers are counted once."""
        self.refusals.add(answer_key(answer, self.confirms))
        # Another process may have sent the refused confirmation.
        self.confirms = max(self.confirms, len(self.refusals))
        self.record_text(answer)
        if not self.confirmation_unanswered and Fact.CONFIRMED not in self.facts:
            self.end_uncertainty()

    @property
    def price(self) -> Decimal | None:
        """YES price of the accepted side, in dollars; None before the acceptance."""
        return None if self.side is None else self._price_of(self.side)

    @property
    def quantity(self) -> Decimal:
        """Maximum number of contracts that may trade; 0 before the quote is accepted."""
        price = self.price
        return ZERO if self.side is None or price is None else self._quantity_of(self.side, price)

    def possible_trades(self) -> list[tuple[Side, Decimal, Decimal]]:
        """Return the side, contracts and YES price of each trade that may result. If the quote is or may be
        confirmed, but the accepted side is unknown, it may trade on either side.
        """
        is_confirmed = self.confirmation_unanswered or Fact.CONFIRMED in self.facts
        sides = (Side.BUY, Side.SELL) if self.side is None and is_confirmed else (self.side,)
        prices = [(side, self._price_of(side)) for side in sides if side is not None]
        return [(side, self._quantity_of(side, price), price) for side, price in prices if price is not None]

    def _price_of(self, side: Side) -> Decimal | None:
        if side is Side.BUY:
            return self.terms.bid
        return None if self.terms.offer is None else subtract(ONE, self.terms.offer)

    def _quantity_of(self, side: Side, price: Decimal) -> Decimal:
        size = self.sizes[0 if side is Side.BUY else 1] or self.rfq.contracts
        if size is None and self.rfq.cash is not None:
            # The number of contracts that the creator can buy with the cash, on the other side of the trade.
            size = divide(self.rfq.cash, subtract(ONE, price) if side is Side.BUY else price)
        # With RestRemainder, the order has the size of the whole quote.
        quantities = [each for each in (self.taken, size if self.terms.rest_remainder else None) if each]
        return max(quantities, default=size or ZERO)


@attrs.define(eq=False)
class MakerUpdate(RfqUpdate):
    """The changes that an event, message or deadline makes to a request or a quote.

    Attributes:
        rfq: The request itself, which later messages change; None for a discrepancy that concerns no known
            request.
        quote: The quote itself, which later messages change; None if the update is not about a quote.
        before: Previous state of the quote; None if it is new, or there is no quote.
        send: The message to send now; None if there is none. It counts as sent: if it cannot be sent, call
            `RfqMaker.withdraw`.
        discrepancies: Inconsistencies found.
    """

    rfq: MakerRfq | None = None
    quote: MakerQuote | None = None
    before: QuoteState | None = None
    send: Quote | QuoteConfirm | None = None

    @property
    def state_changed(self) -> bool:
        """Whether the state of the quote has changed."""
        return self.quote is not None and self.quote.state is not self.before

    @property
    def has_effect(self) -> bool:
        """Whether it contains a change to report to the user."""
        changed = self.quote is None or self.state_changed or self.send is not None
        return changed or super().has_effect
