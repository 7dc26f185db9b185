"""Commits that complete later: outgoing bytes wait for them, and all other work continues."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError, StoreError
from kalshi_fix_sansio.events import CloseReason, LogoutReceived, OutcomesUnknown, SessionEnded, Uncertainty
from kalshi_fix_sansio.session import Session, State
from tests.helpers import LOGON, NEWS, LateStore, Wired, connected, messages, of_type, one, order
from tests.samples import cancel_reject

STORE_LOST = "another process has taken over the store"


def late_session(
    role: Role = Role.INITIATOR, name: str = "KalshiRT", **changes: Any
) -> tuple[Wired, LateStore]:
    """Return a logged-on session whose store completes later commits only when a test requests it."""
    store = LateStore()
    wired = connected(role, name, store, **changes)
    wired.log_on(LOGON.replace("=30", f"={wired.session.config.heart_bt_int}"))
    wired.session.data_to_send()
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


def test_bytes_without_a_record_do_not_overtake_waiting_bytes() -> None:
    wired, store = late_session(Role.ACCEPTOR)
    session = wired.session
    session.send(cancel_reject("o1"), wired.clock.now)
    store.complete(session.begin_commit())
    assert types(session.data_to_send()) == ["9"]
    session.send(cancel_reject("o2"), wired.clock.now)
    # The resent message needs no record, but must not overtake the waiting message.
    wired.receive(wired.peer.message("2", "7=2|16=2|"))
    assert session.data_to_send() == b""
    store.complete()
    assert types(session.data_to_send()) == ["9", "9"]


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


def test_timers_run_during_a_commit() -> None:
    wired, store = late_session(commit_timeout=14, heart_bt_int=30)
    session = wired.session
    wired.clock.advance(20)
    send(wired, "a1")
    wired.clock.advance(10)
    wired.receive(wired.peer.message("1", "112=x|"))  # answered with a Heartbeat
    assert session.data_to_send() == b""
    store.complete()
    assert types(session.data_to_send()) == ["D", "0"]
    wired.clock.advance(30)
    session.handle_timer(wired.clock.now)
    assert session.data_to_send() == b""
    store.complete()
    assert types(session.data_to_send()) == ["0"]
    assert session.is_established


@pytest.mark.parametrize(("timeout", "heart_bt_int", "limit"), [(10, 30, 10), (20, 30, 15)])
def test_a_commit_that_exceeds_the_time_limit_ends_the_session(
    timeout: float, heart_bt_int: int, limit: float
) -> None:
    wired, store = late_session(commit_timeout=timeout, heart_bt_int=heart_bt_int)
    session = wired.session
    send(wired, "a1")
    wired.clock.advance(limit - 0.5)
    send(wired, "a2")
    session.handle_timer(wired.clock.now)
    assert session.is_established
    assert session.next_deadline() == pytest.approx(wired.clock.monotonic + 0.5)
    wired.clock.advance(0.5)
    session.handle_timer(wired.clock.now)
    unknown, ended = session.events()
    assert isinstance(unknown, OutcomesUnknown)
    assert (unknown.request_ids, unknown.why) == (("a1", "a2"), Uncertainty.STORE_FAILED)
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (
        CloseReason.STORE_FAILED,
        f"the store has not completed a commit within {limit:g} seconds",
    )
    store.complete()
    assert session.data_to_send() == b""
    with pytest.raises(LocalProtocolError):
        session.send(order("a3"), wired.clock.now)


def test_the_limit_applies_to_each_commit_separately() -> None:
    wired, store = late_session(commit_timeout=10)
    session = wired.session
    for number in range(2):
        send(wired, f"a{number}")
        wired.clock.advance(6)
        send(wired, f"b{number}")
        session.handle_timer(wired.clock.now)
        store.complete(session.ticket - 1)
        assert types(session.data_to_send()) == ["D"]
        wired.clock.advance(6)
        session.handle_timer(wired.clock.now)
        store.complete()
        assert types(session.data_to_send()) == ["D"]
    assert session.is_established


def test_a_delayed_caller_is_not_mistaken_for_a_hanging_store() -> None:
    wired, store = late_session(commit_timeout=5)
    send(wired, "a1")
    store.complete()
    wired.clock.advance(6)
    wired.session.handle_timer(wired.clock.now)
    assert types(wired.session.data_to_send()) == ["D"]
    # If the whole process was suspended, its store had no time to commit either.
    send(wired, "a2")
    wired.clock.advance(25)
    wired.session.handle_timer(wired.clock.now)
    assert wired.session.data_to_send() == b""
    wired.session.handle_timer(wired.clock.now)
    assert wired.session.state is State.ESTABLISHED
    assert wired.session.next_deadline() == wired.clock.monotonic + 5


def test_a_pause_in_reading_does_not_extend_the_time_of_a_commit() -> None:
    wired, _ = late_session(commit_timeout=5)
    send(wired, "a1")
    for _ in range(5):
        wired.session.pause_reading()
        wired.clock.advance(1)
        wired.session.resume_reading(wired.clock.now)
    wired.session.handle_timer(wired.clock.now)
    assert isinstance(wired.session.events()[-1], SessionEnded)


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
    wired.receive(wired.peer.message("9", NEWS))
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


def test_a_commit_that_fails_later_ends_the_session(role: Role) -> None:
    wired, store = late_session(role)
    session = wired.session
    session.test_request(wired.clock.now)
    assert session.data_to_send() == b""
    store.fail("the disk is full")
    assert session.data_to_send() == b""
    assert one(session.events(), SessionEnded).reason is CloseReason.STORE_FAILED
    with pytest.raises(LocalProtocolError):
        session.test_request(wired.clock.now)


def test_the_timer_also_detects_a_failed_commit() -> None:
    wired, store = late_session(commit_timeout=5)
    send(wired, "a1")
    store.fail("the disk is full")
    wired.clock.advance(5)
    wired.session.handle_timer(wired.clock.now)
    assert of_type(wired.session.events(), SessionEnded)[0].text == "the disk is full"


@pytest.mark.parametrize("waiting", [False, True])
def test_a_lost_store_ends_the_session_without_sending_another_byte(role: Role, waiting: bool) -> None:
    wired, store = late_session(role)
    session = wired.session
    if waiting:
        session.test_request(wired.clock.now)
        session.data_to_send()
    session.store_lost(StoreError(STORE_LOST))
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


def test_a_logout_waits_for_its_commit(role: Role) -> None:
    wired, store = late_session(role)
    session = wired.session
    session.receive_data(wired.peer.message("5"), wired.clock.now)
    assert (session.data_to_send(), session.wants_close) == (b"", True)
    assert [type(event) for event in session.events()] == [LogoutReceived, SessionEnded]
    assert session.unreleased > 0
    store.complete()
    assert types(session.data_to_send()) == ["5"]
    assert session.unreleased == 0


def test_bytes_that_wait_at_the_end_of_the_connection_are_dropped() -> None:
    wired, store = late_session()
    session = wired.session
    [ticket] = send(wired, "a1")
    wired.cut()
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


def test_received_messages_are_delivered_during_a_commit() -> None:
    wired, store = late_session()
    send(wired, "a1")
    assert len(wired.receive(wired.peer.message("9", NEWS))) == 1
    assert wired.session.unreleased > 0
    store.complete()
    assert types(wired.session.data_to_send()) == ["D"]
