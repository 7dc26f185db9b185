"""Combinations of markets: valid combinations, the markets created for them, and a complete RFQ on one."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio import (
    ExecutionReport,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MultivariateSelectedLeg,
    MVEValidationReasonCode,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteRequestRejectReason,
    Side,
)
from kalshi_fix_sansio._generated.limits import QUOTER_FEE_SWAP
from kalshi_fix_venue.exchange import ListMarket, MarketState, prediction_market
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from kalshi_fix_venue.gateway.rfq import ComboCollection, ComboEvent, RfqSettings
from tests.venue.exchange_harness import MARKET, ds
from tests.venue.rfq.rfq_harness import (
    RfqHarness,
    accept,
    confirm,
    discard,
    quote,
    request,
    request_quotes,
)
from tests.venue.venue_harness import Client, msg_types, order, reports

COLLECTION = "KXMVECROSSCATEGORY"
RAIN, SNOW = "KXRAIN-26", "KXSNOW-26"
COLLECTIONS = (
    ComboCollection(
        ticker=COLLECTION,
        events=(
            ComboEvent(ticker="HIGHNY", markets=(MARKET,)),
            ComboEvent(ticker="KXGAME", markets=("KXGAME-A", "KXGAME-B")),
            ComboEvent(ticker="KXWEATHER", markets=(RAIN, SNOW), exclusive=False),
        ),
        shard=1,
        maximum_legs=3,
    ),
)
HIGH = ("HIGHNY", MARKET, "yes")
A, NOT_A, B = ("KXGAME", "KXGAME-A", "yes"), ("KXGAME", "KXGAME-A", "no"), ("KXGAME", "KXGAME-B", "yes")
RAINS, SNOWS = ("KXWEATHER", RAIN, "yes"), ("KXWEATHER", SNOW, "yes")
Leg = tuple[str, str, str]


@pytest.fixture
def harness() -> RfqHarness:
    return RfqHarness(combos=COLLECTIONS)


def legs(*selected: Leg) -> list[MultivariateSelectedLeg]:
    return [
        MultivariateSelectedLeg(
            multivariate_selected_event_ticker=event,
            multivariate_selected_market_ticker=market,
            multivariate_selected_side=side,
        )
        for event, market, side in selected
    ]


def combo(*selected: Leg, collection: str = COLLECTION, **fields: Any) -> dict[str, Any]:
    return {
        "symbol": None,
        "multivariate_collection_ticker": collection,
        "multivariate_selected_legs": legs(*selected),
        **fields,
    }


def test_a_combination_becomes_a_market_named_in_the_ack(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    ack = ann.answer_to(request("r1", **combo(HIGH, A)), QuoteRequestAck)
    assert ack.symbol is not None
    assert ack.symbol.startswith(f"{COLLECTION}-")
    assert ack.ex_destination == 1
    received = bob.take_only(QuoteRequest)
    assert received.related_sym[0].symbol == ack.symbol
    assert received.multivariate_collection_ticker == COLLECTION
    assert received.multivariate_selected_legs == legs(HIGH, A)
    market = harness.venue.exchange("prediction").markets[ack.symbol]
    assert (market.state, market.rules.shard, market.rules.high_volatility) == (MarketState.ACTIVE, 1, True)


def test_the_same_legs_are_the_same_market_in_any_order(harness: RfqHarness) -> None:
    tickers = []
    before = len(harness.venue.exchange("prediction").markets)
    for name, selected in (("ann", (HIGH, A)), ("dan", (A, HIGH)), ("cat", (HIGH, NOT_A))):
        creator = harness.creator(name)
        creator.send(request("r1", **combo(*selected)))
        tickers.append(creator.take_only(QuoteRequestAck).symbol)
    assert tickers[0] == tickers[1] != tickers[2]
    assert len(harness.venue.exchange("prediction").markets) == before + 2


def test_an_rfq_on_a_combination_uses_the_short_windows(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    ack = ann.answer_to(request("r1", 10, **combo(HIGH, A)), QuoteRequestAck)
    assert ack.rfq_id is not None
    assert ack.symbol is not None
    watcher = harness.connect("cat", "KalshiMD")
    watcher.send(MarketDataRequest.subscribe(ack.symbol))
    discard(bob, watcher)
    bob.send(quote(ack.rfq_id, "q1", "0.201", "0.7", symbol=ack.symbol))
    ann.send(accept())
    harness.wait(2.999)
    bob.send(confirm())
    harness.wait(1)
    (report,) = reports(ann)
    assert (report.symbol, report.last_px, report.last_mkt) == (ack.symbol, ds("0.30")[0], "1")
    assert (harness.balance("ann", shard=1), harness.balance("bob", shard=1)) == ds("997", "993")
    assert harness.balance("ann") == 1000
    assert [type(message) for message in watcher.take()] == [MarketDataIncrementalRefresh]


def test_a_combination_trades_in_the_book_like_any_other_market(harness: RfqHarness, ann: Client) -> None:
    ticker = ann.answer_to(request("r1", **combo(HIGH, A)), QuoteRequestAck).symbol
    assert ticker is not None
    bob = harness.connect("bob", "KalshiNR")
    bob.send(order("b1", Side.BUY, 5, "0.0012", symbol=ticker))
    assert [report.text for report in bob.take() if isinstance(report, ExecutionReport)] == [None]
    levels = harness.venue.exchange("prediction").levels(ticker, Side.BUY)
    assert levels == (ds("0.0012", 5),)


def test_an_rfq_may_use_the_ticker_of_a_combination(harness: RfqHarness, ann: Client, bob: Client) -> None:
    ticker = ann.answer_to(request("r1", **combo(HIGH, A)), QuoteRequestAck).symbol
    assert ticker is not None
    dan = harness.creator("dan")
    assert dan.answer_to(request("r1", symbol=ticker), QuoteRequestAck).symbol is None
    received = bob.take()[-1]
    assert isinstance(received, QuoteRequest)
    assert (received.multivariate_collection_ticker, received.multivariate_selected_legs) == (
        COLLECTION,
        legs(HIGH, A),
    )
    assert ann.answer_to(request("r2", symbol=ticker), QuoteRequestReject).text == "RFQ already exists"


@pytest.mark.parametrize(
    "size", [{"quantity": "5.25"}, {"cash_order_qty": "50", "target_cost_excludes_fees": True}]
)
def test_an_rfq_on_a_combination_may_be_for_contracts_or_cash(
    harness: RfqHarness, ann: Client, size: dict[str, Any]
) -> None:
    ann.send(request("r1", **combo(HIGH, A), **size))
    assert msg_types(ann.take()) == ["b"]


@pytest.mark.parametrize(
    ("selected", "code", "offending"),
    [
        ((HIGH, HIGH), MVEValidationReasonCode.DUPLICATED_LEGS, [MARKET]),
        ((HIGH, A, A), MVEValidationReasonCode.DUPLICATED_LEGS, ["KXGAME-A"]),
        ((HIGH, A, NOT_A), MVEValidationReasonCode.CONFLICTING_LEG_OUTCOMES, ["KXGAME-A"]),
        ((A, B), MVEValidationReasonCode.CONFLICTING_LEG_OUTCOMES, ["KXGAME-A", "KXGAME-B"]),
        (
            (HIGH, ("KXGAME", "KXGAME-C", "yes")),
            MVEValidationReasonCode.INVALID_MARKET_COMBINATION,
            ["KXGAME-C"],
        ),
        (
            (HIGH, ("KXNONE", "KXGAME-A", "yes")),
            MVEValidationReasonCode.INVALID_MARKET_COMBINATION,
            ["KXGAME-A"],
        ),
        ((HIGH,), MVEValidationReasonCode.INVALID_MARKET_COMBINATION, []),
        ((HIGH, A, RAINS, SNOWS), MVEValidationReasonCode.INVALID_MARKET_COMBINATION, []),
    ],
)
def test_invalid_legs_are_reported(
    harness: RfqHarness, ann: Client, bob: Client, selected: tuple[Leg, ...], code: str, offending: list[str]
) -> None:
    before = set(harness.venue.exchange("prediction").markets)
    reject = ann.answer_to(request("r1", **combo(*selected)), QuoteRequestReject)
    assert reject.quote_request_reject_reason == QuoteRequestRejectReason.OTHER
    assert (reject.mve_validation_reason_code, bool(reject.text)) == (code, True)
    assert [leg.mve_offending_market_ticker for leg in reject.mve_offending_legs] == offending
    assert bob.take() == []
    assert set(harness.venue.exchange("prediction").markets) == before


@pytest.mark.parametrize("selected", [(RAINS, SNOWS), (NOT_A, B), (HIGH, RAINS, SNOWS)])
def test_outcomes_that_may_both_occur_can_be_combined(ann: Client, selected: tuple[Leg, ...]) -> None:
    ann.send(request("r1", **combo(*selected)))
    assert msg_types(ann.take()) == ["b"]


def test_a_closed_market_is_refused_as_a_leg(harness: RfqHarness, ann: Client) -> None:
    harness.set_market_state(MarketState.INACTIVE)
    ann.send(request("r1", **combo(HIGH, A)))
    assert msg_types(ann.take()) == ["b"]
    harness.set_market_state(MarketState.CLOSED)
    reject = ann.answer_to(request("r2", **combo(HIGH, B)), QuoteRequestReject)
    assert reject.mve_validation_reason_code == MVEValidationReasonCode.INVALID_MARKET_COMBINATION
    assert [leg.mve_offending_market_ticker for leg in reject.mve_offending_legs] == [MARKET]


def test_an_unknown_collection_is_rejected_as_an_unknown_symbol(ann: Client) -> None:
    reject = ann.answer_to(request("r1", **combo(HIGH, A, collection="KXNONE")), QuoteRequestReject)
    assert reject.quote_request_reject_reason == QuoteRequestRejectReason.UNKNOWN_SYMBOL
    assert reject.mve_validation_reason_code is None


def test_the_number_of_combinations_is_bounded() -> None:
    harness = RfqHarness(combos=COLLECTIONS, rfqs=RfqSettings(max_combos=1))
    ann = harness.creator()
    ann.send(request("r1", **combo(HIGH, A)))
    assert msg_types(ann.take()) == ["b"]
    reject = ann.answer_to(request("r2", **combo(HIGH, B)), QuoteRequestReject)
    assert (reject.quote_request_reject_reason, reject.text) == (
        QuoteRequestRejectReason.EXCEEDS_LIMIT,
        "too many combo markets",
    )
    ann.send(request("r2", **combo(A, HIGH)))
    assert ann.take_only(QuoteRequestReject).text == "RFQ already exists", "the known combination is found"


def test_a_market_cannot_be_listed_twice(harness: RfqHarness) -> None:
    with pytest.raises(ValueError, match=MARKET):
        harness.execute(ListMarket(prediction_market(MARKET)))
    harness.execute(ListMarket(prediction_market("KXNEW-26")))
    assert request_quotes(harness.creator(), symbol="KXNEW-26")


@pytest.mark.parametrize(("offset", "swapped"), [(-0.001, True), (0, False)])
def test_fees_are_swapped_only_if_a_quoter_takes_a_new_resting_order(offset: float, swapped: bool) -> None:
    harness = RfqHarness(combos=COLLECTIONS, fees={"prediction": PREDICTION_FEES})
    ann, bob, dan = harness.creator(), harness.maker(), harness.connect("dan-nr", "KalshiNR")
    ack = ann.answer_to(request("r1", 10, **combo(HIGH, A)), QuoteRequestAck)
    assert ack.rfq_id is not None
    assert ack.symbol is not None
    bob.send(quote(ack.rfq_id, "q1", None, "0.55", symbol=ack.symbol))
    dan.send(order("d1", Side.BUY, 5, "0.46", symbol=ack.symbol))
    discard(ann, bob, dan)
    harness.wait(QUOTER_FEE_SWAP + offset - 1)
    ann.send(accept())
    bob.send(confirm())
    harness.wait(1)
    quoter = next(message for message in bob.take() if isinstance(message, ExecutionReport))
    resting = dan.take_only(ExecutionReport)
    assert (quoter.aggressor_indicator, resting.aggressor_indicator) == (True, False)
    fees = [sum(fee.misc_fee_amt for fee in report.misc_fees) for report in (quoter, resting)]
    taker_fee = PREDICTION_FEES.fee(ds("0.46")[0], ds("5")[0], aggressor=True)
    assert taker_fee > 0
    assert fees == ([0, taker_fee] if swapped else [taker_fee, 0])
