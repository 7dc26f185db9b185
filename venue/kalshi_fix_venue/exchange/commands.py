"""Commands of the exchange. Prices in dollars, quantities in contracts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.market import MarketRules
from kalshi_fix_venue.exchange.terms import (
    AccountId,
    CancelCause,
    GroupAction,
    MarketResult,
    MarketState,
    PauseState,
    SelfTradePrevention,
    TimeInForce,
)


@attrs.frozen(kw_only=True)
class PlaceOrder:
    """A new order."""

    order_id: str
    """The exchange's id, drawn by the caller."""
    cl_ord_id: str
    account: AccountId
    origin: str
    """The placing session; used by reports and mass cancels."""
    market: str
    side: Side
    quantity: Decimal
    price: Decimal
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_time: datetime | None = None
    """For GOOD_TILL_DATE."""
    post_only: bool = False
    reduce_only: bool = False
    """Whether it may only reduce the position; the rest is cancelled at once."""
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.TAKER_AT_CROSS
    cancel_on_pause: bool = False
    max_execution_cost: Decimal | None = None
    """Dollars. If set, the order trades completely at once for at most this amount, or not at all."""
    quoted: bool = False
    """Whether it is the maker's order of an accepted quote."""
    group: str | None = None
    """Id of its order group."""
    reserves_cap: bool = False
    """Whether it reserves part of its customer's daily cap."""
    operator: str | None = None
    """The person who placed it, if a clearing member names one."""


@attrs.frozen(kw_only=True)
class OrderRequest:
    """A request of the owner for an open order."""

    cl_ord_id: str
    """The id of this request."""
    orig_cl_ord_id: str
    account: AccountId
    origin: str
    market: str
    side: Side
    order_id: str | None = None
    """If given, it must match the order's."""
    reserves_cap: bool = False
    """Whether its session reserves daily caps."""
    operator: str | None = None
    """The requesting person, if a clearing member names one."""


@attrs.frozen(kw_only=True)
class CancelOrder(OrderRequest):
    """Cancel an open order."""


@attrs.frozen(kw_only=True)
class AmendOrder(OrderRequest):
    """Change an open order: its total quantity, price, expiry, or several of them."""

    quantity: Decimal
    price: Decimal | None = None
    """None keeps the current one."""
    time_in_force: TimeInForce | None = None
    """DAY, GOOD_TILL_CANCEL or GOOD_TILL_DATE; None keeps the current one."""
    expire_time: datetime | None = None
    """For GOOD_TILL_DATE; must be in the future."""


@attrs.frozen(kw_only=True)
class CancelAll:
    """Cancel every open order of one session."""

    origin: str
    cause: CancelCause
    """MASS_CANCELED if requested by the owner, DISCONNECTED if initiated by the exchange."""


@attrs.frozen(kw_only=True)
class ChangeGroup:
    """A request of an owner for an order group."""

    action: GroupAction
    group_id: str
    """For CREATE the exchange's id for the new group, drawn by the caller."""
    account: AccountId
    """The account of the (new) group."""
    limit: int | None = None
    """Contracts; for CREATE and UPDATE."""


@attrs.frozen
class SetPause:
    """Pause or resume the exchange as a whole."""

    state: PauseState


@attrs.frozen
class SetMarketState:
    """Halt, resume, close, determine or settle one market.

    The result is given with DETERMINED, and a later one corrects it; SETTLED needs no result if it is already
    known.
    """

    market: str
    state: MarketState
    result: MarketResult | None = None
    price: Decimal | None = None
    """Payout of a YES contract in dollars: for a SCALAR result, from 0 to 1 in steps of 0.0001."""


@attrs.frozen(kw_only=True)
class TradeQuote:
    """Both orders of an accepted and confirmed quote, at one price."""

    maker: PlaceOrder
    maker_rests: bool
    """Whether the part that does not trade at once rests in the book; otherwise it is cancelled."""
    creator: PlaceOrder


@attrs.frozen
class ListMarket:
    """List a new market."""

    rules: MarketRules


@attrs.frozen(kw_only=True)
class PrintBlockTrade:
    """Print a trade that two accounts have agreed outside the book."""

    market: str
    buyer: AccountId
    seller: AccountId
    price: Decimal
    quantity: Decimal


@attrs.frozen
class SetSettlementBounds:
    """Set the bounds of a market's settlement price; orders outside them are cancelled."""

    market: str
    lowest: Decimal
    highest: Decimal


@attrs.frozen
class MoveCash:
    """Transfer cash of one owner to another shard or subaccount."""

    source: AccountId
    target: AccountId
    amount: Decimal
    """Dollars."""


@attrs.frozen
class Advance:
    """Advance the time only: expired orders are cancelled."""


Command = (
    PlaceOrder
    | CancelOrder
    | AmendOrder
    | CancelAll
    | ChangeGroup
    | SetPause
    | SetMarketState
    | TradeQuote
    | ListMarket
    | PrintBlockTrade
    | SetSettlementBounds
    | MoveCash
    | Advance
)
