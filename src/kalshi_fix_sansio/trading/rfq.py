"""What the two sides of requests for quotes have in common: times, exposure, doubts, discrepancies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MultivariateSelectedLeg, Side
from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION, RFQ_EXECUTION
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading.amounts import ZERO, add, from_cents, multiply, subtract, to_cents
from kalshi_fix_sansio.trading.doubts import Doubt, Remedy
from kalshi_fix_sansio.trading.order_doubts import Copied

ONE: Final = Decimal(1)


class RfqRequestError(LocalProtocolError):
    """A request about an RFQ or a quote cannot be made as things stand; nothing was changed."""


@explained
@attrs.frozen(kw_only=True)
class RfqWindows:
    """The times of one kind of market, in seconds."""

    confirmation: float = attrs.field(validator=attrs.validators.ge(0))
    """What a maker has to confirm a quote that was accepted. At its end it is too late."""
    execution: float = attrs.field(validator=attrs.validators.ge(0))
    """What passes between the confirmation and the orders in the book."""


STANDARD: Final = RfqWindows(confirmation=RFQ_CONFIRMATION["standard"], execution=RFQ_EXECUTION["standard"])
HIGH_VOLATILITY: Final = RfqWindows(
    confirmation=RFQ_CONFIRMATION["high_volatility"], execution=RFQ_EXECUTION["high_volatility"]
)
"""All combos are high volatility markets."""


@explained
@attrs.frozen
class Exposure:
    """What may still trade of what was accepted: an upper bound, before fees."""

    bought: Decimal = ZERO
    """Contracts of YES that may be bought."""
    sold: Decimal = ZERO
    """Contracts of YES that may be sold, which is NO that may be bought."""
    cost: Decimal = ZERO
    """Dollars that all of it takes."""

    def plus(self, side: Side, quantity: Decimal, price: Decimal) -> Exposure:
        """Return this and a trade of one side at a YES price."""
        each = price if side is Side.BUY else subtract(ONE, price)
        return Exposure(
            add(self.bought, quantity) if side is Side.BUY else self.bought,
            self.sold if side is Side.BUY else add(self.sold, quantity),
            add(self.cost, multiply(quantity, each)),
        )


@explained
class RfqDoubtKind(Enum):
    """What is not known of a request or a quote."""

    RFQ_UNKNOWN = "whether the venue has the request"
    QUOTE_UNKNOWN = "whether the quote stands"
    """It cannot trade without being confirmed. A cancel of it or a new quote tells."""
    CONFIRM_UNKNOWN = "what became of the confirmation"
    ACCEPT_UNKNOWN = "what became of the acceptance"
    EXECUTION_UNKNOWN = "whether the order has come to the book"


_REMEDIES: Final = {
    RfqDoubtKind.RFQ_UNKNOWN: (Remedy.REST,),
    RfqDoubtKind.QUOTE_UNKNOWN: (Remedy.REQUEST, Remedy.REST),
}


@explained
@attrs.frozen(kw_only=True, eq=False)
class RfqDoubt(Doubt):
    """Something that is not known of a request or a quote. Its times are by the clock of the caller."""

    kind: RfqDoubtKind
    """What is not known."""
    symbol: str
    """Ticker of the market."""
    rfq_id: str | None = None
    """The venue's id; None if it is not known."""
    quote_id: str | None = None
    """None if it is not about one."""


def rfq_doubt(
    kind: RfqDoubtKind,
    request: str,
    symbol: str,
    rfq_id: str | None,
    quote_id: str | None,
    since: datetime | None,
) -> RfqDoubt:
    """Return what is not known about a request that its user knows by this id, with how to find out."""
    return RfqDoubt(
        what=kind.value,
        about=f"request {request}" if quote_id is None else f"quote {quote_id} on request {request}",
        since=since,
        remedies=_REMEDIES.get(kind, (Remedy.DROP_COPY, Remedy.REST)),
        kind=kind,
        symbol=symbol,
        rfq_id=rfq_id,
        quote_id=quote_id,
    )


@explained
class RfqDiscrepancyKind(Enum):
    """In what way something that came does not fit."""

    UNREADABLE = "a field that is needed is missing, unreadable or too long"
    UNKNOWN_QUOTE = "a message about a quote that is not known"
    UNKNOWN_RFQ = "a message about a request that is not known"
    CONFLICT = "two messages cannot both be true"
    TOO_MANY = "there are more requests or quotes than are kept"


@explained
@attrs.frozen
class RfqDiscrepancy:
    """Something in the venue's messages that does not fit."""

    kind: RfqDiscrepancyKind
    """In what way."""
    detail: str
    """For people."""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


def unwrapped(happened: object) -> object:
    """Return the message of an event that has one, also of a report from a drop copy."""
    if isinstance(happened, MessageReceived):
        return happened.message
    return happened.report if isinstance(happened, Copied) else happened


def window_end(message: Any, seconds: float, now: datetime) -> datetime:
    """Return the end of a window that the venue began when it sent a message, which has come by now.

    Of a message that was sent later than it came, or that does not say when, it is counted from now.
    """
    # OrigSendingTime (122) of one that was sent again: the window began with the first copy.
    header = message.header
    sent = None if header is None else header.orig_sending_time or header.sending_time
    return (now if sent is None else min(now, sent)) + timedelta(seconds=seconds)


def answer_key(message: Any, number: int) -> str:
    """Return what tells an answer from every other, so that one which comes twice counts once: its number and
    its first SendingTime. Without header (the caller made it) the number that is given stands for it."""
    header = message.header
    if header is None:
        return str(number)
    return f"{header.msg_seq_num} {header.orig_sending_time or header.sending_time}"


def read_price(price: Decimal | None, *, dollars: bool) -> Decimal | None:
    """Return a price in dollars; None for none, which 0 stands for too."""
    if not price:
        return None
    return price if dollars else from_cents(price)


def wire_price(price: Decimal | None, *, dollars: bool) -> Decimal | None:
    """Return a price in dollars as the session has it.

    Raises:
        RfqRequestError: the session has whole cents.
    """
    if price is None or dollars:
        return price
    cents = to_cents(price)
    if cents != cents.to_integral_value():
        raise RfqRequestError(f"{price:f} dollars are no whole cents; log on with UseDollars")
    return cents


def dump_legs(legs: Iterable[MultivariateSelectedLeg]) -> list[list[str]]:
    """Return the legs of a combination as text."""
    return [
        [
            leg.multivariate_selected_event_ticker,
            leg.multivariate_selected_market_ticker,
            str(leg.multivariate_selected_side),
        ]
        for leg in legs
    ]


def load_legs(rows: Iterable[Iterable[str]]) -> tuple[MultivariateSelectedLeg, ...]:
    """Return the legs of a dump."""
    return tuple(
        MultivariateSelectedLeg(
            multivariate_selected_event_ticker=event,
            multivariate_selected_market_ticker=market,
            multivariate_selected_side=side,
        )
        for event, market, side in rows
    )
