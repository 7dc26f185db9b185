"""The venue on TLS sockets. It contains no protocol rules.

Use it in a running event loop (`async with VenueServer(...)`) or, from code without one, in a background
thread (`with VenueServer(...)`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from random import Random, SystemRandom
from typing import Any, Self, TypeVar

from kalshi_fix_sansio import SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.config import VenueConfig
from kalshi_fix_venue.driver import ClientProtocol, Driver, OnBytes
from kalshi_fix_venue.exchange import Command
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.identities import ServerIdentity
from kalshi_fix_venue.operations.base import Answer, Operation
from kalshi_fix_venue.venue import VenueModel

PortKey = tuple[str, str]
"""Product and session type."""
ANY_PORT = 0
MAX_CATCH_UP_ROUNDS = 100
"""Maximum number of times that a call such as `run` lets the event loop read bytes that clients have
written."""
TLS_TIMEOUT = 10.0
"""Seconds allowed for the TLS handshake and for the TLS shutdown."""
T = TypeVar("T")


def all_ports() -> tuple[PortKey, ...]:
    """Return each product with each of its session types."""
    return tuple(
        (product, session_type.name)
        for session_type in SESSION_TYPES.values()
        for product in session_type.products
    )


class VenueServer:
    """A `VenueModel` that listens on one TLS port per product and session type.

    It can be stopped and started again: the state of the exchange and the ports are kept.
    """

    def __init__(
        self,
        config: VenueConfig,
        identity: ServerIdentity | ssl.SSLContext | None,
        *,
        host: str = "127.0.0.1",
        ports: Mapping[PortKey, int] | None = None,
        random: Random | None = None,
        make_venue: Callable[[VenueConfig, Random], VenueModel] = VenueModel,
    ) -> None:
        """Prepare a server; it does not listen yet.

        Args:
            config: Configuration of the venue.
            identity: Server certificate, or an `ssl.SSLContext`. If None, `ports` must be empty, and clients
                must use `connect`.
            host: Address to listen on.
            ports: Ports to listen on (default: every session type, each on a free port; `ANY_PORT` picks a
                free one).
            random: Source of the ids of orders and trades.
            make_venue: Creates the venue (`InputLog.open_venue` creates one whose inputs are logged).
        """
        self.host = host
        self._requested_ports = dict.fromkeys(all_ports(), ANY_PORT) if ports is None else dict(ports)
        self._context = identity.ssl_context() if isinstance(identity, ServerIdentity) else identity
        self._config = config
        self._make_venue = make_venue
        self._venue = make_venue(config, SystemRandom() if random is None else random)
        self._on_bytes: OnBytes | None = None
        self._driver: Driver | None = None
        self._clock_offset = 0.0
        """Seconds that were skipped before the server was stopped."""
        self._listeners: list[asyncio.Server] = []
        self._attach_tasks: set[asyncio.Task[Any]] = set()
        """Tasks that attach connections from this process; the loop has only weak references to them."""
        self._bound_ports: dict[PortKey, int] = {}
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        """The task that another thread waits for; kept because the loop has only a weak reference to it."""

    def port(self, product: str, session_type: str) -> int:
        """Return the TCP port of a session type, once the server listens.

        Raises:
            KeyError: the server does not listen for this session type.
        """
        return self._bound_ports[product, session_type]

    def connect(self, product: str, session_type: str) -> socket.socket:
        """Return one end of a connection that needs no port and no TLS. Can be called from any thread.

        Raises:
            ConnectionRefusedError: the server is not running, or there is no such session type.
        """
        driver = self._driver
        if driver is None or (product, session_type) not in all_ports():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        ours, theirs = socket.socketpair()
        try:
            driver.loop.call_soon_threadsafe(self._attach_connection, driver, theirs, product, session_type)
        except RuntimeError:  # the loop was closed in the meantime
            ours.close()
            theirs.close()
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)) from None
        return ours

    def _attach_connection(self, driver: Driver, end: socket.socket, product: str, session_type: str) -> None:
        # The server may have been stopped, or restarted with a different driver, since `connect` requested
        # the connection.
        if self._driver is not driver:
            end.close()
            return
        end.setblocking(False)
        protocol = partial(ClientProtocol, driver, product, session_type)
        task = driver.loop.create_task(driver.loop.create_connection(protocol, sock=end))
        self._attach_tasks.add(task)
        task.add_done_callback(self._attach_tasks.discard)

    def watch_bytes(self, on_bytes: OnBytes | None) -> None:
        """Call a function with the bytes of every connection from now on; None ends these calls."""
        self._on_bytes = on_bytes
        if self._driver is not None:
            self._driver.on_bytes = on_bytes

    def use_free_ports(self) -> None:
        """Listen on any free ports, beginning with the next start."""
        self._requested_ports = dict.fromkeys(self._requested_ports, ANY_PORT)

    # In the current event loop

    async def start(self) -> None:
        """Begin to listen in the running event loop.

        Raises:
            OSError: a port cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._driver = Driver(self._venue, loop, clock_offset=self._clock_offset, on_bytes=self._on_bytes)
        # Called before any client can connect, so clients find the initial resting orders in the books.
        self._venue.begin(self._driver.now())
        try:
            for key, number in self._requested_ports.items():
                listener = await loop.create_server(
                    partial(ClientProtocol, self._driver, *key),
                    self.host,
                    number,
                    ssl=self._context,
                    ssl_handshake_timeout=TLS_TIMEOUT,
                    ssl_shutdown_timeout=TLS_TIMEOUT,
                )
                self._listeners.append(listener)
                # A port picked by the system is reused when the server is started again.
                self._requested_ports[key] = self._bound_ports[key] = listener.sockets[0].getsockname()[1]
            self._driver.flush()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening, and drop every connection without a Logout."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._bound_ports.clear()
        # Cleared first, so new connections from this process are refused.
        driver, self._driver = self._driver, None
        # Connections that are being made are completed first; the driver then drops them like all others.
        if self._attach_tasks:
            await asyncio.wait(self._attach_tasks)
        if driver is not None:
            self._clock_offset = driver.clock_offset
            await driver.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.stop()

    # In a background thread

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(loop,), name="kalshi-fix venue", daemon=True)
        self._thread.start()
        try:
            self._call(loop, self.start)
        except BaseException:
            self._end_thread(loop)
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        loop = self._running_driver().loop
        try:
            self._call(loop, self.stop)
        finally:
            self._end_thread(loop)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Stop the server for the duration of a block, as for a restart. The server must run in a background
        thread."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def _end_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _call(self, loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a function in the thread's loop and wait for it. The coroutine is created in that thread, so an
        interrupt of the calling thread never leaves the coroutine unawaited."""
        result: Future[T] = Future()

        async def perform() -> None:
            try:
                result.set_result(await function())
            except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
                result.set_exception(error)

        def begin() -> None:
            self._task = loop.create_task(perform())

        loop.call_soon_threadsafe(begin)
        return result.result()

    # The operator

    def execute(self, product: str, command: Command) -> Sequence[Outcome]:
        """Execute a command on a product's exchange, such as a pause.

        Can be called from any thread if the server runs in a background thread, otherwise only from its event
        loop.

        Raises:
            ValueError: the command cannot be executed (see `Exchange.apply`).
            RuntimeError: the server is not running.
        """
        return self.run(lambda venue, now: venue.execute(product, command, now))

    def reset(self, random: Random) -> None:
        """Replace the venue with a new one that has the same configuration, no trades and no sessions. Every
        connection is dropped; ports, keys and the thread are kept. Callable from the same threads as
        `execute`.

        Raises:
            RuntimeError: the server is not running.
        """
        driver = self._running_driver()

        def replace() -> None:
            self._venue = self._make_venue(self._config, random)
            self._venue.begin(driver.now())
            driver.replace(self._venue)

        self._run_and_flush(replace)

    def perform(self, operation: Operation) -> Answer:
        """Perform an operation; callable from the same threads as `execute`.

        Raises:
            ConfigurationError: the operation is not possible on this venue.
            RuntimeError: the server is not running.
        """
        return self.run(lambda venue, now: venue.perform(operation, now))

    def skip(self, seconds: float) -> None:
        """Skip seconds of the venue's time; callable from the same threads as `execute`.

        From then on, until `reset`, the venue's clocks are ahead of the clients' clocks. To the venue, the
        clients' SendingTimes appear late by this amount, and the clients appear to have been silent for as
        long.

        Raises:
            RuntimeError: the server is not running.
        """
        driver = self._running_driver()
        self._run_and_flush(lambda: driver.skip(seconds))

    def inspect(self, read: Callable[[VenueModel], T]) -> T:
        """Return the result of a function that reads from the venue; callable from the same threads as
        `execute`.

        Raises:
            RuntimeError: the server is not running.
        """
        return self.run(lambda venue, _: read(venue))

    def run(self, act: Callable[[VenueModel, Instant], T]) -> T:
        """Run a function that may change the venue in several steps, during which its clocks do not advance.
        Callable from the same threads as `execute`.

        If the server runs in a background thread, bytes that clients in this process have written earlier are
        processed first.

        Raises:
            RuntimeError: the server is not running.
        """
        driver = self._running_driver()
        return self._run_and_flush(lambda: act(self._venue, driver.now()))

    def _run_and_flush(self, step: Callable[[], T]) -> T:
        driver = self._running_driver()

        def step_and_flush() -> T:
            try:
                return step()
            finally:
                driver.flush()

        async def perform() -> T:
            await _catch_up(driver)
            return step_and_flush()

        if self._thread is None:
            return step_and_flush()
        return self._call(driver.loop, perform)

    def _running_driver(self) -> Driver:
        if self._driver is None:
            raise RuntimeError("the venue server is not running; start it first")
        return self._driver


async def _catch_up(driver: Driver) -> None:
    """Read the bytes that clients have already written, so the caller sees their effect."""
    for _ in range(MAX_CATCH_UP_ROUNDS):
        previous_count = driver.input_count
        # Twice: the first iteration of the loop may have polled the sockets before the clients wrote.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if driver.input_count == previous_count:
            return


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        # An interrupted wait leaves unfinished tasks.
        unfinished = asyncio.all_tasks(loop)
        for task in unfinished:
            task.cancel()
        if unfinished:
            loop.run_until_complete(asyncio.wait(unfinished))
    finally:
        loop.close()
