"""Where a rule applies: products, session types and senders, and what lies outside of a scope."""

from __future__ import annotations

import attrs

from codegen import model
from codegen.presence import SENDERS, Place, everywhere
from codegen.read.context import Context, optional_text, words
from kalshi_fix_adapters.documents.nodes import Map


@attrs.frozen
class Places:
    """The places where a block can occur at all, so that a rule for no place is noticed."""

    all: tuple[Place, ...]

    @classmethod
    def everywhere(cls, context: Context) -> Places:
        """Every product on every session type that it has, from both senders."""
        return cls(everywhere(context.sessions, context.products))

    def within(self, scopes: tuple[model.Scope, ...]) -> Places:
        """The places that any of the scopes covers; all if there is no scope, or none that makes sense."""
        covered = tuple(place for place in self.all if any(place.within(scope) for scope in scopes))
        # A scope without any place has been noted already: from all places no more mistakes follow.
        return Places(covered) if covered else self

    def scope(self, context: Context, node: Map, label: str) -> model.Scope:
        """Resolve a scope; note names that are not defined, and a scope that covers no place."""
        products = words(node.get("products"))
        sessions = words(node.get("sessions"))
        known = [context.require(name, context.products, "product", where) for name, where in products]
        known += [context.require(name, context.sessions, "session type", where) for name, where in sessions]
        scope = model.Scope(
            products=tuple(name for name, _ in products),
            sessions=tuple(name for name, _ in sessions),
            sender=optional_text(node, "sender"),
        )
        # Of a name that does not exist it would only be said twice.
        if all(known) and not any(place.within(scope) for place in self.all):
            what = f"a scope of {label} covers no place where it can occur"
            context.mistakes.add(
                node.location, what, "correct products, sessions or sender, or remove the rule"
            )
        return scope

    def outside(self, scope: model.Scope) -> list[model.Scope]:
        """Scopes that together cover every place that the given one does not."""
        products = tuple(
            dict.fromkeys(place.product for place in self.all if place.product not in ("", *scope.products))
        )
        sessions = tuple(
            dict.fromkeys(place.session for place in self.all if place.session not in ("", *scope.sessions))
        )
        found = []
        if scope.products and products:
            found.append(model.Scope(products=products))
        if scope.sessions and sessions:
            found.append(model.Scope(sessions=sessions))
        if scope.sender is not None:
            (other,) = (sender for sender in SENDERS if sender != scope.sender)
            if any(place.sender == other for place in self.all):
                found.append(model.Scope(sender=other))
        return found
