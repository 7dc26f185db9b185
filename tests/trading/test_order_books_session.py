"""Effects of session events and of the user's own requests on books."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_adapters.events import Resubscribed
from kalshi_fix_sansio import (
    BusinessMessageReject,
    Heartbeat,
    Logon,
    Logout,
    MarketDataRequestReject,
    Reject,
    SecurityStatus,
    SecurityStatusRequest,
    UnknownMessage,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    GarbledReceived,
    LoggedOn,
    LogoutReceived,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    PeerSilent,
    RejectReceived,
    ResendServed,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading import BookState, OrderBooks, StaleReason
from tests.trading.feed import A, B, C, apply, from_wire, kinds, request, shown, snapshot, update

ENDED = SessionEnded(CloseReason.CONNECTION_LOST, "end of file", clean=False)
REFUSED = MessageReceived(MarketDataRequestReject(md_req_rej_reason="2", text="too many symbols"))
BOOK = ("bid 5 at 0.40", "offer 3 at 0.41")


def logged_on() -> LoggedOn:
    return LoggedOn(Logon(heart_bt_int=30, raw_data=b"x"), heart_bt_int=30, reset=True)


def live(*symbols: str) -> OrderBooks:
    books = OrderBooks()
    for symbol in symbols or (A, B):
        books.apply(snapshot(*BOOK, symbol=symbol))
    return books


def states(books: OrderBooks) -> list[str]:
    return [book.state.name for book in books.values()]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ENDED, StaleReason.SESSION_ENDED),
        (SessionEnded(CloseReason.LOGGED_OUT, "bye", clean=True), StaleReason.SESSION_ENDED),
        (GapDetected(5, 9, recoverable=False), StaleReason.GAP),
        (GapDetected(5, 9, recoverable=True), StaleReason.GAP),
        (SequenceSkipped(5, 9, gap_fill=False), StaleReason.GAP),
        (SequenceSkipped(5, 9, gap_fill=True), StaleReason.GAP),
        (MessagesLost(5, 9), StaleReason.GAP),
        (MessageRejected(None, ()), StaleReason.MESSAGE_REFUSED),
        (logged_on(), StaleReason.NEW_SESSION),
    ],
)
def test_an_interruption_makes_every_book_stale(event: object, reason: StaleReason) -> None:
    books = live()
    updates = books.apply(event)
    assert [update.symbol for update in updates] == [A, B]
    for item in updates:
        assert (item.state_changed, item.best_changed, item.snapshot) == (True, True, False)
        assert (item.levels, item.trades, item.discrepancies) == ([], [], [])
        assert (item.book.stale_reason, shown(item.book)) == (reason, "|")
    assert books.stale() == [A, B]
    assert books.apply(event) == []
    apply(books, snapshot(*BOOK))
    assert states(books) == ["LIVE", "STALE"]
    assert books.stale() == [B]


@pytest.mark.parametrize(
    "event",
    [
        GapClosed(7),
        GarbledReceived("no message", b"x", 1),
        PeerSilent("t1"),
        ResendServed(1, 2, 1),
        LogoutReceived("bye"),
        MessageRejected(Heartbeat(), ()),
        MessageReceived(SecurityStatus(symbol=A, security_trading_status=2)),
        MessageReceived(UnknownMessage(msg_type="XX")),
        MessageReceived(Logout()),
        RejectReceived(Reject(ref_seq_num=3, ref_msg_type="e"), 3, None),
        RejectReceived(
            BusinessMessageReject(ref_seq_num=3, ref_msg_type="e", business_reject_reason=0),
            3,
            SecurityStatusRequest(subscription_request_type="1", symbol=A),
        ),
    ],
)
def test_other_events_leave_books_unchanged(event: object) -> None:
    books = live()
    assert books.apply(event) == []
    assert states(books) == ["LIVE", "LIVE"]


def test_the_last_trade_survives_the_session() -> None:
    books = live()
    (trade,) = apply(books, update("trade 1 at 0.40")).trades
    books.apply(ENDED)
    assert books[A].last_trade is trade


def test_a_refused_message_affects_only_its_markets() -> None:
    wrong_size = Problem(Reason.INCORRECT_DATA_FORMAT, "MDEntrySize (271) is not a number", 271, "x")
    for message, problems, after in [
        (snapshot(*BOOK, symbol=B), (), ["LIVE", "STALE"]),
        (update("change bid 1 at 0.40", symbol=B), (wrong_size,), ["LIVE", "STALE"]),
        (update("change bid 1 at 0.40", symbol=C), (wrong_size,), ["LIVE", "LIVE"]),
        (
            update("change bid 1 at 0.40", symbol=B),
            (Problem(Reason.WRONG_NUM_IN_GROUP, "", 268),),
            ["STALE"] * 2,
        ),
        (from_wire("35=X|"), (), ["STALE"] * 2),
        (from_wire("35=W|268=0|"), (), ["STALE"] * 2),
        (from_wire("35=X|268=1|279=1|269=0|270=1|271=1|"), (), ["STALE"] * 2),
    ]:
        books = live()
        books.apply(MessageRejected(message, problems))
        assert states(books) == after, message


# --- requests -------------------------------------------------------------------------------------------


def test_a_requested_book_waits_for_its_snapshot(books: OrderBooks) -> None:
    assert books.apply(request("1", A, B)) == []
    assert states(books) == ["WAITING", "WAITING"]
    assert books.stale() == []
    assert (books[A].best_bid, books[A].is_live) == (None, False)
    assert apply(books, snapshot(*BOOK)).state_changed
    assert states(books) == ["LIVE", "WAITING"]


def test_a_gap_also_makes_a_waiting_book_stale(books: OrderBooks) -> None:
    books.apply(request("1", A))
    (change,) = books.apply(GapDetected(5, 9, recoverable=False))
    assert (change.state_changed, change.best_changed) == (True, False)
    assert books.stale() == [A]


def test_a_logon_leaves_waiting_books_unchanged(books: OrderBooks) -> None:
    books.apply(request("1", A))
    assert books.apply(logged_on()) == []
    assert states(books) == ["WAITING"]


def test_requesting_a_stale_book_again_makes_it_live() -> None:
    books = live(A)
    books.apply(update("delete bid at 0.01"))
    books.apply(request("0", *books.stale()))
    assert states(books) == ["WAITING"]
    # The update belongs to the subscription that is still active.
    assert books.apply(update("change bid 1 at 0.40")) == []
    apply(books, snapshot(*BOOK))
    assert states(books) == ["LIVE"]
    assert kinds(apply(books, update("change bid 1 at 0.40"))) == []


def test_requesting_a_live_book_again_leaves_it_live() -> None:
    books = live(A)
    books.apply(request("1", A))
    assert states(books) == ["LIVE"]
    assert not apply(books, snapshot(*BOOK)).state_changed


def test_a_book_requested_once_is_not_live(books: OrderBooks) -> None:
    books.apply(request("0", A))
    change = apply(books, snapshot(*BOOK))
    assert change.book.state is BookState.SNAPSHOT
    assert not change.book.is_live
    assert shown(change.book) == "5@0.40 | 3@0.41"
    assert books.apply(update("change bid 1 at 0.40", "delete bid at 0.10")) == []
    assert books.stale() == []
    assert books.apply(ENDED) == []
    assert shown(change.book) == "5@0.40 | 3@0.41"
    books.apply(request("1", A))
    assert states(books) == ["SNAPSHOT"]
    assert apply(books, snapshot(*BOOK)).state_changed
    assert states(books) == ["LIVE"]


def test_each_snapshot_belongs_to_the_oldest_request(books: OrderBooks) -> None:
    books.apply(request("0", A, A, B))
    books.apply(request("1", A))
    found = []
    for symbol in (B, A, A):
        apply(books, snapshot(symbol=symbol))
        found.append(states(books))
    assert found == [["WAITING", "SNAPSHOT"], ["SNAPSHOT", "SNAPSHOT"], ["LIVE", "SNAPSHOT"]]


def test_an_update_before_the_first_requested_snapshot_is_a_discrepancy(books: OrderBooks) -> None:
    books.apply(request("1", A))
    assert kinds(apply(books, update("new bid 1 at 0.40"))) == ["NO_SNAPSHOT"]
    assert states(books) == ["STALE"]


# --- unsubscribing --------------------------------------------------------------------------------------


def test_an_unsubscribed_book_is_dropped() -> None:
    books = live(A, B, C)
    assert books.apply(request("2", A, C)) == []
    assert list(books) == [B]
    assert books.apply(update("change bid 1 at 0.40", "trade 1 at 0.40")) == []
    change = apply(
        books, update("change bid 1 at 0.40", f"change bid 2 at 0.40 in {B}", "change bid 1 at 0.40")
    )
    assert change.symbol == B
    books.apply(request("2"))
    assert len(books) == 0
    assert books.apply(update("change bid 1 at 0.40", symbol=B)) == []


def test_a_book_can_be_dropped_without_a_request() -> None:
    books = live(A, B)
    books.forget(A)
    books.forget("NO-SUCH")
    assert list(books) == [B]
    assert books.apply(update("change bid 1 at 0.40")) == []
    apply(books, snapshot(*BOOK))
    assert kinds(apply(books, update("change bid 1 at 0.40"))) == []


def test_a_book_can_be_subscribed_again_after_unsubscribing() -> None:
    books = live(A)
    books.apply(request("2", A))
    books.apply(request("1", A))
    assert states(books) == ["WAITING"]
    assert books.apply(update("change bid 1 at 0.40")) == []
    assert states(books) == ["WAITING"]
    apply(books, snapshot(*BOOK))
    assert states(books) == ["LIVE"]


def test_a_snapshot_in_transit_during_an_unsubscribe_is_ignored(books: OrderBooks) -> None:
    books.apply(request("1", A))
    books.apply(request("2"))
    books.apply(request("1", A))
    assert books.apply(snapshot(*BOOK)) == []
    assert states(books) == ["WAITING"]
    apply(books, snapshot(*BOOK))
    assert states(books) == ["LIVE"]


def test_unsubscribing_from_all_keeps_books_requested_once() -> None:
    books = live(A)
    books.apply(request("0", B, C))
    apply(books, snapshot(*BOOK, symbol=B))
    books.apply(request("1", B))
    books.apply(request("2"))
    assert {symbol: book.state.name for symbol, book in books.items()} == {B: "SNAPSHOT"}
    apply(books, snapshot(*BOOK, symbol=C))
    assert books.apply(snapshot(*BOOK, symbol=B)) == []
    assert states(books) == ["SNAPSHOT", "SNAPSHOT"]


# --- refusals -------------------------------------------------------------------------------------------


def test_a_refusal_belongs_to_the_oldest_unanswered_request(books: OrderBooks) -> None:
    books.apply(request("1", A))
    books.apply(request("1", B, C))
    apply(books, snapshot(*BOOK))
    updates = books.apply(REFUSED)
    assert [(update.symbol, update.state_changed) for update in updates] == [(B, True), (C, True)]
    assert [book.stale_reason for book in books.values()] == [None, *[StaleReason.REQUEST_REFUSED] * 2]
    assert books.apply(REFUSED) == []


def test_a_refusal_affects_neither_live_books_nor_books_of_other_requests() -> None:
    books = live(A)
    books.apply(request("1", A, B, C))
    books.apply(request("0", C))
    assert [item.symbol for item in books.apply(REFUSED)] == [B]
    assert states(books) == ["LIVE", "STALE", "WAITING"]
    apply(books, snapshot(symbol=C))
    apply(books, snapshot(symbol=B))
    # The subscription was refused, so C only has the snapshot. The snapshot of B was unsolicited.
    assert {symbol: book.state.name for symbol, book in books.items()} == {
        A: "LIVE",
        B: "LIVE",
        C: "SNAPSHOT",
    }


def test_a_partly_answered_request_is_not_refused(books: OrderBooks) -> None:
    books.apply(request("1", A, B))
    apply(books, snapshot(*BOOK))
    assert books.apply(REFUSED) == []
    assert states(books) == ["LIVE", "WAITING"]


def test_a_refusal_of_an_unknown_request_has_no_effect() -> None:
    books = live()
    assert books.apply(REFUSED) == []
    assert states(books) == ["LIVE", "LIVE"]


def test_a_refusal_of_an_unsubscribed_book_has_no_effect(books: OrderBooks) -> None:
    books.apply(request("1", A))
    books.forget(A)
    assert books.apply(REFUSED) == []


@pytest.mark.parametrize(
    "reject",
    [
        Reject(ref_seq_num=3, ref_msg_type="V"),
        BusinessMessageReject(ref_seq_num=3, ref_msg_type="V", business_reject_reason=8),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_reject_refuses_the_request_it_refers_to(books: OrderBooks, reject: Message, known: bool) -> None:
    first, second = request("1", A), request("1", B)
    books.apply(first)
    books.apply(second)
    (change,) = books.apply(RejectReceived(reject, 3, request("1", B) if known else None))
    assert (change.symbol, change.book.stale_reason) == (B if known else A, StaleReason.REQUEST_REFUSED)
    assert books.apply(RejectReceived(reject, 4, request("2", A))) == []


def test_a_snapshot_refused_by_this_side_answers_its_request(books: OrderBooks) -> None:
    books.apply(request("1", A))
    books.apply(request("1", B))
    (change,) = books.apply(MessageRejected(snapshot(*BOOK), ()))
    assert (change.symbol, change.book.stale_reason) == (A, StaleReason.MESSAGE_REFUSED)
    assert [item.symbol for item in books.apply(REFUSED)] == [B]


def test_requests_end_with_their_session(books: OrderBooks) -> None:
    books.apply(request("1", A))
    books.apply(request("0", B))
    books.forget(C)
    books.apply(ENDED)
    assert books.apply(REFUSED) == []
    for symbol in (A, B):
        apply(books, snapshot(*BOOK, symbol=symbol))
    assert states(books) == ["LIVE", "LIVE"]
    assert kinds(apply(books, update("new bid 1 at 0.40", symbol=C))) == ["NO_SNAPSHOT"]


def test_a_single_snapshot_does_not_make_a_book_live_in_the_next_session() -> None:
    books = live(A)
    books.apply(ENDED)
    books.apply(logged_on())
    books.apply(request("0", A))
    apply(books, snapshot(*BOOK))
    assert states(books) == ["SNAPSHOT"]


def test_any_event_is_accepted_at_any_time() -> None:
    empty: Any = OrderBooks()
    for event in (
        ENDED,
        REFUSED,
        logged_on(),
        GapDetected(1, 2, recoverable=False),
        request("2"),
        request("2", A),
    ):
        assert empty.apply(event) == []
    assert len(empty) == 0


def test_a_missing_answer_does_not_delay_later_requests(books: OrderBooks) -> None:
    books.apply(request("1", A))
    for kind in "121":
        books.apply(request(kind, B))
    assert books.apply(snapshot(*BOOK, symbol=B)) == []
    apply(books, snapshot(*BOOK, symbol=B))
    assert {symbol: book.state.name for symbol, book in books.items()} == {A: "WAITING", B: "LIVE"}


def test_renewals_by_the_client_count_as_requests() -> None:
    books = live(A, B)
    books.apply(ENDED)
    books.apply(logged_on())
    books.apply(Resubscribed(request("1", A), 2))
    assert states(books) == ["WAITING", "STALE"]
    apply(books, snapshot(*BOOK))
    assert states(books) == ["LIVE", "STALE"]
    books.apply(Resubscribed(SecurityStatusRequest(subscription_request_type="1", symbol=B), 3))
    assert states(books) == ["LIVE", "STALE"]
