"""A delayed caller: messages that waited unread are not treated as too old, but all others still are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import GapDetected, LoggedOn, MessageReceived, PeerSilent, SessionEnded
from kalshi_fix_sansio.session import State
from tests.helpers import MIN_HEART_BT_INT, NEWS, Wired, connected, established, kinds, of_type, wire_time

SHORT = MIN_HEART_BT_INT + 1


def logged_on(role: Role, name: str, heart_bt_int: int, **settings: Any) -> Wired:
    wired = connected(role, name, heart_bt_int=heart_bt_int, **settings)
    reset = "" if wired.session.config.session_type.resend else "141=Y|"
    wired.log_on(f"98=0|108={heart_bt_int}|96=eA==|1137=9|{reset}")
    assert wired.session.is_established
    wired.sent()
    return wired


def fill(wired: Wired, age: float = 0.0) -> bytes:
    """Return a report sent this many seconds ago according to the wall clock."""
    return wired.peer.message("9", NEWS, t52=wire_time(wired.clock.utc - timedelta(seconds=age)))


def is_accepted(wired: Wired, message: bytes) -> bool:
    received = of_type(wired.receive(message), MessageReceived)
    assert wired.session.is_established == bool(received)
    return bool(received)


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
@pytest.mark.parametrize("heart_bt_int", [SHORT, 30, 60])
@pytest.mark.parametrize(
    ("monotonic", "utc"), [(33.0, 33.0), (0.0, 33.0), (86_400.0, 86_400.0), (33.0, -10.0), (0.0, 86_400.0)]
)
@pytest.mark.parametrize("timer_first", [False, True])
def test_messages_received_while_the_caller_was_delayed_are_accepted(
    role: Role, name: str, heart_bt_int: int, monotonic: float, utc: float, timer_first: bool
) -> None:
    wired = logged_on(role, name, heart_bt_int)
    wired.delay_caller(monotonic, utc)
    away = max(monotonic, utc)
    waited = [fill(wired, away - second) for second in (0.5, 1, away / 2)]
    if timer_first:
        wired.session.handle_timer(wired.clock.now)
        wired.session.events()
    assert len(of_type(wired.receive(*waited), MessageReceived)) == 3
    assert wired.session.is_established


def test_messages_read_in_pieces_after_a_delay_are_accepted(wired: Wired) -> None:
    wired.delay_caller(33)
    data = fill(wired, 32.5) + fill(wired, 31)
    for at in range(0, len(data), 7):
        wired.session.receive_data(data[at : at + 7], wired.clock.advance(0.001))
    assert len(of_type(wired.session.events(), MessageReceived)) == 2


@pytest.mark.parametrize("age", [33 + 30.001, 5000, -30.001])
def test_messages_older_than_the_delay_are_still_refused(wired: Wired, age: float) -> None:
    wired.delay_caller(33)
    assert not is_accepted(wired, fill(wired, age))
    assert kinds(wired.sent())[-2:] == ["Reject", "Logout"]


def test_after_a_fresh_message_the_normal_check_applies_again(wired: Wired) -> None:
    wired.delay_caller(33)
    assert is_accepted(wired, fill(wired, 32.5))
    assert is_accepted(wired, fill(wired, 29))
    assert not is_accepted(wired, fill(wired, 31))


@pytest.mark.parametrize("heart_bt_int", [SHORT, 30, 60])
def test_a_punctual_caller_does_not_extend_the_tolerance(role: Role, heart_bt_int: int) -> None:
    wired = logged_on(role, "KalshiRT", heart_bt_int)
    for _ in range(5):
        due = wired.session.next_deadline()
        assert due is not None
        wait = due - wired.clock.monotonic
        assert wait < 10.001
        wired.session.handle_timer(wired.clock.advance(wait + 4.9))
        wired.receive(wired.peer.message("0"))
    assert not is_accepted(wired, fill(wired, 30.001))


def test_a_wall_clock_set_back_does_not_extend_the_tolerance(wired: Wired, role: Role) -> None:
    wired.delay_caller(1, -40)
    assert not is_accepted(wired, fill(wired, -40))
    again = established(role)
    again.delay_caller(1, -40)
    assert not is_accepted(again, fill(again, 31))


def test_a_wall_clock_set_ahead_extends_the_tolerance_for_earlier_messages(wired: Wired) -> None:
    wired.delay_caller(0, 40)
    for _ in range(8):
        assert is_accepted(wired, fill(wired, 40))
        wired.clock.advance(5)
    assert not is_accepted(wired, fill(wired, 39))


def test_a_second_delay_before_all_messages_are_read_extends_the_first(wired: Wired) -> None:
    wired.delay_caller(40)
    assert is_accepted(wired, fill(wired, 39))
    wired.delay_caller(40)
    assert is_accepted(wired, fill(wired, 78))
    assert is_accepted(wired, fill(wired, 60))
    assert is_accepted(wired, fill(wired, 31))


def test_without_the_check_the_caller_gets_no_deadline_for_reading(role: Role) -> None:
    wired = established(role, sending_time_tolerance=None)
    assert wired.session.next_deadline() == wired.clock.monotonic + 30
    wired.delay_caller(3600)
    assert is_accepted(wired, fill(wired, 7000))


@pytest.mark.parametrize(("tolerance", "within"), [(30.0, 10.0), (120.0, 40.0), (0.1, 1.0)])
def test_the_caller_gets_a_deadline_within_the_tolerance(tolerance: float, within: float) -> None:
    wired = logged_on(Role.INITIATOR, "KalshiRT", 60, sending_time_tolerance=tolerance)
    assert wired.session.next_deadline() == wired.clock.monotonic + within


def test_an_unread_answer_does_not_count_as_silence(wired: Wired) -> None:
    assert wired.wait(36)  # the session sends a TestRequest
    wired.delay_caller(40)
    assert wired.wait(0.1) == []
    assert is_accepted(wired, fill(wired, 39))


def test_an_unread_resend_is_not_treated_as_stalled(role: Role) -> None:
    wired = established(role, resend_attempts=1)
    assert wired.receive(wired.peer.message("0", number=5)) == [GapDetected(2, 4, recoverable=True)]
    wired.delay_caller(40)
    assert wired.wait(0.1) == []
    assert wired.session.state is State.RECOVERING


def test_messages_received_before_the_answer_to_our_logout_are_accepted(role: Role) -> None:
    wired = established(role, "KalshiNR")
    wired.session.logout(wired.clock.now)
    wired.delay_caller(33)
    assert wired.wait(0.1) == []
    received, ended = wired.receive(fill(wired, 32), wired.peer.message("5"))
    assert isinstance(received, MessageReceived)
    assert isinstance(ended, SessionEnded)
    assert ended.clean


def test_an_initiator_accepts_a_delayed_answer_to_its_logon() -> None:
    wired = connected(Role.INITIATOR, logon_timeout=60.0)
    answer = wired.peer.logon()
    wired.delay_caller(33)
    assert [type(event) for event in wired.receive(answer)] == [LoggedOn]


def test_an_unread_answer_to_the_logon_is_not_late() -> None:
    wired = connected(Role.INITIATOR)
    answer = wired.peer.logon()
    wired.delay_caller(33)
    assert wired.wait(0.1) == []
    assert [type(event) for event in wired.receive(answer)] == [LoggedOn]


def test_an_unread_answer_to_a_reset_is_not_late(wired: Wired) -> None:
    wired.session.reset(wired.clock.now)
    wired.peer.next_number = 1
    unread = wired.peer.logon("98=0|108=30|141=Y|1137=9|") + fill(wired)
    wired.delay_caller(33)
    assert wired.wait(0.1) == []
    assert [type(event) for event in wired.receive(unread)] == [LoggedOn, MessageReceived]


def test_an_acceptor_refuses_an_old_logon() -> None:
    wired = connected(Role.ACCEPTOR, logon_timeout=60.0)
    logon = wired.peer.logon()
    wired.delay_caller(33)
    assert [type(event) for event in wired.receive(logon)] == [SessionEnded]


@pytest.mark.parametrize("age", [16, 45])
def test_a_slow_logon_does_not_extend_the_tolerance_for_later_messages(age: float) -> None:
    wired = connected(Role.ACCEPTOR, logon_timeout=60.0)
    wired.delay_caller(20)
    wired.log_on()
    assert is_accepted(wired, fill(wired, age)) == (age < 30)


def test_garbage_that_ends_the_session_causes_no_test_request(role: Role) -> None:
    wired = logged_on(role, "KalshiRT", SHORT)
    wired.session.reset(wired.clock.now)
    wired.sent()
    unending = b"8=FIXT.1.1\x019=5000\x0135=A\x01"
    events = wired.receive(unending + wired.peer.message("0"))
    events += wired.wait(SHORT + 0.5)
    events += wired.wait(0.6)
    assert isinstance(events[-1], SessionEnded)
    assert of_type(events, PeerSilent) == []
    assert kinds(wired.sent())[-1] == "Logout"
