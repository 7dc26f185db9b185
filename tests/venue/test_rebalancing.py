"""Allocation of free cash to shards by the venue."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import ExecType, ExecutionReport, Side, TimeInForce
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import AccountId
from tests.venue.desk import d, ds
from tests.venue.test_shards import ACCOUNTS, MARKETS, crypto
from tests.venue.town import Town, config, order

BUY = Side.BUY


def divided(**allocation: str) -> dict[str, Any]:
    """Return settings that give Ann 1000 on shard 0 and 50 on shard 2."""
    shares = {int(shard.removeprefix("on_")): d(percent) for shard, percent in allocation.items()}
    accounts = (attrs.evolve(ACCOUNTS[0], allocation=shares), *ACCOUNTS[1:])
    return {"markets": MARKETS, "accounts": accounts}


def balances(town: Town) -> tuple[Decimal, ...]:
    exchange = town.venue.exchange("prediction")
    return tuple(exchange.account(AccountId("ann", 0, shard)).balance for shard in (0, 2))


def test_free_cash_is_divided_every_ten_seconds() -> None:
    town = Town(**divided(on_0="80", on_2="20"))
    ann = town.connect("ann")
    ann.send(order("a1", BUY, 100, "0.50"))
    town.wait(9.9)
    assert balances(town) == ds(1000, 50)
    town.wait(0.1)
    # 950 and 50 are free: the targets are 800 and 200, and 50 more are reserved.
    assert balances(town) == ds(850, 200)
    ann.send(crypto("a2", quantity=100, price="0.55"))
    town.wait(10)
    assert balances(town) == ds(806, 244)
    # A subaccount has its own cash.
    assert town.venue.exchange("prediction").account(AccountId("ann", 3)).balance == 10


def test_a_venue_idle_for_a_day_rebalances_once() -> None:
    town = Town(**divided(on_0="0", on_2="100"))
    town.connect("ann").send(order("a1", BUY, 1, "0.50"))
    town.monotonic, town.utc = town.monotonic + 86_400, town.utc + timedelta(days=1)
    town.venue.handle_timer(town.now)
    assert balances(town) == ds("0.50", "1049.50")


def test_an_order_that_expires_meanwhile_is_reported() -> None:
    town = Town(**divided(on_0="80", on_2="20"))
    ann = town.connect("ann")
    until = town.utc + timedelta(seconds=12)
    gtd = TimeInForce.GOOD_TILL_DATE
    ann.send(order("a1", BUY, 100, "0.50", time_in_force=gtd, expire_time=until))
    ann.take()
    town.monotonic, town.utc = town.monotonic + 60, town.utc + timedelta(seconds=60)
    town.venue.handle_timer(town.now)
    town.run()
    assert ann.take_only(ExecutionReport).exec_type == ExecType.CANCELED


def test_an_indivisible_remainder_stays() -> None:
    town = Town(**divided(on_0="33.333", on_2="66.667"))
    town.connect("ann").send(order("a1", BUY, 1, "0.50"))
    town.wait(30)
    here, there = balances(town)
    assert here + there == 1050
    # A third of the free cash, plus the reserved cash.
    assert here - d("0.5") == d("349.8299")


def test_without_an_allocation_cash_stays_and_no_timer_is_set() -> None:
    town = Town(markets=MARKETS, accounts=ACCOUNTS)
    town.connect("ann").send(order("a1", BUY, 1, "0.50"))
    town.wait(60)
    assert balances(town) == ds(1000, 50)


@pytest.mark.parametrize(
    ("allocation", "problem"),
    [
        ({"on_0": "80"}, "does not add up to 100"),
        ({"on_0": "120", "on_2": "-20"}, "does not add up to 100"),
        ({"on_0": "80", "on_7": "20"}, "names shard 7"),
    ],
    ids=str,
)
def test_invalid_allocations_are_refused(allocation: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        config(**divided(**allocation))
