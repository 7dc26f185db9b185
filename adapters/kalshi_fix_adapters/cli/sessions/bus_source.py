"""Reads the events of a market data session from the bus instead of from a client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from kalshi_fix_adapters.cli.kit.bus_server import Server
from kalshi_fix_adapters.cli.sessions.live import BusConnected
from kalshi_fix_adapters.errors import ClientTimeoutError, ConnectionFailedError
from kalshi_fix_adapters.events import ClientEvent, ConnectFailed
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.trading import BookUpdate, OrderBooks

if TYPE_CHECKING:
    from kalshi_fix_adapters.bus_nats import Bus, Events

RETRY_SECONDS: float = 0.25
"""Seconds between attempts to reconnect to NATS."""


class BusSource:
    """Reads the events of a channel, and applies them to its books. The event loop runs only during
    `receive`.

    Attributes:
        books: The books of the channel.
        updates: The changes that the last event made to the books.
        is_current: Whether all events that were stored at the start have been applied.
    """

    def __init__(self, server: Server, channel: str, seconds: float) -> None:
        """Store the settings; `seconds` is the maximum time to connect to NATS."""
        self._server, self._channel, self._seconds = server, channel, seconds
        self._runner, self._stack = asyncio.Runner(), AsyncExitStack()
        self._is_connected = False
        self.books: OrderBooks = OrderBooks()
        self.updates: Sequence[BookUpdate] = ()
        self.is_current: bool = False

    def __enter__(self) -> Self:
        self._runner.__enter__()
        try:
            self._bus, self._events = self._runner.run(self._connect())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def receive(self, timeout: float | None = None) -> ClientEvent | BusConnected:
        """Return the next event. A new connection to NATS is returned as `BusConnected`, and a lost one as
        `ConnectFailed`. A `timeout` of None waits 0.1 seconds.

        Raises:
            ClientTimeoutError: no event was received in time.
        """
        self.updates = ()
        return self._runner.run(self._receive(0.1 if timeout is None else timeout))

    async def _connect(self) -> tuple[Bus, Events]:
        bus = await self._stack.enter_async_context(self._server.connect(self._seconds))
        try:
            return bus, bus.events(self._channel, machine=self.books)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    async def _receive(self, seconds: float) -> ClientEvent | BusConnected:
        if self._bus.is_connected != self._is_connected:
            self._is_connected = not self._is_connected
            if self._is_connected:
                return BusConnected()
            return ConnectFailed(ConnectionFailedError(f"no connection to {self._server}"), RETRY_SECONDS)
        if not await self._events.wait(seconds):
            self.is_current = self._bus.is_connected
            raise ClientTimeoutError("no event")
        event: ClientEvent = self._events.take()
        self.updates = self._events.updates
        return event
