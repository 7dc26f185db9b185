"""A client on anyio, for asyncio and trio, as developed in docs/write-an-adapter.md.

async with order_entry() as client:
    await client.send(order)
    async for message in client.messages(timeout=5):
        ...
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
from anyio.streams.tls import TLSAttribute, TLSStream

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.loops.adapter import CLOSE_TIMEOUT, AsyncAdapter, Attempt, Factories, Notifier
from kalshi_fix_adapters.loops.async_client import AsyncClient
from kalshi_fix_adapters.net.dial import Dialer, Stage
from kalshi_fix_sansio.errors import KalshiFixError

T = TypeVar("T")


class AnyioNotifier(Notifier):
    """An event that is set once, and then replaced."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify(self) -> None:
        """Wake all current waiters."""
        if self._event.statistics().tasks_waiting:
            self._event.set()
            self._event = anyio.Event()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until notified, for at most `seconds`."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
            return True
        return False


class AnyioAdapter(AsyncAdapter):
    """Makes the connections of a client, in a task group that the client's context owns."""

    notifier = AnyioNotifier
    current_task = staticmethod(anyio.get_current_task)
    connection_errors = (anyio.EndOfStream, anyio.BrokenResourceError, OSError)

    async def before_call(self) -> None:
        """Raise a pending cancellation before a user's call."""
        await anyio.lowlevel.checkpoint_if_cancelled()

    async def after_call(self) -> None:
        """Let other tasks run after a user's call that succeeded without waiting."""
        await anyio.lowlevel.cancel_shielded_checkpoint()

    def __init__(self, plan: ConnectionPlan) -> None:
        self._token: anyio.lowlevel.EventLoopToken | None = None
        self._finished = anyio.Event()
        self._finished.set()
        self._dialling: anyio.CancelScope | None = None
        super().__init__(plan)

    async def enter(self) -> None:
        """Open the task group explicitly, because `async with` would wrap exceptions in an ExceptionGroup."""
        self._tasks = await anyio.create_task_group().__aenter__()

    async def exit(self) -> None:
        """Close the task group, in which all tasks have ended."""
        await self._tasks.__aexit__(None, None, None)

    def give_up(self) -> None:
        """Cancel the connection attempt."""
        if self._dialling is not None:
            self._dialling.cancel()

    async def start(self) -> None:
        """Start the task that makes the connections."""
        self.capture_loop()
        self._finished = anyio.Event()
        self._tasks.start_soon(self._run_shielded)

    async def finish(self) -> None:
        """Wait for the task; the session's deadlines limit how long it takes."""
        with anyio.CancelScope(shield=True):
            await self._finished.wait()

    def capture_loop(self) -> None:
        """Remember the running loop."""
        self._token = anyio.lowlevel.current_token()

    def schedule_committed(self) -> None:
        """Make the loop call `committed`; the store calls this in its own thread."""
        if self._token is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                anyio.from_thread.run_sync(self.committed, token=self._token)

    async def wait_shielded(self, ready: Callable[[], T | None]) -> T | None:
        """Wait for the store; a cancellation takes effect afterwards."""
        with anyio.CancelScope(shield=True):
            return await self.wait(ready, None)
        return None  # for type checkers, since a scope may suppress exceptions

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and run it until it ends."""
        stream = await self._dial(attempt)
        try:
            self.core.connected()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.read_with, stream.receive)
                tasks.start_soon(self.write_with, stream.send)
                await self.run_timers()
                tasks.cancel_scope.cancel()
            with anyio.move_on_after(CLOSE_TIMEOUT), contextlib.suppress(*self.connection_errors):
                await stream.aclose()
        finally:
            await anyio.aclose_forcefully(stream)
            self.core.disconnected()

    async def _run_shielded(self) -> None:
        try:
            with anyio.CancelScope(shield=True):  # leaving the context ends the connection, with a Logout
                await self.run()
        finally:
            self._finished.set()

    async def _dial(self, attempt: Attempt) -> anyio.abc.ByteStream:
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        stage = Stage.RESOLVE
        with anyio.move_on_after(attempt.timeout) as self._dialling:
            try:
                addresses = await anyio.getaddrinfo(dialer.host, dialer.port)
            except (OSError, UnicodeError):
                raise dialer.not_resolved() from None
            for info in addresses:
                dialer.check_address(str(info[4][0]))
            stage = Stage.CONNECT
            try:
                tcp = await anyio.connect_tcp(dialer.host, dialer.port)
            except OSError as error:
                raise dialer.not_connected(error.__cause__) from None
            self.core.tcp_connected()
            if dialer.context is None:
                return tcp
            stage = Stage.HANDSHAKE
            try:
                stream = await TLSStream.wrap(tcp, hostname=dialer.server_name, ssl_context=dialer.context)
                dialer.check_certificate(stream.extra_attributes[TLSAttribute.peer_certificate_binary]())
            except self.connection_errors as error:
                await anyio.aclose_forcefully(tcp)
                raise error if isinstance(error, KalshiFixError) else dialer.not_secured(error) from None
            except BaseException:
                await anyio.aclose_forcefully(tcp)
                raise
            return stream
        raise dialer.timed_out(stage)


class Client(AsyncClient):
    """A client of one session type, as an asynchronous context manager."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(AnyioAdapter(plan))


_factories = Factories(Client)
order_entry = _factories.order_entry
drop_copy = _factories.drop_copy
market_data = _factories.market_data
post_trade = _factories.post_trade
rfq = _factories.rfq
