"""Commits that complete later: outgoing bytes wait for them, and all other work continues."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError, StoreError
from kalshi_fix_sansio.events import CloseReason, OutcomesUnknown, SessionEnded
from kalshi_fix_sansio.session import Session
from tests.helpers import CANCEL_REJECT, LateStore, Wired, established, messages, of_type, one, order
from tests.samples import cancel_reject

STORE_LOST = "another process has taken over the store"


def late_session(
    role: Role = Role.INITIATOR, name: str = "KalshiRT", **changes: Any
) -> tuple[Wired, LateStore]:
    """Return a logged-on session whose store completes later commits only when a test requests it."""
    store = LateStore()
    wired = established(role, name, store, **changes)
    store.at_once = False
    return wired, store


def types(data: bytes) -> list[str]:
    """Return the MsgTypes of complete messages."""
    return [message.msg_type for message in messages(data)]


def send(wired: Wired, *names: str) -> list[int]:
    """Send orders, calling `data_to_send` after each order as an adapter does; return their tickets."""
    tickets = []
    for name in names:
        wired.session.send(order(name), wired.clock.now)
        assert wired.session.data_to_send() == b""
        tickets.append(wired.session.ticket)
    return tickets


def test_bytes_wait_for_their_commit_and_share_the_next_one() -> None:
    wired, store = late_session()
    session = wired.session
    first, *others = send(wired, "a1", "a2", "a3")
    assert session.unreleased > 0
    assert not any(map(session.is_released, (first, *others)))
    store.complete(first)
    assert types(session.data_to_send()) == ["D"]
    assert [session.is_released(ticket) for ticket in (first, *others)] == [True, False, False]
    store.complete()
    assert types(session.data_to_send()) == ["D", "D"]
    assert (session.unreleased, session.data_to_send()) == (0, b"")
    assert session.next_deadline() is not None


def test_a_resend_pauses_while_its_bytes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_sansio.session.resend.PAGE_SIZE", 1)
    wired, store = late_session(Role.ACCEPTOR)
    session = wired.session
    for name in ("o1", "o2", "o3"):
        session.send(cancel_reject(name), wired.clock.now)
    wired.receive(wired.peer.message("2", "7=2|16=0|"))
    assert session.data_to_send() == b""
    # A deadline in the past would make the caller call `handle_timer` in a busy loop.
    assert session.next_deadline() > wired.clock.monotonic  # type: ignore[operator]
    store.complete()
    resent = types(session.data_to_send())
    while session.next_deadline() <= wired.clock.monotonic:  # type: ignore[operator]
        session.handle_timer(wired.clock.now)
        resent += types(session.data_to_send())
    assert resent == ["9"] * 6


def test_a_user_who_keeps_sending_does_not_stop_a_resend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_sansio.session.resend.MESSAGES_PER_TURN", 1)
    wired, store = late_session(Role.ACCEPTOR)
    session = wired.session
    for name in ("o1", "o2", "o3"):
        session.send(cancel_reject(name), wired.clock.now)
    store.complete(session.begin_commit())
    session.data_to_send()
    wired.receive(wired.peer.message("2", "7=2|16=0|"))
    sent: list[Any] = []
    for _ in range(5):
        # A commit completes only after the next message is sent, so some bytes always wait.
        earlier = session.begin_commit()
        session.send(cancel_reject("new"), wired.clock.now)
        session.begin_commit()
        store.complete(earlier)
        sent += wired.sent()
        session.handle_timer(wired.clock.now)
    assert [message.header.msg_seq_num for message in sent if message.header.poss_dup_flag] == [2, 3, 4]


def test_bytes_that_the_transport_did_not_accept_do_not_wait_for_later_commits() -> None:
    wired, store = late_session(commit_timeout=5)
    session = wired.session
    session.send(order("a1"), wired.clock.now)
    first = session.begin_commit()
    wired.clock.advance(4)
    store.complete(first)
    session.begin_commit()
    assert session.is_released(first)
    # Record a confirmation, which the next commit writes.
    wired.receive(wired.peer.message("9", CANCEL_REJECT))
    session.events()
    session.send(order("a2"), wired.clock.now)
    assert session.begin_commit() > first
    wired.clock.advance(4)
    session.handle_timer(wired.clock.now)
    assert session.is_established
    assert types(session.data_to_send()) == ["D"]
    store.complete()
    assert types(session.data_to_send()) == ["D"]


def test_a_commit_that_cannot_begin_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise StoreError(STORE_LOST)

    wired, store = late_session()
    wired.session.send(order("a1"), wired.clock.now)
    monkeypatch.setattr(store, "begin_commit", fail)
    wired.session.begin_commit()
    events = wired.session.events()
    assert [event.request_ids for event in of_type(events, OutcomesUnknown)] == [("a1",)]
    assert [event.reason for event in of_type(events, SessionEnded)] == [CloseReason.STORE_FAILED]
    assert wired.session.data_to_send() == b""


@pytest.mark.parametrize("waiting", [False, True])
def test_a_lost_store_ends_the_session_without_sending_another_byte(role: Role, waiting: bool) -> None:
    wired, store = late_session(role)
    session = wired.session
    if waiting:
        session.test_request(wired.clock.now)
        session.data_to_send()
    session.record_store_loss(StoreError(STORE_LOST))
    ended = one(session.events(), SessionEnded)
    assert (ended.reason, ended.text, ended.unsent > 0) == (CloseReason.STORE_FAILED, STORE_LOST, waiting)
    store.complete()
    assert (session.data_to_send(), session.unreleased, session.wants_close) == (b"", 0, True)
    assert str(session.store_error) == STORE_LOST
    with pytest.raises(LocalProtocolError):
        session.test_request(wired.clock.now)
    # The next session of this process cannot use the failed store either.
    again = Session(session.config, continues=session)
    again.connect(wired.clock.now)
    if role is Role.INITIATOR:
        assert one(again.events(), SessionEnded).reason is CloseReason.STORE_FAILED


def test_bytes_that_wait_at_the_end_of_the_connection_are_dropped() -> None:
    wired, store = late_session()
    session = wired.session
    [ticket] = send(wired, "a1")
    wired.disconnect()
    assert (session.unreleased, session.is_released(ticket)) == (0, True)
    again = Session(session.config, continues=session)
    again.connect(wired.clock.now)
    assert again.data_to_send() == b""
    store.complete()
    assert types(again.data_to_send()) == ["A"]


def test_a_peer_whose_answers_wait_for_our_store_is_not_treated_as_silent() -> None:
    wired, _ = late_session(max_unsent=200, commit_timeout=20)
    for _ in range(20):
        wired.session.receive_data(wired.peer.message("1", "112=x|"), wired.clock.now)
        assert wired.session.data_to_send() == b""
    ended = one(wired.session.events(), SessionEnded)
    assert ended.reason is CloseReason.STORE_FAILED
    assert "bytes are waiting for the store to commit" in ended.text
