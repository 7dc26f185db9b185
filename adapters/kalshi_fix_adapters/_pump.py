"""The part of an adapter that no event loop changes: a session, the clocks, and the bytes on their way out.

An adapter connects the transport and calls `connect`; then it writes `output` (telling `wrote` how
much), reads, calls `receive`, takes `events`, and calls `tick` when `timeout` has passed. It closes the
transport when `finished`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import Event
from kalshi_fix_sansio.session import Session

Direction = Literal["sent", "received"]
OnWire = Callable[[Direction, bytes], None]
"""Is told of all bytes as they pass, signatures included; it must be quick and must not raise."""


HIGH_WATER = 64 * 1024
"""Bytes waiting to be written above which the session is not asked for more; it paces long resends by
that."""


def read_clocks() -> Instant:
    """Return this moment by both of the machine's clocks."""
    return Instant(time.monotonic(), datetime.now(UTC))


class Pump:
    """Feeds one session and holds what it wants written."""

    def __init__(
        self,
        session: Session,
        *,
        clocks: Callable[[], Instant] = read_clocks,
        on_wire: OnWire | None = None,
    ) -> None:
        self.session = session
        self._clocks = clocks
        self._on_wire = on_wire
        self._output = bytearray()
        self.write_failed = False
        """Whether the transport takes nothing any more."""

    def connect(self) -> None:
        """The transport is up."""
        self.session.connect(self._clocks())
        self._collect()

    def receive(self, data: bytes) -> None:
        """Take what was read; nothing means the end of the transport."""
        if data:
            if self._on_wire is not None:
                self._on_wire("received", data)
            self.session.receive_data(data, self._clocks())
        else:
            self.session.receive_eof(self._clocks())
        self._collect()

    def send(self, message: Message, header_fields: Mapping[str, Any] | None = None) -> int:
        """Queue a message; return its MsgSeqNum. Raises as `Session.send` does."""
        number = self.session.send(message, self._clocks(), header_fields=header_fields)
        self._collect()
        return number

    def logout(self, text: str | None = None) -> None:
        """Begin the Logout handshake."""
        self.session.logout(self._clocks(), text)
        self._collect()

    def abort(self, text: str) -> None:
        """End at once."""
        self.session.abort(self._clocks(), text)
        self._collect()

    def test_request(self) -> str:
        """Ask the peer for a Heartbeat; return the TestReqID that it will carry."""
        test_req_id = self.session.test_request(self._clocks())
        self._collect()
        return test_req_id

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

    def timeout(self) -> float | None:
        """Return the seconds until `tick` has something to do; None for never."""
        due = self.session.next_deadline()
        return None if due is None else max(0.0, due - self._clocks().monotonic)

    def events(self) -> list[Event]:
        """Return what has happened since the last call."""
        return self.session.events()

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
        self.write_failed = True
        self.wrote(len(self._output))

    @property
    def finished(self) -> bool:
        """Whether the transport is to be closed now."""
        return self.session.wants_close and not self._output

    def _collect(self) -> None:
        if self.congested:
            return
        data = self.session.data_to_send()
        while data and self.write_failed:
            data = self.session.data_to_send()
        if data:
            if self._on_wire is not None:
                self._on_wire("sent", data)
            self._output += data
