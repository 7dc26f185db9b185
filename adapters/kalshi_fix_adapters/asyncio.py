"""The asyncio client.

    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=5):
            ...

A task of its own makes the connections; what is read goes from asyncio's transport into the session at once,
and what you send is written before `send` returns, unless the venue reads too slowly. The task belongs to the
context: leaving that logs out and waits for it, also when your code raises or is cancelled. A second
cancellation, while the venue's answer is waited for, drops the connection instead.

Events wait for you in a queue of bounded length. When it is full the client stops reading, the venue
notices by TCP, and nothing is lost; heartbeats go on. They need the event loop, so code that computes for
long belongs into a thread (`asyncio.to_thread`), or use the blocking client.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from kalshi_fix_adapters.async_adapter import CHUNK, GOODBYE, AsyncAdapter, Attempt, Factories
from kalshi_fix_adapters.async_client import AsyncClient
from kalshi_fix_adapters.dialer import Dialer, Stage
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_sansio.errors import KalshiFixError


class _Io(AsyncAdapter):
    """Makes the connections in a task of its own."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._bell = asyncio.Event()
        """Set once, when there is something to look at; a new one takes its place."""
        self._task: asyncio.Task[None] | None = None
        self._dialling: asyncio.Timeout | None = None
        self._link: _Link | None = None
        super().__init__(plan)

    def wake(self) -> None:
        """Let everything that waits look again."""
        self.ring()
        if self._link is not None:
            asyncio.get_running_loop().call_soon(self._link.step)
        if self.core.leaving and self._dialling is not None and not self._dialling.expired():
            self._dialling.reschedule(0)

    def ring(self) -> None:
        """Let everything that waits look again, but the connection."""
        self._bell.set()
        self._bell = asyncio.Event()

    def flush(self) -> None:
        """Write a message that was sent."""
        if self._link is not None:
            self._link.settle()

    async def rest(self, seconds: float | None) -> bool:
        """Wait for the next `wake`, at most so long; say whether it came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
                return True
        return False

    async def checkpoint(self, *, urgent: bool = False) -> None:
        """Let others run, unless there is a message to send: it goes before what waits to be read."""
        if not urgent:
            await asyncio.sleep(0)

    async def start(self) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self.run(), name="kalshi-fix")

    async def finish(self) -> None:
        """Wait for the task to have ended; cancelled, end it at once."""
        task, self._task = self._task, None
        cancelled: asyncio.CancelledError | None = None
        while task is not None and not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
                self.core.abort("interrupted")
                task.cancel()
        if cancelled is not None:
            raise cancelled

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and keep it until it is over."""
        link = _Link(self)
        await self._dial(attempt, link)
        self.core.connected()
        self._link = link
        try:
            link.step()
            await link.finished.wait()
            await link.close()
        finally:
            self._link = None
            link.drop()
            if not self.core.over:
                self.core.disconnected()

    async def _dial(self, attempt: Attempt, link: _Link) -> None:
        loop = asyncio.get_running_loop()
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        stage = Stage.RESOLVE
        try:
            async with asyncio.timeout(attempt.timeout) as self._dialling:
                try:
                    found = await loop.getaddrinfo(dialer.host, dialer.port, type=socket.SOCK_STREAM)
                except (OSError, UnicodeError):
                    raise dialer.not_resolved() from None
                stage = Stage.CONNECT
                raw = await _connect_tcp(dialer, found, attempt.timeout)
                self.core.tcp_connected()
                stage = Stage.HANDSHAKE
                await link.connect(raw, dialer, attempt.timeout)
        except TimeoutError:
            raise dialer.late(stage) from None
        finally:
            self._dialling = None


class _Link(asyncio.Protocol):
    """One connection: carries bytes and time to the core as they come, and writes what it has to say."""

    def __init__(self, io: _Io) -> None:
        self._io = io
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._may_write = True
        self._reads = False
        self._lost = asyncio.Event()
        self.finished = asyncio.Event()
        """Set once the core wants the transport closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, without reading yet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()
        self._transport.set_write_buffer_limits(CHUNK)

    async def connect(self, raw: socket.socket, dialer: Dialer, seconds: float) -> None:
        """Take over a connected socket: TLS handshake and certificate check."""
        loop = asyncio.get_running_loop()
        try:
            if dialer.context is None:
                await loop.create_connection(lambda: self, sock=raw)
            else:
                transport, _ = await loop.create_connection(
                    lambda: self,
                    sock=raw,
                    ssl=dialer.context,
                    server_hostname=dialer.server_name,
                    ssl_handshake_timeout=seconds,
                )
                certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
                dialer.check_certificate(certificate)
        except OSError as error:
            self.drop()
            raise error if isinstance(error, KalshiFixError) else dialer.not_secured(error) from None

    def data_received(self, data: bytes) -> None:
        """Hand bytes on."""
        self.step(self._io.core.receive, data)

    def eof_received(self) -> None:
        """Say that no more come; asyncio closes the transport."""
        self.step(self._io.core.receive, b"")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the session treats all alike
        """Say that it is over."""
        self._lost.set()
        if not self.finished.is_set():
            self.step(self._io.core.receive, b"")

    def pause_writing(self) -> None:
        """Leave what is to be written with the core, which paces the session by it."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on writing."""
        self._may_write = True
        self.step()

    def step(self, act: Callable[..., object] | None = None, *args: object) -> None:
        """Do something to the core and what follows from it, then let the users look."""
        try:
            if act is not None:
                act(*args)
            self.settle()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            self._io.core.failure(error)
            self.finished.set()
        self._io.ring()

    def settle(self) -> None:
        """Write what there is to write, read or not, set the timer anew, and see whether all is over."""
        core, transport = self._io.core, self._transport
        if transport is None or self.finished.is_set():
            return
        if transport.is_closing():
            core.write_failed()
        while core.output and self._may_write:
            chunk = bytes(core.output[:CHUNK])
            transport.write(chunk)
            core.wrote(len(chunk))
        if core.wants_read is not self._reads:
            self._reads = core.wants_read
            (transport.resume_reading if self._reads else transport.pause_reading)()
        self._set_timer(core.timeout())
        if core.finished:
            self.finished.set()

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = None
        if seconds is not None:
            due = asyncio.get_running_loop().call_later(seconds, self.step, self._io.core.tick)
        self._timer = due

    async def close(self) -> None:
        """Write what is left, say goodbye, and wait for that, but not for long."""
        self._set_timer(None)
        if self._transport is not None:
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self._lost.wait()

    def drop(self) -> None:
        """Close at once."""
        self.finished.set()
        self._set_timer(None)
        if self._transport is not None:
            self._transport.abort()


async def _connect_tcp(dialer: Dialer, found: Sequence[Any], seconds: float) -> socket.socket:
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        dialer.check_address(str(address[0]))
        raw = socket.socket(family, kind, protocol)
        try:
            raw.setblocking(False)
            # An address that leads nowhere leaves time for the others.
            async with asyncio.timeout(seconds / len(found)):
                await asyncio.get_running_loop().sock_connect(raw, address)
        except OSError as error:
            raw.close()
            failure = error
        except BaseException:
            raw.close()
            raise
        else:
            return raw
    raise failure if isinstance(failure, TimeoutError) else dialer.not_connected(failure) from None


class Client(AsyncClient):
    """A client of one session type, as an asynchronous context manager: it logs on when entered and out when
    left. In between it connects again by itself (`reconnect`). Once it is over it may be entered again."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(_Io(plan))


_factories = Factories(Client)
order_entry = _factories.order_entry
drop_copy = _factories.drop_copy
market_data = _factories.market_data
post_trade = _factories.post_trade
rfq = _factories.rfq
