"""A simulated venue that the tests of the clients share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kalshi_fix_venue.testing import Sandbox

ME, OTHER = "me", "other"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox((ME, OTHER)) as running:
        yield running
