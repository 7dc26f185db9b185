"""The connections of a venue: their sessions, what is to be written to them, which of them need a look."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

import attrs

from kalshi_fix_adapters.venue.gateway.logins import Login
from kalshi_fix_adapters.venue.operations import Cut
from kalshi_fix_adapters.venue.operations.base import Who
from kalshi_fix_adapters.venue.sessions.byte_faults import ByteFaults
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session import Session


@attrs.define(eq=False)
class Connection:
    """One connection: its session, and what the venue knows of it beside."""

    id: int
    product: str
    session: Session
    login: Login | None = None
    """Who is logged on."""
    output: bytes = b""
    """What was taken from the session and not yet by the caller."""
    due: float | None = None
    """When the venue means to call its session's `handle_timer`, at the latest."""
    faults: ByteFaults | None = None
    """What faults may do to its bytes; None where there never were any."""
    is_cut: bool = False
    """Whether a fault has cut it: its session is over, and the client is not told."""
    is_reset: bool = False
    """Whether it is to be reset rather than closed."""

    @property
    def who(self) -> Who:
        """How faults know it."""
        session_type = self.session.config.session_type.name
        if self.login is None:
            return Who(self.product, session_type)
        return Who(self.product, session_type, self.login.key_id, self.login.owner)

    def has_output(self, now: Instant) -> bool:
        """Say whether there is something to be written.

        To ask is to fetch: what the session has to say moves to `output`, by way of the faults.
        """
        if not self.output and not self.is_cut:
            self.output = self.session.data_to_send()
            if self.faults is not None:
                self.output = self.faults.outward(self.output, self.who, now)
        return bool(self.output)

    def is_over(self) -> bool:
        """Whether there is nothing more to say, everything having been fetched."""
        held = self.faults is not None and self.faults.holds
        return self.is_cut or (self.session.wants_close and not held)

    def next_deadline(self, now: Instant) -> float | None:
        """Return when its session has something to do, or a message that faults hold may leave."""
        deadline = self.session.next_deadline()
        # Messages keep their order: while `output` was not fetched, what is held behind it cannot leave.
        leaves = None if self.faults is None or self.output else self.faults.next_deadline(self.who, now)
        return deadline if leaves is None else leaves if deadline is None else min(deadline, leaves)


class Connections:
    """All connections. None of its methods but `__iter__` walks all of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._numbers = count(1)
        self._connections: dict[int, Connection] = {}
        self._changed: set[Connection] = set()
        """Connections that may have output, an end or a deadline that is not noted yet."""
        self.with_output: set[int] = set()
        """Connections for which there is something to be written, as of the last `refresh`."""
        self.over: set[int] = set()
        """Connections that are to be closed, as of the last `refresh`."""
        self._deadlines: list[tuple[float, int]] = []
        """A heap of `due` by connection. Deadlines move all the time, and a heap cannot move an entry: the
        old one stays, and is out of date because it differs from the `due` of its connection."""

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy of them, oldest first."""
        return iter(tuple(self._connections.values()))

    def __getitem__(self, number: int) -> Connection:
        """Return one that there is."""
        return self._connections[number]

    def get(self, number: int) -> Connection | None:
        """Return one, or None if it is gone."""
        return self._connections.get(number)

    def add(self, product: str, session: Session) -> Connection:
        """Take in a new one."""
        connection = Connection(next(self._numbers), product, session)
        self._connections[connection.id] = connection
        return connection

    def remove(self, connection: Connection) -> None:
        """Forget one that is gone."""
        del self._connections[connection.id]
        self._changed.discard(connection)
        self.with_output.discard(connection.id)
        self.over.discard(connection.id)

    def touch(self, connection: Connection) -> None:
        """Take note that something has happened to one."""
        self._changed.add(connection)

    def fetch(self, connection: Connection, now: Instant) -> bytes:
        """Return what is to be written to one, and forget it."""
        if not connection.has_output(now):
            return b""
        output, connection.output = connection.output, b""
        self.with_output.discard(connection.id)
        self._changed.add(connection)
        return output

    def refresh(
        self, cut: Callable[[Connection, Cut, Instant], None], now: Instant, *, in_order: bool
    ) -> None:
        """Note what has become of those that something happened to; `cut` ends what a fault has cut."""
        # A cut gives others something to say, such as reports to listeners of orders that it cancels.
        while self._changed:
            changed, self._changed = self._changed, set()
            for connection in sorted(changed, key=_number) if in_order else changed:
                self._refresh_one(connection, cut, now)

    def _refresh_one(
        self, connection: Connection, cut: Callable[[Connection, Cut, Instant], None], now: Instant
    ) -> None:
        if connection.has_output(now):
            self.with_output.add(connection.id)
        elif connection.is_over():
            self.over.add(connection.id)
        if connection.faults is not None and connection.faults.cut is not None and not connection.is_cut:
            cut(connection, connection.faults.cut, now)
        deadline = connection.next_deadline(now)
        # A later one is noted when the earlier one comes: most deadlines move on with each message, and a
        # heap entry for each would outweigh everything else.
        if deadline is not None and (connection.due is None or deadline < connection.due):
            self._set_due(connection, deadline)

    def first_due(self, now: Instant) -> float | None:
        """Return the first deadline of all sessions, and drop what is out of date in front of it."""
        while self._deadlines:
            deadline, number = self._deadlines[0]
            connection = self._connections.get(number)
            holds = connection is not None and connection.due == deadline
            actual = connection.next_deadline(now) if connection is not None and holds else None
            if actual == deadline:
                return deadline
            heapq.heappop(self._deadlines)
            if connection is not None and holds:
                connection.due = None
                if actual is not None:
                    self._set_due(connection, actual)
        return None

    def pop_due(self, now: Instant) -> list[Connection]:
        """Return those whose deadline has come, the oldest connection first."""
        due: list[int] = []
        while (first := self.first_due(now)) is not None and first <= now.monotonic:
            _, number = heapq.heappop(self._deadlines)
            self._connections[number].due = None
            due.append(number)
        return [self._connections[number] for number in sorted(due)]

    def _set_due(self, connection: Connection, deadline: float) -> None:
        connection.due = deadline
        heapq.heappush(self._deadlines, (deadline, connection.id))


def _number(connection: Connection) -> int:
    return connection.id
