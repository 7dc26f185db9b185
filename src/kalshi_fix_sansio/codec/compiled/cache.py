"""The fast path's memory: which shapes of message have code, and when code is made."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from kalshi_fix_sansio.codec.compiled.decoders import MAX_SINGLE_ENTRIES, DecoderWriter, Head, Read, Shape
from kalshi_fix_sansio.codec.explainer import Explainer
from kalshi_fix_sansio.codec.tables import Tables
from kalshi_fix_sansio.codec.tokens import Columns, split
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE
from kalshi_fix_sansio.scalars import Decimals

SIGHTINGS_TO_COMPILE: Final = 100
"""How many messages with the same set of tags are read until the shape of the last of them gets code.

Writing and compiling the code takes as long as some hundred readings. So making code never takes longer than
reading has, even if a peer sends ever new shapes. A shape that is alone with its tags gets its code after
these hundred readings, which is at most twice the work of knowing beforehand that it comes again. Shapes that
share their tags (updates of one to four levels) share the count, and those that come most get code first.
"""
MAX_SIGHTINGS: Final = 1024
"""Sets of tags that are counted; with one more, all counts begin anew."""
MAX_SHAPES: Final = 512
"""Shapes that have code."""
MAX_PATTERN_SIZE: Final = 512 * 1024
"""Characters of the patterns of all shapes. A shape takes up to some twenty bytes for each."""
MAX_CLEARANCES: Final = 3
"""How often all shapes are forgotten because they are too many or too large. Then those that are there stay,
and no other gets code: so the work to make code is bounded, whatever comes."""
MAX_SHAPES_PER_KEY: Final = 3
"""Shapes with runs that one message may be tried with. Each may read it to its end in vain."""

MAX_HEADS: Final = 1024
"""Beginnings of messages that are remembered; then all of them are forgotten."""
MAX_HEAD_SIZE: Final = 256
"""Bytes of a beginning that is remembered."""

_MSG_SEQ_NUM: Final = b"\x0134="
_Known = tuple[int, Read, Head]
"""Of the last message with a head: its size, the function that read it, and the head as that function takes
it."""


class DecoderCache:
    """Decodes messages of known shapes, and gets to know shapes from messages that were read carefully.

    Messages that have the same in front of MsgSeqNum, and so the same MsgType and BodyLength, mostly have the
    same shape: the shape of the last of them is tried first for the next, and the bytes there were read
    already. Without that a report takes 1.4 times as long, an update of one level 1.7 times.
    """

    __slots__ = (
        "_clearances",
        "_decimals",
        "_heads",
        "_length_at",
        "_pattern_size",
        "_shapes",
        "_sightings",
        "_tables",
    )

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._length_at = len(f"8={tables.dialect.begin_string}\x019=")
        self._heads: dict[bytes, _Known] = {}
        """By the head's bytes."""
        self._decimals = Decimals(Decimal)
        """Prices by their text, for the same come again and again. Without, a snapshot of 40 levels takes
        1.14 times as long."""
        self._shapes: dict[int, tuple[Shape, ...]] = {}
        """By what `_key` or `_run_key` gives; none for a shape that no code is made for."""
        self._pattern_size = 0
        """Characters of the patterns in `_shapes`."""
        self._clearances = 0
        self._sightings: dict[int, int] = {}
        """How many messages without code have come with a set of tags, by what `_run_key` gives of it."""

    def decode(self, data: bytes, framed: bool, strict: bool = False) -> Message | None:
        """Return the message if its shape is known and all its values are plain.

        Returns None when that is not so; the caller then uses the reader. With `framed`
        BodyLength and CheckSum are known to be right; else they must be. With `strict` the message is only
        returned if strict decoding has nothing against it either.
        """
        # 0 without MsgSeqNum: no head is known for that, and no shape fits.
        at = data.find(_MSG_SEQ_NUM) + 1
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
        """Look for the shape of the message by its tags; ValueError as from the shape's function."""
        columns = split(data.decode("latin-1"))
        shapes = self._shapes.get(_key(columns))
        if shapes is None:
            shapes = self._shapes.get(_run_key(columns), ())
        for shape in shapes:
            found = shape.match_head(data[:at].decode("latin-1"))
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
                if shape.is_head_common and at <= MAX_HEAD_SIZE:
                    if len(self._heads) >= MAX_HEADS:
                        self._heads.clear()
                    self._heads[data[:at]] = (len(data), shape.read, head)
                return message
        return None

    def learn(self, text: str, columns: Columns, message: Message) -> None:
        """Count a message that the reader took, and make code for its shape when its tags have come often.

        Takes the message as latin-1 text, as that splits into columns, and what was read of it, which must
        have no problems.
        """
        # Counted by the set of tags rather than by the shape, because one look-up then tells whether to go
        # on. When a count is full, the shape that has just come gets code; the others begin to count anew.
        run_key = _run_key(columns)
        count = self._sightings.get(run_key, 0) + 1
        if count < SIGHTINGS_TO_COMPILE:
            if count == 1 and len(self._sightings) >= MAX_SIGHTINGS:
                self._sightings.clear()
            self._sightings[run_key] = count
            return
        layout = self._tables.dialect.layout_of(message.__class__)
        if layout is None:
            return
        # One decoder serves any number of entries, so those with other numbers of them are of one kind.
        groups = self._tables.body(layout).groups
        has_run = any(len(getattr(message, attribute)) > MAX_SINGLE_ENTRIES for attribute, _ in groups)
        key = run_key if has_run else _key(columns)
        known = self._shapes.get(key)
        # What has code already had a value that this does not take. With runs a key may stand for several
        # expressions; whether there is this one shows once it is written.
        if known is not None and (not has_run or len(known) >= MAX_SHAPES_PER_KEY):
            return
        self._sightings.pop(run_key, None)
        self._add(
            key,
            known or (),
            DecoderWriter(Explainer(self._tables, text), self._tables.data_tags, self._decimals),
        )

    def _add(self, key: int, known: tuple[Shape, ...], writer: DecoderWriter) -> None:
        """Give a shape its code, beside those that have the same key, while there is room for it."""
        size = len(writer.pattern)
        if any(shape.pattern == writer.pattern for shape in known):
            return
        if len(self._shapes) >= MAX_SHAPES or self._pattern_size + size > MAX_PATTERN_SIZE:
            if self._clearances >= MAX_CLEARANCES:
                return
            self._clearances += 1
            self._shapes.clear()
            self._pattern_size, known = 0, ()
        # A head stays with the shape that it was found for, although this one may be faster. It would also
        # keep the code of a shape that is gone.
        self._heads.clear()
        self._pattern_size += size
        self._shapes[key] = (*known, writer.compile()) if writer.pattern else known


# Hashes, because the tags themselves may be as many as a message has bytes for. Two shapes with the same hash
# cost little: one of them is read carefully.


def _key(columns: Columns) -> int:
    """Return what a shape without runs is known by: its tags, and its MsgType."""
    tags, values = columns
    return hash((*tags, *values[2:3]))


def _run_key(columns: Columns) -> int:
    """Return what a shape with runs is known by, however many entries there are and whichever of them has an
    optional field first."""
    tags, values = columns
    return hash(frozenset((*tags, *values[2:3])))
