"""A relay that simulates network failures between clients and a server on this machine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

_CHUNK = 64 * 1024
_WAIT_TIMEOUT = 30.0
"""Seconds after which a wait fails."""


class Relay:
    """Forwards bytes both ways unless a test changes that."""

    def __init__(self, target: int | Callable[[], socket.socket]) -> None:
        """Forward to a port, or to the socket that a function connects."""
        self._target = target
        self._changed = threading.Condition()
        self._swallowed_sides: frozenset[str] = frozenset()
        self._gates = {"client": threading.Event(), "server": threading.Event()}
        """By side, an event that is clear while the relay holds back the bytes of this side."""
        self.release()
        self.swallowed = 0
        """Number of bytes that were not forwarded."""
        self._pairs: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self.opened = 0
        """Number of connections so far."""
        self.closed = 0
        """Number of connections that have ended."""
        self.port = 0

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.stop_listening()
        for thread in self._threads:
            thread.join(_WAIT_TIMEOUT)

    def retarget(self, port: int) -> None:
        """Forward later connections to another server."""
        self._target = port

    def swallow(self, *sides: str) -> None:
        """Read the bytes of one side ("client", "server"), or both, and forward nothing, so the other side
        receives no more bytes."""
        self._swallowed_sides = frozenset(sides)

    def hold(self, *sides: str) -> None:
        """Hold back everything that one side ("client", "server"), or both, sends from now on, including
        the end of its stream, until `release`.
        """
        for side in sides:
            self._gates[side].clear()

    def release(self) -> None:
        """Forward everything that was held back."""
        for gate in self._gates.values():
            gate.set()

    def cut(self) -> None:
        """End every current connection."""
        with self._changed:
            ended = set(self._pairs)
            for pair in self._pairs.values():
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
        # Some clients have already reconnected.
        self.wait(lambda: not ended & self._pairs.keys())

    def stop_listening(self) -> None:
        """Stop listening, and end every connection."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._listener = self._create_listener()
        self._start(partial(self._accept, self._listener))

    def _create_listener(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        return listener

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true."""
        with self._changed:
            assert self._changed.wait_for(condition, _WAIT_TIMEOUT)

    def _start(self, run: Callable[[], object]) -> None:
        thread = threading.Thread(target=run, name="relay", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                with self._changed:
                    number, self.opened = self.opened, self.opened + 1
                    self._pairs[number] = client, server
                    self._changed.notify_all()
                self._start(partial(self._carry, number, client, server))

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        return self._target()

    def _carry(self, number: int, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(
            target=self._pass_on, args=(number, "server", server, client), name="relay", daemon=True
        )
        back.start()
        self._pass_on(number, "client", client, server)
        back.join()
        with self._changed:
            client.close()
            server.close()
            del self._pairs[number]
            self.closed += 1
            self._changed.notify_all()

    def _pass_on(self, number: int, side: str, source: socket.socket, sink: socket.socket) -> None:
        data = b"-"
        with contextlib.suppress(OSError):
            while data:
                data = source.recv(_CHUNK)
                self._gates[side].wait()
                if not self._passes(number, side, data):
                    source.shutdown(socket.SHUT_RDWR)
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                if side not in self._swallowed_sides:
                    sink.sendall(data)
                    continue
                with self._changed:
                    self.swallowed += len(data)
                    self._changed.notify_all()
        if side not in self._swallowed_sides:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def _passes(self, number: int, side: str, data: bytes) -> bool:
        """Return whether to forward these bytes of a connection; if not, the connection ends."""
        return True
