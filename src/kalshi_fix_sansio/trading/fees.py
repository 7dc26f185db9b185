"""What fills should cost by the venue's page on fee rounding, to be compared with what reports say.

Each fill has a trade fee, rounded up to 0.0001 dollars, and a rounding fee, by which the balance changes by a
multiple of the member's precision. What an order has overpaid by rounding is given back in whole cents, once
it is more than one.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum
from typing import Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import EXACT, ZERO, add, multiply, subtract
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order import Fill, Order

CENT: Final = Decimal("0.01")
CENTICENT: Final = Decimal("0.0001")
ONE: Final = Decimal(1)


@explained
@attrs.frozen(kw_only=True)
class FeeTerms:
    """By which rates a market charges, and to what the balance of its owner is rounded."""

    taker_rate: Decimal
    """Fraction of the value at stake: price times (1 - price), or the price itself."""
    maker_rate: Decimal = ZERO
    """The same, for fills that did not take liquidity."""
    precision: Decimal = CENT
    """Dollars: 0.01, or 0.0001 for direct members."""
    variance: bool = True
    """Whether the value at stake is price times (1 - price), as on prediction, rather than the price."""

    def trade_fee(self, fill: Fill) -> Decimal:
        """Return the trade fee of a fill in dollars, before rounding of the balance."""
        stake = multiply(fill.price, subtract(ONE, fill.price)) if self.variance else fill.price
        rate = self.taker_rate if fill.aggressor else self.maker_rate
        return _rounded(multiply(multiply(rate, fill.quantity), stake), CENTICENT, ROUND_CEILING)


@explained
class Charge(NamedTuple):
    """What one fill should cost, in dollars."""

    key: ExecKey
    """Which fill."""
    trade_fee: Decimal
    """By the rate of the market."""
    rounding_fee: Decimal
    """What rounds the change of the balance to its precision."""
    rebate: Decimal
    """What of earlier roundings is given back."""

    @property
    def net(self) -> Decimal:
        """The whole of it, as in MiscFeeAmt (137)."""
        return subtract(add(self.trade_fee, self.rounding_fee), self.rebate)


@explained
class FeeDiscrepancyKind(Enum):
    """In what way a fill does not cost what it should."""

    FEE = "the fee is another than the page on fee rounding says"
    PRECISION = "the balance changed by what is no multiple of its precision"


@explained
@attrs.frozen
class FeeDiscrepancy:
    """A fill that does not cost what it should."""

    kind: FeeDiscrepancyKind
    """In what way."""
    key: ExecKey
    """Which fill."""
    told: Decimal
    """Dollars."""
    expected: Decimal
    """Dollars: the fee, or the precision."""


def revenue(side: Side | str, fill: Fill) -> Decimal | None:
    """Return by how many dollars a fill on prediction changes the balance before fees, by price and position.

    What closes a position is paid out at once: a long and a short contract are worth a dollar together. What
    the positions of a group of markets offset is not in it. None where the report has not told the position.
    """
    if fill.long_qty is None or fill.short_qty is None:
        return None
    after = subtract(fill.long_qty, fill.short_qty)
    # Of the side that was traded: buying opens long and closes short contracts.
    opened = min(fill.quantity, max(ZERO, after if side == Side.BUY else after.copy_negate()))
    closed = subtract(fill.quantity, opened)
    price = fill.price if side == Side.BUY else subtract(ONE, fill.price)
    return subtract(multiply(closed, subtract(ONE, price)), multiply(opened, price))


def expected_charges(order: Order, terms: FeeTerms) -> list[Charge] | None:
    """Return what the fills of an order should cost, by their keys; None where the reports do not say what it
    takes to know it, or fills are missing: what was overpaid counts over all of an order's fills."""
    if order.unseen:
        return None
    charges: list[Charge] = []
    overpaid = ZERO
    for key in sorted(order.fills):
        fill = order.fills[key]
        # The change of the balance has the fee taken off. Whether a rebate is in it makes no difference here:
        # it is of whole cents.
        if fill.balance_change is not None:
            before_fees: Decimal | None = add(fill.balance_change, fill.fee)
        else:
            before_fees = revenue(order.side, fill) if terms.variance else None
        if before_fees is None or fill.aggressor is None:
            return None
        trade_fee = terms.trade_fee(fill)
        change = subtract(before_fees, trade_fee)
        rounding_fee = subtract(change, _rounded(change, terms.precision, ROUND_FLOOR))
        overpaid = add(overpaid, rounding_fee)
        rebate = ZERO
        # The net fee is never below zero: what cannot be given back yet is with a later fill.
        while overpaid > CENT and subtract(add(trade_fee, rounding_fee), rebate) >= CENT:
            rebate, overpaid = add(rebate, CENT), subtract(overpaid, CENT)
        charges.append(Charge(key, trade_fee, rounding_fee, rebate))
    return charges


def check_fees(order: Order, terms: FeeTerms) -> list[FeeDiscrepancy]:
    """Compare what the fills of an order have cost with what they should. Nothing is told while fills are
    missing."""
    found: list[FeeDiscrepancy] = []
    for charge in expected_charges(order, terms) or ():
        fill = order.fills[charge.key]
        if charge.net != fill.fee:
            found.append(FeeDiscrepancy(FeeDiscrepancyKind.FEE, charge.key, fill.fee, charge.net))
        change = fill.balance_change
        if change is not None and _rounded(change, terms.precision, ROUND_FLOOR) != change:
            kind = FeeDiscrepancyKind.PRECISION
            found.append(FeeDiscrepancy(kind, charge.key, change, terms.precision))
    return found


def _rounded(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Return a multiple of a power of ten."""
    return amount.quantize(step, rounding, _ROUNDING)


_ROUNDING: Final = EXACT.copy()
_ROUNDING.clear_traps()
