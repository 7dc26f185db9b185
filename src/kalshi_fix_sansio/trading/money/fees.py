"""Expected fees of fills according to the venue's page on fee rounding, and their comparison with reported
fees.

Each fill has a trade fee, rounded up to a multiple of 0.0001 dollars, and a rounding fee. The rounding fee
makes the balance change a multiple of the member's precision. When the rounding fees of an order exceed one
cent, they are rebated in whole cents.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from enum import Enum
from typing import Final

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.common.amounts import EXACT, ONE, ZERO, add, multiply, subtract
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.orders.order import Fill, Order

CENT: Final = Decimal("0.01")
CENTICENT: Final = Decimal("0.0001")
_ROUNDING: Final = EXACT.copy()
"""`EXACT` without its traps, which would raise if `floor` rounds."""
_ROUNDING.clear_traps()


def trade_fee(
    price: Decimal, quantity: Decimal, rate: Decimal, *, variance: bool, step: Decimal = CENTICENT
) -> Decimal:
    """Return the trade fee of one fill in dollars: a fraction of the value at stake, rounded up.

    Args:
        price: price in dollars.
        quantity: number of contracts.
        rate: the fraction.
        variance: True if the value at stake per contract is price times (1 - price), as for the prediction
            product; False if it is the price.
        step: the fee is rounded up to a multiple of this amount in dollars.
    """
    stake = multiply(price, subtract(ONE, price)) if variance else price
    steps, rest = EXACT.divmod(multiply(multiply(rate, quantity), stake), step)
    return multiply(add(steps, ONE) if rest > 0 else steps, step)


def floor(amount: Decimal, precision: Decimal) -> Decimal:
    """Return an amount rounded towards negative infinity to a multiple of a power of ten."""
    return amount.quantize(precision, ROUND_FLOOR, _ROUNDING)


@attrs.frozen(kw_only=True)
class Charge:
    """Fees of one fill, in dollars.

    Attributes:
        trade_fee: Fee computed from the rate of the market.
        rounding_fee: Fee that rounds the balance change to its precision.
        rebate: Rebate of the order's earlier rounding fees, in whole cents.
    """

    trade_fee: Decimal
    rounding_fee: Decimal = ZERO
    rebate: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """The trade fee plus the rounding fee minus the rebate, as in MiscFeeAmt (137)."""
        return subtract(add(self.trade_fee, self.rounding_fee), self.rebate)


@attrs.define
class FeeAccumulator:
    """The sum of an order's rounding fees that have not been rebated, over its fills as taker or maker."""

    overpaid: Decimal = ZERO

    def charge(
        self, change: Decimal, trade_fee: Decimal, precision: Decimal, *, rebate_waits: bool = True
    ) -> Charge:
        """Add a fill and return its fees.

        While the rounding fees of the order exceed one cent, they are rebated in whole cents.

        Args:
            change: balance change of the fill in dollars, before fees.
            trade_fee: the trade fee of the fill in dollars.
            precision: the balance changes by multiples of this amount in dollars.
            rebate_waits: whether the rebate paid with a fill is limited to the fees of that fill. The rest
                is then rebated with later fills.
        """
        after_fee = subtract(change, trade_fee)
        rounding_fee = subtract(after_fee, floor(after_fee, precision))
        self.overpaid = add(self.overpaid, rounding_fee)
        cost, rebate = add(trade_fee, rounding_fee), ZERO
        while self.overpaid > CENT and not (rebate_waits and subtract(cost, rebate) < CENT):
            rebate, self.overpaid = add(rebate, CENT), subtract(self.overpaid, CENT)
        return Charge(trade_fee=trade_fee, rounding_fee=rounding_fee, rebate=rebate)


@attrs.frozen(kw_only=True)
class FeeTerms:
    """Fee rates of a market, and precision of the owner's balance.

    Attributes:
        taker_rate: Trade fee of fills that took liquidity, as a fraction of the value at stake.
        maker_rate: Trade fee of other fills, as a fraction of the value at stake.
        precision: Step of balance changes in dollars: 0.01, or 0.0001 for direct members.
        variance: True if the value at stake per contract is price times (1 - price), as for the prediction
            product; False if it is the price.
    """

    taker_rate: Decimal
    maker_rate: Decimal = ZERO
    precision: Decimal = CENT
    variance: bool = True

    def trade_fee(self, fill: Fill) -> Decimal:
        """Return the trade fee of a fill in dollars, before the balance is rounded."""
        rate = self.taker_rate if fill.aggressor else self.maker_rate
        return trade_fee(fill.price, fill.quantity, rate, variance=self.variance)


class FeeDiscrepancyKind(Enum):
    """Kinds of difference between reported and expected fees."""

    FEE = "the fee differs from the fee computed with the venue's rounding rules"
    PRECISION = "the balance change is not a multiple of its precision"


@attrs.frozen
class FeeDiscrepancy:
    """A fill whose reported fee or balance change differs from the expected one.

    Attributes:
        kind: The kind of difference.
        key: Key of the fill.
        reported: The reported fee or balance change, in dollars.
        expected: The expected fee, or the precision, in dollars.
    """

    kind: FeeDiscrepancyKind
    key: ExecKey
    reported: Decimal
    expected: Decimal


def revenue(side: Side | str, fill: Fill) -> Decimal | None:
    """Return the balance change of a fill of the prediction product before fees, in dollars, computed from
    its price and the position.

    Closed contracts are paid out at once, because a long and a short contract together are worth one dollar.
    The effect of offsetting positions in other markets is not included. Return None if the report does not
    contain the position.
    """
    if fill.long_qty is None or fill.short_qty is None:
        return None
    after = subtract(fill.long_qty, fill.short_qty)
    # Buying opens long contracts and closes short ones; selling does the reverse.
    opened = min(fill.quantity, max(ZERO, after if side == Side.BUY else after.copy_negate()))
    closed = subtract(fill.quantity, opened)
    price = fill.price if side == Side.BUY else subtract(ONE, fill.price)
    return subtract(multiply(closed, subtract(ONE, price)), multiply(opened, price))


def expected_charges(order: Order, terms: FeeTerms) -> dict[ExecKey, Charge] | None:
    """Return the expected fees of an order's fills, by key.

    Return None if the reports lack the necessary fields, or if fills are missing, because rounding fees
    accumulate over all fills of an order.
    """
    if order.unreported_qty:
        return None
    charges: dict[ExecKey, Charge] = {}
    fees = FeeAccumulator()
    for key in sorted(order.fills):
        fill = order.fills[key]
        # The reported balance change is net of the fee, so the fee is added back. A rebate in the change does
        # not affect the rounding, because rebates are whole cents.
        if fill.balance_change is not None:
            before_fees: Decimal | None = add(fill.balance_change, fill.fee)
        else:
            before_fees = revenue(order.side, fill) if terms.variance else None
        if before_fees is None or fill.aggressor is None:
            return None
        charges[key] = fees.charge(before_fees, terms.trade_fee(fill), terms.precision)
    return charges


def check_fees(order: Order, terms: FeeTerms) -> list[FeeDiscrepancy]:
    """Return the differences between reported and expected fees of an order; empty if the expected fees are
    unknown (see `expected_charges`).
    """
    discrepancies: list[FeeDiscrepancy] = []
    for key, charge in (expected_charges(order, terms) or {}).items():
        fill = order.fills[key]
        if charge.net != fill.fee:
            discrepancies.append(FeeDiscrepancy(FeeDiscrepancyKind.FEE, key, fill.fee, charge.net))
        change = fill.balance_change
        if change is not None and floor(change, terms.precision) != change:
            discrepancies.append(FeeDiscrepancy(FeeDiscrepancyKind.PRECISION, key, change, terms.precision))
    return discrepancies
