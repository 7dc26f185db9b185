"""Heartbeats, TestRequest, silence and a delayed caller, in virtual time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import CloseReason, MessageReceived, PeerSilent, SessionEnded
from tests.helpers import CANCEL_REJECT, MIN_HEART_BT_INT, Wired, established, kinds, of_type, wire_time


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


def test_a_user_can_send_a_test_request(wired: Wired) -> None:
    assert wired.session.test_request(wired.clock.now, test_req_id="mine") == "mine"
    first = wired.session.test_request(wired.clock.now)
    second = wired.session.test_request(wired.clock.now)
    assert first != second
    assert [message.test_req_id for message in wired.sent()] == ["mine", first, second]


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
def test_a_session_waits_for_a_slowly_arriving_message(role: Role, name: str) -> None:
    wired = established(role, name, sending_time_tolerance=None)
    message = wired.peer.message("9", CANCEL_REJECT)
    assert wired.receive(message[:20]) == []
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]
    assert wired.receive(message[20:60]) == []
    assert len(of_type(wired.receive(message[60:]), MessageReceived)) == 1


def aged_message(wired: Wired, age: float) -> bytes:
    """Return an OrderCancelReject sent this many seconds ago according to the wall clock."""
    return wired.peer.message("9", CANCEL_REJECT, t52=wire_time(wired.clock.utc - timedelta(seconds=age)))


def test_messages_read_in_pieces_after_a_delay_are_accepted(wired: Wired) -> None:
    wired.delay_caller(33)
    data = aged_message(wired, 32.5) + aged_message(wired, 31)
    for at in range(0, len(data), 7):
        wired.session.receive_data(data[at : at + 7], wired.clock.advance(0.001))
    assert len(of_type(wired.session.events(), MessageReceived)) == 2


@pytest.mark.parametrize("heart_bt_int", [MIN_HEART_BT_INT + 1, 30, 60])
def test_a_punctual_caller_does_not_extend_the_tolerance(role: Role, heart_bt_int: int) -> None:
    wired = established(role, heart_bt_int=heart_bt_int)
    for _ in range(5):
        due = wired.session.next_deadline()
        assert due is not None
        wait = due - wired.clock.monotonic
        assert wait < 10.001
        wired.session.handle_timer(wired.clock.advance(wait + 4.9))
        wired.receive(wired.peer.message("0"))
    assert not of_type(wired.receive(aged_message(wired, 30.001)), MessageReceived)
    assert not wired.session.is_established
