"""Fixtures for the tests of several folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.model import Dialect
from codegen.read.resolve import load_dialect
from tests.codegen.harbour_spec import REPOSITORY, SpecCopy


@pytest.fixture(scope="session")
def kalshi() -> Dialect:
    """The dialect of this repository."""
    return load_dialect(REPOSITORY / "spec" / "kalshi")


@pytest.fixture
def copy(tmp_path: Path) -> SpecCopy:
    """A copy of the harbour dialect that a test may edit."""
    return SpecCopy(tmp_path)
