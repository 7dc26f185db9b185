"""A store that fails at each of its calls in turn: the session ends with an error and sends no more
messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError, SendFailedError, StoreError
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    MessageReceived,
    OutcomesUnknown,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.session import MemoryStore, Session, State, StoredMessage
from tests.helpers import (
    CANCEL_REJECT,
    DUP,
    LOGON,
    Wired,
    established,
    kinds,
    messages,
    of_type,
    one,
    order,
    wire,
)
from tests.samples import application_message

REASON = "the disk is full; free some space and start again"
REQUEST_METHODS = {"record_request", "settle_requests", "open_requests"}
"""Methods that a session uses only for requests."""
COUNTED_METHODS = {"record_sent", "advance_incoming", "reset", "reset_answered", "find"} | REQUEST_METHODS
"""Methods of FailingStore whose calls are counted, in addition to `sent_between` and `begin_commit`."""


class FailingStore(MemoryStore):
    """Works for a number of calls, then fails on every call."""

    def __init__(self, calls: int | None = None) -> None:
        super().__init__()
        self.calls = calls
        self.made: list[str] = []
        self.committed = 1
        """`next_outgoing` at the last commit."""

    def call(self, name: str) -> None:
        if self.calls is not None and len(self.made) >= self.calls:
            raise StoreError(REASON)
        self.made.append(name)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        for message in super().sent_between(begin, end):
            self.call("sent_between")
            yield message

    def begin_commit(self) -> int:
        self.call("begin_commit")
        self.committed = self.next_outgoing
        return super().begin_commit()


def count_calls(name: str) -> Callable[..., Any]:
    """Return a method of MemoryStore that first counts the call, and fails beyond the limit."""
    method = getattr(MemoryStore, name)

    def call(store: FailingStore, *arguments: Any, **settings: Any) -> Any:
        store.call(name)
        return method(store, *arguments, **settings)

    return call


for each in COUNTED_METHODS:
    setattr(FailingStore, each, count_calls(each))

Operation = Callable[[Wired], object]


def operations(role: Role) -> list[Operation]:
    """Return every operation of a session that uses its store, in order."""

    def receive(*builders: Callable[[Wired], bytes]) -> Operation:
        return lambda w: w.session.receive_data(b"".join(build(w) for build in builders), w.clock.now)

    def cancel_reject(number: int | None = None) -> Callable[[Wired], bytes]:
        return lambda w: w.peer.message("9", CANCEL_REJECT, number)

    def send(name: str) -> Operation:
        return lambda w: w.session.send(application_message(role, name), w.clock.now)

    def forward(w: Wired) -> object:
        frame = w.session.config.codec.encode(
            application_message(role, "f"), w.session._core.outbound.header("8", 1, w.clock.now)
        )
        return w.session.forward(frame, w.clock.now)

    return [
        lambda w: w.session.connect(w.clock.now),
        receive(lambda w: w.peer.logon(LOGON)),
        lambda w: w.session.accept_logon(w.clock.now) if role is Role.ACCEPTOR else None,
        send("a1"),
        forward,
        receive(cancel_reject(), lambda w: w.peer.message("1", "112=x|")),
        receive(lambda w: w.peer.message("3", "45=2|"), lambda w: w.peer.message("3", "45=99|")),
        lambda w: w.session.confirm(),
        receive(lambda w: w.peer.message("2", "7=1|16=0|")),
        lambda w: w.session.test_request(w.clock.now),
        receive(cancel_reject(9)),
        lambda w: w.session.handle_timer(w.clock.advance(30)),
        receive(lambda w: w.peer.message("4", "123=Y|36=9|", 7, **DUP)),
        send("a2"),
        lambda w: w.session.reset(w.clock.now),
        receive(lambda w: w.peer.logon(LOGON + "141=Y|", 1)),
        receive(lambda w: w.peer.logon(LOGON + "141=Y|", 1)),
        send("a3"),
        receive(lambda w: w.peer.message("2", "7=1|16=0|", 2)),
        lambda w: w.session.logout(w.clock.now),
        receive(lambda w: w.peer.message("5", "", 3)),
        lambda w: w.session.abort("enough", w.clock.now),
    ]


def play(role: Role, calls: int | None) -> tuple[Wired, FailingStore, list[Event]]:
    """Perform all operations on a store that works for `calls` calls; return the events emitted."""
    store = FailingStore(calls)
    wired = wire(role, store=store)
    reported: list[Event] = []
    for operation in operations(role):
        try:
            operation(wired)
        except (LocalProtocolError, SendFailedError):
            assert wired.session.state is State.CLOSED
        for message in messages(wired.session.data_to_send()):
            assert message.header.msg_seq_num < store.committed
        reported += wired.session.events()
    return wired, store, reported


def test_a_failure_of_any_store_call_ends_the_session_with_its_reason(role: Role) -> None:
    _, store, reported = play(role, None)
    unused = set() if role is Role.INITIATOR else REQUEST_METHODS
    assert set(store.made) == {*COUNTED_METHODS, "sent_between", "begin_commit"} - unused
    (complete,) = of_type(reported, SessionEnded)
    assert complete.reason is CloseReason.LOGGED_OUT
    for calls in range(len(store.made)):
        wired, failed, reported = play(role, calls)
        assert failed.made == store.made[:calls]
        (ended,) = of_type(reported, SessionEnded)
        assert isinstance(reported[-1], SessionEnded)
        if ended.reason is CloseReason.LOGGED_OUT:
            assert store.made[calls] in {"advance_incoming", "settle_requests", "begin_commit"}
        else:
            assert (ended.reason, ended.text, ended.clean) == (CloseReason.STORE_FAILED, REASON, False)
        assert wired.session.wants_close
        assert wired.session.data_to_send() == b""


def fail_next_call(wired: Wired) -> None:
    store = wired.session.store
    assert isinstance(store, FailingStore)
    store.calls = len(store.made)


def session_on_failing_store(role: Role = Role.INITIATOR, name: str = "KalshiRT") -> Wired:
    """Return an established session whose store can be made to fail."""
    return established(role, name, FailingStore())


def test_events_before_the_failure_are_kept(role: Role) -> None:
    wired = session_on_failing_store(role)
    wired.session.confirm()
    fail_next_call(wired)
    wired.session.receive_data(
        wired.peer.message("9", CANCEL_REJECT) + wired.peer.message("1", "112=x|"), wired.clock.now
    )
    received, ended = wired.session.events()
    assert isinstance(received, MessageReceived)
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.STORE_FAILED


@pytest.mark.parametrize("call", ["send", "forward", "test_request"])
def test_a_call_that_needs_a_number_raises_the_error_immediately(role: Role, call: str) -> None:
    wired = session_on_failing_store(role)
    frame = wired.session.config.codec.encode(
        application_message(role, "f"), wired.session._core.outbound.header("8", 1, wired.clock.now)
    )
    calls: dict[str, Callable[[], object]] = {
        "send": lambda: wired.session.send(application_message(role, "a"), wired.clock.now),
        "forward": lambda: wired.session.forward(frame, wired.clock.now),
        "test_request": lambda: wired.session.test_request(wired.clock.now),
    }
    fail_next_call(wired)
    with pytest.raises(SendFailedError, match="nothing was sent: the store failed") as caught:
        calls[call]()
    assert caught.value.__cause__ is wired.session.store_error
    assert not caught.value.may_have_been_sent
    with pytest.raises(LocalProtocolError, match="closed"):
        wired.session.send(application_message(role, "a"), wired.clock.now)
    assert [type(event) for event in wired.session.events()] == [SessionEnded]


def test_a_failed_commit_holds_back_its_bytes() -> None:
    wired = session_on_failing_store()
    wired.session.send(order("a1"), wired.clock.now)
    fail_next_call(wired)
    assert wired.session.took_number
    assert wired.session.data_to_send() == b""
    assert isinstance(wired.session.store_error, StoreError)
    unknown, ended = wired.session.events()
    assert isinstance(unknown, OutcomesUnknown)
    assert (unknown.request_ids, unknown.why) == (("a1",), Uncertainty.STORE_FAILED)
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (CloseReason.STORE_FAILED, REASON)
    assert ended.unsent > 0
    wired.session.confirm()


def test_a_logout_that_cannot_be_committed_is_not_sent(role: Role) -> None:
    wired = session_on_failing_store(role)
    wired.session.receive_data(wired.peer.message("5", ""), wired.clock.now)
    assert wired.session.state is State.CLOSED
    fail_next_call(wired)
    assert wired.session.data_to_send() == b""
    assert [type(event).__name__ for event in wired.session.events()] == ["LogoutReceived", "SessionEnded"]


def test_a_failed_confirmation_ends_the_session(role: Role) -> None:
    wired = session_on_failing_store(role)
    fail_next_call(wired)
    wired.session.confirm()
    ended = one(wired.session.events(), SessionEnded)
    assert ended.reason is CloseReason.STORE_FAILED
    wired.session.confirm()


@pytest.mark.parametrize("reset", [False, True])
def test_a_session_cannot_continue_with_a_failed_store(role: Role, reset: bool) -> None:
    wired = session_on_failing_store(role)
    store = wired.session.store
    assert isinstance(store, FailingStore)
    fail_next_call(wired)
    wired.wait(31)
    assert wired.session.state is State.CLOSED
    store.calls = None
    settings = attrs.evolve(wired.session.config, reset_seq_num=reset)
    wired.session = Session(settings, continues=wired.session)
    wired.session.connect(wired.clock.now)
    if role is Role.ACCEPTOR:
        logon = wired.peer.logon(LOGON + "141=Y|", 1) if reset else wired.peer.logon(LOGON)
        wired.session.receive_data(logon, wired.clock.now)
        wired.session.accept_logon(wired.clock.now)
    ended = wired.session.events()[-1]
    assert isinstance(ended, SessionEnded)
    assert "reopen it" in ended.text
    assert wired.session.data_to_send() == b""


def test_a_failure_after_the_end_does_not_end_the_session_twice() -> None:
    wired = session_on_failing_store(name="KalshiNR")
    wired.session.send(order("a1"), wired.clock.now)
    wired.session.data_to_send()
    unknown, ended = wired.disconnect()
    assert isinstance(unknown, OutcomesUnknown)
    assert isinstance(ended, SessionEnded)
    fail_next_call(wired)
    wired.session.confirm()
    assert wired.session.events() == []
    assert kinds(wired.sent()) == []
