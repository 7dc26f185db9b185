"""The asyncio protocol on a socket that accepts few bytes at a time, or none, with and without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from kalshi_fix_adapters.asyncio.notifier import LoopNotifier
from kalshi_fix_adapters.asyncio.protocol import ClientProtocol
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.net.dial import Dialer
from kalshi_fix_adapters.net.tls import Plaintext
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.net.peers import Handler, keep_silent, listening
from tests.adapters.net.tls_cases import HOST, TRUST, VALID_IDENTITY

BIG = bytes(range(256)) * 4_000
pytestmark = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


class Core:
    """The part of a client's core that a protocol calls."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.received: list[bytes] = []
        self.heard = asyncio.Event()
        """Set when bytes have been received."""
        self.end_received = asyncio.Event()
        self.failed_writes = 0
        self.wants_read = True
        self.must_close = False

    flush, wrote = ClientCore.flush, ClientCore.wrote
    _connection = None

    def receive(self, data: bytes) -> None:
        self.received.append(data)
        self.heard.set()
        if not data:
            self.must_close, self.wants_read = True, False
            self.end_received.set()

    def write_failed(self) -> None:
        self.failed_writes += 1
        self.output.clear()

    def record_failure(self, error: BaseException) -> None:
        raise error

    def due(self) -> None:
        return None

    def tick(self) -> None:
        pass


class SlowSocket:
    """A socket whose `send` accepts as many bytes as a function returns; None means that it would block."""

    def __init__(self, raw: socket.socket, next_capacity: Callable[[], int | None]) -> None:
        self._raw = raw
        self._next_capacity = next_capacity

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def send(self, data: bytes) -> int:
        capacity = self._next_capacity()
        if capacity is None:
            raise BlockingIOError
        return self._raw.send(data[:capacity])


def run(
    secure: bool,
    handler: Handler,
    use: Callable[[ClientProtocol, Core, socket.socket], Awaitable[None]],
    next_capacity: Callable[[], int | None] | None = None,
) -> None:
    """Connect to a peer, and use the connection."""

    async def main(port: int) -> None:
        core = Core()
        protocol = ClientProtocol(cast("ClientCore", core), LoopNotifier())
        raw = socket.create_connection((HOST, port))
        # The kernel's buffer is small, so it fills up before everything is written.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        raw.setblocking(False)
        try:
            async with asyncio.timeout(TIMEOUT):
                await protocol.connect(raw, Dialer(HOST, port, TRUST if secure else Plaintext(), TIMEOUT))
                if next_capacity is not None:
                    protocol._raw = cast("socket.socket", SlowSocket(raw, next_capacity))
                await use(protocol, core, raw)
                await protocol.close()
        finally:
            protocol.abort()

    server = VALID_IDENTITY.ssl_context() if secure else None
    with listening(handler, server) as port:
        asyncio.run(main(port), debug=True)


@pytest.mark.parametrize("queued", [False, True], ids=["writes at once", "writes queued bytes"])
@pytest.mark.parametrize("reading", [True, False], ids=["reading", "paused"])
def test_bytes_received_before_a_failed_write_are_read(secure: bool, queued: bool, reading: bool) -> None:
    begun, sent = threading.Event(), threading.Event()

    def send_and_close(connection: socket.socket) -> None:
        assert begun.wait(TIMEOUT)
        connection.sendall(BIG[:1000])
        connection.sendall(BIG[1000:3000])
        sent.set()
        keep_silent(connection)
        if isinstance(connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                connection.unwrap()

    async def use(protocol: ClientProtocol, core: Core, raw: socket.socket) -> None:
        core.wants_read = reading
        protocol.begin()
        # Nothing is read meanwhile, because this blocks the event loop.
        begun.set()
        assert sent.wait(TIMEOUT)
        raw.shutdown(socket.SHUT_WR)
        core.output += b"order"
        protocol.flush()
        assert core.received == []
        if not queued:
            assert core.failed_writes == 1
        core.wants_read = True
        protocol.step()
        await core.end_received.wait()
        assert b"".join(core.received) == BIG[:3000]
        assert core.received.count(b"") == 1
        assert core.failed_writes

    run(secure, send_and_close, use, (lambda: None) if queued else None)


@pytest.mark.parametrize(
    "capacities", [(1,), (None,), (None, 1, 5000), (100_000,)], ids=["one", "none", "changing", "all"]
)
def test_bytes_are_sent_in_order_however_few_the_socket_accepts_at_a_time(
    secure: bool, capacities: tuple[int | None]
) -> None:
    may_read = threading.Event()
    found = bytearray()

    def read_late(connection: socket.socket) -> None:
        assert may_read.wait(TIMEOUT)
        while len(found) < len(BIG):
            found.extend(connection.recv(4096))
        connection.sendall(b"thanks")
        keep_silent(connection)

    async def use(protocol: ClientProtocol, core: Core, raw: socket.socket) -> None:
        protocol.begin()
        left = BIG
        while not core.output:
            core.output += left[:3000]
            left = left[3000:]
            protocol.flush()
        assert left
        core.output += left
        may_read.set()
        await core.heard.wait()
        assert core.received == [b"thanks"]
        assert not core.output
        core.must_close, core.wants_read = True, False
        protocol.step()

    run(secure, read_late, use, itertools.cycle(capacities).__next__)
    assert found == BIG


def test_bytes_after_the_handshake_reach_the_core(secure: bool) -> None:
    sent = threading.Event()

    def send_hello(connection: socket.socket) -> None:
        connection.sendall(b"hello")
        sent.set()
        keep_silent(connection)

    async def use(protocol: ClientProtocol, core: Core, raw: socket.socket) -> None:
        assert sent.wait(TIMEOUT)
        for _ in range(5):
            await asyncio.sleep(0)
        assert core.received == []
        protocol.begin()
        await core.heard.wait()
        assert core.received == [b"hello"]

    run(secure, send_hello, use)


def test_a_close_notify_is_answered(secure: bool) -> None:
    heard = []

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"welcome")
        heard.append(connection.recv(10))
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()
            heard.append(b"goodbye")

    async def use(protocol: ClientProtocol, core: Core, raw: socket.socket) -> None:
        protocol.begin()
        await core.heard.wait()
        core.must_close, core.wants_read = True, False
        protocol.step()
        await protocol.finished.wait()

    run(secure, answer, use)
    assert heard == ([b"", b"goodbye"] if secure else [b""])
