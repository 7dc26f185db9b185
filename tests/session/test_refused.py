"""Messages refused for their SendingTime or CompIDs are not lost: they are resent, or delivered."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import QUICKFIX, ProtocolOptions, Role
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    GapClosed,
    GapDetected,
    LoggedOn,
    LogonRequested,
    MessageReceived,
    MessageRejected,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.session import Session, State
from tests.helpers import DUP, LOGON, Peer, Wired, established, kinds, of_type, order

LATE, EARLY = "20260821-14:02:37.122", "20260821-14:03:37.124"
WITHOUT_RESEND = ["KalshiNR", "KalshiDC", "KalshiMD", "KalshiRFQ"]
Header = dict[str, str]


def news(text: str = "a") -> str:
    return f"434=1|37=o|11={text}|39=8|"


def answer() -> str:
    return "37=o|11=a|17=1;1|150=0|39=0|54=1|55=X|38=10|151=10|14=0|6=0|"


def again(wired: Wired, sender: str | None = None) -> tuple[Wired, list[Event]]:
    """Return the next connection of the same process, logged on: both sides continue their numbers."""
    former, clock = wired.session, wired.clock
    session = Session(former.config, continues=former)
    peer = Peer(clock, sender or wired.peer.sender, wired.peer.target, wired.peer.next_number)
    reset = "141=Y|" if session.config.session_type.reset_required else ""
    if reset:
        peer.next_number = 1
    session.connect(clock.now)
    session.receive_data(peer.logon(f"{LOGON}{reset}"), clock.now)
    if session.config.role is Role.ACCEPTOR:
        session.accept_logon(clock.now)
    return Wired(clock, session, peer), [e for e in session.events() if not isinstance(e, LogonRequested)]


def texts(events: list[Event]) -> list[str]:
    return [event.message.cl_ord_id for event in of_type(events, MessageReceived)]  # type: ignore[attr-defined]


# --- with resend ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{"t52": LATE}, {"t52": EARLY}, {"t49": "Mallory"}, {"t56": "Mallory"}])
@pytest.mark.parametrize("linger", [False, True])
def test_a_message_refused_for_time_or_comp_id_is_resent(role: Role, header: Header, linger: bool) -> None:
    wired = established(role, protocol_options=QUICKFIX if linger else ProtocolOptions())
    wired.receive(wired.peer.message("9", news("first")))
    events = wired.receive(wired.peer.message("9", news("lost"), **header), wired.peer.message("9", news()))
    (rejected,) = of_type(events, MessageRejected)
    assert rejected.will_be_resent
    assert not of_type(events, MessageReceived)
    assert kinds(wired.sent()) == ["Reject", "Logout"]
    if linger:
        assert wired.session.state is State.ENDING
        events = wired.receive(wired.peer.message("5"))
    (ended,) = of_type(events, SessionEnded)
    assert (ended.reason, ended.advice) == (CloseReason.PROTOCOL_ERROR, "")
    assert wired.session.store.next_incoming == 3
    wired, events = again(wired)
    assert [type(event) for event in events] == [LoggedOn, GapDetected]
    request = wired.sent()[-1]
    assert (request.NAME, request.begin_seq_no) == ("ResendRequest", 3)
    events = wired.receive(
        *(wired.peer.message("9", news(text), number, **DUP) for number, text in ((3, "lost"), (4, "a")))
    )
    assert texts(events) == ["lost", "a"]


@pytest.mark.parametrize("header", [{"t52": LATE}, {"t49": "Mallory"}])
@pytest.mark.parametrize("msg_type", ["0", "1", "2", "3", "4", "5", "A", "9", "ZZ"])
def test_a_refused_message_of_any_type_is_not_counted(wired: Wired, msg_type: str, header: Header) -> None:
    body = {"1": "112=x|", "2": "7=1|16=0|", "3": "45=1|", "4": "123=Y|36=9|", "A": "98=0|108=30|"}
    wired.receive(wired.peer.message(msg_type, body.get(msg_type, news()), **header))
    assert (wired.session.next_incoming, wired.session.state) == (2, State.CLOSED)
    assert kinds(wired.sent()) == ["Reject", "Logout"]


def test_messages_before_the_refused_one_are_not_resent(wired: Wired) -> None:
    (rejected, _) = wired.receive(wired.peer.message("0", number=1, t52=LATE))
    assert isinstance(rejected, MessageRejected)
    assert not rejected.will_be_resent


def test_during_a_reset_late_messages_are_delivered_and_not_resent(wired: Wired) -> None:
    wired.session.reset(wired.clock.now)
    wired.sent()
    events = wired.receive(wired.peer.message("9", news(), t52=LATE))
    assert [type(event) for event in events] == [MessageReceived, SessionEnded]


def test_a_logon_cannot_pass_for_a_duplicate(wired: Wired) -> None:
    wired.receive(wired.peer.logon("98=0|108=30|141=Y|1137=9|", 1, t43="Y", t52=LATE, t122=LATE))
    assert kinds(wired.sent()) == ["Reject", "Logout"]
    assert wired.session.next_incoming == 2


# --- repeated refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "advice"),
    [
        ({"t49": "Mallory"}, "accepted_sender_comp_ids"),
        ({"t56": "Mallory"}, "sender_comp_id"),
        ({"t52": LATE}, "clock"),
    ],
)
def test_a_second_identical_refusal_of_one_number_gives_advice(
    wired: Wired, header: Header, advice: str
) -> None:
    wired.receive(wired.peer.message("9", news(), **header))
    wired, events = again(wired)
    assert [type(event) for event in events] == [LoggedOn, GapDetected]
    ended = of_type(wired.receive(wired.peer.message("9", news(), 2, **header)), SessionEnded)[0]
    assert advice in ended.advice


def test_a_third_identical_refusal_gives_advice_again(wired: Wired) -> None:
    wired.peer.next_number += 1
    advices = []
    for _ in range(3):
        events = wired.receive(wired.peer.message("9", news(), 2, t49="x"))
        advices.append(bool(of_type(events, SessionEnded)[0].advice))
        wired, _events = again(wired)
    assert advices == [False, True, True]


@pytest.mark.parametrize("linger", [False, True])
def test_a_lost_connection_between_two_refusals_makes_no_difference(role: Role, linger: bool) -> None:
    wired = established(role, protocol_options=QUICKFIX if linger else ProtocolOptions())
    wired.receive(wired.peer.message("9", news(), t49="x"))
    wired.session.receive_eof(wired.clock.now)
    wired, _ = again(wired)
    wired.session.receive_eof(wired.clock.now)
    wired, _ = again(wired)
    events = wired.receive(wired.peer.message("9", news(), 2, t49="x"))
    assert (wired.session.state is State.ENDING) is linger
    (ended,) = of_type(events + wired.cut(), SessionEnded)
    assert ended.advice


@pytest.mark.parametrize(
    ("number", "header"), [(2, {"t56": "x"}), (3, {"t49": "x"}), (2, {"t52": LATE})], ids=str
)
def test_another_refusal_is_not_the_same(wired: Wired, number: int, header: Header) -> None:
    wired.receive(wired.peer.message("9", news(), t49="x"))
    wired, _ = again(wired)
    (ended,) = of_type(wired.receive(wired.peer.message("9", news(), number, **header)), SessionEnded)
    assert ended.advice == ""


@pytest.mark.parametrize("passed", [False, True])
def test_a_connection_that_passed_the_number_ends_the_repetition(passed: bool) -> None:
    wired = established(Role.INITIATOR, "KalshiNR")
    wired.receive(wired.peer.message("9", news(), t49="x"))
    wired, _ = again(wired)
    if passed:
        wired.receive(wired.peer.message("9", news()))
    wired.session.receive_eof(wired.clock.now)
    wired, _ = again(wired)
    (ended,) = of_type(wired.receive(wired.peer.message("9", news(), t49="x")), SessionEnded)
    assert bool(ended.advice) is not passed


@pytest.mark.parametrize("resets", [False, True])
def test_after_a_reset_another_message_has_the_number(wired: Wired, resets: bool) -> None:
    wired.receive(wired.peer.message("9", news(), t49="x"))
    wired, _ = again(wired)
    if resets:
        wired.receive(wired.peer.logon("98=0|108=30|1137=9|141=Y|", 1))
    (ended,) = of_type(wired.receive(wired.peer.message("9", news(), 2, t49="x")), SessionEnded)
    assert bool(ended.advice) is not resets


# --- without resend -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITHOUT_RESEND)
@pytest.mark.parametrize("time", [LATE, EARLY])
@pytest.mark.parametrize("strict", [False, True])
def test_without_resend_a_message_with_a_wrong_time_is_delivered_before_the_end(
    role: Role, name: str, time: str, strict: bool
) -> None:
    wired = established(role, name, strict=strict)
    msg_type, body = ("XX", "58=x|") if not strict else ("j", "45=2|372=D|380=0|")
    received, ended = wired.receive(wired.peer.message(msg_type, body, t52=time), wired.peer.message("0"))
    if strict:
        assert isinstance(received, RejectReceived)
        message = received.reject
    else:
        assert isinstance(received, MessageReceived)
        message = received.message
    assert [problem.reason for problem in message.problems][-1] is Reason.SENDING_TIME_ACCURACY
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.PROTOCOL_ERROR
    reject, logout = wired.sent()
    assert (reject.NAME, reject.ref_seq_num, reject.session_reject_reason) == ("Reject", 2, 10)
    assert logout.NAME == "Logout"
    assert wired.session.next_incoming == 3


def test_without_resend_a_late_answer_settles_its_order() -> None:
    wired = established(Role.INITIATOR, "KalshiNR")
    number = wired.session.send(order("a1"), wired.clock.now)
    wired.sent()
    received, ended = wired.receive(wired.peer.message("3", f"45={number}|373=99|", t52=LATE))
    assert isinstance(received, RejectReceived)
    assert received.sent is not None
    assert isinstance(ended, SessionEnded)


@pytest.mark.parametrize(
    ("msg_type", "body", "number", "header"),
    [
        ("0", "112=x|", 2, {"t52": LATE}),
        ("1", "112=x|", 2, {"t52": LATE}),
        ("2", "7=1|16=0|", 2, {"t52": LATE}),
        ("4", "123=Y|36=9|", 2, {"t52": LATE}),
        ("5", "", 2, {"t52": LATE}),
        ("A", "98=0|108=30|", 2, {"t52": LATE}),
        ("9", news(), 2, {"t49": "Mallory"}),
        ("9", news(), 2, {"t49": "Mallory", "t52": LATE}),
        ("9", news(), 5, {"t52": LATE}),
        ("9", news(), 1, {"t52": LATE}),
    ],
)
def test_without_resend_nothing_else_is_delivered(
    role: Role, msg_type: str, body: str, number: int, header: Header
) -> None:
    wired = established(role, "KalshiNR")
    rejected, ended = wired.receive(wired.peer.message(msg_type, body, number, **header))
    assert isinstance(rejected, MessageRejected)
    assert not rejected.will_be_resent
    assert isinstance(ended, SessionEnded)
    assert kinds(wired.sent()) == ["Reject", "Logout"]
    assert wired.session.next_incoming == 2


def test_a_strict_session_delivers_no_message_with_other_errors() -> None:
    wired = established(Role.ACCEPTOR, "KalshiNR", strict=True)
    rejected, _ = wired.receive(wired.peer.message("D", "11=a|54=x|", t52=LATE))
    assert isinstance(rejected, MessageRejected)
    assert kinds(wired.sent()) == ["Reject", "Logout"]


@pytest.mark.parametrize(
    ("name", "msg_type", "body"),
    [
        ("KalshiNR", "W", "55=X|268=0|"),
        ("KalshiNR", "8", answer().replace("150=0", "150=F")),
        ("KalshiMD", "XX", "58=x|"),
    ],
)
def test_a_message_with_two_errors_gets_one_answer_from_a_strict_session(
    name: str, msg_type: str, body: str
) -> None:
    wired = established(Role.INITIATOR, name, strict=True)
    rejected, ended = wired.receive(wired.peer.message(msg_type, body, t52=LATE))
    assert isinstance(rejected, MessageRejected)
    assert rejected.problems[0].reason is Reason.SENDING_TIME_ACCURACY
    assert isinstance(ended, SessionEnded)
    assert kinds(wired.sent()) == ["Reject", "Logout"]


@pytest.mark.parametrize("held", [False, True])
def test_a_strict_session_does_not_count_a_duplicate_with_a_late_original_time(
    role: Role, held: bool
) -> None:
    wired, wrong = established(role, strict=True), {"t43": "Y", "t122": EARLY}
    for advice in ("", "OrigSendingTime after SendingTime"):
        messages = [wired.peer.message("9", news(), number, **wrong) for number in ((3, 2) if held else (2,))]
        events = wired.receive(*messages)
        (rejected,) = of_type(events, MessageRejected)
        assert (rejected.problems[0].reason, rejected.will_be_resent) == (Reason.SENDING_TIME_ACCURACY, True)
        (ended,) = of_type(events, SessionEnded)
        assert advice in ended.advice
        assert bool(advice) == bool(ended.advice)
        assert wired.session.next_incoming == 2
        wired.peer.next_number = 3
        wired, _ = again(wired)


@pytest.mark.parametrize("linger", [0.0, 1.0])
def test_a_request_whose_answer_may_still_arrive_is_not_given_up(linger: float) -> None:
    wired = established(Role.INITIATOR, strict=True, protocol_options=ProtocolOptions(linger=linger))
    wired.session.send(order("a"), wired.clock.now)
    duplicate = {"t43": "Y", "t122": LATE}
    wired.receive(wired.peer.message("0", "", 5))
    wired.receive(wired.peer.message("4", "36=4|123=Y|", 2, **duplicate))
    events = wired.receive(wired.peer.message("9", news(), 4, t43="Y", t122=EARLY))
    events += wired.cut()
    assert [type(event) for event in events] == [MessageRejected, SessionEnded]
    assert [request.request_id for request in wired.session.open_requests] == ["a"]
    wired.peer.next_number = 6
    wired, events = again(wired)
    events += wired.receive(wired.peer.message("8", answer(), 4, **duplicate))
    events += wired.receive(wired.peer.message("4", "36=7|123=Y|", 5, **duplicate))
    assert [type(event) for event in events] == [
        LoggedOn,
        GapDetected,
        MessageReceived,
        SequenceSkipped,
        GapClosed,
    ]
    assert not wired.session.open_requests


def test_during_a_reset_such_a_duplicate_is_counted_and_not_resent(role: Role) -> None:
    wired = established(role, strict=True)
    wired.session.reset(wired.clock.now)
    events = wired.receive(wired.peer.message("9", news(), t43="Y", t122=EARLY))
    assert [type(event) for event in events] == [MessageRejected]
    assert wired.session.state is State.RESETTING


@pytest.mark.parametrize("linger", [0.0, 2.0])
def test_a_gap_fill_does_not_skip_a_refused_held_message(role: Role, linger: float) -> None:
    wired = established(role, strict=True, protocol_options=ProtocolOptions(linger=linger))
    early = {"t43": "Y", "t122": EARLY}
    events = wired.receive(
        wired.peer.message("9", news(), 4, **early),
        wired.peer.message("4", "36=6|123=Y|", 2, t43="Y", t122=LATE),
    )
    assert [event.will_be_resent for event in of_type(events, MessageRejected)] == [True]
    assert [(event.begin, event.end) for event in of_type(events, SequenceSkipped)] == [(2, 3)]
    assert wired.session.next_incoming == 4
    if not linger:
        assert isinstance(events[-1], SessionEnded)
