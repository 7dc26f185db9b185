"""The connections of a venue: their sessions, what is to be written to them, which of them need a look."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

import attrs

from kalshi_fix_adapters.venue.gateway.logins import Login
from kalshi_fix_adapters.venue.operations import Cut
from kalshi_fix_adapters.venue.operations.base import Who
from kalshi_fix_adapters.venue.wire import Wire
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session import Session


@attrs.define(eq=False)
class Line:
    """One connection."""

    id: int
    product: str
    session: Session
    login: Login | None = None
    """Who is logged on."""
    output: bytes = b""
    """What was taken from the session and not yet by the caller."""
    due: float | None = None
    """When the venue means to call its session's `handle_timer`, at the latest."""
    wire: Wire | None = None
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
        """Say whether there is something to be written."""
        if not self.output and not self.is_cut:
            self.output = self.session.data_to_send()
            if self.wire is not None:
                self.output = self.wire.outward(self.output, self.who, now)
        return bool(self.output)

    def is_over(self) -> bool:
        """Whether there is nothing more to say, everything having been fetched."""
        held = self.wire is not None and self.wire.holds
        return self.is_cut or (self.session.wants_close and not held)

    def next_deadline(self, now: Instant) -> float | None:
        """Return when its session or its wire has something to do."""
        deadline = self.session.next_deadline()
        # What was not fetched yet is before what the wire holds: until then that cannot leave.
        leaves = None if self.wire is None or self.output else self.wire.next_deadline(self.who, now)
        return deadline if leaves is None else leaves if deadline is None else min(deadline, leaves)


class Lines:
    """All connections. None of its methods but `__iter__` walks all of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._numbers = count(1)
        self._lines: dict[int, Line] = {}
        self._changed: set[Line] = set()
        """Lines that may have output, an end or a deadline that is not noted yet."""
        self.with_output: set[int] = set()
        """Connections for which there is something to be written, as of the last `look`."""
        self.over: set[int] = set()
        """Connections that are to be closed, as of the last `look`."""
        self._deadlines: list[tuple[float, int]] = []
        """A heap of `due` by line. An entry that says something else than its line is out of date."""

    def __iter__(self) -> Iterator[Line]:
        """Iterate over a copy of them, oldest first."""
        return iter(tuple(self._lines.values()))

    def __getitem__(self, number: int) -> Line:
        """Return one that there is."""
        return self._lines[number]

    def get(self, number: int) -> Line | None:
        """Return one, or None if it is gone."""
        return self._lines.get(number)

    def add(self, product: str, session: Session) -> Line:
        """Take in a new one."""
        line = Line(next(self._numbers), product, session)
        self._lines[line.id] = line
        return line

    def remove(self, line: Line) -> None:
        """Forget one that is gone."""
        del self._lines[line.id]
        self._changed.discard(line)
        self.with_output.discard(line.id)
        self.over.discard(line.id)

    def touch(self, line: Line) -> None:
        """Take note that something has happened to one."""
        self._changed.add(line)

    def fetch(self, line: Line, now: Instant) -> bytes:
        """Return what is to be written to one, and forget it."""
        if not line.has_output(now):
            return b""
        output, line.output = line.output, b""
        self.with_output.discard(line.id)
        self._changed.add(line)
        return output

    def look(self, now: Instant, cut: Callable[[Line, Cut, Instant], None], *, in_order: bool) -> None:
        """Note what has become of those that something happened to; `cut` cuts what a wire has cut."""
        while self._changed:
            changed, self._changed = self._changed, set()
            for line in sorted(changed, key=_number) if in_order else changed:
                self._look_at(line, now, cut)

    def _look_at(self, line: Line, now: Instant, cut: Callable[[Line, Cut, Instant], None]) -> None:
        if line.has_output(now):
            self.with_output.add(line.id)
        elif line.is_over():
            self.over.add(line.id)
        if line.wire is not None and line.wire.cut is not None and not line.is_cut:
            cut(line, line.wire.cut, now)
        deadline = line.next_deadline(now)
        # A later one is noted when the earlier one comes.
        if deadline is not None and (line.due is None or deadline < line.due):
            self._set_due(line, deadline)

    def first_due(self, now: Instant) -> float | None:
        """Return the first deadline of all sessions, and drop what is out of date in front of it."""
        while self._deadlines:
            deadline, number = self._deadlines[0]
            line = self._lines.get(number)
            holds = line is not None and line.due == deadline
            actual = line.next_deadline(now) if line is not None and holds else None
            if actual == deadline:
                return deadline
            heapq.heappop(self._deadlines)
            if line is not None and holds:
                line.due = None
                if actual is not None:
                    self._set_due(line, actual)
        return None

    def pop_due(self, now: Instant) -> list[Line]:
        """Return those whose deadline has come, oldest first."""
        due: list[int] = []
        while (first := self.first_due(now)) is not None and first <= now.monotonic:
            _, number = heapq.heappop(self._deadlines)
            self._lines[number].due = None
            due.append(number)
        return [self._lines[number] for number in sorted(due)]

    def _set_due(self, line: Line, deadline: float) -> None:
        line.due = deadline
        heapq.heappush(self._deadlines, (deadline, line.id))


def _number(line: Line) -> int:
    return line.id
