"""What the exchange says came of a command, in the order in which it happened.

Prices in dollars, quantities in contracts, amounts in dollars. Each order in an outcome is a
picture of it as it stood right after.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.book import LevelChange
from kalshi_fix_adapters.venue.exchange.commands import ChangeGroup, OrderRequest, PlaceOrder
from kalshi_fix_adapters.venue.exchange.fees import Charge
from kalshi_fix_adapters.venue.exchange.orders import ZERO, OrderSnapshot
from kalshi_fix_adapters.venue.exchange.terms import (
    AccountId,
    CancelCause,
    ExecId,
    GroupRefusal,
    MarketResult,
    MarketState,
    RefusalCause,
    RejectCause,
    Side,
)


@attrs.frozen(kw_only=True)
class OrderOutcome:
    """Something happened to an order, for its owner."""

    exec_id: ExecId
    time: datetime
    order: OrderSnapshot


@attrs.frozen(kw_only=True)
class OrderAccepted(OrderOutcome):
    """A new order was taken; it comes before the order's first trade."""


@attrs.frozen(kw_only=True)
class OrderRejected:
    """A new order was refused; nothing changed."""

    exec_id: ExecId
    time: datetime
    request: PlaceOrder
    cause: RejectCause


@attrs.frozen(kw_only=True)
class OrderTraded(OrderOutcome):
    """One side of a trade."""

    clearing_date: date
    trade_id: str
    price: Decimal
    quantity: Decimal
    aggressor: bool | None
    """Whether this order came second; None for a block trade."""
    charge: Charge
    balance_change: Decimal
    """With all fees taken off."""
    rebate_told: bool
    """Whether the report tells the change with the rebate in it."""
    collateral_returned: Decimal
    """The part of `balance_change` (before the fee) that closing a position gave back."""
    ranged_return: Decimal
    """The part of `balance_change` that the market's group gave back, or, if negative, took back."""
    taking_back_told: bool
    """Whether the report tells a negative `ranged_return`."""
    long_quantity: Decimal
    """The account's position in the market after it."""
    short_quantity: Decimal

    @property
    def told_ranged_return(self) -> Decimal:
        """What the report says of `ranged_return`; 0 for nothing."""
        return self.ranged_return if self.taking_back_told else max(self.ranged_return, ZERO)

    @property
    def fee(self) -> Decimal:
        """All fees of it in dollars, less what was given back."""
        return self.charge.net


@attrs.frozen(kw_only=True)
class OrderCanceled(OrderOutcome):
    """An order left the book, or never reached it, with `order.filled` traded."""

    cause: CancelCause
    requester: str | None = None
    """The session whose request did it; None when the exchange did."""
    orig_cl_ord_id: str | None = None
    """The order's ClOrdID before that request."""
    operator: str | None = None
    """Who asked for it, where a clearing member says so."""


@attrs.frozen(kw_only=True)
class OrderReplaced(OrderOutcome):
    """An order was amended."""

    requester: str
    orig_cl_ord_id: str
    operator: str | None = None
    """Who asked for it, where a clearing member says so."""


@attrs.frozen(kw_only=True)
class RequestRefused:
    """A cancel or an amend was refused; nothing changed."""

    request: OrderRequest
    cause: RefusalCause
    order: OrderSnapshot | None
    """The order meant, if there is (or lately was) one."""


@attrs.frozen(kw_only=True)
class MassCancelDone:
    """A mass cancel was taken; an OrderCanceled follows for each order."""

    origin: str
    count: int


@attrs.frozen(kw_only=True)
class MassCancelRefused:
    """A mass cancel was refused."""

    origin: str
    cause: RefusalCause


@attrs.frozen(kw_only=True)
class GroupChanged:
    """What was asked of an order group was done; an OrderCanceled follows for each order that it cancels."""

    request: ChangeGroup


@attrs.frozen(kw_only=True)
class GroupRefused:
    """What was asked of an order group was refused; nothing changed."""

    request: ChangeGroup
    cause: GroupRefusal


@attrs.frozen(kw_only=True)
class MarketOutcome:
    """Something happened to a market, for everybody."""

    time: datetime
    market: str


@attrs.frozen(kw_only=True)
class TradePrinted(MarketOutcome):
    """A trade, as the market sees it."""

    trade_id: str
    price: Decimal
    quantity: Decimal
    aggressor: Side | None
    """Whose order came second; None for a block trade."""


@attrs.frozen(kw_only=True)
class BookChanged(MarketOutcome):
    """What a command did to the levels of one market's book, all of it together."""

    changes: tuple[LevelChange, ...]


@attrs.frozen(kw_only=True)
class MarketStateChanged(MarketOutcome):
    """A market made a step in its life."""

    state: MarketState
    before: MarketState


@attrs.frozen(kw_only=True)
class PositionSettled:
    """What a settlement meant to one account."""

    account: AccountId
    long_quantity: Decimal
    short_quantity: Decimal
    payout: Decimal
    """What came to the balance: with the fee taken off."""
    fee: Decimal
    """What rounding the balance down to its precision took."""


@attrs.frozen(kw_only=True)
class MarketSettled(MarketOutcome):
    """All positions in a market were paid out; it comes after the MarketStateChanged."""

    result: MarketResult
    price: Decimal
    """What a YES contract paid, before fees."""
    clearing_date: date
    positions: tuple[PositionSettled, ...]
    """One of each account that held a position."""


Outcome = (
    OrderOutcome
    | OrderRejected
    | RequestRefused
    | MassCancelDone
    | MassCancelRefused
    | GroupChanged
    | GroupRefused
    | MarketOutcome
)
