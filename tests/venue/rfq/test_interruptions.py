"""Sessions that end in the middle of each step."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import AcceptQuoteStatus, QuoteCancelStatus, QuoteConfirmStatus
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.assumptions import Assumptions
from tests.venue.desk import ds
from tests.venue.rfq.rfq_town import RfqTown, accept, ask, cancel_quote, confirm, hear, quote, trade
from tests.venue.town import Client, kinds

STEPS = ["asked", "quoted", "accepted", "confirmed"]


def go_to(step: str, ann: Client, bob: Client) -> str:
    rfq_id = ask(ann)
    reached = STEPS.index(step)
    if reached >= STEPS.index("quoted"):
        bob.send(quote(rfq_id))
    if reached >= STEPS.index("accepted"):
        ann.send(accept())
    if reached >= STEPS.index("confirmed"):
        bob.send(confirm())
    hear(ann, bob)
    return rfq_id


def test_the_quotes_of_a_session_that_ends_are_cancelled(town: RfqTown, ann: Client, bob: Client) -> None:
    go_to("quoted", ann, bob)
    bob.drop()
    assert ann.take() == []
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "EXPIRED"
    bob = town.maker()
    assert bob.take() == []
    assert bob.answer_to(cancel_quote(), QuoteCancelStatus).text == "EXPIRED"


def test_a_reconnected_maker_can_quote_again(town: RfqTown, ann: Client, bob: Client) -> None:
    rfq_id = go_to("quoted", ann, bob)
    bob.logout()
    bob = town.maker()
    bob.send(quote(rfq_id, "q2"))
    assert kinds(bob.take()) == ["AI"]
    ann.send(accept("q2"))
    assert kinds(bob.take()) == ["AI"]


def test_quotes_may_outlive_their_session() -> None:
    town = RfqTown(assumptions=Assumptions(quotes_end_with_session=False))
    ann, bob = town.creator(), town.maker()
    go_to("quoted", ann, bob)
    bob.drop()
    ann.send(accept())
    assert kinds(ann.take()) == ["UC"]
    bob = town.maker()
    bob.send(confirm())
    town.wait(15)
    assert town.net("ann") == 100


def test_other_sessions_of_a_maker_keep_their_quotes(town: RfqTown, ann: Client, bob: Client) -> None:
    second = town.maker("bob-sub")
    rfq_id = go_to("quoted", ann, bob)
    second.send(quote(rfq_id, "q2"))
    bob.drop()
    hear(ann, second)
    ann.send(accept("q2"))
    assert kinds(second.take()) == ["AI"]


def test_an_accepted_quote_can_be_confirmed_after_a_reconnect(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    go_to("accepted", ann, bob)
    bob.drop()
    town.wait(29)
    bob = town.maker()
    bob.send(confirm())
    assert kinds(bob.take()) == ["U8"]
    town.wait(15)
    assert kinds(bob.take()) == ["8"]
    assert town.net("ann") == 100


def test_an_accepted_quote_of_a_disconnected_maker_lapses(town: RfqTown, ann: Client, bob: Client) -> None:
    go_to("accepted", ann, bob)
    bob.drop()
    town.wait(30)
    assert kinds(ann.take()) == ["UB"]
    bob = town.maker()
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "EXPIRED"


@pytest.mark.parametrize("who", ["ann", "bob", "both"])
def test_a_confirmed_quote_trades_even_if_both_sides_are_disconnected(
    town: RfqTown, ann: Client, bob: Client, who: str
) -> None:
    go_to("confirmed", ann, bob)
    if who != "bob":
        ann.drop()
    if who != "ann":
        bob.drop()
    town.wait(15)
    assert (town.net("ann"), town.net("bob")) == ds(100, -100)


@pytest.mark.parametrize("step", STEPS)
def test_a_reconnected_creator_continues_where_it_was(town: RfqTown, bob: Client, step: str) -> None:
    store = MemoryStore()
    ann = town.creator("ann-2", store=store)
    rfq_id = go_to(step, ann, bob)
    ann.drop()
    if step == "asked":
        bob.send(quote(rfq_id))
    ann = town.creator("ann-2", store=store)
    assert ("S" in kinds(ann.take())) is (step == "asked"), "the quote that was missed comes now"
    if step in ("asked", "quoted"):
        ann.send(accept())
    if step != "confirmed":
        bob.send(confirm())
    town.wait(15)
    assert "8" in kinds(ann.take())
    assert town.net("ann") == 100


def test_reports_are_not_queued_for_a_disconnected_maker(town: RfqTown, ann: Client, bob: Client) -> None:
    """KalshiRFQ has no resend."""
    go_to("confirmed", ann, bob)
    bob.drop()
    town.wait(15)
    assert town.maker().take() == []


def test_the_rest_of_a_quote_stays_in_the_book_without_its_session(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, rest_remainder=True))
    trade(ann, bob, order_qty=40)
    bob.drop()
    assert town.asks() == [ds("0.45", 60)]
