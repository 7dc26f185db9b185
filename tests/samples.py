"""Fixed instances of any generated class: minimal ones, and ones with every field."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    FieldLayout,
    FieldMember,
    GroupMember,
    Kind,
    Member,
    Presence,
)

CODEC_TAGS = frozenset({8, 9, 10, 35})
"""BeginString, BodyLength, CheckSum and MsgType, which the codec writes."""

BY_PATTERN = {"[0-9]{3}": "123", "[A-Z]{2}[0-9]{1,10}": "DE123"}
"""Values for fields whose pattern does not match their own name."""


def is_required(member: Member) -> bool:
    """Return whether the constructor requires this member."""
    return (
        isinstance(member, FieldMember)
        and member.tag not in CODEC_TAGS
        and member.presence is Presence.REQUIRED
        and all(rule.presence is Presence.REQUIRED for rule in member.rules)
    )


def value_of(field: FieldLayout) -> Any:
    """Return a valid value for a field."""
    if field.codes is not None:
        return next(iter(field.codes))
    if field.pattern is not None:
        return BY_PATTERN.get(field.pattern, field.name)
    match field.kind:
        case Kind.STRING:
            return f"{field.name} = 1"[: field.max_length]
        case Kind.CHAR:
            return "x"
        case Kind.INT | Kind.LENGTH | Kind.SEQNUM | Kind.NUMINGROUP:
            return (
                field.tag
                if field.minimum is None and field.maximum is None
                else field.minimum or field.maximum or 0
            )
        case Kind.DECIMAL:
            return Decimal("0.50") if field.minimum is None else Decimal(field.minimum)
        case Kind.BOOLEAN:
            return True
        case Kind.UTCTIMESTAMP:
            return datetime(2026, 8, 1, 13, 30, 59, 123000, UTC)
        case Kind.UTCDATEONLY:
            return date(2026, 8, 1)
        case Kind.UTCTIMEONLY:
            return time(13, 30, 59, 123000)
        case Kind.DATA:
            return b"a\x01b=c"


def minimal(layout: BlockLayout) -> Any:
    """Return an instance with required fields only."""
    return layout.cls(
        **{
            member.attribute: value_of(member.field)
            for member in layout.members
            if isinstance(member, FieldMember) and is_required(member)
        }
    )


def full(layout: BlockLayout) -> Any:
    """Return an instance with every field, one entry in every group and an unknown field in every block."""
    given: dict[str, Any] = {"unknown": ((29_999, b"new"),)}
    for member in layout.members:
        if isinstance(member, GroupMember):
            given[member.attribute] = [full(member.entry)]
        elif member.tag not in CODEC_TAGS:
            given[member.attribute] = value_of(member.field)
    return layout.cls(**given)
