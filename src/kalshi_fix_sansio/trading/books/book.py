"""The order book of one market: its levels in price order, and its reliability.

Prices are Decimal dollars. Sizes are Decimal contracts: multiples of 0.01 for the prediction product, whole
contracts for margin. A market has one book (source: the venue's pages on market data). The book of a
prediction market contains bids and offers for the YES contract. A bid for NO at a price is an offer of YES at
one dollar minus that price, so NO has no separate book. The book of a margin market contains bids and offers
for the perpetual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import AggressorSide, Side
from kalshi_fix_sansio.trading.common.amounts import ZERO, add, divide, multiply_add, subtract
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED


class BookState(Enum):
    """Reliability of a book. Only LIVE and SNAPSHOT books have levels.

    Attributes:
        WAITING: The market was requested, and its snapshot has not been received.
        LIVE: The market is subscribed, and the book is up to date.
        SNAPSHOT: The market was requested without updates. The book was correct when the venue sent it.
        STALE: Updates are missing or inconsistent (`OrderBook.stale_reason`); a new snapshot is required.
    """

    WAITING = "waiting for a snapshot"
    LIVE = "live"
    SNAPSHOT = "snapshot"
    STALE = "stale"


class StaleReason(Enum):
    """Reason why a book became stale.

    Attributes:
        NEW_SESSION: A new session logged on without a preceding SessionEnded; subscriptions end with their
            session.
        MESSAGE_REFUSED: This session is strict, and rejected a market data message instead of delivering it.
        DISCREPANCY: The BookUpdate that reported the change of state contains the discrepancies.
    """

    GAP = "messages are missing"
    SESSION_ENDED = "the session ended"
    NEW_SESSION = "another session began"
    MESSAGE_REFUSED = "this session rejected a message"
    REQUEST_REFUSED = "the venue refused the request"
    DISCREPANCY = "inconsistent update"


class Level(NamedTuple):
    """The total size of the resting orders at one price.

    Attributes:
        price: Dollars.
        size: Contracts.
    """

    price: Decimal
    size: Decimal


LEVELS_DISPLAYED: Final = 10
"""Number of levels per side displayed in a notebook."""


class Sweep(NamedTuple):
    """The result of taking a number of contracts from one side of a book, before fees.

    Attributes:
        size: Contracts available: the requested size, or the size of the whole side if that is less.
        amount: Sum of price times size, in dollars.
        worst: The worst price reached, in dollars; None if the size is 0.
    """

    size: Decimal
    amount: Decimal
    worst: Decimal | None

    @property
    def average(self) -> Decimal | None:
        """Average price in dollars, rounded to 28 digits; None if the size is 0."""
        return divide(self.amount, self.size) if self.size else None


class Trade(NamedTuple):
    """A trade as the venue published it.

    Attributes:
        symbol: Ticker of the market.
        price: Dollars.
        size: Contracts.
        aggressor: The side that took liquidity; None if the venue did not send it.
        utc_date: Date of the trade in UTC; None if the venue did not send it.
        utc_time: Time of day of the trade in UTC; None if the venue did not send it.
    """

    symbol: str
    price: Decimal
    size: Decimal
    aggressor: AggressorSide | str | None
    utc_date: date | None
    utc_time: time | None

    @property
    def traded_at(self) -> datetime | None:
        """Time of the trade in UTC; None if the venue did not send it (margin until September 2026)."""
        if self.utc_date is None or self.utc_time is None:
            return None
        return datetime.combine(self.utc_date, self.utc_time, UTC)


@attrs.define(eq=False)
class BookSide:
    """The bids or the offers of a book. Iteration yields the levels, the best first.

    Attributes:
        top: Index of the best price in `prices`: -1 for bids, 0 for offers.
        sizes: Contracts by price in dollars. Read-only, like all attributes.
        prices: The prices of `sizes` in ascending order.
    """

    top: int = attrs.field(default=0, metadata=NOT_DUMPED)
    sizes: dict[Decimal, Decimal] = attrs.field(factory=dict)
    prices: list[Decimal] = attrs.field(
        default=attrs.Factory(lambda self: sorted(self.sizes), takes_self=True), metadata=NOT_DUMPED
    )

    @property
    def best(self) -> Level | None:
        """The best level; None if the side is empty. Access takes constant time."""
        if not self.prices:
            return None
        price = self.prices[self.top]
        return Level(price, self.sizes[price])

    def depth(self, levels: int) -> list[Level]:
        """Return at most `levels` levels, the best first."""
        if levels <= 0:
            return []
        # Prices ascend: the best bid is the last one, the best offer the first.
        best_first = self.prices[:levels] if self.top == 0 else self.prices[: -levels - 1 : -1]
        return [Level(price, self.sizes[price]) for price in best_first]

    def size(self, price: Decimal) -> Decimal:
        """Return the number of contracts resting at a price in dollars."""
        return self.sizes.get(price, ZERO)

    def sweep(self, size: Decimal | int) -> Sweep:
        """Return the result of taking `size` contracts, the best prices first.

        Compare `Sweep.size` with `size`, because the side may have fewer contracts.
        """
        requested = remaining = Decimal(size)
        amount, worst = ZERO, None
        for price in self.prices if self.top == 0 else reversed(self.prices):
            if remaining <= 0:
                break
            taken = min(remaining, self.sizes[price])
            remaining = subtract(remaining, taken)
            amount = multiply_add(taken, price, amount)
            worst = price
        return Sweep(subtract(requested, remaining), amount, worst)

    def __len__(self) -> int:
        return len(self.prices)

    def __iter__(self) -> Iterator[Level]:
        return iter(self.depth(len(self.prices)))

    def load(self, sizes: dict[Decimal, Decimal]) -> None:
        """Replace all levels; the dict is not copied."""
        self.sizes = sizes
        self.prices = sorted(sizes)


@attrs.define(eq=False, repr=False)
class OrderBook:
    """The book of one market. Read-only: `OrderBooks` creates it and changes it in place.

    Attributes:
        symbol: Ticker of the market.
        state: Reliability of the book.
        stale_reason: Reason why the book is stale; None in any other state.
        bids: The bids, the best price first.
        offers: The offers, the best price first.
        last_trade: The latest trade, in any state of the book.
        utc_date: Date of the newest change since the snapshot; `date.min` before the first one.
        utc_time: Time of day of that change; `time.min` before the first one.
        awaits_old_updates: Whether updates from an earlier subscription may arrive before the snapshot. Such
            updates are ignored, and are not reported as a discrepancy.
    """

    symbol: str
    state: BookState = BookState.WAITING
    stale_reason: StaleReason | None = None
    bids: BookSide = attrs.field(factory=lambda: BookSide(-1))
    offers: BookSide = attrs.field(factory=lambda: BookSide(0))
    last_trade: Trade | None = None
    utc_date: date = date.min
    utc_time: time = time.min
    awaits_old_updates: bool = False

    @property
    def is_live(self) -> bool:
        """Whether the book is subscribed and up to date."""
        return self.state is BookState.LIVE

    @property
    def best_bid(self) -> Level | None:
        """The highest bid; None if there is none, as in every WAITING or STALE book."""
        return self.bids.best

    @property
    def best_offer(self) -> Level | None:
        """The lowest offer; None if there is none, as in every WAITING or STALE book."""
        return self.offers.best

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best offer, although the venue should have matched them."""
        bids, offers = self.bids.prices, self.offers.prices
        return bool(bids and offers and bids[-1] >= offers[0])

    @property
    def spread(self) -> Decimal | None:
        """Best offer minus best bid in dollars; None if a side is empty."""
        bids, offers = self.bids.prices, self.offers.prices
        return subtract(offers[0], bids[-1]) if bids and offers else None

    @property
    def mid(self) -> Decimal | None:
        """Mean of the best bid and the best offer in dollars; None if a side is empty."""
        bids, offers = self.bids.prices, self.offers.prices
        return divide(add(bids[-1], offers[0]), 2) if bids and offers else None

    def without(self, orders: Iterable[tuple[Side | str, Decimal, Decimal]]) -> OrderBook:
        """Return a copy of the book without the given orders, such as your own.

        The copy receives no updates. No level is reduced below zero, even if the book does not contain one of
        the orders: order reports and book updates arrive on different sessions, at different times.

        Args:
            orders: for each order, its Side (54), its price in dollars, and its open contracts (LeavesQty).

        Raises:
            ValueError: a side is not `Side.BUY` or `Side.SELL`.
        """
        remaining = {Side.BUY: dict(self.bids.sizes), Side.SELL: dict(self.offers.sizes)}
        for side, price, size in orders:
            sizes = remaining[Side(side)]
            size_left = subtract(sizes.get(price, ZERO), size)
            if size_left > 0:
                sizes[price] = size_left
            else:
                sizes.pop(price, None)
        return attrs.evolve(
            self, bids=BookSide(-1, remaining[Side.BUY]), offers=BookSide(0, remaining[Side.SELL])
        )

    @property
    def updated(self) -> datetime | None:
        """Time of the newest change to a level since the snapshot, in UTC. None if there was no change, or if
        the venue did not send the times of the changes.
        """
        return None if self.utc_date == date.min else datetime.combine(self.utc_date, self.utc_time, UTC)

    def apply_snapshot(
        self, state: BookState, bids: dict[Decimal, Decimal], offers: dict[Decimal, Decimal]
    ) -> None:
        """Replace the state and the levels with those of a snapshot."""
        self.state = state
        self.stale_reason = None
        self.utc_date, self.utc_time = date.min, time.min
        self.bids.load(bids)
        self.offers.load(offers)

    def clear(self, state: BookState, reason: StaleReason | None = None) -> None:
        """Remove all levels, to prevent trading on outdated ones."""
        self.state = state
        self.stale_reason = reason
        self.bids.load({})
        self.offers.load({})

    def _repr_html_(self) -> str:
        from kalshi_fix_sansio.classes.display import table  # only in notebooks

        bids, offers = (side.depth(LEVELS_DISPLAYED) for side in (self.bids, self.offers))
        rows = [("", "", f"{price:f}", f"{size:f}") for price, size in reversed(offers)]
        rows += [(f"{size:f}", f"{price:f}", "", "") for price, size in bids]
        head = ("contracts", "bid, dollars", "offer, dollars", "contracts")
        return table(f"{self.symbol}, {self.state.value}", head, rows)

    def __repr__(self) -> str:
        state = self.state.value
        if self.stale_reason is not None:
            state = f"{state}: {self.stale_reason.value}"
        bid, offer = level_text(self.best_bid), level_text(self.best_offer)
        return f"OrderBook({self.symbol}, {state}, bid {bid}, offer {offer})"


def level_text(level: Level | None) -> str:
    """Return a level as text."""
    return "none" if level is None else f"{level.size:f} at {level.price:f} dollars"
