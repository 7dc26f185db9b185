"""The fast path's memory: which shapes of message have code, and when code is made."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.compiled.decoders import MAX_SINGLE_ENTRIES, DecoderWriter, Head, Read, Shape
from kalshi_fix_sansio.codec.explainer import Explainer
from kalshi_fix_sansio.codec.tables import Tables
from kalshi_fix_sansio.codec.tokens import SOH
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE
from kalshi_fix_sansio.scalars import Decimals

KEY_SIZE: Final = 2
"""Shapes are listed by this many bytes behind `35=`: a MsgType of one character and its SOH, or two
characters. Longer types that begin alike share a list, which does no harm: the expression of a shape has the
whole type."""
MAX_SHAPES_PER_TYPE: Final = 12
"""Shapes of one MsgType that are kept; the one not used for longest goes."""
MAX_SIGHTINGS: Final = 1024
"""Shapes seen once that are remembered; then all of them are forgotten."""
MAX_PATTERN_SIZE: Final = 256 * 1024
"""Characters of the patterns of all shapes that are kept; then all of them are forgotten. A shape takes up to
some twenty bytes for each."""
FREE_COMPILATIONS: Final = 4096
"""Values in shapes that get code as soon as they are seen twice: about 150 shapes of usual length."""
READINGS_PER_COMPILATION: Final = 50
"""Beyond that, how many fields must have been read carefully for each further value of a shape. Compiling one
takes as long as reading some twenty: a peer that sends ever new shapes cannot make this side compile more
than it reads."""
COMPILATION_BASE: Final = 20
"""How many values more the code of any shape costs."""
LARGE_MESSAGE: Final = 4096
"""Bytes beyond which a message is tried only with shapes that fit any number of entries."""
MAX_LARGE_TRIES: Final = 3
"""How many of these it is tried with. Each may read the message to its end in vain."""

MAX_HEADS: Final = 1024
"""Beginnings of messages that are remembered; then all of them are forgotten."""
MAX_HEAD_SIZE: Final = 256
"""Bytes of a beginning that is remembered."""

_MSG_TYPE: Final = b"\x0135="
_MSG_SEQ_NUM: Final = b"\x0134="
_NO_SHAPES: Final[list[Shape]] = []


class DecoderCache:
    """Decodes messages of known shapes, and gets to know shapes from messages that were read carefully.

    Messages that have the same in front of MsgSeqNum, and so the same MsgType and BodyLength, mostly have the
    same shape: the one that was found for one of them is tried first for the next, and what stands there was
    read already. Without that a report takes 1.4 times as long, an update of one level 1.7 times.
    """

    __slots__ = (
        "_at",
        "_compilations",
        "_decimals",
        "_heads",
        "_length_at",
        "_pattern_size",
        "_readings",
        "_shapes",
        "_sightings",
        "_tables",
    )

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._length_at = len(f"8={tables.dialect.begin_string}\x019=")
        self._heads: dict[bytes, tuple[int, Read, Head]] = {}
        """Size of the message, function of its shape and the head as that takes it, by the head's bytes."""
        self._at = 0
        """Where MsgSeqNum began in the message before: mostly it does so in the next one. Looking for it
        takes 5 % of an update of one to three levels."""
        self._decimals = Decimals(Decimal)
        """Prices by their text, for the same come again and again. Without, a snapshot of 40 levels takes
        1.14 times as long."""
        self._shapes: dict[bytes, list[Shape]] = {}
        """By what stands behind `35=`: those without runs first, of each kind the one found last in front."""
        self._pattern_size = 0
        """Characters of the patterns in `_shapes`."""
        self._sightings: set[int] = set()
        self._readings = 0
        """Fields read carefully, in messages without problems."""
        self._compilations = 0
        """Values that code was made for."""

    def decode(self, data: bytes, framed: bool, strict: bool = False) -> Message | None:
        """Return the message if its shape is known and all its values are plain.

        Returns None when that is not so; the caller then uses the reader. With `framed`
        BodyLength and CheckSum are known to be right; else they must be. With `strict` the message is only
        returned if strict decoding has nothing against it either.
        """
        # A guess that is wrong only misses: the key is every byte in front of MsgSeqNum, as in a message
        # before.
        at = self._at
        known = self._heads.get(data[:at])
        if known is None:
            # 0 without MsgSeqNum: nothing in front of it is known, and no shape fits.
            at = self._at = data.find(_MSG_SEQ_NUM) + 1
            known = self._heads.get(data[:at])
        try:
            if known is not None:
                size, read, head = known
                # The head has BodyLength in it, so BodyLength is right exactly for this size.
                if len(data) == size:
                    message = read(data, at, head, framed, strict)
                    if message is not None:
                        return message
            return self._search(data, at, framed, strict)
        except ValueError:
            # A value fits its expression and means nothing, such as 30 February. The explainer says so.
            return None

    def _search(self, data: bytes, at: int, framed: bool, strict: bool) -> Message | None:
        """Try all shapes of the MsgType; ValueError as from their functions."""
        key = data.find(_MSG_TYPE) + len(_MSG_TYPE)
        shapes = self._shapes.get(data[key : key + KEY_SIZE], _NO_SHAPES)
        text = data[:at].decode("latin-1")
        if len(data) > LARGE_MESSAGE:
            shapes = [shape for shape in shapes if shape.has_runs][:MAX_LARGE_TRIES]
        for shape in shapes:
            found = shape.match_head(text)
            if found is None:
                continue
            digits, *others = found.groups()
            # Every shape captures the same BodyLength: when it is wrong for one, it is wrong for all.
            length = int(digits)
            if length != len(data) - self._length_at - len(digits) - 1 - CHECK_SUM_SIZE:
                return None
            head = (length, *others)
            message = shape.read(data, at, head, framed, strict)
            if message is not None:
                self._remember(data, at, head, shape, key)
                return message
        return None

    def _remember(self, data: bytes, at: int, head: Head, shape: Shape, key: int) -> None:
        """Note the shape of a message for the next one with this head, and put it in front of its kind."""
        if shape.is_head_common and at <= MAX_HEAD_SIZE:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[data[:at]] = (len(data), shape.read, head)
        # The list that is kept: a large message is tried with a selection of it.
        shapes = self._shapes[data[key : key + KEY_SIZE]]
        place = _first_place(shapes, shape)
        if shapes[place] is not shape:
            shapes.remove(shape)
            shapes.insert(place, shape)

    def learn(self, text: str, message: Message) -> None:
        """Note the shape of a message, which must have no problems, and make code when it comes again.

        Takes the message as latin-1 text and what was read of it.

        Writing the code takes as long as reading the message, so nothing is written for what came once, nor
        for what has code already and had a value that this does not take.
        """
        tags = [field.partition("=")[0] for field in text.split(SOH)]
        self._readings += len(tags)
        layout = self._tables.dialect.layout_of(message.__class__)
        if layout is None:
            return
        msg_type = layout.msg_type
        # One decoder serves any number of entries, so those with other numbers of them are of one kind.
        groups = self._tables.body(layout).groups
        has_run = any(len(getattr(message, attribute)) > MAX_SINGLE_ENTRIES for attribute, _ in groups)
        # A hash, because the tags themselves may be as many as a message has bytes for. Two shapes with the
        # same hash cost little: one gets its code a message early, or none and is read carefully.
        key = hash((msg_type, has_run, *(dict.fromkeys(tags) if has_run else tags)))
        if key not in self._sightings:
            if len(self._sightings) >= MAX_SIGHTINGS:
                self._sightings.clear()
            self._sightings.add(key)
            return
        place = f"{msg_type}\x01".encode("latin-1")[:KEY_SIZE]
        shapes = self._shapes.get(place, [])
        # With runs one key stands for several expressions; whether there is this one shows once it is
        # written.
        if not has_run and any(shape.key == key for shape in shapes):
            return
        if self._compilations > FREE_COMPILATIONS + self._readings // READINGS_PER_COMPILATION:
            return
        writer = DecoderWriter(Explainer(self._tables, text), key, self._tables.data_tags, self._decimals)
        if not writer.pattern or any(shape.pattern == writer.pattern for shape in shapes):
            return
        self._compilations += COMPILATION_BASE + writer.size
        # A head stays with the shape that it was found for, although this one may be faster or that one may
        # go below. It would also keep the code of a shape that is gone.
        self._heads.clear()
        shape = writer.compile()
        self._pattern_size += len(shape.pattern)
        if self._pattern_size > MAX_PATTERN_SIZE:
            # `shapes` is put back below, so it has to be emptied by itself.
            self._shapes.clear()
            shapes.clear()
            self._pattern_size = len(shape.pattern)
        self._shapes[place] = shapes
        shapes.insert(_first_place(shapes, shape), shape)
        if len(shapes) > MAX_SHAPES_PER_TYPE:
            # One with runs fits so much that it is the last to go.
            single = [kept for kept in shapes if not kept.has_runs]
            gone = (single or shapes)[-1]
            shapes.remove(gone)
            self._pattern_size -= len(gone.pattern)


def _first_place(shapes: list[Shape], shape: Shape) -> int:
    """Return where the shape used last belongs: in front of its kind.

    Shapes with runs stand behind the others. They fit short groups too, and would be found first for messages
    that a faster shape fits.
    """
    return sum(not other.has_runs for other in shapes) if shape.has_runs else 0
