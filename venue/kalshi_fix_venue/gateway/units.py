"""Conversion of prices, quantities and amounts between the exchange's units (dollars and contracts) and those
of a session (Kalshi's page on subpenny pricing)."""

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
_WHOLE = Decimal(1)
_CENTS_PER_DOLLAR = 100


def order_price_from_wire(value: Decimal, *, dollars: bool) -> Decimal:
    """Return the price of an order in dollars; prices in cents are truncated to whole cents."""
    return value if dollars else _whole_cents(value) / _CENTS_PER_DOLLAR


def price_to_wire(value: Decimal, *, dollars: bool) -> Decimal:
    """Convert a price in dollars to dollars with four decimals, or to cents, truncated to whole cents."""
    return value.quantize(_FOUR_PLACES) if dollars else _whole_cents(value * _CENTS_PER_DOLLAR)


def price_in_other_unit(value: Decimal, *, dollars: bool) -> Decimal:
    """Convert a price from cents to dollars (with `dollars`), or from dollars to cents."""
    return value / _CENTS_PER_DOLLAR if dollars else _whole_cents(value * _CENTS_PER_DOLLAR)


def contracts(quantity: Decimal) -> Decimal:
    """Return a quantity with two decimals (Kalshi's changelog 1.0.18)."""
    return quantity.quantize(_TWO_PLACES)


def money(amount: Decimal) -> Decimal:
    """Return dollars with two decimals, or with more if the amount has them."""
    rounded = amount.quantize(_TWO_PLACES)
    return rounded if rounded == amount else amount.normalize()


def exchange_fees(amount: Decimal) -> list[MiscFee]:
    """Return a fee in dollars as the only entry of a report's fee group."""
    return [
        MiscFee(
            misc_fee_amt=money(amount),
            misc_fee_curr="USD",
            misc_fee_type=MiscFeeType.EXCHANGE_FEES,
            misc_fee_basis=MiscFeeBasis.ABSOLUTE,
        )
    ]


def collateral_changes(amount: Decimal, kind: CollateralAmountType) -> list[CollateralAmountChange]:
    """Return a collateral change in dollars as the only entry of a report's group."""
    return [CollateralAmountChange(collateral_amount_change=money(amount), collateral_amount_type=kind)]


def _whole_cents(cents: Decimal) -> Decimal:
    return cents.quantize(_WHOLE, ROUND_DOWN)
