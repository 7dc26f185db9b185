"""A report at the end of the run: how often clients were killed, and the counts of the reconciliation."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add the lines that the tests have recorded."""
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == "kills" and report.when == "call":
                terminalreporter.write_line(f"SIGKILL, {line}")
