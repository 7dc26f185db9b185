"""A dump of `Orders` restores it exactly, and any other input is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.trading import Orders, OrderState
from kalshi_fix_sansio.trading.common.dumping import VERSION
from kalshi_fix_sansio.trading.orders import order_index as index_module
from tests.trading.order_flow import (
    SELL,
    SESSION_ENDED,
    cancel,
    change,
    dump,
    feed,
    load,
    logged_on,
    place,
    raw_report,
    refusal,
    reloaded,
    report,
    views,
)


def full(session_type: str = "KalshiRT") -> Orders:
    """Return orders of every kind."""
    orders = Orders(session_type)
    feed(
        orders,
        logged_on(cancel_orders_on_disconnect=True),
        place(),
        report("new", "1;1", price="0.4000"),
        report(
            "trade",
            "1;2;0",
            price="0.4000",
            cum="4.50",
            last=("4.50", "0.3999"),
            fee="0.07",
            long_qty="4.5",
            balance="-1.9",
        ),
        change("b"),
        cancel("c", "b"),
        refusal("b", text="EXCHANGE_UNAVAILABLE"),
        place("d", side=SELL, alloc_account=3, ex_destination=1),
        place("e"),
        report("rejected", "1;4", "o4", "e"),
        place("f"),
        report("rejected", "-1;-1", "o5", "f", text="EXCHANGE_UNAVAILABLE"),
        report("new", "1;7;2", "o9", "z"),
        raw_report(order_id="o10", exec_id="?", side="9"),
        raw_report(order_id="o11", exec_id="?", ord_status="4", exec_type="4"),
    )
    return orders


def test_the_whole_state_survives_a_round_trip() -> None:
    orders = full()
    other = reloaded(orders, "KalshiRT")
    [*losses] = feed(orders, SESSION_ENDED)
    assert views(other) == views(orders)
    assert len(losses) > 0
    assert [order.knowledge for order in other] == [order.knowledge for order in orders]
    assert [list(order.fills.values()) for order in other] == [list(order.fills.values()) for order in orders]
    assert str(next(iter(other)).price) == "0.4000"
    assert other.newest == orders.newest
    assert other.dollars
    for item in (orders, other):
        feed(item, logged_on(), report("canceled", "1;9", cum="4.50"))
    assert views(other) == views(orders)


@pytest.mark.parametrize("session_type", ["KalshiRT", "KalshiNR"])
def test_the_last_step_of_loading_replaces_the_state(
    monkeypatch: pytest.MonkeyPatch, session_type: str
) -> None:
    rows = dump(full(session_type))
    loaded_at_once, stepped, abandoned = (Orders(session_type) for _ in range(3))
    expected = load(loaded_at_once, rows)
    monkeypatch.setattr(index_module, "_LOAD_STEP", 2)
    empty = views(stepped)
    *before, (views_before, updates) = [(views(stepped), item) for item in stepped.load(rows)]
    # One pass over the rows reads the orders and another pass indexes them, two at a time.
    assert len(before) >= len(loaded_at_once)
    assert before == [(empty, [])] * len(before)
    assert views_before == views(stepped) == views(loaded_at_once)
    assert [(update.order, update.lost_reports) for update in updates] == [
        (item.order, item.lost_reports) for item in expected
    ]
    for _ in zip(range(len(before)), abandoned.load(rows), strict=False):
        pass
    assert views(abandoned) == empty
    assert abandoned.apply(SESSION_ENDED) == []


@pytest.mark.parametrize("steps", [0, 1])
def test_orders_cannot_be_used_before_they_are_loaded(steps: int) -> None:
    orders, rows = Orders(), dump(full())
    loading = orders.load(rows)
    for _ in range(steps):
        next(loading)
    for use in (lambda: orders.apply(SESSION_ENDED), lambda: dict(orders.dump())):
        with pytest.raises(LocalProtocolError, match="not loaded yet"):
            use()
    for _ in loading:
        pass
    assert dump(orders).keys() == rows.keys()
    with pytest.raises(ValueError, match="rows are missing"):
        load(orders, {key: row for key, row in rows.items() if key != "orders/0"})
    orders.apply(SESSION_ENDED)


def test_without_resend_open_orders_are_uncertain_in_the_next_process() -> None:
    orders, other = Orders(), Orders()
    feed(orders, logged_on(), place(), report("new", "1;1"), place("b"))
    assert [update.lost_reports for update in load(other, dump(orders))] == [True]
    assert [order.state for order in other] == [OrderState.UNVERIFIED, OrderState.UNKNOWN]
    # The end of the session has already been reported.
    feed(orders, SESSION_ENDED)
    assert [update.lost_reports for update in load(other, dump(orders))] == [True]


def test_a_redelivered_answer_is_recognized_in_the_next_process() -> None:
    orders = Orders("KalshiRT")
    feed(orders, place(), report("new", "1;1"), cancel("c"), refusal("c"), cancel("c"))
    other = reloaded(orders, "KalshiRT")
    assert feed(other, refusal("c")) == []
    assert [request.cl_ord_id for order in other for request in order.pending] == ["c"]


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1, str(VERSION), None])
def test_another_version_is_refused(version: object) -> None:
    orders = full()
    before = dump(orders)
    with pytest.raises(
        ValueError, match=f"the version of a dump of Orders must be {VERSION}, not {version!r}"
    ):
        load(orders, before | {"orders": before["orders"] | {"version": version}})
    assert dump(orders) == before


def test_an_invalid_dump_is_refused_without_effect() -> None:
    orders = full()
    before = dump(orders)
    for name in before["orders"].keys() - {"version"}:
        wrong = before | {"orders": {key: each for key, each in before["orders"].items() if key != name}}
        with pytest.raises(ValueError, match="not a valid dump of Orders"):
            load(orders, wrong)
        assert dump(orders) == before
    with pytest.raises(ValueError, match="not a valid dump of Orders"):
        load(orders, before | {"orders": before["orders"] | {"reports": {"live": ["1;?"]}}})
    for wrong in ({"orders/1": before["orders/0"]}, {"orders/9": None}, {"orders/x": None}, {"orders/0": []}):
        with pytest.raises(ValueError, match="not a valid dump of Orders"):
            load(orders, before | wrong)
    with pytest.raises(ValueError, match="rows are missing"):
        load(orders, {key: row for key, row in before.items() if key != "orders/0"})
    assert dump(orders) == before


FULL_DUMP: Any = dump(full())


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_dump_is_refused_or_loaded(data: st.DataObject) -> None:
    damaged = copy.deepcopy(FULL_DUMP)
    container: Any = damaged
    while True:
        if isinstance(container, dict) and container:
            at: Any = data.draw(st.sampled_from(sorted(container)))
        elif isinstance(container, list) and container:
            at = data.draw(st.integers(0, len(container) - 1))
        else:
            return
        if isinstance(container[at], (dict, list)) and container[at] and data.draw(st.booleans()):
            container = container[at]
            continue
        container[at] = data.draw(st.sampled_from([None, "x", -1, [], {}, "1;1", True, "NaN"]))
        break
    orders = full()
    before = dump(orders)
    try:
        load(orders, damaged)
    except ValueError:
        assert dump(orders) == before
