"""A client's core against an in-memory venue, in virtual time: life cycle, queue and confirmations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.connection import LINGER_SECONDS
from kalshi_fix_adapters.engine.queue import EventQueue
from kalshi_fix_adapters.engine.user import ClientBase
from kalshi_fix_adapters.errors import ConnectionFailedError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import ConnectFailed, Connecting, ReadingPaused, ReadingResumed
from kalshi_fix_sansio import BusinessMessageReject
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    HeartbeatReceived,
    LoggedOn,
    MessageReceived,
    MessageRejected,
    SessionEnded,
)
from kalshi_fix_sansio.session import Session
from tests.adapters.engine.stage import ENDPOINT, Stage, messages_of, only, open_stage, plan, report
from tests.helpers import messages, of_type, order, raw

VENUE_DOWN = ConnectionFailedError("venue.example:1 cannot be reached")


# --- a client from beginning to end


def test_a_client_from_the_first_attempt_to_the_last_event() -> None:
    stage = Stage()
    core = stage.core
    assert core.over
    assert (core.logged_on, core.ended, core.error) == (None, None, None)
    assert repr(ClientBase(core)) == "<Client KalshiNR prediction at venue.example:1, new>"
    stage.open()
    assert str(core).endswith("open")
    connecting, logged_on = stage.take()
    assert connecting == Connecting(ENDPOINT, 1)
    assert isinstance(logged_on, LoggedOn)
    assert core.logged_on == logged_on
    assert core.send(order()) == (2, 0)
    stage.run()
    assert only(stage.venue_events, MessageReceived).message == order()
    assert core.take() is None
    stage.venue_sends(report("a1"))
    assert stage.take_ids() == ["a1"]
    core.logout("good night")
    stage.run()
    assert core.over
    assert core.ended_cleanly
    (ended,) = stage.take()
    assert ended == core.ended
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.clean) == (CloseReason.LOGGED_OUT, True)
    assert str(core).endswith("over")
    assert "the session is over" in str(core.closed_error())
    with pytest.raises(NotConnectedError, match="the session is over"):
        core.send(order())
    core.close(clean=True)


def test_before_a_client_begins_nothing_is_sent_or_received() -> None:
    core = Stage().core
    with pytest.raises(NotConnectedError, match="is not open"):
        core.send(order())
    assert core.take() is None
    assert core.next_attempt() is None
    assert core.must_close
    assert core.timeout() is None
    assert core.output == b""
    core.wrote(0)
    core.receive(b"")
    core.write_failed()
    core.tick()
    core.logout()
    core.close(clean=True)


# --- the first connection


def test_the_first_connection_is_attempted_once() -> None:
    stage = Stage()
    stage.connect_error = VENUE_DOWN
    stage.open()
    assert stage.core.over
    assert stage.core.error is VENUE_DOWN
    assert stage.take_kinds() == ["Connecting"]
    assert "gave up: venue.example:1 cannot be reached" in str(stage.core.closed_error())
    assert stage.core.closed_error().__cause__ is VENUE_DOWN


# --- leaving


@pytest.mark.parametrize("connected", [True, False])
def test_leaving_during_a_connection_attempt_ends_the_attempt(connected: bool) -> None:
    stage = Stage()
    stage.core.begin()
    assert stage.core.next_attempt() is not None
    assert stage.core.next_attempt() is None
    stage.core.logout()
    assert stage.core.logging_out
    if connected:
        stage.core.connected()
        assert stage.core.must_close
        assert stage.core.output == b""
        stage.core.disconnected()
    else:
        stage.core.connect_failed(VENUE_DOWN)
    assert stage.core.over
    assert stage.core.error is None
    assert "the client was closed" in str(stage.core.closed_error())


def test_leaving_during_the_logon_ends_the_session() -> None:
    stage = Stage()
    stage.mute = True
    stage.open()
    stage.core.logout()
    stage.run()
    assert stage.core.over
    assert stage.core.error is None
    assert only(stage.take(), SessionEnded).reason is CloseReason.LOCAL_ABORT


def test_leaving_twice_sends_one_logout(stage: Stage) -> None:
    stage.core.logout()
    stage.core.logout()
    stage.run()
    assert stage.core.ended_cleanly
    assert [type(event).__name__ for event in stage.venue_events].count("LogoutReceived") == 1


def test_an_abort_does_not_wait(stage: Stage) -> None:
    stage.mute = True
    stage.core.abort("out of here")
    stage.run()
    assert stage.core.over
    assert only(stage.venue_events, SessionEnded).text == "out of here"
    stage.core.abort("again")


def test_a_venue_that_stops_reading_cannot_delay_the_end(stage: Stage) -> None:
    stage.core.send(order())
    stage.core.abort("now")
    assert (stage.core.must_close, stage.core.timeout()) == (False, LINGER_SECONDS)
    stage.clock.advance(LINGER_SECONDS)
    assert stage.core.must_close
    assert stage.core.output


def test_without_a_policy_there_is_one_connection() -> None:
    stage = open_stage(plan(reconnect=None))
    stage.cut()
    assert stage.core.over
    assert stage.take_kinds() == ["SessionEnded"]
    assert "open the client again" in str(stage.core.closed_error())


def test_a_failure_in_the_adapter_is_raised_after_all_events(stage: Stage) -> None:
    stage.venue_sends(report("a"))
    stage.core.record_failure(OSError(9, "bad"))
    assert stage.core.over
    assert stage.take_ids() == ["a"]
    with pytest.raises(SessionClosedError, match=r"failed internally \(OSError\)") as caught:
        stage.core.take()
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(NotConnectedError, match="failed internally"):
        stage.core.send(order())


LARGE_REPORT, LARGE_REJECT = (
    report("large"),
    BusinessMessageReject(ref_msg_type="D", business_reject_reason=0, ref_seq_num=2),
)
LARGE_REPORT.text = LARGE_REJECT.text = "x" * 40_000


@pytest.mark.parametrize("large", [LARGE_REPORT, LARGE_REJECT])
def test_the_bytes_of_waiting_events_are_bounded(large: Message) -> None:
    stage = open_stage(plan(queue_bytes=100_000))
    for waiting in (1, 2):
        stage.venue_sends(large)
        assert (stage.core._queue.waiting, stage.core.wants_read) == (waiting, True)
    stage.venue_sends(large)
    assert stage.core._queue.held_bytes > 100_000 > 2 * 40_000
    reads = [stage.core.wants_read]
    stage.venue_sends(report("small"))
    assert stage.core.take() == ReadingPaused(3)
    for _ in range(2):
        stage.core.take()
        reads.append(stage.core.wants_read)
    assert reads == [False, False, True]  # reading resumes at half the limit
    stage.run()
    rest = stage.take()
    assert ReadingResumed() in rest
    assert stage.core._queue.held_bytes == 0
    assert messages_of(rest)[-1].cl_ord_id == "small"


@pytest.mark.parametrize(
    ("event", "size"),
    [
        (MessageRejected(messages(raw("35=8|34=2|58=abc|"))[0], ()), 17),
        (MessageRejected(None, ()), 0),
        (HeartbeatReceived("abc"), 3),
    ],
)
def test_rare_events_count_towards_the_byte_limit_too(event: Event, size: int) -> None:
    queue = EventQueue(10, 1000)
    queue.put(event)
    assert queue.held_bytes == size
    queue.put_back(queue.take())
    assert queue.held_bytes == size


# --- messages


def test_round_trips_of_test_requests_are_measured(stage: Stage) -> None:
    test_req_id = stage.core.test_request()
    assert stage.core.round_trip(test_req_id) is None
    stage.clock.advance(0.25)
    stage.run()
    assert stage.core.round_trip(test_req_id) == 0.25
    assert stage.core.round_trip(test_req_id) is None
    assert stage.take() == [HeartbeatReceived(test_req_id)]
    stage.cut()
    assert stage.core.round_trip(test_req_id) is None
    with pytest.raises(NotConnectedError):
        stage.core.test_request()


def test_unclaimed_round_trips_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.engine.connection.MAX_TESTS", 3)
    stage = open_stage()
    answered = [stage.core.test_request() for _ in range(3)]
    stage.run()
    later = [stage.core.test_request() for _ in range(4)]
    stage.run()
    assert stage.core.round_trip(answered[0]) is None
    assert stage.core.round_trip(later[0]) is None
    assert [stage.core.round_trip(test_req_id) for test_req_id in later[1:]] == [0.0] * 3


# --- slow users


def full_stage(limit: int = 4) -> Stage:
    """Return a stage with a client whose queue is full of reports."""
    stage = open_stage(plan(queue_limit=limit, session={"heart_bt_int": 30}))
    stage.venue_sends(*(report(str(number)) for number in range(limit)))
    return stage


def test_reading_stops_when_the_queue_is_full_and_the_user_is_notified_first() -> None:
    stage = full_stage()
    assert not stage.core.wants_read
    stage.venue_sends(report("late"))
    assert stage.core.take() == ReadingPaused(4)
    assert stage.core._queue.waiting == 4
    first = stage.core.take()
    assert isinstance(first, MessageReceived)
    reads, woken = stage.core.wants_read, stage.woken
    stage.core.take()
    assert (reads, stage.core.wants_read) == (False, True)
    assert stage.woken == woken + 1
    assert stage.core.take() == ReadingResumed()
    stage.run()
    assert stage.take_ids() == ["2", "3", "late"]


def test_the_limit_of_the_queue_replaces_the_limit_of_the_session() -> None:
    """A session with explicit confirmation limits its unconfirmed events; the client limits its queue."""
    stage = open_stage(plan(session={"max_events": 2}))
    for number in range(5):
        stage.venue_sends(report(str(number)))
    assert stage.core.wants_read
    assert stage.take_ids() == ["0", "1", "2", "3", "4"]


def test_no_connection_attempt_is_made_while_the_queue_is_full() -> None:
    stage = full_stage()
    stage.core.receive(b"")
    stage.run()
    assert stage.core.timeout() is None
    stage.advance(1000)
    assert len(stage.attempts) == 1
    stage.take()
    stage.run()
    assert len(stage.attempts) == 2
    assert stage.core.is_logged_on


def test_the_events_of_a_new_attempt_replace_those_of_the_last_failed_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.engine.queue.MAX_CONNECTION_EVENTS", 6)
    stage = open_stage(plan(reconnect=ReconnectPolicy(cap=2.0)))
    stage.connect_error = VENUE_DOWN
    stage.cut(wait=3600)
    events = stage.take()
    assert len(events) < 10
    last = of_type(events, Connecting)[-1]
    assert last.attempt == len(stage.attempts) - 1
    assert last.attempt > 3000
    assert isinstance(events[-1], ConnectFailed)


# --- confirmation


def rt_stage(**changes: Any) -> Stage:
    return open_stage(plan("KalshiRT", **changes))


def next_unconfirmed(stage: Stage) -> int:
    """Return the first MsgSeqNum that, according to the store, is not confirmed."""
    store = stage.core.sequence._store
    assert store is not None
    return store.next_incoming


def test_requesting_the_next_event_confirms_the_previous_one() -> None:
    stage = rt_stage()
    stage.venue_sends(report("a"), report("b"))
    assert next_unconfirmed(stage) == 1  # Only LoggedOn has been taken.
    stage.core.take()
    assert next_unconfirmed(stage) == 2
    stage.core.take()
    assert next_unconfirmed(stage) == 3
    assert stage.core.take() is None
    assert next_unconfirmed(stage) == 4
    assert stage.core.take() is None
    assert next_unconfirmed(stage) == 4


@pytest.mark.parametrize(("clean", "reached"), [(True, 3), (False, 2)])
def test_leaving_without_an_exception_confirms_the_last_event(clean: bool, reached: int) -> None:
    stage = rt_stage()
    stage.venue_sends(report("a"), report("b"))
    stage.core.take()
    stage.core.logout()
    stage.run()
    stage.core.close(clean=clean)
    assert next_unconfirmed(stage) == reached
    stage.take()
    assert next_unconfirmed(stage) == reached
    stage.open()
    assert stage.take_ids() == (["b"] if clean else ["a", "b"])


@pytest.mark.parametrize(("has_ended", "reached"), [(False, 2), (True, 4)])
def test_leaving_does_not_confirm_an_event_that_another_thread_may_still_process(
    has_ended: bool, reached: int
) -> None:
    stage = rt_stage()
    core = stage.core
    core._has_ended = lambda _: has_ended
    core._current_task = lambda: "busy"
    stage.venue_sends(report("a"))
    assert isinstance(core.take(), MessageReceived)
    stage.venue.test_request(stage.clock.now)
    stage.run()
    core._current_task = lambda: "leaving"
    store = core.sequence._store
    core.close(clean=True)
    assert store.next_incoming == reached


def test_events_keep_their_order_across_connections() -> None:
    stage = rt_stage()
    stage.venue_sends(report("a"), report("b"))
    stage.cut(wait=1)
    stage.venue_sends(report("c"))
    assert next_unconfirmed(stage) == 1
    events = stage.take()
    assert [type(event).__name__ for event in events] == [
        *("MessageReceived", "MessageReceived", "SessionEnded", "Disconnected"),
        *("Connecting", "LoggedOn", "MessageReceived"),
    ]
    assert next_unconfirmed(stage) == 5
    assert stage.core.take() is None
    assert next_unconfirmed(stage) == 6
    assert not any(event.poss_dup for event in of_type(events, MessageReceived))


def test_events_can_be_confirmed_after_the_session_has_ended() -> None:
    stage = rt_stage(reconnect=None)
    stage.venue_sends(report("a"))
    stage.cut()
    assert stage.core.over
    stage.take()
    assert stage.core.take() is None
    assert next_unconfirmed(stage) == 3


def test_an_unwritable_wire_log_is_a_configuration_error(tmp_path: Any) -> None:
    stage = Stage(plan(wire_log=tmp_path / "missing" / "x" / "wire.log", store=tmp_path))
    with pytest.raises(Exception, match="cannot be written"):
        stage.core.begin()
    assert stage.core.over


# --- timers


def test_the_due_time_follows_the_state_of_the_client() -> None:
    unchecked = {"heart_bt_int": 30, "sending_time_tolerance": None}
    stage = Stage(plan(reconnect=ReconnectPolicy(), session=unchecked))
    core, clock = stage.core, stage.clock
    assert core.due() is None
    core.begin()
    assert core.due() == clock.monotonic
    core.next_attempt()
    assert core.due() is None
    stage.accept()
    assert core.due() == clock.monotonic + 10
    stage.run()
    assert core.due() == clock.monotonic + 30
    clock.advance(4)
    assert core.timeout() == 26
    core.send(order())
    assert core.due() == clock.monotonic + 30
    clock.advance(31)
    assert core.timeout() == 0
    assert (core.due() or 0) < clock.monotonic
    core.tick()
    assert (core.due() or 0) > clock.monotonic
    stage.run()
    stage.cut()
    assert core.due() == clock.monotonic + 0.5
    core.logout()
    assert core.due() is None


def test_each_tick_compiles_one_check_and_the_answer_to_the_logon_is_read_after_the_last_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    core, left, timers = stage.core, [True, True, False], []
    handle_timer = Session.handle_timer

    def note(session: Session, now: Any) -> None:
        if session is core.sequence.session:
            timers.append((len(left), core.wants_read, core.timeout() == 0))
        handle_timer(session, now)

    monkeypatch.setattr(Session, "prepare", lambda *_: left.pop(0))
    monkeypatch.setattr(Session, "handle_timer", note)
    core.begin()
    assert core.next_attempt() is not None
    stage.accept()
    # The session's timers are handled after each check.
    assert timers == [(2, False, True), (1, False, True), (0, True, False)]
    stage.run()
    assert core.is_logged_on


def test_a_client_that_is_being_closed_compiles_no_more_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, calls = Stage(), []

    def leave(*_: object) -> bool:
        calls.append(stage.core.wants_read)
        stage.core.logout()
        return True

    monkeypatch.setattr(Session, "prepare", leave)
    stage.open()
    assert stage.core.over
    assert calls == [False]


# --- steps of the wall clock


def test_a_step_of_the_wall_clock_does_not_move_connection_attempts(stage: Stage) -> None:
    stage.cut()
    left = stage.core.timeout()
    stage.clock.utc = datetime(2031, 1, 1, tzinfo=UTC)
    assert stage.core.timeout() == left
