"""Measure the slowest calls of the state machines while an account has many open orders.

python -m benchmarks.cases.open_orders [COUNT]    COUNT is the number of orders, by default 100,000
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from benchmarks import samples
from kalshi_fix_sansio import (
    EventResendComplete,
    ExecutionReport,
    Logon,
    NewOrderSingle,
    OrderCancelRequest,
    OrderGroupResponse,
    OrderMassCancelRequest,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import CloseReason, LoggedOn, MessageReceived, MessagesLost, SessionEnded
from kalshi_fix_sansio.trading import (
    Cash,
    DropCopy,
    DropCopyRange,
    DropCopyReport,
    OrderGroups,
    Orders,
    Positions,
    RfqCreator,
    RfqMaker,
    UncertainItems,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey

COUNT, SYMBOLS, GROUPS = 100_000, 1000, 100
LIMIT_MS = 20
"""CPU time in milliseconds above which a call is marked."""
ROUNDS = 3
_LOGON = LoggedOn(
    Logon(encrypt_method=0, heart_bt_int=30, default_appl_ver_id="9"), 30, True, {"use_dollars": True}
)
_SESSION_END = SessionEnded(CloseReason.CONNECTION_LOST, "end of file", clean=False)
_NOW = Instant(1.0, samples.NOON)


def _order(number: int) -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=f"c{number}",
        symbol=f"M{number % SYMBOLS}",
        side="1",
        order_qty=10,
        price="0.45",
        order_group_id=f"g{number % GROUPS}",
    )


def _report(number: int, event: int, *, fills: bool = False) -> ExecutionReport:
    report = ExecutionReport(
        order_id=f"o{number}",
        exec_id=f"1;{event}",
        exec_type="F" if fills else "0",
        ord_status="1" if fills else "0",
        cl_ord_id=f"c{number}",
        symbol=f"M{number % SYMBOLS}",
        side="1",
        leaves_qty=9 if fills else 10,
        cum_qty=1 if fills else 0,
        order_qty=10,
        avg_px="0.45",
        price="0.45",
    )
    if fills:
        report.last_qty, report.last_px = report.cum_qty, report.price
    return report


def machines(count: int) -> dict[str, Any]:
    """Return the state machines of an account with this many open orders, each with a fill."""
    orders, groups, positions, cash = Orders(max_orders=2 * count), OrderGroups(), Positions(), Cash()
    drop_copy = DropCopy("KalshiNR")
    for group in range(GROUPS):
        groups.apply(OrderGroupResponse(order_group_id=f"g{group}", order_group_contracts_limit=1000))
    for event in (_LOGON, *(step for number in range(count) for step in _history(number))):
        for update in orders.apply(event):
            positions.apply(update)
            cash.apply(update)
        groups.apply(event)
        drop_copy.apply(event, _NOW)
    assert len(list(orders.live())) == count
    return {"orders": orders, "groups": groups, "positions": positions, "cash": cash, "drop_copy": drop_copy}


def _history(number: int) -> Iterator[object]:
    yield _order(number)
    yield MessageReceived(_report(number, 2 * number + 1))
    yield MessageReceived(_report(number, 2 * number + 2, fills=True))


def calls(count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each call with its name. The order of the calls makes each of them as slow as possible."""
    account = machines(count)
    orders: Orders = account["orders"]
    groups, positions, cash, drop_copy = (
        account[each] for each in ("groups", "positions", "cash", "drop_copy")
    )
    middle = orders.by_order_id(f"o{count // 2}")
    assert middle is not None
    events = iter(range(3 * count, 10 * count))
    numbers = iter(range(10 * count, 20 * count))

    def report() -> MessageReceived:
        return MessageReceived(_report(7, next(events)))

    yield "Orders.apply(new order)", lambda: orders.apply(_order(next(numbers)))
    yield "Orders.apply(report)", lambda: orders.apply(report())
    yield "Orders.apply(cancel)", lambda: orders.apply(orders.cancel(middle, f"x{next(numbers)}"))
    yield from _queries(orders, "no loss")
    yield "Orders.apply(mass cancel)", lambda: orders.apply(OrderMassCancelRequest(cl_ord_id="m"))
    # `main` makes each call ROUNDS times, so there are as many mass cancels to withdraw.
    for _ in range(ROUNDS):
        orders.withdraw(OrderMassCancelRequest(cl_ord_id="m"))
    dump, rows = orders.dump(), dict[str, Any]()
    yield "Orders.dump(), one row of the first dump", lambda: rows.update([next(dump)])
    rows.update(dump)
    loading = Orders(max_orders=2 * count).load(rows)
    yield "Orders.load(), a step", partial(next, loading)
    yield "Orders.dump(), after a report", lambda: orders.apply(report()) and dict(orders.dump())
    yield "Orders.apply(SessionEnded)", lambda: orders.apply(_SESSION_END)
    yield "Orders.apply(MessagesLost)", lambda: orders.apply(MessagesLost(1, 2))
    yield from _queries(orders, "after a loss")
    yield "Orders.dump(), after a loss", lambda: dict(orders.dump())
    yield "Orders.apply(LoggedOn)", lambda: orders.apply(_LOGON)
    yield "Orders.apply(DropCopyReport)", lambda: orders.apply(DropCopyReport(_report(9, next(events))))
    yield (
        "Orders.apply(DropCopyRange), after a loss",
        lambda: (
            orders.apply(MessagesLost(1, 2)),
            orders.apply(DropCopyRange(0, ExecKey(0, 1, 1), orders.epoch)),
        ),
    )
    yield (
        "UncertainItems",
        lambda: next(iter(UncertainItems(orders, positions, cash, groups, drop_copy)), None),
    )
    update = orders.apply(MessageReceived(_report(8, next(events), fills=True)))[0]
    for name, machine in {"Positions": positions, "Cash": cash}.items():
        yield f"{name}.apply(update)", partial(machine.apply, update)
        yield f"{name}.uncertain()", machine.uncertain
        yield f"{name}.dump()", machine.dump
        yield f"{name}.load(), with dump()", partial(_reload, machine)
    yield "Positions: iteration", lambda: list(positions)
    yield "OrderGroups.apply(new order)", lambda: groups.apply(_order(next(numbers)))
    yield "OrderGroups.apply(report)", lambda: groups.apply(report())
    yield "OrderGroups.room()", lambda: groups.room("g1", samples.NOON)
    yield "OrderGroups.dump()", groups.dump
    yield "OrderGroups.load(), with dump()", partial(_reload, groups)
    yield "OrderGroups.apply(SessionEnded)", lambda: groups.apply(_SESSION_END)
    yield "OrderGroups.apply(LoggedOn)", lambda: groups.apply(_LOGON)
    yield "OrderGroups.uncertain()", groups.uncertain
    yield "DropCopy.apply(SessionEnded)", lambda: drop_copy.apply(_SESSION_END, _NOW)
    yield "DropCopy.request()", lambda: drop_copy.request({0: ExecKey(0, 1, 1)}, orders.epoch, _NOW)
    yield "DropCopy.apply(report)", lambda: drop_copy.apply(MessageReceived(_report(5, next(events))), _NOW)
    drop_copies = [_drop_copy_with_reports(count) for _ in range(ROUNDS)]
    yield "DropCopy.dump()", drop_copies[0].dump
    complete = MessageReceived(EventResendComplete(ref_seq_num=1, resend_event_count=1000))
    yield "DropCopy.apply(EventResendComplete)", lambda: drop_copies.pop().apply(complete, _NOW)
    rfq_machines: tuple[Any, ...] = (
        RfqMaker(lambda *_: None, lambda *_: False, lambda: "id"),
        RfqCreator(),
    )
    for rfqs in rfq_machines:
        name = type(rfqs).__name__
        yield f"{name}.apply(report)", partial(rfqs.apply, report(), samples.NOON)
        yield f"{name}.uncertain()", rfqs.uncertain
        yield f"{name}.dump()", rfqs.dump


def _drop_copy_with_reports(count: int) -> DropCopy:
    """Return a DropCopy that has an open request and has received this many reports in random order."""
    drop_copy = DropCopy("KalshiNR")
    drop_copy.request({0: ExecKey(0, 1, 1)}, 1, _NOW)
    drop_copy.apply(_LOGON, _NOW)
    [request] = drop_copy.handle_timer(_NOW)
    drop_copy.apply(request, _NOW)
    numbers = [*range(count)]
    Random(1).shuffle(numbers)  # noqa: S311 - the same in every run
    for number in numbers:
        drop_copy.apply(MessageReceived(_report(number, 2 * number + 1)), _NOW)
    return drop_copy


def _reload(machine: Any) -> None:
    type(machine)().load(machine.dump())


def _queries(orders: Orders, when: str) -> Iterator[tuple[str, Callable[[], object]]]:
    cancel = OrderCancelRequest(cl_ord_id="y", orig_cl_ord_id="c5", symbol="M5", side="1", order_id="o5")
    yield f"Orders.uncertain(), the first item, {when}", lambda: next(iter(orders.uncertain()), None)
    yield f"Orders.drop_copy_start(), {when}", orders.drop_copy_start
    yield f"Orders.live(), the first order, {when}", lambda: next(iter(orders.live()))
    yield f"Orders.live(symbol), {when}", lambda: list(orders.live("M7"))
    yield f"Orders.working(), the first order, {when}", lambda: next(iter(orders.working()))
    yield f"Orders.by_cl_ord_id(), {when}", lambda: orders.by_cl_ord_id("c77")
    yield f"Orders.mass_cancels, {when}", lambda: orders.mass_cancels
    yield f"Orders.newest, {when}", lambda: orders.newest
    yield f"Orders.withdraw(), {when}", lambda: orders.withdraw(cancel)


def main(count: int) -> None:
    """Print each call with its longest and shortest CPU time in ms over `ROUNDS` rounds, and mark the calls
    whose shortest time exceeds `LIMIT_MS`."""
    gc.disable()
    for name, call in calls(count):
        times = []
        for _ in range(ROUNDS):
            begin = time.process_time()
            call()
            times.append((time.process_time() - begin) * 1000)
        print(
            f"{name:55} {max(times):10.2f}  {min(times):10.2f}{'  !' * (min(times) > LIMIT_MS)}", flush=True
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else COUNT)
