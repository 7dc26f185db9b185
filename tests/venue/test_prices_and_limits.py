"""Prices and quantities accepted by a market, and limits of money and positions, from the client's point of
view.
"""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrdRejReason,
    Side,
)
from kalshi_fix_sansio._generated.limits import PRICE_BAND
from kalshi_fix_venue.exchange import (
    COMBO,
    STRUCTURES,
    MarketRules,
    PriceBand,
    margin_market,
    prediction_market,
)
from tests.venue.exchange_harness import MARKET, PERP, d
from tests.venue.venue_harness import Client, VenueHarness, amend, encode, order

BUY, SELL = Side.BUY, Side.SELL


def harness_with(rules: MarketRules, **changes: Any) -> VenueHarness:
    product = "margin" if rules.ticker == PERP else "prediction"
    return VenueHarness(markets={product: (rules,)}, **changes)


def answer(client: Client, message: Any) -> Any:
    client.take()
    client.send(message)
    return client.take()[0]


def amended(orig: str, quantity: int, price: str | None, side: Side = BUY, symbol: str = MARKET) -> Any:
    return amend(f"{orig}+", orig, quantity, price=price, side=side, symbol=symbol)


STEPS = {
    "linear_cent": ("0.01 0.10 0.50 0.99", "0.005 0.015 0.995 0.0001"),
    "deci_cent": ("0.001 0.099 0.501 0.999", "0.0005 0.5001 0.9999"),
    "tapered_deci_cent": ("0.001 0.099 0.10 0.11 0.90 0.901 0.999", "0.101 0.899 0.0005"),
    "center_deci_edge_centi_cent": (
        "0.0001 0.0099 0.01 0.011 0.989 0.99 0.9901 0.9999",
        "0.0101 0.5005 0.9899",
    ),
    "center_whole_edge_half_cent": ("0.005 0.095 0.10 0.11 0.90 0.905 0.995", "0.105 0.001 0.895"),
    "center_whole_edge_quint_cent": ("0.002 0.098 0.10 0.11 0.902 0.998", "0.102 0.005 0.899"),
    "center_half_edge_half_cent": ("0.005 0.105 0.505 0.995", "0.002 0.101"),
    "center_half_edge_quint_cent": ("0.002 0.098 0.105 0.902 0.998", "0.102 0.103 0.901"),
    "center_half_edge_deci_cent": ("0.001 0.099 0.105 0.895 0.999", "0.101 0.899"),
    "center_quint_edge_quint_cent": ("0.002 0.102 0.502 0.998", "0.001 0.105"),
    "center_quint_edge_deci_cent": ("0.001 0.099 0.102 0.901 0.999", "0.101 0.103"),
}


def test_all_price_structures_are_tested() -> None:
    assert set(STEPS) == set(STRUCTURES)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_each_price_structure_has_its_steps(structure: str) -> None:
    rules = prediction_market(MARKET, structure=structure)
    taken, refused = STEPS[structure]
    assert [price for price in taken.split() if not rules.accepts_price(d(price))] == []
    assert [price for price in ("0", "1", *refused.split()) if rules.accepts_price(d(price))] == []


def test_prices_off_the_steps_of_a_combo_are_refused() -> None:
    ann = harness_with(prediction_market(MARKET, structure=COMBO)).connect("ann")
    assert answer(ann, order("a1", BUY, 1, "0.0099")).exec_type == ExecType.NEW
    assert answer(ann, order("a2", SELL, 1, "0.9901")).exec_type == ExecType.NEW
    for price in ("0.0101", "0.5005", "0.9899"):
        rejected = answer(ann, order("a3", BUY, 1, price))
        assert isinstance(rejected, ExecutionReport)
        assert (rejected.text, rejected.ord_rej_reason) == (
            "INVALID_ORDER",
            OrdRejReason.UNSUPPORTED_ORDER_CHARACTERISTIC,
        )
        refused = answer(ann, amended("a1", 1, price))
        assert isinstance(refused, OrderCancelReject)
        assert (refused.text, refused.cxl_rej_reason) == ("INVALID_PRICE", CxlRejReason.OTHER)
    assert answer(ann, amended("a1", 1, "0.502")).exec_type == ExecType.REPLACED


def by_hand(client: Client, message: Any, seq_num: int) -> Any:
    """Return the answer to a message that our client would not send."""
    harness = client.harness
    harness.venue.receive_data(
        client.conn, encode("ann", "KalshiNR", seq_num, harness.now, message), harness.now
    )
    harness.run()
    (received,) = client.take()
    return received


def test_a_fraction_of_a_price_in_cents_is_truncated() -> None:
    harness = harness_with(prediction_market(MARKET, subpenny=True))
    ann = harness.connect("ann", use_dollars=False)
    ann.take()
    received = by_hand(ann, order("a1", BUY, 1, "50.5"), 2)
    assert (received.exec_type, received.price) == (ExecType.NEW, 50)
    received = by_hand(ann, amended("a1", 1, "40.99"), 3)
    assert (received.exec_type, received.price) == (ExecType.REPLACED, 40)
    assert by_hand(ann, order("a2", BUY, 1, "0.99"), 4).text == "INVALID_ORDER"
    assert harness.venue.exchange("prediction").levels(MARKET, Side.BUY) == ((d("0.4"), d(1)),)


@pytest.mark.parametrize("price", ["0", "1", "-0.5", "0.00001", "7"])
def test_prices_invalid_in_every_market_are_refused_by_the_exchange(price: str) -> None:
    ann = harness_with(prediction_market(MARKET)).connect("ann")
    ann.send(order("a1", BUY, 1, "0.40"))
    ann.take()
    rejected = by_hand(ann, order("a2", BUY, 1, price), 3)
    assert (rejected.text, rejected.ord_rej_reason) == (
        "INVALID_ORDER",
        OrdRejReason.UNSUPPORTED_ORDER_CHARACTERISTIC,
    )
    refused = by_hand(ann, amended("a1", 1, price), 4)
    assert (refused.text, refused.cxl_rej_reason) == ("INVALID_PRICE", CxlRejReason.OTHER)


@pytest.mark.parametrize(
    ("rules", "taken", "refused"),
    [
        (prediction_market(MARKET), ("0.01", "1.55", "10"), ("0.001", "1.555")),
        (prediction_market(MARKET, fractional=False), ("1", "10"), ("0.01", "1.5")),
        (margin_market(PERP), ("1", "10"), ("0.01", "1.5")),
    ],
    ids=["fractional", "whole", "perpetual"],
)
def test_quantities_must_match_the_steps_of_the_market(
    rules: MarketRules, taken: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    assert all(rules.accepts_quantity(d(quantity)) for quantity in taken)
    assert not any(rules.accepts_quantity(d(quantity)) for quantity in refused)


def test_the_code_of_an_invalid_quantity() -> None:
    harness = harness_with(prediction_market(MARKET, fractional=False))
    message = order("a1", BUY, 1, "0.40")
    message.order_qty = d("1.5")
    rejected = answer(harness.connect("ann"), message)
    code = OrdRejReason.UNSUPPORTED_ORDER_CHARACTERISTIC
    assert (rejected.text, rejected.ord_rej_reason) == ("INVALID_ORDER", code)


def connect_perp() -> Client:
    """Return a client on a perpetual with a price band of a fifth, or 1,000 ticks."""
    rules = margin_market(PERP, band=PriceBand(share=d("0.2"), ticks=1000))
    return harness_with(rules).connect("perp", product="margin")


@pytest.fixture
def perp() -> Client:
    """Return a client on a perpetual with 2 bid at 100 and at 95, and 2 asked at 110."""
    client = connect_perp()
    for name, side, price in (("b1", BUY, "100"), ("b2", BUY, "95"), ("s1", SELL, "110")):
        client.send(order(name, side, 2, price, symbol=PERP))
    return client


@pytest.mark.parametrize(
    ("side", "price", "taken"),
    [
        (BUY, "80", True),
        (BUY, "79.9999", False),
        (SELL, "132", True),
        (SELL, "132.0001", False),
        (BUY, "105", True),
        (SELL, "105", True),
    ],
)
def test_the_band_of_a_perpetual(perp: Client, side: Side, price: str, taken: bool) -> None:
    received = answer(perp, order("o", side, 1, price, symbol=PERP))
    assert received.text == (None if taken else "INVALID_ORDER")


@pytest.mark.parametrize(("price", "taken"), [("0.2000", True), ("0.1999", False), ("0.0001", False)])
def test_the_band_of_a_cheap_perpetual_is_in_ticks(price: str, taken: bool) -> None:
    """1,000 ticks are 10 cents, which is more than a fifth of 30."""
    perp = connect_perp()
    assert answer(perp, order("b1", BUY, 1, "0.3000", symbol=PERP)).exec_type == ExecType.NEW
    assert answer(perp, order("b2", BUY, 1, price, symbol=PERP)).text == (None if taken else "INVALID_ORDER")


def test_the_band_of_a_market_is_the_venues_by_default() -> None:
    band = PriceBand(share=d(PRICE_BAND["percent"]) / 100, ticks=PRICE_BAND["ticks"])
    assert margin_market(PERP).band == band


def test_resting_orders_stay_when_the_band_moves(perp: Client) -> None:
    for name, price in (("s2", "130"), ("b3", "81")):
        side = BUY if price == "81" else SELL
        assert answer(perp, order(name, side, 1, price, symbol=PERP)).exec_type == ExecType.NEW
    assert answer(perp, order("b4", BUY, 1, "104", symbol=PERP)).exec_type == ExecType.NEW
    # 81 is now below four fifths of 104; an order without another one on its side may have any price.
    exchange = perp.harness.venue.exchange("margin")
    assert [price for price, _ in exchange.levels(PERP, Side.BUY)] == [
        d("104"),
        d("100"),
        d("95"),
        d("81"),
    ]
    empty = connect_perp()
    assert answer(empty, order("b1", BUY, 1, "1", symbol=PERP)).exec_type == ExecType.NEW
    assert answer(empty, order("s1", SELL, 1, "1000", symbol=PERP)).exec_type == ExecType.NEW


def test_amends_must_be_within_the_band(perp: Client) -> None:
    refused = answer(perp, amended("b2", 2, "79.9999", symbol=PERP))
    assert (refused.text, refused.cxl_rej_reason) == ("INVALID_PRICE", CxlRejReason.OTHER)
    assert answer(perp, amended("b2", 2, "80", symbol=PERP)).exec_type == ExecType.REPLACED


def test_an_amend_that_keeps_its_price_may_be_outside_of_the_band() -> None:
    perp = connect_perp()
    for name, price in (("b1", "10"), ("b2", "20")):
        answer(perp, order(name, BUY, 2, price, symbol=PERP))
    assert answer(perp, amended("b1", 1, None, symbol=PERP)).exec_type == ExecType.REPLACED


def test_limits_of_money_and_positions() -> None:
    rules = prediction_market(MARKET, position_limit=d(20), sell_position_floor=d(-5))
    harness = harness_with(rules)
    ann, bob = harness.connect("ann"), harness.connect("bob")

    def refusals(*messages: Any) -> list[str | None]:
        answers = [answer(ann, message) for message in messages]
        return [received.text for received in answers]

    accepted = refusals(order("a1", BUY, 20, "0.40"), order("a2", SELL, 5, "0.60"))
    assert accepted == [None, None]
    assert (
        refusals(order("a3", BUY, 1, "0.30"), amended("a1", 21, None))
        == ["EXCEEDED_PER_MARKET_RISK_LIMIT"] * 2
    )
    assert (
        refusals(order("a3", SELL, 1, "0.70"), amended("a2", 6, None, SELL))
        == ["EXCEEDED_SELL_POSITION_FLOOR"] * 2
    )
    rejected = answer(ann, order("a3", SELL, 1, "0.70"))
    assert rejected.ord_rej_reason == OrdRejReason.ORDER_EXCEEDS_LIMIT
    bob.send(order("b1", SELL, 5, "0.40"))
    # Five long now: ten more may be sold, of which five are in open orders.
    assert refusals(order("a4", SELL, 5, "0.70"), order("a5", SELL, 1, "0.70")) == [
        None,
        "EXCEEDED_SELL_POSITION_FLOOR",
    ]
