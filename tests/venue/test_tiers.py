"""Budgets of the tiers, as the page on rate limits and the changelog list them, by requests on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    MarketDataRequest,
    OrderGroupRequest,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.rate_limits import TIERS, RateLimits
from tests.venue.town import Client, Town, accounts, decode_all

# Tokens a second for reading and for writing on prediction; from Premier up a fifth more than the page says,
# since September 2026.
BUDGETS = {
    "Basic": (200, 100),
    "Advanced": (300, 300),
    "Expert": (600, 600),
    "Premier": (1200, 1200),
    "Paragon": (2400, 2400),
    "Prime": (4800, 4800),
    "Prestige": (12000, 9600),
}
COST = 10
"""Tokens of a request of either kind."""


def write() -> Message:
    return OrderGroupRequest.delete("00000000-0000-4000-8000-000000000000")


def read() -> Message:
    return MarketDataRequest.unsubscribe("NO-SUCH")


def taken(client: Client, message: Callable[[], Message], count: int) -> int:
    """How many of so many requests in one piece are within the limits; the others are refused by 380=8."""
    town = client.town
    for _ in range(count):
        client.session.send(message(), town.now)
    town.venue.receive_data(client.conn, client.session.data_to_send(), town.now)
    reasons = [
        answer.business_reject_reason
        for answer in decode_all(town.venue.data_to_send(client.conn))
        if isinstance(answer, BusinessMessageReject)
    ]
    return count - reasons.count(BusinessRejectReason.RATE_LIMIT_EXCEEDED)


def test_every_tier_is_listed() -> None:
    assert tuple(BUDGETS) == TIERS


@pytest.mark.parametrize("tier", BUDGETS)
def test_a_tier_may_send_so_many_requests_at_once_and_so_many_a_second(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds of budget at once for writing above Basic and for reading up to Advanced, else one."""
    # The lowest tier has budgets, but no FIX.
    monkeypatch.setattr(RateLimits, "may_use_fix", lambda *_: True)
    reading, writing = BUDGETS[tier]
    town = Town(
        accounts=accounts(ann={"tier": tier}, perp={"tier": tier}),
        max_unsent=64 * 1024 * 1024,
    )
    banks_writing = 1 if tier == "Basic" else 2
    banks_reading = 2 if tier in ("Basic", "Advanced") else 1
    for client, message, budget, seconds in (
        (town.connect("ann"), write, writing, banks_writing),
        (town.connect("ann-md", "KalshiMD"), read, reading, banks_reading),
        (town.connect("perp-md", "KalshiMD", product="margin"), read, reading, 1),
    ):
        a_second = budget // COST
        assert taken(client, message, a_second * seconds + 3) == a_second * seconds
        town.wait(1)
        assert taken(client, message, a_second + 3) == a_second
