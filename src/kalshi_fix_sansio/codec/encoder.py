"""The checks of `Codec.encode` that the generated encoders leave out: finding the field at fault, and
validating unknown fields.

The encoders that write wire text are generated, next to the message classes. If one of them raises an error
or writes unusual characters, the functions here report the field at fault, or find that the message is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kalshi_fix_sansio.codec.tables import BlockTable, FieldSlot, Slot, Tables, always_required
from kalshi_fix_sansio.dialect.base import Block
from kalshi_fix_sansio.dialect.layout import BlockLayout, GroupMember
from kalshi_fix_sansio.dialect.support import format_unknown
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars import MAX_INT_DIGITS, format_value

CODEC_TAGS = frozenset((8, 9, 10, 35))
"""Fields of the header and the trailer that `Codec.encode` sets."""
ENCODE_ERRORS = (AttributeError, KeyError, TypeError, ValueError)
"""Exceptions that a generated encoder raises for values it cannot encode."""


def raise_if_unencodable(block: Any, layout: BlockLayout, where: str = "") -> None:
    """Check that every value of a block, and of its entries, can be encoded.

    Raises:
        EncodeError: a value has no FIX representation, a field that is always required has no value, a group
            is not a list, or an entry has the wrong class. For known fields and groups, the text contains the
            name, followed by `where`, the location of the entry.
    """
    format_unknown(block.unknown)
    for member in layout.members:
        value = getattr(block, member.attribute)
        if isinstance(member, GroupMember):
            if value or always_required(member):
                _raise_if_entries_unencodable(member, value, where)
        elif member.tag in CODEC_TAGS:
            continue
        elif value is not None:
            try:
                format_value(member.field.kind, value)
            except EncodeError as error:
                raise EncodeError(f"{member.field.label}{where}: {error}") from None
        elif always_required(member):
            raise EncodeError(f"{member.field.label}{where} is required and has no value")


def _raise_if_entries_unencodable(member: GroupMember, entries: Any, where: str) -> None:
    label = member.counter.label
    if not isinstance(entries, Sequence):
        raise EncodeError(f"{label}{where}: expected a list, not {type(entries).__name__}")
    for number, entry in enumerate(entries, 1):
        entry_location = f" in entry {number} of {label}{where}"
        if not isinstance(entry, member.entry.cls):
            expected = member.entry.cls.__name__
            raise EncodeError(f"expected {expected}, not {type(entry).__name__},{entry_location}")
        raise_if_unencodable(entry, member.entry, entry_location)


def check_unknown(
    block: Any, table: BlockTable, tables: Tables, enclosing: tuple[BlockTable, ...] = ()
) -> None:
    """Reject unknown fields, of a block or its entries, that a receiver would interpret differently.

    Raises:
        EncodeError: an unknown field has a tag that its block, an enclosing block, the header or the trailer
            defines. An obsolete tag is allowed once, if the field with the current tag is set. EncodeError is
            also raised if a value contains SOH but is not data, if data does not directly follow its length,
            or if this length is wrong.
    """
    if block.unknown:
        _check_fields(block, table, tables, enclosing)
    for attribute, entry_table in table.groups:
        entries = getattr(block, attribute)
        if entries:
            outer = (table, *enclosing)
            for entry in entries:
                check_unknown(entry, entry_table, tables, outer)


def check_header(header: Any, message: Any, body: str, table: BlockTable, tables: Tables) -> None:
    """Reject unknown fields in the header, or directly after it, that a receiver would assign to another
    block. `body` is the encoded body.

    Raises:
        EncodeError: the header has unknown fields (a receiver would assign them to the body), an entry of a
            header group has an unknown field that the body defines, or unknown fields at the beginning of the
            body directly follow a group of the header.
    """
    if header.unknown:
        raise EncodeError("the header cannot have unknown fields: a receiver would assign them to the body")
    check_unknown(header, tables.header, tables, (table,))
    # An encoder writes unknown fields before the first group of the body or, without a group, at the end. If
    # no other field precedes them, they directly follow the header.
    if (
        message.unknown
        and any(getattr(header, attribute) for attribute, _ in tables.header.groups)
        and body.startswith(f"{message.unknown[0][0]}=")
    ):
        raise EncodeError("unknown fields cannot directly follow a group of the header")


def _check_fields(block: Block, table: BlockTable, tables: Tables, enclosing: tuple[BlockTable, ...]) -> None:
    length: tuple[int, bytes] | None = None
    """The previous field, if it contains the length of data."""
    superseded: set[int] = set()
    for tag, value in block.unknown:
        slot = table.slots.get(tag)
        # An obsolete tag is allowed once, if the field with the current tag is set. A receiver would report a
        # second one as repeated.
        if slot is not None and tag not in superseded and _is_superseded(slot, block):
            superseded.add(tag)
            slot = None
        if slot is not None or tag in tables.outer_tags or any(tag in outer.slots for outer in enclosing):
            raise EncodeError(
                f"{_label(tag, tables)} cannot be sent as an unknown field of {table.layout.name}"
            )
        if length is not None:
            _check_data(length, tag, value, tables)
        elif tag in tables.standard_length_tags:
            raise EncodeError(f"{_label(tag, tables)} is data, but is not preceded by its length")
        if b"\x01" in value and tag not in tables.length_tags:
            raise EncodeError(f"the value of unknown field {tag} contains SOH but is not known to be data")
        # Length fields of the FIX standard are included, because a peer that knows them uses them.
        length = (tag, value) if tag in tables.standard_data_tags else None
    if length is not None:
        _check_data(length, None, b"", tables)


def _check_data(length: tuple[int, bytes], tag: int | None, value: bytes, tables: Tables) -> None:
    """Raise EncodeError unless the next field is the data that belongs to the length, and has this length."""
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
    """Return whether the slot is the obsolete tag of a field that is also set. A receiver keeps such a tag as
    an unknown field.
    """
    return isinstance(slot, FieldSlot) and slot.legacy and getattr(block, slot.member.attribute) is not None
