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

import contextlib
import math
from socket import SOCK_STREAM

import trio
from trio.lowlevel import enable_ki_protection

from kalshi_fix_adapters.async_adapter import GOODBYE, AsyncAdapter, Attempt, Factories
from kalshi_fix_adapters.async_client import AsyncClient
from kalshi_fix_adapters.dialer import Dialer, Stage
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_sansio.errors import LocalProtocolError

_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class _Io(AsyncAdapter):
    """Makes the connections in a task of the context's nursery."""

    broken = (trio.BrokenResourceError, OSError)

    def __init__(self, plan: ConnectionPlan) -> None:
        self._bell = trio.Event()
        """Set once, when there is something to look at; a new one takes its place."""
        self._nursery: trio.Nursery | None = None
        self._running = trio.CancelScope()
        self._finished = trio.Event()
        self._finished.set()
        self._dialling: trio.CancelScope | None = None
        super().__init__(plan)

    async def enter(self) -> None:
        """Open the nursery; by hand, because `async with` would wrap what is raised inside."""
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()

    async def exit(self) -> None:
        """Close the nursery, in which nothing runs any more."""
        self._nursery = None
        await self._manager.__aexit__(None, None, None)

    def wake(self) -> None:
        """Let everything that waits look again."""
        self._bell.set()
        self._bell = trio.Event()
        if self._dialling is not None and self.core.leaving:
            self._dialling.cancel()

    async def rest(self, seconds: float | None) -> bool:
        """Wait for the next `wake`, at most so long; say whether it came."""
        with trio.move_on_after(math.inf if seconds is None else seconds):
            await self._bell.wait()
            return True
        return False

    async def checkpoint(self, *, urgent: bool = False) -> None:
        """Be one, as trio wants of everything that is awaited."""
        del urgent
        await trio.lowlevel.checkpoint()

    async def start(self) -> None:
        """Start the task that moves the bytes."""
        if self._nursery is None:
            raise LocalProtocolError("a trio client has its tasks in a nursery; enter it by async with")
        self._running = trio.CancelScope(shield=True)
        self._finished = trio.Event()
        self._nursery.start_soon(self._shielded, name="kalshi-fix")

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

    async def _shielded(self) -> None:
        # Leaving the context ends this, with a Logout; a cancellation from outside arrives there.
        try:
            with self._running:
                await self.run()
        finally:
            self._finished.set()

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and keep it until it is over."""
        stream = await self._dial(attempt)
        self.core.connected()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.read_by, stream.receive_some)
                nursery.start_soon(self.write_by, stream.send_all)
                await self.keep_time()
                nursery.cancel_scope.cancel()
            with trio.move_on_after(GOODBYE), contextlib.suppress(*self.broken):
                await stream.aclose()
        finally:
            try:
                await trio.aclose_forcefully(stream)
            finally:
                self.core.disconnected()

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

# Ctrl-C may not strike in the middle of a change.
for _method in (
    *(
        AsyncClient.__aenter__,
        AsyncClient.__aexit__,
        AsyncClient.send,
        AsyncClient.logout,
        AsyncClient.test_request,
    ),
    *(_Io.run, _Io.wait, _Io.read_by, _Io.write_by, _Io.keep_time),
):
    enable_ki_protection(_method)
