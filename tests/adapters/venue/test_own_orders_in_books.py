"""ClOrdID (11) and AllocAccount (79) on the levels that a subscriber's own order changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_sansio import (
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MDEntryType,
    Side,
    TimeInForce,
)
from tests.adapters.venue.desk import MARKET, PERP
from tests.adapters.venue.town import Client, Town, accounts, amend, cancel, order

BUY, SELL = Side.BUY, Side.SELL
ACCOUNTS = accounts(ann={"subaccounts": {3: Decimal(100)}})


class Watched:
    """Ann and Bob trade, and Ann has a second key that watches the book."""

    def __init__(self, **assumptions: Any) -> None:
        self.town = Town(accounts=ACCOUNTS, assumptions=Assumptions(**assumptions))
        self.ann, self.bob = self.town.connect("ann"), self.town.connect("bob")
        self.mine, self.other = self.watch("ann-md"), self.watch("bob-md")

    def watch(self, name: str) -> Client:
        client = self.town.connect(name, "KalshiMD")
        client.send(MarketDataRequest.subscribe(MARKET))
        client.take()
        return client

    def book(self, client: Client) -> list[tuple[Any, ...]]:
        """What the last updates said of levels: price, size, and whose order it was."""
        return [
            (str(entry.md_entry_px), str(entry.md_entry_size), entry.cl_ord_id, entry.alloc_account)
            for message in client.take()
            if isinstance(message, MarketDataIncrementalRefresh)
            for entry in message.md_entries
            if entry.md_entry_type != MDEntryType.TRADE
        ]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_level_names_the_order_that_came_to_it_to_its_owner_alone(watched: Watched) -> None:
    watched.ann.send(order("a1", BUY, 5, "0.40"))
    assert watched.book(watched.mine) == [("0.4000", "5.00", "a1", 0)]
    assert watched.book(watched.other) == [("0.4000", "5.00", None, None)]
    watched.bob.send(order("b1", BUY, 5, "0.40"))
    assert watched.book(watched.mine) == [("0.4000", "10.00", None, None)]
    assert watched.book(watched.other) == [("0.4000", "10.00", "b1", 0)]


def test_the_subaccount_is_named(watched: Watched) -> None:
    watched.ann.send(order("a1", BUY, 5, "0.40", alloc_account=3))
    assert watched.book(watched.mine) == [("0.4000", "5.00", "a1", 3)]


def test_a_cancelled_order_is_named_as_it_was_placed(watched: Watched) -> None:
    watched.ann.send(order("a1", BUY, 5, "0.40"))
    watched.book(watched.mine)
    watched.ann.send(cancel("a2", "a1"))
    assert watched.book(watched.mine) == [("0.4000", "0.00", "a1", 0)]


@pytest.mark.parametrize(
    ("quantity", "price", "told"),
    [
        (3, "0.40", [("0.4000", "3.00", "a2", 0)]),
        (9, "0.40", [("0.4000", "9.00", "a2", 0)]),
        (5, "0.41", [("0.4000", "0.00", "a2", 0), ("0.4100", "5.00", "a2", 0)]),
    ],
)
def test_an_amended_order_is_named_as_it_is_now(
    watched: Watched, quantity: int, price: str, told: list[Any]
) -> None:
    watched.ann.send(order("a1", BUY, 5, "0.40"))
    watched.book(watched.mine)
    watched.ann.send(amend("a2", "a1", quantity, price=price))
    assert watched.book(watched.mine) == told


def test_both_sides_of_a_trade_see_their_order(watched: Watched) -> None:
    watched.ann.send(order("a1", SELL, 5, "0.40"))
    watched.book(watched.mine), watched.book(watched.other)
    watched.bob.send(order("b1", BUY, 7, "0.41"))
    assert watched.book(watched.mine) == [("0.4000", "0.00", "a1", 0), ("0.4100", "2.00", None, None)]
    assert watched.book(watched.other) == [("0.4000", "0.00", "b1", 0), ("0.4100", "2.00", "b1", 0)]


def test_only_the_order_that_rested_may_be_named() -> None:
    watched = Watched(takers_cause_level_changes=False)
    watched.ann.send(order("a1", SELL, 5, "0.40"))
    watched.book(watched.mine), watched.book(watched.other)
    watched.bob.send(order("b1", BUY, 3, "0.41"))
    assert watched.book(watched.mine) == [("0.4000", "2.00", "a1", 0)]
    assert watched.book(watched.other) == [("0.4000", "2.00", None, None)]


def test_trades_name_no_order(watched: Watched) -> None:
    watched.ann.send(order("a1", SELL, 5, "0.40"))
    watched.mine.take()
    watched.bob.send(order("b1", BUY, 5, "0.40", time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL))
    update = watched.mine.take_only(MarketDataIncrementalRefresh)
    (trade,) = (each for each in update.md_entries if each.md_entry_type == MDEntryType.TRADE)
    assert (trade.cl_ord_id, trade.alloc_account, trade.trd_type) == (None, None, None)
    (report, *_) = watched.ann.take()[-1:]
    assert trade.trade_id == report.trd_match_id  # type: ignore[attr-defined]


def test_the_last_of_an_owners_orders_is_named(watched: Watched) -> None:
    watched.ann.send(order("a1", SELL, 5, "0.40"))
    watched.ann.send(order("a2", SELL, 5, "0.40"))
    watched.book(watched.mine)
    watched.bob.send(order("b1", BUY, 7, "0.40"))
    assert watched.book(watched.mine) == [("0.4000", "3.00", "a2", 0)]


def test_on_margin_too(town: Town) -> None:
    watcher, trader = (
        town.connect("perp-md", "KalshiMD", product="margin"),
        town.connect("perp", product="margin"),
    )
    watcher.send(MarketDataRequest.subscribe(PERP))
    watcher.take()
    trader.send(order("p1", BUY, 1, "19.5000", symbol=PERP))
    (entry,) = watcher.take_only(MarketDataIncrementalRefresh).md_entries
    assert (entry.cl_ord_id, entry.alloc_account) == ("p1", 0)
