"""The resting orders of the simulated venue."""

from __future__ import annotations

from itertools import count
from random import Random

from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import margin_market, prediction_market
from kalshi_fix_venue.liquidity import LIQUIDITY, liquidity_orders
from tests.venue import exchange_harness
from tests.venue.exchange_harness import MARKET, PERP, d
from tests.venue.venue_harness import VenueHarness


def test_resting_orders_quote_both_sides_at_prices_that_the_market_accepts() -> None:
    ids = count(1)
    rules = prediction_market(MARKET)
    orders = liquidity_orders(rules, d("0.03"), Random(3), lambda: f"h{next(ids)}")
    assert [(o.side.name.lower(), o.price) for o in orders] == [
        ("buy", d("0.02")),
        ("sell", d("0.04")),
        ("buy", d("0.01")),
        ("sell", d("0.05")),
        ("sell", d("0.06")),
        ("sell", d("0.07")),
        ("sell", d("0.08")),
    ]
    harness = VenueHarness(
        accounts=(
            AccountConfig(owner=LIQUIDITY, product="margin", balance=d(100_000)),
            AccountConfig(owner="perp", product="margin", balance=d(1000)),
        ),
        api_keys=(),
    )
    perp = margin_market(PERP)
    for command in liquidity_orders(
        perp, d("20"), Random(3), lambda: f"m{next(ids)}", levels=2, spacing=d("0.5")
    ):
        harness.venue.execute("margin", command, harness.now)
    exchange = harness.venue.exchange("margin")
    assert [price for price, _ in exchange.levels(PERP, exchange_harness.BUY)] == [d("19.5"), d("19")]
    assert [price for price, _ in exchange.levels(PERP, exchange_harness.SELL)] == [d("20.5"), d("21")]
