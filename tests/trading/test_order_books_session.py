"""Effects of session events and of the user's own requests on books."""

from __future__ import annotations

import pytest

from kalshi_fix_adapters.events import Resubscribed
from kalshi_fix_sansio import (
    BusinessMessageReject,
    Heartbeat,
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
from kalshi_fix_sansio.trading import BookState, BookUpdate, OrderBooks, StaleReason
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
from tests.trading.histories.history import load, steps
from tests.trading.order_flow import SESSION_ENDED, logged_on

REQUEST_REJECT = MessageReceived(MarketDataRequestReject(md_req_rej_reason="2", text="too many symbols"))
BOOK = ("bid 5 at 0.40", "offer 3 at 0.41")


def live_books() -> OrderBooks:
    """Return live books of A and B."""
    books = OrderBooks()
    for symbol in (A, B):
        books.apply(snapshot(*BOOK, symbol=symbol))
    return books


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (SESSION_ENDED, StaleReason.SESSION_ENDED),
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
    books = live_books()
    updates = books.apply(event)
    assert [update.symbol for update in updates] == [A, B]
    for item in updates:
        assert (item.state_changed, item.best_changed, item.snapshot) == (True, True, False)
        assert (item.levels, item.trades, item.discrepancies) == ([], [], [])
        assert (item.book.stale_reason, format_levels(item.book)) == (reason, "|")
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
    books = live_books()
    assert books.apply(event) == []
    assert states(books) == ["LIVE", "LIVE"]


def test_the_last_trade_survives_the_session() -> None:
    books = live_books()
    (trade,) = apply(books, update("trade 1 at 0.40")).trades
    books.apply(SESSION_ENDED)
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
        books = live_books()
        books.apply(MessageRejected(message, problems))
        assert states(books) == after, message


# --- requests -------------------------------------------------------------------------------------------


def test_a_gap_also_makes_a_waiting_book_stale(books: OrderBooks) -> None:
    books.apply(request("1", A))
    (change,) = books.apply(GapDetected(5, 9, recoverable=False))
    assert (change.state_changed, change.best_changed) == (True, False)
    assert books.stale() == [A]


REQUEST_TYPES = {"request-snapshot": "0", "subscribe": "1", "unsubscribe": "2"}
CHANGES = {"update": "change bid 1 at 0.40", "wrong-update": "delete bid at 0.01", "trade": "trade 1 at 0.40"}
EVENTS: dict[str, object] = {
    "request-rejected": REQUEST_REJECT,
    "disconnect": SESSION_ENDED,
    "logon": logged_on(),
    "gap": GapDetected(5, 9, recoverable=False),
}


def perform(books: OrderBooks, action: str, symbols: list[str]) -> list[BookUpdate]:
    """Perform a step; return its updates."""
    match action:
        case "snapshot":
            made = (snapshot(*BOOK, symbol=symbol) for symbol in symbols)
            return [item for message in made for item in books.apply(message)]
        case "rejected-snapshot":
            return books.apply(MessageRejected(snapshot(*BOOK, symbol=symbols[0]), ()))
        case "forget":
            for symbol in symbols:
                books.forget(symbol)
            return []
        case _ if action in REQUEST_TYPES:
            return books.apply(request(REQUEST_TYPES[action], *symbols))
        case _ if action in CHANGES:
            return books.apply(update(*(f"{CHANGES[action]} in {symbol}" for symbol in symbols)))
    return books.apply(EVENTS[action])


@pytest.mark.parametrize("lines", [*load("order_books")])
def test_a_history_leads_to_the_expected_states(books: OrderBooks, lines: str) -> None:
    reasons = {
        "request-rejected": StaleReason.REQUEST_REFUSED,
        "rejected-snapshot": StaleReason.MESSAGE_REFUSED,
    }
    for words in steps(lines):
        (action, *symbols), expected = words, []
        if ":" in symbols:
            index = symbols.index(":")
            symbols, expected = symbols[:index], symbols[index + 1 :]
        if action == "=":
            assert [word for item in states_by_symbol(books).items() for word in item] == symbols
            continue
        before = {symbol: book.state for symbol, book in books.items()}
        updates = perform(books, action, symbols)
        assert [word for item in updates for word in (item.symbol, *kinds(item))] == expected
        for item in updates:
            assert item.state_changed is (item.book.state is not before.get(item.symbol))
            assert item.book.stale_reason is reasons.get(action, item.book.stale_reason)
        for symbol, book in books.items():
            assert (symbol in books.stale()) is (book.state is BookState.STALE)
            if book.state is BookState.SNAPSHOT:
                assert format_levels(book) == "5@0.40 | 3@0.41"


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


def test_resubscriptions_by_the_client_count_as_requests() -> None:
    books = live_books()
    books.apply(SESSION_ENDED)
    books.apply(logged_on())
    books.apply(Resubscribed(request("1", A), 2))
    assert states(books) == ["WAITING", "STALE"]
    apply(books, snapshot(*BOOK))
    assert states(books) == ["LIVE", "STALE"]
    books.apply(Resubscribed(SecurityStatusRequest(subscription_request_type="1", symbol=B), 3))
    assert states(books) == ["LIVE", "STALE"]
