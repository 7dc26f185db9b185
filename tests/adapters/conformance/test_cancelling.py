"""A cancellation at every point where one can arrive.

Afterwards the venue has noticed the end of the connection and no task is still running.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

import anyio
import pytest
import trio

from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import SessionInterruptedError
from kalshi_fix_sansio.events import LoggedOn
from tests.adapters.conformance.loops import TASK_LOOPS, TIMEOUT, Loop, collect
from tests.adapters.conformance.support import (
    NO_DELAY,
    NewClient,
    UserError,
    order,
    wait_for_acknowledgement,
    wait_for_event,
)
from tests.adapters.net.peers import Acceptor, keep_silent, logged_on_peer
from tests.relay import Relay

T = TypeVar("T")
MAX_POINTS = 1000
"""Limit on the number of points at which a scenario waits; every scenario has fewer."""
pytestmark = pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)


@types.coroutine
def run_watched(main: Coroutine[Any, Any, T], at_suspension: Callable[[], object]) -> Generator[Any, Any, T]:
    """Run a coroutine, and call `at_suspension` whenever it is about to wait."""
    resume: Callable[[], Any] = partial(main.send, None)
    while True:
        try:
            awaited = resume()
        except StopIteration as end:
            result: T = end.value
            return result
        at_suspension()
        try:
            value = yield awaited
        except BaseException as error:  # noqa: BLE001 - the coroutine handles it
            resume = partial(main.throw, error)
        else:
            resume = partial(main.send, value)


class Canceller:
    """Cancels the scenario in `run` at the wait with index `at`, and at the `times - 1` waits after it."""

    def __init__(
        self, loop: Loop, at: int, times: int = 1, *, at_suspension: Callable[[], object] = lambda: None
    ) -> None:
        self._name = loop.name
        self._at_suspension = at_suspension
        self._at = range(at, at + times)
        self._suspensions = 0
        self._cancel: Callable[[], object] = lambda: None
        self.cancelled = False

    def _on_suspension(self) -> None:
        if self._suspensions in self._at:
            self.cancelled = True
            self._cancel()
        self._suspensions += 1
        self._at_suspension()

    async def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a scenario. Suppress the exception of our own cancellation, and raise any other."""
        if self._name == "asyncio":
            task = asyncio.ensure_future(self._run_watched(scenario))
            self._cancel = task.cancel
            with contextlib.suppress(asyncio.CancelledError):
                await task
            # The scenario has not swallowed the cancellation.
            assert task.cancelled() is self.cancelled
        elif self._name == "trio":
            with trio.CancelScope() as trio_scope:
                self._cancel = trio_scope.cancel
                await run_watched(scenario(), self._on_suspension)
        else:
            with anyio.CancelScope() as scope:
                self._cancel = scope.cancel
                await run_watched(scenario(), self._on_suspension)

    async def _run_watched(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await run_watched(scenario(), self._on_suspension)


def cancel_at_every_point(
    loop: Loop, relay: Relay, scenario: Callable[[], Coroutine[Any, Any, None]], *, times: int = 1
) -> int:
    """Cancel a scenario at each point at which it waits, one point per run; return the number of points."""
    for at in range(MAX_POINTS):
        canceller = Canceller(loop, at, times)
        loop.run(partial(canceller.run, scenario))
        relay.wait(lambda: relay.closed == relay.opened)
        if not canceller.cancelled:
            # A resource that was left open would warn now, and warnings are errors here.
            gc.collect()
            return at
    raise AssertionError(f"the scenario waits at {MAX_POINTS} points or more")


@pytest.mark.parametrize("times", [1, 2, MAX_POINTS])
def test_a_cancellation_at_every_point_from_logon_to_logout(
    loop: Loop, new_client: NewClient, relay: Relay, times: int
) -> None:
    async def scenario() -> None:
        async with new_client(port=relay.port) as client:
            await client.send(order())
            await wait_for_acknowledgement(client)
            await client.test_request(TIMEOUT)
            await client.logout()

    assert cancel_at_every_point(loop, relay, scenario, times=times) > 5


def test_a_cancellation_at_every_point_of_a_reconnection(
    loop: Loop, new_client: NewClient, relay: Relay
) -> None:
    async def scenario() -> None:
        async with new_client(port=relay.port, reconnect=NO_DELAY) as client:
            relay.cut()
            with contextlib.suppress(SessionInterruptedError):
                await collect(client.messages(TIMEOUT))
            await wait_for_event(client, LoggedOn)
            await client.send(order())

    assert cancel_at_every_point(loop, relay, scenario) > 3


def test_a_cancelled_wait_loses_no_event(loop: Loop, new_client: NewClient, relay: Relay) -> None:
    """Each event is taken by exactly one call that is not cancelled, wherever the others are cancelled."""

    async def main(at: int) -> bool:
        async with new_client(port=relay.port) as client:
            cancelled = False
            reports = []
            numbers = []
            for _ in range(3):
                canceller = Canceller(loop, at)

                async def send() -> None:
                    numbers.append(await client.send(order()))

                async def take() -> None:
                    while True:
                        async for message in client.messages(TIMEOUT):
                            reports.append(message)
                            if len(reports) >= 2 * len(numbers):
                                return

                # Without this, a fast venue might answer before `take` runs, and `take` would not wait.
                relay.hold("server")
                await canceller.run(send)
                again = Canceller(loop, at, at_suspension=relay.release)
                await again.run(take)
                relay.release()
                cancelled = cancelled or canceller.cancelled or again.cancelled
            while len(reports) < 2 * len(numbers):
                async for message in client.messages(TIMEOUT):
                    reports.append(message)
                    break
            assert numbers == list(range(2, 2 + len(numbers)))
            found = [report.header.msg_seq_num for report in reports]
            assert found == sorted(set(found))
            assert len(found) == 2 * len(numbers)
        assert client.ended.clean
        return cancelled

    for at in range(MAX_POINTS):
        # How often `take` waits depends on how the reports arrive: stop after three runs without a
        # cancellation.
        if not any(loop.run(partial(main, at)) for _ in range(3)):
            break
    assert at > 0


async def test_a_failing_sibling_task_ends_the_client(loop: Loop, new_client: NewClient) -> None:
    client = new_client()

    async def fail() -> None:
        raise UserError

    async def trade() -> None:
        async with client:
            await client.send(order())
            async with loop.run_concurrently() as start:
                start(fail)
                await client.test_request(TIMEOUT)
                await collect(client.events(TIMEOUT))

    with pytest.raises(ExceptionGroup) as caught:
        await trade()
    assert [type(error) for error in caught.value.exceptions] == [UserError]
    assert client.ended.clean


# --- from the keyboard


def interrupt() -> None:
    """Send SIGINT, as Ctrl-C does."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_an_interrupt_from_the_keyboard_logs_out(loop: Loop, new_client: NewClient) -> None:
    client = new_client()

    async def main() -> None:
        async with client:
            thread = threading.Thread(target=interrupt)
            thread.start()
            await collect(client.events(TIMEOUT))

    with pytest.raises(KeyboardInterrupt):
        loop.run(main)
    assert client.ended.clean


def test_an_interrupt_during_send_nowait_takes_effect_after_it(
    loop: Loop, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, original, numbers = new_client(), ClientCore.send, list[int]()

    def send(*arguments: Any, **named: Any) -> Any:
        found = original(*arguments, **named)
        signal.raise_signal(signal.SIGINT)
        return found

    async def main() -> None:
        async with client:
            monkeypatch.setattr(ClientCore, "send", send)
            numbers.append(client.send_nowait(order()))
            await collect(client.events(TIMEOUT))

    with pytest.raises(KeyboardInterrupt):
        loop.run(main)
    assert numbers == [2]
    assert client.ended.clean


@pytest.mark.usefixtures("brief_logouts")
def test_an_interrupt_during_the_logout_ends_the_wait(loop: Loop, plaintext_client: NewClient) -> None:
    def ignore(peer: Acceptor) -> None:
        for name in peer.received():
            if name == "Logout":
                interrupt()
                keep_silent(peer.connection)

    clients = []

    async def main(port: int) -> None:
        client = plaintext_client(port=port)
        clients.append(client)
        async with client:
            pass

    with logged_on_peer(ignore) as port, pytest.raises(KeyboardInterrupt):
        loop.run(partial(main, port))
    assert not clients[0].ended.clean
