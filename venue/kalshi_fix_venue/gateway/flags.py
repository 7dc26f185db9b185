"""The flags of a client's Logon (Kalshi's page on authentication, optional fields)."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio import SESSION_TYPES, Logon
from kalshi_fix_venue.exchange import MARGIN

DEFAULT_RETENTION_HOURS = SESSION_TYPES["KalshiRT"].retention_hours or 0


@attrs.frozen(kw_only=True)
class LogonFlags:
    """The Logon flags of one session, including the venue's defaults."""

    use_dollars: bool = False
    """UseDollars; always on for margin."""
    skip_pending: bool = False
    """SkipPendingExecReports."""
    ioc_cancel_report: bool = False
    """EnableIocCancelReport."""
    preserve_original_quantity: bool = False
    """PreserveOriginalOrderQty."""
    expired_status: bool = False
    """UseExpiredOrdStatus."""
    new_before_trade: bool = False
    """AlwaysEmitNewBeforeTrade."""
    split_collateral_return: bool = False
    """SplitCollateralReturn."""
    listener: bool = False
    """ListenerSession."""
    cancel_on_disconnect: bool = False
    """CancelOrdersOnDisconnect."""
    settlement_reports: bool | None = None
    """ReceiveSettlementReports; None for the default of the session type."""
    reserves_caps: bool = False
    """UseCapReservation."""
    retention_hours: int = DEFAULT_RETENTION_HOURS
    """MessageRetentionPeriod."""

    @classmethod
    def from_logon(cls, logon: Logon, product: str) -> LogonFlags:
        """Return the flags of a Logon; absent ones have the venue's defaults."""
        hours = logon.message_retention_period
        return cls(
            use_dollars=logon.use_dollars is True or product == MARGIN,
            skip_pending=logon.skip_pending_exec_reports is True,
            ioc_cancel_report=logon.enable_ioc_cancel_report is True,
            preserve_original_quantity=logon.preserve_original_order_qty is True,
            expired_status=logon.use_expired_ord_status is True,
            new_before_trade=logon.always_emit_new_before_trade is True,
            split_collateral_return=logon.split_collateral_return is True,
            listener=logon.listener_session is True,
            cancel_on_disconnect=logon.cancel_orders_on_disconnect is True,
            settlement_reports=logon.receive_settlement_reports,
            reserves_caps=logon.use_cap_reservation is True,
            retention_hours=DEFAULT_RETENTION_HOURS if hours is None else hours,
        )
