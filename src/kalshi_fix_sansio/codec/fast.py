"""The fast path's memory: which shapes of message have code, and when code is made."""

from __future__ import annotations

from typing import Final

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.plans import Plans
from kalshi_fix_sansio.codec.reader import Reader
from kalshi_fix_sansio.codec.shapes import Decimals, Shape, ShapeWriter
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE, CHECK_SUM_TEXTS, Heads, byte_sum

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


class ShapeCache:
    """Decodes messages of known shapes, and gets to know shapes from messages that were read carefully."""

    __slots__ = ("_compilations", "_decimals", "_heads", "_plans", "_readings", "_shapes", "_sightings")

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._heads = Heads(plans.dialect.begin_string)
        self._decimals = Decimals()
        self._shapes: dict[str, list[Shape]] = {}
        """By what stands behind `35=`, the one used last in front."""
        self._sightings: set[int] = set()
        self._readings = 0
        self._compilations = 0

    def decode(self, text: str, *, whole: bool = False) -> Message | None:
        """Return the message if its shape is known and all its values are plain; None says nothing.

        With `whole` only shapes count that begin and end as a message of this dialect must.
        """
        start = text.find("\x0135=") + 4
        shapes = self._shapes.get(text[start : start + KEY_SIZE])
        if shapes is None:
            return None
        for shape in shapes:
            found = shape.match(text)
            if found is not None:
                if whole and not shape.whole:
                    return None
                if shape is not shapes[0]:
                    shapes.remove(shape)
                    shapes.insert(0, shape)
                try:
                    return shape.build(found.groups())
                except ValueError:
                    return None
        return None

    def decode_whole(self, data: bytes) -> Message | None:
        """Decode a message whose BodyLength and CheckSum nobody has looked at; None also if they are wrong.

        Shapes say how a message begins and ends, so only the two values are left to be seen to.
        """
        message = self.decode(data.decode("latin-1"), whole=True)
        if message is None:
            return None
        size = message.header.body_length
        total = byte_sum(data[:-CHECK_SUM_SIZE])
        if (
            len(self._heads[size]) + size + CHECK_SUM_SIZE == len(data)
            and CHECK_SUM_TEXTS[total & 0xFF] == message.trailer.check_sum
        ):
            return message
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
        shapes.insert(0, writer.compile())
        del shapes[MAX_SHAPES_PER_TYPE:]
