"""A client as far as no event loop changes it: sessions over many connections, the queue of events, what is
confirmed, when to connect again, what to subscribe to again.

An adapter has one task or thread that moves the bytes:

    while not core.over:
        attempt = core.next_attempt()
        if attempt is None:
            wait until woken, for at most core.timeout() seconds
            continue
        try:
            transport = connect to attempt.endpoint by attempt.security within attempt.timeout seconds
        except KalshiFixError as error:
            core.connect_failed(error)
            continue
        core.connected()
        while not core.finished:
            write core.output, and tell core.wrote(n), or core.write_failed() when that is impossible
            wait until woken, or it can be read (only while core.wants_read) or written, for at most
                core.timeout() seconds
            core.receive(data), b"" at the end of the transport; then or otherwise core.tick()
        close the transport, in bounded time
        core.disconnected()

After every call here by either side, whoever waits for events, for room to send, for the logon or for the
end looks again (`take`, `congested`, `is_logged_on`, `over`), and the task is woken. What raises here that is
no KalshiFixError goes to `failure`. No method blocks, except on a store's disk.
"""

from __future__ import annotations

import random as system_random
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters._pump import Pump, read_clocks
from kalshi_fix_adapters.connection_events import (
    ClientEvent,
    ConnectFailed,
    Connecting,
    Disconnected,
    GaveUp,
    ReadingPaused,
    ReadingResumed,
)
from kalshi_fix_adapters.errors import (
    NotConnectedError,
    SessionClosedError,
    SessionInterruptedError,
)
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_adapters.reconnect import Failure, GiveUp, ReconnectPolicy, Wait
from kalshi_fix_adapters.refusals import cure_of, logon_error
from kalshi_fix_adapters.settings import Endpoint
from kalshi_fix_adapters.tls import Security
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, RejectReceived, SessionEnded
from kalshi_fix_sansio.session import MemoryStore, MessageStore, Session

LINGER = 2.0
"""Seconds that the last bytes of an ended session may take to leave."""


@attrs.frozen
class Attempt:
    """One connection to be made."""

    endpoint: Endpoint
    security: Security
    timeout: float
    """Seconds for TCP and TLS together."""
    number: int
    """1 for the first one after the client was opened or a connection was lost."""


class _Phase(Enum):
    OVER = "over"
    """Not begun, or over for good."""
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class ClientCore:
    """Everything of a client but its transport and its waiting. Not safe for threads by itself."""

    def __init__(
        self,
        plan: ConnectionPlan,
        *,
        wake: Callable[[], object] = lambda: None,
        clocks: Callable[[], Instant] = read_clocks,
        random: Callable[[], float] = system_random.random,
    ) -> None:
        """Prepare a client.

        `wake` is called when the task that moves the bytes has to look again because of something the
        user's side did; `send` and `test_request` leave that to their caller, who sees in `output` whether
        something is left to be written.
        """
        self.plan = plan
        self._wake = wake
        self._clocks = clocks
        self._random = random
        self._memory = MemoryStore()
        self._agreed = False
        """Whether a logon of this process has settled the numbers of `_memory` with the venue."""
        self._phase = _Phase.OVER
        self._begun = False
        self._start()

    def _start(self) -> None:
        self._queue: deque[tuple[ClientEvent, bool]] = deque()
        """Events for the user, and whether each is the session's and so counts."""
        self._waiting = 0
        self._taken = False
        """Whether an event of the session was handed out and is not confirmed."""
        self._pump: Pump | None = None
        self._broken: KalshiFixError | None = None
        """Why the session of this connection could not begin."""
        self._logged_on: LoggedOn | None = None
        self._ended: SessionEnded | None = None
        self._error: KalshiFixError | None = None
        self._failure: BaseException | None = None
        self._leaving = False
        self._stopped = False
        self._paused = False
        self._due = self._clocks().monotonic
        self._attempt = 0
        self._failures = 0
        self._logged_on_at: float | None = None
        """When this connection's logon was complete, monotonic."""
        self._close_by: float | None = None

    # The life of a client

    def begin(self) -> None:
        """Start anew: the first attempt is due at once, and what nobody took before is dropped.

        Raises:
            LocalProtocolError: it is open already.
        """
        if self._phase is not _Phase.OVER:
            raise LocalProtocolError("the client is open already; use one client for each connection")
        self._start()
        self._begun = True
        self._phase = _Phase.WAITING

    def close(self, *, clean: bool) -> None:
        """The user has left: confirm what was taken last if that was `clean`, and let go of the store.

        After this `take` still returns what waits, and nothing is confirmed any more.
        """
        if clean:
            self._confirm()
        self._taken = False

    def logout(self, text: str | None = None) -> None:
        """Begin to leave: the Logout handshake if logged on, otherwise the end; no more attempts.

        From now on the queue is not bounded, so that the venue's answer is seen.
        """
        self._leaving = True
        if self._pump is not None:
            if self._pump.session.is_established:
                self._pump.logout(text)
            elif self._logged_on_at is None:
                self._pump.abort("left before the logon was complete")
            self._deliver()
        elif self._phase is _Phase.WAITING:
            self._phase = _Phase.OVER
        self._wake()

    def abort(self, text: str) -> None:
        """End at once: a Logout if logged on, no wait for an answer, no more attempts."""
        self._leaving = True
        if self._pump is not None:
            self._pump.abort(text)
            self._deliver()
        elif self._phase is _Phase.WAITING:
            self._phase = _Phase.OVER
        self._wake()

    def stop_reconnecting(self) -> None:
        """Keep the present connection, but make no other; one that is waited for is given up."""
        self._stopped = True
        if self._phase is _Phase.WAITING:
            self._phase = _Phase.OVER
        self._wake()

    def failure(self, error: BaseException) -> None:
        """Take note that the adapter itself has failed: the client is over, and `take` and `send` say so."""
        self._failure = error
        self._phase = _Phase.OVER

    @property
    def over(self) -> bool:
        """Whether there is no connection and will be none; events may still wait."""
        return self._phase is _Phase.OVER

    @property
    def leaving(self) -> bool:
        """Whether the user has asked for the end."""
        return self._leaving

    @property
    def is_logged_on(self) -> bool:
        """Whether something can be sent now."""
        pump = self._pump
        return pump is not None and pump.session.is_established and not pump.write_failed

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

    # The task that moves the bytes

    def next_attempt(self) -> Attempt | None:
        """Return the connection to be made now; None while none is due, and when the client is over."""
        if self._phase is not _Phase.WAITING or self._paused or self._clocks().monotonic < self._due:
            return None
        self._phase = _Phase.CONNECTING
        self._attempt += 1
        plan = self.plan
        self._tell(Connecting(plan.endpoint, self._attempt))
        return Attempt(plan.endpoint, plan.security, plan.timeout, self._attempt)

    def connect_failed(self, error: KalshiFixError) -> None:
        """The attempt did not bring about a connection."""
        self._failed(error)

    def connected(self) -> None:
        """The attempt's connection is up: the logon begins."""
        self._phase = _Phase.CONNECTED
        self._logged_on_at = self._close_by = self._broken = None
        if self._leaving:
            return
        pump = Pump(self._new_session(), clocks=self._clocks, on_wire=self.plan.on_wire)
        try:
            pump.connect()
        except KalshiFixError as error:
            self._broken = error
        else:
            self._pump = pump

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

    @property
    def wants_read(self) -> bool:
        """Whether to read from the transport now."""
        return self._pump is not None and not self._paused and not self._pump.session.wants_close

    def receive(self, data: bytes) -> None:
        """Take what was read; nothing means the end of the transport."""
        if self._pump is not None:
            self._pump.receive(data)
            self._deliver()

    def tick(self) -> None:
        """Do what is due; harmless when nothing is."""
        if self._pump is not None:
            self._pump.tick()
            self._deliver()

    def timeout(self) -> float | None:
        """Return the seconds until something is due: `tick`, or `next_attempt`; None for never."""
        if self._phase is _Phase.WAITING:
            return None if self._paused else max(0.0, self._due - self._clocks().monotonic)
        if self._pump is None:
            return None
        due = self._pump.timeout()
        if self._close_by is not None:
            left = max(0.0, self._close_by - self._clocks().monotonic)
            due = left if due is None else min(due, left)
        return due

    @property
    def finished(self) -> bool:
        """Whether the transport is to be closed now."""
        if self._pump is None:
            return True
        if not self._pump.session.wants_close:
            return False
        return self._pump.finished or (
            self._close_by is not None and self._clocks().monotonic >= self._close_by
        )

    def disconnected(self) -> None:
        """The transport is closed, whoever wanted it."""
        pump, self._pump = self._pump, None
        if pump is None:
            self._failed(self._broken)
            return
        if not pump.session.wants_close:
            pump.receive(b"")
        self._deliver(pump)
        if self._ended is None:
            return
        if self._logged_on_at is None:
            self._failed(logon_error(self._ended, str(self.plan.endpoint)))
        else:
            self._lost(self._ended, self._logged_on_at)

    # The user

    def send(self, message: Message, header_fields: Mapping[str, Any] | None = None) -> int:
        """Queue a message; return its MsgSeqNum.

        Raises:
            NotConnectedError: the client is not logged on.
            LocalProtocolError: or one of its kinds, as `Session.send` does.
        """
        return self._sendable().send(message, header_fields)

    def test_request(self) -> str:
        """Ask the venue for a Heartbeat; return the id by which `round_trip` knows it.

        Raises:
            NotConnectedError: the client is not logged on.
        """
        return self._sendable().test_request()

    def round_trip(self, test_req_id: str) -> float | None:
        """Return the seconds that a test request took, once and for all; None until it is answered."""
        raise NotImplementedError

    @property
    def congested(self) -> bool:
        """Whether a sender had better wait because the venue does not read what was sent before."""
        return self.is_logged_on and self._pump is not None and self._pump.congested

    def take(self) -> ClientEvent | None:
        """Confirm the event taken before, and return the next one; None if there is none now."""
        self._confirm()
        if not self._queue:
            return None
        event, counts = self._queue.popleft()
        if counts:
            self._taken = True
            self._waiting -= 1
            self._watch_queue()
        return event

    def message_of(self, event: ClientEvent) -> Message | None:
        """Return the message in an event, for those who iterate over messages; None if it has none.

        Raises:
            SessionInterruptedError: the event is the loss of the connection.
        """
        match event:
            case MessageReceived():
                return event.message
            case RejectReceived():
                return event.reject
            case Disconnected():
                raise SessionInterruptedError(
                    f"the connection was lost ({event.ended.text}); the client connects again in "
                    f"{event.retry_in:.1f} s, iterate again to go on",
                    event.ended,
                )
        return None

    @property
    def ended_as_wanted(self) -> bool:
        """Whether the client is over because the user left it, with a completed Logout handshake."""
        return self.over and self._leaving and self._ended is not None and self._ended.clean

    def closed_error(self, kind: type[SessionClosedError] = SessionClosedError) -> SessionClosedError:
        """Return what to raise when nothing more comes, or nothing can be sent: it says why."""
        if self._failure is not None:
            error = kind(f"the client failed by itself ({type(self._failure).__name__}); please report it")
            error.__cause__ = self._failure
            return error
        if not self._begun:
            return kind("the client is not open; use it as a context manager, or call open()")
        if not self.over:
            return kind("the client is not logged on, so nothing was sent; wait for LoggedOn", self._ended)
        if self._error is not None:
            error = kind(f"the client gave up: {self._error}; open it again", self._ended)
            error.__cause__ = self._error
            return error
        why = "it was left" if self._ended is None else self._ended.text
        return kind(f"the session is over ({why}); open the client again", self._ended)

    # Inside

    def _sendable(self) -> Pump:
        if self._pump is None or not self.is_logged_on:
            raise self.closed_error(NotConnectedError)
        return self._pump

    def _new_session(self) -> Session:
        config = self.plan.config
        store: MessageStore
        if isinstance(self.plan.store, (str, Path)):
            raise NotImplementedError
        store = self.plan.store or self._memory
        own = self.plan.store is None
        reset = config.session_type.reset_required or (not self._agreed and (own or self.plan.reset_seq_num))
        return Session(attrs.evolve(config, reset_seq_num=reset), store)

    def _tell(self, event: ClientEvent) -> None:
        self._queue.append((event, False))

    def _deliver(self, pump: Pump | None = None) -> None:
        pump = pump or self._pump
        if pump is None:
            return
        for event in pump.events():
            self._queue.append((event, True))
            self._waiting += 1
            if isinstance(event, LoggedOn) and self._logged_on_at is None:
                self._logged_on, self._logged_on_at = event, self._clocks().monotonic
                self._agreed = True
                self._attempt = 0
            elif isinstance(event, SessionEnded):
                self._ended = event
                self._close_by = self._clocks().monotonic + LINGER
        self._watch_queue()

    def _watch_queue(self) -> None:
        limit = self.plan.queue_limit // 2 if self._paused else self.plan.queue_limit - 1
        paused = self._waiting > limit and not self._leaving
        if paused is self._paused:
            return
        self._paused = paused
        if self._pump is not None:
            self._pump.pause_reading(paused)
        self._queue.appendleft((ReadingPaused(self._waiting) if paused else ReadingResumed(), False))
        if not paused:
            self._wake()

    def _confirm(self) -> None:
        self._taken = False

    # After an attempt or a connection

    def _failed(self, error: KalshiFixError | None) -> None:
        policy = self.plan.reconnect
        first = self._logged_on is None
        if error is None or self._leaving or self._stopped or policy is None:
            self._error = error if first and not self._leaving else None
            self._phase = _Phase.OVER
            return
        if first and not policy.retry_first:
            self._error = error
            self._phase = _Phase.OVER
            return
        wait = self._decide(policy, error)
        if wait is not None:
            self._tell(ConnectFailed(error, wait.seconds, wait.note))

    def _lost(self, ended: SessionEnded, logged_on_at: float) -> None:
        policy = self.plan.reconnect
        if self._leaving or self._stopped or policy is None:
            self._phase = _Phase.OVER
            return
        if self._clocks().monotonic - logged_on_at >= policy.stable_after:
            self._failures = 0
        wait = self._decide(policy, SessionClosedError(f"the session ended: {ended.text}", ended))
        if wait is not None:
            self._tell(Disconnected(ended, wait.seconds, wait.note))

    def _decide(self, policy: ReconnectPolicy, error: KalshiFixError) -> Wait | None:
        now = self._clocks()
        failure = Failure(cure=cure_of(error), why=str(error))
        verdict = policy.decide(failure, failures=self._failures + 1, now=now.utc, random=self._random)
        if isinstance(verdict, GiveUp):
            self._error = error
            self._phase = _Phase.OVER
            self._tell(GaveUp(error, verdict.reason))
            return None
        self._failures += verdict.counts
        self._due = now.monotonic + verdict.seconds
        self._phase = _Phase.WAITING
        return verdict
