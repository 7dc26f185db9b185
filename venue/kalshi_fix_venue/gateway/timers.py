"""Timers of a gateway: times with their actions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count

import attrs

from kalshi_fix_venue.deadlines import Deadlines
from kalshi_fix_venue.gateway.logins import Result

Action = Callable[[datetime], Result]
"""A timer's action; its argument is the time at which it actually runs."""


@attrs.define(eq=False)
class Timers:
    """All timers of one product. Timers with the same time run in the order in which they were set."""

    _actions: dict[int, Action] = attrs.field(factory=dict)
    """The actions that have neither run nor been cancelled, by the number of their timer."""
    _deadlines: Deadlines[int, datetime] = attrs.field(factory=Deadlines)
    _numbers: count[int] = attrs.field(factory=count)

    def schedule(self, when: datetime, action: Action) -> int:
        """Schedule an action; if its time has passed, the next call to `pop_due` returns it. Return the
        number of the timer."""
        number = next(self._numbers)
        self._actions[number] = action
        self._deadlines.set(number, when)
        return number

    def cancel(self, timer: int | None) -> None:
        """Cancel a timer. Does nothing for None, or if the timer has already run or been cancelled."""
        if timer is not None and self._actions.pop(timer, None) is not None:
            self._deadlines.set(timer, None)

    def next_deadline(self) -> datetime | None:
        """Return the time of the next action."""
        return self._deadlines.first()

    def pop_due(self, now: datetime) -> Action | None:
        """Remove and return the next due action, or return None."""
        number = self._deadlines.pop(now)
        return None if number is None else self._actions.pop(number)
