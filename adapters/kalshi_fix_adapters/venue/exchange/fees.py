"""Fees of trades, and how they keep balances at a member's precision (the page on fee rounding).

All amounts in dollars.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

import attrs

_ZERO = Decimal(0)
_ONE = Decimal(1)
CENT: Final = Decimal("0.01")
CENTICENT: Final = Decimal("0.0001")
EXACT: Final = Decimal("1E-9")
"""A precision that no amount on margin is finer than."""


@attrs.frozen(kw_only=True)
class FeeSchedule:
    """The trade fee: a rate on the value at stake, rounded up.

    On prediction the value at stake of a contract is price times (1 - price), as in the venue's
    published general fee; on margin it is the price.
    """

    taker_rate: Decimal
    maker_rate: Decimal
    variance: bool
    """Whether the value at stake is price times (1 - price) rather than the price."""
    rounding: Decimal = CENTICENT
    """The fee of each fill is rounded up to a multiple of this many dollars."""

    def fee(self, price: Decimal, quantity: Decimal, *, aggressor: bool) -> Decimal:
        """Return the trade fee of one fill in dollars."""
        rate = self.taker_rate if aggressor else self.maker_rate
        if not rate:
            return _ZERO
        stake = price * (_ONE - price) if self.variance else price
        steps = (rate * quantity * stake / self.rounding).to_integral_value(ROUND_CEILING)
        return steps * self.rounding


PREDICTION_FEES = FeeSchedule(taker_rate=Decimal("0.07"), maker_rate=_ZERO, variance=True)
MARGIN_FEES = FeeSchedule(taker_rate=Decimal("0.0005"), maker_rate=Decimal("0.0002"), variance=False)


def floor(amount: Decimal, precision: Decimal) -> Decimal:
    """Round towards negative infinity to a multiple of a power of ten."""
    return amount.quantize(precision, ROUND_FLOOR)


@attrs.frozen(kw_only=True)
class Charge:
    """What one fill costs its owner beside the price."""

    trade_fee: Decimal
    rounding_fee: Decimal = _ZERO
    """What brings the balance back to the member's precision."""
    rebate: Decimal = _ZERO
    """What is given back of the order's rounding fees: whole cents."""

    @property
    def net(self) -> Decimal:
        """The whole of it (MiscFeeAmt 137)."""
        return self.trade_fee + self.rounding_fee - self.rebate


@attrs.define
class FeeAccumulator:
    """The rounding fees of one order that were not given back yet, over its fills as taker and as maker."""

    overpaid: Decimal = _ZERO

    def charge(
        self, revenue: Decimal, trade_fee: Decimal, precision: Decimal, *, rebate_waits: bool
    ) -> Charge:
        """Take a fill that changes the balance by `revenue` before fees, and return what it costs.

        What is overpaid beyond a cent is given back; with `rebate_waits` only as far as the fee of the fill
        goes.
        """
        change = revenue - trade_fee
        rounding_fee = change - floor(change, precision)
        self.overpaid += rounding_fee
        rebate = _ZERO
        while self.overpaid > CENT and not (rebate_waits and trade_fee + rounding_fee - rebate < CENT):
            rebate += CENT
            self.overpaid -= CENT
        return Charge(trade_fee=trade_fee, rounding_fee=rounding_fee, rebate=rebate)
