"""Which requests are open, what settles them, and what the store knows of it."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio._generated import (
    AcceptQuote,
    ExecutionReport,
    OrderCancelRequest,
    OrderMassCancelRequest,
    Quote,
    QuoteCancel,
    QuoteRequest,
    QuoteRequestSymbol,
    RFQCancel,
)
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import MessageReceived, MessageRejected, OutcomesUnknown, RejectReceived
from kalshi_fix_sansio.outcomes import OpenRequest, Uncertainty
from kalshi_fix_sansio.session import MemoryStore, Session
from tests.fix50sp2 import helpers as fix50sp2
from tests.fix50sp2.dialect import OrderCancelRequest as PlainCancel
from tests.helpers import LoggedStore, Wired, established, of_type, order, wire

SYMBOL = "KXHIGHNY-26AUG21-B80"
REPORT = f"37=o|17=1;1|54=1|55={SYMBOL}|38=10|151=10|14=0|6=0|"


def report(wired: Wired, cl_ord_id: str, exec_type: str = "0") -> bytes:
    return wired.peer.message("8", f"11={cl_ord_id}|150={exec_type}|39={exec_type}|{REPORT}")


def send(wired: Wired, *names: str) -> None:
    for name in names:
        wired.session.send(order(name), wired.clock.now)


def open_in(wired: Wired) -> list[str]:
    """What the store holds as open."""
    return [request.request_id for request in wired.session.store.open_requests()]


def test_a_request_is_recorded_before_it_leaves_with_all_that_identifies_it() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    send(wired, "a1")
    assert store.after_crash().open_requests() == ()
    data = wired.session.data_to_send()
    (request,) = store.after_crash().open_requests()
    assert request == OpenRequest("a1", "D", 2, wired.clock.utc, data)
    assert "frame" not in repr(request)


@pytest.mark.parametrize("exec_type", ["0", "8", "F", "4", "Z"])
def test_an_answer_settles_once_it_is_confirmed(exec_type: str) -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1", "a2")
    wired.receive(report(wired, "a1", exec_type))
    assert open_in(wired) == ["a1", "a2"]
    wired.session.confirm()
    assert open_in(wired) == ["a2"]


@pytest.mark.parametrize("exec_type", ["A", "6", "E"])
def test_a_pending_report_settles_nothing(exec_type: str) -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1")
    wired.receive(report(wired, "a1", exec_type))
    wired.session.confirm()
    assert open_in(wired) == ["a1"]


def test_a_second_report_and_one_of_nothing_we_sent_change_nothing() -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1", "a2")
    wired.receive(report(wired, "a1"), report(wired, "a1", "F"), report(wired, "other"))
    wired.session.confirm()
    assert open_in(wired) == ["a2"]


def test_an_order_cancel_reject_answers_a_cancel_and_no_order() -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1")
    cancel = OrderCancelRequest(cl_ord_id="c1", orig_cl_ord_id="a1", side="1", symbol=SYMBOL)
    wired.session.send(cancel, wired.clock.now)
    for name in ("a1", "c1"):
        wired.receive(wired.peer.message("9", f"37=o|11={name}|39=8|434=1|"))
    wired.session.confirm()
    assert open_in(wired) == ["a1"]


@pytest.mark.parametrize("msg_type", ["3", "j"])
def test_a_reject_settles_what_its_number_names_once_it_is_confirmed(msg_type: str) -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1", "a2")
    (event,) = wired.receive(
        wired.peer.message(msg_type, "45=3|372=D|380=0|" if msg_type == "j" else "45=3|")
    )
    assert isinstance(event, RejectReceived)
    assert open_in(wired) == ["a1", "a2"]
    wired.session.confirm()
    assert open_in(wired) == ["a1"]


def test_a_reject_of_what_has_had_its_answer_finds_it_in_the_store() -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1")
    wired.receive(report(wired, "a1"))
    wired.session.receive_eof(wired.clock.now)
    wired.session.events()
    wired.session = Session(wired.session.config, continues=wired.session)
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon())
    (event,) = wired.receive(wired.peer.message("3", "45=2|"))
    assert isinstance(event, RejectReceived)
    assert event.sent == order("a1")


def test_an_id_that_is_sent_again_is_open_again() -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1")
    wired.receive(report(wired, "a1", "8"))
    send(wired, "a1")
    wired.session.confirm()
    assert open_in(wired) == ["a1"]
    wired.receive(report(wired, "a1"))
    send(wired, "a2")
    wired.receive(report(wired, "a2"))
    assert open_in(wired) == ["a2"]
    wired.session.confirm()
    assert open_in(wired) == []


def test_an_id_that_is_sent_twice_at_once_is_the_last_ones() -> None:
    wired = established(Role.INITIATOR)
    send(wired, "a1", "a1")
    wired.receive(wired.peer.message("3", "45=2|"))
    wired.session.confirm()
    assert open_in(wired) == ["a1"]
    wired.receive(wired.peer.message("3", "45=3|"))
    wired.session.confirm()
    assert open_in(wired) == []


def test_a_forwarded_order_is_a_request_too() -> None:
    wired = established(Role.INITIATOR)
    codec = wired.session.config.codec
    frame = codec.encode(order("f1"), wired.session._core.outbound.header("D", 9, wired.clock.now))
    assert wired.session.forward(frame, wired.clock.now) == 2
    assert open_in(wired) == ["f1"]


def test_what_a_venue_sends_is_no_request() -> None:
    wired = established(Role.ACCEPTOR)
    answer = ExecutionReport(
        order_id="o", cl_ord_id="a1", exec_id="1;1", exec_type="0", ord_status="0", side="1", symbol=SYMBOL,
        order_qty=10, leaves_qty=10, cum_qty=0, avg_px="0",
    )  # fmt: skip
    wired.session.send(answer, wired.clock.now)
    assert open_in(wired) == []


def test_on_plain_fix_a_client_follows_a_message_that_an_acceptor_does_not() -> None:
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


# What RFQs and mass cancels are settled by


QUOTE_REQUEST = QuoteRequest(quote_req_id="r1", related_sym=[QuoteRequestSymbol(symbol=SYMBOL, order_qty=10)])
RFQ: dict[str, tuple[str, Message, str, str]] = {
    "mass cancel": (
        "KalshiNR",
        OrderMassCancelRequest(cl_ord_id="m1", mass_cancel_request_type="6"),
        "r",
        "11=m1|37=op|531=7|",
    ),
    "quote request taken": ("KalshiRT", QUOTE_REQUEST, "b", "131=r1|303=1|100=0|"),
    "quote request refused": ("KalshiRT", QUOTE_REQUEST, "AG", "131=r1|658=1|58=no|"),
    "quote": (
        "KalshiRFQ",
        Quote(quote_id="q1", quote_req_id="r1", symbol=SYMBOL, bid_px="0.5"),
        "AI",
        "117=q1|131=r1|297=10|",
    ),
    "quote cancel": ("KalshiRFQ", QuoteCancel(quote_id="q1"), "U9", "117=q1|298=0|"),
    "acceptance": ("KalshiRT", AcceptQuote(quote_id="q1", side="1"), "UC", "117=q1|21025=0|"),
    "end of a request": ("KalshiRT", RFQCancel(quote_req_id="r1"), "UB", "131=r1|21013=0|"),
}


@pytest.mark.parametrize("case", RFQ)
def test_requests_of_every_kind_are_settled_by_their_answer(case: str) -> None:
    name, request, msg_type, body = RFQ[case]
    wired = established(Role.INITIATOR, name)
    wired.session.send(request, wired.clock.now)
    assert len(open_in(wired)) == 1
    assert of_type(wired.receive(wired.peer.message(msg_type, body)), MessageReceived)
    wired.session.confirm()
    assert open_in(wired) == []


def test_a_request_that_has_no_id_is_not_followed() -> None:
    wired = established(Role.INITIATOR)
    wired.session.send(RFQCancel(rfq_id="x1"), wired.clock.now)
    assert open_in(wired) == []


def test_an_answer_to_another_kind_of_request_settles_nothing() -> None:
    wired = established(Role.INITIATOR, "KalshiRFQ")
    wired.session.send(QuoteCancel(quote_id="q1"), wired.clock.now)
    wired.receive(wired.peer.message("AI", "117=q1|131=r1|297=10|"))
    wired.session.confirm()
    assert open_in(wired) == ["q1"]


# What the next process finds


def started_again(wired: Wired, store: MemoryStore) -> list[OutcomesUnknown]:
    wired.session = Session(wired.session.config, store)
    wired.session.connect(wired.clock.now)
    return of_type(wired.session.events(), OutcomesUnknown)


def test_what_a_lost_connection_left_uncertain_is_told_once_it_is_known_and_no_more() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, "KalshiNR", store)
    send(wired, "a1", "a2")
    wired.session.data_to_send()
    wired.receive(report(wired, "a1"))
    wired.session.receive_eof(wired.clock.now)
    (told,) = of_type(wired.session.events(), OutcomesUnknown)
    assert (told.request_ids, told.why) == (("a2",), Uncertainty.CONNECTION_ENDED)
    (again,) = started_again(wired, store.after_crash(lucky=True))
    assert (again.request_ids, again.why) == (("a2",), Uncertainty.RESTARTED)
    wired.session.confirm()
    assert started_again(wired, wired.session.store) == []  # type: ignore[arg-type]


def test_an_answer_that_was_not_taken_leaves_its_request_uncertain_after_a_restart() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, "KalshiNR", store)
    send(wired, "a1")
    wired.session.data_to_send()
    wired.receive(report(wired, "a1"))
    (told,) = started_again(wired, store.after_crash(lucky=True))
    assert told.request_ids == ("a1",)


def test_requests_of_one_process_are_named_after_a_reset_at_its_next_logon() -> None:
    wired = established(Role.INITIATOR, reset_seq_num=True, store=MemoryStore())
    send(wired, "a1")
    wired.session.receive_eof(wired.clock.now)
    assert of_type(wired.session.events(), OutcomesUnknown) == []
    wired.session = Session(wired.session.config, continues=wired.session)
    wired.session.connect(wired.clock.now)
    (told,) = of_type(wired.session.events(), OutcomesUnknown)
    assert (told.request_ids, told.why) == (("a1",), Uncertainty.RESET)


def test_a_reset_by_the_acceptors_answer_names_what_was_open() -> None:
    store = MemoryStore(next_outgoing=5, next_incoming=5)
    store.record_request(OpenRequest("a1", "D", 4, wire(Role.INITIATOR).clock.utc, b""))
    wired = wire(Role.INITIATOR, store=store)
    wired.session.connect(wired.clock.now)
    events = wired.receive(wired.peer.logon("98=0|108=30|96=eA==|1137=9|141=Y|", 1))
    assert [type(event).__name__ for event in events] == ["OutcomesUnknown", "LoggedOn"]
    (told,) = of_type(events, OutcomesUnknown)
    assert (told.request_ids, told.why) == (("a1",), Uncertainty.RESET)


def test_a_request_refused_as_forgotten_is_named() -> None:
    wired = established(Role.INITIATOR, reject_forgotten_resend=True, store=MemoryStore(max_messages=1))
    send(wired, "a1", "a2", "a3")
    events = wired.receive(wired.peer.message("2", "7=2|16=0|"))
    (told,) = of_type(events, OutcomesUnknown)
    assert (told.request_ids, told.why) == (("a1", "a2"), Uncertainty.NOT_RESENT)


def test_a_request_forgotten_in_the_middle_of_a_resend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
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
    told, rejected = wired.wait(0)
    assert isinstance(rejected, MessageRejected)
    assert isinstance(told, OutcomesUnknown)
    assert (told.request_ids, told.why) == (("a2",), Uncertainty.NOT_RESENT)


@pytest.mark.parametrize("begin", [0, 99])
def test_a_request_for_what_never_was_names_nothing(begin: int) -> None:
    wired = established(Role.INITIATOR, reject_forgotten_resend=True, store=MemoryStore(max_messages=1))
    send(wired, "a1", "a2")
    assert of_type(wired.receive(wired.peer.message("2", f"7={begin}|16=0|")), OutcomesUnknown) == []
