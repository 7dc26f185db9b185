"""Checks of every incoming message, and their consequences in lenient and strict sessions."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    Event,
    GapDetected,
    GarbledReceived,
    MessageReceived,
    MessageRejected,
    MessageTooLarge,
    RejectReceived,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore
from tests.helpers import NEWS, Wired, config, established, of_type, one, order

ORDER = "11=a1|38=1|40=2|44=0.5|54=1|55=S|"


def test_a_refused_message_ahead_of_a_gap_is_not_counted(wired: Wired) -> None:
    wired.receive(wired.peer.message("0", "", 7, t49="Mallory"))
    assert wired.session.next_incoming == 2


@pytest.mark.parametrize("time", ["-", "now"])
def test_an_unreadable_sending_time_is_a_problem_with_the_message(role: Role, time: str) -> None:
    lenient = established(role)
    event = one(lenient.receive(lenient.peer.message("9", NEWS, t52=time)), MessageReceived)
    assert [problem.tag for problem in event.message.problems] == [52]
    strict = established(role, strict=True)
    strict.receive(strict.peer.message("0", "", t52=time))
    (reject,) = strict.sent()
    assert (reject.NAME, reject.ref_tag_id) == ("Reject", 52)
    assert strict.session.next_incoming == 3


def test_an_oversized_message_is_reported_and_leaves_a_gap(role: Role) -> None:
    wired = established(role, max_message_size=400)
    large = wired.peer.message("9", NEWS + f"58={'x' * 400}|", 2)
    (reported,) = wired.receive(large)
    length = int(large.split(b"\x01")[1][2:])
    assert reported == MessageTooLarge(length, 400, "9")
    events = wired.receive(wired.peer.message("9", NEWS, 3))
    assert [type(event) for event in events] == [GapDetected]
    assert events[0] == GapDetected(2, 2, recoverable=True)


def test_the_default_size_limit_is_that_of_the_session_type() -> None:
    usual = 256 * 1024
    books = config(name="KalshiMD")
    assert books.session_type.max_message_size is not None
    assert books.max_message_size == books.session_type.max_message_size > usual
    assert config(Role.ACCEPTOR, "KalshiMD").max_message_size == usual
    assert config(name="KalshiNR").max_message_size == usual
    assert config(name="KalshiMD", max_message_size=1000).max_message_size == 1000


def test_a_message_with_an_empty_type_is_reported_or_rejected_by_a_strict_session(
    wired: Wired, role: Role
) -> None:
    assert [type(event) for event in wired.receive(wired.peer.message(""))] == [MessageReceived]
    wired = established(role, strict=True)
    wired.receive(wired.peer.message(""))
    (reject,) = wired.sent()
    assert (reject.ref_tag_id, reject.session_reject_reason, reject.ref_msg_type) == (35, 4, None)


def test_a_strict_session_declines_messages_of_other_session_types(role: Role) -> None:
    wired = established(role, "KalshiDC", strict=True)
    assert [type(event) for event in wired.receive(wired.peer.message("V", "263=2|"))] == [MessageRejected]
    (reject,) = wired.sent()
    assert (reject.NAME, reject.ref_seq_num, reject.ref_msg_type) == ("BusinessMessageReject", 2, "V")
    assert reject.business_reject_reason == 3
    assert reject.text == "MarketDataRequest is not available on KalshiDC"


def test_without_a_business_reject_in_the_dialect_a_reject_is_sent() -> None:
    fewer = {msg_type: layout for msg_type, layout in DIALECT.messages.items() if msg_type != "j"}
    wired = established(Role.ACCEPTOR, "KalshiDC", strict=True, dialect=attrs.evolve(DIALECT, messages=fewer))
    wired.receive(wired.peer.message("V", "263=2|"))
    (reject,) = wired.sent()
    assert (reject.NAME, reject.session_reject_reason) == ("Reject", 11)


def test_messages_beyond_the_bounded_record_are_found_in_the_store_and_open_requests() -> None:
    store = MemoryStore()
    wired = established(Role.INITIATOR, store=store, max_sent_record=2)
    numbers = [wired.session.send(order(f"o{index}"), wired.clock.now) for index in range(4)]
    event = one(wired.receive(wired.peer.message("3", f"45={numbers[0]}|")), RejectReceived)
    assert event.sent == order("o0")
    bounded = established(Role.INITIATOR, "KalshiNR", max_sent_record=2)
    numbers = [bounded.session.send(order(f"o{index}"), bounded.clock.now) for index in range(4)]
    found = [
        of_type(bounded.receive(bounded.peer.message("3", f"45={number}|")), RejectReceived)[0].sent
        for number in numbers
    ]
    assert found == [order(f"o{index}") for index in range(4)]
    again = bounded.receive(bounded.peer.message("3", f"45={numbers[0]}|"))
    assert of_type(again, RejectReceived)[0].sent is None  # The request has been answered.


def test_a_peer_that_sends_requests_but_never_reads_is_disconnected(role: Role) -> None:
    wired = established(role, max_unsent=2000)
    events: list[Event] = []
    while not events:
        events = wired.receive(wired.peer.message("1", "112=x|"))
    ended = one(events, SessionEnded)
    assert ended.text == "the peer has stopped reading"
    assert 4000 < ended.unsent < 4400


def test_a_caller_who_never_fetches_events_gets_an_error(role: Role) -> None:
    wired = established(role, max_events=2)
    for _ in range(2):
        wired.session.receive_data(wired.peer.message("9", NEWS), wired.clock.now)
    waiting = wired.peer.message("9", NEWS)
    with pytest.raises(LocalProtocolError, match="unfetched events: 2"):
        wired.session.receive_data(waiting, wired.clock.now)
    assert len(wired.session.events()) == 2
    assert len(wired.receive(waiting)) == 1


def test_messages_that_waited_behind_garbage_are_not_too_old(wired: Wired) -> None:
    begun = b"8=FIXT.1.1\x019=200\x0135=0\x01"
    first, last = (wired.peer.message("9", NEWS) for _ in range(2))
    assert wired.receive(begun, first) == []
    wired.clock.advance(33)
    late = wired.receive(last, wired.peer.message("0"))
    assert [type(event) for event in late] == [GarbledReceived, MessageReceived, MessageReceived]
    (rejected, _) = wired.receive(wired.peer.message("9", NEWS, t52="20260821-14:03:07.123"))
    assert isinstance(rejected, MessageRejected)


def report(number: int, *, status: str = "0", cl_ord_id: str = "a1", more: str = "") -> str:
    exec_type = {"2": "F"}.get(status, status)
    return (
        f"37=o{number}|11={cl_ord_id}|17=1;{number}|150={exec_type}|39={status}|54=1|55=S|38=1|151=1|14=0|6=0|"
        f"44=0.5|{more}"
    )


Sent = tuple[str, str, dict[str, str]]
IN_SEQUENCE: list[Sent] = [
    ("8", report(1), {}),
    ("8", report(2, cl_ord_id="a2"), {"t97": "Y"}),
    ("8", report(1, status="2"), {}),
    ("8", report(3, status="8", cl_ord_id="a3", more="103=99|58=EXCHANGE_UNAVAILABLE|"), {}),
    ("8", "37=o9|150=x|", {}),
    ("UX", "58=of another version|", {}),
    ("0", "", {}),
    ("1", "112=t|", {}),
]
"""Messages in sequence, most of them regular."""
OUT_OF_SEQUENCE: list[Sent] = [
    ("8", report(4), {"t34": "40"}),
    ("8", report(4), {"t34": "2"}),
    ("8", report(4), {"t43": "Y", "t34": "2", "t122": "20260101-00:00:00"}),
    ("8", report(4), {"t49": "Mallory"}),
    ("8", report(4), {"t56": "Mallory"}),
    ("8", report(4), {"t52": "20200101-00:00:00.000"}),
    ("8", report(4), {"t52": "-"}),
]


@pytest.mark.parametrize("last", OUT_OF_SEQUENCE, ids=lambda sent: "|".join(sent[2].values()))
@pytest.mark.parametrize("name", ["KalshiNR", "KalshiRT"])
def test_the_fast_path_for_messages_in_sequence_follows_the_rules(name: str, last: Sent) -> None:
    wired, by_rules = (established(Role.INITIATOR, name) for _ in range(2))
    by_rules.session._receiver._unchecked_classes = frozenset()
    for item in (wired, by_rules):
        for cl_ord_id in ("a1", "a2", "a3"):
            item.session.send(order(cl_ord_id), item.clock.now)
        item.session.data_to_send()
    for msg_type, body, header in [*IN_SEQUENCE, last]:
        seen = []
        for item in (wired, by_rules):
            item.clock.advance(0.5)
            events = item.receive(item.peer.message(msg_type, body, **header))
            session = item.session
            marks, times = [*session._core.ledger.fetched_marks], session._core.times.catching_up
            state = (session.state, session.next_incoming, session.open_requests, session.next_deadline())
            seen.append((events, marks, times, state, item.sent()))
        assert seen[0] == seen[1]
    assert wired.cut() == by_rules.cut()
