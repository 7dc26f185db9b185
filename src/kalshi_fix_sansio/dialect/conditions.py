"""Conditions of the dialect on what a message says (`layout.Condition`), in the terms of its attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, Condition, FieldMember, Kind

T = TypeVar("T")
Terms = tuple[tuple[str, Collection[object] | None], ...]
"""Attributes, each with the values that it may have: an empty collection means any value, None means that it
must be absent. All terms must hold."""


def terms(condition: Condition | None, body: BlockLayout) -> Terms:
    """Return a condition on messages with this body in the terms of their attributes; none always holds."""
    if condition is None:
        return ()
    members = {member.name: member for member in body.members if isinstance(member, FieldMember)}
    return tuple((members[name].attribute, _values(members[name], wire)) for name, wire in condition.terms)


def holds(condition: Terms, message: Any) -> bool:
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


class Choice(Generic[T]):
    """Things that go with conditions: which of them go with a message.

    Nearly all conditions of one choice are about the values of one field, so they are asked once for each
    value that they name; for a message that is one look-up. With conditions asked for each message, a report
    that answers an order takes 10 % longer.
    """

    __slots__ = ("_attribute", "_by_value", "_options", "_otherwise")

    def __init__(self, options: Iterable[tuple[T, Terms, Terms]]) -> None:
        """Choose from these things, each with what must hold and what must not; empty terms do not count."""
        self._options = tuple(options)
        terms = [term for _, when, unless in self._options for term in (*when, *unless)]
        attributes = {attribute for attribute, values in terms if values}
        self._attribute: str | None = None
        self._by_value: Mapping[object, tuple[T, ...]] = {}
        self._otherwise = tuple(option for option, _, _ in self._options)
        if terms and len(attributes) == 1 and all(values for _, values in terms):
            [name] = attributes
            named = {value for _, values in terms for value in values or ()}
            self._by_value = {value: self._chosen(SimpleNamespace(**{name: value})) for value in named}
            self._otherwise = self._chosen(SimpleNamespace(**{name: None}))
            self._attribute = name

    def of(self, message: Message) -> tuple[T, ...]:
        """Return what goes with a message, in the order in which it was given."""
        if self._attribute is not None:
            return self._by_value.get(getattr(message, self._attribute), self._otherwise)
        return self._chosen(message)

    def _chosen(self, message: Any) -> tuple[T, ...]:
        return tuple(
            option
            for option, when, unless in self._options
            if holds(when, message) and not (unless and holds(unless, message))
        )


def _values(member: FieldMember, wire: tuple[str, ...] | None) -> Collection[object] | None:
    """Return values of the wire as the attribute of a message has them, or None for one that must be
    absent."""
    if wire is None:
        return None
    return frozenset(map(int, wire)) if member.field.kind is Kind.INT else frozenset(wire)
