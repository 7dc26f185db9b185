"""Fixtures shared by the venue tests, and the record of their wire traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.venue.venue_harness import Client, VenueHarness
from tests.venue.wire_coverage import WireCoverage, expected, watch

FOLDER = Path(__file__).parent
COVERAGE_TESTS = FOLDER / "test_wire_coverage.py"
COVERAGE_KEY = pytest.StashKey[WireCoverage]()


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
def wire_coverage(pytestconfig: pytest.Config) -> WireCoverage:
    """Return the parts of the dialect that have been on the wire so far."""
    return pytestconfig.stash.setdefault(COVERAGE_KEY, WireCoverage())


@pytest.fixture(scope="package", autouse=True)
def _record_traffic(wire_coverage: WireCoverage) -> Iterator[None]:
    yield from watch(wire_coverage)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move the coverage tests to the end, and skip them unless all other venue tests are run too."""
    last = [item for item in items if item.path == COVERAGE_TESTS]
    if not last:
        return
    items[:] = [item for item in items if item.path != COVERAGE_TESTS] + last
    paths = {item.path for item in items}
    is_selection = config.option.keyword or config.option.markexpr or any("::" in arg for arg in config.args)
    if is_selection or not paths.issuperset(FOLDER.rglob("test_*.py")):
        for item in last:
            item.add_marker(pytest.mark.skip(reason="needs all tests of the simulated venue in the same run"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report how much of the dialect was on the wire."""
    coverage = config.stash.get(COVERAGE_KEY, None)
    if coverage is not None:
        known, missing = len(expected()), coverage.missing()
        terminalreporter.write_line(
            f"{known - len(missing)} of {known} MsgTypes, code values and Texts were on the wire of the "
            "simulated venue"
        )
        if config.option.verbose > 0:
            terminalreporter.write_line(f"not seen: {', '.join(missing) or 'nothing'}")
