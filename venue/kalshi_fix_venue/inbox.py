"""Bytes that were read from connections and that the venue has not processed yet.

Sockets are read whether or not the venue keeps up, so the arrival time of what waits is known, and the
SendingTime (52) of a message is compared with that. Connections are served in turn: a client that sends a lot
delays others little.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import Protocol

import attrs

from kalshi_fix_sansio.clock import Instant

PIECE = 16 * 1024
"""Bytes that are processed at a time."""
MAX_WAITING = 4 * 1024 * 1024
"""Bytes of a connection from which on it is not read; it is read again from half of them."""
BEHIND = 1.0
"""Seconds of waiting from which on the venue cannot keep up."""

_log = logging.getLogger("kalshi_fix_venue")


class Processor(Protocol):
    """What processes the bytes: a `VenueModel`."""

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """Take bytes of a connection."""

    def receive_eof(self, conn: int, now: Instant) -> None:
        """Take note that a connection is gone."""

    def pause_reading(self, conn: int, now: Instant) -> None:
        """Take note that bytes of a connection wait."""

    def resume_reading(self, conn: int, waited: float, now: Instant) -> None:
        """Take note that bytes that have waited for so many seconds follow."""


@attrs.frozen
class Backlog:
    """What waits."""

    connections: int
    bytes: int
    seconds: float
    """For how long the oldest of it has waited."""


@attrs.define
class _Queue:
    """What waits of one connection."""

    pieces: deque[tuple[float, bytes]] = attrs.field(factory=deque)
    """With the arrival of each, in seconds of `Instant.monotonic`."""
    size: int = 0
    is_over: bool = False
    """Whether the connection is gone behind them."""


class Inbox:
    """Bytes that wait for a venue, in a queue for each connection."""

    def __init__(self, venue: Processor) -> None:
        """Begin empty."""
        self._venue = venue
        self._queues: OrderedDict[int, _Queue] = OrderedDict()
        """Those in which something waits, the next one first."""
        self._behind = 0.0
        """The longest wait since the venue has been behind; 0 while it keeps up."""

    def __bool__(self) -> bool:
        """Return whether any data waits."""
        return bool(self._queues)

    def is_full(self, conn: int) -> bool:
        """Return whether too much of a connection waits to read more from it."""
        return conn in self._queues and self._queues[conn].size > MAX_WAITING

    def has_room(self, conn: int) -> bool:
        """Say whether a connection that was full is to be read again."""
        return conn not in self._queues or self._queues[conn].size <= MAX_WAITING // 2

    def backlog(self, now: Instant) -> Backlog:
        """Return what waits."""
        oldest = min(
            (queue.pieces[0][0] for queue in self._queues.values() if queue.pieces), default=now.monotonic
        )
        size = sum(queue.size for queue in self._queues.values())
        return Backlog(len(self._queues), size, max(0.0, now.monotonic - oldest))

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """Take bytes that have just been read. The venue processes one piece at once if nothing waits."""
        if not self._queues:
            self._venue.receive_data(conn, data[:PIECE], now)
            data = data[PIECE:]
        if not data:
            return
        if conn not in self._queues:
            self._queues[conn] = _Queue()
            self._venue.pause_reading(conn, now)
        queue = self._queues[conn]
        queue.size += len(data)
        queue.pieces.extend(
            (now.monotonic, data[begin : begin + PIECE]) for begin in range(0, len(data), PIECE)
        )

    def receive_eof(self, conn: int, now: Instant) -> None:
        """Take note that a connection is gone; what it sent before is processed first."""
        if conn in self._queues:
            self._queues[conn].is_over = True
        else:
            self._venue.receive_eof(conn, now)

    def process(self, now: Instant) -> int | None:
        """Let the venue process one piece; return its connection, or None if nothing waits."""
        if not self._queues:
            return None
        conn, queue = next(iter(self._queues.items()))
        arrived, data = queue.pieces.popleft()
        queue.size -= len(data)
        waited = max(0.0, now.monotonic - arrived)
        self._watch(waited)
        self._venue.resume_reading(conn, waited, now)
        self._venue.receive_data(conn, data, now)
        if queue.pieces:
            self._venue.pause_reading(conn, now)
            self._queues.move_to_end(conn)
            return conn
        del self._queues[conn]
        if queue.is_over:
            self._venue.receive_eof(conn, now)
        if not self._queues and self._behind:
            _log.warning("the venue keeps up again; it was behind by up to %.1f seconds", self._behind)
            self._behind = 0.0
        return conn

    def drop(self, now: Instant) -> None:
        """Forget what waits, because all connections are lost with it."""
        gone = [conn for conn, queue in self._queues.items() if queue.is_over]
        self._queues.clear()
        for conn in gone:
            self._venue.receive_eof(conn, now)

    def _watch(self, waited: float) -> None:
        if waited < BEHIND:
            return
        if not self._behind:
            _log.warning(
                "the venue cannot keep up: messages wait for %.1f seconds before it processes them; send "
                "less, or on fewer connections",
                waited,
            )
        self._behind = max(self._behind, waited)
