"""One connection, the same in every event loop: a session, and the bytes that wait to be written."""

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
"""Bytes waiting to be written above which the session is not asked for more; it paces long resends by
that."""
LINGER = 2.0
"""Seconds that the last bytes of an ended session may take to leave."""
MAX_TESTS = 1_000
"""TestRequests of the user whose answers are waited for; beyond, the oldest is forgotten."""


def read_clocks() -> Instant:
    """Return this moment by both of the machine's clocks."""
    return Instant(time.monotonic(), datetime.now(UTC))


class Connection:
    """One session and what it wants written.

    `now` is the moment of the call, which the caller has read once for all that follows from it. After every
    input to the session the caller calls `collect`, takes the session's `events`, tells `note` of all but
    those that merely bring a message, and `moved_to` of a new state. `test_request`, and `collect` after
    `session.send` or when something was written, bring no events unless the session ends by them, which
    `session.wants_close` shows.
    """

    def __init__(
        self, session: Session, *, clocks: Callable[[], Instant] = read_clocks, on_wire: OnWire | None = None
    ) -> None:
        self.session = session
        self.state: State = State.DISCONNECTED
        """The session's, as last noted."""
        self.can_send: bool = False
        """Whether a message can be sent now."""
        self.logged_on_at: float | None = None
        """When the logon was complete, monotonic."""
        self.output: bytearray = bytearray()
        """What waits to be written, oldest first."""
        self.holds_back: bool = False
        """Whether the session has more to say once some of that is written."""
        self._clocks = clocks
        self.on_wire = on_wire
        """What is told of the bytes that pass, if anything."""
        self._mute = False
        """Whether the transport takes nothing any more."""
        self.close_by: float | None = None
        """When the transport is to be closed whatever was written, monotonic; None before the end."""
        self._tests: dict[str, float] = {}
        """When each TestRequest left, by TestReqID."""
        self._answers: dict[str, float] = {}
        """The seconds that each answer took, by TestReqID, until `round_trip` asks."""

    def test_request(self, now: Instant) -> str:
        """Ask the peer for a Heartbeat; return the TestReqID that it will carry."""
        test_req_id = self.session.test_request(now)
        for known in (self._tests, self._answers):
            if len(known) >= MAX_TESTS:
                del known[next(iter(known))]
        self._tests[test_req_id] = now.monotonic
        self.collect()
        return test_req_id

    def round_trip(self, test_req_id: str) -> float | None:
        """Return the seconds that a TestRequest took, once; None before its answer came."""
        return self._answers.pop(test_req_id, None)

    def note(self, event: Event, now: Instant) -> None:
        """Take note of an event of the session."""
        if isinstance(event, HeartbeatReceived):
            begun = self._tests.pop(event.test_req_id, None)
            if begun is not None:
                self._answers[event.test_req_id] = now.monotonic - begun
        # The first LoggedOn alone: a reset within the session tells another one.
        elif isinstance(event, LoggedOn) and self.logged_on_at is None:
            self.logged_on_at = now.monotonic
        elif isinstance(event, SessionEnded):
            self.close_by = now.monotonic + LINGER

    def moved_to(self, state: State) -> None:
        """Take note of the session's state."""
        self.state = state
        self.can_send = self.session.is_established and not self._mute

    @property
    def congested(self) -> bool:
        """Whether a sender of messages had better wait until more is written."""
        return len(self.output) >= HIGH_WATER

    def fail_writing(self) -> None:
        """Note that the transport takes nothing any more; what the peer said before may still be read."""
        self._mute = True
        self.can_send = False
        # Cleared and not replaced: `ClientCore.output` is this same bytearray.
        self.output.clear()

    def collect(self) -> bool:
        """Take what the session has to say, unless much waits to be written already; say whether that was
        anything. To be called after every input to the session, and when something was written while
        `holds_back`."""
        output = self.output
        self.holds_back = len(output) >= HIGH_WATER
        if self.holds_back:
            # The session goes on with a long resend once its bytes are taken, so it waits while they are not.
            return False
        # Taken and dropped while mute: if its answers piled up, the session would end for a peer that does
        # not read, before what that peer said was read.
        data = self.session.data_to_send()
        if data and not self._mute:
            if self.on_wire is not None:
                # What had to be durable first may have taken a while.
                self.on_wire("sent", data, self._clocks())
            output += data
        return bool(data)
