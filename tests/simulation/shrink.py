"""Shrinks a failing schedule: removes faults, reduces the work and resets settings, as long as the schedule
still violates the same rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from tests.simulation.run import Result, run
from tests.simulation.schedule import Fault, Schedule

_NOT_RESET = frozenset({"seed", "session", "heart_bt_int", "calm_from", "orders", "reports", "faults"})
"""Settings that are not reset to their defaults: other passes shrink them, or they must not change."""
BUDGET = 600
"""Maximum number of runs to shrink one failure."""


class Shrinker:
    """Searches for the simplest schedule that still violates the rule."""

    def __init__(self, rule: str, execute: Callable[[Schedule], Result] = run) -> None:
        self._rule = rule
        self._execute = execute
        self._runs_left = BUDGET

    def shrink(self, schedule: Schedule) -> Schedule:
        """Return the simplest failing schedule found."""
        before = None
        while schedule != before and self._runs_left > 0:
            before = schedule
            schedule = self._remove_faults(schedule)
            for candidates_of in _PASSES:
                schedule = self._simplify(schedule, candidates_of)
        return schedule

    def _fails(self, schedule: Schedule) -> bool:
        if self._runs_left <= 0:
            return False
        self._runs_left -= 1
        return self._execute(schedule).rule == self._rule

    def _remove_faults(self, schedule: Schedule) -> Schedule:
        """Remove faults in ever smaller groups (delta debugging)."""
        size = len(schedule.faults)
        while size >= 1:
            at = 0
            while at < len(schedule.faults):
                less = schedule.faults[:at] + schedule.faults[at + size :]
                candidate = attrs.evolve(schedule, faults=less)
                if self._fails(candidate):
                    schedule = candidate
                else:
                    at += size
            size //= 2
        return schedule

    def _simplify(
        self, schedule: Schedule, candidates_of: Callable[[Schedule], Iterator[Schedule]]
    ) -> Schedule:
        """Repeatedly take the first candidate that still fails."""
        found = True
        while found:
            found = False
            for candidate in candidates_of(schedule):
                if candidate != schedule and self._fails(candidate):
                    schedule, found = candidate, True
                    break
        return schedule


def _with_less_work(schedule: Schedule) -> Iterator[Schedule]:
    for name in ("orders", "reports"):
        count = getattr(schedule, name)
        for less in sorted({0, count // 2, count - 1}):
            if 0 <= less < count:
                yield attrs.evolve(schedule, **{name: less})


def _with_earlier_end(schedule: Schedule) -> Iterator[Schedule]:
    last = max((fault.at for fault in schedule.faults), default=0.0)
    for calm_from in (last + 1, last + 10, schedule.calm_from / 2):
        if calm_from < schedule.calm_from - 1:
            yield attrs.evolve(schedule, calm_from=round(calm_from, 1))


def _with_default_settings(schedule: Schedule) -> Iterator[Schedule]:
    for field in attrs.fields(Schedule):
        if field.name not in _NOT_RESET:
            plain: dict[str, Any] = {field.name: field.default}
            yield attrs.evolve(schedule, **plain)


def _with_milder_faults(schedule: Schedule) -> Iterator[Schedule]:
    """Yield schedules in which one fault begins at a rounder time, is shorter, or has a smaller number."""
    for index, fault in enumerate(schedule.faults):
        changes: list[dict[str, Any]] = [
            {"at": float(round(fault.at))},
            {"at": round(fault.at, 1)},
            {"seconds": 0.0},
            {"seconds": float(round(fault.seconds))},
            {"number": 0},
            {"number": fault.number // 2},
            {"number": fault.number - 1},
        ]
        for change in changes:
            milder = attrs.evolve(fault, **change)
            if _is_simpler(milder, fault):
                faults = (*schedule.faults[:index], milder, *schedule.faults[index + 1 :])
                yield attrs.evolve(schedule, faults=faults)


def _is_simpler(one: Fault, other: Fault) -> bool:
    def size(fault: Fault) -> tuple[int, int, int]:
        return abs(fault.number), len(repr(fault.at)) + len(repr(fault.seconds)), int(fault.seconds)

    return size(one) < size(other) and abs(one.at - other.at) < 1


_PASSES = (_with_less_work, _with_earlier_end, _with_default_settings, _with_milder_faults)
