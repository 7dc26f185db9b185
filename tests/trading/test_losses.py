"""Losses of reports. An order applies a loss only when the order is read."""

from __future__ import annotations

import gc
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import OrderMassCancelRequest
from kalshi_fix_sansio.events import MessageRejected, MessagesLost
from kalshi_fix_sansio.trading import DropCopyRange, Order, Orders, OrderState
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.orders import uncertainty
from kalshi_fix_sansio.trading.orders.knowledge import KnowledgeKind, Mark
from kalshi_fix_sansio.trading.orders.order_index import OrderIndex
from tests.simulation.mutants.patching import replace, wrap
from tests.trading.order_flow import (
    SESSION_ENDED,
    at,
    cancel,
    dump,
    feed,
    load,
    logged_on,
    only,
    place,
    reloaded,
    report,
    views,
)
from tests.trading.order_histories import History, compare_seeds, is_answer

LOST = MessagesLost(3, 4)


def apply(orders: Orders, *events: object) -> None:
    """Apply events without reading any order."""
    for event in events:
        orders.apply(event)


def knowledge(orders: Orders) -> list[Any]:
    return [
        (order.knowledge, [(item.uncertain_since_epoch, item.since) for item in order.pending])
        for order in orders
    ]


def interrupted_history(random: Random, steps: list[Any]) -> list[Any]:
    """Return a history in which some messages and some connections are lost."""
    found: list[Any] = []
    for step in steps:
        if not is_answer(step) or random.random() < 0.8:
            found.append(step)
        if random.random() < 0.3:
            begin = ExecKey(0, 1, random.randrange(30))
            found.append(
                random.choice(
                    [
                        SESSION_ENDED,
                        LOST,
                        MessageRejected(None, ()),
                        logged_on(cancel_orders_on_disconnect=random.random() < 0.5),
                        DropCopyRange(0, begin, random.randrange(1, 20)),
                        DropCopyRange(1, ExecKey(1, 0, 1), 1000),
                        DropCopyRange(0, ExecKey(0, 0, 1), 1000),
                        OrderMassCancelRequest(cl_ord_id="m"),
                    ]
                )
            )
    return found


@settings(max_examples=150)
@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.integers(0, 10_000),
    st.sampled_from(["KalshiNR", "KalshiRT"]),
)
def test_the_state_does_not_depend_on_when_orders_are_read(
    seed: int, length: int, shuffle: int, session_type: str
) -> None:
    random = Random(shuffle)
    events = interrupted_history(random, list(History.generate(seed, length).steps))
    never, always, sometimes = (Orders(session_type) for _ in range(3))
    apply(never, *events)
    for event in events:
        always.apply(event)
        knowledge(always)
        sometimes.apply(event)
        for order in sometimes:
            if random.random() < 0.2:
                getattr(order, random.choice(["state", "pending", "placed", "knowledge"]))
    assert views(always) == views(sometimes) == views(never)
    assert knowledge(always) == knowledge(sometimes) == knowledge(never)
    found = [
        [(item.kind, item.about, item.since, item.begin) for item in orders.uncertain()]
        for orders in (always, sometimes, never)
    ]
    assert found[0] == found[1] == found[2]


def uncertainties(orders: Orders) -> list[Any]:
    """Return the starts of drop copy and the mass cancels, without reading the orders first."""
    cancels = [
        (cancel.cl_ord_id, cancel.state, cancel.waiting, cancel.missed, cancel.newest)
        for cancel in orders.mass_cancels
    ]
    return [orders.drop_copy_start(), orders.drop_copy_start({0: ExecKey(0, 1, 12)}), cancels]


def compare_cohorts(seed: int, length: int, shuffle: int) -> None:
    """Compare two machines: one applies losses and drop copy to whole cohorts of orders, the other to one
    order at a time.
    """
    random = Random(shuffle)
    events = interrupted_history(random, list(History.generate(seed, length).steps))
    grouped, separate, rows = Orders(), Orders(), dict[str, Any]()
    for event in events:
        apply(grouped, event)
        with replace(OrderIndex, "_join_cohort", OrderIndex._leave_cohort)():
            apply(separate, event)
            found = uncertainties(separate)
        for order in grouped:
            if random.random() < 0.1:
                assert order.state is separate._index.orders[order.number].state
        assert uncertainties(grouped) == found
        if random.random() < 0.2:
            rows.update(json.loads(json.dumps(dict(grouped.dump()))))
    rows.update(json.loads(json.dumps(dict(grouped.dump()))))
    loaded = Orders()
    load(loaded, rows)
    for one, other in ((grouped, separate), (loaded, reloaded(separate))):
        assert views(one) == views(other)
        assert knowledge(one) == knowledge(other)
    members = {number: cohort for cohort in grouped._index.cohorts for number in cohort.slots}
    assert members == {order.number: order.cohort for order in grouped if order.cohort is not None}


@settings(max_examples=150)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 10_000))
def test_losses_and_drop_copy_affect_a_cohort_as_they_affect_single_orders(
    seed: int, length: int, shuffle: int
) -> None:
    compare_cohorts(seed, length, shuffle)


def _verify_without_dump(verify: Any, index: OrderIndex, cohort: Any) -> Any:
    changed = dict(index.changed)
    found = verify(index, cohort)
    index.changed = changed
    return found


COHORT_MUTANTS = {
    "an order never leaves its cohort": replace(OrderIndex, "_leave_cohort", lambda *_: None),
    "covered orders are not dumped": wrap(OrderIndex, "verify", _verify_without_dump),
    "a range covers later losses": replace(uncertainty, "covers", lambda *_: True),
}


@pytest.mark.parametrize("name", COHORT_MUTANTS)
def test_visiting_orders_one_by_one_reveals_cohort_mutants(name: str) -> None:
    with COHORT_MUTANTS[name](), pytest.raises((AssertionError, KeyError)):
        compare_seeds(compare_cohorts, 60)


def test_an_order_read_after_two_losses_has_the_time_of_the_first_and_the_epoch_of_the_last() -> None:
    orders = Orders()
    apply(
        orders, logged_on(), place(), report("new", "1;1", at=at(1)), cancel("c"), place("b"), SESSION_ENDED
    )
    first = orders.epoch
    apply(orders, place("d"), report("new", "1;7", "o7", "z", at=at(9)), LOST)
    open_, sent, later, other = orders
    assert (open_.knowledge.epoch, open_.knowledge.since) == (orders.epoch, at(1))
    assert (open_.knowledge.begin, open_.knowledge.floor) == (ExecKey(0, 1, 1), ExecKey(0, 1, 1))
    assert [(item.uncertain_since_epoch, item.since) for item in open_.pending] == [(first, at(1))]
    assert (sent.placed.uncertain_since_epoch, sent.knowledge.epoch, sent.state) == (  # type: ignore[union-attr]
        first,
        orders.epoch,
        OrderState.UNKNOWN,
    )
    assert (later.state, later.knowledge.since) == (OrderState.UNKNOWN, at(9))
    assert (other.knowledge.kind, other.knowledge.begin) == (KnowledgeKind.LOSS, ExecKey(0, 1, 7))


def test_a_report_between_two_losses_ends_the_first() -> None:
    orders = Orders()
    apply(orders, logged_on(), place(), report("new", "1;1"), SESSION_ENDED, report("new", "1;2", at=at(5)))
    assert only(orders).state is OrderState.OPEN
    apply(orders, LOST)
    assert only(orders).knowledge.since == at(5)


def test_a_loss_does_not_affect_an_order_that_has_ended() -> None:
    orders = Orders()
    apply(orders, logged_on(), place(), report("new", "1;1"))
    orders.resolve(only(orders), is_open=False)
    apply(orders, SESSION_ENDED, LOST)
    assert only(orders).knowledge.kind is KnowledgeKind.RESOLVED_DONE
    apply(orders, report("new", "1;2"))
    assert only(orders).state is OrderState.OPEN


def test_the_previous_state_in_an_update_reflects_an_earlier_loss() -> None:
    orders = Orders()
    apply(orders, logged_on(), place(), report("new", "1;1"), SESSION_ENDED)
    [update] = orders.apply(report("new", "1;2"))
    assert (update.before, update.state_changed) == (OrderState.UNVERIFIED, True)


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the number of an order is added each time the order applies losses."""
    found: list[int] = []
    record_losses = Order.record_losses

    def counted(order: Order, *losses: Any) -> None:
        found.append(order.number)
        record_losses(order, *losses)

    monkeypatch.setattr(Order, "record_losses", counted)
    return found


def open_orders(count: int) -> Orders:
    orders = Orders()
    apply(orders, logged_on())
    for number in range(count):
        apply(orders, place(f"c{number}"), report("new", f"1;{number + 1}", f"o{number}", f"c{number}"))
    return orders


def test_drop_copy_that_covers_all_orders_visits_none(visited: list[int]) -> None:
    orders = open_orders(50)
    apply(orders, place("s"), LOST)
    assert orders.by_order_id("o7").state is OrderState.UNVERIFIED  # type: ignore[union-attr]
    assert orders.drop_copy_start() == {0: ExecKey(0, 1, 50)}
    sent, update = orders.apply(DropCopyRange(0, ExecKey(0, 1, 50), orders.epoch))
    assert sent.order is orders.by_cl_ord_id("s")
    assert [item.number for item in update.verified] == list(range(1, 51))
    assert set(visited) <= {8, 51}
    assert {order.state for order in orders if order.number != 51} == {OrderState.OPEN}


@pytest.mark.parametrize("event", [SESSION_ENDED, LOST, MessageRejected(None, ())])
def test_a_loss_visits_no_order(event: object, visited: list[int]) -> None:
    orders = open_orders(50)
    apply(orders, event, event)
    assert visited == []
    assert orders.by_order_id("o7").state is OrderState.UNVERIFIED  # type: ignore[union-attr]
    assert visited == [8]
    assert len(list(orders.uncertain())) == 50
    assert sorted(visited) == list(range(1, 51))


def test_certain_orders_are_not_visited_to_find_the_uncertain_ones() -> None:
    orders = open_orders(50)
    assert list(orders._index.maybe_uncertain()) == []
    apply(orders, report("new", "1;60", "o7", "c7", cum="4"))
    assert [order.order_id for order in orders._index.maybe_uncertain()] == ["o7"]
    apply(orders, SESSION_ENDED, report("new", "1;61", "o9", "c9"))
    assert [item.about for item in orders.uncertain()].count("order c7") == 2
    maybe_uncertain = {order.order_id for order in orders._index.maybe_uncertain()}
    assert {order.order_id for order in orders} - maybe_uncertain == {"o9"}


def test_losses_are_released_with_the_orders_that_have_not_applied_them() -> None:
    orders = open_orders(3)
    for number in range(500):
        apply(orders, SESSION_ENDED, logged_on())
        if number % 100 == 0:
            assert orders.by_order_id("o1").state is OrderState.UNVERIFIED  # type: ignore[union-attr]
    gc.collect()
    marks = {order.mark for order in orders} | {orders._losses.mark}
    assert len(orders._losses._marks) == len(marks) == 3
    assert sum(isinstance(item, Mark) and item.epoch > 1 for item in gc.get_objects()) <= 3 + len(marks)


@pytest.mark.parametrize("reads", [[], ["dumped"], ["dumped", "lost"], ["lost"]])
def test_a_dump_before_orders_are_read_contains_the_losses(reads: list[str], visited: list[int]) -> None:
    orders, other, rows = open_orders(3), Orders(), dict[str, Any]()
    for name in ("before", "dumped", "lost"):
        rows.update(json.loads(json.dumps(dict(orders.dump()))))
        apply(orders, SESSION_ENDED if name == "dumped" else LOST)
        if name in reads:
            assert orders.by_order_id("o1").state is OrderState.UNVERIFIED  # type: ignore[union-attr]
    assert len(visited) == len(reads)
    rows.update(json.loads(json.dumps(dict(orders.dump()))))
    load(other, rows)
    assert knowledge(other) == knowledge(orders)
    found = [dump(item) for item in (other, orders)]
    for item in found:
        del item["orders"]["losses"]["marks"]  # losses of orders that have been read remain
    assert found[0] == found[1]


def test_a_dump_contains_only_the_rows_of_changed_orders() -> None:
    orders, rows = open_orders(50), dict[str, Any]()
    assert [key for key, _ in orders.dump()].count("orders") == 2
    apply(orders, SESSION_ENDED)
    assert list(dict(orders.dump())) == ["orders"]
    assert len(list(orders.uncertain())) == 50
    assert list(dict(orders.dump())) == ["orders"]
    apply(orders, report("canceled", "1;99", "o7", "c7"))
    assert list(dict(orders.dump())) == ["orders", "orders/7"]
    rows.update(orders.dump(full=True))
    assert len(rows) == 51


def test_rows_are_not_a_dump_until_the_last_one_is_stored() -> None:
    orders, rows = open_orders(3), dict[str, Any]()
    rows.update(orders.dump())
    apply(orders, report("canceled", "1;99", "o1", "c1"))
    for key, row in orders.dump():
        rows[key] = row
        if row is None or key != "orders":
            with pytest.raises(ValueError, match=r"the version of a dump of Orders must be \d, not None"):
                load(Orders(), rows)
    load(Orders(), rows)


def test_messages_may_be_applied_between_the_rows_of_a_dump() -> None:
    orders, rows, other = open_orders(9), dict[str, Any](), Orders()
    reports = [report("canceled", f"1;{90 + item}", f"o{item}", f"c{item}") for item in range(9)]
    for key, row in orders.dump():
        rows[key] = json.loads(json.dumps(row))
        if reports:
            apply(orders, reports.pop(), SESSION_ENDED)
    load(other, rows)
    assert knowledge(other) == knowledge(orders)
    assert views(other) == views(orders)


def test_the_rows_of_a_dump_are_bounded_by_the_orders_kept() -> None:
    orders, rows, other = Orders("KalshiRT", max_orders=3), dict[str, Any](), Orders("KalshiRT", max_orders=3)
    apply(orders, logged_on())
    for number in range(40):
        apply(orders, place(f"c{number}"), report("new", f"1;{2 * number + 1}", f"o{number}", f"c{number}"))
        if number % 5 == 4:
            orders.withdraw(place(f"c{number}"))
            apply(orders, request := place("w"))
            orders.withdraw(request)
        apply(orders, report("canceled", f"1;{2 * number + 2}", f"o{number}", f"c{number}"))
        rows.update(orders.dump())
        load(other, rows)
        assert views(other) == views(orders)
    assert len(rows) <= 5
    assert len(orders._index.changed) <= 4


def test_loading_a_dump_made_before_a_loss_applies_the_end_of_its_session() -> None:
    orders, other = open_orders(3), Orders()
    dumped = dump(orders)
    apply(orders, SESSION_ENDED)
    assert [update.lost_reports for update in load(other, dumped)] == [True]
    assert knowledge(other) == knowledge(orders)


def test_iteration_continues_while_the_connection_is_lost() -> None:
    orders = open_orders(3)
    apply(orders, report("canceled", "1;9", "o0", "c0"))
    seen = []
    for order in orders.live():
        seen.append(order.state)
        feed(orders, SESSION_ENDED)
    assert seen == [OrderState.OPEN, OrderState.UNVERIFIED]
    found = []
    for item in orders.uncertain():
        found.append(item.about)
        feed(orders, LOST, report("canceled", "1;11", "o2", "c2"))
    assert found == ["order c1"]
