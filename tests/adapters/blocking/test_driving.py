"""Who drives the connection of a blocking client, and how that changes."""

from __future__ import annotations

import os
import queue
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.blocking import Client, background, driver, order_entry, transport
from kalshi_fix_adapters.blocking import client as blocking_client
from kalshi_fix_adapters.blocking.driver import Background, Driver
from kalshi_fix_adapters.engine.client import ClientCore
from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.net import sleeper as sleeping
from kalshi_fix_adapters.net.sleeper import READ, READY, WOKEN, WRITE, Poll, SelectPoll, Sleeper, make_poll
from kalshi_fix_adapters.testing import Sandbox
from kalshi_fix_sansio import Heartbeat
from kalshi_fix_sansio.events import HeartbeatReceived, MessageReceived, SessionEnded
from kalshi_fix_sansio.session.timers import Timers
from tests.adapters.blocking.test_blocking import next_of, options
from tests.adapters.conformance.loops import LONG
from tests.adapters.conformance.support import by_hand, order
from tests.adapters.engine.stage import plan, report
from tests.adapters.net.peers import Acceptor, logged_on_peer

AWAY, DRIVING, STANDING_BY, RESTING = Background
NEVER = 1e6
"""A grace that does not end while a test runs."""


class Watched(Driver):
    """Tells what the background thread does, one after the other."""

    def __init__(self, plan: Any) -> None:
        self._seen = threading.Condition()
        self._now = AWAY
        super().__init__(plan)

    @property
    def background(self) -> Background:
        return self._now

    @background.setter
    def background(self, now: Background) -> None:
        with self._seen:
            self._now = now
            self._seen.notify_all()

    def until(self, wanted: Background) -> None:
        with self._seen:
            assert self._seen.wait_for(lambda: self._now is wanted, LONG), self._now


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking_client, "Driver", Watched)


def shared(client: Client) -> Watched:
    found = client._driver
    assert isinstance(found, Watched)
    return found


def queued(client: Client) -> int:
    """How many events wait for the user."""
    with shared(client).lock:
        return len(client._core._queue)


class Orders:
    """A peer that sends what a test tells it to."""

    def __init__(self) -> None:
        self.wanted: queue.Queue[Callable[[Acceptor], object] | None] = queue.Queue()

    def __call__(self, peer: Acceptor) -> None:
        while (act := self.wanted.get(timeout=LONG)) is not None:
            act(peer)
        for _ in peer.received():
            pass

    def report(self, *names: str) -> None:
        def send(peer: Acceptor) -> None:
            for name in names:
                peer.send(report(name))

        self.wanted.put(send)

    def beat(self, test_req_id: str) -> None:
        """Send a Heartbeat, which any user may take."""
        beat = Heartbeat(test_req_id=test_req_id)

        def send(peer: Acceptor) -> None:
            peer.session._core.outbound.post(beat, read_clocks(), keep=False)
            peer._flush()

        self.wanted.put(send)

    def log_out(self) -> None:
        self.wanted.put(lambda peer: peer.log_out("maintenance"))

    def end(self) -> None:
        self.wanted.put(None)


@contextmanager
def trading(sandbox: Sandbox, **changes: Any) -> Iterator[tuple[Client, Orders]]:
    """A client that is logged on, and its peer; what came with the logon was taken."""
    orders = Orders()
    with logged_on_peer(orders) as port:
        client = order_entry(**by_hand(sandbox, port, **changes))
        try:
            with client:
                list(client.events(0))
                yield client, orders
                orders.end()
        finally:
            orders.end()


def taken(client: Client) -> str:
    found: str = next_of(client, MessageReceived).message.cl_ord_id  # type: ignore[attr-defined]
    return found


def grace(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(driver, "GRACE", seconds)


# --- the table


def test_the_thread_drives_while_no_user_waits(sandbox: Sandbox) -> None:
    with trading(sandbox) as (client, orders):
        shared(client).until(DRIVING)
        seen = shared(client).user_turns
        orders.report("1")
        # It is read although nobody asks.
        while not queued(client):
            pass
        assert shared(client).user_turns == seen
        assert taken(client) == "1"


def test_a_user_that_waits_drives_by_itself(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    grace(monkeypatch, NEVER)
    with trading(sandbox) as (client, orders):
        for number in range(10):
            orders.report(str(number))
            assert taken(client) == str(number)
        # The thread has left it alone since.
        assert shared(client).background is STANDING_BY
        assert shared(client).lease is None
        orders.end()


def test_the_thread_drives_again_when_no_user_has_for_a_while(sandbox: Sandbox) -> None:
    with trading(sandbox) as (client, _):
        with pytest.raises(ClientTimeoutError):
            client.receive(0.001)
        shared(client).until(DRIVING)


def test_the_thread_rests_while_a_user_sleeps(sandbox: Sandbox) -> None:
    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        for name in ("1", "2"):
            waiting = pool.submit(taken, client)
            shared(client).until(RESTING)
            orders.report(name)
            assert waiting.result(LONG) == name
            shared(client).until(DRIVING)


def test_a_call_that_needs_the_thread_wakes_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody who drives, and a grace without end, only that lets the Logout end."""
    grace(monkeypatch, NEVER)
    with trading(sandbox) as (client, orders):
        with pytest.raises(ClientTimeoutError):
            client.receive(0)
        assert shared(client).background is STANDING_BY
        orders.end()
        client.logout()
        assert client.ended is not None
        assert client.ended.clean


def test_a_user_that_sees_the_end_wakes_the_thread(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    grace(monkeypatch, NEVER)
    with trading(sandbox) as (client, orders):
        orders.log_out()
        orders.end()
        assert next_of(client, SessionEnded).text
        with pytest.raises(SessionClosedError):
            client.receive(LONG)
        assert shared(client).background is AWAY


# --- several users


def test_another_user_takes_over_from_one_that_leaves(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace(monkeypatch, NEVER)
    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        users = [pool.submit(next_of, client, HeartbeatReceived) for _ in range(3)]
        for number in range(3):
            orders.beat(str(number))
        assert sorted(user.result(LONG).test_req_id for user in users) == ["0", "1", "2"]
        assert client.send(order()) == 2
        orders.end()


def test_one_user_receives_while_another_measures_and_a_third_sends(sandbox: Sandbox) -> None:
    with order_entry(**options(sandbox)) as client, ThreadPoolExecutor() as pool:

        def receive() -> int:
            numbers = {next_of(client, MessageReceived).message.header.msg_seq_num for _ in range(200)}
            return len(numbers)

        receiver = pool.submit(receive)
        measurer = pool.submit(lambda: [client.test_request(LONG) for _ in range(20)])
        sent = [client.send(order()) for _ in range(100)]
        assert receiver.result(LONG) == 200
        assert len(measurer.result(LONG)) == 20
    assert len(set(sent)) == 100


def test_who_waits_is_told_when_the_one_that_drives_is_interrupted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        io = shared(client)
        driving, go = threading.Event(), threading.Event()
        sleeper = io._users_sleeper

        def interrupt(_: float | None) -> int:
            sleeper.sleep = Sleeper.sleep.__get__(sleeper)  # type: ignore[method-assign]
            driving.set()
            assert go.wait(LONG)
            raise KeyboardInterrupt

        monkeypatch.setattr(sleeper, "sleep", interrupt)
        first = pool.submit(taken, client)
        assert driving.wait(LONG)
        second = pool.submit(taken, client)
        with io.lock:
            waits = bool(io._waiters)
        while not waits:
            with io.lock:
                waits = bool(io._waiters)
        go.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(LONG)
        orders.report("1")
        assert second.result(LONG) == "1"


def test_who_is_interrupted_while_another_user_drives_waits_no_longer(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        io = shared(client)
        driving = pool.submit(taken, client)
        io.until(RESTING)
        with monkeypatch.context() as patch:
            patch.setattr(io, "_wait_for_others", interrupt)
            with pytest.raises(KeyboardInterrupt):
                pool.submit(taken, client).result(LONG)
        assert len(io._waiters) == 1
        orders.report("1")
        assert driving.result(LONG) == "1"
        assert not io._waiters


def test_a_logout_while_another_user_drives(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    grace(monkeypatch, NEVER)
    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        rest = pool.submit(lambda: list(client.events(LONG)))
        while shared(client).lease is None:
            pass
        orders.end()
        ended = client.logout()
        assert ended is not None
        assert ended.clean
        assert isinstance(rest.result(LONG)[-1], SessionEnded)


def test_an_earlier_deadline_reaches_the_one_that_drives(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        io = shared(client)
        waiting = pool.submit(lambda: list(client.events(LONG)))
        io.until(RESTING)
        ticked = threading.Event()
        monkeypatch.setattr(io.core, "tick", ticked.set)
        with io.lock:
            assert io._due is not None
            due = 0.0
            monkeypatch.setattr(io.core, "due", lambda: due)
            io.change(lambda: None)
        assert ticked.wait(LONG)
        monkeypatch.undo()
        orders.end()
        client.logout()
        waiting.result(LONG)


def test_an_interrupt_behind_a_message_that_has_not_left_ends_the_client(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with trading(sandbox) as (client, _), monkeypatch.context() as patch:
        io = shared(client)
        patch.setattr(io, "write", lambda _: 0)  # as if the socket took nothing just now
        patch.setattr(io, "_wake_background", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.send(order())
        patch.undo()
        with pytest.raises(SessionClosedError, match="interrupted halfway"):
            client.receive(LONG)


# --- what drives dies


@pytest.mark.parametrize("alone", [True, False])
def test_a_core_that_fails_while_a_user_drives(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    grace(monkeypatch, NEVER)

    def fail(_: bytes) -> None:
        raise ZeroDivisionError

    with trading(sandbox) as (client, orders), ThreadPoolExecutor() as pool:
        other = None if alone else pool.submit(taken, client)
        monkeypatch.setattr(client._core, "receive", fail)
        orders.report("1")
        with pytest.raises(SessionClosedError, match=r"failed by itself \(ZeroDivisionError\)"):
            list(client.events(LONG))
        if other is not None:
            with pytest.raises(SessionClosedError, match="failed by itself"):
                other.result(LONG)
        with pytest.raises(NotConnectedError):
            client.send(order())


def test_a_thread_that_dies_lets_the_user_go_that_drives(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        patch.undo()
        raise ZeroDivisionError

    with (
        trading(sandbox) as (client, _),
        ThreadPoolExecutor() as pool,
        monkeypatch.context() as patch,
    ):
        patch.setattr(driver, "_wait_for", fail)
        with pytest.raises(SessionClosedError):
            pool.submit(taken, client).result(LONG)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_connection_to_its_parent(sandbox: Sandbox, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with order_entry(**options(sandbox)) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            try:
                try:
                    client.receive(LONG)
                except SessionClosedError as error:
                    said.write_text(str(error))
                client.logout()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert "this process was forked" in said.read_text()
        assert client.send(order()) == 2
        next_of(client, MessageReceived)
        client.test_request(LONG)
    assert client.ended is not None
    assert client.ended.clean


# --- bounds and time


def test_what_waits_inside_the_tls_layer_is_read(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching the socket does not show it."""
    monkeypatch.setattr(transport, "CHUNK", 50)
    grace(monkeypatch, NEVER)
    with order_entry(**options(sandbox)) as client:
        for _ in range(3):
            for _ in range(5):
                client.send(order())
            for _ in range(10):
                next_of(client, MessageReceived)


@pytest.mark.parametrize("output", [b"", b"x"])
def test_while_the_queue_is_full_a_renegotiation_wakes_nobody(sandbox: Sandbox, output: bytes) -> None:
    """TLS 1.2: reading goes on only once TLS has written, and nobody reads."""
    with trading(sandbox, queue_limit=4) as (client, orders):
        io, sleeper = shared(client), Sleeper()
        orders.report(*map(str, range(20)))
        while client._core.wants_read:
            pass
        with io.lock:
            assert io._transport is not None
            io._transport.read_wants_write = True
            client._core.output.extend(output)
            io._prepare(io._transport, sleeper)
            assert sleeper.interest == (WRITE if output else 0)
            client._core.output.clear()
        assert [taken(client) for _ in range(20)] == list(map(str, range(20)))
        sleeper.close()


def look_now_and_then(client: Client, done: threading.Event) -> None:
    while not done.is_set():
        list(client.events(0.001))


def compute(_: Client, done: threading.Event) -> None:
    done.wait(LONG)


def sit(client: Client, done: threading.Event) -> None:
    list(client.events(LONG))
    done.wait(0)


@pytest.mark.parametrize("behave", [look_now_and_then, compute, sit])
def test_heartbeats_leave_whatever_the_user_does(
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

    with logged_on_peer(listen) as port, order_entry(**by_hand(sandbox, port, heart_bt_int=3)) as client:
        behave(client, heard)
    assert heard.is_set()


# --- sleeping


@pytest.mark.parametrize("poll", [make_poll, SelectPoll])
def test_a_sleeper(poll: Callable[[], Poll], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleeping, "make_poll", poll)
    sleeper = Sleeper()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert sleeper.sleep(0) == 0
        sleeper.wake()
        sleeper.wake()
        assert sleeper.sleep(None) == WOKEN
        assert sleeper.sleep(0) == 0
        sleeper.watch(ours.fileno(), READ | WRITE)
        assert sleeper.sleep(None) == READY
        sleeper.watch(ours.fileno(), READ)
        assert sleeper.sleep(0) == 0
        theirs.send(b"x")
        sleeper.wake()
        assert sleeper.sleep(1e12) == READY | WOKEN
        sleeper.watch(ours.fileno(), 0)
        assert sleeper.sleep(0) == 0
    sleeper.close()
    sleeper.wake()


class Asked:
    """A lock that tells when another thread asks for it."""

    def __init__(self, lock: threading.RLock, tell: Callable[[], object]) -> None:
        self._lock, self._tell, self._owner = lock, tell, threading.get_ident()

    def __enter__(self) -> None:
        if threading.get_ident() != self._owner:
            self._tell()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_change_under_way_does_not_end_a_connection_in_the_making() -> None:
    sharing, asked = Driver(plan()), threading.Event()
    sharing.open()
    waits = background._WaitsWhileWanted(sharing)
    sharing.lock = Asked(sharing.lock, asked.set)  # type: ignore[assignment]
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        with sharing.lock:
            sharing.poisoned = True
            waiting = pool.submit(waits.until_ready, ours, WRITE, LONG)
            waiting.add_done_callback(lambda _: asked.set())
            assert asked.wait(LONG)
            sharing.poisoned = False
        assert waiting.result(LONG) is None
    sharing.close()


def test_a_failed_core_is_not_disconnected_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: ClientCore) -> None:
        raise AssertionError

    with trading(sandbox) as (client, _):
        monkeypatch.setattr(ClientCore, "disconnected", fail)
        with shared(client).lock:
            client._core.failure(ZeroDivisionError())
            shared(client).wake()
        with pytest.raises(SessionClosedError, match="ZeroDivisionError"):
            list(client.events(LONG))
