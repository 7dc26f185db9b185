"""The maximum message size: the largest book does not exceed it, and clients handle messages that do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_adapters.config.reconnect import GiveUp as GiveUpVerdict
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.attempts import Retries
from kalshi_fix_adapters.engine.faults import Fault, Faults
from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.errors import MessageTooLargeError, SessionClosedError
from kalshi_fix_adapters.events import Disconnected, GaveUp
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_sansio import (
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MDFullEntry,
    MDReqSymbol,
    encode,
)
from kalshi_fix_sansio._generated.sessions import SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    MessageReceived,
    MessageTooLarge,
    SessionEnded,
)
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.signing import Signer
from tests.adapters.engine.stage import Stage, only, open_stage, plan
from tests.helpers import KEY_ID

SIGNER = Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048))
LEVELS = 9_999
"""Number of prices above 0 and below 1 dollar, with four decimals."""
EXTRA_TIME_DIGITS = 3
"""Number of digits of a time on the wire that Python's datetime cannot represent."""


def snapshot(levels: int, size: str = "10.00") -> MarketDataSnapshotFullRefresh:
    """Return a book with this many levels on each side."""
    return MarketDataSnapshotFullRefresh(
        symbol="KX",
        md_entries=[
            MDFullEntry(
                md_entry_type=side,
                md_entry_px=Decimal(price) / 10_000,
                md_entry_size=size,
                md_entry_date=date(2026, 8, 21),
                md_entry_time=time(14, 3, 7, 123456),
            )
            for side in "01"
            for price in range(1, levels + 1)
        ],
    )


def test_the_largest_book_that_the_venue_can_send_is_accepted() -> None:
    book = snapshot(LEVELS, size="999999999999.99")
    book.symbol = "S" * 100
    frame = encode(book)
    limit = plan("KalshiMD").config.max_message_size
    assert len(frame) + EXTRA_TIME_DIGITS * len(book.md_entries) < limit
    framer = Framer(max_body_length=limit)
    framer.feed(frame)
    assert framer.next() == Frame(frame)


# --- the option


def test_the_maximum_message_size_is_an_option() -> None:
    def limit(**options: Any) -> int:
        config = ClientConfig(key_id=KEY_ID, private_key=SIGNER, tls=Tls(), **options)
        return make_plan("KalshiMD", config).config.max_message_size

    assert limit() == SESSION_TYPES["KalshiMD"].max_message_size
    assert limit(max_message_size=1000) == 1000
    assert limit(max_message_size=9_000_000) == 9_000_000


# --- a repeated failure


def serve_large_books(stage: Stage, seconds: int) -> None:
    """Act as a venue that answers each subscription with a book that is too large."""
    served = 0
    for _ in range(seconds):
        requested = sum(isinstance(event, MessageReceived) for event in stage.venue_events)
        if requested > served and stage.is_connected:
            served = requested
            stage.venue.send(snapshot(100), stage.clock.now)
            stage.run()
            if stage.is_connected:
                stage.venue.test_request(stage.clock.now)
                stage.run()
        stage.advance(1)


def subscribed_stage(**changes: Any) -> Stage:
    stage = open_stage(plan("KalshiMD", session={"max_message_size": 4096}, **changes))
    stage.core.send(MarketDataRequest(subscription_request_type="1", related_sym=[MDReqSymbol(symbol="KX")]))
    stage.run()
    return stage


def test_the_client_gives_up_with_advice_if_a_book_is_too_large() -> None:
    stage = subscribed_stage()
    serve_large_books(stage, 1_000)
    events = stage.take()
    too_large = [event for event in events if isinstance(event, MessageTooLarge)]
    assert len(too_large) == 3
    assert {(item.limit, item.msg_type) for item in too_large} == {(4096, "W")}
    assert sum(isinstance(event, Disconnected) for event in events) == 2
    reason = only(events, GaveUp).reason
    assert (
        f"each connection skipped a message of {too_large[-1].size} bytes: raise max_message_size" in reason
    )
    assert "3 consecutive attempts have failed in this way" in reason
    assert stage.core.over


def test_the_number_of_repetitions_is_an_option() -> None:
    stage = subscribed_stage(reconnect=ReconnectPolicy(same_failures=5, maintenance=None))
    serve_large_books(stage, 1_000)
    assert sum(isinstance(event, MessageTooLarge) for event in stage.take()) == 5
    assert stage.core.over


def test_the_error_while_iterating_names_the_option_to_set() -> None:
    stage = subscribed_stage()
    serve_large_books(stage, 1)
    event = only(stage.take(), MessageTooLarge)
    error = message_or_error(event)
    assert isinstance(error, MessageTooLargeError)
    assert "max_message_size is 4096; increase this option" in str(error)
    assert (error.size, error.limit, error.msg_type) == (event.size, 4096, "W")
    assert "a message of 9 bytes" in str(MessageTooLargeError(MessageTooLarge(9, 8, None)))


def test_the_client_gives_up_with_advice_if_every_connection_has_the_same_gap(stage: Stage) -> None:
    for _ in range(10):
        if stage.is_connected:
            stage.venue._core.ledger.store.record_sent(2, None)
            stage.venue.test_request(stage.clock.now)
            stage.run()
        stage.advance(5)
    events = stage.take()
    assert [event.begin for event in events if isinstance(event, GapDetected)] == [2, 2, 2]
    assert "the venue does not resend its message 2" in only(events, GaveUp).reason


def test_gaps_at_different_numbers_are_different_failures(stage: Stage) -> None:
    for number in range(10):
        for _ in range(number % 2):
            stage.venue.test_request(stage.clock.now)
            stage.run()
        store = stage.venue._core.ledger.store
        store.record_sent(store.next_outgoing, None)
        stage.venue.test_request(stage.clock.now)
        stage.run()
        stage.advance(100)
    assert stage.core.is_logged_on


# --- which failures count as the same


def session_ended(reason: CloseReason, text: str = "text") -> SessionEnded:
    return SessionEnded(reason, text, clean=False)


def fault(reason: CloseReason, *events: Any, text: str = "text") -> Fault | None:
    faults = Faults()
    for event in events:
        faults.handle(event)
    return faults.cause(session_ended(reason, text))


GAP = GapDetected(5, 7, recoverable=True)
START = Instant(0.0, datetime(2026, 8, 21, tzinfo=UTC))


def test_failures_with_the_same_cause_are_equal() -> None:
    gap, protocol = CloseReason.SEQUENCE_GAP, CloseReason.PROTOCOL_ERROR
    assert fault(gap, GAP) == fault(gap, GapDetected(5, 9, recoverable=True))
    assert fault(gap, GAP) != fault(gap, GapDetected(6, 7, recoverable=True))
    assert fault(gap, MessageTooLarge(10, 9, "W"), GAP) == fault(gap, MessageTooLarge(11, 9, "W"))
    assert fault(gap, MessageTooLarge(10, 9, "W")) != fault(gap, MessageTooLarge(10, 9, "X"))
    assert fault(protocol) == fault(protocol, GAP)
    assert fault(protocol) != fault(protocol, text="another")
    assert fault(CloseReason.SEQUENCE_TOO_LOW) == fault(CloseReason.SEQUENCE_TOO_LOW)


def gives_up(reason: CloseReason, *events: Any, seconds: float) -> bool:
    """Return whether a client gives up after three connections that last this many seconds and end in this
    way."""
    retries = Retries(ReconnectPolicy(maintenance=None), 30, lambda: 0.5, START)
    error = SessionClosedError("it ended", session_ended(reason))
    verdicts = [retries.record_loss(error, fault(reason, *events), -seconds, START) for _ in range(3)]
    return isinstance(verdicts[-1], GiveUpVerdict)


@pytest.mark.parametrize(("seconds", "same"), [(1.0, True), (59.0, True), (60.0, False), (86400.0, False)])
def test_equal_protocol_violations_days_apart_are_different_failures(seconds: float, same: bool) -> None:
    assert gives_up(CloseReason.PROTOCOL_ERROR, seconds=seconds) is same
    assert gives_up(CloseReason.SEQUENCE_GAP, GAP, seconds=seconds)
    assert gives_up(CloseReason.SEQUENCE_GAP, MessageTooLarge(10, 9, "W"), seconds=seconds)


def test_temporary_failures_do_not_count_as_repetitions() -> None:
    assert fault(CloseReason.SEQUENCE_GAP) is None
    assert fault(CloseReason.SEQUENCE_GAP, GAP, GapClosed(8)) is None
    for reason in (CloseReason.CONNECTION_LOST, CloseReason.PEER_SILENT, CloseReason.LOGGED_OUT):
        assert fault(reason, GAP, MessageTooLarge(10, 9, "W")) is None
