"""What most tests of the order books and of the orders begin with."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.trading import OrderBooks, Orders


@pytest.fixture
def books() -> OrderBooks:
    """Books of nothing yet."""
    return OrderBooks()


@pytest.fixture
def orders() -> Orders:
    """None yet."""
    return Orders()
