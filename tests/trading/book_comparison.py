"""Order books and the slow model, compared after each step."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kalshi_fix_sansio import (
    MarketDataIncrementalRefresh,
    MarketDataSnapshotFullRefresh,
    MDFullEntry,
    MDIncEntry,
)
from kalshi_fix_sansio.events import GapDetected, MessageReceived
from kalshi_fix_sansio.trading import BookUpdate, DiscrepancyKind, OrderBooks
from tests.trading.order_flow import over_the_wire
from tests.trading.slow_books import Entry, ExpectedUpdate, Row, SlowBooks


@attrs.frozen
class Snapshot:
    symbol: str
    rows: list[Row]


@attrs.frozen
class Update:
    entries: list[Entry]


@attrs.frozen
class Gap:
    pass


Step = Snapshot | Update | Gap


class BookComparison:
    """Applies every step to the order books and to the slow model, and compares all visible results."""

    def __init__(self, tolerated: frozenset[DiscrepancyKind]) -> None:
        self.books = OrderBooks(tolerated=tolerated)
        self.slow = SlowBooks(tolerated)

    def play(self, step: Step) -> None:
        if isinstance(step, Gap):
            self.books.apply(GapDetected(1, 2, recoverable=False))
            self.slow.interrupt()
        elif isinstance(step, Snapshot):
            (update,) = self.books.apply(MessageReceived(to_snapshot(step)))
            self._compare_update(update, self.slow.snapshot(step.symbol, step.rows))
            assert update.snapshot
        else:
            all_updates = self.books.apply(MessageReceived(to_update(step.entries)))
            expected = self.slow.update(step.entries)
            assert [update.symbol for update in all_updates] == list(expected)
            for update in all_updates:
                self._compare_update(update, expected[update.symbol])
                assert update.best_changed == expected[update.symbol].touched_best
        self._compare_books()

    def _compare_update(self, update: BookUpdate, expected: ExpectedUpdate) -> None:
        assert update.levels == expected.levels
        assert [(trade.price, trade.size) for trade in update.trades] == expected.trades
        assert [found.kind.name for found in update.discrepancies] == expected.discrepancies

    def _compare_books(self) -> None:
        assert list(self.books) == list(self.slow.books)
        for symbol, slow in self.slow.books.items():
            book = self.books[symbol]
            assert book.state.name == slow.state
            assert book.is_crossed == slow.is_crossed
            for side, expected in ((book.bids, slow.side("0")), (book.offers, slow.side("1"))):
                assert list(side) == expected
                assert side.best == next(iter(expected), None)
                assert len(side.sizes) == len(side.prices) == len(side) == len(expected)
                assert [side.size(price) for price, _ in expected] == [size for _, size in expected]
                assert side.depth(2) == expected[:2]


def to_snapshot(step: Snapshot) -> MarketDataSnapshotFullRefresh:
    md_entries = [
        MDFullEntry(md_entry_type=kind, md_entry_px=price, md_entry_size=size)
        for kind, price, size in step.rows
    ]
    return over_the_wire(MarketDataSnapshotFullRefresh(symbol=step.symbol, md_entries=md_entries))


def to_update(entries: Sequence[Entry]) -> MarketDataIncrementalRefresh:
    md_entries = [
        MDIncEntry(
            md_update_action=entry.action,
            symbol=entry.symbol,
            md_entry_type=entry.kind,
            md_entry_px=entry.price,
            md_entry_size=entry.size,
            md_entry_date=entry.stamp and entry.stamp[0],
            md_entry_time=entry.stamp and entry.stamp[1],
        )
        for entry in entries
    ]
    return over_the_wire(MarketDataIncrementalRefresh(md_entries=md_entries))
