"""The states of a market from the client's point of view: opening, halt, close, reopening, dispute."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    MassCancelResponse,
    OrderCancelReject,
    OrderMassCancelReport,
    OrdRejReason,
    SecurityStatus,
    SecurityStatusRequest,
    Side,
)
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import (
    Advance,
    CancelCause,
    MarketResult,
    MarketState,
    SetMarketState,
    TimeInForce,
    prediction_market,
)
from kalshi_fix_venue.exchange.pausing import ORDERS_REST_AFTER_CLOSE
from tests.venue.exchange_harness import BUY as BUYS
from tests.venue.exchange_harness import MARKET, ExchangeHarness, summary
from tests.venue.venue_harness import Client, VenueHarness, amend, cancel, mass_cancel, order, reports

BUY = Side.BUY
RESTS = int(ORDERS_REST_AFTER_CLOSE.total_seconds())
UNOPENED = {"prediction": (attrs.evolve(prediction_market(MARKET), opened=False),)}


def do(harness: VenueHarness, name: str, **values: Any) -> str:
    return str(harness.do(name, market=MARKET, **values)["state"])


def with_an_order(fields: Any = None, **assumptions: Any) -> tuple[VenueHarness, Client]:
    harness = VenueHarness(assumptions=Assumptions(**assumptions))
    ann = harness.connect("ann")
    ann.send(order("a1", BUY, 5, "0.40", **(fields or {})))
    ann.take()
    return harness, ann


def statuses(client: Client) -> list[SecurityStatus]:
    return [message for message in client.take() if isinstance(message, SecurityStatus)]


def refusals(ann: Client) -> list[str | None]:
    """Return the answers to an order, an amend and a cancel."""
    for message in (order("new", BUY, 1, "0.30"), amend("c", "a1", 2), cancel("c", "a1")):
        ann.send(message)
    return [
        message.text for message in ann.take() if isinstance(message, ExecutionReport | OrderCancelReject)
    ]


# --- close ----------------------------------------------------------------------------------------------


def test_a_closed_market_refuses_requests_and_cancels_resting_orders_after_a_delay() -> None:
    harness, ann = with_an_order()
    assert do(harness, "close") == "closed"
    assert ann.take() == [], "what rests is not cancelled yet"
    report = ann.answer_to(order("new", BUY, 1, "0.30"), ExecutionReport)
    assert (report.text, report.ord_rej_reason) == ("MARKET_INACTIVE", OrdRejReason.EXCHANGE_CLOSED)
    for request in (amend("c", "a1", 2), cancel("c", "a1")):
        refusal = ann.answer_to(request, OrderCancelReject)
        assert (refusal.text, refusal.cxl_rej_reason) == ("MARKET_INACTIVE", CxlRejReason.OTHER)
    harness.wait(RESTS - 0.001)
    assert ann.take() == []
    harness.wait(0.001)
    report = ann.take_only(ExecutionReport)
    assert (report.cl_ord_id, report.exec_type) == ("a1", ExecType.CANCELED)
    assert refusals(ann) == ["MARKET_INACTIVE"] * 3, "also when nothing rests there any more"
    assert harness.venue.exchange("prediction").next_expiry() is None


def test_a_determined_market_refuses_requests_as_closed() -> None:
    harness, ann = with_an_order()
    do(harness, "close")
    do(harness, "determine", result="yes")
    assert ann.take_only(ExecutionReport).exec_type == ExecType.CANCELED, "at the latest then"
    assert refusals(ann) == ["MARKET_ALREADY_CLOSED"] * 3
    harness.wait(RESTS)
    assert ann.take() == []


def test_whether_a_closed_market_is_inactive_is_an_assumption() -> None:
    harness, ann = with_an_order(closed_markets_are_inactive=False)
    do(harness, "close")
    assert refusals(ann) == ["MARKET_ALREADY_CLOSED"] * 3


def test_a_mass_cancel_does_not_affect_a_closed_market() -> None:
    harness, ann = with_an_order()
    do(harness, "close")
    ann.send(mass_cancel())
    answer = ann.take_only(OrderMassCancelReport)
    assert answer.mass_cancel_response == MassCancelResponse.ALL_ORDERS_CANCELLED


def test_an_order_that_expires_before_the_delayed_cancel_is_reported_as_expired() -> None:
    harness = ExchangeHarness()
    moments = [harness.now.replace(second=second) for second in (RESTS - 1, RESTS, RESTS + 1)]
    for name, time in zip("abc", moments, strict=True):
        harness.place("ann", name, BUYS, 1, "0.40", tif=TimeInForce.GOOD_TILL_DATE, expire=time)
    harness.market_state(MarketState.CLOSED)
    harness.now = moments[-1]
    assert summary(harness.exchange.apply(Advance(), harness.now)) == [
        "a canceled EXPIRED",
        "b canceled EXPIRED",
        "c canceled MARKET_CLOSED",
    ]


def test_the_end_of_a_session_cancels_its_orders_in_a_closed_market() -> None:
    harness = ExchangeHarness()
    harness.place("ann", "a1", BUYS, 1, "0.40")
    harness.market_state(MarketState.CLOSED)
    assert summary(harness.mass_cancel("ann", CancelCause.DISCONNECTED)) == ["a1 canceled DISCONNECTED"]


# --- reopening ------------------------------------------------------------------------------------------


def test_a_closed_market_can_be_opened_again() -> None:
    harness, ann = with_an_order()
    md = harness.connect("ann-md", "KalshiMD")
    md.send(SecurityStatusRequest.subscribe(MARKET))
    do(harness, "close")
    assert do(harness, "open") == "active"
    assert [message.security_trading_status for message in statuses(md)] == [3]
    assert [report.exec_type for report in reports(ann)] == [ExecType.CANCELED]
    harness.wait(RESTS)
    assert reports(ann) == [], "the cancel of the close is off"
    assert ann.answer_to(order("a2", BUY, 1, "0.30"), ExecutionReport).exec_type == ExecType.NEW


# --- before the opening ---------------------------------------------------------------------------------


def test_an_unopened_market_refuses_orders_and_opens_without_messages() -> None:
    harness = VenueHarness(markets=UNOPENED)
    ann, md = harness.connect("ann"), harness.connect("ann-md", "KalshiMD")
    md.send(SecurityStatusRequest.subscribe(MARKET))
    assert refusals(ann) == ["MARKET_INACTIVE"] * 3
    with pytest.raises(ConfigurationError, match="is initialized and cannot become closed"):
        do(harness, "close")
    assert do(harness, "open") == "active"
    assert ann.answer_to(order("a1", BUY, 1, "0.30"), ExecutionReport).exec_type == ExecType.NEW
    assert md.take() == []


# --- halt -----------------------------------------------------------------------------------------------


def test_a_halt_cancels_orders_with_cancel_on_pause_and_permits_owner_cancels() -> None:
    harness, ann = with_an_order()
    ann.send(order("a2", BUY, 1, "0.30", cancel_order_on_pause=True))
    ann.take()
    do(harness, "halt")
    report = ann.take_only(ExecutionReport)
    assert (report.cl_ord_id, report.text) == ("a2", "TRADING_PAUSED")
    assert refusals(ann)[:2] == ["MARKET_INACTIVE"] * 2
    assert harness.venue.exchange("prediction").open_orders() == ()


# --- dispute --------------------------------------------------------------------------------------------


def test_a_disputed_market_is_determined_again_before_it_is_settled(harness: VenueHarness) -> None:
    ann, md = harness.connect("ann"), harness.connect("ann-md", "KalshiMD")
    md.send(SecurityStatusRequest.subscribe(MARKET))
    with pytest.raises(ConfigurationError, match="is active and cannot become disputed"):
        do(harness, "dispute")
    do(harness, "determine", result="yes")
    assert do(harness, "dispute") == "disputed"
    assert refusals(ann) == ["MARKET_ALREADY_CLOSED"] * 3
    with pytest.raises(ConfigurationError, match="is disputed and cannot become settled"):
        do(harness, "settle")
    assert do(harness, "determine") == "determined", "the result stands"
    do(harness, "dispute")
    assert do(harness, "determine", result="no") == "amended"
    assert do(harness, "dispute") == "disputed"
    assert do(harness, "determine", result="no") == "amended"
    assert do(harness, "settle") == "settled"
    assert harness.venue.exchange("prediction").markets[MARKET].result is MarketResult.NO
    assert [message.security_trading_status for message in statuses(md)] == [100, 101]


def test_an_amended_result_can_be_corrected_again(harness: VenueHarness) -> None:
    do(harness, "determine", result="yes")
    do(harness, "dispute")
    do(harness, "determine", result="no")
    assert do(harness, "determine", result="scalar", price="0.25") == "amended"
    do(harness, "settle")
    assert str(harness.venue.exchange("prediction").markets[MARKET].settlement_price) == "0.25"


# --- texts of refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("with_text", [True, False])
def test_the_text_for_an_unknown_order_is_an_assumption(with_text: bool) -> None:
    _, ann = with_an_order(unknown_orders_have_text=with_text)
    refusal = ann.answer_to(cancel("c", "nobody"), OrderCancelReject)
    assert refusal.cxl_rej_reason == CxlRejReason.UNKNOWN_ORDER
    assert refusal.text == ("ORDER_NOT_FOUND" if with_text else None)


def test_an_impossible_state_change_changes_nothing() -> None:
    harness = ExchangeHarness()
    harness.market_state(MarketState.CLOSED)
    with pytest.raises(ValueError, match="is closed and cannot become inactive"):
        harness.exchange.apply(SetMarketState(MARKET, MarketState.INACTIVE), harness.now)
    clearings = dict(harness.exchange.clearings)
    assert harness.market_state(MarketState.CLOSED) == (), "a second close"
    assert harness.exchange.clearings == clearings
