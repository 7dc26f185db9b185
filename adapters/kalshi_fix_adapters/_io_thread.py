"""The background thread of a blocking client: it owns the socket and drives the session.

One lock guards the session, the socket and the event queue. The thread sleeps in `select`; another
thread that sends writes the bytes itself and wakes it only when something is left over or a deadline has
moved closer.

Ctrl-C may strike the user's thread anywhere. In the middle of a send it leaves the session or the stream
half changed; that is noticed, and the connection dropped rather than continued with doubtful numbers.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from kalshi_fix_adapters._pump import Pump
from kalshi_fix_adapters.errors import ClientTimeoutError, SessionClosedError
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.events import Event, LoggedOn, SessionEnded

_CHUNK = 64 * 1024
_READS_PER_TURN = 8
_LINGER = 2.0
"""Seconds that the last bytes of an ended session may take to leave."""


def deadline_after(timeout: float | None) -> float | None:
    """Return the moment `timeout` seconds from now; None stays None."""
    return None if timeout is None else time.monotonic() + timeout


class IoThread:
    """Reads, writes and keeps time for one session until it ends."""

    def __init__(self, connected: socket.socket, pump: Pump, queue_limit: int) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._pump = pump
        self._queue_limit = queue_limit
        self._queue: deque[Event] = deque()
        self._changed = threading.Condition()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._logged_on: LoggedOn | None = None
        self._ended: SessionEnded | None = None
        self._failure: BaseException | None = None
        self._over = False
        self._half_changed = False
        self._leaving = False
        self._paused = False
        self._unread = False
        self._read_wants_write = False
        self._write_failed = False
        self._close_by: float | None = None
        self._thread = threading.Thread(target=self._run, name="kalshi-fix", daemon=True)

    # For the user's threads

    def start(self) -> None:
        """Begin the Logon handshake."""
        try:
            self._pump.connect()
            self._thread.start()
        except BaseException:
            self._close()
            raise

    @property
    def is_leaving(self) -> bool:
        """Whether this side has asked for the end."""
        return self._leaving

    @property
    def ended(self) -> SessionEnded | None:
        """How the session ended, once it has."""
        return self._ended

    @property
    def is_running(self) -> bool:
        """Whether the thread still lives."""
        return self._thread.is_alive()

    def wait_logged_on(self) -> LoggedOn | None:
        """Wait for the end of the Logon handshake, which has its own deadline; None if it failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._logged_on or self._over)
            return self._logged_on

    def send(self, message: Message, header_fields: Mapping[str, Any] | None, deadline: float | None) -> int:
        """Send a message, after waiting for room if the venue reads too slowly; return its MsgSeqNum."""
        with self._changed:
            while self._pump.congested and self._ended is None:
                if not self._wait(deadline):
                    raise ClientTimeoutError(
                        "the venue has not read what was sent before, so nothing was sent; try again later, "
                        "or allow more time"
                    )
            self.refuse_if_over()
            with self._changing():
                number = self._pump.send(message, header_fields)
                self._write()
            if self._pump.output:
                self._wake()
            return number

    def take(self, deadline: float | None) -> Event | None:
        """Return the next event; None if there is none by the deadline. Raises SessionClosedError at
        the end."""
        with self._changed:
            while not self._queue:
                if self._over:
                    self.refuse_if_over()
                if not self._wait(deadline):
                    return None
            event = self._queue.popleft()
            if self._paused and len(self._queue) <= self._queue_limit // 2:
                self._wake()
            return event

    def log_out(self, text: str | None) -> None:
        """Begin to leave; from now on the queue is not bounded, so that the venue's answer is seen."""
        with self._changed:
            self._leaving = True
            if self._pump.session.is_established:
                with self._changing():
                    self._pump.logout(text)
            self._wake()

    def abort(self, text: str) -> None:
        """End the session at once."""
        with self._changed:
            self._leaving = True
            with self._changing():
                self._pump.abort(text)
                self._deliver()
            self._wake()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to have closed the connection; say whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def refuse_if_over(self) -> None:
        """Raise SessionClosedError if the session is over, saying why."""
        if self._half_changed:
            raise SessionClosedError(
                "a call was interrupted halfway, so the connection was dropped; reconcile what was sent last"
            )
        if self._failure is not None:
            raise SessionClosedError(
                f"the client failed by itself ({type(self._failure).__name__}); please report it"
            ) from self._failure
        if self._ended is not None:
            raise SessionClosedError(
                f"the session is over ({self._ended.text}); open the client again", self._ended
            )

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        self._half_changed = True
        try:
            yield
        except Exception:
            self._half_changed = False
            raise
        except BaseException:
            self._wake()
            raise
        self._half_changed = False

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
                selector.register(self._socket, selectors.EVENT_READ)
                while self._turn(selector):
                    pass
        except BaseException as error:  # noqa: BLE001 - it is raised again in the user's thread
            self._failure = error
        finally:
            with self._changed:
                self._close()
                self._over = True
                self._changed.notify_all()

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """Do all that can be done now, then sleep until there is more. Returns False at the end."""
        with self._changed:
            if self._half_changed:
                return False
            if self._unread:
                self._read()
            self._pump.tick()
            self._write()
            self._deliver()
            if self._finished():
                return False
            timeout = self._timeout()
            interest = self._interest()
        if interest:
            if self._socket.fileno() in selector.get_map():
                selector.modify(self._socket, interest)
            else:
                selector.register(self._socket, interest)
        elif self._socket.fileno() in selector.get_map():
            selector.unregister(self._socket)
        ready = {key.fileobj for key, _ in selector.select(timeout)}
        with self._changed:
            if self._wake_receiver in ready:
                self._wake_receiver.recv(_CHUNK)
            if self._socket in ready and not self._half_changed:
                self._read()
        return True

    def _interest(self) -> int:
        idle = self._paused or self._pump.session.wants_close
        reading = 0 if idle else selectors.EVENT_READ
        writing = selectors.EVENT_WRITE if self._pump.output or self._read_wants_write else 0
        return reading | writing

    def _timeout(self) -> float | None:
        if self._unread and not self._paused and not self._pump.session.wants_close:
            return 0.0
        due = self._pump.timeout()
        if self._close_by is not None:
            left = max(0.0, self._close_by - time.monotonic())
            due = left if due is None else min(due, left)
        return due

    def _finished(self) -> bool:
        if not self._pump.session.wants_close:
            return False
        if self._close_by is None:
            self._close_by = time.monotonic() + _LINGER
        return self._pump.finished or time.monotonic() >= self._close_by

    def _read(self) -> None:
        for _ in range(_READS_PER_TURN):
            self._unread = True
            if self._paused or self._pump.session.wants_close:
                return
            self._read_wants_write = False
            try:
                data = self._socket.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._unread = False
                return
            except ssl.SSLWantWriteError:
                self._unread, self._read_wants_write = False, True
                return
            except OSError:
                data = b""
            self._pump.receive(data)
            self._deliver()
        # More may be waiting inside the TLS layer, where select does not see it.

    def _write(self) -> None:
        while self._pump.output:
            if self._write_failed:
                self._pump.wrote(len(self._pump.output))
                continue
            try:
                size = self._socket.send(self._pump.output[:_CHUNK])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                # What the peer said before it went may still be there to be read; the end of file follows.
                self._write_failed = True
                continue
            self._pump.wrote(size)
            self._changed.notify_all()

    def _deliver(self) -> None:
        for event in self._pump.events():
            if isinstance(event, LoggedOn) and self._logged_on is None:
                self._logged_on = event
            else:
                self._queue.append(event)
            if isinstance(event, SessionEnded):
                self._ended = event
            self._changed.notify_all()
        limit = self._queue_limit // 2 if self._paused else self._queue_limit - 1
        paused = len(self._queue) > limit and not self._leaving
        if paused != self._paused:
            self._paused = paused
            self._pump.pause_reading(paused)
            self._changed.notify_all()

    def _close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.unwrap()  # says goodbye, and does not wait for the answer
        self._socket.close()
        self._wake_receiver.close()
        self._wake_sender.close()
