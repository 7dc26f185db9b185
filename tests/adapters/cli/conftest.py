"""A simulated venue for each test file, and the environment variables with which the command finds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.order_logs import ORDERS
from tests.adapters.cli.venue_environ import write_environ


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(("you", "them")) as running:
        yield running


@pytest.fixture
def environ(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return write_environ(sandbox, "you", tmp_path / "venue")


@pytest.fixture
def workdir(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a folder that contains a log, with the variables that `env.sh` sets."""
    monkeypatch.chdir(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    Path("orders.log").write_bytes(ORDERS)


@pytest.fixture(autouse=True)
def _no_follow_up_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the command's wait for further reports: the simulated venue sends all reports of an answer at
    once."""
    monkeypatch.setattr("kalshi_fix_adapters.cli.sessions.outcome.FOLLOW_UP_SECONDS", 0.0)
