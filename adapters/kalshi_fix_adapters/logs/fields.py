"""From the pieces of a logged message to its fields: what a line break inside it stood for."""

from __future__ import annotations

import re
from collections.abc import Callable

SOH = b"\x01"
FIELD = re.compile(rb"[0-9]{1,9}=")
"""How a field begins."""
_TEXT = b"58="
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_ENVELOPE = re.compile(rb"8=FIXT\.1\.1\x019=([0-9]{1,9})\x01(.*\x01)10=([0-9]{1,9})\x01", re.DOTALL)


class Fragments:
    """The pieces of one message, in the order of the log: what stood between separators and ends of lines."""

    def __init__(self, separator: bytes) -> None:
        self.separator = separator
        self._found = [b"8=FIXT.1.1"]
        self._breaks: dict[int, bytes] = {}
        """What stood before a piece on its line, by its place, if the line before it ended without a
        separator: in place of one, or inside a value."""
        self._indent = b""
        self._broken = False

    def __len__(self) -> int:
        return len(self._found)

    @property
    def broken(self) -> bool:
        """Whether the line now read follows one that did not end with a separator."""
        return self._broken

    def add(self, texts: list[bytes]) -> None:
        """Take the next pieces of a line; at least one."""
        if self._broken:
            self._breaks[len(self._found)] = self._indent
        self._found += texts
        self._indent, self._broken = b"", False

    def end_line(self, text: bytes) -> None:
        """Take the rest of a line; its last piece is empty where the line ended with a separator."""
        *texts, last = text.split(self.separator)
        if texts:
            self.add(texts)
        last = last.rstrip(b" \t\r")
        if last:
            self.add([last])
            self._broken = self.separator != b"\n"

    def begin_line(self, indent: bytes) -> None:
        """Take note of what stands before the first piece of a line."""
        self._indent = indent

    def frame(self) -> bytes:
        """Return the fields with SOH after each.

        A line that ends without a separator may stand for one, or a terminal has broken a value in two,
        or the value itself holds a line break; BodyLength (9) and CheckSum (10) tell which. Without
        their help, a line that begins with a tag begins a field.
        """
        end = len(self._found)
        while not FIELD.match(self._found[end - 1]):
            end -= 1  # what follows the last separator of a log line: a bracket, an ellipsis
        found = self._found[:end]
        readings = _READINGS if any(place < end for place in self._breaks) else _READINGS[:1]
        # Of equals `max` takes the first: where nothing is sound, a line that begins with a tag begins a
        # field.
        return _unescaped(max((self._read(found, reading) for reading in readings), key=_soundness))

    def _read(self, found: list[bytes], reading: _Reading) -> bytes:
        # Joined once at the end: a value may be in a quarter of a million pieces.
        pieces: list[list[bytes]] = []
        for place, text in enumerate(found):
            indent = self._breaks.get(place)
            glue = None if indent is None else reading(text, indent)
            if glue is None:
                pieces.append([text])
            else:
                pieces[-1] += (glue, text)
        fields: list[list[bytes]] = []
        for piece in map(b"".join, pieces):
            # What does not begin like a field is the rest of a sentence that holds the separator.
            if self.separator == SOH or FIELD.match(piece) or not fields[-1][0].startswith(_TEXT):
                fields.append([piece])
            else:
                fields[-1].append(piece)
        return SOH.join(map(self.separator.join, fields)) + SOH


_Reading = Callable[[bytes, bytes], bytes | None]
"""What to put in place of the line's end before a piece, given it and its indent; None for a new field."""


def _by_tag(text: bytes, _indent: bytes) -> bytes | None:
    return None if FIELD.match(text) else b""


def _unbroken(_text: bytes, indent: bytes) -> bytes | None:
    return indent


def _with_line_break(_text: bytes, indent: bytes) -> bytes | None:
    return b"\n" + indent


_READINGS: tuple[_Reading, ...] = (_by_tag, _unbroken, _with_line_break)


def _unescaped(frame: bytes) -> bytes:
    """Undo the escapes of a wire log, where BodyLength and CheckSum say that they are some."""
    plain = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), frame)
    return max(frame, plain, key=_soundness)


def _soundness(frame: bytes) -> int:
    """Say how much of BodyLength and CheckSum is right: 0, 1 (the length), or 2."""
    found = _ENVELOPE.fullmatch(frame)
    if found is None or int(found[1]) != len(found[2]):
        return 0
    return 2 if sum(frame[: found.end(2)]) % 256 == int(found[3]) else 1
