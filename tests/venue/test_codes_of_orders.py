"""Order codes that no other test puts on the wire."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrdRejReason,
    SelfTradePreventionType,
    Side,
)
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import MarketResult, MarketState, SetMarketState
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.venue_harness import Client, VenueHarness, cancel, order

BUY, SELL = Side.BUY, Side.SELL


def test_a_cancel_of_a_filled_order_is_too_late(ann: Client, bob: Client) -> None:
    ann.send(order("a1", BUY, 1, "0.40"))
    bob.send(order("b1", SELL, 1, "0.40"))
    ann.take()
    ann.send(cancel("a2", "a1"))
    assert ann.take_only(OrderCancelReject).cxl_rej_reason == CxlRejReason.TOO_LATE_TO_CANCEL


def test_an_order_may_omit_self_trade_prevention(ann: Client) -> None:
    ann.send(order("a1", SELL, 1, "0.40"))
    ann.send(order("a2", BUY, 1, "0.40", self_trade_prevention_type=SelfTradePreventionType.UNKNOWN))
    *_, last = ann.take()
    assert isinstance(last, ExecutionReport)
    assert last.text == "TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"
    assert last.self_trade_prevention_type == SelfTradePreventionType.TAKER_AT_CROSS


@pytest.mark.parametrize(
    ("too_late", "reason"),
    [(False, OrdRejReason.EXCHANGE_CLOSED), (True, OrdRejReason.TOO_LATE_TO_ENTER)],
)
def test_an_order_in_a_closed_market_is_rejected(too_late: bool, reason: OrdRejReason) -> None:
    harness = VenueHarness(assumptions=Assumptions(closed_markets_are_too_late_to_enter=too_late))
    ann = harness.connect("ann")
    harness.execute(SetMarketState(MARKET, MarketState.DETERMINED, MarketResult.YES))
    report = ann.answer_to(order("a1", BUY, 1, "0.40"), ExecutionReport)
    assert (report.text, report.ord_rej_reason) == ("MARKET_ALREADY_CLOSED", reason)


@pytest.mark.parametrize(
    ("name", "product", "reason"),
    [
        ("ann", "prediction", OrdRejReason.STALE_ORDER),
        ("perp", "margin", OrdRejReason.STALE_ORDER_MARGIN),
    ],
)
def test_a_stale_order_has_another_code_on_margin(
    harness: VenueHarness, name: str, product: str, reason: OrdRejReason
) -> None:
    client = harness.connect(name, product=product)
    harness.do("reject", text="EXPIRED")
    symbol, price = (MARKET, "0.40") if product == "prediction" else (PERP, "19")
    report = client.answer_to(order("a1", BUY, 1, price, symbol=symbol), ExecutionReport)
    assert (report.exec_type, report.text, report.ord_rej_reason) == (ExecType.REJECTED, "EXPIRED", reason)
