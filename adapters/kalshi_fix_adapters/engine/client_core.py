"""The part of a client that is the same in every event loop: sessions over many connections, the queue of
events, what is confirmed, when to connect again, what to subscribe to again.

An adapter has one task or thread that moves the bytes:

    while not core.over:
        attempt = core.next_attempt()
        if attempt is None:
            wait until woken, at most until core.due()
            continue
        try:
            transport = connect to attempt.endpoint by attempt.security within attempt.timeout seconds;
                core.tcp_connected() between TCP and TLS
        except KalshiFixError as error:
            core.connect_failed(error)
            continue
        core.connected()
        while not core.finished:
            write core.output, and tell core.wrote(n), or core.write_failed() when that is impossible
            wait until woken, or it can be read (only while core.wants_read) or written, at most until
                core.due()
            core.receive(data), b"" at the end of the transport; core.tick() when it is due
        close the transport, in bounded time
        core.disconnected()

After every call here by either side, whoever waits for events, for room to send, for the logon or for the
end looks again (`take`, `congested`, `is_logged_on`, `over`), and the task is woken. What raises here that is
no KalshiFixError goes to `failure`. No method blocks, except on a store's disk.

`due` is a moment of `time.monotonic` that mostly moves away with each message: a timer that is set to an
earlier one may stay, since a tick too early is harmless. `timeout` is the same in seconds from now.
"""

from __future__ import annotations

import random as system_random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kalshi_fix_adapters.config.budget import Bucket
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.attempts import Attempt, Attempts, Phase
from kalshi_fix_adapters.engine.connection import Connection, read_clocks
from kalshi_fix_adapters.engine.faults import Faults
from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.engine.logon_errors import is_about_numbers, logon_error
from kalshi_fix_adapters.engine.pacing import Pacing, Turn
from kalshi_fix_adapters.engine.queue import CONNECTION_EVENTS, EventQueue
from kalshi_fix_adapters.engine.rows import RowBuffer, no_rows
from kalshi_fix_adapters.engine.sequence import Doubtful, SequenceNumbers, SequenceState
from kalshi_fix_adapters.errors import NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import ClientEvent, Connecting, ConnectionEvent, GaveUp, Resubscribed
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.observe.dispatch import Dispatcher
from kalshi_fix_sansio import SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError, SendFailedError, StoreError
from kalshi_fix_sansio.events import (
    Event,
    LoggedOn,
    MessageReceived,
    OpenRequest,
    RejectReceived,
    SessionEnded,
)
from kalshi_fix_sansio.session.states import State

if TYPE_CHECKING:
    from kalshi_fix_adapters.engine.subscriptions import Subscriptions

MARKET_DATA = "KalshiMD"
"""The session type whose subscriptions are repeated."""
SUBSCRIBE_AGAIN = 1.0
"""Seconds after which more subscriptions are asked for, and those once more that the venue refused as too
many at once."""
SUBSCRIBE_AT_ONCE = SESSION_TYPES[MARKET_DATA].requests_per_second
"""Requests that are repeated at once: what the venue takes in a second; None for any number."""


class ClientCore:
    """Everything of a client but its transport and its waiting. Not safe for threads by itself."""

    def __init__(
        self,
        plan: ConnectionPlan,
        *,
        wake: Callable[[], object] = lambda: None,
        clocks: Callable[[], Instant] = read_clocks,
        random: Callable[[], float] = system_random.random,
        current_task: Callable[[], object] = lambda: None,
        has_ended: Callable[[Any], bool] = lambda _: False,
    ) -> None:
        """Prepare a client.

        `wake` is called when the task that moves the bytes has to look again because of something the
        user's side did; `send` and `test_request` leave that to their caller, who sees in `output` whether
        something is left to be written. `current_task` returns the thread or task that runs now, and
        `has_ended` says whether one that was returned before has ended. `random` draws from 0 up to, but not
        including, 1, and spreads the waits before an attempt.
        """
        self.plan = plan
        self._wake = wake
        self._clocks = clocks
        self._random = random
        self._sequence = SequenceState(plan)
        self.pacing: Pacing | None = None if plan.budget is None else Pacing(plan.budget)
        """Who waits for the rate budget; None without one."""
        self._rows: RowBuffer | None = None
        """The user's rows; None while the client is not open, and without a store that keeps them."""
        self._ever_opened = False
        """Whether `begin` was ever called."""
        self._open = False
        """Whether `begin` was called and `close` was not, since."""
        self._failure: BaseException | None = None
        """What `failure` was told: a mistake of the adapter or of this class."""
        self._unconfirmed: ClientEvent | None = None
        """The session's event that was taken last; the next `take` confirms it, or `close`."""
        self.last_taken: ClientEvent | None = None
        """The event that was taken last, the session's or the client's own, for `give_back`; None once the
        next one was requested."""
        self._taken_by: object = None
        """The thread or task that took it."""
        self.changing: bool = False
        """Whether a change is under way. An adapter whose calls may be interrupted (the blocking one) sets it
        around them. If it is set between two calls, an exception has interrupted a change halfway. A method
        clears it before it raises with everything as it was, or whole again."""
        self._current_task = current_task
        self._has_ended = has_ended
        self._reset(Dispatcher(plan.name))

    def _reset(self, observers: Dispatcher) -> None:
        """Forget everything but the numbers, which `_sequence` keeps from one opening to the next."""
        plan = self.plan
        self._observers = observers
        self._queue = EventQueue(plan.queue_limit, plan.queue_bytes)
        self._attempts = Attempts(plan, self._random, self._clocks())
        session_type = plan.config.session_type
        self._subscriptions: Subscriptions | None = None
        if session_type.name == MARKET_DATA:
            # Imported here: it needs the messages of market data, which other clients then do not load.
            from kalshi_fix_adapters.engine.subscriptions import Subscriptions

            self._subscriptions = Subscriptions(session_type.symbols_per_request)
        self._subscribe_at: float | None = None
        """When subscriptions are asked for once more, monotonic."""
        self._connection: Connection | None = None
        self.output: bytearray = bytearray()
        """What waits to be written, oldest first. The connection's own bytearray, and not a property: an
        adapter looks at it after each message."""
        self.wants_read: bool = False
        """Whether to read from the transport now: its session goes on, and the queue has room."""
        self._faults = Faults()
        self._begin_error: KalshiFixError | None = None
        """Why the session of this connection could not begin."""
        self._logged_on: LoggedOn | None = None
        """The last logon, of this connection or an earlier one."""
        self._ended: SessionEnded | None = None
        """How the last session ended, of this connection or an earlier one."""

    def __str__(self) -> str:
        state = "new" if not self._ever_opened else "over" if self.over else "open"
        return f"{self.plan}, {state}"

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
        return self._connection is not None and self._connection.can_send

    @property
    def state(self) -> State:
        """Where the session of the present connection stands; DISCONNECTED if there is none."""
        return State.DISCONNECTED if self._connection is None else self._connection.state

    @property
    def is_reconnecting(self) -> bool:
        """Whether a connection that was logged on is lost, and another one waited for or made."""
        connection = self._connection
        return (
            self._logged_on is not None
            and not (self.over or self.leaving)
            and (connection is None or connection.logged_on_at is None)
        )

    @property
    def numbers(self) -> SequenceNumbers:
        """Where the sequence numbers stand.

        Raises:
            StoreError: the client is not open, and the file of its store cannot be read.
        """
        return self._sequence.numbers

    def set_numbers(self, next_outgoing: int | None, next_incoming: int | None) -> tuple[Doubtful, ...]:
        """Have the next logon go on from these numbers; return what that costs."""
        self._require_closed()
        return self._sequence.set(next_outgoing, next_incoming)

    def reset_numbers(self) -> tuple[Doubtful, ...]:
        """Have the next logon restart the numbers; return what that costs."""
        self._require_closed()
        return self._sequence.reset()

    def _require_closed(self) -> None:
        if self._open:
            raise LocalProtocolError(
                "the client is open, and its numbers are in use; leave it first (the end of its context, or "
                "logout)"
            )

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

    # The life of a client

    def begin(self) -> None:
        """Start anew: the first attempt is due at once, and what nobody took before is dropped (on a session
        with resend it comes again). `close` has to follow in the end.

        Raises:
            LocalProtocolError: it is open already.
            StoreError: the store cannot be used.
            ConfigurationError: the wire log cannot be written.
        """
        if not self.over:
            raise LocalProtocolError("the client is open already; use one client for each connection")
        # A client that ended by itself still has its store and wire log open, until its user leaves or begins
        # anew.
        self.close(clean=False)
        self._open = True
        # Where `close` finds it from now on, whatever comes in between: Ctrl-C may.
        self._observers = Dispatcher(self.plan.name, self.plan.observer, self.plan.wire_log)
        try:
            self._sequence.open()
            self._reset(self._observers)
            self._rows = self._sequence.rows()
            self._ever_opened, self._failure, self._unconfirmed = True, None, None
        except BaseException:
            self.close(clean=False)
            raise
        self._attempts.phase = Phase.WAITING

    def close(self, *, clean: bool) -> None:
        """The user has left: confirm what was taken last if that was `clean` and no other thread or task may
        still be busy with it, and what comes next up to the first message; close store and wire log.

        After this `take` still returns what waits, and nothing is confirmed any more. Harmless when nothing
        is open.

        Raises:
            StoreError: what was confirmed last could not be written, and will come again. Only if `clean`:
                otherwise the user has an error of his own, and nothing was confirmed here.
        """
        try:
            taken = self._unconfirmed
            if clean and (
                taken is None or self._current_task() == self._taken_by or self._is_done_with(taken)
            ):
                if taken is not None:
                    self._confirm()
                # Who only sends takes no events. What says nothing of messages (Logons, Heartbeats) is
                # confirmed for such a user, or the next process would have all these numbers sent again.
                for _ in range(self._queue.without_message()):
                    self._confirm()
                if self._rows is not None and self._rows.changes:
                    self._rows.write()
            self._unconfirmed = self._rows = None
            self._sequence.close()
        except StoreError:
            if clean:
                raise
        finally:
            self._open = False
            self._observers.close()

    def logout(self, text: str | None = None) -> None:
        """Begin to leave: the Logout handshake if logged on, otherwise the end; no more attempts.

        From now on the queue is not bounded, so that the venue's answer is seen.
        """
        connection = self._leave()
        if connection is not None:
            now = self._clocks()
            if connection.session.is_established:
                connection.session.logout(now, text=text)
            elif connection.logged_on_at is None:
                connection.session.abort("left before the logon was complete", now)
            # Otherwise the session is ending already, and needs no second Logout.
            self._deliver(connection, now)
        self._wake()

    def abort(self, text: str) -> None:
        """End at once: a Logout if logged on, no wait for an answer, no more attempts."""
        connection = self._leave()
        if connection is not None:
            now = self._clocks()
            connection.session.abort(text, now)
            self._deliver(connection, now)
        self._wake()

    def _leave(self) -> Connection | None:
        self._attempts.leave()
        if self.over:
            self._settle_logon(sent=False)
        return self._connection

    def _settle_logon(self, *, sent: bool) -> None:
        """The Logon that was reserved, or waited for, is sent now or not at all."""
        if self.pacing is not None:
            self.pacing.settle_logon(self._clocks(), sent=sent)

    def stop_reconnecting(self) -> None:
        """Keep the present connection, but make no other; one that is waited for is given up."""
        self._attempts.stop()
        if self.over:
            self._settle_logon(sent=False)
        self._wake()

    def failure(self, error: BaseException) -> None:
        """Take note that the adapter itself has failed: the client is over, and `take` and `send` say so."""
        self._failure = error
        self._attempts.phase = Phase.OVER
        self._settle_logon(sent=False)
        # Without a connection `finished` is true and `wants_read` false: what moves the bytes ends.
        self._connection, self.output, self.wants_read = None, bytearray(), False
        self._observers.disconnected(self._clocks())

    # The task or thread that moves the bytes. Each call reads the clocks once, and only if something is done.

    def next_attempt(self) -> Attempt | None:
        """Return the connection to be made now; None while none is due, and when the client is over.

        None is due either while so much waits for the user that nothing would be read.
        """
        attempts, pacing = self._attempts, self.pacing
        if attempts.phase is not Phase.WAITING or self._queue.paused or self.timeout() != 0:
            return None
        # Before the connection: at its end nothing could wait for a token. Held for longer than it may take.
        if pacing is not None and not pacing.reserve_logon(2 * self.plan.timeout, self._clocks()):
            return None
        attempt = attempts.next()
        self._tell(Connecting(attempt.endpoint, attempt.number))
        return attempt

    def connect_failed(self, error: KalshiFixError) -> None:
        """The attempt did not bring about a connection."""
        self._settle_logon(sent=False)
        self._tell_outcome(self._attempts.failed(error, self._clocks()))

    def tcp_connected(self) -> None:
        """TCP is up, TLS not yet: a mark for those who measure."""
        self._observers.tcp_connected(self._clocks())

    def connected(self) -> None:
        """The attempt's connection is up: the logon begins."""
        self._attempts.phase = Phase.CONNECTED
        self._begin_error = None
        self._faults = Faults()
        # The user left while the connection was made: without a session `finished` is true, so that the
        # adapter closes the connection, and `disconnected` ends the client.
        if self.leaving:
            self._settle_logon(sent=False)
            return
        now, where = self._clocks(), str(self.plan.endpoint)
        # Before `on_wire` is read below: the wire log begins a connection here, and that asks for its bytes.
        self._observers.connected(
            where,
            now,
            secured=isinstance(self.plan.security, Tls),
            max_message_size=self.plan.config.max_message_size,
        )
        try:
            session = self._sequence.next_session()
            connection = Connection(session, clocks=self._clocks, on_wire=self._observers.on_wire)
            session.connect(now)
        except KalshiFixError as error:
            # Not raised, because the adapter has a transport to close: without a connection `finished` is
            # true, and `disconnected` tells this error as that of a failed attempt.
            self._begin_error = error
            self._settle_logon(sent=False)
            return
        self._settle_logon(sent=True)
        self._connection, self.output = connection, connection.output
        self.wants_read = not self._queue.paused
        self._deliver(connection, now)

    def flush(self, write: Callable[[bytearray], int]) -> bool:
        """Write `output` by a function that need not wait, until it takes no more. Return whether the
        connection goes on as before; if not, look at `wants_read` and `finished`, too.

        `write` is given all that waits and returns how many bytes the transport took from its beginning, 0 if
        it takes none now. Bytes leave `output` only then. An OSError of it says that the transport takes
        nothing any more; what the venue had said before may still be there, so reading goes on, to the end of
        the stream.
        """
        as_before = True
        while self.output:
            try:
                size = write(self.output)
            except OSError:
                self.write_failed()
                return False
            if not size:
                break
            # Before `_collect_held_back`, which compares what `output` holds with HIGH_WATER and adds to it.
            del self.output[:size]
            if self._connection is not None and self._connection.holds_back:
                as_before = self._collect_held_back(self._connection) and as_before
        return as_before

    def wrote(self, size: int) -> None:
        """Note that the transport took the first `size` bytes of `output`."""
        del self.output[:size]
        if self._connection is not None and self._connection.holds_back:
            self._collect_held_back(self._connection)

    def _collect_held_back(self, connection: Connection) -> bool:
        """Take what the session has held back until there was room; say whether the session goes on."""
        # This commits the store, so it may end the session; it brings no other events.
        connection.collect()
        if not connection.session.wants_close:
            return True
        self._deliver(connection, self._clocks())
        return False

    def write_failed(self) -> None:
        """Note that the transport takes nothing any more; what the venue said before may still be read."""
        if self._connection is not None:
            self._connection.fail_writing()
            # The session may have held bytes back while `output` was full. They are taken and dropped now, or
            # they would reach `max_unsent` and end the session before what the venue said is read.
            self._deliver(self._connection, self._clocks())

    def receive(self, data: bytes) -> None:
        """Take what was read; nothing means the end of the transport."""
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
                # The peer's bytes raise nothing, but what signs our Logon may: that is needed for the answer
                # to a Logon with ResetSeqNumFlag (141) in the middle of the session.
                session.abort(str(error), now)
            self._deliver(connection, now)

    def tick(self) -> None:
        """Do what is due; harmless when nothing is."""
        connection, due = self._connection, self.due()
        if connection is None or due is None:
            return
        now = self._clocks()
        if due <= now.monotonic:
            connection.session.handle_timer(now)
            if self.pacing is not None:
                self.pacing.clear_due(now)
            again, subscriptions = self._subscribe_at, self._subscriptions
            if subscriptions is not None and again is not None and again <= now.monotonic:
                self._subscribe(subscriptions, connection, now)
            self._deliver(connection, now)

    def due(self) -> float | None:
        """Return the moment at which something is due, in seconds of the monotonic clock: `tick`, or
        `next_attempt`; None for never. A moment that has passed means now.

        Whoever has a timer set to an earlier moment may leave it: `tick` is harmless.
        """
        connection = self._connection
        if connection is not None:
            due, again = connection.close_by, self._subscribe_at
            # Once the session is over, only the closing of the transport is waited for.
            if due is None:
                due = connection.session.next_deadline()
                if self.pacing is not None and self.pacing.due is not None:
                    due = self.pacing.due if due is None else min(due, self.pacing.due)
            return due if again is None else again if due is None else min(due, again)
        if self._attempts.phase is Phase.WAITING and not self._queue.paused:
            due = self._attempts.due
            # A Logon counts towards the venue's rate limit as well.
            return due if self.pacing is None else max(due, self.pacing.logon_due)
        return None

    def timeout(self) -> float | None:
        """Return the seconds until something is due; None for never."""
        due = self.due()
        return None if due is None else max(0.0, due - self._clocks().monotonic)

    @property
    def finished(self) -> bool:
        """Whether the transport is to be closed now; never while `wants_read`."""
        connection = self._connection
        if connection is None or connection.close_by is None:
            return connection is None
        # The session is over. Its last bytes, such as the Logout, have LINGER seconds to leave.
        return not self.output or self._clocks().monotonic >= connection.close_by

    def disconnected(self) -> None:
        """The transport is closed, whoever wanted it."""
        now, connection, self._subscribe_at = self._clocks(), self._connection, None
        if connection is not None:
            if not connection.session.wants_close:
                # The adapter closed it without having read an end of file; the session has to tell its end
                # all the same.
                connection.session.receive_eof(now)
            self._deliver(connection, now)
            self._connection, self.output, self.wants_read = None, bytearray(), False
        self._observers.disconnected(now)
        # There was no session, or it was never logged on, or it was; the first two are failed attempts.
        if connection is None or self._ended is None:
            self._tell_outcome(self._attempts.failed(self._begin_error, now))
        elif connection.logged_on_at is None:
            error = logon_error(self._ended, str(self.plan.endpoint))
            self._tell_outcome(self._attempts.failed(error, now))
        else:
            fault = self._faults.behind(self._ended)
            self._tell_outcome(self._attempts.lost(self._ended, fault, connection.logged_on_at, now))

    # The user

    def send(
        self,
        message: Message,
        header_fields: Mapping[str, Any] | None = None,
        *,
        allow_unknown_codes: bool = False,
    ) -> int:
        """Put a message into `output`; return its MsgSeqNum (34). The caller writes: see `flush`.

        Raises:
            NotConnectedError: the client is not logged on.
            SendFailedError: the store has failed; nothing was sent, and the session is over.
            LocalProtocolError: or one of its kinds, as `Session.send` does.
        """
        connection = self._connection
        if connection is None or not connection.can_send:
            self.changing = False
            raise self.closed_error(NotConnectedError)
        session = connection.session
        try:
            number = session.send(
                message,
                self._clocks(),
                header_fields=header_fields,
                allow_unknown_codes=allow_unknown_codes,
            )
            # The commit before the bytes may fail, which ends the session. Where there are bytes it has not.
            if not connection.collect() and session.wants_close:
                raise SendFailedError(session.store_error)
        except BaseException:
            self._sending_failed(connection)
            raise
        if self._observers.follows_orders:
            self._observers.sent(message, self._clocks())
        if self._subscriptions is not None:
            self._subscriptions.sent(message, number)
        return number

    def _sending_failed(self, connection: Connection) -> None:
        """An exception is about to leave `send` or `test_request`: see whether everything is whole."""
        session = connection.session
        # A store that fails ends the session, so every waiting caller must check again.
        if session.wants_close:
            self._deliver_and_wake(connection)
        self.changing = session.took_number and not session.wants_close

    def send_in_turn(
        self,
        turn: Turn,
        header_fields: Mapping[str, Any] | None = None,
        *,
        allow_unknown_codes: bool = False,
    ) -> int | None:
        """Send a message as `send` does, unless it has to wait for the venue or for the budget; return None
        then. To be called again whenever users are woken, while `turn.held` is held."""
        connection, pacing = self._connection, self.pacing
        if pacing is None or connection is None or not connection.can_send:
            return self.send(turn.message, header_fields, allow_unknown_codes=allow_unknown_codes)
        now = self._clocks()
        if connection.congested or not pacing.take(turn, now):
            return None
        try:
            return self.send(turn.message, header_fields, allow_unknown_codes=allow_unknown_codes)
        except BaseException:
            pacing.withdraw(turn.message, now)
            raise

    def leave_line(self, turn: Turn) -> None:
        """A sender waits no longer, whether its message has left or not."""
        if self.pacing is not None:
            self.pacing.leave(turn, self._clocks())

    def spent(self, tokens: float, bucket: Bucket, shard: int | None) -> None:
        """Take note of tokens that something else has spent.

        Raises:
            LocalProtocolError: the client has no budget.
            ValueError: `tokens` is negative or no number.
        """
        if self.pacing is None:
            raise LocalProtocolError("the client has no rate budget; give it one by the option `budget`")
        self.pacing.spent(tokens, bucket, shard, self._clocks())

    def test_request(self) -> str:
        """Ask the venue for a Heartbeat; return the id by which `round_trip` knows it.

        Raises:
            NotConnectedError: the client is not logged on.
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
            self._sending_failed(connection)
            raise
        self._observers.tested(test_req_id, now)
        return test_req_id

    def round_trip(self, test_req_id: str) -> float | None:
        """Return the seconds that a test request of this connection took, once; None if no answer came."""
        return None if self._connection is None else self._connection.round_trip(test_req_id)

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The requests that were sent and have no answer yet, oldest first."""
        return self._sequence.open_requests

    @property
    def congested(self) -> bool:
        """Whether a sender had better wait because the venue does not read what was sent before. Never while
        `output` is empty, and never when nothing can be sent: then waiting would not help."""
        connection = self._connection
        return connection is not None and connection.congested and connection.can_send

    def take(self, at_end: Callable[[], Exception] | None = None) -> ClientEvent | None:
        """Confirm the event taken before, and return the next one; None if there is none now.

        Asking for the next event is how a user says that the one before was taken care of. Only then the
        store moves on: after a crash in between, a session with resend has the venue send it again.

        Raises:
            LocalProtocolError: another thread or task may still be busy with the event taken before.
            SessionClosedError: the client has failed by itself, and nothing waits any more.
            What `at_end` returns: the client is over, and nothing waits any more.
        """
        task = self._current_task()
        if self._unconfirmed is not None:
            if task != self._taken_by and not self._is_done_with(self._unconfirmed):
                raise LocalProtocolError(
                    "another thread or task has taken an event and may still be busy with it, so that asking "
                    "for the next one would confirm it too early; take events in one thread or task, and "
                    "pass them on"
                )
            self.changing = True
            self._confirm()
        elif self._rows is not None and self._rows.changes:
            # The event before was the client's own: nothing is confirmed, but its rows are kept all the same.
            self._rows.write()
        self.last_taken = None
        queue = self._queue
        if not queue.events:
            self.changing = False
            if self._failure is not None:
                raise self.closed_error()
            if at_end is not None and self._attempts.phase is Phase.OVER:
                raise at_end()
            return None
        self.changing = True
        event = self.last_taken = queue.take()
        self._taken_by = task
        # The session confirms by count, so an event that is not its own must never be counted.
        if event.__class__ not in CONNECTION_EVENTS:
            self._unconfirmed = event
        # Only taking makes the queue shorter; from half of its bounds on reading goes on.
        if queue.paused:
            self._pace_reading()
        self.changing = False
        return event

    def give_back(self, before: ClientEvent | None) -> None:
        """Put back the event that a call has taken, because an exception has kept it from its caller.
        `before` is what `last_taken` was when the call began."""
        event = self.last_taken
        # Another thread or task may have taken it.
        if event is None or event is before or self._current_task() != self._taken_by:
            return
        self.last_taken = self._unconfirmed = None
        self._queue.put_back(event)

    def _is_done_with(self, taken: ClientEvent) -> bool:
        """Say whether nobody can be busy with the event that another thread or task has taken: it has no
        message and no doubt in it, or whoever took it has ended."""
        return message_or_error(taken) is None or self._has_ended(self._taken_by)

    def rows(self) -> RowBuffer:
        """Return the user's rows.

        Raises:
            LocalProtocolError: the client is not open, or its store keeps none.
        """
        if self._rows is None:
            raise no_rows()
        return self._rows

    @property
    def ended_as_wanted(self) -> bool:
        """Whether the client is over because the user left it, with a completed Logout handshake."""
        return self.over and self.leaving and self._ended is not None and self._ended.clean

    def closed_error(self, kind: type[SessionClosedError] = SessionClosedError) -> SessionClosedError:
        """Return what to raise when nothing more comes, or nothing can be sent: it says why."""
        if self._failure is not None:
            error = kind(f"the client failed by itself ({type(self._failure).__name__}); please report it")
            error.__cause__ = self._failure
        elif not self._ever_opened:
            error = kind("the client is not open; use it as a context manager, or call open()")
        elif not self.over:
            error = kind("the client is not logged on, so nothing was sent; wait for LoggedOn", self._ended)
        elif self.error is not None:
            error = kind(f"the client gave up: {self.error}; open it again", self._ended)
            error.__cause__ = self.error
        else:
            why = "it was left" if self._ended is None else self._ended.text
            error = kind(f"the session is over ({why}); open the client again", self._ended)
        return error

    def _confirm(self) -> None:
        """The oldest event of the session that is not confirmed has been taken care of."""
        # First: a store that fails below must not have the event confirmed a second time by the next `take`.
        self._unconfirmed = None
        session, connection = self._sequence.session, self._connection
        rows = self._rows if self._rows is not None and self._rows.changes else None
        # Handed over only now, to be written by the same commit as the confirmation. Had they gone to the
        # store when the user changed them, a message sent in between would have committed them without it.
        if rows is not None:
            self._change_rows(rows.hand_over)
        if session is not None:
            session.confirm(1)
        # Confirming writes to the store; one that fails ends the session, whose events nobody has fetched
        # yet.
        if connection is not None and connection.session.wants_close:
            self._deliver_and_wake(connection)
        # Not every event moves a number.
        if rows is not None:
            self._change_rows(rows.write)

    def _change_rows(self, act: Callable[[], None]) -> None:
        """Change the user's rows within another change. The store alone is changed, so an exception leaves
        the rest whole."""
        self.changing = False
        act()
        self.changing = True

    def _deliver_and_wake(self, connection: Connection) -> None:
        """Take what the user's side made the session tell: a store that fails ends it."""
        self._deliver(connection, self._clocks())
        self._wake()

    def _tell_outcome(self, event: ConnectionEvent | None) -> None:
        """Tell what follows from an attempt or a connection that is over, if anything does."""
        if event is None:
            return
        if isinstance(event, GaveUp) and is_about_numbers(event.error):
            self._sequence.disputed()
        self._tell(event)

    def _tell(self, event: ConnectionEvent) -> None:
        self._queue.put_connection_event(event)
        self._observers.event(event, self._clocks())

    def _deliver(self, connection: Connection, now: Instant) -> None:
        """Take what the session has to say to the peer and to the user, and act on it. To be called after
        every input to the session; the order of the lines matters."""
        # Looked up once, because a read brings many messages.
        queue, observers, subscriptions = self._queue, self._observers, self._subscriptions
        session = connection.session
        # Before the events are taken: this commits the store, and one that fails adds SessionEnded to them.
        connection.collect()
        events, state = session.events(), session.state
        moved = state is not connection.state
        # Before the events: to act on LoggedOn sends the subscriptions, for which `can_send` has to be true.
        if moved:
            connection.moved_to(state)
        for event in events:
            # Queued before it is acted on, so that Resubscribed stands behind its LoggedOn.
            queue.put(event)
            # By class and not by isinstance, here and below: nearly every event is a message, and this is the
            # cheapest way to see it.
            if event.__class__ is not MessageReceived:
                connection.note(event, now)
                self._faults.note(event)
                observers.event(event, now)
                self._act_on(event, connection, now)
            # The usual message: whoever does not look on is not called for it.
            elif observers.follows_messages or event.message.problems:
                observers.event(event, now)
            if subscriptions is not None and subscriptions.received(event):
                self._subscribe_at = now.monotonic + SUBSCRIBE_AGAIN
        if moved:
            observers.state(state, now)
            # Subscribing again has ended the session: the store failed. What it tells of that comes after the
            # events above, so it is taken only now.
            if session.state is not state:
                self._deliver(connection, now)
        if queue.at_bound:
            self._pace_reading()

    def _act_on(self, event: Event, connection: Connection, now: Instant) -> None:
        if isinstance(event, LoggedOn):
            self._logged_on = event
            # Once a connection: a reset within the session tells LoggedOn again, and loses no subscription.
            if self._attempts.logged_on():
                self._sequence.agreed()
                if self._subscriptions is not None:
                    self._subscriptions.start_connection()
                    self._subscribe(self._subscriptions, connection, now)
        elif isinstance(event, SessionEnded):
            self._ended, self.wants_read = event, False
        # The venue's refusal for rate says that the budget was wrong.
        elif self.pacing is not None and isinstance(event, RejectReceived):
            self.pacing.apply(event, now)

    def _subscribe(self, subscriptions: Subscriptions, connection: Connection, now: Instant) -> None:
        """Ask for the next subscriptions that are alive and that this connection does not know of; the rest
        follows at the venue's pace, and only once what was said before has left."""
        self._subscribe_at = None
        for count, request in enumerate(subscriptions.requests()):
            if not connection.can_send or connection.session.wants_close:
                break
            if count == SUBSCRIBE_AT_ONCE or connection.congested:
                self._subscribe_at = now.monotonic + SUBSCRIBE_AGAIN
                break
            seconds = 0.0 if self.pacing is None else self.pacing.charge(request, now)
            if seconds:
                self._subscribe_at = now.monotonic + seconds
                break
            number = _send_again(connection, request, now)
            if number is None:
                break
            subscriptions.sent(request, number, again=True)
            self._tell(Resubscribed(request, number))

    def _pace_reading(self) -> None:
        """Stop reading from the bounds of the queue on, and read again from half of them."""
        event = self._queue.update_paused(bounded=not self.leaving)
        if event is None:
            return
        now = self._clocks()
        self._observers.event(event, now)
        # A peer that is not read must not count as silent, nor what it sent meanwhile as late.
        connection, paused = self._connection, self._queue.paused
        if connection is not None:
            if paused:
                connection.session.pause_reading()
            else:
                connection.session.resume_reading(now)
            self.wants_read = not paused and connection.close_by is None
        if not paused:
            self._wake()


def _send_again(connection: Connection, request: Message, now: Instant) -> int | None:
    """Send a subscription once more; return its MsgSeqNum, None if that has ended the session: the store
    failed. Whoever delivers what the session tells says so."""
    session = connection.session
    try:
        # The user may have allowed a code that this version does not know; it was accepted then.
        number = session.send(request, now, allow_unknown_codes=True)
    except SendFailedError:
        return None
    connection.collect()
    return None if session.wants_close else number
