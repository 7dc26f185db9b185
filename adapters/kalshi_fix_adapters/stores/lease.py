"""The lease of a store, as its holder knows it: renewed in time, or lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Unlike the monotonic clock, it runs while the machine sleeps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_MARGIN = 0.1
"""The share of a lease by which its holder gives up early, for clocks of different speed."""


def now() -> float:
    """Return the time in seconds, which is used for differences only."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """Has the lease renewed by a third of its time, and reports when it could not be renewed in time.

    Its thread does no I/O, so neither a database nor a network can delay the report. The server counts from a
    later moment than the holder, so the holder gives up first.

    Args:
        seconds: how long the server grants it.
        renew: begins a renewal, and must not wait for it.
        lose: called once, when the lease is lost.
        clock: returns the time in seconds. It runs while the machine sleeps.
    """

    def __init__(
        self,
        seconds: float,
        renew: Callable[[], object],
        lose: Callable[[], object],
        clock: Callable[[], float] = now,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._renew = renew
        self._lose = lose
        self._ends = 0.0
        self._closed = threading.Event()
        self._is_lost = False
        self._thread = threading.Thread(target=self._run, name="kalshi-fix-lease", daemon=True)

    def start(self, since: float) -> None:
        """Start to watch the lease, which was requested at this time (`now`)."""
        self.renewed(since)
        self._thread.start()

    def renewed(self, since: float) -> None:
        """Record a renewal that was requested at this time (`now`)."""
        self._ends = since + self._seconds * (1 - _MARGIN)

    def check(self) -> None:
        """Report the loss if the lease has ended. A process that was stopped calls this before its thread has
        noticed."""
        if not self._is_lost and not self._closed.is_set() and self._clock() >= self._ends:
            self._is_lost = True
            self._lose()

    def close(self) -> None:
        """End the watch."""
        self._closed.set()

    def due_in(self) -> float | None:
        """Return the seconds after which `step` must be called; None once the lease is lost."""
        return None if self._is_lost else max(0.0, min(self._seconds / 3, self._ends - self._clock()))

    def step(self) -> None:
        """Have the lease renewed, or report its loss."""
        self.check()
        if not self._is_lost:
            self._renew()

    def _run(self) -> None:
        while (seconds := self.due_in()) is not None and not self._closed.wait(seconds):
            self.step()
