"""Open requests, the messages that settle them, and their records in the store."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from kalshi_fix_sansio import ExecutionReportText
from kalshi_fix_sansio._generated import (
    EventResendRequest,
    OrderCancelRequest,
    OrderGroupRequest,
    Quote,
    QuoteCancel,
    RFQCancel,
)
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    OpenRequest,
    OutcomesUnknown,
    RejectReceived,
    Uncertainty,
)
from kalshi_fix_sansio.session import MemoryStore, Session, open_requests
from kalshi_fix_sansio.session.open_requests import OpenRequests, Remembered, Several
from tests.fix50sp2 import helpers as fix50sp2
from tests.fix50sp2.dialect import OrderCancelRequest as PlainCancel
from tests.helpers import LOGON, START, LoggedStore, Wired, connected, established, of_type, one, order, wire
from tests.session.crash_world import report as answer
from tests.session.steps import Case, cases

SYMBOL = "KXHIGHNY-26AUG21-B80"
REST = f"17=1;1|54=1|55={SYMBOL}|38=10|151=10|14=0|6=0|"
REPORT = f"37=o|{REST}"
UNAVAILABLE = f"103=99|58={ExecutionReportText.EXCHANGE_UNAVAILABLE}|"


@pytest.fixture
def wired() -> Wired:
    """Return a client on KalshiRT."""
    return established(Role.INITIATOR)


@pytest.fixture
def nr() -> Wired:
    """Return a client on KalshiNR, which has no resend."""
    return established(Role.INITIATOR, "KalshiNR")


@pytest.fixture
def rfq() -> Wired:
    """Return a client on KalshiRFQ."""
    return established(Role.INITIATOR, "KalshiRFQ")


def report(wired: Wired, cl_ord_id: str, exec_type: str = "0", rest: str = "") -> bytes:
    return wired.peer.message("8", f"11={cl_ord_id}|150={exec_type}|39={exec_type}|{REPORT}{rest}")


def report_of(wired: Wired, order_id: str, exec_type: str, cl_ord_id: str = "a1") -> bytes:
    text = f"11={cl_ord_id}|150={exec_type}|39={exec_type}|37={order_id}|{REST}"
    return wired.peer.message("8", text)


def send(wired: Wired, *names: str) -> None:
    for name in names:
        wired.session.send(order(name), wired.clock.now)


def open_in(wired: Wired) -> list[str]:
    """Return the requests that are open in the store."""
    return [request.request_id for request in wired.session.store.open_requests()]


@pytest.mark.parametrize(
    "case",
    cases(
        "outcomes", REST=REST, O=REPORT, UNAVAILABLE=UNAVAILABLE, UNAVAILABLE_SOON=f"{UNAVAILABLE[:-1]} soon|"
    ),
)
def test_outcomes(case: Case) -> None:
    case.play()


def test_a_request_is_recorded_with_its_identifiers_before_it_is_sent() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    send(wired, "a1")
    assert store.after_crash().open_requests() == ()
    data = wired.session.data_to_send()
    (request,) = store.after_crash().open_requests()
    assert request == OpenRequest("a1", "D", 2, wired.clock.utc, data, 1)
    assert "frame" not in repr(request)


@pytest.mark.parametrize("exec_type", ["0", "8", "F", "4", "Z"])
def test_an_answer_settles_once_it_is_confirmed(wired: Wired, exec_type: str) -> None:
    send(wired, "a1", "a2")
    wired.receive(report(wired, "a1", exec_type))
    assert open_in(wired) == ["a1", "a2"]
    wired.session.confirm()
    assert open_in(wired) == ["a2"]


def test_a_reject_of_an_answered_request_finds_it_in_the_store(wired: Wired) -> None:
    send(wired, "a1")
    wired.receive(report(wired, "a1"))
    wired.cut()
    wired.reconnect()
    wired.receive(wired.peer.logon())
    event = one(wired.receive(wired.peer.message("3", "45=2|")), RejectReceived)
    assert event.sent == order("a1")


@pytest.mark.parametrize("first", [2, 3, 4])
def test_an_id_sent_several_times_is_open_the_same_number_of_times(wired: Wired, first: int) -> None:
    send(wired, "a1", "a1", "a1")
    assert open_in(wired) == ["a1", "a1", "a1"]
    wired.receive(wired.peer.message("3", f"45={first}|"))
    left = [number for number in (2, 3, 4) if number != first]
    assert [request.seq_num for request in wired.session.open_requests] == left
    wired.receive(report(wired, "a1"))
    assert [request.seq_num for request in wired.session.open_requests] == left[1:]
    wired.receive(report(wired, "a1", "8"))
    assert wired.session.open_requests == ()
    wired.session.confirm()
    assert open_in(wired) == []


def named(wired: Wired) -> list[tuple[str, int]]:
    """Return the requests reported as uncertain when the connection is lost now."""
    reported = of_type(wired.cut(), OutcomesUnknown)
    return [(request.msg_type, request.seq_num) for each in reported for request in each.requests]


@pytest.mark.parametrize("later", ["F", "4", "C", "5", "Z"])
@pytest.mark.parametrize("sent_first", [1, 2, 3])
def test_reports_of_one_order_do_not_answer_another_with_the_same_id(
    nr: Wired, later: str, sent_first: int
) -> None:
    send(nr, *["a1"] * sent_first)
    nr.receive(report_of(nr, "o1", "0"))
    send(nr, *["a1"] * (3 - sent_first))
    nr.receive(report_of(nr, "o1", "F"), report_of(nr, "o1", later), report_of(nr, "o1", "0"))
    assert [request.seq_num for request in nr.session.open_requests] == [3, 4]
    nr.receive(report_of(nr, "o2", "F"), report_of(nr, "o2", "F"), report_of(nr, "o1", "F"))
    assert named(nr) == [("D", 4)]


@pytest.mark.parametrize("order_id", ["", "o1", "o2"])
def test_a_rejection_answers_the_next_order_of_an_id_whatever_its_order_id(nr: Wired, order_id: str) -> None:
    send(nr, "a1", "a1", "a1")
    nr.receive(report_of(nr, "o1", "0"), report_of(nr, order_id, "8"), report_of(nr, "o1", "F"))
    assert [request.seq_num for request in nr.session.open_requests] == [4]


def test_the_order_id_of_the_first_order_is_known_on_the_next_connection(nr: Wired) -> None:
    send(nr, "a1")
    nr.receive(report_of(nr, "o1", "0"))
    assert named(nr) == []
    nr.reconnect()
    nr.peer.next_number = 1
    nr.receive(nr.peer.logon("98=0|108=30|141=Y|1137=9|"))
    send(nr, "a1")
    nr.receive(report_of(nr, "o1", "F"))
    assert named(nr) == [("D", 2)]


@pytest.mark.parametrize("first_answer", ["before", "after"])
def test_a_later_process_lists_the_second_order_of_an_id_and_waits_for_the_first(first_answer: str) -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    send(wired, "a1")
    if first_answer == "before":
        wired.receive(report_of(wired, "o1", "0"))
    wired.session.confirm()
    send(wired, "a1", "a2")
    wired.session.data_to_send()
    wired.session = Session(wired.session.config, store.after_crash())
    wired.session.connect(wired.clock.now)
    (reported,) = of_type(wired.session.events(), OutcomesUnknown)
    assert (reported.why, [request.seq_num for request in reported.requests]) == (Uncertainty.RESTARTED, [3])
    left = [2, 4] if first_answer == "after" else [4]
    assert [request.seq_num for request in wired.session.open_requests] == left


def test_remembered_order_ids_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_requests, "MAX_REMEMBERED", 3)
    known = Remembered()
    for number in range(1, 20):
        known.add("x" * number, None)
        assert len(known) <= 6
        assert all("x" * each in known for each in range(max(1, number - 2), number + 1))
    assert "x" not in known
    known.add("a", "o1")
    assert ("a", "o1") in known
    assert ("a", "o2") not in known


# --- answers without an id, or with another one ---------------------------------------------------------


def test_quotes_rejected_without_their_ids_do_not_block_sending() -> None:
    wired = established(Role.INITIATOR, "KalshiRFQ", max_open_requests=3)
    for number in range(10):
        wired.session.send(
            Quote(quote_id=f"q{number}", quote_req_id=f"r{number}", symbol=SYMBOL, bid_px="0.5"),
            wired.clock.now,
        )
        wired.session.send(QuoteCancel(quote_id=f"q{number}"), wired.clock.now)
        wired.receive(wired.peer.message("AI", f"117=|131=r{number}|297=5|58=no|"))
        wired.receive(wired.peer.message("AI", f"117=q{number}|131=r{number}|297=17|"))
    assert wired.session.open_requests == ()


def test_requests_with_unconfirmed_answers_are_bounded_too() -> None:
    wired = established(Role.INITIATOR, max_open_requests=2, explicit_confirm=True)
    for name in ("a", "b", "c"):
        send(wired, name)
        wired.receive(report(wired, name))
    with pytest.raises(LocalProtocolError, match="0 requests have no answer yet, and 3 have one that is not"):
        send(wired, "d")
    assert open_in(wired) == ["a", "b", "c"]
    wired.session.confirm()
    send(wired, "d", "e")
    assert open_in(wired) == ["d", "e"]


def test_bytes_of_requests_with_unconfirmed_answers_are_bounded_too() -> None:
    wired = established(Role.INITIATOR, max_open_request_bytes=200, explicit_confirm=True)
    for name in ("a", "b"):
        send(wired, name)
        wired.receive(report(wired, name))
    with pytest.raises(LocalProtocolError, match=r"of 0 bytes have no answer yet, of [0-9]{3} bytes one"):
        send(wired, "c")
    wired.session.confirm()
    send(wired, "c")
    assert open_in(wired) == ["c"]


GROUP = "770e8400-e29b-41d4-a716-446655440002"


def group_request(action: int, group: str | None = None) -> OrderGroupRequest:
    limit = 10 if action in {1, 5} else None
    return OrderGroupRequest(
        order_group_action=action, order_group_id=group, order_group_contracts_limit=limit
    )


def test_an_unanswered_order_group_request_is_listed_by_its_number(nr: Wired) -> None:
    nr.session.send(group_request(1), nr.clock.now)
    nr.session.send(group_request(1), nr.clock.now)
    nr.receive(nr.peer.message("j", "45=2|372=UOG|380=8|"))
    (reported,) = of_type(nr.cut(), OutcomesUnknown)
    assert (reported.request_ids, reported.requests[0].seq_num) == (("3",), 3)
    assert reported.requests[0].label == "MsgSeqNum 3"


PAST_REPORTS = [("U2", "ResendEventCount=0|"), ("U3", "EventResendRejectReason=1|")]


@pytest.mark.parametrize(("msg_type", "rest"), PAST_REPORTS)
def test_requests_for_past_reports_are_identified_by_their_numbers(msg_type: str, rest: str) -> None:
    wired = established(Role.INITIATOR, "KalshiDC")
    for _ in range(3):
        wired.session.send(EventResendRequest(begin_exec_id="1;1"), wired.clock.now)
    wired.receive(wired.peer.message(msg_type, f"45=3|{rest}"), wired.peer.message(msg_type, f"45=9|{rest}"))
    (reported,) = of_type(wired.cut(), OutcomesUnknown)
    assert reported.request_ids == ("2", "4")


# --- answers that leave the outcome unknown -------------------------------------------------------------


@pytest.mark.parametrize("name", ["KalshiNR", "KalshiRT"])
def test_an_answer_with_an_unknown_outcome_lists_the_request(name: str) -> None:
    wired = established(Role.INITIATOR, name)
    send(wired, "a1", "a2")
    answer, reported = wired.receive(report(wired, "a1", "8", UNAVAILABLE))
    assert isinstance(answer, MessageReceived)
    assert isinstance(reported, OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a1",), Uncertainty.PEER_UNSURE)
    assert [request.request_id for request in wired.session.open_requests] == ["a2"]
    wired.session.confirm()
    assert open_in(wired) == ["a2"]
    assert [type(event) for event in wired.receive(report(wired, "a1"))] == [MessageReceived]


def test_a_cancel_with_an_unknown_outcome_is_listed_too(wired: Wired) -> None:
    cancel = OrderCancelRequest(cl_ord_id="c1", orig_cl_ord_id="a1", side="1", symbol=SYMBOL)
    wired.session.send(cancel, wired.clock.now)
    events = wired.receive(
        wired.peer.message(
            "9", f"37=o|11=c1|39=0|434=1|102=99|58={ExecutionReportText.EXCHANGE_UNAVAILABLE}|"
        )
    )
    (reported,) = of_type(events, OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("c1",), Uncertainty.PEER_UNSURE)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_an_unknown_outcome_is_reported_again_until_confirmed(taken: int) -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    send(wired, "a1")
    wired.session.data_to_send()
    wired.receive(report(wired, "a1", "8", UNAVAILABLE))
    wired.session.confirm(taken)
    wired.session.data_to_send()
    store.begin_commit()
    after = store.after_crash()
    assert after.next_incoming == (2 if taken == 0 else 3)
    wired.session = Session(wired.session.config, after)
    wired.session.connect(wired.clock.now)
    named = of_type(wired.session.events(), OutcomesUnknown)
    assert [reported.request_ids for reported in named] == ([] if taken == 2 else [("a1",)])


def test_an_unknown_outcome_behind_a_gap_is_reported_in_order(wired: Wired) -> None:
    send(wired, "a1")
    unavailable = wired.peer.message("8", f"11=a1|150=8|39=8|{REPORT}{UNAVAILABLE}", 3)
    wired.receive(unavailable)
    events = wired.receive(wired.peer.message("8", f"11=a0|150=0|39=0|{REPORT}", 2))
    assert [type(event).__name__ for event in events] == [
        "MessageReceived", "MessageReceived", "OutcomesUnknown", "GapClosed",
    ]  # fmt: skip


# --- bounds ---------------------------------------------------------------------------------------------


def test_requests_without_an_answer_are_bounded_in_bytes() -> None:
    wired = established(Role.INITIATOR, max_open_request_bytes=1000)
    number = 0
    while sum(len(request.frame) for request in wired.session.open_requests) < 1000:
        send(wired, f"a{number}")
        number += 1
    kept = wired.session.open_requests
    size = sum(len(request.frame) for request in kept)
    assert 1000 <= size < 1000 + len(kept[-1].frame)
    before = wired.session.next_outgoing
    with pytest.raises(LocalProtocolError, match=f"of {size} bytes .* max_open_request_bytes"):
        send(wired, "more")
    assert wired.session.next_outgoing == before
    wired.receive(report(wired, "a0"))
    send(wired, "more")


def test_ten_thousand_requests_of_one_id_are_settled_in_linear_time() -> None:
    requests = OpenRequests()
    names = (("quote_id", "q1"),)
    count = 10_000
    for key in range(1, 2 * count + 1):
        msg_type = "S" if key <= count else "Z"
        requests.add(OpenRequest("q1", msg_type, key, START, b"..", key), names)
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    index = requests.index("quote_id")
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for key in range(count + 1, count + 1001):
            shared = index["q1"]
            assert isinstance(shared, Several)
            found = shared.oldest({"Z"})
            assert found is not None
            assert found.key == key
            requests.remove(found)
    finally:
        sys.settrace(before)
    assert lines < 60 * 1000
    assert (len(requests.by_key), requests.size) == (2 * count - 1000, 2 * (2 * count - 1000))


def test_a_forwarded_order_is_a_request_too(wired: Wired) -> None:
    codec = wired.session.config.codec
    frame = codec.encode(order("f1"), wired.session._core.outbound.header("D", 9, wired.clock.now))
    assert wired.session.forward(frame, wired.clock.now) == 2
    assert open_in(wired) == ["f1"]


def test_messages_of_a_venue_are_not_requests() -> None:
    wired = established(Role.ACCEPTOR)
    wired.session.send(answer("a1", 1), wired.clock.now)
    assert open_in(wired) == []


def test_on_plain_fix_a_cancel_is_tracked_for_a_client_and_not_for_an_acceptor() -> None:
    for role, found in ((Role.INITIATOR, ["c"]), (Role.ACCEPTOR, [])):
        wired = fix50sp2.established(role)
        cancel = PlainCancel(
            cl_ord_id="c",
            orig_cl_ord_id="a",
            side="1",
            transact_time=wired.clock.utc,
            order_qty=1,
            symbol="X",
        )
        wired.session.send(cancel, wired.clock.now)
        assert open_in(wired) == found


# --- after a restart ------------------------------------------------------------------------------------


def started_again(wired: Wired, store: MemoryStore) -> list[OutcomesUnknown]:
    wired.session = Session(wired.session.config, store)
    wired.session.connect(wired.clock.now)
    return of_type(wired.session.events(), OutcomesUnknown)


def test_requests_left_uncertain_by_a_lost_connection_are_listed_once_and_only_once() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, "KalshiNR", store)
    send(wired, "a1", "a2")
    wired.session.data_to_send()
    wired.receive(report(wired, "a1"))
    (reported,) = of_type(wired.cut(), OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a2",), Uncertainty.CONNECTION_ENDED)
    (again,) = started_again(wired, store.after_crash(lucky=True))
    assert (again.request_ids, again.why) == (("a2",), Uncertainty.RESTARTED)
    wired.session.confirm()
    assert started_again(wired, wired.session.store) == []  # type: ignore[arg-type]


def test_an_unconfirmed_answer_leaves_its_request_uncertain_after_a_restart() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, "KalshiNR", store)
    send(wired, "a1")
    wired.session.data_to_send()
    wired.receive(report(wired, "a1"))
    (reported,) = started_again(wired, store.after_crash(lucky=True))
    assert reported.request_ids == ("a1",)


def test_open_requests_are_listed_when_the_next_logon_resets() -> None:
    wired = established(Role.INITIATOR, reset_seq_num=True, store=MemoryStore())
    send(wired, "a1")
    assert of_type(wired.cut(), OutcomesUnknown) == []
    wired.reconnect()
    (reported,) = of_type(wired.session.events(), OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a1",), Uncertainty.RESET)


def test_a_reset_in_the_acceptors_answer_lists_open_requests() -> None:
    store = MemoryStore(next_outgoing=5, next_incoming=5)
    store.record_request(OpenRequest("a1", "D", 4, wire(Role.INITIATOR).clock.utc, b"", 1))
    wired = connected(Role.INITIATOR, store=store)
    events = wired.receive(wired.peer.logon(LOGON + "141=Y|", 1))
    assert [type(event).__name__ for event in events] == ["OutcomesUnknown", "LoggedOn"]
    (reported,) = of_type(events, OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a1",), Uncertainty.RESET)


def test_a_request_refused_as_forgotten_is_listed() -> None:
    wired = established(Role.INITIATOR, reject_forgotten_resend=True, store=MemoryStore(max_messages=1))
    send(wired, "a1", "a2", "a3")
    events = wired.receive(wired.peer.message("2", "7=2|16=0|"))
    (reported,) = of_type(events, OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a1", "a2"), Uncertainty.NOT_RESENT)


def test_a_request_forgotten_in_the_middle_of_a_resend_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_sansio.session.resend.PAGE", 1)
    wired = established(
        Role.INITIATOR,
        store=MemoryStore(max_messages=3),
        reject_forgotten_resend=True,
        resend_policy=lambda message, age: True,
    )
    send(wired, "a1", "a2", "a3")
    wired.session.data_to_send()
    assert wired.receive(wired.peer.message("2", "7=2|16=0|")) == []
    send(wired, "a4", "a5")
    wired.session.data_to_send()
    reported, rejected = wired.wait(0)
    assert isinstance(rejected, MessageRejected)
    assert isinstance(reported, OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a2",), Uncertainty.NOT_RESENT)


@pytest.mark.parametrize("begin", [0, 99])
def test_a_resend_request_for_unsent_numbers_lists_no_requests(begin: int) -> None:
    wired = established(Role.INITIATOR, reject_forgotten_resend=True, store=MemoryStore(max_messages=1))
    send(wired, "a1", "a2")
    assert of_type(wired.receive(wired.peer.message("2", f"7={begin}|16=0|")), OutcomesUnknown) == []


def test_after_a_restart_requests_with_several_ids_are_found_by_each() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    for request in (
        RFQCancel(rfq_id="x1"),
        RFQCancel(quote_req_id="r1"),
        group_request(1),
        group_request(2, GROUP),
    ):
        wired.session.send(request, wired.clock.now)
    wired.session.confirm()
    wired.session.data_to_send()
    wired.session = Session(wired.session.config, store.after_crash())
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon(number=2))
    wired.peer.next_number = 3
    left = ["x1", "r1", "4", "5"]
    assert [request.request_id for request in wired.session.open_requests] == left
    for msg_type, body, gone in (
        ("UB", "131=r9|RfqId=x1|RFQCancelStatus=0|", "x1"),
        ("UOH", f"OrderGroupID={GROUP}|", "5"),
        ("UOH", "OrderGroupID=g7|", "4"),
        ("UB", "131=r1|RFQCancelStatus=0|", "r1"),
    ):
        wired.receive(wired.peer.message(msg_type, body))
        left.remove(gone)
        assert [request.request_id for request in wired.session.open_requests] == left


def test_a_request_of_a_removed_type_is_answered_by_its_number_only() -> None:
    store = MemoryStore(next_outgoing=5, next_incoming=5)
    frame = wire(Role.ACCEPTOR).peer.message("ZZ", "58=x|", 4)
    store.record_request(OpenRequest("a1", "ZZ", 4, START, frame, 8))
    wired = connected(Role.INITIATOR, store=store)
    wired.receive(wired.peer.logon(number=5), wired.peer.message("8", f"11=a1|150=0|39=0|{REPORT}", 6))
    assert [request.key for request in wired.session.open_requests] == [8]
    send(wired, "a2")
    assert [request.key for request in wired.session.open_requests] == [8, 9]
    wired.receive(wired.peer.message("j", "45=4|372=ZZ|380=3|", 7))
    assert [request.key for request in wired.session.open_requests] == [9]
