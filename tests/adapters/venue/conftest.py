"""What most tests of the venue begin with."""

from __future__ import annotations

import pytest

from tests.adapters.venue.town import Town


@pytest.fixture
def town() -> Town:
    """A venue that nobody is connected to."""
    return Town()
