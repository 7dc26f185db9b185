"""Conditions of the dialect on what a message says (`layout.Condition`), in the terms of its attributes."""

from __future__ import annotations

from collections.abc import Collection

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.layout import BlockLayout, Condition, FieldMember, Kind

Terms = tuple[tuple[str, Collection[object] | None], ...]
"""Attributes, each with the values that it may have: an empty collection means any value, None means that it
must be absent. All terms must hold."""


def terms(condition: Condition | None, body: BlockLayout) -> Terms:
    """Return a condition on messages with this body in the terms of their attributes; none always holds."""
    if condition is None:
        return ()
    members = {member.name: member for member in body.members if isinstance(member, FieldMember)}
    return tuple((members[name].attribute, _values(members[name], wire)) for name, wire in condition.terms)


def holds(condition: Terms, message: Message) -> bool:
    """Say whether a message says what a condition asks for."""
    for attribute, values in condition:
        value = getattr(message, attribute)
        if values:
            if value not in values:
                return False
        # A field without a value counts as absent: the venue sends such fields (QuoteID of a refused quote).
        # A zero and a flag that is false are values, and equal to 0.
        elif (not value and value != 0) is not (values is None):
            return False
    return True


def _values(member: FieldMember, wire: tuple[str, ...] | None) -> Collection[object] | None:
    """Return values of the wire as the attribute of a message has them, or None for one that must be
    absent."""
    if wire is None:
        return None
    return frozenset(map(int, wire)) if member.field.kind is Kind.INT else frozenset(wire)
