"""Bounds on order groups: the number of groups of an owner, and the number of fills that the exchange keeps
for a group."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    OrderGroupRequest,
    OrderGroupResponse,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated.limits import ORDER_GROUP_WINDOW, ORDER_GROUPS
from kalshi_fix_venue.exchange.groups import OrderGroups
from tests.venue.venue_harness import Client, VenueHarness, accounts, decode_all, order

IOC = TimeInForce.IMMEDIATE_OR_CANCEL


def create(client: Client, **fields: Any) -> str:
    return client.answer_to(OrderGroupRequest.create(1_000_000, **fields), OrderGroupResponse).order_group_id


def test_the_window_holds_one_entry_for_each_millisecond_with_fills(
    harness: VenueHarness, ann: Client, bob: Client
) -> None:
    ann.send(order("a1", Side.BUY, 1000, "0.40", secondary_cl_ord_id=create(ann)))
    groups: OrderGroups = harness.venue.exchange("prediction")._state.groups
    sold = 0

    def sell(times: int) -> list[Decimal]:
        nonlocal sold
        for _ in range(times):
            sold += 1
            bob.send(order(f"b{sold}", Side.SELL, Decimal("0.01"), "0.40", time_in_force=IOC))
        return [fill.quantity for fill in groups._fills]

    assert sell(50) == [Decimal("0.50")]
    harness.wait(0.001)
    assert sell(1) == [Decimal("0.50"), Decimal("0.01")]
    harness.wait(ORDER_GROUP_WINDOW - 0.001)
    assert sell(1) == [Decimal("0.01"), Decimal("0.01")]


def test_the_groups_of_an_owner_are_bounded() -> None:
    harness = VenueHarness(accounts=accounts(ann={"subaccounts": {2: Decimal(100)}}))
    ann, bob = harness.connect("ann"), harness.connect("bob")
    maxima = {product: harness.venue.exchange(product)._state.groups.maximum for product in ORDER_GROUPS}
    assert maxima == dict(ORDER_GROUPS)
    harness.venue.exchange("prediction")._state.groups.maximum = 3
    first = create(ann)
    create(ann)
    create(ann, alloc_account=2)  # The limit applies to the owner, across all subaccounts.
    ann.send(OrderGroupRequest.create(5))
    refused = decode_all(bytes(ann.wire))[-1]
    assert isinstance(refused, BusinessMessageReject)
    assert (refused.business_reject_reason, refused.text) == (
        BusinessRejectReason.OTHER,
        "TOO_MANY_ORDER_GROUPS",
    )
    create(bob)
    ann.answer_to(OrderGroupRequest.delete(first), OrderGroupResponse)
    create(ann)
