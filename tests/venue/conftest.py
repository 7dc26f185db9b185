"""Fixtures shared by the venue tests, and the record of their wire traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.venue.seen import Seen, expected, watch
from tests.venue.venue_harness import Client, VenueHarness

FOLDER = Path(__file__).parent
LAST = FOLDER / "test_seen.py"
SEEN = pytest.StashKey[Seen]()


@pytest.fixture
def harness() -> VenueHarness:
    """Return a venue without connections."""
    return VenueHarness()


@pytest.fixture
def ann(harness: VenueHarness) -> Client:
    """Return Ann's client on KalshiNR."""
    return harness.connect("ann")


@pytest.fixture
def bob(harness: VenueHarness) -> Client:
    """Return Bob's client on KalshiNR."""
    return harness.connect("bob")


@pytest.fixture(scope="session")
def seen(pytestconfig: pytest.Config) -> Seen:
    """Return the record of all wire traffic with venues up to now."""
    return pytestconfig.stash.setdefault(SEEN, Seen())


@pytest.fixture(scope="package", autouse=True)
def _watched(seen: Seen) -> Iterator[None]:
    yield from watch(seen)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move the tests of the record to the end, and skip them unless all other venue tests are run too."""
    last = [item for item in items if item.path == LAST]
    if not last:
        return
    items[:] = [item for item in items if item.path != LAST] + last
    paths = {item.path for item in items}
    is_selection = config.option.keyword or config.option.markexpr or any("::" in arg for arg in config.args)
    if is_selection or not paths.issuperset(FOLDER.rglob("test_*.py")):
        for item in last:
            item.add_marker(pytest.mark.skip(reason="needs all tests of the simulated venue in the same run"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report how much of the dialect was on the wire."""
    seen = config.stash.get(SEEN, None)
    if seen is not None:
        known, missing = len(expected()), seen.missing()
        terminalreporter.write_line(
            f"{known - len(missing)} of {known} MsgTypes, code values and Texts were on the wire of the "
            "simulated venue"
        )
        if config.option.verbose > 0:
            terminalreporter.write_line(f"not seen: {', '.join(missing) or 'nothing'}")
