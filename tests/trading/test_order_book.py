"""The contents of a book, the effects of updates on it, and the figures computed from it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from kalshi_fix_sansio import AggressorSide, MDEntryType, Side
from kalshi_fix_sansio.trading import (
    BookState,
    BookUpdate,
    DiscrepancyKind,
    Level,
    LevelChange,
    OrderBook,
    OrderBooks,
    StaleReason,
    Sweep,
    Trade,
)
from tests.trading.feed import A, B, C, apply, format_levels, kinds, snapshot, update
from tests.trading.order_flow import d

FULL_BOOK = snapshot(
    "bid 5 at 0.40", "bid 10 at 0.39", "bid 1.25 at 0.3", "offer 3 at 0.41", "offer 8 at 0.45"
)


@pytest.fixture
def full() -> OrderBooks:
    """Return the books of one market with five levels."""
    books = OrderBooks()
    books.apply(FULL_BOOK)
    return books


def test_a_snapshot_creates_a_book(books: OrderBooks) -> None:
    change = apply(books, FULL_BOOK)
    book = books[A]
    assert change.book is book
    assert change.symbol == A
    assert change.snapshot
    assert change.state_changed
    assert change.best_changed
    assert (change.levels, change.trades, change.discrepancies) == ([], [], [])
    assert (book.state, book.stale_reason, book.is_live) == (BookState.LIVE, None, True)
    assert format_levels(book) == "1.25@0.30 10@0.39 5@0.40 | 3@0.41 8@0.45"
    assert change.best_bid == book.best_bid == Level(d("0.40"), d("5"))
    assert change.best_offer == book.best_offer == Level(d("0.41"), d("3"))
    assert (list(books), len(books)) == ([A], 1)


def test_depth_begins_at_the_best_price(full: OrderBooks) -> None:
    book = full[A]
    bids = [Level(d("0.40"), d("5")), Level(d("0.39"), d("10")), Level(d("0.3"), d("1.25"))]
    for depth in range(5):
        assert book.bids.depth(depth) == bids[:depth]
    assert book.bids.depth(-1) == []
    assert list(book.bids) == bids
    assert book.offers.depth(1) == [Level(d("0.41"), d("3"))]
    assert (len(book.bids), len(book.offers)) == (3, 2)
    assert book.bids.size(d("0.390")) == 10
    assert book.bids.size(d("0.41")) == 0


@pytest.mark.parametrize(
    ("entry", "change", "best", "after"),
    [
        ("change bid 7 at 0.40", ("BID", "0.40", 5, 7), True, "1.25@0.30 10@0.39 7@0.40 | 3@0.41 8@0.45"),
        ("change offer 1 at 0.41", ("OFFER", "0.41", 3, 1), True, "1.25@0.30 10@0.39 5@0.40 | 1@0.41 8@0.45"),
        (
            "new bid 2 at 0.35",
            ("BID", "0.35", 0, 2),
            False,
            "1.25@0.30 2@0.35 10@0.39 5@0.40 | 3@0.41 8@0.45",
        ),
        ("delete bid at 0.3000", ("BID", "0.3", "1.25", 0), False, "10@0.39 5@0.40 | 3@0.41 8@0.45"),
        ("delete offer at 0.41", ("OFFER", "0.41", 3, 0), True, "1.25@0.30 10@0.39 5@0.40 | 8@0.45"),
    ],
)
def test_an_update_changes_one_level(
    full: OrderBooks, entry: str, change: tuple[str, str, str | int, str | int], best: bool, after: str
) -> None:
    reported = apply(full, update(entry))
    side, price, before, size = change
    assert reported.levels == [LevelChange(MDEntryType[side], d(price), Decimal(before), Decimal(size))]
    assert type(reported.levels[0]) is LevelChange
    assert (reported.best_changed, reported.snapshot, reported.state_changed) == (best, False, False)
    assert (reported.trades, reported.discrepancies) == ([], [])
    assert format_levels(full[A]) == after


def test_trades_are_reported_without_changing_levels(full: OrderBooks) -> None:
    before = format_levels(full[A])
    change = apply(full, update("trade 3 at 0.41 by buy", "trade 1 at 0.40 by sell", at=90.5))
    first, second = change.trades
    assert first == Trade(A, d("0.41"), d("3"), AggressorSide.BUY, first.utc_date, first.utc_time)
    assert first.traded_at == datetime(2026, 8, 21, 12, 1, 30, 500_000, tzinfo=UTC)
    assert (second.price, second.aggressor) == (d("0.40"), AggressorSide.SELL)
    assert (change.levels, change.best_changed) == ([], False)
    assert full[A].last_trade is second
    assert format_levels(full[A]) == before


def test_entries_for_the_margin_product_have_no_time(books: OrderBooks) -> None:
    apply(books, snapshot("bid 10 at 19.50", "offer 5 at 19.51", symbol=C))
    change = apply(books, update("trade 3 at 19.51", "change offer 2 at 19.51", at=None, symbol=C))
    (trade,) = change.trades
    assert (trade.traded_at, trade.aggressor, books[C].updated) == (None, None, None)
    assert format_levels(books[C]) == "10@19.50 | 2@19.51"


def test_a_book_has_the_time_of_its_newest_change(full: OrderBooks) -> None:
    assert full[A].updated is None
    apply(full, update("change bid 6 at 0.40", at=1), update("trade 1 at 0.40", at=5))
    assert full[A].updated == datetime(2026, 8, 21, 12, 0, 1, tzinfo=UTC)
    apply(full, snapshot("bid 1 at 0.40"))
    assert full[A].updated is None


def test_a_second_snapshot_replaces_the_book(full: OrderBooks) -> None:
    change = apply(full, snapshot("bid 1 at 0.20"))
    assert (change.snapshot, change.best_changed, change.state_changed) == (True, True, False)
    assert format_levels(full[A]) == "1@0.20 |"


def test_the_repr_of_a_book_contains_units(full: OrderBooks) -> None:
    assert repr(full[A]) == f"OrderBook({A}, live, bid 5 at 0.40 dollars, offer 3 at 0.41 dollars)"
    apply(full, update("delete bid at 0.99"))
    assert repr(full[A]) == f"OrderBook({A}, stale: inconsistent update, bid none, offer none)"


INCONSISTENT_ENTRIES = [
    ("change bid 1 at 0.20", "LEVEL_MISSING"),
    ("delete bid at 0.20", "LEVEL_MISSING"),
    ("new bid 1 at 0.39", "LEVEL_EXISTS"),
    ("new bid -1 at 0.20", "BAD_SIZE"),
    ("new bid 1 at 0.00", "BAD_PRICE"),
    ("change offer 1 at -0.10", "BAD_PRICE"),
    ("5 bid 1 at 0.40", "UNKNOWN_ACTION"),
    ("trade 0 at 0.40", "BAD_SIZE"),
    ("trade 2 at -0.40", "BAD_PRICE"),
    ("new bid 1 at 0.41", "CROSSED"),
]


@pytest.mark.parametrize(("entry", "kind"), INCONSISTENT_ENTRIES)
def test_an_inconsistent_entry_is_reported_and_makes_the_book_stale(
    full: OrderBooks, entry: str, kind: str
) -> None:
    full.apply(snapshot("bid 1 at 0.10", symbol=B))
    change = apply(full, update(entry))
    (found,) = change.discrepancies
    assert (found.kind.name, found.symbol) == (kind, A)
    assert str(found).startswith(f"{A}: {found.kind.value}: ")
    assert (change.levels, change.trades, change.state_changed, change.best_changed) == ([], [], True, True)
    book = full[A]
    assert (book.state, book.stale_reason) == (BookState.STALE, StaleReason.DISCREPANCY)
    assert format_levels(book) == "|"
    assert full.stale() == [A]
    assert full[B].is_live


def test_a_discrepancy_contains_its_entry(full: OrderBooks) -> None:
    message = update("change bid 6 at 0.40", "change bid 1 at 0.20")
    change = apply(full, message)
    assert change.discrepancies[0].entry is message.md_entries[1]
    assert change.discrepancies[0].detail == "no level to change at 0.20"


def test_prices_may_cross_between_the_entries_of_one_message(full: OrderBooks) -> None:
    updates = apply(full, update("new bid 2 at 0.41", "delete offer at 0.41"))
    assert kinds(updates) == []
    assert format_levels(full[A]) == "1.25@0.30 10@0.39 5@0.40 2@0.41 | 8@0.45"


def test_an_entry_of_unknown_type_leaves_the_book_live(full: OrderBooks) -> None:
    message = update("new B 1 at 0.41", "change bid 6 at 0.40")
    reported = apply(full, message)
    assert kinds(reported) == ["UNKNOWN_ENTRY_TYPE"]
    assert reported.discrepancies[0].entry is message.md_entries[0]
    assert [change.size for change in reported.levels] == [6]
    assert full[A].is_live
    strict = OrderBooks(tolerated=frozenset())
    assert not apply(strict, FULL_BOOK, message).book.is_live


def test_a_stale_book_ignores_updates_but_not_trades(full: OrderBooks) -> None:
    apply(full, update("delete bid at 0.20"))
    assert full.apply(update("change bid 6 at 0.40", "delete bid at 0.20", "new B 1 at 1")) == []
    change = apply(full, update("trade 3 at 0.41", "change bid 6 at 0.40"))
    assert (len(change.trades), change.levels, change.discrepancies) == (1, [], [])
    change = apply(full, FULL_BOOK)
    assert change.state_changed
    assert full[A].is_live
    assert full[A].stale_reason is None
    assert kinds(apply(full, update("change bid 6 at 0.40"))) == []


def test_an_update_before_any_snapshot_is_reported_once(books: OrderBooks) -> None:
    change = apply(books, update("new bid 1 at 0.40"))
    assert kinds(change) == ["NO_SNAPSHOT"]
    assert (change.state_changed, change.best_changed) == (True, False)
    assert books[A].state is BookState.STALE
    assert books.apply(update("new bid 1 at 0.41")) == []
    assert apply(books, FULL_BOOK).book.is_live


@pytest.mark.parametrize(
    ("before", "after", "out_of_order"),
    [
        (1.0, 0.999, True),
        (1.0, 1.0, False),
        (1.0, 1.001, False),
        (1.0, -86_000, True),
        (86_000, 1, True),
        (1, 86_000, False),
    ],
)
def test_updates_that_go_back_in_time_are_reported(
    full: OrderBooks, before: float, after: float, out_of_order: bool
) -> None:
    apply(full, update("change bid 6 at 0.40", at=before))
    updates = apply(full, update("change bid 7 at 0.40", at=after))
    assert kinds(updates) == ["OUT_OF_ORDER"] * out_of_order
    assert full[A].is_live
    assert format_levels(full[A]).startswith("1.25@0.30 10@0.39 7@0.40 |")
    strict = OrderBooks(tolerated=frozenset())
    strict.apply(FULL_BOOK)
    apply(strict, update("change bid 6 at 0.40", at=before))
    assert len(apply(strict, update("change bid 7 at 0.40", at=after)).levels) == (not out_of_order)
    assert strict[A].is_live is not out_of_order


def test_a_change_that_is_a_millisecond_too_early_is_applied_and_leaves_the_time_of_the_book_unchanged(
    full: OrderBooks,
) -> None:
    apply(full, update("change bid 6 at 0.40", at=1.0))
    newest = full[A].updated
    reported = apply(full, update("change offer 4 at 0.41", at=0.999))
    assert kinds(reported) == ["OUT_OF_ORDER"]
    assert [change.size for change in reported.levels] == [d("4")]
    assert full[A].is_live
    assert full[A].updated == newest


def test_the_time_of_a_snapshot_comes_from_another_clock(full: OrderBooks) -> None:
    assert kinds(apply(full, update("change bid 6 at 0.40", at=-3600))) == []
    assert kinds(apply(full, FULL_BOOK, update("change bid 7 at 0.40", at=-7200))) == []
    assert kinds(apply(full, update("trade 1 at 0.40", at=-9000))) == []


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        (("bid 1 at 0.40", "bid 2 at 0.4000"), "LEVEL_EXISTS"),
        (("bid 1 at 0.40", "offer 2 at 0.40"), "CROSSED"),
        (("bid 1 at 0.40", "bid 0 at 0.39"), "BAD_SIZE"),
        (("bid 1 at 0.40", "bid -1 at 0.39"), "BAD_SIZE"),
        (("bid 1 at 0.40", "offer 1 at 0.0"), "BAD_PRICE"),
        (("bid 1 at 0.40", "bid 1 at -1"), "BAD_PRICE"),
    ],
)
def test_an_invalid_snapshot_does_not_make_a_book_live(
    full: OrderBooks, levels: tuple[str, ...], kind: str
) -> None:
    for books in (OrderBooks(), full):
        change = apply(books, snapshot(*levels))
        assert kinds(change) == [kind]
        assert (change.snapshot, change.best_changed, change.state_changed) == (True, True, True)
        assert (books[A].state, format_levels(books[A])) == (BookState.STALE, "|")
        repeated = apply(books, snapshot(*levels))
        assert (kinds(repeated), repeated.state_changed) == ([kind], False)
    tolerant = OrderBooks(tolerated=frozenset(DiscrepancyKind))
    assert kinds(apply(tolerant, snapshot(*levels))) == [kind]
    assert tolerant[A].is_live


def test_updates_are_compared_by_identity_and_have_a_repr() -> None:
    change = apply(OrderBooks(), FULL_BOOK)
    assert isinstance(change, BookUpdate)
    assert "snapshot=True" in repr(change)
    assert change != apply(OrderBooks(), FULL_BOOK)


@pytest.mark.parametrize("other", [None, 3, "text", object()])
def test_other_objects_are_ignored(full: OrderBooks, other: object) -> None:
    assert full.apply(other) == []
    assert full[A].is_live


# --- spread, mid price, cost of a size, and the book without own orders ---------------------------------


def book_of(*entries: str) -> OrderBook:
    books = OrderBooks()
    books.apply(snapshot(*entries))
    return books[A]


@pytest.fixture
def book() -> OrderBook:
    return book_of("bid 5 at 0.40", "bid 10 at 0.39", "bid 1.25 at 0.3", "offer 3 at 0.41", "offer 8 at 0.46")


def test_spread_and_mid_price_use_the_best_prices(book: OrderBook) -> None:
    assert (book.spread, book.mid) == (d("0.01"), d("0.405"))


@pytest.mark.parametrize("entries", [(), ("bid 5 at 0.40",), ("offer 5 at 0.40",)])
def test_a_book_with_an_empty_side_has_neither_spread_nor_mid_price(entries: tuple[str, ...]) -> None:
    book = book_of(*entries)
    assert (book.spread, book.mid) == (None, None)


def test_the_spread_of_a_crossed_book_is_negative() -> None:
    books = OrderBooks(tolerated=frozenset())
    books.apply(snapshot("bid 5 at 0.40", "offer 3 at 0.41"))
    books[A].offers.load({d("0.38"): d("1")})
    assert books[A].spread == d("-0.02")


@pytest.mark.parametrize(
    ("size", "sweep"),
    [
        ("0", Sweep(d("0"), d("0"), None)),
        ("-4", Sweep(d("0"), d("0"), None)),
        ("0.01", Sweep(d("0.01"), d("0.0041"), d("0.41"))),
        ("3", Sweep(d("3"), d("1.23"), d("0.41"))),
        ("3.01", Sweep(d("3.01"), d("1.2346"), d("0.46"))),
        ("11", Sweep(d("11"), d("4.91"), d("0.46"))),
        ("12", Sweep(d("11"), d("4.91"), d("0.46"))),
        ("1E9", Sweep(d("11"), d("4.91"), d("0.46"))),
    ],
)
def test_buying_takes_the_lowest_offers_first(book: OrderBook, size: str, sweep: Sweep) -> None:
    assert book.offers.sweep(d(size)) == sweep


def test_selling_takes_the_highest_bids_first(book: OrderBook) -> None:
    assert book.bids.sweep(d("15.25")) == Sweep(d("15.25"), d("5.975"), d("0.3"))


def test_a_nonempty_sweep_has_an_average_price(book: OrderBook) -> None:
    assert book.bids.sweep(d("10")).average == d("0.395")
    assert book.bids.sweep(d("0")).average is None
    assert book_of().bids.sweep(d("1")) == Sweep(d("0"), d("0"), None)


def test_a_sweep_visits_only_the_levels_it_takes(book: OrderBook) -> None:
    class Counted(dict[Decimal, Decimal]):
        looked_up = 0

        def __getitem__(self, price: Decimal) -> Decimal:
            self.looked_up += 1
            return super().__getitem__(price)

    book.bids.sizes = counted = Counted(book.bids.sizes)
    book.bids.sweep(d("5"))
    assert counted.looked_up == 1


def test_own_orders_are_subtracted_from_their_levels(book: OrderBook) -> None:
    own = [(Side.BUY, d("0.40"), d("5")), (Side.BUY, d("0.39"), d("2.5")), (Side.SELL, d("0.46"), d("3"))]
    rest = book.without([*own, (Side.SELL, d("0.46"), d("4"))])
    assert format_levels(rest) == "1.25@0.30 7.5@0.39 | 3@0.41 1@0.46"
    assert (rest.symbol, rest.state, rest.best_bid) == (A, BookState.LIVE, (d("0.39"), d("7.5")))


def test_subtracting_orders_does_not_change_the_book(book: OrderBook) -> None:
    books = OrderBooks()
    books.apply(snapshot("bid 5 at 0.40", "offer 3 at 0.41"))
    rest = books[A].without([("1", d("0.4"), d("1"))])
    books.apply(update("change bid 6 at 0.40"))
    assert (format_levels(books[A]), format_levels(rest)) == ("6@0.40 | 3@0.41", "4@0.40 | 3@0.41")


def test_an_order_missing_from_the_book_is_not_subtracted_from_other_levels(book: OrderBook) -> None:
    rest = book.without([(Side.BUY, d("0.35"), d("7")), (Side.SELL, d("0.41"), d("50"))])
    assert format_levels(rest) == "1.25@0.30 10@0.39 5@0.40 | 8@0.46"


def test_an_invalid_side_is_refused(book: OrderBook) -> None:
    with pytest.raises(ValueError, match="3"):
        book.without([("3", d("0.40"), d("1"))])
