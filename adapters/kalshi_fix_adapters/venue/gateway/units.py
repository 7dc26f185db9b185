"""How the exchange's dollars and contracts look to one session (the page on subpenny pricing)."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from kalshi_fix_sansio import (
    CollateralAmountChange,
    CollateralAmountType,
    MiscFee,
    MiscFeeBasis,
    MiscFeeType,
)

_FOUR_PLACES = Decimal("0.0001")
_TWO_PLACES = Decimal("0.01")
_CENTS_PER_DOLLAR = 100


def price_from_wire(value: Decimal, *, dollars: bool) -> Decimal | None:
    """Return a client's price in dollars; None for cents that are not whole ones."""
    if dollars:
        return value
    return value / _CENTS_PER_DOLLAR if value == value.to_integral_value() else None


def order_price_from_wire(value: Decimal, *, dollars: bool) -> Decimal:
    """Return the price of an order in dollars; a fraction of a cent is cut off of cents."""
    return value if dollars else value.to_integral_value(ROUND_DOWN) / _CENTS_PER_DOLLAR


def price_to_wire(value: Decimal, *, dollars: bool) -> Decimal:
    """Return a price with four decimals in dollars, or in cents with as few decimals as it takes.

    An average of several fills is rounded to a hundredth of a cent.
    """
    rounded = value.quantize(_FOUR_PLACES)
    return rounded if dollars else _trim(rounded * _CENTS_PER_DOLLAR)


def price_in_other_unit(value: Decimal, *, dollars: bool) -> Decimal:
    """Return what a client wrote in the other unit, dollars or cents, in this one."""
    return value / _CENTS_PER_DOLLAR if dollars else _trim(value * _CENTS_PER_DOLLAR)


def contracts(quantity: Decimal) -> Decimal:
    """Return a quantity with two decimals (changelog 1.0.18)."""
    return quantity.quantize(_TWO_PLACES)


def money(amount: Decimal) -> Decimal:
    """Return dollars with two decimals, or with more where the amount has them."""
    rounded = amount.quantize(_TWO_PLACES)
    return rounded if rounded == amount else _trim(amount)


def exchange_fees(amount: Decimal) -> list[MiscFee]:
    """Return the only fee that a report has, in dollars."""
    return [
        MiscFee(
            misc_fee_amt=money(amount),
            misc_fee_curr="USD",
            misc_fee_type=MiscFeeType.EXCHANGE_FEES,
            misc_fee_basis=MiscFeeBasis.ABSOLUTE,
        )
    ]


def collateral_changes(amount: Decimal, kind: CollateralAmountType) -> list[CollateralAmountChange]:
    """Return the only change of collateral that a report has, in dollars."""
    return [
        CollateralAmountChange(collateral_amount_change=money(amount), collateral_amount_type=kind),
    ]


def _trim(value: Decimal) -> Decimal:
    whole = value.to_integral_value()
    return whole.quantize(Decimal(1)) if value == whole else value.normalize()
