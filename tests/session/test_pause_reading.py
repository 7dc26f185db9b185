"""A caller that pauses reading because its user is slow: the session does not mistake the pause for
silence from the peer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import CloseReason, GapDetected, MessageReceived, PeerSilent, SessionEnded
from tests.helpers import NEWS, Wired, established, kinds


def test_a_pause_does_not_count_as_silence_and_heartbeats_continue(wired: Wired) -> None:
    wired.session.pause_reading()
    for _ in range(10):
        assert wired.wait(30) == []
    assert kinds(wired.sent()) == ["Heartbeat"] * 10


def test_after_the_pause_silence_is_measured_from_its_end(wired: Wired) -> None:
    wired.session.pause_reading()
    wired.wait(300)
    wired.session.resume_reading(wired.clock.now)
    assert wired.wait(35) == []
    assert [type(event) for event in wired.wait(1)] == [PeerSilent]


def test_a_test_request_sent_before_the_pause_is_forgotten(wired: Wired) -> None:
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]
    wired.session.pause_reading()
    wired.wait(300)
    wired.session.resume_reading(wired.clock.now)
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]


def test_the_resend_timeout_restarts_after_the_pause(role: Role) -> None:
    wired = established(role, resend_attempts=1, resend_timeout=20.0)
    assert wired.receive(wired.peer.message("0", number=5)) == [GapDetected(2, 4, recoverable=True)]
    wired.session.pause_reading()
    assert wired.wait(100) == []
    wired.session.resume_reading(wired.clock.now)
    assert wired.wait(19) == []
    wired.wait(1)
    ended = wired.wait(100)[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.SEQUENCE_GAP


def test_the_logon_timeout_of_a_reset_restarts_after_the_pause(wired: Wired) -> None:
    wired.session.reset(wired.clock.now)
    wired.session.pause_reading()
    assert wired.wait(100) == []
    wired.session.resume_reading(wired.clock.now)
    assert wired.wait(9) == []
    ended = wired.wait(1)[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.LOGON_TIMEOUT


def test_resuming_without_a_pause_has_no_effect() -> None:
    wired = established(Role.INITIATOR)
    wired.wait(20)
    due = wired.session.next_deadline()
    wired.session.resume_reading(wired.clock.now)
    assert wired.session.next_deadline() == due
    assert [type(event) for event in wired.wait(16)] == [PeerSilent]


def test_messages_that_waited_unread_are_not_too_old_until_a_fresh_one_arrives(wired: Wired) -> None:
    old = [wired.peer.message("9", NEWS) for _ in range(3)]
    old_heartbeat = wired.peer.message("0")
    wired.session.pause_reading()
    wired.wait(300)
    wired.session.resume_reading(wired.clock.now)
    events = wired.receive(*old, old_heartbeat)
    assert [type(event) for event in events] == [MessageReceived] * 3
    late = wired.peer.message("0", t52="20260821-14:03:07", number=7)
    wired.receive(wired.peer.message("0"), late)
    assert kinds(wired.sent())[-2:] == ["Reject", "Logout"]


@pytest.mark.parametrize(("sent_before", "answers"), [(29, []), (31, ["Reject", "Logout"])])
def test_the_age_of_a_waiting_message_is_measured_on_arrival(
    wired: Wired, sent_before: int, answers: list[str]
) -> None:
    sent_at = wired.clock.utc - timedelta(seconds=sent_before)
    wired.session.pause_reading()
    wired.wait(300)
    wired.sent()
    wired.session.resume_reading(wired.clock.now, waited=300.0)
    wired.receive(wired.peer.message("0", t52=f"{sent_at:%Y%m%d-%H:%M:%S}"))
    assert kinds(wired.sent()) == answers


def test_the_waiting_time_does_not_matter_without_a_tolerance(role: Role) -> None:
    wired = established(role, sending_time_tolerance=None)
    wired.session.pause_reading()
    wired.session.resume_reading(wired.clock.now, waited=1.0)
    wired.receive(wired.peer.message("0", t52="20200821-14:13:07"))
    assert wired.sent() == []


def test_a_future_sending_time_is_wrong_even_after_a_pause(wired: Wired) -> None:
    wired.session.pause_reading()
    wired.session.resume_reading(wired.clock.now)
    wired.receive(wired.peer.message("0", t52="20260821-14:13:07"))
    assert kinds(wired.sent()) == ["Reject", "Logout"]
