"""Confirmation of events by the user, and how far the store advances."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from kalshi_fix_sansio.config import LogonToSign, Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.session import Session
from tests.helpers import LOGON, LoggedStore, Wired, cancel_reject, connected, established

RESET_LOGON = LOGON + "141=Y|"


def explicit_session(role: Role = Role.INITIATOR, name: str = "KalshiRT", **changes: object) -> Wired:
    """Return a session whose user confirms explicitly and has confirmed all events so far."""
    wired = established(role, name, LoggedStore(), explicit_confirm=True, **changes)
    wired.session.confirm()
    return wired


def test_the_store_is_updated_once_for_any_number_of_events(role: Role) -> None:
    wired = explicit_session(role)
    store = wired.session.store
    assert isinstance(store, LoggedStore)
    before = len(store.log)
    wired.receive(*(cancel_reject(wired) for _ in range(100)))
    wired.session.confirm()
    assert store.next_incoming == 102
    assert len(store.log) == before + 1


def test_unfetched_events_are_passed_to_the_next_connection(role: Role) -> None:
    wired = explicit_session(role)
    wired.receive(cancel_reject(wired))
    wired.session.receive_data(cancel_reject(wired), wired.clock.now)
    wired.session.receive_eof(wired.clock.now)
    previous = wired.session
    wired.reconnect()
    events = wired.log_on()
    assert [type(event) for event in events[:2]] == [MessageReceived, SessionEnded]
    assert isinstance(events[-1], LoggedOn)
    assert previous.events() == []
    assert previous.data_to_send() == b""
    previous.confirm()
    assert wired.session.store.next_incoming == 2
    wired.session.confirm()
    assert wired.session.store.next_incoming == 5


@pytest.mark.parametrize("late_call", [Session.events, Session.confirm])
def test_a_late_call_to_the_previous_session_does_not_change_the_store(
    role: Role, late_call: Callable[[Session], object]
) -> None:
    wired = established(role)
    wired.receive(cancel_reject(wired), cancel_reject(wired))
    wired.disconnect()
    wired.session.events()
    previous = wired.session
    wired.reconnect()
    wired.session.store.reset()
    late_call(previous)
    assert wired.session.store.next_incoming == 1


def test_confirming_an_event_from_before_another_store_was_accepted_does_not_advance_that_store() -> None:
    wired = connected(Role.ACCEPTOR, explicit_confirm=True)
    wired.receive(wired.peer.logon(LOGON, 30))
    store = LoggedStore(next_incoming=30)
    wired.session.accept_logon(wired.clock.now, store=store)
    wired.session.events()
    wired.session.confirm(1)
    assert store.next_incoming == 30
    wired.session.confirm(1)
    assert store.next_incoming == 31


def test_a_session_that_failed_to_connect_can_be_continued() -> None:
    wired = explicit_session(Role.INITIATOR)
    wired.receive(cancel_reject(wired), cancel_reject(wired))
    wired.disconnect()

    def fail(logon: LogonToSign) -> bytes:
        raise ValueError(logon)

    settings = attrs.evolve(wired.session.config, sign_logon=fail)
    failed = Session(settings, continues=wired.session)
    with pytest.raises(ValueError, match="LogonToSign"):
        failed.connect(wired.clock.now)
    failed.confirm(1)
    assert failed.store.next_incoming == 3
    wired.session = Session(attrs.evolve(settings, sign_logon=None), continues=failed)
    wired.session.confirm(1)
    assert wired.session.store.next_incoming == 4


def test_only_an_ended_session_can_be_continued_and_only_with_its_own_store() -> None:
    wired = established(Role.INITIATOR)
    with pytest.raises(LocalProtocolError, match="must not be running"):
        Session(wired.session.config, continues=wired.session)
    wired.disconnect()
    with pytest.raises(LocalProtocolError, match="uses the store of `continues`"):
        Session(wired.session.config, LoggedStore(), continues=wired.session)


# --- commits --------------------------------------------------------------------------------------------


def test_bytes_are_sent_only_after_a_commit_and_no_commit_is_made_without_changes(role: Role) -> None:
    store = LoggedStore()
    wired = established(role, store=store)
    assert store.committed == len(store.log) == 1
    commits = store.commits
    assert wired.session.data_to_send() == b""
    wired.receive(cancel_reject(wired))
    wired.session.events()
    assert wired.session.data_to_send() == b""
    assert store.commits == commits
    wired.receive(wired.peer.message("1", "112=x|"))
    assert wired.sent() != []
    assert store.commits == commits + 1
    assert store.committed == len(store.log)


def test_the_answer_to_a_reset_is_committed_although_no_message_is_sent() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    wired.session.reset(wired.clock.now)
    wired.session.data_to_send()
    assert store.after_crash().reset_unanswered
    wired.receive(wired.peer.logon(RESET_LOGON, 1))
    assert store.after_crash().reset_unanswered
    assert wired.session.data_to_send() == b""
    assert not store.after_crash().reset_unanswered


def test_a_gap_fill_without_a_new_number_commits_the_confirmed_events(role: Role) -> None:
    store = LoggedStore()
    wired = established(role, store=store)
    for confirmed in (2, 3):
        wired.session.confirm()
        assert store.next_incoming == confirmed
        assert store.after_crash().next_incoming == confirmed - 1
        wired.receive(wired.peer.message("2", "7=1|16=0|"))
        assert wired.sent() != []
        assert store.after_crash().next_incoming == confirmed


def test_events_returned_by_the_previous_session_count_towards_max_events_until_confirmed() -> None:
    wired = explicit_session(max_events=2)
    wired.receive(cancel_reject(wired))
    wired.disconnect()
    later = Session(wired.session.config, continues=wired.session)
    later.connect(wired.clock.now)
    with pytest.raises(LocalProtocolError, match="unconfirmed events: 2"):
        later.receive_data(b"8", wired.clock.now)
    later.confirm()
    later.receive_data(b"8", wired.clock.now)
