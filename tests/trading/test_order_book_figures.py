"""Figures computed from a book: spread, mid price, cost of a size, and the book without certain orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading import BookState, OrderBook, OrderBooks, Sweep
from tests.trading.feed import A, shown, snapshot, update
from tests.trading.order_flow import d


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
    assert shown(rest) == "1.25@0.30 7.5@0.39 | 3@0.41 1@0.46"
    assert (rest.symbol, rest.state, rest.best_bid) == (A, BookState.LIVE, (d("0.39"), d("7.5")))


def test_subtracting_orders_does_not_change_the_book(book: OrderBook) -> None:
    books = OrderBooks()
    books.apply(snapshot("bid 5 at 0.40", "offer 3 at 0.41"))
    rest = books[A].without([("1", d("0.4"), d("1"))])
    books.apply(update("change bid 6 at 0.40"))
    assert (shown(books[A]), shown(rest)) == ("6@0.40 | 3@0.41", "4@0.40 | 3@0.41")


def test_an_order_missing_from_the_book_is_not_subtracted_from_others(book: OrderBook) -> None:
    rest = book.without([(Side.BUY, d("0.35"), d("7")), (Side.SELL, d("0.41"), d("50"))])
    assert shown(rest) == "1.25@0.30 10@0.39 5@0.40 | 8@0.46"


def test_an_invalid_side_is_refused(book: OrderBook) -> None:
    with pytest.raises(ValueError, match="3"):
        book.without([("3", d("0.40"), d("1"))])
