"""The venues of dialogues, built from the settings in their files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from typing import Any

import attrs

from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.config import AccountConfig, ApiKey, CustomerConfig
from kalshi_fix_venue.exchange import (
    MarketGroup,
    MarketRules,
    PriceBand,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from kalshi_fix_venue.gateway.rfq import Windows
from kalshi_fix_venue.pauses import WeeklyPause
from tests.venue.exchange_harness import MARKET, NO_FEES, PERP
from tests.venue.rfq import rfq_harness
from tests.venue.venue_harness import KEY_NAMES, VenueHarness, accounts, api_key

MEMBER = "550e8400-e29b-41d4-a716-446655440000"
RULES: Mapping[str, MarketRules] = {
    rules.ticker: rules
    for rules in (
        prediction_market(MARKET),
        prediction_market("KXBTC-26AUG20", shard=2),
        prediction_market("KXSUBPENNY-26AUG20", tick=Decimal("0.0001")),
        prediction_market("KXLIMITED-26AUG20", position_limit=Decimal(5)),
        attrs.evolve(prediction_market("KXFLOORED-26AUG20"), sell_position_floor=Decimal(-5)),
        margin_market(PERP),
    )
}
MAINTENANCE = WeeklyPause(weekday=3, begins=time(3), ends=time(5))
"""Thursdays from 3 to 5 a.m., New York time."""


def venue(settings: Mapping[str, Any]) -> VenueHarness:
    """Return the venue of a dialogue: `kind` selects orders or RFQs."""
    changes = dict(settings)
    kind = changes.pop("kind")
    if "assumptions" in changes:
        changes["assumptions"] = Assumptions(**changes["assumptions"])
    if "symbol_limits" in changes:
        changes["symbol_limits"] = SymbolLimits(**changes["symbol_limits"])
    if "fees" in changes:
        changes["fees"] = {"prediction": NO_FEES if changes["fees"] == "none" else PREDICTION_FEES}
    return _with_rfqs(changes) if kind == "rfq" else _with_orders(changes)


def _with_rfqs(changes: dict[str, Any]) -> VenueHarness:
    if "rfqs" in changes:
        rfqs = changes["rfqs"]
        if "standard" in rfqs:
            rfqs = rfqs | {"standard": Windows(**rfqs["standard"])}
        changes["rfqs"] = attrs.evolve(rfq_harness.SETTINGS, **rfqs)
    if "customers" in changes:
        customers = tuple(
            CustomerConfig(
                party_id=item, balance=Decimal(100), daily_cap=Decimal(10) if "_capped" in item else None
            )
            for item in changes.pop("customers")
        )
        member, *others = rfq_harness.accounts()
        changes["accounts"] = (attrs.evolve(member, customers=customers), *others)
    return rfq_harness.RfqHarness(**changes)


def _with_orders(changes: dict[str, Any]) -> VenueHarness:
    """Return a venue for orders. The entries of `accounts`, `keys` and `markets` change the default entries
    with the same names.
    """
    owners: dict[str, dict[str, Any]] = {
        "ann": {
            "subaccounts": {2: Decimal(100), 3: Decimal(100)},
            "on_shards": {2: {0: Decimal(100)}},
            "customers": (
                CustomerConfig(party_id=f"{MEMBER}_capped", balance=Decimal(1000), daily_cap=Decimal(10)),
                CustomerConfig(party_id=f"{MEMBER}_customer1", balance=Decimal(100)),
                CustomerConfig(party_id=f"{MEMBER}_2", balance=Decimal(100)),
            ),
        },
        "bob": {
            "on_shards": {2: {0: Decimal(100)}},
            "customers": (
                CustomerConfig(party_id="110e8400-e29b-41d4-a716-446655440000_x", balance=Decimal(10)),
            ),
        },
        "perp": {},
    }
    for owner, settings in changes.pop("accounts", {}).items():
        owners[owner] |= {name: _to_decimals(value) for name, value in settings.items()}
    other = AccountConfig(owner="other", product="margin", balance=Decimal(1000))
    made = {"accounts": (*accounts(**owners), other), "markets": _markets(changes.pop("markets", {}))}
    made["api_keys"] = _keys(changes.pop("keys", {}))
    if "market_groups" in changes:
        groups = changes.pop("market_groups")
        made["market_groups"] = tuple(
            MarketGroup(name=name, markets=tuple(tickers)) for name, tickers in groups.items()
        )
    if "maintenance" in changes:
        made["pauses"] = (attrs.evolve(MAINTENANCE, **changes.pop("maintenance")),)
    return VenueHarness(**(made | changes))


def _keys(changed: Mapping[str, Mapping[str, Any]]) -> tuple[ApiKey, ...]:
    changes: dict[str, dict[str, Any]] = {
        name: {key: frozenset(value) if isinstance(value, list) else value for key, value in settings.items()}
        for name, settings in changed.items()
    }
    return tuple(attrs.evolve(api_key(name), **changes.get(name, {})) for name in KEY_NAMES)


def _markets(changed: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[MarketRules, ...]]:
    found = dict(RULES)
    for ticker, settings in changed.items():
        values = {name: _to_decimals(value) for name, value in settings.items()}
        if "band" in values:
            values["band"] = PriceBand(**values["band"])
        made = {name: values.pop(name) for name in ("structure", "fractional") if name in values}
        rules = margin_market(ticker) if ticker == PERP else prediction_market(ticker, **made)
        found[ticker] = attrs.evolve(rules, **values)
    return {
        "prediction": tuple(rules for rules in found.values() if rules.ticker != PERP),
        "margin": (found[PERP],),
    }


def _to_decimals(value: Any) -> Any:
    """Convert amounts, which are written as text, to decimals; return other values unchanged."""
    if isinstance(value, dict):
        return {key: _to_decimals(each) for key, each in value.items()}
    return Decimal(value) if isinstance(value, str) and re.fullmatch(r"-?[\d.]+", value) else value
