"""What makers are refused, how a quote replaces another, how it is taken back and confirmed."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import MarketState, PauseState
from kalshi_fix_adapters.venue.gateway.rfq import RfqSettings
from kalshi_fix_sansio import (
    AcceptQuoteStatus,
    BusinessRejectReason,
    ExecType,
    ExecutionReport,
    OrderCancelRequest,
    OrderGroupRequest,
    Quote,
    QuoteCancelStatus,
    QuoteCancelStatusCode,
    QuoteConfirmStatus,
    QuoteConfirmStatusCode,
    QuoteStatus,
    QuoteStatusReport,
    Reject,
)
from kalshi_fix_sansio.errors import ConfigurationError
from tests.adapters.venue.desk import MARKET, d, ds
from tests.adapters.venue.rfq.rfq_town import (
    BUY,
    OTHER,
    SELL,
    VOLATILE,
    RfqTown,
    accept,
    ask,
    cancel_quote,
    cancel_rfq,
    confirm,
    hear,
    key,
    only,
    quote,
    quoted,
    refusal,
)
from tests.adapters.venue.town import Client, kinds, order

CANCELED, REJECTED = QuoteCancelStatusCode.CANCELED, QuoteCancelStatusCode.REJECTED


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"bid": "0.46", "offer": "0.55"}, "invalid_parameters"),  # over one dollar together
        ({"bid": "0.405"}, "invalid_parameters"),
        ({"offer": "0.555"}, "invalid_parameters"),
        ({"bid": "0", "offer": "0"}, "invalid_parameters"),
        ({"symbol": OTHER}, "invalid_parameters"),
        ({"exec_inst": "E"}, "invalid_parameters"),
        ({"alloc_account": 9}, "CUSTOMER_ACCOUNT_NOT_FOUND"),
    ],
)
def test_a_quote_that_cannot_be_is_rejected_and_the_creator_hears_nothing(
    ann: Client, bob: Client, asked: dict[str, Any], text: str
) -> None:
    rfq_id = ask(ann)
    hear(bob)
    status = bob.answer_to(quote(rfq_id, "q1", **asked), QuoteStatusReport)
    assert (status.quote_id, status.quote_req_id) == ("q1", rfq_id)
    assert (status.quote_status, status.text) == (QuoteStatus.REJECTED, text)
    assert (status.bid_px, status.offer_px, status.transact_time) == (None, None, None)
    assert ann.take() == []
    bob.send(quote(rfq_id, "q1"))
    assert kinds(ann.take()) == ["S"], "the id of a rejected quote is free"


@pytest.mark.parametrize(
    ("bid", "offer"), [("0.45", "0.55"), ("0.01", "0.99"), ("0.99", "0.01"), ("0.99", None)]
)
def test_prices_may_make_one_dollar_together(town: RfqTown, bid: str, offer: str | None) -> None:
    ann, bob = town.creator(), town.maker()
    rfq_id = ask(ann)
    hear(bob)
    bob.send(quote(rfq_id, "q1", bid, offer))
    assert bob.take_only(QuoteStatusReport).quote_status == QuoteStatus.PENDING


def test_prices_are_on_the_grid_of_the_market(ann: Client, bob: Client) -> None:
    rfq_id = ask(ann, symbol=OTHER)
    bob.send(quote(rfq_id, "q1", "0.4001", "0.5999", symbol=OTHER))
    assert only(bob.take(), QuoteStatusReport).quote_status == QuoteStatus.PENDING
    told = ann.take_only(Quote)
    assert (told.bid_px, told.offer_px) == ds("0.4001", "0.5999")


@pytest.mark.parametrize(
    ("bid", "dollars"), [("40.5", False), ("1.00", True), ("-0.40", True), ("100", False)]
)
def test_what_is_no_price_is_rejected_however_it_comes(
    town: RfqTown, ann: Client, bid: str, dollars: bool
) -> None:
    bob = town.maker(use_dollars=dollars)
    rfq_id = ask(ann, symbol=OTHER)
    (answer,) = bob.raw(quote(rfq_id, "q1", bid, None, symbol=OTHER))
    assert isinstance(answer, QuoteStatusReport | Reject)
    assert getattr(answer, "text", "invalid_parameters")
    assert ann.take() == []


def test_an_unknown_request_and_a_closed_one_take_no_quotes(ann: Client, bob: Client) -> None:
    assert bob.answer_to(quote("no-such-rfq"), QuoteStatusReport).text == "RFQ_NOT_FOUND"
    rfq_id = ask(ann)
    ann.send(cancel_rfq(quote_req_id="r1"))
    hear(bob)
    assert bob.answer_to(quote(rfq_id), QuoteStatusReport).text == "RFQ_CLOSED"


def test_a_request_whose_quote_was_accepted_takes_no_more_quotes(
    ann: Client, bob: Client, cat: Client
) -> None:
    rfq_id = quoted(ann, bob)
    ann.send(accept())
    hear(cat)
    assert cat.answer_to(quote(rfq_id, "c1"), QuoteStatusReport).text == "RFQ_CLOSED"


def test_nobody_quotes_its_own_request(town: RfqTown, ann: Client) -> None:
    mine = town.maker("ann-maker")
    rfq_id = ask(ann)
    hear(mine)
    assert mine.answer_to(quote(rfq_id), QuoteStatusReport).text == "SELF_CROSS_ATTEMPT"


@pytest.mark.parametrize(
    ("bid", "offer", "fits"),
    [
        ("0.50", None, True),
        ("0.51", None, False),
        (None, "0.50", True),
        (None, "0.51", False),
        ("0.49", "0.51", False),
    ],
)
def test_a_quote_needs_the_money_for_either_side(bid: str | None, offer: str | None, fits: bool) -> None:
    town = RfqTown()
    ann, bob = town.creator(), town.maker()
    rfq_id = ask(ann, "r1", 2000)
    hear(bob)
    status = bob.answer_to(quote(rfq_id, "q1", bid, offer), QuoteStatusReport)
    assert status.text == (None if fits else "INSUFFICIENT_BALANCE")


def test_quotes_hold_no_money_back(town: RfqTown, ann: Client, bob: Client) -> None:
    one, two = ask(ann, "r1", 2000), ask(ann, "r2", 2000, symbol=OTHER)
    bob.send(quote(one, "q1", "0.50", None))
    bob.send(quote(two, "q2", "0.50", None, symbol=OTHER))
    assert [m.quote_status for m in bob.take() if isinstance(m, QuoteStatusReport)] == [
        QuoteStatus.PENDING
    ] * 2
    trader = town.connect("bob-2", "KalshiNR")
    trader.send(order("b1", BUY, 2000, "0.50"))
    assert [m.text for m in trader.take() if isinstance(m, ExecutionReport)] == [None]


# Replacement


def test_a_new_quote_replaces_the_makers_old_one(ann: Client, bob: Client, cat: Client) -> None:
    rfq_id = ask(ann)
    cat.send(quote(rfq_id, "c1"))
    bob.send(quote(rfq_id, "q1"))
    hear(ann, bob, cat)
    bob.send(quote(rfq_id, "q2", "0.41", "0.56"))
    old, new = bob.take()
    assert isinstance(old, QuoteStatusReport)
    assert isinstance(new, QuoteStatusReport)
    assert (old.quote_id, old.quote_status) == ("q1", QuoteStatus.CANCELED)
    assert (new.quote_id, new.quote_status) == ("q2", QuoteStatus.PENDING)
    assert ann.take_only(Quote).quote_id == "q2"
    assert cat.take() == []
    ann.send(accept("q2"))
    assert only(bob.take(), QuoteStatusReport).quote_id == "q2"


def test_a_quote_that_is_rejected_replaces_nothing(ann: Client, bob: Client) -> None:
    rfq_id = quoted(ann, bob)
    bob.send(quote(rfq_id, "q2", "0.60", "0.60"))
    hear(ann, bob)
    ann.send(accept("q1"))
    assert only(bob.take(), QuoteStatusReport).quote_status == QuoteStatus.ACCEPTED


def test_quotes_on_two_requests_for_a_market_stand_side_by_side(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    one = ask(ann, "r1")
    two = ask(town.creator("dan"), "r1")
    bob.send(quote(one, "q1"))
    bob.send(quote(two, "q2"))
    assert [m.quote_status for m in bob.take() if isinstance(m, QuoteStatusReport)] == [
        QuoteStatus.PENDING
    ] * 2


def test_a_maker_can_be_held_to_one_quote_per_market() -> None:
    town = RfqTown(assumptions=Assumptions(one_quote_per_market=True))
    ann, dan, bob = town.creator(), town.creator("dan"), town.maker()
    one, two, three = ask(ann, "r1"), ask(dan, "r1"), ask(ann, "r2", symbol=OTHER)
    bob.send(quote(one, "q1"))
    bob.send(quote(three, "q3", symbol=OTHER))
    bob.send(quote(two, "q2"))
    canceled = [
        m.quote_id
        for m in bob.take()
        if isinstance(m, QuoteStatusReport) and m.quote_status == QuoteStatus.CANCELED
    ]
    assert canceled == ["q1"]


def test_an_id_that_was_used_is_refused(ann: Client, bob: Client, cat: Client) -> None:
    rfq_id = quoted(ann, bob)
    hear(bob, cat)
    assert bob.answer_to(quote(rfq_id, "q1"), QuoteStatusReport).text == "QUOTE_ALREADY_EXISTS"
    assert cat.answer_to(quote(rfq_id, "q1"), QuoteStatusReport).text == "QUOTE_ALREADY_EXISTS"
    bob.send(cancel_quote("q1"))
    hear(bob)
    assert bob.answer_to(quote(rfq_id, "q1"), QuoteStatusReport).text == "QUOTE_ALREADY_EXISTS"


# QuoteCancel


@pytest.mark.parametrize("named", [False, True])
def test_a_maker_takes_its_quote_back(ann: Client, bob: Client, named: bool) -> None:
    rfq_id = quoted(ann, bob)
    bob.send(cancel_quote("q1", rfq_id if named else None))
    answer, status = bob.take()
    assert isinstance(answer, QuoteCancelStatus)
    assert (answer.quote_id, answer.quote_cancel_status, answer.text) == ("q1", CANCELED, None)
    assert isinstance(status, QuoteStatusReport)
    assert (status.quote_id, status.quote_status) == ("q1", QuoteStatus.CANCELED)
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "EXPIRED"


def test_a_quote_that_is_not_there_cannot_be_taken_back(ann: Client, bob: Client, cat: Client) -> None:
    quoted(ann, bob)
    hear(bob, cat)
    for who, asked, text in (
        (bob, cancel_quote("q9"), "NOT_FOUND"),
        (bob, cancel_quote("q1", "another-rfq"), "NOT_FOUND"),
        (cat, cancel_quote("q1"), "NOT_FOUND"),
    ):
        answer = who.answer_to(asked, QuoteCancelStatus)
        assert (answer.quote_cancel_status, answer.text) == (REJECTED, text)
    bob.send(cancel_quote("q1"))
    hear(bob)
    assert bob.answer_to(cancel_quote("q1"), QuoteCancelStatus).text == "EXPIRED"


def test_a_quote_that_is_confirmed_cannot_be_taken_back(town: RfqTown, ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann)))
    ann.send(accept())
    bob.send(confirm())
    hear(bob)
    assert bob.answer_to(cancel_quote(), QuoteCancelStatus).text == "QUOTE_ALREADY_CONFIRMED"
    town.wait(15)
    assert town.net("bob") == -100
    hear(bob)
    assert bob.answer_to(cancel_quote(), QuoteCancelStatus).text == "EXPIRED"


# QuoteConfirm


def test_what_cannot_be_confirmed(ann: Client, bob: Client, cat: Client) -> None:
    quoted(ann, bob)
    hear(bob, cat)
    for who, asked, text in (
        (bob, confirm("q9"), "NOT_FOUND"),
        (bob, confirm("q1", "another-rfq"), "NOT_FOUND"),
        (cat, confirm("q1"), "NOT_FOUND"),
        (bob, confirm("q1"), "QUOTE_NOT_ACCEPTED"),
    ):
        answer = who.answer_to(asked, QuoteConfirmStatus)
        assert (answer.quote_confirm_status, answer.text) == (QuoteConfirmStatusCode.REJECTED, text)


def test_a_second_confirmation_is_refused_and_trades_nothing_twice(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    bob.send(quote(ask(ann)))
    ann.send(accept())
    bob.send(confirm())
    town.wait(10)
    hear(bob)
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "QUOTE_ALREADY_CONFIRMED"
    town.wait(5)
    assert town.net("ann") == 100
    hear(bob)
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "EXPIRED"
    town.wait(60)
    assert town.net("ann") == 100


def test_a_maker_whose_money_has_gone_cannot_confirm_until_it_is_back(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    bob.send(quote(ask(ann)))
    spender = town.connect("bob-2", "KalshiNR")
    spender.send(order("big", BUY, 9900, "0.10", symbol=VOLATILE))
    ann.send(accept())
    hear(bob)
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "INSUFFICIENT_BALANCE"
    spender.logout()
    spender = town.connect("bob-2", "KalshiNR", cancel_orders_on_disconnect=True)
    assert town.venue.exchange("prediction").find("bob", "big") is not None


def test_the_other_quotes_are_cancelled_when_one_is_confirmed(ann: Client, bob: Client, cat: Client) -> None:
    rfq_id = quoted(ann, bob)
    cat.send(quote(rfq_id, "c1"))
    ann.send(accept("q1"))
    hear(bob, cat)
    assert cat.take() == []
    bob.send(confirm("q1"))
    status = cat.take_only(QuoteStatusReport)
    assert (status.quote_id, status.quote_status) == ("c1", QuoteStatus.CANCELED)
    assert kinds(bob.take()) == ["U8"]


# Pauses and markets


def test_a_trading_pause_takes_no_quotes_but_lets_them_be_taken_back(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    rfq_id = quoted(ann, bob)
    town.pause(PauseState.TRADING_PAUSED)
    assert bob.answer_to(quote(rfq_id, "q2"), QuoteStatusReport).text == "TRADING_PAUSED"
    bob.send(cancel_quote())
    assert kinds(bob.take()) == ["U9", "AI"]
    ann.send(cancel_rfq(quote_req_id="r1"))
    assert kinds(ann.take()) == ["UB"]


def test_an_exchange_pause_takes_nothing(town: RfqTown, ann: Client, bob: Client) -> None:
    rfq_id = quoted(ann, bob)
    town.pause(PauseState.EXCHANGE_PAUSED)
    for message in (quote(rfq_id, "q2"), cancel_quote(), confirm()):
        bob.send(message)
    for asked in (accept(), cancel_rfq(quote_req_id="r1")):
        ann.send(asked)
    texts = [getattr(message, "text", None) for message in (*bob.take(), *ann.take())]
    assert texts == ["EXCHANGE_PAUSED"] * 5
    town.pause(PauseState.OPEN)
    ann.send(accept())
    assert kinds(ann.take()) == ["UC"]


def test_a_halted_market_takes_no_quotes_and_its_requests_wait(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    rfq_id = quoted(ann, bob)
    town.market(MarketState.INACTIVE)
    assert bob.answer_to(quote(rfq_id, "q2"), QuoteStatusReport).text == "MARKET_INACTIVE"
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "MARKET_INACTIVE"
    town.market(MarketState.ACTIVE)
    ann.send(accept())
    assert kinds(ann.take()) == ["UC"]


# Keys that are restricted to a subaccount


def test_a_restricted_key_quotes_for_its_subaccount_alone(town: RfqTown, ann: Client, bob: Client) -> None:
    sub = town.maker("bob-sub")
    rfq_id = ask(ann, "r1", 10)
    hear(bob, sub)
    assert "restricted" in (sub.answer_to(quote(rfq_id, "q1", alloc_account=4), QuoteStatusReport).text or "")
    assert sub.answer_to(quote(rfq_id, "q1"), QuoteStatusReport).alloc_account == 3
    bob.send(quote(rfq_id, "q2"))
    hear(bob)
    for asked in (cancel_quote("q2"), confirm("q2")):
        sub.send(asked)
        assert [getattr(m, "text", None) for m in sub.take()] == ["NOT_FOUND"]
    ann.send(accept("q1"))
    assert kinds(sub.take()) == ["AI"]
    sub.send(confirm("q1"))
    town.wait(15)
    assert (town.net("bob", subaccount=3), town.net("bob")) == ds(-10, 0)
    assert town.balance("bob", 3) == 500 - 10 * d("0.55")


def test_each_subaccount_has_its_own_quote_and_hears_of_it_alone(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    sub = town.maker("bob-sub")
    rfq_id = ask(ann, "r1", 10)
    hear(bob, sub)
    sub.send(quote(rfq_id, "q1"))
    bob.send(quote(rfq_id, "q2"))
    hear(bob, sub)
    ann.send(accept("q1"))
    assert (kinds(sub.take()), bob.take()) == (["AI"], [])


def test_a_restricted_key_is_no_creator(town: RfqTown, ann: Client, bob: Client) -> None:
    quoted(ann, bob)
    trader = town.connect("bob-sub", "KalshiNR")
    trader.send(order("a1", BUY, 1, "0.45", quote_id="q1"))
    assert refusal(trader).business_reject_reason == BusinessRejectReason.NOT_AUTHORIZED


# Bounds


def test_quotes_of_one_request_are_bounded() -> None:
    town = RfqTown(rfqs=RfqSettings(max_quotes=1))
    ann, bob, cat = town.creator(), town.maker(), town.maker("cat")
    rfq_id = quoted(ann, bob)
    hear(bob, cat)
    assert cat.answer_to(quote(rfq_id, "c1"), QuoteStatusReport).text == "too many quotes on this RFQ"
    for number in range(2, 6):
        bob.send(quote(rfq_id, f"q{number}"))
        assert bob.take()[-1].quote_status == QuoteStatus.PENDING  # type: ignore[attr-defined]
    hear(ann)
    assert ann.answer_to(accept("q4"), AcceptQuoteStatus).text == "EXPIRED"
    assert ann.answer_to(accept("q1"), AcceptQuoteStatus).text == "NOT_FOUND", "the oldest is forgotten"
    ann.send(accept("q5", SELL))
    assert kinds(ann.take()) == ["UC"]


def test_requests_that_are_over_are_forgotten_one_day() -> None:
    town = RfqTown(rfqs=RfqSettings(retained=2))
    ann, bob = town.creator(), town.maker()
    first = ask(ann, "r1")
    bob.send(quote(first, "q1"))
    ann.send(cancel_rfq(quote_req_id="r1"))
    hear(ann)
    assert ann.answer_to(accept("q1"), AcceptQuoteStatus).text == "EXPIRED"
    for number in (2, 3):
        ask(ann, f"r{number}")
        ann.send(cancel_rfq(quote_req_id=f"r{number}"))
    hear(ann, bob)
    assert ann.answer_to(accept("q1"), AcceptQuoteStatus).text == "NOT_FOUND"
    assert bob.answer_to(cancel_quote("q1"), QuoteCancelStatus).text == "NOT_FOUND"
    assert bob.answer_to(quote(first, "q1"), QuoteStatusReport).text == "RFQ_NOT_FOUND"


# Where a restricted key may be, and what for


@pytest.mark.parametrize(
    ("session_type", "fields"),
    [("KalshiRT", {}), ("KalshiDC", {}), ("KalshiPT", {}), ("KalshiNR", {"listener_session": True})],
)
def test_a_restricted_key_is_refused_where_it_may_not_be(
    town: RfqTown, session_type: str, fields: dict[str, Any]
) -> None:
    client = town.connect("bob-sub", session_type, **fields)
    assert not client.is_logged_on
    assert "restricted to a subaccount" in (client.ending().text or "")


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiMD", "KalshiRFQ"])
def test_a_restricted_key_is_let_in_where_it_may_be(town: RfqTown, session_type: str) -> None:
    assert town.connect("bob-sub", session_type).is_logged_on


def test_orders_of_a_restricted_key_are_of_its_subaccount(town: RfqTown) -> None:
    trader = town.connect("bob-sub", "KalshiNR")
    assert trader.answer_to(order("a1", BUY, 10, "0.40"), ExecutionReport).alloc_account == 3
    refused = trader.answer_to(order("a2", BUY, 10, "0.40", alloc_account=0), ExecutionReport)
    assert refused.text == "PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT"
    trader.send(OrderCancelRequest(cl_ord_id="a3", orig_cl_ord_id="a1", symbol=MARKET, side=BUY))
    assert trader.take_only(ExecutionReport).exec_type == ExecType.CANCELED
    group = OrderGroupRequest(order_group_action="1", order_group_contracts_limit=10, alloc_account=2)
    trader.send(group)
    assert refusal(trader).business_reject_reason == BusinessRejectReason.NOT_AUTHORIZED


@pytest.mark.parametrize("number", [-1, 64])
def test_a_key_cannot_be_restricted_to_what_is_no_subaccount(number: int) -> None:
    with pytest.raises(ConfigurationError, match=str(number)):
        RfqTown(api_keys=(attrs.evolve(key("bob"), restricted_to=number),))
