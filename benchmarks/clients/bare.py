"""Our session with as little around it as can be: what is left when no client is, and what a loop costs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from benchmarks import samples
from benchmarks.clients import trace
from benchmarks.clients.drive import Measured, drive, drive_async
from benchmarks.clients.ours import make_order
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from kalshi_fix_sansio.session import Session


class _Bare:
    """A session, and the reports that nobody has taken yet."""

    def __init__(self) -> None:
        trace.watch_session()
        self.session = Session(samples.session_config())
        self.reports: deque[str | None] = deque()
        self.logged_on = False

    def logon(self) -> bytes:
        """Return the bytes to begin with."""
        self.session.connect(self._now())
        return self.session.data_to_send()

    def send(self, values: dict[str, Any]) -> bytes:
        """Return the bytes of an order."""
        self.session.send(make_order(values), self._now())
        return self.session.data_to_send()

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self.session.receive_data(data, self._now())
        for event in self.session.events():
            if isinstance(event, MessageReceived):
                report: Any = event.message
                self.reports.append(report.cl_ord_id)
            elif isinstance(event, LoggedOn):
                self.logged_on = True

    def _now(self) -> Instant:
        return Instant(time.monotonic(), datetime.now(UTC))


def on_socket(port: int, key: str, authority: str | None) -> Measured:
    """The session on a blocking socket."""
    del key
    bare = _Bare()
    with socket.create_connection(("127.0.0.1", port)) as plain, contextlib.ExitStack() as stack:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = plain
        if authority is not None:
            context = ssl.create_default_context(cafile=authority)
            link = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))

        def take() -> str | None:
            while not bare.reports:
                bare.receive(link.recv(65536))
            return bare.reports.popleft()

        link.sendall(bare.logon())
        while not bare.logged_on:
            bare.receive(link.recv(65536))
        return drive(lambda values: link.sendall(bare.send(values)), take)


class _Protocol(asyncio.Protocol):
    def __init__(self, bare: _Bare) -> None:
        self.bare = bare
        self.waiting: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.bare.receive(data)
        if self.waiting is not None:
            self.waiting.set_result(None)
            self.waiting = None


def on_asyncio(port: int, key: str, authority: str | None) -> Measured:
    """The session as a protocol of asyncio: the least that its loop costs."""
    del key
    assert authority is None

    async def run() -> Measured:
        loop, bare = asyncio.get_running_loop(), _Bare()
        transport, protocol = await loop.create_connection(lambda: _Protocol(bare), "127.0.0.1", port)

        async def more() -> None:
            protocol.waiting = loop.create_future()
            await protocol.waiting

        async def send(values: dict[str, Any]) -> None:
            transport.write(bare.send(values))

        async def take() -> str | None:
            while not bare.reports:
                await more()
            return bare.reports.popleft()

        transport.write(bare.logon())
        while not bare.logged_on:
            await more()
        return await drive_async(send, take)

    return asyncio.run(run())


def on_trio(port: int, key: str, authority: str | None) -> Measured:
    """The session on a stream of trio, in one task: the least that its loop costs."""
    import trio

    del key
    assert authority is None

    async def run() -> Measured:
        bare, stream = _Bare(), await trio.open_tcp_stream("127.0.0.1", port)

        async def send(values: dict[str, Any]) -> None:
            await stream.send_all(bare.send(values))

        async def take() -> str | None:
            while not bare.reports:
                bare.receive(await stream.receive_some(65536))
            return bare.reports.popleft()

        await stream.send_all(bare.logon())
        while not bare.logged_on:
            bare.receive(await stream.receive_some(65536))
        return await drive_async(send, take)

    return trio.run(run)


ENGINES = {
    "bare session": on_socket,
    "bare session, asyncio": on_asyncio,
    "bare session, trio": on_trio,
}
