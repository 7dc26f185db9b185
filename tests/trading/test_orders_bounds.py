"""Bounds of `Orders` that need many messages; histories/order_bounds.yaml tests the others."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.trading import (
    Orders,
    OrderState,
    OrderUpdate,
)
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from kalshi_fix_sansio.trading.orders import answers as answers_module
from kalshi_fix_sansio.trading.orders.newest_reports import MAX_SHARDS
from kalshi_fix_sansio.trading.orders.order_index import MAX_NAMESAKES
from tests.trading.order_flow import (
    cancel,
    change,
    dump,
    feed,
    kinds,
    load,
    only,
    place,
    refusal,
    report,
)


def kind_names(updates: list[OrderUpdate]) -> list[str]:
    return [kind.name for kind in kinds(updates)]


def test_an_evicted_order_cannot_be_resolved() -> None:
    orders = Orders(max_orders=1)
    feed(orders, report("canceled", "1;1", cum="3"))
    order = only(orders)
    feed(orders, report("new", "1;2", "o2", "c2"))
    before = dump(orders)
    assert orders.resolve(order, is_open=False) == []
    assert (dump(orders), list(orders.uncertain())) == (before, [])


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
    # A repeated refusal has no effect if it is remembered. Otherwise it counts as the answer to the new
    # cancel.
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
    assert kind_names(feed(orders, refusal("z", "NONE", "y", number=5))) == []
    feed(orders, change("late", "a"))
    other = Orders()
    load(other, dump(orders))
    for item in (orders, other):
        assert kind_names(feed(item, refusal("late", "NONE", "y", number=6))) == []
        assert list(item._answers.settled_early) == ["y", "z", "late"]
    assert kind_names(feed(orders, refusal("w", "NONE", "y", number=7))) == ["UNKNOWN_REQUEST"]
    assert kind_names(feed(orders, refusal("v", "o1", number=8))) == []  # this order is done


def test_reusing_a_clordid_does_not_grow_the_state() -> None:
    orders = Orders()
    for number in range(1, 3 * MAX_NAMESAKES):
        feed(orders, place(), report("canceled", f"1;{number}", f"o{number}"))
    assert [order.state for order in orders] == [OrderState.DONE] * (3 * MAX_NAMESAKES - 1)
    assert len(list(orders._index.namesakes("a"))) == MAX_NAMESAKES
    feed(orders, place(), report("new", "1;999", "o999"))
    found = orders.by_cl_ord_id("a")
    assert found is not None
    assert found.order_id == "o999"


def test_the_state_does_not_grow_over_many_orders() -> None:
    orders = Orders(max_orders=20)
    for number in range(1, 2000):
        cl_ord_id = f"c{number}"
        feed(
            orders,
            place(cl_ord_id),
            report("new", f"1;{3 * number}", f"o{number}", cl_ord_id),
            cancel(f"x{number}", cl_ord_id),
            refusal(f"x{number}", f"o{number}", cl_ord_id, number=number),
            report("filled", f"1;{3 * number + 1}", f"o{number}", cl_ord_id, cum="10", last=("10", "0.4")),
        )
    kept = orders._index
    assert len(orders) == len(kept.by_id) == len(kept.names) == len(kept.done) == 20
    assert not kept.live
    assert not kept.touched


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
