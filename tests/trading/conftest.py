"""Fixtures shared by the tests of order books and orders."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.trading import OrderBooks, Orders


@pytest.fixture
def books() -> OrderBooks:
    """Return empty books."""
    return OrderBooks()


@pytest.fixture
def orders() -> Orders:
    """Return an empty `Orders`."""
    return Orders()
