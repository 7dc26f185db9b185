"""What most tests of the order books begin with."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.trading import OrderBooks


@pytest.fixture
def books() -> OrderBooks:
    """Books of nothing yet."""
    return OrderBooks()
