"""The client fixture of these tests."""

from __future__ import annotations

import pytest

from tests.adapters.engine.stage import Stage, opened


@pytest.fixture
def stage() -> Stage:
    """A client that is logged on to a venue in memory."""
    return opened()
