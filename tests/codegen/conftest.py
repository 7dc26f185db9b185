"""What tests of several folders begin with."""

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
    """The dialect of the harbour, to be changed at will."""
    return SpecCopy(tmp_path)
