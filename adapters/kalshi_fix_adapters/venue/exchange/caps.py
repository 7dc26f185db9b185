"""Daily caps on event contracts: how much a clearing member's customer may order in a day.

Kalshi's page on authentication, UseCapReservation, and the Texts of the page on order entry.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.orders import ZERO


@attrs.define(eq=False)
class DailyCap:
    """The cap of one customer account, in what `ExchangeState.weight` counts."""

    limit: Decimal
    reserved: Decimal = ZERO
    """For what open orders have left."""
    used: Decimal = ZERO
    """By what filled on the day."""
    day: date | None = None
    """The last day on which something filled."""

    def room(self, today: date) -> Decimal:
        """Return how much may still be ordered today."""
        return self.limit - self.reserved - (self.used if self.day == today else ZERO)

    def reserve(self, amount: Decimal) -> None:
        """Set something aside for an open order, or with a negative amount let it go again."""
        self.reserved += amount

    def use(self, amount: Decimal, today: date) -> None:
        """Count what a fill cost."""
        if self.day != today:
            self.day, self.used = today, ZERO
        self.used += amount
