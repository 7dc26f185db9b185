"""The background thread of a blocking client: it makes the connections, owns the socket, drives the session.

One lock guards the client's core and the socket. The thread sleeps in `select`; another thread that sends
writes the bytes itself and wakes it only when something is left over or a deadline has moved closer.

Ctrl-C may strike the user's thread anywhere. In the middle of a call it leaves the session or the stream
half changed; that is noticed, and the client ended rather than continued with doubtful numbers.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum
from types import TracebackType
from typing import Any, Literal, TypeVar

from kalshi_fix_adapters._client_core import Attempt, ClientCore
from kalshi_fix_adapters.connection_events import ClientEvent
from kalshi_fix_adapters.dialer import open_socket
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError

_CHUNK = 64 * 1024
_READS_PER_TURN = 8
T = TypeVar("T")


class End(Enum):
    """Nothing more will come."""

    END = "end"


def deadline_after(timeout: float | None) -> float | None:
    """Return the moment `timeout` seconds from now; None stays None."""
    return None if timeout is None else time.monotonic() + timeout


class IoThread:
    """Reads, writes and keeps time for one client until it is over; it can be started again then."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self.core = ClientCore(plan, wake=self._wake)
        self._lock = threading.RLock()
        """Entered as such and not through the condition, whose methods an interrupt can leave with the lock
        still held."""
        self._changed = threading.Condition(self._lock)
        self._interrupted = _Interrupted(self._wake)
        self._wake_receiver, self._wake_sender = _no_sockets()
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._unread = False
        self._read_wants_write = False

    # For the user's threads

    def start(self) -> None:
        """Start anew.

        Raises:
            LocalProtocolError: it runs already.
            StoreError, ConfigurationError: as `ClientCore.begin`.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise LocalProtocolError("the client is open already; use one client for each connection")
            self.core.begin()
            self._interrupted.halfway = False
            self._wake_receiver, self._wake_sender = socket.socketpair()
            self._wake_receiver.setblocking(False)
            self._wake_sender.setblocking(False)
            self._thread = threading.Thread(target=self._run, name="kalshi-fix", daemon=True)
            try:
                self._thread.start()
            except BaseException:
                self.core.abort("interrupted")
                if not self._thread.is_alive():
                    self._close_wakers()
                raise

    def read(self, look: Callable[[ClientCore], T]) -> T:
        """Return what a function reads from the core."""
        with self._lock:
            return look(self.core)

    def wait_logged_on(self) -> None:
        """Wait for the first logon.

        Raises:
            KalshiFixError: why there is none.
        """
        with self._lock:
            self._changed.wait_for(lambda: self.core.logged_on or self.core.over)
            if self.core.logged_on is None:
                raise self.core.error or self._closed_error()

    def send(self, message: Message, header_fields: Mapping[str, Any] | None, deadline: float | None) -> int:
        """Send a message, after waiting for room if the venue reads too slowly; return its MsgSeqNum."""
        with self._lock:
            while self.core.congested:
                if not self._wait(deadline):
                    raise ClientTimeoutError(
                        "the venue has not read what was sent before, so nothing was sent; try again later, "
                        "or allow more time"
                    )
            self._refuse_if_interrupted(NotConnectedError)
            with self._interrupted:
                number = self.core.send(message, header_fields)
                self._write()
            if self.core.output:
                self._wake()
            return number

    def take(self, deadline: float | None) -> ClientEvent | Literal[End.END] | None:
        """Return the next event; None if there is none by the deadline.

        Raises:
            SessionClosedError: the client ended by a failure of its own, or an interrupt.
        """
        with self._lock:
            while True:
                self._refuse_if_interrupted(SessionClosedError)
                with self._interrupted:
                    event = self.core.take()
                if event is not None:
                    return event
                if self.core.over:
                    return End.END
                if not self._wait(deadline):
                    return None

    def test_request(self, deadline: float | None) -> float | None:
        """Ask the venue for a Heartbeat; return the seconds it took, or None if none came by the deadline."""
        with self._lock:
            self._refuse_if_interrupted(NotConnectedError)
            with self._interrupted:
                test_req_id = self.core.test_request()
                self._write()
            self._wake()
            while (seconds := self.core.round_trip(test_req_id)) is None:
                if not self.core.is_logged_on:
                    raise self._closed_error(NotConnectedError)
                if not self._wait(deadline):
                    return None
            return seconds

    def change(self, act: Callable[[ClientCore], object]) -> None:
        """Let a function do something to the core, unless an interrupt has ended it."""
        with self._lock:
            if not self._interrupted.halfway:
                with self._interrupted:
                    act(self.core)
            self._changed.notify_all()
            self._wake()

    def close(self, *, clean: bool) -> None:
        """Let go of store and wire log.

        Raises:
            StoreError: what was confirmed last could not be written, and will come again.
        """
        with self._lock:
            self.core.close(clean=clean and not self._interrupted.halfway)

    def join(self, timeout: float) -> bool:
        """Wait for the thread to have closed the connection; say whether it has."""
        thread = self._thread
        if thread is None or thread.ident is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _closed_error(self, kind: type[SessionClosedError] = SessionClosedError) -> SessionClosedError:
        self._refuse_if_interrupted(kind)
        return self.core.closed_error(kind)

    def _refuse_if_interrupted(self, kind: type[SessionClosedError]) -> None:
        if self._interrupted.halfway:
            raise kind(
                "a call was interrupted halfway, so the connection was dropped; reconcile what was sent last"
            )

    def _wait(self, deadline: float | None) -> bool:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return False
        self._changed.wait(left)
        return True

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full or closed: then it is awake or gone
            self._wake_sender.send(b"\0")

    # In the thread

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_receiver, selectors.EVENT_READ)
                while self._go_on():
                    with self._lock:
                        attempt = self.core.next_attempt()
                        timeout = self.core.timeout()
                    if attempt is None:
                        self._sleep(selector, timeout)
                    else:
                        self._connect(attempt, selector)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the user's thread
            with self._lock:
                self.core.failure(error)
        finally:
            with self._lock:
                self._close_wakers()
                self._changed.notify_all()

    def _close_wakers(self) -> None:
        self._wake_receiver.close()
        self._wake_sender.close()

    def _go_on(self) -> bool:
        with self._lock:
            if self._interrupted.halfway:
                self.core.failure(SessionClosedError("interrupted"))
            return not self.core.over

    def _sleep(self, selector: selectors.BaseSelector, timeout: float | None) -> set[object]:
        ready: set[object] = {key.fileobj for key, _ in selector.select(timeout)}
        if self._wake_receiver in ready:
            self._wake_receiver.recv(_CHUNK)
        return ready

    def _connect(self, attempt: Attempt, selector: selectors.BaseSelector) -> None:
        endpoint = attempt.endpoint
        try:
            connected = open_socket(
                endpoint.host,
                endpoint.port,
                attempt.security,
                attempt.timeout,
                on_tcp=self.core.tcp_connected,
            )
        except KalshiFixError as error:
            with self._lock:
                self.core.connect_failed(error)
                self._changed.notify_all()
            return
        try:
            connected.setblocking(False)
            with self._lock:
                self._socket = connected
                self._unread = self._read_wants_write = False
                self.core.connected()
            while self._turn(connected, selector):
                pass
        finally:
            _watch(selector, connected, 0)
            with self._lock:
                self._socket = None
            _hang_up(connected)
        with self._lock:
            if not self._interrupted.halfway:
                self.core.disconnected()
            self._changed.notify_all()

    def _turn(self, connected: socket.socket, selector: selectors.BaseSelector) -> bool:
        """Do all that can be done now, then sleep until there is more. Returns False at the end."""
        core = self.core
        with self._lock:
            if self._interrupted.halfway:
                return False
            if self._unread:
                self._read(connected)
            core.tick()
            self._write()
            self._changed.notify_all()
            if core.finished:
                return False
            timeout = 0.0 if self._unread and core.wants_read else core.timeout()
            interest = selectors.EVENT_READ if core.wants_read else 0
            if core.output or self._read_wants_write:
                interest |= selectors.EVENT_WRITE
        _watch(selector, connected, interest)
        if connected in self._sleep(selector, timeout):
            with self._lock:
                if not self._interrupted.halfway:
                    self._read(connected)
        return True

    def _read(self, connected: socket.socket) -> None:
        for _ in range(_READS_PER_TURN):
            self._unread = True
            if not self.core.wants_read:
                return
            self._read_wants_write = False
            try:
                data = connected.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._unread = False
                return
            except ssl.SSLWantWriteError:
                self._unread, self._read_wants_write = False, True
                return
            except OSError:
                data = b""
            self.core.receive(data)
            self._changed.notify_all()
        # More may be waiting inside the TLS layer, where select does not see it.

    def _write(self) -> None:
        while self._socket is not None and self.core.output:
            try:
                size = self._socket.send(self.core.output[:_CHUNK])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                # What the venue said before it went may still be there to be read; the end of file follows.
                self.core.write_failed()
                return
            self.core.wrote(size)
            self._changed.notify_all()


class _Interrupted:
    """A context for changes that must be whole; it notes when one was cut off by Ctrl-C or the like."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.halfway = False
        """Whether one is under way, or was cut off."""
        self._wake = wake

    def __enter__(self) -> None:
        self.halfway = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception):
            self.halfway = False
        else:
            self._wake()


def _no_sockets() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair()
    for end in pair:
        end.close()
    return pair


def _watch(selector: selectors.BaseSelector, connected: socket.socket, interest: int) -> None:
    watched = connected in selector.get_map()
    if interest and watched:
        selector.modify(connected, interest)
    elif interest:
        selector.register(connected, interest)
    elif watched:
        selector.unregister(connected)


def _hang_up(connected: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        if isinstance(connected, ssl.SSLSocket):
            connected.unwrap()  # says goodbye, and does not wait for the answer
    connected.close()
