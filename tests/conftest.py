"""Settings that all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.postgres import Server

# This must precede the import of the module by the kill and failover tests.
pytest.register_assert_rewrite("tests.kill.reconcile")

# Deterministic by default, so a failure can be repeated; `HYPOTHESIS_PROFILE=explore` generates new inputs.
settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell starts background processes with SIGINT ignored, but the tests of interrupts need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A Postgres server; the test is skipped if none is installed."""
    with Server() as running:
        yield running


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Distribute whole files; the venue's files run in one process because they share a record of the
    wire."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/venue" if nodeid.startswith("tests/venue/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Return the scheduler for `pytest -n`."""
    return FileScheduling(config, log)
