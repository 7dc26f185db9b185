"""The venue fixture and its usual participants."""

from __future__ import annotations

import pytest

from tests.venue.rfq.rfq_town import RfqTown
from tests.venue.town import Client


@pytest.fixture
def town() -> RfqTown:
    return RfqTown()


@pytest.fixture
def ann(town: RfqTown) -> Client:
    """Return a creator's client."""
    return town.creator()


@pytest.fixture
def bob(town: RfqTown) -> Client:
    """Return a maker's client."""
    return town.maker()


@pytest.fixture
def cat(town: RfqTown) -> Client:
    """Return another maker's client."""
    return town.maker("cat")
