"""One connection of a client after another, as the task that moves the bytes sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.attempts import Attempt, Attempts, Phase
from kalshi_fix_adapters.engine.connection import Pump
from kalshi_fix_adapters.engine.faults import Faults
from kalshi_fix_adapters.engine.logon_errors import is_about_numbers, logon_error
from kalshi_fix_adapters.engine.queue import EventQueue
from kalshi_fix_adapters.engine.sequence import Numbers
from kalshi_fix_adapters.engine.subscriptions import Subscriptions
from kalshi_fix_adapters.events import Connecting, ConnectionEvent, GaveUp, Resubscribed
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.observe.dispatch import Watch
from kalshi_fix_sansio import SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import Event, LoggedOn, MessageReceived, SessionEnded

MARKET_DATA = "KalshiMD"
"""The session type whose subscriptions are repeated."""
SUBSCRIBE_AGAIN = 1.0
"""Seconds after which more subscriptions are asked for, and those once more that the venue refused as too
many at once."""
SUBSCRIBE_AT_ONCE = SESSION_TYPES[MARKET_DATA].requests_per_second
"""Requests that are repeated at once: what the venue takes in a second; None for any number."""


class Connections:
    """What the task that moves the bytes sees of a client; see `client` for how it is used.

    Each call reads the clocks once, and only if something is done.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        wake: Callable[[], object],
        clocks: Callable[[], Instant],
        random: Callable[[], float],
    ) -> None:
        self.plan = plan
        self._wake = wake
        self._clocks = clocks
        self._random = random
        self._numbers = Numbers(plan)
        self._start(Watch(plan.name))

    def _start(self, watch: Watch) -> None:
        """Forget everything but the numbers."""
        plan = self.plan
        self._watch = watch
        self._queue = EventQueue(plan.queue_limit, plan.queue_bytes)
        self._attempts = Attempts(plan, self._random, self._clocks())
        self._subscriptions = Subscriptions() if plan.config.session_type.name == MARKET_DATA else None
        self._subscribe_at: float | None = None
        """When subscriptions are asked for once more, monotonic."""
        self._pump: Pump | None = None
        self._faults = Faults()
        self._broken: KalshiFixError | None = None
        """Why the session of this connection could not begin."""
        self._logged_on: LoggedOn | None = None
        self._ended: SessionEnded | None = None

    @property
    def over(self) -> bool:
        """Whether there is no connection and will be none; events may still wait."""
        return self._attempts.phase is Phase.OVER

    @property
    def leaving(self) -> bool:
        """Whether the user has asked for the end."""
        return self._attempts.leaving

    @property
    def is_logged_on(self) -> bool:
        """Whether something can be sent now."""
        return self._pump is not None and self._pump.can_send

    @property
    def logged_on(self) -> LoggedOn | None:
        """The last logon; None before the first."""
        return self._logged_on

    @property
    def ended(self) -> SessionEnded | None:
        """How the last session ended, once the client is over; None before, and if there was none."""
        return self._ended if self.over else None

    @property
    def error(self) -> KalshiFixError | None:
        """Why the client gave up, or why the first connection did not come about; None otherwise."""
        return self._attempts.error

    def next_attempt(self) -> Attempt | None:
        """Return the connection to be made now; None while none is due, and when the client is over.

        None is due either while so much waits for the user that nothing would be read.
        """
        attempts = self._attempts
        if attempts.phase is not Phase.WAITING or self._queue.paused or self.timeout() != 0:
            return None
        attempt = attempts.next()
        self._tell(Connecting(attempt.endpoint, attempt.number))
        return attempt

    def next_due(self) -> Literal[True] | None:
        """Say whether `next_attempt` has one now, or the client is over."""
        waiting = self._attempts.phase is Phase.WAITING
        return True if self.over or (waiting and self.timeout() == 0) else None

    def connect_failed(self, error: KalshiFixError) -> None:
        """The attempt did not bring about a connection."""
        self._tell_outcome(self._attempts.failed(error, self._clocks()))

    def tcp_connected(self) -> None:
        """TCP is up, TLS not yet: a mark for those who measure."""
        self._watch.tcp_connected(self._clocks())

    def connected(self) -> None:
        """The attempt's connection is up: the logon begins."""
        self._attempts.phase = Phase.CONNECTED
        self._broken = None
        self._faults = Faults()
        if self.leaving:
            return
        now, where = self._clocks(), str(self.plan.endpoint)
        self._watch.connected(
            where,
            now,
            secured=isinstance(self.plan.security, Tls),
            max_message_size=self.plan.config.max_message_size,
        )
        try:
            session = self._numbers.next_session()
            pump = Pump(session, clocks=self._clocks, on_wire=self._watch.on_wire)
            pump.connect(now)
        except KalshiFixError as error:
            self._broken = error
            return
        self._pump = pump
        self._deliver(pump, now)

    @property
    def output(self) -> bytearray:
        """What waits to be written, oldest first."""
        pump = self._pump
        return bytearray() if pump is None else pump.output

    def wrote(self, size: int) -> None:
        """Note that the transport took the first `size` bytes of `output`."""
        pump = self._pump
        if pump is not None:
            held_back = pump.holds_back
            pump.wrote(size)
            if held_back and pump.session.wants_close:
                self._deliver(pump, self._clocks())

    def write_failed(self) -> None:
        """Note that the transport takes nothing any more; what the venue said before may still be read."""
        if self._pump is not None:
            self._pump.fail_writing()
            self._deliver(self._pump, self._clocks())

    @property
    def wants_read(self) -> bool:
        """Whether to read from the transport now."""
        pump = self._pump
        return pump is not None and not self._queue.paused and not pump.session.wants_close

    def receive(self, data: bytes) -> None:
        """Take what was read; nothing means the end of the transport."""
        pump = self._pump
        if pump is not None:
            now = self._clocks()
            try:
                pump.receive(data, now)
            except KalshiFixError as error:  # of what signs the Logon that answers a reset by the venue
                pump.abort(str(error), now)
            self._deliver(pump, now)

    def tick(self) -> None:
        """Do what is due; harmless when nothing is."""
        pump, due = self._pump, self.due()
        if pump is None or due is None:
            return
        now = self._clocks()
        if due <= now.monotonic:
            pump.tick(now)
            again, subscriptions = self._subscribe_at, self._subscriptions
            if subscriptions is not None and again is not None and again <= now.monotonic:
                self._subscribe(subscriptions, pump, now)
            self._deliver(pump, now)

    def due(self) -> float | None:
        """Return the moment at which something is due, in seconds of the monotonic clock: `tick`, or
        `next_attempt`; None for never. A moment that has passed means now.

        Whoever has a timer set to an earlier moment may leave it: `tick` is harmless.
        """
        pump = self._pump
        if pump is not None:
            due, again = pump.due(), self._subscribe_at
            return due if again is None else again if due is None else min(due, again)
        if self._attempts.phase is Phase.WAITING and not self._queue.paused:
            return self._attempts.due
        return None

    def timeout(self) -> float | None:
        """Return the seconds until something is due; None for never."""
        due = self.due()
        return None if due is None else max(0.0, due - self._clocks().monotonic)

    @property
    def finished(self) -> bool:
        """Whether the transport is to be closed now."""
        pump = self._pump
        return pump is None or pump.finished

    def disconnected(self) -> None:
        """The transport is closed, whoever wanted it."""
        now, pump, self._subscribe_at = self._clocks(), self._pump, None
        if pump is not None:
            if not pump.session.wants_close:
                pump.receive(b"", now)
            self._deliver(pump, now)
            self._pump = None
        self._watch.disconnected(now)
        if pump is None or self._ended is None:
            self._tell_outcome(self._attempts.failed(self._broken, now))
        elif pump.logged_on_at is None:
            error = logon_error(self._ended, str(self.plan.endpoint))
            self._tell_outcome(self._attempts.failed(error, now))
        else:
            fault = self._faults.behind(self._ended)
            self._tell_outcome(self._attempts.lost(self._ended, fault, pump.logged_on_at, now))

    def _tell_outcome(self, event: ConnectionEvent | None) -> None:
        """Tell what follows from an attempt or a connection that is over, if anything does."""
        if event is None:
            return
        if isinstance(event, GaveUp) and is_about_numbers(event.error):
            self._numbers.disputed()
        self._tell(event)

    def _tell(self, event: ConnectionEvent) -> None:
        self._queue.tell(event)
        self._watch.event(event, self._clocks())

    def _deliver(self, pump: Pump, now: Instant) -> None:
        """Take what the session tells, and act on it."""
        session, queue, watch, subscriptions = pump.session, self._queue, self._watch, self._subscriptions
        events, state = session.events(), session.state
        moved = state is not pump.state
        if moved:
            pump.moved_to(state)
        for event in events:
            queue.put(event)
            if event.__class__ is not MessageReceived:
                pump.note(event, now)
                self._faults.note(event)
                watch.event(event, now)
                self._act_on(event, pump, now)
            elif watch.follows_messages or event.message.problems:
                watch.event(event, now)
            if subscriptions is not None and subscriptions.received(event):
                self._subscribe_at = now.monotonic + SUBSCRIBE_AGAIN
        if moved:
            watch.state(state, now)
        if queue.unsettled:
            self._watch_queue()

    def _act_on(self, event: Event, pump: Pump, now: Instant) -> None:
        if isinstance(event, LoggedOn):
            self._logged_on = event
            if self._attempts.logged_on():
                self._numbers.agreed()
                if self._subscriptions is not None:
                    self._subscriptions.start_connection()
                    self._subscribe(self._subscriptions, pump, now)
        elif isinstance(event, SessionEnded):
            self._ended = event

    def _subscribe(self, subscriptions: Subscriptions, pump: Pump, now: Instant) -> None:
        """Ask for the next subscriptions that are alive and that this connection does not know of; the rest
        follows at the venue's pace, and only once what was said before has left."""
        self._subscribe_at = None
        for count, request in enumerate(subscriptions.requests()):
            if not pump.can_send or pump.session.wants_close:
                break
            if count == SUBSCRIBE_AT_ONCE or pump.congested:
                self._subscribe_at = now.monotonic + SUBSCRIBE_AGAIN
                break
            number = pump.send(request, now, allow_unknown_codes=True)  # it went out like this before
            subscriptions.sent(request, number, again=True)
            self._tell(Resubscribed(request, number))

    def _watch_queue(self) -> None:
        event = self._queue.judge(bounded=not self.leaving)
        if event is None:
            return
        now = self._clocks()
        self._watch.event(event, now)
        if self._pump is not None:
            self._pump.pause_reading(self._queue.paused, now)
        if not self._queue.paused:
            self._wake()
