"""The notifiers with which tasks of asynchronous clients wait for each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio

from kalshi_fix_adapters.loops.adapter import Notifier
from tests.adapters.conformance.loops import TASK_LOOPS, TIMEOUT, AnyIo, Loop

pytestmark = pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)


def run(loop: Loop, use: Callable[[Notifier, Callable[[], Awaitable[None]]], Awaitable[None]]) -> None:
    """Call `use` with a notifier and a function that lets other tasks run."""

    async def main() -> None:
        module: Any = loop.module
        notifier = (module.AnyioAdapter if isinstance(loop, AnyIo) else module.client._Adapter).notifier()

        async def let_others_run() -> None:
            for _ in range(10):
                assert await notifier.wait(-1) is False

        async def run_use() -> None:
            await let_others_run()
            await use(notifier, let_others_run)

        if loop.name != "trio":
            await run_use()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notifier.run_timers)
            await run_use()
            nursery.cancel_scope.cancel()

    loop.run(main)


def test_a_notification_wakes_all_current_waiters_and_no_later_ones(loop: Loop) -> None:
    async def use(notifier: Notifier, let_others_run: Callable[[], Awaitable[None]]) -> None:
        woken = []

        async def wait(seconds: float | None) -> None:
            woken.append(await notifier.wait(seconds))

        notifier.notify()
        async with loop.run_concurrently() as start:
            for seconds in (None, TIMEOUT, None, 2 * TIMEOUT):
                start(partial(wait, seconds))
            await let_others_run()
            assert woken == []
            notifier.notify()
            notifier.notify()
        assert woken == [True] * 4
        # The notification does not wake later waiters.
        assert await notifier.wait(0.001) is False

    run(loop, use)


def test_each_waiter_has_its_own_timeout(loop: Loop) -> None:
    async def use(notifier: Notifier, let_others_run: Callable[[], Awaitable[None]]) -> None:
        reported: list[tuple[float, bool]] = []

        async def wait(seconds: float) -> None:
            reported.append((seconds, await notifier.wait(seconds)))

        async with loop.run_concurrently() as start:
            for seconds in (TIMEOUT, 0.08, 0.02, 0.05):
                start(partial(wait, seconds))
                await let_others_run()
            while len(reported) < 3:
                await notifier.wait(-1)
            notifier.notify()
        # Sorted, because under load several waits end at once, in any order.
        assert sorted(reported[:3]) == [(0.02, False), (0.05, False), (0.08, False)]
        assert reported[3:] == [(TIMEOUT, True)]
        # The timer was set for each wait in turn, and still works for the next one.
        assert await notifier.wait(0.001) is False

    run(loop, use)


def test_a_cancelled_waiter_is_removed(loop: Loop) -> None:
    async def use(notifier: Notifier, let_others_run: Callable[[], Awaitable[None]]) -> None:
        for _ in range(3):
            with pytest.raises((TimeoutError, trio.TooSlowError)):
                await loop.with_timeout(0.001, lambda: notifier.wait(None))
        notifier.notify()
        assert await notifier.wait(0.001) is False

    run(loop, use)
