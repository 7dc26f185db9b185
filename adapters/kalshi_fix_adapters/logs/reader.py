"""Finds FIX messages in logs, with any surrounding text, separators (SOH or a replacement) and line breaks.

`LogReader` accepts bytes in chunks of any size and yields each message as one frame with SOH between its
fields. A frame may be incomplete; `Codec.inspect` diagnoses it. The memory used is bounded for any input.

A message begins at `8=FIXT.1.1` and ends with its CheckSum (10), before the next message, at an empty line,
or at a line that does not belong to the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

import attrs

from kalshi_fix_adapters.logs.fields import FIELD, SEPARATORS, SOH, Fragments
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE, is_frame

MAX_MESSAGE = 2 * 1024 * 1024
"""Maximum size of a message in bytes; longer messages are truncated."""

MAX_PREFIX = 256
"""Maximum number of bytes before a message, on the same line, that are returned with the message."""
_BEGIN_STRING = b"8=FIXT.1.1"
# The lookbehind is placed after the first byte, so that the search can skip to occurrences of this byte.
START = re.compile(
    rb"8(?:(?<![0-9]8)%b)=FIXT\.1\.1(?:(%b)|[ \t\r]{0,8}\n)"
    % (
        b"".join(rb"|(?<=%b8)" % re.escape(each) for each in SEPARATORS if each[-1:].isdigit()),
        b"|".join(map(re.escape, SEPARATORS)),
    )
)
"""The beginning of a message, which may follow any text."""
MAX_START_SIZE = 20
"""Maximum length of a match of `START`, in bytes."""
_MAX_SEPARATOR_SIZE = max(map(len, SEPARATORS))
_ENDS = {each: re.compile(re.escape(each) + rb"|\n") for each in (*SEPARATORS, b"\n")}
"""For each separator, the end of a field. In a log with one field on each line, the newline is the separator.
"""
_STOPS = {
    separator: re.compile(b"\n|%b|1(?<=%b1)0=" % (START.pattern, re.escape(separator))) for separator in _ENDS
}
"""For each separator, where a sequence of fields ends: at the end of the line, at the start of the next
message, or before CheckSum.
"""
_LINES = re.compile(rb"(?:[ \t]*+(?!10=|8=FIXT\.1\.1)[0-9]{1,9}=[^\n8]*+(?:8(?!=FIXT\.1\.1)[^\n8]*+)*+\n)+")
"""Lines with one field each, except CheckSum and the start of a message."""
_BLANKS = re.compile(rb"[ \t]*")
_CHECKSUM_BEGINS = b"10="
_CHECKSUM = re.compile(rb"10=[0-9]*")
_MAX_UNRELATED_LINES = 1
"""Maximum number of consecutive unrelated lines within one message."""


@attrs.frozen
class LoggedMessage:
    """One message in a log.

    Attributes:
        frame: The fields, beginning with BeginString, with SOH after each.
        line: Number of the line on which the message begins, counted from 1.
        truncated: Whether the message was truncated because it was too long.
        prefix: The text before the message on the same line, such as a time and a direction. At most the
            first `MAX_PREFIX` bytes of the line are kept.
    """

    frame: bytes
    line: int
    truncated: bool = False
    prefix: bytes = b""


@attrs.define
class _PartialMessage:
    """The message being read."""

    line: int
    prefix: bytes
    fragments: Fragments
    room: int
    """Number of bytes that the message may still contain."""
    at_line_start: bool = False
    unrelated_lines: int = 0


class _Step(Enum):
    """The result of one step of the scan."""

    WAIT = auto()
    """More of the log is needed to continue."""
    CONTINUE = auto()
    DONE = auto()
    TRUNCATED = auto()


def position_after(line: int, prefix: bytes, data: bytes) -> tuple[int, bytes]:
    """Return the line number at the end of some bytes of a log, and the first bytes of that line, at most
    `MAX_PREFIX`. `line` and `prefix` are the corresponding values at the beginning of the bytes.
    """
    newline = data.rfind(b"\n")
    if newline >= 0:
        line, prefix = line + data.count(b"\n"), b""
    return line, (prefix + data[newline + 1 :][:MAX_PREFIX])[:MAX_PREFIX]


class LogReader:
    """Extracts messages from a log, which is passed in chunks of any size."""

    def __init__(self, max_message: int = MAX_MESSAGE, *, line: int = 1, prefix: bytes = b"") -> None:
        """Create a reader that is not inside a message.

        Args:
            max_message: maximum size of a message in bytes; longer messages are truncated.
            line: number of the line on which the log begins.
            prefix: the beginning of this line, if the log begins within a line.
        """
        self._max_message = max_message
        self._buffer = bytearray()
        self._at = 0
        self._blank_to = self._searched_to = 0
        """Positions in the buffer that avoid repeated scans of incomplete data: blanks were skipped up to
        `_blank_to`, and no end of a field was found up to `_searched_to`.
        """
        self._line = line
        self._prefix = prefix
        """The beginning of the current line up to the current position, at most `MAX_PREFIX` bytes."""
        self._final = False
        self._message: _PartialMessage | None = None

    @property
    def position(self) -> int:
        """Number of bytes consumed. Only meaningful before the second call to `feed`, which removes consumed
        bytes from the buffer.
        """
        return self._at

    def feed(self, data: bytes) -> Iterator[LoggedMessage]:
        """Add the next bytes of the log; yield the messages that are complete."""
        # Some bytes before the position are kept, because they decide whether `8=FIXT.1.1` begins a message:
        # it does not after a digit, unless the digit belongs to a separator.
        consumed = max(self._at - _MAX_SEPARATOR_SIZE, 0)
        del self._buffer[:consumed]
        self._buffer += data
        self._at -= consumed
        self._blank_to -= consumed
        self._searched_to -= consumed
        yield from self._scan()

    def close(self) -> Iterator[LoggedMessage]:
        """End the log; yield the last message, which may be incomplete."""
        self._final = True
        yield from self._scan()

    def _scan(self) -> Iterator[LoggedMessage]:
        while True:
            message = self._message
            if message is None:
                start = self._seek()
                if start is None:
                    return
                complete = self._take_complete(start)
                if complete is not None:
                    yield complete
                    continue
                step = self._begin(start)
            elif message.at_line_start:
                step = self._begin_line(message)
            else:
                step = self._take_fields(message)
            if step is _Step.WAIT:
                return
            message = self._message
            if message is not None and step is not _Step.CONTINUE:
                self._message = None
                if len(message.fragments) > 1:
                    frame = message.fragments.frame()
                    yield LoggedMessage(frame, message.line, step is _Step.TRUNCATED, message.prefix)

    def _advance(self, position: int) -> None:
        """Consume the bytes up to a position; update the line number and the text before a message."""
        newlines = self._buffer.count(b"\n", self._at, position)
        self._line += newlines
        begin = self._at
        if newlines:
            begin = self._buffer.rfind(b"\n", begin, position) + 1
            self._prefix = b""
        if len(self._prefix) < MAX_PREFIX:
            self._prefix += self._buffer[begin : min(position, begin + MAX_PREFIX - len(self._prefix))]
        if self._message is not None:
            self._message.room -= position - self._at
        self._at = self._blank_to = self._searched_to = position

    def _wait(self, message: _PartialMessage) -> _Step:
        """Return the step after a search that found no end of a field or line: TRUNCATED if the message is
        too long, otherwise WAIT.
        """
        self._searched_to = max(self._searched_to, len(self._buffer))
        # Detecting an end within the limit can take up to MAX_START_SIZE further bytes.
        exceeds_limit = self._searched_to - self._at > message.room + MAX_START_SIZE
        return _Step.TRUNCATED if exceeds_limit else _Step.WAIT

    def _seek(self) -> re.Match[bytes] | None:
        """Advance to the start of the next message and return its match; return None if more data is
        needed.
        """
        match = START.search(self._buffer, self._at)
        if match is None:
            end = len(self._buffer) if self._final else len(self._buffer) - MAX_START_SIZE
            self._advance(max(self._at, end))
            return None
        self._advance(match.start())
        return match

    def _take_complete(self, start: re.Match[bytes]) -> LoggedMessage | None:
        """Return the message if it is valid and complete on one line. Otherwise return None; the slower steps
        must then process the message.

        The slower steps alone would return the same messages, but decoding a log would take twice as long.
        """
        buffer, separator = self._buffer, start[1]
        if separator is None:
            return None
        body = start.end()
        next_start = buffer.find(_BEGIN_STRING, body)
        check_sum = buffer.find(
            separator + _CHECKSUM_BEGINS, body, len(buffer) if next_start < 0 else next_start
        )
        if check_sum < 0:
            return None
        end = check_sum + len(separator) + CHECK_SUM_SIZE - 1
        text = bytes(buffer[self._at : end + len(separator)])
        frame = text.replace(separator, SOH)
        # If another separator is used, an SOH would be part of a value, not the end of a field.
        if (
            end - self._at > self._max_message
            or b"\n" in text
            or (separator != SOH and SOH in text)
            or not is_frame(frame)
        ):
            return None
        message = LoggedMessage(frame, self._line, prefix=self._prefix)
        self._advance(end)
        return message

    def _begin(self, start: re.Match[bytes]) -> _Step:
        """Begin a message at a match of `START`."""
        message = _PartialMessage(self._line, self._prefix, Fragments(start[1] or b"\n"), self._max_message)
        self._message = message
        self._advance(start.end())
        message.at_line_start = start[1] is None
        return _Step.CONTINUE

    def _take_fields(self, message: _PartialMessage) -> _Step:
        """Read the complete fields at this position, up to the end of the line, the next message or
        CheckSum.
        """
        buffer, at = self._buffer, self._at
        if buffer.startswith(_CHECKSUM_BEGINS, at):
            return self._take_checksum(message)
        fragments, room_end = message.fragments, at + message.room
        separator = fragments.separator
        # If a start or separator was incomplete at the last search, it begins before `_searched_to`.
        searched_to = max(at, self._searched_to - MAX_START_SIZE)
        match = _STOPS[separator].search(buffer, searched_to, max(room_end, at) + MAX_START_SIZE)
        if match is not None and match.start() <= room_end:
            end = match.start()
            if match[0] == _CHECKSUM_BEGINS:
                fragments.add(bytes(buffer[at : end - len(separator)]).split(separator))
                self._advance(end)
                return _Step.CONTINUE
            fragments.end_line(bytes(buffer[at:end]))
            if match[0] != b"\n":
                self._advance(end)
                return _Step.DONE
            message.at_line_start = True
            self._advance(end + 1)
            return _Step.CONTINUE
        last = buffer.rfind(separator, searched_to, max(room_end, 0) + len(separator))
        if last >= 0:
            fragments.add(bytes(buffer[at:last]).split(separator))
            self._advance(last + len(separator))
            return _Step.CONTINUE
        if not self._final:
            return self._wait(message)
        if len(buffer) > room_end:
            return _Step.TRUNCATED
        fragments.end_line(bytes(buffer[at:]))
        self._advance(len(buffer))
        return _Step.DONE

    def _take_checksum(self, message: _PartialMessage) -> _Step:
        """Read CheckSum, if the end of the field has been received."""
        buffer, at = self._buffer, self._at
        separator = message.fragments.separator
        # The separator may have been incomplete at the last search.
        searched_to = max(at, self._searched_to - len(separator) + 1)
        match = _ENDS[separator].search(buffer, searched_to)
        if match is None and not self._final:
            return self._wait(message)
        begin, end = (len(buffer), len(buffer)) if match is None else match.span()
        if begin - at > message.room:
            return _Step.TRUNCATED
        if next_start := START.search(buffer, at, end):
            message.fragments.end_line(bytes(buffer[at : next_start.start()]))
            self._advance(next_start.start())
            return _Step.DONE
        text = _CHECKSUM.findall(buffer, at, begin)[0]
        message.fragments.add([text])
        self._advance(at + len(text))
        return _Step.DONE

    def _begin_line(self, message: _PartialMessage) -> _Step:
        """Decide whether the next line continues the message."""
        buffer, at = self._buffer, self._at
        if message.fragments.separator == b"\n" and self._take_lines(message):
            return _Step.CONTINUE
        blanks = _BLANKS.match(buffer, self._blank_to)
        text_start = self._blank_to if blanks is None else blanks.end()
        self._blank_to = text_start
        head = bytes(buffer[text_start : text_start + MAX_START_SIZE])
        if FIELD.match(head) and not _BEGIN_STRING.startswith(head[: len(_BEGIN_STRING)]):
            return self._continue(message, text_start)
        if not self._final and len(head) < MAX_START_SIZE and b"\n" not in head:
            return self._wait(message)
        if not head.strip(b"\r\n") or head.lstrip(b"\r").startswith(b"\n"):
            return _Step.DONE
        newline = buffer.find(b"\n", max(text_start, self._searched_to))
        if newline < 0 and not self._final:
            return self._wait(message)
        end = len(buffer) if newline < 0 else newline + 1
        if end - at > message.room:
            return _Step.TRUNCATED
        if START.search(buffer, at, end):
            return _Step.DONE
        if message.fragments.has_open_line and message.fragments.separator in buffer[text_start:end]:
            return self._continue(message, text_start)
        message.unrelated_lines += 1
        if message.unrelated_lines > _MAX_UNRELATED_LINES:
            return _Step.DONE
        self._advance(end)
        return _Step.CONTINUE

    def _take_lines(self, message: _PartialMessage) -> bool:
        """Read several lines with one field each at once. Return False if there are none; the slower steps
        must then read the next line.
        """
        buffer, at = self._buffer, self._at
        match = _LINES.match(buffer, at, max(at, min(len(buffer), at + message.room)))
        if match is None:
            return False
        end = match.end()
        lines = bytes(buffer[at : end - 1]).split(b"\n")
        message.fragments.add([line.lstrip(b" \t").rstrip(b" \t\r") for line in lines])
        message.unrelated_lines = 0
        self._advance(end)
        return True

    def _continue(self, message: _PartialMessage, text_start: int) -> _Step:
        """Continue the message with the line at this position. `text_start` is the position after the indent
        of the line.
        """
        message.fragments.indent = bytes(self._buffer[self._at : text_start])
        message.unrelated_lines = 0
        message.at_line_start = False
        self._advance(text_start)
        return _Step.CONTINUE
