"""Fixtures shared by the tests of the exchange model."""

from __future__ import annotations

import pytest

from tests.venue.exchange_harness import ExchangeHarness


@pytest.fixture
def harness() -> ExchangeHarness:
    """Return an exchange with one market, before any command."""
    return ExchangeHarness()
