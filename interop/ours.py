"""Our side of a connection: a Session driven by a thread that transfers bytes and can drop messages."""

from __future__ import annotations

import queue
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from interop.peer import PATIENCE
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import CloseReason, Event, HeartbeatReceived, SessionEnded
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.session import MessageStore, Session

T = TypeVar("T")
E = TypeVar("E")


def now() -> Instant:
    """Read both clocks."""
    return Instant(time.monotonic(), datetime.now(UTC))


class MessageDropper:
    """Drops chosen messages in transit, as if the network had lost them; sequence numbers are not changed."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._next_types: list[str] = []
        self._types: frozenset[str] | None = frozenset()
        """The types of which every message is dropped; None for all types."""
        self.dropped: list[bytes] = []
        """The messages that were dropped."""
        self.passed: Counter[str] = Counter()
        """Number of messages of each type that were not dropped."""

    def drop_next(self, msg_type: str) -> None:
        """Drop the next message of this type."""
        self._next_types.append(msg_type)

    def drop_every(self, *msg_types: str) -> None:
        """Drop every message of these types from now on; without a type, every message."""
        self._types = frozenset(msg_types) or None

    def stop_dropping(self) -> None:
        """Stop dropping messages, except the next ones requested with `drop_next`."""
        self._types = frozenset()

    def filter(self, data: bytes) -> bytes:
        """Return the messages that are now complete, without those to be dropped."""
        self._framer.feed(data)
        remaining = []
        while (frame := self._framer.next()) is not None:
            assert isinstance(frame, Frame), f"not a FIX message on the wire: {frame}"
            msg_type = frame.data.split(b"\x0135=", 1)[1].split(b"\x01", 1)[0].decode()
            if msg_type in self._next_types:
                self._next_types.remove(msg_type)
                self.dropped.append(frame.data)
            elif self._types is None or msg_type in self._types:
                self.dropped.append(frame.data)
            else:
                self.passed[msg_type] += 1
                remaining.append(frame.data)
        return b"".join(remaining)


class OurSide:
    """One connection of our side. A lock ensures that the session has a single caller at a time."""

    def __init__(
        self,
        sock: socket.socket,
        config: SessionConfig,
        store: MessageStore,
        take: Callable[[Event], bool] | None = None,
    ) -> None:
        """Take over a connected socket and start the session; the peer need not have sent any data.

        `take` is called with every event as soon as it occurs, in the connection's thread; events for which
        it returns True are not kept for `expect`.
        """
        self.session = Session(config, store)
        self.outgoing = MessageDropper()
        self.incoming = MessageDropper()
        self._sock = sock
        self._sock.setblocking(False)
        self._events: queue.Queue[Event] = queue.Queue()
        self._take = take
        self._lock = threading.Lock()
        self._wake, self._wake_reader = socket.socketpair()
        self._unsent = b""
        self._ended = False
        with self._lock:
            self.session.connect(now())
        self._thread = threading.Thread(target=self._run, name="ours")
        self._thread.start()

    def call(self, function: Callable[[Session, Instant], T]) -> T:
        """Call `function` with the session, then let the thread write the output."""
        with self._lock:
            result = function(self.session, now())
        self._wake.send(b"x")
        return result

    def send(self, message: Message) -> int:
        """Send an application message; return its MsgSeqNum."""
        return self.call(lambda session, instant: session.send(message, instant))

    def log_out(self) -> None:
        """Log out, and check that the peer confirms."""
        self.call(lambda session, instant: session.logout(instant))
        ended = self.expect(SessionEnded)
        assert (ended.reason, ended.clean) == (CloseReason.LOGGED_OUT, True), ended

    def expect(self, kind: type[E]) -> E:
        """Return the next event, which must be of this kind."""
        try:
            event = self._events.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no {kind.__name__} occurred") from None
        assert isinstance(event, kind), f"expected {kind.__name__}, got {event}"
        return event

    def expect_nothing(self, seconds: float) -> None:
        """Check that no event occurs for this many seconds."""
        try:
            event = self._events.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return
        raise AssertionError(f"expected no event, got {event}")

    def close(self) -> None:
        """End the thread in any state of the session. A second call has no effect."""
        if self._wake.fileno() < 0:
            return
        with self._lock:
            self._ended = True
        self._wake.send(b"x")
        self._thread.join(PATIENCE)
        for item in (self._sock, self._wake, self._wake_reader):
            item.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            selector.register(self._sock, selectors.EVENT_READ)
            while not self._exchange():
                writable = selectors.EVENT_WRITE if self._unsent else 0
                selector.modify(self._sock, selectors.EVENT_READ | writable)
                for key, _mask in selector.select(self._timeout()):
                    if key.fileobj is self._wake_reader:
                        self._wake_reader.recv(4096)
                    else:
                        self._read()
        self._sock.close()

    def _exchange(self) -> bool:
        """Run the timers, keep the new events, and write output; return whether the connection is over."""
        with self._lock:
            self.session.handle_timer(now())
            # The session produces the next part of a long resend as soon as the previous one is fetched.
            if not self._unsent:
                self._unsent = self.outgoing.filter(self.session.data_to_send())
            events = self.session.events()
            self.session.confirm()  # the events are kept in `_events`
            for event in events:
                # The peer's answer to a TestRequest may arrive before or after other messages, so `expect`
                # does not return it.
                if not isinstance(event, HeartbeatReceived) and not (self._take and self._take(event)):
                    self._events.put(event)
            if self._unsent:
                try:
                    self._unsent = self._unsent[self._sock.send(self._unsent) :]
                except BlockingIOError:
                    pass
                except OSError:
                    self._unsent = b""
            return self._ended or (self.session.wants_close and not self._unsent)

    def _timeout(self) -> float | None:
        with self._lock:
            deadline = self.session.next_deadline()
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _read(self) -> None:
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        with self._lock:
            if data:
                self.session.receive_data(self.incoming.filter(data), now())
            else:
                self.session.receive_eof(now())
                self._ended = True
