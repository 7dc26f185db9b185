"""Counts the scenarios of a test run, per role and per kind of run."""

from __future__ import annotations

import re
from collections import Counter

import pytest

_SCENARIO = re.compile(
    r"scenarios/test_scenarios\.py::test_scenarios_pass_(in_virtual_time|over_sockets)\[(initiator|acceptor)-"
)
_KINDS = {"in_virtual_time": "in virtual time", "over_sockets": "over sockets"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add a summary line for each role with the numbers of scenarios that passed and failed."""
    passed: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for outcome, counter in (("passed", passed), ("failed", failed), ("error", failed)):
        for report in terminalreporter.getreports(outcome):
            found = _SCENARIO.search(report.nodeid)
            if found:
                counter[found[2], found[1]] += 1
    if not passed and not failed:
        return
    for role in ("initiator", "acceptor"):
        parts = []
        for name, words in _KINDS.items():
            failures = f" ({failed[role, name]} failed)" if failed[role, name] else ""
            parts.append(f"{passed[role, name]} {words}{failures}")
        terminalreporter.write_line(f"session scenarios with our side as {role}: {', '.join(parts)}")
