"""Commands of the exchange. Prices are in dollars, quantities in contracts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.market import MarketRules
from kalshi_fix_venue.exchange.orders import OrderTerms
from kalshi_fix_venue.exchange.terms import (
    AccountId,
    CancelCause,
    GroupAction,
    MarketResult,
    MarketState,
    PauseState,
    TimeInForce,
)


@attrs.frozen(kw_only=True)
class PlaceOrder(OrderTerms):
    """A new order."""

    time_in_force: TimeInForce = TimeInForce.DAY
    post_only: bool = False
    reduce_only: bool = False
    """Whether it may only reduce the position; the part that exceeds the position is cancelled at once."""
    cancel_on_pause: bool = False
    max_execution_cost: Decimal | None = None
    """Dollars. If set, the order trades completely at once for at most this amount, or not at all."""
    from_quote: bool = False
    """Whether it is the maker's order from an accepted quote."""
    group: str | None = None
    """Id of its order group."""
    reserves_cap: bool = False
    """Whether it reserves part of its customer's daily cap."""


@attrs.frozen(kw_only=True)
class OrderRequest:
    """A request by the owner to change or cancel an open order."""

    cl_ord_id: str
    """The id of this request."""
    orig_cl_ord_id: str
    account: AccountId
    origin: str
    market: str
    side: Side
    order_id: str | None = None
    """If given, it must match the OrderID of the order."""
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
    """None keeps the current price."""
    time_in_force: TimeInForce | None = None
    """DAY, GOOD_TILL_CANCEL or GOOD_TILL_DATE; None keeps the current value."""
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
    """A request by an owner about an order group."""

    action: GroupAction
    group_id: str
    """Id of the group. For CREATE, the caller generates it."""
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

    DETERMINED needs a result, which a later command may correct; SETTLED needs none if the result is already
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
    """Print a trade on which two accounts have agreed outside the book."""

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
    """Move cash from one of an owner's shards or subaccounts to another."""

    source: AccountId
    target: AccountId
    amount: Decimal
    """Dollars."""


@attrs.frozen
class Advance:
    """Advance the clock and cancel the orders that have expired, without any other action."""


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
