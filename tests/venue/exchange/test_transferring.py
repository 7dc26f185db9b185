"""Cash that its owner moves between shards and subaccounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import AccountId, MoveCash, prediction_market
from kalshi_fix_venue.operations.operator import Transfer
from tests.venue.exchange_harness import BUY, MARKET, START, ExchangeHarness, d, ds
from tests.venue.venue_harness import VenueHarness, accounts

PRIMARY, SUBACCOUNT, OTHER_SHARD = AccountId("ann"), AccountId("ann", 1), AccountId("ann", 0, 1)


@pytest.fixture
def harness() -> ExchangeHarness:
    """Return an exchange on which Ann has 10 dollars on shard 0, of which 6 are reserved for an order."""
    harness = ExchangeHarness(
        balances={"ann": "10", "ann/1": "0", "bob": "10"}, markets=(prediction_market(MARKET),)
    )
    harness.place("ann", "a1", BUY, 10, "0.60")
    return harness


def balances(harness: ExchangeHarness) -> tuple[Decimal, ...]:
    return tuple(harness.exchange.account(each).balance for each in (PRIMARY, SUBACCOUNT))


def test_free_cash_can_be_moved_and_moved_back(harness: ExchangeHarness) -> None:
    assert harness.exchange.apply(MoveCash(PRIMARY, SUBACCOUNT, d("3.9999")), START) == ()
    assert balances(harness) == ds("6.0001", "3.9999")
    harness.exchange.apply(MoveCash(SUBACCOUNT, PRIMARY, d("3.9999")), START)
    assert balances(harness) == ds(10, 0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"amount": d("4.0001")}, "has 4.00 free dollars"),
        ({"amount": d(0)}, "multiple of 0.0001"),
        ({"amount": d(-1)}, "multiple of 0.0001"),
        ({"amount": d("0.00001")}, "multiple of 0.0001"),
        ({"target": AccountId("bob")}, "ann cannot move cash to bob"),
        ({"target": OTHER_SHARD}, "there is no account 0 of ann on shard 1"),
        ({"source": AccountId("cat")}, "there is no account 0 of cat"),
    ],
    ids=str,
)
def test_an_impossible_transfer_changes_nothing(
    harness: ExchangeHarness, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        harness.exchange.apply(attrs.evolve(MoveCash(PRIMARY, SUBACCOUNT, d(1)), **change), START)
    assert balances(harness) == ds(10, 0)


def test_an_operator_funds_a_shard() -> None:
    markets = (prediction_market(MARKET), prediction_market("KXBTC-26AUG20", shard=2))
    harness = VenueHarness(
        markets={"prediction": markets}, accounts=accounts(ann={"on_shards": {2: {0: d(50)}}})
    )
    moved = Transfer(owner="ann", amount=d(100), to_shard=2)
    assert harness.perform(moved)["text"] == (
        "ann: 100 dollars moved; the source has 900 left, the target has 150"
    )
    with pytest.raises(ConfigurationError, match=r"account 0 of ann on shard 2 has 150 free dollars"):
        harness.perform(Transfer(owner="ann", amount=d(151), from_shard=2))
