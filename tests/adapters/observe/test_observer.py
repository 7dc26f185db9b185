from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import attrs
import pytest

from kalshi_fix_adapters.errors import ConnectionFailedError
from kalshi_fix_adapters.events import (
    ClientEvent,
    ConnectFailed,
    Connecting,
    Disconnected,
    Endpoint,
    GaveUp,
    ReadingPaused,
    ReadingResumed,
    Resubscribed,
)
from kalshi_fix_adapters.observe import timing
from kalshi_fix_adapters.observe.dispatch import Dispatcher
from kalshi_fix_adapters.observe.observer import (
    Direction,
    HeartbeatTiming,
    LogonTiming,
    Observer,
    OrderTiming,
    Timing,
)
from kalshi_fix_adapters.observe.redact import Transcript
from kalshi_fix_sansio import BusinessMessageReject, Heartbeat, Logon, OrderCancelRequest
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    GarbledReceived,
    HeartbeatReceived,
    LoggedOn,
    LogoutReceived,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    OpenRequest,
    OrdersUnverified,
    OutcomesUnknown,
    PeerSilent,
    RejectReceived,
    ResendServed,
    RestingOrder,
    SequenceSkipped,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.session.states import State
from tests.helpers import START, Clock, messages, of_type, order, raw

LOGON = LoggedOn(Logon(heart_bt_int=30), 30, reset=True)
ENDPOINT = Endpoint("fix.example", 8228)
ENDED = SessionEnded(CloseReason.CONNECTION_LOST, "the connection ended\nWARNING root: forged", clean=False)
REJECT = BusinessMessageReject(
    ref_seq_num=7, ref_msg_type="D", business_reject_reason=3, text="no such\nmarket"
)
ERROR = ConnectionFailedError("fix.example:8228 refused the connection")


@attrs.define(eq=False)
class CallRecorder(Observer):
    """Records every call."""

    wire: list[tuple[Direction, bytes]] = attrs.field(factory=list)
    states: list[tuple[State, State]] = attrs.field(factory=list)
    events: list[ClientEvent] = attrs.field(factory=list)
    timings: list[Timing] = attrs.field(factory=list)
    times: set[float] = attrs.field(factory=set)

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        self.wire.append((direction, data))
        self.times.add(now.monotonic)

    def on_state(self, old: State, new: State, now: Instant) -> None:
        self.states.append((old, new))
        self.times.add(now.monotonic)

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        self.events.append(event)
        self.times.add(now.monotonic)

    def on_timing(self, timing: Timing, now: Instant) -> None:
        self.timings.append(timing)
        self.times.add(now.monotonic)


class RaisingObserver(Observer):
    """Raises an exception that contains the arguments of the call."""

    calls = 0

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        self.calls += 1
        raise ValueError(data)

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        self.calls += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder() -> CallRecorder:
    return CallRecorder()


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG, "kalshi_fix_adapters"):
        yield


def decoded(fields: str) -> Any:
    """Return a received message, even if required fields are missing."""
    [message] = messages(raw(f"{fields}|49=KalshiNR|56=me|34=2|52=20261121-12:00:30.000"))
    return message


def report(cl_ord_id: str | None) -> MessageReceived:
    return MessageReceived(decoded("35=8" if cl_ord_id is None else f"35=8|11={cl_ord_id}"))


def cancel(cl_ord_id: str) -> OrderCancelRequest:
    return OrderCancelRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id="a", side="1", symbol="X")


# --- timings


def test_a_logon_is_timed_in_three_parts(clock: Clock, recorder: CallRecorder) -> None:
    observers = Dispatcher("KalshiNR", recorder)
    observers.report_event(Connecting(ENDPOINT, 1), clock.now)
    observers.tcp_connected(clock.advance(0.25))
    observers.connected("fix.example", clock.advance(0.5), secured=True)
    observers.report_event(LOGON, clock.advance(1.0))
    assert recorder.timings == [LogonTiming(tcp=0.25, tls=0.5, logon=1.0)]
    assert isinstance(recorder.timings[0], LogonTiming)
    assert recorder.timings[0].total == 1.75
    observers.report_event(LOGON, clock.advance(9.0))  # the numbers were reset within the session
    assert len(recorder.timings) == 1


def test_without_tls_the_handshake_takes_no_time(clock: Clock, recorder: CallRecorder) -> None:
    observers = Dispatcher("KalshiNR", recorder)
    for _ in range(2):
        observers.report_event(Connecting(ENDPOINT, 1), clock.now)
        observers.connected("fix.example", clock.advance(0.5), secured=False)
        observers.report_event(LOGON, clock.advance(1.0))
        observers.disconnected(clock.advance(1.0))
    assert recorder.timings == [LogonTiming(tcp=0.5, tls=0.0, logon=1.0)] * 2


def test_an_order_is_timed_until_the_first_message_with_its_id(clock: Clock, recorder: CallRecorder) -> None:
    observers = Dispatcher("KalshiNR", recorder)
    observers.sent(order("a"), clock.now)
    observers.sent(order("b"), clock.advance(1))
    observers.sent(cancel("c"), clock.advance(1))
    answer = report("a")
    observers.report_event(answer, clock.advance(1))
    observers.report_event(answer, clock.advance(1))
    observers.report_event(report(None), clock.now)
    observers.report_event(report("stranger"), clock.now)
    observers.report_event(RejectReceived(REJECT, 3, order("b")), clock.advance(1))
    observers.report_event(RejectReceived(REJECT, 3, None), clock.now)
    observers.report_event(RejectReceived(REJECT, 3, Heartbeat()), clock.now)
    observers.report_event(report("c"), clock.advance(1))
    observers.report_event(report("c"), clock.now)
    first, second, third = of_type(recorder.timings, OrderTiming)
    assert (first.seconds, first.cl_ord_id, first.request) == (3, "a", "NewOrderSingle")
    assert (second.seconds, second.cl_ord_id, second.request) == (4, "b", "NewOrderSingle")
    assert (third.seconds, third.cl_ord_id, third.request) == (4, "c", "OrderCancelRequest")
    assert first.answer is answer.message
    assert second.answer is REJECT


def test_orders_that_are_never_answered_take_bounded_memory(
    clock: Clock, recorder: CallRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "MAX_WAITING", 3)
    observers = Dispatcher("KalshiNR", recorder)
    for number in range(5):
        observers.sent(order(str(number)), clock.now)
        observers.test_request_sent(str(number), clock.now)
    for number in range(5):
        observers.report_event(report(str(number)), clock.now)
        observers.report_event(HeartbeatReceived(str(number)), clock.now)
    assert [timing.cl_ord_id for timing in of_type(recorder.timings, OrderTiming)] == ["2", "3", "4"]
    assert [timing.test_req_id for timing in of_type(recorder.timings, HeartbeatTiming)] == ["2", "3", "4"]


def test_every_test_request_is_timed(clock: Clock, recorder: CallRecorder) -> None:
    observers = Dispatcher("KalshiNR", recorder)
    observers.test_request_sent("mine", clock.now)
    observers.report_event(PeerSilent("its own"), clock.advance(1))
    observers.report_event(HeartbeatReceived("nobody's"), clock.now)
    observers.report_event(HeartbeatReceived("mine"), clock.advance(1))
    observers.report_event(HeartbeatReceived("its own"), clock.advance(1))
    assert recorder.timings == [HeartbeatTiming(2, "mine"), HeartbeatTiming(2, "its own")]
    observers.test_request_sent("lost", clock.now)
    observers.report_event(Connecting(ENDPOINT, 1), clock.now)
    observers.report_event(HeartbeatReceived("lost"), clock.now)
    assert len(recorder.timings) == 2


def test_orders_are_not_tracked_unless_an_observer_handles_timings(clock: Clock) -> None:
    observers = Dispatcher("KalshiNR")
    observers.sent(order("a"), clock.now)
    assert not observers._timings._orders


# --- notification of observers


def test_observers_are_notified_of_everything_with_the_time(clock: Clock, recorder: CallRecorder) -> None:
    other = CallRecorder()
    observers = Dispatcher("KalshiNR", [recorder, other])
    observers.connected("fix.example", clock.now, secured=True)
    observers.report_bytes("sent", b"abc", clock.now)
    observers.report_state(State.LOGON_SENT, clock.now)
    observers.report_state(State.LOGON_SENT, clock.now)
    observers.report_event(ENDED, clock.now)
    observers.report_state(State.CLOSED, clock.now)
    observers.disconnected(clock.now)
    observers.disconnected(clock.now)
    assert recorder.wire == other.wire == [("sent", b"abc")]
    assert recorder.events == other.events == [ENDED]
    assert recorder.states == [
        (State.DISCONNECTED, State.LOGON_SENT),
        (State.LOGON_SENT, State.CLOSED),
        (State.CLOSED, State.DISCONNECTED),
    ]
    assert recorder.times == {clock.monotonic}


def test_an_observer_that_raises_is_disabled_without_affecting_others(
    clock: Clock, recorder: CallRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    raising, same = RaisingObserver(), RaisingObserver()
    observers = Dispatcher("KalshiNR", [raising, recorder])
    observers.report_event(ENDED, clock.now)
    for _ in range(2):
        observers.report_bytes("sent", b"the signature", clock.now)
        observers.report_event(ENDED, clock.now)
    assert (raising.calls, same.calls) == (2, 0)
    assert len(recorder.wire) == 2
    [reported] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert reported.name == "kalshi_fix_adapters.session"
    assert "KalshiNR: the observer RaisingObserver raised ValueError and is disabled" in reported.message
    assert "test_observer.py" in reported.message
    assert "the signature" not in reported.message


def test_no_work_is_done_for_disabled_observers(clock: Clock) -> None:
    observers = Dispatcher("KalshiNR", RaisingObserver())
    assert (observers.follows_messages, observers.follows_orders) == (True, False)
    assert observers.on_wire is not None
    observers.report_bytes("sent", b"", clock.now)
    assert not observers.follows_messages
    assert observers.on_wire is None


def test_the_default_hooks_of_an_observer_do_nothing(clock: Clock) -> None:
    observer = Observer()
    observer.on_wire("sent", b"", clock.now)
    observer.on_state(State.DISCONNECTED, State.CLOSED, clock.now)
    observer.on_event(ENDED, clock.now)
    observer.on_timing(HeartbeatTiming(1, "x"), clock.now)
    assert not any(Dispatcher("x", observer)._hooks.values())


def test_a_failing_wire_log_does_not_end_the_session(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "the signature"

    fail = Mock(side_effect=RuntimeError(secret))
    observers = Dispatcher("KalshiNR", None, tmp_path / "wire.log")
    monkeypatch.setattr(Transcript, "feed", fail)
    observers.connected("fix.example", clock.now, secured=True)
    observers.report_bytes("sent", b"abc", clock.now)
    observers.report_bytes("sent", b"abc", clock.now)
    observers.disconnected(clock.now)
    monkeypatch.setattr(Transcript, "end", fail)
    observers.connected("fix.example", clock.now, secured=True)
    observers.disconnected(clock.now)
    observers.close()
    reported = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(reported) == 2
    assert all("the wire log raised RuntimeError and is disabled" in text for text in reported)
    assert secret not in "".join(reported)


def test_a_raising_log_filter_does_not_end_the_session(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: logging.LogRecord) -> bool:
        raise RuntimeError

    logger = logging.getLogger("kalshi_fix_adapters.session")
    logger.addFilter(fail)
    try:
        Dispatcher("KalshiNR").report_event(ENDED, clock.now)
    finally:
        logger.removeFilter(fail)
    assert not caplog.records


# --- messages


def test_messages_are_logged_only_when_enabled(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    observers = Dispatcher("KalshiNR")
    message = raw("35=0|49=me|56=KalshiNR|34=2|52=20261121-12:00:30.000")
    observers.report_bytes("sent", message, clock.now)
    with caplog.at_level(logging.INFO, "kalshi_fix_adapters.wire"):
        observers.connected("x", clock.now, secured=True)
        observers.report_bytes("sent", message, clock.now)
        observers.disconnected(clock.now)
    observers.connected("x", clock.now, secured=True)
    observers.report_bytes("sent", message + message[:9], clock.now)
    observers.disconnected(clock.now)
    lines = [r.message for r in caplog.records if r.name == "kalshi_fix_adapters.wire"]
    assert [line[:50] for line in lines] == [
        "KalshiNR: sent     8=FIXT.1.1|9=53|35=0|49=me|56=K",
        "KalshiNR: sent     9 bytes that are not a message ",
    ]


# --- loggers and levels

ENDED_TEXT = r"the connection ended\x0aWARNING root: forged"
"""The text of `ENDED` as it is logged, on one line."""
RESTING = RestingOrder("o1", "a1", "KX", "1", None, None)
OPEN = OpenRequest("a", "D", 2, START, b"hush", 1)
PROBLEM = Problem(Reason.VALUE_INCORRECT, "Price (44) is 'x'", 44, "x")
REPORT, BAD_REPORT = report("a").message, report("a").message
REPORT.problems, BAD_REPORT.problems = (), (PROBLEM,)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Connecting(ENDPOINT, 2), "connection INFO: connecting to fix.example:8228, attempt 2"),
        (
            ConnectFailed(ERROR, 1.25, "maintenance"),
            f"reconnect WARNING: {ERROR}; next attempt in 1.2 s (maintenance)",
        ),
        (
            Disconnected(ENDED, 3.0),
            f"reconnect WARNING: the connection was lost ({ENDED_TEXT}); next attempt in 3.0 s",
        ),
        (Resubscribed(order("a"), 2), "reconnect INFO: sent NewOrderSingle again, MsgSeqNum 2"),
        (GaveUp(ERROR, "the key is wrong"), "reconnect ERROR: gave up: the key is wrong"),
        (ReadingPaused(9), "connection WARNING: reading paused: 9 events are waiting to be fetched"),
        (ReadingPaused(1), "connection WARNING: reading paused: 1 event is waiting to be fetched"),
        (ReadingResumed(), "connection INFO: reading resumed"),
        (LOGON, "session INFO: logged on, heartbeats every 30 s, sequence numbers reset"),
        (attrs.evolve(LOGON, reset=False), "session INFO: logged on, heartbeats every 30 s"),
        (LogoutReceived("good night"), "session INFO: the venue sent a Logout: good night"),
        (LogoutReceived(None), "session INFO: the venue sent a Logout: no reason given"),
        (
            SessionEnded(CloseReason.LOGGED_OUT, "bye", clean=True),
            "session INFO: session ended (logged out): bye",
        ),
        (
            SessionEnded(CloseReason.LOGGED_OUT, "logged out", clean=True),
            "session INFO: session ended (logged out)",
        ),
        (ENDED, f"session WARNING: session ended (the connection ended): {ENDED_TEXT}"),
        (MessageReceived(REPORT), None),
        (MessageReceived(BAD_REPORT), f"session DEBUG: ExecutionReport with problems: {PROBLEM}"),
        (
            RejectReceived(REJECT, 7, order("a")),
            r"session WARNING: the venue rejected NewOrderSingle, MsgSeqNum 7: no such\x0amarket",
        ),
        (
            RejectReceived(decoded("35=3"), None, None),
            "session WARNING: the venue rejected a message, MsgSeqNum None: no reason given",
        ),
        (MessageRejected(BAD_REPORT, (PROBLEM,)), f"session WARNING: rejected ExecutionReport: {PROBLEM}"),
        (MessageRejected(None, (PROBLEM,)), f"session WARNING: rejected a message: {PROBLEM}"),
        (
            GarbledReceived("no head", b"hush", 4),
            "session WARNING: skipped 4 bytes that are not a message: no head",
        ),
        (PeerSilent("T1"), "session WARNING: the venue is silent; sent TestRequest T1"),
        (HeartbeatReceived("T1"), "session DEBUG: HeartbeatReceived"),
        (
            ResendServed(2, 0, 1),
            "session INFO: the venue requested a resend of messages 2 to the last; 1 resent",
        ),
        (GapClosed(9), "session INFO: the gap is filled; the next MsgSeqNum is 9"),
        (GapDetected(2, 3, recoverable=True), "session WARNING: missed messages 2 to 3; requested a resend"),
        (GapDetected(2, 2, recoverable=False), "session WARNING: missed message 2; no resend is possible"),
        (MessagesLost(2, 3), "session WARNING: the venue no longer has its messages 2 to 3"),
        (OrdersUnverified((RESTING,), complete=True), "session WARNING: orders open at the end: 1 (a1)"),
        (
            OrdersUnverified((attrs.evolve(RESTING, cl_ord_id=None),) * 10, complete=False),
            f"session WARNING: orders open at the end: 10 ({', '.join(['o1'] * 10)}...)",
        ),
        (
            attrs.evolve(LOGON, missing=(2, 5)),
            (
                "session INFO: logged on, heartbeats every 30 s, sequence numbers reset, "
                "messages 2 to 5 to be resent"
            ),
        ),
        (
            OutcomesUnknown((OPEN,), Uncertainty.CONNECTION_ENDED),
            f"session WARNING: outcomes unknown: 1 (a); {Uncertainty.CONNECTION_ENDED.value}",
        ),
        (
            OutcomesUnknown((OPEN,) * 11, Uncertainty.RESET),
            f"session WARNING: outcomes unknown: 11 ({', '.join('a' * 10)}...); {Uncertainty.RESET.value}",
        ),
        (SequenceSkipped(2, 3, gap_fill=True), "session INFO: the venue skipped messages 2 to 3"),
        (SequenceSkipped(2, 3, gap_fill=False), "session WARNING: the venue skipped messages 2 to 3"),
    ],
)
def test_each_event_has_its_log_line(
    event: ClientEvent, line: str | None, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    Dispatcher("KalshiNR").report_event(event, clock.now)
    found = [f"{record.name} {record.levelname}: {record.message}" for record in caplog.records]
    assert found == ([] if line is None else [f"kalshi_fix_adapters.{line.replace(': ', ': KalshiNR: ', 1)}"])


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (Connecting(ENDPOINT, 2), {"endpoint": "fix.example:8228", "attempt": 2}),
        (
            Disconnected(attrs.evolve(ENDED, unsent=2), 1.5, "soon"),
            {
                "reason": "the connection ended",
                "text": ENDED.text,
                "clean": False,
                "unsent": 2,
                "advice": "",
                "retry_in": 1.5,
                "note": "soon",
            },
        ),
        (GaveUp(ERROR, "the key is wrong"), {"reason": "the key is wrong"}),
        (LogoutReceived("good\nnight"), {"text": "good\nnight"}),
        (LogoutReceived(None), {}),
        (
            RejectReceived(REJECT, 7, order("a")),
            {"reject": "BusinessMessageReject", "ref_seq_num": 7, "sent": "NewOrderSingle", "cl_ord_id": "a"},
        ),
        (GarbledReceived("no head", b"hush", 4), {"reason": "no head", "size": 4}),
        (MessagesLost(2, 3), {"begin": 2, "end": 3}),
        (
            OutcomesUnknown((OPEN,) * 11, Uncertainty.RESET),
            {"requests": ["a"] * 10, "why": Uncertainty.RESET.value},
        ),
        (
            OrdersUnverified((attrs.evolve(RESTING, cl_ord_id=None),), complete=True),
            {"orders": ["o1"], "complete": True},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_record_of_an_event_has_its_plain_values(
    event: ClientEvent, fields: dict[str, Any], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    Dispatcher("KalshiNR").report_event(event, clock.now)
    [record] = caplog.records
    assert record.__dict__["fix"] == {"session": "KalshiNR", "event": type(event).__name__, **fields}


def test_states_connections_and_logons_are_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    observers = Dispatcher("KalshiNR")
    observers.report_event(Connecting(ENDPOINT, 1), clock.now)
    observers.connected("fix.example:8228", clock.advance(0.5), secured=False)
    observers.report_state(State.LOGON_SENT, clock.now)
    observers.report_event(LOGON, clock.advance(0.25))
    observers.disconnected(clock.now)
    assert [(record.name[20:], record.levelname, record.message[10:]) for record in caplog.records] == [
        ("connection", "INFO", "connecting to fix.example:8228, attempt 1"),
        ("connection", "INFO", "connected to fix.example:8228"),
        ("session", "DEBUG", "disconnected -> logon sent"),
        ("session", "INFO", "logged on, heartbeats every 30 s, sequence numbers reset"),
        ("session", "DEBUG", "logged on in 0.750 s (TCP 0.500, TLS 0.000, logon 0.250)"),
        ("connection", "INFO", "disconnected"),
        ("session", "DEBUG", "logon sent -> disconnected"),
    ]


def test_the_library_configures_no_handlers() -> None:
    for name in ("", ".connection", ".session", ".reconnect", ".wire"):
        logger = logging.getLogger(f"kalshi_fix_adapters{name}")
        assert logger.handlers == []
        assert logger.propagate
