"""Fixtures of the RFQ tests: a harness with a venue, and the clients of a creator and a maker."""

from __future__ import annotations

import pytest

from tests.venue.rfq.rfq_harness import RfqHarness
from tests.venue.venue_harness import Client


@pytest.fixture
def harness() -> RfqHarness:
    return RfqHarness()


@pytest.fixture
def ann(harness: RfqHarness) -> Client:
    """Return a creator's client."""
    return harness.creator()


@pytest.fixture
def bob(harness: RfqHarness) -> Client:
    """Return a maker's client."""
    return harness.maker()
