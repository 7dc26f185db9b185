"""What the exchange can be told to do. Prices in dollars, quantities in contracts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.market import MarketRules
from kalshi_fix_adapters.venue.exchange.terms import (
    AccountId,
    CancelCause,
    GroupAction,
    MarketResult,
    MarketState,
    PauseState,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


@attrs.frozen(kw_only=True)
class PlaceOrder:
    """A new order."""

    order_id: str
    """The exchange's own id for it, drawn by the caller."""
    cl_ord_id: str
    account: AccountId
    origin: str
    """Which session places it; reports and mass cancels go by it."""
    market: str
    side: Side
    quantity: Decimal
    price: Decimal
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_time: datetime | None = None
    """For GOOD_TILL_DATE."""
    post_only: bool = False
    reduce_only: bool = False
    """Fills no more than closes the position; the rest is cancelled at once."""
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.TAKER_AT_CROSS
    cancel_on_pause: bool = False
    max_execution_cost: Decimal | None = None
    """Dollars. With it, the order trades whole at once for no more than this, or not at all."""
    quoted: bool = False
    """Whether it is of the maker of a quote that was accepted."""
    group: str | None = None
    """The order group it is to join."""
    reserves_cap: bool = False
    """Whether room under its customer's daily cap is set aside for it."""
    operator: str | None = None
    """Who gave it, where a clearing member says so."""


@attrs.frozen(kw_only=True)
class OrderRequest:
    """What its owner asks about an open order."""

    cl_ord_id: str
    """The id of this request."""
    orig_cl_ord_id: str
    account: AccountId
    origin: str
    market: str
    side: Side
    order_id: str | None = None
    """When given, it must be that of the order."""
    reserves_cap: bool = False
    """Whether it comes from where room under daily caps is set aside."""
    operator: str | None = None
    """Who asks, where a clearing member says so."""


@attrs.frozen(kw_only=True)
class CancelOrder(OrderRequest):
    """Take an open order out of the book."""


@attrs.frozen(kw_only=True)
class AmendOrder(OrderRequest):
    """Change an open order: its total quantity, its price, when it expires, or several of them."""

    quantity: Decimal
    price: Decimal | None = None
    """None leaves it as it is."""
    time_in_force: TimeInForce | None = None
    """DAY, GOOD_TILL_CANCEL or GOOD_TILL_DATE; None leaves it as it is."""
    expire_time: datetime | None = None
    """For GOOD_TILL_DATE, and later than now."""


@attrs.frozen(kw_only=True)
class CancelAll:
    """Cancel every open order of one session."""

    origin: str
    cause: CancelCause
    """MASS_CANCELED when its owner asks, DISCONNECTED when the exchange does it."""


@attrs.frozen(kw_only=True)
class ChangeGroup:
    """What an owner asks of an order group."""

    action: GroupAction
    group_id: str
    """For CREATE the exchange's own id for it, drawn by the caller."""
    account: AccountId
    """The one that owns it, or is to own it."""
    limit: int | None = None
    """Contracts; for CREATE and UPDATE."""


@attrs.frozen
class SetPause:
    """Pause or resume the exchange as a whole."""

    state: PauseState


@attrs.frozen
class SetMarketState:
    """Halt, resume, close, determine or settle one market.

    A result comes with DETERMINED, and a later one corrects it; a market whose result is known is settled by
    SETTLED alone.
    """

    market: str
    state: MarketState
    result: MarketResult | None = None
    price: Decimal | None = None
    """Dollars that a YES contract pays: for a SCALAR result, from 0 to 1 in steps of 0.0001."""


@attrs.frozen(kw_only=True)
class TradeQuote:
    """Both orders of a quote that was accepted and confirmed, at one price."""

    maker: PlaceOrder
    maker_rests: bool
    """Whether what does not trade at once rests in the book; otherwise it is cancelled."""
    creator: PlaceOrder


@attrs.frozen
class ListMarket:
    """A further market."""

    rules: MarketRules


@attrs.frozen(kw_only=True)
class PrintBlockTrade:
    """Let two accounts trade as they have agreed on outside of the book."""

    market: str
    buyer: AccountId
    seller: AccountId
    price: Decimal
    quantity: Decimal


@attrs.frozen
class SetSettlementBounds:
    """Say within which prices a market will settle; orders outside of them are cancelled."""

    market: str
    lowest: Decimal
    highest: Decimal


@attrs.frozen
class MoveCash:
    """Move cash of one owner to another shard or subaccount."""

    source: AccountId
    target: AccountId
    amount: Decimal
    """Dollars."""


@attrs.frozen
class Advance:
    """Nothing but the passing of time: orders whose time is up are cancelled."""


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
