"""The bounded queue of events between a client and its user."""

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
from kalshi_fix_sansio.events import (
    Event,
    HeartbeatReceived,
    MessageReceived,
    MessageRejected,
    RejectReceived,
)

CONNECTION_EVENTS: Final = frozenset(get_args(ConnectionEvent))
"""Classes of the client's connection events; all other events are the session's."""
MAX_CONNECTION_EVENTS = 1_000
"""Above this number of waiting connection events, the events of a new attempt replace those of the last
failed attempt.
"""


class EventQueue:
    """A FIFO queue across all connections. Only session events count towards the limit."""

    def __init__(self, limit: int, max_bytes: int) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self.events: deque[ClientEvent] = deque()
        """The events, oldest first. Only methods of this class change it."""
        self.waiting: int = 0
        """Number of session events in the queue."""
        self.held_bytes: int = 0
        """Size of the queued messages in bytes, as received. This size has its own limit, because a single
        message can be as large as `max_message_size`.
        """
        self.paused: bool = False
        """Whether reading is paused."""
        self.is_limit_reached: bool = False
        """Whether `update_paused` must be called, because a limit was reached. While this is False, the call
        would have no effect, so it is skipped for most messages.
        """

    def __len__(self) -> int:
        return len(self.events)

    def put(self, event: Event) -> None:
        """Append an event of the session."""
        self.events.append(event)
        self.waiting += 1
        # For a message, `_size` is not called, which saves a function call.
        self.held_bytes += len(event.frame) if event.__class__ is MessageReceived else _size(event)
        if self.waiting >= self._limit or self.held_bytes >= self._max_bytes:
            self.is_limit_reached = True

    def put_connection_event(self, event: ConnectionEvent) -> None:
        """Append a connection event, and limit the size of the queue even if the user takes no events."""
        events = self.events
        is_too_long = isinstance(event, Connecting) and len(events) - self.waiting > MAX_CONNECTION_EVENTS
        # Drop the two events that report the last failed attempt.
        if is_too_long and isinstance(events[-1], ConnectFailed) and isinstance(events[-2], Connecting):
            events.pop()
            events.pop()
        events.append(event)

    def take(self) -> ClientEvent:
        """Remove and return the next event; the queue must not be empty."""
        event = self.events.popleft()
        if event.__class__ not in CONNECTION_EVENTS:
            self.waiting -= 1
            self.held_bytes -= len(event.frame) if event.__class__ is MessageReceived else _size(event)
        return event

    def put_back(self, event: ClientEvent) -> None:
        """Insert a taken event at the front."""
        self.events.appendleft(event)
        if event.__class__ not in CONNECTION_EVENTS:
            self.waiting += 1
            self.held_bytes += _size(event)

    def count_before_message(self) -> int:
        """Return the number of session events before the first one that `messages` returns or raises."""
        count = 0
        for event in self.events:
            if event.__class__ in CONNECTION_EVENTS:
                continue
            # The session confirms events in sequence, so no later event can be confirmed before this one.
            if message_or_error(event) is not None:
                break
            count += 1
        return count

    def update_paused(self, *, may_pause: bool) -> ReadingPaused | ReadingResumed | None:
        """Pause reading when a limit is reached, and resume when the queue is at most half of both limits.

        With `may_pause=False`, reading resumes regardless of the limits, so that a client that logs out can
        receive the Logout. On a change, the event that reports it is inserted at the front and returned.
        """
        if self.paused:
            full = self.waiting > self._limit // 2 or self.held_bytes > self._max_bytes // 2
        else:
            full = self.waiting >= self._limit or self.held_bytes >= self._max_bytes
        paused = self.is_limit_reached = may_pause and full
        if paused is self.paused:
            return None
        self.paused = paused
        event = ReadingPaused(self.waiting) if paused else ReadingResumed()
        # Inserted at the front, because the user would receive it too late at the end of a full queue.
        self.events.appendleft(event)
        return event


def _size(event: ClientEvent) -> int:
    """Return the size in bytes of the message in an event, as received; 0 if the event contains none."""
    match event:
        case MessageReceived(frame=frame):
            return len(frame)
        case RejectReceived(reject=message) | MessageRejected(message=message) if message is not None:
            return message.header.body_length or 0
        case HeartbeatReceived(test_req_id=text):
            return len(text)
    return 0
