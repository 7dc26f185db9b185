"""What is read of messages about orders, whose fields may be missing, in cents, or of any size."""

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
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.conditions import Terms, holds, terms
from kalshi_fix_sansio.trading.amounts import ZERO, add
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order import ENDS, NO_KEY, Account, Fill, Said
from kalshi_fix_sansio.trading.received import MAX_ID_SIZE

PENDING: Final = frozenset((ExecType.PENDING_NEW, ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE))
"""Reports that say that a request is on its way. They have no key, and prove nothing."""
CHANGES: Final = frozenset((ExecType.CANCELED, ExecType.REPLACED, ExecType.EXPIRED))
"""Reports whose ClOrdID is that of the request that was done, even where it is the order's own."""
GONE: Final = frozenset((OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED))
_NEEDED: Final = ("order_id", "cl_ord_id", "symbol", "side", "ord_status", "exec_type")
_new: Final = tuple.__new__
"""Makes a NamedTuple in half the time of calling it."""
_PRIMARY: Final = Account()
_BALANCE: Final = CollateralAmountType.BALANCE
_IDS: Final = ("order_id", "cl_ord_id", "orig_cl_ord_id", "symbol")


def _open_when(cls: type[Message]) -> tuple[Terms, ...]:
    """Return how a message says that what became of the request is not known to the venue either."""
    layout = cls.MESSAGE
    return tuple(
        terms(answers.open_when, layout.body) for answers in layout.answers if answers.open_when is not None
    )


_OPEN: Final[dict[type[Message], tuple[Terms, ...]]] = {
    cls: _open_when(cls) for cls in (ExecutionReport, OrderCancelReject)
}


def leaves_open(message: Message) -> bool:
    """Say whether an answer leaves open what became of its request, by the dialect."""
    return any(holds(condition, message) for condition in _OPEN[type(message)])


def too_long(report: Any) -> str | None:
    """Return which id of a report is longer than what is kept; None if none is."""
    if (
        len(report.order_id) <= MAX_ID_SIZE
        and len(report.cl_ord_id) <= MAX_ID_SIZE
        and len(report.symbol) <= MAX_ID_SIZE
        and len(report.orig_cl_ord_id or "") <= MAX_ID_SIZE
    ):
        return None
    return next(name for name in _IDS if len(getattr(report, name) or "") > MAX_ID_SIZE)


def missing_field(report: Any) -> str | None:
    """Return a field without which a report says nothing of its order; None if all are there and sound."""
    if not (
        report.order_id
        and report.cl_ord_id
        and report.symbol
        and report.side
        and report.ord_status
        and report.exec_type
    ):
        return next(name for name in _NEEDED if not getattr(report, name))
    leaves, told = report.leaves_qty, report.cum_qty
    if leaves is None or told is None:
        return "leaves_qty" if leaves is None else "cum_qty"
    return "a sound quantity" if leaves < ZERO or told < ZERO else None


def read_said(report: Any, key: ExecKey | None) -> Said:
    """Return what a report says of its order."""
    status = report.ord_status
    return _new(
        Said,
        (
            NO_KEY if key is None else key,
            status in ENDS,
            report.cum_qty,
            report.leaves_qty,
            status[:MAX_ID_SIZE],
            report.cl_ord_id,
            (report.text or "")[:MAX_ID_SIZE],
        ),
    )


def read_fill(report: Any, key: ExecKey, price: Decimal, quantity: Decimal) -> Fill:
    """Return the trade that a report tells; its price is in dollars."""
    fee, balance = ZERO, None
    for each in report.misc_fees:
        if each.misc_fee_amt is not None:
            fee = add(fee, each.misc_fee_amt)
    for each in report.collateral_amount_changes:
        change = each.collateral_amount_change
        if change is not None and each.collateral_amount_type == _BALANCE:
            balance = add(balance or ZERO, change)
    return _new(
        Fill,
        (
            key,
            price,
            quantity,
            fee,
            balance,
            report.long_qty,
            report.short_qty,
            report.aggressor_indicator,
        ),
    )


def read_account(message: Any) -> Account:
    """Return whose order a report or request is about."""
    if not message.party_ids:
        return Account(message.alloc_account) if message.alloc_account else _PRIMARY
    customer = next(
        (party.party_id for party in message.party_ids if party.party_role == PartyRole.CUSTOMER_ACCOUNT),
        None,
    )
    return Account(message.alloc_account or 0, None if customer is None else customer[:MAX_ID_SIZE])


def identity(message: Any) -> str:
    """Return what tells an answer without ExecID from every other, by a hash: it may come again."""
    header = message.header
    number = sent = None
    if header is not None:
        number, sent = header.msg_seq_num, header.orig_sending_time or header.sending_time
    names = ("cl_ord_id", "order_id", "orig_cl_ord_id", "ord_status", "text", "exec_id", "cxl_rej_reason")
    said = (message.MSG_TYPE, number, sent, *(getattr(message, name, None) for name in names))
    return sha256(repr(tuple(map(str, said))).encode()).hexdigest()[:32]
