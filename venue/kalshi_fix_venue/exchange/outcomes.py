"""Outcomes of commands, in order of occurrence.

Prices and amounts are in dollars, quantities in contracts. The order in an outcome is a snapshot taken
directly after the event.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading.money.fees import Charge
from kalshi_fix_venue.exchange.book import LevelChange
from kalshi_fix_venue.exchange.commands import ChangeGroup, OrderRequest, PlaceOrder
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.terms import (
    AccountId,
    CancelCause,
    ExecId,
    GroupRefusal,
    MarketResult,
    MarketState,
    RefusalCause,
    RejectCause,
)


@attrs.frozen(kw_only=True)
class OrderOutcome:
    """Base of the outcomes of an order, reported to its owner."""

    exec_id: ExecId
    time: datetime
    order: OrderSnapshot
    request: OrderRequest | None = None
    """The owner's request that changed or cancelled the order, if there was one."""


@attrs.frozen(kw_only=True)
class OrderAccepted(OrderOutcome):
    """A new order was accepted; this outcome precedes the order's first trade."""


@attrs.frozen(kw_only=True)
class OrderRejected:
    """A new order was refused, without any change."""

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
    """Whether this order was the aggressor; None for a block trade."""
    charge: Charge
    balance_change: Decimal
    """The change in the balance, net of all fees."""
    rebate_reported: bool
    """Whether CollateralAmountChange (1704) includes the rebate; `balance_change` always does."""
    collateral_return: Decimal
    """The part of `balance_change` (before the fee) returned for closing a position."""
    ranged_return: Decimal
    """The part of `balance_change` returned because positions in the market's group offset each other;
    negative if the account pays back such a return."""
    long_quantity: Decimal
    """The account's long position in the market after the trade."""
    short_quantity: Decimal

    @property
    def fee(self) -> Decimal:
        """All fees of this side in dollars, less the rebate."""
        return self.charge.net


@attrs.frozen(kw_only=True)
class OrderCanceled(OrderOutcome):
    """An order was removed from the book, or never entered it; `order.filled_qty` has traded."""

    cause: CancelCause


@attrs.frozen(kw_only=True)
class OrderReplaced(OrderOutcome):
    """An order was amended."""


@attrs.frozen(kw_only=True)
class RequestRefused:
    """A cancel or an amend was refused, without any change."""

    request: OrderRequest
    cause: RefusalCause
    order: OrderSnapshot | None
    """The order, if it is open or ended recently."""


@attrs.frozen(kw_only=True)
class MassCancelAnswered:
    """The answer to a mass cancel. If the mass cancel was accepted, an OrderCanceled follows for each
    order.
    """

    origin: str
    refusal: RefusalCause | None = None
    """The reason for a refusal; None if the mass cancel was accepted."""


@attrs.frozen(kw_only=True)
class GroupAnswered:
    """The answer to a request about an order group. If the request was executed, an OrderCanceled follows for
    each order that it cancels. If it was refused, nothing was changed.
    """

    request: ChangeGroup
    refusal: GroupRefusal | None = None
    """The reason for a refusal; None if the request was executed."""


@attrs.frozen(kw_only=True)
class MarketOutcome:
    """Base of the outcomes of a market, published to all sessions."""

    time: datetime
    market: str


@attrs.frozen(kw_only=True)
class TradePrinted(MarketOutcome):
    """A trade in public market data."""

    trade_id: str
    price: Decimal
    quantity: Decimal
    aggressor: Side | None
    """The side of the aggressor; None for a block trade."""


@attrs.frozen(kw_only=True)
class BookChanged(MarketOutcome):
    """All changes that a command made to the levels of one market's book."""

    changes: tuple[LevelChange, ...]


@attrs.frozen(kw_only=True)
class MarketStateChanged(MarketOutcome):
    """The state of a market changed."""

    state: MarketState
    previous_state: MarketState


@attrs.frozen(kw_only=True)
class PositionSettled:
    """The settlement of one account's position."""

    account: AccountId
    long_quantity: Decimal
    short_quantity: Decimal
    payout: Decimal
    """The change in the balance, net of the fee."""
    fee: Decimal
    """The amount lost to rounding the balance down to its precision."""


@attrs.frozen(kw_only=True)
class MarketSettled(MarketOutcome):
    """All positions in a market were paid out; this outcome follows the MarketStateChanged."""

    result: MarketResult
    price: Decimal
    """Payout of a YES contract, before fees."""
    clearing_date: date
    positions: tuple[PositionSettled, ...]
    """One for each account with a position."""


Outcome = OrderOutcome | OrderRejected | RequestRefused | MassCancelAnswered | GroupAnswered | MarketOutcome
