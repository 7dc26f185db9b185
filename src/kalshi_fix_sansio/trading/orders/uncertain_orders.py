"""Uncertain items that `Orders` lists, and the drop copy results that resolve them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import attrs

from kalshi_fix_sansio._generated import ExecutionReport
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.common.uncertain_items import UncertainItem
from kalshi_fix_sansio.trading.orders.mass_cancels import MassCancel
from kalshi_fix_sansio.trading.orders.order import Order, PendingRequest


class UncertainOrderKind(Enum):
    """Kinds of uncertainty about an order."""

    ORDER_UNKNOWN = "the venue may have it"
    REQUEST_UNKNOWN = "the outcome of an amend or a cancel is unknown"
    ORDER_UNVERIFIED = "it may have been filled or cancelled"
    FILLS_UNREPORTED = "its fills are incomplete: they add up to less than CumQty"
    MASS_CANCEL_UNKNOWN = "the orders of the session may have been cancelled"


@attrs.frozen(kw_only=True, eq=False)
class UncertainOrder(UncertainItem):
    """An uncertainty about an order or a mass cancel. Drop copy or REST resolves it.

    Attributes:
        kind: The kind of uncertainty.
        order: The order; None for a mass cancel.
        request: The amend or cancel whose outcome is unknown; None for other kinds.
        mass_cancel: The mass cancel; None for an order.
        begin: Key at which drop copy must begin to resolve the uncertainty; None if it is unknown, in
            which case REST must be used. A mass cancel needs drop copy for each shard of its orders:
            `Orders.drop_copy_start` returns all keys.
    """

    kind: UncertainOrderKind
    order: Order | None = None
    request: PendingRequest | None = None
    mass_cancel: MassCancel | None = None
    begin: ExecKey | None = None


@attrs.frozen
class DropCopyReport:
    """An execution report returned by drop copy. Its content is certain, but a later report may exist.

    Attributes:
        report: The report.
        dollars: Whether the session that received the report uses prices in dollars (UseDollars) rather than
            cents.
    """

    report: ExecutionReport
    dollars: bool = True


@attrs.frozen
class DropCopyRange:
    """A complete drop copy range: every report in the range was received and passed to `apply` as a
    `DropCopyReport`.

    Attributes:
        shard: Index of the exchange shard.
        begin: The first key of the range, inclusive.
        epoch: `Orders.epoch` when the range was requested. Uncertainties that began later are not resolved.
        end: The last key, inclusive; None for a range up to the latest report at the time of the request.
        requested_at: Time when the request was sent, in UTC according to the caller's clock; None if unknown.
    """

    shard: int
    begin: ExecKey
    epoch: int
    end: ExecKey | None = None
    requested_at: datetime | None = None


def unwrap(event: object) -> object:
    """Return the message inside a MessageReceived or DropCopyReport; return any other event unchanged."""
    if isinstance(event, MessageReceived):
        return event.message
    return event.report if isinstance(event, DropCopyReport) else event
