"""The client, and the functions that make one; the package says how it behaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from kalshi_fix_adapters.blocking.background import BackgroundThread
from kalshi_fix_adapters.blocking.driver import Driver
from kalshi_fix_adapters.config.factories import ClientFactory, Factories, OrderEntryFactory
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.pacing import Turn
from kalshi_fix_adapters.engine.user import (
    ClientBase,
    Ended,
    no_answer,
    no_event,
    no_room,
    no_tokens,
    not_closed,
)
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import SessionEnded

P = ParamSpec("P")
T = TypeVar("T")


class Client(ClientBase):
    """A client of one session type, as a context manager: it logs on when entered and out when left.

    It is left with a Logout whatever happens inside; an exception of your own goes on after it. In between
    it connects again by itself (`reconnect`). Once it is over it may be entered again.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        driver = Driver(plan)
        super().__init__(driver.core, lambda: driver.lock)
        self._plan = plan
        self._driver = driver
        self._thread: BackgroundThread | None = None
        self._entered = False

    def open(self) -> Self:
        """Connect and log on; entering the context does this. Without one, call `logout` in the end.

        Raises:
            ConnectionFailedError: or one of its kinds: no connection, or TLS failed.
            LogonRefusedError: the venue refused the Logon.
            LogonFailedError: the Logon was not answered as it should be.
            StoreError: the store cannot be opened or read.
            LocalProtocolError: the client is open, or the Logon's fields are not allowed.
        """
        thread = BackgroundThread(self._driver)
        try:
            self._start(thread)
            self._driver.wait(self._first_logon, None)
        except BaseException:
            # An interrupt may come anywhere. Nothing was begun here if another thread has the client open.
            if self._thread is thread:
                self._change(self._core.abort, "interrupted")
                thread.call_off()
                self._join(self._plan.timeout)
                self._close(clean=False)
            raise
        return self

    def _start(self, thread: BackgroundThread) -> None:
        driver = self._driver
        with driver.lock:
            if self._thread is not None and self._thread.alive:
                raise LocalProtocolError("the client is open already; use one client for each connection")
            # First: it says that what is found open from here on is this call's, which has to close it.
            self._thread = thread
            driver.open()
            self._core.begin()
            thread.start()

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

        The bytes are handed to the operating system before this returns, unless it takes no more for now. A
        message is never kept for a later connection.

        Args:
            message: what to send.
            header_fields: further attributes of its header, such as `{"poss_resend": True}`.
            allow_unknown_codes: let code values leave that this version does not know, because the venue has
                added them since.
            timeout: seconds to wait while the venue does not read what was sent before, or the client's
                `budget` has no tokens for it.

        Raises:
            InvalidMessageError: it breaks the dialect's rules here; like the others, this means that nothing
                was sent.
            EncodeError: a value has no form in FIX.
            ClientTimeoutError: it could not leave in time.
            NotConnectedError: the client is not logged on, or not any more.
        """
        driver, core = self._driver, self._core
        # The usual case, in one step under the lock: there is room, and no budget.
        with driver.lock:
            if driver.poisoned:
                driver.refuse(NotConnectedError)
            # `congested` says no without output; looking at that first saves nearly every message a call.
            if core.pacing is None and not (core.output and core.congested):
                return driver.change(
                    core.send, message, header_fields, allow_unknown_codes=allow_unknown_codes
                )

        if core.pacing is not None:
            return self._send_in_turn(core.pacing.turn(message), header_fields, allow_unknown_codes, timeout)

        def send_if_there_is_room() -> int | None:
            if core.congested:
                return None
            # A change of its own inside of `wait`, which writes as well: an interrupt must not leave a
            # message that has its number and that nobody writes.
            return driver.change(core.send, message, header_fields, allow_unknown_codes=allow_unknown_codes)

        sent = driver.wait(send_if_there_is_room, timeout, NotConnectedError)
        if sent is None:
            raise no_room()
        return sent

    def _send_in_turn(
        self,
        turn: Turn,
        header_fields: Mapping[str, Any] | None,
        allow_unknown_codes: bool,
        timeout: float | None,
    ) -> int:
        driver, core = self._driver, self._core

        def send_in_turn() -> int | None:
            return driver.change(
                core.send_in_turn, turn, header_fields, allow_unknown_codes=allow_unknown_codes
            )

        # By `with`, so that an interrupt at any point frees the place in line (`pacing.Turn`).
        with turn.held:
            try:
                sent = driver.wait(send_in_turn, timeout, NotConnectedError)
            finally:
                with driver.lock:
                    if turn.waits and not driver.poisoned:
                        driver.change(core.leave_line, turn)
        if sent is None:
            raise no_room() if core.congested else no_tokens()
        return sent

    def receive(self, timeout: float | None = None) -> ClientEvent:
        """Wait for the next event and return it. Asking for it says that you are done with the one before.

        Raises:
            ClientTimeoutError: none came within `timeout` seconds.
            LocalProtocolError: another thread has taken a message and may still be busy with it.
            SessionClosedError: the client is over, and its last event was taken.
        """
        event = self._driver.wait(self._take, timeout)
        if event is None:
            raise no_event(timeout)
        return event

    def events(self, timeout: float | None = None) -> Iterator[ClientEvent]:
        """Iterate over events until the client is over; stop early when none comes for `timeout` seconds.

        Asking for the next one says that you are done with the one before.
        """
        return self._each(self._take_until_over, timeout)

    def messages(self, timeout: float | None = None) -> Iterator[Message]:
        """Iterate over what the venue sends: application messages, and rejects of your own messages.

        Stops when none comes for `timeout` seconds, and after `logout`. `events` tells more, such as
        what a reject answers. What it tells of loss or doubt is raised here; to go on after that, iterate
        again, which says that you have taken care of it.

        Raises:
            SessionInterruptedError: the connection was lost; the client connects again.
            OutcomesUnknownError: nobody knows what became of requests of yours; it names them.
            OrdersUnverifiedError: orders rested when the connection ended, on a session without resend.
            MessagesLostError: messages of the venue will not come.
            MessageRejectedError: a message of the venue could not be accepted.
            GarbledReceivedError: bytes came that are no message.
            SessionClosedError: the client is over for another reason than your logout.
        """
        return self._each(self._next_message, timeout)

    def _each(self, look: Callable[[], T | None], timeout: float | None) -> Iterator[T]:
        while True:
            try:
                found = self._driver.wait(look, timeout)
            except Ended:
                return
            if found is None:
                return
            yield found

    def test_request(self, timeout: float = 10.0) -> float:
        """Ask the venue for a Heartbeat and return the seconds it took.

        Raises:
            ClientTimeoutError: it did not come within `timeout` seconds.
            NotConnectedError: the client is not logged on, or not any more.
        """
        driver = self._driver
        with driver.lock:
            if driver.poisoned:
                driver.refuse(NotConnectedError)
            test_req_id = driver.change(self._core.test_request)
        seconds = driver.wait(partial(self._answer, test_req_id), timeout, NotConnectedError)
        if seconds is None:
            raise no_answer(timeout)
        return seconds

    def stop_reconnecting(self) -> None:
        """Keep the present connection, but make no other; one that is waited for is given up."""
        self._change(self._core.stop_reconnecting)

    def logout(self, text: str | None = None) -> SessionEnded | None:
        """Log out, wait for the venue's answer and close the connection; leaving the context does this.

        Events that are still in the queue can be taken afterwards. Returns how the session ended.

        Raises:
            ClientTimeoutError: the connection could not be closed in time.
        """
        try:
            self._change(self._core.logout, text)
            closed = self._join(self._longest_logout())
        except BaseException:
            # Interrupted while waiting: no second wait.
            self._change(self._core.abort, "interrupted")
            raise
        # Inside of a context that is for `__exit__`, which knows whether the user's code has raised.
        if not self._entered:
            self._close(clean=True)
        if not closed:
            raise not_closed("it ends with this process")
        return self.ended

    def _change(self, act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do something to the core, unless an interrupt has ended it, and let everybody look again."""
        driver = self._driver
        with driver.lock:
            if not driver.poisoned:
                driver.change(act, *args, **kwargs)
            driver.notify()
            driver.wake()

    def _join(self, timeout: float) -> bool:
        """Wait for the connection to be closed and the thread to be over; say whether it is."""
        return self._thread is None or self._thread.join(timeout)

    def _close(self, *, clean: bool) -> None:
        """Let go of store and wire log; say if what was confirmed last could not be written."""
        driver = self._driver
        with driver.lock:
            # In a forked child the store's file is the parent's, which goes on with it.
            if not driver.forked:
                self._core.close(clean=clean and not driver.poisoned)


_factories = Factories(Client)
order_entry: OrderEntryFactory[Client] = _factories.order_entry
drop_copy: ClientFactory[Client] = _factories.drop_copy
market_data: ClientFactory[Client] = _factories.market_data
post_trade: ClientFactory[Client] = _factories.post_trade
rfq: ClientFactory[Client] = _factories.rfq
