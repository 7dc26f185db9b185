"""Orders: the mutable one in the book and the frozen picture of it that reports carry."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.fees import FeeAccumulator
from kalshi_fix_adapters.venue.exchange.terms import (
    AccountId,
    OrderState,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class OrderSnapshot:
    """An order as it stood at one moment. Prices in dollars, quantities in contracts."""

    order_id: str
    cl_ord_id: str
    account: AccountId
    origin: str
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    """As last asked for by its owner."""
    leaves: Decimal
    filled: Decimal
    filled_value: Decimal
    """Dollars: the sum of price times quantity over its fills."""
    expire_time: datetime | None
    self_trade_prevention: SelfTradePrevention
    state: OrderState
    operator: str | None

    @property
    def average_price(self) -> Decimal:
        """Dollars; 0 when nothing was filled."""
        return self.filled_value / self.filled if self.filled else ZERO


_SHOWN = tuple(attrs.fields_dict(OrderSnapshot))


@attrs.define(kw_only=True, eq=False)
class Order:
    """An order in the exchange. Prices in dollars, quantities in contracts."""

    order_id: str
    cl_ord_id: str
    """The id of the last request of its owner that changed it."""
    account: AccountId
    origin: str
    """Which session placed it; opaque to the exchange."""
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    leaves: Decimal
    time_in_force: TimeInForce
    expire_time: datetime | None
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    cancel_on_pause: bool
    max_execution_cost: Decimal | None
    group: str | None = None
    """Id of the order group that it is in."""
    reserves_cap: bool = False
    """Whether room under its customer's daily cap is set aside for what it has left."""
    operator: str | None = None
    """Who gave it, where a clearing member says so."""
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    state: OrderState = OrderState.OPEN
    fees: FeeAccumulator = attrs.field(factory=FeeAccumulator)
    resting: bool = False
    """Whether it stands in the book."""
    rested_at: datetime | None = None
    """When it came to its place in the book last."""
    quoted: bool = False
    """Whether it is of the maker of a quote that was accepted."""

    def crosses(self, price: Decimal) -> bool:
        """Say whether it would trade with an order of the other side at this price."""
        return price <= self.price if self.side is Side.BUY else price >= self.price

    def fill(self, price: Decimal, quantity: Decimal) -> None:
        """Take a fill."""
        self.leaves -= quantity
        self.filled += quantity
        self.filled_value += price * quantity
        if not self.leaves:
            self.state = OrderState.FILLED

    def snapshot(self) -> OrderSnapshot:
        """Return a picture that later changes do not touch."""
        return OrderSnapshot(**{name: getattr(self, name) for name in _SHOWN})
