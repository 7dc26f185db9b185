"""The order book of one market: levels in price order, and whether they can be relied on.

Prices are Decimal dollars and sizes Decimal contracts (hundredths of one on prediction, whole ones on
margin). A market has one book on either product: bids and offers for the YES contract on prediction, for
the perpetual on margin (the venue's pages on market data). Who buys NO at a price offers YES at one dollar
minus that price, so there is no second book for NO.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import AggressorSide, Side
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import ZERO


@explained
class BookState(Enum):
    """Whether a book can be relied on. Only one that is LIVE or a SNAPSHOT has levels."""

    WAITING = "waiting for a snapshot"
    """It was asked for, and its snapshot has not come."""
    LIVE = "live"
    """As the venue last told, and kept up to date."""
    SNAPSHOT = "snapshot"
    """Asked for once: it was right when it was sent, and is not updated."""
    STALE = "stale"
    """Updates are missing or do not fit (`OrderBook.stale_reason`); it takes a new snapshot."""


@explained
class StaleReason(Enum):
    """Why a book became stale."""

    GAP = "messages are missing"
    SESSION_ENDED = "the session ended"
    NEW_SESSION = "another session began"
    """Subscriptions end with their session; that it ended had not been told."""
    MESSAGE_REFUSED = "this side refused a message"
    """A strict session answered market data by a Reject, and did not deliver it."""
    REQUEST_REFUSED = "the venue refused the request"
    DISCREPANCY = "what came does not fit"
    """The update that told it has the discrepancies."""


@explained
class Level(NamedTuple):
    """All that rests at one price: dollars and contracts."""

    price: Decimal
    """Dollars."""
    size: Decimal
    """Contracts."""


LEVELS_DISPLAYED: Final = 10
"""Levels of each side that a notebook shows."""


@explained
class Sweep(NamedTuple):
    """What taking a number of contracts from one side of a book would come to, before fees."""

    size: Decimal
    """Contracts that are there to be taken: what was asked for, or all that rests."""
    amount: Decimal
    """Dollars: the sum of price times size."""
    worst: Decimal | None
    """The last price that it takes, in dollars; None if there is nothing to take."""

    @property
    def average(self) -> Decimal | None:
        """Dollars per contract; None if there is nothing to take."""
        return self.amount / self.size if self.size else None


@explained
class Trade(NamedTuple):
    """A trade as the venue published it."""

    symbol: str
    """Ticker of the market."""
    price: Decimal
    """Dollars."""
    size: Decimal
    """Contracts."""
    aggressor: AggressorSide | str | None
    """The side that took liquidity, if it was told."""
    utc_date: date | None
    """When it happened, in UTC; None where it was not told."""
    utc_time: time | None
    """The time of day, as well."""

    @property
    def moment(self) -> datetime | None:
        """When it happened, in UTC; None where market data carried no time (margin until September 2026)."""
        if self.utc_date is None or self.utc_time is None:
            return None
        return datetime.combine(self.utc_date, self.utc_time, UTC)


@explained
@attrs.define(eq=False)
class BookSide:
    """The bids or the offers of a book. Iterating it gives the levels, the best one first."""

    top: int
    """Index of the best price in `prices`: -1 for bids, 0 for offers."""
    sizes: dict[Decimal, Decimal] = attrs.field(factory=dict)
    """Contracts by price in dollars. To be read alone, as all that is here."""
    prices: list[Decimal] = attrs.field(factory=list)
    """The same prices in ascending order."""

    @property
    def best(self) -> Level | None:
        """The best level, in constant time; None if the side is empty."""
        if not self.prices:
            return None
        price = self.prices[self.top]
        return Level(price, self.sizes[price])

    def depth(self, levels: int) -> list[Level]:
        """Return the best `levels` levels, the best one first, or as many as there are."""
        if levels <= 0:
            return []
        # Prices ascend: the best bid is the last one, the best offer the first.
        best_first = self.prices[:levels] if self.top == 0 else self.prices[: -levels - 1 : -1]
        return [Level(price, self.sizes[price]) for price in best_first]

    def size(self, price: Decimal) -> Decimal:
        """Return how many contracts rest at a price in dollars."""
        return self.sizes.get(price, ZERO)

    def sweep(self, size: Decimal) -> Sweep:
        """Return what taking `size` contracts would come to, the best prices first.

        Only the levels that it reaches are walked. Compare `Sweep.size` with what was asked for: the side
        may hold less.
        """
        left, amount, worst = size, ZERO, None
        for price in self.prices if self.top == 0 else reversed(self.prices):
            if left <= 0:
                break
            taken = min(left, self.sizes[price])
            left -= taken
            amount += taken * price
            worst = price
        return Sweep(size - left, amount, worst)

    def __len__(self) -> int:
        return len(self.prices)

    def __iter__(self) -> Iterator[Level]:
        return iter(self.depth(len(self.prices)))

    def load(self, sizes: dict[Decimal, Decimal]) -> None:
        """Replace all levels; the dict is kept."""
        self.sizes = sizes
        self.prices = sorted(sizes)


@explained
@attrs.define(eq=False, repr=False)
class OrderBook:
    """One market's book. To be read: `OrderBooks` makes it and changes it in place."""

    symbol: str
    """Ticker of the market."""
    state: BookState = BookState.WAITING
    """Whether it can be relied on."""
    stale_reason: StaleReason | None = None
    """Why it is stale; None in any other state."""
    bids: BookSide = attrs.field(init=False, factory=lambda: BookSide(-1))
    """What is bid, the best price first."""
    offers: BookSide = attrs.field(init=False, factory=lambda: BookSide(0))
    """What is offered, the best price first."""
    last_trade: Trade | None = None
    """The latest trade, whatever the state of the book."""
    utc_date: date = date.min
    """When the newest change since the snapshot happened; the least date and time before any has come."""
    utc_time: time = time.min
    """The time of day that belongs to `utc_date`."""
    awaits_old_updates: bool = attrs.field(init=False, default=False)
    """Whether updates of an earlier subscription may come in front of the snapshot. They are left out then,
    and are no discrepancy."""

    @property
    def is_live(self) -> bool:
        """Whether it is kept up to date, which is when to trade on it."""
        return self.state is BookState.LIVE

    @property
    def best_bid(self) -> Level | None:
        """The highest bid; None if there is none, or the book has no levels because of its state."""
        return self.bids.best

    @property
    def best_offer(self) -> Level | None:
        """The lowest offer; None if there is none, or the book has no levels because of its state."""
        return self.offers.best

    @property
    def is_crossed(self) -> bool:
        """Whether a bid stands at or above an offer, which an exchange would have matched."""
        bids, offers = self.bids.prices, self.offers.prices
        return bool(bids and offers and bids[-1] >= offers[0])

    @property
    def spread(self) -> Decimal | None:
        """Dollars between the best bid and the best offer; None if a side is empty."""
        bids, offers = self.bids.prices, self.offers.prices
        return offers[0] - bids[-1] if bids and offers else None

    @property
    def mid(self) -> Decimal | None:
        """Dollars, halfway between the best bid and the best offer; None if a side is empty."""
        bids, offers = self.bids.prices, self.offers.prices
        return (bids[-1] + offers[0]) / 2 if bids and offers else None

    def without(self, orders: Iterable[tuple[Side | str, Decimal, Decimal]]) -> OrderBook:
        """Return the book as it would be without these orders, such as one's own.

        The copy is of this moment, and takes no updates. Of a level no more is taken than there is:
        reports of orders and updates of the book come by different sessions, so an order may be known before
        the book shows it, and after the book has lost it.

        Args:
            orders: of each the Side (54), its price in dollars, and the contracts that are open of it
                (LeavesQty).

        Raises:
            ValueError: a side is neither `Side.BUY` nor `Side.SELL`.
        """
        rest = {Side.BUY: dict(self.bids.sizes), Side.SELL: dict(self.offers.sizes)}
        for side, price, size in orders:
            sizes = rest[Side(side)]
            left = sizes.get(price, ZERO) - size
            if left > 0:
                sizes[price] = left
            else:
                sizes.pop(price, None)
        book = attrs.evolve(self)
        book.bids.load(rest[Side.BUY])
        book.offers.load(rest[Side.SELL])
        return book

    @property
    def updated(self) -> datetime | None:
        """When the newest change of a level since the snapshot happened, in UTC; None if none came, or
        where market data carried no time."""
        return None if self.utc_date == date.min else datetime.combine(self.utc_date, self.utc_time, UTC)

    def fill(self, state: BookState, bids: dict[Decimal, Decimal], offers: dict[Decimal, Decimal]) -> None:
        """Take a snapshot's levels."""
        self.state = state
        self.stale_reason = None
        self.utc_date, self.utc_time = date.min, time.min
        self.bids.load(bids)
        self.offers.load(offers)

    def clear(self, state: BookState, reason: StaleReason | None = None) -> None:
        """Drop all levels, so that nobody trades on them by oversight."""
        self.state = state
        self.stale_reason = reason
        self.bids.load({})
        self.offers.load({})

    def _repr_html_(self) -> str:
        from kalshi_fix_sansio.classes.display import table  # in notebooks alone

        bids, offers = (side.depth(LEVELS_DISPLAYED) for side in (self.bids, self.offers))
        rows = [("", "", f"{price:f}", f"{size:f}") for price, size in reversed(offers)]
        rows += [(f"{size:f}", f"{price:f}", "", "") for price, size in bids]
        head = ("contracts", "bid, dollars", "offer, dollars", "contracts")
        return table(f"{self.symbol}, {self.state.value}", head, rows)

    def __repr__(self) -> str:
        state = self.state.value
        if self.stale_reason is not None:
            state = f"{state}: {self.stale_reason.value}"
        return (
            f"OrderBook({self.symbol}, {state}, bid {_show(self.best_bid)}, offer {_show(self.best_offer)})"
        )


def _show(level: Level | None) -> str:
    return "none" if level is None else f"{level.size:f} at {level.price:f} dollars"
