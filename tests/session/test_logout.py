"""Logout from either side, both at once, unanswered; the end of the connection; abort."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, LogoutReceived, MessageReceived, ResendServed, SessionEnded
from kalshi_fix_sansio.session import State
from tests.helpers import established, kinds, of_type, order, pair, wire

BOTH = pytest.mark.parametrize("role", Role)
NEWS = "434=1|37=o|11=a|39=8|"


@BOTH
@pytest.mark.parametrize(("body", "text"), [("58=maintenance|", "maintenance"), ("", None)])
def test_the_peers_logout_is_answered(role: Role, body: str, text: str | None) -> None:
    wired = established(role)
    received, ended = wired.receive(wired.peer.message("5", body))
    assert received == LogoutReceived(text)
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.clean) == (CloseReason.LOGGED_OUT, True)
    assert ended.text == (text or "logged out by the peer")
    (logout,) = wired.sent()
    assert (logout.NAME, logout.text) == ("Logout", None)
    assert wired.session.wants_close
    assert wired.session.next_incoming == 3


@BOTH
@pytest.mark.parametrize(
    ("ours", "theirs", "text"), [("done", "", "done"), (None, "58=bye|", "bye"), (None, "", "logged out")]
)
def test_our_logout_waits_for_the_peers(role: Role, ours: str | None, theirs: str, text: str) -> None:
    wired = established(role)
    wired.session.logout(wired.clock.now, ours)
    (logout,) = wired.sent()
    assert (logout.NAME, logout.text) == ("Logout", ours)
    assert wired.session.state is State.LOGOUT_SENT
    assert not wired.session.wants_close
    (ended,) = wired.receive(wired.peer.message("5", theirs))
    assert ended == SessionEnded(CloseReason.LOGGED_OUT, text, clean=True)
    assert wired.sent() == []


@BOTH
def test_what_comes_before_the_answer_is_still_received(role: Role) -> None:
    wired = established(role)
    wired.session.logout(wired.clock.now)
    wired.sent()
    events = wired.receive(
        wired.peer.message("9", NEWS),
        wired.peer.message("1", "112=x|"),
        wired.peer.message("2", "7=1|16=0|"),
        wired.peer.message("9", NEWS),
        wired.peer.message("5"),
    )
    assert [type(event) for event in events] == [MessageReceived, ResendServed, MessageReceived, SessionEnded]
    assert kinds(wired.sent()) == ["Heartbeat", "SequenceReset"]
    assert wired.session.next_incoming == 7


@BOTH
def test_nothing_more_can_be_sent_after_our_logout(role: Role) -> None:
    wired = established(role)
    wired.session.logout(wired.clock.now)
    wired.sent()
    for call in (
        lambda: wired.session.send(order(), wired.clock.now),
        lambda: wired.session.logout(wired.clock.now),
        lambda: wired.session.test_request(wired.clock.now),
    ):
        with pytest.raises(LocalProtocolError, match="the session is logout sent"):
            call()
    assert wired.sent() == []


@BOTH
def test_no_answer_in_time_ends_it(role: Role) -> None:
    wired = established(role, logout_timeout=4)
    wired.session.logout(wired.clock.now)
    assert wired.session.next_deadline() == wired.clock.monotonic + 4
    assert wired.wait(3.9) == []
    (ended,) = wired.wait(0.1)
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.clean) == (CloseReason.LOGGED_OUT, False)
    assert ended.text == "the peer did not answer the Logout within 4 seconds"


@BOTH
def test_the_end_of_the_connection_instead_of_an_answer(role: Role) -> None:
    wired = established(role)
    wired.session.logout(wired.clock.now)
    wired.sent()
    wired.session.receive_eof(wired.clock.now)
    (ended,) = wired.session.events()
    text = "the connection ended before the peer answered the Logout"
    assert ended == SessionEnded(CloseReason.LOGGED_OUT, text, clean=False)


def test_both_at_once_end_cleanly_without_a_third_logout() -> None:
    both = pair()
    both.connect()
    both.client.logout(both.clock.now)
    both.venue.logout(both.clock.now)
    both.settle()
    for events in (both.client_events, both.venue_events):
        ended = events[-1]
        assert isinstance(ended, SessionEnded)
        assert (ended.reason, ended.clean) == (CloseReason.LOGGED_OUT, True)
        assert of_type(events, LogoutReceived) == []
    assert (both.client.next_outgoing, both.venue.next_outgoing) == (3, 3)


@pytest.mark.parametrize("first", ["client", "venue"])
def test_a_logout_between_two_sessions(first: str) -> None:
    both = pair("KalshiNR")
    both.connect()
    (both.client if first == "client" else both.venue).logout(both.clock.now, "good night")
    both.settle()
    ends = [events[-1] for events in (both.client_events, both.venue_events)]
    assert [(end.clean, end.text) for end in of_type(ends, SessionEnded)] == [(True, "good night")] * 2


@BOTH
@pytest.mark.parametrize("text", ["caf\xe9\x01\x00|", "x" * 500])
def test_a_text_is_made_to_fit(role: Role, text: str) -> None:
    wired = established(role)
    wired.session.logout(wired.clock.now, text)
    (logout,) = wired.sent()
    assert logout.text == ("caf???|" if text.startswith("caf") else "x" * 200)


@BOTH
def test_the_connection_may_end_at_any_time(role: Role) -> None:
    wired = established(role)
    wired.session.test_request(wired.clock.now)
    wired.session.receive_eof(wired.clock.now)
    (ended,) = wired.session.events()
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.clean) == (CloseReason.CONNECTION_LOST, False)
    assert ended.unsent > 0
    assert wired.session.data_to_send() == b""
    wired.session.receive_eof(wired.clock.now)
    assert wired.receive(wired.peer.message("0")) == []


@BOTH
def test_an_abort_says_why_and_does_not_wait(role: Role) -> None:
    wired = established(role)
    wired.session.abort(wired.clock.now, "going down")
    (ended,) = wired.session.events()
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text, ended.clean) == (CloseReason.LOCAL_ABORT, "going down", False)
    (logout,) = wired.sent()
    assert (logout.NAME, logout.text) == ("Logout", "going down")
    assert wired.session.wants_close
    wired.session.abort(wired.clock.now, "again")
    assert wired.session.events() == []


@BOTH
def test_an_abort_before_the_logon_sends_no_logout(role: Role) -> None:
    wired = wire(role)
    wired.session.connect(wired.clock.now)
    wired.sent()
    wired.session.abort(wired.clock.now, "no time")
    assert len(wired.session.events()) == 1
    assert wired.sent() == []
    unconnected = wire(role)
    unconnected.session.abort(unconnected.clock.now, "never mind")
    assert unconnected.session.wants_close


@BOTH
def test_nothing_can_come_in_before_connect(role: Role) -> None:
    wired = wire(role)
    with pytest.raises(LocalProtocolError, match="the session is disconnected"):
        wired.session.receive_data(b"x", wired.clock.now)
    with pytest.raises(LocalProtocolError, match="the session is disconnected"):
        wired.session.receive_eof(wired.clock.now)
    assert wired.session.events() == []
