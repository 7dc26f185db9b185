"""Requests, answers and updates that cross in transit: a client's book is live if and only if the venue
keeps it up to date.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import MarketDataRequest, MarketDataRequestReject, Reject
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived, RejectReceived
from kalshi_fix_sansio.trading import BookState, OrderBooks
from tests.trading.feed import request, snapshot, update
from tests.trading.order_flow import SESSION_ENDED, logged_on

PRICE = Decimal("0.40")
SYMBOLS = ("A", "B", "C")


@attrs.define
class SlowConnection:
    """A venue with one level per market, and a client at the other end of a slow connection."""

    books: OrderBooks = attrs.field(factory=OrderBooks)
    sizes: dict[str, int] = attrs.field(factory=lambda: dict.fromkeys(SYMBOLS, 1))
    subscribed: set[str] = attrs.field(factory=set)
    requests: deque[MarketDataRequest] = attrs.field(factory=deque)
    """Requests in transit."""
    answers: deque[MessageReceived | RejectReceived] = attrs.field(factory=deque)
    """Answers and updates in transit."""

    def send_request(self, kind: str, symbols: tuple[str, ...]) -> None:
        message = request(kind, *symbols)
        self._apply(message)
        self.requests.append(message)

    def serve(self, refusal: int) -> None:
        """Have the venue answer the next request: accept it (`refusal` 0), or refuse it with a
        MarketDataRequestReject (1), a Reject (2), or a Reject that is not matched to the request (3).
        """
        if not self.requests:
            return
        message = self.requests.popleft()
        symbols = [entry.symbol for entry in message.related_sym]
        if message.subscription_request_type == "2":
            self.subscribed.difference_update(symbols or SYMBOLS)
        elif refusal == 1 or message.subscription_request_type not in ("0", "1"):
            self.answers.append(MessageReceived(MarketDataRequestReject(md_req_rej_reason="2")))
        elif refusal > 1:
            sent = message if refusal == 2 else None
            self.answers.append(RejectReceived(Reject(ref_seq_num=1, ref_msg_type="V"), 1, sent))
        else:
            if message.subscription_request_type == "1":
                self.subscribed.update(symbols)
            for symbol in symbols:
                self._send(snapshot(f"bid {self.sizes[symbol]} at {PRICE}", symbol=symbol))

    def change(self, symbol: str) -> None:
        self.sizes[symbol] += 1
        if symbol in self.subscribed:
            self._send(update(f"change bid {self.sizes[symbol]} at {PRICE}", symbol=symbol))

    def receive(self) -> None:
        if self.answers:
            self._apply(self.answers.popleft())

    def reconnect(self, symbols: tuple[str, ...]) -> None:
        """Lose all messages in transit. A client may send requests before it has read its events."""
        self.requests.clear()
        self.answers.clear()
        self.subscribed.clear()
        self._apply(SESSION_ENDED)
        if symbols:
            self.send_request("1", symbols)
        self._apply(logged_on())

    def deliver_all(self) -> None:
        while self.requests:
            self.serve(0)
        while self.answers:
            self.receive()

    def _send(self, message: Message) -> None:
        self.answers.append(MessageReceived(message))

    def _apply(self, event: object) -> None:
        for change in self.books.apply(event):
            assert change.discrepancies == []


symbol_tuples = st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=3, unique=True).map(tuple)
Step = tuple[Any, ...]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("send_request"), st.sampled_from("01019"), symbol_tuples),
        st.tuples(st.just("send_request"), st.just("2"), symbol_tuples | st.just(())),
        st.tuples(st.just("serve"), st.sampled_from([0, 0, 0, 1, 2])),
        st.tuples(st.just("change"), st.sampled_from(SYMBOLS)),
        st.tuples(st.just("receive")),
        st.tuples(st.just("receive")),
        st.tuples(st.just("reconnect"), symbol_tuples | st.just(())),
    ),
    max_size=60,
)


def check(sequence: list[Step]) -> None:
    connection = SlowConnection()
    for name, *arguments in sequence:
        getattr(connection, name)(*arguments)
    connection.deliver_all()
    assert {symbol for symbol, book in connection.books.items() if book.is_live} == connection.subscribed
    for symbol, book in connection.books.items():
        assert book.state is not BookState.WAITING
        if book.is_live:
            assert list(book.bids) == [(PRICE, Decimal(connection.sizes[symbol]))]


@settings(max_examples=300)
@given(steps)
def test_a_book_is_live_exactly_when_the_venue_keeps_it_up_to_date(sequence: list[Step]) -> None:
    check(sequence)


@settings(max_examples=100)
@given(steps)
def test_a_refusal_without_a_request_id_is_also_matched(sequence: list[Step]) -> None:
    check([("serve", 3) if step == ("serve", 2) else step for step in sequence])


def test_a_book_that_was_not_requested_raises_key_error() -> None:
    with pytest.raises(KeyError, match="no book for 'KXA': send a MarketDataRequest"):
        OrderBooks()["KXA"]
    assert OrderBooks().get("KXA") is None
