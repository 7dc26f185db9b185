"""Waiting for notifications and deadlines under asyncio."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from kalshi_fix_adapters.loops.adapter import Notifier


class Timer:
    """Calls a function at a monotonic time, or earlier.

    The loop's timer is set again only for an earlier time, because each message postpones the deadline, and
    setting and cancelling a timer takes 1.2 µs.
    """

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        self.due: float = math.inf
        """Monotonic time of the next call."""

    def set(self, due: float) -> None:
        """Call the function once, no later than `due`. The function must check which deadlines have passed,
        and set the timer again.
        """
        if due < self.due:
            self.cancel()
            self.due = due
            # Set with a delay rather than a time, because the loop's clock may differ from `time.monotonic`.
            self._handle = asyncio.get_running_loop().call_later(due - time.monotonic(), self._fire)

    def cancel(self) -> None:
        """Cancel the call."""
        self.due = math.inf
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self.cancel()
        self._callback()


class LoopNotifier(Notifier):
    """Wakes tasks, with one future for each wait and one shared timer. An `asyncio.timeout` for each wait
    would take 5.6 µs.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], float] = {}
        """The monotonic deadline of each wait, by its future."""
        self._timer = Timer(self._expire)

    def notify(self) -> None:
        """Wake all waiting tasks."""
        if self._waiting:
            for future in self._waiting:
                # A future may be done because it was cancelled or reached its deadline, and its task has not
                # run yet.
                if not future.done():
                    future.set_result(True)
            self._waiting.clear()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until notified, or for `seconds`; return whether it was notified."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[future] = end = math.inf if seconds is None else time.monotonic() + seconds
        self._timer.set(end)
        try:
            return await future
        finally:
            self._waiting.pop(future, None)

    def _expire(self) -> None:
        now = time.monotonic()
        for future, end in self._waiting.items():
            # This deadline may be later, because the timer may have been set for a task that has been
            # notified since, or because the loop's timer has fired a little early.
            if end > now:
                self._timer.set(end)
            elif not future.done():
                future.set_result(False)

    def close(self) -> None:
        """Cancel the timer. All waiting tasks must have been notified."""
        self._timer.cancel()
