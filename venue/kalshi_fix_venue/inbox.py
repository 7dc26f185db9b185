"""Bytes that were read from connections and that the venue has not processed yet.

Sockets are read even if the venue cannot keep up, so the arrival time of waiting bytes is known. The
SendingTime (52) of a message is compared with its arrival time. Connections are served in turn, so a client
that sends a lot hardly delays the others.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import Protocol

import attrs

from kalshi_fix_sansio.clock import Instant

CHUNK_SIZE = 16 * 1024
"""Number of bytes processed at a time."""
MAX_WAITING = 4 * 1024 * 1024
"""Number of waiting bytes above which a connection is no longer read; reading resumes at half this number."""
BACKLOG_THRESHOLD = 1.0
"""Waiting time in seconds at which the venue is considered to have fallen behind."""

_log = logging.getLogger("kalshi_fix_venue")


class Processor(Protocol):
    """The consumer of the bytes: a `VenueModel`."""

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """Process bytes from a connection."""

    def receive_eof(self, conn: int, now: Instant) -> None:
        """Record that a connection is closed."""

    def pause_reading(self, conn: int, now: Instant) -> None:
        """Record that bytes from a connection are waiting, so the client's silence must not cause a
        timeout.
        """

    def resume_reading(self, conn: int, waited: float, now: Instant) -> None:
        """Record that waiting bytes follow, which were received `waited` seconds ago."""


@attrs.frozen
class Backlog:
    """Unprocessed input."""

    connections: int
    bytes: int
    seconds: float
    """Time for which the oldest bytes have waited."""


@attrs.define
class _Queue:
    """Unprocessed input of one connection."""

    chunks: deque[tuple[float, bytes]] = attrs.field(factory=deque)
    """The chunks with their arrival times, in seconds of `Instant.monotonic`."""
    size: int = 0
    is_closed: bool = False
    """Whether the connection closed after these bytes."""


class Inbox:
    """Bytes that wait for a venue, in a queue for each connection."""

    def __init__(self, venue: Processor) -> None:
        """Create an empty inbox."""
        self._venue = venue
        self._queues: OrderedDict[int, _Queue] = OrderedDict()
        """Nonempty queues, the next one first."""
        self._longest_wait = 0.0
        """The longest wait since the venue fell behind; 0 while it keeps up."""

    def __bool__(self) -> bool:
        """Return whether any data is waiting."""
        return bool(self._queues)

    def is_full(self, conn: int) -> bool:
        """Return whether reading from a connection should pause, because too many of its bytes are
        waiting."""
        return conn in self._queues and self._queues[conn].size > MAX_WAITING

    def has_room(self, conn: int) -> bool:
        """Return whether to resume reading from a connection that was full."""
        return conn not in self._queues or self._queues[conn].size <= MAX_WAITING // 2

    def backlog(self, now: Instant) -> Backlog:
        """Return the amount and age of the waiting bytes."""
        oldest = min(
            (queue.chunks[0][0] for queue in self._queues.values() if queue.chunks), default=now.monotonic
        )
        size = sum(queue.size for queue in self._queues.values())
        return Backlog(len(self._queues), size, max(0.0, now.monotonic - oldest))

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """Queue bytes that have just been read. If the queues were empty, the venue processes the first chunk
        at once."""
        if not self._queues:
            self._venue.receive_data(conn, data[:CHUNK_SIZE], now)
            data = data[CHUNK_SIZE:]
        if not data:
            return
        if conn not in self._queues:
            self._queues[conn] = _Queue()
            self._venue.pause_reading(conn, now)
        queue = self._queues[conn]
        queue.size += len(data)
        queue.chunks.extend(
            (now.monotonic, data[begin : begin + CHUNK_SIZE]) for begin in range(0, len(data), CHUNK_SIZE)
        )

    def receive_eof(self, conn: int, now: Instant) -> None:
        """Record that a connection is closed; bytes received before are processed first."""
        if conn in self._queues:
            self._queues[conn].is_closed = True
        else:
            self._venue.receive_eof(conn, now)

    def process(self, now: Instant) -> int | None:
        """Have the venue process one chunk; return its connection, or None if the queues are empty."""
        if not self._queues:
            return None
        conn, queue = next(iter(self._queues.items()))
        arrived, data = queue.chunks.popleft()
        queue.size -= len(data)
        waited = max(0.0, now.monotonic - arrived)
        self._record_wait(waited)
        self._venue.resume_reading(conn, waited, now)
        self._venue.receive_data(conn, data, now)
        if queue.chunks:
            self._venue.pause_reading(conn, now)
            self._queues.move_to_end(conn)
            return conn
        del self._queues[conn]
        if queue.is_closed:
            self._venue.receive_eof(conn, now)
        if not self._queues and self._longest_wait:
            _log.warning("the venue has caught up; it was behind by up to %.1f seconds", self._longest_wait)
            self._longest_wait = 0.0
        return conn

    def drop(self, now: Instant) -> None:
        """Discard all waiting bytes; report to the venue the connections that have closed in the meantime."""
        closed = [conn for conn, queue in self._queues.items() if queue.is_closed]
        self._queues.clear()
        for conn in closed:
            self._venue.receive_eof(conn, now)

    def _record_wait(self, waited: float) -> None:
        if waited < BACKLOG_THRESHOLD:
            return
        if not self._longest_wait:
            _log.warning(
                "the venue cannot keep up: messages wait for %.1f seconds before it processes them; send "
                "fewer messages, or use fewer connections",
                waited,
            )
        self._longest_wait = max(self._longest_wait, waited)
