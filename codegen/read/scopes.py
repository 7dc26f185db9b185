"""Where a rule applies: products, session types and senders, and the complement of a scope."""

from __future__ import annotations

import attrs

from codegen import model
from codegen.presence import SENDERS, Place, all_places
from codegen.read.context import Context, optional_text, words
from kalshi_fix_adapters.documents.nodes import Map


@attrs.frozen
class Places:
    """All places where a block can occur, to detect rules that never apply."""

    all: tuple[Place, ...]

    @classmethod
    def from_context(cls, context: Context) -> Places:
        """Return every combination of a product, a session type that offers it, and a sender."""
        return cls(all_places(context.sessions, context.products))

    def within(self, scopes: tuple[model.Scope, ...]) -> Places:
        """Return the places that any of the scopes covers; all if there is no scope, or no valid one."""
        covered = tuple(place for place in self.all if any(place.within(scope) for scope in scopes))
        # A scope that covers no place has already been reported. All places are returned in this case, to
        # prevent further reports.
        return Places(covered) if covered else self

    def scope(self, context: Context, node: Map, label: str) -> model.Scope:
        """Resolve a scope; record undefined names, and a scope that covers no place."""
        products = words(node.get("products"))
        sessions = words(node.get("sessions"))
        defined = [
            context.require(name, context.products, "product", location) for name, location in products
        ]
        defined += [
            context.require(name, context.sessions, "session type", location) for name, location in sessions
        ]
        scope = model.Scope(
            products=tuple(name for name, _ in products),
            sessions=tuple(name for name, _ in sessions),
            sender=optional_text(node, "sender"),
        )
        # A scope with an undefined name has already been reported.
        if all(defined) and not any(place.within(scope) for place in self.all):
            what = f"a scope of {label} covers no place where that element can occur"
            advice = "correct products, sessions or sender, or remove the rule"
            context.mistakes.add(node.location, what, advice)
        return scope

    def outside(self, scope: model.Scope) -> list[model.Scope]:
        """Return scopes that together cover all places outside the given one."""
        products = tuple(
            dict.fromkeys(place.product for place in self.all if place.product not in ("", *scope.products))
        )
        sessions = tuple(
            dict.fromkeys(place.session for place in self.all if place.session not in ("", *scope.sessions))
        )
        scopes = []
        if scope.products and products:
            scopes.append(model.Scope(products=products))
        if scope.sessions and sessions:
            scopes.append(model.Scope(sessions=sessions))
        if scope.sender is not None:
            (other,) = (sender for sender in SENDERS if sender != scope.sender)
            if any(place.sender == other for place in self.all):
                scopes.append(model.Scope(sender=other))
        return scopes
