"""From the pieces of a logged message to its fields: what a line break inside it stood for."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

SOH = b"\x01"
FIELD = re.compile(rb"[0-9]{1,9}=")
"""How a field begins."""
_TEXT = b"58="
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_ENVELOPE = re.compile(rb"8=FIXT\.1\.1\x019=([0-9]{1,9})\x01(.*\x01)10=([0-9]{1,9})\x01", re.DOTALL)


@attrs.frozen
class _Fragment:
    """What stood between two separators, or between a separator and the end of a line."""

    text: bytes
    indent: bytes = b""
    broken: bool = False
    """Whether the line before it ended without a separator: in place of one, or inside a value."""


class Fragments:
    """The pieces of one message, in the order of the log."""

    def __init__(self, separator: bytes) -> None:
        self.separator = separator
        self._found = [_Fragment(b"8=FIXT.1.1")]
        self._indent: bytes = b""
        self._broken = False

    def __len__(self) -> int:
        return len(self._found)

    @property
    def broken(self) -> bool:
        """Whether the line now read follows one that did not end with a separator."""
        return self._broken

    def add(self, text: bytes) -> None:
        """Take the next piece."""
        self._found.append(_Fragment(text, self._indent, self._broken))
        self._indent, self._broken = b"", False

    def end_line(self, text: bytes) -> None:
        """Take the last piece of a line; it is empty where the line ended with a separator."""
        text = text.rstrip(b" \t\r")
        if text:
            self.add(text)
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
        while not FIELD.match(self._found[end - 1].text):
            end -= 1  # what follows the last separator of a log line: a bracket, an ellipsis
        found = self._found[:end]
        readings = _READINGS if any(fragment.broken for fragment in found) else _READINGS[:1]
        return _unescaped(max((self._read(found, reading) for reading in readings), key=_soundness))

    def _read(self, found: list[_Fragment], reading: _Reading) -> bytes:
        pieces: list[bytes] = []
        for fragment in found:
            glue = reading(fragment) if fragment.broken else None
            if glue is None:
                pieces.append(fragment.text)
            else:
                pieces[-1] += glue + fragment.text
        if self.separator == SOH:
            return SOH.join(pieces) + SOH
        fields: list[bytes] = []
        for piece in pieces:
            if FIELD.match(piece) or not fields[-1].startswith(_TEXT):
                fields.append(piece)
            else:  # the rest of a sentence that holds the separator
                fields[-1] += self.separator + piece
        return SOH.join(fields) + SOH


_Reading = Callable[[_Fragment], bytes | None]
"""What to put in place of the line's end before a fragment; None for a new field."""


def _by_tag(fragment: _Fragment) -> bytes | None:
    return None if FIELD.match(fragment.text) else b""


def _unbroken(fragment: _Fragment) -> bytes | None:
    return fragment.indent


def _with_line_break(fragment: _Fragment) -> bytes | None:
    return b"\n" + fragment.indent


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
