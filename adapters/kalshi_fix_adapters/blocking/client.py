"""The client, and the functions that create one; the package docstring describes its behaviour."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from kalshi_fix_adapters.blocking.io_thread import IoThread
from kalshi_fix_adapters.blocking.shared_core import SharedCore
from kalshi_fix_adapters.config.factories import ClientFactory, Factories, OrderEntryFactory
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.client_core import SendResult, already_open
from kalshi_fix_adapters.engine.standby import POLL_INTERVAL, Takeover
from kalshi_fix_adapters.engine.user import (
    ClientBase,
    ErrorToRaise,
    IterationEnded,
    answer_timeout,
    close_timeout,
    event_timeout,
    send_timeout,
)
from kalshi_fix_adapters.errors import (
    ClientTimeoutError,
    NotConnectedError,
    SessionClosedError,
    StoreUnavailableError,
)
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import SessionEnded

P = ParamSpec("P")
T = TypeVar("T")


class Client(ClientBase):
    """A client of one session type, as a context manager that logs on when entered and logs out when exited.

    It logs out even if your code raises an exception, which propagates afterwards. While open, it
    reconnects automatically (option `reconnect`). It may be entered again after it has ended.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        shared = SharedCore(plan)
        super().__init__(shared.core, lambda: shared.lock)
        self._plan = plan
        self._shared = shared
        self._thread: IoThread | None = None
        self._entered = False

    def open(self) -> Self:
        """Connect and log on; entering the context does this. Without a context, call `logout` at the end.

        Raises:
            ConnectionFailedError: (or a subclass) no connection could be made, or TLS failed.
            LogonRefusedError: the venue refused the Logon.
            LogonFailedError: the Logon was not answered correctly.
            StoreError: the store cannot be opened or read.
            LocalProtocolError: the client is already open, or the Logon's fields are not allowed.
        """
        thread = IoThread(self._shared)
        try:
            self._start(thread)
            self._shared.wait(self._first_logon, None)
        except BaseException:
            # An interrupt may occur anywhere, so check what this call has started. If `_thread` is not the
            # thread that this call created, another thread has opened the client, and there is nothing to
            # undo.
            if self._thread is thread:
                self._change(self._core.abort, "interrupted")
                thread.cancel()
                self._join(self._plan.timeout)
                self._close(clean=False)
            raise
        return self

    def _start(self, thread: IoThread) -> None:
        shared = self._shared
        with shared.store_lock:
            if self._thread is not None and self._thread.alive:
                raise already_open()
            # Set first: from here on, this call must close everything that is open.
            self._thread = thread
            # If the client ended but its user did not close it, its store and wire log are still open.
            # Close them here, because `begin` would close them while it holds the lock.
            self._release(clean=False)
            with shared.lock:
                shared.open()
                self._core.begin()
                thread.start()

    def standby(
        self,
        *,
        every: float = POLL_INTERVAL,
        on_wait: Callable[[StoreUnavailableError], object] | None = None,
    ) -> AbstractContextManager[Self]:
        """Return a context that waits until no other process uses the client's store, and then opens the
        client. If the same program runs on two hosts, one is the primary, and the other takes over when the
        primary is gone.

        Enter this context, once, instead of the client. The context also waits while the store's server
        cannot be reached. The client repeats a failed first logon, at short intervals while the venue still
        has the connection of the former primary. If the store is lost, the session ends, and leaving the
        context raises SystemExit with status 75 (`EX_TEMPFAIL`), so that a service manager starts the process
        again as the standby.

        Args:
            every: seconds between attempts to open the store.
            on_wait: called with the reason before each wait.

        Raises:
            ConfigurationError: the client has no store that another process can open, or never reconnects.
        """
        return self._stand_by(Takeover(self._core, every, on_wait))

    @contextmanager
    def _stand_by(self, takeover: Takeover) -> Iterator[Self]:
        with takeover, ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self)
                    break
                except StoreUnavailableError as error:
                    takeover.report_waiting(error)
                    time.sleep(takeover.every)
            stack.callback(takeover.check_store)
            takeover.report_primary()
            yield self

    def __enter__(self) -> Self:
        self.open()
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.logout()
        except ClientTimeoutError:
            if error is None:
                raise
        finally:
            self._entered = False
            self._close(clean=error is None)

    def send(
        self,
        message: Message,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
        timeout: float | None = 10.0,
    ) -> int:
        """Send an application message and return its MsgSeqNum (34).

        When this returns, the message is durable in the client's store, and its bytes have been passed to the
        operating system, unless the system's buffer is full. A message is never queued for a later
        connection. Messages from several threads may share one wait for the disk. If an interrupt occurs
        during such a wait, the message is still sent.

        If one of the errors below is raised, the message was not sent.

        Args:
            message: the message to send.
            header_fields: further attributes of its header, such as `{"poss_resend": True}`.
            allow_unknown_codes: whether to send code values that this version does not know, because the
                venue may have added them since.
            timeout: maximum number of seconds to wait while the venue does not read earlier messages, or the
                client's `budget` has no tokens.

        Raises:
            InvalidMessageError: the message violates the dialect.
            EncodeError: a value cannot be encoded in FIX.
            ClientTimeoutError: the message could not be sent in time.
            NotConnectedError: the client is not, or no longer, logged on.
            SendFailedError: the store failed; `may_have_been_sent` is False, and the session is over.
        """
        number, ticket = self._assign_number(message, header_fields, allow_unknown_codes, timeout)
        if ticket:
            # No timeout is needed, because the session ends if the commit takes longer than `commit_timeout`.
            self._shared.wait(partial(self._core.is_committed, ticket), None, NotConnectedError)
        return number

    def send_nowait(
        self,
        message: Message,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
    ) -> int:
        """Send an application message as `send` does, but without waiting, and return its MsgSeqNum (34).

        The bytes are written when the message is durable in the client's store. If the message cannot be made
        durable, it is not sent, and the session ends: OutcomesUnknown lists the message if it is a request,
        and SessionEnded follows with `CloseReason.STORE_FAILED`.

        Raises:
            InvalidMessageError, EncodeError, NotConnectedError, SendFailedError: as for `send`.
            ClientTimeoutError: the message cannot be sent now, because the venue does not read, the store has
                not committed earlier messages, or the client's `budget` has no tokens.
        """
        return self._assign_number(message, header_fields, allow_unknown_codes, 0.0)[0]

    def _assign_number(
        self,
        message: Message,
        header_fields: Mapping[str, Any] | None,
        allow_unknown_codes: bool,
        timeout: float | None,
    ) -> SendResult:
        """Assign a MsgSeqNum to a message as soon as there is room to send and the budget has tokens. The
        message is written when it is durable.
        """
        shared, core = self._shared, self._core
        turn = core.turn(message)

        def send_in_turn() -> SendResult | None:
            # `change` numbers and writes the message. An interrupt in between ends the client, so a numbered
            # message is never left unwritten.
            return shared.change(
                core.send, message, header_fields, allow_unknown_codes=allow_unknown_codes, turn=turn
            )

        # The `with` statement frees the place in the queue (`pacing.Turn`) after an interrupt at any point.
        with turn.lock:
            try:
                sent = shared.wait(send_in_turn, timeout, NotConnectedError)
            finally:
                with shared.lock:
                    if turn.is_waiting and not core.changing:
                        shared.change(core.leave_queue, turn)
        if sent is None:
            raise send_timeout(core)
        return sent

    def receive(self, timeout: float | None = None) -> ClientEvent:
        """Wait for the next event and return it. This confirms the previous event.

        Raises:
            ClientTimeoutError: there was no event within `timeout` seconds.
            LocalProtocolError: another thread has taken a message and may still be processing it.
            SessionClosedError: the client has ended, and its last event was taken.
        """
        event = self._shared.wait(self._take, timeout)
        if event is None:
            raise event_timeout(timeout)
        return event

    def events(self, timeout: float | None = None) -> Iterator[ClientEvent]:
        """Iterate over events until the client has ended, or until there is none for `timeout` seconds.

        Taking an event confirms the previous one.
        """
        return self._iterate(self._take_until_over, timeout)

    def messages(self, timeout: float | None = None) -> Iterator[Message]:
        """Iterate over the venue's application messages, and its rejects of your messages.

        Stops when there is none for `timeout` seconds, and after `logout`. `events` yields more, such as the
        message that a reject answers. Events that report loss or uncertainty are raised as exceptions; to
        continue, iterate again, which confirms that you have handled them.

        Raises:
            SessionInterruptedError: the connection was lost; the client reconnects.
            OutcomesUnknownError: the outcome of the listed requests is unknown.
            OrdersUnverifiedError: orders were open when the connection of a session without resend ended.
            MessagesLostError: messages from the venue are lost.
            NumbersResetError: the sequence numbers restarted, although the client had not requested it.
            MessageRejectedError: a message from the venue was rejected.
            MessageTooLargeError: a message from the venue was longer than `max_message_size`.
            GarbledReceivedError: garbled bytes were received.
            SessionClosedError: the client has ended for a reason other than your logout.
        """
        return self._iterate(self._next_message, timeout)

    def _iterate(
        self, condition: Callable[[], T | ErrorToRaise | None], timeout: float | None
    ) -> Iterator[T]:
        while True:
            try:
                item = self._shared.wait(condition, timeout)
            except IterationEnded:
                return
            # There must be no call here, not even to `isinstance`. Python may run a signal handler after a
            # call; if the handler raised an exception, the event that was taken would be lost.
            match item:
                case None:
                    return
                case ErrorToRaise(error=error):
                    raise error
                case _:
                    yield item

    def test_request(self, timeout: float = 10.0) -> float:
        """Send a TestRequest, and return the number of seconds until the venue's Heartbeat arrived.

        Raises:
            ClientTimeoutError: the Heartbeat did not arrive within `timeout` seconds.
            NotConnectedError: the client is not, or no longer, logged on.
            SendFailedError: the store failed.
        """
        shared = self._shared
        with shared.lock:
            if self._core.changing:
                shared.raise_interrupted(NotConnectedError)
            test_req_id = shared.change(self._core.test_request)
        seconds = shared.wait(partial(self._round_trip, test_req_id), timeout, NotConnectedError)
        if seconds is None:
            raise answer_timeout(timeout)
        return seconds

    def confirm(self, event: ClientEvent) -> None:
        """Confirm an event that you have taken, and all events taken before it, so that they are not
        delivered again after a crash.

        Needed only with the option `explicit_confirm`, with which several events may be in progress. Has no
        effect on events that are already confirmed, or on connection events.

        Raises:
            SessionClosedError: an interrupt has ended the client.
        """
        shared = self._shared
        with shared.lock:
            if self._core.changing:
                shared.raise_interrupted(SessionClosedError)
            shared.change(self._core.confirm, event)

    def stop_reconnecting(self) -> None:
        """Keep the current connection, but make no other. A pending attempt is cancelled."""
        self._change(self._core.stop_reconnecting)

    def logout(self, text: str | None = None) -> SessionEnded | None:
        """Log out, wait for the venue's answer and close the connection; leaving the context does this.

        Events that are still in the queue can be taken afterwards. Returns the SessionEnded; None if there
        was no session.

        Raises:
            ClientTimeoutError: the connection could not be closed in time.
        """
        try:
            self._change(self._core.logout, text)
            closed = self._join(self._logout_timeout())
        except BaseException:
            # The wait was interrupted: end at once, without another wait.
            self._change(self._core.abort, "interrupted")
            raise
        # Inside a context, `__exit__` closes the store, because it knows whether the user's code has raised.
        if not self._entered:
            self._close(clean=True)
        if not closed:
            raise close_timeout("it closes when this process ends")
        return self.ended

    def _change(self, method: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a method that changes the core, unless an interrupt has ended it, and wake all waiting
        calls.
        """
        shared = self._shared
        with shared.lock:
            if not self._core.changing:
                shared.change(method, *args, **kwargs)
            shared.notify()
            shared.wake()

    def _join(self, timeout: float) -> bool:
        """Wait until the connection is closed and the I/O thread has ended; return False if this takes longer
        than `timeout`.
        """
        return self._thread is None or self._thread.join(timeout)

    def _close(self, *, clean: bool) -> None:
        """Close the store and the wire log; raise StoreError if the last confirmation could not be
        written.
        """
        with self._shared.store_lock:
            self._release(clean=clean)

    def _release(self, *, clean: bool) -> None:
        """Close as `_close` does; the caller must hold `store_lock`."""
        shared, core = self._shared, self._core
        with shared.lock:
            # In a forked child, the store's file belongs to the parent, which continues to use it.
            if shared.forked:
                return
            clean = clean and not core.changing
        try:
            with shared.lock:
                core.confirm_handled(clean=clean)
        finally:
            # Called without the lock, because this waits for the store's thread. That thread needs the lock
            # to report a commit before it writes the next one.
            core.release(clean=clean)


_factories = Factories(Client)
order_entry: OrderEntryFactory[Client] = _factories.order_entry
drop_copy: ClientFactory[Client] = _factories.drop_copy
market_data: ClientFactory[Client] = _factories.market_data
post_trade: ClientFactory[Client] = _factories.post_trade
rfq: ClientFactory[Client] = _factories.rfq
