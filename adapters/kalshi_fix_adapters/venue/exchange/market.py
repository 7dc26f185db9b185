"""A market: what prices and quantities it takes, its state and its book."""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.book import Book
from kalshi_fix_adapters.venue.exchange.fees import FeeSchedule
from kalshi_fix_adapters.venue.exchange.terms import MarketResult, MarketState


@attrs.frozen(kw_only=True)
class MarketRules:
    """What a market accepts. Prices in dollars, quantities in contracts."""

    ticker: str
    tick: Decimal
    """Prices are multiples of it."""
    minimum_price: Decimal
    maximum_price: Decimal
    quantity_step: Decimal
    """Quantities are multiples of it."""
    maximum_quantity: Decimal = Decimal(1_000_000_000)
    """The most contracts one order may be for."""
    position_limit: Decimal | None = None
    """The most contracts an account may be long or short, counting its open orders as filled."""
    fees: FeeSchedule | None = None
    """Where they differ from those of the product."""
    shard: int = 0
    """Index of the exchange that trades it (ExDestination 100, LastMkt 30)."""
    high_volatility: bool = False
    """Whether RFQs have the short times here (the venue's page on RFQs)."""

    def accepts_price(self, price: Decimal) -> bool:
        """Say whether an order may carry this price."""
        return self.minimum_price <= price <= self.maximum_price and price % self.tick == 0

    def accepts_quantity(self, quantity: Decimal) -> bool:
        """Say whether an order may carry this quantity."""
        return 0 < quantity <= self.maximum_quantity and quantity % self.quantity_step == 0


def prediction_market(
    ticker: str, *, subpenny: bool = False, position_limit: Decimal | None = None, shard: int = 0
) -> MarketRules:
    """Return the rules of an event contract: 1 to 99 cents in whole cents, or with `subpenny`
    in steps of 0.0001 dollars from 0.0001 to 0.9999 (the page on subpenny pricing);
    quantities in steps of 0.01 contracts."""
    tick = Decimal("0.0001") if subpenny else Decimal("0.01")
    return MarketRules(
        ticker=ticker,
        tick=tick,
        minimum_price=tick,
        maximum_price=1 - tick,
        quantity_step=Decimal("0.01"),
        position_limit=position_limit,
        shard=shard,
    )


def margin_market(
    ticker: str,
    *,
    tick: Decimal = Decimal("0.0001"),
    maximum_price: Decimal = Decimal(1_000_000),
    position_limit: Decimal | None = None,
) -> MarketRules:
    """Return the rules of a perpetual: dollars with up to four decimals, whole contracts."""
    return MarketRules(
        ticker=ticker,
        tick=tick,
        minimum_price=tick,
        maximum_price=maximum_price,
        quantity_step=Decimal(1),
        position_limit=position_limit,
    )


@attrs.define
class Market:
    """One market with its book."""

    rules: MarketRules
    state: MarketState = MarketState.ACTIVE
    result: MarketResult | None = None
    """Known from DETERMINED on."""
    settlement_price: Decimal | None = None
    """Dollars that a YES contract pays, once the result is known."""
    book: Book = attrs.field(factory=Book)

    @property
    def ticker(self) -> str:
        """The market's name (Symbol 55)."""
        return self.rules.ticker
