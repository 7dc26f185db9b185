"""Two transports for a scenario: in memory, and a TCP connection on the loopback interface.

Both use the scenario's clock, and neither sleeps. In memory there is nothing to wait for; over TCP each
step ends with a barrier, which is a mark in the stream itself. The session's side removes the mark after
processing all bytes before it, and sends the mark back after all resulting output. So the bytes that return
before the mark are the complete result.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import attrs

from kalshi_fix_sansio.events import Event
from kalshi_fix_sansio.session import Session
from tests.helpers import Clock
from tests.scenarios.runner.driver import Call, Driver

DEADLINE = 20.0
"""Real seconds after which a connection without the expected answer counts as failed."""
MARK = re.compile(rb"\x00barrier (\d{8})\x00")
MARK_SIZE = 18
Action = Callable[[Driver], None]


@attrs.define
class Outcome:
    """The effects of one step."""

    sent: bytes
    events: list[Event]
    raised: Exception | None
    closed: bool
    """Whether our side has closed the connection."""


class Transport(ABC):
    """One connection, from the peer's point of view, with the session at the other end."""

    is_reading: bool
    """Whether the peer reads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._received = bytearray()
        self._raised: Exception | None = None
        self._closed = False
        self.is_fetching = True
        """Whether the user fetches events."""

    @abstractmethod
    def send(self, chunks: Sequence[bytes]) -> None:
        """Send the peer's bytes, in these chunks."""

    @abstractmethod
    def end(self) -> None:
        """End the peer's side of the stream."""

    @abstractmethod
    def _perform(self, action: Action) -> None:
        """Have the driver perform an action, once all bytes sent earlier have arrived."""

    @abstractmethod
    def close(self) -> None:
        """Drop the connection."""

    def call(self, call: Call) -> None:
        """Run a call by the user."""
        self._perform(lambda driver: driver.call(call))

    def wait_until(self, time: float) -> None:
        """Advance the clock to this monotonic time."""
        self._perform(lambda driver: driver.wait_until(time))

    def take_outcome(self) -> Outcome:
        """Return all effects since the last call."""
        self._perform(Driver.run_until_idle)
        sent = bytes(MARK.sub(b"", self._received))
        self._received.clear()
        raised, self._raised = self._raised, None
        return Outcome(sent, self._session.events() if self.is_fetching else [], raised, self._closed)


def perform(driver: Driver, action: Action) -> Exception | None:
    """Perform an action; return the exception raised to the user."""
    try:
        action(driver)
    except Exception as error:  # noqa: BLE001 - the scenario defines the expected one
        return error
    return None


class InMemory(Transport):
    """Passes bytes directly, without a transport."""

    def __init__(self, session: Session, clock: Clock) -> None:
        super().__init__(session)
        self._driver = Driver(session, clock, self._received.extend, self._record_close)

    def _record_close(self) -> None:
        self._closed = True

    @property
    def is_reading(self) -> bool:
        """Whether the peer reads. While it does not, the session keeps its outgoing bytes."""
        return self._driver.may_write

    @is_reading.setter
    def is_reading(self, value: bool) -> None:
        self._driver.may_write = value

    def send(self, chunks: Sequence[bytes]) -> None:
        """Send the peer's bytes, in these chunks."""
        for chunk in chunks:
            self._driver.receive(chunk)

    def end(self) -> None:
        """End the peer's side of the stream."""
        self._driver.receive_eof()

    def _perform(self, action: Action) -> None:
        self._raised = perform(self._driver, action) or self._raised

    def close(self) -> None:
        """Do nothing; no resource is open."""


class Loopback(Transport):
    """A TCP connection. The session runs in a thread that only reads and handles marks."""

    def __init__(self, session: Session, clock: Clock) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._socket = socket.create_connection(server.getsockname(), timeout=DEADLINE)
            ours, _ = server.accept()
        for end in (self._socket, ours):
            end.settimeout(DEADLINE)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(session)
        self._actions: list[Action] = []
        self._results: queue.SimpleQueue[tuple[int, Exception | None]] = queue.SimpleQueue()
        self._ended = False
        self.is_reading = True
        self._session_side = _SessionSide(ours, session, clock, self._actions, self._results)
        self._thread = threading.Thread(target=self._session_side.run)
        self._thread.start()

    def send(self, chunks: Sequence[bytes]) -> None:
        """Send the peer's bytes, in these chunks as far as TCP allows."""
        for chunk in chunks:
            assert not MARK.search(chunk), "a scenario cannot send a mark"
            self._socket.sendall(chunk)

    def end(self) -> None:
        """End the peer's side of the stream; our side then ends its own."""
        self._socket.shutdown(socket.SHUT_WR)
        self._ended = True
        self._read_until(None)
        self._join()

    def close(self) -> None:
        """Drop the connection and let the thread end."""
        self._socket.close()
        self._join()

    def _perform(self, action: Action) -> None:
        """Have the session's side perform an action at this point of the stream; wait until it is done."""
        if self._ended:
            self._raised = perform(self._session_side.driver, action) or self._raised
            return
        number = len(self._actions)
        self._actions.append(action)
        mark = b"\x00barrier %08d\x00" % number
        self._socket.sendall(mark)
        done, raised = self._results.get(timeout=DEADLINE)
        if done < 0 and raised is not None:
            raise raised
        assert done == number
        self._raised = raised or self._raised
        if self.is_reading and not self._closed:
            self._read_until(mark)

    def _read_until(self, mark: bytes | None) -> None:
        """Read until the mark returns, or to the end of the stream, which is equivalent."""
        while mark is None or mark not in self._received:
            data = self._socket.recv(65536)
            if not data:
                self._closed = not self._ended
                return
            self._received += data

    def _join(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the session's thread hangs"


class _SessionSide:
    """The session's side of the connection: a blocking reader around a Driver."""

    def __init__(
        self,
        connection: socket.socket,
        session: Session,
        clock: Clock,
        actions: Sequence[Action],
        results: queue.SimpleQueue[tuple[int, Exception | None]],
    ) -> None:
        self._socket = connection
        self._actions = actions
        self._results = results
        self._pending = b""
        self._open = True
        self.driver = Driver(session, clock, connection.sendall, self._close)

    def _close(self) -> None:
        self._open = False
        self._socket.shutdown(socket.SHUT_WR)

    def run(self) -> None:
        """Serve until the peer ends the stream."""
        with self._socket:
            try:
                while data := self._socket.recv(65536):
                    self._process(data)
                self.driver.receive_eof()
            except Exception as error:  # noqa: BLE001 - the other thread raises it
                self._results.put((-1, error))

    def _process(self, data: bytes) -> None:
        """Pass the bytes before each mark to the session, perform the mark's action, and send the
        mark back.
        """
        self._pending += data
        while found := MARK.search(self._pending):
            before, self._pending = self._pending[: found.start()], self._pending[found.end() :]
            if before:
                self.driver.receive(before)
            number = int(found[1])
            raised = perform(self.driver, self._actions[number])
            if self._open:
                self._socket.sendall(found[0])
            self._results.put((number, raised))
        # The end of the data may be the beginning of a mark.
        start = self._pending.rfind(b"\x00", max(len(self._pending) - MARK_SIZE, 0))
        size = len(self._pending) if start < 0 else start
        if size:
            self.driver.receive(self._pending[:size])
            self._pending = self._pending[size:]
