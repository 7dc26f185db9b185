"""The fixture with which most of these tests begin."""

from __future__ import annotations

import pytest

from tests.adapters.engine.stage import Stage, opened


@pytest.fixture
def stage() -> Stage:
    """A client that is logged on to a venue in memory."""
    return opened()
