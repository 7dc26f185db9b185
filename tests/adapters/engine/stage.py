"""A client's core and an in-memory venue, with a clock that only a test advances."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.attempts import Attempt
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.events import ClientEvent, Endpoint
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.store_sqlite import SqliteFolder
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import KalshiFixError, StoreError
from kalshi_fix_sansio.events import Event, LogonRequested, MessageReceived
from kalshi_fix_sansio.session import MemoryStore, Session, StoredMessage
from tests.helpers import Clock, config, of_type
from tests.samples import execution_report

E = TypeVar("E")
ENDPOINT = Endpoint("venue.example", 1)
report = execution_report
"""The report with which the venue answers an order."""


def plan(name: str = "KalshiNR", *, session: dict[str, Any] | None = None, **changes: Any) -> ConnectionPlan:
    """Return a client's plan; `session` overrides settings of the session, keywords override settings of the
    plan."""
    if isinstance(changes.get("store"), Path):
        changes["store"] = SqliteFolder(changes["store"])
    session = session or {}
    # Each plan has a separate codec, because `QuietWork` depends on all messages that a codec has decoded.
    own = {} if "dialect" in session else {"codec": Codec(DIALECT)}
    return ConnectionPlan(ENDPOINT, Tls(), config(Role.INITIATOR, name, **(own | session)), 10.0, **changes)


class FailingStore(MemoryStore):
    """A store in which a chosen method fails because the disk is full."""

    failing_method: str | None = None
    calls_left = 0
    """Number of calls to this method before it fails."""

    def _call(self, name: str) -> None:
        if name == self.failing_method:
            if not self.calls_left:
                raise StoreError("the disk is full")
            self.calls_left -= 1

    def begin_commit(self) -> int:
        self._call("begin_commit")
        return super().begin_commit()

    @property
    def durable(self) -> int:
        self._call("durable")
        return 0

    @durable.setter
    def durable(self, value: int) -> None:
        """Do nothing; the value is constant."""

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        self._call("record_sent")
        super().record_sent(seq_num, message)

    def advance_incoming(self, next_incoming: int) -> None:
        self._call("advance_incoming")
        super().advance_incoming(next_incoming)


class Stage:
    """Moves bytes between a client and acceptor sessions of the client's type, as an adapter would."""

    def __init__(self, client_plan: ConnectionPlan | None = None) -> None:
        self.clock = Clock()
        self.drawn = 0.5
        """The result of every random draw."""
        self.woken = 0
        self._committed = threading.Event()
        self.core = ClientCore(
            client_plan or plan(),
            wake=self._wake,
            on_commit=self._committed.set,
            clocks=lambda: self.clock.now,
            random=lambda: self.drawn,
        )
        self._venue: Session | None = None
        self.venue_store = MemoryStore()
        self.venue_settings: dict[str, Any] = {}
        self.venue_events: list[Event] = []
        self.attempts: list[tuple[float, Attempt]] = []
        """Connection attempts, each with the seconds since the start."""
        self.connect_error: KalshiFixError | None = None
        """The error with which connection attempts fail; None lets them succeed."""
        self.logon_refusal: str | None = None
        """The Text with which logons are refused; None accepts them."""
        self.transform: Callable[[bytes], bytes] = bytes
        """Applied to the venue's bytes before they reach the client."""
        self.mute = False
        """Whether no bytes reach the client any more."""
        self._begin = self.clock.monotonic

    @property
    def venue(self) -> Session:
        """The venue's end of the current connection."""
        assert self._venue is not None, "there is no connection"
        return self._venue

    @property
    def is_connected(self) -> bool:
        return self._venue is not None

    def _wake(self) -> None:
        self.woken += 1

    def open(self) -> None:
        """Begin, and run everything that is due immediately."""
        self.core.begin()
        self.run()

    def run(self) -> None:
        """Run everything that is due now."""
        while self._step():
            pass

    def _wait_for_store(self) -> None:
        """Wait until a store with a thread of its own has committed everything."""
        connection = self.core._connection
        while (
            connection is not None and connection.session.unreleased and not connection.may_have_more_output
        ):
            assert self._committed.wait(60)
            self._committed.clear()
            self.core.store_changed()

    def _step(self) -> bool:
        core = self.core
        self._wait_for_store()
        self._check_copied_state()
        attempt = core.next_attempt()
        if attempt is not None:
            self.attempts.append((self.clock.monotonic - self._begin, attempt))
            if self.connect_error is not None:
                core.connect_failed(self.connect_error)
            else:
                self.accept()
            return True
        if not self.is_connected:
            return False
        core.tick()
        self.venue.handle_timer(self.clock.now)
        moved = self._carry_to_venue(self.venue) | self._carry_to_client(self.venue)
        if core.must_close:
            self.venue.receive_eof(self.clock.now)
            self.venue_events += self.venue.events()
            self._venue = None
            core.disconnected()
            return True
        return moved

    def _check_copied_state(self) -> None:
        """Check that the core's copy of the session's state agrees with the session."""
        connection = self.core._connection
        if connection is None:
            return
        session = connection.session
        assert session.events() == []
        assert connection.state is session.state
        assert connection.can_send in (session.is_established, False)
        assert connection.may_have_more_output or session.data_to_send() == b""

    def accept(self) -> None:
        """Complete a connection attempt."""
        settings = config(Role.ACCEPTOR, self.core.plan.config.session_type.name, **self.venue_settings)
        self._venue = Session(settings, self.venue_store)
        self._venue.connect(self.clock.now)
        self.core.connected()
        while self.core.timeout() == 0:
            self.core.tick()

    def _carry_to_venue(self, venue: Session) -> bool:
        data = bytes(self.core.output)
        if data:
            venue.receive_data(data, self.clock.now)
            self.core.wrote(len(data))
        events = venue.events()
        self.venue_events += events
        if any(isinstance(event, LogonRequested) for event in events):
            if self.logon_refusal is None:
                venue.accept_logon(self.clock.now)
            else:
                venue.refuse_logon(self.logon_refusal, self.clock.now)
        return bool(data or events)

    def _carry_to_client(self, venue: Session) -> bool:
        if self.mute or not self.core.wants_read:
            return False
        data = venue.data_to_send()
        if data:
            self.core.receive(self.transform(data))
        elif venue.wants_close:
            self.core.receive(b"")
        return bool(data)

    def advance(self, seconds: float) -> None:
        """Advance the clock, and run everything when it is due."""
        end = self.clock.monotonic + seconds
        while True:
            timeouts = [self.core.timeout(), self._venue_timeout() if self.is_connected else None]
            step = min([timeout for timeout in timeouts if timeout is not None], default=seconds)
            if self.clock.monotonic + step > end:
                break
            self.clock.advance(step)
            self.run()
            if step == 0 and self.core.timeout() == 0:
                break
        self.clock.advance(end - self.clock.monotonic)
        self.run()

    def _venue_timeout(self) -> float | None:
        due = self.venue.next_deadline()
        return None if due is None else max(0.0, due - self.clock.monotonic)

    def cut(self, *, wait: float = 0.0) -> None:
        """Drop the connection, and advance the clock."""
        self.core.receive(b"")
        self.run()
        if wait:
            self.advance(wait)

    def leave(self) -> None:
        """Log out and close the client."""
        self.core.logout()
        self.run()
        self.core.close(clean=True)

    def venue_sends(self, *messages: Message) -> None:
        """Send messages from the venue."""
        for message in messages:
            self.venue.send(message, self.clock.now)
        self.run()

    def take(self) -> list[ClientEvent]:
        """Take all waiting events; the last event stays unconfirmed."""
        taken = []
        while len(self.core._queue):
            event = self.core.take()
            assert event is not None
            taken.append(event)
        return taken

    def take_kinds(self) -> list[str]:
        """Take all waiting events and return their class names."""
        return [type(event).__name__ for event in self.take()]

    def take_ids(self) -> list[str]:
        """Take all waiting events and return the ClOrdIDs of the messages among them."""
        return [message.cl_ord_id for message in messages_of(self.take())]


def open_stage(client_plan: ConnectionPlan | None = None) -> Stage:
    """Return a client that is logged on and has taken its first events."""
    stage = Stage(client_plan)
    stage.open()
    assert stage.core.is_logged_on, stage.core.error
    stage.take()
    return stage


def only(events: list[Any], kind: type[E]) -> E:
    """Return the only event of a class."""
    (found,) = of_type(events, kind)
    return found


def messages_of(events: list[Any]) -> list[Any]:
    """Return the messages among events."""
    return [event.message for event in of_type(events, MessageReceived)]
