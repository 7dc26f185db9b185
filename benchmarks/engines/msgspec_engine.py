"""msgspec: no FIX engine, but JSON to typed objects in C. What CPython can do with values like these."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from benchmarks import samples

NAME = "msgspec (JSON)"


class Fee(msgspec.Struct):
    """An entry of the fees."""

    amount: Decimal
    currency: str
    kind: str
    basis: int


class Change(msgspec.Struct):
    """An entry of the changes of collateral."""

    change: Decimal
    kind: str


class Report(msgspec.Struct):
    """The values of the report, its header's among them."""

    seq_num: int
    sender: str
    target: str
    sending_time: datetime
    order_id: str
    cl_ord_id: str
    exec_id: str
    exec_type: str
    ord_status: str
    side: str
    symbol: str
    order_qty: Decimal
    leaves_qty: Decimal
    cum_qty: Decimal
    avg_px: Decimal
    price: Decimal
    last_px: Decimal
    last_qty: Decimal
    transact_time: datetime
    trd_match_id: str
    aggressor: bool
    fees: list[Fee]
    changes: list[Change]


_DECODER = msgspec.json.Decoder(Report)


def report_json(number: int = 0) -> bytes:
    """Return a report as JSON with the same values, decimals as text to be exact."""
    m = samples.report(number)
    fee, change = m.misc_fees[0], m.collateral_amount_changes[0]
    assert m.transact_time is not None
    data: bytes = msgspec.json.encode(
        {
            "seq_num": 99 + number,
            "sender": samples.VENUE,
            "target": samples.KEY_ID,
            "sending_time": samples.NOON + timedelta(milliseconds=number),
            "order_id": m.order_id,
            "cl_ord_id": m.cl_ord_id,
            "exec_id": m.exec_id,
            "exec_type": m.exec_type,
            "ord_status": m.ord_status,
            "side": m.side,
            "symbol": m.symbol,
            "order_qty": m.order_qty,
            "leaves_qty": m.leaves_qty,
            "cum_qty": m.cum_qty,
            "avg_px": m.avg_px,
            "price": m.price,
            "last_px": m.last_px,
            "last_qty": m.last_qty,
            "transact_time": m.transact_time,
            "trd_match_id": m.trd_match_id,
            "aggressor": m.aggressor_indicator,
            "fees": [
                {
                    "amount": fee.misc_fee_amt,
                    "currency": fee.misc_fee_curr,
                    "kind": fee.misc_fee_type,
                    "basis": fee.misc_fee_basis,
                }
            ],
            "changes": [{"change": change.collateral_amount_change, "kind": change.collateral_amount_type}],
        }
    )
    return data


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report and read 20 values."""
    m = _DECODER.decode(data)
    return (
        m.order_id,
        m.cl_ord_id,
        m.exec_id,
        m.exec_type,
        m.ord_status,
        m.side,
        m.symbol,
        m.order_qty,
        m.leaves_qty,
        m.cum_qty,
        m.avg_px,
        m.price,
        m.last_px,
        m.last_qty,
        m.transact_time,
        m.trd_match_id,
        m.aggressor,
        m.fees[0].amount,
        m.fees[0].currency,
        m.changes[0].change,
    )
