"""What the entries of a snapshot (W) or an update (X) do to one book, and what does not fit."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MDEntryType, MDFullEntry, MDIncEntry, MDUpdateAction
from kalshi_fix_sansio.problems import Problem, Reason
from kalshi_fix_sansio.trading.amounts import ZERO
from kalshi_fix_sansio.trading.book import BookState, OrderBook, StaleReason, Trade
from kalshi_fix_sansio.trading.changes import BookUpdate, Discrepancy, DiscrepancyKind, LevelChange

_BOOK_TAGS: Final = frozenset((55, 268, 269, 270, 271, 279))
"""What a book is made of: Symbol, NoMDEntries, MDEntryType, MDEntryPx, MDEntrySize, MDUpdateAction. Where
one of these is wrong, a level may be wrong or missing."""
_NEW, _CHANGE, _DELETE = MDUpdateAction.NEW, MDUpdateAction.CHANGE, MDUpdateAction.DELETE
_BID, _OFFER, _TRADE = MDEntryType.BID, MDEntryType.OFFER, MDEntryType.TRADE
_LIVE = BookState.LIVE
_new_tuple = tuple.__new__


def book_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Return those of a message's problems that a book cannot leave alone.

    An unreadable date, for one, can be left alone; what is no field at all may have been anything.
    """
    return [
        problem
        for problem in problems
        if problem.tag is None or problem.tag in _BOOK_TAGS or problem.reason is Reason.INVALID_TAG_NUMBER
    ]


def is_complete(entry: Any) -> bool:
    """Say whether an entry of a message with problems has all that it takes."""
    needed = [entry.md_entry_type, entry.md_entry_px, entry.md_entry_size]
    if isinstance(entry, MDIncEntry):
        needed += [entry.symbol, entry.md_update_action]
    return None not in needed


def make_stale(update: BookUpdate, reason: StaleReason) -> BookUpdate:
    """Drop all that is in a book until its next snapshot; return the update."""
    book = update.book
    update.state_changed |= book.state is not BookState.STALE
    update.best_changed |= len(book.bids) + len(book.offers) > 0
    # Changes told so far are of levels that go now. Trades and discrepancies stay.
    update.levels.clear()
    book.clear(BookState.STALE, reason)
    return update


@attrs.define(eq=False)
class Room:
    """Counts the levels of all books, as far as it takes to keep them below a bound."""

    books: Mapping[str, OrderBook]
    most: int
    """Levels that all books together may have."""
    added: int = 0
    """Levels added since all were counted, and those that there were then."""

    def takes(self, levels: int) -> bool:
        """Say whether there is room for so many more levels, and count them in.

        Levels that go are not counted off. When `added` passes the bound, the levels of all books are counted
        anew, which takes time in proportion to the books. So there is no room above nine tenths of the bound:
        else each new level would have them all counted again.
        """
        self.added += levels
        if self.added > self.most:
            self.added = levels + sum(len(book.bids) + len(book.offers) for book in self.books.values())
            if self.added > self.most - self.most // 10:
                self.added -= levels
                return False
        return True


@attrs.frozen(eq=False)
class Entries:
    """Applies entries to books, as strictly as it is told."""

    tolerated: frozenset[DiscrepancyKind]
    room: Room

    def report(
        self,
        update: BookUpdate,
        kind: DiscrepancyKind,
        detail: str,
        entry: MDIncEntry | MDFullEntry | None = None,
    ) -> bool:
        """Tell a discrepancy; return whether the book bears it, and is not stale for it."""
        update.discrepancies.append(Discrepancy(kind, update.symbol, detail, entry))
        if kind in self.tolerated:
            return True
        make_stale(update, StaleReason.DISCREPANCY)
        return False

    def refuse(self, update: BookUpdate, detail: str) -> None:
        """Tell that there is no room; no setting makes a book bear that."""
        update.discrepancies.append(Discrepancy(DiscrepancyKind.TOO_MANY, update.symbol, detail))
        make_stale(update, StaleReason.DISCREPANCY)

    def check_crossed(self, update: BookUpdate) -> None:
        """Look at the best prices once a message is through: between its entries they may cross."""
        book = update.book
        if book.is_crossed:
            detail = f"bid {book.bids.prices[-1]}, offer {book.offers.prices[0]}"
            self.report(update, DiscrepancyKind.CROSSED, detail)

    def take(self, update: BookUpdate, entries: Iterator[MDIncEntry]) -> MDIncEntry | None:
        """Apply entries of an update up to the first one of another market; return that.

        It is taken out of `entries` then: the caller has to put it in front of the rest. In one piece, for
        this is what runs for each change of each level.
        """
        book, told = update.book, update.levels
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
                self._take_other(update, entry)
                continue
            # Asked for each entry, because the one before may have made the book stale: the rest is left out.
            if book.state is not _LIVE:
                self._take_early(update, entry)
                continue
            # Margin had no times until September 2026. A date alone cannot be compared.
            utc_date, utc_time = entry.md_entry_date, entry.md_entry_time
            if utc_date is not None and utc_time is not None:
                if utc_date < book.utc_date or (utc_time < book.utc_time and utc_date == book.utc_date):
                    detail = f"{utc_date} {utc_time} after {book.utc_date} {book.utc_time}"
                    if not self.report(update, DiscrepancyKind.OUT_OF_ORDER, detail, entry):
                        continue
                else:
                    book.utc_date, book.utc_time = utc_date, utc_time
            action, price, size = entry.md_update_action, entry.md_entry_px, entry.md_entry_size
            # Not kept from entry to entry: a book that is cleared gets new ones.
            sizes, prices = side.sizes, side.prices
            before = sizes.get(price)
            if action is _CHANGE or action is _NEW:
                if size <= ZERO:
                    self._report_size(update, entry)
                    continue
                if before is None:
                    if not self._may_add(update, entry):
                        continue
                    before = ZERO
                    insort(prices, price)
                elif action is _NEW and not self._may_replace(update, entry, before):
                    continue
                # Below the checks, which may make the book stale: it must have no level then.
                sizes[price] = size
                if prices[side.top] == price:
                    update.best_changed = True
            elif action is _DELETE:
                if before is None:
                    self.report(update, DiscrepancyKind.LEVEL_MISSING, f"nothing to delete at {price}", entry)
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
            # Half the cost of calling the class, and the place where it counts.
            told.append(_new_tuple(LevelChange, (kind, price, before, size)))
        return None

    def _take_other(self, update: BookUpdate, entry: MDIncEntry) -> None:
        """Take what is no level."""
        if entry.md_entry_type is _TRADE:
            self._take_trade(update, entry)
        elif update.book.state is not _LIVE:
            self._take_early(update, entry)
        else:
            self._report_type(update, entry)

    def _take_early(self, update: BookUpdate, entry: MDIncEntry) -> None:
        """Take a change of a book that is not live."""
        book = update.book
        # Of others nothing is told: it was told when they became stale, and one that was asked for once is
        # not kept up to date.
        if book.state is BookState.WAITING and not book.awaits_old_updates:
            detail = "there is no level to change yet"
            self.report(update, DiscrepancyKind.NO_SNAPSHOT, detail, entry)

    def _may_add(self, update: BookUpdate, entry: MDIncEntry) -> bool:
        """Say whether a level that is not there may come to be."""
        price = entry.md_entry_px
        if price <= ZERO:
            self._report_price(update, entry)
            return False
        if not self.room.takes(1):
            self.refuse(update, f"no room for another level: {self.room.most} in all books")
            return False
        return entry.md_update_action is _NEW or self.report(
            update, DiscrepancyKind.LEVEL_MISSING, f"nothing to change at {price}", entry
        )

    def _may_replace(self, update: BookUpdate, entry: MDIncEntry, before: Decimal) -> bool:
        """Say whether a level may come as new where there is one."""
        detail = f"{before} at {entry.md_entry_px}"
        return self.report(update, DiscrepancyKind.LEVEL_EXISTS, detail, entry)

    def _take_trade(self, update: BookUpdate, entry: MDIncEntry) -> None:
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
        # The levels that the book has go as these come.
        book = update.book
        more = len(entries) - len(book.bids) - len(book.offers)
        if more > 0 and not self.room.takes(more):
            self.refuse(update, f"no room for {len(entries)} levels: {self.room.most} in all books")
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
                # Goes on behind a discrepancy, to tell them all. The caller sees by the state of the book
                # whether what is returned may be used.
                if price in levels:
                    self.report(update, DiscrepancyKind.LEVEL_EXISTS, f"twice at {price}", entry)
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
