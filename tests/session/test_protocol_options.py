"""What a session does where FIXT 1.1 leaves it a choice: the default, and each other way."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    CloseReason,
    MessageReceived,
    MessageRejected,
    PeerSilent,
    SessionEnded,
)
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.problems import Reason
from kalshi_fix_sansio.protocol_options import QUICKFIX, QUICKFIXJ, ProtocolOptions
from kalshi_fix_sansio.session import State
from tests.helpers import Wired, established, kinds, of_type, wire, wire_time

BOTH = pytest.mark.parametrize("role", Role)
LINGERING = ProtocolOptions(linger=2.0)


def too_low(wired: Wired) -> list[Any]:
    """Break the protocol: a number that was used before."""
    return wired.receive(wired.peer.message("0", number=1))


# The end of a session


@pytest.mark.parametrize("tell_why", [True, False])
def test_a_refused_logon_is_explained_or_not_answered_at_all(tell_why: bool) -> None:
    wired = wire(Role.ACCEPTOR, protocol_options=ProtocolOptions(tell_why=tell_why))
    wired.session.connect(wired.clock.now)
    (ended,) = wired.receive(wired.peer.logon(t56="Nobody"))
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (CloseReason.LOGON_REFUSED, "Invalid TargetCompID")
    assert [(m.NAME, m.text) for m in wired.sent()] == ([("Logout", ended.text)] if tell_why else [])
    assert wired.session.next_outgoing == (2 if tell_why else 1)


@pytest.mark.parametrize("tell_why", [True, False])
def test_so_is_an_answer_to_our_logon_that_will_not_do(tell_why: bool) -> None:
    wired = wire(Role.INITIATOR, protocol_options=ProtocolOptions(tell_why=tell_why))
    wired.session.connect(wired.clock.now)
    wired.sent()
    (ended,) = wired.receive(wired.peer.logon(t49="Mallory"))
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (CloseReason.PROTOCOL_ERROR, "Invalid SenderCompID")
    assert kinds(wired.sent()) == (["Logout"] if tell_why else [])


@pytest.mark.parametrize(
    ("protocol_options", "unsound", "refused"),
    [(ProtocolOptions(), True, True), (QUICKFIX, False, False), (QUICKFIXJ, False, True)],
)
def test_what_is_no_proper_logon_and_what_asks_for_too_much_are_told_apart(
    protocol_options: ProtocolOptions, unsound: bool, refused: bool
) -> None:
    cases: list[tuple[str, dict[str, str], bool]] = [
        ("98=0|108=30|96=eA==|", {}, unsound),
        ("98=0|108=30|96=eA==|1137=9|", {"t52": "20260821-13:00:00"}, unsound),
        ("98=0|108=-10|96=eA==|1137=9|", {}, refused),
        ("98=0|108=30|96=eA==|1137=33|", {}, refused),
    ]
    for body, header, told in cases:
        wired = wire(Role.ACCEPTOR, strict=True, protocol_options=protocol_options)
        wired.session.connect(wired.clock.now)
        (ended,) = wired.receive(wired.peer.logon(body, **header))
        assert isinstance(ended, SessionEnded)
        assert ended.reason is CloseReason.LOGON_REFUSED
        assert [(m.NAME, m.text) for m in wired.sent()] == ([("Logout", ended.text)] if told else [])


@BOTH
@pytest.mark.parametrize("strict", [True, False])
def test_a_strict_session_speaks_one_version(role: Role, strict: bool) -> None:
    for version, spoken in (("9", True), ("8", not strict), ("33", not strict), ("10", not strict)):
        wired = wire(role, strict=strict)
        wired.session.connect(wired.clock.now)
        wired.sent()
        wired.receive(wired.peer.logon(f"98=0|108=30|96=eA==|1137={version}|"))
        assert (wired.session.state is not State.CLOSED) is spoken
        if not spoken:
            (logout,) = wired.sent()
            assert "DefaultApplVerID" in logout.text


@BOTH
@pytest.mark.parametrize("tell_why", [True, False])
def test_so_is_silence(role: Role, tell_why: bool) -> None:
    wired = established(role, protocol_options=ProtocolOptions(tell_why=tell_why))
    wired.wait(36)
    wired.wait(36)
    assert wired.session.state is State.CLOSED
    assert ("Logout" in kinds(wired.sent())) is tell_why


@BOTH
@pytest.mark.parametrize("repeat", [True, False])
def test_a_logout_repeats_what_the_reject_said_or_not(role: Role, repeat: bool) -> None:
    wired = established(role, protocol_options=ProtocolOptions(repeat_reject=repeat))
    wired.receive(wired.peer.message("0", t49="Mallory"))
    reject, logout = wired.sent()
    assert reject.text == "Invalid SenderCompID"
    assert logout.text == (reject.text if repeat else None)


@BOTH
def test_a_logout_that_no_reject_precedes_always_has_a_text(role: Role) -> None:
    wired = established(
        role, protocol_options=ProtocolOptions(tell_why=False, tell_why_refused=False, repeat_reject=False)
    )
    too_low(wired)
    (logout,) = wired.sent()
    assert logout.text == "MsgSeqNum too low, expecting 2 but received 1"


@BOTH
def test_by_default_a_breach_closes_at_once(role: Role) -> None:
    wired = established(role)
    (ended,) = too_low(wired)
    assert isinstance(ended, SessionEnded)
    assert wired.session.wants_close


@BOTH
def test_a_lingering_session_waits_for_the_peer_s_logout_and_hears_nothing_else(role: Role) -> None:
    wired = established(role, protocol_options=LINGERING)
    assert too_low(wired) == []
    assert wired.session.state is State.ENDING
    assert not wired.session.is_established
    assert kinds(wired.sent()) == ["Logout"]
    other_version = encode_frame("FIX.4.4", b"35=0\x01")
    ignored = wired.receive(
        other_version, wired.peer.message("9", "434=1|37=o|11=a|39=8|"), wired.peer.message("1", "112=x|")
    )
    assert ignored == []
    (ended,) = wired.receive(wired.peer.message("5", number=1))
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.clean) == (CloseReason.SEQUENCE_TOO_LOW, False)
    assert ended.text == "MsgSeqNum too low, expecting 2 but received 1"
    assert wired.sent() == []


@BOTH
def test_it_waits_only_so_long(role: Role) -> None:
    wired = established(role, protocol_options=LINGERING)
    too_low(wired)
    assert wired.session.next_deadline() == wired.clock.monotonic + 2
    assert wired.wait(1.9) == []
    (ended,) = wired.wait(0.1)
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (
        CloseReason.SEQUENCE_TOO_LOW,
        "MsgSeqNum too low, expecting 2 but received 1",
    )


@BOTH
def test_the_end_of_the_connection_ends_the_wait(role: Role) -> None:
    wired = established(role, protocol_options=LINGERING)
    too_low(wired)
    wired.session.receive_eof(wired.clock.now)
    (ended,) = wired.session.events()
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.SEQUENCE_TOO_LOW


@BOTH
def test_a_breach_after_our_logout_does_not_linger(role: Role) -> None:
    wired = established(role, protocol_options=LINGERING)
    wired.session.logout(wired.clock.now)
    (ended,) = too_low(wired)
    assert isinstance(ended, SessionEnded)
    assert kinds(wired.sent()) == ["Logout"]


# Before the Logon


def misframed(message: bytes) -> bytes:
    """The message with a BodyLength that is too small."""
    begin, _, rest = message.split(b"\x01", 2)
    return b"%b\x019=40\x01%b" % (begin, rest)


@BOTH
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("damage", ["length", "check sum"])
def test_garbage_instead_of_a_logon_is_skipped_or_ends_the_connection(
    role: Role, ends: bool, damage: str
) -> None:
    wired = wire(role, protocol_options=ProtocolOptions(end_on_garbage_before_logon=ends))
    wired.session.connect(wired.clock.now)
    wired.sent()
    logon = wired.peer.logon(number=1)
    garbage = misframed(logon) if damage == "length" else logon[:-4] + b"abc\x01"
    events = wired.receive(garbage)
    if not ends:
        assert of_type(events, SessionEnded) == []
        assert of_type(wired.receive(logon), SessionEnded) == []
        return
    ended = events[-1]
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (
        CloseReason.PROTOCOL_ERROR,
        "what came instead of a Logon is no message",
    )
    assert wired.sent() == []


@BOTH
def test_garbage_after_the_logon_is_always_skipped(role: Role) -> None:
    wired = established(role, protocol_options=QUICKFIX)
    wired.receive(b"noise", wired.peer.message("0")[:-4] + b"abc\x01", wired.peer.message("0", number=2))
    assert wired.session.next_incoming == 3


# Recovery


@BOTH
@pytest.mark.parametrize(("open_ended", "end"), [(False, 4), (True, 0)])
def test_a_resend_request_asks_for_the_gap_or_for_everything_from_it_on(
    role: Role, open_ended: bool, end: int
) -> None:
    wired = established(role, protocol_options=ProtocolOptions(open_ended_resend=open_ended))
    wired.receive(wired.peer.message("9", "434=1|37=o|11=a|39=8|", 5))
    (request,) = wired.sent()
    assert (request.begin_seq_no, request.end_seq_no) == (2, end)
    again = {"t43": "Y", "t122": wire_time(wired.clock.utc)}
    missing = [wired.peer.message("9", f"434=1|37=o|11=m{n}|39=8|", n, **again) for n in (2, 3, 4, 5)]
    events = wired.receive(*missing)
    delivered: list[Any] = [event.message for event in of_type(events, MessageReceived)]
    assert [message.cl_ord_id for message in delivered] == ["m2", "m3", "m4", "a"]
    assert (wired.session.state, wired.sent()) == (State.ESTABLISHED, [])


@BOTH
@pytest.mark.parametrize("in_turn", [False, True])
def test_a_test_request_behind_a_gap_is_answered_at_once_or_in_turn(role: Role, in_turn: bool) -> None:
    wired = established(role, protocol_options=ProtocolOptions(test_requests_in_turn=in_turn))
    wired.receive(wired.peer.message("1", "112=first|", 3))
    assert kinds(wired.sent()) == (["ResendRequest"] if in_turn else ["Heartbeat", "ResendRequest"])
    again = {"t43": "Y", "t122": wire_time(wired.clock.utc)}
    wired.receive(wired.peer.message("4", "123=Y|36=3|", 2, **again))
    assert [m.test_req_id for m in wired.sent()] == (["first"] if in_turn else [])
    assert wired.session.next_incoming == 4


@BOTH
@pytest.mark.parametrize("serve", [False, True])
def test_a_resend_request_with_a_used_number_ends_the_session_or_is_served(role: Role, serve: bool) -> None:
    wired = established(role, protocol_options=ProtocolOptions(serve_low_resend_requests=serve))
    wired.receive(wired.peer.message("2", "7=1|16=0|", 1))
    assert kinds(wired.sent()) == (["SequenceReset"] if serve else ["Logout"])
    assert wired.session.is_established is serve


def test_one_that_cannot_be_read_is_not_served() -> None:
    wired = established(
        Role.ACCEPTOR, protocol_options=ProtocolOptions(serve_low_resend_requests=True), strict=True
    )
    wired.receive(wired.peer.message("2", "7=1|16=x|", 1))
    assert kinds(wired.sent()) == ["Logout"]


@BOTH
@pytest.mark.parametrize("ends", [False, True])
def test_an_orig_sending_time_after_sending_time_is_rejected_and_may_end_the_session(
    role: Role, ends: bool
) -> None:
    wired = established(role, protocol_options=ProtocolOptions(end_on_late_orig_sending_time=ends))
    late = {"t43": "Y", "t122": "20260821-14:03:08.000"}
    wired.receive(wired.peer.message("0", number=1, **late))
    assert kinds(wired.sent()) == (["Reject", "Logout"] if ends else ["Reject"])
    assert wired.session.is_established is not ends


@BOTH
def test_a_missing_orig_sending_time_never_does(role: Role) -> None:
    wired = established(role, protocol_options=QUICKFIX)
    wired.receive(wired.peer.message("0", number=1, t43="Y"))
    (reject,) = wired.sent()
    assert (reject.ref_tag_id, reject.session_reject_reason) == (122, Reason.REQUIRED_TAG_MISSING)
    assert wired.session.is_established


# Silence


@BOTH
def test_the_question_to_a_silent_peer_and_how_long_its_answer_may_take(role: Role) -> None:
    wired = established(role, protocol_options=ProtocolOptions(test_req_id="TEST", answer_patience=1.0))
    assert wired.wait(36) == [PeerSilent("TEST")]
    assert [m.test_req_id for m in wired.sent()] == ["TEST"]
    assert wired.wait(29.9) == []
    (ended,) = wired.wait(0.1)
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.PEER_SILENT
    assert kinds(wired.sent()) == ["Logout"], "no Heartbeat is due before the session ends"


@BOTH
def test_by_default_every_question_has_its_own_id(role: Role) -> None:
    wired = established(role)
    ids = []
    for _ in range(2):
        (silent,) = wired.wait(36)
        assert isinstance(silent, PeerSilent)
        ids.append(silent.test_req_id)
        wired.receive(wired.peer.message("0", f"112={silent.test_req_id}|"))
    assert len(set(ids)) == 2


# Rejects


@BOTH
@pytest.mark.parametrize(
    ("message", "tag", "reason"),
    [
        (("0", "", {"t49": "Mallory"}), 49, Reason.COMP_ID_PROBLEM),
        (("0", "", {"t52": "20260821-14:03:37.124"}), 52, Reason.SENDING_TIME_ACCURACY),
        (("Z9", "", {}), 35, Reason.INVALID_MSG_TYPE),
        (("4", "36=1|", {}), 36, Reason.VALUE_INCORRECT),
    ],
)
@pytest.mark.parametrize("briefly", [False, True])
def test_a_reject_names_the_tag_or_leaves_it_out_where_there_is_no_doubt(
    role: Role, message: tuple[str, str, dict[str, str]], tag: int, reason: Reason, briefly: bool
) -> None:
    without = QUICKFIX.reject_without_tag if briefly else frozenset()
    wired = established(role, protocol_options=ProtocolOptions(reject_without_tag=without), strict=True)
    msg_type, body, header = message
    events = wired.receive(wired.peer.message(msg_type, body, **header))
    assert len(of_type(events, MessageRejected)) == 1
    reject = wired.sent()[0]
    assert (reject.ref_tag_id, reject.session_reject_reason) == (None if briefly else tag, reason)


@BOTH
def test_other_rejects_name_the_tag_also_when_brief(role: Role) -> None:
    wired = established(
        role, protocol_options=ProtocolOptions(reject_without_tag=QUICKFIX.reject_without_tag), strict=True
    )
    wired.receive(wired.peer.message("1"))
    (reject,) = wired.sent()
    assert (reject.ref_tag_id, reject.session_reject_reason) == (112, Reason.REQUIRED_TAG_MISSING)


@BOTH
@pytest.mark.parametrize("reason", [Reason.UNDEFINED_TAG, Reason.INVALID_TAG_NUMBER])
def test_the_reason_for_an_undefined_tag_is_a_setting(role: Role, reason: Reason) -> None:
    wired = established(role, protocol_options=ProtocolOptions(undefined_tag_reason=reason), strict=True)
    wired.receive(wired.peer.message("0", "9999=x|"))
    (reject,) = wired.sent()
    assert (reject.ref_tag_id, reject.session_reject_reason) == (9999, reason)


@BOTH
def test_a_strict_session_rejects_what_lacks_a_comp_id_and_goes_on(role: Role) -> None:
    wired = established(role, strict=True)
    wired.receive(wired.peer.message("0", t56="-"))
    wired.receive(wired.peer.message("0", t49="-"))
    rejects = wired.sent()
    assert [(r.NAME, r.ref_tag_id, r.session_reject_reason) for r in rejects] == [
        ("Reject", 56, Reason.REQUIRED_TAG_MISSING),
        ("Reject", 49, Reason.REQUIRED_TAG_MISSING),
    ]
    assert wired.session.is_established


# Framing


@BOTH
@pytest.mark.parametrize(("skip_by_check_sum", "expected"), [(False, 3), (True, 2)])
def test_how_a_message_with_a_wrong_length_is_skipped_is_a_setting(
    role: Role, skip_by_check_sum: bool, expected: int
) -> None:
    wired = established(role, protocol_options=ProtocolOptions(skip_by_check_sum=skip_by_check_sum))
    right = wired.peer.message("0", number=2)
    length = len(right.split(b"\x01", 2)[2]) - len("10=000|")
    reaching_into_the_next = right.replace(b"\x019=%d" % length, b"\x019=%d" % (length + 30), 1)
    assert reaching_into_the_next != right
    wired.receive(reaching_into_the_next, right)
    assert wired.session.next_incoming == expected
