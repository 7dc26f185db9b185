"""The cache of compiled decoders: the shapes of message that have code, and the rules for compiling."""

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
"""Number of messages with the same set of tags that are read before the shape of the last one is compiled.

Writing and compiling the code takes about as long as a hundred reads, so compiling never takes longer in
total than reading has taken, even if a peer keeps sending new shapes. A shape that recurs costs at most twice
as much as if it had been compiled at once. Shapes with the same set of tags (updates of one to four levels)
share the count, so the most frequent ones tend to be compiled first.
"""
SIGHTINGS_TO_DEFER: Final = 10
"""The same for a codec that defers compiling to a quiet moment, where it delays no message. A lower number
would compile shapes that never recur."""
MAX_DEFERRED: Final = 32
"""Maximum number of deferred shapes; one more is counted again from the start."""
MAX_DEFERRED_SIZE: Final = 16 * 1024
"""Maximum size of a message whose shape is deferred, in bytes. Nothing is lost for larger messages: a long
group has the same decoder for any number of entries, so a smaller message can be compiled instead."""
MAX_SIGHTINGS: Final = 1024
"""Maximum number of tag sets that are counted; one more resets all counts."""
MAX_SHAPES: Final = 512
"""Maximum number of compiled shapes."""
MAX_PATTERN_SIZE: Final = 512 * 1024
"""Maximum total length of the patterns of all shapes, in characters. A shape takes up to about twenty bytes
of memory per character."""
MAX_CLEARANCES: Final = 3
"""Maximum number of times that all shapes are discarded because they are too many or too large. After that
the existing shapes are kept and no other is compiled, which bounds the work of compiling for any input."""
MAX_SHAPES_PER_KEY: Final = 3
"""Maximum number of shapes with runs that are tried for one message, which each may read completely and then
reject."""

MAX_HEADS: Final = 1024
"""Maximum number of cached heads (the bytes before MsgSeqNum); at the maximum all of them are discarded."""
MAX_HEAD_SIZE: Final = 256
"""Maximum size of a cached head, in bytes."""

_MSG_SEQ_NUM: Final = b"\x0134="
_Known = tuple[int, Read, Head]
"""The last message with a head: its size, the function that decoded it, and the head as that function's
argument."""


class DecoderCache:
    """Decodes messages of known shapes, and learns shapes from messages that had no decoder and no problems.

    Messages with the same head (the bytes before MsgSeqNum), and so the same MsgType and BodyLength, mostly
    have the same shape: the shape of the last one is tried first for the next, and its head need not be
    parsed again. Without this a report takes 1.4 times as long, an update of one level 1.7 times.
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
        """Prices by their text, because the same prices recur. Without this cache a snapshot of 40 levels
        takes 1.14 times as long."""
        self._shapes: dict[int, tuple[Shape, ...]] = {}
        """By `_key` or `_run_key`; empty for a shape that cannot be compiled."""
        self._pattern_size = 0
        """Characters of the patterns in `_shapes`."""
        self._clearances = 0
        self._sightings: dict[int, int] = {}
        """Number of messages read without a compiled decoder, by the `_run_key` of their tags."""

    def decode(self, data: bytes, framed: bool, strict: bool = False) -> Message | None:
        """Return the message if its shape is known and all its values have the plain form.

        Otherwise returns None; the caller then uses the reader. With `framed`, BodyLength and CheckSum have
        been checked; otherwise they are checked here. With `strict`, the message is returned only if strict
        decoding accepts it.
        """
        # 0 without MsgSeqNum: no head is cached for that, and no shape fits.
        at = data.find(_MSG_SEQ_NUM) + 1
        known = self._heads.get(data[:at])
        try:
            if known is not None:
                size, read, head = known
                # The head contains BodyLength, so BodyLength is correct for this size only.
                if len(data) == size:
                    message = read(data, at, head, framed, strict)
                    if message is not None:
                        return message
            return self._search(data, at, framed, strict)
        except ValueError:
            # A value matches its expression and is invalid, such as 30 February. The explainer reports it.
            return None

    def _search(self, data: bytes, at: int, framed: bool, strict: bool) -> Message | None:
        """Look up the shape of the message by its tags; raise ValueError as the shape's function does."""
        columns = split(data.decode("latin-1"))
        shapes = self._shapes.get(_key(columns))
        if shapes is None:
            shapes = self._shapes.get(_run_key(columns), ())
        for shape in shapes:
            found = shape.match_head(data[:at].decode("latin-1"))
            if found is None:
                continue
            digits, *others = found.groups()
            # Every shape captures the same BodyLength: if it is wrong for one, it is wrong for all.
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

    def learn(
        self, text: str, columns: Columns, message: Message, deferred: dict[int, str] | None = None
    ) -> None:
        """Count a message without problems that had no decoder, and compile its shape when the count is
        reached.

        Args:
            text: the message as latin-1 text.
            columns: the tags and values in `text`.
            message: the decoded message, which must have no problems.
            deferred: receives the text of a message whose shape should be compiled; None compiles it now.
        """
        # Counted by the set of tags, not by the shape, so one lookup decides whether to continue. When the
        # count is reached, the shape of this message is compiled, and counting starts again for the others.
        run_key = _run_key(columns)
        count = self._sightings.get(run_key, 0) + 1
        if count < (SIGHTINGS_TO_COMPILE if deferred is None else SIGHTINGS_TO_DEFER):
            if count == 1 and len(self._sightings) >= MAX_SIGHTINGS:
                self._sightings.clear()
            self._sightings[run_key] = count
            return
        if self._place(columns, message) is None:
            return
        self._sightings.pop(run_key, None)
        if deferred is None:
            self.compile(text, columns, message)
        elif len(deferred) < MAX_DEFERRED and len(text) <= MAX_DEFERRED_SIZE:
            deferred[run_key] = text

    def compile(self, text: str, columns: Columns, message: Message) -> None:
        """Compile the shape of a message without problems; the arguments are those of `learn`."""
        place = self._place(columns, message)
        if place is not None:
            explained = Explainer(self._tables, text)
            self._add(*place, DecoderWriter(explained, self._tables.data_tags, self._decimals))

    def _place(self, columns: Columns, message: Message) -> tuple[int, tuple[Shape, ...]] | None:
        """Return the key for the shape of a message, and the shapes that have it; None if no other may be
        compiled."""
        layout = self._tables.dialect.layout_of(message.__class__)
        if layout is None:
            return None
        # A decoder with a run accepts any number of entries, so its key must not depend on their number.
        groups = self._tables.body(layout).groups
        has_run = any(len(getattr(message, attribute)) > MAX_SINGLE_ENTRIES for attribute, _ in groups)
        key = _run_key(columns) if has_run else _key(columns)
        known = self._shapes.get(key)
        # If the shape is compiled already, it rejected a value of this message. With runs, a key may have
        # several patterns; only writing this one shows whether it is among them.
        if known is not None and (not has_run or len(known) >= MAX_SHAPES_PER_KEY):
            return None
        return key, known or ()

    def _add(self, key: int, known: tuple[Shape, ...], writer: DecoderWriter) -> None:
        """Compile a shape and add it to those with the same key, within the limits."""
        size = len(writer.pattern)
        if any(shape.pattern == writer.pattern for shape in known):
            return
        if len(self._shapes) >= MAX_SHAPES or self._pattern_size + size > MAX_PATTERN_SIZE:
            if self._clearances >= MAX_CLEARANCES:
                return
            self._clearances += 1
            self._shapes.clear()
            self._pattern_size, known = 0, ()
        # A cached head would keep using its old shape although this one may be faster, and would keep the
        # code of a discarded shape alive.
        self._heads.clear()
        self._pattern_size += size
        self._shapes[key] = (*known, writer.compile()) if writer.pattern else known


# Keys are hashes, because the tags may take up a complete message. Two shapes with the same hash cost little:
# the messages of one of them are decoded by the reader.


def _key(columns: Columns) -> int:
    """Return the key of a shape without runs: a hash of its tags and its MsgType."""
    tags, values = columns
    return hash((*tags, *values[2:3]))


def _run_key(columns: Columns) -> int:
    """Return the key of a shape with runs, which does not depend on the number of entries, nor on which of
    them has an optional field first."""
    tags, values = columns
    return hash(frozenset((*tags, *values[2:3])))
