"""Heartbeats, TestRequest and silence, in virtual time."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import CloseReason, MessageReceived, PeerSilent, SessionEnded
from tests.helpers import NEWS, Wired, established, kinds, of_type


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
    message = wired.peer.message("9", NEWS)
    assert wired.receive(message[:20]) == []
    assert [type(event) for event in wired.wait(36)] == [PeerSilent]
    assert wired.receive(message[20:60]) == []
    assert len(of_type(wired.receive(message[60:]), MessageReceived)) == 1
