"""A venue that cannot keep up: received bytes wait, and their age is measured on arrival."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, cast

import pytest

from kalshi_fix_sansio import ExecType, Side
from kalshi_fix_sansio._generated.limits import SENDING_TIME_TOLERANCE
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.driver import ClientProtocol, Driver
from kalshi_fix_venue.inbox import BACKLOG_THRESHOLD, CHUNK_SIZE, MAX_WAITING
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.venue import VenueModel
from tests.venue.venue_harness import Client, VenueHarness, config, decode_all, msg_types, order, raw_logon

WAIT = 100.0
"""Seconds for which messages wait: more than the SendingTime tolerance and the timeout of a silent client."""


@pytest.fixture
def ann(harness: VenueHarness) -> Client:
    client = harness.connect("ann")
    client.take()
    return client


def add_backlog(harness: VenueHarness, size: int = 2 * CHUNK_SIZE) -> int:
    """Add bytes from another connection to the inbox; return that connection."""
    conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
    harness.venue.inbox.receive_data(conn, bytes(size), harness.now)
    return conn


def leave_order_waiting(harness: VenueHarness, client: Client, late: float = 0.0) -> None:
    """Put an order with a SendingTime of `late` seconds ago into the venue's inbox, and leave it there."""
    sent = Instant(harness.monotonic, harness.utc - timedelta(seconds=late))
    client.session.send(order("a1", Side.BUY, 1, "0.40"), sent)
    harness.venue.inbox.receive_data(client.conn, client.session.data_to_send(), harness.now)
    harness.clients.remove(client)


def process(harness: VenueHarness) -> None:
    while harness.venue.inbox:
        harness.venue.inbox.process(harness.now)


def sent_to(client: Client) -> list[Any]:
    found: list[Any] = []
    while data := client.harness.venue.data_to_send(client.conn):
        found += decode_all(data)
    return found


def test_the_age_of_a_message_is_measured_on_arrival(harness: VenueHarness, ann: Client) -> None:
    add_backlog(harness)
    leave_order_waiting(harness, ann)
    harness.wait(WAIT)
    assert set(msg_types(sent_to(ann))) == {"0"}, (
        "heartbeats continue, and the client does not count as silent"
    )
    process(harness)
    (report,) = sent_to(ann)
    assert (report.exec_type, report.cl_ord_id) == (ExecType.NEW, "a1")
    assert report.header.sending_time == harness.now.utc


def test_a_message_that_was_late_when_it_arrived_is_refused(harness: VenueHarness, ann: Client) -> None:
    add_backlog(harness)
    leave_order_waiting(harness, ann, late=SENDING_TIME_TOLERANCE + 1)
    harness.wait(WAIT)
    sent_to(ann)
    process(harness)
    assert msg_types(sent_to(ann)) == ["3", "5"]


def test_silence_is_measured_from_processed_messages(harness: VenueHarness, ann: Client) -> None:
    add_backlog(harness)
    leave_order_waiting(harness, ann)
    harness.wait(WAIT)
    process(harness)
    sent_to(ann)
    harness.wait(37)
    assert msg_types(sent_to(ann)) == ["0", "1"]


def test_connections_are_served_round_robin(harness: VenueHarness, ann: Client) -> None:
    add_backlog(harness, 50 * CHUNK_SIZE)
    leave_order_waiting(harness, ann)
    harness.venue.inbox.process(harness.now)
    assert sent_to(ann) == []
    assert harness.venue.inbox.process(harness.now) == ann.conn
    assert msg_types(sent_to(ann)) == ["8"]


def test_messages_sent_before_a_disconnect_are_processed(harness: VenueHarness, ann: Client) -> None:
    add_backlog(harness)
    leave_order_waiting(harness, ann)
    harness.venue.inbox.receive_eof(ann.conn, harness.now)
    assert harness.venue.sessions()
    process(harness)
    assert harness.venue.exchange("prediction").find("ann", "a1")
    assert harness.venue.sessions() == []


def test_a_lost_connection_is_noticed_when_its_messages_are_dropped(
    harness: VenueHarness, ann: Client
) -> None:
    add_backlog(harness)
    leave_order_waiting(harness, ann)
    harness.venue.inbox.receive_eof(ann.conn, harness.now)
    harness.venue.inbox.drop(harness.now)
    assert harness.venue.exchange("prediction").find("ann", "a1") is None
    assert (harness.venue.sessions(), bool(harness.venue.inbox)) == ([], False)


def test_the_backlog_is_in_the_status_and_in_the_log(
    harness: VenueHarness, caplog: pytest.LogCaptureFixture
) -> None:
    def backlog() -> Any:
        return harness.venue.perform(operation("status"), harness.now)["backlog"]

    assert backlog() == {"connections": 0, "bytes": 0, "seconds": 0.0}
    add_backlog(harness, 3 * CHUNK_SIZE)
    harness.venue.inbox.process(harness.now)
    assert caplog.records == [], "bytes that wait briefly are not a backlog"
    add_backlog(harness, CHUNK_SIZE)
    harness.wait(2 * BACKLOG_THRESHOLD)
    assert backlog() == {"connections": 2, "bytes": 2 * CHUNK_SIZE, "seconds": 2 * BACKLOG_THRESHOLD}
    with caplog.at_level(logging.WARNING):
        process(harness)
    behind, caught_up = (record.getMessage() for record in caplog.records)
    assert f"cannot keep up: messages wait for {2 * BACKLOG_THRESHOLD:.1f} seconds" in behind
    assert f"has caught up; it was behind by up to {2 * BACKLOG_THRESHOLD:.1f} seconds" in caught_up
    assert backlog()["connections"] == 0


class Loop:
    """The parts of an event loop that a driver needs; the test runs each iteration."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], object]] = []

    def time(self) -> float:
        return 50.0

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.callbacks.append(callback)

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(when, callback, (), cast("asyncio.AbstractEventLoop", self))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def get_debug(self) -> bool:
        return False

    def run_once(self) -> None:
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        pass


def open_connection(driver: Driver) -> tuple[Transport, ClientProtocol]:
    transport, connection = Transport(), ClientProtocol(driver, "prediction", "KalshiNR")
    connection.connection_made(transport)
    return transport, connection


def test_a_busy_venue_stops_reading_from_a_flooding_socket() -> None:
    loop = Loop()
    driver = Driver(VenueModel(config(), Random(1)), cast("asyncio.AbstractEventLoop", loop))
    (flood, flood_protocol), (quiet, quiet_protocol) = open_connection(driver), open_connection(driver)
    flood_protocol.data_received(bytes(MAX_WAITING))
    reads = [flood.reading]
    flood_protocol.data_received(bytes(CHUNK_SIZE + 1))
    reads.append(flood.reading)
    assert reads == [True, False], "one chunk is processed immediately"
    quiet_protocol.data_received(raw_logon("ann", now=driver.now(), signer="bob"))
    assert quiet.written == b""
    assert len(loop.callbacks) == 1
    for _ in range(2):
        loop.run_once()
    assert b"58=Invalid signature" in quiet.written
    iterations = 0
    while not flood.reading:
        loop.run_once()
        iterations += 1
    assert abs(iterations - MAX_WAITING // 2 // CHUNK_SIZE) < 3
    while loop.callbacks:
        loop.run_once()
    assert not driver.venue.inbox


def test_send_rules_are_prepared_one_per_idle_iteration() -> None:
    loop = Loop()
    driver = Driver(VenueModel(config(), Random(1)), cast("asyncio.AbstractEventLoop", loop))
    (_, quiet_protocol), (_, flood_protocol) = open_connection(driver), open_connection(driver)
    quiet_protocol.data_received(raw_logon("ann", now=driver.now()))
    (session,) = driver.venue.unprepared.values()
    rules = session._core.send_rules
    loop.run_once()
    loop.run_once()
    assert len(rules) == 2
    # Waiting bytes are processed first.
    flood_protocol.data_received(bytes(3 * CHUNK_SIZE))
    while driver.venue.inbox:
        loop.run_once()
    assert len(rules) == 2
    while loop.callbacks:
        loop.run_once()
    assert len(rules) == 8
    assert not session.prepare()
    assert not driver.venue.unprepared


def test_no_send_rules_are_prepared_for_an_ended_session(harness: VenueHarness, ann: Client) -> None:
    harness.connect("bob")
    assert len(harness.venue.unprepared) == 2
    harness.venue.receive_eof(ann.conn, harness.now)
    assert ann.conn not in harness.venue.unprepared
    assert len(harness.venue.unprepared) == 1
