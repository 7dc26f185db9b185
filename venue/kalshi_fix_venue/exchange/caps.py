"""Daily caps on event contracts: the maximum that a clearing member's customer may order in a day.

Sources: UseCapReservation on Kalshi's page on authentication, and the values of Text (58) on the page on
order entry.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import attrs

from kalshi_fix_venue.exchange.orders import ZERO


@attrs.define(eq=False)
class DailyCap:
    """The cap of one customer account, in units of `ExchangeState.weight`."""

    limit: Decimal
    reserved: Decimal = ZERO
    """The amount reserved for the open quantities of orders."""
    used: Decimal = ZERO
    """The amount used by the fills of `day`."""
    day: date | None = None
    """The day of the last fill."""

    def remaining(self, today: date) -> Decimal:
        """Return the amount that may still be ordered today."""
        return self.limit - self.reserved - (self.used if self.day == today else ZERO)

    def use(self, amount: Decimal, today: date) -> None:
        """Record the cost of a fill."""
        if self.day != today:
            self.day, self.used = today, ZERO
        self.used += amount
