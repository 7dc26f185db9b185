"""The blocking client's own thread, and the threads of its users."""

from __future__ import annotations

import os
import socket
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from kalshi_fix_adapters.blocking import Client, io_thread, order_entry, shared_core, transport
from kalshi_fix_adapters.blocking.shared_core import SharedCore
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import NotConnectedError, SessionClosedError
from kalshi_fix_adapters.net.sleeper import READ, WRITE, Sleeper, make_sleeper
from kalshi_fix_sansio.events import HeartbeatReceived, MessageReceived, SessionEnded
from kalshi_fix_sansio.session.timers import Timers
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.blocking.kit import next_cl_ord_id, next_of, options, trading
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import order, plaintext_options
from tests.adapters.engine.stage import plan
from tests.adapters.net.peers import Acceptor, logged_on_peer
from tests.helpers import MIN_HEART_BT_INT


@pytest.fixture(autouse=True, params=[make_sleeper, Sleeper], ids=["users read", "users do not read"])
def users_read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a waiting user reads the socket; this needs a sleeper with `can_watch_in_sleep`.

    After a call has read, the client's own thread does not read again until the test has ended. So the test
    fails if a waiting user depends on that thread.
    """
    monkeypatch.setattr(shared_core, "make_sleeper", request.param)
    monkeypatch.setattr(shared_core, "_PAUSE_AFTER_READ", 10 * TIMEOUT)
    return SharedCore(plan()).sleeper.can_watch_in_sleep


@pytest.fixture
def reads_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client's own thread read soon after a call has read."""
    monkeypatch.setattr(shared_core, "_PAUSE_AFTER_READ", 0.001)


def queued_events(client: Client) -> int:
    """Return the number of events that wait for the user."""
    with client._shared.lock:
        return len(client._core._queue)


def until_waiting(client: Client, users: int) -> None:
    """Wait until this many users are waiting."""
    waiting = -1
    while waiting != users:
        shared = client._shared
        with shared.lock:
            waiting = len(shared._waiters) + (shared._reader is not None and shared._reader.is_sleeping)


def test_the_thread_does_not_read_while_users_read(sandbox: Sandbox, users_read: bool) -> None:
    with trading(sandbox) as (client, driver), ThreadPoolExecutor(1) as pool:
        sleeper = client._shared.sleeper
        for name in ("1", "2"):
            waiting = pool.submit(next_cl_ord_id, client)
            until_waiting(client, 1)
            while sleeper.interest != (0 if users_read else READ):
                pass
            driver.send_reports(name)
            assert waiting.result(TIMEOUT) == name
        pool.submit(list, client.events(0)).result(TIMEOUT)
        while sleeper.interest:
            pass


@pytest.mark.usefixtures("reads_soon")
def test_the_thread_does_not_wake_waiting_users_without_a_reason(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trading(sandbox) as (client, driver), ThreadPoolExecutor() as pool:
        shared, checked, woken = client._shared, threading.Semaphore(0), threading.Event()
        waiting = pool.submit(next_cl_ord_id, client)
        until_waiting(client, 1)
        sleep = shared.sleeper.sleep
        with monkeypatch.context() as patch:
            patch.setattr(shared, "notify", woken.set)

            def sleep_briefly(_: float | None) -> int:
                checked.release()
                return sleep(0.001)

            patch.setattr(shared.sleeper, "sleep", sleep_briefly)
            shared.wake()
            for _ in range(2):
                assert checked.acquire(timeout=TIMEOUT)
            woken.clear()
            for _ in range(5):
                assert checked.acquire(timeout=TIMEOUT)
            assert not woken.is_set()
        driver.send_reports("1")
        assert waiting.result(TIMEOUT) == "1"


@pytest.mark.usefixtures("reads_soon")
def test_the_thread_reads_again_after_the_reading_user_is_interrupted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trading(sandbox) as (client, driver):
        with monkeypatch.context() as patch:
            patch.setattr(client._shared, "_sleep", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                client.receive(TIMEOUT)
        driver.send_reports("1")
        while not queued_events(client):
            pass
        assert next_cl_ord_id(client) == "1"


def test_the_thread_reads_before_it_runs_timers(sandbox: Sandbox) -> None:
    """Otherwise a peer whose message was not read yet would seem to be silent."""
    with trading(sandbox) as (client, driver):
        driver.send_reports("1")
        while not queued_events(client):
            with client._shared.lock:
                client._shared._due = 0.0
                client._shared.wake()
        assert next_cl_ord_id(client) == "1"


def test_a_polling_user_reads_in_its_own_thread(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that never waits may leave the client's own thread no time to run."""
    with trading(sandbox) as (client, driver), monkeypatch.context() as patch:
        shared, is_sleeping, go = client._shared, threading.Event(), threading.Event()

        def sleep(_: float | None) -> int:
            is_sleeping.set()
            assert go.wait(TIMEOUT)
            return 0

        patch.setattr(shared.sleeper, "sleep", sleep)
        shared.wake()
        assert is_sleeping.wait(TIMEOUT)
        for name in ("1", "2"):
            driver.send_reports(name)
            while not (found := list(client.messages(0))):
                pass
            assert [item.cl_ord_id for item in found] == [name]  # type: ignore[attr-defined]
        go.set()


# --- several users


def test_each_waiting_user_gets_its_own_result(sandbox: Sandbox) -> None:
    with trading(sandbox) as (client, driver), ThreadPoolExecutor() as pool:
        users = [pool.submit(next_of, client, HeartbeatReceived) for _ in range(3)]
        until_waiting(client, 3)
        for number in range(3):
            driver.send_heartbeat(str(number))
        assert sorted(user.result(TIMEOUT).test_req_id for user in users) == ["0", "1", "2"]
        assert client.send(order()) == 2


def test_users_can_receive_measure_round_trips_and_send_concurrently(sandbox: Sandbox) -> None:
    with order_entry(**options(sandbox)) as client, ThreadPoolExecutor(6) as pool:

        def receive() -> int:
            numbers = {next_of(client, MessageReceived).message.header.msg_seq_num for _ in range(200)}
            return len(numbers)

        receiver = pool.submit(receive)
        measurer = pool.submit(lambda: [client.test_request(TIMEOUT) for _ in range(20)])
        senders = [pool.submit(lambda: [client.send(order()) for _ in range(25)]) for _ in range(4)]
        sent = [number for sender in senders for number in sender.result(TIMEOUT)]
        assert receiver.result(TIMEOUT) == 200
        assert len(measurer.result(TIMEOUT)) == 20
    assert len(set(sent)) == 100


def test_an_interrupted_user_leaves_the_others_waiting(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[int] = []

    def take_first() -> str:
        first.append(threading.get_ident())
        return next_cl_ord_id(client)

    with trading(sandbox) as (client, driver), ThreadPoolExecutor() as pool:
        sleep = client._shared._sleep

        def interrupt(*arguments: Any) -> Any:
            # The first call may not have begun to sleep.
            if threading.get_ident() in first:
                return sleep(*arguments)
            raise KeyboardInterrupt

        waiting = pool.submit(take_first)
        until_waiting(client, 1)
        with monkeypatch.context() as patch:
            patch.setattr(client._shared, "_sleep", interrupt)
            with pytest.raises(KeyboardInterrupt):
                pool.submit(next_cl_ord_id, client).result(TIMEOUT)
        driver.send_reports("1")
        assert waiting.result(TIMEOUT) == "1"
        until_waiting(client, 0)


def test_another_waiting_user_reads_after_the_reading_one_is_interrupted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_sleeping, interrupted = threading.Event(), threading.Event()

    def interrupt(*_: object) -> None:
        is_sleeping.set()
        assert interrupted.wait(TIMEOUT)
        raise KeyboardInterrupt

    with trading(sandbox) as (client, driver), ThreadPoolExecutor() as pool:
        with monkeypatch.context() as patch:
            patch.setattr(client._shared, "_sleep", interrupt)
            first = pool.submit(next_cl_ord_id, client)
            assert is_sleeping.wait(TIMEOUT)
        second = pool.submit(next_cl_ord_id, client)
        while not client._shared._waiters:
            pass
        interrupted.set()
        assert isinstance(first.exception(TIMEOUT), KeyboardInterrupt)
        driver.send_reports("1")
        assert second.result(TIMEOUT) == "1"


def test_a_logout_while_another_user_waits(sandbox: Sandbox) -> None:
    with trading(sandbox) as (client, driver), ThreadPoolExecutor() as pool:
        rest = pool.submit(lambda: list(client.events(TIMEOUT)))
        until_waiting(client, 1)
        driver.end()
        ended = client.logout()
        assert ended is not None
        assert ended.clean
        assert isinstance(rest.result(TIMEOUT)[-1], SessionEnded)


def test_an_earlier_deadline_reaches_the_thread(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with trading(sandbox) as (client, _), monkeypatch.context() as patch:
        shared, ticked = client._shared, threading.Event()
        with shared.lock:
            assert shared._due is not None
            patch.setattr(shared.core, "tick", ticked.set)
            patch.setattr(shared.core, "due", lambda: 0.0)
            shared.change(lambda: None)
        assert ticked.wait(TIMEOUT)


def test_an_interrupt_with_an_unwritten_message_ends_the_client(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trading(sandbox) as (client, _), monkeypatch.context() as patch:
        patch.setattr(client._shared, "_write", lambda _: 0)  # The socket's buffer seems to be full.
        patch.setattr(client._shared, "_wake_if_needed", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            client.send(order())
        patch.undo()
        with pytest.raises(SessionClosedError, match="interrupted halfway"):
            client.receive(TIMEOUT)


# --- failures of the thread


@pytest.mark.parametrize("failing_method", [(ClientCore, "receive"), (SharedCore, "prepare")])
def test_a_failure_in_the_thread_reaches_every_user(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, failing_method: tuple[type, str]
) -> None:
    monkeypatch.setattr(shared_core, "make_sleeper", Sleeper)  # With this sleeper no user reads.
    with trading(sandbox) as (client, driver), ThreadPoolExecutor() as pool:
        waiting = [pool.submit(next_cl_ord_id, client) for _ in range(2)]
        until_waiting(client, 2)
        monkeypatch.setattr(*failing_method, Mock(side_effect=ZeroDivisionError))
        driver.send_heartbeat("1")
        assert {type(item.exception(TIMEOUT)) for item in waiting} == {SessionClosedError}
        with pytest.raises(NotConnectedError, match="ZeroDivisionError"):
            client.send(order())


def test_a_failed_core_is_not_disconnected_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with trading(sandbox) as (client, _):
        monkeypatch.setattr(ClientCore, "disconnected", Mock(side_effect=AssertionError))
        with client._shared.lock:
            client._core.record_failure(ZeroDivisionError())
            client._shared.wake()
        with pytest.raises(SessionClosedError, match="ZeroDivisionError"):
            list(client.events(TIMEOUT))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_leaves_the_connection_to_its_parent(sandbox: Sandbox, tmp_path: Path) -> None:
    error_file = tmp_path / "error"
    with order_entry(**options(sandbox)) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            try:
                try:
                    client.receive(TIMEOUT)
                except SessionClosedError as error:
                    error_file.write_text(str(error))
                client.logout()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert "this process was forked" in error_file.read_text()
        assert client.send(order()) == 2
        next_of(client, MessageReceived)
        client.test_request(TIMEOUT)
    assert client.ended is not None
    assert client.ended.clean


# --- bounds and time


@pytest.mark.parametrize("timeout", [0, TIMEOUT])
def test_bytes_waiting_inside_the_tls_layer_are_read(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, timeout: float
) -> None:
    """The socket is not readable while these bytes wait in the TLS layer."""
    monkeypatch.setattr(transport, "CHUNK", 50)
    with order_entry(**options(sandbox)) as client:
        for _ in range(3):
            for _ in range(5):
                client.send(order())
            left = 10
            while left:
                left -= len([*zip(range(left), client.messages(timeout), strict=False)])


@pytest.mark.usefixtures("reads_soon")
@pytest.mark.parametrize("output", [b"", b"x"])
def test_a_renegotiation_does_not_wake_the_thread_while_the_queue_is_full(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, output: bytes
) -> None:
    """During a renegotiation in TLS 1.2, a read waits until TLS has written. While the queue is full, nothing
    is read."""
    with trading(sandbox, queue_limit=4) as (client, driver):
        shared, sleeper = client._shared, Sleeper()
        driver.send_reports(*map(str, range(20)))
        while client._core.wants_read:
            pass
        with shared.lock, monkeypatch.context() as patch:
            patch.setattr(shared, "sleeper", sleeper)
            assert shared._transport is not None
            shared._transport.read_wants_write = True
            client._core.output.extend(output)
            shared.prepare(shared._transport)
            assert sleeper.interest == (WRITE if output else 0)
            client._core.output.clear()
        assert [next_cl_ord_id(client) for _ in range(20)] == list(map(str, range(20)))
        sleeper.close()


def poll_with_pauses(client: Client, done: threading.Event) -> None:
    while not done.is_set():
        list(client.events(0.001))


def poll(client: Client, done: threading.Event) -> None:
    while not done.is_set():
        list(client.events(0))


def compute(_: Client, done: threading.Event) -> None:
    done.wait(TIMEOUT)


def wait_for_events(client: Client, _: threading.Event) -> None:
    list(client.events(TIMEOUT))


@pytest.mark.parametrize("behave", [poll_with_pauses, poll, compute, wait_for_events])
def test_heartbeats_are_sent_whatever_the_user_does(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, behave: Callable[[Client, threading.Event], object]
) -> None:
    start = Timers.start
    monkeypatch.setattr(Timers, "start", lambda timers, seconds, now: start(timers, seconds / 20, now))
    heard = threading.Event()

    def listen(peer: Acceptor) -> None:
        for name in peer.received():
            if name == "Heartbeat":
                heard.set()
                peer.log_out("enough")

    with (
        logged_on_peer(listen) as port,
        order_entry(**plaintext_options(sandbox, port, heart_bt_int=MIN_HEART_BT_INT)) as client,
    ):
        behave(client, heard)
    assert heard.is_set()


class ReportingLock:
    """A lock that reports when another thread tries to acquire it."""

    def __init__(self, lock: threading.RLock, report: Callable[[], object]) -> None:
        self._lock, self._report, self._owner = lock, report, threading.get_ident()

    def __enter__(self) -> None:
        if threading.get_ident() != self._owner:
            self._report()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_call_in_progress_does_not_end_a_connection_attempt() -> None:
    shared, contended = SharedCore(plan()), threading.Event()
    shared.open()
    waits = io_thread._CancellableWait(shared)
    shared.lock = ReportingLock(shared.lock, contended.set)  # type: ignore[assignment]
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        with shared.lock:
            shared.core.changing = True
            waiting = pool.submit(waits.until_ready, ours, WRITE, TIMEOUT)
            waiting.add_done_callback(lambda _: contended.set())
            assert contended.wait(TIMEOUT)
            shared.core.changing = False
        assert waiting.result(TIMEOUT) is None
    shared.close()
