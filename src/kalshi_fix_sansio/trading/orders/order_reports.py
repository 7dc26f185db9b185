"""Parsing of messages about orders. Fields may be missing, in cents, or of any length."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from kalshi_fix_sansio._generated import (
    CollateralAmountType,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrdStatus,
    PartyRole,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.conditions import Terms, holds, terms
from kalshi_fix_sansio.trading.common.amounts import ZERO, add
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE, clipped, first_sending_time
from kalshi_fix_sansio.trading.orders.order import ENDINGS, Account, Fill, ReportFacts

PENDING_TYPES: Final = frozenset((ExecType.PENDING_NEW, ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE))
"""ExecTypes of pending reports, which have no key and do not confirm that anything has changed."""
CHANGE_TYPES: Final = frozenset((ExecType.CANCELED, ExecType.REPLACED, ExecType.EXPIRED))
"""ExecTypes of reports that contain the ClOrdID of the completed request, even if the order keeps another
ClOrdID.
"""
ENDED_STATUSES: Final = frozenset(
    (OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED)
)
"""OrdStatus values of orders that have ended."""
_REQUIRED_FIELDS: Final = ("order_id", "cl_ord_id", "symbol", "side", "ord_status", "exec_type")
_BALANCE: Final = CollateralAmountType.BALANCE
_IDS: Final = ("order_id", "cl_ord_id", "orig_cl_ord_id", "symbol")


def _open_conditions(cls: type[Message]) -> tuple[Terms, ...]:
    """Return the conditions under which an answer leaves the outcome of the request open, because the venue
    itself does not know it.
    """
    layout = cls.MESSAGE
    return tuple(
        terms(answers.open_when, layout.body) for answers in layout.answers if answers.open_when is not None
    )


_OPEN_CONDITIONS: Final[dict[type[Message], tuple[Terms, ...]]] = {
    cls: _open_conditions(cls) for cls in (ExecutionReport, OrderCancelReject)
}


def leaves_open(message: Message) -> bool:
    """Return whether an answer leaves the outcome of its request open, according to the dialect."""
    return any(holds(condition, message) for condition in _OPEN_CONDITIONS[type(message)])


def overlong_id(report: Any) -> str | None:
    """Return the name of the first id in a report that is longer than the limit; None if all are short
    enough.
    """
    return next((name for name in _IDS if len(getattr(report, name) or "") > MAX_ID_SIZE), None)


def missing_field(report: Any) -> str | None:
    """Return the name of a required field that is missing from a report or malformed, or "a valid quantity"
    if a quantity is negative. Return None if the report is complete.
    """
    for name in _REQUIRED_FIELDS:
        if not getattr(report, name):
            return name
    leaves_qty, cum_qty = report.leaves_qty, report.cum_qty
    if leaves_qty is None or cum_qty is None:
        return "leaves_qty" if leaves_qty is None else "cum_qty"
    return "a valid quantity" if leaves_qty < ZERO or cum_qty < ZERO else None


def parse_report(report: Any, key: ExecKey | None) -> ReportFacts:
    """Return the facts that a report contains about its order."""
    status = report.ord_status
    return ReportFacts(
        NO_KEY if key is None else key,
        status in ENDINGS,
        report.cum_qty,
        report.leaves_qty,
        status[:MAX_ID_SIZE],
        report.cl_ord_id,
        clipped(report.text),
    )


def read_fill(report: Any, key: ExecKey, price: Decimal, quantity: Decimal) -> Fill:
    """Return the fill in a report; `price` is in dollars."""
    fee, balance = ZERO, None
    for each in report.misc_fees:
        if each.misc_fee_amt is not None:
            fee = add(fee, each.misc_fee_amt)
    for each in report.collateral_amount_changes:
        change = each.collateral_amount_change
        if change is not None and each.collateral_amount_type == _BALANCE:
            balance = add(balance or ZERO, change)
    return Fill(
        key, price, quantity, fee, balance, report.long_qty, report.short_qty, report.aggressor_indicator
    )


def read_account(message: Any) -> Account | None:
    """Return the account in a report or request; None if there is none."""
    number = message.alloc_account
    for party in message.party_ids:
        if party.party_role == PartyRole.CUSTOMER_ACCOUNT and party.party_id is not None:
            return Account(number or 0, party.party_id[:MAX_ID_SIZE])
    return None if number is None else Account(number)


def identity(message: Any) -> str:
    """Return a hash by which a redelivered answer without ExecID is recognized."""
    number = None if message.header is None else message.header.msg_seq_num
    names = ("cl_ord_id", "order_id", "orig_cl_ord_id", "ord_status", "text", "exec_id", "cxl_rej_reason")
    content = (
        message.MSG_TYPE,
        number,
        first_sending_time(message),
        *(getattr(message, name, None) for name in names),
    )
    return sha256(repr(tuple(map(str, content))).encode()).hexdigest()[:32]
