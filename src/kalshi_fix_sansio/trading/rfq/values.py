"""Values shared by both sides of requests for quotes: time windows, exposure, uncertain items,
discrepancies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    AcceptQuote,
    AcceptQuoteStatusText,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
    Side,
)
from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION, RFQ_EXECUTION
from kalshi_fix_sansio.clock import shift_time
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.trading.common.amounts import (
    ONE,
    ZERO,
    add,
    from_cents,
    multiply_add,
    subtract,
    to_whole_cents,
    total,
)
from kalshi_fix_sansio.trading.common.received import first_sending_time
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequest
from kalshi_fix_sansio.trading.common.uncertain_items import Remedy, UncertainItem

CLOSED_QUOTE_TEXTS: Final = frozenset(
    (AcceptQuoteStatusText.NOT_FOUND.value, AcceptQuoteStatusText.EXPIRED.value)
)
"""Texts (58) with which the venue reports that a quote is no longer open."""


class RfqRequestError(LocalProtocolError):
    """A call of an RFQ state machine was refused: an argument is invalid, or the state of the RFQ or quote
    does not allow the call. No state was changed.
    """


@attrs.frozen(kw_only=True)
class RfqWindows:
    """The time windows of one kind of market, in seconds.

    Attributes:
        confirmation: Time for a maker to confirm an accepted quote.
        execution: Time from the confirmation until the orders are in the book.
    """

    confirmation: float = attrs.field(validator=attrs.validators.ge(0))
    execution: float = attrs.field(validator=attrs.validators.ge(0))


STANDARD: Final = RfqWindows(confirmation=RFQ_CONFIRMATION["standard"], execution=RFQ_EXECUTION["standard"])
HIGH_VOLATILITY: Final = RfqWindows(
    confirmation=RFQ_CONFIRMATION["high_volatility"], execution=RFQ_EXECUTION["high_volatility"]
)
"""Time windows of high volatility markets, which include all combinations."""


@attrs.frozen
class Exposure:
    """Upper bounds for the trades that may still result from accepted quotes, before fees.

    Attributes:
        bought: Contracts of YES that may be bought.
        sold: Contracts of YES that may be sold (which is the same as buying NO).
        cost: Cost of all these trades in dollars.
    """

    bought: Decimal = ZERO
    sold: Decimal = ZERO
    cost: Decimal = ZERO

    def plus(self, side: Side, quantity: Decimal, price: Decimal) -> Exposure:
        """Return this exposure plus a trade on one side at a YES price."""
        if side is Side.BUY:
            return Exposure(add(self.bought, quantity), self.sold, multiply_add(quantity, price, self.cost))
        cost = multiply_add(quantity, subtract(ONE, price), self.cost)
        return Exposure(self.bought, add(self.sold, quantity), cost)


class UncertainRfqKind(Enum):
    """Kinds of uncertainty about a request or a quote.

    Attributes:
        QUOTE_UNKNOWN: The quote cannot trade without a confirmation. To resolve the uncertainty, cancel the
            quote or send a new one; the venue's answer reports the state.
    """

    RFQ_UNKNOWN = "the venue may have the request"
    QUOTE_UNKNOWN = "the quote may still be open"
    CONFIRM_UNKNOWN = "the outcome of the confirmation is unknown"
    ACCEPT_UNKNOWN = "the outcome of the acceptance is unknown"
    EXECUTION_UNKNOWN = "the order may have been executed"


_REMEDIES: Final = {
    UncertainRfqKind.RFQ_UNKNOWN: (Remedy.REST,),
    UncertainRfqKind.QUOTE_UNKNOWN: (Remedy.REQUEST, Remedy.REST),
}


@attrs.frozen(kw_only=True, eq=False)
class UncertainRfq(UncertainItem):
    """An uncertainty about a request or a quote. Its times are those of the caller's clock.

    Attributes:
        kind: The kind of uncertainty.
        symbol: Ticker of the market; empty if unknown.
        rfq_id: RfqId, the venue's id; None if unknown.
        quote_id: QuoteID; None if the uncertainty is not about a quote.
    """

    kind: UncertainRfqKind
    symbol: str
    rfq_id: str | None = None
    quote_id: str | None = None


def uncertain_rfq(
    kind: UncertainRfqKind,
    request: str,
    symbol: str,
    rfq_id: str | None,
    quote_id: str | None,
    since: datetime | None,
) -> UncertainRfq:
    """Return the uncertain item about a request or a quote, with its remedies."""
    return UncertainRfq(
        what=kind.value,
        about=f"request {request}" if quote_id is None else f"quote {quote_id} on request {request}",
        since=since,
        remedies=_REMEDIES.get(kind, (Remedy.DROP_COPY, Remedy.REST)),
        kind=kind,
        symbol=symbol,
        rfq_id=rfq_id,
        quote_id=quote_id,
    )


_ITEM_BY_MSG_TYPE: Final = {
    Quote.MSG_TYPE: (UncertainRfqKind.QUOTE_UNKNOWN, "quote"),
    QuoteCancel.MSG_TYPE: (UncertainRfqKind.QUOTE_UNKNOWN, "cancel of quote"),
    QuoteConfirm.MSG_TYPE: (UncertainRfqKind.CONFIRM_UNKNOWN, "quote"),
    QuoteRequest.MSG_TYPE: (UncertainRfqKind.RFQ_UNKNOWN, "request"),
    RFQCancel.MSG_TYPE: (UncertainRfqKind.RFQ_UNKNOWN, "cancel of request"),
    AcceptQuote.MSG_TYPE: (UncertainRfqKind.ACCEPT_UNKNOWN, "quote"),
}


def unattributed_items(requests: Iterable[UnattributedRequest]) -> Iterator[UncertainRfq]:
    """Yield the uncertain items about requests without a known quote or RFQ."""
    for each in requests:
        kind, about = _ITEM_BY_MSG_TYPE[each.msg_type]
        yield UncertainRfq(
            kind=kind,
            what=kind.value,
            about=f"{about} {each.request_id}",
            since=each.sent_at,
            symbol="",
            quote_id=None if kind is UncertainRfqKind.RFQ_UNKNOWN else each.request_id,
            unattributed=each,
        )


class RfqDiscrepancyKind(Enum):
    """Kinds of inconsistency in the venue's messages."""

    UNREADABLE = "a required field is missing, unreadable or too long"
    UNKNOWN_QUOTE = "a message about an unknown quote"
    UNKNOWN_RFQ = "a message about an unknown request"
    CONFLICT = "two messages contradict each other"
    TOO_MANY = "the limit on requests or quotes was reached"


@attrs.frozen
class RfqDiscrepancy:
    """An inconsistency in the venue's messages.

    Attributes:
        kind: The kind of inconsistency.
        detail: The values found, as text for humans.
    """

    kind: RfqDiscrepancyKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


def window_end(message: Any, seconds: float, now: datetime) -> datetime:
    """Return the end of a time window that began when the venue sent a message, which was received at `now`.

    If there is no message, or SendingTime is missing or later than `now`, the window begins at `now`.
    """
    # For a resent message, the window began when it was first sent.
    sent = None if message is None else first_sending_time(message)
    return shift_time(now if sent is None else min(now, sent), timedelta(seconds=seconds))


def answer_key(message: Any, number: int) -> str:
    """Return a key that identifies an answer, so that a redelivered answer is counted only once. The key
    contains MsgSeqNum and the time when the answer was first sent. If the message has no header, the key is
    `number`.
    """
    return (
        str(number)
        if message.header is None
        else f"{message.header.msg_seq_num} {first_sending_time(message)}"
    )


def are_valid_prices(bid: Decimal | None, offer: Decimal | None) -> bool:
    """Return whether the prices of a quote in dollars are valid: there is at least one, each is above 0 and
    below 1, and their sum is at most 1. A side without a price has None or 0.
    """
    prices = [price for price in (bid, offer) if price]
    return bool(prices) and min(prices) > ZERO and max(prices) < ONE and total(prices) <= ONE


def read_price(price: Decimal | None, *, dollars: bool) -> Decimal | None:
    """Return a price in dollars; None for a missing price or 0."""
    if not price:
        return None
    return price if dollars else from_cents(price)


def wire_price(price: Decimal | None, *, dollars: bool) -> Decimal | None:
    """Convert a price in dollars to the session's unit.

    Raises:
        RfqRequestError: the session's prices are whole cents, and this price has a fraction of a cent.
    """
    return price if price is None or dollars else to_whole_cents(price, RfqRequestError)
