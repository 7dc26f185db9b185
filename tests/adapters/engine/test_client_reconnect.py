"""How a client's core reconnects, in virtual time: when, with which numbers, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import (
    CertificateRejectedError,
    ConnectionFailedError,
    HostNotFoundError,
    LogonFailedError,
    LogonRefusedError,
    SigningError,
)
from kalshi_fix_adapters.events import ConnectFailed, Disconnected, GaveUp
from kalshi_fix_sansio.config import LogonToSign
from kalshi_fix_sansio.errors import (
    ConfigurationError,
    KeyFileError,
    SendFailedError,
    StoreError,
)
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    LoggedOn,
    OutcomesUnknown,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.trading import RateBudget
from tests.adapters.engine.stage import (
    FailingStore,
    Stage,
    messages_of,
    only,
    open_stage,
    plan,
    report,
)
from tests.helpers import KEY_ID, MAINTENANCE_TIME, Peer, of_type, order

VENUE_DOWN = ConnectionFailedError("venue.example:1 cannot be reached")


# --- when the client reconnects


def test_waits_grow_with_each_consecutive_failure() -> None:
    stage = open_stage(plan(reconnect=ReconnectPolicy(cap=8.0)))
    stage.connect_error = VENUE_DOWN
    stage.cut(wait=20)
    times = [time for time, _ in stage.attempts]
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5]
    assert [attempt.number for _, attempt in stage.attempts] == [1, 1, 2, 3, 4, 5, 6, 7]


def test_attempts_never_overlap(stage: Stage) -> None:
    stage.cut()
    stage.clock.advance(1)
    assert stage.core.next_attempt() is not None
    stage.clock.advance(1000)
    assert stage.core.next_attempt() is None
    stage.accept()
    assert stage.core.next_attempt() is None


def test_a_stable_session_resets_the_waits() -> None:
    stage = open_stage(plan(reconnect=ReconnectPolicy(stable_after=30.0)))
    waits = []
    for seconds in (1, 1, 1, 40, 1):
        stage.advance(seconds)
        stage.cut()
        waits.append(only(stage.take(), Disconnected).retry_in)
        stage.advance(waits[-1])
        assert stage.core.is_logged_on
        stage.take()
    assert waits == [0.5, 1, 2, 0.5, 1]


def test_attempts_can_be_limited() -> None:
    stage = open_stage(plan(reconnect=ReconnectPolicy(attempts=2)))
    stage.connect_error = VENUE_DOWN
    stage.cut(wait=100)
    assert len(stage.attempts) == 3
    gave_up = only(stage.take(), GaveUp)
    assert gave_up.error is VENUE_DOWN
    assert "2 consecutive attempts" in gave_up.reason
    assert stage.core.over


@pytest.mark.parametrize("text", ["maintenance", None])
def test_the_client_reconnects_after_a_logout_by_the_venue(stage: Stage, text: str | None) -> None:
    stage.venue.logout(stage.clock.now, text=text)
    stage.run()
    assert only(stage.take(), Disconnected).ended.clean
    stage.advance(1)
    assert stage.core.is_logged_on


def test_missing_messages_lead_to_a_new_connection(stage: Stage) -> None:
    stage.venue_store.record_sent(stage.venue_store.next_outgoing, None)
    stage.venue_sends(report("a"))
    assert only(stage.take(), Disconnected).ended.reason is CloseReason.SEQUENCE_GAP
    stage.advance(1)
    assert stage.core.is_logged_on


@pytest.mark.parametrize("text", ["rate limit exceeded", "FIX logon service busy; retry with backoff"])
def test_the_client_reconnects_to_a_busy_venue(stage: Stage, text: str) -> None:
    stage.logon_refusal = text
    stage.cut(wait=0.5)
    failed = only(stage.take(), ConnectFailed)
    assert isinstance(failed.error, LogonRefusedError)
    assert failed.retry_in == 1.0
    stage.logon_refusal = None
    stage.advance(1)
    assert stage.core.is_logged_on


def test_a_reconnect_waits_until_the_venue_forgets_the_old_connection(stage: Stage) -> None:
    stage.logon_refusal = "session already exists"
    stage.cut(wait=0.5)
    failed = only(stage.take(), ConnectFailed)
    # The client waits until two heartbeat intervals after the loss, plus a margin.
    assert failed.retry_in == 59.5 + 0.5
    assert "time out" in failed.note
    stage.advance(60)
    failed = only(stage.take(), ConnectFailed)
    assert failed.retry_in == 60 + 0.5  # After that time, the key must be in use by another client.
    stage.logon_refusal = None
    stage.advance(61)
    assert stage.core.is_logged_on


def test_the_first_logon_also_waits_for_a_key_that_is_in_use_elsewhere() -> None:
    stage = Stage(plan(reconnect=ReconnectPolicy(retry_first=True)))
    stage.logon_refusal = "already exists"
    stage.open()
    assert only(stage.take(), ConnectFailed).retry_in == 60.5


def test_a_standby_tries_often_while_another_client_has_the_key() -> None:
    stage = Stage(plan(reconnect=ReconnectPolicy(retry_first=True, key_in_use=0.2)))
    stage.logon_refusal = "already exists"
    stage.open()
    stage.advance(2.1)
    waits = {event.retry_in for event in of_type(stage.take(), ConnectFailed)}
    assert (waits, len(stage.attempts)) == ({0.2}, 11)
    stage.logon_refusal = None
    stage.advance(0.2)
    assert stage.core.is_logged_on


# --- unclear and permanent failures


@pytest.mark.parametrize(
    ("attribute", "failure", "reason"),
    [
        ("logon_refusal", "Internal error", "the venue refused the logon"),
        ("logon_refusal", "Gateway restarting", "the venue refused the logon"),
        ("logon_refusal", "an undocumented reason", "the venue refused the logon"),
        ("logon_refusal", "SendingTime accuracy", "the venue refused the logon"),
        ("connect_error", CertificateRejectedError("another certificate"), "another certificate"),
    ],
)
def test_unclear_failures_are_retried_a_bounded_number_of_times(
    stage: Stage, attribute: str, failure: object, reason: str
) -> None:
    setattr(stage, attribute, failure)
    stage.cut(wait=10_000)
    assert len(stage.attempts) == 1 + 8
    gave_up = only(stage.take(), GaveUp)
    assert gave_up.reason.startswith(f"8 consecutive attempts have failed in this way: {reason}")
    assert stage.core.over


def test_the_client_waits_for_a_restarting_gateway(stage: Stage) -> None:
    for _ in range(3):
        stage.logon_refusal = "Gateway restarting"
        stage.cut(wait=60)
        stage.logon_refusal = None
        stage.advance(130)
        assert stage.core.is_logged_on
    assert len(stage.attempts) > 3 * 4


def test_a_temporarily_wrong_clock_does_not_end_the_client(stage: Stage) -> None:
    """The machine has just resumed, so its Logon is a minute old."""
    correct = stage.core._clocks
    stage.core._clocks = lambda: attrs.evolve(correct(), utc=correct().utc - timedelta(seconds=60))
    stage.cut(wait=5)
    assert not stage.core.over
    assert stage.take_kinds().count("ConnectFailed") == 3
    stage.core._clocks = correct
    stage.advance(60)
    assert stage.core.is_logged_on


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (HostNotFoundError("no DNS"), True),
        (CertificateRejectedError("another certificate"), True),
        (ConfigurationError("the CA file is gone"), False),
    ],
)
def test_failed_connections_are_retried_or_given_up(
    stage: Stage, error: ConnectionFailedError, retried: bool
) -> None:
    stage.connect_error = error
    stage.cut(wait=0.5)
    assert stage.core.over is not retried


def test_an_answer_that_is_not_a_logon_ends_the_attempts() -> None:
    stage = open_stage(plan(reconnect=ReconnectPolicy(unclear_attempts=1)))
    stage.mute = True
    stage.cut(wait=0.5)
    stage.core.receive(Peer(stage.clock, "KalshiNR", KEY_ID).message("0"))
    stage.run()
    assert isinstance(only(stage.take(), GaveUp).error, LogonFailedError)


@pytest.mark.parametrize("text", ["an undocumented reason", ""])
def test_unclear_refusals_during_maintenance_are_retried(stage: Stage, text: str) -> None:
    stage.clock.utc = MAINTENANCE_TIME
    stage.logon_refusal = text
    stage.cut()
    lost = only(stage.take(), Disconnected)
    assert lost.retry_in == 45
    assert "maintenance" in lost.note
    stage.advance(45)
    failed = only(stage.take(), ConnectFailed)
    assert failed.retry_in == 45
    assert "maintenance" in failed.note
    stage.logon_refusal = None
    stage.advance(45)
    assert stage.core.is_logged_on


# --- failures of the signer


def sign_with(stage: Stage, *results: Exception | bytes) -> None:
    """Have the client's signer return or raise these results in turn; the last result is repeated."""
    left = list(results)

    def sign(_: LogonToSign) -> bytes:
        result = left[0] if len(left) == 1 else left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    numbers = stage.core.sequence
    numbers._plan = attrs.evolve(numbers._plan, config=attrs.evolve(numbers._plan.config, sign_logon=sign))


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
def test_a_missing_key_at_a_reconnect_ends_the_client_and_loses_no_event(name: str) -> None:
    stage = open_stage(plan(name))
    sign_with(stage, KeyFileError("the key is gone"))
    stage.venue_sends(report("a"), report("b"))
    stage.cut(wait=1)
    assert stage.core.over
    events = stage.take()
    assert messages_of(events) == [report("a"), report("b")]
    assert isinstance(only(events, GaveUp).error, KeyFileError)
    assert stage.core.take() is None
    assert stage.core.sequence._store.next_incoming == stage.core.sequence.session.next_incoming  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
def test_a_signer_may_fail_temporarily(name: str) -> None:
    stage = open_stage(plan(name))
    sign_with(stage, TimeoutError("key 4711 did not answer"), OSError("gone"), b"c2ln")
    stage.venue_sends(report("a"), report("b"))
    stage.cut(wait=10)
    assert stage.core.is_logged_on
    stage.venue_sends(report("c"))
    events = stage.take()
    first, _ = (event.error for event in of_type(events, ConnectFailed))
    assert isinstance(first, SigningError)
    assert str(first).startswith("the Logon could not be signed (TimeoutError)")
    assert isinstance(first.__cause__, TimeoutError)
    assert messages_of(events) == [report("a"), report("b"), report("c")]


def test_a_signer_that_keeps_failing_ends_the_client(stage: Stage) -> None:
    sign_with(stage, TimeoutError())
    stage.cut(wait=10_000)
    assert isinstance(only(stage.take(), GaveUp).error, SigningError)
    assert len(stage.attempts) == 1 + 8


@pytest.mark.parametrize("error", [TimeoutError(), KeyFileError("the key is gone")])
def test_a_signer_may_fail_when_the_venue_resets_during_the_session(error: Exception) -> None:
    signed = 0

    def sign(_: LogonToSign) -> bytes:
        nonlocal signed
        signed += 1
        if signed == 2:
            raise error
        return b"c2ln"

    stage = open_stage(plan("KalshiRT", session={"sign_logon": sign}, store=MemoryStore()))
    stage.venue_sends(report("a"))
    stage.venue.reset(stage.clock.now)
    stage.run()
    stage.advance(1)
    events = stage.take()
    assert only(events, SessionEnded).reason is CloseReason.LOCAL_ABORT
    assert messages_of(events) == [report("a")]
    assert only(events, LoggedOn).reset
    assert stage.core.is_logged_on


def test_a_signer_failure_at_the_first_logon_is_raised() -> None:
    stage = Stage()
    sign_with(stage, RuntimeError())
    stage.open()
    assert isinstance(stage.core.error, SigningError)


# --- sequence numbers


def rt_stage(store: MemoryStore | Path | None = None, **changes: Any) -> Stage:
    return Stage(plan("KalshiRT", store=store, **changes))


def resets(stage: Stage) -> list[bool]:
    """Return for each accepted logon whether it reset the numbers."""
    return [event.reset for event in of_type(stage.take(), LoggedOn)]


def test_numbers_in_memory_continue_across_connections_after_an_initial_reset() -> None:
    stage = rt_stage()
    stage.venue_store.record_sent(1, None)  # the venue remembers the numbers of an earlier process
    stage.open()
    assert resets(stage) == [True]
    stage.venue_sends(report("a"))
    venue = stage.venue
    venue.send(report("b"), stage.clock.now)
    venue.data_to_send()
    stage.cut(wait=1)
    events = stage.take()
    assert not only(events, LoggedOn).reset
    assert messages_of(events) == [report("a"), report("b")]
    only(events, GapClosed)
    stage.leave()
    stage.open()
    assert resets(stage) == [False]
    stage.core.send(order())
    stage.run()
    assert stage.core.is_logged_on


def test_a_single_reset_can_be_requested() -> None:
    store = MemoryStore(next_outgoing=9, next_incoming=9)
    stage = rt_stage(store, reset_seq_num=True)
    stage.open()
    stage.cut(wait=1)
    assert resets(stage) == [True, False]


def test_the_client_gives_up_with_advice_if_the_venue_refuses_its_numbers() -> None:
    store = MemoryStore()
    stage = rt_stage(store, reconnect=ReconnectPolicy(retry_first=True))
    stage.venue_store = MemoryStore(next_outgoing=9, next_incoming=9)
    stage.open()
    gave_up = only(stage.take(), GaveUp)
    assert isinstance(gave_up.error, LogonRefusedError)
    assert "reset_seq_num=True, and look up missed reports" in gave_up.reason


def test_the_client_gives_up_with_advice_if_the_venues_numbers_are_too_low() -> None:
    stage = rt_stage(MemoryStore(next_outgoing=2, next_incoming=9))
    stage.venue_store = MemoryStore(next_outgoing=2, next_incoming=2)
    stage.open()
    assert isinstance(stage.core.error, LogonFailedError)
    assert "reset_seq_num=True, and look up missed reports" in str(stage.core.error)


def test_disputed_numbers_in_memory_are_discarded() -> None:
    stage = rt_stage()
    stage.open()
    stage.take()
    stage.venue_store = MemoryStore(next_outgoing=9, next_incoming=9)
    stage.cut(wait=1)
    only(stage.take(), GaveUp)
    stage.core.close(clean=True)
    stage.open()
    assert resets(stage) == [True]


def test_the_wire_log_is_closed_if_the_store_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "numbers").write_text("not a folder")
    stage = rt_stage(store=tmp_path / "numbers", wire_log=tmp_path / "wire.log")
    with pytest.raises(StoreError):
        stage.core.begin()
    assert stage.core.over


SEND_CALLS: dict[str, Callable[[ClientCore], object]] = {
    "send": lambda core: core.send(order()),
    "test_request": lambda core: core.test_request(),
}


@pytest.mark.parametrize("method", ["record_sent", "begin_commit"])
@pytest.mark.parametrize("call", SEND_CALLS)
def test_a_store_failure_during_send_raises_and_ends_the_client(call: str, method: str) -> None:
    store, budget = FailingStore(), RateBudget("Basic")
    stage = open_stage(plan("KalshiRT", store=store, budget=budget))
    store.failing_method = method
    stage.core.changing, woken, tokens = True, stage.woken, budget.left(stage.clock.now)
    with pytest.raises(
        SendFailedError, match=r"nothing was sent: the store failed \(the disk is full"
    ) as caught:
        SEND_CALLS[call](stage.core)
    assert not caught.value.may_have_been_sent
    assert budget.left(stage.clock.now) == tokens
    assert stage.core.output == b""
    assert not stage.core.changing
    assert stage.woken > woken
    stage.run()
    events = stage.take()
    assert only(events, SessionEnded).reason is CloseReason.STORE_FAILED
    # The store may contain the message nevertheless; the next process would report it.
    unknown = [event.request_ids for event in of_type(events, OutcomesUnknown)]
    assert unknown == ([("a1",)] if method == "begin_commit" and call == "send" else [])
    assert "the disk is full" in only(events, GaveUp).reason
    assert stage.core.over


def test_a_store_that_fails_at_a_confirmation_ends_the_client() -> None:
    store = FailingStore()
    stage = open_stage(plan("KalshiRT", store=store))
    stage.venue_sends(report("a"))
    stage.core.take()
    store.failing_method = "advance_incoming"
    woken = stage.woken
    ended = stage.core.take()
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.STORE_FAILED
    assert stage.woken > woken
    stage.run()
    only(stage.take(), GaveUp)
