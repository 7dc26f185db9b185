"""The lease of a store: the time during which no other process may take over the store from its holder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Unlike the monotonic clock, this clock also advances while the machine is suspended.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_MARGIN = 0.1
"""The fraction of a lease by which the holder gives up early, because its clock and the server's may run at
different speeds.
"""


def now() -> float:
    """Return the number of seconds since an arbitrary time; only differences are meaningful."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """Requests a renewal after each third of the lease, and reports a lease that was not renewed in time.

    Its thread does no I/O, so neither a database nor a network can delay the report. The holder measures the
    lease from its request. The server measures it from the grant, which is later, so the holder gives up
    first.

    Args:
        seconds: the duration of the lease.
        renew: begins a renewal, without waiting for it to finish.
        on_lost: called once, when the lease is lost.
        clock: returns the time in seconds, which must advance while the machine is suspended.
    """

    def __init__(
        self,
        seconds: float,
        renew: Callable[[], object],
        on_lost: Callable[[], object],
        clock: Callable[[], float] = now,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._renew = renew
        self._on_lost = on_lost
        self._ends_at = 0.0
        self._closed = threading.Event()
        self._is_lost = False
        self._thread = threading.Thread(target=self._run, name="kalshi-fix-lease", daemon=True)

    def start(self, requested_at: float) -> None:
        """Start watching the lease, which was requested at this time on its clock."""
        self.record_renewal(requested_at)
        self._thread.start()

    def record_renewal(self, requested_at: float) -> None:
        """Record a renewal that was requested at this time on the lease's clock."""
        self._ends_at = requested_at + self._seconds * (1 - _MARGIN)

    def check(self) -> None:
        """Report the loss if the lease has ended. After the process was suspended, this may be called before
        the thread has noticed the loss.
        """
        if not self._is_lost and not self._closed.is_set() and self._clock() >= self._ends_at:
            self._is_lost = True
            self._on_lost()

    def close(self) -> None:
        """Stop watching the lease."""
        self._closed.set()

    def due_in(self) -> float | None:
        """Return the number of seconds until the next call to `step`; None once the lease is lost."""
        return None if self._is_lost else max(0.0, min(self._seconds / 3, self._ends_at - self._clock()))

    def step(self) -> None:
        """Request a renewal, or report the loss of the lease."""
        self.check()
        if not self._is_lost:
            self._renew()

    def _run(self) -> None:
        while (seconds := self.due_in()) is not None and not self._closed.wait(seconds):
            self.step()
