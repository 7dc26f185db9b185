"""Events as entries of the journal."""

from __future__ import annotations

from kalshi_fix_adapters.events import ClientEvent, ConnectFailed
from kalshi_fix_sansio import ExecutionReport, Header, NewOrderSingle, OrderCancelReject
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageReceived,
    MessagesLost,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from tests.kill.journal import Entry

DELIVERY_KINDS = frozenset({"report", "refusal", "reject"})
"""Kinds of entries about a message from the venue."""


def entry_of(event: ClientEvent) -> Entry:
    """Return the journal entry for an event."""
    match event:
        case MessageReceived(message=ExecutionReport(header=Header() as header) as report):
            return {
                "kind": "report",
                "seq": header.msg_seq_num,
                "dup": event.poss_dup,
                "id": report.cl_ord_id,
                "orig": report.orig_cl_ord_id,
                "exec_id": report.exec_id,
                "type": report.exec_type,
                "side": report.side,
                "leaves": report.leaves_qty,
                "quantity": report.last_qty,
                "price": report.last_px,
            }
        case MessageReceived(message=OrderCancelReject(header=Header() as header) as refusal):
            return {
                "kind": "refusal",
                "seq": header.msg_seq_num,
                "dup": event.poss_dup,
                "id": refusal.cl_ord_id,
            }
        case RejectReceived(sent=NewOrderSingle() as sent):
            header = event.reject.header
            return {
                "kind": "reject",
                "seq": header.msg_seq_num,
                "dup": header.poss_dup_flag is True,
                "id": sent.cl_ord_id,
                "type": header.msg_type,
            }
        case OutcomesUnknown():
            return {"kind": "unknown", "ids": event.request_ids, "why": event.why.name}
        case LoggedOn():
            return {"kind": "logged on", "reset": event.reset, "seq_of_logon": event.logon.header.msg_seq_num}
        case MessagesLost():
            return {"kind": "lost", "begin": event.begin, "end": event.end}
        case SequenceSkipped():
            return {"kind": "skipped", "begin": event.begin, "end": event.end, "gap_fill": event.gap_fill}
        case ConnectFailed():
            return {"kind": "connect failed", "error": type(event.error).__name__}
        case SessionEnded():
            return {"kind": "ended", "reason": event.reason.name}
    return {"kind": type(event).__name__}
