"""Dumps of order books: loaded books continue like the originals, and damaged dumps are refused."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import MarketDataRequest, MarketDataRequestReject, Reject
from kalshi_fix_sansio.events import MessagesLost, RejectReceived
from kalshi_fix_sansio.trading import BookState, OrderBooks
from tests.trading.feed import A, B, C, snapshot, update
from tests.trading.order_flow import logged_on, reloaded


def steps(random: Random) -> list[Any]:
    """Return random steps: market data, requests, unsubscribes, gaps and rejects."""
    generated: list[Any] = []
    for _ in range(60):
        symbol = random.choice([A, B, C])
        bid, offer = random.randint(10, 40), random.randint(50, 90)
        changes = [f"{action} bid 5 at 0.{bid}" for action in ("new", "change", "delete")]
        generated.append(
            random.choice(
                [
                    MarketDataRequest.subscribe(symbol, random.choice([A, B, C])),
                    MarketDataRequest.snapshot(symbol),
                    MarketDataRequest.unsubscribe(symbol),
                    MarketDataRequest.unsubscribe_all(),
                    MarketDataRequestReject(),
                    MessagesLost(3, 4),
                    *[snapshot(f"bid 5 at 0.{bid}", f"offer 2 at 0.{offer}", symbol=symbol)] * 6,
                    *[update(change, symbol=symbol) for change in changes],
                    update(f"new bid 1 at 0.{bid}", f"trade 3 at 0.{offer} by buy", symbol=symbol),
                ]
            )
        )
    return generated


@pytest.mark.parametrize("seed", range(40))
def test_loaded_books_continue_like_the_originals(seed: int) -> None:
    books = OrderBooks()
    for step in steps(Random(seed)):
        loaded = reloaded(books)
        assert loaded.dump() == books.dump()
        expected = [(item.symbol, item.state_changed, item.trades) for item in books.apply(step)]
        assert [(item.symbol, item.state_changed, item.trades) for item in loaded.apply(step)] == expected
        assert loaded.dump() == books.dump()


def test_a_dump_contains_every_state_and_loading_it_replaces_existing_books() -> None:
    books = OrderBooks()
    books.apply(MarketDataRequest.subscribe(A))
    books.apply(snapshot("bid 5 at 0.40", symbol=A))
    books.apply(snapshot("bid 5 at 0.40", symbol=B))
    books.apply(MessagesLost(3, 4))
    books.apply(snapshot("bid 6 at 0.30", "offer 1 at 0.70", symbol=A))
    books.apply(MarketDataRequest.subscribe(C))
    loaded = OrderBooks()
    loaded.apply(snapshot("bid 5 at 0.40", symbol="OTHER"))
    loaded.load(books.dump())
    assert {symbol: book.state for symbol, book in loaded.items()} == {
        A: BookState.LIVE,
        B: BookState.STALE,
        C: BookState.WAITING,
    }
    assert str(loaded[A].best_bid) == str(books[A].best_bid)
    loaded.apply(MessagesLost(9, 9))
    assert loaded.stale() == [A, B, C]


def test_a_refusal_of_a_loaded_request_is_attributed_to_its_books() -> None:
    request = MarketDataRequest.subscribe(A)
    books = OrderBooks()
    books.apply(MarketDataRequest.subscribe(B))
    books.apply(request)
    loaded = reloaded(books)
    loaded.apply(RejectReceived(Reject(ref_seq_num=3), 3, request))
    assert loaded.stale() == [A]


@pytest.mark.parametrize("load", [False, True])
def test_a_new_session_keeps_no_subscriptions_from_the_previous_one(load: bool) -> None:
    books = OrderBooks()
    books.apply(MarketDataRequest.subscribe(A, B, C))
    books.apply(MarketDataRequest.unsubscribe("KXD"))
    books.apply(snapshot("bid 5 at 0.40", symbol=A))
    if load:
        books = reloaded(books)
    # The end of the previous session was not reported. C is requested on the new session.
    books.apply(MarketDataRequest.subscribe(C))
    books.apply(logged_on())
    assert books.stale() == ([A, B] if load else [A])
    books.apply(MarketDataRequest.snapshot(A))
    for symbol in (C, A):
        books.apply(snapshot("bid 6 at 0.30", symbol=symbol))
    assert (books[A].state, books[C].state) == (BookState.SNAPSHOT, BookState.LIVE)


def test_a_request_in_a_dump_must_be_for_market_data() -> None:
    books = OrderBooks()
    books.apply(MarketDataRequest.subscribe(A))
    dumped = books.dump()
    dumped["requests"][0]["symbols"] = None
    with pytest.raises(ValueError, match="must be a MarketDataRequest"):
        OrderBooks().load(dumped)


def test_a_dump_with_more_levels_than_allowed_is_refused() -> None:
    books = OrderBooks()
    books.apply(snapshot("bid 5 at 0.40", symbol=A))
    books.apply(snapshot("bid 5 at 0.40", symbol=B))
    with pytest.raises(ValueError, match="exceeds the limit"):
        OrderBooks(max_levels=1).load(books.dump())


def test_books_requested_beyond_the_limit_are_loaded() -> None:
    books, loaded = OrderBooks(max_books=1), OrderBooks(max_books=1)
    books.apply(MarketDataRequest.subscribe(A, B))
    loaded.load(books.dump())
    assert list(loaded) == list(books) == [A, B]
