"""Incoming gaps: requesting a resend, holding later messages, delivering them, requesting again, and giving
up."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import CloseReason, SessionEnded
from kalshi_fix_sansio.session import State
from tests.helpers import DUP, Wired, established, news


def resend_requests(wired: Wired) -> list[tuple[int, int]]:
    return [(m.begin_seq_no, m.end_seq_no) for m in wired.sent() if m.NAME == "ResendRequest"]


def test_progress_resets_the_attempts_of_a_resend(role: Role) -> None:
    """`resend_attempts` limits consecutive requests without progress, however slow the resend is."""
    wired = established(role, resend_timeout=20, resend_attempts=2)
    wired.receive(news(wired, 7))
    assert resend_requests(wired) == [(2, 6)]
    for number in range(2, 6):
        wired.wait(20)
        assert resend_requests(wired) == [(number, 6)]
        wired.receive(wired.peer.message("0", "", 6 + number), news(wired, number, again=True))
    wired.wait(20)
    assert resend_requests(wired) == [(6, 6)]
    wired.wait(20)
    (logout,) = [message for message in wired.sent() if message.NAME == "Logout"]
    assert logout.text == "the resend of messages 6 to 6 did not arrive"


@pytest.mark.parametrize("how", ["deadline", "end of file", "too low"])
def test_a_session_ended_by_a_gap_reports_the_reason(role: Role, how: str) -> None:
    wired = established(role, "KalshiNR")
    wired.receive(news(wired, 5))
    text = "MsgSeqNum too high, expecting 2 but received 5, and this session has no resend"
    if how == "deadline":
        (ended,) = wired.wait(10)
    elif how == "end of file":
        (ended,) = wired.cut()
    else:
        (ended,) = wired.receive(news(wired, 1))
        text = "MsgSeqNum too low, expecting 2 but received 1"
    assert isinstance(ended, SessionEnded)
    assert (ended.text, ended.clean) == (text, False)
    assert ended.reason is (CloseReason.SEQUENCE_TOO_LOW if how == "too low" else CloseReason.SEQUENCE_GAP)


def test_an_ended_session_delivers_no_held_messages(wired: Wired) -> None:
    wired.receive(wired.peer.message("2", "7=1|16=0|", 4), news(wired, 5))
    store = wired.session.store
    wired.receive(news(wired, 1))
    assert wired.session.state is State.CLOSED
    assert wired.receive(wired.peer.message("4", "123=Y|36=4|", 2, **DUP)) == []
    assert store.next_incoming == 2
