"""Find FIX messages in logs: any junk around them, SOH or what stands for it between fields, any line breaks.

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

from kalshi_fix_adapters.logs.fields import FIELD, SEPARATORS, SOH, Fragments
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.fast_init import fast_init
from kalshi_fix_sansio.framing import CHECK_SUM_FIELDS, CHECK_SUM_SIZE, SUMS_WITH_CHECK_SUM, byte_sum

MAX_MESSAGE = 2 * 1024 * 1024
"""Bytes after which a message that does not end is given up."""

MAX_BEFORE = 256
"""Bytes of a line in front of a message that are given with it."""
_BEGIN_STRING = b"8=FIXT.1.1"
# What must not stand before a start is checked behind its first byte: so a search skips to such bytes.
_BEGINNING = rb"8(?:(?<![0-9]8)%b)=FIXT\.1\.1(?:(%b)|[ \t\r]{0,8}\n)" % (
    b"".join(rb"|(?<=%b8)" % re.escape(each) for each in SEPARATORS if each[-1:].isdigit()),
    b"|".join(map(re.escape, SEPARATORS)),
)
START = re.compile(_BEGINNING)
"""Where a message begins, whatever came before."""
LONGEST_START = 20
"""Bytes of a beginning at most."""
# The same, with BodyLength where nothing is odd about it: a number as the framing has it, then MsgType.
_LONGEST_SEPARATOR = max(map(len, SEPARATORS))
_START_WITH_LENGTH = re.compile(_BEGINNING + rb"(?:9=([1-9][0-9]{0,6})\1(?=35=))?")
_ENDS = {each: re.compile(re.escape(each) + rb"|\n") for each in (*SEPARATORS, b"\n")}
"""What ends a field, by what follows BeginString; a log with a line per field has nothing else there."""
_STOPS = {
    separator: re.compile(b"\n|%b|1(?<=%b1)0=" % (_BEGINNING, re.escape(separator))) for separator in _ENDS
}
"""Where plain fields end: at the end of the line, at the next start, or in front of CheckSum."""
_SUMS_BY_END = {
    b"\x01" + field: total for field, total in zip(CHECK_SUM_FIELDS, SUMS_WITH_CHECK_SUM, strict=True)
}
"""The sum of all bytes of a message modulo 256, CheckSum included, by its end from the SOH in front on."""
_END_SIZE = 1 + CHECK_SUM_SIZE
_LINES = re.compile(rb"(?:[ \t]*+(?!10=|8=FIXT\.1\.1)[0-9]{1,9}=[^\n8]*+(?:8(?!=FIXT\.1\.1)[^\n8]*+)*+\n)+")
"""Lines of a field each, in which no message begins, before that of CheckSum."""
_CHECKSUM_LINE = re.compile(rb"[ \t]*+(10=[0-9]{3})[ \t\r]*+(?=\n)")
_BLANKS = re.compile(rb"[ \t]*")
_CHECKSUM_BEGINS = b"10="
_CHECKSUM = re.compile(rb"10=[0-9]*")
_MAX_REMARKS = 1
"""Lines in a row, between those of one message, that belong to something else."""


@explained
@attrs.frozen
class LoggedMessage:
    """One message as found in a log."""

    frame: bytes
    """Its fields with SOH after each, from BeginString on."""
    line: int
    """Line of the log on which it begins, from 1 on."""
    cut: bool = False
    """Whether it was given up because it did not end."""
    before: bytes = b""
    """What stands in front of it on that line, at most the first `MAX_BEFORE` bytes of the line: a time, say,
    and what the log knows of where it came from."""
    sound: bool = attrs.field(default=False, eq=False)
    """Whether its BodyLength and CheckSum were looked at already, and are right."""


# One is made for each message of a log.
_logged_message = fast_init(LoggedMessage)


@attrs.define
class _Pending:
    """The message being read."""

    line: int
    before: bytes
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


def _is_whole(frame: bytes) -> bool:
    """Say whether BodyLength and CheckSum are right."""
    begin = _START_WITH_LENGTH.match(frame)
    return (
        begin is not None
        and begin[2] is not None
        and begin.end() + int(begin[2]) + CHECK_SUM_SIZE == len(frame)
        and _SUMS_BY_END.get(frame[-_END_SIZE:]) == byte_sum(frame) & 0xFF
    )


def _fields_of(lines: bytes) -> list[bytes]:
    """Return what is on lines of a field each, without the blanks around it."""
    return [line.lstrip(b" \t").rstrip(b" \t\r") for line in lines.split(b"\n")]


class LogReader:
    """Cuts messages out of a log that arrives in pieces; where the pieces end makes no difference."""

    def __init__(self, max_message: int = MAX_MESSAGE, *, line: int = 1, before: bytes = b"") -> None:
        """Begin outside of any message.

        Args:
            max_message: bytes after which a message that does not end is given up.
            line: number of the line on which the log begins.
            before: how that line begins, if it began before.
        """
        self._max_message = max_message
        self._buffer = bytearray()
        self._at = 0
        self._blank_to = self._looked_to = 0
        """Up to where blanks were skipped, and up to where an end was looked for in vain: what waits for the
        rest of the log is not read again with each piece."""
        self._newline = -1
        """The first end of a line behind where a message began, or of the buffer if there is none."""
        self._line = line
        self._before = before
        """How the line at the position begins, as far as it was read and up to `MAX_BEFORE` bytes."""
        self._final = False
        self._awaited = False
        """Whether a message that was not here as a whole has been left for the next piece."""
        self._message: _Pending | None = None

    @property
    def position(self) -> int:
        """Up to where the first piece was used, in bytes."""
        return self._at

    def feed(self, data: bytes) -> Iterator[LoggedMessage]:
        """Take the next bytes of the log; yield the messages that are complete now."""
        # A little before the position is kept: a start must not follow a digit that is in no separator.
        kept = max(self._at - _LONGEST_SEPARATOR, 0)
        del self._buffer[:kept]
        self._buffer += data
        self._at -= kept
        self._blank_to -= kept
        self._looked_to -= kept
        self._newline = -1
        yield from self._scan()

    def close(self) -> Iterator[LoggedMessage]:
        """The log has ended; yield what was still incomplete."""
        self._final = True
        yield from self._scan()

    def _scan(self) -> Iterator[LoggedMessage]:
        while True:
            message = self._message
            if message is None:
                yield from self._take_whole()
                if self._awaited:
                    return
                step = self._seek()
            elif message.at_line_start:
                step = self._begin_line(message)
            else:
                step = self._take_fields(message)
            if step is _Step.WAIT:
                return
            message = self._message
            if message is not None and step is not _Step.GO_ON:
                self._message = None
                if len(message.fragments) > 1:
                    frame = message.fragments.frame()
                    yield _logged_message(frame, message.line, step is _Step.CUT, message.before, False)

    def _advance(self, position: int) -> None:
        newlines = self._buffer.count(b"\n", self._at, position)
        self._line += newlines
        begin = self._at
        if newlines:
            begin = self._buffer.rfind(b"\n", begin, position) + 1
            self._before = b""
        if len(self._before) < MAX_BEFORE:
            self._before += self._buffer[begin : min(position, begin + MAX_BEFORE - len(self._before))]
        if self._message is not None:
            self._message.room -= position - self._at
        self._at = self._blank_to = self._looked_to = position

    def _wait(self, message: _Pending) -> _Step:
        self._looked_to = max(self._looked_to, len(self._buffer))
        # What begins within its room may be told a little behind it.
        is_over = self._looked_to - self._at > message.room + LONGEST_START
        return _Step.CUT if is_over else _Step.WAIT

    def _seek(self) -> _Step:
        found = START.search(self._buffer, self._at)
        if found is None:
            end = len(self._buffer) if self._final else len(self._buffer) - LONGEST_START
            self._advance(max(self._at, end))
            return _Step.WAIT
        self._advance(found.start())
        message = _Pending(self._line, self._before, Fragments(found[1] or b"\n"), self._max_message)
        self._message = message
        self._advance(found.end())
        message.at_line_start = found[1] is None
        return _Step.GO_ON

    def _take_whole(self) -> Iterator[LoggedMessage]:
        """Yield the messages in a row that are here as a whole, each on one line or with a line per field.

        Most messages of most logs are, and are then taken at once: where BodyLength and CheckSum are right
        with SOH for each separator, that is what stood there. The other steps put the same together, and are
        for all that is not so sound: the first such message is left to them.
        """
        # One step that does by itself what others call: with them a message takes one and a half times as
        # long.
        buffer = self._buffer
        awaited, self._awaited = self._awaited, False
        newline = self._newline
        following = -1
        """Where BeginString stands next."""
        while True:
            at = self._at
            found = _START_WITH_LENGTH.match(buffer, following) if following >= 0 else None
            if found is None:
                found = _START_WITH_LENGTH.search(buffer, at)
            if found is None:
                return
            begin, body = found.start(), found.end()
            separator = found[1]
            if separator is None:
                lines = self._whole_lines(begin, body)
                if lines is None:
                    return
                awaited, following = False, -1
                self._advance(begin)
                line, before = self._line, self._before
                self._advance(lines[1])
                yield _logged_message(lines[0], line, False, before, True)
                continue
            if found[2] is None:
                return
            if newline < body:
                newline = buffer.find(b"\n", body)
                if newline < 0:
                    newline = len(buffer)
                self._newline = newline
            following = buffer.find(_BEGIN_STRING, body)
            size = len(separator)
            if size == 1:
                check_sum = body + int(found[2])
            else:
                # What counts one is several bytes here.
                end = newline if following < 0 else min(newline, following)
                check_sum = buffer.find(separator + _CHECKSUM_BEGINS, body, end) + size
                if check_sum < body:
                    check_sum = end
            end = check_sum + CHECK_SUM_SIZE - 1
            whole = buffer.startswith(separator, end)
            if newline == len(buffer) < end + size and not (
                awaited or self._final or end - begin > self._max_message
            ):
                # Where a log is read in large pieces, this is the last message of one. Once is enough: the
                # other steps take what comes bit by bit.
                self._awaited = True
                return
            awaited = False
            if (
                end - begin > self._max_message
                or newline < end
                or not buffer.startswith(_CHECKSUM_BEGINS, check_sum)
                # An SOH among other separators makes no field for the other steps.
                or not buffer.startswith(separator, check_sum - size)
                # They end a message where another one begins, or at its first CheckSum.
                or 0 <= following < check_sum
                or buffer.find(separator + _CHECKSUM_BEGINS, body, check_sum) >= 0
                or not (whole or self._ends_without_separator(begin, end, newline, following))
            ):
                return
            frame = bytes(buffer[begin : end + size]) if whole else bytes(buffer[begin:end]) + separator
            if separator != SOH:
                frame = frame.replace(separator, SOH)
            if _SUMS_BY_END.get(frame[-_END_SIZE:]) != byte_sum(frame) & 0xFF or (
                size > 1 and not _is_whole(frame)
            ):
                return
            newlines = buffer.count(b"\n", at, begin)
            # Not behind the last separator: where the other steps go on, too.
            if newlines:
                self._line += newlines
                line_begin = buffer.rfind(b"\n", at, begin) + 1
                before = bytes(buffer[line_begin : min(begin, line_begin + MAX_BEFORE)])
                self._before = bytes(buffer[line_begin : min(end, line_begin + MAX_BEFORE)])
                self._at = self._blank_to = self._looked_to = end
            else:
                self._advance(begin)
                before = self._before
                self._advance(end)
            yield _logged_message(frame, self._line, False, before, True)

    def _whole_lines(self, begin: int, body: int) -> tuple[bytes, int] | None:
        """Return a sound message with a line per field, and where it ends; None for what is not as plain."""
        buffer = self._buffer
        fields = _LINES.match(buffer, body)
        last = None if fields is None else _CHECKSUM_LINE.match(buffer, fields.end())
        if last is None or last.end() - begin > self._max_message:
            return None
        frame = SOH.join((_BEGIN_STRING, *_fields_of(bytes(buffer[body : last.end(1)])), b""))
        return (frame, last.end(1)) if _is_whole(frame) else None

    def _ends_without_separator(self, begin: int, end: int, newline: int, following: int) -> bool:
        """Say whether the other steps, too, would end a message here, with no separator behind CheckSum."""
        return (
            (newline < len(self._buffer) or self._final)
            and newline - begin <= self._max_message
            and not self._buffer[end : end + 1].isdigit()
            and not 0 <= following < newline
        )

    def _take_fields(self, message: _Pending) -> _Step:
        """Take the whole fields that stand here, up to the end of the line, the next start or CheckSum."""
        buffer, at = self._buffer, self._at
        if buffer.startswith(_CHECKSUM_BEGINS, at):
            return self._take_checksum(message)
        fragments, room_end = message.fragments, at + message.room
        separator = fragments.separator
        # A start, or a separator, that was not whole yet begins before what was looked at.
        looked_to = max(at, self._looked_to - LONGEST_START)
        found = _STOPS[separator].search(buffer, looked_to, max(room_end, at) + LONGEST_START)
        if found is not None and found.start() <= room_end:
            end = found.start()
            if found[0] == _CHECKSUM_BEGINS:
                fragments.add(bytes(buffer[at : end - len(separator)]).split(separator))
                self._advance(end)
                return _Step.GO_ON
            fragments.end_line(bytes(buffer[at:end]))
            if found[0] != b"\n":
                self._advance(end)
                return _Step.DONE
            message.at_line_start = True
            self._advance(end + 1)
            return _Step.GO_ON
        last = buffer.rfind(separator, looked_to, max(room_end, 0) + len(separator))
        if last >= 0:
            fragments.add(bytes(buffer[at:last]).split(separator))
            self._advance(last + len(separator))
            return _Step.GO_ON
        if not self._final:
            return self._wait(message)
        if len(buffer) > room_end:
            return _Step.CUT
        fragments.end_line(bytes(buffer[at:]))
        self._advance(len(buffer))
        return _Step.DONE

    def _take_checksum(self, message: _Pending) -> _Step:
        """Take CheckSum, once it is known where it ends."""
        buffer, at = self._buffer, self._at
        separator = message.fragments.separator
        # Of the separator only a part may have been there.
        looked_to = max(at, self._looked_to - len(separator) + 1)
        found = _ENDS[separator].search(buffer, looked_to)
        if found is None and not self._final:
            return self._wait(message)
        begin, end = (len(buffer), len(buffer)) if found is None else found.span()
        if begin - at > message.room:
            return _Step.CUT
        if next_start := START.search(buffer, at, end):
            message.fragments.end_line(bytes(buffer[at : next_start.start()]))
            self._advance(next_start.start())
            return _Step.DONE
        text = _CHECKSUM.findall(buffer, at, begin)[0]
        message.fragments.add([text])
        self._advance(at + len(text))
        return _Step.DONE

    def _begin_line(self, message: _Pending) -> _Step:
        """Decide what a line is that follows one of the message."""
        buffer, at = self._buffer, self._at
        if message.fragments.separator == b"\n" and self._take_lines(message):
            return _Step.GO_ON
        blanks = _BLANKS.match(buffer, self._blank_to)
        first = self._blank_to if blanks is None else blanks.end()
        self._blank_to = first
        head = bytes(buffer[first : first + LONGEST_START])
        if FIELD.match(head) and not _BEGIN_STRING.startswith(head[: len(_BEGIN_STRING)]):
            return self._continue(message, first)
        if not self._final and len(head) < LONGEST_START and b"\n" not in head:
            return self._wait(message)
        if not head.strip(b"\r\n") or head.lstrip(b"\r").startswith(b"\n"):
            return _Step.DONE
        newline = buffer.find(b"\n", max(first, self._looked_to))
        if newline < 0 and not self._final:
            return self._wait(message)
        end = len(buffer) if newline < 0 else newline + 1
        if end - at > message.room:
            return _Step.CUT
        if START.search(buffer, at, end):
            return _Step.DONE
        if message.fragments.broken and message.fragments.separator in buffer[first:end]:
            return self._continue(message, first)
        message.remarks += 1
        if message.remarks > _MAX_REMARKS:
            return _Step.DONE
        self._advance(end)
        return _Step.GO_ON

    def _take_lines(self, message: _Pending) -> bool:
        """Take several lines of a field each at once, if some are here; the others are taken one by one."""
        buffer, at = self._buffer, self._at
        found = _LINES.match(buffer, at, max(at, min(len(buffer), at + message.room)))
        if found is None:
            return False
        end = found.end()
        message.fragments.add(_fields_of(bytes(buffer[at : end - 1])))
        message.remarks = 0
        self._advance(end)
        return True

    def _continue(self, message: _Pending, first: int) -> _Step:
        message.fragments.begin_line(bytes(self._buffer[self._at : first]))
        message.remarks = 0
        message.at_line_start = False
        self._advance(first)
        return _Step.GO_ON
