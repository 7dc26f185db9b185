"""The connections of a venue: their sessions, output and deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from operator import attrgetter

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session import Session
from kalshi_fix_venue.deadlines import Deadlines
from kalshi_fix_venue.gateway.logins import Login
from kalshi_fix_venue.operations.base import ConnectionIdentity
from kalshi_fix_venue.operations.faults import Cut
from kalshi_fix_venue.sessions.byte_faults import ByteFaults


@attrs.define(eq=False)
class Connection:
    """One connection: its session, and the state that the venue keeps for it."""

    id: int
    product: str
    session: Session
    login: Login | None = None
    """The login of its session; None before the Logon is accepted, and after the session has ended."""
    output: bytes = b""
    """Bytes from the session that the caller has not fetched yet."""
    faults: ByteFaults | None = None
    """Applies faults to its bytes; None if there has never been a fault that affects bytes."""
    is_cut: bool = False
    """Whether a fault has cut it: its session has ended without a Logout to the client."""
    needs_reset: bool = False
    """Whether the fault that cut it requires a reset (TCP RST) rather than a normal close."""

    @property
    def identity(self) -> ConnectionIdentity:
        """The product, session type, key and owner of the connection, for comparison with the targets of
        faults.
        """
        session_type = self.session.config.session_type.name
        if self.login is None:
            return ConnectionIdentity(self.product, session_type)
        return ConnectionIdentity(self.product, session_type, self.login.key_id, self.login.owner)

    def has_output(self, now: Instant) -> bool:
        """Return whether there are bytes to write.

        This fetches the session's bytes into `output`, after applying the faults.
        """
        if not self.output and not self.is_cut:
            self.output = self.session.data_to_send()
            if self.faults is not None:
                self.output = self.faults.filter_output(self.output, self.identity, now)
        return bool(self.output)

    def is_finished(self) -> bool:
        """Return whether the connection was cut, or its session has ended and no bytes are delayed. Call
        `has_output` first."""
        has_delayed_messages = self.faults is not None and self.faults.has_delayed_messages
        return self.is_cut or (self.session.wants_close and not has_delayed_messages)

    def next_deadline(self, now: Instant) -> float | None:
        """Return the next deadline of its session or of a message delayed by faults."""
        deadline = self.session.next_deadline()
        # Messages keep their order: until `output` is fetched, later delayed messages cannot be released.
        if self.faults is None or self.output:
            return deadline
        release_at = self.faults.next_deadline(self.identity, now)
        return min((at for at in (deadline, release_at) if at is not None), default=None)


class Connections:
    """All connections. Methods other than `__iter__` visit only those that have changed or are due."""

    def __init__(self) -> None:
        """Start without connections."""
        self._numbers = count(1)
        self._connections: dict[int, Connection] = {}
        self._changed: set[Connection] = set()
        """Connections whose output, end or deadline may have changed since the last `refresh`."""
        self.with_output: set[int] = set()
        """Connections with bytes to write, as of the last `refresh`."""
        self.to_close: set[int] = set()
        """Connections to close, as of the last `refresh`."""
        self._deadlines: Deadlines[int, float] = Deadlines()
        """The next deadline of each connection, as of the last `refresh`."""

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy of the connections, oldest first."""
        return iter(tuple(self._connections.values()))

    def __getitem__(self, number: int) -> Connection:
        """Return an existing connection."""
        return self._connections[number]

    def get(self, number: int) -> Connection | None:
        """Return a connection, or None if it has been removed."""
        return self._connections.get(number)

    def add(self, product: str, session: Session) -> Connection:
        """Add a new connection."""
        connection = Connection(next(self._numbers), product, session)
        self._connections[connection.id] = connection
        return connection

    def remove(self, connection: Connection) -> None:
        """Remove a closed connection."""
        del self._connections[connection.id]
        self._deadlines.set(connection.id, None)
        self._changed.discard(connection)
        self.with_output.discard(connection.id)
        self.to_close.discard(connection.id)

    def touch(self, connection: Connection) -> None:
        """Mark a connection as changed, so the next `refresh` visits it."""
        self._changed.add(connection)

    def fetch(self, connection: Connection, now: Instant) -> bytes:
        """Remove and return the bytes to write to a connection."""
        if not connection.has_output(now):
            return b""
        output, connection.output = connection.output, b""
        self.with_output.discard(connection.id)
        self._changed.add(connection)
        return output

    def refresh(
        self, cut: Callable[[Connection, Cut, Instant], None], now: Instant, *, in_order: bool
    ) -> None:
        """Update the state of changed connections; with `in_order`, in the order of their ids. `cut` ends
        those that a fault has cut.
        """
        # A cut may create output for others, such as reports to listeners about orders that it cancels.
        while self._changed:
            changed, self._changed = self._changed, set()
            for connection in sorted(changed, key=attrgetter("id")) if in_order else changed:
                self._refresh_one(connection, cut, now)

    def _refresh_one(
        self, connection: Connection, cut: Callable[[Connection, Cut, Instant], None], now: Instant
    ) -> None:
        if connection.has_output(now):
            self.with_output.add(connection.id)
        elif connection.is_finished():
            self.to_close.add(connection.id)
        if connection.faults is not None and connection.faults.cut is not None and not connection.is_cut:
            cut(connection, connection.faults.cut, now)
        self._deadlines.set(connection.id, connection.next_deadline(now))

    def first_due(self) -> float | None:
        """Return the earliest deadline of all connections, as of the last `refresh`."""
        return self._deadlines.first()

    def pop_due(self, now: Instant) -> list[Connection]:
        """Return the connections whose deadline has passed, oldest first."""
        due: list[int] = []
        while (number := self._deadlines.pop(now.monotonic)) is not None:
            due.append(number)
        return [self._connections[number] for number in sorted(due)]
