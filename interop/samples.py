"""Samples: messages of every type, for each product, session type and sender."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import attrs

from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    FieldLayout,
    FieldMember,
    Kind,
    Member,
    MessageLayout,
    Presence,
    Sender,
)
from kalshi_fix_sansio.framing import encode_frame

_VALUES: dict[Kind, Any] = {
    Kind.STRING: "A1",
    Kind.CHAR: "Y",
    Kind.INT: 1,
    Kind.LENGTH: 1,
    Kind.SEQNUM: 7,
    Kind.NUMINGROUP: 1,
    Kind.DECIMAL: Decimal("0.55"),
    Kind.BOOLEAN: True,
    Kind.UTCTIMESTAMP: datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=UTC),
    Kind.UTCDATEONLY: date(2026, 11, 21),
    Kind.UTCTIMEONLY: time(12, 0, 0, 123000),
    Kind.DATA: b"a\x01b=",
}


@attrs.frozen
class MessageContext:
    """The context in which a message is sent."""

    product: str
    session: str
    sender: Sender


@attrs.frozen
class Sample:
    """A message as one side may send it."""

    label: str
    product: str
    message: Message
    frame: bytes


def samples() -> Iterator[Sample]:
    """Yield every message for each product, session type and sender, once with all fields and once with
    only the required fields.

    A group has two entries; each has at least its delimiter.
    """
    for layout in DIALECT.messages.values():
        for context in _contexts(layout):
            for full in (True, False):
                message = _build(layout.body, context, full=full)
                label = f"{layout.name}-{'-'.join(attrs.astuple(context)[:2])}-{context.sender.value}-{full=}"
                yield Sample(label, context.product, message, _frame(layout, message))


def _contexts(layout: MessageLayout) -> Iterator[MessageContext]:
    for session in DIALECT.session_types.values():
        for product in session.products:
            for sender in Sender:
                if layout.allowed(product, session.name, sender):
                    yield MessageContext(product, session.name, sender)


def _build(block: BlockLayout, context: MessageContext, *, full: bool, delimiter: int | None = None) -> Any:
    values = {}
    for member in block.members:
        presence = _presence(member, context)
        is_required = presence is Presence.REQUIRED or member.tag == delimiter
        if not (is_required or (full and presence is Presence.OPTIONAL)):
            continue
        if isinstance(member, FieldMember):
            values[member.attribute] = _value(member.field)
        else:
            entry = _build(member.entry, context, full=full, delimiter=member.delimiters[0])
            values[member.attribute] = [entry, entry]
    return block.cls(**values)


def _presence(member: Member, context: MessageContext) -> Presence:
    presence = member.presence
    for rule in member.rules:
        if rule.scope.matches(context.product, context.session, context.sender):
            presence = rule.presence
    return presence


def _value(field: FieldLayout) -> Any:
    return next(iter(field.codes)) if field.codes is not None else _VALUES[field.kind]


def _frame(layout: MessageLayout, message: Message) -> bytes:
    head = f"35={layout.msg_type}\x0149=A\x0156=B\x0134=7\x0152=20261121-12:00:00.123\x01"
    return encode_frame("FIXT.1.1", (head + layout.body.encode(message)).encode("latin-1"))
