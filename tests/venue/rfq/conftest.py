"""The town and its usual people."""

from __future__ import annotations

import pytest

from tests.venue.rfq.rfq_town import RfqTown
from tests.venue.town import Client


@pytest.fixture
def town() -> RfqTown:
    return RfqTown()


@pytest.fixture
def ann(town: RfqTown) -> Client:
    """A creator."""
    return town.creator()


@pytest.fixture
def bob(town: RfqTown) -> Client:
    """A maker."""
    return town.maker()


@pytest.fixture
def cat(town: RfqTown) -> Client:
    """Another maker."""
    return town.maker("cat")
