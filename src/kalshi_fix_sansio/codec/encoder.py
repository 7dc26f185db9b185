"""What the generated encoders leave to others: to name a fault, and to judge unknown fields.

The encoders themselves stand beside the classes, in the generated package. Nothing here makes wire text: a
message that they cannot write as it is comes here to be refused by name, or to be found right after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kalshi_fix_sansio.codec.tables import BlockTable, FieldSlot, Slot, Tables, always_required
from kalshi_fix_sansio.dialect.base import Block
from kalshi_fix_sansio.dialect.layout import BlockLayout, FieldMember, GroupMember
from kalshi_fix_sansio.dialect.support import format_unknown
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars import MAX_INT_DIGITS, format_value

CODEC_TAGS = frozenset((8, 9, 10, 35))
"""Fields of header and trailer that `Codec.encode` writes by itself."""
ENCODE_ERRORS = (AttributeError, KeyError, TypeError, ValueError)
"""What a generated encoder raises of what it does not write."""


def name_fault(block: Any, layout: BlockLayout, where: str = "") -> None:
    """Return if every value of a block, and of the entries in it, has a FIX form.

    Raises:
        EncodeError: one has none; the text names the field, and with `where` the entry that it is in.
    """
    format_unknown(block.unknown)
    for member in layout.members:
        value = getattr(block, member.attribute)
        if isinstance(member, GroupMember):
            if value or always_required(member):
                _name_fault_of_entries(member, value, where)
        elif member.tag in CODEC_TAGS:
            continue
        elif value is not None:
            _name_fault_of_field(member, value, where)
        elif always_required(member):
            raise EncodeError(f"{member.field.label}{where} is required and has no value")


def _name_fault_of_field(member: FieldMember, value: Any, where: str) -> None:
    try:
        format_value(member.field.kind, value)
    except EncodeError as error:
        raise EncodeError(f"{member.field.label}{where}: {error}") from None


def _name_fault_of_entries(member: GroupMember, entries: Any, where: str) -> None:
    label = member.counter.label
    if not isinstance(entries, Sequence):
        raise EncodeError(f"{label}{where}: expected a list, not {type(entries).__name__}")
    for number, entry in enumerate(entries, 1):
        place = f" in entry {number} of {label}{where}"
        if not isinstance(entry, member.entry.cls):
            expected = member.entry.cls.__name__
            raise EncodeError(f"expected {expected}, not {type(entry).__name__},{place}")
        name_fault(entry, member.entry, place)


def check_unknown(
    block: Any, table: BlockTable, tables: Tables, enclosing: tuple[BlockTable, ...] = ()
) -> None:
    """Refuse unknown fields that a reader would take for something else, in a block and its entries.

    Raises:
        EncodeError: an unknown field has a tag that its block, an enclosing one, the header or the trailer
            defines, but for one of an older tag beside the field itself; it holds SOH without being data;
            data and its length do not stand together, or the length is another.
    """
    if block.unknown:
        _check_fields(block, table, tables, enclosing)
    for attribute, entry_table in table.groups:
        entries = getattr(block, attribute)
        if entries:
            around = (table, *enclosing)
            for entry in entries:
                check_unknown(entry, entry_table, tables, around)


def check_header(header: Any, message: Any, body: str, table: BlockTable, tables: Tables) -> None:
    """Refuse unknown fields in and behind the header that a reader would put somewhere else.

    Raises:
        EncodeError: the header itself has some, which would be read as the body's; its entries have some that
            the body defines; or those of the message, with `body` as its text, stand right behind a group of
            the header, whose last entry would get them.
    """
    if header.unknown:
        raise EncodeError("the header cannot have unknown fields: a reader takes them for the body's")
    check_unknown(header, tables.header, tables, (table,))
    # An encoder writes unknown fields in front of the first group, or at the end: where nothing else is in
    # front of them, they follow the header.
    if (
        message.unknown
        and any(getattr(header, attribute) for attribute, _ in tables.header.groups)
        and body.startswith(f"{message.unknown[0][0]}=")
    ):
        raise EncodeError("unknown fields cannot stand right behind a group of the header")


def _check_fields(block: Block, table: BlockTable, tables: Tables, enclosing: tuple[BlockTable, ...]) -> None:
    length: tuple[int, bytes] | None = None
    """The field before, if it carries the length of data."""
    superseded: set[int] = set()
    for tag, value in block.unknown:
        own = table.slots.get(tag)
        # An older tag beside the field itself may stand once: a reader tells the second as a repeated field.
        if own is not None and tag not in superseded and _is_superseded(own, block):
            superseded.add(tag)
            own = None
        if own is not None or tag in tables.outer_tags or any(tag in place.slots for place in enclosing):
            raise EncodeError(
                f"{_label(tag, tables)} cannot be sent as an unknown field of {table.layout.name}"
            )
        if length is not None:
            _check_data(length, tag, value, tables)
        elif tag in tables.standard_length_tags:
            raise EncodeError(f"{_label(tag, tables)} is data, but its length does not stand in front of it")
        if b"\x01" in value and tag not in tables.length_tags:
            raise EncodeError(f"the value of unknown field {tag} holds SOH but is not known to be data")
        # Lengths of the standard as well: a peer that knows them counts by them.
        length = (tag, value) if tag in tables.standard_data_tags else None
    if length is not None:
        _check_data(length, None, b"", tables)


def _check_data(length: tuple[int, bytes], tag: int | None, value: bytes, tables: Tables) -> None:
    """Refuse what follows a length unless it is its data, as long as it says, for a reader goes by that."""
    data = tables.standard_data_tags[length[0]]
    if tag != data:
        raise EncodeError(f"{_label(length[0], tables)} is not followed by {_label(data, tables)}")
    if not length[1].isdigit() or len(length[1]) > MAX_INT_DIGITS or int(length[1]) != len(value):
        shown = length[1].decode("latin-1")
        raise EncodeError(
            f"{_label(length[0], tables)} is {shown!r}, but {_label(data, tables)} has {len(value)} bytes"
        )


def _label(tag: int, tables: Tables) -> str:
    known = tables.dialect.fields.get(tag)
    return f"unknown field {tag}" if known is None else known.label


def _is_superseded(slot: Slot, block: Block) -> bool:
    """Say whether it is an older tag of a field that is set, which a reader leaves among the unknown."""
    return isinstance(slot, FieldSlot) and slot.legacy and getattr(block, slot.member.attribute) is not None
