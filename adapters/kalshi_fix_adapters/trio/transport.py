"""A connection under trio that can be written to without waiting.

trio's own streams are written to by calls that wait, and that spoil the stream when they are cancelled. They
need a task that does nothing but write, and so two turns of the scheduler (3 µs each) for each message.
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
    """A connected TCP socket. Its waiting methods are for one task each."""

    def __init__(self, raw: socket.socket) -> None:
        """Take over a socket that does not block."""
        self._raw: Final = raw
        self.ended: bool = False
        """Whether the peer will say nothing more, and all it said was read."""
        self.full: bool = False
        """Whether nothing can be written before `writable`."""

    def write(self, data: bytes | bytearray) -> int:
        """Write what can be written now; return how many bytes were taken, 0 while `full`.

        Raises:
            OSError: the connection is gone.
        """
        if self.full:
            return 0
        try:
            taken = self._raw.send(data)
        except (BlockingIOError, InterruptedError):
            taken = 0
        self.full = taken < len(data)
        return taken

    def read(self) -> bytes:
        """Return what has come; nothing if that was too early, or if `ended`."""
        try:
            data = self._raw.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.ended = not data
        return data

    async def readable(self) -> None:
        """Wait until `read` may have something."""
        await trio.lowlevel.wait_readable(self._raw)

    async def writable(self) -> None:
        """Wait until something can be written again."""
        try:
            await trio.lowlevel.wait_writable(self._raw)
        finally:
            self.full = False

    async def close_notify(self) -> None:
        """Tell the peer that nothing more comes. Only TLS can, but every wait is a checkpoint."""
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Close it at once."""
        trio.lowlevel.notify_closing(self._raw)
        self._raw.close()


class TlsTransport(Transport):
    """TLS on a connected socket: what is written is encrypted whole, and the rest of that waits here."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(raw)
        self._tls: Final = TlsBytes(context, server_name)
        self._left = b""
        """What is encrypted and not written."""

    async def do_handshake(self) -> bytes | None:
        """Do the TLS handshake; return the peer's certificate.

        Raises:
            OSError: it failed.
        """
        await self._converse(self._tls.do_handshake)
        return self._tls.certificate

    def write(self, data: bytes | bytearray) -> int:
        """Write what can be written now; return how many bytes were taken, 0 while `full`."""
        if self.full:
            return 0
        chunk = data if len(data) <= CHUNK else data[:CHUNK]
        # Encrypted once and whole, in the order of the stream. What the socket does not take waits in
        # `_left`, so to the core all of it is written; no more is taken until `_left` has gone (`full`).
        encrypted = self._left + self._tls.encrypt(chunk)
        self._left = encrypted[super().write(encrypted) :]
        return len(chunk)

    def read(self) -> bytes:
        """Return what has come; nothing if that is no whole record of TLS yet, or if `ended`."""
        encrypted = super().read()
        if encrypted or self.ended:
            self._tls.feed(encrypted)
        data = self._tls.decrypt()
        self.ended: bool = self._tls.ended
        if self._tls.has_outgoing:
            # If that cannot be written, neither can the next message, which says so to the core.
            with contextlib.suppress(OSError):
                self._push()
        return data

    async def writable(self) -> None:
        """Wait until something can be written again; write what waits here."""
        await super().writable()
        self._push()

    async def close_notify(self) -> None:
        """Tell the peer that nothing more comes, and wait for it to say the same."""
        await self._converse(self._tls.close_notify)

    def _push(self) -> None:
        encrypted = self._left + self._tls.outgoing()
        if encrypted:
            self._left = encrypted
            self._left = encrypted[super().write(encrypted) :]

    async def _converse(self, step: Callable[[], bool]) -> None:
        async def more() -> None:
            while self.full:
                await self.writable()
            await self.readable()
            with contextlib.suppress(BlockingIOError):
                self._tls.feed(self._raw.recv(CHUNK))

        await self._tls.converse(step, self._push, more)
        while self.full:
            await self.writable()
