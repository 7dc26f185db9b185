"""What creators are refused, which quote they accept, and how a request is replaced and taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.config import CustomerConfig
from kalshi_fix_adapters.venue.exchange import MarketState, PauseState
from kalshi_fix_adapters.venue.gateway.rfq import RfqSettings
from kalshi_fix_sansio import (
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    BusinessRejectReason,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrdRejReason,
    OrdStatus,
    QuoteConfirmStatus,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteRequestRejectReason,
    QuoteStatus,
    QuoteStatusReport,
    Reject,
    RFQCancelStatus,
    RFQCancelStatusCode,
    Side,
)
from tests.adapters.venue.desk import MARKET, d, ds
from tests.adapters.venue.rfq.rfq_town import (
    BUY,
    OTHER,
    SELL,
    VOLATILE,
    RfqTown,
    accept,
    accounts,
    ask,
    cancel_rfq,
    confirm,
    hear,
    only,
    quote,
    quoted,
    refusal,
    request,
)
from tests.adapters.venue.town import Client, customer, kinds, order

UNKNOWN, LIMIT = QuoteRequestRejectReason.UNKNOWN_SYMBOL, QuoteRequestRejectReason.EXCEEDS_LIMIT
CREDIT, OTHER_REASON = QuoteRequestRejectReason.INSUFFICIENT_CREDIT, QuoteRequestRejectReason.OTHER
TAKEN, REFUSED = AcceptQuoteStatusCode.ACCEPTED, AcceptQuoteStatusCode.REJECTED


# QuoteRequest


@pytest.mark.parametrize(
    ("asked", "reason", "text"),
    [
        ({"symbol": "KXNONE"}, UNKNOWN, "MARKET_NOT_FOUND"),
        ({"quantity": "1000000000.01"}, LIMIT, "more contracts than the market takes in an order"),
        ({"quantity": 100_001}, CREDIT, "INSUFFICIENT_BALANCE"),
        ({"cash_order_qty": "1000.01"}, CREDIT, "INSUFFICIENT_BALANCE"),
        ({"alloc_account": 9}, OTHER_REASON, "CUSTOMER_ACCOUNT_NOT_FOUND"),
        ({"alloc_account": 3, "cash_order_qty": "500.01"}, CREDIT, "INSUFFICIENT_BALANCE"),
        ({"party_ids": customer("nobody")}, OTHER_REASON, "CUSTOMER_ACCOUNT_NOT_FOUND"),
    ],
)
def test_a_request_that_cannot_be_is_rejected_with_its_reason(
    town: RfqTown, ann: Client, bob: Client, asked: dict[str, Any], reason: int, text: str
) -> None:
    reject = ann.answer_to(request("r1", **asked), QuoteRequestReject)
    assert (reject.quote_req_id, reject.quote_request_reject_reason, reject.text) == ("r1", reason, text)
    assert bob.take() == []
    # The id is free: nothing was made.
    assert ask(ann, "r1")
    assert kinds(bob.take()) == ["R"]
    assert town.venue.next_deadline() is not None


@pytest.mark.parametrize("quantity", ["0.001", "1.001", "0", "-1"])
def test_a_size_that_is_none_is_rejected_however_it_comes(town: RfqTown, ann: Client, quantity: str) -> None:
    (answer,) = ann.raw(request("r1", quantity))
    assert isinstance(answer, QuoteRequestReject | Reject)


@pytest.mark.parametrize("edge", [{"quantity": 100_000}, {"cash_order_qty": "1000"}])
def test_a_request_that_the_balance_just_covers_is_taken(ann: Client, edge: dict[str, Any]) -> None:
    assert ask(ann, "r1", **edge)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (MarketState.INACTIVE, "MARKET_INACTIVE"),
        (MarketState.CLOSED, "MARKET_INACTIVE"),
        (MarketState.DETERMINED, "MARKET_ALREADY_CLOSED"),
    ],
)
def test_a_market_that_does_not_trade_takes_no_requests(
    town: RfqTown, ann: Client, state: MarketState, text: str
) -> None:
    town.market(state)
    assert ann.answer_to(request("r1"), QuoteRequestReject).text == text


@pytest.mark.parametrize("state", [PauseState.TRADING_PAUSED, PauseState.EXCHANGE_PAUSED])
def test_a_pause_takes_no_requests(town: RfqTown, ann: Client, state: PauseState) -> None:
    town.pause(state)
    assert ann.answer_to(request("r1"), QuoteRequestReject).text == state.name
    town.pause(PauseState.OPEN)
    assert ask(ann, "r1")


def test_one_request_per_market_without_replace_existing(ann: Client) -> None:
    ask(ann, "r1")
    reject = ann.answer_to(request("r2"), QuoteRequestReject)
    assert (reject.text, reject.quote_request_reject_reason) == ("RFQ already exists", OTHER_REASON)
    assert ask(ann, "r2", symbol=OTHER)
    assert ask(ann, "r3", alloc_account=3), "another subaccount is another requester"


def test_a_quote_req_id_that_is_open_is_refused_and_free_again_once_it_is_closed(ann: Client) -> None:
    first = ask(ann, "r1")
    assert ann.answer_to(request("r1", symbol=OTHER), QuoteRequestReject).text == "RFQ already exists"
    ann.send(cancel_rfq(quote_req_id="r1"))
    hear(ann)
    assert ask(ann, "r1", symbol=OTHER) != first


def test_requests_of_one_account_are_bounded() -> None:
    town = RfqTown(rfqs=RfqSettings(max_open=2))
    ann = town.creator()
    ask(ann, "r1"), ask(ann, "r2", symbol=OTHER)
    reject = ann.answer_to(request("r3", symbol=VOLATILE), QuoteRequestReject)
    assert (reject.text, reject.quote_request_reject_reason) == ("too many open RFQs", LIMIT)
    ann.send(cancel_rfq(quote_req_id="r1"))
    hear(ann)
    assert ask(ann, "r3", symbol=VOLATILE)


def test_a_market_or_a_combination_is_named_and_not_both(ann: Client) -> None:
    for fields in (
        {"symbol": None},
        {"symbol": MARKET, "multivariate_collection_ticker": "KXMVE"},
    ):
        assert "is required" in ann.answer_to(request("r1", **fields), QuoteRequestReject).text


@pytest.mark.parametrize(
    ("name", "fields"), [("ann-reader", {}), ("ann-listener", {"listener_session": True})]
)
def test_who_may_not_write_creates_nothing(
    town: RfqTown, bob: Client, name: str, fields: dict[str, Any]
) -> None:
    reader = town.creator(name, **fields)
    for message in (request("r1"), accept("q1"), cancel_rfq(quote_req_id="r1")):
        reader.send(message)
        assert refusal(reader).business_reject_reason == BusinessRejectReason.NOT_AUTHORIZED
    assert bob.take() == []


# ReplaceExisting


def test_replace_existing_keeps_the_newest_one_beside_the_new_one(ann: Client, bob: Client) -> None:
    first = ask(ann, "r1")
    second = ask(ann, "r2", replace_existing=True)
    hear(bob)
    ann.send(request("r3", replace_existing=True))
    ended, ack = ann.take()
    assert isinstance(ended, RFQCancelStatus)
    assert (ended.quote_req_id, ended.rfq_id) == ("r1", first)
    assert ended.rfq_cancel_status == RFQCancelStatusCode.EXPIRED
    assert isinstance(ack, QuoteRequestAck)
    over, told = bob.take()
    assert isinstance(over, QuoteRequestReject)
    assert over.quote_req_id == first
    assert isinstance(told, QuoteRequest)
    assert told.quote_req_id == ack.rfq_id
    assert bob.answer_to(quote(first, "q1"), QuoteStatusReport).text == "RFQ_CLOSED"
    assert bob.answer_to(quote(second, "q2"), QuoteStatusReport).quote_status == QuoteStatus.PENDING


def test_replace_existing_counts_all_markets(ann: Client) -> None:
    ask(ann, "r1", symbol=OTHER), ask(ann, "r2", symbol=VOLATILE)
    ann.send(request("r3", replace_existing=True))
    assert [m.quote_req_id for m in ann.take() if isinstance(m, RFQCancelStatus)] == ["r1"]


def test_replace_existing_can_be_of_one_market() -> None:
    town = RfqTown(assumptions=Assumptions(replace_existing_stays_on_market=True))
    ann = town.creator()
    ask(ann, "r1", symbol=OTHER), ask(ann, "r2", symbol=VOLATILE), ask(ann, "r3")
    ann.send(request("r4", replace_existing=True))
    assert kinds(ann.take()) == ["b"]
    ann.send(request("r5", replace_existing=True))
    assert [m.quote_req_id for m in ann.take() if isinstance(m, RFQCancelStatus)] == ["r3"]


def test_replace_existing_leaves_what_is_confirmed_and_others_requests(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    sub = ask(ann, "sub", alloc_account=3)
    rfq_id = ask(ann, "r1")
    bob.send(quote(rfq_id))
    ann.send(accept())
    bob.send(confirm())
    ask(ann, "r2", replace_existing=True), ask(ann, "r3", replace_existing=True)
    hear(ann, bob)
    ann.send(request("r4", replace_existing=True))
    assert [m.quote_req_id for m in ann.take() if isinstance(m, RFQCancelStatus)] == ["r2"]
    town.wait(15)
    assert town.net("ann") == 100
    bob.send(quote(sub, "q2"))
    assert only(bob.take(), QuoteStatusReport).quote_status == QuoteStatus.PENDING


def test_a_request_that_is_refused_replaces_nothing(ann: Client) -> None:
    ask(ann, "r1"), ask(ann, "r2", replace_existing=True)
    ann.send(request("r3", 200_000, replace_existing=True))
    assert kinds(ann.take()) == ["AG"]


# Who is who


def public_id_of(message: Any) -> str:
    (entry,) = message.related_sym
    (party,) = entry.party_ids
    found: str = party.party_id
    return found


def test_a_creator_has_one_public_id_and_can_hide_it_from_others(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    mine = town.maker("ann-maker")
    ask(ann, "r1"), ask(ann, "r2", symbol=OTHER, obscure_creator_id=True)
    shown, hidden = bob.take()
    assert public_id_of(hidden) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    own = mine.take()
    assert [public_id_of(message) for message in own] == [public_id_of(shown)] * 2


# AcceptQuote


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"quote_id": "q9"}, "NOT_FOUND"),
        ({"rfq_id": "no-such-rfq"}, "NOT_FOUND"),
        ({"order_qty": "100.01"}, "invalid_parameters"),
        ({"party_ids": customer("nobody")}, "CUSTOMER_ACCOUNT_NOT_FOUND"),
    ],
)
def test_an_acceptance_that_cannot_be_is_refused_and_the_quote_stands(
    ann: Client, bob: Client, asked: dict[str, Any], text: str
) -> None:
    quoted(ann, bob)
    refused = ann.answer_to(accept(**({"cl_ord_id": "mine"} | asked)), AcceptQuoteStatus)
    assert (refused.accept_quote_status, refused.text) == (REFUSED, text)
    assert (refused.quote_id, refused.cl_ord_id) == (asked.get("quote_id", "q1"), "mine")
    assert refused.accepted_quote_id is None
    assert bob.take() == []
    assert ann.answer_to(accept(), AcceptQuoteStatus).accept_quote_status == TAKEN


def test_a_quote_of_somebody_elses_request_is_not_found(town: RfqTown, ann: Client, bob: Client) -> None:
    dan = town.creator("dan")
    rfq_id = quoted(ann, bob)
    for named in (None, rfq_id):
        assert dan.answer_to(accept(rfq_id=named), AcceptQuoteStatus).text == "NOT_FOUND"


def test_any_key_of_the_creator_may_accept(town: RfqTown, ann: Client, bob: Client) -> None:
    second = town.creator("ann-2")
    bob.send(quote(ask(ann)))
    assert second.answer_to(accept(), AcceptQuoteStatus).accept_quote_status == TAKEN
    bob.send(confirm())
    hear(ann)
    town.wait(15)
    assert kinds(second.take()) == ["8"]
    assert ann.take() == []


def test_an_acceptance_is_refused_when_the_money_has_gone(town: RfqTown, ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann)))
    spender = town.connect("ann-nr", "KalshiNR")
    spender.send(order("big", BUY, 2100, "0.46"))
    hear(ann)
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "INSUFFICIENT_BALANCE"


def test_a_cl_ord_id_that_is_in_use_is_refused(town: RfqTown, ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann)))
    ann.send(order("a1", BUY, 1, "0.10"))
    hear(ann)
    assert ann.answer_to(accept(cl_ord_id="a1"), AcceptQuoteStatus).text == "ORDER_ALREADY_EXISTS"
    assert town.net("ann") == 0


def test_a_second_acceptance_is_refused(ann: Client, bob: Client, cat: Client) -> None:
    rfq_id = quoted(ann, bob)
    cat.send(quote(rfq_id, "q2"))
    ann.send(accept("q1"))
    hear(ann)
    for quote_id in ("q1", "q2"):
        assert ann.answer_to(accept(quote_id), AcceptQuoteStatus).text == "RFQ_CLOSED"


def test_a_quote_that_is_over_has_expired(ann: Client, bob: Client) -> None:
    rfq_id = quoted(ann, bob)
    bob.send(quote(rfq_id, "q2"))
    hear(ann)
    assert ann.answer_to(accept("q1"), AcceptQuoteStatus).text == "EXPIRED"


def test_two_makers_may_use_one_id_on_two_requests(ann: Client, bob: Client, cat: Client) -> None:
    one, two = ask(ann, "r1"), ask(ann, "r2", symbol=OTHER)
    bob.send(quote(one, "q1"))
    cat.send(quote(two, "q1", symbol=OTHER))
    hear(ann, bob, cat)
    ann.send(accept("q1", rfq_id=one))
    assert kinds(bob.take()) == ["AI"]
    ann.send(accept("q1", rfq_id=two))
    assert kinds(cat.take()) == ["AI"]


# PreferBetterQuote


@pytest.mark.parametrize(
    ("side", "quotes", "accepted"),
    [
        (BUY, [("q1", "0.40", "0.55"), ("q2", "0.40", "0.56"), ("q3", "0.40", "0.58")], "q3"),
        (BUY, [("q1", "0.40", "0.55"), ("q2", "0.40", "0.54")], "q1"),
        (BUY, [("q1", "0.40", "0.55"), ("q2", "0.44", "0.55")], "q1"),
        (BUY, [("q1", "0.40", "0.55"), ("q2", "0.44", None)], "q1"),
        (SELL, [("q1", "0.40", "0.55"), ("q2", "0.43", "0.50"), ("q3", "0.42", "0.50")], "q2"),
    ],
)
def test_the_best_quote_is_taken_where_a_better_one_is_preferred(
    town: RfqTown, side: Side, quotes: list[tuple[str, str, str | None]], accepted: str
) -> None:
    ann = town.creator()
    rfq_id = None
    makers = [town.maker(name) for name in ("bob", "cat", "dan")]
    rfq_id = ask(ann)
    for maker, (quote_id, bid, offer) in zip(makers, quotes, strict=False):
        maker.send(quote(rfq_id, quote_id, bid, offer))
    hear(ann, *makers)
    status = ann.answer_to(accept("q1", side, prefer_better_quote=True), AcceptQuoteStatus)
    assert (status.accept_quote_status, status.quote_id, status.accepted_quote_id) == (TAKEN, "q1", accepted)
    told = [quotes[number][0] for number, maker in enumerate(makers) if maker.take()]
    assert told == [accepted]


def test_without_the_preference_the_quote_that_is_named_is_taken(
    ann: Client, bob: Client, cat: Client
) -> None:
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, "q1", "0.40", "0.55"))
    cat.send(quote(rfq_id, "q2", "0.40", "0.59"))
    hear(ann)
    assert ann.answer_to(accept("q1"), AcceptQuoteStatus).accepted_quote_id == "q1"


def test_a_better_quote_stands_in_for_one_that_is_gone(ann: Client, bob: Client, cat: Client) -> None:
    rfq_id = ask(ann)
    bob.send(quote(rfq_id, "q1", "0.40", "0.55"))
    cat.send(quote(rfq_id, "q2", "0.40", "0.55"))
    bob.drop()
    hear(ann)
    assert ann.answer_to(accept("q1", prefer_better_quote=True), AcceptQuoteStatus).accepted_quote_id == "q2"


# Acceptance by an order


def accept_by_order(quote_id: str | None = "q1", **fields: Any) -> NewOrderSingle:
    values: dict[str, Any] = {"quote_id": quote_id}
    return order(
        fields.pop("cl_ord_id", "mine"),
        fields.pop("side", BUY),
        fields.pop("quantity", 100),
        fields.pop("price", "0.45"),
        **(values | fields),
    )


@pytest.mark.parametrize("session_type", ["KalshiRT", "KalshiNR"])
@pytest.mark.parametrize("named", [False, True])
def test_an_order_with_quote_id_accepts_a_quote(
    town: RfqTown, ann: Client, bob: Client, session_type: str, named: bool
) -> None:
    trader = ann if session_type == "KalshiRT" else town.connect("ann-nr", session_type)
    rfq_id = quoted(ann, bob)
    trader.send(accept_by_order(rfq_id=rfq_id if named else None))
    assert kinds(trader.take()) == (["UC"] if trader is ann else [])
    assert only(bob.take(), QuoteStatusReport).quote_status == QuoteStatus.ACCEPTED
    bob.send(confirm())
    town.wait(15)
    report = only(trader.take(), ExecutionReport)
    assert (report.cl_ord_id, report.ord_status) == ("mine", OrdStatus.FILLED)
    assert (town.net("ann"), town.net("bob")) == ds(100, -100)


def test_an_order_with_quote_id_is_pending_where_that_is_reported(town: RfqTown, bob: Client) -> None:
    ann = town.creator(skip_pending_exec_reports=False)
    quoted(ann, bob)
    ann.send(accept_by_order())
    pending, taken = ann.take()
    assert isinstance(pending, ExecutionReport)
    assert (pending.exec_type, pending.cl_ord_id) == (ExecType.PENDING_NEW, "mine")
    assert isinstance(taken, AcceptQuoteStatus)
    bob.send(confirm())
    town.wait(15)
    assert only(ann.take(), ExecutionReport).order_id == pending.order_id


def test_an_order_trades_at_the_price_of_the_quote(town: RfqTown, ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann)))
    ann.send(accept_by_order(price="0.60", quantity="10.5"))
    bob.send(confirm())
    town.wait(15)
    assert (town.net("ann"), town.balance("ann")) == (d("10.5"), 1000 - d("10.5") * d("0.45"))


@pytest.mark.parametrize(
    "asked",
    [
        {"price": "0.44"},
        {"side": SELL, "price": "0.41"},
        {"symbol": OTHER},
        {"quantity": "100.01"},
        {"exec_inst": "6"},
        {"alloc_account": 3},
    ],
)
def test_an_order_that_does_not_fit_the_quote_is_invalid(
    ann: Client, bob: Client, asked: dict[str, Any]
) -> None:
    quoted(ann, bob)
    report = ann.answer_to(accept_by_order(**asked), ExecutionReport)
    assert (report.exec_type, report.text) == (ExecType.REJECTED, "INVALID_ORDER")
    assert bob.take() == []


def test_an_order_for_a_quote_that_is_over_is_stale(ann: Client, bob: Client) -> None:
    rfq_id = quoted(ann, bob)
    bob.send(quote(rfq_id, "q2"))
    hear(ann)
    report = ann.answer_to(accept_by_order("q1"), ExecutionReport)
    assert (report.ord_rej_reason, report.text) == (OrdRejReason.STALE_ORDER, "EXPIRED")
    ann.send(accept_by_order("q2", cl_ord_id="other"))
    assert kinds(ann.take()) == ["UC"]
    assert ann.answer_to(accept_by_order("q2", cl_ord_id="third"), ExecutionReport).text == "EXPIRED"


def test_an_order_for_a_quote_that_nobody_made_names_an_unknown_id(ann: Client) -> None:
    ann.send(accept_by_order("q9"))
    refused = refusal(ann)
    assert (refused.business_reject_reason, refused.business_reject_ref_id) == (
        BusinessRejectReason.UNKNOWN_ID,
        "mine",
    )
    ann.send(accept_by_order(None, rfq_id="r"))
    refused = refusal(ann)
    assert refused.business_reject_reason == BusinessRejectReason.CONDITIONALLY_REQUIRED_FIELD_MISSING


def test_an_order_without_the_money_is_rejected(ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann, "r1", 3000), "q1", "0.20", None))
    hear(ann)
    report = ann.answer_to(accept_by_order(side=SELL, price="0.20", quantity=3000), ExecutionReport)
    assert (report.text, report.ord_rej_reason) == ("INSUFFICIENT_BALANCE", OrdRejReason.ORDER_EXCEEDS_LIMIT)


# RFQCancel


@pytest.mark.parametrize("by_rfq_id", [False, True])
def test_a_creator_takes_its_request_back_by_either_id(ann: Client, bob: Client, by_rfq_id: bool) -> None:
    rfq_id = quoted(ann, bob)
    ann.send(cancel_rfq(rfq_id=rfq_id) if by_rfq_id else cancel_rfq(quote_req_id="r1"))
    status = ann.take_only(RFQCancelStatus)
    assert status.rfq_cancel_status == RFQCancelStatusCode.CANCELED
    assert (status.quote_req_id, status.rfq_id) == (rfq_id if by_rfq_id else "r1", rfq_id)
    canceled, over = bob.take()
    assert isinstance(canceled, QuoteStatusReport)
    assert canceled.quote_status == QuoteStatus.CANCELED
    assert isinstance(over, QuoteRequestReject)
    assert (over.quote_req_id, over.quote_request_reject_reason) == (rfq_id, OTHER_REASON)
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "EXPIRED"


def test_a_request_that_is_not_there_cannot_be_taken_back(town: RfqTown, ann: Client, bob: Client) -> None:
    dan = town.creator("dan")
    rfq_id = ask(ann)
    for who, ids in ((ann, {"quote_req_id": "r9"}), (dan, {"quote_req_id": "r1"}), (dan, {"rfq_id": rfq_id})):
        status = who.answer_to(cancel_rfq(**ids), RFQCancelStatus)
        assert (status.rfq_cancel_status, status.text) == (RFQCancelStatusCode.REJECTED, "RFQ_NOT_FOUND")
        assert status.quote_req_id == next(iter(ids.values()))
    ann.send(cancel_rfq(quote_req_id="r1"))
    ann.send(cancel_rfq(quote_req_id="r1"))
    assert [(m.rfq_cancel_status, m.text) for m in ann.take() if isinstance(m, RFQCancelStatus)] == [
        (RFQCancelStatusCode.CANCELED, None),
        (RFQCancelStatusCode.REJECTED, "RFQ_CLOSED"),
    ]


def test_a_request_can_be_taken_back_until_it_is_confirmed(town: RfqTown, ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann)))
    ann.send(accept())
    ann.send(cancel_rfq(quote_req_id="r1"))
    hear(ann, bob)
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "EXPIRED"
    bob.send(quote(ask(ann, "r2"), "q2"))
    ann.send(accept("q2"))
    bob.send(confirm("q2"))
    hear(ann)
    status = ann.answer_to(cancel_rfq(quote_req_id="r2"), RFQCancelStatus)
    assert (status.rfq_cancel_status, status.text) == (
        RFQCancelStatusCode.REJECTED,
        "QUOTE_ALREADY_CONFIRMED",
    )
    town.wait(15)
    assert town.net("ann") == 100


def test_makers_need_not_be_told_of_closed_requests() -> None:
    town = RfqTown(assumptions=Assumptions(makers_are_told_of_closed_rfqs=False))
    ann, bob = town.creator(), town.maker()
    ask(ann)
    hear(bob)
    ann.send(cancel_rfq(quote_req_id="r1"))
    assert bob.take() == []


# Customers of clearing members

MEMBER = "5a3f1b6e-6c1d-4d6f-9a41-2f4f1f6a7b10"
FIRST, SECOND = f"{MEMBER}_A1", f"{MEMBER}_B2"


def member_town() -> RfqTown:
    member, *others = accounts()
    customers = tuple(CustomerConfig(party_id=each, balance=Decimal(100)) for each in (FIRST, SECOND))
    return RfqTown(accounts=(attrs.evolve(member, customers=customers), *others))


def test_a_clearing_member_asks_accepts_and_cancels_for_its_customers() -> None:
    town = member_town()
    ann, bob = town.creator(), town.maker()
    rfq_id = ask(ann, "r1", 10, party_ids=customer(FIRST))
    assert ask(ann, "r2", 10, party_ids=customer(SECOND)), "each customer is a requester of its own"
    bob.send(quote(rfq_id))
    hear(ann)
    ann.send(accept(party_ids=customer(SECOND)))
    assert ann.take_only(AcceptQuoteStatus).text == "CUSTOMER_ACCOUNT_NOT_FOUND"
    assert ann.answer_to(accept(party_ids=customer(FIRST)), AcceptQuoteStatus).accept_quote_status == TAKEN
    bob.send(confirm())
    town.wait(15)
    report = only(ann.take(), ExecutionReport)
    assert [each.party_id for each in report.party_ids] == [FIRST]
    assert town.net("ann") == 0
    ann.send(cancel_rfq(quote_req_id="r2", party_ids=customer(FIRST)))
    assert ann.take_only(RFQCancelStatus).text == "CUSTOMER_ACCOUNT_NOT_FOUND"
    ann.send(cancel_rfq(quote_req_id="r2", party_ids=customer(SECOND)))
    assert ann.take_only(RFQCancelStatus).rfq_cancel_status == RFQCancelStatusCode.CANCELED


def test_a_customers_request_needs_the_customers_money() -> None:
    town = member_town()
    ann = town.creator()
    ann.send(request("r1", cash_order_qty="100.01", party_ids=customer(FIRST)))
    assert ann.take_only(QuoteRequestReject).quote_request_reject_reason == CREDIT
