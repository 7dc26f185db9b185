"""The work that a client's core does per message, and work that it must avoid: reading clocks, notifying
observers, copying."""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from kalshi_fix_adapters.engine.client_core import ClientCore, SendResult
from kalshi_fix_adapters.engine.quiet import QUIET_SECONDS
from kalshi_fix_adapters.observe.dispatch import Dispatcher
from kalshi_fix_adapters.observe.observer import Observer, OrderTiming
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec.compiled.cache import SIGHTINGS_TO_COMPILE
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import SendFailedError
from kalshi_fix_sansio.events import CloseReason, LoggedOn, MessageReceived, SessionEnded
from tests.adapters.engine.stage import FailingStore, Stage, messages_of, only, open_stage, plan, report
from tests.helpers import Clock, LateStore, order, raw

PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("kalshi_fix_sansio", "kalshi_fix_adapters"))

# --- the clocks


class CountingClock(Clock):
    reads = 0

    @property
    def now(self) -> Instant:
        self.reads += 1
        return super().now


def test_no_call_reads_the_clocks_twice(stage: Stage) -> None:
    stage.clock = clock = CountingClock(stage.clock.monotonic, stage.clock.utc)
    core = stage.core

    def reads(act: Any) -> int:
        before = clock.reads
        act()
        return clock.reads - before

    assert reads(lambda: core.send(order())) == 1
    assert reads(lambda: core.wrote(len(core.output))) == 0
    assert reads(core.tick) == 1
    stage.venue.send(report("a"), clock.now)
    data = stage.venue.data_to_send()
    assert reads(lambda: core.receive(data)) == 1
    assert reads(core.take) == 0
    assert reads(core.take) == 0
    assert reads(core.due) == 0
    assert reads(lambda: (core.must_close, core.wants_read, core.congested, core.is_logged_on)) == 0


# --- the path of a message


def calls(act: Callable[[], object]) -> int:
    """Return the number of calls to Python functions in the two packages; C code does not count."""
    count = 0

    def note(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call" and any(name in frame.f_code.co_filename for name in PACKAGES)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def test_an_order_and_its_report_take_the_documented_number_of_function_calls() -> None:
    stage = open_stage()
    core, venue = stage.core, stage.venue

    def trade(name: str) -> tuple[int, int]:
        message = order(name)
        out = calls(lambda: core.send(message))
        core.wrote(len(core.output))
        venue.send(report(name), stage.clock.now)
        data = venue.data_to_send()
        back = calls(lambda: core.receive(data)) + calls(core.take) + calls(core.take)
        return out, back

    for number in range(2 * SIGHTINGS_TO_COMPILE):  # compiles the decoder for the shape of the report
        trade(f"{number:04}")
    stage.clock.monotonic += QUIET_SECONDS
    core.tick()
    trade("next")  # uses this decoder for the first time
    out, back = trade("last")
    # docs/architecture.md describes these calls; if you add one, explain it there.
    assert out <= 30
    assert back <= 40


# --- observers


def test_an_order_is_timed_from_send_to_report() -> None:
    timings: list[OrderTiming] = []

    class Latencies(Observer):
        def on_timing(self, timing: Any, now: Instant) -> None:
            timings.append(timing)

    stage = open_stage(plan(observer=Latencies()))
    timings.clear()
    stage.core.send(order("a"))
    stage.clock.advance(0.25)
    stage.run()
    stage.clock.advance(0.5)
    stage.venue_sends(report("a"))
    stage.clock.advance(1)
    assert stage.take_ids() == ["a"]
    assert timings == [OrderTiming(0.75, "a", "NewOrderSingle", report("a"))]


def test_an_observer_with_only_on_event_gets_messages() -> None:
    reported: list[Any] = []

    class Events(Observer):
        def on_event(self, event: Any, now: Instant) -> None:
            reported.append((event, now))

    stage = open_stage(plan(observer=Events()))
    reported.clear()
    stage.venue_sends(report("a"))
    assert reported == [(MessageReceived(report("a")), stage.clock.now)]


def test_an_observer_with_on_wire_gets_all_bytes() -> None:
    passed: dict[str, bytes] = {"sent": b"", "received": b""}

    class Wire(Observer):
        def on_wire(self, direction: Any, data: bytes, now: Instant) -> None:
            passed[direction] += data

    stage = open_stage(plan(observer=Wire()))
    stage.core.send(order("a"))
    stage.venue_sends(report("b"))
    assert [passed["sent"].count(kind) for kind in (b"\x0135=A\x01", b"\x0135=D\x01")] == [1, 1]
    assert [passed["received"].count(kind) for kind in (b"\x0135=A\x01", b"\x0135=8\x01")] == [1, 1]


def test_bytes_are_dispatched_only_if_an_observer_needs_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Dispatcher, "report_bytes", lambda *_: pytest.fail("no observer needs the bytes"))
    stage = open_stage(plan(observer=Observer()))
    stage.venue_sends(report("a"))
    monkeypatch.undo()
    with caplog.at_level(logging.DEBUG, "kalshi_fix_adapters.wire"):
        stage.cut(wait=1)
    assert "|35=A|" in caplog.text


def test_a_message_with_problems_is_logged_even_without_an_observer(caplog: pytest.LogCaptureFixture) -> None:
    stage = open_stage(plan(session={"strict": False}))
    stage.venue.send(report("a"), stage.clock.now)
    [body] = re.findall(b"\\x01(35=.*\\x01)10=", stage.venue.data_to_send())
    with caplog.at_level(logging.DEBUG, "kalshi_fix_adapters.session"):
        stage.core.receive(raw(body.replace(b"\x0138=10\x01", b"\x0138=x\x01").decode()))
    (event,) = stage.take()
    assert isinstance(event, MessageReceived)
    assert event.message.problems
    assert "ExecutionReport with problems" in caplog.text


# --- the bytes


def hold_back(stage: Stage) -> None:
    """Make the venue send a TestRequest, whose answer the session holds back if the output is full."""
    stage.venue.test_request(stage.clock.now)
    stage.core.receive(stage.venue.data_to_send())


def flush_in_varying_sizes(core: ClientCore) -> bytes:
    """Flush the output to a transport that accepts a varying number of bytes; return all bytes."""
    accepted = bytearray()
    sizes = itertools.cycle([1, 1000, 0, 70_000])

    def write(output: bytearray) -> int:
        size = min(next(sizes), len(output))
        accepted.extend(output[:size])
        return size

    while core.output:
        core.flush(write)
    return bytes(accepted)


def write_chunks(core: ClientCore) -> bytes:
    """Report chunks of the output as written; return all bytes."""
    written = b""
    while core.output:
        chunk = bytes(core.output[:1000])
        written += chunk
        core.wrote(len(chunk))
    return written


@pytest.mark.parametrize("write_all", [flush_in_varying_sizes, write_chunks])
def test_a_transport_that_accepts_few_bytes_gets_everything_once_and_in_order(
    stage: Stage, write_all: Callable[[ClientCore], bytes]
) -> None:
    sent = 0
    while not stage.core.congested:
        stage.core.send(order(f"o{sent}"))
        sent += 1
    assert stage.core.send(order()) is None
    for _ in range(300):
        hold_back(stage)
    stage.venue.receive_data(write_all(stage.core), stage.clock.now)
    arrived = [message.cl_ord_id for message in messages_of(stage.venue.events())]
    assert arrived == [f"o{number}" for number in range(sent)]


@pytest.mark.parametrize(
    "write_all",
    [lambda core: core.flush(len), lambda core: core.wrote(len(core.output))],
    ids=["flush", "wrote"],
)
def test_a_store_failure_ends_the_client_while_bytes_are_held_back(
    write_all: Callable[[ClientCore], object],
) -> None:
    store = FailingStore()
    stage = open_stage(plan("KalshiRT", store=store))
    while not stage.core.congested:
        stage.core.send(order())
    hold_back(stage)
    store.failing_method = "durable"
    write_all(stage.core)
    assert only(stage.take(), SessionEnded).reason is CloseReason.STORE_FAILED
    assert not stage.core.is_logged_on
    assert stage.core.must_close


def test_a_failed_write_ends_writing_but_not_reading(stage: Stage) -> None:
    core, venue = stage.core, stage.venue
    core.send(order())
    sizes = iter([5])

    def write(_: bytearray) -> int:
        try:
            return next(sizes)
        except StopIteration:
            raise BrokenPipeError from None

    core.flush(write)
    assert core.output == b""
    assert not core.is_logged_on
    assert core.wants_read
    venue.send(report("a"), stage.clock.now)
    core.receive(venue.data_to_send())
    assert stage.take_ids() == ["a"]


# --- deadlines


def test_a_deadline_is_earlier_after_reading_resumes() -> None:
    settings = {"heart_bt_int": 60, "resend_timeout": 5.0, "sending_time_tolerance": None}
    stage = open_stage(plan("KalshiRT", queue_limit=1, session=settings))
    core, venue, clock = stage.core, stage.venue, stage.clock
    venue.send(report("lost"), clock.now)
    venue.data_to_send()
    venue.send(report("b"), clock.now)
    core.receive(venue.data_to_send())
    wanted_read = core.wants_read
    assert core.due() == clock.monotonic + 60
    clock.advance(20)
    assert core.due() == clock.monotonic + 40
    core.take()
    core.take()
    assert (wanted_read, core.wants_read) == (False, True)
    assert core.due() == clock.monotonic + 5


# --- consequences of events


def test_a_reset_within_the_session_does_not_reconnect() -> None:
    stage = open_stage(plan("KalshiRT"))
    stage.venue.reset(stage.clock.now)
    stage.run()
    assert only(stage.take(), LoggedOn).reset
    stage.cut(wait=1)
    assert [attempt.number for _, attempt in stage.attempts] == [1, 1]


def test_session_messages_are_confirmed_without_being_taken() -> None:
    stage = Stage(plan("KalshiRT"))
    stage.open()
    stage.core.logout()
    stage.run()
    assert stage.core.sequence._store.next_incoming == 1
    stage.core.close(clean=True)
    assert stage.core.sequence._store.next_incoming == 3


# --- stores that commit in the background


def is_congested(core: ClientCore) -> bool:
    return core.congested


def send(core: ClientCore, message: Message) -> SendResult:
    sent = core.send(message)
    assert sent is not None
    return sent


def test_senders_wait_while_many_bytes_wait_for_the_store() -> None:
    store = LateStore()
    stage = open_stage(plan("KalshiRT", store=store))
    core, store.at_once = stage.core, False
    sent: list[int] = []
    ticket = 0
    while not is_congested(core):
        number, ticket = send(core, order(f"o{len(sent)}"))
        sent.append(number)
        assert not core.output
        assert core.is_committed(ticket) is None
    store.complete(ticket - 1)
    core.store_changed()
    assert stage._carry_to_venue(stage.venue)
    assert not is_congested(core)
    assert core.is_committed(ticket - 1)
    assert core.is_committed(ticket) is None
    store.complete()
    assert core.is_committed(ticket) is None  # durable, but not yet released
    core.store_changed()
    assert core.is_committed(ticket)
    stage.run()
    assert [message.header.msg_seq_num for message in messages_of(stage.venue_events)] == sent


@pytest.mark.parametrize("how", ["fails", "is lost", "ends"])
def test_waiting_for_a_commit_raises_if_the_store_fails_or_the_client_ends(how: str) -> None:
    store = LateStore()
    stage = open_stage(plan("KalshiRT", store=store, reconnect=None))
    core, store.at_once = stage.core, False
    _, ticket = send(core, order())
    if how == "ends":
        stage.cut()
        text = "the client ended before the commit was complete"
    else:
        store.fail(text := f"the store {how}")
        core.store_changed()
        assert only(stage.take(), SessionEnded).reason is CloseReason.STORE_FAILED
    with pytest.raises(SendFailedError, match=text) as caught:
        core.is_committed(ticket)
    assert not caught.value.may_have_been_sent
    assert core.output == b""


@pytest.mark.parametrize("released_by", ["store_changed", "send"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_sent_message_counts_as_sent_when_a_later_commit_fails(released_by: str, cut: bool) -> None:
    """The sending task wakes only after the failure."""
    store = LateStore()
    stage = open_stage(plan("KalshiRT", store=store))
    core, store.at_once = stage.core, False
    _, ticket = send(core, order("a1"))
    store.complete()
    if released_by == "store_changed":
        core.store_changed()
    _, later = send(core, order("a2"))
    assert b"a1" in core.output
    if cut:
        stage.cut()
    store.fail("disk full")
    core.store_changed()
    assert core.is_committed(ticket)
    with pytest.raises(SendFailedError, match="disk full"):
        core.is_committed(later)


def test_a_durable_message_that_was_not_released_before_a_failure_is_not_sent() -> None:
    store = LateStore()
    stage = open_stage(plan("KalshiRT", store=store))
    core, store.at_once = stage.core, False
    _, ticket = send(core, order())
    store.complete()
    store.fail("disk full")
    core.store_changed()
    with pytest.raises(SendFailedError, match="disk full"):
        core.is_committed(ticket)
    assert core.output == b""


def test_an_idle_session_ends_when_its_store_is_lost() -> None:
    store = LateStore()
    stage = open_stage(plan("KalshiRT", store=store, reconnect=None))
    store.fail("another process has taken over")
    stage.core.store_changed()
    ended = only(stage.take(), SessionEnded)
    assert (ended.reason, ended.text) == (CloseReason.STORE_FAILED, "another process has taken over")
    assert stage.core.output == b""
    stage.core.close(clean=False)
    stage.core.store_changed()


def test_the_last_bytes_of_a_session_wait_for_the_store() -> None:
    store = LateStore()
    stage = open_stage(plan("KalshiRT", store=store, reconnect=None))
    core, store.at_once = stage.core, False
    core.abort("bye")
    assert not core.must_close
    store.complete()
    core.store_changed()
    assert b"\x0135=5\x01" in core.output
    core.wrote(len(core.output))
    assert core.must_close
