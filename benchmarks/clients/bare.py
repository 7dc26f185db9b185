"""Our session with minimal code around it, to measure the lower bound for any client on each event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import Measurements, drive, run_synchronously, to_coroutine
from kalshi_fix_sansio import NewOrderSingle
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from kalshi_fix_sansio.session import Session

_MAX_BYTES = 65536


def _now() -> Instant:
    return Instant(time.monotonic(), datetime.now(UTC))


async def _run_session(
    write: Callable[[bytes], Awaitable[object]], read: Callable[[], Awaitable[bytes]]
) -> Measurements:
    """Log on with a session and measure its round trips; `write` and `read` transfer its bytes."""
    session = Session(samples.session_config())
    reports: deque[str | None] = deque()
    logged_on = False

    async def receive() -> None:
        nonlocal logged_on
        session.receive_data(await read(), _now())
        for event in session.events():
            if isinstance(event, MessageReceived):
                report: Any = event.message
                reports.append(report.cl_ord_id)
            elif isinstance(event, LoggedOn):
                logged_on = True

    async def send(values: dict[str, Any]) -> None:
        session.send(NewOrderSingle(**values), _now())
        await write(session.data_to_send())

    async def take() -> str | None:
        while not reports:
            await receive()
        return reports.popleft()

    session.connect(_now())
    await write(session.data_to_send())
    while not logged_on:
        await receive()
    return await drive(send, take)


def on_socket(port: int, _: str, authority: str | None) -> Measurements:
    """Measure the session on a blocking socket."""
    with socket.create_connection(("127.0.0.1", port)) as plain, contextlib.ExitStack() as stack:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = plain
        if authority is not None:
            context = ssl.create_default_context(cafile=authority)
            link = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
        return run_synchronously(
            _run_session(to_coroutine(link.sendall), to_coroutine(lambda: link.recv(_MAX_BYTES)))
        )


class _Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = bytearray()
        self._waiting: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None

    async def read(self) -> bytes:
        if not self._received:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        data = bytes(self._received)
        self._received.clear()
        return data


def on_asyncio(port: int, _: str, authority: str | None) -> Measurements:
    """Measure the session with an asyncio protocol: the minimum cost of asyncio's loop."""
    assert authority is None

    async def run() -> Measurements:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(_Protocol, "127.0.0.1", port)
        return await _run_session(to_coroutine(transport.write), protocol.read)

    return asyncio.run(run())


def on_trio(port: int, _: str, authority: str | None) -> Measurements:
    """Measure the session on a trio stream, in one task: the minimum cost of trio's loop."""
    import trio

    assert authority is None

    async def run() -> Measurements:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        return await _run_session(stream.send_all, lambda: stream.receive_some(_MAX_BYTES))

    return trio.run(run)


ENGINES = {
    "bare session": on_socket,
    "bare session, asyncio": on_asyncio,
    "bare session, trio": on_trio,
}
