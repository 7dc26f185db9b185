"""A venue cannot cause order books to use unbounded memory."""

from __future__ import annotations

from kalshi_fix_sansio import MarketDataRequestReject
from kalshi_fix_sansio.trading import BookState, BookUpdate, DiscrepancyKind, OrderBooks, StaleReason
from kalshi_fix_sansio.trading.books.order_books import MAX_SYMBOL_SIZE
from tests.trading.feed import A, B, C, apply, request, snapshot, update


def is_refused(change: BookUpdate) -> bool:
    """Return whether an update reports that there is no room and leaves its book stale and empty."""
    is_stale = change.book.state is BookState.STALE
    assert is_stale is (
        DiscrepancyKind.TOO_MANY in [discrepancy.kind for discrepancy in change.discrepancies]
    )
    if is_stale:
        assert change.book.stale_reason is StaleReason.DISCREPANCY
        assert len(change.book.bids) + len(change.book.offers) == 0
    return is_stale


def levels(count: int, start: int = 1) -> list[str]:
    return [f"bid 1 at 0.{number:03d}" for number in range(start, start + count)]


def test_the_levels_of_all_books_are_bounded_even_with_full_tolerance() -> None:
    books = OrderBooks(max_levels=10, tolerated=frozenset(DiscrepancyKind))
    assert not is_refused(apply(books, snapshot(*levels(6))))
    assert not is_refused(apply(books, snapshot(*levels(2), symbol=B)))
    assert not is_refused(apply(books, update("new bid 1 at 0.900")))
    change = apply(books, update("new bid 1 at 0.901", "new bid 1 at 0.902", "new bid 1 at 0.903"))
    assert is_refused(change)
    assert change.best_changed
    assert [discrepancy.detail for discrepancy in change.discrepancies] == [
        "no room for another level: the limit for all books is 10"
    ]
    assert len(books[B].bids) == 2
    assert not is_refused(apply(books, snapshot(*levels(6))))


def test_a_snapshot_that_does_not_fit_leaves_a_stale_book() -> None:
    books = OrderBooks(max_levels=10)
    change = apply(books, snapshot(*levels(11)))
    assert is_refused(change)
    assert [discrepancy.detail for discrepancy in change.discrepancies] == [
        "no room for 11 levels: the limit for all books is 10"
    ]
    assert not is_refused(apply(books, snapshot(*levels(9))))


def test_removed_levels_free_room() -> None:
    books = OrderBooks(max_levels=10)
    books.apply(snapshot(*levels(3)))
    for number in range(4, 100):
        assert not is_refused(apply(books, update(f"new bid 1 at 0.{number:03d}")))
        assert not is_refused(apply(books, update(f"delete bid 0 at 0.{number:03d}")))


def test_the_levels_that_a_snapshot_replaces_do_not_count() -> None:
    books = OrderBooks(max_levels=20)
    for entries in (9, 18, 18, 9, 18):
        assert not is_refused(apply(books, snapshot(*levels(entries))))
    assert not is_refused(apply(books, snapshot("bid 1 at 0.5", symbol=B)))
    assert is_refused(apply(books, snapshot(*levels(20))))


def test_the_levels_are_rarely_recounted() -> None:
    books = OrderBooks(max_levels=1000)
    counted = 0

    class Counting(dict[str, object]):
        def values(self):  # type: ignore[no-untyped-def]
            nonlocal counted
            counted += 1
            return super().values()

    books._entries.level_limit.books = Counting(books._books)  # type: ignore[assignment]
    books.apply(snapshot("bid 1 at 0.5"))
    for _ in range(5000):
        books.apply(update("new bid 1 at 0.4"))
        books.apply(update("delete bid 0 at 0.4"))
    assert counted <= 6


def test_the_number_of_books_is_bounded() -> None:
    books = OrderBooks(max_books=2)
    for symbol in (A, B):
        assert not is_refused(apply(books, snapshot("bid 1 at 0.5", symbol=symbol)))
    for sent in (snapshot("bid 1 at 0.5", symbol=C), update(f"new bid 1 at 0.5 in {C}")):
        change = apply(books, sent)
        assert is_refused(change)
        assert (change.symbol, change.discrepancies[0].detail) == (C, "there are 2 books already")
        assert list(books) == [A, B]
    assert C not in books._requests._subscribed
    books.forget(A)
    assert not is_refused(apply(books, snapshot("bid 1 at 0.5", symbol=C)))


def test_the_length_of_symbols_is_bounded(books: OrderBooks) -> None:
    longest, longer = "A" * MAX_SYMBOL_SIZE, "A" * (MAX_SYMBOL_SIZE + 1)
    assert not is_refused(apply(books, snapshot("bid 1 at 0.5", symbol=longest)))
    for sent in (snapshot("bid 1 at 0.5", symbol=longer), update(f"new bid 1 at 0.5 in {longer}")):
        assert is_refused(apply(books, sent))
    assert list(books) == [longest]


def test_an_unwanted_snapshot_answers_its_request_even_without_room() -> None:
    books = OrderBooks(max_books=1)
    books.apply(request("1", A))
    books.forget(A)
    assert not is_refused(apply(books, snapshot("bid 1 at 0.5", symbol=B)))
    assert books.apply(snapshot("bid 1 at 0.5", symbol=A)) == []
    books.forget(B)
    books.apply(request("1", C))
    change = apply(books, MarketDataRequestReject(md_req_rej_reason="2"))
    assert (change.symbol, change.book.state) == (C, BookState.STALE)
