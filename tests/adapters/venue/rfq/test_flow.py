"""A request from beginning to end, step by step, as each side hears it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_sansio import (
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    BusinessMessageReject,
    BusinessRejectReason,
    ExecType,
    ExecutionReport,
    OrdStatus,
    PartyRole,
    Quote,
    QuoteConfirmStatus,
    QuoteConfirmStatusCode,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestType,
    QuoteStatus,
    QuoteStatusReport,
    Side,
)
from kalshi_fix_sansio.base import Message
from tests.adapters.venue.desk import MARKET, d, ds
from tests.adapters.venue.rfq.rfq_town import (
    BUY,
    SELL,
    RfqTown,
    accept,
    ask,
    cancel_rfq,
    confirm,
    hear,
    only,
    quote,
    quoted,
    request,
    trade,
)
from tests.adapters.venue.town import Client, decode_all, kinds, order

INSTANT = 0.001


def test_a_request_is_taken_and_told_to_every_maker(
    town: RfqTown, ann: Client, bob: Client, cat: Client
) -> None:
    town.utc = datetime(2026, 8, 20, 15, 0, 1, 234_567, tzinfo=UTC)
    ack = ann.answer_to(request("r1", "100.25"), QuoteRequestAck)
    assert (ack.quote_req_id, ack.quote_request_type) == ("r1", QuoteRequestType.MANUAL)
    assert (ack.symbol, ack.ex_destination) == (None, 0)
    for maker in (bob, cat):
        told = maker.take_only(QuoteRequest)
        assert told.quote_req_id == ack.rfq_id != "r1"
        (entry,) = told.related_sym
        assert (entry.symbol, entry.order_qty, entry.cash_order_qty) == (MARKET, d("100.25"), None)
        assert entry.transact_time == datetime(2026, 8, 20, 15, 0, 1, 234_000, tzinfo=UTC)
        (party,) = entry.party_ids
        assert party.party_role is None
        assert "ann" not in party.party_id


def test_a_maker_who_comes_later_is_not_told(town: RfqTown, ann: Client) -> None:
    ask(ann)
    assert town.maker().take() == []


def test_a_quote_is_pending_and_the_creator_hears_of_it(town: RfqTown, ann: Client, bob: Client) -> None:
    rfq_id = ask(ann)
    bob.take()
    town.wait(1.5)
    status = bob.answer_to(quote(rfq_id, "q1", "0.40", "0.55"), QuoteStatusReport)
    assert (status.quote_id, status.quote_req_id, status.quote_status) == ("q1", rfq_id, QuoteStatus.PENDING)
    assert (status.bid_px, status.offer_px, status.order_qty) == ds("0.40", "0.55", 100)
    assert (status.bid_size, status.offer_size) == ds(100, 100)
    assert (status.side, status.text) == (None, None)
    told = ann.take_only(Quote)
    assert (told.quote_id, told.quote_req_id, told.symbol) == ("q1", rfq_id, MARKET)
    assert (told.bid_px, told.offer_px, told.order_qty) == ds("0.40", "0.55", 100)
    assert (told.bid_size, told.offer_size) == ds(100, 100)
    assert told.transact_time == status.transact_time == town.utc
    (party,) = told.party_ids
    assert party.party_role == PartyRole.LIQUIDITY_PROVIDER
    assert "bob" not in party.party_id


@pytest.mark.parametrize(
    ("side", "accepted", "maker_side", "price"),
    [(BUY, Side.SELL, SELL, "0.45"), (SELL, Side.BUY, BUY, "0.40")],
)
def test_an_accepted_and_confirmed_quote_trades_after_the_execution_timer(
    town: RfqTown, ann: Client, bob: Client, side: Side, accepted: Side, maker_side: Side, price: str
) -> None:
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, "q1", "0.40", "0.55"))
    hear(ann, bob)
    taken = ann.answer_to(accept("q1", side, rfq_id=rfq_id, cl_ord_id="mine-1"), AcceptQuoteStatus)
    assert (taken.quote_id, taken.accepted_quote_id, taken.cl_ord_id) == ("q1", "q1", "mine-1")
    assert (taken.accept_quote_status, taken.text) == (AcceptQuoteStatusCode.ACCEPTED, None)
    status = bob.take_only(QuoteStatusReport)
    assert (status.quote_status, status.side, status.order_qty) == (QuoteStatus.ACCEPTED, accepted, d(100))
    assert status.transact_time is None
    confirmed = bob.answer_to(confirm("q1", rfq_id), QuoteConfirmStatus)
    assert (confirmed.quote_id, confirmed.quote_confirm_status) == ("q1", QuoteConfirmStatusCode.ACCEPTED)

    town.wait(15 - INSTANT)
    assert (ann.take(), bob.take()) == ([], [])
    town.wait(INSTANT)
    mine, others = only(ann.take(), ExecutionReport), only(bob.take(), ExecutionReport)
    for report, its_side in ((mine, side), (others, maker_side)):
        assert (report.exec_type, report.ord_status) == (ExecType.TRADE, OrdStatus.FILLED)
        assert (report.last_px, report.last_qty, report.side) == (d(price), 100, its_side)
        assert report.symbol == MARKET
    assert (mine.cl_ord_id, mine.aggressor_indicator) == ("mine-1", True)
    assert others.cl_ord_id.startswith("quote:")
    assert others.cl_ord_id.endswith(":q1")
    assert len(others.cl_ord_id.split(":")[1]) == 8
    assert others.aggressor_indicator is False
    assert mine.trd_match_id == others.trd_match_id
    sign = 1 if side == BUY else -1
    assert (town.net("ann"), town.net("bob")) == ds(100 * sign, -100 * sign)
    assert town.balance("ann") + town.balance("bob") == 2000 - 100
    paid = 100 * (d(price) if side == BUY else 1 - d(price))
    assert town.balance("ann") == 1000 - paid
    town.wait(3600 * 2)
    assert (kinds(ann.take()), kinds(bob.take())) == ([], [])


def test_prices_are_in_cents_for_a_maker_without_dollars(town: RfqTown, ann: Client) -> None:
    bob = town.maker(use_dollars=False)
    rfq_id = ask(ann)
    bob.take()
    status = bob.answer_to(quote(rfq_id, "q1", 40, 55), QuoteStatusReport)
    assert (status.bid_px, status.offer_px) == ds(40, 55)
    told = ann.take_only(Quote)
    assert (told.bid_px, told.offer_px) == (d("0.40"), d("0.55"))
    assert b"\x01132=0.4000\x01" in bytes(ann.wire)


def test_the_creator_hears_dollars_on_a_session_in_cents(town: RfqTown, bob: Client) -> None:
    ann = town.creator(use_dollars=False)
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, "q1", "0.40", "0.55"))
    assert ann.take_only(Quote).bid_px == d("0.40")
    trade(ann, bob)
    assert only(ann.take(), ExecutionReport).last_px == 45


@pytest.mark.parametrize("absent", [None, "0"])
def test_a_quote_may_have_one_side(town: RfqTown, ann: Client, bob: Client, absent: str | None) -> None:
    rfq_id = ask(ann)
    bob.take()
    bob.send(quote(rfq_id, "q1", "0.40", absent))
    told, status = ann.take_only(Quote), bob.take_only(QuoteStatusReport)
    for message in (told, status):
        assert (message.bid_px, message.offer_px) == (d("0.40"), None)
        assert (message.bid_size, message.offer_size) == (d(100), None)
    refused = ann.answer_to(accept("q1", BUY), AcceptQuoteStatus)
    assert (refused.accept_quote_status, refused.text) == (
        AcceptQuoteStatusCode.REJECTED,
        "invalid_parameters",
    )
    ann.send(accept("q1", SELL))
    assert ann.take_only(AcceptQuoteStatus).accept_quote_status == AcceptQuoteStatusCode.ACCEPTED


def test_a_subaccount_trades_where_request_and_quote_say_so(town: RfqTown, ann: Client, bob: Client) -> None:
    rfq_id = ask(ann, "r1", 10, alloc_account=3)
    bob.take()
    assert bob.answer_to(quote(rfq_id, alloc_account=3), QuoteStatusReport).alloc_account == 3
    trade(ann, bob)
    assert only(ann.take(), ExecutionReport).alloc_account == 3
    assert (town.net("ann", subaccount=3), town.net("bob", subaccount=3)) == ds(10, -10)
    assert (town.balance("ann", 3), town.balance("bob", 3)) == (d("495.50"), d("494.50"))
    assert town.balance("ann") == town.balance("bob") == 1000


def test_a_part_can_be_accepted(town: RfqTown, ann: Client, bob: Client) -> None:
    quoted(ann, bob)
    bob.take()
    ann.send(accept(order_qty="60.5"))
    status = bob.take_only(QuoteStatusReport)
    assert (status.order_qty, status.bid_size, status.offer_size) == (d(100), None, d("60.5"))
    bob.send(confirm())
    town.wait(15)
    assert town.net("ann") == d("60.5")
    assert (town.bids(), town.asks()) == ([], [])


def test_with_rest_remainder_of_the_creator_its_rest_stays_in_the_book(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    rfq_id = ask(ann, rest_remainder=True)
    bob.send(quote(rfq_id))
    trade(ann, bob, order_qty=60)
    assert (town.net("ann"), town.bids(), town.asks()) == (d(60), [ds("0.45", 40)], [])


def test_with_rest_remainder_of_the_maker_its_rest_stays_in_the_book(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, rest_remainder=True))
    ann.send(accept(order_qty=60))
    bob.send(confirm())
    bob.take()
    town.wait(15)
    assert (town.net("ann"), town.bids(), town.asks()) == (d(60), [], [ds("0.45", 40)])
    report = only(bob.take(), ExecutionReport)
    assert (report.ord_status, report.leaves_qty) == (OrdStatus.PARTIALLY_FILLED, d(40))


def test_what_rests_in_the_book_already_trades_by_its_price(town: RfqTown, ann: Client, bob: Client) -> None:
    """The orders go into the public book: a better ask is there before the maker's."""
    cat = town.connect("cat", "KalshiNR")
    cat.send(order("c1", SELL, 30, "0.44"))
    quoted(ann, bob)
    ann.send(accept(cl_ord_id="a1"))
    bob.send(confirm())
    hear(ann, bob, cat)
    town.wait(15)
    fills = [(r.last_px, r.last_qty) for r in ann.take() if isinstance(r, ExecutionReport)]
    assert fills == [ds("0.44", 30), ds("0.45", 70)]
    last = only(bob.take(), ExecutionReport)
    assert (last.ord_status, last.cum_qty, last.leaves_qty) == (OrdStatus.CANCELED, *ds(70, 0))
    assert (town.net("ann"), town.net("bob"), town.net("cat")) == ds(100, -70, -30)
    assert (town.bids(), town.asks()) == ([], [])


def test_a_post_only_quote_that_would_take_is_cancelled(town: RfqTown, ann: Client, bob: Client) -> None:
    cat = town.connect("cat", "KalshiNR")
    cat.send(order("c1", BUY, 30, "0.46"))
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, exec_inst="6"))
    ann.send(accept(cl_ord_id="a1"))
    bob.send(confirm())
    hear(ann, bob, cat)
    town.wait(15)
    canceled = only(bob.take(), ExecutionReport)
    assert (canceled.exec_type, canceled.text) == (ExecType.CANCELED, "POST_ONLY_CROSS")
    mine = only(ann.take(), ExecutionReport)
    assert (mine.exec_type, mine.text, mine.cum_qty) == (ExecType.CANCELED, "IMMEDIATE_OR_CANCELLED", 0)
    assert [town.net(owner) for owner in ("ann", "bob", "cat")] == [0, 0, 0]


def cross(town: RfqTown, ann: Client, bob: Client, number: int) -> Message:
    """Let a post-only quote cross the book; return the answer to the next one."""
    quote_id = f"q{number}"
    rfq_id = ask(ann, f"r{number}")
    bob.send(quote(rfq_id, quote_id, exec_inst="6"))
    answer = decode_all(bytes(bob.wire))[-1]
    if isinstance(answer, QuoteStatusReport):
        ann.send(accept(quote_id))
        bob.send(confirm(quote_id))
        town.wait(15)
    else:
        bob.send(quote(rfq_id, quote_id))
        assert kinds(ann.take()) == ["S"], "other quotes are taken"
    hear(ann, bob)
    return answer


@pytest.mark.parametrize("most", [0, 2])
def test_post_only_quotes_that_cross_again_and_again_are_over_the_rate_limit(most: int) -> None:
    town = RfqTown(assumptions=Assumptions(post_only_crosses=most, post_only_window=30))
    ann, bob, cat = town.creator(), town.maker(), town.connect("cat", "KalshiNR")
    cat.send(order("c1", BUY, 30, "0.46"))
    assert kinds([cross(town, ann, bob, number) for number in (1, 2)]) == ["AI", "AI"]
    answer = cross(town, ann, bob, 3)
    if not most:
        assert answer.MSG_TYPE == "AI"
        return
    assert isinstance(answer, BusinessMessageReject)
    assert answer.business_reject_reason == BusinessRejectReason.RATE_LIMIT_EXCEEDED
    ann.send(cancel_rfq(quote_req_id="r3"))
    town.wait(14.999)  # 29.999 seconds after the first
    bob.take()
    assert cross(town, ann, bob, 4).MSG_TYPE == "j"
    ann.send(cancel_rfq(quote_req_id="r4"))
    town.wait(0.001)
    assert cross(town, ann, bob, 5).MSG_TYPE == "AI"


def test_a_quote_without_post_only_takes_what_rests(town: RfqTown, ann: Client, bob: Client) -> None:
    cat = town.connect("cat", "KalshiNR")
    cat.send(order("c1", BUY, 30, "0.46"))
    quoted(ann, bob)
    trade(ann, bob, cl_ord_id="a1")
    assert [town.net(owner) for owner in ("ann", "bob", "cat")] == [70, -100, 30]


def test_listeners_of_both_owners_hear_the_fills(town: RfqTown, ann: Client, bob: Client) -> None:
    listener = town.connect("ann-listener", "KalshiNR", listener_session=True)
    quoted(ann, bob)
    trade(ann, bob)
    assert kinds(listener.take()) == ["8"]
