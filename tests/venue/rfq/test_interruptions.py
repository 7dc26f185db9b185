"""Sessions that end after each step of an RFQ."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import AcceptQuoteStatus, QuoteCancelStatus, QuoteConfirmStatus
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.assumptions import Assumptions
from tests.venue.exchange_harness import ds
from tests.venue.rfq.rfq_harness import (
    RfqHarness,
    accept,
    cancel_quote,
    confirm,
    discard,
    quote,
    request_quotes,
    trade,
)
from tests.venue.venue_harness import Client, kinds

STEPS = ["requested", "quoted", "accepted", "confirmed"]


def go_to(step: str, ann: Client, bob: Client) -> str:
    rfq_id = request_quotes(ann)
    reached = STEPS.index(step)
    if reached >= STEPS.index("quoted"):
        bob.send(quote(rfq_id))
    if reached >= STEPS.index("accepted"):
        ann.send(accept())
    if reached >= STEPS.index("confirmed"):
        bob.send(confirm())
    discard(ann, bob)
    return rfq_id


def test_the_quotes_of_a_session_that_ends_are_cancelled(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    go_to("quoted", ann, bob)
    bob.drop()
    assert ann.take() == []
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "EXPIRED"
    bob = harness.maker()
    assert bob.take() == []
    assert bob.answer_to(cancel_quote(), QuoteCancelStatus).text == "EXPIRED"


def test_a_reconnected_maker_can_quote_again(harness: RfqHarness, ann: Client, bob: Client) -> None:
    rfq_id = go_to("quoted", ann, bob)
    bob.logout()
    bob = harness.maker()
    bob.send(quote(rfq_id, "q2"))
    assert kinds(bob.take()) == ["AI"]
    ann.send(accept("q2"))
    assert kinds(bob.take()) == ["AI"]


def test_quotes_may_outlive_their_session() -> None:
    harness = RfqHarness(assumptions=Assumptions(quotes_end_with_session=False))
    ann, bob = harness.creator(), harness.maker()
    go_to("quoted", ann, bob)
    bob.drop()
    ann.send(accept())
    assert kinds(ann.take()) == ["UC"]
    bob = harness.maker()
    bob.send(confirm())
    harness.wait(15)
    assert harness.net("ann") == 100


def test_other_sessions_of_a_maker_keep_their_quotes(harness: RfqHarness, ann: Client, bob: Client) -> None:
    second = harness.maker("bob-sub")
    rfq_id = go_to("quoted", ann, bob)
    second.send(quote(rfq_id, "q2"))
    bob.drop()
    discard(ann, second)
    ann.send(accept("q2"))
    assert kinds(second.take()) == ["AI"]


def test_an_accepted_quote_can_be_confirmed_after_a_reconnect(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    go_to("accepted", ann, bob)
    bob.drop()
    harness.wait(29)
    bob = harness.maker()
    bob.send(confirm())
    assert kinds(bob.take()) == ["U8"]
    harness.wait(15)
    assert kinds(bob.take()) == ["8"]
    assert harness.net("ann") == 100


def test_an_accepted_quote_of_a_disconnected_maker_lapses(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    go_to("accepted", ann, bob)
    bob.drop()
    harness.wait(30)
    assert kinds(ann.take()) == ["UB"]
    bob = harness.maker()
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "EXPIRED"


@pytest.mark.parametrize("who", ["ann", "bob", "both"])
def test_a_confirmed_quote_trades_even_if_both_sides_are_disconnected(
    harness: RfqHarness, ann: Client, bob: Client, who: str
) -> None:
    go_to("confirmed", ann, bob)
    if who != "bob":
        ann.drop()
    if who != "ann":
        bob.drop()
    harness.wait(15)
    assert (harness.net("ann"), harness.net("bob")) == ds(100, -100)


@pytest.mark.parametrize("step", STEPS)
def test_a_reconnected_creator_receives_missed_quotes_and_continues(
    harness: RfqHarness, bob: Client, step: str
) -> None:
    store = MemoryStore()
    ann = harness.creator("ann-2", store=store)
    rfq_id = go_to(step, ann, bob)
    ann.drop()
    if step == "requested":
        bob.send(quote(rfq_id))
    ann = harness.creator("ann-2", store=store)
    assert ("S" in kinds(ann.take())) is (step == "requested"), "the missed quote is received now"
    if step in ("requested", "quoted"):
        ann.send(accept())
    if step != "confirmed":
        bob.send(confirm())
    harness.wait(15)
    assert "8" in kinds(ann.take())
    assert harness.net("ann") == 100


def test_reports_are_not_queued_for_a_disconnected_maker(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    """KalshiRFQ has no resend."""
    go_to("confirmed", ann, bob)
    bob.drop()
    harness.wait(15)
    assert harness.maker().take() == []


def test_the_remainder_of_a_quote_stays_in_the_book_without_its_session(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    rfq_id = request_quotes(ann)
    bob.send(quote(rfq_id, rest_remainder=True))
    trade(ann, bob, order_qty=40)
    bob.drop()
    assert harness.asks() == [ds("0.45", 60)]
