"""Fuzz target `encode`: encoded messages decode to the same fields."""

from __future__ import annotations

from typing import Any, Final

from fuzz import wire
from fuzz.wire import WireDialect
from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, FieldLayout, FieldMember, Kind
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.framing import is_frame
from kalshi_fix_sansio.fuzzing import Choices
from tests import samples

MAX_DEPTH = 2
_TEXTS: Final = ("", "a", "a=b", "a\x01b", "a\x0110=000\x01", "é", "€", "\n", " ", "448=448=", "x" * 300)
_NUMBERS: Final = (0, 1, -1, 10**17, 10**18 - 1, 10**18, 10**40, True)
_DECIMALS: Final = ("0", "-0", "0.55", "1e5", "1e-9", "NaN", "1e400", "0." + "1" * 30, "9" * 30)


def check(data: bytes) -> None:
    """A message is rejected with the documented error, or encoded to one complete message that decodes to the
    same fields, including unknown ones, even after its header has been replaced."""
    choices = Choices(data)
    chosen_wire = choices.pick(wire.WIRES)
    layouts = tuple(chosen_wire.dialect.messages.values())
    try:
        message = _block(choices, chosen_wire, choices.pick(layouts).body, MAX_DEPTH)
        header = _block(choices, chosen_wire, chosen_wire.dialect.header, 1)
    except (TypeError, ValueError):
        return  # the constructors reject it
    check_invariant(chosen_wire, message, header)


def check_invariant(chosen_wire: WireDialect, message: Message, header: Any) -> bytes | None:
    """Check the invariant for one message; return its bytes, or None if it is rejected."""
    try:
        data = chosen_wire.codec.encode(message, header)
    except LocalProtocolError:
        return None
    assert is_frame(data), f"not a complete message: {data!r}"
    decoded = chosen_wire.codec.decode(data)
    assert _same_message(decoded, message), (
        f"{message!r} with {message.unknown} is decoded as {decoded!r}, {decoded.unknown}"
    )
    assert _same(decoded.header, header), f"{header!r} is decoded as {decoded.header!r}"
    if any(entry.unknown for entry in getattr(header, "hops", None) or ()):
        return data  # without the hops, their unknown fields would be assigned to other blocks
    with_new_header = chosen_wire.codec.with_header(data, samples.minimal(chosen_wire.dialect.header))
    redecoded = chosen_wire.codec.decode(with_new_header)
    assert _same_message(redecoded, message), f"with another header, {message!r} is decoded as {redecoded!r}"
    return data


def _same_message(decoded: Message, original: Message) -> bool:
    return type(decoded) is type(original) and _same(decoded, original)


def _same(decoded: Any, original: Any) -> bool:
    """Compare a decoded block with the original, including trailing zeros of decimals."""
    if decoded.unknown != original.unknown:
        return False
    for member in original.LAYOUT.members:
        if member.tag in CODEC_TAGS:
            continue
        actual, expected = getattr(decoded, member.attribute), getattr(original, member.attribute)
        if not isinstance(member, FieldMember):
            actual, expected = actual or [], expected or []
            if len(actual) != len(expected) or not all(map(_same, actual, expected)):
                return False
        elif actual != expected or (
            member.field.kind is Kind.DECIMAL and actual is not None and f"{actual:f}" != f"{expected:f}"
        ):
            return False
    return True


def _block(
    choices: Choices, chosen_wire: WireDialect, layout: BlockLayout, depth: int, opener: int | None = None
) -> Any:
    """Choose a block. With `opener`, the block is a group entry that contains the field with this tag."""
    values: dict[str, Any] = {}
    for member in layout.members:
        if member.tag in CODEC_TAGS:
            continue
        if isinstance(member, FieldMember):
            if samples.is_required(member) or member.tag == opener or choices.one_in(8):
                values[member.attribute] = _value(choices, member.field)
        elif depth and choices.one_in(4):
            values[member.attribute] = [
                _block(choices, chosen_wire, member.entry, depth - 1, member.delimiters[0])
                for _ in range(choices.below(3))
            ]
    if choices.one_in(4):
        values["unknown"] = [_unknown(choices, chosen_wire) for _ in range(1 + choices.below(3))]
    return layout.cls(**values)


def _unknown(choices: Choices, chosen_wire: WireDialect) -> tuple[int, bytes]:
    tag = choices.pick(chosen_wire.tags)
    number = int(tag) if tag.isdigit() else choices.below(100_000)
    return number, wire.value(choices, chosen_wire) if choices.one_in(2) else b"%d" % choices.below(16)


def _value(choices: Choices, field: FieldLayout) -> Any:
    if not choices.one_in(4):
        return samples.value_of(field)
    match field.kind:
        case Kind.DECIMAL:
            return choices.pick(_DECIMALS)
        case Kind.INT | Kind.LENGTH | Kind.SEQNUM | Kind.NUMINGROUP:
            return choices.pick(_NUMBERS)
        case Kind.DATA:
            return choices.pick(wire.VALUES)
        case _:
            return choices.pick(_TEXTS)
