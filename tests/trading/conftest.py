"""Fixtures shared by the tests of order books and orders."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.trading import Order, OrderBooks, Orders
from tests.trading.order_flow import feed, only, place, report


@pytest.fixture
def books() -> OrderBooks:
    """Return empty books."""
    return OrderBooks()


@pytest.fixture
def orders() -> Orders:
    """Return an empty `Orders`."""
    return Orders()


@pytest.fixture
def order(orders: Orders) -> Order:
    """Return an open order of `orders`, with ClOrdID a, OrderID o1 and one report."""
    feed(orders, place(), report("new", "1;1"))
    return only(orders)
