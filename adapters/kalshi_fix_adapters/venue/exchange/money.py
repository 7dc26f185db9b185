"""What positions cost: collateral of the two products. All amounts in dollars."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import attrs

from kalshi_fix_adapters.venue.exchange.orders import ZERO
from kalshi_fix_adapters.venue.exchange.terms import Side

ONE = Decimal(1)


@attrs.define
class Position:
    """What an account holds in one market."""

    net: Decimal = ZERO
    """Contracts; positive is long (YES), negative short (NO)."""
    entry_value: Decimal = ZERO
    """Dollars: price times quantity of what is open, as it was opened; margin needs it."""

    @property
    def long(self) -> Decimal:
        """Contracts held long (LongQty 704)."""
        return max(self.net, ZERO)

    @property
    def short(self) -> Decimal:
        """Contracts held short (ShortQty 705)."""
        return max(-self.net, ZERO)

    def closable(self, side: Side) -> Decimal:
        """Return how many contracts trading on this side closes rather than opens."""
        return self.short if side is Side.BUY else self.long


@attrs.frozen
class CashFlow:
    """What one fill does to a balance, before its fee."""

    change: Decimal
    returned: Decimal
    """The part of `change` that closing a position gave back."""
    ranged: Decimal = ZERO
    """The part of `change` that positions of a market group are sure to pay together; negative where less is
    sure than before."""


class Collateral(Protocol):
    """How a product pays for positions."""

    def opening(self, side: Side, price: Decimal) -> Decimal:
        """Return what one contract costs to open."""
        ...

    def fill(self, position: Position, side: Side, price: Decimal, quantity: Decimal) -> CashFlow:
        """Move a position by a fill and return what that does to the balance."""
        ...


def _signed(side: Side, quantity: Decimal) -> Decimal:
    return quantity if side is Side.BUY else -quantity


@attrs.frozen
class PredictionCollateral:
    """Event contracts are paid in full: a long costs its price, a short 1 dollar minus its price,
    and a pair of both is worth 1 dollar, returned at once."""

    def opening(self, side: Side, price: Decimal) -> Decimal:
        """Return what one contract costs to open."""
        return price if side is Side.BUY else ONE - price

    def fill(self, position: Position, side: Side, price: Decimal, quantity: Decimal) -> CashFlow:
        """Close first what is open on the other side, then open."""
        closing = min(quantity, position.closable(side))
        returned = closing * (ONE - self.opening(side, price))
        position.net += _signed(side, quantity)
        return CashFlow(returned - (quantity - closing) * self.opening(side, price), returned)


@attrs.frozen
class MarginCollateral:
    """Perpetuals post a fraction of their notional value when opened, and get it back with the
    profit or loss when closed. Positions are not revalued or liquidated in between."""

    rate: Decimal = Decimal("0.1")
    """Initial margin as a fraction of price times quantity."""

    def opening(self, side: Side, price: Decimal) -> Decimal:  # noqa: ARG002 the same for both
        """Return what one contract costs to open."""
        return self.rate * price

    def fill(self, position: Position, side: Side, price: Decimal, quantity: Decimal) -> CashFlow:
        """Close first what is open on the other side, then open."""
        closing = min(quantity, position.closable(side))
        returned = ZERO
        if closing:
            entry = _share(position.entry_value, closing, abs(position.net))
            profit = entry - closing * price if side is Side.BUY else closing * price - entry
            returned = entry * self.rate + profit
            position.entry_value -= entry
        opening = quantity - closing
        position.entry_value += opening * price
        position.net += _signed(side, quantity)
        return CashFlow(returned - opening * self.opening(side, price), returned)


def _share(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return value if part == whole else (value * part / whole).quantize(Decimal("0.0001"))
