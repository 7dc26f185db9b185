"""Plain TCP in front of a venue in this process, for an engine without TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from kalshi_fix_adapters.testing import Venue

_CHUNK = 64 * 1024


class PlainDoor:
    """Listens on a loopback port, and connects who comes to a session type of the venue."""

    def __init__(self, venue: Venue, session: str, *, product: str = "prediction") -> None:
        self._venue = venue
        self._to = product, session
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        # The thread that waits for somebody wakes up by that.
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _start(self, function: object, *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                outside, _ = self._listener.accept()
                inside = self._venue.server.connect(*self._to)
                self._open += (outside, inside)
                self._start(_carry, outside, inside)
                self._start(_carry, inside, outside)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
