"""A maker's quotes after requests, answers, timeouts and disconnects."""

from __future__ import annotations

import json
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
from kalshi_fix_sansio.clock import BEGINNING, END
from kalshi_fix_sansio.events import MessageReceived, MessageRejected, MessagesLost, RejectReceived
from kalshi_fix_sansio.trading import (
    Copied,
    Covered,
    ExecKey,
    Exposure,
    MakerQuote,
    MakerRfq,
    MakerUpdate,
    QuoteState,
    QuoteTerms,
    RfqDiscrepancyKind,
    RfqDoubtKind,
    RfqMaker,
    RfqRequestError,
    RfqWindows,
)
from kalshi_fix_sansio.trading.common.dumping import VERSION
from kalshi_fix_sansio.trading.drop_copy import MAX_SHARDS
from kalshi_fix_sansio.trading.rfq.coverage import MAX_SYMBOLS, ReportKeys
from kalshi_fix_sansio.trading.rfq.maker import MAX_QUOTES
from tests.helpers import KEY_ID, by_tags
from tests.trading import order_flow
from tests.trading.order_flow import ENDED, NOON, at, d, header
from tests.trading.rfq_flow import (
    COMBO,
    DUE,
    LONG,
    MARKET,
    cancel_status,
    confirm_status,
    covered,
    heard,
    heard_combo,
    logged_on,
    over,
    received,
    report,
    status,
    traded,
    unknown,
    unreadable,
)

S = QuoteStatus
Kind = RfqDiscrepancyKind
TERMS = QuoteTerms("0.40", "0.55")


class Desk:
    """A maker with its user's callbacks, and the time."""

    def __init__(self, terms: QuoteTerms | None = TERMS, *, confirms: bool = True, **more: Any) -> None:
        self.terms, self.confirms = terms, confirms
        self.shown: list[MakerRfq] = []
        self.looked: list[MakerQuote] = []
        ids = count(1)
        self.maker = RfqMaker(self.offer, self.look, lambda: f"q{next(ids)}", **more)
        self.seconds = 0.0

    def offer(self, rfq: MakerRfq) -> QuoteTerms | None:
        self.shown.append(rfq)
        return self.terms

    def look(self, quote: MakerQuote) -> bool:
        self.looked.append(quote)
        return self.confirms

    def feed(self, *happened: object) -> list[MakerUpdate]:
        return [update for each in happened for update in self.maker.apply(each, at(self.seconds))]

    def sent(self, *happened: object) -> list[Any]:
        return [update.send for update in self.feed(*happened) if update.send is not None]

    def kinds(self, *happened: object) -> list[Kind]:
        return [each.kind for update in self.feed(*happened) for each in update.discrepancies]

    def quote(self, name: str = "q1") -> MakerQuote:
        quote = self.maker.quote_of(name)
        assert quote is not None
        return quote

    def state(self, name: str = "q1") -> QuoteState:
        return self.quote(name).state

    def doubts(self) -> list[tuple[RfqDoubtKind, str | None]]:
        return [(each.kind, each.quote_id) for each in self.maker.doubts()]

    def accepted(self, side: Side = Side.BUY, **more: Any) -> Desk:
        self.feed(heard(), status("q1", S.PENDING, bid_size=100, offer_size=90))
        self.feed(status("q1", S.ACCEPTED, side=side, **more))
        return self


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    # A dump restores the complete state at any time.
    dumped = json.loads(json.dumps(desk.maker.dump()))
    assert again(desk, dumped).maker.dump() == desk.maker.dump() | {"on": False}


def again(desk: Desk, dumped: Any) -> Desk:
    other = Desk()
    other.maker.load(dumped | {"on": False})
    assert other.maker.exposure() == desk.maker.exposure()
    assert other.maker.next_deadline() == desk.maker.next_deadline()
    return other


@pytest.mark.parametrize("time", [BEGINNING, END])
def test_extreme_times_are_decoded(desk: Desk, time: datetime) -> None:
    accepted = status("q1", S.ACCEPTED, side=Side.BUY)
    accepted.header = header(accepted, at=time)
    confirmed = confirm_status("q1")
    confirmed.header = header(confirmed, at=time)
    desk.feed(heard())
    for message in (accepted, confirmed):
        desk.maker.apply(MessageReceived(message), END)
    desk.maker.resolve(desk.quote(), QuoteState.CONFIRMED)
    assert desk.quote().deadline == END


# --- from a request to a trade --------------------------------------------------------------------------


def test_a_request_is_quoted_confirmed_and_executed(desk: Desk) -> None:
    [quote] = desk.sent(heard(quantity=100))
    assert (quote.quote_id, quote.quote_req_id, quote.symbol) == ("q1", "R1", MARKET)
    assert (quote.bid_px, quote.offer_px, quote.alloc_account) == (d("0.40"), d("0.55"), None)
    assert desk.state() is QuoteState.SENT
    [update] = desk.feed(status("q1", S.PENDING, bid_size=100, offer_size=100))
    assert (update.before, desk.state(), update.state_changed) == (QuoteState.SENT, QuoteState.OPEN, True)
    assert desk.maker.exposure() == Exposure()
    [confirm] = desk.sent(status("q1", S.ACCEPTED, side=Side.SELL, offer_size=60))
    assert confirm == QuoteConfirm(quote_id="q1", rfq_id="R1")
    assert [each.quote_id for each in desk.looked] == ["q1"]
    assert desk.state() is QuoteState.CONFIRMING
    quote = desk.quote()
    assert (quote.side, quote.price, quote.quantity) == (Side.SELL, d("0.45"), d(60))
    assert desk.maker.exposure() == desk.maker.exposure(MARKET) == Exposure(d(0), d(60), d("33.00"))
    assert desk.maker.exposure(COMBO) == Exposure()
    desk.feed(confirm_status("q1"))
    assert (desk.state(), desk.maker.next_deadline()) == (QuoteState.CONFIRMED, at(20))
    desk.feed(report("quote:a1b2c3d4:q1", ExecType.PENDING_NEW, 0))
    assert desk.state() is QuoteState.CONFIRMED
    desk.feed(report("quote:a1b2c3d4:q1", filled=60), report("quote:a1b2c3d4:q1", filled=25))
    assert (desk.state(), desk.quote().filled) == (QuoteState.EXECUTED, d(60))
    assert (desk.maker.exposure(), desk.maker.next_deadline(), desk.doubts()) == (Exposure(), None, [])
    assert desk.maker.rfq("R1").is_closed  # type: ignore[union-attr]


def test_the_known_fields_of_a_request_are_shown(desk: Desk) -> None:
    desk.terms = None
    [update] = desk.feed(heard_combo())
    [rfq] = desk.shown
    assert update.rfq is rfq
    assert (update.quote, update.send, rfq.quote) == (None, None, None)
    assert (rfq.symbol, rfq.collection, len(rfq.legs), rfq.high_volatility) == (COMBO, "KXCOMBO", 2, True)
    assert (rfq.contracts, rfq.cash, rfq.created, rfq.requester) == (d(100), None, NOON, None)
    assert list(desk.maker) == [rfq]
    assert len(desk.maker) == 1


def test_a_request_received_twice_is_quoted_once(desk: Desk) -> None:
    assert len(desk.sent(heard(), heard())) == 1


def _of(quote_id: str, rfq_id: str) -> dict[str, Any]:
    return {
        "quote_id": quote_id,
        "quote_req_id": rfq_id,
        "symbol": MARKET,
        "bid_px": "0.40",
        "offer_px": "0.55",
    }


@pytest.mark.parametrize(
    ("side", "price", "cost"), [(Side.BUY, "0.40", "40.00"), (Side.SELL, "0.45", "55.00")]
)
def test_exposure_is_the_cost_of_the_side(desk: Desk, side: Side, price: str, cost: str) -> None:
    desk.accepted(side, order_qty=100)
    found = desk.maker.exposure()
    assert (desk.quote().price, found.cost) == (d(price), d(cost))
    assert (found.bought, found.sold) == ((d(100), d(0)) if side is Side.BUY else (d(0), d(100)))


def test_a_one_sided_quote_is_accepted_on_its_side(desk: Desk) -> None:
    for name, terms, side in (
        ("1", QuoteTerms(bid="0.4"), Side.BUY),
        ("2", QuoteTerms(offer="0.4"), Side.SELL),
    ):
        desk.terms = terms
        desk.feed(heard(f"R{name}"), status(f"q{name}", S.ACCEPTED, f"R{name}"))
        assert (desk.quote(f"q{name}").side, desk.state(f"q{name}")) == (side, QuoteState.CONFIRMING)


@pytest.mark.parametrize("side", [None, Side.SELL, "7"])
def test_an_acceptance_on_an_unquoted_side_is_not_confirmed(desk: Desk, side: Any) -> None:
    desk.terms = QuoteTerms(bid="0.40") if side == Side.SELL else TERMS
    desk.feed(heard())
    assert desk.kinds(status("q1", S.ACCEPTED, side=side)) == [Kind.UNREADABLE]
    assert (desk.looked, desk.state(), desk.maker.exposure()) == ([], QuoteState.ACCEPTED, Exposure())
    assert (desk.quote().price, desk.quote().quantity) == (None, d(0))


@pytest.mark.parametrize(
    ("entry", "terms", "accepted", "quantity"),
    [
        ({"quantity": 100}, TERMS, {"side": Side.BUY}, "100"),
        ({"quantity": 100}, TERMS, {"side": Side.BUY, "order_qty": 40}, "40"),
        ({"quantity": 100}, TERMS, {"side": Side.BUY, "order_qty": 40, "bid_size": 30}, "30"),
        # With RestRemainder the order is for the whole quote.
        (
            {"quantity": 100},
            QuoteTerms("0.4", rest_remainder=True),
            {"side": Side.BUY, "bid_size": 30},
            "100",
        ),
        # An amount of cash buys its creator at most this many contracts.
        ({"quantity": 0, "cash_order_qty": 60}, TERMS, {"side": Side.BUY}, "100"),
        ({"quantity": 0, "cash_order_qty": 45}, TERMS, {"side": Side.SELL}, "100"),
        ({"quantity": 0}, TERMS, {"side": Side.SELL}, "0"),
    ],
)
def test_contracts_that_may_trade(
    entry: dict[str, Any], terms: QuoteTerms, accepted: dict[str, Any], quantity: str
) -> None:
    desk = Desk(terms)
    desk.feed(heard(**entry), status("q1", S.ACCEPTED, **accepted))
    assert desk.quote().quantity == d(quantity)


def test_reports_in_any_order_lead_to_the_same() -> None:
    reports = [
        status("q1", S.PENDING, bid_size=100, offer_size=100),
        status("q1", S.ACCEPTED, side=Side.BUY, bid_size=30),
        confirm_status("q1"),
    ]
    for order in permutations(reports):
        desk = Desk()
        desk.feed(heard(), QuoteConfirm(quote_id="q1"), *order, *order)
        assert desk.state() is QuoteState.CONFIRMED
        assert (desk.quote().quantity, desk.maker.next_deadline()) == (d(30), at(20))
        desk.feed(report("quote:0:q1"), *order)
        assert (desk.state(), desk.maker.exposure()) == (QuoteState.EXECUTED, Exposure())


# --- time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("combo", "window"), [(False, 30), (True, 3)])
def test_no_quote_is_confirmed_after_the_deadline(combo: bool, window: int) -> None:
    desk = Desk(confirms=False)
    desk.feed(heard_combo() if combo else heard(), status("q1", S.ACCEPTED, side=Side.BUY))
    assert (desk.state(), desk.maker.next_deadline()) == (QuoteState.ACCEPTED, at(window))
    assert desk.maker.exposure() != Exposure()
    just_before = at(window) - timedelta(microseconds=1)
    assert desk.maker.handle_timer(just_before) == []
    assert desk.state() is QuoteState.ACCEPTED
    [update] = desk.maker.handle_timer(at(window))
    assert (update.before, desk.state()) == (QuoteState.ACCEPTED, QuoteState.LAPSED)
    assert (desk.maker.exposure(), desk.maker.next_deadline()) == (Exposure(), None)
    with pytest.raises(RfqRequestError, match="not confirmed in time"):
        desk.maker.confirm(desk.quote(), at(window))
    desk.seconds = window + 1
    desk.feed(status("q1", S.CANCELED))
    assert desk.state() is QuoteState.CANCELED


def test_the_user_may_confirm_later_and_the_clock_never_goes_back() -> None:
    desk = Desk(confirms=False)
    desk.accepted()
    assert desk.maker.confirm(desk.quote(), at(29.9)) == QuoteConfirm(quote_id="q1", rfq_id="R1")
    assert desk.state() is QuoteState.CONFIRMING
    late = Desk(confirms=False)
    late.accepted()
    late.maker.handle_timer(at(30))
    with pytest.raises(RfqRequestError):
        late.maker.confirm(late.quote(), at(1))


def test_a_window_begins_at_the_time_in_the_venues_message(desk: Desk) -> None:
    desk.feed(heard())
    desk.seconds = 40
    desk.feed(received(status("q1", S.ACCEPTED, side=Side.BUY), seconds=10))
    assert (desk.state(), desk.looked) == (QuoteState.LAPSED, [])
    desk.feed(heard("R2"), received(status("q2", S.ACCEPTED, "R2", side=Side.BUY), seconds=12))
    assert (desk.state("q2"), desk.quote("q2").deadline) == (QuoteState.CONFIRMING, at(42))
    # A venue whose clock is ahead gives no additional time.
    desk.feed(heard("R3"), received(status("q3", S.ACCEPTED, "R3", side=Side.BUY), seconds=50))
    assert desk.quote("q3").deadline == at(70)


def test_times_and_markets_are_configurable() -> None:
    volatile: set[str] = set()
    desk = Desk(
        confirms=False,
        standard=RfqWindows(confirmation=20, execution=10),
        high_volatility=RfqWindows(confirmation=2, execution=1),
        volatile_symbols=volatile,
        grace=0.5,
    )
    desk.feed(heard(), status("q1", S.ACCEPTED, side=Side.BUY))
    volatile.add(MARKET)
    desk.feed(heard("R2"), status("q2", S.ACCEPTED, "R2", side=Side.BUY))
    assert [desk.quote(name).deadline for name in ("q1", "q2")] == [at(20), at(2)]
    desk.maker.confirm(desk.quote("q2"), NOON)
    desk.feed(confirm_status("q2"))
    assert desk.maker.next_deadline() == at(1.5)
    with pytest.raises(ValueError, match="confirmation"):
        RfqWindows(confirmation=-1, execution=1)


def test_an_overdue_trade_is_in_doubt_and_stays_exposure(desk: Desk) -> None:
    desk.accepted(bid_size=100).feed(confirm_status("q1"))
    exposure = desk.maker.exposure()
    [update] = desk.maker.handle_timer(at(20))
    assert (update.before, desk.state()) == (QuoteState.CONFIRMED, QuoteState.UNKNOWN)
    assert desk.doubts() == [(RfqDoubtKind.EXECUTION_UNKNOWN, "q1")]
    assert desk.maker.doubts()[0].since == at(20)
    desk.maker.handle_timer(at(3600 * 24))
    assert (desk.state(), desk.maker.exposure()) == (QuoteState.UNKNOWN, exposure)
    desk.feed(Copied(report("quote:00000000:q1")))
    assert (desk.state(), desk.doubts()) == (QuoteState.EXECUTED, [])


# --- one live quote per request -------------------------------------------------------------------------


def test_a_new_quote_replaces_the_resting_one(desk: Desk) -> None:
    desk.feed(heard(), status("q1", S.PENDING))
    rfq = desk.shown[0]
    assert desk.maker.requote(rfq) is None  # the same terms
    desk.terms = QuoteTerms("0.41", "0.55", post_only=True, rest_remainder=True)
    message = desk.maker.requote(rfq)
    assert isinstance(message, Quote)
    assert (message.quote_id, message.exec_inst, message.rest_remainder) == ("q2", "6", True)
    assert (rfq.quote, desk.state()) == (desk.quote("q2"), QuoteState.OPEN)
    desk.feed(status("q1", S.CANCELED), status("q2", S.PENDING))
    assert (desk.state(), desk.state("q2")) == (QuoteState.CANCELED, QuoteState.OPEN)


def test_an_accepted_new_quote_implies_the_cancel_of_the_old_one(desk: Desk) -> None:
    desk.feed(heard(), status("q1", S.PENDING))
    desk.terms = QuoteTerms("0.41")
    desk.maker.requote(desk.shown[0])
    updates = desk.feed(status("q2", S.PENDING))
    assert {update.quote.quote_id for update in updates if update.quote} == {"q1", "q2"}
    assert desk.state() is QuoteState.REPLACED
    # Other subaccounts have their own quotes.
    desk.feed(Quote(**_of("mine", "R1"), alloc_account=3), status("mine", S.PENDING))
    assert desk.state("q2") is QuoteState.OPEN


def test_offering_no_terms_cancels_the_resting_quote(desk: Desk) -> None:
    desk.feed(heard(), status("q1", S.PENDING))
    desk.terms = None
    rfq = desk.shown[0]
    assert desk.maker.requote(rfq) == QuoteCancel(quote_id="q1", rfq_id="R1")
    assert desk.maker.requote(rfq) is None
    desk.feed(cancel_status("q1"))
    assert (desk.state(), desk.maker.requote(rfq)) == (QuoteState.CANCELED, None)
    desk.terms = TERMS
    assert isinstance(desk.maker.requote(rfq), Quote)


def test_a_request_that_is_over_or_accepted_is_not_requoted(desk: Desk) -> None:
    desk.accepted()
    rfq = desk.shown[0]
    desk.terms = QuoteTerms("0.1")
    assert desk.maker.requote(rfq) is None
    desk.feed(heard("R2"), over("R2"))
    assert desk.maker.requote(desk.shown[1]) is None
    assert desk.state("q2") is QuoteState.CANCELED
    assert desk.feed(over("R2"), over("R9")) == []


def test_a_refused_cancel_keeps_the_quote(desk: Desk) -> None:
    desk.feed(heard(), status("q1", S.PENDING))
    desk.feed(desk.maker.cancel(desk.quote()))
    desk.feed(cancel_status("q1", 1, "EXCHANGE_PAUSED"))
    assert (desk.state(), desk.quote().text) == (QuoteState.OPEN, "EXCHANGE_PAUSED")
    desk.feed(heard("R2"), confirm_status("q2"))
    with pytest.raises(RfqRequestError, match="no longer"):
        desk.maker.cancel(desk.quote("q2"))
    desk.feed(over())
    with pytest.raises(RfqRequestError, match="no longer"):
        desk.maker.cancel(desk.quote())


def test_an_accepted_quote_can_be_cancelled() -> None:
    desk = Desk(confirms=False).accepted()
    assert desk.maker.cancel(desk.quote()) == QuoteCancel(quote_id="q1", rfq_id="R1")
    desk.feed(cancel_status("q1"))
    assert (desk.state(), desk.maker.exposure()) == (QuoteState.CANCELED, Exposure())


# --- refusals -------------------------------------------------------------------------------------------


def test_a_refused_quote_is_over(desk: Desk) -> None:
    desk.feed(heard(), status("q1", S.REJECTED, text="RFQ_CLOSED"))
    assert (desk.state(), desk.quote().text) == (QuoteState.REJECTED, "RFQ_CLOSED")
    # The venue's page leaves the id empty.
    desk.feed(heard("R2"), unreadable("35=AI|34=2|131=R2|297=5|58=no|"))
    assert (desk.state("q2"), desk.quote("q2").text) == (QuoteState.REJECTED, "no")
    assert desk.kinds(unreadable("35=AI|34=2|131=R2|297=5|58=no|")) == [Kind.UNKNOWN_QUOTE]


def test_a_refused_confirmation_can_be_sent_again_in_time(desk: Desk) -> None:
    desk.accepted().feed(received(confirm_status("q1", 1, "TRADING_PAUSED"), 1, 5))
    assert (desk.state(), desk.quote().text) == (QuoteState.ACCEPTED, "TRADING_PAUSED")
    desk.maker.confirm(desk.quote(), at(2))
    desk.feed(received(confirm_status("q1", 1, "TRADING_PAUSED"), 1, 5))  # the same message again
    assert desk.state() is QuoteState.CONFIRMING
    desk.feed(received(confirm_status("q1", 1, "TRADING_PAUSED"), 2, 6))
    assert desk.state() is QuoteState.ACCEPTED
    desk.feed(received(confirm_status("q1", 1, "nobody asked"), 3, 7))
    assert desk.state() is QuoteState.ACCEPTED
    desk.feed(
        QuoteConfirm(quote_id="q1"), QuoteConfirm(quote_id="q1"), confirm_status("q1"), confirm_status("q1")
    )
    assert desk.state() is QuoteState.CONFIRMED


def test_a_finally_rejected_order_is_no_exposure(desk: Desk) -> None:
    desk.accepted(bid_size=1).feed(
        confirm_status("q1"), report("quote:0:q1", ExecType.REJECTED, 0, "NO_MONEY")
    )
    assert (desk.state(), desk.quote().text) == (QuoteState.FAILED, "NO_MONEY")
    assert desk.maker.exposure() == Exposure()


def test_a_session_reject_refuses_the_message_it_refers_to(desk: Desk) -> None:
    reject = BusinessMessageReject(ref_seq_num=2, ref_msg_type="S", business_reject_reason=0, text="no")
    [quote] = desk.sent(heard())
    desk.feed(RejectReceived(reject, 2, quote))
    assert (desk.state(), desk.quote().text) == (QuoteState.REJECTED, "no")
    [quote] = desk.sent(heard("R2"))
    desk.feed(status("q2", S.PENDING, "R2"))
    desk.feed(RejectReceived(reject, 3, desk.maker.cancel(desk.quote("q2"))))
    assert desk.state("q2") is QuoteState.OPEN
    [confirm] = desk.sent(status("q2", S.ACCEPTED, "R2", side=Side.BUY))
    desk.feed(RejectReceived(reject, 4, confirm))
    assert desk.state("q2") is QuoteState.ACCEPTED
    assert desk.feed(RejectReceived(reject, 5, QuoteCancel(quote_id="?"))) == []
    assert desk.feed(RejectReceived(reject, 5, None)) == []


# --- messages not sent, or created by the user ----------------------------------------------------------


def test_an_unsent_message_is_withdrawn(desk: Desk) -> None:
    [quote] = desk.sent(heard())
    desk.maker.withdraw(quote)
    assert (desk.maker.quote_of("q1"), desk.shown[0].quote) == (None, None)
    desk.maker.withdraw(quote)
    again = desk.maker.requote(desk.shown[0])
    assert isinstance(again, Quote)
    desk.feed(status("q2", S.PENDING))
    desk.maker.withdraw(again)  # it was sent after all
    assert desk.state("q2") is QuoteState.OPEN
    cancel = desk.maker.cancel(desk.quote("q2"))
    desk.maker.withdraw(cancel)
    assert desk.maker.requote(desk.shown[0]) is None
    [confirm] = desk.sent(status("q2", S.ACCEPTED, side=Side.BUY))
    desk.maker.withdraw(confirm)
    assert desk.state("q2") is QuoteState.ACCEPTED
    desk.maker.withdraw(QuoteRequest(quote_req_id="R1"))
    desk.maker.confirm(desk.quote("q2"), at(1))


def test_messages_built_by_the_maker_may_be_applied_to_it(desk: Desk) -> None:
    [quote] = desk.sent(heard())
    assert desk.feed(quote) == []
    desk.feed(status("q1", S.PENDING))
    [confirm] = desk.sent(status("q1", S.ACCEPTED, side=Side.BUY))
    assert desk.feed(confirm) == []
    assert desk.feed(QuoteConfirm(quote_id="?"), QuoteCancel(quote_id="?")) == []


def test_quotes_may_be_applied_from_a_user_or_a_log() -> None:
    desk = Desk(None, confirms=False)
    desk.feed(heard(), Quote(**_of("mine", "R1"), rest_remainder=True), status("mine", S.PENDING))
    assert desk.quote("mine").terms == QuoteTerms("0.40", "0.55", rest_remainder=True)
    # A request that was not received; a quote that the venue refuses; one that a creator receives.
    desk.feed(Quote(**_of("other", "R2")), Quote(**_of("none", "R3") | {"bid_px": "0.99"}))
    desk.feed(MessageReceived(Quote(**_of("theirs", "R4"))))
    assert desk.state("other") is QuoteState.SENT
    assert [desk.maker.quote_of(name) for name in ("none", "theirs")] == [None, None]
    assert desk.sent(heard("R2")) == []
    desk.feed(status("mine", S.ACCEPTED, side=Side.BUY), QuoteConfirm(quote_id="mine"))
    assert desk.state("mine") is QuoteState.CONFIRMING


def test_a_session_in_cents() -> None:
    desk = Desk(QuoteTerms("0.40"))
    [quote] = desk.sent(logged_on(dollars=False), heard())
    assert (quote.bid_px, quote.offer_px) == (d(40), None)
    desk.feed(Quote(quote_id="mine", quote_req_id="R1", symbol=MARKET, offer_px=55, bid_px=0))
    assert desk.quote("mine").terms == QuoteTerms(offer="0.55")
    desk.terms = QuoteTerms("0.405")
    with pytest.raises(RfqRequestError, match="whole cents"):
        desk.feed(heard("R2"))
    assert desk.maker.rfq("R2").quote is None  # type: ignore[union-attr]
    # The request remains available.
    assert [update.rfq for update in desk.feed(heard("R2"))] == [desk.maker.rfq("R2")]


@pytest.mark.parametrize("prices", [(None, None), ("0", "0"), ("0.5", "0.51"), ("-0.1", "0.2"), ("1", None)])
def test_invalid_terms_are_refused(prices: Any) -> None:
    with pytest.raises(ValueError, match="no quote"):
        QuoteTerms(*prices)


def test_a_duplicate_quote_id_raises(desk: Desk) -> None:
    desk.maker._new_id = lambda: "same"
    desk.feed(heard())
    with pytest.raises(RfqRequestError, match="taken"):
        desk.feed(heard("R2"))


# --- disconnects ----------------------------------------------------------------------------------------


def test_after_a_disconnect_quotes_are_in_doubt_until_a_message_resolves_them(desk: Desk) -> None:
    desk.feed(logged_on(), heard(), heard("R2"), status("q2", S.PENDING, "R2"), heard("R3"))
    desk.feed(status("q3", S.REJECTED, "R3"))
    desk.seconds = 5
    assert len(desk.feed(ENDED)) == 2
    assert desk.doubts() == [(RfqDoubtKind.QUOTE_UNKNOWN, "q1"), (RfqDoubtKind.QUOTE_UNKNOWN, "q2")]
    assert {doubt.since for doubt in desk.maker.doubts()} == {at(5)}
    assert desk.maker.exposure() == Exposure()  # Only confirmed quotes trade.
    desk.feed(logged_on())
    # The same terms again, since the resting quote is unknown.
    assert isinstance(desk.maker.requote(desk.shown[0]), Quote)
    desk.feed(status("q4", S.PENDING))
    assert desk.state() is QuoteState.REPLACED
    desk.feed(desk.maker.cancel(desk.quote("q2")), cancel_status("q2"))
    assert desk.doubts() == []


def test_a_quote_accepted_before_a_disconnect_can_be_confirmed_after_it() -> None:
    desk = Desk(confirms=False).accepted()
    desk.feed(logged_on(), ENDED, logged_on())
    assert (desk.state(), desk.doubts()) == (QuoteState.ACCEPTED, [])
    desk.maker.confirm(desk.quote(), at(10))
    desk.feed(confirm_status("q1"))
    assert desk.state() is QuoteState.CONFIRMED


@pytest.mark.parametrize(
    "cut",
    [
        ENDED,
        MessagesLost(3, 9),
        MessageRejected(None, ()),
        MessageRejected(unreadable("35=U8|34=2|").message, ()),
        logged_on(),
        unknown(("U7", "q1"), ("F", "?")),
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_confirmation_in_doubt_stays_exposure_until_resolved(
    desk: Desk, cut: object, confirmed: bool
) -> None:
    desk.feed(logged_on())
    desk.accepted(bid_size=100)
    if confirmed:
        desk.feed(confirm_status("q1"))
    exposure = desk.maker.exposure()
    desk.feed(cut)
    kind = RfqDoubtKind.EXECUTION_UNKNOWN if confirmed else RfqDoubtKind.CONFIRM_UNKNOWN
    assert (desk.doubts(), desk.maker.exposure()) == ([(kind, "q1")], exposure)
    desk.maker.handle_timer(at(3600))
    assert desk.doubts() == [(kind, "q1")]
    desk.feed(report("quote:0:q1"))
    assert (desk.doubts(), desk.maker.exposure()) == ([], Exposure())


def test_a_late_answer_ends_the_doubt(desk: Desk) -> None:
    desk.accepted().feed(unknown(("U7", "q1")))
    desk.feed(confirm_status("q1"))
    assert desk.state() is QuoteState.CONFIRMED
    desk.feed(heard("R2"), unknown(("S", "q2")))
    assert desk.state("q2") is QuoteState.UNKNOWN
    desk.feed(status("q2", S.PENDING, "R2"))
    assert desk.state("q2") is QuoteState.OPEN
    desk.feed(MessageRejected(status("q2", S.ACCEPTED), ()))
    assert desk.doubts() == [(RfqDoubtKind.QUOTE_UNKNOWN, "q2")]
    others = heard("R9").message, over("R2"), report("quote:0:?"), report("plain")
    desk.feed(MessageRejected(status("q1", S.ACCEPTED), (), comes_again=True))
    desk.feed(*(MessageRejected(other, ()) for other in others))
    assert desk.state() is QuoteState.CONFIRMED
    desk.feed(MessageRejected(report("quote:0:q1"), ()))
    assert desk.doubts()[0] == (RfqDoubtKind.EXECUTION_UNKNOWN, "q1")


@pytest.mark.parametrize("state", ["OPEN", "CANCELED", "CONFIRMED", "EXECUTED", "FAILED"])
def test_a_resolution_by_the_user_ends_a_doubt(desk: Desk, state: str) -> None:
    desk.accepted(bid_size=1).feed(ENDED)
    desk.maker.resolve(desk.quote(), QuoteState[state])
    assert (desk.state(), desk.doubts()) == (QuoteState[state], [])
    assert (desk.maker.exposure() == Exposure()) is (state != "CONFIRMED")
    assert desk.maker.next_deadline() == (at(20) if state == "CONFIRMED" else None)


def test_other_states_cannot_be_resolved(desk: Desk) -> None:
    desk.accepted().feed(ENDED)
    with pytest.raises(RfqRequestError, match="in time"):
        desk.maker.resolve(desk.quote(), QuoteState.LAPSED)


def test_a_refused_cancel_implies_that_a_quote_in_doubt_is_over(desk: Desk) -> None:
    for number, name in enumerate(("R1", "R2", "R3"), 1):
        desk.feed(heard(name), status(f"q{number}", S.PENDING, name))
    desk.feed(ENDED)
    for number, text in enumerate(("NOT_FOUND", "EXPIRED", "QUOTE_ALREADY_CONFIRMED"), 1):
        desk.maker.cancel(desk.quote(f"q{number}"))
        desk.feed(cancel_status(f"q{number}", 1, text))
    assert [desk.state(name) for name in ("q1", "q2")] == [QuoteState.CANCELED] * 2
    assert desk.doubts() == [(RfqDoubtKind.QUOTE_UNKNOWN, "q3")]


def test_a_refused_cancel_does_not_contradict_a_confirmation(desk: Desk) -> None:
    desk.accepted().feed(ENDED, cancel_status("q1", 1, "EXPIRED"))
    assert desk.doubts() == [(RfqDoubtKind.CONFIRM_UNKNOWN, "q1")]


# --- drop copy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("range_", "proves"),
    [
        (covered(), True),
        (covered("4;1", DUE + 60), True),
        (covered(seconds=DUE - 0.001), False),
        (covered(seconds=None), False),
        (covered("5;2"), False),
        (covered("5;1;1"), False),
        (covered(end="9;9"), False),
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_range_of_drop_copy_without_its_order_ends_the_exposure(
    desk: Desk, range_: Covered, proves: bool, confirmed: bool
) -> None:
    desk.feed(traded("5;1"))
    desk.accepted()
    if confirmed:
        desk.seconds = 30
        desk.feed(confirm_status("q1"))
    desk.feed(ENDED)
    exposure = desk.maker.exposure()
    assert exposure != Exposure()
    desk.seconds = DUE - 1
    assert desk.maker.copy_from(at(DUE - 1)) == {}
    assert desk.maker.next_deadline() == at(DUE)
    desk.seconds = DUE
    updates = desk.feed(traded("6;1"), range_)
    if proves:
        assert [(update.before, update.state_changed) for update in updates] == [(QuoteState.UNKNOWN, True)]
        assert (desk.state(), desk.doubts()) == (QuoteState.NO_ORDER, [])
        assert (desk.maker.exposure(), desk.maker.copy_from(at(DUE))) == (Exposure(), {})
    else:
        assert (updates, desk.maker.exposure()) == ([], exposure)
        assert desk.maker.copy_from(at(DUE)) == {0: ExecKey(0, 5, 1)}
        assert desk.maker.copy_from(at(DUE), {0: ExecKey(0, 5, 1)}) == {}
    assert desk.maker.next_deadline() is None
    desk.feed(report("quote:0:q1"))  # Drop copy has omitted it, or its clock is wrong.
    assert desk.state() is QuoteState.EXECUTED


def test_a_range_that_has_its_order_ends_the_doubt(desk: Desk) -> None:
    desk.feed(traded("5;1"))
    desk.accepted().feed(ENDED)
    desk.feed(Copied(report("quote:0:q1")), covered())
    assert desk.state() is QuoteState.EXECUTED


def test_old_reports_received_late_still_precede_the_order(desk: Desk) -> None:
    desk.seconds = 10
    desk.accepted().feed(ENDED)
    desk.seconds = 10 + DUE
    desk.feed(
        traded("8;1", 10), traded("7;1"), traded("-1;-1"), traded("4;1", 9), Copied(unreadable_report())
    )
    assert desk.maker.copy_from(at(10 + DUE)) == {0: ExecKey(0, 4, 1)}
    desk.feed(covered("5;1", 10 + DUE))
    assert desk.state() is QuoteState.UNKNOWN
    desk.feed(covered("4;1", 10 + DUE))
    assert desk.state() is QuoteState.NO_ORDER


def unreadable_report() -> Any:
    found = order_flow.report("new", "9;9")
    found.exec_id = "?"
    return found


def test_without_a_known_shard_no_range_is_conclusive(desk: Desk) -> None:
    other = traded("5;1")
    other.report.symbol = LONG
    desk.feed(other)
    desk.accepted().feed(ENDED)
    desk.seconds = DUE
    desk.feed(covered())
    assert (desk.state(), desk.maker.copy_from(at(DUE))) == (QuoteState.UNKNOWN, {})


def test_the_markets_and_shards_of_reports_are_bounded() -> None:
    keys, other = ReportKeys(), order_flow.report("new", "5;1")
    for number in range(MAX_SYMBOLS + 1):
        other.symbol, other.exec_id = f"M{number}", f"5;1;{number}"
        keys.note_report(other, ())
    assert (len(keys._shards), len(keys._newest)) == (MAX_SYMBOLS, MAX_SHARDS)


def test_reports_received_before_a_lost_confirmation_was_known_need_not_precede_its_order(desk: Desk) -> None:
    desk.feed(heard(), status("q1", S.PENDING), traded("5;1"))
    desk.seconds = 60
    desk.feed(order_flow.unanswered(QuoteConfirm(quote_id="q1", rfq_id="R1")))
    assert desk.doubts() == [(RfqDoubtKind.CONFIRM_UNKNOWN, "q1")]
    assert desk.maker.next_deadline() == at(60 + DUE)
    assert desk.maker.copy_from(at(60 + DUE)) == {}
    desk.feed(status("q1", S.ACCEPTED, side=Side.SELL), traded("4;1", 0))
    assert desk.maker.copy_from(at(60 + DUE)) == {}


def test_a_confirmation_by_the_user_may_trade_a_whole_window_later(desk: Desk) -> None:
    desk.feed(traded("5;1"), heard(), QuoteConfirm(quote_id="q1", rfq_id="R1"))
    assert desk.state() is QuoteState.CONFIRMING
    desk.seconds = 7
    desk.feed(ENDED)
    assert desk.maker.next_deadline() == at(7 + DUE)
    desk.seconds = 7 + DUE
    desk.feed(covered(seconds=7 + DUE - 1))
    assert desk.state() is QuoteState.UNKNOWN
    desk.feed(covered(seconds=7 + DUE))
    assert desk.state() is QuoteState.NO_ORDER


def test_a_resolution_by_the_user_overrides_drop_copy(desk: Desk) -> None:
    desk.feed(traded("5;1"))
    desk.accepted().feed(ENDED)
    desk.seconds = DUE
    desk.feed(covered())
    desk.maker.resolve(desk.quote(), QuoteState.CONFIRMED)
    assert (desk.state(), desk.maker.next_deadline()) == (QuoteState.CONFIRMED, at(DUE + 20))


# --- unexpected messages --------------------------------------------------------------------------------


def test_messages_about_unknown_objects_are_reported(desk: Desk) -> None:
    found = desk.kinds(status("?", S.ACCEPTED), confirm_status("?"), cancel_status("?"))
    assert found == [Kind.UNKNOWN_QUOTE] * 3
    assert desk.feed(report("quote:0:?"), report("plain"), over("?")) == []
    [update] = desk.feed(status("?", S.ACCEPTED))
    assert (update.rfq, update.state_changed) == (None, False)
    assert str(update.discrepancies[0]) == f"{Kind.UNKNOWN_QUOTE.value}: '?' is 0"


def test_unknown_codes_are_reported(desk: Desk) -> None:
    desk.feed(heard())
    assert (
        desk.kinds(status("q1", 77), confirm_status("q1", 7), cancel_status("q1", 7)) == [Kind.UNREADABLE] * 3
    )
    assert desk.state() is QuoteState.SENT


COLLECTION, LEGS = "MultivariateCollectionTicker=C|", "NoMultivariateSelectedLegs=1|"
EVENT, TICKER = "MultivariateSelectedEventTicker=E|", "MultivariateSelectedMarketTicker=M|"
SIDE = "MultivariateSelectedSide=yes|"
HEADER = f"35=R|49=Kalshi|56={KEY_ID}|34=2|52=20261121-12:00:00.000|"
READABLE = f"{HEADER}131=R1|146=1|55=A|38=5|{COLLECTION}{LEGS}{EVENT}{TICKER}{SIDE}"


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("131=R1|", ""),
        ("131=R1|", f"131={LONG}|"),
        ("55=A|", ""),
        ("146=1|55=A|38=5|", ""),
        ("38=5|", "38=five|"),
        (EVENT, ""),
        (TICKER, ""),
        (SIDE, ""),
        (TICKER, TICKER.replace("M|", f"{LONG}|")),
    ],
)
def test_an_unreadable_request_is_reported_and_not_quoted(desk: Desk, field: str, other: str) -> None:
    assert desk.kinds(unreadable(by_tags(READABLE.replace(field, other)))) == [Kind.UNREADABLE]
    assert (desk.shown, len(desk.maker)) == ([], 0)
    assert len(desk.sent(unreadable(by_tags(READABLE)))) == 1


def test_a_confirmed_quote_counts_after_a_cancel(desk: Desk) -> None:
    desk.accepted(bid_size=1).feed(confirm_status("q1"))
    assert desk.kinds(status("q1", S.CANCELED), status("q1", S.CANCELED)) == [Kind.CONFLICT]
    assert (desk.state(), desk.maker.exposure().bought) == (QuoteState.CONFIRMED, d(1))
    other = Desk().accepted(bid_size=1)
    assert other.kinds(status("q1", S.CANCELED), confirm_status("q1")) == [Kind.CONFLICT]
    assert other.state() is QuoteState.CONFIRMED


def test_exceptions_of_the_users_callbacks_propagate() -> None:
    desk = Desk()
    desk.maker._quote = lambda rfq: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        desk.feed(heard())
    assert desk.maker.rfq("R1") is not None


# --- bounds ---------------------------------------------------------------------------------------------


def test_requests_are_evicted_for_new_ones_those_without_a_quote_first() -> None:
    desk = Desk(max_rfqs=3)
    desk.feed(heard("R1"), heard("R2"), status("q2", S.REJECTED, "R2"), heard("R3"), heard("R4"))
    assert [rfq.rfq_id for rfq in desk.maker] == ["R1", "R3", "R4"]
    desk.feed(status("q1", S.ACCEPTED, side=Side.BUY), heard("R5"))
    assert [rfq.rfq_id for rfq in desk.maker] == ["R1", "R4", "R5"]
    assert (desk.maker.quote_of("q2"), desk.maker.quote_of("q3")) == (None, None)
    desk.feed(status("q4", S.ACCEPTED, "R4", side=Side.BUY), status("q5", S.ACCEPTED, "R5", side=Side.BUY))
    assert desk.kinds(heard("R6")) == [Kind.TOO_MANY]
    assert desk.kinds(Quote(**_of("mine", "R7"))) == [Kind.TOO_MANY]
    assert len(desk.maker) == 3


def test_quotes_of_a_request_are_evicted_for_new_ones() -> None:
    desk = Desk()
    desk.feed(heard())
    rfq = desk.shown[0]
    for number in range(1, 3 * MAX_QUOTES):
        desk.terms = QuoteTerms(Decimal(number) / 100)
        assert desk.maker.requote(rfq) is not None
        desk.feed(status(f"q{number + 1}", S.PENDING))
    assert len(rfq.quotes) == len(desk.maker._quotes) == MAX_QUOTES
    assert rfq.quote is desk.quote(f"q{3 * MAX_QUOTES}")


def test_quotes_in_doubt_are_not_evicted() -> None:
    desk = Desk()
    desk.feed(heard())
    for _ in range(MAX_QUOTES - 1):
        desk.feed(ENDED)
        desk.maker.requote(desk.shown[0])
    desk.feed(ENDED)
    assert len(desk.doubts()) == MAX_QUOTES
    with pytest.raises(RfqRequestError, match="not known to be over"):
        desk.maker.requote(desk.shown[0])
    assert len(desk.doubts()) == MAX_QUOTES


# --- dumps ----------------------------------------------------------------------------------------------


def test_the_dump_of_the_previous_process_is_loaded() -> None:
    desk = Desk(confirms=False)
    desk.feed(logged_on(), heard_combo("R2"), status("q1", S.ACCEPTED, "R2", side=Side.SELL), heard("R3"))
    desk.feed(report("quote:0:q1", ExecType.REJECTED), heard("R4", quantity=0, cash_order_qty="12.34"))
    desk.feed(status("q3", S.ACCEPTED, "R4", side=Side.BUY))
    dumped = json.loads(json.dumps(desk.maker.dump()))
    other = Desk(confirms=False)
    updates = other.maker.load(dumped)
    assert [update.quote.quote_id for update in updates if update.quote] == ["q2"]  # its answer is lost
    assert other.doubts() == [(RfqDoubtKind.QUOTE_UNKNOWN, "q2")]
    assert other.maker.rfq("R2").legs == desk.shown[0].legs  # type: ignore[union-attr]
    assert (other.state("q3"), other.maker.next_deadline()) == (QuoteState.ACCEPTED, at(30))
    assert other.maker.exposure() == desk.maker.exposure()
    other.maker.confirm(other.quote("q3"), at(29))


@pytest.mark.parametrize(
    "broken", [{"version": VERSION + 1}, {"version": VERSION}, {"version": VERSION, "now": 1, "on": 0}]
)
def test_an_invalid_dump_is_refused_and_changes_nothing(desk: Desk, broken: dict[str, Any]) -> None:
    desk.feed(heard())
    with pytest.raises(ValueError, match=r"of version|RfqMaker\.dump"):
        desk.maker.load(broken)
    assert desk.state() is QuoteState.SENT
