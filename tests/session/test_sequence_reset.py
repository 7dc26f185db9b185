"""SequenceReset (4) in both modes."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import MessageReceived, MessageRejected, SequenceSkipped, SessionEnded
from kalshi_fix_sansio.session import State
from tests.helpers import established, kinds, of_type

BOTH = pytest.mark.parametrize("role", Role)
DUP = {"t43": "Y", "t122": "20260821-14:03:07"}


@BOTH
def test_a_gap_fill_in_sequence_moves_on(role: Role) -> None:
    wired = established(role)
    assert wired.receive(wired.peer.message("4", "123=Y|36=9|", 2)) == [SequenceSkipped(2, 8, gap_fill=True)]
    assert wired.session.next_incoming == 9


@BOTH
@pytest.mark.parametrize("new_seq_no", [1, 2, 9])
def test_a_gap_fill_below_the_expected_number_never_skips_anything(role: Role, new_seq_no: int) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("0"), wired.peer.message("0"))
    assert wired.receive(wired.peer.message("4", f"123=Y|36={new_seq_no}|", 2, **DUP)) == []
    assert wired.session.next_incoming == 4
    (ended,) = wired.receive(wired.peer.message("4", f"123=Y|36={new_seq_no}|", 2))
    assert isinstance(ended, SessionEnded)
    assert wired.session.next_incoming == 4


@BOTH
@pytest.mark.parametrize("new_seq_no", [0, 1, 2])
def test_a_gap_fill_to_nowhere_is_rejected_and_counted(role: Role, new_seq_no: int) -> None:
    wired = established(role)
    (event,) = wired.receive(wired.peer.message("4", f"123=Y|36={new_seq_no}|", 2))
    assert isinstance(event, MessageRejected)
    (reject,) = wired.sent()
    assert (reject.ref_tag_id, reject.session_reject_reason) == (36, 5)
    assert wired.session.next_incoming == 3


@BOTH
@pytest.mark.parametrize("flag", ["", "123=N|"])
@pytest.mark.parametrize("number", [1, 2, 99])
def test_a_reset_counts_whatever_its_own_number(role: Role, flag: str, number: int) -> None:
    wired = established(role)
    events = wired.receive(wired.peer.message("4", f"{flag}36=50|", number))
    assert events == [SequenceSkipped(2, 49, gap_fill=False)]
    assert wired.session.next_incoming == 50


@BOTH
def test_a_reset_to_the_expected_number_is_nothing(role: Role) -> None:
    wired = established(role)
    assert wired.receive(wired.peer.message("4", "36=2|", 2)) == []
    assert wired.session.next_incoming == 2
    assert wired.sent() == []


@BOTH
def test_a_reset_may_not_go_backwards(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("0"))
    (event,) = wired.receive(wired.peer.message("4", "36=2|", 3))
    assert isinstance(event, MessageRejected)
    (reject,) = wired.sent()
    assert (reject.ref_seq_num, reject.ref_tag_id, reject.session_reject_reason) == (3, 36, 5)
    assert reject.text == "NewSeqNo 2 would go back; the least possible is 3"
    assert wired.session.next_incoming == 3


@BOTH
@pytest.mark.parametrize(
    ("body", "counted"), [("", False), ("36=x|", False), ("123=Y|", True), ("123=Y|36=-9|", True)]
)
def test_a_reset_without_new_seq_no_is_rejected(role: Role, body: str, counted: bool) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("4", body, 2))
    (reject,) = wired.sent()
    assert (reject.NAME, reject.ref_tag_id) == ("Reject", 36)
    assert wired.session.next_incoming == 2 + counted


@BOTH
@pytest.mark.parametrize(("body", "counted"), [("36=9|", False), ("123=Y|36=9|", True)])
def test_there_is_none_on_a_session_without_resend(role: Role, body: str, counted: bool) -> None:
    wired = established(role, "KalshiNR")
    wired.receive(wired.peer.message("4", body, 2))
    (reject,) = wired.sent()
    assert (reject.session_reject_reason, reject.ref_msg_type) == (11, "4")
    assert reject.text == "SequenceReset is not available on KalshiNR"
    assert wired.session.next_incoming == 2 + counted
    assert wired.session.state is State.ESTABLISHED


@BOTH
def test_a_strict_session_rejects_one_that_breaks_the_rules(role: Role) -> None:
    wired = established(role, strict=True)
    wired.receive(
        wired.peer.message("4", "36=9|9999=x|", 2), wired.peer.message("4", "123=Y|36=9|9999=x|", 2)
    )
    assert [message.ref_tag_id for message in wired.sent()] == [9999, 9999]
    assert wired.session.next_incoming == 3


@BOTH
def test_a_reset_delivers_what_was_held_before_the_new_number(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("9", "434=1|37=o|11=a|39=8|", 4))
    wired.sent()
    events = wired.receive(wired.peer.message("4", "36=6|", 5))
    assert [type(event).__name__ for event in events] == [
        "SequenceSkipped",
        "MessageReceived",
        "SequenceSkipped",
        "GapClosed",
    ]
    assert len(of_type(events, MessageReceived)) == 1
    assert wired.session.next_incoming == 6
    assert kinds(wired.sent()) == []
