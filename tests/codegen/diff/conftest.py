"""Fixtures for the tests of `diff`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.diff.pier_dialect import Scratch


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A copy of the dialect, with pages and a dictionary that agree with it."""
    return Scratch(tmp_path)
