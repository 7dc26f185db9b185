"""How tasks wait for others, and for time, under asyncio."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from kalshi_fix_adapters.loops.adapter import Notifier


class Timer:
    """Calls something at a moment of the monotonic clock, or sooner.

    The loop's timer is set anew for an earlier moment only: each message moves what is due to a later one,
    and to set and cancel a timer costs 1.2 µs.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._handle: asyncio.TimerHandle | None = None
        self.moment: float = math.inf
        """When it calls next, monotonic."""

    def set(self, moment: float) -> None:
        """Call no later than at a moment, once; `act` sees what is due, and sets this again."""
        if moment < self.moment:
            self.cancel()
            self.moment = moment
            # By a delay, because the clock of the loop need not be that of `time.monotonic`.
            self._handle = asyncio.get_running_loop().call_later(moment - time.monotonic(), self._fire)

    def cancel(self) -> None:
        """Call no more."""
        self.moment = math.inf
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self.cancel()
        self._act()


class LoopNotifier(Notifier):
    """Futures, one for each task that waits, and one timer for all: `asyncio.timeout` would cost each wait
    5.6 µs."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], float] = {}
        """By when each gets its answer at the latest."""
        self._timer = Timer(self._expire)

    def notify(self) -> None:
        """Wake all that wait now."""
        if self._waiting:
            for future in self._waiting:
                # Done already: it was cancelled or its time was over, and its task has not run since.
                if not future.done():
                    future.set_result(True)
            self._waiting.clear()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until notified, at most so long; say whether it was."""
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
            # A timer that was set for one who was notified meanwhile fires all the same, and loops fire a
            # little early.
            if end > now:
                self._timer.set(end)
            elif not future.done():
                future.set_result(False)

    def close(self) -> None:
        """Nobody waits any more, or only for what has happened."""
        self._timer.cancel()
