"""A slow model of fees: computes them from the fills, with exact fractions, following the steps on the
venue's page about fee rounding."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import attrs

CENT = Fraction(1, 100)
CENTICENT = Fraction(1, 10_000)


def round_up(amount: Fraction, step: Fraction) -> Fraction:
    return ceil(amount / step) * step


def round_down(amount: Fraction, step: Fraction) -> Fraction:
    return floor(amount / step) * step


@attrs.define
class SlowFees:
    """Fees of fills. `overpaid` is by order name; the other dicts are by owner."""

    precisions: dict[str, Fraction]
    rate: Fraction = Fraction(7, 100)
    balances: dict[str, Fraction] = attrs.field(factory=dict)
    yes: dict[str, Fraction] = attrs.field(factory=dict)
    no: dict[str, Fraction] = attrs.field(factory=dict)
    overpaid: dict[str, Fraction] = attrs.field(factory=dict)
    fees_collected: Fraction = Fraction(0)

    def fill(
        self, owner: str, order: str, *, buys: bool, price: Fraction, quantity: Fraction, taker: bool
    ) -> tuple[Fraction, Fraction, Fraction]:
        """Return the trade fee, the rounding fee and the rebate."""
        held, other = (self.yes, self.no) if buys else (self.no, self.yes)
        held[owner] = held.get(owner, Fraction(0)) + quantity
        pairs = min(held[owner], other.get(owner, Fraction(0)))
        held[owner] -= pairs
        if pairs:
            other[owner] -= pairs
        revenue = pairs - quantity * (price if buys else 1 - price)
        trade_fee = round_up(self.rate * quantity * price * (1 - price), CENTICENT) if taker else Fraction(0)
        change = revenue - trade_fee
        rounding_fee = change - round_down(change, self.precisions[owner])
        self.balances[owner] += round_down(change, self.precisions[owner])
        total = self.overpaid.get(order, Fraction(0)) + rounding_fee
        rebate = Fraction(0)
        if total > CENT:
            due = ceil(total / CENT) - 1
            affordable = floor((trade_fee + rounding_fee) / CENT)
            rebate = min(due, affordable) * CENT
        self.overpaid[order] = total - rebate
        self.balances[owner] += rebate
        self.fees_collected += trade_fee + rounding_fee - rebate
        return trade_fee, rounding_fee, rebate
