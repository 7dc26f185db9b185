"""Find FIX messages in logs: any junk around them, SOH, `|` or `^A` between fields, any line breaks.

`LogReader` takes bytes in pieces of any size and gives each message as one frame with SOH between its
fields, whole or not: what is missing or wrong in it is for `Codec.inspect` to say. Memory stays bounded
whatever comes.

A message begins at `8=FIXT.1.1` and ends with its CheckSum (10), or where the next one begins, or at an
empty line, or when its lines turn into something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

import attrs

from kalshi_fix_adapters.cli.log_fields import FIELD, Fragments

MAX_MESSAGE = 256 * 1024
"""Bytes after which a message that does not end is given up."""

_BEGIN_STRING = b"8=FIXT.1.1"
_START = re.compile(rb"(?<![0-9])8=FIXT\.1\.1(?:(\x01|\||\^A)|[ \t\r]{0,8}\n)")
_LONGEST_START = 20
_ENDS = {
    b"\x01": re.compile(rb"\x01|\n"),
    b"|": re.compile(rb"\||\n"),
    b"^A": re.compile(rb"\^A|\n"),
    b"\n": re.compile(rb"\n"),
}
"""What ends a field, by what follows BeginString; a log with a line per field has nothing else there."""
_BLANKS = re.compile(rb"[ \t]*")
_CHECKSUM = re.compile(rb"10=[0-9]*")
_MAX_REMARKS = 1
"""Lines in a row, between those of one message, that belong to something else."""


@attrs.frozen
class LoggedMessage:
    """One message as found in a log."""

    frame: bytes
    """Its fields with SOH after each, from BeginString on."""
    line: int
    """Line of the log on which it begins, from 1 on."""
    cut: bool = False
    """Whether it was given up because it did not end."""


@attrs.define
class _Pending:
    """The message being read."""

    line: int
    fragments: Fragments
    room: int
    """Bytes it may still take."""
    at_line_start: bool = False
    remarks: int = 0


class _Step(Enum):
    WAIT = auto()
    """More of the log is needed to go on."""
    GO_ON = auto()
    DONE = auto()
    CUT = auto()


class LogReader:
    """Cuts messages out of a log that arrives in pieces; where the pieces end makes no difference."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._max_message = max_message
        self._buffer = b""
        self._at = 0
        self._line = 1
        self._final = False
        self._message: _Pending | None = None

    def feed(self, data: bytes) -> Iterator[LoggedMessage]:
        """Take the next bytes of the log; yield the messages that are complete now."""
        # One byte before the position is kept, because a start must not follow a digit.
        kept = max(self._at - 1, 0)
        self._buffer = self._buffer[kept:] + data
        self._at -= kept
        yield from self._scan()

    def close(self) -> Iterator[LoggedMessage]:
        """The log has ended; yield what was still incomplete."""
        self._final = True
        yield from self._scan()

    def _scan(self) -> Iterator[LoggedMessage]:
        while True:
            message = self._message
            if message is None:
                step = self._seek()
            elif message.at_line_start:
                step = self._begin_line(message)
            else:
                step = self._take_fragment(message)
            if step is _Step.WAIT:
                return
            if message is not None and step is not _Step.GO_ON:
                self._message = None
                if len(message.fragments) > 1:
                    yield LoggedMessage(message.fragments.frame(), message.line, step is _Step.CUT)

    def _advance(self, position: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, position)
        if self._message is not None:
            self._message.room -= position - self._at
        self._at = position

    def _wait(self, message: _Pending) -> _Step:
        return _Step.CUT if len(self._buffer) - self._at > message.room else _Step.WAIT

    def _seek(self) -> _Step:
        found = _START.search(self._buffer, self._at)
        if found is None:
            end = len(self._buffer) if self._final else len(self._buffer) - _LONGEST_START
            self._advance(max(self._at, end))
            return _Step.WAIT
        self._advance(found.start())
        message = _Pending(self._line, Fragments(found[1] or b"\n"), self._max_message)
        self._advance(found.end())
        message.at_line_start = found[1] is None
        self._message = message
        return _Step.GO_ON

    def _take_fragment(self, message: _Pending) -> _Step:
        """Take what stands up to the next separator or the end of the line."""
        buffer, at = self._buffer, self._at
        found = _ENDS[message.fragments.separator].search(buffer, at)
        if found is None and not self._final:
            return self._wait(message)
        end, token = (len(buffer), b"") if found is None else (found.start(), found[0])
        if end - at > message.room:
            return _Step.CUT
        if next_start := _START.search(buffer, at, end + len(token)):
            message.fragments.end_line(buffer[at : next_start.start()])
            self._advance(next_start.start())
            return _Step.DONE
        if checksum := _CHECKSUM.match(buffer, at, end):
            message.fragments.add(checksum[0])
            self._advance(checksum.end())
            return _Step.DONE
        if token == message.fragments.separator != b"\n":
            message.fragments.add(buffer[at:end])
        else:
            message.fragments.end_line(buffer[at:end])
            message.at_line_start = True
        self._advance(end + len(token))
        return _Step.GO_ON if token else _Step.DONE

    def _begin_line(self, message: _Pending) -> _Step:
        """Decide what a line is that follows one of the message."""
        buffer, at = self._buffer, self._at
        blanks = _BLANKS.match(buffer, at)
        first = at if blanks is None else blanks.end()
        head = buffer[first : first + _LONGEST_START]
        if FIELD.match(head) and not _BEGIN_STRING.startswith(head[: len(_BEGIN_STRING)]):
            return self._continue(message, first)
        if not self._final and len(head) < _LONGEST_START and b"\n" not in head:
            return self._wait(message)
        if not head.strip(b"\r\n") or head.lstrip(b"\r").startswith(b"\n"):
            return _Step.DONE
        newline = buffer.find(b"\n", first)
        if newline < 0 and not self._final:
            return self._wait(message)
        end = len(buffer) if newline < 0 else newline + 1
        if end - at > message.room:
            return _Step.CUT
        if _START.search(buffer, at, end):
            return _Step.DONE
        if message.fragments.broken and message.fragments.separator in buffer[first:end]:
            return self._continue(message, first)
        message.remarks += 1
        if message.remarks > _MAX_REMARKS:
            return _Step.DONE
        self._advance(end)
        return _Step.GO_ON

    def _continue(self, message: _Pending, first: int) -> _Step:
        message.fragments.begin_line(self._buffer[self._at : first])
        message.remarks = 0
        message.at_line_start = False
        self._advance(first)
        return _Step.GO_ON
