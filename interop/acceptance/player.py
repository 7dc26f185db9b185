"""Play one definition against an engine: send, expect, connect and wait."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from interop.acceptance.definition import Action, Definition, Step
from interop.acceptance.wire import difference, frame_fault, to_wire

STEP_TIMEOUT = 10.0
"""Timeout of each step in seconds."""
_HEAD = re.compile(rb"8=[^\x01]*\x019=([0-9]{1,6})\x01")
_CHECK_SUM_SIZE = 7

Connector = Callable[[], socket.socket]
"""A function that returns a connection to the engine, opened by either side."""


class Failure(Exception):
    """The engine's behaviour differs from the definition."""


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.settimeout(STEP_TIMEOUT)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise Failure(f"the engine no longer reads: {error}") from None

    def receive(self) -> bytes:
        """Return the next message."""
        while True:
            head = _HEAD.match(self._buffer)
            size = 0 if head is None else head.end() + int(head[1]) + _CHECK_SUM_SIZE
            if head is not None and len(self._buffer) >= size:
                frame, self._buffer = self._buffer[:size], self._buffer[size:]
                return frame
            data = self._receive("a message")
            if not data:
                raise Failure(f"the engine ended the connection before a complete message: {self._buffer!r}")
            self._buffer += data

    def await_end(self) -> None:
        data = self._buffer or self._receive("the end of the connection")
        if data:
            raise Failure(f"expected the end of the connection, got {data!r}")

    def _receive(self, awaited: str) -> bytes:
        try:
            return self._sock.recv(65536)
        except TimeoutError:
            raise Failure(f"waited {self._sock.gettimeout():g} seconds for {awaited}") from None
        except OSError as error:
            raise Failure(f"the connection broke: {error}") from None

    def close(self) -> None:
        self._sock.close()


def play(definition: Definition, connect: Connector) -> None:
    """Play a definition to its end.

    Raises:
        Failure: the engine's behaviour differs from the definition; the error names the line.
    """
    connections: dict[int, _Connection] = {}
    try:
        for step in definition.steps:
            try:
                _perform(step, connections, connect)
            except Failure as failure:
                raise Failure(f"{definition.name}:{step.line}: {failure}") from None
    finally:
        for connection in connections.values():
            connection.close()


def _perform(step: Step, connections: dict[int, _Connection], connect: Connector) -> None:
    if step.action in {Action.CONNECT, Action.AWAIT_CONNECT}:
        try:
            sock = connect()
        except OSError as error:
            raise Failure(f"no connection: {error}") from None
        connections[step.connection] = _Connection(sock)
        return
    connection = connections[step.connection]
    if step.action is Action.SEND:
        connection.send(to_wire(step.text))
    elif step.action is Action.EXPECT:
        _expect(step, connection.receive())
    else:
        if step.action is Action.AWAIT_DISCONNECT:
            connection.await_end()
        connection.close()
        del connections[step.connection]


def _expect(step: Step, frame: bytes) -> None:
    fault = frame_fault(frame) or difference(step.text, frame.decode("latin-1"))
    if fault is not None:
        shown = frame.decode("latin-1").replace("\x01", "|")
        raise Failure(f"{fault}\n  expected {step.text.replace(chr(1), '|')}\n  received {shown}")
