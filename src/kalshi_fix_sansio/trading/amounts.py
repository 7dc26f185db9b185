"""Arithmetic of prices, quantities and money that never rounds by itself.

The context of the caller's thread is left alone: with it, a sum of long numbers would depend on the order in
which they are added.
"""

from __future__ import annotations

from decimal import MAX_PREC, ROUND_HALF_EVEN, Context, Decimal, Inexact
from typing import Final

ZERO: Final = Decimal(0)
EXACT: Final = Context(prec=min(4_000, MAX_PREC), traps=[Inexact])
"""A message's numbers have at most 38 digits, so no sum of products comes near its digits."""
_QUOTIENT: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)
# Bound methods of the context, not functions around them: half the time, and each fill takes four.
add: Final = EXACT.add
"""The sum, exactly."""
subtract: Final = EXACT.subtract
"""The difference, exactly."""
multiply: Final = EXACT.multiply
"""The product, exactly."""
multiply_add: Final = EXACT.fma
"""The product of the first two, and the third added to it, exactly."""


def divide(one: Decimal, other: Decimal) -> Decimal:
    """Return the quotient, with 28 digits."""
    return _QUOTIENT.divide(one, other)


def from_cents(price: Decimal) -> Decimal:
    """Return a price in dollars."""
    return price.scaleb(-2, EXACT)


def to_cents(price: Decimal) -> Decimal:
    """Return a price in cents."""
    return price.scaleb(2, EXACT)
