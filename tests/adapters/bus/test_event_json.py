"""Events that are published as JSON."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from kalshi_fix_adapters.bus.event_json import PUBLISHED_EVENTS, decode_event, encode_event
from kalshi_fix_adapters.events import Disconnected, Resubscribed
from kalshi_fix_sansio import Logon, MarketDataRequest, Problem, Reject
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    GarbledReceived,
    LoggedOn,
    MessageRejected,
    MessagesLost,
    MessageTooLarge,
    OpenRequest,
    OrdersUnverified,
    OutcomesUnknown,
    RejectReceived,
    RestingOrder,
    SequenceSkipped,
    SessionEnded,
    Uncertainty,
)
from tests.adapters.bus.stream import NOON, logged_on, report

REQUEST = OpenRequest("id", "D", 7, NOON, b"8=FIXT.1.1\x01\xff", 3)
ORDER = RestingOrder("1", None, "KX", "1", Decimal("0.10"), Decimal(5))
ENDED = SessionEnded(CloseReason.PEER_SILENT, "silent", clean=False, unsent=3)
REPORT = report(4).message
EVENTS = [
    Disconnected(ENDED, 0.25, "note"),
    Resubscribed(MarketDataRequest.subscribe("KX"), 5),
    GapClosed(9),
    GapDetected(3, 4, recoverable=True),
    GarbledReceived("no head", b"\x00\xff", 2),
    attrs.evolve(logged_on(4), flags={"use_dollars": True}, missing=(3, 4)),
    MessageRejected(REPORT, (Problem(Reason.OTHER, "text", 11, "x"),), will_be_resent=True),
    MessageRejected(None, ()),
    MessagesLost(3, 4),
    MessageTooLarge(300, 200, None),
    OrdersUnverified((ORDER,), complete=False),
    OutcomesUnknown((REQUEST,), Uncertainty.RESTARTED),
    RejectReceived(Reject(ref_seq_num=4), 4, REPORT),
    SequenceSkipped(3, 4, gap_fill=False),
    ENDED,
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_survive_a_round_trip_through_json(event: object) -> None:
    found = decode_event(encode_event(event))
    assert found == event
    assert type(found) is type(event)


def test_the_samples_contain_every_published_event() -> None:
    assert {type(event) for event in EVENTS} == set(PUBLISHED_EVENTS)


def test_the_generation_survives_the_round_trip() -> None:
    found = decode_event(encode_event(logged_on(4)))
    assert isinstance(found, LoggedOn)
    assert found.generation == 4


def test_a_logon_with_secrets_is_not_published() -> None:
    logon = Logon(encrypt_method=0, heart_bt_int=30, raw_data=b"the-signature")
    data = encode_event(RejectReceived(Reject(ref_seq_num=1), 1, logon))
    assert b"the-signature" not in data
    assert decode_event(data) == RejectReceived(Reject(ref_seq_num=1), 1, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"class":"Batcher","fields":{}}',
        b'{"class":"GapClosed","fields":{}}',
        b'{"class":"GapClosed","fields":{"next_expected":{"decimal":"x"}}}',
        b'{"class":"GapClosed","fields":{"next_expected":{"message":"x"}}}',
        b'{"class":"GapClosed","fields":{"next_expected":{"bytes":"\xe2\x82\xac"}}}',
        b'{"class":"OpenRequest","fields":{}}',
        b'{"enum":["CloseReason","NONE"]}',
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a bus event"):
        decode_event(data)
