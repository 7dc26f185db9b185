"""A connection under trio that can be written to without waiting.

Writing to trio's own streams may wait, and a cancelled write leaves the stream unusable. With such a stream,
the client would need a separate task for writing, and two iterations of the scheduler (3 µs each) for each
message.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

import trio

from kalshi_fix_adapters.loops.adapter import CHUNK
from kalshi_fix_adapters.net.tls_buffer import TlsBytes


class Transport:
    """A connected TCP socket. Only one task at a time may call each of its async methods."""

    def __init__(self, raw: socket.socket) -> None:
        """Take over a non-blocking socket."""
        self._raw: Final = raw
        self.ended: bool = False
        """Whether the end of the stream has been read, or reading has failed."""
        self.full: bool = False
        """Whether writing must wait for `writable`."""

    def write(self, data: bytes | bytearray) -> int:
        """Write as many bytes as possible without waiting; return their number, 0 while `full`.

        Raises:
            OSError: the connection is lost.
        """
        if self.full:
            return 0
        try:
            written = self._raw.send(data)
        except (BlockingIOError, InterruptedError):
            written = 0
        self.full = written < len(data)
        return written

    def read(self) -> bytes:
        """Return received bytes; b"" if there are none yet, or if `ended`."""
        try:
            data = self._raw.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.ended = not data
        return data

    async def readable(self) -> None:
        """Wait until there may be data to read."""
        await trio.lowlevel.wait_readable(self._raw)

    async def writable(self) -> None:
        """Wait until writing is possible again."""
        try:
            await trio.lowlevel.wait_writable(self._raw)
        finally:
            self.full = False

    async def close_notify(self) -> None:
        """Announce the end of the stream to the peer. Without TLS, this is only a checkpoint."""
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Close the socket at once."""
        trio.lowlevel.notify_closing(self._raw)
        self._raw.close()


class TlsTransport(Transport):
    """TLS on a connected socket. It keeps encrypted bytes that have not been written."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(raw)
        self._tls: Final = TlsBytes(context, server_name)
        self._unwritten = b""
        """Encrypted bytes that have not been written yet."""

    async def do_handshake(self) -> bytes | None:
        """Perform the TLS handshake; return the peer's certificate.

        Raises:
            OSError: the handshake failed.
        """
        await self._run_tls_exchange(self._tls.do_handshake)
        return self._tls.certificate

    def write(self, data: bytes | bytearray) -> int:
        """Write as many bytes as possible without waiting; return their number, 0 while `full`."""
        if self.full:
            return 0
        chunk = data if len(data) <= CHUNK else data[:CHUNK]
        # Data must be encrypted only once, and in order. So if the socket does not accept all encrypted
        # bytes, the rest is kept, and the chunk counts as written. No more data is accepted until the rest is
        # written (`full`).
        encrypted = self._unwritten + self._tls.encrypt(chunk)
        self._unwritten = encrypted[super().write(encrypted) :]
        return len(chunk)

    def read(self) -> bytes:
        """Return received data; b"" if there is no complete TLS record yet, or if `ended`."""
        encrypted = super().read()
        if encrypted or self.ended:
            self._tls.feed(encrypted)
        data = self._tls.decrypt()
        self.ended: bool = self._tls.ended
        if self._tls.has_outgoing:
            # A failed write is ignored here: writing the next message fails too, and reports the failure to
            # the core.
            with contextlib.suppress(OSError):
                self._push()
        return data

    async def writable(self) -> None:
        """Wait until writing is possible again, and write the encrypted bytes that were kept."""
        await super().writable()
        self._push()

    async def close_notify(self) -> None:
        """Exchange close_notify with the peer."""
        await self._run_tls_exchange(self._tls.close_notify)

    def _push(self) -> None:
        encrypted = self._unwritten + self._tls.outgoing()
        if encrypted:
            self._unwritten = encrypted  # kept if the next line raises
            self._unwritten = encrypted[super().write(encrypted) :]

    async def _run_tls_exchange(self, step: Callable[[], bool]) -> None:
        async def wait_for_input() -> None:
            while self.full:
                await self.writable()
            await self.readable()
            with contextlib.suppress(BlockingIOError):
                self._tls.feed(self._raw.recv(CHUNK))

        await self._tls.run_exchange(step, self._push, wait_for_input)
        while self.full:
            await self.writable()
