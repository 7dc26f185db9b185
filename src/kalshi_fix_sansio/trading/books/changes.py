"""The changes that a message or event makes to a book, as reported to the caller."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import NamedTuple

import attrs

from kalshi_fix_sansio._generated import MDEntryType, MDFullEntry, MDIncEntry
from kalshi_fix_sansio.trading.books.book import Level, OrderBook, Trade


class LevelChange(NamedTuple):
    """A change to one level.

    Attributes:
        side: BID or OFFER.
        price: Dollars.
        before: Previous size in contracts; 0 if the level is new.
        size: New size in contracts; 0 if the level was deleted.
    """

    side: MDEntryType
    price: Decimal
    before: Decimal
    size: Decimal


class DiscrepancyKind(Enum):
    """Kinds of inconsistency between a message and the book, or within a message.

    Attributes:
        OUT_OF_ORDER: Detected from MDEntryDate (272) and MDEntryTime (273), if present. The times in a
            snapshot are not compared, because the venue takes them from another clock.
        TOO_MANY: Always makes the book stale, even if `OrderBooks` was created with this kind in `tolerated`.
    """

    NO_SNAPSHOT = "an update was received before any snapshot"
    LEVEL_MISSING = "a missing level was changed or deleted"
    LEVEL_EXISTS = "an existing level was reported as new, or twice in a snapshot"
    BAD_PRICE = "a price must be above zero"
    BAD_SIZE = "a size must be above zero"
    UNKNOWN_ACTION = "MDUpdateAction (279) has an unknown value"
    UNKNOWN_ENTRY_TYPE = "MDEntryType (269) has a value that is not valid in a book"
    CROSSED = "a bid is at or above an offer"
    OUT_OF_ORDER = "an update is older than the previous one"
    TOO_MANY = "the limit on levels or books was reached, or a symbol is too long"
    UNREADABLE = "a field of the book is missing, unreadable or repeated, or an entry is missing"


@attrs.frozen
class Discrepancy:
    """An inconsistency in the venue's messages.

    Attributes:
        kind: The kind of inconsistency.
        symbol: Ticker of the market.
        detail: The values found, as text for humans.
        entry: The entry as received; None if the discrepancy is not about a single entry.
    """

    kind: DiscrepancyKind
    symbol: str
    detail: str
    entry: MDIncEntry | MDFullEntry | None = attrs.field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.symbol}: {self.kind.value}: {self.detail}"


@attrs.define(eq=False)
class BookUpdate:
    """The changes that one message or event makes to one book.

    Attributes:
        book: The book itself. Later messages change it, so read it before the next `apply`.
        snapshot: Whether the message was a snapshot, which may change any level.
        state_changed: Whether the state of the book has changed.
        best_changed: Whether the price or size of the best bid or offer may have changed.
        levels: Changes to levels, in sequence; empty for a snapshot and for a book that is not live.
        trades: Trades, the oldest first; reported in any state of the book.
        discrepancies: Inconsistencies found.
    """

    book: OrderBook
    snapshot: bool = False
    state_changed: bool = False
    best_changed: bool = False
    levels: list[LevelChange] = attrs.field(factory=list)
    trades: list[Trade] = attrs.field(factory=list)
    discrepancies: list[Discrepancy] = attrs.field(factory=list)

    @property
    def symbol(self) -> str:
        """Ticker of the market."""
        return self.book.symbol

    @property
    def best_bid(self) -> Level | None:
        """The highest bid of `book` now; None if there is none."""
        return self.book.bids.best

    @property
    def best_offer(self) -> Level | None:
        """The lowest offer of `book` now; None if there is none."""
        return self.book.offers.best
