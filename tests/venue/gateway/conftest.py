"""Fixtures shared by the gateway tests."""

from __future__ import annotations

import pytest

from kalshi_fix_venue.gateway.logins import Login
from tests.venue.gateway.gateway_harness import GatewayHarness


@pytest.fixture
def harness() -> GatewayHarness:
    """Return a gateway without logins, in front of an exchange with one market."""
    return GatewayHarness()


@pytest.fixture
def ann(harness: GatewayHarness) -> Login:
    """Return Ann's login on KalshiNR, with prices in dollars and without pending reports."""
    return harness.login("ann")
