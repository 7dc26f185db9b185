"""Collateral: the cost of positions in the two products. All amounts in dollars."""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.orders import ZERO

ONE = Decimal(1)


@attrs.define
class Position:
    """The position of an account in one market."""

    net: Decimal = ZERO
    """Contracts; positive is long (YES), negative short (NO)."""
    entry_value: Decimal = ZERO
    """Dollars: price times quantity of the open contracts, at their entry prices; used by margin."""

    @property
    def long(self) -> Decimal:
        """Contracts held long (LongQty 704)."""
        return max(self.net, ZERO)

    @property
    def short(self) -> Decimal:
        """Contracts held short (ShortQty 705)."""
        return max(-self.net, ZERO)

    def closable(self, side: Side) -> Decimal:
        """Return the number of contracts that a trade on this side closes before it opens any."""
        return self.short if side is Side.BUY else self.long


@attrs.frozen
class CashFlow:
    """The change in a balance caused by one fill, before its fee."""

    change: Decimal
    collateral_return: Decimal
    """The part of `change` returned for closing a position."""
    ranged_return: Decimal = ZERO
    """The part of `change` that is released because the guaranteed payout of the market group has grown;
    negative if it has decreased."""


def _signed_quantity(side: Side, quantity: Decimal) -> Decimal:
    return quantity if side is Side.BUY else -quantity


@attrs.frozen
class PredictionCollateral:
    """Event contracts are paid in full: a long contract costs its price, and a short one costs 1 dollar minus
    its price. A long and a short contract together always pay 1 dollar, which is returned immediately."""

    def opening_cost(self, side: Side, price: Decimal) -> Decimal:
        """Return the cost of opening one contract."""
        return price if side is Side.BUY else ONE - price

    def fill(self, position: Position, side: Side, price: Decimal, quantity: Decimal) -> CashFlow:
        """Apply a fill to a position, closing the opposite side first; return the change in the balance."""
        closing = min(quantity, position.closable(side))
        collateral_return = closing * (ONE - self.opening_cost(side, price))
        position.net += _signed_quantity(side, quantity)
        return CashFlow(
            collateral_return - (quantity - closing) * self.opening_cost(side, price), collateral_return
        )


@attrs.frozen
class MarginCollateral:
    """Opening a position in a perpetual requires a fraction of its notional value. Closing the position
    returns this amount with the profit or loss. Positions are not marked to market or liquidated in
    between."""

    rate: Decimal = Decimal("0.1")
    """Initial margin as a fraction of price times quantity."""

    def opening_cost(self, side: Side, price: Decimal) -> Decimal:  # noqa: ARG002 - the same for both sides
        """Return the cost of opening one contract."""
        return self.rate * price

    def fill(self, position: Position, side: Side, price: Decimal, quantity: Decimal) -> CashFlow:
        """Apply a fill to a position, closing the opposite side first; return the change in the balance."""
        closing = min(quantity, position.closable(side))
        collateral_return = ZERO
        if closing:
            entry = _share(position.entry_value, closing, abs(position.net))
            profit = entry - closing * price if side is Side.BUY else closing * price - entry
            collateral_return = entry * self.rate + profit
            position.entry_value -= entry
        opening = quantity - closing
        position.entry_value += opening * price
        position.net += _signed_quantity(side, quantity)
        return CashFlow(collateral_return - opening * self.opening_cost(side, price), collateral_return)


Collateral = PredictionCollateral | MarginCollateral
"""The collateral rules of a product."""


def _share(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return value if part == whole else (value * part / whole).quantize(Decimal("0.0001"))
