"""The printed reports: totals of many runs, and the details of a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs

from tests.simulation.run import Result
from tests.simulation.schedule import Kind, Schedule


@attrs.define
class Totals:
    """Sums over runs."""

    runs: int = 0
    messages: int = 0
    restarts: int = 0
    duplicates: int = 0
    virtual_seconds: float = 0.0
    faults: Counter[str] = attrs.field(factory=Counter)
    endings: Counter[str] = attrs.field(factory=Counter)
    event_counts: Counter[str] = attrs.field(factory=Counter)
    with_sqlite: int = 0
    with_standby: int = 0
    takeovers: int = 0
    failures: list[Result] = attrs.field(factory=list)

    def add(self, result: Result) -> None:
        self.runs += 1
        self.messages += result.messages
        self.restarts += result.restarts
        self.duplicates += result.duplicates
        self.virtual_seconds += result.virtual_seconds
        self.with_sqlite += result.schedule.sqlite
        self.with_standby += result.schedule.standby
        self.takeovers += result.takeovers
        self.faults.update(result.faults)
        self.endings.update(result.endings)
        self.event_counts.update(result.event_counts)
        if result.rule:
            self.failures.append(result)

    def progress(self, seconds: float) -> str:
        """Return one line of progress."""
        return (
            f"{self.runs} seeds, {self.runs / max(seconds, 1e-9):.0f} a second; {self.messages} messages, "
            f"{sum(self.faults.values())} faults, {self.restarts} restarts, {len(self.failures)} violations"
        )

    def summary(self, seconds: float) -> str:
        """Return the whole report."""
        never = sorted({kind.value for kind in Kind} - set(self.faults))
        lines = [
            f"{self.runs} seeds in {seconds:.0f} s, {self.runs / max(seconds, 1e-9):.1f} a second",
            f"{self.virtual_seconds / 3600:.0f} hours of virtual time",
            f"{self.with_sqlite} seeds with the SQLite store, {self.with_standby} with a standby",
            f"{self.messages} messages, of which {self.duplicates} were taken twice and marked as duplicates",
            f"{self.restarts} restarts of a process, {self.takeovers} takeovers from a live process",
            f"{sum(self.faults.values())} faults: {_listed(self.faults)}",
            *([f"no fault of these kinds: {', '.join(never)}"] if never else []),
            f"sessions ended: {_listed(self.endings)}",
            f"events taken by users: {_listed(self.event_counts)}",
            f"{len(self.failures)} violations" + (f": {_listed(self._rules())}" if self.failures else ""),
        ]
        return "\n".join(lines)

    def _rules(self) -> Counter[str]:
        return Counter(failure.rule for failure in self.failures)


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"


def failure(seed: int, shrunk: Schedule, result: Result, log: Iterable[str]) -> str:
    """Return all the information needed to understand a failure and to turn it into a test."""
    return "\n".join(
        [
            f"violation of {result.rule!r} with seed {seed}: {result.text}",
            "the shortest schedule found; add it to tests/simulation/regressions.py:",
            repr(shrunk),
            "the wire, as written by both sides (time, side, connection), without signatures:",
            *log,
            f"{result.rule}: {result.text}",
        ]
    )
