"""What a gateway means to do later: a heap of times, each with its action."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

import attrs

from kalshi_fix_adapters.venue.gateway.logins import Result

Action = Callable[[datetime], Result]
"""What is done at its time; it is told the time at which it is really done."""
MOST_CANCELED = 1000
"""Cancelled timers that are kept for a while, beside as many as there are others."""


@attrs.define(eq=False)
class Timer:
    """One action at one time."""

    when: datetime
    action: Action | None
    """None when it was cancelled or is done."""

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its time."""
        return self.action is not None


@attrs.define(eq=False)
class Timers:
    """All timers of one product. Those of the same time go in the order in which they were set."""

    _heap: list[tuple[datetime, int, Timer]] = attrs.field(factory=list)
    _numbers: count[int] = attrs.field(factory=count)
    _canceled: int = 0

    def at(self, when: datetime, action: Action) -> Timer:
        """Let an action be done at a time; one that has passed is done with the next look at the clock."""
        timer = Timer(when, action)
        heapq.heappush(self._heap, (when, next(self._numbers), timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Let an action not be done. No timer, and one that is done or cancelled already, are left alone."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._canceled += 1
        # Thrown out before they outweigh the rest: a client can make any number of them.
        if self._canceled > MOST_CANCELED + len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].is_open]
            heapq.heapify(self._heap)
            self._canceled = 0

    def next_deadline(self) -> datetime | None:
        """Return when the next action is due."""
        while self._heap and not self._heap[0][2].is_open:
            heapq.heappop(self._heap)
            self._canceled -= 1
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: datetime) -> Action | None:
        """Return the next action whose time has come, or None, and take it out."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        timer = heapq.heappop(self._heap)[2]
        action, timer.action = timer.action, None
        return action
