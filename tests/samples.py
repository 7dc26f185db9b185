"""Instances of any generated class, minimal or with every field, and common messages."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio._generated import (
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
)
from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    FieldLayout,
    FieldMember,
    GroupMember,
    Kind,
    Member,
    Presence,
)
from tests.helpers import order

VALUE_BY_PATTERN = {"[0-9]{3}": "123", "[A-Z]{2}[0-9]{1,10}": "DE123"}
"""Values of fields with these patterns; a field with any other pattern gets its own name as its value."""


def every_layout() -> dict[str, BlockLayout]:
    """Return the layouts of messages, group entries, header and trailer, by the names of their classes."""
    found = [*(layout.body for layout in DIALECT.messages.values()), DIALECT.header, DIALECT.trailer]
    for block in found:
        found += [m.entry for m in block.members if isinstance(m, GroupMember) and m.entry not in found]
    return {block.name: block for block in found}


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
        return VALUE_BY_PATTERN.get(field.pattern, field.name)
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


def minimal(layout: BlockLayout, **changes: Any) -> Any:
    """Return an instance with these values, and with values for all other fields that are required."""
    required = {
        member.attribute: value_of(member.field)
        for member in layout.members
        if isinstance(member, FieldMember) and is_required(member)
    }
    return layout.cls(**(required | changes))


def full(layout: BlockLayout, unknown: tuple[tuple[int, bytes], ...] = ((29_999, b"new"),)) -> Any:
    """Return an instance with every field, one entry in every group, and these unknown fields in every
    block."""
    given: dict[str, Any] = {"unknown": unknown}
    for member in layout.members:
        if isinstance(member, GroupMember):
            given[member.attribute] = [full(member.entry, unknown)]
        elif member.tag not in CODEC_TAGS:
            given[member.attribute] = value_of(member.field)
    return layout.cls(**given)


def amend_request(**changes: Any) -> OrderCancelReplaceRequest:
    """Return an amend of a limit order; the amend contains no price."""
    values: dict[str, Any] = {
        "orig_cl_ord_id": "a1",
        "cl_ord_id": "a2",
        "side": "1",
        "symbol": "K",
        "order_qty": 1,
        "ord_type": "2",
    }
    return OrderCancelReplaceRequest(**(values | changes))


def execution_report(cl_ord_id: str = "a1", **changes: Any) -> ExecutionReport:
    """Return the venue's report that an order is open."""
    values: dict[str, Any] = {
        "order_id": f"o-{cl_ord_id}",
        "cl_ord_id": cl_ord_id,
        "exec_id": "1;1",
        "exec_type": "0",
        "ord_status": "0",
        "side": "1",
        "symbol": "KXHIGHNY-26AUG21-B80",
        "order_qty": 10,
        "leaves_qty": 10,
        "cum_qty": 0,
        "avg_px": 0,
    }
    return ExecutionReport(**(values | changes))


def cancel_reject(cl_ord_id: str = "a1", text: str | None = None) -> OrderCancelReject:
    """Return a refusal of a cancel, with few fields."""
    return OrderCancelReject(
        order_id="o", cl_ord_id=cl_ord_id, ord_status="8", cxl_rej_response_to="1", text=text
    )


def application_message(role: Role, cl_ord_id: str = "a1") -> NewOrderSingle | OrderCancelReject:
    """Return an application message that this role may send."""
    return order(cl_ord_id) if role is Role.INITIATOR else cancel_reject(cl_ord_id)
