"""The fixture that these tests share."""

from __future__ import annotations

import pytest

from tests.adapters.engine.stage import Stage, opened


@pytest.fixture
def stage() -> Stage:
    """A client that is logged on to an in-memory venue."""
    return opened()
