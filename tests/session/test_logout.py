"""Logout by either side, by both at once and without an answer; disconnect; abort."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, SessionEnded
from tests.helpers import Wired, connected, one, wire


@pytest.mark.parametrize("text", ["caf\xe9\x01\x00|", "x" * 500])
def test_a_text_is_adapted_to_the_encoding(wired: Wired, text: str) -> None:
    wired.session.logout(wired.clock.now, text=text)
    (logout,) = wired.sent()
    assert logout.text == ("caf???|" if text.startswith("caf") else "x" * 200)


def test_the_connection_may_be_lost_at_any_time(wired: Wired) -> None:
    wired.session.test_request(wired.clock.now)
    ended = one(wired.cut(), SessionEnded)
    assert (ended.reason, ended.clean) == (CloseReason.CONNECTION_LOST, False)
    assert ended.unsent > 0
    assert wired.session.data_to_send() == b""
    wired.session.receive_eof(wired.clock.now)
    assert wired.receive(wired.peer.message("0")) == []


def test_an_abort_before_the_logon_sends_no_logout(role: Role) -> None:
    wired = connected(role)
    wired.sent()
    wired.session.abort("no time", wired.clock.now)
    assert len(wired.session.events()) == 1
    assert wired.sent() == []
    unconnected = wire(role)
    unconnected.session.abort("never mind", unconnected.clock.now)
    assert unconnected.session.wants_close


def test_no_bytes_can_be_received_before_connect(role: Role) -> None:
    wired = wire(role)
    with pytest.raises(LocalProtocolError, match="in the state 'disconnected'"):
        wired.session.receive_data(b"x", wired.clock.now)
    with pytest.raises(LocalProtocolError, match="in the state 'disconnected'"):
        wired.session.receive_eof(wired.clock.now)
    assert wired.session.events() == []
