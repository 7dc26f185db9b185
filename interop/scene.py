"""Common parts of the scenarios: the CompIDs, an order, and the report that answers it."""

from __future__ import annotations

from typing import Any

from interop.peer import Fields
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    LogonFields,
    NewOrderSingle,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.config import Role, SessionConfig, resend_everything

PRODUCT = "prediction"
VENUE = "KalshiRT"
CLIENT = "7ad4ba75-1b2c-4d5e-8f90-a1b2c3d4e5f6"
SYMBOL = "KXHIGHNY-26NOV21-T55"


def config(role: Role, **settings: Any) -> SessionConfig:
    """Return our configuration for KalshiRT, the session type that repairs gaps with resends."""
    sender, target = (CLIENT, VENUE) if role is Role.INITIATOR else (VENUE, CLIENT)
    return SessionConfig(
        role=role,
        dialect=DIALECT,
        session_type=DIALECT.session_types[VENUE],
        product=PRODUCT,
        sender_comp_id=sender,
        target_comp_id=target,
        resend_policy=settings.pop("resend_policy", resend_everything),
        # The prices of `order` and `report` are in dollars.
        logon_fields=LogonFields(use_dollars=True) if role is Role.INITIATOR else None,
        **settings,
    )


def order(cl_ord_id: str) -> NewOrderSingle:
    """Return an order of our client."""
    return NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol=SYMBOL,
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        order_qty="10.00",
        price="0.55",
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
    )


def order_fields(cl_ord_id: str) -> Fields:
    """Return the fields of the same order, as the other engine sends it."""
    return {11: cl_ord_id, 38: "10.00", 40: "2", 44: "0.55", 54: "1", 55: SYMBOL, 59: "1"}


def report(cl_ord_id: str) -> ExecutionReport:
    """Return the report with which our venue answers the order."""
    return ExecutionReport(
        order_id=f"order-{cl_ord_id}",
        cl_ord_id=cl_ord_id,
        exec_id=f"exec-{cl_ord_id}",
        exec_type=ExecType.NEW,
        ord_status=OrdStatus.NEW,
        side=Side.BUY,
        symbol=SYMBOL,
        order_qty="10.00",
        leaves_qty="10.00",
        cum_qty="0.00",
        avg_px="0",
    )


def answer_order(msg_type: str, fields: Fields) -> tuple[str, Fields] | None:
    """Return the report with which a venue on the other engine answers an order."""
    assert msg_type == "D"
    cl_ord_id = fields[11]
    return "8", {
        37: f"order-{cl_ord_id}",
        11: cl_ord_id,
        17: f"exec-{cl_ord_id}",
        150: "0",
        39: "0",
        54: fields[54],
        55: fields[55],
        38: fields[38],
        151: fields[38],
        14: "0.00",
        6: "0",
    }
