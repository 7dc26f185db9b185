"""The fast path's memory: which shapes of message have code, and when code is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zlib import adler32

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.plans import Plans
from kalshi_fix_sansio.codec.reader import Reader
from kalshi_fix_sansio.codec.shapes import Decimals, Shape, ShapeWriter
from kalshi_fix_sansio.framing import ADLER_ASCII_BLOCK, CHECK_SUM_FIELDS, CHECK_SUM_SIZE, byte_sum

KEY_SIZE: Final = 2
"""How many characters from MsgType on shapes are found by: most have one, and its SOH."""
MAX_SHAPES_PER_TYPE: Final = 12
"""Shapes of one MsgType that are kept; the one not used for longest goes."""
MAX_SIGHTINGS: Final = 1024
"""Shapes seen once that are remembered; then all of them are forgotten."""
FREE_COMPILATIONS: Final = 128
"""Shapes that get code as soon as they are seen twice."""
READINGS_PER_COMPILATION: Final = 50
"""Beyond that, how many messages must have gone the careful way for each further shape: a peer that sends
ever new shapes cannot make this side compile more than it reads."""

_AROUND_BODY: Final = CHECK_SUM_SIZE - len("35=")
"""What is counted neither by BodyLength nor up to the value of MsgType, less what is counted by both."""
_SUMS: Final = {
    f"{value:03d}": value + byte_sum(field) & 0xFF for value, field in enumerate(CHECK_SUM_FIELDS)
}
"""The sum of all bytes of a message modulo 256, CheckSum itself included, by the text of CheckSum."""
_NO_SHAPES: Final[list[Shape]] = []


class ShapeCache:
    """Decodes messages of known shapes, and gets to know shapes from messages that were read carefully."""

    __slots__ = ("_compilations", "_decimals", "_plans", "_readings", "_shapes", "_sightings")

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._decimals = Decimals()
        self._shapes: dict[str, list[Shape]] = {}
        """By what stands behind `35=`: those without runs first, the one of them used last in front."""
        self._sightings: set[int] = set()
        self._readings = 0
        self._compilations = 0

    def decode(self, text: str) -> Message | None:
        """Return the message if its shape is known and all its values are plain; None says nothing."""
        start = text.find("\x0135=") + 4
        shapes = self._shapes.get(text[start : start + KEY_SIZE], _NO_SHAPES)
        for shape in shapes:
            found = shape.match(text)
            if found is not None:
                return _build(shapes, shape, found.groups())
        return None

    def decode_whole(self, data: bytes) -> Message | None:
        """Decode a message whose BodyLength and CheckSum nobody has looked at; None also if they are wrong.

        Whole shapes say how a message begins and ends, so only the two values are left to be seen to: they
        are the first and the last that a shape captures.
        """
        text = data.decode("latin-1")
        start = text.find("\x0135=") + 4
        shapes = self._shapes.get(text[start : start + KEY_SIZE], _NO_SHAPES)
        for shape in shapes:
            found = shape.match(text)
            if found is None:
                continue
            values = found.groups()
            short = len(data) <= ADLER_ASCII_BLOCK and text.isascii()
            total = adler32(data, 0) if short else byte_sum(data)
            if (
                shape.whole
                and int(values[0]) == len(data) - start - _AROUND_BODY
                and _SUMS.get(values[-1]) == total & 0xFF
            ):
                return _build(shapes, shape, values)
            return None
        return None

    def learn(self, reader: Reader) -> None:
        """Note the shape of a message, which must have no problems; make code when it comes again."""
        self._readings += 1
        msg_type = reader.msg_type
        if reader.layout is None or msg_type is None:
            return
        writer = ShapeWriter(reader, self._plans.data_tags, self._decimals)
        if not writer.pattern:
            return
        key = hash(writer.pattern)
        if key not in self._sightings:
            if len(self._sightings) >= MAX_SIGHTINGS:
                self._sightings.clear()
            self._sightings.add(key)
            return
        shapes = self._shapes.setdefault(f"{msg_type}\x01"[:KEY_SIZE], [])
        if any(shape.pattern == writer.pattern for shape in shapes):
            return
        if self._compilations >= FREE_COMPILATIONS + self._readings // READINGS_PER_COMPILATION:
            return
        self._compilations += 1
        shape = writer.compile()
        shapes.insert(len(shapes) if shape.has_runs else 0, shape)
        if len(shapes) > MAX_SHAPES_PER_TYPE:
            # One with runs fits so much that it is the last to go.
            single = [kept for kept in shapes if not kept.has_runs]
            shapes.remove(single[-1] if single else shapes[0])


def _build(shapes: list[Shape], shape: Shape, values: Sequence[str]) -> Message | None:
    """Put the shape in front, and make its message; one with runs would stand in the way of faster ones."""
    if shape is not shapes[0] and not shape.has_runs:
        shapes.remove(shape)
        shapes.insert(0, shape)
    try:
        return shape.build(values)
    except ValueError:
        return None
