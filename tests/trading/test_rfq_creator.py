"""A creator's RFQs after quotes, acceptances, timeouts and disconnects."""

from __future__ import annotations

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
from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION, RFQ_EXECUTION
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    MessagesLost,
    RejectReceived,
    SequenceSkipped,
)
from kalshi_fix_sansio.trading import (
    CreatorQuote,
    CreatorRfq,
    DropCopyRange,
    DropCopyReport,
    ExecKey,
    Exposure,
    Remedy,
    RfqCreator,
    RfqDiscrepancyKind,
    RfqRequestError,
    RfqState,
    UncertainItems,
    UncertainRfqKind,
)
from kalshi_fix_sansio.trading.rfq.creator import MAX_ACCEPTANCES, MAX_EARLY_QUOTES
from tests.trading.order_flow import SESSION_ENDED, at, d, over_the_wire, unanswered
from tests.trading.rfq_flow import (
    COMBO,
    LEG,
    LONG_ID,
    MARKET,
    OVERDUE_AT,
    WINDOWS,
    RfqHarness,
    accept_status,
    ack,
    covered,
    forwarded_quote,
    incoming_rfq,
    logged_on,
    received,
    report,
    rfq_cancel_status,
    rfq_reject,
    traded,
    unknown,
    unreadable,
)

BUY, SELL = Side.BUY, Side.SELL
Kind = RfqDiscrepancyKind


def request(quote_req_id: str = "r1", quantity: Any = 100, **more: Any) -> QuoteRequest:
    return QuoteRequest.for_market(quote_req_id=quote_req_id, symbol=MARKET, order_qty=quantity, **more)


class Harness(RfqHarness):
    def __init__(self, *, windows: dict[str, Any] = WINDOWS, **more: Any) -> None:
        self.creator = RfqCreator(**(windows | more))
        super().__init__(self.creator)

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

    def opened(self, *quotes: Quote, **more: Any) -> Harness:
        self.feed(request(**more), ack(), *(quotes or (forwarded_quote("q1", maker="bob"),)))
        return self

    def accept(self, side: Side = BUY, cl_ord_id: str = "c1", **more: Any) -> AcceptQuote:
        return self.creator.accept(self.rfq(), self.best(side), side, cl_ord_id, **more)

    def by_order(self, side: Side = BUY, cl_ord_id: str = "c1", **more: Any) -> NewOrderSingle:
        return self.creator.accept_by_order(self.rfq(), self.best(side), side, cl_ord_id, **more)


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness()
    yield harness
    # After each test a dump must restore the complete state.
    harness.check_dump(Harness().creator)


# --- from a request to a trade --------------------------------------------------------------------------


def test_a_quote_is_accepted_and_executed(harness: Harness) -> None:
    requested = harness.creator.request(request())
    assert (requested.state, len(harness.creator), list(harness.creator)) == (RfqState.SENT, 1, [requested])
    [update] = harness.feed(MessageReceived(ack()))
    assert (update.rfq, update.before, requested.state) == (requested, RfqState.SENT, RfqState.OPEN)
    [update] = harness.feed(forwarded_quote("q1", maker="bob"))
    assert update.quote is harness.best()
    assert (harness.best().price(BUY), harness.best().price(SELL)) == (d("0.45"), d("0.40"))
    message = harness.accept(quantity="60")
    assert message == AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY, order_qty=60, cl_ord_id="c1")
    assert requested.state is RfqState.ACCEPTING
    exposure = Exposure(d(60), d(0), d("27.00"))
    assert harness.creator.exposure() == harness.creator.exposure(MARKET) == exposure
    assert harness.creator.exposure(COMBO) == Exposure()
    [update] = harness.feed(accept_status("q1", 0, "c1", accepted_quote_id="q1"))
    assert update.answered is requested.acceptance
    assert (requested.state, harness.creator.exposure()) == (RfqState.ACCEPTED, exposure)
    assert harness.creator.next_deadline() == at(30 + 15 + 5)
    harness.feed(report("c1", ExecType.PENDING_NEW, 0), report("c1", cum_qty=60), report("c1", cum_qty=20))
    assert (requested.state, requested.has_ended) == (RfqState.EXECUTED, True)
    assert requested.acceptances[0].cum_qty == d(60)
    assert harness.creator.exposure() == Exposure()
    assert harness.creator.next_deadline() is None
    assert requested.quotes == {}


def test_a_combination_is_requested_by_its_legs(harness: Harness) -> None:
    message = QuoteRequest.for_combination(
        quote_req_id="r1",
        multivariate_collection_ticker="KXCOMBO",
        multivariate_selected_legs=[LEG],
        cash_order_qty="45",
    )
    requested = harness.creator.request(message)
    assert (requested.symbol, requested.collection) == (None, "KXCOMBO")
    assert len(requested.legs) == 1
    assert requested.cash == d(45)
    harness.feed(ack(symbol=COMBO), forwarded_quote("q1", bid_size=None, offer_size=None))
    assert requested.symbol == COMBO
    harness.accept()
    assert harness.creator.exposure(COMBO) == Exposure(d(100), d(0), d(45))
    harness.feed(accept_status("q1", 0, "c1"))
    assert harness.creator.next_deadline() == at(3 + 1 + 5)


@pytest.mark.parametrize(("side", "cost"), [(BUY, "45.00"), (SELL, "60.00")])
def test_exposure_is_the_cost_of_the_side(harness: Harness, side: Side, cost: str) -> None:
    harness.opened().accept(side)
    found = harness.creator.exposure()
    assert found.bought == d(100 if side is BUY else 0)
    assert found.sold == d(0 if side is BUY else 100)
    assert found.cost == d(cost)


def test_a_quote_is_accepted_by_an_order_with_its_id(harness: Harness) -> None:
    harness.opened(alloc_account=3)
    message = harness.by_order(cancel_order_on_pause=True)
    assert message.quote_id == "q1"
    assert message.rfq_id == "R1"
    assert message.price == d("0.45")
    assert message.order_qty == d(100)
    assert (message.alloc_account, message.cancel_order_on_pause) == (3, True)
    harness.feed(report("c1", ExecType.PENDING_NEW, 0), accept_status("q1", 0, "c1"), report("c1"))
    assert harness.state() is RfqState.EXECUTED


def test_prices_of_orders_on_a_session_in_cents_are_no_worse_than_the_quote(harness: Harness) -> None:
    harness.feed(logged_on(dollars=False))
    harness.opened(forwarded_quote("q1", "0.4012", "0.5512"))
    assert harness.by_order(BUY).price == d(45)  # the quote is 44.88
    other = Harness()
    other.feed(logged_on(dollars=False))
    assert other.opened(forwarded_quote("q1", "0.4012", "0.5512")).by_order(SELL).price == d(40)


def test_customers_of_clearing_members_are_repeated_in_requests(harness: Harness) -> None:
    harness.opened(party_ids=[Party(party_id="cust", party_role=24)])
    assert harness.accept().party_ids[0].party_id == "cust"
    assert harness.creator.cancel(harness.rfq()).party_ids[0].party_role == 24


# --- the best quote -------------------------------------------------------------------------------------


def test_the_best_quote_has_the_best_price_and_is_the_oldest_among_equals(harness: Harness) -> None:
    harness.opened(
        forwarded_quote("a", "0.40", "0.50", "ann", seconds=3),
        forwarded_quote("b", "0.42", "0.50", "bob", seconds=2),
        forwarded_quote("c", "0.42", None, "cat", seconds=1),
        forwarded_quote("e", "0", "0.49", "eve", seconds=4),
    )
    assert (harness.best(BUY).quote_id, harness.best(SELL).quote_id) == ("b", "c")
    assert harness.rfq().quotes["c"].price(BUY) is None
    assert Harness().opened(forwarded_quote("x", None, "0.4")).rfq().best(SELL) is None


def test_the_newest_quote_of_each_maker_counts_in_any_sequence_of_arrival() -> None:
    quotes = [
        received(
            forwarded_quote(
                f"q{number}", f"0.{40 + number}", None, "bob" if number % 2 else "cat", seconds=1
            ),
            number,
            number,
        )
        for number in range(1, 9)
    ]
    found = set()
    for seed in range(10):
        harness = Harness()
        harness.feed(request())
        events = [*quotes, received(ack(), 0, 1), *quotes[:3]]
        Random(seed).shuffle(events)
        harness.feed(*events)
        found.add(tuple(sorted(harness.rfq().quotes)))
        assert harness.best(SELL).quote_id == "q8"
    assert found == {("q7", "q8")}


def test_invalid_quotes_are_reported(harness: Harness) -> None:
    harness.opened()
    bad = [
        forwarded_quote(LONG_ID),
        forwarded_quote("x", "0", None),
        forwarded_quote("x", "0.6", "0.6"),
        forwarded_quote("x", "-0.1", "0.6"),
        forwarded_quote("x", None, "1"),
        forwarded_quote("x", "1", None),
    ]
    assert harness.kinds(*bad, unreadable("35=S|34=2|117=x|132=0.4|")) == [Kind.UNREADABLE] * 7
    assert list(harness.rfq().quotes) == ["q1"]


def test_a_refused_acceptance_removes_the_quote(harness: Harness) -> None:
    harness.opened(
        forwarded_quote("a", offer="0.50", maker="ann"), forwarded_quote("b", offer="0.49", maker="bob")
    )
    harness.accept()
    [update] = harness.feed(accept_status("a", 1, "c1", text="EXPIRED"))
    assert update.answered is harness.rfq().acceptances[0]
    assert harness.state() is RfqState.OPEN
    assert harness.best().quote_id == "b"
    assert harness.rfq().quotes["a"].gone == "EXPIRED"
    harness.accept(cl_ord_id="c2")
    harness.feed(
        accept_status("b", 1, "c2", text="TRADING_PAUSED"), accept_status("b", 1, "c2", text="again")
    )
    assert (harness.best().quote_id, harness.rfq().acceptances[1].text) == ("b", "TRADING_PAUSED")
    assert harness.creator.exposure() == Exposure()


# --- which quotes can be accepted -----------------------------------------------------------------------


def test_only_one_acceptance_at_a_time_is_allowed(harness: Harness) -> None:
    harness.opened()
    quote = harness.best()
    harness.accept()
    with pytest.raises(RfqRequestError, match=r"no quote for request .* can be accepted"):
        harness.accept(cl_ord_id="c2")
    harness.feed(accept_status("q1", 1, "c1"))
    with pytest.raises(RfqRequestError, match="c1 was used"):
        harness.accept()
    with pytest.raises(RfqRequestError, match="no price"):
        harness.creator.accept(harness.rfq(), CreatorQuote("q1", MARKET, d("0.4")), BUY, "c2")
    with pytest.raises(RfqRequestError, match="is not a quote for"):
        harness.creator.accept(harness.rfq(), CreatorQuote("q9", MARKET, d("0.4")), SELL, "c2")
    quote.bid_size = quote.offer_size = quote.contracts = None
    with pytest.raises(RfqRequestError, match="has no size"):
        harness.by_order(cl_ord_id="c2")
    assert harness.by_order(cl_ord_id="c2", quantity=3).order_qty == 3


@pytest.mark.parametrize(
    ("requested", "accepted", "quantity"),
    [
        ({}, {"quantity": 5}, "5"),
        ({}, {}, "80"),
        ({"rest_remainder": True}, {"quantity": 5}, "80"),
        ({}, {"prefer_better": True}, "90"),
    ],
)
def test_the_contracts_that_may_trade_are_computed(
    harness: Harness, requested: dict[str, Any], accepted: dict[str, Any], quantity: str
) -> None:
    harness.opened(
        forwarded_quote("a", offer="0.5", offer_size=80),
        forwarded_quote("b", offer="0.4", offer_size=90),
        **requested,
    )
    harness.accept(**accepted)
    assert harness.creator.exposure().bought == d(quantity)


def test_a_better_quote_accepted_by_the_venue_determines_the_price(harness: Harness) -> None:
    harness.opened(forwarded_quote("a", offer="0.4"), forwarded_quote("b", offer="0.5"))
    rfq = harness.rfq()
    harness.creator.accept(rfq, rfq.quotes["a"], BUY, "c1", prefer_better=True)
    assert rfq.acceptances[0].price == d("0.6")
    harness.feed(accept_status("a", 0, "c1", accepted_quote_id="b"))
    assert (rfq.acceptances[0].price, rfq.acceptances[0].accepted_quote_id) == (d("0.5"), "b")
    other = Harness().opened()
    other.accept()
    other.feed(accept_status("q1", 0, "c1", accepted_quote_id="unheard"), accept_status("q1", 0, "c1"))
    assert other.rfq().acceptances[0].price == d("0.45")


# --- the end of a request -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (rfq_cancel_status(code=0), RfqState.CANCELED),
        (rfq_cancel_status("R1", code=0), RfqState.CANCELED),
        (rfq_cancel_status("?", code=2, rfq_id="R1"), RfqState.EXPIRED),
        (rfq_reject("r1", "ended"), RfqState.REFUSED),
    ],
)
def test_a_request_that_is_over_cannot_trade(harness: Harness, end: object, state: RfqState) -> None:
    harness.opened().accept()
    harness.feed(accept_status("q1", 0, "c1"))
    [update] = harness.feed(end)
    assert (update.before, harness.state()) == (RfqState.ACCEPTED, state)
    assert harness.creator.exposure() == Exposure()
    assert harness.creator.next_deadline() is None
    assert harness.rfq().quotes == {}
    harness.feed(forwarded_quote("late"))
    assert harness.rfq().quotes == {}
    with pytest.raises(RfqRequestError, match="has ended"):
        harness.creator.cancel(harness.rfq())


def test_a_refused_cancel_keeps_the_request(harness: Harness) -> None:
    harness.opened()
    assert harness.creator.cancel(harness.rfq()) == RFQCancel(quote_req_id="r1")
    harness.feed(RFQCancel(rfq_id="R1"), RFQCancel(rfq_id="?"), rfq_cancel_status(code=1, text="no"))
    assert (harness.state(), harness.rfq().text) == (RfqState.OPEN, "no")


def test_a_refused_request_is_over_and_its_id_is_free(harness: Harness) -> None:
    harness.feed(request(), rfq_reject("r1", "too many"))
    assert (harness.state(), harness.rfq().text) == (RfqState.REFUSED, "too many")
    [update] = harness.feed(request())
    assert (update.before, harness.state()) == (None, RfqState.SENT)
    with pytest.raises(RfqRequestError, match="use another"):
        harness.feed(request())


@pytest.mark.parametrize("order_first", [False, True])
def test_a_rejected_order_ends_the_acceptance_or_the_request(order_first: bool) -> None:
    rejected = report("c1", ExecType.REJECTED, 0, "EXPIRED")
    # If only the rejection is received, the acceptance itself was refused. If the venue's answer is received
    # too, before or after the rejection, the order has failed.
    harness = Harness().opened()
    harness.by_order()
    harness.feed(rejected)
    assert (harness.state(), harness.rfq().acceptances[0].is_refused) == (RfqState.OPEN, True)
    harness = Harness().opened()
    harness.by_order()
    both = [accept_status("q1", 0, "c1"), rejected]
    harness.feed(*(reversed(both) if order_first else both))
    assert (harness.state(), harness.creator.exposure()) == (RfqState.FAILED, Exposure())
    harness = Harness().opened()
    harness.accept()
    harness.feed(rejected)
    assert (harness.state(), harness.rfq().acceptances[0].text) == (RfqState.FAILED, "EXPIRED")


def test_a_session_reject_refuses_the_message_it_refers_to(harness: Harness) -> None:
    reject = BusinessMessageReject(ref_seq_num=2, ref_msg_type="UA", business_reject_reason=0, text="no")
    harness.opened()
    harness.feed(RejectReceived(reject, 2, harness.accept()))
    assert (harness.state(), harness.rfq().acceptances[0].text) == (RfqState.OPEN, "no")
    harness.feed(RejectReceived(reject, 2, harness.by_order(cl_ord_id="c2")))
    assert harness.state() is RfqState.OPEN
    harness.feed(RejectReceived(reject, 2, harness.creator.cancel(harness.rfq())))
    assert (harness.state(), harness.rfq().text) == (RfqState.OPEN, "no")
    harness.feed(RejectReceived(reject, 2, request()))
    assert harness.state() is RfqState.REFUSED
    others = (
        RFQCancel(rfq_id="?"),
        AcceptQuote(quote_id="?", side=BUY),
        MarketDataRequest.subscribe("A"),
        None,
    )
    assert [harness.feed(RejectReceived(reject, 3, other)) for other in others] == [[]] * 4


def test_an_unsent_message_is_withdrawn(harness: Harness) -> None:
    harness.creator.withdraw(request("?"))
    lost = MessagesLost(3, 9)
    for events in ([], [lost]):  # they are applied while `send` waits
        harness.feed(request(), *events)
        harness.creator.withdraw(request())
        assert harness.creator.rfq("r1") is None
    harness.opened()
    harness.creator.withdraw(request())  # the message was sent after all
    for make in (harness.accept, harness.by_order):
        message: Message = make()
        harness.creator.withdraw(message)
        harness.creator.withdraw(message)
        assert (harness.state(), harness.creator.exposure()) == (RfqState.OPEN, Exposure())
    cancel = harness.creator.cancel(harness.rfq())
    for item in (cancel, RFQCancel(rfq_id="?"), MarketDataRequest.subscribe("A")):
        harness.creator.withdraw(item)
    message = harness.accept()
    harness.feed(lost)
    harness.creator.withdraw(message)
    assert harness.uncertain() == [(UncertainRfqKind.RFQ_UNKNOWN, None)]
    assert harness.creator.exposure() == Exposure()
    harness.feed(forwarded_quote("x"))
    message = harness.accept()
    harness.feed(accept_status("q1", 0, "c1"))
    harness.creator.withdraw(message)
    assert harness.state() is RfqState.ACCEPTED


def test_an_acceptance_built_by_a_user_or_read_from_a_log_may_be_applied(harness: Harness) -> None:
    harness.opened()
    plain = AcceptQuote(quote_id="q1", side=BUY)
    [update] = harness.feed(plain)
    assert (update.before, harness.state()) == (RfqState.OPEN, RfqState.ACCEPTING)
    assert harness.feed(plain) == []
    harness.feed(accept_status("q1"))
    assert harness.state() is RfqState.ACCEPTED
    # A quote that was not received costs at most a dollar per contract.
    for side in (BUY, SELL):
        other = Harness()
        other.feed(request(), ack(), AcceptQuote(quote_id="?", rfq_id="R1", side=side))
        assert other.creator.exposure().cost == d(100)
    unknown_order = NewOrderSingle(
        cl_ord_id="z", order_qty=1, ord_type="2", price="0.5", side=BUY, symbol=MARKET, quote_id="?"
    )
    assert harness.feed(AcceptQuote(quote_id="?", side=BUY), unknown_order, incoming_rfq()) == []
    assert harness.feed(MessageReceived(request("theirs"))) == []
    assert len(harness.creator) == 1
    other = Harness()
    other.feed(QuoteRequest(quote_req_id="r1"), ack(), AcceptQuote(quote_id="?", rfq_id="R1", side=BUY))
    assert other.creator.exposure() == Exposure()


# --- timeouts and disconnects ---------------------------------------------------------------------------


def test_an_overdue_trade_is_uncertain_and_still_counts_as_exposure(harness: Harness) -> None:
    harness.opened().accept()
    assert harness.creator.next_deadline() is None
    harness.feed(received(accept_status("q1", 0, "c1"), -2))
    assert harness.creator.next_deadline() == at(48)
    exposure = harness.creator.exposure()
    assert harness.creator.handle_timer(at(47)) == []
    [update] = harness.creator.handle_timer(at(48))
    assert (update.before, harness.state()) == (RfqState.ACCEPTED, RfqState.UNKNOWN)
    assert harness.uncertain() == [(UncertainRfqKind.EXECUTION_UNKNOWN, "q1")]
    harness.creator.handle_timer(at(1))
    harness.creator.handle_timer(at(3600))
    assert harness.uncertain() == [(UncertainRfqKind.EXECUTION_UNKNOWN, "q1")]
    assert harness.creator.exposure() == exposure
    harness.feed(DropCopyReport(report("c1")))
    assert (harness.uncertain(), harness.state()) == ([], RfqState.EXECUTED)


@pytest.mark.parametrize("lost", ["the answer", "the report"])
@pytest.mark.parametrize(
    ("range_", "is_conclusive"),
    [
        (covered(), True),
        (covered(seconds=OVERDUE_AT - 1), False),
        (covered(seconds=None), False),
        (covered("5;2"), False),
        (covered("5;1;1"), False),
        (covered(end="9;9"), False),
    ],
)
def test_a_range_of_drop_copy_without_its_order_ends_the_exposure(
    harness: Harness, lost: str, range_: DropCopyRange, is_conclusive: bool
) -> None:
    harness.opened().feed(traded("5;1"))
    harness.accept()
    harness.feed(unknown(("UA", "q1")) if lost == "the answer" else accept_status("q1", 0, "c1"))
    assert harness.creator.next_deadline() == at(OVERDUE_AT)
    harness.seconds = OVERDUE_AT - 1
    assert (harness.feed(traded("6;1")), harness.creator.drop_copy_start(at(OVERDUE_AT - 1))) == ([], {})
    harness.seconds = OVERDUE_AT
    harness.creator.handle_timer(at(OVERDUE_AT))
    exposure = harness.creator.exposure()
    assert harness.state() is RfqState.UNKNOWN
    assert harness.creator.drop_copy_start(at(OVERDUE_AT)) == {0: ExecKey(0, 5, 1)}
    assert harness.creator.drop_copy_start(at(OVERDUE_AT), {0: ExecKey(0, 6, 1)}) == {}
    updates = harness.feed(range_)
    if is_conclusive:
        [update] = updates
        assert (update.before, update.answered) == (RfqState.UNKNOWN, harness.rfq().acceptances[0])
        assert (harness.state(), harness.uncertain()) == (RfqState.OPEN, [])
        assert (harness.creator.exposure(), harness.creator.drop_copy_start(at(OVERDUE_AT))) == (
            Exposure(),
            {},
        )
    else:
        assert (updates, harness.creator.exposure()) == ([], exposure)
    assert harness.creator.next_deadline() is None
    harness.feed(report("c1"))
    assert harness.state() is RfqState.EXECUTED


def test_reports_older_than_the_quote_precede_the_order_even_if_received_late(harness: Harness) -> None:
    harness.opened(over_the_wire(forwarded_quote("q1"), at=at(3)))
    harness.accept()
    harness.feed(unknown(("UA", "q1")))
    harness.feed(traded("5;1", 3), traded("4;1", 2))
    assert harness.creator.drop_copy_start(at(OVERDUE_AT)) == {0: ExecKey(0, 4, 1)}


def test_reports_received_before_the_loss_of_an_acceptance_is_known_may_follow_its_order(
    harness: Harness,
) -> None:
    harness.opened().feed(traded("5;1"))
    harness.seconds = 60
    harness.feed(unanswered(AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY, cl_ord_id="c1")))
    assert harness.uncertain() == [(UncertainRfqKind.ACCEPT_UNKNOWN, "q1")]
    assert harness.creator.next_deadline() == at(60 + OVERDUE_AT)
    assert harness.creator.drop_copy_start(at(60 + OVERDUE_AT)) == {}


def test_without_a_cl_ord_id_drop_copy_is_not_conclusive(harness: Harness) -> None:
    harness.opened().feed(
        traded("5;1"), AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY), unknown(("UA", "q1"))
    )
    harness.seconds = OVERDUE_AT
    harness.feed(covered())
    assert (harness.state(), harness.creator.drop_copy_start(at(OVERDUE_AT))) == (RfqState.UNKNOWN, {})


def test_the_ack_contains_the_shard_of_the_market(harness: Harness) -> None:
    other = traded("5;1;2")
    other.report.symbol = LONG_ID
    harness.feed(other, request(), ack(ex_destination=2), forwarded_quote("q1"))
    harness.accept()
    harness.feed(unknown(("UA", "q1")))
    assert harness.creator.drop_copy_start(at(OVERDUE_AT)) == {2: ExecKey(2, 5, 1)}


def test_a_late_report_is_reported_once() -> None:
    harness = Harness().opened()
    harness.accept()
    harness.feed(accept_status("q1", 0, "c1"))
    harness.seconds = 60
    [update] = harness.feed(report("c1"))
    assert (update.before, harness.state()) == (RfqState.ACCEPTED, RfqState.EXECUTED)


def test_a_disconnect_on_a_session_with_resend_causes_no_uncertainty(harness: Harness) -> None:
    harness.opened().accept()
    assert harness.feed(logged_on(), SESSION_ENDED, logged_on()) == []
    harness.feed(accept_status("q1", 0, "c1"))
    assert harness.state() is RfqState.ACCEPTED


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
def test_lost_messages_cause_uncertainty(harness: Harness, lost: object) -> None:
    harness.feed(request("r2"), ack("r2", "R2"), request("r3"), request("r4"), rfq_reject("r4"))
    harness.opened().accept()
    harness.seconds = 5
    harness.feed(lost, lost)
    unknown_rfq = UncertainRfqKind.RFQ_UNKNOWN, None
    assert harness.uncertain() == [unknown_rfq, unknown_rfq, (UncertainRfqKind.ACCEPT_UNKNOWN, "q1")]
    assert {item.since for item in harness.creator.uncertain()} == {at(5)}
    assert [str(item) for item in UncertainItems(harness.creator)][:2] == [
        f"request {name}: the venue may have the request (since 2026-11-21 12:00:05 UTC); resolve via REST"
        for name in ("r2", "r3")
    ]
    assert len(UncertainItems(harness.creator).by_remedy(at(5))[Remedy.DROP_COPY]) == 1
    assert harness.creator.exposure() != Exposure()
    # The accepted quote may trade, so the id of its request is not free.
    for answer in ([], [accept_status("q1", 0, "c1")]):
        harness.feed(*answer)
        with pytest.raises(RfqRequestError, match="use another"):
            harness.feed(request())
        assert harness.creator.exposure() != Exposure()
    # A quote or an ack shows that its request is open.
    harness.feed(forwarded_quote("x", rfq_id="R2"), ack("r3", "R3"))
    assert harness.uncertain() == []


def test_requests_without_an_outcome_are_uncertain(harness: Harness) -> None:
    harness.feed(request("r2"), unknown(("R", "r2"), ("D", "?"), ("F", "x")))
    assert harness.uncertain() == [(UncertainRfqKind.RFQ_UNKNOWN, None)]
    harness.feed(request("r2"))  # a new request: the venue itself reports whether it has the previous one
    harness.opened().accept()
    harness.feed(unknown(("UA", "q1")))
    assert harness.uncertain() == [(UncertainRfqKind.ACCEPT_UNKNOWN, "q1")]
    with pytest.raises(RfqRequestError, match=r"no quote for request .* can be accepted"):
        harness.accept(cl_ord_id="c2")
    harness.feed(accept_status("q1", 1, "c1"))
    harness.by_order(cl_ord_id="c2")
    harness.feed(unknown(("D", "c2")))
    assert harness.uncertain() == [(UncertainRfqKind.ACCEPT_UNKNOWN, "q1")]
    harness.feed(rfq_cancel_status())
    harness.feed(unknown(("D", "c2"), ("UE", "r1")))
    assert harness.uncertain() == []


def test_a_refused_report_or_an_unknown_outcome_causes_uncertainty(harness: Harness) -> None:
    harness.opened().accept()
    harness.feed(MessageRejected(forwarded_quote("x"), ()), MessageRejected(report("?"), ()))
    assert harness.uncertain() == []
    harness.feed(MessageRejected(report("c1"), ()))
    assert harness.uncertain() == [(UncertainRfqKind.ACCEPT_UNKNOWN, "q1")]
    other = Harness().opened()
    other.by_order()
    other.feed(report("c1", ExecType.REJECTED, 0, ExecutionReportText.EXCHANGE_UNAVAILABLE))
    assert other.uncertain() == [(UncertainRfqKind.ACCEPT_UNKNOWN, "q1")]
    other.feed(MessageRejected(report("c1"), (), will_be_resent=True), report("c1"))
    assert other.state() is RfqState.EXECUTED
    other.feed(MessageRejected(report("c1"), ()))
    assert other.uncertain() == []


@pytest.mark.parametrize("state", ["OPEN", "ACCEPTED", "EXECUTED", "FAILED", "CANCELED", "EXPIRED"])
def test_a_resolution_by_the_user_ends_an_uncertainty(harness: Harness, state: str) -> None:
    harness.opened().accept()
    harness.feed(accept_status("q1", 0, "c1"), MessagesLost(3, 9))
    harness.creator.resolve(harness.rfq(), RfqState[state])
    assert (harness.state(), harness.uncertain()) == (RfqState[state], [])
    assert (harness.creator.exposure() == Exposure()) is (state != "ACCEPTED")


def test_a_request_whose_ack_was_lost_is_open_with_its_rfq_id(harness: Harness) -> None:
    lost = AcceptQuote(quote_id="q1", rfq_id="R1", side=BUY, cl_ord_id="c1")
    harness.feed(request(), forwarded_quote("q1"), unanswered(lost), MessagesLost(3, 9))
    with pytest.raises(RfqRequestError, match="RfqId of request r1 is unknown"):
        harness.creator.resolve(harness.rfq(), RfqState.OPEN)
    assert harness.state() is RfqState.UNKNOWN
    harness.creator.resolve(harness.rfq(), RfqState.OPEN, rfq_id="R1")
    harness.feed(forwarded_quote("q2"))
    assert (harness.state(), list(harness.rfq().quotes)) == (RfqState.OPEN, ["q1", "q2"])
    assert (harness.uncertain(), harness.creator.exposure()) == ([], Exposure())


def test_invalid_resolutions_are_refused(harness: Harness) -> None:
    harness.opened()
    for state in (RfqState.SENT, RfqState.EXECUTED):
        with pytest.raises(RfqRequestError, match="cannot be resolved"):
            harness.creator.resolve(harness.rfq(), state)
    harness.feed(MessagesLost(3, 9))
    harness.creator.resolve(harness.rfq(), RfqState.OPEN)
    assert harness.state() is RfqState.OPEN


# --- unexpected messages and bounds ---------------------------------------------------------------------


def test_messages_about_unknown_objects_are_reported(harness: Harness) -> None:
    found = harness.kinds(ack("?"), rfq_reject("?"), rfq_cancel_status("?"), accept_status("?"))
    assert found == [Kind.UNKNOWN_RFQ] * 3 + [Kind.UNKNOWN_QUOTE]
    assert harness.feed(report("?")) == []


def test_unreadable_messages_are_reported(harness: Harness) -> None:
    harness.feed(request())
    assert harness.kinds(ack(rfq_id=None), ack(rfq_id=LONG_ID), ack(symbol=LONG_ID)) == [Kind.UNREADABLE] * 3
    assert harness.state() is RfqState.SENT
    harness.feed(ack(), ack(rfq_id="other"), forwarded_quote("q1"))
    harness.accept()
    assert harness.kinds(accept_status("q1", 7, "c1"), rfq_cancel_status(code=7)) == [Kind.UNREADABLE] * 2
    assert (harness.state(), harness.rfq().rfq_id) == (RfqState.ACCEPTING, "R1")


def test_ended_requests_are_evicted_for_new_ones() -> None:
    harness = Harness(max_rfqs=2)
    harness.opened().accept()
    harness.feed(accept_status("q1", 0, "c1"), report("c1"))
    harness.feed(request("r2"), request("r3"), request("r4"))
    assert [rfq.quote_req_id for rfq in harness.creator] == ["r2", "r3", "r4"]
    assert (harness.creator._by_rfq_id, harness.creator._accepted, harness.creator._may_trade) == ({}, {}, {})


def test_quotes_and_acceptances_are_bounded() -> None:
    harness = Harness(max_quotes=2)
    harness.opened(forwarded_quote("a"), forwarded_quote("b"))
    assert harness.kinds(forwarded_quote("c")) == [Kind.TOO_MANY]
    for number in range(2 * MAX_ACCEPTANCES):
        harness.accept(cl_ord_id=f"c{number}")
        harness.feed(accept_status("a", 1, f"c{number}", text="TRADING_PAUSED"))
    assert len(harness.rfq().acceptances) == MAX_ACCEPTANCES
    assert len(harness.creator._accepted) == MAX_ACCEPTANCES + 1
    for number in [*range(MAX_EARLY_QUOTES + 5), MAX_EARLY_QUOTES + 4]:  # the last one is redelivered
        harness.feed(forwarded_quote(f"e{number}", rfq_id=f"X{number}"))
    assert len(harness.creator._early) == MAX_EARLY_QUOTES


@pytest.mark.parametrize(("volatile", "kind"), [((), "standard"), ((MARKET,), "high_volatility")])
def test_the_windows_depend_on_the_kind_of_market(volatile: tuple[str, ...], kind: str) -> None:
    harness = Harness(windows={}, volatile_symbols=volatile, grace=1)
    harness.opened().accept()
    harness.feed(accept_status("q1", 0, "c1"))
    assert harness.creator.next_deadline() == at(RFQ_CONFIRMATION[kind] + RFQ_EXECUTION[kind] + 1)


def test_a_dump_contains_quotes_received_before_their_request_was_known(harness: Harness) -> None:
    harness.feed(request(), forwarded_quote("q1", "0.4", None))
    other = Harness()
    harness.check_dump(other.creator)
    other.feed(ack())
    assert other.best(SELL).bid == Decimal("0.4")
