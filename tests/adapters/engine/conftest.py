"""The fixture that these tests share."""

from __future__ import annotations

import pytest

from tests.adapters.engine.stage import Stage, open_stage


@pytest.fixture
def stage() -> Stage:
    """A client that is logged on to an in-memory venue."""
    return open_stage()
