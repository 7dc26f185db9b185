"""The venue fixture and its usual participants."""

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
