"""The client, and the functions that make one; the package says how it behaves."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any

from kalshi_fix_adapters.asyncio.notifier import LoopNotifier
from kalshi_fix_adapters.asyncio.protocol import ClientProtocol
from kalshi_fix_adapters.config.factories import ClientFactory, OrderEntryFactory
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.loops.adapter import AsyncAdapter, Attempt, Factories
from kalshi_fix_adapters.loops.async_client import AsyncClient
from kalshi_fix_adapters.net.dial import AddressInfo, Dialer, dial

SLICE = 0.005
"""Seconds after which a task that is served without ever waiting lets others run. Short beside any heartbeat,
and long beside the 3 µs of a turn of the loop."""


class _Adapter(AsyncAdapter):
    """Makes the connections in a task of its own."""

    notifier = LoopNotifier
    current_task = staticmethod(asyncio.current_task)
    users: LoopNotifier
    changes: LoopNotifier

    def __init__(self, plan: ConnectionPlan) -> None:
        self._task: asyncio.Task[None] | None = None
        """Runs `run`."""
        self._dialling: asyncio.Timeout | None = None
        """Around the making of a connection."""
        self._protocol: ClientProtocol | None = None
        """The connection, once it is up."""
        self._turned = True
        """Whether the loop has turned since `before` looked last."""
        super().__init__(plan)

    @staticmethod
    def has_ended(task: asyncio.Task[Any]) -> bool:
        """Say whether a task has ended."""
        return task.done()

    def wake(self) -> None:
        """Let everything that waits look again."""
        super().wake()
        if self._protocol is not None:
            # Not at once: the core calls this in the middle of what it does, and `step` calls the core.
            asyncio.get_running_loop().call_soon(self._protocol.step)

    def give_up(self) -> None:
        """End the attempt to connect."""
        # A timeout that is expiring already cannot be set any more; that raises.
        if self._dialling is not None and not self._dialling.expired():
            self._dialling.reschedule(0)

    def flush(self) -> None:
        """Write a message that was sent."""
        if self._protocol is not None:
            self._protocol.flush()

    async def before(self) -> None:
        """Let others run, and be cancelled, if the loop has not turned since this was called last, `SLICE`
        ago or longer.

        Otherwise go on at once: a turn costs as much as reading a small message, and it would read what has
        come before a message to be sent leaves.
        """
        self.before_due = time.monotonic() + SLICE
        if not self._turned:
            await asyncio.sleep(0)
        else:
            self._turned = False
            asyncio.get_running_loop().call_soon(self._note_turn)

    def _note_turn(self) -> None:
        self._turned = True

    async def start(self) -> None:
        """Start the task."""
        self._forget()
        self._task = asyncio.create_task(self.run(), name="kalshi-fix")

    async def finish(self) -> None:
        """Wait for the task to have ended; cancelled, end it at once."""
        task, self._task = self._task, None
        cancelled: asyncio.CancelledError | None = None
        while task is not None and not task.done():
            try:
                # Not `await task`: that passes a cancellation on to the task, before `abort` below has told
                # the core.
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
                self.core.abort("interrupted")
                task.cancel()
        self._forget()
        if cancelled is not None:
            raise cancelled

    def _forget(self) -> None:
        # A timer that is left would keep all of this alive until it fires, and the client may be opened again
        # in another loop, where it would be of no use.
        self.users.close()
        self.changes.close()
        self.before_due, self._turned = 0.0, True

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and keep it until it is over."""
        protocol = await self._dial(attempt)
        try:
            self.core.connected()
            self._protocol = protocol
            protocol.begin()
            await protocol.finished.wait()
            await protocol.close()
        finally:
            self._protocol = None
            protocol.abort()
            # After `failure` the core is over, and has no connection that could be told of.
            if not self.core.over:
                self.core.disconnected()

    async def _dial(self, attempt: Attempt) -> ClientProtocol:
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        try:
            async with asyncio.timeout(attempt.timeout) as self._dialling:
                protocol = await dial(dialer, self, self.core.tcp_connected)
        except TimeoutError:
            raise dialer.late() from None
        finally:
            self._dialling = None
        return protocol

    # The steps of `dial`

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """Return the addresses of a host."""
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def reach(self, raw: socket.socket, address: Any, seconds: float) -> None:
        """Connect a socket to an address."""
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(raw, address)

    async def secure(self, raw: socket.socket, dialer: Dialer) -> ClientProtocol:
        """Take over a connected socket."""
        protocol = ClientProtocol(self.core, self.users)
        await protocol.connect(raw, dialer)
        return protocol


class Client(AsyncClient):
    """A client of one session type, as an asynchronous context manager: it logs on when entered and out when
    left. In between it connects again by itself (`reconnect`). Once it is over it may be entered again."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(_Adapter(plan))


_factories = Factories(Client)
order_entry: OrderEntryFactory[Client] = _factories.order_entry
drop_copy: ClientFactory[Client] = _factories.drop_copy
market_data: ClientFactory[Client] = _factories.market_data
post_trade: ClientFactory[Client] = _factories.post_trade
rfq: ClientFactory[Client] = _factories.rfq
