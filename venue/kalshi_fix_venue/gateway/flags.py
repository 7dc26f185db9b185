"""The flags of a client's Logon (Kalshi's page on authentication, optional fields)."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio import SESSION_TYPES, Logon
from kalshi_fix_venue.exchange import MARGIN


@attrs.frozen(kw_only=True)
class LogonFlags:
    """The Logon flags of one session, including the venue's defaults. Each attribute has the name of its
    field in `Logon`."""

    use_dollars: bool = False
    """Always on for margin."""
    skip_pending_exec_reports: bool = False
    enable_ioc_cancel_report: bool = False
    preserve_original_order_qty: bool = False
    use_expired_ord_status: bool = False
    always_emit_new_before_trade: bool = False
    split_collateral_return: bool = False
    listener_session: bool = False
    cancel_orders_on_disconnect: bool = False
    receive_settlement_reports: bool | None = None
    """None selects the default of the session type."""
    use_cap_reservation: bool = False
    message_retention_period: int = SESSION_TYPES["KalshiRT"].retention_hours or 0
    """Hours."""

    @classmethod
    def from_logon(cls, logon: Logon, product: str) -> LogonFlags:
        """Return the flags of a Logon; absent ones have the venue's defaults."""
        fields = {name: getattr(logon, name) for name in attrs.fields_dict(cls)}
        flags = cls(**{name: value for name, value in fields.items() if value is not None})
        return attrs.evolve(flags, use_dollars=True) if product == MARGIN else flags
