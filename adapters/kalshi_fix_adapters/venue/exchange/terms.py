"""The vocabulary of the exchange model: sides, lifetimes, causes and identifiers, free of FIX."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final

import attrs

PREDICTION: Final = "prediction"
"""Event contracts: a price is between 0 and 1 dollar, a contract pays 1 dollar or nothing."""
MARGIN: Final = "margin"
"""Perpetual futures, margined."""


class Side(Enum):
    """Which way an order trades. Every prediction order is on the YES contract: selling YES at
    a price is the same as buying NO at 1 dollar minus that price."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The side this one trades against."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(Enum):
    """How long an order lives (Kalshi's order entry page, TimeInForce 59)."""

    DAY = "day"
    """Until 23:59:59.999 US Eastern of the day it is placed."""
    GOOD_TILL_CANCEL = "good till cancel"
    IMMEDIATE_OR_CANCEL = "immediate or cancel"
    """What does not trade at once is cancelled."""
    FILL_OR_KILL = "fill or kill"
    """Trades whole at once, or not at all."""
    GOOD_TILL_DATE = "good till date"
    """Until its expire time; one that has passed makes the order immediate or cancel."""


class SelfTradePrevention(Enum):
    """What happens where an order would trade with one of the same owner (2964)."""

    TAKER_AT_CROSS = "taker at cross"
    """The incoming order trades up to there, and the rest of it is cancelled."""
    MAKER = "maker"
    """The resting order is cancelled, and the incoming one goes on."""


class OrderState(Enum):
    """Where an order stands in its life."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"


class MarketState(Enum):
    """Where a market stands in its life (the venue's page on the life of markets)."""

    INITIALIZED = "initialized"
    """There, but not open yet."""
    ACTIVE = "active"
    INACTIVE = "inactive"
    """Deactivated by the exchange; orders rest, nothing new is taken."""
    CLOSED = "closed"
    """Past its closing time; resting orders are cancelled shortly after that."""
    DETERMINED = "determined"
    """The result is known; it may still be corrected."""
    DISPUTED = "disputed"
    """The result was challenged."""
    AMENDED = "amended"
    """Determined anew after a dispute."""
    SETTLED = "settled"
    """Positions were paid out; the page calls it finalized."""

    @property
    def is_decided(self) -> bool:
        """Whether a result has been known."""
        return self in (
            MarketState.DETERMINED,
            MarketState.DISPUTED,
            MarketState.AMENDED,
            MarketState.SETTLED,
        )


class MarketResult(StrEnum):
    """How a market was decided; the members are the venue's own words (MarketResult)."""

    YES = "yes"
    """A YES contract pays 1 dollar, a NO contract nothing."""
    NO = "no"
    SCALAR = "scalar"
    """A YES contract pays a part of 1 dollar, a NO contract the rest."""


class PauseState(Enum):
    """What the exchange as a whole takes (Kalshi's connectivity page, pauses)."""

    OPEN = "open"
    TRADING_PAUSED = "trading paused"
    """No new orders and no amends; cancels work."""
    EXCHANGE_PAUSED = "exchange paused"
    """No cancels either."""


class RejectCause(StrEnum):
    """Why a new order is refused; the members are the venue's own words (Text 58)."""

    MARKET_NOT_FOUND = "MARKET_NOT_FOUND"
    MARKET_INACTIVE = "MARKET_INACTIVE"
    MARKET_ALREADY_CLOSED = "MARKET_ALREADY_CLOSED"
    TOO_LATE_TO_ENTER = "TOO_LATE_TO_ENTER"
    """Told as MARKET_ALREADY_CLOSED, with a code of its own."""
    TRADING_PAUSED = "TRADING_PAUSED"
    EXCHANGE_PAUSED = "EXCHANGE_PAUSED"
    ORDER_ALREADY_EXISTS = "ORDER_ALREADY_EXISTS"
    INVALID_ORDER = "INVALID_ORDER"
    INCORRECT_QUANTITY = "INCORRECT_QUANTITY"
    """Told as INVALID_ORDER, with a code of its own."""
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
    """The quote that the order accepts is over."""


class GroupAction(Enum):
    """What an owner asks of an order group (OrderGroupAction)."""

    CREATE = "create"
    RESET = "reset"
    """Take orders again, with nothing filled so far."""
    DELETE = "delete"
    TRIGGER = "trigger"
    """Cancel its orders and take no more, whatever has filled."""
    UPDATE = "update"
    """Have another limit."""


class GroupRefusal(StrEnum):
    """Why an order group is left as it is; the venue documents ORDER_GROUP_NOT_FOUND alone."""

    ORDER_GROUP_NOT_FOUND = "ORDER_GROUP_NOT_FOUND"
    TOO_MANY_ORDER_GROUPS = "TOO_MANY_ORDER_GROUPS"
    INVALID_CONTRACTS_LIMIT = "INVALID_CONTRACTS_LIMIT"
    CUSTOMER_ACCOUNT_NOT_FOUND = "CUSTOMER_ACCOUNT_NOT_FOUND"
    EXCHANGE_PAUSED = "EXCHANGE_PAUSED"


class RefusalCause(StrEnum):
    """Why a cancel or an amend of an order is refused.

    INVALID_AMEND_QTY_FOR_ORDER, CANNOT_UPDATE_FILLED_ORDER and SELF_CROSS_ATTEMPT are the
    venue's words on an OrderCancelReject; ORDER_NOT_FOUND and ORDER_ALREADY_FILLED stand for
    its codes 1 and 0 of CxlRejReason (102); the rest are those of a refused new order.
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
    """Why an order left the book without being filled."""

    REQUESTED = auto()
    """Its owner asked for it."""
    AMENDED_TO_FILLED = auto()
    """Its owner amended its quantity to what had been filled."""
    MASS_CANCELED = auto()
    DISCONNECTED = auto()
    """Its session ended and had asked for CancelOrdersOnDisconnect."""
    EXPIRED = auto()
    MARKET_CLOSED = auto()
    MARKET_REACTIVATED = auto()
    """The market trades again after a halt or a close, with an empty book."""
    TRADING_PAUSED = auto()
    """A trading pause or a market halt began, and it was to be cancelled then."""
    EXCHANGE_PAUSED = auto()
    POST_ONLY_CROSS = auto()
    FOK_INSUFFICIENT_VOLUME = auto()
    IMMEDIATE_OR_CANCELLED = auto()
    MAX_EXECUTION_COST = auto()
    SELF_TRADE_TAKER = auto()
    SELF_TRADE_MAKER = auto()
    SELF_CROSS = auto()
    """Fill or kill, and the first order that it met was one of the same trader."""
    SELF_CROSS_PARTIALLY_FILLED = auto()
    """Fill or kill, and it met one of the same trader after a part of it had traded."""
    REDUCE_ONLY = auto()
    """It was to reduce a position, and there is none (any more)."""
    SETTLEMENT_BOUNDS = auto()
    """Its price is outside of what its market may settle at."""
    ORDER_GROUP = auto()
    """Its order group triggered, or was deleted."""

    @property
    def is_expiry(self) -> bool:
        """Whether the venue counts it among the expiry-style system cancels
        (OrderExpiryCancel and CloseCancel, the page on authentication)."""
        return self in (CancelCause.EXPIRED, CancelCause.MARKET_CLOSED)


@attrs.frozen
class AccountId:
    """One purse: an owner and, below it, a numbered subaccount (0 is the primary one). Each shard of the
    exchange keeps balances of its own."""

    owner: str
    subaccount: int = 0
    shard: int = 0
    customer: str = attrs.field(default="", kw_only=True)
    """The customer account of a clearing member, which the owner then is (PartyID 448)."""

    @property
    def trader(self) -> str:
        """Who trades: a customer, or else the owner. Orders of one trader do not trade with each other."""
        return self.customer or self.owner


@attrs.frozen
class ExecId:
    """The identity of one event of the exchange, in order within a shard (ExecID 17)."""

    clock: int
    event: int
    shard: int = 0

    def __str__(self) -> str:
        """Return `clock;event`, and `clock;event;shard` off shard 0."""
        if self.shard == 0:
            return f"{self.clock};{self.event}"
        return f"{self.clock};{self.event};{self.shard}"
