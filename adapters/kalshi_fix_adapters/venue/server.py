"""The venue on TLS sockets: bytes in, bytes out, one timer. It holds no rule of the protocol.

Use it in a running event loop (`async with VenueServer(...)`) or, from code without one, in a thread of
its own (`with VenueServer(...)`).
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random, SystemRandom
from types import TracebackType
from typing import Self, TypeVar, cast

from kalshi_fix_adapters.venue.config import VenueConfig
from kalshi_fix_adapters.venue.exchange import Command
from kalshi_fix_adapters.venue.exchange.outcomes import Outcome
from kalshi_fix_adapters.venue.identities import ServerIdentity
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio import SESSION_TYPES
from kalshi_fix_sansio.clock import Instant

Port = tuple[str, str]
"""Product and session type."""
ANY_PORT = 0
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
    """A `Venue` that listens on one TLS port per product and session type."""

    def __init__(
        self,
        config: VenueConfig,
        identity: ServerIdentity | ssl.SSLContext,
        *,
        host: str = "127.0.0.1",
        ports: Mapping[Port, int] | None = None,
        random: Random | None = None,
    ) -> None:
        """Prepare a server; nothing listens yet.

        `identity` is what the server shows (or a context that is set up already), `ports` are the ones
        to listen on (default: every session type, each on a free port; `ANY_PORT` picks a free
        one), `random` draws the ids of orders and trades.
        """
        self.host = host
        self._wanted = dict.fromkeys(all_ports(), ANY_PORT) if ports is None else dict(ports)
        self._context = identity.ssl_context() if isinstance(identity, ServerIdentity) else identity
        self._venue = Venue(config, SystemRandom() if random is None else random)
        self._listeners: list[asyncio.Server] = []
        self._bound: dict[Port, int] = {}
        self._connections: dict[int, _Connection] = {}
        self._emptied: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def port(self, product: str, session_type: str) -> int:
        """Return the TCP port of a session type, once the server listens.

        Raises:
            KeyError: it does not listen for this one.
        """
        return self._bound[product, session_type]

    # In the current event loop

    async def start(self) -> None:
        """Begin to listen in the running event loop.

        Raises:
            OSError: a port cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        try:
            for key, number in self._wanted.items():
                listener = await self._loop.create_server(
                    partial(_Connection, self, *key),
                    self.host,
                    number,
                    ssl=self._context,
                    ssl_handshake_timeout=TLS_TIMEOUT,
                    ssl_shutdown_timeout=TLS_TIMEOUT,
                )
                self._listeners.append(listener)
                self._bound[key] = listener.sockets[0].getsockname()[1]
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._bound.clear()
        for connection in tuple(self._connections.values()):
            connection.abort()
        if self._connections:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
        self._loop = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # In a thread of its own

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="kalshi-fix venue", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
        except BaseException:
            self._end_thread(loop)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop = self._running_loop()
        try:
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            self._end_thread(loop)

    def _end_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        loop.close()

    # The operator

    def execute(self, product: str, command: Command) -> Sequence[Outcome]:
        """Do something at a product's exchange, such as a pause.

        From any thread if the server has one of its own, else from the event loop it runs in.

        Raises:
            ValueError: a SetMarketState that cannot be.
            RuntimeError: the server does not run.
        """
        return self._between_steps(lambda: self._venue.execute(product, command, self._now()))

    def inspect(self, look: Callable[[Venue], T]) -> T:
        """Return what a function reads from the venue; callable from where `execute` is.

        Raises:
            RuntimeError: the server does not run.
        """
        return self._between_steps(lambda: look(self._venue))

    def _between_steps(self, step: Callable[[], T]) -> T:
        async def perform() -> T:
            return step_and_flush()

        def step_and_flush() -> T:
            try:
                return step()
            finally:
                self._flush()

        loop = self._running_loop()
        if self._thread is None:
            return step_and_flush()
        return asyncio.run_coroutine_threadsafe(perform(), loop).result()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the venue server is not running; start it first")
        return self._loop

    # Bytes and time

    def _now(self) -> Instant:
        return Instant(self._running_loop().time(), datetime.now(UTC))

    def _opened(self, connection: _Connection) -> int:
        number = self._venue.connection_made(connection.product, connection.session_type, self._now())
        self._connections[number] = connection
        self._flush()
        return number

    def _received(self, number: int, data: bytes) -> None:
        self._venue.receive_data(number, data, self._now())
        self._flush()

    def _closed(self, number: int) -> None:
        del self._connections[number]
        self._venue.receive_eof(number, self._now())
        self._flush()
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    def _flush(self) -> None:
        """Write what there is to write, close what is over, set the timer anew."""
        for number in self._venue.connections_with_output():
            connection = self._connections.get(number)
            if connection is not None and connection.may_write:
                connection.write(self._venue.data_to_send(number))
        for number, connection in tuple(self._connections.items()):
            if self._venue.should_close(number):
                connection.close()
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._venue.next_deadline()
        self._timer = None
        if deadline is not None and self._listeners:
            self._timer = self._running_loop().call_at(deadline, self._due)

    def _due(self) -> None:
        self._venue.handle_timer(self._now())
        self._flush()


class _Connection(asyncio.Protocol):
    """One client's transport."""

    def __init__(self, server: VenueServer, product: str, session_type: str) -> None:
        self.product = product
        self.session_type = session_type
        self.may_write = True
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._number = self._server._opened(self)

    def data_received(self, data: bytes) -> None:
        self._server._received(self._number, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 the venue treats all alike
        self._server._closed(self._number)

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True
        self._server._flush()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
