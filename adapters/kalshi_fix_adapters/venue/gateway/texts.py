"""The venue's words and codes for the exchange's reasons (the page on order entry, Text values)."""

from __future__ import annotations

from kalshi_fix_adapters.venue.exchange import CancelCause, RefusalCause, RejectCause
from kalshi_fix_sansio import CxlRejReason, OrdRejReason

ORD_REJ_REASONS = {
    RejectCause.MARKET_NOT_FOUND: OrdRejReason.UNKNOWN_SYMBOL,
    RejectCause.MARKET_INACTIVE: OrdRejReason.EXCHANGE_CLOSED,
    RejectCause.MARKET_ALREADY_CLOSED: OrdRejReason.EXCHANGE_CLOSED,
    RejectCause.TRADING_PAUSED: OrdRejReason.EXCHANGE_CLOSED,
    RejectCause.EXCHANGE_PAUSED: OrdRejReason.EXCHANGE_CLOSED,
    RejectCause.ORDER_ALREADY_EXISTS: OrdRejReason.DUPLICATE_ORDER,
    RejectCause.INVALID_ORDER: OrdRejReason.UNSUPPORTED_ORDER_CHARACTERISTIC,
    RejectCause.INSUFFICIENT_BALANCE: OrdRejReason.ORDER_EXCEEDS_LIMIT,
    RejectCause.EXCEEDED_PER_MARKET_RISK_LIMIT: OrdRejReason.ORDER_EXCEEDS_LIMIT,
    RejectCause.ORDER_GROUP_NOT_FOUND: OrdRejReason.UNSUPPORTED_ORDER_CHARACTERISTIC,
    RejectCause.CUSTOMER_ACCOUNT_NOT_FOUND: OrdRejReason.UNKNOWN_ACCOUNT,
}
"""OrdRejReason (103); the Text (58) is the cause itself."""

CXL_REJ_REASONS = {
    RefusalCause.ORDER_NOT_FOUND: CxlRejReason.UNKNOWN_ORDER,
    RefusalCause.ORDER_ALREADY_FILLED: CxlRejReason.TOO_LATE_TO_CANCEL,
    RefusalCause.INVALID_AMEND_QTY_FOR_ORDER: CxlRejReason.BROKER,
    RefusalCause.CANNOT_UPDATE_FILLED_ORDER: CxlRejReason.BROKER,
    RefusalCause.SELF_CROSS_ATTEMPT: CxlRejReason.INVALID_PRICE_INCREMENT,
    RefusalCause.ORDER_ALREADY_EXISTS: CxlRejReason.OTHER,
    RefusalCause.INVALID_ORDER: CxlRejReason.OTHER,
    RefusalCause.INSUFFICIENT_BALANCE: CxlRejReason.OTHER,
    RefusalCause.EXCEEDED_PER_MARKET_RISK_LIMIT: CxlRejReason.OTHER,
    RefusalCause.MARKET_INACTIVE: CxlRejReason.OTHER,
    RefusalCause.MARKET_ALREADY_CLOSED: CxlRejReason.OTHER,
    RefusalCause.TRADING_PAUSED: CxlRejReason.OTHER,
    RefusalCause.EXCHANGE_PAUSED: CxlRejReason.OTHER,
}
"""CxlRejReason (102); the Text (58) is the cause itself."""

CANCEL_TEXTS: dict[CancelCause, str | None] = {
    CancelCause.REQUESTED: None,
    CancelCause.AMENDED_TO_FILLED: None,
    CancelCause.MASS_CANCELED: None,
    CancelCause.DISCONNECTED: None,
    CancelCause.EXPIRED: None,
    CancelCause.MARKET_CLOSED: None,
    CancelCause.TRADING_PAUSED: "TRADING_PAUSED",
    CancelCause.EXCHANGE_PAUSED: "EXCHANGE_PAUSED",
    CancelCause.POST_ONLY_CROSS: "POST_ONLY_CROSS",
    CancelCause.FOK_INSUFFICIENT_VOLUME: "FOK_INSUFFICIENT_VOLUME",
    CancelCause.IMMEDIATE_OR_CANCELLED: "IMMEDIATE_OR_CANCELLED",
    CancelCause.MAX_EXECUTION_COST: "MAX_EXECUTION_COST",
    CancelCause.SELF_TRADE_TAKER: "TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION",
    CancelCause.SELF_TRADE_MAKER: "MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION",
}
"""Text (58) of a report that an order was cancelled. The venue documents those of its own causes;
a pause and a cost limit are told likewise, by their own names."""
