"""Confirmation of events by the user, and how far the store advances."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from kalshi_fix_sansio.config import LogonToSign, Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import GapDetected, LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.session import Session, State
from tests.helpers import DUP, LOGON, NEWS, LoggedStore, Wired, connected, established, of_type

RESET_LOGON = LOGON + "141=Y|"


def explicit(role: Role = Role.INITIATOR, name: str = "KalshiRT", **changes: object) -> Wired:
    """Return a session whose user confirms explicitly and has confirmed all events so far."""
    wired = established(role, name, LoggedStore(), explicit_confirm=True, **changes)
    wired.session.confirm()
    return wired


@pytest.fixture
def wired(role: Role) -> Wired:
    """Return a session, in each role, whose user confirms explicitly."""
    return explicit(role)


def news(wired: Wired, number: int | None = None, **header: str) -> bytes:
    return wired.peer.message("9", NEWS, number, **header)


def test_each_call_of_events_confirms_the_events_of_the_previous_call(role: Role) -> None:
    wired = established(role)
    store = wired.session.store
    assert store.next_incoming == 1
    assert wired.session.unconfirmed == (1 if role is Role.INITIATOR else 2)
    wired.receive(news(wired))
    assert store.next_incoming == 2
    wired.receive(news(wired), news(wired))
    assert store.next_incoming == 3
    assert wired.session.next_incoming == 5
    assert wired.session.events() == []
    assert store.next_incoming == 5
    assert wired.session.unconfirmed == 0


def test_waiting_events_are_not_confirmed(wired: Wired) -> None:
    wired.session.receive_data(news(wired), wired.clock.now)
    wired.session.confirm()
    assert wired.session.store.next_incoming == 2
    assert wired.session.unconfirmed == 0


def test_an_explicit_user_confirms_event_by_event(wired: Wired) -> None:
    store = wired.session.store
    wired.receive(news(wired), wired.peer.message("0"), news(wired), news(wired))
    assert wired.session.events() == []
    assert store.next_incoming == 2
    wired.session.confirm(1)
    assert store.next_incoming == 4
    wired.session.confirm(0)
    assert store.next_incoming == 4
    wired.session.confirm(2)
    assert store.next_incoming == 6


@pytest.mark.parametrize("count", [2, -1])
def test_only_returned_events_can_be_confirmed(wired: Wired, count: int) -> None:
    wired.receive(news(wired))
    with pytest.raises(LocalProtocolError, match=f"cannot confirm {count} events: 1 wait for it"):
        wired.session.confirm(count)
    assert wired.session.unconfirmed == 1


def test_only_session_messages_need_no_confirmation(wired: Wired) -> None:
    wired.receive(wired.peer.message("0"), wired.peer.message("1", "112=x|"))
    assert wired.session.store.next_incoming == 4


def test_the_store_is_updated_once_for_any_number_of_events(wired: Wired) -> None:
    store = wired.session.store
    assert isinstance(store, LoggedStore)
    before = len(store.log)
    wired.receive(*(news(wired) for _ in range(100)))
    wired.session.confirm()
    assert store.next_incoming == 102
    assert len(store.log) == before + 1


def marks(wired: Wired) -> list[tuple[str, int]]:
    """Confirm the events one by one. Return each event's name, with the next incoming number in the store
    before its confirmation."""
    found = []
    for event in wired.session.events():
        found.append((type(event).__name__, wired.session.store.next_incoming))
        wired.session.confirm(1)
    return found


def rejected(wired: Wired) -> bytes:
    return wired.peer.message("9", NEWS + "9999=x|")


CASES: dict[str, tuple[Callable[[Wired], bytes], list[tuple[str, int]], int]] = {
    "messages": (lambda w: news(w) + news(w), [("MessageReceived", 2), ("MessageReceived", 3)], 4),
    "reject": (lambda w: w.peer.message("3", "45=1|"), [("RejectReceived", 2)], 3),
    "heartbeat asked for": (lambda w: w.peer.message("0", "112=x|"), [("HeartbeatReceived", 2)], 3),
    "second logon": (lambda w: w.peer.logon(), [("MessageRejected", 2)], 3),
    "garbage": (lambda w: news(w) + b"garbage" + news(w), [], 4),
    "foreign sender": (
        lambda w: w.peer.message("0", t49="x"),
        [("MessageRejected", 2), ("SessionEnded", 2)],
        2,
    ),
    "logout": (lambda w: w.peer.message("5"), [("LogoutReceived", 2), ("SessionEnded", 3)], 3),
    "gap fill": (
        lambda w: w.peer.message("4", "123=Y|36=9|", **DUP) + w.peer.message("0", "112=x|", 9),
        [("SequenceSkipped", 2), ("HeartbeatReceived", 9)],
        10,
    ),
    "reset mode": (lambda w: w.peer.message("4", "36=9|"), [("SequenceSkipped", 2)], 9),
    "gap": (lambda w: news(w, 5), [("GapDetected", 2)], 2),
    "gap closed": (
        lambda w: news(w, 4) + news(w, 2, **DUP) + news(w, 3, **DUP),
        [
            ("GapDetected", 2),
            ("MessageReceived", 2),
            ("MessageReceived", 3),
            ("MessageReceived", 4),
            ("GapClosed", 5),
        ],
        5,
    ),
    "reject ahead of a gap": (
        lambda w: w.peer.message("3", "45=1|", 3),
        [("RejectReceived", 2), ("GapDetected", 2)],
        2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_event_lets_the_store_pass_its_own_number(wired: Wired, case: str) -> None:
    write, expected, end = CASES[case]
    wired.session.receive_data(write(wired), wired.clock.now)
    found = marks(wired)
    if expected:
        assert found == expected
    assert wired.session.store.next_incoming == end


def test_a_message_refused_by_a_strict_side_counts_once_confirmed(role: Role) -> None:
    wired = explicit(role, strict=True)
    wired.session.receive_data(rejected(wired), wired.clock.now)
    assert marks(wired) == [("MessageRejected", 2)]
    assert wired.session.store.next_incoming == 3


def test_lost_messages_count_once_confirmed(wired: Wired) -> None:
    wired.session.receive_data(news(wired, 3), wired.clock.now)
    wired.session.receive_data(wired.peer.message("3", "45=2|", 4), wired.clock.now)
    assert marks(wired) == [
        ("GapDetected", 2),
        ("RejectReceived", 2),
        ("MessagesLost", 2),
        ("MessageReceived", 3),
        ("GapClosed", 5),
    ]
    assert wired.session.store.next_incoming == 5


def test_an_acceptors_logon_counts_once_both_its_events_are_confirmed(role: Role) -> None:
    wired = established(role, store=LoggedStore(), explicit_confirm=True)
    assert wired.session.store.next_incoming == 1
    wired.session.confirm()
    assert wired.session.store.next_incoming == 2


def test_confirming_events_from_before_a_reset_does_not_advance_the_store(wired: Wired) -> None:
    wired.receive(news(wired), news(wired), news(wired))
    wired.session.reset(wired.clock.now)
    wired.receive(news(wired), news(wired))
    assert wired.session.next_incoming == 7
    wired.session.confirm(2)
    assert wired.session.store.next_incoming == 1
    wired.receive(wired.peer.logon(RESET_LOGON, 1), news(wired, 2))
    wired.session.confirm(3)
    assert wired.session.store.next_incoming == 1
    wired.session.confirm(1)
    assert wired.session.store.next_incoming == 2
    wired.session.confirm()
    assert wired.session.store.next_incoming == 3


def test_confirming_events_during_an_unanswered_reset_does_not_advance_the_store(wired: Wired) -> None:
    wired.session.reset(wired.clock.now)
    wired.receive(news(wired))
    wired.cut()
    wired.session.confirm()
    assert wired.session.store.next_incoming == 1


# --- the next connection --------------------------------------------------------------------------------


def next_of(wired: Wired) -> None:
    """Log on again on a new connection of the same process, and check the numbers that both sides expect."""
    number = wired.session.next_incoming
    wired.reconnect()
    wired.session.receive_data(wired.peer.logon(LOGON, number), wired.clock.now)
    if wired.session.state is State.LOGON_RECEIVED:
        wired.session.accept_logon(wired.clock.now)
    wired.peer.next_number = number + 1


def test_events_of_several_connections_are_confirmed_in_sequence(wired: Wired) -> None:
    store = wired.session.store
    wired.receive(news(wired), news(wired))
    wired.cut()
    next_of(wired)
    assert wired.session.store is store
    assert not of_type(wired.session.events(), GapDetected)
    wired.receive(news(wired))
    wired.cut()
    next_of(wired)
    assert not of_type(wired.session.events(), GapDetected)
    wired.receive(news(wired))
    assert wired.session.next_incoming == 8
    wired.session.confirm(1)
    assert store.next_incoming == 3
    wired.session.confirm(2)
    assert store.next_incoming == 4
    wired.session.confirm()
    assert store.next_incoming == 8


def test_unfetched_events_are_passed_to_the_next_connection(wired: Wired) -> None:
    wired.receive(news(wired))
    wired.session.receive_data(news(wired), wired.clock.now)
    wired.session.receive_eof(wired.clock.now)
    former = wired.session
    next_of(wired)
    events = wired.session.events()
    assert [type(event) for event in events[:2]] == [MessageReceived, SessionEnded]
    assert isinstance(events[-1], LoggedOn)
    assert former.events() == []
    assert former.data_to_send() == b""
    former.confirm()
    assert wired.session.store.next_incoming == 2
    wired.session.confirm()
    assert wired.session.store.next_incoming == 5


def test_a_user_that_confirms_by_fetching_continues_to_do_so(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired))
    wired.cut()
    next_of(wired)
    assert wired.session.store.next_incoming == 3
    wired.session.events()
    assert wired.session.store.next_incoming == 3
    wired.session.events()
    assert wired.session.store.next_incoming == 4


def test_a_reset_between_two_connections_voids_waiting_confirmations(wired: Wired) -> None:
    wired.receive(news(wired), news(wired))
    wired.cut()
    wired.reconnect()
    wired.log_on(RESET_LOGON, 1)
    wired.session.confirm(3)
    assert wired.session.store.next_incoming == 1
    wired.session.confirm()
    assert wired.session.store.next_incoming == 2


def test_another_store_at_accepting_voids_waiting_confirmations() -> None:
    wired = connected(Role.ACCEPTOR, explicit_confirm=True)
    wired.receive(wired.peer.logon(LOGON, 30))
    store = LoggedStore(next_incoming=30)
    wired.session.accept_logon(wired.clock.now, store=store)
    wired.session.events()
    wired.session.confirm(1)
    assert store.next_incoming == 30
    wired.session.confirm(1)
    assert store.next_incoming == 31


def test_a_session_that_failed_to_begin_can_be_continued() -> None:
    wired = explicit(Role.INITIATOR)
    wired.receive(news(wired), news(wired))
    wired.cut()

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


def test_only_an_ended_session_can_be_continued_and_with_its_own_store() -> None:
    wired = established(Role.INITIATOR)
    with pytest.raises(LocalProtocolError, match="continues one that has ended"):
        Session(wired.session.config, continues=wired.session)
    wired.cut()
    with pytest.raises(LocalProtocolError, match="on the store that this one had"):
        Session(wired.session.config, LoggedStore(), continues=wired.session)


# --- commits --------------------------------------------------------------------------------------------


def test_bytes_are_sent_only_after_a_commit_and_no_commit_is_made_without_changes(role: Role) -> None:
    store = LoggedStore()
    wired = established(role, store=store)
    assert store.committed == len(store.log) == 1
    commits = store.commits
    assert wired.session.data_to_send() == b""
    wired.receive(news(wired))
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


def test_a_user_who_never_confirms_gets_an_error(role: Role) -> None:
    wired = explicit(role, max_events=3)
    wired.receive(news(wired), news(wired))
    assert wired.session.unconfirmed == 2
    wired.session.receive_data(news(wired), wired.clock.now)
    more = news(wired)
    with pytest.raises(LocalProtocolError, match="2 events are not confirmed, and 1 wait"):
        wired.session.receive_data(more, wired.clock.now)
    wired.session.events()
    with pytest.raises(LocalProtocolError, match="3 events are not confirmed, and 0 wait"):
        wired.session.receive_data(more, wired.clock.now)
    wired.session.confirm(1)
    assert len(wired.receive(more)) == 1  # The refused input was not consumed and is passed in again.
    assert wired.session.unconfirmed == 3


def test_events_returned_by_the_previous_session_count_until_confirmed() -> None:
    wired = explicit(max_events=2)
    wired.receive(news(wired))
    wired.cut()
    later = Session(wired.session.config, continues=wired.session)
    later.connect(wired.clock.now)
    with pytest.raises(LocalProtocolError, match="2 events are not confirmed"):
        later.receive_data(b"8", wired.clock.now)
    later.confirm()
    later.receive_data(b"8", wired.clock.now)


def test_a_user_who_confirms_by_fetching_has_no_such_bound(role: Role) -> None:
    wired = established(role, max_events=2)
    for _ in range(3):
        wired.session.receive_data(news(wired) + news(wired) + news(wired), wired.clock.now)
        assert len(wired.session.events()) == 3
    assert wired.session.unconfirmed == 3
