"""The common part of both sides' programs: one incarnation of a process, its connections and its queue of
events.

Like an adapter, it drives the sessions: it passes bytes in and out, passes events to the user, and serves
timers. It can crash at the points where a crash does the most damage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import CloseReason, Event, LoggedOn, MessageRejected, SessionEnded
from kalshi_fix_sansio.session import Session
from tests.simulation import bounds
from tests.simulation.ledger import uid_of
from tests.simulation.network import Link
from tests.simulation.schedule import Side
from tests.simulation.violation import Violation
from tests.simulation.wire import ADMIN

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOSE_PATIENCE = 2.0
"""Seconds that writing the last bytes of a closed session may take."""
MAX_LATENESS = 0.05
"""The maximum delay of a timer in the driver, in seconds."""
QUEUE_LIMIT = 30
"""Number of waiting events at which the driver stops reading."""


class Point(Enum):
    """Where a process can be made to crash."""

    ANYWHERE = 0
    SENT = 1
    """After `send`, before the bytes are requested."""
    COMMITTED = 2
    """After the store was committed and the bytes were handed out, before they are written."""
    WRITTEN = 3
    """After part of the bytes was written."""
    HANDED_OUT = 4
    """After events were handed out, before the user took one."""
    TAKEN = 5
    """After the user took an event, before it was confirmed."""
    CONFIRMED = 6
    """After the event was confirmed, before the store was committed."""


class ProcessDied(Exception):
    """The process dies at this line and executes nothing after it."""


@attrs.define(eq=False)
class Connection:
    """One connection of a process: its session, and its end of the link."""

    process: Process
    link: Link
    side: Side
    id: int
    session: Session
    output: bytes = b""
    """Bytes returned by the session that the link has not accepted yet."""
    heart_bt_int: int = 0
    last_output_at: float = 0.0
    """The time at which the session last returned bytes, according to the monotonic clock."""
    blocked: bool = False
    paused: bool = False
    ended: SessionEnded | None = None
    closed: bool = False
    close_at: float | None = None
    wake_at: float | None = None

    # Called by the link

    @property
    def reading(self) -> bool:
        return not self.paused and self.process.awake

    def receive(self, data: bytes) -> None:
        self.process.run(lambda: self.process.receive(self, data))

    def eof(self) -> None:
        self.process.run(lambda: self.process.handle_eof(self))

    def writable(self) -> None:
        self.process.run(lambda: self.process.service(self))


class Process(ABC):
    """One incarnation of one side's program."""

    side: Side

    def __init__(self, world: World, incarnation: int) -> None:
        self.world = world
        self.incarnation = incarnation
        self.alive = True
        self.store = world.stores[self.side]
        self.clock = world.clocks[self.side]
        self.frozen_until = 0.0
        self._deferred: list[Callable[[], None]] = []
        """Actions to run when the process gets the processor again."""
        self._timers_first = False
        """Whether the process, when it gets the processor again, fires its timers before it reads."""
        self._asleep_from: float | None = None
        self._asleep_until = 0.0
        self.connections: list[Connection] = []
        self.store.on_commit = lambda: self.run(self._committed)
        self.queue: deque[tuple[Connection, Event]] = deque()
        self.explicit = world.schedule.explicit
        self._crash_point: Point | None = None
        self._taking_at: float | None = None
        self.slow_until = 0.0
        self.pace = world.schedule.pace
        """Seconds between two events that the user takes; 0 for no delay."""
        self.pace_until = world.schedule.calm_from

    # Running

    @property
    def awake(self) -> bool:
        return self.alive and self.world.now >= self.frozen_until

    @property
    def now(self) -> Instant:
        self._resume_clock()
        return self.clock.instant(self.world.now)

    def run(self, action: Callable[[], None]) -> None:
        """Run an action in this process if it is alive; if it is frozen, run the action later."""
        if not self.alive:
            return
        if self.world.now < self.frozen_until:
            self._deferred.append(action)
            return
        self._resume_clock()
        try:
            action()
        except ProcessDied:
            self.world.kill(self)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.world.at(self.world.now + seconds, lambda: self.run(action))

    def crash_at(self, point: Point) -> None:
        """Crash when this point is reached next."""
        if point is Point.ANYWHERE:
            self.world.kill(self)
        else:
            self._crash_point = point

    def reach(self, point: Point) -> None:
        """Crash here if a crash at this point is planned."""
        if self._crash_point is point:
            raise ProcessDied

    def freeze(self, seconds: float, *, timers_first: bool = False) -> None:
        self._timers_first = timers_first
        self.frozen_until = max(self.frozen_until, self.world.now + seconds)
        self._deferred.insert(0, self._thaw)
        self.world.at(self.frozen_until, self._run_deferred)

    def _run_deferred(self) -> None:
        """Run the actions that waited for the processor."""
        if self.awake:
            deferred, self._deferred = self._deferred, []
            for action in deferred:
                self.run(action)

    def suspend(self, seconds: float, *, timers_first: bool = False) -> None:
        """Suspend the machine: this process and its monotonic clock stop."""
        if self._asleep_from is None:
            self._asleep_from = self.world.now
        self._asleep_until = max(self._asleep_until, self.world.now + seconds)
        self.freeze(seconds, timers_first=timers_first)

    def _resume_clock(self) -> None:
        if self._asleep_from is not None and self.awake:
            slept = min(self.world.now, self._asleep_until) - self._asleep_from
            self._asleep_from = None
            self.clock.subtract_sleep(slept)

    def _thaw(self) -> None:
        for connection in list(self.connections):
            connection.blocked = True
            connection.wake_at = None
            if self._timers_first:
                connection.session.handle_timer(self.now)
            self.service(connection)
            connection.link.pipes[self.side.other].schedule_delivery()

    # Driving a session

    def open(self, link: Link, session: Session) -> Connection:
        connection = Connection(self, link, self.side, self.world.next_connection(), session)
        link.attach(self.side, connection)
        self.connections.append(connection)
        return connection

    def receive(self, connection: Connection, data: bytes) -> None:
        if connection.closed:
            return
        connection.session.receive_data(data, self.now)
        self.service(connection)

    def handle_eof(self, connection: Connection) -> None:
        if connection.closed:
            return
        connection.session.receive_eof(self.now)
        connection.output = b""
        self.service(connection)
        self.close(connection)

    def _committed(self) -> None:
        """Send the bytes that have become durable, or end the sessions if the store has failed."""
        for connection in list(self.connections):
            try:
                _ = connection.session.store.durable
            except StoreError as error:
                connection.session.record_store_loss(error)
            self.service(connection)

    def service(self, connection: Connection) -> None:
        """Handle the effects of a call to the session: its events, its bytes and its next deadline."""
        if connection.closed:
            return
        self.collect(connection)
        self.flush(connection)
        self.collect(connection)
        bounds.check(self, connection)
        if connection.session.wants_close:
            if not connection.output and not connection.session.unreleased:
                self.close(connection)
                return
            if connection.close_at is None:
                connection.close_at = self.world.now + CLOSE_PATIENCE
        self._set_alarm(connection)

    def collect(self, connection: Connection) -> None:
        """Add the events of a session to the queue, and pass on those for which the user is ready."""
        if self.explicit:
            events = connection.session.events()
            if events:
                self.reach(Point.HANDED_OUT)
                for event in events:
                    self.watch(connection, event)
                    self.queue.append((connection, event))
            self.take()
        elif not self.slow:
            self._collect_without_queue(connection)
        self._pause_or_resume_reading(connection)

    def _collect_without_queue(self, connection: Connection) -> None:
        """Pass every event to the user without a queue. Requesting the next event confirms the previous
        ones."""
        while events := connection.session.events():
            self.reach(Point.HANDED_OUT)
            for event in events:
                self.watch(connection, event)
                self.process_event(connection, event)
                self.reach(Point.TAKEN)

    def watch(self, connection: Connection, event: Event) -> None:
        """Record the events on which the driver itself depends."""
        if isinstance(event, LoggedOn):
            connection.heart_bt_int = event.heart_bt_int
            connection.last_output_at = self.now.monotonic
        elif isinstance(event, SessionEnded):
            connection.ended = event
            self.world.record_session_end(connection, event)
            if event.reason is CloseReason.STORE_FAILED:
                self.world.at(self.world.now, lambda: self.world.restart_after_store_failure(self))
        elif isinstance(event, MessageRejected):
            self._check_late(connection, event)

    def _check_late(self, connection: Connection, event: MessageRejected) -> None:
        """Check that a message that is late but otherwise valid is redelivered later, not refused
        permanently.
        """
        message: Any = event.message
        if (
            not event.will_be_resent
            and message.MSG_TYPE.encode() not in ADMIN
            and message.header.msg_seq_num == connection.session.next_incoming
            and all(problem.reason is Reason.SENDING_TIME_ACCURACY for problem in event.problems)
        ):
            raise Violation("refused for good", f"{uid_of(message)} was late, and will not be delivered")

    def _pause_or_resume_reading(self, connection: Connection) -> None:
        """Stop reading when the user falls behind, and resume when the user has caught up."""
        is_behind = len(self.queue) >= QUEUE_LIMIT or (self.slow and not self.explicit)
        if is_behind and not connection.paused:
            connection.paused = True
            connection.session.pause_reading()
        elif connection.paused and not is_behind and len(self.queue) <= QUEUE_LIMIT // 2:
            connection.paused = False
            connection.session.resume_reading(self.now)
            connection.link.pipes[self.side.other].schedule_delivery()

    def flush(self, connection: Connection) -> None:
        """Write as many of the session's bytes as the link accepts."""
        pipe = connection.link.pipes[self.side]
        if connection.output:
            connection.session.begin_commit()
        while True:
            if not connection.output:
                connection.output = connection.session.data_to_send()
                if not connection.output:
                    break
                self.world.record_write(self, connection, connection.output)
                for deviation in pipe.conditions.deviations.values():
                    connection.output = deviation(connection.output)
                connection.last_output_at = self.now.monotonic
                self.reach(Point.COMMITTED)
            room = pipe.room
            if not room:
                connection.blocked = True
                return
            if self._crash_point is Point.WRITTEN:
                pipe.write(connection.output[: len(connection.output) // 2][:room])
                raise ProcessDied
            part, connection.output = connection.output[:room], connection.output[room:]
            pipe.write(part)
        if connection.blocked:
            connection.blocked = False
            connection.last_output_at = self.now.monotonic

    def close(self, connection: Connection) -> None:
        if not connection.closed:
            if self.explicit:
                self.collect(connection)
            else:
                self._collect_without_queue(connection)
            connection.closed = True
            self.connections.remove(connection)
            connection.link.close_end(self.side)
            self.on_closed(connection)

    @abstractmethod
    def on_closed(self, connection: Connection) -> None:
        """Handle the end of a connection."""

    def _set_alarm(self, connection: Connection) -> None:
        deadline = connection.session.next_deadline()
        when = connection.close_at
        if deadline is not None:
            due = self.clock.virtual(deadline) + 1e-6
            due = max(due, self.world.now) + self.world.random.random() * MAX_LATENESS
            when = due if when is None else min(when, due)
        if when is None:
            connection.wake_at = None
        elif connection.wake_at is None or when < connection.wake_at - MAX_LATENESS:
            connection.wake_at = when
            self.world.at(when, lambda: self.run(lambda: self._alarm(connection, when)))

    def _alarm(self, connection: Connection, when: float) -> None:
        if connection.closed or connection.wake_at != when:
            return
        connection.wake_at = None
        connection.session.handle_timer(self.now)
        if connection.close_at is not None and self.world.now >= connection.close_at:
            self.close(connection)
        else:
            self.service(connection)

    # The user

    @property
    def slow(self) -> bool:
        return self.world.now < self.slow_until

    def slow_down(self, seconds: float, pace: float) -> None:
        """Stop the user from taking events for a while; then let the user take them one by one."""
        self.slow_until = self.world.now + seconds
        self.pace = max(pace, self.world.schedule.pace)
        self.after(seconds, self._wake_user)

    def _wake_user(self) -> None:
        self.take()
        for connection in list(self.connections):
            self.service(connection)

    def take(self) -> None:
        """Have the user take all events, or one event now and the next one later."""
        while self.queue and not self.slow:
            if self._taking_at is not None and self.world.now < self._taking_at:
                return
            connection, event = self.queue.popleft()
            self.process_event(connection, event)
            self.reach(Point.TAKEN)
            connection.session.confirm(1)
            self.reach(Point.CONFIRMED)
            if self.pace and self.world.now < self.pace_until:
                self._taking_at = self.world.now + self.pace
                self.after(self.pace, self._wake_user)
                return
        if not self.queue:
            self._taking_at = None

    @abstractmethod
    def process_event(self, connection: Connection, event: Event) -> None:
        """Process one event in the user's program."""

    # Crashing

    def end_faults(self) -> None:
        """End every slowdown and planned crash."""
        self._crash_point = None
        if self.world.now < self.frozen_until:
            self.frozen_until = self.world.now
            self._run_deferred()
        self.slow_until = self.pace_until = 0.0
        self._taking_at = None
        self.after(0.0, self._wake_user)

    def die(self, *, power: bool) -> None:
        """End the process. Its connections are closed; after a power loss they become silent instead."""
        self.alive = False
        for connection in self.connections:
            connection.closed = True
            if power:
                connection.link.vanish()
            else:
                connection.link.close_end(self.side)
        self.connections.clear()
