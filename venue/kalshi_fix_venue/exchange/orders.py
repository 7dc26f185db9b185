"""Orders: the mutable `Order` of the exchange, and its immutable snapshot for reports."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading.money.fees import FeeAccumulator
from kalshi_fix_venue.exchange.terms import AccountId, ExchangeOrderState, SelfTradePrevention, TimeInForce

ZERO = Decimal(0)


@attrs.define(kw_only=True, eq=False)
class ReportedOrder:
    """The reported attributes of an order. Prices in dollars, quantities in contracts."""

    order_id: str
    cl_ord_id: str
    """The ClOrdID of the last request that placed or changed it."""
    account: AccountId
    origin: str
    """The session that placed it; opaque to the exchange."""
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    """The original quantity; an amend changes `leaves` instead."""
    leaves: Decimal
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    """Dollars: the sum of price times quantity over its fills."""
    expire_time: datetime | None
    self_trade_prevention: SelfTradePrevention
    state: ExchangeOrderState = ExchangeOrderState.OPEN
    operator: str | None = None
    """The person who placed it, if a clearing member names one."""


@attrs.frozen(kw_only=True)
class OrderSnapshot(ReportedOrder):
    """The reported attributes of an order at one time."""

    @property
    def average_price(self) -> Decimal:
        """Dollars; 0 without fills."""
        return self.filled_value / self.filled_qty if self.filled_qty else ZERO


_REPORTED_ATTRIBUTES = tuple(attrs.fields_dict(OrderSnapshot))


@attrs.define(kw_only=True, eq=False)
class Order(ReportedOrder):
    """An order in the exchange."""

    # Declared again: pyright does not find the types of inherited attributes that methods assign to.
    leaves: Decimal
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    time_in_force: TimeInForce
    post_only: bool
    cancel_on_pause: bool
    max_execution_cost: Decimal | None
    group: str | None = None
    """Id of its order group."""
    reserves_cap: bool = False
    """Whether its open quantity is reserved under its customer's daily cap."""
    fees: FeeAccumulator = attrs.field(factory=FeeAccumulator)
    resting: bool = False
    """Whether it is in the book."""
    rested_at: datetime | None = None
    """Time from which its current time priority counts."""
    quoted: bool = False
    """Whether it is the maker's order from an accepted quote."""

    def crosses(self, price: Decimal) -> bool:
        """Return whether it would trade with an order on the other side at this price."""
        return price <= self.price if self.side is Side.BUY else price >= self.price

    def fill(self, price: Decimal, quantity: Decimal) -> None:
        """Apply a fill."""
        self.leaves -= quantity
        self.filled_qty += quantity
        self.filled_value += price * quantity
        if not self.leaves:
            self.state = ExchangeOrderState.FILLED

    def snapshot(self) -> OrderSnapshot:
        """Return an immutable snapshot."""
        return OrderSnapshot(**{name: getattr(self, name) for name in _REPORTED_ATTRIBUTES})
