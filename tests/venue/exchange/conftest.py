"""Fixtures shared by the tests of the exchange model."""

from __future__ import annotations

import pytest

from tests.venue.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """Return an exchange with one market, before any command."""
    return Desk()
