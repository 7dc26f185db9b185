"""Wire messages of Kalshi's dialect and of plain FIX 5.0 SP2, chosen and damaged according to the input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

import kalshi_fix_sansio
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.layout import Dialect
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.fuzzing import Choices
from tests import samples
from tests.fix50sp2 import dialect as fix50sp2

Fields = list[tuple[bytes, bytes]]

SOH: Final = b"\x01"
LOG: Final = Path(kalshi_fix_sansio.__file__).with_name("dictionaries") / "examples.log"
VALUES: Final = (
    b"",
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"+5",
    b"1_0",
    b"1e5",
    b"NaN",
    b"Y",
    b"N",
    b".5",
    b"5.",
    b"0.55",
    b"007",
    b"999999999999999999",
    b"9" * 40,
    b"AB",
    b"\xe9",
    b"=",
    b"|",
    b"\n",
    b"20260801-12:30:15.123",
    b"20260230-12:00:00",
    b"20260801-23:59:60.123",
    b"20260801-12:00:00.123456789",
    b"20260801",
    b"00000101",
    b"12:30:15",
    b"24:00:00",
    b"a\x01b",
    b"58=x",
    b"x\x0110=000",
    b"448=448=",
    b"8=FIXT.1.1",
)
"""Edge cases of field values."""
ODD_TAGS: Final = (b"", b"0", b"-1", b"007", b"x", b"99999999999", b"29999", b"8", b"9", b"10", b"35")
REPEAT_COUNTS: Final = (2, 3, 5, 9)
LARGE_ODDS: Final = 128
"""One message in this many is chosen from the large ones."""
LARGE_SIZE: Final = 700
"""Size in bytes above which messages are chosen rarely, because they would take nearly all the time."""
CHANGE_COUNTS: Final = (0, 1, 1, 1, 2, 2, 3, 5)
MAX_CHUNKS: Final = 256
HUGE_COUNT: Final = 40
"""A large number of repetitions, chosen rarely."""


@attrs.frozen
class WireDialect:
    """One dialect, with template messages."""

    dialect: Dialect
    codec: Codec = attrs.field(repr=False)
    templates: tuple[Fields, ...] = attrs.field(repr=False)
    """Valid messages, without BeginString, BodyLength and CheckSum."""
    large: tuple[Fields, ...] = attrs.field(repr=False)
    """Valid messages of more than `LARGE_SIZE` bytes; `templates` if there are none."""
    tags: tuple[bytes, ...] = attrs.field(repr=False)


def fields_of(frame: bytes) -> Fields:
    """Split a message at every SOH, and drop BeginString, BodyLength and CheckSum."""
    pairs = (field.partition(b"=") for field in frame.split(SOH)[2:-2])
    return [(tag, value) for tag, _, value in pairs]


def join_fields(fields: Fields, begin_string: str = "FIXT.1.1") -> bytes:
    """Join fields, and add a correct BeginString, BodyLength and CheckSum."""
    return encode_frame(begin_string, b"".join(b"%b=%b\x01" % field for field in fields))


def log_messages() -> list[bytes]:
    """Return the messages of the log that codegen writes from the spec's examples."""
    lines = LOG.read_bytes().splitlines()
    return [line.split(b" ", 2)[2].replace(b"|", SOH) for line in lines]


def _wire_dialect(dialect: Dialect, examples: list[bytes]) -> WireDialect:
    codec = Codec(dialect)
    header: Any = samples.minimal(dialect.header)
    frames = [*examples]
    for layout in dialect.messages.values():
        frames += [
            codec.encode(samples.minimal(layout.body), header),
            codec.encode(samples.full(layout.body), header),
        ]
    small: list[Fields] = []
    large: list[Fields] = []
    for frame in frames:
        (small if len(frame) <= LARGE_SIZE else large).append(fields_of(frame))
    tags = tuple(b"%d" % tag for tag in sorted(dialect.fields))
    return WireDialect(dialect, codec, tuple(small), tuple(large or small), (*tags, *ODD_TAGS))


KALSHI: Final = _wire_dialect(DIALECT, log_messages())
PLAIN: Final = _wire_dialect(fix50sp2.DIALECT, [])
WIRES: Final = (KALSHI, PLAIN)


def value(choices: Choices, wire: WireDialect) -> bytes:
    """Choose a value: an edge case, one from another message, arbitrary bytes, or a repeated edge case."""
    match choices.below(4):
        case 0:
            return choices.pick(VALUES)
        case 1:
            return choices.pick(choices.pick(wire.templates))[1]
        case 2:
            return choices.take(choices.below(12))
        case _:
            return choices.pick((*VALUES, SOH + choices.pick(wire.tags) + b"=x")) * repeats(choices)


def repeats(choices: Choices) -> int:
    """Choose a number of repetitions."""
    return HUGE_COUNT if choices.one_in(64) else choices.pick(REPEAT_COUNTS)


def change_fields(choices: Choices, fields: Fields, wire: WireDialect) -> None:
    """Make one random change to the list of fields, which may become empty."""
    position = choices.below(len(fields) + 1) % max(len(fields), 1)
    if not fields:
        fields.append((choices.pick(wire.tags), value(choices, wire)))
        return
    tag, old = fields[position]
    match choices.below(9):
        case 0:
            fields[position] = (tag, value(choices, wire))
        case 1:
            del fields[position]
        case 2:
            fields.insert(choices.below(len(fields)), (tag, old))
        case 3:
            other_position = choices.below(len(fields))
            fields[position], fields[other_position] = fields[other_position], fields[position]
        case 4:
            fields[position] = (choices.pick(wire.tags), old)
        case 5:
            fields.insert(position, (choices.pick(wire.tags), value(choices, wire)))
        case 6:
            offset = choices.below(len(old) + 1)
            fields[position] = (tag, old[:offset] + choices.pick(VALUES) + old[offset:])
        case 7:
            fields[position:position] = fields[position : position + 1 + choices.below(4)] * repeats(choices)
        case _:
            fields[position:position] = choices.pick(wire.templates)[1:]


def message(choices: Choices, wire: WireDialect) -> bytes:
    """Choose a message: valid, or with random changes to its fields. BodyLength and CheckSum are always
    correct."""
    fields = list(choices.pick(wire.large if choices.one_in(LARGE_ODDS) else wire.templates))
    for _ in range(choices.pick(CHANGE_COUNTS)):
        change_fields(choices, fields, wire)
    return join_fields(fields)


def damage(choices: Choices, data: bytes) -> bytes:
    """Return the data after up to three random changes: bytes are replaced, removed, inserted or repeated."""
    damaged = bytearray(data)
    for _ in range(choices.below(4)):
        position = choices.below(len(damaged) + 1)
        match choices.below(4):
            case 0:
                damaged[position : position + 1] = choices.take(1)
            case 1:
                del damaged[position : position + 1 + choices.below(32)]
            case 2:
                damaged[position:position] = choices.take(choices.below(32))
            case _:
                damaged[position:position] = damaged[: choices.below(len(damaged) + 1)]
    return bytes(damaged)


def split_into_chunks(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Split data into at most `MAX_CHUNKS` chunks whose sizes cycle through `sizes`, and a last chunk."""
    chunks: list[bytes] = []
    position = 0
    while sizes and position < len(data) and len(chunks) < MAX_CHUNKS:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[position : position + size])
        position += size
    return [*chunks, data[position:]]
