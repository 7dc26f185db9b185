"""Faults in a user's test: the calls do not raise, and clients continue."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_sansio import ExecType
from kalshi_fix_venue.operations.faults import FAULTS
from kalshi_fix_venue.testing import Venue
from tests.adapters.conformance.loops import TIMEOUT, Loop
from tests.adapters.conformance.support import order, wait_for_acknowledgement

IMMEDIATE_RECONNECT = ReconnectPolicy(initial=1e-6, cap=1e-3, maintenance=None)
PARAMETERS: dict[str, dict[str, Any]] = {
    "delay": {"by": 0.001},
    "late-heartbeats": {"by": 0.001},
    "reject": {"text": "INTERNAL_ERROR"},
    "refuse-logon": {"text": "not today"},
}


@pytest.mark.parametrize("at", ["now", "frame", "request", "reply"])
async def test_a_disconnect_does_not_raise(loop: Loop, venue: Venue, at: str) -> None:
    options: dict[str, Any] = {**venue.options(session="KalshiRT"), "reconnect": IMMEDIATE_RECONNECT}
    async with loop.client("KalshiRT", **options) as client:
        mine = order()
        await client.send(mine)
        await wait_for_acknowledgement(client, mine.cl_ord_id)
        venue.do("cut", at=at, owner="me")
        # The counterparty's order triggers the disconnect that waits for a report.
        venue.trader().fill(mine.cl_ord_id)
        assert venue.positions("other") != {}
        venue.do("release")
        # The fill is received on this connection or, resent, on the next one.
        reports = []
        async for event in client.events(TIMEOUT):
            message = getattr(event, "message", None)
            if getattr(message, "exec_type", None) == ExecType.TRADE:
                reports.append(message)
                break
        assert len(reports) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_injected_by_name_without_raising(venue: Venue, name: str) -> None:
    from kalshi_fix_adapters.blocking import order_entry

    options: dict[str, Any] = {**venue.options(), "reconnect": None}
    with order_entry(**options) as client:
        client.send(order())
        answer = venue.do(name, **PARAMETERS.get(name, {}))
        assert answer["text"]
        resting = venue.trader("me").buy(order().symbol, 1, "0.02")
        venue.trader().fill(resting.cl_ord_id)
        venue.do("release")
    assert venue.positions("other") != {}
