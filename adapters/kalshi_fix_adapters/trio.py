"""The trio client.

    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=5):
            ...

Its tasks live in a nursery of the context, so a client belongs to the task that entered it; its methods
may be called from all. Leaving the context logs out and waits for that, shielded, also when your code raises
or is cancelled; what you raised goes on as it was, in no group. The wait has bounds: `timeout` for the
venue's answer, and two seconds each for the last bytes and for the end of TLS.

Events wait for you in a queue of bounded length. When it is full the client stops reading, the venue
notices by TCP, and nothing is lost; heartbeats go on. They need the event loop, so code that computes for
long belongs into a thread (`trio.to_thread`), or use the blocking client.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from socket import SOCK_STREAM
from types import TracebackType
from typing import Self, TypeVar

import trio
from trio.lowlevel import enable_ki_protection

from kalshi_fix_adapters._factories import Factories
from kalshi_fix_adapters.async_client import CHUNK, GOODBYE, AsyncClient, Attempt
from kalshi_fix_adapters.dialer import Dialer, Stage
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError

_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
T = TypeVar("T")


class Client(AsyncClient):
    """A client of one session type, as an asynchronous context manager: it logs on when entered and out when
    left. Once it is over it may be entered again."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._bell = trio.Event()
        """Set once, when there is something to look at; a new one takes its place."""
        self._nursery: trio.Nursery | None = None
        self._running = trio.CancelScope()
        self._finished = trio.Event()
        self._finished.set()
        self._dialling: trio.CancelScope | None = None
        super().__init__(plan)

    @enable_ki_protection
    async def __aenter__(self) -> Self:
        # A nursery entered by hand, because `async with` would wrap what is raised inside.
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        try:
            return await super().__aenter__()
        except BaseException:
            await self._close_nursery()
            raise

    @enable_ki_protection
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            await self._close_nursery()

    async def _close_nursery(self) -> None:
        self._nursery = None
        await self._manager.__aexit__(None, None, None)

    # For AsyncClient

    def wake(self) -> None:
        """Let everything that waits look again."""
        self._bell.set()
        self._bell = trio.Event()
        if self._dialling is not None and self.core.leaving:
            self._dialling.cancel()

    def flush(self) -> None:
        """Let a message that was sent be written."""
        self.wake()

    @enable_ki_protection
    async def wait(
        self,
        ready: Callable[[], T | None],
        timeout: float | None,  # noqa: ASYNC109
        *,
        yields: bool = True,
    ) -> T | None:
        """Wait until `ready` returns something, and return that; see AsyncClient. Always a checkpoint."""
        del yields
        with _limit(timeout):
            await trio.lowlevel.checkpoint()
            while (found := ready()) is None:
                await self._bell.wait()
            return found
        return ready()

    async def start(self) -> None:
        """Start the task that moves the bytes."""
        if self._nursery is None:
            raise LocalProtocolError("a trio client has its tasks in a nursery; enter it by async with")
        self._running = trio.CancelScope(shield=True)
        self._finished = trio.Event()
        self._nursery.start_soon(self._run, name="kalshi-fix")

    async def finish(self) -> None:
        """Wait for that task to have ended; interrupted from the keyboard, end it at once."""
        with trio.CancelScope(shield=True):
            try:
                await self._finished.wait()
            except KeyboardInterrupt:
                self.core.abort("interrupted")
                self._running.cancel()
                await self._finished.wait()
                raise

    # In the nursery

    @enable_ki_protection
    async def _run(self) -> None:
        core = self.core
        try:
            # Leaving the context ends this, with a Logout; a cancellation from outside comes there.
            with self._running:
                while not core.over:
                    await self._turn()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            core.failure(error)
        finally:
            if not core.over:
                core.failure(trio.ClosedResourceError())
            self.wake()
            self._finished.set()

    async def _turn(self) -> None:
        attempt = self.core.next_attempt()
        if attempt is None:
            with _limit(self.core.timeout()):
                await self._bell.wait()
            return
        self.wake()
        try:
            stream = await self._dial(attempt)
        except KalshiFixError as error:
            self.core.connect_failed(error)
        else:
            await self._serve(stream)
        self.wake()

    async def _serve(self, stream: _Stream) -> None:
        core = self.core
        core.connected()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, stream)
                nursery.start_soon(self._write, stream)
                while not core.finished:
                    with _limit(core.timeout()) as limit:
                        await self._bell.wait()
                    if limit.cancelled_caught:
                        core.tick()
                        self.wake()
                nursery.cancel_scope.cancel()
            with trio.move_on_after(GOODBYE):
                await stream.aclose()
        finally:
            await trio.aclose_forcefully(stream)
            core.disconnected()

    @enable_ki_protection
    async def _read(self, stream: _Stream) -> None:
        data = b"-"
        while data:
            if not self.core.wants_read:
                await self._bell.wait()
                continue
            try:
                data = bytes(await stream.receive_some(CHUNK))
            except trio.BrokenResourceError:
                data = b""
            self.core.receive(data)
            self.wake()

    @enable_ki_protection
    async def _write(self, stream: _Stream) -> None:
        while True:
            if not self.core.output:
                await self._bell.wait()
                continue
            chunk = bytes(self.core.output[:CHUNK])
            try:
                await stream.send_all(chunk)
            except trio.BrokenResourceError:
                self.core.write_failed()
            else:
                self.core.wrote(len(chunk))
            self.wake()

    async def _dial(self, attempt: Attempt) -> _Stream:
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        stage = Stage.RESOLVE
        try:
            with trio.move_on_after(attempt.timeout) as self._dialling:
                try:
                    found = await trio.socket.getaddrinfo(dialer.host, dialer.port, type=SOCK_STREAM)
                except (OSError, UnicodeError):
                    raise dialer.not_resolved() from None
                stage = Stage.CONNECT
                stream = await _connect_tcp(dialer, [str(info[4][0]) for info in found], attempt.timeout)
                self.core.tcp_connected()
                stage = Stage.HANDSHAKE
                return await _secure(dialer, stream)
            raise dialer.late(stage)
        finally:
            self._dialling = None


def _limit(seconds: float | None) -> trio.CancelScope:
    return trio.move_on_after(math.inf if seconds is None else max(0.0, seconds))


async def _connect_tcp(dialer: Dialer, addresses: list[str], seconds: float) -> trio.SocketStream:
    failure: OSError | None = None
    for address in addresses:
        dialer.check_address(address)
        try:
            # An address that leads nowhere leaves time for the others.
            with trio.fail_after(seconds / len(addresses)):
                return await trio.open_tcp_stream(address, dialer.port)
        except trio.TooSlowError:
            failure = TimeoutError()
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise dialer.late(Stage.CONNECT)
    raise dialer.not_connected(failure and failure.__cause__) from None


async def _secure(dialer: Dialer, stream: trio.SocketStream) -> _Stream:
    if dialer.context is None:
        return stream
    secured = trio.SSLStream(stream, dialer.context, server_hostname=dialer.server_name)
    try:
        await secured.do_handshake()
        dialer.check_certificate(secured.getpeercert(binary_form=True))
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        raise dialer.not_secured(error) from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secured


_factories = Factories(Client)
order_entry = _factories.order_entry
drop_copy = _factories.drop_copy
market_data = _factories.market_data
post_trade = _factories.post_trade
rfq = _factories.rfq

for _method in (AsyncClient.send, AsyncClient.logout, AsyncClient.test_request):
    enable_ki_protection(_method)
