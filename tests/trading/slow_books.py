"""A slow model of order books: lists of levels with linear search."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal

import attrs

from kalshi_fix_sansio.trading import DiscrepancyKind

Row = tuple[str, Decimal, Decimal]
"""MDEntryType, price, size."""
Stamp = tuple[date, time]


@attrs.frozen
class Entry:
    """One entry of an update, as wire values."""

    action: str
    symbol: str
    kind: str
    price: Decimal
    size: Decimal
    stamp: Stamp | None = None


@attrs.define
class SlowBook:
    state: str = "WAITING"
    rows: list[Row] = attrs.field(factory=list)
    newest: Stamp | None = None

    def side(self, kind: str) -> list[tuple[Decimal, Decimal]]:
        rows = [(price, size) for row_kind, price, size in self.rows if row_kind == kind]
        return sorted(rows, reverse=kind == "0")

    @property
    def is_crossed(self) -> bool:
        return any(bid >= offer for bid, _ in self.side("0") for offer, _ in self.side("1"))


@attrs.define
class ExpectedUpdate:
    """The effects of one message on one book."""

    levels: list[tuple[str, Decimal, Decimal, Decimal]] = attrs.field(factory=list)
    trades: list[tuple[Decimal, Decimal]] = attrs.field(factory=list)
    discrepancies: list[str] = attrs.field(factory=list)
    touched_best: bool = False


class SlowBooks:
    def __init__(self, tolerated: frozenset[DiscrepancyKind]) -> None:
        self.tolerated = {kind.name for kind in tolerated}
        self.books: dict[str, SlowBook] = {}

    def interrupt(self) -> None:
        """Handle the end of the session, or a gap."""
        for book in self.books.values():
            self._make_stale(book)

    def snapshot(self, symbol: str, rows: Sequence[Row]) -> ExpectedUpdate:
        book = self.books[symbol] = SlowBook("LIVE")
        updates = ExpectedUpdate()
        good: list[Row] = []
        for kind, price, size in rows:
            if kind not in ("0", "1"):
                self._record_discrepancy(book, updates, "UNKNOWN_ENTRY_TYPE")
            elif price <= 0:
                self._record_discrepancy(book, updates, "BAD_PRICE")
            elif size <= 0:
                self._record_discrepancy(book, updates, "BAD_SIZE")
            else:
                if any(row[:2] == (kind, price) for row in good):
                    self._record_discrepancy(book, updates, "LEVEL_EXISTS")
                    good = [row for row in good if row[:2] != (kind, price)]
                good.append((kind, price, size))
        if book.state == "LIVE":
            book.rows = good
            if book.is_crossed:
                self._record_discrepancy(book, updates, "CROSSED")
        return updates

    def update(self, entries: Sequence[Entry]) -> dict[str, ExpectedUpdate]:
        all_updates: dict[str, ExpectedUpdate] = {}
        for entry in entries:
            book = self.books.setdefault(entry.symbol, SlowBook())
            update = all_updates.setdefault(entry.symbol, ExpectedUpdate())
            if entry.kind == "2":
                self._apply_trade(book, update, entry)
            elif book.state == "WAITING":
                self._record_discrepancy(book, update, "NO_SNAPSHOT")
            elif book.state == "LIVE":
                self._apply_level(book, update, entry)
        for symbol, update in all_updates.items():
            book = self.books[symbol]
            if update.touched_best and book.is_crossed:
                self._record_discrepancy(book, update, "CROSSED")
        return {
            symbol: update
            for symbol, update in all_updates.items()
            if update.levels or update.trades or update.discrepancies
        }

    def _apply_trade(self, book: SlowBook, update: ExpectedUpdate, entry: Entry) -> None:
        if entry.price <= 0:
            self._record_discrepancy(book, update, "BAD_PRICE")
        elif entry.size <= 0:
            self._record_discrepancy(book, update, "BAD_SIZE")
        else:
            update.trades.append((entry.price, entry.size))

    def _apply_level(self, book: SlowBook, update: ExpectedUpdate, entry: Entry) -> None:
        if entry.kind not in ("0", "1"):
            self._record_discrepancy(book, update, "UNKNOWN_ENTRY_TYPE")
            return
        if entry.stamp is not None:
            late = book.newest is not None and entry.stamp < book.newest
            if late and not self._record_discrepancy(book, update, "OUT_OF_ORDER"):
                return
            if not late:
                book.newest = entry.stamp
        found = [row for row in book.rows if row[:2] == (entry.kind, entry.price)]
        if entry.action not in ("0", "1", "2"):
            self._record_discrepancy(book, update, "UNKNOWN_ACTION")
            return
        if entry.action == "2":
            if not found:
                self._record_discrepancy(book, update, "LEVEL_MISSING")
                return
            size = Decimal(0)
        else:
            size = entry.size
            if size <= 0:
                self._record_discrepancy(book, update, "BAD_SIZE")
                return
            if not found and entry.price <= 0:
                self._record_discrepancy(book, update, "BAD_PRICE")
                return
            if (
                not found
                and entry.action == "1"
                and not self._record_discrepancy(book, update, "LEVEL_MISSING")
            ):
                return
            if found and entry.action == "0" and not self._record_discrepancy(book, update, "LEVEL_EXISTS"):
                return
        best = self._best_price(book, entry.kind)
        book.rows = [row for row in book.rows if row not in found]
        if size:
            book.rows.append((entry.kind, entry.price, size))
        if entry.price in (best, self._best_price(book, entry.kind)):
            update.touched_best = True
        before = found[0][2] if found else Decimal(0)
        update.levels.append((entry.kind, entry.price, before, size))

    def _best_price(self, book: SlowBook, kind: str) -> Decimal | None:
        return next((price for price, _ in book.side(kind)), None)

    def _record_discrepancy(self, book: SlowBook, update: ExpectedUpdate, kind: str) -> bool:
        """Record an entry that does not fit the book; return whether the book remains usable."""
        update.discrepancies.append(kind)
        if kind in self.tolerated:
            return True
        update.touched_best = update.touched_best or bool(book.rows)
        update.levels = []
        self._make_stale(book)
        return False

    def _make_stale(self, book: SlowBook) -> None:
        book.state, book.rows = "STALE", []
