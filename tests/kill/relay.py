"""The network path between the client and the venue: it forwards bytes unchanged, counts them, and can stop
after any byte."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable
from typing import Self

import attrs

_CHUNK = 64 * 1024
TO_VENUE, TO_CLIENT = 0, 1


@attrs.define(eq=False)
class _Stream:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    waiting: bytearray = attrs.field(factory=bytearray)
    ended: bool = False
    """Whether the source has reached its end of file."""
    closed: bool = False
    """Whether the sink was shut down."""

    def read(self) -> bytes:
        try:
            data = self.source.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.ended = not data
        return data

    def write(self) -> None:
        """Forward the waiting bytes, then the end of file."""
        try:
            while self.waiting:
                del self.waiting[: self.sink.send(self.waiting)]
        except BlockingIOError:
            return
        except OSError:
            self.waiting.clear()
        if self.ended and not self.closed:
            self.closed = True
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)


class Relay:
    """Forwards bytes during calls to `step`, in the caller's thread."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._pairs: list[tuple[_Stream, _Stream]] = []
        self.forwarded = [0, 0]
        """Number of bytes forwarded in each direction since `reset`."""
        self._limits: list[tuple[int, Callable[[], bool]] | None] = [None, None]
        self._drops_all = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pair in self._pairs:
            for stream in pair:
                stream.source.close()
        self._listener.close()
        self._selector.close()

    def watch(self, file: int, callback: Callable[[], object]) -> None:
        """Call a function when a file descriptor can be read."""
        self._selector.register(file, selectors.EVENT_READ, callback)

    def call_after(self, direction: int, size: int, callback: Callable[[], bool]) -> None:
        """When exactly this many bytes have been forwarded in a direction, call a function. If it returns
        True, the rest of the current chunk is dropped."""
        self._limits[direction] = size, callback

    def reset(self) -> None:
        """Reset the counters, cancel `call_after`, and forward bytes again after `drop_all`."""
        self.forwarded = [0, 0]
        self._limits = [None, None]
        self._drops_all = False

    @property
    def connected(self) -> bool:
        return bool(self._pairs)

    def drop_all(self) -> None:
        """Drop all further bytes."""
        self._drops_all = True

    def cut(self) -> None:
        """End the connection towards the venue and, once the venue has noticed, towards the client."""
        for to_venue, to_client in self._pairs:
            self._unwatch(to_venue.source)
            to_venue.ended = True
            to_venue.waiting.clear()
            to_venue.write()
            to_client.waiting.clear()

    def hold(self) -> None:
        """Stop reading from the client."""
        for to_venue, _ in self._pairs:
            self._unwatch(to_venue.source)

    def resume(self) -> None:
        """Read from the client again."""
        for pair in self._pairs:
            if not pair[TO_VENUE].ended:
                self._watch(pair, TO_VENUE)

    def step(self, timeout: float | None) -> None:
        """Wait until a file descriptor can be read, and handle it."""
        for key, _ in self._selector.select(timeout):
            key.data()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        venue = socket.create_connection(("127.0.0.1", self._target))
        for end in (client, venue):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = _Stream(client, venue), _Stream(venue, client)
        self._pairs.append(pair)
        for direction in (TO_VENUE, TO_CLIENT):
            self._watch(pair, direction)

    def _watch(self, pair: tuple[_Stream, _Stream], direction: int) -> None:
        self._selector.register(
            pair[direction].source, selectors.EVENT_READ, lambda: self._ready(pair, direction)
        )

    def _ready(self, pair: tuple[_Stream, _Stream], direction: int) -> None:
        if pair not in self._pairs:
            return
        stream = pair[direction]
        data = stream.read()
        if data and not self._drops_all:
            self._forward(stream, direction, data)
        stream.write()
        if stream.waiting:
            self._finish_writing(stream)
        if stream.ended:
            self._unwatch(stream.source)
            if direction == TO_CLIENT:
                self._close(pair)

    def _forward(self, stream: _Stream, direction: int, data: bytes) -> None:
        limit = self._limits[direction]
        if limit is not None and self.forwarded[direction] + len(data) >= limit[0]:
            size, callback = limit
            self._limits[direction] = None
            head = max(0, size - self.forwarded[direction])
            stream.waiting += data[:head]
            self.forwarded[direction] += head
            stream.write()
            if callback():
                return
            data = data[head:]
        self.forwarded[direction] += len(data)
        if not stream.closed:
            stream.waiting += data

    def _finish_writing(self, stream: _Stream) -> None:
        """Write all waiting bytes. This does not block forever, because the peer reads them or is closed."""
        stream.sink.setblocking(True)
        stream.write()
        stream.sink.setblocking(False)

    def _unwatch(self, end: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(end)

    def _close(self, pair: tuple[_Stream, _Stream]) -> None:
        """Close the pair: the venue has ended the connection, and the client notices the closed socket."""
        self._pairs.remove(pair)
        for stream in pair:
            self._unwatch(stream.source)
            stream.source.close()
