"""Venue settings that are refused, with the reported problem."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.config import AccountConfig, CustomerConfig
from kalshi_fix_venue.exchange import GroupKind, MarketGroup, margin_market, prediction_market
from kalshi_fix_venue.schedule import InitialOrders, InitialPosition, Schedule
from tests.venue.exchange_harness import MARKET, PERP, d
from tests.venue.venue_harness import accounts, api_key, config

MEMBER = "550e8400-e29b-41d4-a716-446655440000"
OTHER_CUSTOMER = "110e8400-e29b-41d4-a716-446655440000_x"
CRYPTO = "KXBTC-26AUG20"
SHARDED = {
    "prediction": (prediction_market(MARKET), prediction_market(CRYPTO, shard=2)),
    "margin": (margin_market(PERP),),
}
GROUP = MarketGroup(name="CUP", markets=("CUP-A", "CUP-B"))


def customers(*party_ids: str) -> tuple[CustomerConfig, ...]:
    return tuple(CustomerConfig(party_id=item, balance=d(1)) for item in party_ids)


def with_account(**changes: Any) -> dict[str, Any]:
    """Return settings with only this account, and without keys."""
    values: dict[str, Any] = {"owner": "ann", "product": "prediction", "balance": d(1)}
    return {"accounts": (AccountConfig(**(values | changes)),), "api_keys": ()}


def with_allocation(allocation: dict[int, str]) -> dict[str, Any]:
    shares = {shard: d(percent) for shard, percent in allocation.items()}
    return {"markets": SHARDED, "accounts": accounts(ann={"allocation": shares})}


def with_groups(*groups: MarketGroup) -> dict[str, Any]:
    markets = (
        prediction_market("CUP-A"),
        prediction_market("CUP-B"),
        prediction_market("CUP-C", shard=1),
    )
    return {"markets": {"prediction": markets}, "market_groups": groups}


def with_bad_group(*markets: str, kind: GroupKind = GroupKind.MUTUALLY_EXCLUSIVE) -> dict[str, Any]:
    return with_groups(MarketGroup(name="bad", markets=markets, kind=kind))


def with_initial_position(product: str, owner: str, ticker: str) -> dict[str, Any]:
    entry = InitialPosition(product=product, owner=owner, ticker=ticker, quantity=d(5), price=d("0.4"))
    return {"schedule": Schedule(positions=(entry,))}


RESTING_ORDERS = InitialOrders(product="margin", ticker=PERP, middle=d(20), spacing=d(1), levels=1, largest=9)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"markets": {"options": ()}}, "'options' is not a product"),
        ({"accounts": with_account()["accounts"] * 2, "api_keys": ()}, "two accounts"),
        ({"api_keys": (api_key("ann"),) * 2}, "key-ann is defined twice"),
        ({"accounts": ()}, "'ann', who has no prediction account"),
        # Customer accounts
        *(
            (with_account(customers=customers(party_id)), "is not a customer account")
            for party_id in (
                MEMBER,
                f"{MEMBER}_",
                f"{MEMBER}_{'x' * 17}",
                f"{MEMBER}_a-b",
                "ann_1",
                f"{MEMBER}_1\n",
            )
        ),
        (
            {
                "accounts": accounts(
                    **{name: {"customers": customers(OTHER_CUSTOMER)} for name in ("ann", "bob")}
                )
            },
            "is defined twice",
        ),
        (
            {
                "accounts": accounts(bob={"customers": customers(OTHER_CUSTOMER)}),
                "api_keys": (attrs.evolve(api_key("ann"), customers=frozenset({OTHER_CUSTOMER})),),
            },
            "add it to `customers`",
        ),
        # Shards
        (
            {"api_keys": (), "markets": {"margin": (margin_market(PERP), prediction_market("X", shard=1))}},
            r"shard \d",
        ),
        ({"api_keys": (), "markets": {"prediction": (prediction_market("X", shard=-1),)}}, r"shard -\d"),
        (with_account(on_shards={0: {0: d(1)}}), r"shard \d"),
        (with_account(product="margin", on_shards={1: {0: d(1)}}), r"shard \d"),
        (with_allocation({0: "80"}), "must not be negative and must add up to 100"),
        (with_allocation({0: "120", 2: "-20"}), "must not be negative and must add up to 100"),
        (with_allocation({0: "80", 7: "20"}), "names shard 7"),
        # Market groups
        (with_bad_group("CUP-A", "CUP-D"), "market group bad.*names CUP-D"),
        (with_bad_group("CUP-A"), "market group bad.*two or more"),
        (with_bad_group("CUP-A", "CUP-A"), "market group bad.*different markets"),
        (with_bad_group("CUP-A", "CUP-C", kind=GroupKind.DIRECTIONAL), "different shards"),
        (with_groups(GROUP, attrs.evolve(GROUP, name="more")), "in another group"),
        (with_groups(GROUP, GROUP), "defined twice"),
        # The schedule
        (
            with_initial_position("prediction", "ann", MARKET),
            "needs a prediction account of 'liquidity', .*; add AccountConfig",
        ),
        (
            with_initial_position("margin", "ann", PERP),
            "needs a margin account of 'ann', the owner; add AccountConfig",
        ),
        (
            with_initial_position("margin", "perp", "NO"),
            r"InitialPosition\('NO'\) names an unknown margin market; add it to `markets`",
        ),
        ({"schedule": Schedule(orders=(RESTING_ORDERS,))}, "needs a margin account of 'liquidity'"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        config(**settings)
