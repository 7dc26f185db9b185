"""A reference encoder that follows the layouts member by member; generated encoders must agree with it.

It also encodes the dialects that tests define by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.codec.tables import always_required
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, FieldMember, GroupMember, Kind
from kalshi_fix_sansio.dialect.support import format_unknown
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.scalars import format_value


def encode(begin_string: str, message: Message, header: Any) -> bytes:
    """Return a complete message, without checking whether a reader would mistake its unknown fields for other
    fields."""
    head = "" if header is None else encode_block(header)
    text = f"35={message.msg_type}\x01{head}{encode_block(message)}"
    return encode_frame(begin_string, text.encode("latin-1"))


def encode_block(block: Any, checked: bool = True, text: str = "") -> str:
    """Return `text` followed by a block as `tag=value SOH` text in layout order; the block's unknown fields
    precede its first group. If `checked` is False, unknown fields raise EncodeError."""
    return text + _encode(block, block.LAYOUT, "", checked)


def _encode(block: Any, layout: BlockLayout, where: str, checked: bool) -> str:
    parts: list[str] = []
    unknown = format_unknown(block.unknown, checked or not block.unknown)
    for member in layout.members:
        value = getattr(block, member.attribute)
        if isinstance(member, FieldMember):
            if member.tag in CODEC_TAGS:
                continue
            if value is not None:
                parts.append(_encode_field(member, value, where))
            elif always_required(member):
                raise EncodeError(f"{member.field.label}{where} is required and has no value")
        elif value or always_required(member):
            parts.append(unknown)
            unknown = ""
            parts.append(_encode_group(member, value, where, checked))
    return "".join(parts) + unknown


def _encode_field(member: FieldMember, value: Any, where: str) -> str:
    field = member.field
    try:
        text = format_value(field.kind, value)
    except EncodeError as error:
        raise EncodeError(f"{field.label}{where}: {error}") from None
    if field.kind is Kind.DATA and field.length_tag is not None:
        return f"{field.length_tag}={len(text)}\x01{field.tag}={text}\x01"
    return f"{field.tag}={text}\x01"


def _encode_group(member: GroupMember, entries: Any, where: str, checked: bool) -> str:
    label = member.counter.label
    if not isinstance(entries, Sequence):
        raise EncodeError(f"{label}{where}: expected a list, not {type(entries).__name__}")
    parts = [f"{member.tag}={len(entries)}\x01"]
    for number, entry in enumerate(entries, 1):
        location = f" in entry {number} of {label}{where}"
        if not isinstance(entry, member.entry.cls):
            expected = member.entry.cls.__name__
            raise EncodeError(f"expected {expected}, not {type(entry).__name__},{location}")
        parts.append(_encode(entry, member.entry, location, checked))
    return "".join(parts)
