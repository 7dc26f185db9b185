"""Prices and quantities that a market's rules accept; dialogues/prices.yaml tests the answers."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio._generated.limits import PRICE_BAND
from kalshi_fix_venue.exchange import (
    STRUCTURES,
    MarketRules,
    PriceBand,
    margin_market,
    prediction_market,
)
from tests.venue.exchange_harness import MARKET, PERP, d

PRICES = {
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
"""Accepted and refused prices, by price structure."""


def test_all_price_structures_are_tested() -> None:
    assert set(PRICES) == set(STRUCTURES)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_each_price_structure_accepts_only_prices_on_its_own_steps(structure: str) -> None:
    rules = prediction_market(MARKET, structure=structure)
    accepted, refused = PRICES[structure]
    assert [price for price in accepted.split() if not rules.accepts_price(d(price))] == []
    assert [price for price in ("0", "1", *refused.split()) if rules.accepts_price(d(price))] == []


@pytest.mark.parametrize(
    ("rules", "accepted", "refused"),
    [
        (prediction_market(MARKET), ("0.01", "1.55", "10"), ("0.001", "1.555")),
        (prediction_market(MARKET, fractional=False), ("1", "10"), ("0.01", "1.5")),
        (margin_market(PERP), ("1", "10"), ("0.01", "1.5")),
    ],
    ids=["fractional", "whole", "perpetual"],
)
def test_quantities_must_match_the_steps_of_the_market(
    rules: MarketRules, accepted: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    assert all(rules.accepts_quantity(d(quantity)) for quantity in accepted)
    assert not any(rules.accepts_quantity(d(quantity)) for quantity in refused)


def test_the_default_price_band_of_a_market_is_that_of_the_venue() -> None:
    band = PriceBand(share=d(PRICE_BAND["percent"]) / 100, ticks=PRICE_BAND["ticks"])
    assert margin_market(PERP).band == band
