"""One connection, independent of the event loop: a session and its unwritten output."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from kalshi_fix_adapters.observe.observer import OnWire
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import Event, HeartbeatReceived, LoggedOn, SessionEnded
from kalshi_fix_sansio.session import Session
from kalshi_fix_sansio.session.states import State

HIGH_WATER = 64 * 1024
"""While at least this many bytes are unwritten, no more of the session's output is collected. This paces long
resends.
"""
LINGER_SECONDS = 2.0
"""Seconds allowed for writing the last bytes of an ended session."""
MAX_TESTS = 1_000
"""Maximum number of unanswered TestRequests, and of answers that `round_trip` has not returned. Beyond it,
the oldest is dropped.
"""


def read_clocks() -> Instant:
    """Return the current time of both clocks."""
    return Instant(time.monotonic(), datetime.now(UTC))


class Connection:
    """One session and its unwritten output.

    `now` is the time of the call; the caller reads the clocks once per input. After every input to the
    session, the caller calls `collect` and fetches the session's `events`. It passes them to `handle` (except
    MessageReceived, on which `handle` has no effect), and calls `set_state` if the state has changed.

    `test_request`, and `collect` after `session.send` or after a write, add no events unless a store failure
    ends the session (`session.wants_close`).
    """

    def __init__(
        self, session: Session, *, clocks: Callable[[], Instant] = read_clocks, on_wire: OnWire | None = None
    ) -> None:
        self.session = session
        self.state: State = State.DISCONNECTED
        """The state last passed to `set_state`."""
        self.can_send: bool = False
        """Whether a message can be sent now."""
        self.logged_on_at: float | None = None
        """Monotonic time at which the logon was complete; None before."""
        self.output: bytearray = bytearray()
        """Unwritten bytes, oldest first."""
        self.may_have_more_output: bool = False
        """Whether the session may have more output once some of `output` has been written."""
        self._clocks = clocks
        self.on_wire = on_wire
        """Function that is called with all bytes sent and received; None if there is no such function."""
        self._has_write_failed = False
        """Whether the transport can no longer be written to."""
        self.close_by: float | None = None
        """Monotonic time at which to close the transport even if bytes are unwritten; None before the session
        ends.
        """
        self._tests: dict[str, float] = {}
        """Monotonic time at which each TestRequest was sent, by TestReqID."""
        self._answers: dict[str, float] = {}
        """Number of seconds that each answer took, by TestReqID; `round_trip` returns and removes them."""

    def test_request(self, now: Instant) -> str:
        """Send a TestRequest; return its TestReqID, which the answering Heartbeat repeats."""
        test_req_id = self.session.test_request(now)
        for times in (self._tests, self._answers):
            if len(times) >= MAX_TESTS:
                del times[next(iter(times))]
        self._tests[test_req_id] = now.monotonic
        self.collect()
        return test_req_id

    def round_trip(self, test_req_id: str) -> float | None:
        """Return the number of seconds that the answer to a TestRequest took, and forget it; None before the
        answer.
        """
        return self._answers.pop(test_req_id, None)

    def handle(self, event: Event, now: Instant) -> None:
        """Process an event from the session."""
        if isinstance(event, HeartbeatReceived):
            sent_at = self._tests.pop(event.test_req_id, None)
            if sent_at is not None:
                self._answers[event.test_req_id] = now.monotonic - sent_at
        # Only the first LoggedOn is the logon, because a reset within the session emits another.
        elif isinstance(event, LoggedOn) and self.logged_on_at is None:
            self.logged_on_at = now.monotonic
        elif isinstance(event, SessionEnded):
            self.close_by = now.monotonic + LINGER_SECONDS

    def set_state(self, state: State) -> None:
        """Record the session's new state."""
        self.state = state
        self.can_send = self.session.is_established and not self._has_write_failed

    @property
    def congested(self) -> bool:
        """Whether senders should wait until more output is written, or released by the store."""
        return len(self.output) + self.session.unreleased >= HIGH_WATER

    def fail_writing(self) -> None:
        """Record that the transport can no longer be written to; received bytes can still be read."""
        self._has_write_failed = True
        self.can_send = False
        # Cleared rather than replaced, because `ClientCore.output` is the same bytearray.
        self.output.clear()

    def collect(self) -> bool:
        """Append the session's output to `output`, unless `output` is full; return whether there was any.

        Must be called after every input to the session, after a commit by its store, and after a write while
        `may_have_more_output` is set.
        """
        output = self.output
        self.may_have_more_output = len(output) >= HIGH_WATER
        if self.may_have_more_output:
            # A long resend pauses here, because it continues only when its bytes are collected.
            self.session.begin_commit()
            return False
        # While writing is impossible, output is collected and dropped; otherwise answers would accumulate and
        # end the session (`max_unsent`) before everything that the peer has sent is read.
        data = self.session.data_to_send()
        if data and not self._has_write_failed:
            if self.on_wire is not None:
                self.on_wire("sent", data, self._clocks())
            output += data
        return bool(data)
