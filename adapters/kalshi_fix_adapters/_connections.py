"""One connection of a client after another: when each is made, what happens on it, what follows its end."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal

import attrs

from kalshi_fix_adapters._event_queue import EventQueue
from kalshi_fix_adapters._numbers import Numbers
from kalshi_fix_adapters._pump import Pump
from kalshi_fix_adapters._retries import Retries
from kalshi_fix_adapters._subscriptions import Subscriptions
from kalshi_fix_adapters._watch import Watch
from kalshi_fix_adapters.connection_events import (
    ConnectFailed,
    Connecting,
    ConnectionEvent,
    Disconnected,
    GaveUp,
    Resubscribed,
)
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_adapters.reconnect import GiveUp, ReconnectPolicy, Wait
from kalshi_fix_adapters.refusals import is_about_numbers, logon_error
from kalshi_fix_adapters.settings import Endpoint
from kalshi_fix_adapters.tls import Security, Tls
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import Event, LoggedOn, SessionEnded

MARKET_DATA = "KalshiMD"
"""The session type whose subscriptions are repeated."""
SUBSCRIBE_AGAIN = 1.0
"""Seconds after which subscriptions are asked for once more that the venue refused as too many at once."""


@attrs.frozen
class Attempt:
    """One connection to be made."""

    endpoint: Endpoint
    security: Security
    timeout: float
    """Seconds for TCP and TLS together."""
    number: int
    """1 for the first one after the client was opened or a connection was lost."""


class Phase(Enum):
    OVER = "over"
    """Not begun, or over for good."""
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Connections:
    """What the task that moves the bytes sees of a client; see `_client_core` for how it is used."""

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
        self._phase = Phase.OVER
        self._start(Watch(plan.name))

    def _start(self, watch: Watch) -> None:
        """Forget everything but the numbers."""
        plan = self.plan
        self._watch = watch
        self._queue = EventQueue(plan.queue_limit)
        self._subscriptions = Subscriptions() if plan.config.session_type.name == MARKET_DATA else None
        self._subscribe_at: float | None = None
        """When subscriptions are asked for once more, monotonic."""
        self._retries = Retries(
            plan.reconnect or ReconnectPolicy(), plan.config.heart_bt_int, self._random, self._clocks()
        )
        self._attempt = 0
        self._pump: Pump | None = None
        self._broken: KalshiFixError | None = None
        """Why the session of this connection could not begin."""
        self._logged_on: LoggedOn | None = None
        self._ended: SessionEnded | None = None
        self._error: KalshiFixError | None = None
        self._leaving = self._stopped = False

    @property
    def over(self) -> bool:
        """Whether there is no connection and will be none; events may still wait."""
        return self._phase is Phase.OVER

    @property
    def leaving(self) -> bool:
        """Whether the user has asked for the end."""
        return self._leaving

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
        return self._error

    def next_attempt(self) -> Attempt | None:
        """Return the connection to be made now; None while none is due, and when the client is over.

        None is due either while so much waits for the user that nothing would be read.
        """
        if self._phase is not Phase.WAITING or self._queue.paused or self.timeout() != 0:
            return None
        self._phase = Phase.CONNECTING
        self._attempt += 1
        plan = self.plan
        self._tell(Connecting(plan.endpoint, self._attempt))
        return Attempt(plan.endpoint, plan.security, plan.timeout, self._attempt)

    def next_due(self) -> Literal[True] | None:
        """Say whether `next_attempt` has one now, or the client is over."""
        return True if self.over or (self._phase is Phase.WAITING and self.timeout() == 0) else None

    def connect_failed(self, error: KalshiFixError) -> None:
        """The attempt did not bring about a connection."""
        self._failed(error)

    def tcp_connected(self) -> None:
        """TCP is up, TLS not yet: a mark for those who measure."""
        self._watch.tcp_connected(self._clocks())

    def connected(self) -> None:
        """The attempt's connection is up: the logon begins."""
        self._phase = Phase.CONNECTED
        self._broken = None
        if self._leaving:
            return
        where = str(self.plan.endpoint)
        self._watch.connected(where, self._clocks(), secured=isinstance(self.plan.security, Tls))
        try:
            session = self._numbers.next_session()
            pump = Pump(session, clocks=self._clocks, on_wire=self._watch.wire)
            pump.connect()
        except KalshiFixError as error:
            self._broken = error
            return
        self._numbers.used(session)
        self._pump = pump
        self._deliver()

    @property
    def output(self) -> bytearray:
        """What waits to be written, oldest first."""
        return bytearray() if self._pump is None else self._pump.output

    def wrote(self, size: int) -> None:
        """Note that the transport took the first `size` bytes of `output`."""
        if self._pump is not None:
            self._pump.wrote(size)
            self._deliver()

    def write_failed(self) -> None:
        """Note that the transport takes nothing any more; what the venue said before may still be read."""
        if self._pump is not None:
            self._pump.fail_writing()
            self._deliver()

    @property
    def wants_read(self) -> bool:
        """Whether to read from the transport now."""
        return self._pump is not None and not self._queue.paused and not self._pump.session.wants_close

    def receive(self, data: bytes) -> None:
        """Take what was read; nothing means the end of the transport."""
        if self._pump is not None:
            self._pump.receive(data)
            self._deliver()

    def tick(self) -> None:
        """Do what is due; harmless when nothing is."""
        if self._pump is None:
            return
        self._pump.tick()
        if self._subscribe_at is not None and self._subscribe_at <= self._clocks().monotonic:
            self._subscribe()
        self._deliver()

    def due(self) -> float | None:
        """Return the moment at which something is due, in seconds of the monotonic clock: `tick`, or
        `next_attempt`; None for never. A moment that has passed means now.

        Whoever has a timer set to an earlier moment may leave it: `tick` is harmless.
        """
        pump = self._pump
        if pump is not None:
            due, again = pump.due(), self._subscribe_at
            return due if again is None else again if due is None else min(due, again)
        if self._phase is Phase.WAITING and not self._queue.paused:
            return self._retries.due
        return None

    def timeout(self) -> float | None:
        """Return the seconds until something is due; None for never."""
        due = self.due()
        return None if due is None else max(0.0, due - self._clocks().monotonic)

    @property
    def finished(self) -> bool:
        """Whether the transport is to be closed now."""
        return self._pump is None or self._pump.finished

    def disconnected(self) -> None:
        """The transport is closed, whoever wanted it."""
        if self._pump is not None and not self._pump.session.wants_close:
            self._pump.receive(b"")
        self._deliver()
        pump, self._pump = self._pump, None
        self._subscribe_at = None
        self._watch.disconnected(self._clocks())
        if pump is None or self._ended is None:
            self._failed(self._broken)
        elif pump.logged_on_at is None:
            self._failed(logon_error(self._ended, str(self.plan.endpoint)))
        else:
            self._lost(self._ended, pump.logged_on_at)

    def _tell(self, event: ConnectionEvent) -> None:
        self._queue.tell(event)
        self._watch.event(event, self._clocks())

    def _deliver(self) -> None:
        """Take what the session tells, and act on it."""
        pump = self._pump
        if pump is None:
            return
        events, now = pump.events(), self._clocks()
        for event in events:
            self._queue.put(event)
            self._watch.event(event, now)
            self._act_on(event)
        self._watch.state(pump.session.state, now)
        self._watch_queue()

    def _act_on(self, event: Event) -> None:
        if isinstance(event, LoggedOn):
            first_of_connection = self._logged_on is None or self._attempt > 0
            self._logged_on = event
            if first_of_connection:
                self._attempt = 0
                self._numbers.agreed()
                if self._subscriptions is not None:
                    self._subscriptions.start_connection()
                    self._subscribe()
        elif isinstance(event, SessionEnded):
            self._ended = event
        if self._subscriptions is not None and self._subscriptions.received(event):
            self._subscribe_at = self._clocks().monotonic + SUBSCRIBE_AGAIN

    def _subscribe(self) -> None:
        """Ask for every subscription that is alive and that this connection does not know of."""
        self._subscribe_at = None
        pump, subscriptions = self._pump, self._subscriptions
        if pump is None or subscriptions is None:
            return
        for request in subscriptions.requests():
            if pump.can_send:
                number = pump.send(request)
                subscriptions.sent(request, number, again=True)
                self._tell(Resubscribed(request, number))

    def _watch_queue(self) -> None:
        event = self._queue.judge(bounded=not self._leaving)
        if event is None:
            return
        self._watch.event(event, self._clocks())
        if self._pump is not None:
            self._pump.pause_reading(self._queue.paused)
        if not self._queue.paused:
            self._wake()

    # After an attempt or a connection

    def _failed(self, error: KalshiFixError | None) -> None:
        """An attempt came to nothing; no error if the user has left meanwhile."""
        policy = self.plan.reconnect
        if error is None or self._leaving:
            self._phase = Phase.OVER
        elif policy is None or self._stopped or (self._logged_on is None and not policy.retry_first):
            self._error = error
            self._phase = Phase.OVER
        else:
            wait = self._wait(error, self._retries.failed(error, self._clocks()))
            if wait is not None:
                self._tell(ConnectFailed(error, wait.seconds, wait.note))

    def _lost(self, ended: SessionEnded, logged_on_at: float) -> None:
        """A connection that was logged on is over."""
        if self._leaving or self._stopped or self.plan.reconnect is None:
            self._phase = Phase.OVER
            return
        error = SessionClosedError(f"the session ended: {ended.text}", ended)
        wait = self._wait(error, self._retries.lost(error, logged_on_at, self._clocks()))
        if wait is not None:
            self._tell(Disconnected(ended, wait.seconds, wait.note))

    def _wait(self, error: KalshiFixError, verdict: Wait | GiveUp) -> Wait | None:
        if isinstance(verdict, Wait):
            self._phase = Phase.WAITING
            return verdict
        if is_about_numbers(error):
            self._numbers.disputed()
        self._error = error
        self._phase = Phase.OVER
        self._tell(GaveUp(error, verdict.reason))
        return None
