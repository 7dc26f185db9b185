"""Heartbeats, TestRequest and silence, in virtual time."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, GarbledReceived, MessageReceived, PeerSilent, SessionEnded
from tests.helpers import NEWS, Wired, established, kinds, of_type, one, wire


def test_unsent_heartbeats_are_bounded_when_the_peer_stops_reading(role: Role) -> None:
    wired = established(role, max_unsent=300)
    reported = []
    for _ in range(20):
        wired.receive(wired.peer.message("0"))
        reported += wired.wait(30)
    (ended,) = reported
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (CloseReason.PROTOCOL_ERROR, "the peer has stopped reading")
    assert 600 < ended.unsent < 900
    assert set(kinds(wired.sent())) == {"Heartbeat"}


def test_a_step_of_the_wall_clock_does_not_move_deadlines(wired: Wired) -> None:
    deadline = wired.session.next_deadline()
    wired.clock.utc = wired.clock.utc.replace(year=2031)
    assert wired.session.next_deadline() == deadline
    assert wired.wait(1) == []
    assert wired.sent() == []


def test_a_long_sleep_of_this_process_does_not_end_the_session(wired: Wired) -> None:
    wired.delay_caller(3600)
    assert wired.wait(1) == []
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]
    assert wired.session.is_established


def test_a_user_can_send_a_test_request(wired: Wired) -> None:
    assert wired.session.test_request(wired.clock.now, test_req_id="mine") == "mine"
    first = wired.session.test_request(wired.clock.now)
    second = wired.session.test_request(wired.clock.now)
    assert first != second
    assert [message.test_req_id for message in wired.sent()] == ["mine", first, second]


def test_a_user_cannot_send_a_test_request_before_the_logon(role: Role) -> None:
    wired = wire(role)
    with pytest.raises(LocalProtocolError, match="in the state 'disconnected'"):
        wired.session.test_request(wired.clock.now)


def test_a_partial_message_does_not_hide_silence(wired: Wired) -> None:
    wired.receive(wired.peer.message("0")[:40])
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]
    ended = one(wired.wait(36), SessionEnded)
    assert ended.reason is CloseReason.PEER_SILENT


def test_two_partial_messages_do_not_hide_silence(wired: Wired) -> None:
    broken = wired.peer.message("0", "58=x|").replace(b"\x0135=", b"9\x0135=", 1)
    wired.receive(broken, wired.peer.message("0")[:40])
    assert [type(event) for event in wired.wait(36)] == [GarbledReceived, PeerSilent]


def test_timers_do_nothing_before_they_are_due_or_after_the_end(role: Role) -> None:
    wired = wire(role)
    assert wired.session.next_deadline() is None
    assert wired.wait(1000) == []
    wired = established(role)
    assert wired.wait(0) == []
    wired.cut()
    assert wired.wait(1000) == []
    assert wired.sent() == []


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
def test_a_session_waits_for_a_slowly_arriving_message(role: Role, name: str) -> None:
    wired = established(role, name, sending_time_tolerance=None)
    message = wired.peer.message("9", NEWS)
    assert wired.receive(message[:20]) == []
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]
    assert wired.receive(message[20:60]) == []
    assert len(of_type(wired.receive(message[60:]), MessageReceived)) == 1
