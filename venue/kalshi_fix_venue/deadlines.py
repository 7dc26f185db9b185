"""Deadlines that are often replaced or removed before they pass."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

import attrs

MAX_STALE = 1000
"""Stale entries are removed from the heap when it has more entries than twice the number of deadlines plus
this number.
"""
K = TypeVar("K")
"""Keys. They must be comparable, because deadlines at the same time pass in the order of their keys."""
T = TypeVar("T")
"""Times."""


@attrs.define(eq=False)
class Deadlines(Generic[K, T]):
    """Deadlines by key, at most one for each."""

    _by_key: dict[K, T] = attrs.field(factory=dict)
    _heap: list[tuple[T, K]] = attrs.field(factory=list)
    """All deadlines, and stale entries: the earlier deadlines of keys whose deadline was replaced or
    removed. They remain, because only the first entry of a heap can be removed quickly.
    """

    def set(self, key: K, time: T | None) -> None:
        """Set the deadline of a key, in place of an earlier one; None removes it."""
        if time is None:
            self._by_key.pop(key, None)
        elif self._by_key.get(key) != time:
            self._by_key[key] = time
            heapq.heappush(self._heap, (time, key))
            if len(self._heap) > MAX_STALE + 2 * len(self._by_key):
                self._heap = [(each, key) for key, each in self._by_key.items()]
                heapq.heapify(self._heap)

    def first(self) -> T | None:
        """Return the earliest deadline; None if there is none."""
        while self._heap and self._by_key.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: T) -> K | None:
        """Remove the earliest deadline if it has passed, and return its key."""
        time = self.first()
        if time is None or time > now:  # type: ignore[operator]
            return None
        key = heapq.heappop(self._heap)[1]
        del self._by_key[key]
        return key
