"""One connection under asyncio: carries bytes and time to the core as they come, and writes what it says.

When a write fails, a transport of asyncio closes and reads no more: a fill that the venue had sent, and that
was not read yet, would be lost. So the transport is there for reading, and the socket is written to directly.
What the socket does not take at once waits in the transport. TLS is done here (`net.tls_buffer`), because
asyncio's own sits on a transport that is written to.

A protocol and no task that reads, because what comes then goes to the core within the callback that has read
it: to wake a task takes a turn of the loop for each read.
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
        """Whether TLS speaks for itself: the handshake, or close_notify."""
        self._tls_input = asyncio.Event()
        """Set when something has come for that, or the connection was lost."""
        self._timer = Timer(lambda: self.step(core.tick))
        self._room = memoryview(bytearray(CHUNK))
        self._begun = False
        """Whether the core is connected. What comes before waits: in TLS, or in `_early`."""
        self._early = b""
        """What came before: uvloop reads once although it was told not to."""
        self._may_write = True
        """Whether the transport takes more: false from `pause_writing` to `resume_writing`."""
        self._reads = False
        """Whether the transport reads; it begins paused."""
        self._lost = asyncio.Event()
        """Set by `connection_lost`, after which nothing more comes."""
        self._lost_by: OSError | None = None
        """Why it was lost; an end of file, too."""
        self.finished: asyncio.Event = asyncio.Event()
        """Set once the core wants the transport closed."""

    # From the handshake to the goodbye

    async def connect(self, raw: socket.socket, dialer: Dialer) -> None:
        """Take over a connected socket that does not block: TLS handshake and certificate check."""
        self._raw = raw
        try:
            if dialer.context is not None:
                self._tls = TlsBytes(dialer.context, dialer.server_name)
            await asyncio.get_running_loop().create_connection(lambda: self, sock=raw)
            if self._tls is not None:
                await self._converse(self._tls.do_handshake)
                dialer.check_certificate(self._tls.certificate)
        except BaseException:
            self.abort()
            raise

    def begin(self) -> None:
        """Carry bytes from now on; the core is connected."""
        self._begun = True
        if self._tls is not None:
            # With the end of the handshake there may have come more.
            self.step(self._decrypt)
        elif self._early:
            self.step(self._core.receive, self._early)
        else:
            self.step()
        # It was lost before the core was connected, when there was nobody to tell.
        if self._lost.is_set():
            self.step(self._core.receive, b"")

    async def close(self) -> None:
        """Write what is left, exchange close_notify and wait for the end, for CLOSE_TIMEOUT at the most."""
        self._timer.cancel()
        if self._transport is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                if self._tls is not None and not self._transport.is_closing():
                    with contextlib.suppress(OSError):
                        await self._converse(self._tls.close_notify)
                self._transport.close()
                await self._lost.wait()

    def abort(self) -> None:
        """Close at once."""
        self.finished.set()
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        elif self._raw is not None:
            self._raw.close()

    async def _converse(self, step: Callable[[], bool]) -> None:
        tls, transport = self._tls, self._transport
        assert tls is not None  # noqa: S101 - for mypy
        assert transport is not None  # noqa: S101 - for mypy

        async def more() -> None:
            if self._lost_by is not None:
                raise self._lost_by
            self._tls_input.clear()
            await self._tls_input.wait()

        # TLS needs to read for itself, whether the core wants that or not (`wants_read`).
        transport.resume_reading()
        self._in_tls_exchange = True
        try:
            await tls.converse(step, self._push, more)
        finally:
            self._in_tls_exchange = False
        # After the handshake what comes is for the core, which is not connected yet: `_settle` resumes.
        if not transport.is_closing():
            transport.pause_reading()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, without reading yet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()
        # The core does not see what waits in the transport. From this many bytes on `_write` takes no more,
        # so that they stay in the core's `output`, and `send` waits.
        self._transport.set_write_buffer_limits(CHUNK)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Lend room to read into.

        For the bytes that a plain `asyncio.Protocol` is given, asyncio takes and gives back 256 KiB of memory
        each time, which costs 12 µs a read (docs/design/where-time-goes.md). There is one room for all reads,
        so what is kept of it has to be copied.
        """
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Hand bytes on."""
        if self._tls is not None:
            self._take_encrypted(self._room[:nbytes])
        elif self._begun:
            self.step(self._core.receive, bytes(self._room[:nbytes]))
        else:
            self._early += self._room[:nbytes]

    def eof_received(self) -> None:
        """Say that no more come; asyncio closes the transport."""
        if self._tls is not None:
            self._take_encrypted(b"")
        elif self._begun:
            self.step(self._core.receive, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that it is over."""
        self._lost_by = exc if isinstance(exc, OSError) else ConnectionAbortedError("end of file")
        self._lost.set()
        self._tls_input.set()
        # In this order: what the venue said last, which may be a fill, then the end.
        if self._begun and not self.finished.is_set():
            self._read_what_is_left()
        if self._begun and not self.finished.is_set():
            self.step(self._core.receive, b"")

    def pause_writing(self) -> None:
        """Leave what is to be written with the core, which paces the session by it."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on writing."""
        self._may_write = True
        self.step()

    # Reading

    def _take_encrypted(self, encrypted: bytes | memoryview) -> None:
        tls = self._tls
        if tls is None or tls.ended:
            return
        tls.feed(encrypted)
        if self._in_tls_exchange:
            self._tls_input.set()
        elif self._begun and not self.finished.is_set():
            self.step(self._decrypt)

    def _decrypt(self) -> None:
        tls = self._tls
        if tls is None:
            return
        data = tls.decrypt()
        if tls.has_outgoing:
            # Answers of TLS, such as to a renegotiation. If they cannot be written, neither can the next
            # message, which says so to the core; what was decrypted goes there first.
            with contextlib.suppress(OSError):
                self._push()
        if data:
            self._core.receive(data)
        if tls.ended:
            self._core.receive(b"")

    def _read_what_is_left(self) -> None:
        # The transport has given up, perhaps because it could not write what had waited there. asyncio closes
        # the socket only after `connection_lost`, so what the venue had sent can still be read from it.
        raw = self._raw
        with contextlib.suppress(OSError, ValueError):
            while raw is not None and not self.finished.is_set() and (size := raw.recv_into(self._room)):
                self.buffer_updated(size)

    # Writing

    def _push(self) -> None:
        if self._tls is not None:
            self._send(self._tls.outgoing())

    def _send(self, data: bytes | bytearray) -> None:
        """Write encrypted or plain bytes: all of them, as far as the core is concerned.

        Raises:
            OSError: nothing can be written any more.
        """
        # Past the transport, unless something waits in it: the bytes would leave in another order.
        transport = self._transport
        if not data or self._raw is None or transport is None:
            return
        if transport.is_closing():
            raise ConnectionAbortedError("the transport is closed")
        taken = 0
        if not transport.get_write_buffer_size():
            try:
                taken = self._raw.send(data)
            except (BlockingIOError, InterruptedError):
                taken = 0
        if taken < len(data):
            # A copy: the transport keeps what it is given, and `output` changes.
            transport.write(bytes(data[taken:]))

    def _write(self, output: bytearray) -> int:
        """Write some of `output`; return how much, as `ClientCore.flush` wants it. What waits in the
        transport counts as taken: it is written, or the connection is lost."""
        if not self._may_write:
            return 0
        chunk = output if len(output) <= CHUNK else output[:CHUNK]
        self._send(chunk if self._tls is None else self._tls.encrypt(chunk))
        return len(chunk)

    # Both, and time

    def step(self, act: Callable[..., object] | None = None, *args: object) -> None:
        """Do something to the core and what follows from it, then let the users look."""
        try:
            if act is not None:
                act(*args)
            self._settle()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            self._fail(error)
        else:
            self._users.notify()

    def flush(self) -> None:
        """Write what the user has put into the core. `_settle` for the usual case, in which a send changes
        nothing else."""
        if self._transport is None or self.finished.is_set():
            return
        core = self._core
        try:
            if core.flush(self._write):
                # Only what is due can have changed, and only to a sooner moment is the timer set.
                due = core.due()
                if due is not None and due < self._timer.moment:
                    self._timer.set(due)
            else:
                self._settle()
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._core.failure(error)
        self.finished.set()
        self._users.notify()

    def _settle(self) -> None:
        """Bring the transport and the timer to what the core wants after it has changed."""
        core, transport = self._core, self._transport
        if transport is None or self.finished.is_set():
            return
        # It may be closing because its own write has failed, which asyncio tells nobody before
        # `connection_lost`. What has come is still read there.
        if transport.is_closing():
            core.write_failed()
        if core.output:
            core.flush(self._write)
        if core.wants_read is not self._reads:
            self._reads = core.wants_read
            (transport.resume_reading if self._reads else transport.pause_reading)()
        due = core.due()
        if due is not None and due < self._timer.moment:
            self._timer.set(due)
        if not core.wants_read and core.finished:
            self.finished.set()
