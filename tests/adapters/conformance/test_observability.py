"""All clients report the same events to observers and in logs, without secrets."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.logs.decode import decode
from kalshi_fix_adapters.events import ClientEvent, Connecting, Disconnected
from kalshi_fix_adapters.observe.observer import (
    Direction,
    HeartbeatTiming,
    LogonTiming,
    Observer,
    OrderTiming,
    Timing,
)
from kalshi_fix_adapters.observe.wire_log import WireLog
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import HeartbeatReceived, LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import decode as decoded
from kalshi_fix_sansio.session.states import State
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TIMEOUT, Loop
from tests.adapters.conformance.support import (
    NO_DELAY,
    NewClient,
    order,
    wait_for_acknowledgement,
    wait_for_event,
)
from tests.adapters.conftest import ME
from tests.relay import Relay

DIRECTIONS: tuple[Direction, ...] = ("sent", "received")


@attrs.define(eq=False)
class RecordingObserver(Observer):
    """Records the arguments of every call."""

    wire: dict[Direction, bytearray] = attrs.field(factory=lambda: {d: bytearray() for d in DIRECTIONS})
    states: list[State] = attrs.field(factory=lambda: [State.DISCONNECTED])
    events: list[ClientEvent] = attrs.field(factory=list)
    timings: list[Timing] = attrs.field(factory=list)

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        self.wire[direction] += data

    def on_state(self, old: State, new: State, now: Instant) -> None:
        assert old is self.states[-1]
        self.states.append(new)

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        self.events.append(event)

    def on_timing(self, timing: Timing, now: Instant) -> None:
        self.timings.append(timing)

    def frames(self) -> list[bytes]:
        """Return all messages, sent ones first."""
        found = []
        for data in self.wire.values():
            framer = Framer()
            framer.feed(bytes(data))
            while isinstance(frame := framer.next(), Frame):
                found.append(frame.data)
        return found


class RaisingObserver(Observer):
    """Raises an exception in `on_wire` and `on_event`."""

    def __init__(self) -> None:
        self.calls = 0

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        self.calls += 1
        raise ValueError(data)

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        self.calls += 1
        raise ValueError(event)


@pytest.fixture
def log_text() -> Iterator[io.StringIO]:
    """Return the text of all log records, including tracebacks."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger("kalshi_fix_adapters")
    levels = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


async def trade(client: Any) -> str:
    """Send an order, wait for its report, and request a Heartbeat; return the ClOrdID."""
    placed = order()
    await client.send(placed)
    await wait_for_acknowledgement(client, placed.cl_ord_id)
    assert await client.test_request(TIMEOUT) > 0
    return placed.cl_ord_id


async def test_an_observer_sees_a_session_from_end_to_end(new_client: NewClient) -> None:
    recorder = RecordingObserver()

    async with new_client(observer=recorder) as client:
        cl_ord_id = await trade(client)
    assert recorder.states == [
        State.DISCONNECTED,
        State.LOGON_SENT,
        State.ESTABLISHED,
        State.LOGOUT_SENT,
        State.CLOSED,
        State.DISCONNECTED,
    ]
    logon, first_report, heartbeat = recorder.timings
    assert isinstance(logon, LogonTiming)
    assert min(logon.tcp, logon.tls, logon.logon) > 0
    assert isinstance(first_report, OrderTiming)
    assert (first_report.cl_ord_id, first_report.request) == (cl_ord_id, "NewOrderSingle")
    assert first_report.seconds > 0
    assert isinstance(heartbeat, HeartbeatTiming)
    assert heartbeat.seconds > 0
    assert [type(event) for event in recorder.events] == [
        *(Connecting, LoggedOn, MessageReceived, MessageReceived, HeartbeatReceived, SessionEnded),
    ]
    assert [decoded(frame).NAME for frame in recorder.frames()] == [
        *("Logon", "NewOrderSingle", "TestRequest", "Logout"),
        *("Logon", "ExecutionReport", "ExecutionReport", "Heartbeat", "Logout"),
    ]


async def test_an_observer_continues_across_connections(
    loop: Loop, new_client: NewClient, relay: Relay, tmp_path: Path
) -> None:
    recorder, path = RecordingObserver(), tmp_path / "wire.log"
    async with new_client(observer=[recorder], wire_log=path, port=relay.port, reconnect=NO_DELAY) as client:
        await trade(client)
        await loop.in_thread(relay.cut)
        await wait_for_event(client, Disconnected)
        await wait_for_event(client, LoggedOn)
        await trade(client)
    assert [type(timing) for timing in recorder.timings] == [LogonTiming, OrderTiming, HeartbeatTiming] * 2
    assert recorder.states.count(State.ESTABLISHED) == 2
    assert recorder.states[-1] is State.DISCONNECTED
    text = path.read_text()
    assert text.count(" connected to KalshiNR prediction at ") == text.count(" disconnected\n") >= 2


async def test_exceptions_from_observers_do_not_affect_the_session(
    new_client: NewClient, log_text: io.StringIO
) -> None:
    raising, other, recorder = RaisingObserver(), RaisingObserver(), RecordingObserver()
    observers = [raising, recorder, other]
    async with new_client(observer=observers) as client:
        await trade(client)
    assert client.ended.clean
    assert (raising.calls, other.calls) == (1, 1)
    assert len(recorder.timings) == 3
    assert log_text.getvalue().count("the observer RaisingObserver raised ValueError and is disabled") == 2


async def test_no_secret_is_shown_anywhere(
    new_client: NewClient, sandbox: Sandbox, log_text: io.StringIO, tmp_path: Path
) -> None:
    recorder, raising = RecordingObserver(), RaisingObserver()
    raising.on_event = recorder.on_event  # type: ignore[method-assign]  # so that only `on_wire` raises
    path = tmp_path / "wire.log"
    async with new_client(observer=[recorder, raising], wire_log=path) as client:
        await trade(client)
    shown = repr(client) + log_text.getvalue() + path.read_text() + repr(recorder.events)
    logon: Any = decoded(recorder.frames()[0])
    key = sandbox.keys[ME, "prediction"][0].private_key_pem.decode()
    secrets = [logon.raw_data.decode(), *(line for line in key.splitlines() if "-----" not in line)]
    assert len(logon.raw_data) > 80
    for secret in secrets:
        assert secret not in shown
        assert secret[8:40] not in shown
    assert raising.calls == 1
    for name in ("connection", "session", "wire"):
        assert f"kalshi_fix_adapters.{name}: KalshiNR prediction: " in shown
    assert shown.count("|35=D|") == 2  # once in the wire log and once through `logging`


async def test_the_decode_command_reads_the_wire_log(
    new_client: NewClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    recorder = RecordingObserver()
    with WireLog(tmp_path / "wire.log") as log:
        async with new_client(observer=recorder, wire_log=log) as client:
            await trade(client)
        assert log.lost == 0
    result = CliRunner().invoke(decode, ["--full", str(tmp_path / "wire.log")])
    assert result.exit_code == 0, result.output
    names = [line.split()[2] for line in result.output.splitlines() if line.startswith("line ")]
    assert sorted(names) == sorted(decoded(frame).NAME for frame in recorder.frames())
    assert decoded(recorder.frames()[0]).NAME == names[0] == "Logon"
    lines = (tmp_path / "wire.log").read_text().splitlines()
    port = sandbox.server.port("prediction", "KalshiNR")
    assert lines[0].endswith(f" 1 connected to KalshiNR prediction at 127.0.0.1:{port}")
    assert lines[-1].endswith(" 1 disconnected")
    for frame in recorder.frames():
        if decoded(frame).NAME != "Logon":
            assert any(line.endswith(frame.replace(b"\x01", b"|").decode()) for line in lines)
