"""One connection as far as no event loop changes it: a session, the clocks, the bytes on their way out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import Event, HeartbeatReceived, LoggedOn, SessionEnded
from kalshi_fix_sansio.session import Session

OnWire = Callable[[Literal["sent", "received"], bytes, Instant], object]
"""Is told of all bytes as they pass, signatures included; it must be quick and must not raise."""

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


def _nothing(*_: object) -> None:
    pass


class Pump:
    """Feeds one session and holds what it wants written."""

    def __init__(
        self,
        session: Session,
        *,
        clocks: Callable[[], Instant] = read_clocks,
        on_wire: OnWire = _nothing,
    ) -> None:
        self.session = session
        self.logged_on_at: float | None = None
        """When the logon was complete, monotonic."""
        self._clocks = clocks
        self._on_wire = on_wire
        self._output = bytearray()
        self._mute = False
        """Whether the transport takes nothing any more."""
        self._close_by: float | None = None
        self._tests: dict[str, float] = {}
        """When each TestRequest left, by TestReqID."""
        self._answers: dict[str, float] = {}

    def connect(self) -> None:
        """The transport is up."""
        self.session.connect(self._clocks())
        self._collect()

    def receive(self, data: bytes) -> None:
        """Take what was read; nothing means the end of the transport."""
        now = self._clocks()
        if data:
            self._on_wire("received", data, now)
            self.session.receive_data(data, now)
        else:
            self.session.receive_eof(now)
        self._collect()

    def send(self, message: Message, header_fields: Mapping[str, Any] | None = None) -> int:
        """Queue a message; return its MsgSeqNum. Raises as `Session.send` does."""
        number = self.session.send(message, self._clocks(), header_fields=header_fields)
        self._collect()
        return number

    def test_request(self) -> str:
        """Ask the peer for a Heartbeat; return the TestReqID that it will carry."""
        now = self._clocks()
        test_req_id = self.session.test_request(now)
        for known in (self._tests, self._answers):
            if len(known) >= MAX_TESTS:
                del known[next(iter(known))]
        self._tests[test_req_id] = now.monotonic
        self._collect()
        return test_req_id

    def round_trip(self, test_req_id: str) -> float | None:
        """Return the seconds that a TestRequest took, once; None before its answer came."""
        return self._answers.pop(test_req_id, None)

    def logout(self, text: str | None = None) -> None:
        """Begin the Logout handshake."""
        self.session.logout(self._clocks(), text)
        self._collect()

    def abort(self, text: str) -> None:
        """End at once."""
        self.session.abort(self._clocks(), text)
        self._collect()

    def pause_reading(self, paused: bool) -> None:
        """Note whether the adapter reads for now; the peer is not blamed for what is not read."""
        if paused:
            self.session.pause_reading()
        else:
            self.session.resume_reading(self._clocks())

    def tick(self) -> None:
        """Do what is due."""
        due = self.session.next_deadline()
        now = self._clocks()
        if due is not None and due <= now.monotonic:
            self.session.handle_timer(now)
            self._collect()

    def due(self) -> float | None:
        """Return the moment (monotonic) at which `tick` has something to do, or `finished` may change; None
        for never."""
        return self.session.next_deadline() if self._close_by is None else self._close_by

    def events(self) -> list[Event]:
        """Return what has happened since the last call."""
        events = self.session.events()
        for event in events:
            if isinstance(event, HeartbeatReceived):
                begun = self._tests.pop(event.test_req_id, None)
                if begun is not None:
                    self._answers[event.test_req_id] = self._clocks().monotonic - begun
            elif isinstance(event, LoggedOn) and self.logged_on_at is None:
                self.logged_on_at = self._clocks().monotonic
            elif isinstance(event, SessionEnded):
                self._close_by = self._clocks().monotonic + LINGER
        return events

    @property
    def output(self) -> bytearray:
        """What waits to be written, oldest first."""
        return self._output

    @property
    def congested(self) -> bool:
        """Whether a sender of messages had better wait until more is written."""
        return len(self._output) >= HIGH_WATER

    def wrote(self, size: int) -> None:
        """Note that the transport took the first `size` bytes of `output`."""
        del self._output[:size]
        self._collect()

    def fail_writing(self) -> None:
        """Note that the transport takes nothing any more; what the peer said before may still be read."""
        self._mute = True
        self._output.clear()
        self._collect()

    @property
    def can_send(self) -> bool:
        """Whether a message can be sent now."""
        return self.session.is_established and not self._mute

    @property
    def finished(self) -> bool:
        """Whether the transport is to be closed now: the session is over, and what it had to say was written,
        or has had time enough."""
        if not self.session.wants_close:
            return False
        return not self._output or (self._close_by is not None and self._clocks().monotonic >= self._close_by)

    def _collect(self) -> None:
        if self.congested:
            return
        data = self.session.data_to_send()
        if data and not self._mute:
            self._on_wire("sent", data, self._clocks())
            self._output += data
