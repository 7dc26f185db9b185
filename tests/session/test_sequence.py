"""MsgSeqNum of what comes in: expected, too low, possible duplicates. Gaps are in test_recovery."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import CloseReason, MessageReceived, MessageRejected, SessionEnded
from kalshi_fix_sansio.problems import Reason
from kalshi_fix_sansio.session.sequence import Verdict, judge
from tests.helpers import established, kinds, of_type

BOTH = pytest.mark.parametrize("role", Role)
NEWS = "434=1|37=o|11=a|39=8|58=x|"
"""The body of an OrderCancelReject: what an application message looks like here does not matter."""


@pytest.mark.parametrize(
    ("number", "poss_dup", "verdict"),
    [
        (7, False, Verdict.EXPECTED),
        (7, True, Verdict.EXPECTED),
        (8, False, Verdict.TOO_HIGH),
        (8, True, Verdict.TOO_HIGH),
        (6, False, Verdict.TOO_LOW),
        (6, True, Verdict.DUPLICATE),
        (0, False, Verdict.TOO_LOW),
    ],
)
def test_what_a_number_means_when_7_is_next(number: int, poss_dup: bool, verdict: Verdict) -> None:
    assert judge(number, 7, poss_dup=poss_dup) is verdict


@BOTH
def test_messages_in_sequence_are_delivered_once_and_counted(role: Role) -> None:
    wired = established(role)
    events = wired.receive(*(wired.peer.message("9", NEWS) for _ in range(3)))
    assert [event.message.header.msg_seq_num for event in of_type(events, MessageReceived)] == [2, 3, 4]
    assert len(events) == 3
    assert wired.session.next_incoming == 5


@BOTH
@pytest.mark.parametrize("name", ["KalshiNR", "KalshiRT"])
def test_a_number_too_low_ends_the_session_with_a_text(role: Role, name: str) -> None:
    wired = established(role, name)
    wired.receive(wired.peer.message("0"))
    (ended,) = wired.receive(wired.peer.message("9", NEWS, 2))
    text = "MsgSeqNum too low, expecting 3 but received 2"
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text, ended.clean) == (CloseReason.SEQUENCE_TOO_LOW, text, False)
    (logout,) = wired.sent()
    assert (logout.NAME, logout.text) == ("Logout", text)
    assert wired.session.wants_close
    assert wired.session.next_incoming == 3


@BOTH
def test_a_possible_duplicate_already_received_is_ignored(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("9", NEWS))
    again = wired.peer.message("9", NEWS, 2, t43="Y", t122="20260821-14:03:07")
    assert wired.receive(again) == []
    assert wired.sent() == []
    assert wired.session.next_incoming == 3


@BOTH
@pytest.mark.parametrize(
    ("header", "tag", "reason"),
    [
        ({}, 122, 1),
        ({"t122": "20260821-14:03:08"}, 122, 10),
    ],
)
def test_a_duplicate_must_say_when_it_was_first_sent(
    role: Role, header: dict[str, str], tag: int, reason: int
) -> None:
    wired = established(role)
    (event,) = wired.receive(wired.peer.message("0", "", 1, t43="Y", **header))
    assert isinstance(event, MessageRejected)
    (reject,) = wired.sent()
    assert (reject.NAME, reject.ref_seq_num, reject.ref_tag_id) == ("Reject", 1, tag)
    assert (reject.session_reject_reason, reject.ref_msg_type) == (reason, "0")
    assert wired.session.is_established


@BOTH
def test_a_possible_duplicate_not_received_before_is_delivered_once_and_marked(role: Role) -> None:
    wired = established(role)
    (event,) = wired.receive(
        wired.peer.message("9", NEWS, t43="Y", t97="Y", t122="20260821-14:03:06", t52="20260821-14:03:07")
    )
    assert isinstance(event, MessageReceived)
    assert (event.poss_dup, event.poss_resend) == (True, True)
    assert wired.receive(wired.peer.message("9", NEWS, 2, t43="Y", t122="20260821-14:03:06")) == []


@BOTH
def test_an_expected_duplicate_without_its_first_time_is_delivered_or_if_strict_refused(role: Role) -> None:
    wired = established(role)
    (event,) = wired.receive(wired.peer.message("9", NEWS, t43="Y"))
    assert isinstance(event, MessageReceived)
    wired = established(role, strict=True)
    (refused,) = wired.receive(wired.peer.message("0", "", t43="Y"))
    assert isinstance(refused, MessageRejected)
    assert kinds(wired.sent()) == ["Reject"]
    assert wired.session.next_incoming == 3


@BOTH
def test_a_message_without_number_ends_the_session(role: Role) -> None:
    for number in ("-", "", "x", "-2", "+2", "1_0"):
        wired = established(role)
        *_, ended = wired.receive(wired.peer.message("0", "", number))
        assert isinstance(ended, SessionEnded)
        assert ended.text == "MsgSeqNum missing"
        assert kinds(wired.sent()) == ["Logout"]


@BOTH
def test_a_duplicate_in_sequence_without_its_original_time_is_delivered_and_says_so(role: Role) -> None:
    wired = established(role)
    (event,) = wired.receive(wired.peer.message("9", NEWS, t43="Y"))
    assert isinstance(event, MessageReceived)
    assert [(problem.reason, problem.tag) for problem in event.message.problems] == [
        (Reason.REQUIRED_TAG_MISSING, 122)
    ]
    assert wired.sent() == []
