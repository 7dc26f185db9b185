"""What waits to be taken by the user of a client, and the bound on it."""

from __future__ import annotations

from collections import deque
from typing import Final, get_args

from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.events import (
    ClientEvent,
    ConnectFailed,
    Connecting,
    ConnectionEvent,
    ReadingPaused,
    ReadingResumed,
)
from kalshi_fix_sansio.events import Event, MessageReceived

CONNECTION_EVENTS: Final = frozenset(get_args(ConnectionEvent))
"""The client's own events, by class; all others are the session's."""
MAX_CONNECTION_EVENTS = 1_000
"""Events of the client's own that may wait before failed attempts are told by the last of them alone."""


class EventQueue:
    """First in, first out, over all connections. Events of the session count towards the limit, the
    client's own do not."""

    def __init__(self, limit: int, max_bytes: int) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self.events: deque[ClientEvent] = deque()
        """Oldest first; only methods of this class change it."""
        self.waiting: int = 0
        """How many of the session's are in it."""
        self.held: int = 0
        """Bytes of the messages in it, as they stood on the wire. Bounded as well, since a single message may
        be as large as `max_message_size`."""
        self.paused: bool = False
        """Whether nothing more should be read."""
        self.at_bound: bool = False
        """Whether `update_paused` has to be asked: a bound was reached, and not left since. While this is
        false its answer is None, so that most messages are spared the call."""

    def __len__(self) -> int:
        return len(self.events)

    def put(self, event: Event) -> None:
        """Add an event of the session."""
        self.events.append(event)
        self.waiting += 1
        if event.__class__ is MessageReceived:
            self.held += len(event.frame)
        if self.waiting >= self._limit or self.held >= self._max_bytes:
            self.at_bound = True

    def put_connection_event(self, event: ConnectionEvent) -> None:
        """Add an event of the client's own; the queue stays bounded when nobody takes them."""
        events = self.events
        crowded = isinstance(event, Connecting) and len(events) - self.waiting > MAX_CONNECTION_EVENTS
        # The last attempt that failed (Connecting, ConnectFailed) makes room for the one that begins.
        if crowded and isinstance(events[-1], ConnectFailed) and isinstance(events[-2], Connecting):
            events.pop()
            events.pop()
        events.append(event)

    def take(self) -> ClientEvent:
        """Remove the next event and return it; there must be one."""
        event = self.events.popleft()
        if event.__class__ not in CONNECTION_EVENTS:
            self.waiting -= 1
            if event.__class__ is MessageReceived:
                self.held -= len(event.frame)
        return event

    def put_back(self, event: ClientEvent) -> None:
        """Add an event that was taken, in front of all."""
        self.events.appendleft(event)
        if event.__class__ not in CONNECTION_EVENTS:
            self.waiting += 1
            if event.__class__ is MessageReceived:
                self.held += len(event.frame)

    def without_message(self) -> int:
        """Return how many events of the session stand before the first that somebody has to take care of."""
        found = 0
        for event in self.events:
            if event.__class__ in CONNECTION_EVENTS:
                continue
            # The session confirms the oldest so many: nothing behind this one can be confirmed by itself.
            if message_or_error(event) is not None:
                break
            found += 1
        return found

    def update_paused(self, *, bounded: bool) -> ReadingPaused | ReadingResumed | None:
        """Decide whether to read on: not from one of the limits on, and again from half of both.

        When that changes, the event that says so is put before what waits, and returned.
        """
        if self.paused:
            full = self.waiting > self._limit // 2 or self.held > self._max_bytes // 2
        else:
            full = self.waiting >= self._limit or self.held >= self._max_bytes
        paused = self.at_bound = bounded and full
        if paused is self.paused:
            return None
        self.paused = paused
        event = ReadingPaused(self.waiting) if paused else ReadingResumed()
        # At the front: behind a full queue the user would learn of it when it is long over.
        self.events.appendleft(event)
        return event
