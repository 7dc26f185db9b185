"""What tests of several folders read and none changes."""

from __future__ import annotations

import pytest

from codegen.model import Dialect
from codegen.read.resolve import load_dialect
from tests.codegen.harbour_spec import REPOSITORY


@pytest.fixture(scope="session")
def kalshi() -> Dialect:
    """The dialect of this repository."""
    return load_dialect(REPOSITORY / "spec" / "kalshi")
