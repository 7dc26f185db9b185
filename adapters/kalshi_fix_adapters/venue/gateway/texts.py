"""The venue's words and codes for the exchange's reasons (the page on order entry, Text values), and its
words for Logons that it does not take."""

from __future__ import annotations

from kalshi_fix_adapters.venue.exchange import CancelCause, RefusalCause, RejectCause
from kalshi_fix_sansio import (
    TEXTS,
    CxlRejReason,
    ExecutionReport,
    ExecutionReportText,
    OrderCancelReject,
    OrdRejReason,
)

REJECT_TEXTS: dict[RejectCause, str] = {cause: cause.value for cause in RejectCause} | {
    RejectCause.INCORRECT_QUANTITY: ExecutionReportText.INVALID_ORDER,
    RejectCause.TOO_LATE_TO_ENTER: ExecutionReportText.MARKET_ALREADY_CLOSED,
}
"""Text (58)."""
ORD_REJ_REASONS: dict[RejectCause, OrdRejReason] = {
    cause: TEXTS[ExecutionReport.MSG_TYPE, text].code for cause, text in REJECT_TEXTS.items()
} | {
    RejectCause.INCORRECT_QUANTITY: OrdRejReason.INCORRECT_QUANTITY,
    RejectCause.TOO_LATE_TO_ENTER: OrdRejReason.TOO_LATE_TO_ENTER,
}
"""OrdRejReason (103)."""

TOLD_BY_CODE = {
    RefusalCause.ORDER_NOT_FOUND: CxlRejReason.UNKNOWN_ORDER,
    RefusalCause.ORDER_ALREADY_FILLED: CxlRejReason.TOO_LATE_TO_CANCEL,
}
"""Causes that the venue tells by a code, without documenting a Text (58)."""


def _refusal_code(cause: RefusalCause) -> CxlRejReason:
    known = TEXTS.get((OrderCancelReject.MSG_TYPE, cause))
    return TOLD_BY_CODE.get(cause, CxlRejReason.OTHER) if known is None else known.code


CXL_REJ_REASONS: dict[RefusalCause, CxlRejReason] = {cause: _refusal_code(cause) for cause in RefusalCause}
"""CxlRejReason (102); the Text (58) is the cause itself."""

CANCEL_TEXTS: dict[CancelCause, str | None] = {
    CancelCause.REQUESTED: None,
    CancelCause.AMENDED_TO_FILLED: None,
    CancelCause.MASS_CANCELED: None,
    CancelCause.DISCONNECTED: None,
    CancelCause.EXPIRED: None,
    CancelCause.MARKET_CLOSED: None,
    CancelCause.MARKET_REACTIVATED: None,
    CancelCause.TRADING_PAUSED: ExecutionReportText.TRADING_PAUSED,
    CancelCause.EXCHANGE_PAUSED: ExecutionReportText.EXCHANGE_PAUSED,
    CancelCause.POST_ONLY_CROSS: ExecutionReportText.POST_ONLY_CROSS,
    CancelCause.FOK_INSUFFICIENT_VOLUME: ExecutionReportText.FOK_INSUFFICIENT_VOLUME,
    CancelCause.IMMEDIATE_OR_CANCELLED: ExecutionReportText.IMMEDIATE_OR_CANCELLED,
    CancelCause.MAX_EXECUTION_COST: "MAX_EXECUTION_COST",
    CancelCause.SELF_TRADE_TAKER: ExecutionReportText.TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION,
    CancelCause.SELF_CROSS: ExecutionReportText.SELF_CROSS_ATTEMPT,
    CancelCause.SELF_CROSS_PARTIALLY_FILLED: ExecutionReportText.SELF_CROSS_ATTEMPT_PARTIALLY_FILLED,
    CancelCause.REDUCE_ONLY: ExecutionReportText.REDUCE_ONLY,
    CancelCause.SETTLEMENT_BOUNDS: ExecutionReportText.SETTLEMENT_BOUNDS_CANCEL,
    CancelCause.ORDER_GROUP: ExecutionReportText.ORDER_GROUP_CANCEL,
    CancelCause.SELF_TRADE_MAKER: ExecutionReportText.MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION,
}
"""Text (58) of a report that an order was cancelled. The venue documents those of its own causes;
a pause and a cost limit are told likewise, by their own names."""

ALREADY_EXISTS = "already exists"
"""Text of the Logout for a second connection with the same key."""
LOGON_BUSY = "FIX logon service busy; retry with backoff"
"""Text of the Logout while the venue takes nobody's Logon."""
MAINTENANCE = "Scheduled maintenance"
"""Text of the Logout when a pause begins that ends sessions, and for Logons that it does not take."""
NO_FIX = "API usage level is not allowed for FIX"
"""Text of the Logout for an account whose tier has no FIX."""
RATE_LIMIT_EXCEEDED = "rate limit exceeded"
"""Text of the Logout for Logons that come too fast."""
