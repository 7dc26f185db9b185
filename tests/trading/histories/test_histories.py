"""Every history in this folder leads to the expected states."""

from __future__ import annotations

import pytest

from tests.trading.histories.drop_copy import DropCopyPlayer
from tests.trading.histories.history import load
from tests.trading.histories.orders import OrdersPlayer
from tests.trading.histories.rfq import CreatorPlayer, MakerPlayer

ORDERS = ("orders", "uncertain_orders", "unanswered_orders", "order_bounds")


@pytest.mark.parametrize("lines", [history for name in ORDERS for history in load(name)])
def test_orders(lines: str) -> None:
    OrdersPlayer().play(lines)


@pytest.mark.parametrize("lines", [*load("rfq_maker")])
def test_rfq_maker(lines: str) -> None:
    MakerPlayer().play(lines)


@pytest.mark.parametrize("lines", [*load("rfq_creator")])
def test_rfq_creator(lines: str) -> None:
    CreatorPlayer().play(lines)


@pytest.mark.parametrize("lines", [*load("drop_copy")])
def test_drop_copy(lines: str) -> None:
    DropCopyPlayer().play(lines)
