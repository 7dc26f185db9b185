"""Reduce-only orders on margin; dialogues/order_ends.yaml tests the other orders that end immediately."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import ExecInst, ExecType, Side, TimeInForce
from tests.venue.gateway.gateway_harness import GatewayHarness, reports

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL


@pytest.mark.parametrize(
    ("tif", "quantity", "expected"),
    [
        (IOC, 6, ["Trade 4.00", "Canceled REDUCE_ONLY"]),
        (FOK, 4, ["Trade 4.00"]),
        (FOK, 6, ["Canceled REDUCE_ONLY"]),
        (TimeInForce.DAY, 4, ["Rejected INVALID_ORDER"]),
    ],
)
def test_on_margin_a_reduce_only_order_must_be_ioc_or_fok(
    tif: TimeInForce, quantity: int, expected: list[str]
) -> None:
    harness = GatewayHarness("margin")
    ann, bob = harness.login("ann"), harness.login("bob")
    harness.send(bob, harness.order("b0", SELL, 4, "19"))
    harness.send(ann, harness.order("a0", BUY, 4, "19"))
    harness.send(bob, harness.order("b1", BUY, 9, "19"))
    message = harness.order("a1", SELL, quantity, "19", exec_inst=ExecInst.REDUCE_ONLY, time_in_force=tif)
    received = [
        f"{ExecType(r.exec_type).name.title()} {r.last_qty or r.text}"
        for r in reports(harness.send(ann, message), ann)
    ]
    assert received == expected
