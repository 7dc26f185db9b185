"""A venue driven by an event loop: the transport of each connection, and one timer."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from socket import SO_LINGER, SOL_SOCKET
from typing import cast

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.venue import VenueModel
from kalshi_fix_venue.virtual_time import pass_time

_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""SO_LINGER switched on with zero seconds, so closing resets the connection."""


class Driver:
    """Passes received bytes and the time to a venue, and writes the bytes that the venue sends."""

    def __init__(
        self,
        venue: VenueModel,
        loop: asyncio.AbstractEventLoop,
        *,
        clock_offset: float = 0.0,
        on_bytes: OnBytes | None = None,
    ) -> None:
        """Drive a venue on an event loop until `stop`, with its clocks ahead of the machine's by
        `clock_offset` seconds."""
        self.venue: VenueModel = venue
        self.loop = loop
        self.on_bytes: OnBytes | None = on_bytes
        self.input_count: int = 0
        """Number of inputs received from connections so far."""
        self._connections: dict[int, ClientProtocol] = {}
        self.clock_offset: float = clock_offset
        """Seconds by which the venue's clocks are ahead of the machine's."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_scheduled: bool = False
        """Whether a call to `_process` is scheduled."""
        self._all_closed: asyncio.Event | None = None
        """None until `stop` is called; afterwards an event that is set once all connections are closed."""

    def now(self) -> Instant:
        """Return the current time on both of the venue's clocks."""
        return Instant(
            self.loop.time() + self.clock_offset, datetime.now(UTC) + timedelta(seconds=self.clock_offset)
        )

    def add_connection(self, connection: ClientProtocol) -> int:
        """Add a new connection; return its number."""
        self.input_count += 1
        number = self.venue.connection_made(connection.product, connection.session_type, self.now())
        self._connections[number] = connection
        # If the connection was still being set up when `stop` was called, it is aborted now.
        if self._all_closed is not None:
            connection.transport.abort()
        self.flush()
        return number

    def receive_data(self, number: int, data: bytes) -> None:
        """Pass bytes from a connection to the venue."""
        self.input_count += 1
        if self.on_bytes is not None:
            self.on_bytes(self._connections[number], data, False)
        inbox = self.venue.inbox
        inbox.receive_data(number, data, self.now())
        if inbox.is_full(number):
            self._connections[number].transport.pause_reading()
        self._schedule_processing()
        self.flush()

    def _schedule_processing(self) -> None:
        """Schedule the processing of waiting bytes, or the preparation of the venue, for the next iteration
        of the loop, after the sockets have been read."""
        if (self.venue.inbox or self.venue.unprepared) and not self._is_scheduled:
            self._is_scheduled = True
            self.loop.call_soon(self._process)

    def _process(self) -> None:
        self._is_scheduled = False
        inbox = self.venue.inbox
        number = inbox.process(self.now())
        if number is None:
            self.venue.prepare()
        else:
            self.input_count += 1
            connection = self._connections.get(number)
            if connection is not None and inbox.has_room(number):
                connection.transport.resume_reading()
        self._schedule_processing()
        self.flush()

    def remove_connection(self, number: int) -> None:
        """Remove a closed connection."""
        self.input_count += 1
        del self._connections[number]
        self.venue.inbox.receive_eof(number, self.now())
        self.flush()
        if self._all_closed is not None and not self._connections:
            self._all_closed.set()

    def flush(self) -> None:
        """Write pending output, close ended connections and set the timer. It is called after every call to
        the venue, because each call may affect any connection."""
        # Written first: the venue lists a connection as ended only once all its output has been fetched.
        self._write()
        for number in self.venue.connections_to_close():
            connection = self._connections.get(number)
            if connection is not None and self.venue.should_reset(number):
                connection.reset()
            elif connection is not None:
                connection.transport.close()
        self._set_timer()

    def _write(self) -> None:
        for number in self.venue.connections_with_output():
            connection = self._connections.get(number)
            if connection is not None and connection.may_write:
                data = self.venue.data_to_send(number)
                if self.on_bytes is not None:
                    self.on_bytes(connection, data, True)
                connection.transport.write(data)

    def _set_timer(self) -> None:
        deadline = self.venue.next_deadline()
        loop_time = None if deadline is None else deadline - self.clock_offset
        # Most messages do not change the next deadline, and it is expensive to cancel and set a timer.
        if self._timer is not None and loop_time == self._timer.when():
            return
        self._cancel_timer()
        if loop_time is not None and self._all_closed is None:
            self._timer = self.loop.call_at(loop_time, self._on_timer)

    def skip(self, seconds: float) -> None:
        """Advance the venue's time by `seconds`. Each event that becomes due happens at its own time."""
        pass_time(self.venue, seconds, self.now(), after=lambda _: self._write())
        self.clock_offset += seconds
        self.flush()

    def replace(self, venue: VenueModel) -> None:
        """Switch to another venue, and abort every connection to the current one."""
        for connection in self._connections.values():
            connection.detach()
        self._connections.clear()
        self.clock_offset = 0.0
        self.venue = venue
        self.flush()

    async def stop(self) -> None:
        """Abort every connection, and set no more timers."""
        self._all_closed = asyncio.Event()
        self._cancel_timer()
        self.venue.inbox.drop(self.now())
        for connection in tuple(self._connections.values()):
            connection.transport.abort()
        if self._connections:
            await self._all_closed.wait()

    def _on_timer(self) -> None:
        self._timer = None
        self.venue.handle_timer(self.now())
        self.flush()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ClientProtocol(asyncio.Protocol):
    """One client's transport."""

    def __init__(self, driver: Driver, product: str, session_type: str) -> None:
        """Prepare for a client on the port of a product's session type."""
        self.product = product
        self.session_type = session_type
        self.may_write: bool = True
        """Whether the transport accepts more output."""
        self.number: int = 0
        """The venue's number for the connection."""
        self._driver = driver
        self.transport: asyncio.Transport
        """Set by `connection_made`, which asyncio calls before the other methods."""
        self._is_detached = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection once TLS is set up."""
        self.transport = cast("asyncio.Transport", transport)
        self.number = self._driver.add_connection(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the driver."""
        if not self._is_detached:
            self._driver.receive_data(self.number, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 every loss is handled alike
        """Report the loss to the driver."""
        if not self._is_detached:
            self._driver.remove_connection(self.number)

    def pause_writing(self) -> None:
        """Leave further output in the session's queue, whose size the session limits."""
        self.may_write = False

    def resume_writing(self) -> None:
        """Continue writing."""
        self.may_write = True
        if not self._is_detached:
            self._driver.flush()

    def detach(self) -> None:
        """Close at once, without further calls to the driver."""
        self._is_detached = True
        self.transport.abort()

    def reset(self) -> None:
        """Close at once with a TCP reset."""
        socket = self.transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGER)
        self.transport.abort()


OnBytes = Callable[[ClientProtocol, bytes, bool], None]
"""Called in the event loop with a connection, its bytes, and whether the venue sent them (rather than
received them). The callback must not block or raise.
"""
