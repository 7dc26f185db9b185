"""Benchmarks: (k) track orders through their requests and reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from benchmarks import samples
from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import Contender, call_for_each
from kalshi_fix_sansio import ExecutionReport, Message, MessageReceived, OrderCancelRequest, encode
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import Orders

TRACKING, DECODING = "k: report decoded and its order tracked", "decoding alone"
COUNT = 1000
"""Number of orders sent. Only half as many are kept, so each order of the second half replaces a finished
one."""
_QUANTITY = Decimal(10)


def history(number: int) -> Iterator[tuple[Message, bytes]]:
    """Yield the messages of one order, each with the bytes received; a message that is sent has no bytes.

    Every fourth order is cancelled; each of the others has two fills.
    """
    order = samples.order(number)
    order.order_qty = _QUANTITY
    yield order, b""
    yield _report(number, 0, order.cl_ord_id, exec_type="0", ord_status="0")
    if number % 4 == 3:
        cancel_id = samples.identifier("cancel", number)
        cancel = OrderCancelRequest(
            cl_ord_id=cancel_id, orig_cl_ord_id=order.cl_ord_id, symbol=order.symbol, side=order.side
        )
        yield cancel, b""
        canceled = {"exec_type": "4", "ord_status": "4", "leaves_qty": 0, "orig_cl_ord_id": order.cl_ord_id}
        yield _report(number, 1, cancel_id, **canceled)
    else:
        yield _report(number, 1, order.cl_ord_id, exec_type="F", ord_status="1", cum_qty=4, last_qty=4)
        yield _report(number, 2, order.cl_ord_id, exec_type="F", ord_status="2", cum_qty=10, last_qty=6)


def _report(number: int, step: int, cl_ord_id: str, **fields: Any) -> tuple[ExecutionReport, bytes]:
    report = samples.report(number)
    report.cl_ord_id, report.side = cl_ord_id, samples.order(number).side
    report.exec_id = f"{1755446400 + number};{10 * number + step}"
    report.order_qty = _QUANTITY
    report.cum_qty = Decimal(fields.pop("cum_qty", 0))
    report.leaves_qty = Decimal(fields.pop("leaves_qty", _QUANTITY - report.cum_qty))
    if "last_qty" in fields:
        report.last_qty = Decimal(fields.pop("last_qty"))
    else:
        report.last_qty = report.last_px = report.trd_match_id = report.aggressor_indicator = None
        report.misc_fees, report.collateral_amount_changes = [], []
    for name, value in fields.items():
        setattr(report, name, value)
    sending_time = samples.NOON + timedelta(milliseconds=number)
    data = encode(report, samples.header("8", 2 + 10 * number + step, sending_time))
    decoded = CODEC.decode(data)
    assert isinstance(decoded, ExecutionReport)
    assert not decoded.problems
    return decoded, data


def orders(count: int = COUNT) -> list[Contender]:
    """Return contenders that decode reports and track orders, and others that only decode the same reports.

    Each report is decoded just before it is tracked. With reports decoded in advance, fetching them from
    memory would take as long as tracking them.
    """
    messages = [each for number in range(count) for each in history(number)]
    wire = [data for _, data in messages if data]

    def track() -> Orders:
        orders = Orders(max_orders=max(1, count // 2))
        for message, data in messages:
            orders.apply(MessageReceived(CODEC.decode(data)) if data else message)
        return orders

    tracked = track()
    assert all(order.is_done and not order.unreported_qty for order in tracked)
    assert not tracked.uncertain()
    return [
        Contender(TRACKING, OURS, track, len(wire), max_calls=1),
        Contender(TRACKING, DECODING, call_for_each(CODEC.decode, wire), len(wire), max_calls=1),
    ]
