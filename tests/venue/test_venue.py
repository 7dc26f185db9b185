"""The whole venue: sessions, orders, market data, disconnects and resends, with a virtual clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio import (
    ExecutionReport,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.events import (
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore, Session
from tests.venue.exchange_harness import d
from tests.venue.venue_harness import Client, VenueHarness, encode, order, raw_logon

BUY, SELL = Side.BUY, Side.SELL


def test_the_same_calls_and_seed_give_the_same_bytes() -> None:
    def bytes_of(seed: int) -> bytes:
        harness = VenueHarness(seed)
        conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
        harness.venue.receive_data(conn, raw_logon("ann"), harness.now)
        harness.venue.receive_data(
            conn, encode("ann", "KalshiNR", 2, harness.now, order("a1", BUY, 1, "40")), harness.now
        )
        return harness.venue.data_to_send(conn)

    assert bytes_of(1) == bytes_of(1)
    assert bytes_of(1) != bytes_of(2)


def test_sequence_numbers_continue_across_reconnects_unless_reset(harness: VenueHarness) -> None:
    store = MemoryStore()
    ann = harness.connect("ann", "KalshiRT", store=store)
    ann.send(order("a1", BUY, 10, "0.40"))
    ann.logout()
    assert (store.next_outgoing, store.next_incoming) == (4, 4)
    reconnected = harness.connect("ann", "KalshiRT", store=store)
    assert reconnected.is_logged_on
    assert (store.next_outgoing, store.next_incoming) == (5, 5)
    reconnected.logout()
    fresh = harness.connect("ann", "KalshiRT", reset=True)
    assert fresh.is_logged_on
    assert (fresh.session.next_outgoing, fresh.session.next_incoming) == (2, 2)


def test_the_next_deadline_is_the_earliest_of_all(harness: VenueHarness) -> None:
    assert harness.venue.next_deadline() is None
    ann = harness.connect("ann")
    end = harness.utc + timedelta(seconds=7)
    ann.send(order("a1", BUY, 10, "0.40", time_in_force=TimeInForce.GOOD_TILL_DATE, expire_time=end))
    assert harness.venue.next_deadline() == pytest.approx(harness.monotonic + 7)


def test_orders_and_deadlines_call_only_the_affected_sessions(
    harness: VenueHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [harness.connect("ann-2", "KalshiRT"), harness.connect("bob")]
    ann = harness.connect("ann")
    idle = [harness.venue.connection_made("prediction", "KalshiDC", harness.now) for _ in range(50)]
    harness.wait(5)
    called: set[int] = set()

    def record_calls_of(name: str) -> None:
        function = getattr(Session, name)

        def call(session: Session, *args: Any) -> Any:
            called.add(id(session))
            return function(session, *args)

        monkeypatch.setattr(Session, name, call)

    def count_called() -> int:
        """Return the number of sessions that the venue has called since this function last ran."""
        harness.venue.connections_with_output()
        assert not harness.venue.connections_to_close() & {ann.conn, *(other.conn for other in others)}
        harness.venue.next_deadline()
        found = len(called)
        called.clear()
        return found

    for name in ("next_deadline", "data_to_send", "events", "handle_timer"):
        record_calls_of(name)
    ann.session.send(order("a1", BUY, 1, "0.40"), harness.now)
    data = ann.session.data_to_send()
    count_called()
    harness.venue.receive_data(ann.conn, data, harness.now)
    assert count_called() <= 2  # Ann's session, and the session with the earliest deadline
    harness.venue.handle_timer(harness.now)  # no deadline is due
    assert count_called() <= 2
    harness.monotonic += 10  # the logon of the idle sessions is overdue
    harness.venue.handle_timer(harness.now)
    # The other sessions may be called too: their deadlines have changed since their logon.
    assert len(idle) <= count_called() <= len(idle) + len(others) + 1
    assert harness.venue.connections_to_close() == set(idle)


def test_a_client_that_stops_reading_is_disconnected_and_loses_no_reports_on_rt() -> None:
    harness, store = VenueHarness(max_unsent=4000), MemoryStore()
    ann, bob = harness.connect("ann", "KalshiRT", store=store), harness.connect("bob")
    ann.send(order("a1", BUY, 100, "0.40"))
    ann.take()
    ann.stopped_reading = True
    for number in range(40):
        bob.send(order(f"b{number}", SELL, 1, "0.40"))
    resting = harness.venue.exchange("prediction").find("ann", "a1")
    assert resting is not None
    assert resting.filled_qty == 40
    assert len([m for m in bob.take() if isinstance(m, ExecutionReport)]) == 40
    ann.stopped_reading = False
    harness.run()
    seen = [m.cum_qty for m in ann.take() if isinstance(m, ExecutionReport)]
    assert 0 < len(seen) < 40
    reconnected = harness.connect("ann", "KalshiRT", store=store)
    harness.wait(0.1)  # The resend is sent in pages.
    seen += [m.cum_qty for m in reconnected.take() if isinstance(m, ExecutionReport)]
    assert seen == [d(number) for number in range(1, 41)]


def test_calls_for_closed_connections_are_ignored(harness: VenueHarness, ann: Client) -> None:
    ann.drop()
    harness.venue.receive_data(ann.conn, b"8=FIXT.1.1", harness.now)
    harness.venue.receive_eof(ann.conn, harness.now)
    assert harness.venue.data_to_send(ann.conn) == b""
    assert harness.venue.should_close(ann.conn)
    assert harness.venue.connections_with_output() == set()


def test_output_waits_until_it_is_fetched(harness: VenueHarness) -> None:
    conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
    harness.venue.receive_data(conn, raw_logon("ann"), harness.now)
    assert harness.venue.connections_with_output() == {conn}
    assert harness.venue.connections_with_output() == {conn}
    assert b"35=A" in harness.venue.data_to_send(conn)
    assert harness.venue.connections_with_output() == set()


def test_a_gap_fill_is_reported(harness: VenueHarness) -> None:
    """Logons and heartbeats also use sequence numbers, and are gap-filled rather than resent."""
    harness.connect("ann", "KalshiRT").drop()
    lost = harness.connect("ann", "KalshiRT", store=MemoryStore(next_outgoing=2, next_incoming=1))
    (event,) = (event for event in lost.events if isinstance(event, SequenceSkipped | SessionEnded))
    assert isinstance(event, SequenceSkipped)
