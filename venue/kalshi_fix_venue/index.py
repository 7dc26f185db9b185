"""Values grouped by a key."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

K = TypeVar("K")
V = TypeVar("V")


@attrs.define(eq=False)
class Index(Generic[K, V]):
    """Sets of values by key, each in the order in which the values were added. An empty set takes no
    memory."""

    _by_key: dict[K, dict[V, None]] = attrs.field(factory=dict)

    def __len__(self) -> int:
        """Return the number of keys with values."""
        return len(self._by_key)

    def __contains__(self, key: K) -> bool:
        """Return whether there are values for a key."""
        return key in self._by_key

    def __getitem__(self, key: K) -> tuple[V, ...]:
        """Return a copy of the values for a key."""
        return tuple(self._by_key.get(key, ()))

    def add(self, key: K, value: V) -> None:
        """Add a value."""
        self._by_key.setdefault(key, {})[value] = None

    def discard(self, key: K, value: V) -> None:
        """Remove a value, if it is there."""
        values = self._by_key.get(key, {})
        values.pop(value, None)
        if not values:
            self._by_key.pop(key, None)
