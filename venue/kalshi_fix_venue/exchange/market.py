"""A market: its rules for prices and quantities, its state and its book."""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading.money.fees import CENTICENT
from kalshi_fix_venue.exchange.book import Book
from kalshi_fix_venue.exchange.fees import FeeSchedule
from kalshi_fix_venue.exchange.prices import (
    LINEAR,
    STRUCTURES,
    PriceBand,
    PriceRange,
    PriceStructure,
)
from kalshi_fix_venue.exchange.terms import MarketResult, MarketState


@attrs.frozen(kw_only=True)
class MarketRules:
    """Rules for the orders of a market. Prices in dollars, quantities in contracts."""

    ticker: str
    tick: Decimal
    """Prices are multiples of it, except in the ranges of `edges`."""
    minimum_price: Decimal
    maximum_price: Decimal
    quantity_step: Decimal
    """Quantities are multiples of it."""
    maximum_quantity: Decimal = Decimal(1_000_000_000)
    """The maximum quantity of one order, in contracts."""
    edges: tuple[PriceRange, ...] = ()
    """Price ranges with finer ticks."""
    band: PriceBand | None = None
    """Band of accepted prices around the best price on the order's own side; None for no band."""
    position_limit: Decimal | None = None
    """Maximum number of contracts an account may be long or short, with its open orders counted as filled."""
    sell_position_floor: Decimal | None = None
    """The lowest position (negative if short) that an account may reach by selling, with its open sell orders
    counted as filled. 0 allows no short positions."""
    fees: FeeSchedule | None = None
    """The market's fees, if they differ from those of the product."""
    shard: int = 0
    """Index of the exchange shard on which it is traded (ExDestination 100, LastMkt 30)."""
    high_volatility: bool = False
    """Whether RFQs use the short time limits (Kalshi's page on RFQs)."""
    combo: bool = False
    """Whether it is a combination of markets."""
    opened: bool = True
    """Whether it is initially open. Otherwise it is INITIALIZED until it is opened."""

    def accepts_price(self, price: Decimal) -> bool:
        """Return whether an order may have this price."""
        # At the boundary of a range of `edges`, the finer tick applies.
        tick = next((edge.step for edge in self.edges if price in edge), self.tick)
        return self.minimum_price <= price <= self.maximum_price and price % tick == 0

    def accepts_quantity(self, quantity: Decimal) -> bool:
        """Return whether an order may have this quantity."""
        return 0 < quantity <= self.maximum_quantity and quantity % self.quantity_step == 0


def prediction_market(
    ticker: str,
    *,
    structure: str = LINEAR,
    tick: Decimal | None = None,
    fractional: bool = True,
    position_limit: Decimal | None = None,
    shard: int = 0,
) -> MarketRules:
    """Return the rules of an event contract.

    `structure` names Kalshi's price level structure, by default whole cents from 1 to 99. With `tick`, prices
    are its multiples between 0 and 1 dollar instead; 0.0001 is Kalshi's subpenny pricing. Quantities are
    multiples of 0.01 contracts with `fractional`, otherwise whole (Kalshi's page on fixed-point contracts).

    Raises:
        KeyError: the venue has no such structure.
    """
    prices = STRUCTURES[structure] if tick is None else PriceStructure(tick, tick)
    return MarketRules(
        ticker=ticker,
        tick=prices.center,
        edges=prices.edges,
        minimum_price=prices.edge,
        maximum_price=1 - prices.edge,
        quantity_step=Decimal("0.01") if fractional else Decimal(1),
        position_limit=position_limit,
        shard=shard,
    )


def margin_market(ticker: str, *, tick: Decimal = CENTICENT) -> MarketRules:
    """Return the rules of a perpetual: prices in dollars with up to four decimals, within a band, and whole
    contracts."""
    return MarketRules(
        ticker=ticker,
        tick=tick,
        minimum_price=tick,
        maximum_price=Decimal(1_000_000),
        quantity_step=Decimal(1),
        band=PriceBand(),
    )


@attrs.define
class Market:
    """One market with its book."""

    rules: MarketRules
    state: MarketState = attrs.field()
    result: MarketResult | None = None
    """The result, once the market is determined."""
    settlement_price: Decimal | None = None
    """Payout of a YES contract in dollars, once the result is known."""
    book: Book = attrs.field(factory=Book)
    bounds: tuple[Decimal, Decimal] | None = None
    """Bounds of the settlement price, if the operator has set them."""

    @state.default
    def _state(self) -> MarketState:
        return MarketState.ACTIVE if self.rules.opened else MarketState.INITIALIZED

    def is_within_bounds(self, price: Decimal) -> bool:
        """Return whether a price is within the settlement bounds, if there are any."""
        return self.bounds is None or self.bounds[0] <= price <= self.bounds[1]

    @property
    def ticker(self) -> str:
        """The market's name (Symbol 55)."""
        return self.rules.ticker

    def is_within_band(self, side: Side, price: Decimal) -> bool:
        """Return whether a price is close enough to the best price on its own side."""
        band = self.rules.band
        return band is None or band.accepts(self.book, side, price, self.rules.tick)
