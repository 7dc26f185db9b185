"""Texts and codes that report why the exchange rejected or cancelled an order (see Kalshi's page on order
entry), and the Texts of Logouts."""

from __future__ import annotations

from kalshi_fix_sansio import (
    TEXTS,
    CxlRejReason,
    ExecutionReport,
    ExecutionReportText,
    OrderCancelReject,
    OrdRejReason,
)
from kalshi_fix_venue.exchange import CancelCause, RefusalCause, RejectCause

REJECT_TEXTS: dict[RejectCause, str] = {cause: cause.value for cause in RejectCause} | {
    RejectCause.TOO_LATE_TO_ENTER: ExecutionReportText.MARKET_ALREADY_CLOSED,
}
"""Text (58)."""
ORD_REJ_REASONS: dict[RejectCause, OrdRejReason] = {
    cause: TEXTS[ExecutionReport.MSG_TYPE, text].code for cause, text in REJECT_TEXTS.items()
} | {
    RejectCause.TOO_LATE_TO_ENTER: OrdRejReason.TOO_LATE_TO_ENTER,
}
"""OrdRejReason (103)."""

CAUSES_WITHOUT_TEXT = {
    RefusalCause.ORDER_NOT_FOUND: CxlRejReason.UNKNOWN_ORDER,
    RefusalCause.ORDER_ALREADY_FILLED: CxlRejReason.TOO_LATE_TO_CANCEL,
}
"""Causes that Kalshi reports with a code, without a documented Text (58)."""


def _refusal_code(cause: RefusalCause) -> CxlRejReason:
    known = TEXTS.get((OrderCancelReject.MSG_TYPE, cause))
    return CAUSES_WITHOUT_TEXT.get(cause, CxlRejReason.OTHER) if known is None else known.code


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
"""Text (58) of the report of a cancelled order. Kalshi documents most of these texts. The texts for pauses
and for a cost limit are assumptions, which follow the names of the causes."""

ALREADY_EXISTS = "already exists"
"""Text of the Logout for a second connection with the same key."""
LOGON_BUSY = "FIX logon service busy; retry with backoff"
"""Text of the Logout while the venue refuses all Logons."""
MAINTENANCE = "Scheduled maintenance"
"""Text of the Logout at the start of a pause that ends sessions, and for Logons during it."""
NO_FIX = "API usage level is not allowed for FIX"
"""Text of the Logout for an account whose tier does not include FIX."""
RATE_LIMIT_EXCEEDED = "rate limit exceeded"
"""Text of the Logout for Logons above the rate limit."""
