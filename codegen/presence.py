"""The presence of a member at each place where its message may occur."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from codegen.model import Dialect, Member, Message, Scope

SENDERS = ("client", "venue")
MANDATORY = ("required", "constant")
"""Presence values of fields that every message contains."""


@attrs.frozen
class Place:
    """A place where a message may occur: a product, a session type on it, and a sender."""

    product: str
    session: str
    sender: str

    def within(self, scope: Scope) -> bool:
        """Return whether a scope covers this place."""
        return (
            (not scope.products or self.product in scope.products)
            and (not scope.sessions or self.session in scope.sessions)
            and (scope.sender is None or self.sender == scope.sender)
        )


def all_places(sessions: Mapping[str, tuple[str, ...]], products: tuple[str, ...]) -> tuple[Place, ...]:
    """Return every combination of a product, a session type that offers it, and a sender.

    `sessions` contains the products of each session type; an empty tuple means all products. If the dialect
    has no products or no session types, the places have an empty name instead.
    """
    return tuple(
        Place(product, session, sender)
        for session, session_products in (sessions or {"": ()}).items()
        for product in session_products or products or ("",)
        for sender in SENDERS
    )


def places(dialect: Dialect, product: str | None = None) -> tuple[Place, ...]:
    """Return every place of a product, or of all products."""
    sessions = {session.name: session.products for session in dialect.session_types}
    candidates = all_places(sessions, dialect.product_names)
    return tuple(place for place in candidates if product in (None, place.product))


def places_of(message: Message, candidates: Iterable[Place]) -> tuple[Place, ...]:
    """Return those of the candidates where the message may be sent."""
    return tuple(
        place
        for place in candidates
        if not message.flows or any(place.within(flow) for flow in message.flows)
    )


def presence_at(member: Member, place: Place) -> str:
    """Return the presence of a member at a place."""
    presence = member.presence
    # The last match wins, so a spec can state the general rule first and its exceptions afterwards.
    for rule in member.rules:
        if place.within(rule.scope):
            presence = rule.presence
    return presence


def presences(member: Member, at_places: Iterable[Place]) -> frozenset[str]:
    """Return every presence that a member has at any of the places."""
    return frozenset(presence_at(member, place) for place in at_places)
