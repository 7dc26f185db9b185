"""What a message or event did to a book, as told to whoever trades on it."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import NamedTuple

import attrs

from kalshi_fix_sansio._generated import MDEntryType, MDFullEntry, MDIncEntry
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.book import Level, OrderBook, Trade

_new = object.__new__


@explained
class LevelChange(NamedTuple):
    """What became of one level."""

    side: MDEntryType
    """BID or OFFER."""
    price: Decimal
    """Dollars."""
    before: Decimal
    """Contracts that rested there; 0 if the level is new."""
    size: Decimal
    """Contracts that rest there now; 0 if the level is gone."""


@explained
class DiscrepancyKind(Enum):
    """In what way something that came does not fit the book, or makes no sense."""

    NO_SNAPSHOT = "an update came before any snapshot"
    LEVEL_MISSING = "a level that is not there was changed or deleted"
    LEVEL_EXISTS = "a level that is there came as new, or twice in a snapshot"
    BAD_PRICE = "a price is not above zero"
    BAD_SIZE = "a size is not above zero"
    UNKNOWN_ACTION = "MDUpdateAction (279) has an unknown value"
    UNKNOWN_ENTRY_TYPE = "MDEntryType (269) has a value that has no place here"
    CROSSED = "a bid stands at or above an offer"
    OUT_OF_ORDER = "an update happened before the one in front of it"
    """By 272 and 273, which prediction has. A snapshot is dated by another clock, and not compared."""
    TOO_MANY = "there are more levels or books than are kept, or a symbol is too long"
    """Never tolerated: see the arguments of `OrderBooks`."""
    UNREADABLE = "a field of the book is missing, unreadable or repeated, or an entry is missing"


@explained
@attrs.frozen
class Discrepancy:
    """Something in the venue's messages that does not fit."""

    kind: DiscrepancyKind
    """In what way."""
    symbol: str
    """Ticker of the market."""
    detail: str
    """For people: what was found."""
    entry: MDIncEntry | MDFullEntry | None = attrs.field(default=None, repr=False)
    """The entry concerned, as it came; None if it is not one alone."""

    def __str__(self) -> str:
        return f"{self.symbol}: {self.kind.value}: {self.detail}"


@explained
@attrs.define(eq=False)
class BookUpdate:
    """What one message or event did to one book."""

    book: OrderBook
    """The book itself, which goes on changing: read it before the next `apply`."""
    snapshot: bool = False
    """Whether the whole book came, so that any level may have changed."""
    state_changed: bool = False
    """Whether the state of the book is another than before."""
    best_changed: bool = False
    """Whether the price or size of the best bid or offer may be another than before."""
    levels: list[LevelChange] = attrs.field(factory=list)
    """Changes one by one, in their order; empty for a snapshot and for a book that is not live."""
    trades: list[Trade] = attrs.field(factory=list)
    """Trades, the oldest first, whatever the state of the book."""
    discrepancies: list[Discrepancy] = attrs.field(factory=list)
    """What did not fit."""

    @property
    def symbol(self) -> str:
        """The market's ticker."""
        return self.book.symbol

    @property
    def best_bid(self) -> Level | None:
        """The highest bid of the book as it is now."""
        return self.book.bids.best

    @property
    def best_offer(self) -> Level | None:
        """The lowest offer of the book as it is now."""
        return self.book.offers.best


def begin_update(book: OrderBook) -> BookUpdate:
    """Return `BookUpdate(book)`, in half the time of calling the class: one is made for each message."""
    update = _new(BookUpdate)
    update.book = book
    update.snapshot = update.state_changed = update.best_changed = False
    update.levels = []
    update.trades = []
    update.discrepancies = []
    return update
