"""One connection under asyncio: passes received bytes and deadlines to the core, and writes its output.

When a write fails, an asyncio transport closes and stops reading, so a fill that the venue has sent but the
client has not yet read would be lost. Therefore the transport is used only for reading, and bytes are written
directly to the socket. Only bytes that the socket does not accept at once wait in the transport. TLS is
implemented here (with `net.tls_buffer`), because asyncio's TLS writes to the transport.

A protocol is used instead of a reading task, so that received bytes reach the core within the callback.
Waking a task would take an iteration of the loop for each read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from kalshi_fix_adapters.asyncio.notifier import Timer
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.loops.adapter import CHUNK, CLOSE_TIMEOUT, Notifier
from kalshi_fix_adapters.net.dial import Dialer
from kalshi_fix_adapters.net.tls_buffer import TlsBytes


class ClientProtocol(asyncio.BufferedProtocol):
    """A connected socket, with TLS or without."""

    def __init__(self, core: ClientCore, users: Notifier) -> None:
        self._core = core
        self._users = users
        self._raw: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._tls: TlsBytes | None = None
        self._in_tls_exchange = False
        """Whether a TLS handshake or close_notify is in progress."""
        self._tls_input = asyncio.Event()
        """Set when bytes for a TLS exchange were received, or the connection was lost."""
        self._timer = Timer(lambda: self.step(core.tick))
        self._receive_buffer = memoryview(bytearray(CHUNK))
        self._is_core_connected = False
        """Whether the core is connected. Bytes received earlier are kept in `_tls` or, without TLS, in
        `_early_bytes`.
        """
        self._early_bytes = b""
        """Bytes received without TLS before the core was connected. Reading is paused then, but uvloop
        nevertheless reads once.
        """
        self._may_write = True
        """Whether the transport accepts more bytes: False from `pause_writing` to `resume_writing`."""
        self._is_reading = False
        """Whether the transport reads. At first, reading is paused."""
        self._lost_event = asyncio.Event()
        """Set by `connection_lost`, after which no bytes are received."""
        self._loss: OSError | None = None
        """The error with which the connection was lost; also set at the end of the stream."""
        self.finished: asyncio.Event = asyncio.Event()
        """Set when the transport must be closed."""

    # From the handshake to close_notify

    async def connect(self, raw: socket.socket, dialer: Dialer) -> None:
        """Take over a connected non-blocking socket; perform the TLS handshake and check the certificate."""
        self._raw = raw
        try:
            if dialer.context is not None:
                self._tls = TlsBytes(dialer.context, dialer.server_name)
            await asyncio.get_running_loop().create_connection(lambda: self, sock=raw)
            if self._tls is not None:
                await self._run_tls_exchange(self._tls.do_handshake)
                dialer.check_certificate(self._tls.certificate)
        except BaseException:
            self.abort()
            raise

    def begin(self) -> None:
        """Start passing bytes to the core, which is now connected."""
        self._is_core_connected = True
        if self._tls is not None:
            # More data may have been received with the end of the handshake.
            self.step(self._decrypt)
        elif self._early_bytes:
            self.step(self._core.receive, self._early_bytes)
        else:
            self.step()
        # If `_lost_event` is set, the connection was lost before the core was connected.
        if self._lost_event.is_set():
            self.step(self._core.receive, b"")

    async def close(self) -> None:
        """Write the remaining bytes, exchange close_notify, and wait until the connection has ended. All this
        takes at most CLOSE_TIMEOUT.
        """
        self._timer.cancel()
        if self._transport is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                if self._tls is not None and not self._transport.is_closing():
                    with contextlib.suppress(OSError):
                        await self._run_tls_exchange(self._tls.close_notify)
                self._transport.close()
                await self._lost_event.wait()

    def abort(self) -> None:
        """Close at once."""
        self.finished.set()
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        elif self._raw is not None:
            self._raw.close()

    async def _run_tls_exchange(self, step: Callable[[], bool]) -> None:
        tls, transport = self._tls, self._transport
        assert tls is not None  # noqa: S101 - for mypy
        assert transport is not None  # noqa: S101 - for mypy

        async def wait_for_input() -> None:
            if self._loss is not None:
                raise self._loss
            self._tls_input.clear()
            await self._tls_input.wait()

        # TLS must read even while the core has paused reading (`wants_read`).
        transport.resume_reading()
        self._in_tls_exchange = True
        try:
            await tls.run_exchange(step, self._push, wait_for_input)
        finally:
            self._in_tls_exchange = False
        # Bytes after the handshake are for the core, which is not connected yet; `flush` resumes reading.
        if not transport.is_closing():
            transport.pause_reading()

    # Callbacks called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport, and pause reading."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()
        # The core counts only the bytes in its `output`. While the transport holds more than CHUNK bytes,
        # `_write` writes nothing, so further bytes stay in `output`, and `send` waits.
        self._transport.set_write_buffer_limits(CHUNK)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return the buffer to read into.

        For a plain `asyncio.Protocol`, asyncio allocates and frees 256 KiB of memory for each read, which
        takes 12 µs (docs/design/where-time-goes.md). All reads use the same buffer, so bytes that are kept
        must be copied.
        """
        return self._receive_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass received bytes to TLS or the core."""
        if self._tls is not None:
            self._receive_encrypted(self._receive_buffer[:nbytes])
        elif self._is_core_connected:
            self.step(self._core.receive, bytes(self._receive_buffer[:nbytes]))
        else:
            self._early_bytes += self._receive_buffer[:nbytes]

    def eof_received(self) -> None:
        """Report the end of the stream; asyncio closes the transport."""
        if self._tls is not None:
            self._receive_encrypted(b"")
        elif self._is_core_connected:
            self.step(self._core.receive, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Read the remaining bytes, then report the end of the connection."""
        self._loss = exc if isinstance(exc, OSError) else ConnectionAbortedError("end of file")
        self._lost_event.set()
        self._tls_input.set()
        # The venue's last bytes, which may contain a fill, must be read before the end of the stream is
        # reported.
        if self._is_core_connected and not self.finished.is_set():
            self._read_remaining()
        if self._is_core_connected and not self.finished.is_set():
            self.step(self._core.receive, b"")

    def pause_writing(self) -> None:
        """Leave unwritten bytes in the core, which uses their size to pace the session."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Resume writing."""
        self._may_write = True
        self.step()

    # Reading

    def _receive_encrypted(self, encrypted: bytes | memoryview) -> None:
        tls = self._tls
        if tls is None or tls.ended:
            return
        tls.feed(encrypted)
        if self._in_tls_exchange:
            self._tls_input.set()
        elif self._is_core_connected and not self.finished.is_set():
            self.step(self._decrypt)

    def _decrypt(self) -> None:
        tls = self._tls
        if tls is None:
            return
        data = tls.decrypt()
        if tls.has_outgoing:
            # TLS sends an answer, for example to a renegotiation. A failed write is ignored here, so that the
            # decrypted data still reaches the core. Writing the next message fails too, and reports the
            # failure.
            with contextlib.suppress(OSError):
                self._push()
        if data:
            self._core.receive(data)
        if tls.ended:
            self._core.receive(b"")

    def _read_remaining(self) -> None:
        # The transport is closed, perhaps because it could not write its buffer. asyncio closes the socket
        # only after `connection_lost`, so data from the venue can still be read from it.
        raw = self._raw
        with contextlib.suppress(OSError, ValueError):
            while (
                raw is not None
                and not self.finished.is_set()
                and (size := raw.recv_into(self._receive_buffer))
            ):
                self.buffer_updated(size)

    # Writing

    def _push(self) -> None:
        if self._tls is not None:
            self._send(self._tls.outgoing())

    def _send(self, data: bytes | bytearray) -> None:
        """Write encrypted or plain bytes; the transport keeps those that the socket does not accept now.

        Raises:
            OSError: the connection can no longer be written to.
        """
        # Write directly to the socket, unless bytes are waiting in the transport: those must be written
        # first.
        transport = self._transport
        if not data or self._raw is None or transport is None:
            return
        if transport.is_closing():
            raise ConnectionAbortedError("the transport is closed")
        written = 0
        if not transport.get_write_buffer_size():
            try:
                written = self._raw.send(data)
            except (BlockingIOError, InterruptedError):
                written = 0
        if written < len(data):
            # A copy, because the transport keeps the object, and `output` changes.
            transport.write(bytes(data[written:]))

    def _write(self, output: bytearray) -> int:
        """Write some of `output`; return the number of bytes, for `ClientCore.flush`.

        Bytes that wait in the transport count as written: the transport writes them, unless the connection is
        lost.
        """
        if not self._may_write:
            return 0
        chunk = output if len(output) <= CHUNK else output[:CHUNK]
        self._send(chunk if self._tls is None else self._tls.encrypt(chunk))
        return len(chunk)

    # Calls to the core

    def step(self, method: Callable[..., object] | None = None, *args: object) -> None:
        """Call a method of the core, if one is passed; then write the output and wake the waiting tasks."""
        try:
            if method is not None:
                method(*args)
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            self._fail(error)
        self.flush()
        self._users.notify()

    def _fail(self, error: Exception) -> None:
        self._core.record_failure(error)
        self.finished.set()
        self._users.notify()

    def flush(self) -> None:
        """Write the output, and update the transport and the timer, after a change to the core."""
        core, transport = self._core, self._transport
        if transport is None or self.finished.is_set():
            return
        try:
            if core.output and self._may_write:
                core.flush(self._write)
            # The transport may be closing because writing its buffer has failed, which asyncio does not
            # report before `connection_lost`. Data from the venue can still be read.
            elif transport.is_closing():
                core.write_failed()
            if core.wants_read is not self._is_reading:
                self._is_reading = core.wants_read
                (transport.resume_reading if self._is_reading else transport.pause_reading)()
            due = core.due()
            if due is not None and due < self._timer.due:
                self._timer.set(due)
            if not core.wants_read and core.must_close:
                self.finished.set()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            self._fail(error)
