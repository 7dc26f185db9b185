"""Gaps in what comes in: asking, holding, delivering, asking again, giving up."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    GapClosed,
    GapDetected,
    LogoutReceived,
    MessageReceived,
    MessageRejected,
    RejectReceived,
    ResendServed,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore, State
from tests.helpers import Wired, established, kinds, of_type

BOTH = pytest.mark.parametrize("role", Role)


def news(wired: Wired, number: int | None = None, *, again: bool = False) -> bytes:
    """An application message that carries its number."""
    shown = wired.peer.next_number if number is None else number
    body = f"434=1|37=o|11=m{shown}|39=8|"
    if again:
        return wired.peer.message("9", body, number, t43="Y", t122="20260821-14:03:07")
    return wired.peer.message("9", body, number)


def fill(wired: Wired, number: int, new_seq_no: int) -> bytes:
    return wired.peer.message("4", f"123=Y|36={new_seq_no}|", number, t43="Y", t122="20260821-14:03:07")


def state_of(wired: Wired) -> State:
    return wired.session.state


def delivered(events: list[Event]) -> list[int]:
    return [event.message.header.msg_seq_num for event in of_type(events, MessageReceived)]


def asked(wired: Wired) -> list[tuple[int, int]]:
    return [(m.begin_seq_no, m.end_seq_no) for m in wired.sent() if m.NAME == "ResendRequest"]


@BOTH
def test_a_gap_fill_over_held_messages_loses_none_of_them(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired, 5), news(wired, 7))
    events = wired.receive(fill(wired, 2, 9))
    assert [event for event in events if not isinstance(event, MessageReceived)] == [
        SequenceSkipped(2, 4, gap_fill=True),
        SequenceSkipped(6, 6, gap_fill=True),
        SequenceSkipped(8, 8, gap_fill=True),
        GapClosed(9),
    ]
    assert delivered(events) == [5, 7]


@BOTH
def test_session_messages_are_served_while_waiting_and_counted_in_their_turn(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired, 4))
    wired.sent()
    events = wired.receive(
        wired.peer.message("1", "112=alive?|", 5),
        wired.peer.message("0", "", 6),
        wired.peer.message("2", "7=1|16=0|", 7),
    )
    assert of_type(events, ResendServed) == [ResendServed(1, 3, 0)]
    heartbeat, gap_fill = wired.sent()
    assert heartbeat.test_req_id == "alive?"
    assert (gap_fill.NAME, gap_fill.new_seq_no) == ("SequenceReset", 4)
    events = wired.receive(fill(wired, 2, 4))
    assert events[-1] == GapClosed(8)
    assert kinds(wired.sent()) == []


@BOTH
def test_a_logout_while_waiting_is_answered_and_the_gap_stays_for_the_next_logon(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired, 5))
    wired.sent()
    events = wired.receive(wired.peer.message("5", "58=maintenance|", 6))
    assert isinstance(events[0], LogoutReceived)
    assert isinstance(events[1], SessionEnded)
    assert events[1].clean
    assert kinds(wired.sent()) == ["Logout"]
    assert wired.session.next_incoming == 2


@BOTH
def test_what_is_held_is_bounded_and_the_rest_is_asked_for_again(role: Role) -> None:
    wired = established(role, max_held=3)
    wired.receive(*(news(wired, number) for number in range(3, 21)))
    assert asked(wired) == [(2, 2)]
    events = wired.receive(news(wired, 2, again=True))
    assert delivered(events) == [2, 3, 4, 5]
    assert asked(wired) == [(6, 20)]
    events = wired.receive(*(news(wired, number, again=True) for number in range(6, 21)))
    assert delivered(events) == list(range(6, 21))
    assert events[-1] == GapClosed(21)


@BOTH
def test_a_number_held_twice_is_delivered_once(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired, 4), news(wired, 4, again=True))
    assert delivered(wired.receive(fill(wired, 2, 4))) == [4]


@BOTH
def test_a_reject_of_something_else_during_a_gap_changes_nothing(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired, 5))
    events = wired.receive(wired.peer.message("3", "45=1|", 6))
    assert [type(event) for event in events] == [RejectReceived]
    assert wired.session.state is State.RECOVERING
    assert wired.session.next_incoming == 2


@BOTH
def test_a_reject_that_reveals_the_gap_changes_nothing_either(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("3", "45=2|", 5))
    assert asked(wired) == [(2, 4)]
    assert wired.session.next_incoming == 2


@BOTH
def test_progress_gives_a_resend_all_its_attempts_again(role: Role) -> None:
    """`resend_attempts` counts requests without any progress between them, however slow the resend is."""
    wired = established(role, resend_timeout=20, resend_attempts=2)
    wired.receive(news(wired, 7))
    assert asked(wired) == [(2, 6)]
    for number in range(2, 6):
        wired.wait(20)
        assert asked(wired) == [(number, 6)]
        wired.receive(wired.peer.message("0", "", 6 + number), news(wired, number, again=True))
    wired.wait(20)
    assert asked(wired) == [(6, 6)]
    wired.wait(20)
    (logout,) = [message for message in wired.sent() if message.NAME == "Logout"]
    assert logout.text == "the resend of messages 6 to 6 did not come"


@BOTH
def test_a_gap_on_a_session_without_resend_ends_in_a_logout_that_says_why(role: Role) -> None:
    wired = established(role, "KalshiNR")
    events = wired.receive(news(wired, 5), news(wired, 6), wired.peer.message("1", "112=x|", 7))
    assert events == [GapDetected(2, 4, recoverable=False)]
    text = "MsgSeqNum too high, expecting 2 but received 5, and this session has no resend"
    (logout,) = wired.sent()
    assert (logout.NAME, logout.text) == ("Logout", text)
    assert wired.session.state is State.LOGOUT_SENT
    (ended,) = wired.receive(wired.peer.message("5", "58=bye|", 8))
    assert ended == SessionEnded(CloseReason.SEQUENCE_GAP, text, clean=True)


@BOTH
@pytest.mark.parametrize("how", ["deadline", "end of file", "too low"])
def test_such_a_session_says_why_however_it_ends(role: Role, how: str) -> None:
    wired = established(role, "KalshiNR")
    wired.receive(news(wired, 5))
    text = "MsgSeqNum too high, expecting 2 but received 5, and this session has no resend"
    if how == "deadline":
        (ended,) = wired.wait(10)
    elif how == "end of file":
        wired.session.receive_eof(wired.clock.now)
        (ended,) = wired.session.events()
    else:
        (ended,) = wired.receive(news(wired, 1))
        text = "MsgSeqNum too low, expecting 2 but received 1"
    assert isinstance(ended, SessionEnded)
    assert (ended.text, ended.clean) == (text, False)
    assert ended.reason is (CloseReason.SEQUENCE_TOO_LOW if how == "too low" else CloseReason.SEQUENCE_GAP)


@BOTH
def test_a_gap_after_our_logout_is_left_to_the_next_logon(role: Role) -> None:
    wired = established(role)
    wired.session.logout(wired.clock.now)
    wired.sent()
    assert wired.receive(news(wired, 5)) == []
    assert wired.receive(wired.peer.message("1", "112=x|", 6)) == []
    assert kinds(wired.sent()) == ["Heartbeat"]
    assert wired.session.next_incoming == 2


@BOTH
def test_a_reset_by_the_peer_ends_the_recovery(role: Role) -> None:
    wired = established(role)
    wired.receive(news(wired, 5))
    wired.sent()
    wired.receive(wired.peer.logon("98=0|108=30|96=eA==|1137=9|141=Y|", 1))
    assert wired.session.state is State.ESTABLISHED
    assert kinds(wired.sent()) == ["Logon"]
    wired.clock.advance(1)
    assert delivered(wired.receive(news(wired, 2))) == [2]
    assert wired.wait(29.5) == []
    assert asked(wired) == []


@BOTH
def test_a_strict_session_refuses_a_held_message_in_its_turn(role: Role) -> None:
    wired = established(role, strict=True)
    wired.receive(wired.peer.message("0", "9999=x|", 3))
    assert asked(wired) == [(2, 2)]
    events = wired.receive(fill(wired, 2, 3))
    assert isinstance(events[1], MessageRejected)
    assert events[-1] == GapClosed(4)
    (reject,) = wired.sent()
    assert (reject.NAME, reject.ref_seq_num, reject.ref_tag_id) == ("Reject", 3, 9999)


@BOTH
def test_an_ended_session_delivers_nothing_more_of_what_was_held(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("2", "7=1|16=0|", 4), news(wired, 5))
    store = wired.session.store
    wired.receive(news(wired, 1))
    assert wired.session.state is State.CLOSED
    assert wired.receive(fill(wired, 2, 4)) == []
    assert store.next_incoming == 2


@BOTH
def test_two_peers_with_a_gap_each_get_out_of_it(role: Role) -> None:
    store = MemoryStore(next_outgoing=9, next_incoming=5)
    wired = established(role, store=store)
    events = wired.receive(wired.peer.message("2", "7=3|16=0|", 7))
    assert kinds(wired.sent()) == (
        ["SequenceReset", "ResendRequest"] if role is Role.INITIATOR else ["Reject", "ResendRequest"]
    )
    assert of_type(events, GapDetected) == [GapDetected(6, 6, recoverable=True)]
    assert wired.receive(fill(wired, 6, 8))[-1] == GapClosed(8)
