"""Trade fees of the products (Kalshi's page on fee rounding)."""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_sansio.trading.money.fees import CENTICENT, trade_fee


@attrs.frozen(kw_only=True)
class FeeSchedule:
    """The trade fee: a rate, times a base amount per contract, rounded up.

    For prediction the base amount is price times (1 - price), as in Kalshi's published fee formula; for
    margin it is the price.
    """

    taker_rate: Decimal
    maker_rate: Decimal
    variance: bool
    """Whether the base amount is price times (1 - price) rather than the price."""
    rounding: Decimal = CENTICENT
    """The fee of each fill is rounded up to a multiple of this many dollars."""

    def fee(self, price: Decimal, quantity: Decimal, *, aggressor: bool) -> Decimal:
        """Return the trade fee of one fill in dollars."""
        rate = self.taker_rate if aggressor else self.maker_rate
        return trade_fee(price, quantity, rate, variance=self.variance, step=self.rounding)


PREDICTION_FEES = FeeSchedule(taker_rate=Decimal("0.07"), maker_rate=Decimal(0), variance=True)
MARGIN_FEES = FeeSchedule(taker_rate=Decimal("0.0005"), maker_rate=Decimal("0.0002"), variance=False)
