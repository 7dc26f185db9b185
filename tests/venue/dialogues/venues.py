"""The venues of dialogues, built from the settings in their files."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.config import CustomerConfig
from kalshi_fix_venue.exchange import margin_market, prediction_market
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from kalshi_fix_venue.gateway.rfq import Windows
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.rfq import rfq_harness
from tests.venue.venue_harness import VenueHarness, accounts

MARKETS = {
    "prediction": (
        prediction_market(MARKET),
        prediction_market("KXBTC-26AUG20", shard=2),
        prediction_market("KXSUBPENNY-26AUG20", subpenny=True),
        prediction_market("KXLIMITED-26AUG20", position_limit=Decimal(5)),
        prediction_market("KXFLOORED-26AUG20", sell_position_floor=Decimal(-5)),
    ),
    "margin": (margin_market(PERP),),
}


def venue(settings: Mapping[str, Any]) -> VenueHarness:
    """Return the venue of a dialogue: `kind` selects orders or RFQs."""
    changes = dict(settings)
    kind = changes.pop("kind")
    if "assumptions" in changes:
        changes["assumptions"] = Assumptions(**changes["assumptions"])
    if "symbol_limits" in changes:
        changes["symbol_limits"] = SymbolLimits(**changes["symbol_limits"])
    if "fees" in changes:
        changes["fees"] = {"prediction": PREDICTION_FEES}
    return _with_rfqs(changes) if kind == "rfq" else _with_orders(changes)


def _with_rfqs(changes: dict[str, Any]) -> VenueHarness:
    if "rfqs" in changes:
        rfqs = changes["rfqs"]
        if "standard" in rfqs:
            rfqs = rfqs | {"standard": Windows(**rfqs["standard"])}
        changes["rfqs"] = attrs.evolve(rfq_harness.TIMES, **rfqs)
    if "customers" in changes:
        customers = tuple(
            CustomerConfig(
                party_id=each, balance=Decimal(100), daily_cap=Decimal(10) if "_capped" in each else None
            )
            for each in changes.pop("customers")
        )
        member, *others = rfq_harness.accounts()
        changes["accounts"] = (attrs.evolve(member, customers=customers), *others)
    return rfq_harness.RfqHarness(**changes)


def _with_orders(changes: dict[str, Any]) -> VenueHarness:
    member = "550e8400-e29b-41d4-a716-446655440000"
    other = "110e8400-e29b-41d4-a716-446655440000"
    capped = CustomerConfig(party_id=f"{member}_capped", balance=Decimal(1000), daily_cap=Decimal(10))
    everybody: dict[str, dict[str, Any]] = {
        "ann": {
            "subaccounts": {2: Decimal(100), 3: Decimal(100)},
            "on_shards": {2: {0: Decimal(100)}},
            "customers": (capped,),
        },
        "bob": {
            "on_shards": {2: {0: Decimal(100)}},
            "customers": (CustomerConfig(party_id=f"{other}_x", balance=Decimal(10)),),
        },
    }
    for owner, dollars in changes.pop("balances", {}).items():
        everybody[owner]["balance"] = Decimal(dollars)
    return VenueHarness(**({"markets": MARKETS, "accounts": accounts(**everybody)} | changes))
