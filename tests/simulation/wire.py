"""An observer at both ends of the wire, which sees the bytes of each side before any fault is applied.

It keeps the log that is printed with a failure, and checks sequence numbers: no number is used twice or
skipped within a connection, and resent messages equal the original ones."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from tests.simulation.schedule import Side
from tests.simulation.violation import Violation

_FIELD = re.compile(rb"(\d+)=([^\x01]*)\x01")
_START = b"8=FIXT.1.1\x01"
HEADER = frozenset({b"8", b"9", b"10", b"34", b"35", b"43", b"49", b"52", b"56", b"97", b"122"})
ADMIN = frozenset({b"0", b"1", b"2", b"3", b"4", b"5", b"A"})

Fields = list[tuple[bytes, bytes]]
OnGapFill = Callable[[Side, int, int, int], None]
"""Called with side, epoch, first number and next number of a gap fill."""


def frames(data: bytes) -> list[bytes]:
    """Split bytes that a session wrote into messages. No simulated message contains the bytes with which a
    message starts.
    """
    return [_START + part for part in data.split(_START)[1:]]


def body(fields: Fields) -> Fields:
    return [field for field in fields if field[0] not in HEADER]


@attrs.define
class Logon:
    """A Logon as it was written."""

    epoch: int
    reset: bool


@attrs.define
class WrittenMessages:
    """The messages that one side has written since its numbers began at 1."""

    epoch: int = 0
    last: int = 0
    seen: dict[int, bytes] = attrs.field(factory=dict)
    """Frames by number."""


@attrs.define
class Line:
    """One line of the log."""

    at: float
    side: Side
    connection: int
    text: str


class Wire:
    """Everything that both sides write."""

    def __init__(self, on_gap_fill: OnGapFill, *, keep_log: bool) -> None:
        self.on_gap_fill = on_gap_fill
        self.written = {side: WrittenMessages() for side in Side}
        self.logons: dict[tuple[Side, str], Logon] = {}
        """Logons by their SendingTime."""
        self.log: list[Line] = []
        self.messages = 0
        self.longest = 0
        """Bytes of the longest message."""
        self.losses_allowed = False
        """Whether a disk has lost committed changes, so a number may be used again."""
        self._keep_log = keep_log
        self._used_connections: set[tuple[Side, int]] = set()

    def record(
        self, at: float, side: Side, connection: int, data: bytes, epoch: int, *, peer_awaits_reset: bool
    ) -> list[tuple[int, int]]:
        """Check the bytes that a session returns; `epoch` is the epoch of its store. Return the epoch and
        number of each application message among them.

        `peer_awaits_reset` means that the peer waits for the answer to a reset. The peer then ignores the
        number of a Logon, because this side may have reset its numbers and died before it sent the answer.
        """
        app_messages: list[tuple[int, int]] = []
        parts = [(frame, _FIELD.findall(frame)) for frame in frames(data)]
        resets = sum(1 for _, fields in parts if self._is_restart(fields))
        written = self.written[side]
        for frame, fields in parts:
            self.messages += 1
            self.longest = max(self.longest, len(frame))
            if self._keep_log:
                self.add_line(at, side, readable(fields), connection)
            values = dict(fields)
            number = int(values[b"34"])
            if values.get(b"43") == b"Y":
                if self._check_duplicate(side, number, values, fields, frame):
                    app_messages.append((written.epoch, number))
                continue
            if self._is_restart(fields):
                resets -= 1
                written = self.written[side] = WrittenMessages(epoch - resets)
            elif peer_awaits_reset and values[b"35"] == b"A" and written.epoch < epoch - resets:
                written = self.written[side] = WrittenMessages(epoch - resets)
            self._check_number(side, connection, number, values)
            written.seen[number] = frame
            written.last = number
            if values[b"35"] == b"A":
                self.logons[side, values[b"52"].decode()] = Logon(written.epoch, b"141" in values)
            elif values[b"35"] not in ADMIN:
                app_messages.append((written.epoch, number))
        if written.epoch != epoch and not self.losses_allowed:
            raise Violation("unannounced", f"{side.value} uses epoch {epoch} without having announced it")
        return app_messages

    def record_refusal(self, at: float, side: Side, connection: int, data: bytes) -> None:
        """Log the answer to a peer whose Logon is refused; the answer has separate sequence numbers."""
        for frame in frames(data):
            self.messages += 1
            self.add_line(at, side, readable(_FIELD.findall(frame)), connection)

    @staticmethod
    def _is_restart(fields: Fields) -> bool:
        values = dict(fields)
        return values[b"35"] == b"A" and values.get(b"141") == b"Y" and values[b"34"] == b"1"

    def add_line(self, at: float, side: Side, text: str, connection: int = 0) -> None:
        """Add a line to the log, with a connection if it concerns one."""
        if self._keep_log:
            self.log.append(Line(at, side, connection, text))

    def _check_number(self, side: Side, connection: int, number: int, values: dict[bytes, bytes]) -> None:
        """Check that a message sent for the first time has the next number, or a later one on a new
        connection."""
        written, kind = self.written[side], values[b"35"].decode()
        if number <= written.last and not self.losses_allowed:
            raise Violation(
                "number reused", f"{side.value} wrote {kind} with number {number} after {written.last}"
            )
        if (side, connection) in self._used_connections and number != written.last + 1:
            raise Violation(
                "number skipped", f"{side.value} wrote {kind} with number {number} after {written.last}"
            )
        self._used_connections.add((side, connection))

    def _check_duplicate(
        self, side: Side, number: int, values: dict[bytes, bytes], fields: Fields, frame: bytes
    ) -> bool:
        """Check a possible duplicate, which is either a gap fill over used numbers or equal to the original
        message. Return True in the latter case.
        """
        written = self.written[side]
        if values[b"35"] == b"4":
            end = int(values[b"36"])
            if values.get(b"123") != b"Y" or not number < end:
                raise Violation("gap fill", f"{side.value} filled {number} to {end}")
            self.on_gap_fill(side, written.epoch, number, end)
            return False
        earlier = written.seen.get(number)
        # A message may have been recorded although its connection ended before it was written.
        if earlier is None or self.losses_allowed:
            written.seen[number] = frame
            return True
        earlier_fields = _FIELD.findall(earlier)
        first = dict(earlier_fields)
        if first[b"35"] in ADMIN:
            raise Violation(
                "admin resent", f"{side.value} sent {number} again, which is of type {first[b'35']!r}"
            )
        if body(earlier_fields) != body(fields) or values.get(b"122") != first.get(b"122", first[b"52"]):
            raise Violation("changed", f"{side.value} sent {number} again with different content")
        return True


def readable(fields: Fields) -> str:
    """Return a shortened message without secrets, for the log."""
    hidden = {b"96", b"10", b"9", b"8", b"49", b"56"}
    return "|".join(
        f"{tag.decode()}={value[:100].decode('latin-1')}" for tag, value in fields if tag not in hidden
    )
