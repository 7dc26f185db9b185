"""Timers of a gateway: a heap of times with their actions."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

import attrs

from kalshi_fix_venue.gateway.logins import Result

Action = Callable[[datetime], Result]
"""A timer's action; its argument is the time at which it actually runs."""
MAX_CANCELED = 1000
"""Cancelled timers are removed from the heap when there are more of them than half of its entries plus this
number."""


@attrs.define(eq=False)
class Timer:
    """An action with its time."""

    when: datetime
    action: Action | None
    """None once it has run or been cancelled."""

    @property
    def is_open(self) -> bool:
        """Whether it has neither run nor been cancelled."""
        return self.action is not None


@attrs.define(eq=False)
class Timers:
    """All timers of one product. Timers with the same time run in the order in which they were set."""

    _heap: list[tuple[datetime, int, Timer]] = attrs.field(factory=list)
    _numbers: count[int] = attrs.field(factory=count)
    _canceled: int = 0

    def at(self, when: datetime, action: Action) -> Timer:
        """Schedule an action; if its time has passed, the next call to `pop_due` returns it."""
        timer = Timer(when, action)
        heapq.heappush(self._heap, (when, next(self._numbers), timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Cancel a timer. Does nothing for None, or if the timer has already run or been cancelled."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._canceled += 1
        # Removed once there are too many, because a client can create any number.
        if self._canceled > MAX_CANCELED + len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].is_open]
            heapq.heapify(self._heap)
            self._canceled = 0

    def next_deadline(self) -> datetime | None:
        """Return the time of the next action."""
        while self._heap and not self._heap[0][2].is_open:
            heapq.heappop(self._heap)
            self._canceled -= 1
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: datetime) -> Action | None:
        """Remove and return the next due action, or return None."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        timer = heapq.heappop(self._heap)[2]
        action, timer.action = timer.action, None
        return action
