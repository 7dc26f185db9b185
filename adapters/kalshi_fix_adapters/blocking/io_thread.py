"""The thread of a blocking client: it connects, reads, writes unsent bytes, runs timers and closes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kalshi_fix_adapters.blocking.shared_core import SharedCore
from kalshi_fix_adapters.engine.attempts import Attempt
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.net.sleeper import READY, WOKEN
from kalshi_fix_sansio.errors import KalshiFixError

if TYPE_CHECKING:
    from kalshi_fix_adapters.blocking.transport import Transport
    from kalshi_fix_adapters.net.dial import AddressInfo


class IoThread:
    """Runs from the first attempt to connect until the client has ended."""

    def __init__(self, shared: SharedCore) -> None:
        self._shared = shared
        self._thread = threading.Thread(target=self._run, name="kalshi-fix", daemon=True)
        self._has_begun = False
        """Whether `_run` has begun; `_run` closes the shared core at its end."""
        self._is_cancelled = False
        """Whether `cancel` has closed the shared core, so that `_run` must not begin."""

    def start(self) -> None:
        """Start the thread; may be called only once."""
        self._thread.start()

    def cancel(self) -> None:
        """Prevent the thread from running if it has not begun, and close the shared core in that case."""
        with self._shared.lock:
            if not self._has_begun:
                self._is_cancelled = True
                self._shared.close()

    @property
    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def join(self, timeout: float) -> bool:
        """Wait until the thread has closed the connection and ended; return whether it has."""
        # `Thread.join` raises for a thread that was never started, which an interrupt can cause.
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        shared = self._shared
        with shared.lock:
            if self._is_cancelled:
                return
            self._has_begun = True
        # Every exception is caught: if this thread ended silently, calls that wait for it would never return.
        try:
            while (attempt := self._next_attempt()) is not None:
                self._connect(attempt)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the user's calls
            with shared.lock:
                shared.core.record_failure(error)
        finally:
            with shared.lock:
                shared.close()

    def _next_attempt(self) -> Attempt | None:
        """Wait for the next connection attempt and return it; None at the end."""
        shared = self._shared
        core = shared.core
        while True:
            with shared.lock:
                # `changing` means that an interrupt has left the core inconsistent, with uncertain numbers,
                # so make no further connection.
                if core.changing:
                    core.record_failure(SessionClosedError("interrupted"))
                if core.over:
                    return None
                attempt = core.next_attempt()
                seconds = core.timeout()
                shared.notify()
            if attempt is not None:
                return attempt
            shared.sleeper.sleep(seconds)

    def _connect(self, attempt: Attempt) -> None:
        # Imported here, because TLS is slow to import, and a client may never connect.
        from kalshi_fix_adapters.blocking.transport import Transport
        from kalshi_fix_adapters.net.dial import open_socket

        shared = self._shared
        core, endpoint = shared.core, attempt.endpoint
        try:
            connected = open_socket(
                endpoint.host,
                endpoint.port,
                attempt.security,
                attempt.timeout,
                on_tcp=core.tcp_connected,
                waiting=_CancellableWait(shared),
            )
        except KalshiFixError as error:
            with shared.lock:
                core.connect_failed(error)
            return
        self._run_connection(Transport(connected))

    def _run_connection(self, transport: Transport) -> None:
        """Read and write until the session has ended; then close the connection."""
        shared = self._shared
        core, wake_flags = shared.core, WOKEN
        try:
            with shared.lock:
                shared.attach(transport)
            while True:
                with shared.lock:
                    # `prepare` is called even without work, because it checks whether a user's call is still
                    # reading.
                    has_work = bool(wake_flags) or shared.is_due() or transport.unread
                    if has_work and not shared.run_io(transport, ready=bool(wake_flags & READY)):
                        break
                    seconds = shared.prepare(transport)
                    # After `prepare`, which checks whether calls are waiting.
                    if has_work:
                        shared.notify()
                # Sleep without the lock, so that other threads can send in the meantime.
                wake_flags = shared.sleeper.sleep(seconds)
        finally:
            with shared.lock:
                shared.detach()
            transport.close()
        with shared.lock:
            # After `record_failure` the core has no connection. If `changing` is set, an interrupt has left
            # the core inconsistent, so it must not be used.
            if not core.changing and not core.over:
                core.disconnected()


class _CancellableWait:
    """Waits during a connection attempt. A wait ends early if the user leaves the client, for example with
    Ctrl-C.
    """

    def __init__(self, shared: SharedCore) -> None:
        self._shared = shared

    def resolve(self, host: str, port: int, seconds: float) -> Sequence[AddressInfo]:
        """Return the addresses of a host; an empty sequence if this takes longer than `seconds`."""
        with contextlib.suppress(socket.gaierror):
            # A numeric address is resolved at once, without another thread.
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        results: list[Sequence[AddressInfo] | BaseException] = []
        sleeper = self._shared.sleeper

        def resolve() -> None:
            try:
                results.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                results.append(error)
            sleeper.wake()

        # Name resolution cannot be interrupted, so it runs in a separate thread, which may be abandoned.
        threading.Thread(target=resolve, name="kalshi-fix-resolver", daemon=True).start()
        end = time.monotonic() + seconds
        # A wake-up before the sleep is not lost, because its byte stays in the sleeper's socket.
        while not results:
            self._raise_if_abandoned()
            remaining = end - time.monotonic()
            if remaining <= 0:
                return []
            sleeper.sleep(remaining)
        (result,) = results
        if isinstance(result, BaseException):
            raise result
        return result

    def until_ready(self, raw: socket.socket, interest: int, seconds: float) -> None:
        """Wait until a socket can be read or written, but at most `seconds`."""
        sleeper = self._shared.sleeper
        descriptor = raw.fileno()
        self._raise_if_abandoned()
        sleeper.watch(descriptor, interest)
        try:
            sleeper.sleep(seconds)
        finally:
            sleeper.watch(descriptor, 0)
        self._raise_if_abandoned()

    def _raise_if_abandoned(self) -> None:
        """Raise SessionClosedError if the user has left the client, or an interrupt has left it
        inconsistent.
        """
        shared = self._shared
        # While this thread holds the lock, no change is in progress. So if `changing` is set, an interrupt
        # has left a change incomplete.
        with shared.lock:
            if shared.core.logging_out or shared.core.changing:
                raise SessionClosedError("the client was closed while connecting")
