"""What is present where: the presence of a member at every place where its message may stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from codegen.model import Dialect, Member, Message, PresenceRule, Scope

WANTED = ("required", "constant")
"""Presences that a sender has no choice about."""


@attrs.frozen
class Place:
    """One place where a message may stand."""

    product: str
    session: str
    sender: str

    def within(self, scope: Scope) -> bool:
        """Say whether a scope covers it."""
        return (
            (not scope.products or self.product in scope.products)
            and (not scope.sessions or self.session in scope.sessions)
            and (scope.sender is None or self.sender == scope.sender)
        )


def places(dialect: Dialect, product: str) -> tuple[Place, ...]:
    """Return every place of a product: each of its session types, from both sides."""
    return tuple(_places(dialect, product))


def _places(dialect: Dialect, product: str) -> Iterator[Place]:
    for session in dialect.session_types:
        if not session.products or product in session.products:
            yield Place(product, session.name, "client")
            yield Place(product, session.name, "venue")


def places_of(message: Message, among: Iterable[Place]) -> tuple[Place, ...]:
    """Return those of the places where a message may be sent."""
    return tuple(
        place for place in among if not message.flows or any(place.within(flow) for flow in message.flows)
    )


def presence_at(default: str, rules: Iterable[PresenceRule], place: Place) -> str:
    """Return the presence at a place; the last rule that applies wins."""
    presence = default
    for rule in rules:
        if place.within(rule.scope):
            presence = rule.presence
    return presence


def presences(member: Member, among: Iterable[Place]) -> frozenset[str]:
    """Return every presence that a member has among some places."""
    return frozenset(presence_at(member.presence, member.rules, place) for place in among)
