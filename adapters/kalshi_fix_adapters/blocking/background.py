"""The background thread of a blocking client: it makes connections, and has the driver keep them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kalshi_fix_adapters.blocking.driver import Driver
from kalshi_fix_adapters.engine.attempts import Attempt
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_sansio.errors import KalshiFixError

if TYPE_CHECKING:
    from kalshi_fix_adapters.net.dial import AddressInfo


class BackgroundThread:
    """Runs from the first attempt to connect until the client is over."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._thread = threading.Thread(target=self._run, name="kalshi-fix", daemon=True)
        self._runs = False
        """Whether `_run` has begun, which then closes the driver."""
        self._called_off = False
        """Whether `call_off` has closed the driver, so that `_run` must not begin."""

    def start(self) -> None:
        """Start; once."""
        self._thread.start()

    def call_off(self) -> None:
        """Close what it has not begun to use; it will not, even if the system starts it only now."""
        with self._driver.lock:
            if not self._runs:
                self._called_off = True
                self._driver.close()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to have closed the connection; say whether it has."""
        # `Thread.join` raises for a thread that an interrupt has kept from being started.
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        driver = self._driver
        with driver.lock:
            if self._called_off:
                return
            self._runs = True
        # BaseException, because without this thread no call of a user would ever return.
        try:
            while (attempt := self._next_attempt()) is not None:
                self._connect(attempt)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the user's calls
            with driver.lock:
                driver.core.failure(error)
        finally:
            with driver.lock:
                driver.close()

    def _next_attempt(self) -> Attempt | None:
        """Wait for the moment to connect; None at the end."""
        driver = self._driver
        core = driver.core
        while True:
            with driver.lock:
                # An interrupt has left the core half changed; its numbers are in doubt, so there is no next
                # connection.
                if driver.poisoned:
                    core.failure(SessionClosedError("interrupted"))
                if core.over:
                    return None
                attempt = core.next_attempt()
                seconds = core.timeout()
                driver.notify()
            if attempt is not None:
                return attempt
            driver.background_sleeper.sleep(seconds)

    def _connect(self, attempt: Attempt) -> None:
        # Imported here: they need TLS, which takes long to import, and a client may never connect.
        from kalshi_fix_adapters.blocking.transport import Transport
        from kalshi_fix_adapters.net.dial import open_socket

        driver = self._driver
        core, endpoint = driver.core, attempt.endpoint
        try:
            connected = open_socket(
                endpoint.host,
                endpoint.port,
                attempt.security,
                attempt.timeout,
                on_tcp=core.tcp_connected,
                waiting=_WaitsWhileWanted(driver),
            )
        except _NotWantedError:
            with driver.lock:
                core.connect_failed(SessionClosedError("the client was left"))
            return
        except KalshiFixError as error:
            with driver.lock:
                core.connect_failed(error)
            return
        driver.keep(Transport(connected))


class _NotWantedError(Exception):
    """A connection that is being made is not wanted any more."""


class _WaitsWhileWanted:
    """Waits while a connection is made, but no longer than the client is wanted: leaving it, Ctrl-C among the
    ways to do so, wakes the thread."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def resolve(self, host: str, port: int, seconds: float) -> Sequence[AddressInfo]:
        """Return the addresses of a host; none if that has taken longer."""
        with contextlib.suppress(socket.gaierror):
            # An address needs no other thread.
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        results: list[Sequence[AddressInfo] | BaseException] = []
        sleeper = self._driver.background_sleeper

        def resolve() -> None:
            try:
                results.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                results.append(error)
            sleeper.wake()

        # Nothing can interrupt the system while it resolves a name, so a thread is left to it.
        threading.Thread(target=resolve, name="kalshi-fix-resolver", daemon=True).start()
        end = time.monotonic() + seconds
        # A wake-up that comes before the sleep is not lost: it stands in the sleeper's socket.
        while not results:
            self._look()
            left = end - time.monotonic()
            if left <= 0:
                return []
            sleeper.sleep(left)
        (found,) = results
        if isinstance(found, BaseException):
            raise found
        return found

    def until_ready(self, raw: socket.socket, interest: int, seconds: float) -> None:
        """Wait until a socket can be read or written."""
        sleeper = self._driver.background_sleeper
        number = raw.fileno()
        self._look()
        sleeper.watch(number, interest)
        try:
            sleeper.sleep(seconds)
        finally:
            sleeper.watch(number, 0)
        self._look()

    def _look(self) -> None:
        driver = self._driver
        # Under the lock: what is poisoned for a moment in another thread was not cut off.
        with driver.lock:
            if driver.core.leaving or driver.poisoned:
                raise _NotWantedError
