"""Open requests, the messages that settle them, and their records in the store."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from kalshi_fix_sansio._generated import Quote, QuoteCancel
from kalshi_fix_sansio.config import Role, resend_everything
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageRejected, OpenRequest, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.session import MemoryStore, open_requests
from kalshi_fix_sansio.session.open_requests import OpenRequests, RecentAnswers, RequestsSharingName
from tests.fix50sp2 import helpers as fix50sp2
from tests.fix50sp2.dialect import OrderCancelRequest as PlainCancel
from tests.helpers import LOGON, START, LoggedStore, Wired, connected, established, of_type, order, wire
from tests.samples import execution_report

SYMBOL = "KXHIGHNY-26AUG21-B80"
REPORT = f"37=o|17=1;1|54=1|55={SYMBOL}|38=10|151=10|14=0|6=0|"


@pytest.fixture
def wired() -> Wired:
    """Return a client on KalshiRT."""
    return established(Role.INITIATOR)


def send(wired: Wired, *names: str) -> None:
    for name in names:
        wired.session.send(order(name), wired.clock.now)


def stored_ids(wired: Wired) -> list[str]:
    """Return the ids of the requests that are open in the store."""
    return [request.request_id for request in wired.session.store.open_requests()]


def test_a_request_is_recorded_with_its_identifiers_before_it_is_sent() -> None:
    store = LoggedStore()
    wired = established(Role.INITIATOR, store=store)
    send(wired, "a1")
    assert store.after_crash().open_requests() == ()
    data = wired.session.data_to_send()
    (request,) = store.after_crash().open_requests()
    assert request == OpenRequest("a1", "D", 2, wired.clock.utc, data, 1)
    assert "frame" not in repr(request)


def test_recent_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_requests, "MAX_RECENT_HASHES", 3)
    known = RecentAnswers()
    for number in range(1, 20):
        known.add("x" * number, None)
        assert len(known) <= 6
        assert all("x" * item in known for item in range(max(1, number - 2), number + 1))
    assert "x" not in known
    known.add("a", "o1")
    assert ("a", "o1") in known
    assert ("a", "o2") not in known


# --- answers without an id, or with a different id ------------------------------------------------------


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
    with pytest.raises(LocalProtocolError, match=f": {size} bytes .* max_open_request_bytes"):
        send(wired, "more")
    assert wired.session.next_outgoing == before
    wired.receive(wired.peer.message("8", f"11=a0|150=0|39=0|{REPORT}"))
    send(wired, "more")


def test_ten_thousand_requests_with_one_id_are_settled_in_linear_time() -> None:
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
            assert isinstance(shared, RequestsSharingName)
            found = shared.oldest({"Z"})
            assert found is not None
            assert found.key == key
            requests.remove(found)
    finally:
        sys.settrace(before)
    assert lines < 60 * 1000
    assert (len(requests.by_key), requests.size) == (2 * count - 1000, 2 * (2 * count - 1000))


def test_a_forwarded_order_is_also_a_request(wired: Wired) -> None:
    codec = wired.session.config.codec
    frame = codec.encode(order("f1"), wired.session._core.outbound.header("D", 9, wired.clock.now))
    assert wired.session.forward(frame, wired.clock.now) == 2
    assert stored_ids(wired) == ["f1"]


def test_messages_from_a_venue_are_not_requests() -> None:
    wired = established(Role.ACCEPTOR)
    wired.session.send(execution_report(), wired.clock.now)
    assert stored_ids(wired) == []


def test_on_plain_fix_a_cancel_is_tracked_for_a_client_and_not_for_an_acceptor() -> None:
    for role, found in ((Role.INITIATOR, ["c"]), (Role.ACCEPTOR, [])):
        wired = fix50sp2.established(role)
        cancel = PlainCancel(cl_ord_id="c", orig_cl_ord_id="a", side="1", transact_time=wired.clock.utc)
        wired.session.send(cancel, wired.clock.now)
        assert stored_ids(wired) == found


# --- after a restart ------------------------------------------------------------------------------------


def test_open_requests_are_reported_after_a_reset_by_the_acceptor() -> None:
    store = MemoryStore(next_outgoing=5, next_incoming=5)
    store.record_request(OpenRequest("a1", "D", 4, wire(Role.INITIATOR).clock.utc, b"", 1))
    wired = connected(Role.INITIATOR, store=store)
    events = wired.receive(wired.peer.logon(LOGON + "141=Y|", 1))
    assert [type(event).__name__ for event in events] == ["OutcomesUnknown", "LoggedOn"]
    (reported,) = of_type(events, OutcomesUnknown)
    assert (reported.request_ids, reported.why) == (("a1",), Uncertainty.RESET)


def test_a_request_forgotten_in_the_middle_of_a_resend_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_sansio.session.resend.PAGE_SIZE", 1)
    wired = established(
        Role.INITIATOR,
        store=MemoryStore(max_messages=3),
        reject_forgotten_resend=True,
        resend_policy=resend_everything,
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
