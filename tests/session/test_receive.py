"""Checks of every incoming message, and their consequences in lenient and strict sessions."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    Event,
    GapDetected,
    MessageTooLarge,
    SessionEnded,
)
from tests.helpers import CANCEL_REJECT, config, established, one, order

ORDER = "11=a1|38=1|40=2|44=0.5|54=1|55=S|"


def test_an_oversized_message_is_reported_and_leaves_a_gap(role: Role) -> None:
    wired = established(role, max_message_size=400)
    large = wired.peer.message("9", CANCEL_REJECT + f"58={'x' * 400}|", 2)
    (reported,) = wired.receive(large)
    length = int(large.split(b"\x01")[1][2:])
    assert reported == MessageTooLarge(length, 400, "9")
    events = wired.receive(wired.peer.message("9", CANCEL_REJECT, 3))
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


def test_without_a_business_reject_in_the_dialect_a_reject_is_sent() -> None:
    fewer = {msg_type: layout for msg_type, layout in DIALECT.messages.items() if msg_type != "j"}
    wired = established(Role.ACCEPTOR, "KalshiDC", strict=True, dialect=attrs.evolve(DIALECT, messages=fewer))
    wired.receive(wired.peer.message("V", "263=2|"))
    (reject,) = wired.sent()
    assert (reject.NAME, reject.session_reject_reason) == ("Reject", 11)


def test_a_peer_that_sends_requests_but_never_reads_is_disconnected(role: Role) -> None:
    wired = established(role, max_unsent=2000)
    events: list[Event] = []
    while not events:
        events = wired.receive(wired.peer.message("1", "112=x|"))
    ended = one(events, SessionEnded)
    assert ended.text == "the peer has stopped reading"
    assert 4000 < ended.unsent < 4400


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
"""Messages in sequence, most of them valid."""
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
    assert wired.disconnect() == by_rules.disconnect()
