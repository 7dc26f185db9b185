"""The terms of the exchange model: lifetimes, states, causes and identifiers. The only FIX type that it uses
is Side."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final

import attrs

from kalshi_fix_sansio import Side

PREDICTION: Final = "prediction"
"""Event contracts: a price is between 0 and 1 dollar, a contract pays 1 dollar or 0."""
MARGIN: Final = "margin"
"""Margined perpetual futures."""


def opposite(side: Side) -> Side:
    """Return the side that this one trades against.

    Every prediction order is on the YES contract: selling YES at a price is the same as buying NO at 1 dollar
    minus that price.
    """
    return Side.SELL if side is Side.BUY else Side.BUY


class TimeInForce(Enum):
    """The lifetime of an order (Kalshi's order entry page, TimeInForce 59)."""

    DAY = "day"
    """Until 23:59:59.999 US Eastern on the day it is placed."""
    GOOD_TILL_CANCEL = "good till cancel"
    IMMEDIATE_OR_CANCEL = "immediate or cancel"
    """Trades immediately as far as possible; the rest is cancelled."""
    FILL_OR_KILL = "fill or kill"
    """Trades completely at once, or not at all."""
    GOOD_TILL_DATE = "good till date"
    """Until its expire time; if that has already passed, the order is treated as immediate or cancel."""


class SelfTradePrevention(Enum):
    """The action if an order would trade with another order of its owner (SelfTradePreventionType 2964)."""

    TAKER_AT_CROSS = "taker at cross"
    """The incoming order trades until it would match that order; the rest of it is cancelled."""
    MAKER = "maker"
    """The resting order is cancelled, and the incoming one continues to match."""


class ExchangeOrderState(Enum):
    """The lifecycle state of an order."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"


class MarketState(Enum):
    """The lifecycle status of a market (Kalshi's page on the market lifecycle)."""

    INITIALIZED = "initialized"
    """Listed, but not open yet."""
    ACTIVE = "active"
    INACTIVE = "inactive"
    """Deactivated by the exchange; resting orders remain, and new ones are refused."""
    CLOSED = "closed"
    """Past its closing time; resting orders are cancelled shortly after that."""
    DETERMINED = "determined"
    """The result is known; it may still be corrected."""
    DISPUTED = "disputed"
    """The result was challenged."""
    AMENDED = "amended"
    """Determined again after a dispute."""
    SETTLED = "settled"
    """Positions were paid out; Kalshi's page calls it finalized."""

    @property
    def is_decided(self) -> bool:
        """Whether a result has been determined."""
        return self in (
            MarketState.DETERMINED,
            MarketState.DISPUTED,
            MarketState.AMENDED,
            MarketState.SETTLED,
        )


class MarketResult(StrEnum):
    """The result of a market; the members are Kalshi's values of MarketResult."""

    YES = "yes"
    """A YES contract pays 1 dollar, a NO contract 0."""
    NO = "no"
    SCALAR = "scalar"
    """A YES contract pays a part of 1 dollar, a NO contract the rest."""


class PauseState(Enum):
    """The pause state of the whole exchange (Kalshi's connectivity page, pauses)."""

    OPEN = "open"
    TRADING_PAUSED = "trading paused"
    """New orders and amends are refused; cancels work."""
    EXCHANGE_PAUSED = "exchange paused"
    """Cancels are refused too."""


class RejectCause(StrEnum):
    """Why a new order is refused; the values are those of Kalshi's Text (58)."""

    MARKET_NOT_FOUND = "MARKET_NOT_FOUND"
    MARKET_INACTIVE = "MARKET_INACTIVE"
    MARKET_ALREADY_CLOSED = "MARKET_ALREADY_CLOSED"
    TOO_LATE_TO_ENTER = "TOO_LATE_TO_ENTER"
    """Reported as MARKET_ALREADY_CLOSED, but with a different OrdRejReason (103)."""
    TRADING_PAUSED = "TRADING_PAUSED"
    EXCHANGE_PAUSED = "EXCHANGE_PAUSED"
    ORDER_ALREADY_EXISTS = "ORDER_ALREADY_EXISTS"
    INVALID_ORDER = "INVALID_ORDER"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    EXCEEDED_PER_MARKET_RISK_LIMIT = "EXCEEDED_PER_MARKET_RISK_LIMIT"
    EXCEEDED_SELL_POSITION_FLOOR = "EXCEEDED_SELL_POSITION_FLOOR"
    ORDER_GROUP_NOT_FOUND = "ORDER_GROUP_NOT_FOUND"
    EXCEEDED_ORDER_GROUP_RISK_LIMIT = "EXCEEDED_ORDER_GROUP_RISK_LIMIT"
    CUSTOMER_ACCOUNT_NOT_FOUND = "CUSTOMER_ACCOUNT_NOT_FOUND"
    PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT = "PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT"
    EVENT_CONTRACT_DAILY_CAP_EXCEEDED = "EVENT_CONTRACT_DAILY_CAP_EXCEEDED"
    EVENT_CONTRACT_DAILY_CAP_NOT_FOUND = "EVENT_CONTRACT_DAILY_CAP_NOT_FOUND"
    EXPIRED = "EXPIRED"
    """The quote that the order accepts has ended."""


class GroupAction(Enum):
    """The action that an owner requests for an order group (OrderGroupAction)."""

    CREATE = "create"
    RESET = "reset"
    """Accept orders again, and count fills from 0."""
    DELETE = "delete"
    TRIGGER = "trigger"
    """Cancel its orders and refuse new ones, regardless of its fills."""
    UPDATE = "update"
    """Change the limit."""


class GroupRefusal(StrEnum):
    """Why a request about an order group is refused; Kalshi documents only ORDER_GROUP_NOT_FOUND."""

    ORDER_GROUP_NOT_FOUND = "ORDER_GROUP_NOT_FOUND"
    TOO_MANY_ORDER_GROUPS = "TOO_MANY_ORDER_GROUPS"
    INVALID_CONTRACTS_LIMIT = "INVALID_CONTRACTS_LIMIT"
    CUSTOMER_ACCOUNT_NOT_FOUND = "CUSTOMER_ACCOUNT_NOT_FOUND"
    EXCHANGE_PAUSED = "EXCHANGE_PAUSED"


class RefusalCause(StrEnum):
    """Why a cancel or an amend of an order is refused.

    INVALID_AMEND_QTY_FOR_ORDER, CANNOT_UPDATE_FILLED_ORDER and SELF_CROSS_ATTEMPT are Kalshi's texts for
    an OrderCancelReject. ORDER_NOT_FOUND and ORDER_ALREADY_FILLED correspond to the codes 1 and 0 of
    CxlRejReason (102). The other values are those of a refused new order.
    """

    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDER_ALREADY_FILLED = "ORDER_ALREADY_FILLED"
    INVALID_AMEND_QTY_FOR_ORDER = "INVALID_AMEND_QTY_FOR_ORDER"
    CANNOT_UPDATE_FILLED_ORDER = "CANNOT_UPDATE_FILLED_ORDER"
    MARKET_NOT_FOUND = "MARKET_NOT_FOUND"
    ORDER_AMEND_IN_PROGRESS = "ORDER_AMEND_IN_PROGRESS"
    ORDER_ATTRIBUTES_MISMATCH = "ORDER_ATTRIBUTES_MISMATCH"
    EVENT_CONTRACT_DAILY_CAP_EXCEEDED = "EVENT_CONTRACT_DAILY_CAP_EXCEEDED"
    SELF_CROSS_ATTEMPT = "SELF_CROSS_ATTEMPT"
    ORDER_ALREADY_EXISTS = "ORDER_ALREADY_EXISTS"
    INVALID_ORDER = "INVALID_ORDER"
    INVALID_PRICE = "INVALID_PRICE"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    EXCEEDED_PER_MARKET_RISK_LIMIT = "EXCEEDED_PER_MARKET_RISK_LIMIT"
    EXCEEDED_SELL_POSITION_FLOOR = "EXCEEDED_SELL_POSITION_FLOOR"
    MARKET_INACTIVE = "MARKET_INACTIVE"
    MARKET_ALREADY_CLOSED = "MARKET_ALREADY_CLOSED"
    TRADING_PAUSED = "TRADING_PAUSED"
    EXCHANGE_PAUSED = "EXCHANGE_PAUSED"


class CancelCause(Enum):
    """Why an order was cancelled before it was filled."""

    REQUESTED = auto()
    """Requested by its owner."""
    AMENDED_TO_FILLED = auto()
    """Its owner amended its quantity to the filled quantity."""
    MASS_CANCELED = auto()
    DISCONNECTED = auto()
    """Its session, logged on with CancelOrdersOnDisconnect, ended."""
    EXPIRED = auto()
    MARKET_CLOSED = auto()
    MARKET_REACTIVATED = auto()
    """The market trades again after a halt or a close, with an empty book."""
    TRADING_PAUSED = auto()
    """A trading pause or a market halt began, and the order had CancelOrderOnPause."""
    EXCHANGE_PAUSED = auto()
    POST_ONLY_CROSS = auto()
    FOK_INSUFFICIENT_VOLUME = auto()
    IMMEDIATE_OR_CANCELLED = auto()
    MAX_EXECUTION_COST = auto()
    SELF_TRADE_TAKER = auto()
    SELF_TRADE_MAKER = auto()
    SELF_CROSS = auto()
    """A fill-or-kill order would have traded first with an order of the same trader."""
    SELF_CROSS_PARTIALLY_FILLED = auto()
    """A fill-or-kill order had partly traded when it met an order of the same trader."""
    REDUCE_ONLY = auto()
    """A reduce-only order found no position left to reduce."""
    SETTLEMENT_BOUNDS = auto()
    """Its price is outside the settlement bounds of its market."""
    ORDER_GROUP = auto()
    """Its order group was triggered or deleted."""

    @property
    def is_expiry(self) -> bool:
        """Whether Kalshi classifies it as an expiry-style system cancel (OrderExpiryCancel and CloseCancel
        on Kalshi's page on authentication)."""
        return self in (CancelCause.EXPIRED, CancelCause.MARKET_CLOSED)


@attrs.frozen
class AccountId:
    """The identity of one balance: an owner, a numbered subaccount (0 is the primary one) and a shard. Each
    shard of the exchange has separate balances."""

    owner: str
    subaccount: int = 0
    shard: int = 0
    customer: str = attrs.field(default="", kw_only=True)
    """The customer account (PartyID 448), whose clearing member is the owner; empty if there is none."""

    @property
    def trader(self) -> str:
        """The trader: the customer, or else the owner. Orders of one trader do not trade with each other."""
        return self.customer or self.owner


@attrs.frozen(order=True)
class ExecId:
    """The identity of one event of the exchange (ExecID 17). Compare only ids of the same shard."""

    clock: int
    event: int
    shard: int = 0

    def __str__(self) -> str:
        """Return `clock;event`, or `clock;event;shard` if the shard is not 0."""
        return f"{self.clock};{self.event}" + (f";{self.shard}" if self.shard else "")
