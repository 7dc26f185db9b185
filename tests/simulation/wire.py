"""An observer at both ends of the wire: what each side writes, before anything happens to it.

It keeps the log that a failure is printed with, and watches the numbers: none is used twice, none is left
out within a connection, and what goes again is what went before.
"""

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
OnFill = Callable[[Side, int, int, int], None]
"""Is told who filled, in which epoch, from which number on, and which number comes next."""


def frames(data: bytes) -> list[bytes]:
    """Cut what a session wrote; none of the simulated messages holds the start of another."""
    return [_START + part for part in data.split(_START)[1:]]


def body(fields: Fields) -> Fields:
    return [field for field in fields if field[0] not in HEADER]


@attrs.define
class Logon:
    """A Logon as it was written."""

    epoch: int
    reset: bool


@attrs.define
class Written:
    """What one side has written since its numbers began at 1."""

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

    def __init__(self, on_fill: OnFill, *, keep_log: bool) -> None:
        self.on_fill = on_fill
        self.written = {side: Written() for side in Side}
        self.logons: dict[tuple[Side, str], Logon] = {}
        """By the SendingTime of the Logon."""
        self.log: list[Line] = []
        self.messages = 0
        self.longest = 0
        """Bytes of the longest one."""
        self.forgiven = False
        """Whether a disk has lied, so that a number may be used again."""
        self._keep_log = keep_log
        self._fresh: set[tuple[Side, int]] = set()

    def note(
        self, at: float, side: Side, connection: int, data: bytes, epoch: int, *, void: bool
    ) -> list[tuple[int, int]]:
        """Look at what a session hands out; `epoch` is that of its store. Return epoch and number
        of the application messages among it.

        While the peer waits for a reset to be answered, the number of a Logon means nothing to it (`void`): a
        side may have done the reset, and died before its answer left.
        """
        applications: list[tuple[int, int]] = []
        parts = [(frame, _FIELD.findall(frame)) for frame in frames(data)]
        resets = sum(1 for _, fields in parts if self._restarts(fields))
        written = self.written[side]
        for frame, fields in parts:
            self.messages += 1
            self.longest = max(self.longest, len(frame))
            if self._keep_log:
                self.remark(at, side, readable(fields), connection)
            values = dict(fields)
            number = int(values[b"34"])
            if values.get(b"43") == b"Y":
                if self._again(side, number, values, fields, frame):
                    applications.append((written.epoch, number))
                continue
            if self._restarts(fields):
                resets -= 1
                written = self.written[side] = Written(epoch - resets)
            elif void and values[b"35"] == b"A" and written.epoch < epoch - resets:
                written = self.written[side] = Written(epoch - resets)
            self._number(side, connection, number, values)
            written.seen[number] = frame
            written.last = number
            if values[b"35"] == b"A":
                self.logons[side, values[b"52"].decode()] = Logon(written.epoch, b"141" in values)
            elif values[b"35"] not in ADMIN:
                applications.append((written.epoch, number))
        if written.epoch != epoch and not self.forgiven:
            raise Violation("unannounced", f"{side.value} counts in epoch {epoch} and has not said so")
        return applications

    def note_refusal(self, at: float, side: Side, connection: int, data: bytes) -> None:
        """What is said to a peer whose Logon is not accepted has numbers of its own."""
        for frame in frames(data):
            self.messages += 1
            self.remark(at, side, readable(_FIELD.findall(frame)), connection)

    @staticmethod
    def _restarts(fields: Fields) -> bool:
        values = dict(fields)
        return values[b"35"] == b"A" and values.get(b"141") == b"Y" and values[b"34"] == b"1"

    def remark(self, at: float, side: Side, text: str, connection: int = 0) -> None:
        """Put something into the log; without a connection it is not on the wire."""
        if self._keep_log:
            self.log.append(Line(at, side, connection, text))

    def _number(self, side: Side, connection: int, number: int, values: dict[bytes, bytes]) -> None:
        """A message that goes for the first time: the next number, or on a new connection a later one."""
        written, kind = self.written[side], values[b"35"].decode()
        if number <= written.last and not self.forgiven:
            raise Violation(
                "number reused", f"{side.value} wrote {kind} under number {number}, after {written.last}"
            )
        if (side, connection) in self._fresh and number != written.last + 1:
            raise Violation(
                "number skipped", f"{side.value} wrote {kind} under {number} after {written.last}"
            )
        self._fresh.add((side, connection))

    def _again(
        self, side: Side, number: int, values: dict[bytes, bytes], fields: Fields, frame: bytes
    ) -> bool:
        """A possible duplicate: a gap fill over numbers used before, or the message as it was (True)."""
        written = self.written[side]
        if values[b"35"] == b"4":
            end = int(values[b"36"])
            if values.get(b"123") != b"Y" or not number < end:
                raise Violation("gap fill", f"{side.value} filled {number} to {end}")
            self.on_fill(side, written.epoch, number, end)
            return False
        before = written.seen.get(number)
        if before is None or self.forgiven:  # it was recorded, but its connection ended before it was written
            written.seen[number] = frame
            return True
        then = _FIELD.findall(before)
        first = dict(then)
        if first[b"35"] in ADMIN:
            raise Violation(
                "admin resent", f"{side.value} sent {number} again, which is of type {first[b'35']!r}"
            )
        if body(then) != body(fields) or values.get(b"122") != first.get(b"122", first[b"52"]):
            raise Violation("changed", f"{side.value} sent {number} again with other content")
        return True


def readable(fields: Fields) -> str:
    """A message for the log, without what is secret in it, or very long."""
    hidden = {b"96", b"10", b"9", b"8", b"49", b"56"}
    return "|".join(
        f"{tag.decode()}={value[:100].decode('latin-1')}" for tag, value in fields if tag not in hidden
    )
