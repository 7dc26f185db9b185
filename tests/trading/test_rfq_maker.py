"""A maker's quotes after requests, answers, timeouts and disconnects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, permutations
from typing import Any

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    ExecType,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    QuoteStatus,
    Side,
)
from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION
from kalshi_fix_sansio.clock import BEGINNING, END
from kalshi_fix_sansio.events import MessageReceived, MessageRejected, MessagesLost, RejectReceived
from kalshi_fix_sansio.trading import (
    DropCopyRange,
    DropCopyReport,
    ExecKey,
    Exposure,
    MakerQuote,
    MakerRfq,
    QuoteState,
    QuoteTerms,
    RfqDiscrepancyKind,
    RfqMaker,
    RfqRequestError,
    RfqWindows,
    UncertainRfqKind,
)
from kalshi_fix_sansio.trading.drop_copy import MAX_SHARDS
from kalshi_fix_sansio.trading.rfq.coverage import MAX_SYMBOLS, ReportKeys
from kalshi_fix_sansio.trading.rfq.maker import MAX_QUOTES
from tests.helpers import KEY_ID, by_tags
from tests.trading import order_flow
from tests.trading.order_flow import NOON, SESSION_ENDED, at, d, header
from tests.trading.rfq_flow import (
    COMBO,
    LONG_ID,
    MARKET,
    OVERDUE_AT,
    WINDOWS,
    RfqHarness,
    cancel_status,
    confirm_status,
    covered,
    incoming_combo_rfq,
    incoming_rfq,
    logged_on,
    received,
    report,
    rfq_reject,
    status,
    traded,
    unknown,
    unreadable,
)

S = QuoteStatus
Kind = RfqDiscrepancyKind
TERMS = QuoteTerms("0.40", "0.55")


class Harness(RfqHarness):
    """A maker with its user's callbacks, and a clock."""

    def __init__(
        self,
        terms: QuoteTerms | None = TERMS,
        *,
        will_confirm: bool = True,
        windows: dict[str, Any] = WINDOWS,
        **more: Any,
    ) -> None:
        self.terms, self.will_confirm = terms, will_confirm
        self.shown: list[MakerRfq] = []
        self.decided: list[MakerQuote] = []
        ids = count(1)
        self.maker = RfqMaker(self.offer, self.decide, lambda: f"q{next(ids)}", **(windows | more))
        super().__init__(self.maker)

    def offer(self, rfq: MakerRfq) -> QuoteTerms | None:
        self.shown.append(rfq)
        return self.terms

    def decide(self, quote: MakerQuote) -> bool:
        self.decided.append(quote)
        return self.will_confirm

    def sent(self, *event: object) -> list[Any]:
        return [update.send for update in self.feed(*event) if update.send is not None]

    def quote(self, name: str = "q1") -> MakerQuote:
        quote = self.maker.quote_of(name)
        assert quote is not None
        return quote

    def state(self, name: str = "q1") -> QuoteState:
        return self.quote(name).state

    def accepted(self, side: Side = Side.BUY, **more: Any) -> Harness:
        self.feed(incoming_rfq(), status("q1", S.PENDING, bid_size=100, offer_size=90))
        self.feed(status("q1", S.ACCEPTED, side=side, **more))
        return self


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness()
    yield harness
    # After each test a dump must restore the complete state.
    harness.check_dump(Harness().maker, logged_on=False)


@pytest.mark.parametrize("time", [BEGINNING, END])
def test_extreme_times_are_decoded(harness: Harness, time: datetime) -> None:
    accepted = status("q1", S.ACCEPTED, side=Side.BUY)
    accepted.header = header(accepted, at=time)
    confirmed = confirm_status("q1")
    confirmed.header = header(confirmed, at=time)
    harness.feed(incoming_rfq())
    for message in (accepted, confirmed):
        harness.maker.apply(MessageReceived(message), END)
    harness.maker.resolve(harness.quote(), QuoteState.CONFIRMED)
    assert harness.quote().deadline == END


# --- from a request to a trade --------------------------------------------------------------------------


def test_a_request_is_quoted_confirmed_and_executed(harness: Harness) -> None:
    [quote] = harness.sent(incoming_rfq(quantity=100))
    assert (quote.quote_id, quote.quote_req_id, quote.symbol) == ("q1", "R1", MARKET)
    assert (quote.bid_px, quote.offer_px, quote.alloc_account) == (d("0.40"), d("0.55"), None)
    assert harness.state() is QuoteState.SENT
    [update] = harness.feed(status("q1", S.PENDING, bid_size=100, offer_size=100))
    assert (update.before, harness.state(), update.state_changed) == (QuoteState.SENT, QuoteState.OPEN, True)
    assert harness.maker.exposure() == Exposure()
    [confirm] = harness.sent(status("q1", S.ACCEPTED, side=Side.SELL, offer_size=60))
    assert confirm == QuoteConfirm(quote_id="q1", rfq_id="R1")
    assert [item.quote_id for item in harness.decided] == ["q1"]
    assert harness.state() is QuoteState.CONFIRMING
    quote = harness.quote()
    assert (quote.side, quote.price, quote.quantity) == (Side.SELL, d("0.45"), d(60))
    assert harness.maker.exposure() == harness.maker.exposure(MARKET) == Exposure(d(0), d(60), d("33.00"))
    assert harness.maker.exposure(COMBO) == Exposure()
    harness.feed(confirm_status("q1"))
    assert (harness.state(), harness.maker.next_deadline()) == (QuoteState.CONFIRMED, at(20))
    harness.feed(report("quote:a1b2c3d4:q1", ExecType.PENDING_NEW, 0))
    assert harness.state() is QuoteState.CONFIRMED
    harness.feed(report("quote:a1b2c3d4:q1", cum_qty=60), report("quote:a1b2c3d4:q1", cum_qty=25))
    assert (harness.state(), harness.quote().cum_qty) == (QuoteState.EXECUTED, d(60))
    assert harness.maker.exposure() == Exposure()
    assert harness.maker.next_deadline() is None
    assert harness.uncertain() == []
    assert harness.maker.rfq("R1").is_closed  # type: ignore[union-attr]


def test_the_known_fields_of_a_request_are_passed_to_the_callback(harness: Harness) -> None:
    harness.terms = None
    [update] = harness.feed(incoming_combo_rfq())
    [rfq] = harness.shown
    assert update.rfq is rfq
    assert (update.quote, update.send, rfq.quote) == (None, None, None)
    assert (rfq.symbol, rfq.collection, len(rfq.legs), rfq.high_volatility) == (COMBO, "KXCOMBO", 2, True)
    assert (rfq.contracts, rfq.cash, rfq.created, rfq.requester) == (d(100), None, NOON, None)
    assert list(harness.maker) == [rfq]
    assert len(harness.maker) == 1


def test_a_request_received_twice_is_quoted_once(harness: Harness) -> None:
    assert len(harness.sent(incoming_rfq(), incoming_rfq())) == 1


def user_quote(quote_id: str, rfq_id: str, **more: Any) -> Quote:
    """Return a quote that the user builds, without the maker."""
    values = {"symbol": MARKET, "bid_px": "0.40", "offer_px": "0.55"} | more
    return Quote(quote_id=quote_id, quote_req_id=rfq_id, **values)


@pytest.mark.parametrize(
    ("side", "price", "cost"), [(Side.BUY, "0.40", "40.00"), (Side.SELL, "0.45", "55.00")]
)
def test_exposure_is_the_cost_of_the_side(harness: Harness, side: Side, price: str, cost: str) -> None:
    harness.accepted(side, order_qty=100)
    found = harness.maker.exposure()
    assert (harness.quote().price, found.cost) == (d(price), d(cost))
    assert (found.bought, found.sold) == ((d(100), d(0)) if side is Side.BUY else (d(0), d(100)))


def test_a_one_sided_quote_is_accepted_on_its_side(harness: Harness) -> None:
    for name, terms, side in (
        ("1", QuoteTerms(bid="0.4"), Side.BUY),
        ("2", QuoteTerms(offer="0.4"), Side.SELL),
    ):
        harness.terms = terms
        harness.feed(incoming_rfq(f"R{name}"), status(f"q{name}", S.ACCEPTED, f"R{name}"))
        assert (harness.quote(f"q{name}").side, harness.state(f"q{name}")) == (side, QuoteState.CONFIRMING)


@pytest.mark.parametrize("side", [None, Side.SELL, "7"])
def test_an_acceptance_on_an_unquoted_side_is_not_confirmed(harness: Harness, side: Any) -> None:
    harness.terms = QuoteTerms(bid="0.40") if side == Side.SELL else TERMS
    harness.feed(incoming_rfq())
    assert harness.kinds(status("q1", S.ACCEPTED, side=side)) == [Kind.UNREADABLE]
    assert harness.decided == []
    assert harness.state() is QuoteState.ACCEPTED
    assert harness.maker.exposure() == Exposure()
    assert (harness.quote().price, harness.quote().quantity) == (None, d(0))


@pytest.mark.parametrize(
    ("entry", "terms", "accepted", "quantity"),
    [
        ({"quantity": 100}, TERMS, {"side": Side.BUY}, "100"),
        ({"quantity": 100}, TERMS, {"side": Side.BUY, "order_qty": 40}, "40"),
        ({"quantity": 100}, TERMS, {"side": Side.BUY, "order_qty": 40, "bid_size": 30}, "30"),
        # With RestRemainder the order is for the full size of the quote.
        (
            {"quantity": 100},
            QuoteTerms("0.4", rest_remainder=True),
            {"side": Side.BUY, "bid_size": 30},
            "100",
        ),
        # A cash amount buys the creator of the request at most this many contracts.
        ({"quantity": 0, "cash_order_qty": 60}, TERMS, {"side": Side.BUY}, "100"),
        ({"quantity": 0, "cash_order_qty": 45}, TERMS, {"side": Side.SELL}, "100"),
        ({"quantity": 0}, TERMS, {"side": Side.SELL}, "0"),
    ],
)
def test_the_contracts_that_may_trade_are_computed(
    entry: dict[str, Any], terms: QuoteTerms, accepted: dict[str, Any], quantity: str
) -> None:
    harness = Harness(terms)
    harness.feed(incoming_rfq(**entry), status("q1", S.ACCEPTED, **accepted))
    assert harness.quote().quantity == d(quantity)


def test_reports_in_any_sequence_lead_to_the_same_state() -> None:
    reports = [
        status("q1", S.PENDING, bid_size=100, offer_size=100),
        status("q1", S.ACCEPTED, side=Side.BUY, bid_size=30),
        confirm_status("q1"),
    ]
    for order in permutations(reports):
        harness = Harness()
        harness.feed(incoming_rfq(), QuoteConfirm(quote_id="q1"), *order, *order)
        assert harness.state() is QuoteState.CONFIRMED
        assert (harness.quote().quantity, harness.maker.next_deadline()) == (d(30), at(20))
        harness.feed(report("quote:0:q1"), *order)
        assert (harness.state(), harness.maker.exposure()) == (QuoteState.EXECUTED, Exposure())


# --- time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("combo", "window"), [(False, RFQ_CONFIRMATION["standard"]), (True, RFQ_CONFIRMATION["high_volatility"])]
)
def test_no_quote_is_confirmed_after_the_deadline(combo: bool, window: int) -> None:
    harness = Harness(will_confirm=False, windows={})
    harness.feed(incoming_combo_rfq() if combo else incoming_rfq(), status("q1", S.ACCEPTED, side=Side.BUY))
    assert (harness.state(), harness.maker.next_deadline()) == (QuoteState.ACCEPTED, at(window))
    assert harness.maker.exposure() != Exposure()
    just_before = at(window) - timedelta(microseconds=1)
    assert harness.maker.handle_timer(just_before) == []
    assert harness.state() is QuoteState.ACCEPTED
    [update] = harness.maker.handle_timer(at(window))
    assert (update.before, harness.state()) == (QuoteState.ACCEPTED, QuoteState.LAPSED)
    assert (harness.maker.exposure(), harness.maker.next_deadline()) == (Exposure(), None)
    with pytest.raises(RfqRequestError, match="not confirmed in time"):
        harness.maker.confirm(harness.quote(), at(window))
    harness.seconds = window + 1
    harness.feed(status("q1", S.CANCELED))
    assert harness.state() is QuoteState.CANCELED


def test_the_user_may_confirm_later_and_the_clock_never_goes_back() -> None:
    harness = Harness(will_confirm=False)
    harness.accepted()
    assert harness.maker.confirm(harness.quote(), at(29.9)) == QuoteConfirm(quote_id="q1", rfq_id="R1")
    assert harness.state() is QuoteState.CONFIRMING
    late = Harness(will_confirm=False)
    late.accepted()
    late.maker.handle_timer(at(30))
    with pytest.raises(RfqRequestError):
        late.maker.confirm(late.quote(), at(1))


def test_a_window_begins_at_the_time_in_the_venues_message(harness: Harness) -> None:
    harness.feed(incoming_rfq())
    harness.seconds = 40
    harness.feed(received(status("q1", S.ACCEPTED, side=Side.BUY), seconds=10))
    assert (harness.state(), harness.decided) == (QuoteState.LAPSED, [])
    harness.feed(incoming_rfq("R2"), received(status("q2", S.ACCEPTED, "R2", side=Side.BUY), seconds=12))
    assert (harness.state("q2"), harness.quote("q2").deadline) == (QuoteState.CONFIRMING, at(42))
    # A venue whose clock is ahead does not extend the window.
    harness.feed(incoming_rfq("R3"), received(status("q3", S.ACCEPTED, "R3", side=Side.BUY), seconds=50))
    assert harness.quote("q3").deadline == at(70)


def test_times_and_markets_are_configurable() -> None:
    volatile: set[str] = set()
    harness = Harness(
        will_confirm=False,
        standard=RfqWindows(confirmation=20, execution=10),
        high_volatility=RfqWindows(confirmation=2, execution=1),
        volatile_symbols=volatile,
        grace=0.5,
    )
    harness.feed(incoming_rfq(), status("q1", S.ACCEPTED, side=Side.BUY))
    volatile.add(MARKET)
    harness.feed(incoming_rfq("R2"), status("q2", S.ACCEPTED, "R2", side=Side.BUY))
    assert [harness.quote(name).deadline for name in ("q1", "q2")] == [at(20), at(2)]
    harness.maker.confirm(harness.quote("q2"), NOON)
    harness.feed(confirm_status("q2"))
    assert harness.maker.next_deadline() == at(1.5)
    with pytest.raises(ValueError, match="confirmation"):
        RfqWindows(confirmation=-1, execution=1)


def test_an_overdue_trade_is_uncertain_and_still_counts_as_exposure(harness: Harness) -> None:
    harness.accepted(bid_size=100).feed(confirm_status("q1"))
    exposure = harness.maker.exposure()
    [update] = harness.maker.handle_timer(at(20))
    assert (update.before, harness.state()) == (QuoteState.CONFIRMED, QuoteState.UNKNOWN)
    assert harness.uncertain() == [(UncertainRfqKind.EXECUTION_UNKNOWN, "q1")]
    assert harness.maker.uncertain()[0].since == at(20)
    harness.maker.handle_timer(at(3600 * 24))
    assert (harness.state(), harness.maker.exposure()) == (QuoteState.UNKNOWN, exposure)
    harness.feed(DropCopyReport(report("quote:00000000:q1")))
    assert (harness.state(), harness.uncertain()) == (QuoteState.EXECUTED, [])


# --- one live quote per request -------------------------------------------------------------------------


def test_a_new_quote_replaces_the_resting_one(harness: Harness) -> None:
    harness.feed(incoming_rfq(), status("q1", S.PENDING))
    rfq = harness.shown[0]
    assert harness.maker.requote(rfq) is None  # with the same terms
    harness.terms = QuoteTerms("0.41", "0.55", post_only=True, rest_remainder=True)
    message = harness.maker.requote(rfq)
    assert isinstance(message, Quote)
    assert (message.quote_id, message.exec_inst, message.rest_remainder) == ("q2", "6", True)
    assert (rfq.quote, harness.state()) == (harness.quote("q2"), QuoteState.OPEN)
    harness.feed(status("q1", S.CANCELED), status("q2", S.PENDING))
    assert (harness.state(), harness.state("q2")) == (QuoteState.CANCELED, QuoteState.OPEN)


def test_an_accepted_new_quote_implies_the_cancel_of_the_old_one(harness: Harness) -> None:
    harness.feed(incoming_rfq(), status("q1", S.PENDING))
    harness.terms = QuoteTerms("0.41")
    harness.maker.requote(harness.shown[0])
    updates = harness.feed(status("q2", S.PENDING))
    assert {update.quote.quote_id for update in updates if update.quote} == {"q1", "q2"}
    assert harness.state() is QuoteState.REPLACED
    # Other subaccounts have their own quotes.
    harness.feed(user_quote("mine", "R1", alloc_account=3), status("mine", S.PENDING))
    assert harness.state("q2") is QuoteState.OPEN


def test_offering_no_terms_cancels_the_resting_quote(harness: Harness) -> None:
    harness.feed(incoming_rfq(), status("q1", S.PENDING))
    harness.terms = None
    rfq = harness.shown[0]
    assert harness.maker.requote(rfq) == QuoteCancel(quote_id="q1", rfq_id="R1")
    assert harness.maker.requote(rfq) is None
    harness.feed(cancel_status("q1"))
    assert (harness.state(), harness.maker.requote(rfq)) == (QuoteState.CANCELED, None)
    harness.terms = TERMS
    assert isinstance(harness.maker.requote(rfq), Quote)


def test_a_request_that_is_over_or_accepted_is_not_requoted(harness: Harness) -> None:
    harness.accepted()
    rfq = harness.shown[0]
    harness.terms = QuoteTerms("0.1")
    assert harness.maker.requote(rfq) is None
    harness.feed(incoming_rfq("R2"), rfq_reject("R2"))
    assert harness.maker.requote(harness.shown[1]) is None
    assert harness.state("q2") is QuoteState.CANCELED
    assert harness.feed(rfq_reject("R2"), rfq_reject("R9")) == []


def test_a_refused_cancel_keeps_the_quote(harness: Harness) -> None:
    harness.feed(incoming_rfq(), status("q1", S.PENDING))
    harness.feed(harness.maker.cancel(harness.quote()))
    harness.feed(cancel_status("q1", 1, "EXCHANGE_PAUSED"))
    assert (harness.state(), harness.quote().text) == (QuoteState.OPEN, "EXCHANGE_PAUSED")
    harness.feed(incoming_rfq("R2"), confirm_status("q2"))
    with pytest.raises(RfqRequestError, match="no longer"):
        harness.maker.cancel(harness.quote("q2"))
    harness.feed(rfq_reject())
    with pytest.raises(RfqRequestError, match="no longer"):
        harness.maker.cancel(harness.quote())


def test_an_accepted_quote_can_be_cancelled() -> None:
    harness = Harness(will_confirm=False).accepted()
    assert harness.maker.cancel(harness.quote()) == QuoteCancel(quote_id="q1", rfq_id="R1")
    harness.feed(cancel_status("q1"))
    assert (harness.state(), harness.maker.exposure()) == (QuoteState.CANCELED, Exposure())


# --- refusals -------------------------------------------------------------------------------------------


def test_a_refused_quote_is_over(harness: Harness) -> None:
    harness.feed(incoming_rfq(), status("q1", S.REJECTED, text="RFQ_CLOSED"))
    assert (harness.state(), harness.quote().text) == (QuoteState.REJECTED, "RFQ_CLOSED")
    # The venue's page leaves the id empty.
    harness.feed(incoming_rfq("R2"), unreadable("35=AI|34=2|131=R2|297=5|58=no|"))
    assert (harness.state("q2"), harness.quote("q2").text) == (QuoteState.REJECTED, "no")
    assert harness.kinds(unreadable("35=AI|34=2|131=R2|297=5|58=no|")) == [Kind.UNKNOWN_QUOTE]


def test_a_refused_confirmation_can_be_sent_again_in_time(harness: Harness) -> None:
    harness.accepted().feed(received(confirm_status("q1", 1, "TRADING_PAUSED"), 1, 5))
    assert (harness.state(), harness.quote().text) == (QuoteState.ACCEPTED, "TRADING_PAUSED")
    harness.maker.confirm(harness.quote(), at(2))
    harness.feed(received(confirm_status("q1", 1, "TRADING_PAUSED"), 1, 5))  # the same message again
    assert harness.state() is QuoteState.CONFIRMING
    harness.feed(received(confirm_status("q1", 1, "TRADING_PAUSED"), 2, 6))
    assert harness.state() is QuoteState.ACCEPTED
    harness.feed(received(confirm_status("q1", 1, "not confirmed here"), 3, 7))
    assert harness.state() is QuoteState.ACCEPTED
    harness.feed(
        QuoteConfirm(quote_id="q1"), QuoteConfirm(quote_id="q1"), confirm_status("q1"), confirm_status("q1")
    )
    assert harness.state() is QuoteState.CONFIRMED


def test_a_rejected_order_of_a_confirmed_quote_has_no_exposure(harness: Harness) -> None:
    harness.accepted(bid_size=1).feed(
        confirm_status("q1"), report("quote:0:q1", ExecType.REJECTED, 0, "NO_MONEY")
    )
    assert (harness.state(), harness.quote().text) == (QuoteState.FAILED, "NO_MONEY")
    assert harness.maker.exposure() == Exposure()


def test_a_session_reject_refuses_the_message_it_refers_to(harness: Harness) -> None:
    reject = BusinessMessageReject(ref_seq_num=2, ref_msg_type="S", business_reject_reason=0, text="no")
    [quote] = harness.sent(incoming_rfq())
    harness.feed(RejectReceived(reject, 2, quote))
    assert (harness.state(), harness.quote().text) == (QuoteState.REJECTED, "no")
    [quote] = harness.sent(incoming_rfq("R2"))
    harness.feed(status("q2", S.PENDING, "R2"))
    harness.feed(RejectReceived(reject, 3, harness.maker.cancel(harness.quote("q2"))))
    assert harness.state("q2") is QuoteState.OPEN
    [confirm] = harness.sent(status("q2", S.ACCEPTED, "R2", side=Side.BUY))
    harness.feed(RejectReceived(reject, 4, confirm))
    assert harness.state("q2") is QuoteState.ACCEPTED
    assert harness.feed(RejectReceived(reject, 5, QuoteCancel(quote_id="?"))) == []
    assert harness.feed(RejectReceived(reject, 5, None)) == []


# --- messages not sent, or created by the user ----------------------------------------------------------


def test_an_unsent_message_is_withdrawn(harness: Harness) -> None:
    [quote] = harness.sent(incoming_rfq())
    harness.maker.withdraw(quote)
    assert (harness.maker.quote_of("q1"), harness.shown[0].quote) == (None, None)
    harness.maker.withdraw(quote)
    waiting_quote = harness.maker.requote(harness.shown[0])
    assert isinstance(waiting_quote, Quote)
    harness.feed(SESSION_ENDED)  # while `send` waits
    harness.maker.withdraw(waiting_quote)
    assert (harness.shown[0].quote, harness.uncertain()) == (None, [])
    second_quote = harness.maker.requote(harness.shown[0])
    assert isinstance(second_quote, Quote)
    harness.feed(status("q3", S.PENDING))
    harness.maker.withdraw(second_quote)  # the message was sent after all
    assert harness.state("q3") is QuoteState.OPEN
    cancel = harness.maker.cancel(harness.quote("q3"))
    harness.maker.withdraw(cancel)
    assert harness.maker.requote(harness.shown[0]) is None
    [confirm] = harness.sent(status("q3", S.ACCEPTED, side=Side.BUY))
    harness.maker.withdraw(confirm)
    assert harness.state("q3") is QuoteState.ACCEPTED
    harness.maker.withdraw(QuoteRequest(quote_req_id="R1"))
    harness.maker.confirm(harness.quote("q3"), at(1))


def test_messages_built_by_the_maker_may_be_applied_to_it(harness: Harness) -> None:
    [quote] = harness.sent(incoming_rfq())
    assert harness.feed(quote) == []
    harness.feed(status("q1", S.PENDING))
    [confirm] = harness.sent(status("q1", S.ACCEPTED, side=Side.BUY))
    assert harness.feed(confirm) == []
    assert harness.feed(QuoteConfirm(quote_id="?"), QuoteCancel(quote_id="?")) == []


def test_quotes_built_by_a_user_or_read_from_a_log_may_be_applied() -> None:
    harness = Harness(None, will_confirm=False)
    harness.feed(incoming_rfq(), user_quote("mine", "R1", rest_remainder=True), status("mine", S.PENDING))
    assert harness.quote("mine").terms == QuoteTerms("0.40", "0.55", rest_remainder=True)
    # A request that was not received, a quote that the venue refuses, and a quote that a creator receives.
    harness.feed(user_quote("other", "R2"), user_quote("none", "R3", bid_px="0.99"))
    harness.feed(MessageReceived(user_quote("theirs", "R4")))
    assert harness.state("other") is QuoteState.SENT
    assert [harness.maker.quote_of(name) for name in ("none", "theirs")] == [None, None]
    assert harness.sent(incoming_rfq("R2")) == []
    harness.feed(status("mine", S.ACCEPTED, side=Side.BUY), QuoteConfirm(quote_id="mine"))
    assert harness.state("mine") is QuoteState.CONFIRMING


def test_prices_on_a_session_in_cents_are_converted() -> None:
    harness = Harness(QuoteTerms("0.40"))
    [quote] = harness.sent(logged_on(dollars=False), incoming_rfq())
    assert (quote.bid_px, quote.offer_px) == (d(40), None)
    harness.feed(Quote(quote_id="mine", quote_req_id="R1", symbol=MARKET, offer_px=55, bid_px=0))
    assert harness.quote("mine").terms == QuoteTerms(offer="0.55")
    harness.terms = QuoteTerms("0.405")
    with pytest.raises(RfqRequestError, match="whole number of cents"):
        harness.feed(incoming_rfq("R2"))
    assert harness.maker.rfq("R2").quote is None  # type: ignore[union-attr]
    # The request remains available.
    assert [update.rfq for update in harness.feed(incoming_rfq("R2"))] == [harness.maker.rfq("R2")]


@pytest.mark.parametrize("prices", [(None, None), ("0", "0"), ("0.5", "0.51"), ("-0.1", "0.2"), ("1", None)])
def test_invalid_terms_are_refused(prices: Any) -> None:
    with pytest.raises(ValueError, match="not a valid quote"):
        QuoteTerms(*prices)


def test_a_duplicate_quote_id_raises(harness: Harness) -> None:
    harness.maker._new_id = lambda: "same"
    harness.feed(incoming_rfq())
    with pytest.raises(RfqRequestError, match="already in use"):
        harness.feed(incoming_rfq("R2"))


# --- disconnects ----------------------------------------------------------------------------------------


def test_after_a_disconnect_quotes_are_uncertain_until_a_message_resolves_them(harness: Harness) -> None:
    harness.feed(
        logged_on(), incoming_rfq(), incoming_rfq("R2"), status("q2", S.PENDING, "R2"), incoming_rfq("R3")
    )
    harness.feed(status("q3", S.REJECTED, "R3"))
    harness.seconds = 5
    assert len(harness.feed(SESSION_ENDED)) == 2
    assert harness.uncertain() == [
        (UncertainRfqKind.QUOTE_UNKNOWN, "q1"),
        (UncertainRfqKind.QUOTE_UNKNOWN, "q2"),
    ]
    assert {item.since for item in harness.maker.uncertain()} == {at(5)}
    assert harness.maker.exposure() == Exposure()  # Only confirmed quotes trade.
    harness.feed(logged_on())
    # The same terms are quoted again, because the resting quote is unknown.
    assert isinstance(harness.maker.requote(harness.shown[0]), Quote)
    harness.feed(status("q4", S.PENDING))
    assert harness.state() is QuoteState.REPLACED
    harness.feed(harness.maker.cancel(harness.quote("q2")), cancel_status("q2"))
    assert harness.uncertain() == []


def test_a_quote_accepted_before_a_disconnect_can_be_confirmed_after_it() -> None:
    harness = Harness(will_confirm=False).accepted()
    harness.feed(logged_on(), SESSION_ENDED, logged_on())
    assert (harness.state(), harness.uncertain()) == (QuoteState.ACCEPTED, [])
    harness.maker.confirm(harness.quote(), at(10))
    harness.feed(confirm_status("q1"))
    assert harness.state() is QuoteState.CONFIRMED


@pytest.mark.parametrize(
    "loss",
    [
        SESSION_ENDED,
        MessagesLost(3, 9),
        MessageRejected(None, ()),
        MessageRejected(unreadable("35=U8|34=2|").message, ()),
        logged_on(),
        unknown(("U7", "q1"), ("F", "?")),
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_an_uncertain_confirmation_counts_as_exposure_until_resolved(
    harness: Harness, loss: object, confirmed: bool
) -> None:
    harness.feed(logged_on())
    harness.accepted(bid_size=100)
    if confirmed:
        harness.feed(confirm_status("q1"))
    exposure = harness.maker.exposure()
    harness.feed(loss)
    kind = UncertainRfqKind.EXECUTION_UNKNOWN if confirmed else UncertainRfqKind.CONFIRM_UNKNOWN
    assert (harness.uncertain(), harness.maker.exposure()) == ([(kind, "q1")], exposure)
    harness.maker.handle_timer(at(3600))
    assert harness.uncertain() == [(kind, "q1")]
    harness.feed(report("quote:0:q1"))
    assert (harness.uncertain(), harness.maker.exposure()) == ([], Exposure())


def test_a_late_answer_ends_the_uncertainty(harness: Harness) -> None:
    harness.accepted().feed(unknown(("U7", "q1")))
    harness.feed(confirm_status("q1"))
    assert harness.state() is QuoteState.CONFIRMED
    harness.feed(incoming_rfq("R2"), unknown(("S", "q2")))
    assert harness.state("q2") is QuoteState.UNKNOWN
    harness.feed(status("q2", S.PENDING, "R2"))
    assert harness.state("q2") is QuoteState.OPEN
    harness.feed(MessageRejected(status("q2", S.ACCEPTED), ()))
    assert harness.uncertain() == [(UncertainRfqKind.QUOTE_UNKNOWN, "q2")]
    others = incoming_rfq("R9").message, rfq_reject("R2"), report("quote:0:?"), report("plain")
    harness.feed(MessageRejected(status("q1", S.ACCEPTED), (), will_be_resent=True))
    harness.feed(*(MessageRejected(other, ()) for other in others))
    assert harness.state() is QuoteState.CONFIRMED
    harness.feed(MessageRejected(report("quote:0:q1"), ()))
    assert harness.uncertain()[0] == (UncertainRfqKind.EXECUTION_UNKNOWN, "q1")


@pytest.mark.parametrize("state", ["OPEN", "CANCELED", "CONFIRMED", "EXECUTED", "FAILED"])
def test_a_resolution_by_the_user_ends_an_uncertainty(harness: Harness, state: str) -> None:
    harness.accepted(bid_size=1).feed(SESSION_ENDED)
    harness.maker.resolve(harness.quote(), QuoteState[state])
    assert (harness.state(), harness.uncertain()) == (QuoteState[state], [])
    assert (harness.maker.exposure() == Exposure()) is (state != "CONFIRMED")
    assert harness.maker.next_deadline() == (at(20) if state == "CONFIRMED" else None)


@pytest.mark.parametrize(
    "end",
    [status("q1", S.ACCEPTED, side=Side.SELL), cancel_status("q1", 1, "NOT_FOUND"), status("q1", S.REJECTED)],
)
def test_an_ended_quote_that_is_open_according_to_the_user_can_be_accepted(end: object) -> None:
    harness = Harness(will_confirm=False)
    harness.feed(incoming_rfq(), end)
    harness.seconds = 31
    harness.feed(None)
    assert harness.shown[0].quote is None
    harness.maker.resolve(harness.quote(), QuoteState.OPEN)
    assert harness.state() is QuoteState.OPEN
    harness.feed(status("q1", S.ACCEPTED, side=Side.BUY))
    assert (harness.state(), harness.quote().side) == (QuoteState.ACCEPTED, Side.BUY)


def test_other_states_cannot_be_resolved(harness: Harness) -> None:
    harness.accepted().feed(SESSION_ENDED)
    with pytest.raises(RfqRequestError, match="in time"):
        harness.maker.resolve(harness.quote(), QuoteState.LAPSED)


def test_a_refused_cancel_implies_that_an_uncertain_quote_has_ended(harness: Harness) -> None:
    for number, name in enumerate(("R1", "R2", "R3"), 1):
        harness.feed(incoming_rfq(name), status(f"q{number}", S.PENDING, name))
    harness.feed(SESSION_ENDED)
    for number, text in enumerate(("NOT_FOUND", "EXPIRED", "QUOTE_ALREADY_CONFIRMED"), 1):
        harness.maker.cancel(harness.quote(f"q{number}"))
        harness.feed(cancel_status(f"q{number}", 1, text))
    assert [harness.state(name) for name in ("q1", "q2")] == [QuoteState.CANCELED] * 2
    assert harness.uncertain() == [(UncertainRfqKind.QUOTE_UNKNOWN, "q3")]


def test_a_refused_cancel_does_not_contradict_a_confirmation(harness: Harness) -> None:
    harness.accepted().feed(SESSION_ENDED, cancel_status("q1", 1, "EXPIRED"))
    assert harness.uncertain() == [(UncertainRfqKind.CONFIRM_UNKNOWN, "q1")]


# --- drop copy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("range_", "is_conclusive"),
    [
        (covered(), True),
        (covered("4;1", OVERDUE_AT + 60), True),
        (covered(seconds=OVERDUE_AT - 0.001), False),
        (covered(seconds=None), False),
        (covered("5;2"), False),
        (covered("5;1;1"), False),
        (covered(end="9;9"), False),
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_range_of_drop_copy_without_its_order_ends_the_exposure(
    harness: Harness, range_: DropCopyRange, is_conclusive: bool, confirmed: bool
) -> None:
    harness.feed(traded("5;1"))
    harness.accepted()
    if confirmed:
        harness.seconds = 30
        harness.feed(confirm_status("q1"))
    harness.feed(SESSION_ENDED)
    exposure = harness.maker.exposure()
    assert exposure != Exposure()
    harness.seconds = OVERDUE_AT - 1
    assert harness.maker.drop_copy_start(at(OVERDUE_AT - 1)) == {}
    assert harness.maker.next_deadline() == at(OVERDUE_AT)
    harness.seconds = OVERDUE_AT
    updates = harness.feed(traded("6;1"), range_)
    if is_conclusive:
        assert [(update.before, update.state_changed) for update in updates] == [(QuoteState.UNKNOWN, True)]
        assert (harness.state(), harness.uncertain()) == (QuoteState.NO_ORDER, [])
        assert (harness.maker.exposure(), harness.maker.drop_copy_start(at(OVERDUE_AT))) == (Exposure(), {})
    else:
        assert (updates, harness.maker.exposure()) == ([], exposure)
        assert harness.maker.drop_copy_start(at(OVERDUE_AT)) == {0: ExecKey(0, 5, 1)}
        assert harness.maker.drop_copy_start(at(OVERDUE_AT), {0: ExecKey(0, 5, 1)}) == {}
    assert harness.maker.next_deadline() is None
    harness.feed(report("quote:0:q1"))  # Drop copy has omitted the order, or its clock is wrong.
    assert harness.state() is QuoteState.EXECUTED


def test_a_range_that_contains_its_order_ends_the_uncertainty(harness: Harness) -> None:
    harness.feed(traded("5;1"))
    harness.accepted().feed(SESSION_ENDED)
    harness.feed(DropCopyReport(report("quote:0:q1")), covered())
    assert harness.state() is QuoteState.EXECUTED


def test_old_reports_received_late_still_precede_the_order(harness: Harness) -> None:
    harness.seconds = 10
    harness.accepted().feed(SESSION_ENDED)
    harness.seconds = 10 + OVERDUE_AT
    harness.feed(
        traded("8;1", 10),
        traded("7;1"),
        traded("-1;-1"),
        traded("4;1", 9),
        DropCopyReport(order_flow.raw_report(exec_id="?")),
    )
    assert harness.maker.drop_copy_start(at(10 + OVERDUE_AT)) == {0: ExecKey(0, 4, 1)}
    harness.feed(covered("5;1", 10 + OVERDUE_AT))
    assert harness.state() is QuoteState.UNKNOWN
    harness.feed(covered("4;1", 10 + OVERDUE_AT))
    assert harness.state() is QuoteState.NO_ORDER


def test_without_a_known_shard_no_range_is_conclusive(harness: Harness) -> None:
    other = traded("5;1")
    other.report.symbol = LONG_ID
    harness.feed(other)
    harness.accepted().feed(SESSION_ENDED)
    harness.seconds = OVERDUE_AT
    harness.feed(covered())
    assert (harness.state(), harness.maker.drop_copy_start(at(OVERDUE_AT))) == (QuoteState.UNKNOWN, {})


def test_the_markets_and_shards_of_reports_are_bounded() -> None:
    keys, other = ReportKeys(), order_flow.report("new", "5;1")
    for number in range(MAX_SYMBOLS + 1):
        other.symbol, other.exec_id = f"M{number}", f"5;1;{number}"
        keys.record_report(other, ())
    assert (len(keys._shards), len(keys._newest)) == (MAX_SYMBOLS, MAX_SHARDS)


def test_reports_received_before_the_loss_of_a_confirmation_is_known_may_follow_its_order(
    harness: Harness,
) -> None:
    harness.feed(incoming_rfq(), status("q1", S.PENDING), traded("5;1"))
    harness.seconds = 60
    harness.feed(order_flow.unanswered(QuoteConfirm(quote_id="q1", rfq_id="R1")))
    assert harness.uncertain() == [(UncertainRfqKind.CONFIRM_UNKNOWN, "q1")]
    assert harness.maker.next_deadline() == at(60 + OVERDUE_AT)
    assert harness.maker.drop_copy_start(at(60 + OVERDUE_AT)) == {}
    harness.feed(status("q1", S.ACCEPTED, side=Side.SELL), traded("4;1", 0))
    assert harness.maker.drop_copy_start(at(60 + OVERDUE_AT)) == {}


def test_a_confirmation_by_the_user_may_trade_a_whole_window_later(harness: Harness) -> None:
    harness.feed(traded("5;1"), incoming_rfq(), QuoteConfirm(quote_id="q1", rfq_id="R1"))
    assert harness.state() is QuoteState.CONFIRMING
    harness.seconds = 7
    harness.feed(SESSION_ENDED)
    assert harness.maker.next_deadline() == at(7 + OVERDUE_AT)
    harness.seconds = 7 + OVERDUE_AT
    harness.feed(covered(seconds=7 + OVERDUE_AT - 1))
    assert harness.state() is QuoteState.UNKNOWN
    harness.feed(covered(seconds=7 + OVERDUE_AT))
    assert harness.state() is QuoteState.NO_ORDER


def test_a_resolution_by_the_user_overrides_drop_copy(harness: Harness) -> None:
    harness.feed(traded("5;1"))
    harness.accepted().feed(SESSION_ENDED)
    harness.seconds = OVERDUE_AT
    harness.feed(covered())
    harness.maker.resolve(harness.quote(), QuoteState.CONFIRMED)
    assert (harness.state(), harness.maker.next_deadline()) == (QuoteState.CONFIRMED, at(OVERDUE_AT + 20))


# --- unexpected messages --------------------------------------------------------------------------------


def test_messages_about_unknown_objects_are_reported(harness: Harness) -> None:
    found = harness.kinds(status("?", S.ACCEPTED), confirm_status("?"), cancel_status("?"))
    assert found == [Kind.UNKNOWN_QUOTE] * 3
    assert harness.feed(report("quote:0:?"), report("plain"), rfq_reject("?")) == []
    [update] = harness.feed(status("?", S.ACCEPTED))
    assert (update.rfq, update.state_changed) == (None, False)
    assert str(update.discrepancies[0]) == f"{Kind.UNKNOWN_QUOTE.value}: '?' is 0"


def test_unknown_codes_are_reported(harness: Harness) -> None:
    harness.feed(incoming_rfq())
    assert (
        harness.kinds(status("q1", 77), confirm_status("q1", 7), cancel_status("q1", 7))
        == [Kind.UNREADABLE] * 3
    )
    assert harness.state() is QuoteState.SENT


COLLECTION, LEGS = "MultivariateCollectionTicker=C|", "NoMultivariateSelectedLegs=1|"
EVENT, TICKER = "MultivariateSelectedEventTicker=E|", "MultivariateSelectedMarketTicker=M|"
SIDE = "MultivariateSelectedSide=yes|"
HEADER = f"35=R|49=Kalshi|56={KEY_ID}|34=2|52=20261121-12:00:00.000|"
READABLE_REQUEST = f"{HEADER}131=R1|146=1|55=A|38=5|{COLLECTION}{LEGS}{EVENT}{TICKER}{SIDE}"


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("131=R1|", ""),
        ("131=R1|", f"131={LONG_ID}|"),
        ("55=A|", ""),
        ("146=1|55=A|38=5|", ""),
        ("38=5|", "38=five|"),
        (EVENT, ""),
        (TICKER, ""),
        (SIDE, ""),
        (TICKER, TICKER.replace("M|", f"{LONG_ID}|")),
    ],
)
def test_an_unreadable_request_is_reported_and_not_quoted(harness: Harness, field: str, other: str) -> None:
    assert harness.kinds(unreadable(by_tags(READABLE_REQUEST.replace(field, other)))) == [Kind.UNREADABLE]
    assert (harness.shown, len(harness.maker)) == ([], 0)
    assert len(harness.sent(unreadable(by_tags(READABLE_REQUEST)))) == 1


def test_a_confirmed_quote_counts_after_a_cancel(harness: Harness) -> None:
    harness.accepted(bid_size=1).feed(confirm_status("q1"))
    assert harness.kinds(status("q1", S.CANCELED), status("q1", S.CANCELED)) == [Kind.CONFLICT]
    assert (harness.state(), harness.maker.exposure().bought) == (QuoteState.CONFIRMED, d(1))
    other = Harness().accepted(bid_size=1)
    assert other.kinds(status("q1", S.CANCELED), confirm_status("q1")) == [Kind.CONFLICT]
    assert other.state() is QuoteState.CONFIRMED


def test_exceptions_from_the_users_callbacks_propagate() -> None:
    harness = Harness()
    harness.maker._quote = lambda rfq: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        harness.feed(incoming_rfq())
    assert harness.maker.rfq("R1") is not None


# --- bounds ---------------------------------------------------------------------------------------------


def test_requests_without_a_quote_are_evicted_first() -> None:
    harness = Harness(max_rfqs=3)
    harness.feed(
        incoming_rfq("R1"),
        incoming_rfq("R2"),
        status("q2", S.REJECTED, "R2"),
        incoming_rfq("R3"),
        incoming_rfq("R4"),
    )
    assert [rfq.rfq_id for rfq in harness.maker] == ["R1", "R3", "R4"]
    harness.feed(status("q1", S.ACCEPTED, side=Side.BUY), incoming_rfq("R5"))
    assert [rfq.rfq_id for rfq in harness.maker] == ["R1", "R4", "R5"]
    assert (harness.maker.quote_of("q2"), harness.maker.quote_of("q3")) == (None, None)
    harness.feed(status("q4", S.ACCEPTED, "R4", side=Side.BUY), status("q5", S.ACCEPTED, "R5", side=Side.BUY))
    assert harness.kinds(incoming_rfq("R6")) == [Kind.TOO_MANY]
    assert harness.kinds(user_quote("mine", "R7")) == [Kind.TOO_MANY]
    assert len(harness.maker) == 3


def test_old_quotes_of_a_request_are_evicted_for_new_ones() -> None:
    harness = Harness()
    harness.feed(incoming_rfq())
    rfq = harness.shown[0]
    for number in range(1, 3 * MAX_QUOTES):
        harness.terms = QuoteTerms(Decimal(number) / 100)
        assert harness.maker.requote(rfq) is not None
        harness.feed(status(f"q{number + 1}", S.PENDING))
    assert len(rfq.quotes) == len(harness.maker._quotes) == MAX_QUOTES
    assert rfq.quote is harness.quote(f"q{3 * MAX_QUOTES}")


def test_uncertain_quotes_are_not_evicted() -> None:
    harness = Harness()
    harness.feed(incoming_rfq())
    for _ in range(MAX_QUOTES - 1):
        harness.feed(SESSION_ENDED)
        harness.maker.requote(harness.shown[0])
    harness.feed(SESSION_ENDED)
    assert len(harness.uncertain()) == MAX_QUOTES
    with pytest.raises(RfqRequestError, match="16 quotes that may still be open"):
        harness.maker.requote(harness.shown[0])
    assert len(harness.uncertain()) == MAX_QUOTES


# --- dumps ----------------------------------------------------------------------------------------------


def test_the_dump_of_the_previous_process_is_loaded() -> None:
    harness = Harness(will_confirm=False)
    harness.feed(
        logged_on(),
        incoming_combo_rfq("R2"),
        status("q1", S.ACCEPTED, "R2", side=Side.SELL),
        incoming_rfq("R3"),
    )
    harness.feed(
        report("quote:0:q1", ExecType.REJECTED), incoming_rfq("R4", quantity=0, cash_order_qty="12.34")
    )
    harness.feed(status("q3", S.ACCEPTED, "R4", side=Side.BUY))
    other = Harness(will_confirm=False)
    updates = other.maker.load(order_flow.dump(harness.maker))
    assert [update.quote.quote_id for update in updates if update.quote] == ["q2"]  # the answer is lost
    assert other.uncertain() == [(UncertainRfqKind.QUOTE_UNKNOWN, "q2")]
    assert other.maker.rfq("R2").legs == harness.shown[0].legs  # type: ignore[union-attr]
    assert (other.state("q3"), other.maker.next_deadline()) == (QuoteState.ACCEPTED, at(30))
    assert other.maker.exposure() == harness.maker.exposure()
    other.maker.confirm(other.quote("q3"), at(29))
