"""The part of a client that does not depend on the event loop: sessions across connections, the queue of
events, confirmations, reconnecting and renewed subscriptions.

An adapter has one task or thread that moves the bytes:

    while not core.over:
        attempt = core.next_attempt()
        if attempt is None:
            wait until woken, at most until core.due()
            continue
        try:
            transport = connect to attempt.endpoint with attempt.security within attempt.timeout seconds;
                core.tcp_connected() between TCP and TLS
        except KalshiFixError as error:
            core.connect_failed(error)
            continue
        core.connected()
        while not core.must_close:
            write core.output, then call core.wrote(n), or core.write_failed() if writing is impossible
            wait until woken, readable (only while core.wants_read) or writable, at most until core.due()
            core.receive(data), b"" at the end of the transport; core.tick() when it is due
        close the transport, in bounded time
        core.disconnected()

After every call, by the task or by the user, the adapter must wake the task. It must also wake the callers
that wait for an event (`take`), for room to send (`congested`), for the logon (`is_logged_on`) or for the end
(`over`), which then check again. Exceptions other than KalshiFixError must be passed to `record_failure`.

A store that commits in a separate thread calls `on_commit` in that thread. The adapter must then call
`store_changed`, which releases the messages that have become durable. Apart from calls that require a closed
client, such as `set_numbers`, only `begin`, `close` and `release` wait for the store's disk. An event loop
calls these three in another thread if `may_wait` is true.

`due` returns the `time.monotonic` time of the next tick. Most messages postpone it, but the adapter may keep
a timer set for the earlier time, because an early tick is harmless. `timeout` returns the same deadline in
seconds from now.
"""

from __future__ import annotations

import random as system_random
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kalshi_fix_adapters.config.budget import Bucket
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.attempts import Attempt, Attempts, Phase
from kalshi_fix_adapters.engine.connection import Connection, read_clocks
from kalshi_fix_adapters.engine.faults import Faults
from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.engine.logon_errors import is_sequence_number_error, logon_error
from kalshi_fix_adapters.engine.pacing import Pacing, Turn
from kalshi_fix_adapters.engine.queue import CONNECTION_EVENTS, EventQueue
from kalshi_fix_adapters.engine.quiet import QuietWork
from kalshi_fix_adapters.engine.rows import RowBuffer, rows_unavailable
from kalshi_fix_adapters.engine.sequence import LossEvent, SequenceState
from kalshi_fix_adapters.errors import NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import ClientEvent, Connecting, ConnectionEvent, GaveUp, Resubscribed
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.observe.dispatch import Dispatcher
from kalshi_fix_adapters.stores import StoreFactory
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError, SendFailedError, StoreError
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    LoggedOn,
    MessageReceived,
    RejectReceived,
    SessionEnded,
)
from kalshi_fix_sansio.session.states import State

if TYPE_CHECKING:
    from kalshi_fix_adapters.engine.subscriptions import Subscriptions

MARKET_DATA = DIALECT.session_type_for("market_data")
"""The session type whose subscriptions are renewed on the next connection."""
RENEWAL_INTERVAL = 1.0
"""Seconds until the next batch of renewals. That batch also repeats renewals that were rejected for exceeding
the rate limit.
"""
MAX_RENEWALS_PER_BATCH = MARKET_DATA.requests_per_second
"""Maximum number of renewals in a batch. The venue accepts this number per second; None for no limit."""
SendResult = tuple[int, int]
"""The MsgSeqNum (34) of a message, and the ticket of its commit."""


class ClientCore:
    """A client without a transport. It is not thread-safe."""

    def __init__(
        self,
        plan: ConnectionPlan,
        *,
        wake: Callable[[], object] = lambda: None,
        on_commit: Callable[[], object] = lambda: None,
        clocks: Callable[[], Instant] = read_clocks,
        random: Callable[[], float] = system_random.random,
        current_task: Callable[[], object] = lambda: None,
        has_ended: Callable[[Any], bool] = lambda _: False,
    ) -> None:
        """Prepare a client.

        Args:
            plan: the settings.
            wake: called when a call by the user requires the task that moves the bytes to check again. `send`
                and `test_request` do not call it: their caller checks `output` for unwritten bytes.
            on_commit: called by the store, in its thread, when `store_changed` must be called.
            clocks: returns the current time.
            random: returns a random number from 0 up to, but not including, 1, to spread the waits before
                attempts.
            current_task: returns the running thread or task.
            has_ended: returns whether a thread or task, as returned by `current_task`, has ended.
        """
        self.plan = plan
        self._wake = wake
        self._clocks = clocks
        self._random = random
        self.sequence: SequenceState = SequenceState(plan, on_commit)
        """The sequence numbers and the store of all connections."""
        self._quiet = QuietWork(plan)
        self.pacing: Pacing | None = None if plan.budget is None else Pacing(plan.budget)
        """The queues for the rate budget; None without a budget."""
        self._rows: RowBuffer | None = None
        """The user's rows; None while the client is not open, or if its store cannot store rows."""
        self._ever_opened = False
        """Whether `begin` was ever called."""
        self._open = False
        """Whether `begin` was called, without a later `close`."""
        self._failure: BaseException | None = None
        """The exception passed to `record_failure`: a bug in the adapter or in this class."""
        self._unconfirmed: deque[ClientEvent] = deque()
        """The session events that were taken but not confirmed. Without `explicit_confirm` there is at most
        one, and the next `take` or `close` confirms it. With `explicit_confirm`, `confirm` confirms them.
        """
        self.last_taken: ClientEvent | None = None
        """The last event taken (session or connection event), which `put_back` may put back. None after the
        next event was requested.
        """
        self._taken_by: object = None
        """The thread or task that took the last event."""
        self.changing: bool = False
        """Whether a change is in progress. An adapter whose calls may be interrupted (`blocking`) sets it
        around each call. If it is still set between two calls, an exception has interrupted a change halfway.
        A method clears it before it raises an exception that leaves the state consistent.
        """
        self._current_task = current_task
        self._has_ended = has_ended
        self._reset(Dispatcher(plan.name))

    def _reset(self, observers: Dispatcher) -> None:
        """Reset all state except the sequence numbers, which `sequence` keeps from one `begin` to the
        next.
        """
        plan = self.plan
        self._observers = observers
        self._queue = EventQueue(plan.queue_limit, plan.queue_bytes)
        self._attempts = Attempts(plan, self._random, self._clocks())
        session_type = plan.config.session_type
        self._subscriptions: Subscriptions | None = None
        if session_type.name == MARKET_DATA.name:
            # Imported here, so other clients do not load the market data messages.
            from kalshi_fix_adapters.engine.subscriptions import Subscriptions

            self._subscriptions = Subscriptions(session_type.symbols_per_request)
        self._subscribe_at: float | None = None
        """Monotonic time of the next batch of renewals."""
        self._connection: Connection | None = None
        self.output: bytearray = bytearray()
        """Unwritten bytes, oldest first. This is the connection's bytearray rather than a property, because
        adapters check it after each message.
        """
        self.wants_read: bool = False
        """Whether to read from the transport now: the session has not ended, and the queue has room."""
        self._may_have_checks = False
        """Whether the session may still have checks to compile (`Session.prepare`). The answer to the Logon
        is read only after they are compiled, so that compiling does not delay the first message.
        """
        self._quiet_at: float | None = None
        """Monotonic time at which to do quiet work (see `QuietWork`), unless bytes are received earlier; None
        if there is none to do.
        """
        self._faults = Faults()
        self._begin_error: KalshiFixError | None = None
        """Error that prevented the session of this connection from beginning; None if there is none."""
        self.logged_on: LoggedOn | None = None
        """The last logon, of this connection or an earlier one; None before the first."""
        self._ended: SessionEnded | None = None
        """The SessionEnded of the last session, of this connection or an earlier one."""

    def __str__(self) -> str:
        state = "new" if not self._ever_opened else "over" if self.over else "open"
        return f"{self.plan}, {state}"

    @property
    def over(self) -> bool:
        """Whether there is no connection and no further one will be made. Events may still be queued."""
        return self._attempts.phase is Phase.INACTIVE

    @property
    def logging_out(self) -> bool:
        """Whether the user has requested a logout."""
        return self._attempts.logging_out

    @property
    def is_logged_on(self) -> bool:
        """Whether a message can be sent now."""
        return self._connection is not None and self._connection.can_send

    @property
    def state(self) -> State:
        """The state of the current connection's session; DISCONNECTED if there is no connection."""
        return State.DISCONNECTED if self._connection is None else self._connection.state

    @property
    def is_reconnecting(self) -> bool:
        """Whether a logged-on connection was lost, and the next one is being made or awaited."""
        connection = self._connection
        return (
            self.logged_on is not None
            and not (self.over or self.logging_out)
            and (connection is None or connection.logged_on_at is None)
        )

    def set_numbers(self, next_outgoing: int | None, next_incoming: int | None) -> tuple[LossEvent, ...]:
        """Set the numbers of the next logon; return the resulting losses and uncertainties.

        Raises:
            LocalProtocolError: the client is open, the numbers cannot be set, or the values are invalid.
            StoreError: the store could not be read or written.
        """
        self._require_closed()
        return self.sequence.set(next_outgoing, next_incoming)

    def reset_numbers(self) -> tuple[LossEvent, ...]:
        """Reset the numbers with the next logon; return the resulting uncertainties.

        Raises:
            LocalProtocolError: the client is open, or its session type resets the numbers at every logon.
            StoreError: the store could not be read or written.
        """
        self._require_closed()
        return self.sequence.reset()

    def _require_closed(self) -> None:
        if self._open:
            raise LocalProtocolError(
                "the client is open, and its numbers are in use; close it first (leave its context, or "
                "log out)"
            )

    @property
    def ended(self) -> SessionEnded | None:
        """The SessionEnded of the last session, once the client has ended; None before that, or if there was
        no session.
        """
        return self._ended if self.over else None

    @property
    def error(self) -> KalshiFixError | None:
        """Error that made the client give up, or error of the failed first connection; None otherwise."""
        return self._attempts.error

    # Opening and closing

    def begin(self) -> None:
        """Open the client, so that the first attempt is due at once. The caller must call `close` at the end.

        Events that have not been taken are dropped; on a session type with resend they are delivered again.

        Raises:
            LocalProtocolError: the client is already open.
            StoreError: the store cannot be used.
            ConfigurationError: the wire log cannot be written.
        """
        if not self.over:
            raise already_open()
        # If the client ended but its user did not close it, its store and wire log are still open.
        self.close(clean=False)
        self._open = True
        # The observers are set before the steps below, so that `close` closes them even if Ctrl-C interrupts
        # a step.
        self._observers = Dispatcher(self.plan.name, self.plan.observer, self.plan.wire_log)
        try:
            self.sequence.open()
            self._reset(self._observers)
            self._rows = self.sequence.rows()
            self._quiet.begin(self.sequence.path)
            self._ever_opened, self._failure = True, None
            self._unconfirmed.clear()
        except BaseException:
            self.close(clean=False)
            raise
        self._attempts.phase = Phase.WAITING

    def close(self, *, clean: bool) -> None:
        """Close the store and the wire log, because the user has left the client. This calls
        `confirm_handled` and `release`.

        Raises:
            StoreError: the last confirmations could not be written. Raised only if `clean` is set.
        """
        try:
            self.confirm_handled(clean=clean)
        finally:
            self.release(clean=clean)

    def confirm_handled(self, *, clean: bool) -> None:
        """Confirm the events that the user has handled, and stop using the store; `release` must follow.

        If `clean` is set, confirm the last event taken, and the queued events before the first message. But
        confirm none if another thread or task may still be processing the last event taken. Afterwards `take`
        still returns queued events, but confirms none. Harmless if the client is not open.

        Raises:
            StoreError: the store has failed, so these events will be delivered again. Raised only if `clean`
                is set. Otherwise the user already has an exception, and nothing was confirmed.
        """
        try:
            # With `explicit_confirm`, events that the user has not confirmed, and all later events, stay
            # unconfirmed.
            may_confirm = clean and not (self.plan.explicit_confirm and self._unconfirmed)
            last_taken_event = self._unconfirmed[-1] if self._unconfirmed else None
            if may_confirm and (
                last_taken_event is None
                or self._current_task() == self._taken_by
                or self._may_confirm(last_taken_event)
            ):
                if last_taken_event is not None:
                    self._confirm()
                # A user that only sends takes no events. Events that `messages` would skip (Logons,
                # Heartbeats) are confirmed for such a user; otherwise the next process would request these
                # messages again.
                self._confirm(self._queue.count_before_message())
        except StoreError:
            if clean:
                raise
        finally:
            self._rows = None
            self._unconfirmed.clear()

    def release(self, *, clean: bool) -> None:
        """Close the store after its commits are complete, and close the wire log.

        Raises:
            StoreError: the last confirmations could not be written. Raised only if `clean` is set.
        """
        try:
            self.sequence.close()
        except StoreError:
            if clean:
                raise
        finally:
            self._open = False
            self._quiet.close()
            self._observers.close()

    @property
    def may_wait(self) -> bool:
        """Whether `begin` and `release` may wait for a disk or a database."""
        return isinstance(self.plan.store, StoreFactory)

    def logout(self, text: str | None = None) -> None:
        """Begin the Logout handshake if logged on; otherwise end at once. Make no further attempts.

        From now on the queue has no limit, so that the venue's answer is always read.
        """
        connection = self._leave()
        if connection is not None:
            now = self._clocks()
            if connection.session.is_established:
                connection.session.logout(now, text=text)
            elif connection.logged_on_at is None:
                connection.session.abort("closed before the logon was complete", now)
            # In the remaining case the session is already ending, and needs no second Logout.
            self._deliver(connection, now)
        self._wake()

    def abort(self, text: str) -> None:
        """End at once: send a Logout if logged on, without waiting for the answer; make no further
        attempts.
        """
        connection = self._leave()
        if connection is not None:
            now = self._clocks()
            connection.session.abort(text, now)
            self._deliver(connection, now)
        self._wake()

    def _leave(self) -> Connection | None:
        """Make no further attempts; return the connection to end, or None if there is none."""
        self._attempts.begin_logout()
        if self.over:
            self._end_logon_reservation(sent=False)
        return self._connection

    def _end_logon_reservation(self, *, sent: bool) -> None:
        """End the reservation of a Logon, or the wait for one; `sent` is whether the Logon was sent."""
        if self.pacing is not None:
            self.pacing.end_logon_reservation(self._clocks(), sent=sent)

    def stop_reconnecting(self) -> None:
        """Keep the current connection, but make no other. A pending attempt is cancelled."""
        self._attempts.stop()
        if self.over:
            self._end_logon_reservation(sent=False)
        self._wake()

    def record_failure(self, error: BaseException) -> None:
        """Record an internal failure of the adapter: the client ends, and `take` and `send` raise an error
        whose cause is `error`.
        """
        self._failure = error
        self._attempts.phase = Phase.INACTIVE
        self._end_logon_reservation(sent=False)
        # Without a connection `must_close` is True and `wants_read` False, so the adapter's task ends.
        self._connection, self.output, self.wants_read = None, bytearray(), False
        self._observers.disconnected(self._clocks())

    # Methods for the task or thread that moves the bytes. Each call reads the clocks at most once.

    def next_attempt(self) -> Attempt | None:
        """Return the connection to make now.

        Return None while none is due, after the client has ended, and while reading is paused because the
        queue is full.
        """
        attempts, pacing = self._attempts, self.pacing
        if attempts.phase is not Phase.WAITING or self._queue.paused or self.timeout() != 0:
            return None
        # Reserved before connecting, because a connected client cannot delay its Logon until tokens are
        # available. The reservation lasts longer than an attempt may take.
        if pacing is not None and not pacing.try_reserve_logon(2 * self.plan.timeout, self._clocks()):
            return None
        attempt = attempts.next()
        self._emit(Connecting(attempt.endpoint, attempt.number))
        return attempt

    def connect_failed(self, error: KalshiFixError) -> None:
        """Record that the attempt failed."""
        self._end_logon_reservation(sent=False)
        self._emit_outcome(self._attempts.record_failure(error, self._clocks()))

    def tcp_connected(self) -> None:
        """Notify the observers that TCP is connected, before TLS."""
        self._observers.tcp_connected(self._clocks())

    def connected(self) -> None:
        """Begin the logon, because the attempt's transport is connected."""
        self._attempts.phase = Phase.CONNECTED
        self._begin_error = None
        self._faults = Faults()
        # If the user logged out while the connection was being made, no session begins. Then `must_close` is
        # True, so the adapter closes the transport, and `disconnected` ends the client.
        if self.logging_out:
            self._end_logon_reservation(sent=False)
            return
        now, address = self._clocks(), str(self.plan.endpoint)
        # Called before `on_wire` is read below, because this call determines whether a log needs the bytes.
        self._observers.connected(
            address,
            now,
            secured=isinstance(self.plan.security, Tls),
            max_message_size=self.plan.config.max_message_size,
        )
        try:
            session = self.sequence.next_session(self._quiet.codec)
            connection = Connection(session, clocks=self._clocks, on_wire=self._observers.on_wire)
            session.connect(now)
        except KalshiFixError as error:
            # Not raised, because the adapter must close its transport first. Without a connection,
            # `must_close` is True, and `disconnected` then reports this error as a failed attempt.
            self._begin_error = error
            self._end_logon_reservation(sent=False)
            return
        self._end_logon_reservation(sent=True)
        self._connection, self.output = connection, connection.output
        self._may_have_checks = True
        self._deliver(connection, now)

    def flush(self, write: Callable[[bytearray], int]) -> None:
        """Write `output` with a non-blocking function, until nothing more can be written.

        `write` is called with `output` and returns how many bytes it has written from its beginning, or 0 if
        none can be written now. The written bytes are removed from `output`. If `write` raises OSError, the
        transport can no longer be written to, but reading continues to the end of the stream, because data
        from the venue may still be readable.
        """
        while self.output:
            try:
                size = write(self.output)
            except OSError:
                self.write_failed()
                return
            if not size:
                return
            self.wrote(size)

    def wrote(self, size: int) -> None:
        """Remove the first `size` bytes of `output`, which were written to the transport, and append output
        that the session has held back.
        """
        # Done before `collect`, which appends to `output` only while it is smaller than HIGH_WATER.
        del self.output[:size]
        connection = self._connection
        if connection is not None and connection.may_have_more_output:
            # `collect` uses the store, so it may end the session, but it causes no other events.
            connection.collect()
            if connection.session.wants_close:
                self._deliver(connection, self._clocks())

    def write_failed(self) -> None:
        """Record that the transport can no longer be written to; received bytes can still be read."""
        if self._connection is not None:
            self._connection.fail_writing()
            # The session may have held bytes back while `output` was full. They are collected and dropped
            # now; otherwise they would reach `max_unsent` and end the session before all input is read.
            self._deliver(self._connection, self._clocks())

    def receive(self, data: bytes) -> None:
        """Process received bytes; b"" means the end of the stream."""
        connection = self._connection
        if connection is not None:
            now, session = self._clocks(), connection.session
            try:
                if data:
                    if connection.on_wire is not None:
                        connection.on_wire("received", data, now)
                    session.receive_data(data, now)
                else:
                    session.receive_eof(now)
            except KalshiFixError as error:
                # Invalid input raises no exception, but the signer may raise one: the answer to a Logon with
                # ResetSeqNumFlag (141) during a session must be signed.
                session.abort(str(error), now)
            self._deliver(connection, now)
            if self._quiet.codec.deferred or self._quiet.freeze:
                self._quiet_at = self._quiet.next_moment(now.monotonic)

    def store_changed(self) -> None:
        """Release the messages whose commit is durable. If the store has failed, end the session or, without
        a connection, make no further attempt.
        """
        connection = self._connection
        try:
            _ = self.sequence.durable
        except StoreError as error:
            if connection is not None:
                connection.session.record_store_loss(error)
            elif self._attempts.phase is Phase.WAITING:
                self._end_logon_reservation(sent=False)
                self._emit_outcome(self._attempts.record_failure(error, self._clocks()))
                self._wake()
        if connection is not None:
            self._deliver(connection, self._clocks())

    def tick(self) -> None:
        """Run the timers that are due; harmless if none is."""
        connection, due = self._connection, self.due()
        if connection is None or due is None:
            return
        now = self._clocks()
        if due <= now.monotonic:
            if self._may_have_checks:
                if not self._quiet.prepare(connection.session):
                    self._may_have_checks = False
                    self._update_wants_read()
            elif self._quiet_at is not None and self._quiet_at <= now.monotonic:
                self._quiet_at = now.monotonic if self._quiet.work(connection.session) else None
            connection.session.handle_timer(now)
            if self.pacing is not None:
                self.pacing.clear_due(now)
            renewal_due, subscriptions = self._subscribe_at, self._subscriptions
            if subscriptions is not None and renewal_due is not None and renewal_due <= now.monotonic:
                self._subscribe(subscriptions, connection, now)
            self._deliver(connection, now)

    def due(self) -> float | None:
        """Return the monotonic time at which to call `tick` or `next_attempt`; None for never.

        A time in the past means now. A timer set to an earlier time may be kept, because an early `tick` is
        harmless.
        """
        connection = self._connection
        if connection is not None:
            due, renewal_due = connection.close_by, self._subscribe_at
            # When the session is over, only the deadline for closing the transport remains.
            if due is None:
                due = 0.0 if self._may_have_checks else connection.session.next_deadline()
                if self._quiet_at is not None:
                    due = self._quiet_at if due is None else min(due, self._quiet_at)
                if self.pacing is not None and self.pacing.due is not None:
                    due = self.pacing.due if due is None else min(due, self.pacing.due)
            return due if renewal_due is None else renewal_due if due is None else min(due, renewal_due)
        if self._attempts.phase is Phase.WAITING and not self._queue.paused:
            due = self._attempts.due
            # A Logon also counts towards the venue's rate limit.
            return due if self.pacing is None else max(due, self.pacing.logon_due)
        return None

    def timeout(self) -> float | None:
        """Return the number of seconds until `due`; None for never."""
        due = self.due()
        return None if due is None else max(0.0, due - self._clocks().monotonic)

    @property
    def must_close(self) -> bool:
        """Whether the adapter must close the transport now. Never True while `wants_read` is."""
        connection = self._connection
        if connection is None:
            return True
        if connection.close_by is None:
            return False
        # The session is over. Committing and writing its last bytes, such as the Logout, may take up to
        # `LINGER_SECONDS`.
        if not self.output and not connection.session.unreleased:
            return True
        return self._clocks().monotonic >= connection.close_by

    def disconnected(self) -> None:
        """Record that the transport was closed, by either side."""
        now, connection, self._subscribe_at = self._clocks(), self._connection, None
        if connection is not None:
            if not connection.session.wants_close:
                # The adapter closed the transport without reading the end of the stream, but the session must
                # still emit SessionEnded.
                connection.session.receive_eof(now)
            self._deliver(connection, now)
            self._connection, self.output, self.wants_read = None, bytearray(), False
        self._observers.disconnected(now)
        # If there was no session, or it was never logged on, the attempt has failed. Otherwise a logged-on
        # connection was lost.
        if connection is None or self._ended is None:
            self._emit_outcome(self._attempts.record_failure(self._begin_error, now))
        elif connection.logged_on_at is None:
            error = logon_error(self._ended, str(self.plan.endpoint))
            self._emit_outcome(self._attempts.record_failure(error, now))
        else:
            fault = self._faults.cause(self._ended)
            self._emit_outcome(self._attempts.record_loss(self._ended, fault, connection.logged_on_at, now))

    # The user

    def send(
        self,
        message: Message,
        header_fields: Mapping[str, Any] | None = None,
        *,
        allow_unknown_codes: bool = False,
        turn: Turn | None = None,
    ) -> SendResult | None:
        """Send a message; return its MsgSeqNum (34) and the ticket of its commit. Return None if it must wait
        for the venue or the budget.

        With ticket 0, the message is already in `output`, and the caller must write it: see `flush`.
        Otherwise it is released when its commit is durable: see `is_committed`.

        A caller that can wait passes a `turn`, its place in the queue for the budget. If the result is None,
        the caller keeps `turn.lock` locked, and calls again whenever waiting callers are woken.

        Raises:
            NotConnectedError: the client is not logged on.
            SendFailedError: the store has failed; nothing was sent, and the session is over.
            LocalProtocolError: (or a subclass) raised by `Session.send`.
        """
        connection, pacing = self._connection, self.pacing
        # While the sender waited, this connection may have replaced the one for which its turn is valid.
        is_turn_outdated = turn is not None and turn.connection is not connection
        if connection is None or not connection.can_send or is_turn_outdated:
            self.changing = False
            raise self.closed_error(NotConnectedError)
        if connection.congested:
            return None
        session, now = connection.session, self._clocks()
        if pacing is not None and not pacing.try_spend(message, turn, now):
            return None
        try:
            number = session.send(
                message, now, header_fields=header_fields, allow_unknown_codes=allow_unknown_codes
            )
            # If a commit fails at once, it ends the session, and there is no output.
            if not connection.collect() and session.wants_close:
                raise SendFailedError(session.store_error)
        except BaseException:
            self._set_changing_after_failure(connection)
            if pacing is not None:
                pacing.withdraw(message, now)
            raise
        if self._observers.follows_orders:
            self._observers.sent(message, now)
        if self._subscriptions is not None:
            self._subscriptions.record_sent(message, number)
        return number, session.ticket if session.unreleased else 0

    def is_committed(self, ticket: int) -> bool | None:
        """Return True once the messages of this ticket are durable and released; None before.

        Raises:
            SendFailedError: the messages could not be made durable.
        """
        connection, session = self._connection, self.sequence.session
        if session is not None and session.released >= ticket:
            # The answer is True even if a later commit has failed since, because these messages were sent.
            return True
        try:
            # If the messages are durable but not yet released, the adapter is about to call `store_changed`,
            # which releases them.
            if self.sequence.durable >= ticket and (
                connection is None or connection.session.is_released(ticket)
            ):
                return True
        except StoreError as error:
            raise SendFailedError(error) from error
        if self.store_error is not None:
            raise SendFailedError(self.store_error)
        if self.over:
            raise SendFailedError(StoreError("the client ended before the commit was complete"))
        return None

    def _set_changing_after_failure(self, connection: Connection) -> None:
        """Update `changing` before `send` or `test_request` raises."""
        session = connection.session
        # A store that fails ends the session, so every waiting caller must check again.
        if session.wants_close:
            self._deliver_and_wake(connection)
        self.changing = session.took_number and not session.wants_close

    def turn(self, message: Message) -> Turn:
        """Return a place in the queue of the rate budget for a message, to pass to `send`. It is valid only
        on the current connection.
        """
        turn = Turn() if self.pacing is None else self.pacing.turn(message)
        turn.connection = self._connection
        return turn

    def leave_queue(self, turn: Turn) -> None:
        """Remove a sender from its queue, whether its message was sent or not."""
        if self.pacing is not None:
            self.pacing.leave(turn, self._clocks())

    def record_spending(self, tokens: float, bucket: Bucket, shard: int | None) -> None:
        """Record tokens spent outside this client.

        Raises:
            LocalProtocolError: the client has no budget.
            ValueError: `tokens` is negative or not a number.
        """
        if self.pacing is None:
            raise LocalProtocolError("the client has no rate budget; set its `budget` option")
        self.pacing.record_spending(tokens, bucket, shard, self._clocks())

    def test_request(self) -> str:
        """Send a TestRequest; return the id to pass to `round_trip`.

        Raises:
            NotConnectedError: the client is not logged on.
            SendFailedError: the store has failed; nothing was sent, and the session is over.
        """
        connection, now = self._connection, self._clocks()
        if connection is None or not connection.can_send:
            self.changing = False
            raise self.closed_error(NotConnectedError)
        try:
            test_req_id = connection.test_request(now)
            if connection.session.wants_close:
                raise SendFailedError(connection.session.store_error)
        except BaseException:
            self._set_changing_after_failure(connection)
            raise
        self._observers.test_request_sent(test_req_id, now)
        return test_req_id

    def round_trip(self, test_req_id: str) -> float | None:
        """Return the number of seconds that the answer to a TestRequest took, and forget it. Return None if
        the answer has not been received on this connection.
        """
        return None if self._connection is None else self._connection.round_trip(test_req_id)

    @property
    def store_error(self) -> StoreError | None:
        """The store error that ended the last session; None while the store works."""
        session = self.sequence.session
        return None if session is None else session.store_error

    @property
    def is_store_lost(self) -> bool:
        """Whether the store has failed, or another process may have taken it over."""
        try:
            _ = self.sequence.durable
        except StoreError:
            return True
        return self.store_error is not None or (
            self._ended is not None and self._ended.reason is CloseReason.STORE_FAILED
        )

    @property
    def congested(self) -> bool:
        """Whether senders should wait because the venue reads, or the store commits, too slowly. False if no
        message can be sent, because then waiting would not help.
        """
        connection = self._connection
        return connection is not None and connection.congested and connection.can_send

    def take(self, at_end: Callable[[], Exception] | None = None) -> ClientEvent | None:
        """Confirm the previous event, and return the next one; None if there is none now.

        Requesting the next event confirms that the user has handled the previous one. Only then does the
        store advance: if the process crashes earlier, a session with resend requests the message of the event
        again. With `explicit_confirm`, only `confirm` confirms events.

        Raises:
            LocalProtocolError: another thread or task may still be processing the previous event; or, with
                `explicit_confirm`, too many events are not confirmed.
            SessionClosedError: the client itself has failed, and the queue is empty.
            The exception that `at_end` returns: the client has ended, and the queue is empty.
        """
        task = self._current_task()
        unconfirmed = self._unconfirmed
        if self.plan.explicit_confirm:
            if len(unconfirmed) >= self.plan.queue_limit:
                count = "1 event is" if len(unconfirmed) == 1 else f"{len(unconfirmed)} events are"
                raise LocalProtocolError(f"{count} not confirmed; confirm some first")
        elif unconfirmed:
            if task != self._taken_by and not self._may_confirm(unconfirmed[0]):
                raise LocalProtocolError(
                    "another thread or task has taken an event and may still be processing it; taking the "
                    "next event would confirm that one too early; take events in one thread or task, and "
                    "pass them on"
                )
            self.changing = True
            self._confirm()
        elif self._rows is not None and self._rows.changes:
            # The previous event was a connection event, so nothing is confirmed, but the rows are written.
            self._rows.write()
        self.last_taken = None
        queue = self._queue
        if not queue.events:
            self.changing = False
            if self._failure is not None:
                raise self.closed_error()
            if at_end is not None and self._attempts.phase is Phase.INACTIVE:
                raise at_end()
            return None
        self.changing = True
        event = self.last_taken = queue.take()
        self._taken_by = task
        # The session confirms by count, so connection events must not be counted.
        if event.__class__ not in CONNECTION_EVENTS:
            unconfirmed.append(event)
        # Only `take` shortens the queue; when it is half empty, reading resumes.
        if queue.paused:
            self._pace_reading()
        self.changing = False
        return event

    def put_back(self, previous: ClientEvent | None) -> None:
        """Put back the event that a call has taken, because an exception prevented it from being returned.

        `previous` is the value of `last_taken` at the start of the call.
        """
        event = self.last_taken
        # Another thread or task may have taken the event.
        if event is None or event is previous or self._current_task() != self._taken_by:
            return
        self.last_taken = None
        if self._unconfirmed and self._unconfirmed[-1] is event:
            self._unconfirmed.pop()
        self._queue.put_back(event)

    def confirm(self, event: ClientEvent) -> None:
        """Confirm an event that was taken, and all events taken before it.

        Other events are ignored; connection events need no confirmation.
        """
        for count, taken in enumerate(self._unconfirmed, 1):
            if taken is event:
                self._confirm(count)
                return

    def _may_confirm(self, event: ClientEvent) -> bool:
        """Return whether an event that another thread or task has taken can be confirmed: it contains no
        message or uncertainty, or that thread or task has ended.
        """
        return message_or_error(event) is None or self._has_ended(self._taken_by)

    def rows(self) -> RowBuffer:
        """Return the user's rows.

        Raises:
            LocalProtocolError: the client is not open, or its store cannot keep rows.
        """
        if self._rows is None:
            raise rows_unavailable()
        return self._rows

    @property
    def ended_cleanly(self) -> bool:
        """Whether the client has ended because the user left it, with a completed Logout handshake."""
        return self.over and self.logging_out and self._ended is not None and self._ended.clean

    def closed_error(self, kind: type[SessionClosedError] = SessionClosedError) -> SessionClosedError:
        """Return the error for a client that has ended or cannot send, with the reason."""
        if self._failure is not None:
            error = kind(f"the client failed internally ({type(self._failure).__name__}); please report it")
            error.__cause__ = self._failure
        elif not self._ever_opened:
            error = kind("the client is not open; use it as a context manager, or call open()")
        elif not self.over:
            error = kind("the client is not logged on, so nothing was sent; wait for LoggedOn", self._ended)
        elif self.error is not None:
            error = kind(f"the client gave up: {self.error}; open it again", self._ended)
            error.__cause__ = self.error
        else:
            reason = "the client was closed" if self._ended is None else self._ended.text
            error = kind(f"the session is over ({reason}); open the client again", self._ended)
        return error

    def _confirm(self, count: int = 1) -> None:
        """Confirm the session's oldest unconfirmed events, in one commit."""
        # Removed first, so that the next `take` does not confirm the events again if the store fails below.
        # The deque is empty for events that `close` confirms, because they were never taken.
        for _ in range(min(count, len(self._unconfirmed))):
            self._unconfirmed.popleft()
        session, connection = self.sequence.session, self._connection
        rows = self._rows if self._rows is not None and self._rows.changes else None
        # The rows are passed to the store only now, so that the same commit writes them and the confirmation.
        # Otherwise the commit of a message sent before this call would have written the rows without the
        # confirmation.
        if rows is not None:
            self._change_rows(rows.hand_over)
        if session is not None:
            session.confirm(count)
        # Confirming uses the store. If it fails, the session ends, and its events must be delivered.
        if connection is not None and connection.session.wants_close:
            self._deliver_and_wake(connection)
        # Begin a commit of the rows here, because `confirm` does not begin one.
        if rows is not None:
            self._change_rows(rows.write)

    def _change_rows(self, change: Callable[[], None]) -> None:
        """Change the user's rows, perhaps within another change. Only the store changes, so an exception
        leaves all other state consistent.
        """
        was_changing, self.changing = self.changing, False
        change()
        self.changing = was_changing

    def _deliver_and_wake(self, connection: Connection) -> None:
        """Deliver the last events of a session that a store failure has ended during a call by the user."""
        self._deliver(connection, self._clocks())
        self._wake()

    def _emit_outcome(self, event: ConnectionEvent | None) -> None:
        """Emit the event that reports a failed attempt or a lost connection, if any."""
        if event is None:
            return
        if isinstance(event, GaveUp) and is_sequence_number_error(event.error):
            # The venue expects other numbers, so those of this client are no longer valid.
            self.sequence.is_agreed = False
        self._emit(event)

    def _emit(self, event: ConnectionEvent) -> None:
        self._queue.put_connection_event(event)
        self._observers.report_event(event, self._clocks())

    def _deliver(self, connection: Connection, now: Instant) -> None:
        """Collect the session's output and events, and act on them.

        Must be called after every input to the session. The order of the statements matters.
        """
        # Attributes are looked up once, because one read may yield many messages.
        queue, observers, subscriptions = self._queue, self._observers, self._subscriptions
        session = connection.session
        # Output is collected before the events are fetched, because collecting uses the store, and a store
        # failure adds SessionEnded to the events.
        connection.collect()
        events, state = session.events(), session.state
        has_new_state = state is not connection.state
        # The state is set before the events are handled, because LoggedOn renews subscriptions, which needs
        # `can_send`.
        if has_new_state:
            connection.set_state(state)
        for event in events:
            # Queued before it is handled, so that Resubscribed follows its LoggedOn.
            queue.put(event)
            # Compared by class because nearly every event is a message, and isinstance is slower.
            if event.__class__ is not MessageReceived:
                connection.handle(event, now)
                self._faults.handle(event)
                observers.report_event(event, now)
                self._act_on(event, connection, now)
            # A message without problems is reported only if an observer follows messages.
            elif observers.follows_messages or event.message.problems:
                observers.report_event(event, now)
            if subscriptions is not None and subscriptions.apply(event):
                self._subscribe_at = now.monotonic + RENEWAL_INTERVAL
        if has_new_state:
            observers.report_state(state, now)
            # If the state has changed again, the store failed while subscriptions were being renewed, and the
            # failure ended the session. Deliver its last events now, after those above.
            if session.state is not state:
                self._deliver(connection, now)
        if queue.is_limit_reached:
            self._pace_reading()

    def _act_on(self, event: Event, connection: Connection, now: Instant) -> None:
        if isinstance(event, LoggedOn):
            self.logged_on = event
            # Only for the first LoggedOn of a connection: a reset within the session emits another, but the
            # venue keeps the subscriptions.
            if self._attempts.record_logon():
                self.sequence.is_agreed = True
                self._quiet.logged_on()
                if self._subscriptions is not None:
                    self._subscriptions.start_connection()
                    self._subscribe(self._subscriptions, connection, now)
        elif isinstance(event, SessionEnded):
            self._ended, self.wants_read, self._may_have_checks = event, False, False
        # A rejection for exceeding the rate limit shows that the budget was wrong.
        elif self.pacing is not None and isinstance(event, RejectReceived):
            self.pacing.apply(event, now)

    def _subscribe(self, subscriptions: Subscriptions, connection: Connection, now: Instant) -> None:
        """Send the next batch of renewals. The rest follows at the venue's rate limit, and only after earlier
        output has been written.
        """
        self._subscribe_at = None
        for count, request in enumerate(subscriptions.requests()):
            if not connection.can_send or connection.session.wants_close:
                break
            if count == MAX_RENEWALS_PER_BATCH or connection.congested:
                self._subscribe_at = now.monotonic + RENEWAL_INTERVAL
                break
            seconds = 0.0 if self.pacing is None else self.pacing.charge(request, now)
            if seconds:
                self._subscribe_at = now.monotonic + seconds
                break
            number = _renew(connection, request, now)
            if number is None:
                break
            subscriptions.record_sent(request, number, is_renewal=True)
            self._emit(Resubscribed(request, number))

    def _pace_reading(self) -> None:
        """Pause or resume reading, depending on the size of the queue."""
        event = self._queue.update_paused(may_pause=not self.logging_out)
        if event is None:
            return
        now = self._clocks()
        self._observers.report_event(event, now)
        # While reading is paused, the session must not treat the peer as silent or its messages as late.
        connection, paused = self._connection, self._queue.paused
        if connection is not None:
            if paused:
                connection.session.pause_reading()
            else:
                connection.session.resume_reading(now)
        self._update_wants_read()

    def _update_wants_read(self) -> None:
        connection = self._connection
        if connection is not None:
            running = connection.close_by is None and not self._may_have_checks
            self.wants_read = running and not self._queue.paused
        if not self._queue.paused:
            self._wake()


def already_open() -> LocalProtocolError:
    """Return the error for a client that is opened a second time."""
    return LocalProtocolError("the client is already open; use one client for each connection")


def _renew(connection: Connection, request: Message, now: Instant) -> int | None:
    """Renew a subscription; return its MsgSeqNum, or None if a store failure has ended the session.

    If it returns None, the caller must deliver the session's events.
    """
    session = connection.session
    try:
        # The original request may have been sent with codes that this version does not know.
        number = session.send(request, now, allow_unknown_codes=True)
    except SendFailedError:
        return None
    connection.collect()
    return None if session.wants_close else number
