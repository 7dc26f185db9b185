"""The rate limits of each tier, measured with requests on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    MarketDataRequest,
    OrderGroupRequest,
)
from kalshi_fix_sansio._generated import limits
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.rate_limits import TIERS, RateLimits
from tests.venue.venue_harness import Client, VenueHarness, accounts, decode_all


def write_request() -> Message:
    return OrderGroupRequest.delete("00000000-0000-4000-8000-000000000000")


def read_request() -> Message:
    return MarketDataRequest.unsubscribe("NO-SUCH")


def accepted_count(client: Client, message: Callable[[], Message], count: int) -> int:
    """Send `count` requests at once; return how many were accepted. The others must be refused with 380=8."""
    harness = client.harness
    for _ in range(count):
        client.session.send(message(), harness.now)
    harness.venue.receive_data(client.conn, client.session.data_to_send(), harness.now)
    reasons = [
        answer.business_reject_reason
        for answer in decode_all(harness.venue.data_to_send(client.conn))
        if isinstance(answer, BusinessMessageReject)
    ]
    return count - reasons.count(BusinessRejectReason.RATE_LIMIT_EXCEEDED)


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_allows_its_burst_of_requests_and_then_its_rate_per_second(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lowest tier has budgets, but no FIX access.
    monkeypatch.setattr(RateLimits, "may_use_fix", lambda *_: True)
    reading, writing = limits.READ_TOKENS[tier], limits.WRITE_TOKENS[tier]
    harness = VenueHarness(
        accounts=accounts(ann={"tier": tier}, perp={"tier": tier}),
        max_unsent=64 * 1024 * 1024,
    )
    for client, message, budget, seconds in (
        (harness.connect("ann"), write_request, writing, limits.WRITE_BURST[tier]),
        (harness.connect("ann-md", "KalshiMD"), read_request, reading, limits.READ_BURST[tier]),
        (
            harness.connect("perp-md", "KalshiMD", product="margin"),
            read_request,
            reading,
            limits.MARGIN_READ_BURST,
        ),
    ):
        burst, left = divmod(budget * seconds, limits.DEFAULT_COST)
        assert accepted_count(client, message, burst + 3) == burst
        harness.wait(1)
        refilled = min(left + budget, budget * seconds) // limits.DEFAULT_COST
        assert accepted_count(client, message, refilled + 3) == refilled
