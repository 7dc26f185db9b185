"""Evaluation of the dialect's conditions (`layout.Condition`) for a message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, Condition, FieldMember, Kind

T = TypeVar("T")
Terms = tuple[tuple[str, Collection[object] | None], ...]
"""Pairs of an attribute and its allowed values. An empty collection means that the field must be present with
any value; None means that it must be absent. All terms must hold.
"""


def terms(condition: Condition | None, body: BlockLayout) -> Terms:
    """Return a condition as terms on the attributes of messages with this body; None gives no terms."""
    if condition is None:
        return ()
    members = {member.name: member for member in body.members if isinstance(member, FieldMember)}
    return tuple(
        (members[name].attribute, _values(members[name], values)) for name, values in condition.terms
    )


def holds(condition: Terms, message: Any) -> bool:
    """Return whether a message satisfies a condition."""
    for attribute, values in condition:
        value = getattr(message, attribute)
        if values:
            if value not in values:
                return False
        # A field with an empty value counts as absent, because the venue sends empty fields, such as the
        # QuoteID of a rejected quote. Zero and False are also false in Python, but count as present.
        elif (not value and value != 0) is not (values is None):
            return False
    return True


class Choice(Generic[T]):
    """A list of options, each with conditions. `select` returns the options whose conditions a message
    satisfies.

    Usually all conditions concern the values of a single field. The constructor then evaluates them for each
    value that they contain, so the selection for a message takes one lookup. If the conditions were evaluated
    for each message, a report that answers an order would take 10% longer.
    """

    def __init__(self, options: Iterable[tuple[T, Terms, Terms]]) -> None:
        """Set the options. Each has terms that must hold, and terms that must not all hold; either tuple may
        be empty.
        """
        self._options = tuple(options)
        terms = [term for _, when, unless in self._options for term in (*when, *unless)]
        attributes = {attribute for attribute, values in terms if values}
        self._attribute: str | None = None
        self._by_value: Mapping[object, tuple[T, ...]] = {}
        self._default = tuple(option for option, _, _ in self._options)
        if terms and len(attributes) == 1 and all(values for _, values in terms):
            [name] = attributes
            mentioned = {value for _, values in terms for value in values or ()}
            self._by_value = {value: self._evaluate(SimpleNamespace(**{name: value})) for value in mentioned}
            self._default = self._evaluate(SimpleNamespace(**{name: None}))
            self._attribute = name

    def select(self, message: Message) -> tuple[T, ...]:
        """Return the options that apply to a message, in the order in which they were given."""
        if self._attribute is not None:
            return self._by_value.get(getattr(message, self._attribute), self._default)
        return self._evaluate(message)

    def _evaluate(self, message: Any) -> tuple[T, ...]:
        return tuple(
            option
            for option, when, unless in self._options
            if holds(when, message) and not (unless and holds(unless, message))
        )


def _values(member: FieldMember, wire_values: tuple[str, ...] | None) -> Collection[object] | None:
    """Return the wire values converted to the attribute's type, or None if the field must be absent."""
    if wire_values is None:
        return None
    return frozenset(map(int, wire_values)) if member.field.kind is Kind.INT else frozenset(wire_values)
