"""Allocation of free cash to shards by the venue."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import ExecType, ExecutionReport, Side, TimeInForce
from kalshi_fix_sansio._generated.limits import REBALANCING_INTERVAL
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import AccountId
from tests.venue.exchange_harness import d, ds
from tests.venue.test_shards import ACCOUNTS, MARKETS, crypto
from tests.venue.venue_harness import VenueHarness, config, order

BUY = Side.BUY


def divided(**allocation: str) -> dict[str, Any]:
    """Return settings that give Ann 1000 on shard 0 and 50 on shard 2."""
    shares = {int(shard.removeprefix("on_")): d(percent) for shard, percent in allocation.items()}
    accounts = (attrs.evolve(ACCOUNTS[0], allocation=shares), *ACCOUNTS[1:])
    return {"markets": MARKETS, "accounts": accounts}


def balances(harness: VenueHarness) -> tuple[Decimal, ...]:
    exchange = harness.venue.exchange("prediction")
    return tuple(exchange.account(AccountId("ann", 0, shard)).balance for shard in (0, 2))


def test_free_cash_is_divided_at_each_interval() -> None:
    harness = VenueHarness(**divided(on_0="80", on_2="20"))
    ann = harness.connect("ann")
    ann.send(order("a1", BUY, 100, "0.50"))
    harness.wait(REBALANCING_INTERVAL - 0.1)
    assert balances(harness) == ds(1000, 50)
    harness.wait(0.1)
    # 950 and 50 are free: the targets are 800 and 200, and 50 more are reserved.
    assert balances(harness) == ds(850, 200)
    ann.send(crypto("a2", quantity=100, price="0.55"))
    harness.wait(REBALANCING_INTERVAL)
    assert balances(harness) == ds(806, 244)
    # A subaccount has its own cash.
    assert harness.venue.exchange("prediction").account(AccountId("ann", 3)).balance == 10


def test_a_venue_idle_for_a_day_rebalances_once() -> None:
    harness = VenueHarness(**divided(on_0="0", on_2="100"))
    harness.connect("ann").send(order("a1", BUY, 1, "0.50"))
    harness.monotonic, harness.utc = harness.monotonic + 86_400, harness.utc + timedelta(days=1)
    harness.venue.handle_timer(harness.now)
    assert balances(harness) == ds("0.50", "1049.50")


def test_an_order_that_expires_meanwhile_is_reported() -> None:
    harness = VenueHarness(**divided(on_0="80", on_2="20"))
    ann = harness.connect("ann")
    until = harness.utc + timedelta(seconds=12)
    gtd = TimeInForce.GOOD_TILL_DATE
    ann.send(order("a1", BUY, 100, "0.50", time_in_force=gtd, expire_time=until))
    ann.take()
    harness.monotonic, harness.utc = harness.monotonic + 60, harness.utc + timedelta(seconds=60)
    harness.venue.handle_timer(harness.now)
    harness.run()
    assert ann.take_only(ExecutionReport).exec_type == ExecType.CANCELED


def test_an_indivisible_remainder_stays() -> None:
    harness = VenueHarness(**divided(on_0="33.333", on_2="66.667"))
    harness.connect("ann").send(order("a1", BUY, 1, "0.50"))
    harness.wait(30)
    here, there = balances(harness)
    assert here + there == 1050
    # A third of the free cash, plus the reserved cash.
    assert here - d("0.5") == d("349.8299")


def test_without_an_allocation_cash_stays_and_no_timer_is_set() -> None:
    harness = VenueHarness(markets=MARKETS, accounts=ACCOUNTS)
    harness.connect("ann").send(order("a1", BUY, 1, "0.50"))
    harness.wait(60)
    assert balances(harness) == ds(1000, 50)


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
