"""What most tests of the gateway begin with."""

from __future__ import annotations

import pytest

from kalshi_fix_venue.gateway.logins import Login
from tests.venue.gateway.gateway_desk import GatewayDesk


@pytest.fixture
def desk() -> GatewayDesk:
    """A gateway in front of an exchange with one market, where nobody is logged on."""
    return GatewayDesk()


@pytest.fixture
def ann(desk: GatewayDesk) -> Login:
    """Ann on KalshiNR, without pending reports and in dollars."""
    return desk.login("ann")


@pytest.fixture
def bob(desk: GatewayDesk) -> Login:
    """Bob, like Ann."""
    return desk.login("bob")
