"""Arithmetic of prices, quantities and money, independent of the caller's decimal context.

The operators of Decimal (including unary minus), `sum` and `abs` use the decimal context of the current
thread or task. The caller's precision or traps could therefore round amounts, or raise in the middle of an
update. Use the functions of this module instead. Comparisons, `min`, `max`, `bool` and `copy_negate` are
always exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import (
    MAX_EMAX,
    MAX_PREC,
    MIN_EMIN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
)
from typing import Final

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
# All arguments are passed, because omitted ones are copied from `decimal.DefaultContext`, which the caller
# may have changed.
EXACT: Final = Context(
    prec=min(4_000, MAX_PREC),
    rounding=ROUND_HALF_EVEN,
    Emin=MIN_EMIN,
    Emax=MAX_EMAX,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[Inexact, InvalidOperation],
)
"""Context for exact arithmetic that never rounds. Numbers in messages have at most 38 digits, so no sum of
products reaches the precision of the context.
"""
_QUOTIENT: Final = EXACT.copy()
_QUOTIENT.prec = 28
_QUOTIENT.traps[Inexact] = False
_QUOTIENT.traps[DivisionByZero] = True
# Bound methods of the context rather than wrapper functions: they take half the time, and applying a
# fill calls four of them.
add: Final = EXACT.add
"""Return the exact sum."""
subtract: Final = EXACT.subtract
"""Return the exact difference."""
multiply: Final = EXACT.multiply
"""Return the exact product."""
multiply_add: Final = EXACT.fma
"""Return the exact product of the first two arguments plus the third."""
to_text: Final = EXACT.to_sci_string
"""Return a string that `Decimal` parses as the same number with the same digits."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of all amounts."""
    result = ZERO
    for amount in amounts:
        result = add(result, amount)
    return result


def divide(dividend: Decimal, divisor: Decimal | int) -> Decimal:
    """Return the quotient, rounded to 28 digits."""
    return _QUOTIENT.divide(dividend, divisor)


def from_cents(price: Decimal) -> Decimal:
    """Convert a price in cents to dollars."""
    return price.scaleb(-2, EXACT)


def to_cents(price: Decimal) -> Decimal:
    """Convert a price in dollars to cents."""
    return price.scaleb(2, EXACT)


def to_whole_cents(price: Decimal, error: type[Exception]) -> Decimal:
    """Convert a price in dollars to cents; raise `error` if it is not a whole number of cents."""
    cents = to_cents(price)
    if cents != cents.to_integral_value():
        raise error(
            f"a price must be a whole number of cents, not {price:f} dollars; "
            "for fractions of a cent, log on with UseDollars"
        )
    return cents
