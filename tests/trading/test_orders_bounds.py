"""The memory that a venue can make `Orders` use is bounded; excess is reported without raising."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio import BusinessMessageReject, Side
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.trading import (
    DropCopyReport,
    Order,
    OrderDiscrepancyKind,
    Orders,
    OrderState,
    OrderUpdate,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from kalshi_fix_sansio.trading.orders import answers as answers_module
from kalshi_fix_sansio.trading.orders.newest_reports import MAX_SHARDS
from kalshi_fix_sansio.trading.orders.order_index import MAX_NAMESAKES
from tests.trading.order_flow import (
    OTHER,
    cancel,
    change,
    dump,
    feed,
    kinds,
    load,
    only,
    place,
    raw_report,
    read_attributes,
    refusal,
    report,
)


def names(updates: list[OrderUpdate]) -> list[str]:
    return [kind.name for kind in kinds(updates)]


def test_the_order_that_was_done_first_is_evicted() -> None:
    orders = Orders(max_orders=3)
    for number in (1, 2, 3):
        feed(orders, report("new", f"1;{number}", f"o{number}", f"c{number}"))
    feed(orders, report("canceled", "1;4", "o2", "c2"), report("canceled", "1;5", "o1", "c1"))
    updates = feed(orders, report("new", "1;6", "o4", "c4"))
    assert [(update.order and update.order.order_id, update.forgotten) for update in updates] == [
        ("o2", True),
        ("o4", False),
    ]
    assert [order.order_id for order in orders] == ["o1", "o3", "o4"]
    assert orders.by_order_id("o2") is orders.by_cl_ord_id("c2") is None
    # A fill older than the last report may have been counted; a newer fill was not.
    trade: dict[str, Any] = {"cum": "4", "last": ("4", "0.40")}
    updates = feed(orders, DropCopyReport(report("trade", "1;2", "o2", "c2", **trade)))
    assert (names(updates), updates[0].order, updates[0].fills) == (["FORGOTTEN"], None, [])
    updates = feed(orders, DropCopyReport(report("trade", "1;7", "o2", "c2", **trade)))
    assert [len(update.fills) for update in updates] == [0, 1]


def test_an_evicted_order_is_remembered_on_every_shard_that_reported_it() -> None:
    orders = Orders(max_orders=1)
    trade: dict[str, Any] = {"last": ("4", "0.40")}
    feed(orders, report("trade", "1;7;1", cum="4", **trade), report("trade", "1;3;2", cum="8", **trade))
    feed(orders, report("canceled", "1;4;2", cum="8"), report("new", "1;9", "o2", "c2"))
    assert [order.order_id for order in orders] == ["o2"]
    for key in ("1;7;1", "1;3;2", "1;4;2"):
        assert names(feed(orders, DropCopyReport(report("trade", key, cum="4", **trade)))) == ["FORGOTTEN"]


def test_an_evicted_order_cannot_be_resolved() -> None:
    orders = Orders(max_orders=1)
    feed(orders, report("canceled", "1;1", cum="3"))
    order = only(orders)
    feed(orders, report("new", "1;2", "o2", "c2"))
    before = dump(orders)
    assert orders.resolve(order, is_open=False) == []
    assert (dump(orders), list(orders.uncertain())) == (before, [])


def test_a_refused_request_is_evicted() -> None:
    orders = Orders(max_orders=1)
    request = place("x")
    reject = BusinessMessageReject(ref_seq_num=3, ref_msg_type=request.MSG_TYPE, business_reject_reason="0")
    feed(orders, request, RejectReceived(reject, 3, request))
    updates = feed(orders, report("new", "1;1", "o2", "c2"))
    assert [(update.order and update.order.cl_ord_id, update.forgotten) for update in updates] == [
        ("x", True),
        ("c2", False),
    ]
    assert [order.order_id for order in orders] == ["o2"]


def test_without_done_orders_no_foreign_order_is_added() -> None:
    orders = Orders(max_orders=2)
    feed(orders, report("new", "1;1", "o1", "c1"), report("new", "1;2", "o2", "c2"))
    updates = feed(orders, report("new", "1;3", "o3", "c3"))
    assert (names(updates), len(orders)) == (["TOO_MANY"], 2)
    # The user's own orders are always added.
    feed(orders, place("mine"))
    assert len(orders) == 3


def test_fills_are_bounded_and_those_beyond_the_bound_are_missing() -> None:
    orders = Orders(max_fills=2)
    updates: list[OrderUpdate] = []
    for number in (1, 2, 3):
        updates = feed(orders, report("trade", f"1;{number}", cum=str(number), last=("1", "0.40")))
    order = only(orders)
    assert names(updates) == ["TOO_MANY"]
    assert read_attributes(order, "filled_qty cum_qty unreported_qty") == (2, 3, 1)


@pytest.mark.parametrize("field", ["order_id", "cl_ord_id", "orig_cl_ord_id", "symbol"])
def test_oversized_ids_are_not_kept(orders: Orders, field: str) -> None:
    updates = feed(orders, raw_report(**{field: "x" * (MAX_ID_SIZE + 1)}))
    assert (names(updates), len(orders)) == (["TOO_MANY"], 0)
    assert len(str(updates[0].discrepancies[0])) < 200
    feed(orders, raw_report(**{field: "x" * MAX_ID_SIZE}))
    assert len(orders) == 1


@pytest.mark.parametrize("field", ["cl_ord_id", "orig_cl_ord_id", "symbol"])
def test_a_report_with_an_oversized_id_does_not_affect_a_known_order(orders: Orders, field: str) -> None:
    feed(orders, place(), report("new", "1;1"))
    before = dump(orders)
    updates = feed(orders, raw_report(exec_id="1;2", cum_qty=Decimal(4), **{field: "x" * (MAX_ID_SIZE + 1)}))
    assert (names(updates), updates[0].order) == (["TOO_MANY"], None)
    assert dump(orders) == before


def test_long_texts_are_truncated(orders: Orders) -> None:
    feed(orders, report("canceled", "1;1", text="x" * 10_000))
    assert len(only(orders).text) == MAX_ID_SIZE


def test_shards_are_bounded(orders: Orders) -> None:
    for shard in range(MAX_SHARDS + 10):
        feed(orders, report("new", f"1;1;{shard}", f"o{shard}", f"c{shard}"))
    assert len(orders.newest) == MAX_SHARDS


def test_symbols_are_bounded() -> None:
    orders = Orders(max_orders=2)
    for number in range(1, 20):
        feed(orders, report("canceled", f"1;{number}", f"o{number}", f"c{number}", symbol=f"s{number}"))
    assert len(orders._reports.shards) == len(orders) == 2


def test_remembered_answers_are_bounded(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "MAX_ANSWERS", 5)
    feed(orders, place(), report("new", "1;1"))
    for number in range(1, 9):
        feed(orders, cancel("c"), refusal("c", number=number))
    assert len(orders._answers.known) == 5
    feed(orders, cancel("c"))
    assert feed(orders, refusal("c", number=8)) == []
    feed(orders, refusal("c", number=1))
    assert only(orders).pending == []


def test_a_refusal_after_the_end_of_the_order_is_not_a_discrepancy(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "MAX_ANSWERS", 3)
    feed(orders, place(), report("new", "1;1"), cancel("x"), change("y"))
    feed(orders, cancel("z", "y"), report("canceled", "1;2", cl_ord_id="x", orig_cl_ord_id="a"))
    # z refers to y, a change that never took effect, so its refusal may carry OrderID NONE.
    assert names(feed(orders, refusal("z", "NONE", "y", number=5))) == []
    feed(orders, change("late", "a"))
    other = Orders()
    load(other, dump(orders))
    for item in (orders, other):
        assert names(feed(item, refusal("late", "NONE", "y", number=6))) == []
        assert list(item._answers.settled_early) == ["y", "z", "late"]
    assert names(feed(orders, refusal("w", "NONE", "y", number=7))) == ["UNKNOWN_REQUEST"]
    assert names(feed(orders, refusal("v", "o1", number=8))) == []  # this order is done


def test_reusing_a_clordid_does_not_grow_the_state() -> None:
    orders = Orders()
    for number in range(1, 3 * MAX_NAMESAKES):
        feed(orders, place(), report("canceled", f"1;{number}", f"o{number}"))
    assert [order.state for order in orders] == [OrderState.DONE] * (3 * MAX_NAMESAKES - 1)
    assert len(list(orders._kept.namesakes("a"))) == MAX_NAMESAKES
    feed(orders, place(), report("new", "1;999", "o999"))
    found = orders.by_cl_ord_id("a")
    assert found is not None
    assert found.order_id == "o999"


def test_the_state_does_not_grow_over_many_orders() -> None:
    orders = Orders(max_orders=20)
    for number in range(1, 2000):
        mine = f"c{number}"
        feed(
            orders,
            place(mine),
            report("new", f"1;{3 * number}", f"o{number}", mine),
            cancel(f"x{number}", mine),
            refusal(f"x{number}", f"o{number}", mine, number=number),
            report("filled", f"1;{3 * number + 1}", f"o{number}", mine, cum="10", last=("10", "0.4")),
        )
    kept = orders._kept
    assert len(orders) == len(kept.by_id) == len(kept.names) == len(kept.done) == 20
    assert not kept.live
    assert not kept.touched


@pytest.mark.parametrize("exec_id", [None, "", "NONE", "1", "1;2;3;4", "x" * 1000])
def test_a_trade_without_a_key_counts_as_missing(orders: Orders, order: Order, exec_id: str | None) -> None:
    bad = raw_report(exec_id=exec_id, exec_type="F", cum_qty=Decimal(4), last_qty=Decimal(4))
    assert names(feed(orders, bad)) == ["BAD_EXEC_ID"]
    assert read_attributes(order, "state filled_qty unreported_qty key") == (
        OrderState.OPEN,
        0,
        4,
        ExecKey(0, 1, 1),
    )


def test_a_final_report_without_a_key_ends_the_order(orders: Orders, order: Order) -> None:
    feed(orders, raw_report(exec_id="?", exec_type="4", ord_status="4"))
    assert order.state is OrderState.DONE


def test_an_order_known_only_by_a_report_without_a_key_is_uncertain(orders: Orders) -> None:
    feed(orders, raw_report(exec_id="?"))
    order = only(orders)
    assert read_attributes(order, "state cl_ord_id status price leaves_qty shard") == (
        OrderState.UNVERIFIED,
        "",
        None,
        None,
        0,
        None,
    )
    assert repr(order).endswith("0 remaining at no price)")
    assert orders.drop_copy_start() == {}


@pytest.mark.parametrize("changes", [{"last_qty": None}, {"last_px": None}, {"last_qty": Decimal(0)}])
def test_an_unreadable_trade_counts_as_missing(orders: Orders, changes: dict[str, object]) -> None:
    values = {"exec_type": "F", "cum_qty": Decimal(4), "last_qty": Decimal(4), "last_px": Decimal("0.4")}
    updates = feed(orders, raw_report(**(values | changes)))
    assert names(updates) == ["UNREADABLE"]
    assert read_attributes(only(orders), "filled_qty unreported_qty") == (0, 4)
    assert orders.drop_copy_start() == {0: ExecKey(0, 1, 1)}


@pytest.mark.parametrize("field", ["order_id", "cl_ord_id", "symbol", "side", "ord_status", "exec_type"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_report_without_a_required_value_is_reported(orders: Orders, field: str, value: object) -> None:
    assert names(feed(orders, raw_report(**{field: value}))) == ["UNREADABLE"]


@pytest.mark.parametrize("field", ["leaves_qty", "cum_qty"])
def test_negative_quantities_are_reported(orders: Orders, field: str) -> None:
    assert names(feed(orders, raw_report(**{field: Decimal(-1)}))) == ["UNREADABLE"]


def test_two_trades_with_one_key_count_once(orders: Orders) -> None:
    first = report("trade", "1;2", cum="4", last=("4", "0.40"))
    updates = feed(orders, first, report("trade", "1;2", cum="4", last=("3", "0.40")))
    assert names(updates) == ["CONFLICT"]
    assert only(orders).filled_qty == 4


def test_fills_above_cum_qty_are_reported(orders: Orders) -> None:
    assert names(feed(orders, report("trade", "1;2", cum="3", last=("4", "0.40")))) == ["OVERFILLED"]


def test_a_report_after_the_end_is_reported_and_does_not_reopen_the_order(orders: Orders) -> None:
    updates = feed(orders, report("canceled", "1;2"), report("new", "1;5"))
    assert names(updates) == ["REVIVED"]
    assert only(orders).state is OrderState.DONE


@pytest.mark.parametrize("changes", [{"symbol": OTHER}, {"side": Side.SELL}])
def test_another_symbol_or_side_is_reported(orders: Orders, changes: dict[str, Any]) -> None:
    updates = feed(orders, report("new", "1;2"), report("new", "1;3", **changes))
    assert names(updates) == ["TERMS"]


def test_an_answer_without_a_request_is_reported(orders: Orders) -> None:
    assert names(feed(orders, refusal("z"))) == ["UNKNOWN_REQUEST"]
    assert names(feed(orders, cancel("z"))) == ["UNKNOWN_REQUEST"]
    feed(orders, report("new", "1;1"))
    [update] = feed(orders, refusal("y", "o1"))
    assert update.order == only(orders)
    assert update.discrepancies[0].kind == OrderDiscrepancyKind.UNKNOWN_REQUEST


def test_unknown_codes_are_accepted(orders: Orders) -> None:
    feed(orders, raw_report(side="7", ord_status="Z", exec_type="Y"))
    assert read_attributes(only(orders), "side status state") == ("7", "Z", OrderState.OPEN)


def test_long_numbers_are_added_exactly_in_any_sequence() -> None:
    maximum = "9999999999999999999"
    amounts = [f"{maximum}.9999999999999999999", "0.0000000000000000001", "1"]
    trades = [
        report("trade", f"1;{count}", qty=maximum, cum=maximum, last=(amount, "0.1234567890123456789"))
        for count, amount in enumerate(amounts, 1)
    ]
    values = set()
    for sequence in (trades, trades[::-1]):
        orders = Orders()
        feed(orders, *sequence)
        values.add(only(orders).value)
    [value] = values
    assert len(str(value)) > 40
