"""Fixtures shared by the gateway tests."""

from __future__ import annotations

import pytest

from kalshi_fix_venue.gateway.logins import Login
from tests.venue.gateway.gateway_desk import GatewayDesk


@pytest.fixture
def desk() -> GatewayDesk:
    """Return a gateway in front of an exchange with one market, without logins."""
    return GatewayDesk()


@pytest.fixture
def ann(desk: GatewayDesk) -> Login:
    """Return Ann's login on KalshiNR, without pending reports and in dollars."""
    return desk.login("ann")


@pytest.fixture
def bob(desk: GatewayDesk) -> Login:
    """Return Bob's login, with the same settings as Ann's."""
    return desk.login("bob")
