"""What most tests of the exchange model begin with."""

from __future__ import annotations

import pytest

from tests.venue.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """An exchange with one market, where nothing has happened."""
    return Desk()
