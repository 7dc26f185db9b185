"""The client loops of the conformance suite, and a venue that is reset after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kalshi_fix_venue.testing import Venue
from tests.adapters.conformance.conftest import _no_logged_errors
from tests.adapters.conformance.loops import LOOPS, Loop
from tests.adapters.conftest import pytest_pyfunc_call

__all__ = ["_no_logged_errors", "pytest_pyfunc_call"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Venue]:
    with Venue() as running:
        yield running


@pytest.fixture
def venue(shared: Venue) -> Iterator[Venue]:
    yield shared
    shared.reset()


@pytest.fixture(
    params=[item for item in LOOPS if not item.name.startswith("anyio")], ids=lambda loop: loop.name
)
def loop(request: pytest.FixtureRequest) -> Loop:
    """Return a loop with one of the library's clients, or with the example client and its own transport."""
    found: Loop = request.param
    return found
