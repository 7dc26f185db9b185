"""The client, and the functions that make one; the package says how it behaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self

from kalshi_fix_adapters.blocking.background import BackgroundThread
from kalshi_fix_adapters.blocking.driver import Driver
from kalshi_fix_adapters.config.factories import Factories
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError, StoreError
from kalshi_fix_sansio.events import LoggedOn, SessionEnded
from kalshi_fix_sansio.outcomes import OpenRequest

_SLACK = 5.0
"""Seconds beyond the deadlines of the session that closing may take: last bytes, end of TLS."""

P = ParamSpec("P")


class _End(Enum):
    """Nothing more will come."""

    END = "end"


_Taken = ClientEvent | Literal[_End.END] | None


def _deadline_after(timeout: float | None) -> float | None:
    """Return the moment `timeout` seconds from now; None stays None."""
    return None if timeout is None else time.monotonic() + timeout


class Client:
    """A client of one session type, as a context manager: it logs on when entered and out when left.

    It is left with a Logout whatever happens inside; an exception of your own goes on after it. In between
    it connects again by itself (`reconnect`). Once it is over it may be entered again.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        self._plan = plan
        self._driver = Driver(plan)
        self._core = self._driver.core
        self._thread: BackgroundThread | None = None
        self._entered = False

    def __repr__(self) -> str:
        return f"<Client {self._core}>"

    @property
    def logged_on(self) -> LoggedOn | None:
        """The venue's last Logon and what was agreed; None before the first."""
        with self._driver.lock:
            return self._core.logged_on

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The requests that were sent and have no answer yet, oldest first: orders, cancels, quotes.

        On a session type with resend they stay through reconnects. What OutcomesUnknown has named is not
        among them. Empty once the client is closed.
        """
        with self._driver.lock:
            return self._core.open_requests

    @property
    def ended(self) -> SessionEnded | None:
        """How the last session ended, once the client is over; None before."""
        with self._driver.lock:
            return self._core.ended

    @property
    def is_logged_on(self) -> bool:
        """Whether something can be sent now."""
        with self._driver.lock:
            return self._core.is_logged_on

    def open(self) -> Self:
        """Connect and log on; entering the context does this. Without one, call `logout` in the end.

        Raises:
            ConnectionFailedError: or one of its kinds: no connection, or TLS failed.
            LogonRefusedError: the venue refused the Logon.
            LogonFailedError: the Logon was not answered as it should be.
            StoreError: the store cannot be opened or read.
            LocalProtocolError: the client is open, or the Logon's fields are not allowed.
        """
        self._start()
        try:
            self._wait_logged_on()
        except BaseException:
            self._change(self._core.abort, "interrupted")
            self._join(self._plan.timeout)
            self._close(clean=False)
            raise
        return self

    def _start(self) -> None:
        driver = self._driver
        with driver.lock:
            if self._thread is not None and self._thread.alive:
                raise LocalProtocolError("the client is open already; use one client for each connection")
            self._core.begin()
            driver.open()
            self._thread = thread = BackgroundThread(driver)
            try:
                thread.start()
            except BaseException:
                self._core.abort("interrupted")
                if not thread.alive:
                    driver.close()
                raise

    def _wait_logged_on(self) -> None:
        driver, core = self._driver, self._core

        def look() -> bool | None:
            driver.refuse_if_interrupted(SessionClosedError)
            return core.logged_on is not None or core.over or None

        driver.wait(look, None)
        with driver.lock:
            if core.logged_on is None:
                raise core.error or core.closed_error()

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
            timeout: seconds to wait while the venue does not read what was sent before.

        Raises:
            InvalidMessageError: it breaks the dialect's rules here; EncodeError for a value without FIX
            form. ClientTimeoutError: the venue has not read in time. NotConnectedError: the client is not
            logged on. Nothing was sent, whichever of them it is.
        """
        driver, core = self._driver, self._core
        deadline = None
        while True:
            with driver.lock:
                if driver.poisoned:  # looked at here as well: that saves each message a call
                    driver.refuse_if_interrupted(NotConnectedError)
                if not core.congested:
                    number = driver.change(
                        driver.write,
                        core.send,
                        message,
                        header_fields,
                        allow_unknown_codes=allow_unknown_codes,
                    )
                    driver.rouse()
                    return number
            deadline = _deadline_after(timeout) if deadline is None else deadline
            if driver.wait(lambda: driver.poisoned or not core.congested or None, deadline) is None:
                raise ClientTimeoutError(
                    "the venue has not read what was sent before, so nothing was sent; try again later, "
                    "or allow more time"
                )

    def receive(self, timeout: float | None = None) -> ClientEvent:
        """Wait for the next event and return it. Asking for it says that you are done with the one before.

        Raises:
            ClientTimeoutError: none came within `timeout` seconds.
            LocalProtocolError: another thread has taken a message and may still be busy with it.
            SessionClosedError: the client is over, and its last event was taken.
        """
        event: _Taken = self._driver.wait(self._take, _deadline_after(timeout))
        if event is None:
            raise ClientTimeoutError(
                f"nothing came within {timeout:g} s; wait longer, or check what was sent"
            )
        if event is _End.END:
            raise self._closed_error()
        return event

    def _take(self) -> _Taken:
        """Return the next event; called under the lock."""
        driver, core = self._driver, self._core
        if driver.poisoned:
            driver.refuse_if_interrupted(SessionClosedError)
        event = driver.change(None, core.take)
        if event is None and core.over:
            return _End.END
        return event

    def _closed_error(self) -> SessionClosedError:
        with self._driver.lock:
            return self._core.closed_error()

    def events(self, timeout: float | None = None) -> Iterator[ClientEvent]:
        """Iterate over events until the client is over; stop early when none comes for `timeout` seconds.

        Asking for the next one says that you are done with the one before.
        """
        while True:
            event: _Taken = self._driver.wait(self._take, _deadline_after(timeout))
            if event is None or event is _End.END:
                return
            yield event

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
        core = self._core
        deadline = _deadline_after(timeout)
        while True:
            event: _Taken = self._driver.wait(self._take, deadline)
            if event is None or (event is _End.END and core.ended_as_wanted):
                return
            if event is _End.END:
                raise self._closed_error()
            message = core.message_of(event)
            if message is not None:
                yield message
                deadline = _deadline_after(timeout)

    def test_request(self, timeout: float = 10.0) -> float:
        """Ask the venue for a Heartbeat and return the seconds it took.

        Raises:
            ClientTimeoutError: it did not come within `timeout` seconds.
            NotConnectedError: the client is not logged on, or not any more.
        """
        driver, core = self._driver, self._core
        deadline = _deadline_after(timeout)
        with driver.lock:
            driver.refuse_if_interrupted(NotConnectedError)
            test_req_id = driver.change(driver.write, core.test_request)
            driver.rouse()

        def look() -> float | None:
            seconds = core.round_trip(test_req_id)
            if seconds is None:
                driver.refuse_if_interrupted(NotConnectedError)
                if not core.is_logged_on:
                    raise core.closed_error(NotConnectedError)
            return seconds

        seconds = driver.wait(look, deadline)
        if seconds is None:
            raise ClientTimeoutError(f"no Heartbeat answered within {timeout:g} s; the venue may be gone")
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
            # The session has its own deadline for the answer, equal to the plan's; some more for the bytes.
            closed = self._join(self._plan.timeout + _SLACK)
        except BaseException:
            # Interrupted while waiting: no second wait.
            self._change(self._core.abort, "interrupted")
            raise
        if not self._entered:
            self._close(clean=True)
        if not closed:
            raise ClientTimeoutError("the connection could not be closed in time; it ends with this process")
        return self.ended

    def _change(self, act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do something to the core, unless an interrupt has ended it, and let everybody look again."""
        driver = self._driver
        with driver.lock:
            if not driver.poisoned:
                driver.change(driver.write, act, *args, **kwargs)
            driver.tell()
            driver.wake()

    def _join(self, timeout: float) -> bool:
        """Wait for the connection to be closed and the thread to be over; say whether it is."""
        return self._thread is None or self._thread.join(timeout)

    def _close(self, *, clean: bool) -> None:
        """Let go of store and wire log; say if what was confirmed last could not be written."""
        driver = self._driver
        try:
            with driver.lock:
                # In a forked child the store is the parent's, too.
                if not driver.forked:
                    self._core.close(clean=clean and not driver.poisoned)
        except StoreError:
            if clean:
                raise


_factories = Factories(Client)
order_entry = _factories.order_entry
drop_copy = _factories.drop_copy
market_data = _factories.market_data
post_trade = _factories.post_trade
rfq = _factories.rfq
