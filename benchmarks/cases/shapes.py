"""Benchmarks: (s) decode messages of many shapes in rotation, and of shapes that have no decoder yet.

The shape of a message is the sequence of its tags. The codec compiles a decoder for each frequent shape.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from benchmarks import samples
from benchmarks.cases import books
from benchmarks.measure import Contender, call_for_each
from kalshi_fix_sansio import Message, decode, encode
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled.cache import MAX_SIGHTINGS, SIGHTINGS_TO_COMPILE
from kalshi_fix_sansio.messages import CODEC

SHAPES = "s: report, by number of shapes in rotation"
COUNTS = (1, 4, 8, 13, 16, 32, 64, 128, 256)
MIX = "s: updates of 1 to 4 entries"
GROUPED, MIXED = "grouped by shape", "mixed"
COMPILED, NEW, FIRST = "compiled shape", "new shape", "first five of a shape, in total"
_ENTRIES = 4
_FIRST_COUNT = 5


def title(kind: str) -> str:
    """Return the title of the case that decodes one kind of message in each state of the cache."""
    return f"s: {kind}"


KINDS = ("report", "order", *books.KINDS, "incremental with 40 entries")
"""The kinds of messages of the other cases, and an update with as many entries as a snapshot."""


def _wire(kind: str, count: int) -> list[bytes]:
    if kind == "report":
        return [samples.report_bytes(number) for number in range(count)]
    if kind == "order":
        return [samples.order_bytes(number) for number in range(count)]
    return books.wire_messages(kind, count)


def many_shapes(count: int = samples.COUNT) -> list[Contender]:
    """Return contenders that decode increasing numbers of shapes, and shapes that are new to the codec."""
    contenders = []
    for shapes in COUNTS:
        # The additional field determines the shape. All shapes have the same size and the same beginning, so
        # only their tags differ.
        reports = [
            _with_field(samples.report_bytes(number), 9000 + number % shapes)
            for number in range(max(count, shapes))
        ]
        contenders.append(_compiled_shapes(SHAPES, str(shapes), reports))
    mixed = _updates(count)
    contenders += [
        _compiled_shapes(MIX, GROUPED, sorted(mixed, key=_tags)),
        _compiled_shapes(MIX, MIXED, mixed),
    ]
    for kind in KINDS:
        case, wire = title(kind), _wire(kind, count)
        new = _wire(kind, max(count, MAX_SIGHTINGS + 1))
        contenders += [
            _compiled_shapes(case, COMPILED, wire),
            _new_shapes(case, new),
            _first_messages(case, wire),
        ]
    return contenders


def _with_field(data: bytes, tag: int) -> bytes:
    """Return a message with one more field, which gives it a different shape."""
    message = decode(data)
    message.unknown = ((tag, b"x"),)
    return _reencode(message)


def _updates(count: int) -> list[bytes]:
    """Return updates of one to four entries, each with or without an additional field."""
    random_source = random.Random(1)  # noqa: S311 - the same in every run
    updates = []
    for number in range(count):
        update = decode(samples.incremental_bytes(1 + random_source.randrange(_ENTRIES), number))
        for entry in update.md_entries:  # type: ignore[attr-defined]
            entry.trade_id = f"t{number:06d}" if random_source.random() < 1 / 2 else None
        updates.append(_reencode(update))
    return updates


def _reencode(message: Message) -> bytes:
    message.trailer = None
    return encode(message, message.header)


def _tags(data: bytes) -> list[bytes]:
    return [field.partition(b"=")[0] for field in data.split(b"\x01")]


def _compiled_shapes(case: str, name: str, wire: list[bytes]) -> Contender:
    """Make a contender whose codec has a decoder for each shape."""
    codec = Codec(CODEC.dialect)
    for data in {tuple(_tags(data)): data for data in wire}.values():
        for _ in range(SIGHTINGS_TO_COMPILE):
            codec.decode(data)
    return Contender(case, name, call_for_each(codec.decode, wire), len(wire))


def _new_shapes(case: str, wire: Iterable[bytes]) -> Contender:
    """Make a contender whose codec never has a decoder for the shape of a message.

    There are more shapes than the codec counts, so the codec resets its counts before it compiles a decoder.
    """
    new = [_with_field(data, tag) for tag, data in enumerate(wire, 9000)]
    return Contender(case, NEW, call_for_each(Codec(CODEC.dialect).decode, new), len(new))


def _first_messages(case: str, wire: list[bytes]) -> Contender:
    """Make a contender whose new codec decodes the first messages of a shape, after a message of the same
    type that has another shape.
    """
    other = _with_field(wire[0], 9000)
    codecs: list[Codec] = []

    def prepare() -> None:
        codecs[:] = [Codec(CODEC.dialect)]
        codecs[0].decode(other)

    def run() -> None:
        codec = codecs[0]
        for data in wire[:_FIRST_COUNT]:
            codec.decode(data)

    return Contender(case, FIRST, run, max_calls=1, prepare=prepare)
