"""Order books fed from the wire: unreadable, truncated and corrupted messages, and thousands of markets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from random import Random
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import Event, GapDetected, GarbledReceived, MessageRejected, SessionEnded
from kalshi_fix_sansio.trading import BookState, DiscrepancyKind, OrderBooks, StaleReason
from tests.helpers import CODEC, Pair, established, of_type, one, pair, raw
from tests.trading.feed import (
    A,
    B,
    C,
    apply,
    format_levels,
    from_wire,
    kinds,
    request,
    snapshot,
    states,
    states_by_symbol,
    update,
)

HEAD = "49=KalshiMD|56=me|34=2|52=20260821-12:00:00.000|"
STAMP = "272=20260821|273=12:00:00.000|"
VALID_ENTRY = f"279=1|55={A}|269=0|270=0.40|271=6|{STAMP}"


def two_live_and_one_waiting() -> OrderBooks:
    """Return books of which A and B are live and C waits for its snapshot."""
    books = OrderBooks()
    for symbol in (A, B):
        books.apply(snapshot("bid 5 at 0.40", "bid 10 at 0.39", "offer 3 at 0.41", symbol=symbol))
    books.apply(request("1", C))
    return books


ONE_STALE, ALL_STALE, NONE_STALE = ["STALE", "LIVE", "WAITING"], ["STALE"] * 3, ["LIVE", "LIVE", "WAITING"]


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (f"268=1|279=1|55={A}|269=0|270=x|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=1e3|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=NaN|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=0.40|271=+5|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=0.40|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=00|270=0.40|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|270=0.40|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=11|55={A}|269=0|270=0.40|271=6|{STAMP}", ONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=0.40|270=0.39|271=6|{STAMP}", ONE_STALE),
        (f"268=2|{VALID_ENTRY}279=1|55={A}|269=0|270=|271=6|{STAMP}", ONE_STALE),
        (f"268=2|279=1|269=0|270=0.40|271=6|{STAMP}{VALID_ENTRY}", ALL_STALE),
        (f"268=1|279=1|55=|269=0|270=0.40|271=6|{STAMP}", ALL_STALE),
        (f"268=2|{VALID_ENTRY}", ALL_STALE),
        (f"268=x|{VALID_ENTRY}", ALL_STALE),
        (f"268=0|{VALID_ENTRY}", ALL_STALE),
        ("268=1|", ALL_STALE),
        ("58=x|", ALL_STALE),
        (f"268=1|{VALID_ENTRY}0=1|", ALL_STALE),
        (f"268=1|{VALID_ENTRY}x|", ALL_STALE),
        (f"268=1|{VALID_ENTRY}0270=0.40|", ONE_STALE),
        ("268=0|", NONE_STALE),
        (f"268=1|{VALID_ENTRY}9999=new|", NONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=0.40|271=6|272=2026|273=noon|", NONE_STALE),
        (f"268=1|279=1|55={A}|269=0|270=0.40|271=6|272=20260821|", NONE_STALE),
        (f"268=1|{VALID_ENTRY}2446=buyer|", NONE_STALE),
        (f"268=1|{VALID_ENTRY}52=20260821-12:00:00|", NONE_STALE),
    ],
)
def test_an_unreadable_update_makes_every_affected_book_stale(body: str, after: list[str]) -> None:
    books = two_live_and_one_waiting()
    updates = books.apply(from_wire(f"35=X|{body}"))
    assert states(books) == after
    stale = [book for book in books.values() if book.state is BookState.STALE]
    assert [update.book for update in updates if update.state_changed] == stale
    for item in updates:
        assert kinds(item) == ["UNREADABLE"] * (item.book in stale)
    assert all(book.stale_reason is StaleReason.DISCREPANCY for book in stale)


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (f"55={A}|268=1|269=0|270=x|271=6|", ONE_STALE),
        (f"55={A}|268=1|269=0|270=0.40|", ONE_STALE),
        (f"55={A}|268=2|269=0|270=0.40|271=6|", ONE_STALE),
        (f"55={A}|269=0|270=0.40|271=6|", ONE_STALE),
        (f"55={A}|", ONE_STALE),
        ("268=1|269=0|270=0.40|271=6|", ALL_STALE),
        ("55=|268=0|", ALL_STALE),
        (f"55={A}|268=0|", NONE_STALE),
        (f"55={A}|268=1|269=0|270=0.40|271=6|272=x|", NONE_STALE),
        (f"55={A}|268=1|269=0|270=0.40|271=6|9999=new|269=1|", ONE_STALE),
    ],
)
def test_an_unreadable_snapshot_does_not_create_a_book(body: str, after: list[str]) -> None:
    books = two_live_and_one_waiting()
    updates = books.apply(from_wire(f"35=W|{body}"))
    assert states(books) == after
    assert [update.symbol for update in updates] == [A, B, C][: 3 if after == ALL_STALE else 1]
    assert {kind for update in updates for kind in kinds(update)} == (
        {"UNREADABLE"} if "STALE" in after else set()
    )


def test_an_unreadable_field_is_named_in_the_discrepancy() -> None:
    change = apply(
        two_live_and_one_waiting(), from_wire(f"35=X|268=1|279=1|55={A}|269=0|270=x|271=6|{STAMP}")
    )
    (found,) = change.discrepancies
    assert (found.kind, found.symbol, found.entry) == (DiscrepancyKind.UNREADABLE, A, None)
    assert "MDEntryPx (270)" in found.detail


def test_stale_or_forgotten_books_do_not_report_problems() -> None:
    books = two_live_and_one_waiting()
    books.apply(request("0", "ONCE"))
    books.apply(snapshot("bid 1 at 0.40", symbol="ONCE"))
    books.apply(update("delete bid at 0.01"))
    books.forget(B)
    assert books.apply(from_wire(f"35=X|268=1|279=1|55={A}|269=0|270=x|271=6|")) == []
    assert books.apply(from_wire(f"35=X|268=1|279=1|55={B}|269=0|270=x|271=6|")) == []
    assert [item.symbol for item in books.apply(from_wire("35=W|268=0|"))] == [C]
    assert states_by_symbol(books) == {A: "STALE", C: "STALE", "ONCE": "SNAPSHOT"}


def test_the_trades_of_an_unreadable_message_are_reported() -> None:
    books = two_live_and_one_waiting()
    trade = f"279=0|55={A}|269=2|270=0.41|271=3|{STAMP}2446=1|"
    change = apply(books, from_wire(f"35=X|268=2|{trade}279=1|55={A}|269=0|270=x|271=6|{STAMP}"))
    assert (kinds(change), len(change.trades), change.levels) == (["UNREADABLE"], 1, [])


def test_unreadable_entries_can_be_tolerated() -> None:
    books = OrderBooks(tolerated=frozenset({DiscrepancyKind.UNREADABLE}))
    change = apply(books, from_wire(f"35=W|55={A}|268=2|269=0|270=0.40|271=6|269=0|270=x|271=6|"))
    assert (kinds(change), change.book.is_live, format_levels(change.book)) == (
        ["UNREADABLE"],
        True,
        "6@0.40 |",
    )
    change = apply(
        books, from_wire(f"35=X|268=2|279=1|269=0|270=0.39|271=1|279=1|55={A}|269=0|270=0.40|271=2|")
    )
    assert (kinds(change), change.book.is_live, format_levels(change.book)) == (
        ["UNREADABLE"],
        True,
        "2@0.40 |",
    )


def test_an_unreadable_update_may_be_the_first_of_its_market(books: OrderBooks) -> None:
    change = apply(books, from_wire(f"35=X|268=1|279=0|55={A}|269=0|270=x|271=6|"))
    assert (kinds(change), books.stale()) == (["UNREADABLE"], [A])


# --- truncated and corrupted messages -------------------------------------------------------------------

COMPLETE_SNAPSHOT = f"55={A}|268=2|269=0|270=0.4000|271=15.00|{STAMP}269=1|270=0.6500|271=5.00|{STAMP}"
COMPLETE_UPDATE = (
    f"268=2|279=1|55={A}|269=0|270=0.4000|271=7.00|{STAMP}279=0|55={A}|269=1|270=0.6000|271=2.00|{STAMP}"
)


def check_invariants(books: OrderBooks) -> None:
    """Check the invariants that hold after any messages."""
    for book in books.values():
        for side in (book.bids, book.offers):
            assert sorted(side.sizes) == side.prices
            assert all(size > 0 for size in side.sizes.values())
        assert not book.is_crossed
        if book.state not in (BookState.LIVE, BookState.SNAPSHOT):
            assert len(book.bids) + len(book.offers) == 0
        assert (book.stale_reason is None) == (book.state is not BookState.STALE)


def test_a_message_truncated_anywhere_never_loses_a_level_silently() -> None:
    for end in range(len(COMPLETE_SNAPSHOT)):
        books = OrderBooks()
        books.apply(from_wire(f"35=W|{COMPLETE_SNAPSHOT[:end]}"))
        check_invariants(books)
        assert all(len(book.bids) + len(book.offers) == 2 for book in books.values() if book.is_live)
    for end in range(len(COMPLETE_UPDATE)):
        books = OrderBooks()
        books.apply(from_wire(f"35=W|{COMPLETE_SNAPSHOT}"))
        updates = books.apply(from_wire(f"35=X|{COMPLETE_UPDATE[:end]}"))
        check_invariants(books)
        if books[A].is_live:
            assert [len(update.levels) for update in updates] == [2]


@settings(max_examples=400)
@given(data=st.data())
def test_no_corrupted_message_makes_a_book_raise_or_contradict_itself(data: st.DataObject) -> None:
    books = OrderBooks()
    books.apply(from_wire(f"35=W|{COMPLETE_SNAPSHOT}"))
    for _ in range(data.draw(st.integers(1, 4))):
        msg_type, body = data.draw(st.sampled_from([("W", COMPLETE_SNAPSHOT), ("X", COMPLETE_UPDATE)]))
        content = bytearray(f"35={msg_type}|{HEAD}{body}".replace("|", "\x01").encode())
        for position, value in data.draw(
            st.lists(
                st.tuples(
                    st.integers(5 + len(HEAD), len(content) - 2),
                    st.sampled_from(b"0123456789-.=\x01x") | st.integers(0, 255),
                ),
                max_size=4,
            )
        ):
            content[position] = value
        books.apply(CODEC.decode(raw(content.decode("latin-1"))))
        check_invariants(books)


# --- complete sessions ----------------------------------------------------------------------------------


def market_data_pair() -> Pair:
    sessions = pair("KalshiMD")
    sessions.connect()
    return sessions


def drain(sessions: Pair, books: OrderBooks) -> list[Event]:
    """Transfer the sent bytes, and apply the events to the books; return the events."""
    sessions.settle()
    events, sessions.client_events[:] = list(sessions.client_events), []
    for event in events:
        books.apply(event)
    return events


def test_a_message_corrupted_in_transit_makes_books_stale_until_the_next_session() -> None:
    sessions, books = market_data_pair(), OrderBooks()
    sessions.venue.send(snapshot("bid 5 at 0.40"), sessions.clock.now)
    drain(sessions, books)
    assert books[A].is_live
    sessions.transform = lambda data: [data.replace(b"270=0.40", b"270=0.50")]
    sessions.venue.send(update("change bid 6 at 0.40"), sessions.clock.now)
    assert of_type(drain(sessions, books), GarbledReceived)
    sessions.venue.send(update("new bid 1 at 0.30"), sessions.clock.now)
    events = drain(sessions, books)
    assert of_type(events, GapDetected)
    assert of_type(events, SessionEnded)
    assert (books[A].stale_reason, format_levels(books[A])) == (StaleReason.GAP, "|")

    next_session = market_data_pair()
    drain(next_session, books)
    assert books.stale() == [A]
    next_session.venue.send(snapshot("bid 7 at 0.40"), next_session.clock.now)
    drain(next_session, books)
    assert (books.stale(), format_levels(books[A])) == ([], "7@0.40 |")
    next_session.client.receive_eof(next_session.clock.now)
    drain(next_session, books)
    assert books[A].stale_reason is StaleReason.SESSION_ENDED


def test_a_message_refused_by_a_strict_session_makes_the_affected_book_stale() -> None:
    wired, books = established(Role.INITIATOR, "KalshiMD", strict=True), two_live_and_one_waiting()
    event = one(wired.receive(wired.peer.message("X", f"268=1|{VALID_ENTRY}9999=new|")), MessageRejected)
    books.apply(event)
    assert states(books) == ONE_STALE
    assert books[A].stale_reason is StaleReason.MESSAGE_REFUSED


def test_one_session_can_follow_five_thousand_markets() -> None:
    random, sessions, books = Random(5), market_data_pair(), OrderBooks()
    symbols = [f"KXMANY-26AUG21-{number:04d}" for number in range(5_000)]
    expected: dict[str, dict[Decimal, Decimal]] = {}

    def size() -> Decimal:
        return Decimal(random.randint(1, 100_000)) / 100

    for number, symbol in enumerate(symbols):
        expected[symbol] = {Decimal(cents) / 100: size() for cents in random.sample(range(1, 100), 3)}
        entries = [f"bid {quantity} at {price}" for price, quantity in expected[symbol].items()]
        sessions.venue.send(snapshot(*entries, symbol=symbol), sessions.clock.now)
        if number % 500 == 499:
            drain(sessions, books)
    for number in range(5_000):
        symbol = random.choice(symbols)
        price = Decimal(random.randint(1, 99)) / 100
        book_levels = expected[symbol]
        action = random.choice(["change", "delete"]) if price in book_levels else "new"
        if action == "delete":
            del book_levels[price]
        else:
            book_levels[price] = size()
        entry = f"{action} bid {book_levels.get(price, 0)} at {price}"
        sessions.venue.send(update(entry, symbol=symbol), sessions.clock.now)
        if number % 500 == 499:
            drain(sessions, books)
    assert len(books) == 5_000
    for symbol, book_levels in expected.items():
        assert books[symbol].is_live
        assert list(books[symbol].bids) == sorted(book_levels.items(), reverse=True)
    sessions.client.receive_eof(sessions.clock.now)
    drain(sessions, books)
    assert books.stale() == symbols


def count_calls(action: Callable[[], object]) -> int:
    """Return the number of functions that an action calls, including functions written in C."""
    count = 0

    def count_call(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def test_the_cost_of_an_update_does_not_depend_on_the_number_of_books() -> None:
    few, many = OrderBooks(), OrderBooks()
    few.apply(snapshot("bid 5 at 0.40"))
    full = snapshot("bid 5 at 0.40", "offer 1 at 0.60")
    for number in range(5_000):
        full.symbol = f"KXMANY-{number}"
        many.apply(full)
    full.symbol = A
    many.apply(full)
    for change in (update("change bid 6 at 0.40"), update("new bid 6 at 0.30"), update("delete bid at 0.30")):
        assert count_calls(lambda change=change: few.apply(change)) == count_calls(  # type: ignore[misc]
            lambda change=change: many.apply(change)  # type: ignore[misc]
        )
