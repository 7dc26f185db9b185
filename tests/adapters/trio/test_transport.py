"""The transport to which the trio client writes without waiting, with and without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from kalshi_fix_adapters.trio.transport import TlsTransport, Transport
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.net.peers import Handler, keep_silent, listening
from tests.adapters.net.tls_cases import HOST, TRUST, VALID_IDENTITY

BIG = bytes(range(256)) * 4_000
Use = Callable[[Any], Awaitable[None]]
pytestmark = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


def run(secure: bool, handler: Handler, use: Use) -> None:
    """Connect to a peer, and use the connection."""

    async def main(port: int) -> None:
        raw = socket.create_connection((HOST, port))
        # A small kernel buffer, so writing has to stop.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        raw.setblocking(False)
        transport = TlsTransport(raw, TRUST.context(), HOST) if secure else Transport(raw)
        try:
            with trio.fail_after(TIMEOUT):
                if isinstance(transport, TlsTransport):
                    assert await transport.do_handshake()
                await use(transport)
        finally:
            transport.abort()

    server = VALID_IDENTITY.ssl_context() if secure else None
    with listening(handler, server) as port:
        trio.run(main, port)


async def write_all(transport: Transport, data: bytes) -> int:
    """Write the data as the client does; return the number of waits."""
    waits = 0
    while data or transport.full:
        if transport.full:
            waits += 1
            await transport.writable()
        else:
            data = data[transport.write(data[:65536]) :]
    return waits


def test_all_bytes_are_sent_however_often_the_socket_is_full(secure: bool) -> None:
    may_read = threading.Event()
    received = bytearray()

    def read_late(connection: socket.socket) -> None:
        assert may_read.wait(TIMEOUT)
        while len(received) < len(BIG):
            received.extend(connection.recv(4096))
        connection.sendall(b"thanks")
        keep_silent(connection)

    async def use(transport: Transport) -> None:
        data = BIG
        while not transport.full:
            data = data[transport.write(data[:65536]) :]
        may_read.set()
        assert await write_all(transport, data)
        text = b""
        while text != b"thanks":
            await transport.readable()
            text += transport.read()
        assert not transport.ended

    run(secure, read_late, use)
    assert received == BIG


def test_bytes_sent_before_the_end_of_the_stream_are_read(secure: bool) -> None:
    def send_and_close(connection: socket.socket) -> None:
        connection.sendall(BIG)
        with contextlib.suppress(OSError):
            # Over TLS only the end of the stream is announced; the socket stays open.
            connection.unwrap() if isinstance(connection, ssl.SSLSocket) else None

    async def use(transport: Transport) -> None:
        received = bytearray()
        # No byte is read twice.
        while not transport.ended:
            await transport.readable()
            received += transport.read()
        assert received == BIG
        assert transport.read() == b""
        with contextlib.suppress(OSError):
            await transport.close_notify()

    run(secure, send_and_close, use)


def test_reading_without_data_returns_no_bytes(secure: bool) -> None:
    async def use(transport: Transport) -> None:
        assert transport.read() == b""
        assert not transport.ended

    run(secure, keep_silent, use)


def test_a_reset_connection_counts_as_ended(secure: bool) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    async def use(transport: Transport) -> None:
        while not transport.ended:
            await transport.readable()
            assert transport.read() == b""
        with pytest.raises(OSError):  # noqa: PT011 - the subclass depends on the system
            await write_all(transport, BIG)

    run(secure, reset, use)


def test_a_close_notify_is_answered(secure: bool) -> None:
    received = []

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"welcome")
        received.append(connection.recv(10))
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()

    async def use(transport: Transport) -> None:
        text = b""
        while text != b"welcome":
            await transport.readable()
            text += transport.read()
        await transport.close_notify()

    run(secure, answer, use)
    assert received == [b""]
