"""The venue on TLS sockets. It holds no rule of the protocol.

Use it in a running event loop (`async with VenueServer(...)`) or, from code without one, in a thread of
its own (`with VenueServer(...)`).
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
from kalshi_fix_venue.driver import ClientProtocol, Driver
from kalshi_fix_venue.exchange import Command
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.identities import ServerIdentity
from kalshi_fix_venue.operations.base import Answer, Operation
from kalshi_fix_venue.venue import VenueModel

Port = tuple[str, str]
"""Product and session type."""
ANY_PORT = 0
MOST_TURNS = 100
"""Turns of the event loop, at the most, that `execute` and `inspect` wait for what clients have written."""
TLS_TIMEOUT = 10.0
"""Seconds that a client may take to shake hands at the beginning and at the end."""
T = TypeVar("T")


def all_ports() -> tuple[Port, ...]:
    """Return every session type of every product that has it."""
    return tuple(
        (product, session_type.name)
        for session_type in SESSION_TYPES.values()
        for product in session_type.products
    )


class VenueServer:
    """A `VenueModel` that listens on one TLS port per product and session type.

    It can be stopped and started again: what is traded is kept, and so are the ports.
    """

    def __init__(
        self,
        config: VenueConfig,
        identity: ServerIdentity | ssl.SSLContext | None,
        *,
        host: str = "127.0.0.1",
        ports: Mapping[Port, int] | None = None,
        random: Random | None = None,
        make: Callable[[VenueConfig, Random], VenueModel] = VenueModel,
    ) -> None:
        """Prepare a server; nothing listens yet.

        `identity` is what the server shows (or a context that is set up already; None needs empty `ports`,
        and clients that `connect`), `ports` are the ones
        to listen on (default: every session type, each on a free port; `ANY_PORT` picks a free
        one), `random` draws the ids of orders and trades, `make` opens the venue (`InputLog.venue` opens one
        that is logged).
        """
        self.host = host
        self._requested_ports = dict.fromkeys(all_ports(), ANY_PORT) if ports is None else dict(ports)
        self._context = identity.ssl_context() if isinstance(identity, ServerIdentity) else identity
        self._config = config
        self._make = make
        self._venue = make(config, SystemRandom() if random is None else random)
        self._driver: Driver | None = None
        self._ahead = 0.0
        """Seconds that were skipped before the server was stopped."""
        self._listeners: list[asyncio.Server] = []
        self._joining: set[asyncio.Task[None]] = set()
        """Connections from this process that are being made; the loop has only weak references to them."""
        self._bound: dict[Port, int] = {}
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        """What another thread waits for. It is kept here because the loop has only a weak reference to it."""

    def port(self, product: str, session_type: str) -> int:
        """Return the TCP port of a session type, once the server listens.

        Raises:
            KeyError: it does not listen for this one.
        """
        return self._bound[product, session_type]

    def connect(self, product: str, session_type: str) -> socket.socket:
        """Return one end of a connection that needs no port and no TLS; from any thread of this process.

        Raises:
            ConnectionRefusedError: the server does not run, or there is no such session type.
        """
        driver = self._driver
        if driver is None or (product, session_type) not in all_ports():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        ours, theirs = socket.socketpair()
        try:
            driver.loop.call_soon_threadsafe(self._join, driver, theirs, product, session_type)
        except RuntimeError:  # the loop has been closed in this moment
            ours.close()
            theirs.close()
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)) from None
        return ours

    def _join(self, driver: Driver, end: socket.socket, product: str, session_type: str) -> None:
        # The server may have been stopped, or started again with another driver, since `connect` asked for
        # it.
        if self._driver is not driver:
            end.close()
            return
        end.setblocking(False)
        connection = ClientProtocol(driver, product, session_type)
        task = driver.loop.create_task(_carry(driver.loop, connection, end))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    # In the current event loop

    async def start(self) -> None:
        """Begin to listen in the running event loop.

        Raises:
            OSError: a port cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._driver = Driver(self._venue, loop, ahead=self._ahead)
        # Before anybody can connect: what rests from the beginning is in the books by then.
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
                # A port that the system has picked is asked for again when the server is started again.
                self._requested_ports[key] = self._bound[key] = listener.sockets[0].getsockname()[1]
            self._driver.flush()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._bound.clear()
        # First, so that no more connect from this process.
        driver, self._driver = self._driver, None
        # Those that are half made become connections, which the driver then cuts like all others.
        if self._joining:
            await asyncio.wait(self._joining)
        if driver is not None:
            self._ahead = driver.ahead
            await driver.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.stop()

    # In a thread of its own

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
        loop = self._running().loop
        try:
            self._call(loop, self.stop)
        finally:
            self._end_thread(loop)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Be away for the time of a block, as for a restart. For a server in a thread of its own."""
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
        """Run a function in the thread's loop and wait for it. Its coroutine is made there, so that an
        interrupt of this thread leaves none behind."""
        result: Future[T] = Future()

        async def perform() -> None:
            try:
                result.set_result(await function())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
                result.set_exception(error)

        def begin() -> None:
            self._task = loop.create_task(perform())

        loop.call_soon_threadsafe(begin)
        return result.result()

    # The operator

    def execute(self, product: str, command: Command) -> Sequence[Outcome]:
        """Do something at a product's exchange, such as a pause.

        From any thread if the server has one of its own, else from the event loop it runs in.

        Raises:
            ValueError: a SetMarketState that cannot be.
            RuntimeError: the server does not run.
        """
        return self.run(lambda venue, now: venue.execute(product, command, now))

    def reset(self, random: Random) -> None:
        """Put a new venue of the same configuration in the place of this one: nothing is traded, nobody is
        logged on. Every connection is cut; ports, keys and the thread stay. Callable from where `execute` is.

        Raises:
            RuntimeError: the server does not run.
        """
        driver = self._running()

        def replace() -> None:
            self._venue = self._make(self._config, random)
            self._venue.begin(driver.now())
            driver.replace(self._venue)

        self._between_steps(replace)

    def perform(self, operation: Operation) -> Answer:
        """Do what an operator asks for by name; callable from where `execute` is.

        Raises:
            ConfigurationError: it cannot be done to this venue.
            RuntimeError: the server does not run.
        """
        return self.run(lambda venue, now: venue.perform(operation, now))

    def skip(self, seconds: float) -> None:
        """Let seconds pass at once for the venue; callable from where `execute` is.

        Its clocks are ahead of the clients' from then on, until `reset`: their SendingTimes are off by as
        much, and silent for as long they seem to be.

        Raises:
            RuntimeError: the server does not run.
        """
        driver = self._running()
        self._between_steps(lambda: driver.skip(seconds))

    def inspect(self, look: Callable[[VenueModel], T]) -> T:
        """Return what a function reads from the venue; callable from where `execute` is.

        Raises:
            RuntimeError: the server does not run.
        """
        return self.run(lambda venue, _: look(venue))

    def run(self, act: Callable[[VenueModel, Instant], T]) -> T:
        """Let a function do several things to the venue at once; callable from where `execute` is.

        What clients in this process have written before is taken first.

        Raises:
            RuntimeError: the server does not run.
        """
        driver = self._running()
        return self._between_steps(lambda: act(self._venue, driver.now()))

    def _between_steps(self, step: Callable[[], T]) -> T:
        driver = self._running()

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

    def _running(self) -> Driver:
        if self._driver is None:
            raise RuntimeError("the venue server is not running; start it first")
        return self._driver


async def _carry(loop: asyncio.AbstractEventLoop, connection: ClientProtocol, end: socket.socket) -> None:
    await loop.create_connection(lambda: connection, sock=end)


async def _catch_up(driver: Driver) -> None:
    """Let what clients have written before be read first, so that who asks then finds its effect."""
    for _ in range(MOST_TURNS):
        seen = driver.moved
        # Twice: the first turn may have looked at the sockets before they had written.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if driver.moved == seen:
            return


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        # Somebody who was interrupted while waiting has left work undone.
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
    finally:
        loop.close()
