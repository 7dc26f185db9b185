"""The simulated traders' fair price of a market: a random walk."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import MARGIN, PREDICTION, Exchange, MarketRules

DEFAULT_PRICES = {PREDICTION: Decimal("0.5"), MARGIN: Decimal(20)}
"""The initial price of a market without orders and without a configured price, in dollars, by product."""
_STEPS_FROM_EDGE = 2
"""Minimum distance between the fair price and the market's lowest and highest prices, in steps."""
_STEPS_IN_PRICE = 400
"""A step is about the price divided by this number, or the tick if that is larger."""
_HOUR = 3600.0


class FairPrice:
    """The fair price of one market, in dollars."""

    def __init__(self, exchange: Exchange, rules: MarketRules, middle: Decimal | None, now: float) -> None:
        """Start at the price `middle`. If it is None, start at the midpoint of the book, or at the default
        price if the book is empty.
        """
        self.rules = rules
        self._is_prediction = exchange.product == PREDICTION
        initial = _initial_price(exchange, rules.ticker) if middle is None else middle
        self.step: Decimal = default_step(initial, rules.tick)
        """Distance between the prices of a maker's orders."""
        edge = float(self.step) * _STEPS_FROM_EDGE
        self._low = float(rules.minimum_price) + edge
        self._high = float(rules.maximum_price) - edge
        self.value: float = min(max(float(initial), self._low), self._high)
        self._last_move = now

    def move(self, random: Random, volatility: float, now: float) -> None:
        """Advance the random walk to the current time; the price is reflected at the limits of the market."""
        deviation = volatility * max(now - self._last_move, 0.0) ** 0.5 / _HOUR**0.5
        self._last_move = now
        scale = 1.0 if self._is_prediction else self.value
        value = self.value + random.gauss(0.0, 1.0) * deviation * scale
        if value < self._low:
            value = 2 * self._low - value
        if value > self._high:
            value = 2 * self._high - value
        self.value = min(max(value, self._low), self._high)

    def offset_price(self, side: Side, steps: float) -> Decimal | None:
        """Return the price that is `steps` steps from the fair price, or None if the market does not accept
        it. Positive steps lead away from the other side, as for a quote; negative ones toward it, as for a
        taker."""
        signed_steps = -steps if side is Side.BUY else steps
        price = round_to_tick(Decimal(f"{self.value + signed_steps * float(self.step):.8f}"), self.rules.tick)
        return price if self.rules.accepts_price(price) else None


def _initial_price(exchange: Exchange, ticker: str) -> Decimal:
    best = [next(iter(exchange.levels(ticker, side)), None) for side in Side]
    prices = [level[0] for level in best if level is not None]
    if prices:
        return sum(prices, Decimal(0)) / len(prices)
    return DEFAULT_PRICES[exchange.product]


def default_step(price: Decimal, tick: Decimal) -> Decimal:
    """Return the distance between the prices of orders that rest around a price."""
    return max(tick, round_to_tick(price / _STEPS_IN_PRICE, tick))


def round_to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """Return the nearest multiple of the tick."""
    return (price / tick).to_integral_value() * tick
