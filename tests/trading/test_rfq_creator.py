"""A creator's RFQs after quotes, acceptances, timeouts and disconnects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import (
    AcceptQuote,
    BusinessMessageReject,
    ExecType,
    ExecutionReportText,
    MarketDataRequest,
    NewOrderSingle,
    Party,
    Quote,
    QuoteRequest,
    RFQCancel,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    MessagesLost,
    RejectReceived,
    SequenceSkipped,
)
from kalshi_fix_sansio.trading import (
    Copied,
    Covered,
    CreatorQuote,
    CreatorRfq,
    CreatorUpdate,
    Doubts,
    ExecKey,
    Exposure,
    Remedy,
    RfqCreator,
    RfqDiscrepancyKind,
    RfqDoubtKind,
    RfqRequestError,
    RfqState,
)
from kalshi_fix_sansio.trading.common.dumping import VERSION
from kalshi_fix_sansio.trading.rfq.creator import MAX_ACCEPTANCES, MAX_EARLY
from tests.trading.order_flow import ENDED, at, d, over_the_wire, unanswered
from tests.trading.rfq_flow import (
    COMBO,
    DUE,
    LEG,
    LONG,
    MARKET,
    accept_status,
    ack,
    covered,
    ended,
    heard,
    logged_on,
    over,
    received,
    report,
    told,
    traded,
    unknown,
    unreadable,
)

BUY, SELL = Side.BUY, Side.SELL
Kind = RfqDiscrepancyKind


def request(quote_req_id: str = "r1", quantity: Any = 100, **more: Any) -> QuoteRequest:
    return QuoteRequest.for_market(quote_req_id=quote_req_id, symbol=MARKET, order_qty=quantity, **more)


class Desk:
    def __init__(self, **more: Any) -> None:
        self.creator = RfqCreator(**more)
        self.seconds = 0.0

    def feed(self, *happened: object) -> list[CreatorUpdate]:
        return [update for each in happened for update in self.creator.apply(each, at(self.seconds))]

    def kinds(self, *happened: object) -> list[Kind]:
        return [each.kind for update in self.feed(*happened) for each in update.discrepancies]

    def rfq(self, name: str = "r1") -> CreatorRfq:
        rfq = self.creator.rfq(name)
        assert rfq is not None
        return rfq

    def state(self, name: str = "r1") -> RfqState:
        return self.rfq(name).state

    def best(self, side: Side = BUY) -> CreatorQuote:
        best = self.rfq().best(side)
        assert best is not None
        return best

    def doubts(self) -> list[tuple[RfqDoubtKind, str | None]]:
        return [(each.kind, each.quote_id) for each in self.creator.doubts()]

    def opened(self, *quotes: Quote, **more: Any) -> Desk:
        self.feed(request(**more), ack(), *(quotes or (told("q1", maker="bob"),)))
        return self

    def accept(self, side: Side = BUY, cl_ord_id: str = "c1", **more: Any) -> AcceptQuote:
        return self.creator.accept(self.rfq(), self.best(side), side, cl_ord_id, **more)

    def by_order(self, side: Side = BUY, cl_ord_id: str = "c1", **more: Any) -> NewOrderSingle:
        return self.creator.accept_by_order(self.rfq(), self.best(side), side, cl_ord_id, **more)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    # A dump restores the complete state at any time.
    dumped = json.loads(json.dumps(desk.creator.dump()))
    other = RfqCreator()
    other.load(dumped)
    assert other.dump() == desk.creator.dump()
    assert other.exposure() == desk.creator.exposure()
    assert other.next_deadline() == desk.creator.next_deadline()
    assert len(other.doubts()) == len(desk.creator.doubts())


# --- from a request to a trade --------------------------------------------------------------------------


def test_a_quote_is_accepted_and_executed(desk: Desk) -> None:
    asked = desk.creator.ask(request())
    assert (asked.state, len(desk.creator), list(desk.creator)) == (RfqState.SENT, 1, [asked])
    [update] = desk.feed(MessageReceived(ack()))
    assert (update.rfq, update.before, asked.state) == (asked, RfqState.SENT, RfqState.OPEN)
    [update] = desk.feed(told("q1", maker="bob"))
    assert update.quote is desk.best()
    assert (desk.best().price(BUY), desk.best().price(SELL)) == (d("0.45"), d("0.40"))
    message = desk.accept(quantity="60")
    assert message == AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY, order_qty=60, cl_ord_id="c1")
    assert asked.state is RfqState.ACCEPTING
    exposure = Exposure(d(60), d(0), d("27.00"))
    assert desk.creator.exposure() == desk.creator.exposure(MARKET) == exposure
    assert desk.creator.exposure(COMBO) == Exposure()
    [update] = desk.feed(accept_status("q1", 0, "c1", accepted_quote_id="q1"))
    assert update.answered is asked.acceptance
    assert (asked.state, desk.creator.exposure()) == (RfqState.ACCEPTED, exposure)
    assert desk.creator.next_deadline() == at(30 + 15 + 5)
    desk.feed(report("c1", ExecType.PENDING_NEW, 0), report("c1", filled=60), report("c1", filled=20))
    assert (asked.state, asked.is_over, asked.acceptances[0].filled) == (RfqState.EXECUTED, True, d(60))
    assert (desk.creator.exposure(), desk.creator.next_deadline(), asked.quotes) == (Exposure(), None, {})


def test_a_combination_is_requested_by_its_legs(desk: Desk) -> None:
    message = QuoteRequest.for_combination(
        quote_req_id="r1",
        multivariate_collection_ticker="KXCOMBO",
        multivariate_selected_legs=[LEG],
        cash_order_qty="45",
    )
    asked = desk.creator.ask(message)
    assert (asked.symbol, asked.collection, len(asked.legs), asked.cash) == (None, "KXCOMBO", 1, d(45))
    desk.feed(ack(symbol=COMBO), told("q1", bid_size=None, offer_size=None))
    assert asked.symbol == COMBO
    desk.accept()
    assert desk.creator.exposure(COMBO) == Exposure(d(100), d(0), d(45))
    desk.feed(accept_status("q1", 0, "c1"))
    assert desk.creator.next_deadline() == at(3 + 1 + 5)


@pytest.mark.parametrize(("side", "cost"), [(BUY, "45.00"), (SELL, "60.00")])
def test_exposure_is_the_cost_of_the_side(desk: Desk, side: Side, cost: str) -> None:
    desk.opened().accept(side)
    found = desk.creator.exposure()
    assert (found.bought, found.sold, found.cost) == (
        d(100 if side is BUY else 0),
        d(0 if side is BUY else 100),
        d(cost),
    )


def test_a_quote_is_accepted_by_an_order_with_its_id(desk: Desk) -> None:
    desk.opened(alloc_account=3)
    message = desk.by_order(cancel_order_on_pause=True)
    assert (message.quote_id, message.rfq_id, message.price, message.order_qty) == (
        "q1",
        "R1",
        d("0.45"),
        d(100),
    )
    assert (message.alloc_account, message.cancel_order_on_pause) == (3, True)
    desk.feed(report("c1", ExecType.PENDING_NEW, 0), accept_status("q1", 0, "c1"), report("c1"))
    assert desk.state() is RfqState.EXECUTED


def test_prices_of_orders_on_a_session_in_cents_are_no_worse_than_the_quote(desk: Desk) -> None:
    desk.feed(logged_on(dollars=False))
    desk.opened(told("q1", "0.4012", "0.5512"))
    assert desk.by_order(BUY).price == d(45)  # of 44.88
    other = Desk()
    other.feed(logged_on(dollars=False))
    assert other.opened(told("q1", "0.4012", "0.5512")).by_order(SELL).price == d(40)


def test_customers_of_clearing_members_are_repeated_in_requests(desk: Desk) -> None:
    desk.opened(party_ids=[Party(party_id="cust", party_role=24)])
    assert desk.accept().party_ids[0].party_id == "cust"
    assert desk.creator.cancel(desk.rfq()).party_ids[0].party_role == 24


# --- the best quote -------------------------------------------------------------------------------------


def test_the_best_quote_has_the_best_price_then_the_highest_age(desk: Desk) -> None:
    desk.opened(
        told("a", "0.40", "0.50", "ann", seconds=3),
        told("b", "0.42", "0.50", "bob", seconds=2),
        told("c", "0.42", None, "cat", seconds=1),
        told("e", "0", "0.49", "eve", seconds=4),
    )
    assert (desk.best(BUY).quote_id, desk.best(SELL).quote_id) == ("b", "c")
    assert desk.rfq().quotes["c"].price(BUY) is None
    assert Desk().opened(told("x", None, "0.4")).rfq().best(SELL) is None


def test_the_newest_quote_of_each_maker_counts_in_any_order_of_arrival() -> None:
    quotes = [
        received(
            told(f"q{number}", f"0.{40 + number}", None, "bob" if number % 2 else "cat", seconds=1),
            number,
            number,
        )
        for number in range(1, 9)
    ]
    found = set()
    for seed in range(10):
        desk = Desk()
        desk.feed(request())
        events = [*quotes, received(ack(), 0, 1), *quotes[:3]]
        Random(seed).shuffle(events)
        desk.feed(*events)
        found.add(tuple(sorted(desk.rfq().quotes)))
        assert desk.best(SELL).quote_id == "q8"
    assert found == {("q7", "q8")}


def test_invalid_quotes_are_reported(desk: Desk) -> None:
    desk.opened()
    bad = [told(LONG), told("x", "0", None), told("x", "0.6", "0.6"), told("x", "-0.1", "0.6")]
    assert desk.kinds(*bad, unreadable("35=S|34=2|117=x|132=0.4|")) == [Kind.UNREADABLE] * 5
    assert list(desk.rfq().quotes) == ["q1"]


def test_a_refused_acceptance_removes_the_quote(desk: Desk) -> None:
    desk.opened(told("a", offer="0.50", maker="ann"), told("b", offer="0.49", maker="bob"))
    desk.accept()
    [update] = desk.feed(accept_status("a", 1, "c1", text="EXPIRED"))
    assert update.answered is desk.rfq().acceptances[0]
    assert (desk.state(), desk.best().quote_id, desk.rfq().quotes["a"].gone) == (
        RfqState.OPEN,
        "b",
        "EXPIRED",
    )
    desk.accept(cl_ord_id="c2")
    desk.feed(accept_status("b", 1, "c2", text="TRADING_PAUSED"), accept_status("b", 1, "c2", text="again"))
    assert (desk.best().quote_id, desk.rfq().acceptances[1].text) == ("b", "TRADING_PAUSED")
    assert desk.creator.exposure() == Exposure()


# --- which quotes can be accepted -----------------------------------------------------------------------


def test_one_acceptance_at_a_time(desk: Desk) -> None:
    desk.opened()
    quote = desk.best()
    desk.accept()
    with pytest.raises(RfqRequestError, match="takes no acceptance"):
        desk.accept(cl_ord_id="c2")
    desk.feed(accept_status("q1", 1, "c1"))
    with pytest.raises(RfqRequestError, match="c1 belongs"):
        desk.accept()
    with pytest.raises(RfqRequestError, match="no price"):
        desk.creator.accept(desk.rfq(), CreatorQuote("q1", MARKET, d("0.4")), BUY, "c2")
    with pytest.raises(RfqRequestError, match="does not stand"):
        desk.creator.accept(desk.rfq(), CreatorQuote("q9", MARKET, d("0.4")), SELL, "c2")
    quote.bid_size = quote.offer_size = quote.contracts = None
    with pytest.raises(RfqRequestError, match="its size"):
        desk.by_order(cl_ord_id="c2")
    assert desk.by_order(cl_ord_id="c2", quantity=3).order_qty == 3


@pytest.mark.parametrize(
    ("asked", "accepted", "quantity"),
    [
        ({}, {"quantity": 5}, "5"),
        ({}, {}, "80"),
        ({"rest_remainder": True}, {"quantity": 5}, "80"),
        ({}, {"prefer_better": True}, "90"),
    ],
)
def test_contracts_that_may_trade(
    desk: Desk, asked: dict[str, Any], accepted: dict[str, Any], quantity: str
) -> None:
    desk.opened(told("a", offer="0.5", offer_size=80), told("b", offer="0.4", offer_size=90), **asked)
    desk.accept(**accepted)
    assert desk.creator.exposure().bought == d(quantity)


def test_a_better_quote_taken_instead_gives_the_price(desk: Desk) -> None:
    desk.opened(told("a", offer="0.4"), told("b", offer="0.5"))
    rfq = desk.rfq()
    desk.creator.accept(rfq, rfq.quotes["a"], BUY, "c1", prefer_better=True)
    assert rfq.acceptances[0].price == d("0.6")
    desk.feed(accept_status("a", 0, "c1", accepted_quote_id="b"))
    assert (rfq.acceptances[0].price, rfq.acceptances[0].accepted_quote_id) == (d("0.5"), "b")
    other = Desk().opened()
    other.accept()
    other.feed(accept_status("q1", 0, "c1", accepted_quote_id="unheard"), accept_status("q1", 0, "c1"))
    assert other.rfq().acceptances[0].price == d("0.45")


# --- the end of a request -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (ended(code=0), RfqState.CANCELED),
        (ended("R1", code=0), RfqState.CANCELED),
        (ended("?", code=2, rfq_id="R1"), RfqState.EXPIRED),
        (over("r1", "ended"), RfqState.REFUSED),
    ],
)
def test_a_request_that_is_over_cannot_trade(desk: Desk, end: object, state: RfqState) -> None:
    desk.opened().accept()
    desk.feed(accept_status("q1", 0, "c1"))
    [update] = desk.feed(end)
    assert (update.before, desk.state()) == (RfqState.ACCEPTED, state)
    assert (desk.creator.exposure(), desk.creator.next_deadline(), desk.rfq().quotes) == (
        Exposure(),
        None,
        {},
    )
    desk.feed(told("late"))
    assert desk.rfq().quotes == {}
    with pytest.raises(RfqRequestError, match="is over"):
        desk.creator.cancel(desk.rfq())


def test_a_refused_cancel_keeps_the_request(desk: Desk) -> None:
    desk.opened()
    assert desk.creator.cancel(desk.rfq()) == RFQCancel(quote_req_id="r1")
    desk.feed(RFQCancel(rfq_id="R1"), RFQCancel(rfq_id="?"), ended(code=1, text="no"))
    assert (desk.state(), desk.rfq().text) == (RfqState.OPEN, "no")


def test_a_refused_request_is_over_and_its_id_is_free(desk: Desk) -> None:
    desk.feed(request(), over("r1", "too many"))
    assert (desk.state(), desk.rfq().text) == (RfqState.REFUSED, "too many")
    [update] = desk.feed(request())
    assert (update.before, desk.state()) == (None, RfqState.SENT)
    with pytest.raises(RfqRequestError, match="take another"):
        desk.feed(request())


@pytest.mark.parametrize("early", [False, True])
def test_a_rejected_order_ends_the_acceptance_or_the_request(early: bool) -> None:
    rejected = report("c1", ExecType.REJECTED, 0, "EXPIRED")
    # Before the quote was taken, the acceptance itself was refused; the order of the messages does not
    # matter.
    desk = Desk().opened()
    desk.by_order()
    desk.feed(rejected)
    assert (desk.state(), desk.rfq().acceptances[0].is_refused) == (RfqState.OPEN, True)
    desk = Desk().opened()
    desk.by_order()
    both = [accept_status("q1", 0, "c1"), rejected]
    desk.feed(*(reversed(both) if early else both))
    assert (desk.state(), desk.creator.exposure()) == (RfqState.FAILED, Exposure())
    desk = Desk().opened()
    desk.accept()
    desk.feed(rejected)
    assert (desk.state(), desk.rfq().acceptances[0].text) == (RfqState.FAILED, "EXPIRED")


def test_a_session_reject_refuses_the_message_it_refers_to(desk: Desk) -> None:
    reject = BusinessMessageReject(ref_seq_num=2, ref_msg_type="UA", business_reject_reason=0, text="no")
    desk.opened()
    desk.feed(RejectReceived(reject, 2, desk.accept()))
    assert (desk.state(), desk.rfq().acceptances[0].text) == (RfqState.OPEN, "no")
    desk.feed(RejectReceived(reject, 2, desk.by_order(cl_ord_id="c2")))
    assert desk.state() is RfqState.OPEN
    desk.feed(RejectReceived(reject, 2, desk.creator.cancel(desk.rfq())))
    assert (desk.state(), desk.rfq().text) == (RfqState.OPEN, "no")
    desk.feed(RejectReceived(reject, 2, request()))
    assert desk.state() is RfqState.REFUSED
    others = (
        RFQCancel(rfq_id="?"),
        AcceptQuote(quote_id="?", side=BUY),
        MarketDataRequest.subscribe("A"),
        None,
    )
    assert [desk.feed(RejectReceived(reject, 3, other)) for other in others] == [[]] * 4


def test_an_unsent_message_is_withdrawn(desk: Desk) -> None:
    desk.creator.withdraw(request("?"))
    desk.feed(request())
    desk.creator.withdraw(request())
    assert desk.creator.rfq("r1") is None
    desk.opened()
    desk.creator.withdraw(request())  # it was sent after all
    for make in (desk.accept, desk.by_order):
        message: Message = make()
        desk.creator.withdraw(message)
        desk.creator.withdraw(message)
        assert (desk.state(), desk.creator.exposure()) == (RfqState.OPEN, Exposure())
    cancel = desk.creator.cancel(desk.rfq())
    for each in (cancel, RFQCancel(rfq_id="?"), MarketDataRequest.subscribe("A")):
        desk.creator.withdraw(each)
    message = desk.accept()
    desk.feed(accept_status("q1", 0, "c1"))
    desk.creator.withdraw(message)
    assert desk.state() is RfqState.ACCEPTED


def test_an_acceptance_may_be_applied_from_a_user_or_a_log(desk: Desk) -> None:
    desk.opened()
    plain = AcceptQuote(quote_id="q1", side=BUY)
    [update] = desk.feed(plain)
    assert (update.before, desk.state()) == (RfqState.OPEN, RfqState.ACCEPTING)
    assert desk.feed(plain) == []
    desk.feed(accept_status("q1"))
    assert desk.state() is RfqState.ACCEPTED
    # A quote that was not received: it costs at most a dollar per contract.
    for side in (BUY, SELL):
        other = Desk()
        other.feed(request(), ack(), AcceptQuote(quote_id="?", rfq_id="R1", side=side))
        assert other.creator.exposure().cost == d(100)
    unknown_order = NewOrderSingle(
        cl_ord_id="z", order_qty=1, ord_type="2", price="0.5", side=BUY, symbol=MARKET, quote_id="?"
    )
    assert desk.feed(AcceptQuote(quote_id="?", side=BUY), unknown_order, heard()) == []
    assert desk.feed(MessageReceived(request("theirs"))) == []
    assert len(desk.creator) == 1
    other = Desk()
    other.feed(QuoteRequest(quote_req_id="r1"), ack(), AcceptQuote(quote_id="?", rfq_id="R1", side=BUY))
    assert other.creator.exposure() == Exposure()


# --- timeouts and disconnects ---------------------------------------------------------------------------


def test_an_overdue_trade_is_in_doubt_and_stays_exposure(desk: Desk) -> None:
    desk.opened().accept()
    assert desk.creator.next_deadline() is None
    desk.feed(received(accept_status("q1", 0, "c1"), -2))
    assert desk.creator.next_deadline() == at(48)
    exposure = desk.creator.exposure()
    assert desk.creator.handle_timer(at(47)) == []
    [update] = desk.creator.handle_timer(at(48))
    assert (update.before, desk.state()) == (RfqState.ACCEPTED, RfqState.UNKNOWN)
    assert desk.doubts() == [(RfqDoubtKind.EXECUTION_UNKNOWN, "q1")]
    desk.creator.handle_timer(at(1))
    desk.creator.handle_timer(at(3600))
    assert (desk.doubts(), desk.creator.exposure()) == ([(RfqDoubtKind.EXECUTION_UNKNOWN, "q1")], exposure)
    desk.feed(Copied(report("c1")))
    assert (desk.doubts(), desk.state()) == ([], RfqState.EXECUTED)


@pytest.mark.parametrize("lost", ["the answer", "the report"])
@pytest.mark.parametrize(
    ("range_", "proves"),
    [
        (covered(), True),
        (covered(seconds=DUE - 1), False),
        (covered(seconds=None), False),
        (covered("5;2"), False),
        (covered("5;1;1"), False),
        (covered(end="9;9"), False),
    ],
)
def test_a_range_of_drop_copy_without_its_order_ends_the_exposure(
    desk: Desk, lost: str, range_: Covered, proves: bool
) -> None:
    desk.opened().feed(traded("5;1"))
    desk.accept()
    desk.feed(unknown(("UA", "q1")) if lost == "the answer" else accept_status("q1", 0, "c1"))
    assert desk.creator.next_deadline() == at(DUE)
    desk.seconds = DUE - 1
    assert (desk.feed(traded("6;1")), desk.creator.copy_from(at(DUE - 1))) == ([], {})
    desk.seconds = DUE
    desk.creator.handle_timer(at(DUE))
    exposure = desk.creator.exposure()
    assert (desk.state(), desk.creator.copy_from(at(DUE))) == (RfqState.UNKNOWN, {0: ExecKey(0, 5, 1)})
    assert desk.creator.copy_from(at(DUE), {0: ExecKey(0, 6, 1)}) == {}
    updates = desk.feed(range_)
    if proves:
        [update] = updates
        assert (update.before, update.answered) == (RfqState.UNKNOWN, desk.rfq().acceptances[0])
        assert (desk.state(), desk.doubts()) == (RfqState.OPEN, [])
        assert (desk.creator.exposure(), desk.creator.copy_from(at(DUE))) == (Exposure(), {})
    else:
        assert (updates, desk.creator.exposure()) == ([], exposure)
    assert desk.creator.next_deadline() is None
    desk.feed(report("c1"))
    assert desk.state() is RfqState.EXECUTED


def test_reports_from_before_the_quote_precede_the_order_even_if_received_late(desk: Desk) -> None:
    desk.opened(over_the_wire(told("q1"), at=at(3)))
    desk.accept()
    desk.feed(unknown(("UA", "q1")))
    desk.feed(traded("5;1", 3), traded("4;1", 2))
    assert desk.creator.copy_from(at(DUE)) == {0: ExecKey(0, 4, 1)}


def test_reports_received_before_a_lost_acceptance_was_known_need_not_precede_its_order(desk: Desk) -> None:
    desk.opened().feed(traded("5;1"))
    desk.seconds = 60
    desk.feed(unanswered(AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY, cl_ord_id="c1")))
    assert desk.doubts() == [(RfqDoubtKind.ACCEPT_UNKNOWN, "q1")]
    assert desk.creator.next_deadline() == at(60 + DUE)
    assert desk.creator.copy_from(at(60 + DUE)) == {}


def test_without_a_cl_ord_id_drop_copy_is_not_conclusive(desk: Desk) -> None:
    desk.opened().feed(
        traded("5;1"), AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY), unknown(("UA", "q1"))
    )
    desk.seconds = DUE
    desk.feed(covered())
    assert (desk.state(), desk.creator.copy_from(at(DUE))) == (RfqState.UNKNOWN, {})


def test_the_ack_gives_the_shard_of_the_market(desk: Desk) -> None:
    other = traded("5;1;2")
    other.report.symbol = LONG
    desk.feed(other, request(), ack(ex_destination=2), told("q1"))
    desk.accept()
    desk.feed(unknown(("UA", "q1")))
    assert desk.creator.copy_from(at(DUE)) == {2: ExecKey(2, 5, 1)}


def test_a_late_report_is_reported_once() -> None:
    desk = Desk().opened()
    desk.accept()
    desk.feed(accept_status("q1", 0, "c1"))
    desk.seconds = 60
    [update] = desk.feed(report("c1"))
    assert (update.before, desk.state()) == (RfqState.ACCEPTED, RfqState.EXECUTED)


def test_a_disconnect_on_a_session_with_resend_leaves_no_doubt(desk: Desk) -> None:
    desk.opened().accept()
    assert desk.feed(logged_on(), ENDED, logged_on()) == []
    desk.feed(accept_status("q1", 0, "c1"))
    assert desk.state() is RfqState.ACCEPTED


@pytest.mark.parametrize(
    "lost",
    [
        MessagesLost(3, 9),
        SequenceSkipped(3, 9, False),
        logged_on(reset=True),
        MessageRejected(None, ()),
        MessageRejected(ack(), ()),
    ],
)
def test_lost_messages_leave_doubts(desk: Desk, lost: object) -> None:
    desk.feed(request("r2"), ack("r2", "R2"), request("r3"), request("r4"), over("r4"))
    desk.opened().accept()
    desk.seconds = 5
    desk.feed(lost, lost)
    unknown_rfq = RfqDoubtKind.RFQ_UNKNOWN, None
    assert desk.doubts() == [unknown_rfq, unknown_rfq, (RfqDoubtKind.ACCEPT_UNKNOWN, "q1")]
    assert {doubt.since for doubt in desk.creator.doubts()} == {at(5)}
    assert [str(doubt) for doubt in Doubts(desk.creator)][:2] == [
        f"request {name}: whether the venue has the request since 2026-11-21 12:00:05 UTC; ask REST"
        for name in ("r2", "r3")
    ]
    assert len(Doubts(desk.creator).by_remedy(at(5))[Remedy.DROP_COPY]) == 1
    assert desk.creator.exposure() != Exposure()
    # A quote shows that its request is open, an answer that it was taken.
    desk.feed(told("x", rfq_id="R2"), ack("r3", "R3"), accept_status("q1", 0, "c1"))
    assert desk.doubts() == []


def test_requests_without_an_outcome_are_in_doubt(desk: Desk) -> None:
    desk.feed(request("r2"), unknown(("R", "r2"), ("D", "?"), ("F", "x")))
    assert desk.doubts() == [(RfqDoubtKind.RFQ_UNKNOWN, None)]
    desk.feed(request("r2"))  # a new request: the venue itself reports whether it has the previous one
    desk.opened().accept()
    desk.feed(unknown(("UA", "q1")))
    assert desk.doubts() == [(RfqDoubtKind.ACCEPT_UNKNOWN, "q1")]
    with pytest.raises(RfqRequestError, match="takes no acceptance"):
        desk.accept(cl_ord_id="c2")
    desk.feed(accept_status("q1", 1, "c1"))
    desk.by_order(cl_ord_id="c2")
    desk.feed(unknown(("D", "c2")))
    assert desk.doubts() == [(RfqDoubtKind.ACCEPT_UNKNOWN, "q1")]
    desk.feed(ended())
    desk.feed(unknown(("D", "c2"), ("UE", "r1")))
    assert desk.doubts() == []


def test_a_refused_report_or_an_unknown_outcome_leaves_a_doubt(desk: Desk) -> None:
    desk.opened().accept()
    desk.feed(MessageRejected(told("x"), ()), MessageRejected(report("?"), ()))
    assert desk.doubts() == []
    desk.feed(MessageRejected(report("c1"), ()))
    assert desk.doubts() == [(RfqDoubtKind.ACCEPT_UNKNOWN, "q1")]
    other = Desk().opened()
    other.by_order()
    other.feed(report("c1", ExecType.REJECTED, 0, ExecutionReportText.EXCHANGE_UNAVAILABLE))
    assert other.doubts() == [(RfqDoubtKind.ACCEPT_UNKNOWN, "q1")]
    other.feed(MessageRejected(report("c1"), (), comes_again=True), report("c1"))
    assert other.state() is RfqState.EXECUTED
    other.feed(MessageRejected(report("c1"), ()))
    assert other.doubts() == []


@pytest.mark.parametrize("state", ["OPEN", "ACCEPTED", "EXECUTED", "FAILED", "CANCELED", "EXPIRED"])
def test_a_resolution_by_the_user_ends_a_doubt(desk: Desk, state: str) -> None:
    desk.opened().accept()
    desk.feed(accept_status("q1", 0, "c1"), MessagesLost(3, 9))
    desk.creator.resolve(desk.rfq(), RfqState[state])
    assert (desk.state(), desk.doubts()) == (RfqState[state], [])
    assert (desk.creator.exposure() == Exposure()) is (state != "ACCEPTED")


def test_invalid_resolutions_are_refused(desk: Desk) -> None:
    desk.opened()
    for state in (RfqState.SENT, RfqState.EXECUTED):
        with pytest.raises(RfqRequestError, match="cannot be found"):
            desk.creator.resolve(desk.rfq(), state)
    desk.feed(MessagesLost(3, 9))
    desk.creator.resolve(desk.rfq(), RfqState.OPEN)
    assert desk.state() is RfqState.OPEN


# --- unexpected messages and bounds ---------------------------------------------------------------------


def test_messages_about_unknown_objects_are_reported(desk: Desk) -> None:
    found = desk.kinds(ack("?"), over("?"), ended("?"), accept_status("?"))
    assert found == [Kind.UNKNOWN_RFQ] * 3 + [Kind.UNKNOWN_QUOTE]
    assert desk.feed(report("?")) == []


def test_unreadable_messages_are_reported(desk: Desk) -> None:
    desk.feed(request())
    assert desk.kinds(ack(rfq_id=None), ack(rfq_id=LONG), ack(symbol=LONG)) == [Kind.UNREADABLE] * 3
    assert desk.state() is RfqState.SENT
    desk.feed(ack(), ack(rfq_id="other"), told("q1"))
    desk.accept()
    assert desk.kinds(accept_status("q1", 7, "c1"), ended(code=7)) == [Kind.UNREADABLE] * 2
    assert (desk.state(), desk.rfq().rfq_id) == (RfqState.ACCEPTING, "R1")


def test_requests_that_are_over_are_evicted_for_new_ones() -> None:
    desk = Desk(max_rfqs=2)
    desk.opened().accept()
    desk.feed(accept_status("q1", 0, "c1"), report("c1"))
    desk.feed(request("r2"), request("r3"), request("r4"))
    assert [rfq.quote_req_id for rfq in desk.creator] == ["r2", "r3", "r4"]
    assert (desk.creator._by_rfq_id, desk.creator._accepted, desk.creator._at_stake) == ({}, {}, {})


def test_quotes_and_acceptances_are_bounded() -> None:
    desk = Desk(max_quotes=2)
    desk.opened(told("a"), told("b"))
    assert desk.kinds(told("c")) == [Kind.TOO_MANY]
    for number in range(2 * MAX_ACCEPTANCES):
        desk.accept(cl_ord_id=f"c{number}")
        desk.feed(accept_status("a", 1, f"c{number}", text="TRADING_PAUSED"))
    assert len(desk.rfq().acceptances) == MAX_ACCEPTANCES
    assert len(desk.creator._accepted) == MAX_ACCEPTANCES + 1
    for number in range(MAX_EARLY + 5):
        desk.feed(told(f"e{number}", rfq_id=f"X{number}"))
    assert len(desk.creator._early) == MAX_EARLY


def test_high_volatility_markets_are_configurable() -> None:
    desk = Desk(volatile_symbols={MARKET}, grace=1)
    desk.opened().accept()
    desk.feed(accept_status("q1", 0, "c1"))
    assert desk.creator.next_deadline() == at(5)


@pytest.mark.parametrize(
    "broken",
    [{"version": VERSION + 1}, {"version": VERSION}, {"version": VERSION, "now": None, "dollars": 0}],
)
def test_an_invalid_dump_is_refused_and_changes_nothing(desk: Desk, broken: dict[str, Any]) -> None:
    desk.opened()
    with pytest.raises(ValueError, match=r"of version|RfqCreator\.dump"):
        desk.creator.load(broken)
    assert desk.state() is RfqState.OPEN


def test_a_dump_contains_quotes_received_before_their_request_was_known(desk: Desk) -> None:
    desk.feed(request(), told("q1", "0.4", None))
    other = Desk()
    other.creator.load(json.loads(json.dumps(desk.creator.dump())))
    other.feed(ack())
    assert other.best(SELL).bid == Decimal("0.4")
