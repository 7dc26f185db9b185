"""RfqId beside QuoteID (117): the quote must be one of that RFQ, whoever names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kalshi_fix_sansio import BusinessRejectReason
from kalshi_fix_sansio.base import Message
from tests.adapters.venue.rfq.rfq_town import (
    BUY,
    OTHER,
    accept,
    ask,
    cancel_quote,
    confirm,
    hear,
    quote,
    refusal,
)
from tests.adapters.venue.town import Client, order

NAMING: dict[str, Callable[[str], Message]] = {
    "UA": lambda rfq_id: accept(rfq_id=rfq_id),
    "D": lambda rfq_id: order("a1", BUY, 100, "0.45", quote_id="q1", rfq_id=rfq_id),
    "Z": lambda rfq_id: cancel_quote(rfq_id=rfq_id),
    "U7": lambda rfq_id: confirm(rfq_id=rfq_id),
}


@pytest.mark.parametrize("kind", NAMING)
def test_a_quote_must_belong_to_the_rfq_that_is_named(kind: str, ann: Client, bob: Client) -> None:
    """The other RFQ is open as well, of the same creator and with a quote of the same maker."""
    mine, other = ask(ann, "r1"), ask(ann, "r2", symbol=OTHER)
    bob.send(quote(mine))
    bob.send(quote(other, "q2", symbol=OTHER))
    if kind == "U7":
        ann.send(accept())
    hear(ann, bob)
    asks, hears = (ann, bob) if kind in ("UA", "D") else (bob, ann)
    asks.send(NAMING[kind](other))
    if kind == "D":
        assert refusal(ann).business_reject_reason == BusinessRejectReason.UNKNOWN_ID
    else:
        (refused,) = asks.take()
        assert getattr(refused, "text", None) == "NOT_FOUND"
    assert hears.take() == []
    asks.send(NAMING[kind](mine))
    taken, *_ = asks.take()
    assert getattr(taken, "text", None) is None
