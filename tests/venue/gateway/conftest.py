"""Fixtures shared by the gateway tests."""

from __future__ import annotations

import pytest

from kalshi_fix_venue.gateway.logins import Login
from tests.venue.gateway.gateway_harness import GatewayHarness


@pytest.fixture
def harness() -> GatewayHarness:
    """Return a gateway in front of an exchange with one market, without logins."""
    return GatewayHarness()


@pytest.fixture
def ann(harness: GatewayHarness) -> Login:
    """Return Ann's login on KalshiNR, without pending reports and in dollars."""
    return harness.login("ann")
