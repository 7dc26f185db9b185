"""The cache of compiled decoders, and the rules for when to compile one. A shape is a sequence of tags."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from kalshi_fix_sansio.codec.compiled.decoders import (
    MAX_SINGLE_ENTRIES,
    DecoderWriter,
    Head,
    MessageDecoder,
    Shape,
)
from kalshi_fix_sansio.codec.explainer import Explainer
from kalshi_fix_sansio.codec.tables import Tables
from kalshi_fix_sansio.codec.tokens import Columns, split
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE
from kalshi_fix_sansio.scalars import Decimals

SIGHTINGS_TO_COMPILE: Final = 100
"""Number of messages with the same set of tags after which the shape of the latest one is compiled.

Writing and compiling the code takes about as long as decoding a hundred messages with the reader. Even if a
peer keeps sending new shapes, compiling therefore never takes longer in total than the reader has taken. A
shape that recurs costs at most twice as much as if it had been compiled at once. Shapes with the same set of
tags, such as book updates of one to four levels, share a count, so the most frequent of them tends to be
compiled first.
"""
SIGHTINGS_TO_DEFER: Final = 10
"""The corresponding number for a codec that defers compiling to a quiet moment. It is lower, because
compiling then delays no message. With an even lower number, shapes that never recur would be compiled.
"""
MAX_DEFERRED: Final = 32
"""Maximum number of deferred shapes. A further shape is not deferred, and its count restarts."""
MAX_DEFERRED_SIZE: Final = 16 * 1024
"""Maximum size in bytes of a message whose shape is deferred. Larger messages are not needed, because the
decoder for a long group accepts any number of entries, so it can be compiled from a smaller message.
"""
MAX_SIGHTINGS: Final = 1024
"""Maximum number of tag sets that are counted. A further tag set resets all counts."""
MAX_SHAPES: Final = 512
"""Maximum number of compiled shapes."""
MAX_PATTERN_SIZE: Final = 512 * 1024
"""Maximum total length of the patterns of all shapes, in characters. A shape takes up to about 20 bytes of
memory per character.
"""
MAX_FLUSHES: Final = 3
"""Maximum number of times that all shapes are discarded because they exceed MAX_SHAPES or MAX_PATTERN_SIZE.
After that, the existing shapes are kept and no others are compiled, which limits the work for any input.
"""
MAX_SHAPES_PER_KEY: Final = 3
"""Maximum number of shapes with runs (long groups, see `compiled.runs`) that are tried for one message. The
function of each of these shapes may read the whole message before rejecting it.
"""

MAX_HEADS: Final = 1024
"""Maximum number of cached heads (the bytes of a message before MsgSeqNum). When the cache is full, it is
emptied.
"""
MAX_HEAD_SIZE: Final = 256
"""Maximum size of a cached head, in bytes."""

_MSG_SEQ_NUM: Final = b"\x0134="
_HeadEntry = tuple[int, MessageDecoder, Head]
"""An entry in the cache of heads, for the last message with the head: the size of that message, the function
that decoded it, and the argument `head` for that function.
"""


@attrs.define(eq=False, repr=False)
class DecoderCache:
    """Decodes messages of compiled shapes. Counts the shapes of other messages, and compiles the frequent
    ones.

    Messages with the same head (the bytes before MsgSeqNum), and therefore the same MsgType and BodyLength,
    usually have the same shape. The shape of the last message with the same head is therefore tried first,
    and the head is not parsed again. Without this, a report takes 1.4 times as long to decode, and a book
    update of one level 1.7 times as long.
    """

    _tables: Tables
    _heads: dict[bytes, _HeadEntry] = attrs.field(factory=dict)
    """The last message with each head, by the bytes of the head."""
    _decimals: Decimals = attrs.field(factory=lambda: Decimals(Decimal))
    """Decimals by their text, because the same prices recur. Without this cache, a book snapshot of 40 levels
    takes 1.14 times as long to decode.
    """
    _shapes: dict[int, tuple[Shape, ...]] = attrs.field(factory=dict)
    """Compiled shapes by `_key` or `_run_key`; empty for a shape that cannot be compiled."""
    _pattern_size: int = 0
    """Total number of characters of the patterns in `_shapes`."""
    _flushes: int = 0
    _sightings: dict[int, int] = attrs.field(factory=dict)
    """Number of messages read without a compiled decoder, by the `_run_key` of their tags."""
    _length_at: int = attrs.field(init=False)
    """Offset of the value of BodyLength in a message."""

    def __attrs_post_init__(self) -> None:
        self._length_at = len(f"8={self._tables.dialect.begin_string}\x019=")

    def decode(self, data: bytes, framed: bool, strict: bool = False) -> Message | None:
        """Return the message if its shape is compiled and all its values have the plain form
        (`LEXICAL_PLAIN`).

        Otherwise return None, and the caller uses the reader. `framed` means that BodyLength and CheckSum
        were already checked; otherwise they are checked here. With `strict`, the message is returned only if
        strict decoding accepts it.
        """
        # Without MsgSeqNum, `at` is 0, and no cached head and no shape matches.
        at = data.find(_MSG_SEQ_NUM) + 1
        entry = self._heads.get(data[:at])
        try:
            if entry is not None:
                size, read, head = entry
                # The head contains BodyLength, which is correct only if the message has the same size as the
                # cached one.
                if len(data) == size:
                    message = read(data, at, head, framed, strict)
                    if message is not None:
                        return message
            return self._search(data, at, framed, strict)
        except ValueError:
            # A value matches its regular expression but is invalid, such as 30 February. The explainer
            # reports it.
            return None

    def _search(self, data: bytes, at: int, framed: bool, strict: bool) -> Message | None:
        """Find the shape of the message by its tags, and decode it. Raises ValueError, like the shape's
        function.
        """
        columns = split(data.decode("latin-1"))
        shapes = self._shapes.get(_key(columns))
        if shapes is None:
            shapes = self._shapes.get(_run_key(columns), ())
        for shape in shapes:
            match = shape.match_head(data[:at].decode("latin-1"))
            if match is None:
                continue
            digits, *others = match.groups()
            # All shapes capture the same BodyLength, so if it is wrong, no other shape accepts the message.
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
        """Count a message that no decoder accepted. Compile its shape if there were enough such messages.

        Args:
            text: the message as latin-1 text.
            columns: the tags and values in `text`.
            message: the decoded message, which must have no problems.
            deferred: dict that receives the text of a message whose shape should be compiled later; None
                compiles the shape now.
        """
        # Count by the set of tags, not by the shape, so one lookup decides whether to continue. When the
        # threshold is reached, the shape of this message is compiled, and the count restarts for other shapes
        # with these tags.
        run_key = _run_key(columns)
        count = self._sightings.get(run_key, 0) + 1
        if count < (SIGHTINGS_TO_COMPILE if deferred is None else SIGHTINGS_TO_DEFER):
            if count == 1 and len(self._sightings) >= MAX_SIGHTINGS:
                self._sightings.clear()
            self._sightings[run_key] = count
            return
        if self._key_and_shapes(columns, message) is None:
            return
        self._sightings.pop(run_key, None)
        if deferred is None:
            self.compile(text, columns, message)
        elif len(deferred) < MAX_DEFERRED and len(text) <= MAX_DEFERRED_SIZE:
            deferred[run_key] = text

    def compile(self, text: str, columns: Columns, message: Message) -> None:
        """Compile the shape of a message that has no problems, unless the shape is already compiled. The
        arguments are those of `learn`.
        """
        key_and_shapes = self._key_and_shapes(columns, message)
        if key_and_shapes is not None:
            explained = Explainer(self._tables, text)
            self._add(*key_and_shapes, DecoderWriter(explained, self._tables.data_tags, self._decimals))

    def _key_and_shapes(self, columns: Columns, message: Message) -> tuple[int, tuple[Shape, ...]] | None:
        """Return the key for the shape of a message, and the compiled shapes with this key. Return None if
        the shape must not be compiled.
        """
        layout = self._tables.dialect.layout_of(message.__class__)
        if layout is None:
            return None
        # A decoder with a run accepts any number of entries, so its key must not depend on this number.
        groups = self._tables.body(layout).groups
        has_run = any(len(getattr(message, attribute)) > MAX_SINGLE_ENTRIES for attribute, _ in groups)
        key = _run_key(columns) if has_run else _key(columns)
        shapes = self._shapes.get(key)
        # A compiled shape without runs is not compiled again: its decoder has rejected a value of this
        # message. With runs, a key may have several patterns; the pattern of this message must be written to
        # compare it with them (`_add`).
        if shapes is not None and (not has_run or len(shapes) >= MAX_SHAPES_PER_KEY):
            return None
        return key, shapes or ()

    def _add(self, key: int, shapes: tuple[Shape, ...], writer: DecoderWriter) -> None:
        """Compile a shape and add it to the shapes with the same key, within the limits."""
        size = len(writer.pattern)
        if any(shape.pattern == writer.pattern for shape in shapes):
            return
        if len(self._shapes) >= MAX_SHAPES or self._pattern_size + size > MAX_PATTERN_SIZE:
            if self._flushes >= MAX_FLUSHES:
                return
            self._flushes += 1
            self._shapes.clear()
            self._pattern_size, shapes = 0, ()
        # A cached head refers to a shape. Empty the cache, because the new shape may be faster, and because
        # the code of discarded shapes would stay in memory.
        self._heads.clear()
        self._pattern_size += size
        self._shapes[key] = (*shapes, writer.compile()) if writer.pattern else shapes


# Keys are hashes, because the tags themselves may be as large as the message. If two shapes have the same
# hash, the reader decodes the messages of one of them, which only takes longer.


def _key(columns: Columns) -> int:
    """Return the key of a shape without runs: a hash of its tags and its MsgType."""
    tags, values = columns
    return hash((*tags, *values[2:3]))


def _run_key(columns: Columns) -> int:
    """Return the key of a shape with runs: a hash of the set of its tags and its MsgType. It does not depend
    on the number of entries, or on which entries have an optional field.
    """
    tags, values = columns
    return hash(frozenset((*tags, *values[2:3])))
