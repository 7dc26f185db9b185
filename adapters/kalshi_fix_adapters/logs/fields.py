"""Restores the fields of a logged message from fragments, and interprets line breaks inside the message."""

from __future__ import annotations

import re
from collections.abc import Callable

from kalshi_fix_sansio.framing import byte_sum

SOH = b"\x01"
SEPARATORS = (SOH, b"|", b"^A", rb"\x01", rb"\u0001", b"<SOH>")
"""Field separators: SOH, and the replacements for it that programs and terminals print."""
FIELD = re.compile(rb"[0-9]{1,9}=")
"""The start of a field."""
_TEXT = b"58="
_TEXT_BEGINS = SOH + _TEXT
_BEST_SCORE = 2
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_ENVELOPE = re.compile(rb"8=FIXT\.1\.1\x019=([0-9]{1,9})\x01(.*\x01)10=([0-9]{1,9})\x01", re.DOTALL)


class Fragments:
    """The fragments of one message: the texts between separators and line endings, in log order."""

    def __init__(self, separator: bytes) -> None:
        self.separator = separator
        self._fragments = [b"8=FIXT.1.1"]
        self._breaks: dict[int, bytes] = {}
        """For each fragment after a line that ended without a separator: the index of the fragment and its
        indent. The line ending before this fragment either replaces a separator, or is inside a value.
        """
        self.indent: bytes = b""
        """The indent before the first fragment of the current line."""
        self.has_open_line: bool = False
        """Whether the previous line ended without a separator."""

    def __len__(self) -> int:
        return len(self._fragments)

    def add(self, texts: list[bytes]) -> None:
        """Add the next fragments of a line, at least one."""
        if self.has_open_line:
            self._breaks[len(self._fragments)] = self.indent
        self._fragments += texts
        self.indent, self.has_open_line = b"", False

    def end_line(self, text: bytes) -> None:
        """Add the rest of a line. After a final separator, the last fragment is empty and ignored."""
        *texts, last = text.split(self.separator)
        if texts:
            self.add(texts)
        last = last.rstrip(b" \t\r")
        if last:
            self.add([last])
            self.has_open_line = self.separator != b"\n"

    def frame(self) -> bytes:
        """Return the fields of the message, with SOH after each.

        A line ending without a separator may replace a separator, a terminal may have wrapped a value, or the
        value itself may contain a line break. BodyLength (9) and CheckSum (10) show which case it is. If
        BodyLength is wrong in every case, a line that begins with a tag is treated as a new field.
        """
        end = len(self._fragments)
        while not FIELD.match(self._fragments[end - 1]):
            end -= 1  # text after the last separator of a log line, such as a bracket
        fragments = self._fragments[:end]
        breaks = [(index, indent) for index, indent in self._breaks.items() if index < end]
        # If scores are equal, the first reading is kept: a line that begins with a tag is a new field.
        best, best_score = b"", -1
        for reading in _READINGS if breaks else _READINGS[:1]:
            frame = self._read(fragments, breaks, reading)
            score = _score(frame)
            if score > best_score:
                best, best_score = frame, score
            if best_score == _BEST_SCORE:
                return best
        return _unescape(best)

    def _read(self, fragments: list[bytes], breaks: list[tuple[int, bytes]], reading: _Reading) -> bytes:
        """Return the fields, with each line ending interpreted by `reading`. If BodyLength or CheckSum is
        then wrong, a Text (58) may contain the separator, so fragments that do not begin like a field are
        appended to the Text before them.
        """
        # The parts are joined once at the end, because a value may consist of 250,000 fragments.
        replacements: dict[int, bytes] = {}
        parts: list[bytes] = []
        begin = 0
        for index, indent in breaks:
            replacement = reading(fragments[index], indent)
            if replacement is not None:
                replacements[index] = replacement
                parts += (SOH.join(fragments[begin:index]), replacement)
                begin = index
        frame = b"".join((*parts, SOH.join(fragments[begin:]), SOH))
        if self.separator == SOH or _TEXT_BEGINS not in frame or _score(frame) == _BEST_SCORE:
            return frame
        joined: list[list[bytes]] = []
        for index, fragment in enumerate(fragments):
            if index in replacements:
                joined[-1] += (replacements[index], fragment)
            else:
                joined.append([fragment])
        fields: list[list[bytes]] = []
        for text in map(b"".join, joined):
            # A fragment that does not begin like a field belongs to a Text field that contains the separator.
            if FIELD.match(text) or not fields[-1][0].startswith(_TEXT):
                fields.append([text])
            else:
                fields[-1].append(text)
        return SOH.join(map(self.separator.join, fields)) + SOH


_Reading = Callable[[bytes, bytes], bytes | None]
"""One way to interpret the line ending before a fragment. The function receives the fragment and its indent.
It returns the text that replaces the line ending, or None if the fragment begins a new field.
"""


def _split_before_tag(text: bytes, _indent: bytes) -> bytes | None:
    """A line that begins with a tag is a new field; any other line continues the value."""
    return None if FIELD.match(text) else b""


def _undo_line_wrap(_text: bytes, indent: bytes) -> bytes | None:
    """The line ending is not part of the value: a terminal has wrapped the line."""
    return indent


def _keep_line_break(_text: bytes, indent: bytes) -> bytes | None:
    """The line ending is part of the value."""
    return b"\n" + indent


_READINGS: tuple[_Reading, ...] = (_split_before_tag, _undo_line_wrap, _keep_line_break)


def _unescape(frame: bytes) -> bytes:
    """Undo the escapes of a wire log if this corrects BodyLength, or BodyLength and CheckSum."""
    if b"\\x" not in frame:
        return frame
    plain = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), frame)
    return max(frame, plain, key=_score)


def _score(frame: bytes) -> int:
    """Return 2 if BodyLength and CheckSum are correct, 1 if only BodyLength is correct, otherwise 0."""
    match = _ENVELOPE.fullmatch(frame)
    if match is None or int(match[1]) != len(match[2]):
        return 0
    return _BEST_SCORE if byte_sum(frame[: match.end(2)]) & 0xFF == int(match[3]) else 1
