"""A driver for a session: it does the work of an adapter, without a transport or real time."""

from __future__ import annotations

from collections.abc import Callable

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session import Session
from tests.helpers import Clock

Call = Callable[[Session, Instant], object]
MAX_TIMERS = 10_000
"""How often timers may fire without received bytes before a scenario fails as an endless loop."""


class Driver:
    """Writes outgoing bytes, fires timers when due on the scenario's clock, and closes the connection."""

    def __init__(
        self, session: Session, clock: Clock, write: Callable[[bytes], object], close: Callable[[], object]
    ) -> None:
        self.session = session
        self.clock = clock
        self.may_write = True
        """Whether the transport accepts bytes: false while it is full because the peer does not read."""
        self._write = write
        self._close = close
        self._closed = False

    def receive(self, data: bytes) -> None:
        """Receive bytes from the transport."""
        self.session.receive_data(data, self.clock.now)
        self.run_until_idle()

    def receive_eof(self) -> None:
        """Handle the end of the stream."""
        self._closed = True
        self.session.receive_eof(self.clock.now)
        self.run_until_idle()

    def call(self, call: Call) -> None:
        """Make a call as the user would; exceptions propagate."""
        try:
            call(self.session, self.clock.now)
        finally:
            self.run_until_idle()

    def wait_until(self, time: float) -> None:
        """Advance the clock to this monotonic time, stopping at every deadline on the way."""
        for _ in range(MAX_TIMERS):
            deadline = self.session.next_deadline()
            if deadline is None or deadline > time:
                break
            self.clock.advance(max(deadline - self.clock.monotonic, 0.0))
            self.session.handle_timer(self.clock.now)
            self.run_until_idle()
        else:
            raise AssertionError("the session's timers never stop firing")
        self.clock.advance(time - self.clock.monotonic)

    def run_until_idle(self) -> None:
        """Write outgoing bytes and fire due timers until there are none; a full transport defers both."""
        for _ in range(MAX_TIMERS):
            self._flush()
            deadline = self.session.next_deadline()
            if deadline is None or deadline > self.clock.monotonic or not self.may_write:
                return
            self.session.handle_timer(self.clock.now)
        raise AssertionError("the session's timers never stop firing")

    def _flush(self) -> None:
        if not self.may_write or self._closed:
            return
        data = self.session.data_to_send()
        if data:
            self._write(data)
        if self.session.wants_close:
            self._closed = True
            self._close()
