"""Apply the entries of a snapshot (W) or an update (X) to one book, and detect inconsistencies."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MDEntryType, MDFullEntry, MDIncEntry, MDUpdateAction
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.trading.books.book import BookState, OrderBook, StaleReason, Trade
from kalshi_fix_sansio.trading.books.changes import BookUpdate, Discrepancy, DiscrepancyKind, LevelChange
from kalshi_fix_sansio.trading.common.amounts import ZERO

_BOOK_TAGS: Final = frozenset((55, 268, 269, 270, 271, 279))
"""Tags of the fields that a book depends on: Symbol, NoMDEntries, MDEntryType, MDEntryPx, MDEntrySize and
MDUpdateAction. An error in one of these fields may make a level wrong or missing.
"""
_NEW, _CHANGE, _DELETE = MDUpdateAction.NEW, MDUpdateAction.CHANGE, MDUpdateAction.DELETE
_BID, _OFFER, _TRADE = MDEntryType.BID, MDEntryType.OFFER, MDEntryType.TRADE
_LIVE = BookState.LIVE
_new_tuple = tuple.__new__


def book_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in a message that may affect a book.

    An unreadable date, for example, does not affect a book. Bytes that do not form a field may affect it,
    because they may have been any field.
    """
    return [
        problem
        for problem in problems
        if problem.tag is None or problem.tag in _BOOK_TAGS or problem.reason is Reason.INVALID_TAG_NUMBER
    ]


def is_complete(entry: Any) -> bool:
    """Return whether an entry of a message with problems has all required fields."""
    needed = [entry.md_entry_type, entry.md_entry_px, entry.md_entry_size]
    if isinstance(entry, MDIncEntry):
        needed += [entry.symbol, entry.md_update_action]
    return None not in needed


def make_stale(update: BookUpdate, reason: StaleReason) -> BookUpdate:
    """Mark a book as stale, and drop its levels until the next snapshot; return the update."""
    book = update.book
    update.state_changed |= book.state is not BookState.STALE
    update.best_changed |= len(book.bids) + len(book.offers) > 0
    # The levels are removed, so changes to them are not reported. Trades and discrepancies still are.
    update.levels.clear()
    book.clear(BookState.STALE, reason)
    return update


@attrs.define(eq=False)
class LevelLimit:
    """Limits the total number of levels in all books."""

    books: Mapping[str, OrderBook]
    limit: int
    """Maximum number of levels in all books together."""
    added: int = 0
    """Number of levels at the last full count, plus those added since."""

    def reserve(self, levels: int) -> bool:
        """Return whether there is room for this many more levels; if so, count them.

        Deleted levels are not subtracted. When `added` exceeds the limit, the levels of all books are counted
        again, which takes time proportional to the number of books. If less than a tenth of the limit is free
        after that count, the levels are refused, because accepting them would soon cause another count.
        """
        self.added += levels
        if self.added > self.limit:
            self.added = levels + sum(len(book.bids) + len(book.offers) for book in self.books.values())
            if self.added > self.limit - self.limit // 10:
                self.added -= levels
                return False
        return True


@attrs.frozen(eq=False)
class Entries:
    """Applies entries to books. Discrepancies of the kinds in `tolerated` do not make a book stale."""

    tolerated: frozenset[DiscrepancyKind]
    level_limit: LevelLimit

    def report(
        self,
        update: BookUpdate,
        kind: DiscrepancyKind,
        detail: str,
        entry: MDIncEntry | MDFullEntry | None = None,
    ) -> bool:
        """Record a discrepancy; return whether it is tolerated. If it is not, make the book stale."""
        update.discrepancies.append(Discrepancy(kind, update.symbol, detail, entry))
        if kind in self.tolerated:
            return True
        make_stale(update, StaleReason.DISCREPANCY)
        return False

    def check_crossed(self, update: BookUpdate) -> None:
        """Check whether the best prices cross. Call it after all entries of a message that may have changed
        one of them, because the prices may cross between two entries.
        """
        book = update.book
        if book.is_crossed:
            detail = f"bid {book.bids.prices[-1]}, offer {book.offers.prices[0]}"
            self.report(update, DiscrepancyKind.CROSSED, detail)

    def apply(self, update: BookUpdate, entries: Iterator[MDIncEntry]) -> MDIncEntry | None:
        """Apply entries of an update until one belongs to another market; return that entry.

        The returned entry has been consumed from `entries`, so the caller must process it before the rest.
        Kept as one long function for speed, because it runs for every change to a level.
        """
        book, levels = update.book, update.levels
        symbol = book.symbol
        for entry in entries:
            if entry.symbol != symbol:
                return entry
            kind = entry.md_entry_type
            if kind is _BID:
                side = book.bids
            elif kind is _OFFER:
                side = book.offers
            else:
                # Before the check of the state, because trades are recorded even if the book is not live.
                self._handle_other(update, entry)
                continue
            # Checked for each entry, because the previous one may have made the book stale.
            if book.state is not _LIVE:
                self._handle_not_live(update, entry)
                continue
            # Margin market data had no times until September 2026. A date without a time cannot be compared.
            utc_date, utc_time = entry.md_entry_date, entry.md_entry_time
            if utc_date is not None and utc_time is not None:
                if utc_date < book.utc_date or (utc_time < book.utc_time and utc_date == book.utc_date):
                    detail = f"{utc_date} {utc_time} after {book.utc_date} {book.utc_time}"
                    if not self.report(update, DiscrepancyKind.OUT_OF_ORDER, detail, entry):
                        continue
                else:
                    book.utc_date, book.utc_time = utc_date, utc_time
            action, price, size = entry.md_update_action, entry.md_entry_px, entry.md_entry_size
            # Looked up for each entry, because clearing the book replaces the dict and the list.
            sizes, prices = side.sizes, side.prices
            old_size = sizes.get(price)
            if action is _CHANGE or action is _NEW:
                if size <= ZERO:
                    self._report_size(update, entry)
                    continue
                if old_size is None:
                    if not self._may_add(update, entry):
                        continue
                    old_size = ZERO
                    insort(prices, price)
                elif action is _NEW and not self._may_replace(update, entry, old_size):
                    continue
                # Set only after the checks, which may make the book stale: a stale book must have no levels.
                sizes[price] = size
                if prices[side.top] == price:
                    update.best_changed = True
            elif action is _DELETE:
                if old_size is None:
                    detail = f"no level to delete at {price}"
                    self.report(update, DiscrepancyKind.LEVEL_MISSING, detail, entry)
                    continue
                size = ZERO
                del sizes[price]
                if prices[side.top] == price:
                    update.best_changed = True
                    del prices[side.top]
                else:
                    del prices[bisect_left(prices, price)]
            else:
                self.report(update, DiscrepancyKind.UNKNOWN_ACTION, f"MDUpdateAction {action}", entry)
                continue
            # Calling the class would take twice as long, and this is the most frequently executed loop of the
            # books.
            levels.append(_new_tuple(LevelChange, (kind, price, old_size, size)))
        return None

    def _handle_other(self, update: BookUpdate, entry: MDIncEntry) -> None:
        """Apply an entry that is neither a bid nor an offer."""
        if entry.md_entry_type is _TRADE:
            self._handle_trade(update, entry)
        elif update.book.state is not _LIVE:
            self._handle_not_live(update, entry)
        else:
            self._report_type(update, entry)

    def _handle_not_live(self, update: BookUpdate, entry: MDIncEntry) -> None:
        """Handle a change to a book that is not live."""
        book = update.book
        # In other states the change is ignored. A STALE book was reported when it became stale, and a
        # SNAPSHOT book is not kept up to date.
        if book.state is BookState.WAITING and not book.awaits_old_updates:
            detail = "there is no level to change yet"
            self.report(update, DiscrepancyKind.NO_SNAPSHOT, detail, entry)

    def _may_add(self, update: BookUpdate, entry: MDIncEntry) -> bool:
        """Return whether an entry may add a level, and report the discrepancy if there is one. The book has
        no level at the price of the entry.
        """
        price = entry.md_entry_px
        if price <= ZERO:
            self._report_price(update, entry)
            return False
        if not self.level_limit.reserve(1):
            detail = f"no room for another level: the limit for all books is {self.level_limit.limit}"
            self.report(update, DiscrepancyKind.TOO_MANY, detail)
            return False
        return entry.md_update_action is _NEW or self.report(
            update, DiscrepancyKind.LEVEL_MISSING, f"no level to change at {price}", entry
        )

    def _may_replace(self, update: BookUpdate, entry: MDIncEntry, old_size: Decimal) -> bool:
        """Report that a NEW entry has the price of an existing level; return whether it may replace the
        level.
        """
        detail = f"{old_size} at {entry.md_entry_px}"
        return self.report(update, DiscrepancyKind.LEVEL_EXISTS, detail, entry)

    def _handle_trade(self, update: BookUpdate, entry: MDIncEntry) -> None:
        price, size = entry.md_entry_px, entry.md_entry_size
        if price <= ZERO:
            self._report_price(update, entry)
        elif size <= ZERO:
            self._report_size(update, entry)
        else:
            trade = Trade(
                entry.symbol, price, size, entry.aggressor_side, entry.md_entry_date, entry.md_entry_time
            )
            update.book.last_trade = trade
            update.trades.append(trade)

    def read_snapshot(
        self, update: BookUpdate, entries: Sequence[MDFullEntry]
    ) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
        """Return the bids and the offers of a snapshot: size by price."""
        bids: dict[Decimal, Decimal] = {}
        offers: dict[Decimal, Decimal] = {}
        # The new levels replace those of the book, so room is needed only for the difference.
        book = update.book
        more = len(entries) - len(book.bids) - len(book.offers)
        if more > 0 and not self.level_limit.reserve(more):
            detail = f"no room for {len(entries)} levels: the limit for all books is {self.level_limit.limit}"
            self.report(update, DiscrepancyKind.TOO_MANY, detail)
            return bids, offers
        for entry in entries:
            kind, price, size = entry.md_entry_type, entry.md_entry_px, entry.md_entry_size
            if kind is _BID:
                levels = bids
            elif kind is _OFFER:
                levels = offers
            else:
                self._report_type(update, entry)
                continue
            if price <= ZERO:
                self._report_price(update, entry)
            elif size <= ZERO:
                self._report_size(update, entry)
            else:
                # Continue after a discrepancy, to report all of them. The caller checks the state of the book
                # before it uses the returned levels.
                if price in levels:
                    self.report(update, DiscrepancyKind.LEVEL_EXISTS, f"two levels at {price}", entry)
                levels[price] = size
        return bids, offers

    def _report_type(self, update: BookUpdate, entry: MDIncEntry | MDFullEntry) -> None:
        kind = entry.md_entry_type
        self.report(update, DiscrepancyKind.UNKNOWN_ENTRY_TYPE, f"MDEntryType {kind}", entry)

    def _report_price(self, update: BookUpdate, entry: MDIncEntry | MDFullEntry) -> None:
        self.report(update, DiscrepancyKind.BAD_PRICE, f"{entry.md_entry_px}", entry)

    def _report_size(self, update: BookUpdate, entry: MDIncEntry | MDFullEntry) -> None:
        detail = f"{entry.md_entry_size} at {entry.md_entry_px}"
        self.report(update, DiscrepancyKind.BAD_SIZE, detail, entry)
