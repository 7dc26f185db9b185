"""The client, and the functions that create one; the package docstring describes its behaviour."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kalshi_fix_adapters.asyncio.notifier import LoopNotifier
from kalshi_fix_adapters.asyncio.protocol import ClientProtocol
from kalshi_fix_adapters.config.factories import ClientFactory, OrderEntryFactory
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.loops.adapter import AsyncAdapter, Attempt, Factories
from kalshi_fix_adapters.loops.async_client import AsyncClient
from kalshi_fix_adapters.net.dial import AddressInfo, Dialer, dial

TIME_SLICE = 0.005
"""Seconds after which a task yields to other tasks even if none of its calls waits. This is short compared
with any heartbeat interval, and long compared with the 3 µs of a loop iteration.
"""


T = TypeVar("T")


class _Adapter(AsyncAdapter):
    """Makes the connections in a background task."""

    notifier = LoopNotifier
    current_task = staticmethod(asyncio.current_task)
    users: LoopNotifier
    changes: LoopNotifier

    def __init__(self, plan: ConnectionPlan) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop in which the client was opened."""
        self._task: asyncio.Task[None] | None = None
        """The task of `run`."""
        self._dial_timeout: asyncio.Timeout | None = None
        """The timeout of the current connection attempt."""
        self._protocol: ClientProtocol | None = None
        """The established connection; None if there is none."""
        self._has_iterated = True
        """Whether the loop has run an iteration since the last call to `before_call`."""
        super().__init__(plan)

    @staticmethod
    def has_ended(task: asyncio.Task[Any]) -> bool:
        """Return whether a task has ended."""
        return task.done()

    def wake(self) -> None:
        """Wake all waiting calls and tasks."""
        super().wake()
        if self._protocol is not None:
            # Not called directly, because the core calls `wake` in the middle of a change, and `step` calls
            # the core.
            asyncio.get_running_loop().call_soon(self._protocol.step)

    def capture_loop(self) -> None:
        """Store the running loop."""
        self._loop = asyncio.get_running_loop()

    def schedule_committed(self) -> None:
        """Schedule a call to `committed` in the loop, from any thread."""
        if self._loop is not None:
            # The loop may have been closed in the meantime.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.committed)

    def committed(self) -> None:
        """Write the messages that have become durable in the store."""
        if self._protocol is not None:
            self._protocol.step(self.core.store_changed)
        else:
            super().committed()

    async def wait_shielded(self, ready: Callable[[], T | None]) -> T | None:
        """Wait as `wait` does, without a timeout; a cancellation is raised by a later `await` of the task."""
        cancelled = False
        try:
            while True:
                try:
                    return await self.wait(ready, None)
                except asyncio.CancelledError:
                    cancelled = True
        finally:
            task = asyncio.current_task()
            if cancelled and task is not None:
                # Cancel later, unless the cancellation has been withdrawn by then (`uncancel`), as at the end
                # of `asyncio.timeout`.
                asyncio.get_running_loop().call_soon(_cancel_again, task)

    def give_up(self) -> None:
        """Cancel the connection attempt."""
        # Rescheduling an expired timeout would raise.
        if self._dial_timeout is not None and not self._dial_timeout.expired():
            self._dial_timeout.reschedule(0)

    def flush(self) -> None:
        """Write a sent message."""
        if self._protocol is not None:
            self._protocol.flush()

    async def before_call(self) -> None:
        """Yield to other tasks, and to a cancellation, if the loop has run no iteration since the last call
        to this method. Callers skip this method for `TIME_SLICE` after each call to it.

        Otherwise return at once, because an iteration of the loop costs as much as reading a small message,
        and would process received data before the user's message is sent.
        """
        self.before_call_due = time.monotonic() + TIME_SLICE
        if not self._has_iterated:
            await asyncio.sleep(0)
        else:
            self._has_iterated = False
            asyncio.get_running_loop().call_soon(self._record_iteration)

    def _record_iteration(self) -> None:
        self._has_iterated = True

    async def start(self) -> None:
        """Start the task."""
        self._reset_waits()
        self.capture_loop()
        self._task = asyncio.create_task(self.run(), name="kalshi-fix")

    async def finish(self) -> None:
        """Wait until the task has ended. If this call is cancelled, end the task at once."""
        task, self._task = self._task, None
        cancelled: asyncio.CancelledError | None = None
        while task is not None and not task.done():
            try:
                # `await task` would pass a cancellation on to the task, before `abort` below.
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
                self.core.abort("interrupted")
                task.cancel()
        self._reset_waits()
        if cancelled is not None:
            raise cancelled

    def _reset_waits(self) -> None:
        # A pending timer would keep this object alive until the timer fires. It would also belong to the
        # wrong loop if the client is opened again in another one.
        self.users.close()
        self.changes.close()
        self.before_call_due, self._has_iterated = 0.0, True

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and serve it until it has ended."""
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
            # After `record_failure`, the core has ended and has no connection to close.
            if not self.core.over:
                self.core.disconnected()

    async def _dial(self, attempt: Attempt) -> ClientProtocol:
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        try:
            async with asyncio.timeout(attempt.timeout) as self._dial_timeout:
                protocol = await dial(dialer, self, self.core.tcp_connected)
        except TimeoutError:
            raise dialer.timed_out() from None
        finally:
            self._dial_timeout = None
        return protocol

    # The steps of `dial`

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """Return the addresses of a host."""
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def connect_socket(self, raw: socket.socket, address: Any, seconds: float) -> None:
        """Connect a socket to an address."""
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(raw, address)

    async def secure(self, raw: socket.socket, dialer: Dialer) -> ClientProtocol:
        """Set up the protocol on a connected socket."""
        protocol = ClientProtocol(self.core, self.users)
        await protocol.connect(raw, dialer)
        return protocol


class Client(AsyncClient):
    """A client of one session type, as an async context manager that logs on when entered and logs out when
    exited.

    While open, it reconnects automatically (option `reconnect`). It may be entered again after it has ended.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(_Adapter(plan))


def _cancel_again(task: asyncio.Task[Any]) -> None:
    if task.cancelling() and not task.done():
        task.uncancel()
        task.cancel()


_factories = Factories(Client)
order_entry: OrderEntryFactory[Client] = _factories.order_entry
drop_copy: ClientFactory[Client] = _factories.drop_copy
market_data: ClientFactory[Client] = _factories.market_data
post_trade: ClientFactory[Client] = _factories.post_trade
rfq: ClientFactory[Client] = _factories.rfq
