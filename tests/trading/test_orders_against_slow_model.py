"""Orders against the slow model: reports are lost, duplicated, delayed and reordered, with a disconnect at
every message."""

from __future__ import annotations

import json
from decimal import DecimalException
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import ExecutionReport, ExecutionReportText
from kalshi_fix_sansio.trading import (
    Account,
    DropCopyRange,
    DropCopyReport,
    Order,
    Orders,
    OrderState,
    PendingRequest,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.orders import order as order_state
from kalshi_fix_sansio.trading.orders import order_index
from kalshi_fix_sansio.trading.orders import orders as machine
from kalshi_fix_sansio.trading.orders.answers import RequestSettler
from tests.simulation.mutants.patching import replace, wrap
from tests.trading.order_flow import (
    BUY,
    OTHER,
    SELL,
    SESSION_ENDED,
    SYMBOL,
    dump,
    feed,
    kinds,
    load,
    logged_on,
    place,
    report,
    views,
)
from tests.trading.order_histories import History, compare_seeds, is_answer, model, rows

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history_in_its_original_order_agrees_with_the_model(seed: int) -> None:
    history = History.generate(seed, 150)
    orders = Orders()
    for count, step in enumerate(history.steps):
        updates = feed(orders, step)
        assert kinds(updates) == []
        if count % 10 == 0:
            assert rows(orders) == model(history.steps[: count + 1])
    assert rows(orders) == model(history.steps)
    assert len(list(orders.live())) == sum(1 for order in history.orders if not order.final_status)
    assert not orders.uncertain()


@settings(max_examples=80)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 10_000))
def test_every_arrival_order_leads_to_the_same_state(seed: int, length: int, shuffle: int) -> None:
    compare_arrival_orders(seed, length, shuffle)


def compare_arrival_orders(seed: int, length: int, shuffle: int) -> None:
    random = Random(shuffle)
    steps = History.generate(seed, length).steps
    requests = [step for step in steps if not is_answer(step)]
    kept = [step for step in steps if is_answer(step) and random.random() < random.choice((0.5, 1))]
    kept += [step for step in kept if random.random() < 0.3]
    expected = model([*requests, *kept])
    seen = []
    for _ in range(3):
        random.shuffle(kept)
        orders = Orders()
        for step in [*requests, *kept]:
            updates = feed(orders, step)
            assert {kind.name for kind in kinds(updates)} <= {"UNKNOWN_REQUEST"}
        assert rows(orders) == expected
        seen.append(views(orders))
    assert seen[0] == seen[1] == seen[2]


def _keep_first_account(order: Order, account: Account | None, key: ExecKey) -> None:
    if account is not None and order.reported_account is None:
        order.reported_account = key, account


def _answer_all(
    settle: Any, answers: RequestSettler, order: Order, request: PendingRequest, is_copy: bool
) -> None:
    settle(answers, order, request, is_copy)
    for other in [item for item in order.pending if item.cl_ord_id == request.cl_ord_id]:
        answers._index.answer(order, other)


MUTANTS = {
    "the account of the first report": replace(machine, "_record_account", _keep_first_account),
    "an answer that settles all amends with its id": wrap(RequestSettler, "_settle_chain", _answer_all),
    "values in the caller's decimal context": replace(order_state, "multiply_add", lambda a, b, c: a * b + c),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_is_detected_in_some_arrival_order(name: str) -> None:
    with MUTANTS[name](), pytest.raises((AssertionError, DecimalException)):
        compare_seeds(compare_arrival_orders, 20)


@settings(max_examples=80)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 10_000))
def test_queries_by_symbol_and_side_equal_a_scan_of_all_orders(seed: int, length: int, shuffle: int) -> None:
    compare_with_a_scan(seed, length, shuffle)


def compare_with_a_scan(seed: int, length: int, shuffle: int) -> None:
    """Query after each message. The history contains lost reports, dropped and withdrawn orders, disconnects,
    loaded dumps, and orders that are resolved as done and then reported as open."""
    random = Random(shuffle)
    orders = Orders(max_orders=random.choice((3, 1000)))
    for step in History.generate(seed, length).steps:
        if not is_answer(step) or random.random() < 0.8:
            feed(orders, step)
        match random.randrange(10):
            case 0:
                feed(orders, SESSION_ENDED)
            case 1 if not is_answer(step):
                orders.withdraw(step)
            case 2:
                load(orders, dump(orders))
            case 3 | 4 if len(orders):
                orders.resolve(random.choice(list(orders)), is_open=random.random() < 0.3)
        live = {order.number for order in orders if not order.is_done}
        indexed = [item for sides in orders._index.live.values() for item in sides.values()]
        assert {number for item in indexed for number in item} == live
        assert orders._index.own == {order.number for order in orders if order.placed} & live
        for symbol in (None, SYMBOL, OTHER, "absent"):
            for side in (None, BUY, SELL):
                scan = [
                    order
                    for order in sorted(orders, key=lambda value: value.number)
                    if not order.is_done and symbol in (None, order.symbol) and side in (None, order.side)
                ]
                assert list(orders.live(symbol, side)) == scan
                working = [item for item in scan if item.state in (OrderState.OPEN, OrderState.UNVERIFIED)]
                assert list(orders.working(symbol, side)) == working


def _unindex_all_of_symbol(index: order_index.OrderIndex, order: Order) -> None:
    index.live.pop(order.symbol, None)


INDEX_MUTANTS = {
    "ended orders stay in the index": replace(order_index.OrderIndex, "_unindex_live", lambda *_: None),
    "all orders of the symbol are removed": replace(
        order_index.OrderIndex, "_unindex_live", _unindex_all_of_symbol
    ),
    "revived orders are added at the end": replace(
        order_index, "sorted", lambda found, key=None: list(found)
    ),
}


@pytest.mark.parametrize("name", INDEX_MUTANTS)
def test_a_scan_reveals_faults_in_the_index(name: str) -> None:
    compare_seeds(compare_with_a_scan, 20)
    with INDEX_MUTANTS[name](), pytest.raises(AssertionError):
        compare_seeds(compare_with_a_scan, 20)


def test_a_query_for_one_symbol_does_not_visit_the_others() -> None:
    class Unvisited(dict[str, Any]):
        values = items = keys = __iter__ = None  # type: ignore[assignment]

    orders = Orders()
    feed(orders, place("a"), place("b", side=SELL), place("c", symbol=OTHER))
    first, second, _ = orders
    orders._index.live = Unvisited(orders._index.live)
    assert list(orders.live(SYMBOL)) == [first, second]
    assert list(orders.live(SYMBOL, SELL)) == [second]
    assert not orders.working(OTHER)


def answers(number: int, kind: str) -> list[ExecutionReport]:
    """Return possible answers to the order with this number; all orders are sent with the same ClOrdID."""
    key, order_id = f"1;{number + 1}", f"o{number}"
    new = report("new", key, order_id)
    unkeyed = {"order_id": order_id, "number": 20 + number}
    match kind:
        case "new":
            return [new]
        case "pending":
            return [report("pending new", "-1;-1", order_id), new]
        case "rejected":
            return [report("rejected", key, order_id)]
        case "rejected without a key":
            return [report("rejected", "-1;-1", **unkeyed)]  # type: ignore[arg-type]
        case "unsure":
            unsure = ExecutionReportText.EXCHANGE_UNAVAILABLE
            return [report("rejected", "-1;-1", text=unsure, **unkeyed)]  # type: ignore[arg-type]
        case "done":
            return [report("ioc", key, order_id, cum="10", last=("10", "0.40"))]
    return []


KINDS = ["new", "pending", "rejected", "rejected without a key", "unsure", "done", "nothing"]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), st.integers(0, 10_000))
def test_orders_sent_with_one_clordid_reach_the_same_state_in_every_arrival_order(
    outcomes: list[str], shuffle: int
) -> None:
    random = Random(shuffle)
    updates = [answer for number, kind in enumerate(outcomes) for answer in answers(number, kind)]
    found = []
    for _ in range(4):
        random.shuffle(updates)
        orders = Orders()
        feed(orders, *(place(qty=str(10 + number)) for number in range(len(outcomes))), *updates)
        found.append(
            sorted(
                (str(order.order_id), order.state.name, order.filled_qty, order.placed.quantity)
                for order in orders
                if order.placed is not None
            )
        )
        # The number of unknown orders is correct, and no sent order has a wrong outcome.
        states = [order.state for order in orders]
        assert states.count(OrderState.OPEN) == outcomes.count("new") + outcomes.count("pending")
        assert states.count(OrderState.UNKNOWN) == outcomes.count("unsure")
        assert states.count(OrderState.SENT) == outcomes.count("nothing")
    assert found == found[:1] * 4


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 10_000))
def test_copies_among_live_reports_do_not_change_the_result(seed: int, length: int, shuffle: int) -> None:
    random = Random(shuffle)
    steps = History.generate(seed, length).steps
    orders = Orders()
    for count, step in enumerate(steps):
        feed(orders, step)
        copies = [item for item in steps[: count + 1] if isinstance(item, ExecutionReport)]
        while copies and random.random() < 0.5:
            copy = random.choice(copies)
            if copy.ord_status != "8" and copy.exec_id != "-1;-1":
                feed(orders, DropCopyReport(copy))
    assert rows(orders) == model(steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disconnect_at_any_message_never_leads_to_a_false_state(seed: int) -> None:
    random = Random(seed)
    steps: list[Any] = list(History.generate(seed, 40).steps)
    final = {row["order_id"]: row for row in model(steps)}
    for cut in range(2, len(steps) + 1):
        orders = Orders()
        feed(orders, logged_on(), *steps[:cut], SESSION_ENDED)
        uncertain = {item.order.number for item in orders.uncertain() if item.order}
        for order in orders:
            assert order.is_done or order.number in uncertain
            assert order.state not in (OrderState.OPEN, OrderState.SENT)
            if order.is_done:  # No later report may change an order that is done.
                assert order.ending is not None
                assert final[order.order_id]["ending"] == order.ending.name
                assert order.filled_qty == final[order.order_id]["filled_qty"]
        begin, epoch = orders.drop_copy_start(), orders.epoch
        withheld = [step for step in steps[cut:] if is_answer(step)]
        for message in withheld:
            names = [message.cl_ord_id, getattr(message, "orig_cl_ord_id", None) or ""]
            order_id = getattr(message, "order_id", "")
            found = orders.by_order_id(order_id) or next(filter(None, map(orders.by_cl_ord_id, names)), None)
            assert found is None or found.is_done or found.number in uncertain
        # Lost reports are requested from drop copy, which contains neither rejected orders nor refused
        # requests.
        sent = {step.cl_ord_id for step in steps[:cut] if not is_answer(step)}
        placements = [step for step in steps if not is_answer(step) and step.MSG_TYPE == "D"]
        unsent = {step.cl_ord_id for step in placements} - sent
        copies = [
            step
            for step in steps
            if isinstance(step, ExecutionReport)
            and (key := ExecKey.parse(step.exec_id)) is not None
            and step.ord_status != "8"
            and key.shard in begin
            and key >= begin[key.shard]
            and step.order_id[1:] not in unsent
        ]
        random.shuffle(copies)
        for copy in copies:
            feed(orders, DropCopyReport(copy))
        for shard, key in begin.items():
            feed(orders, DropCopyRange(shard, key, epoch))
        assert not orders.uncertain()
        for order in orders:
            if order.order_id is not None and order.order_id in final and not order.is_done:
                assert order.state is OrderState.OPEN
                assert final[order.order_id]["state"] == "OPEN"
            if order.order_id in final:
                assert order.filled_qty == final[order.order_id]["filled_qty"]


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 30), st.data())
def test_a_loaded_dump_continues_from_the_same_state(seed: int, length: int, data: st.DataObject) -> None:
    steps = History.generate(seed, length).steps
    cut = data.draw(st.integers(0, len(steps)))
    orders, other = Orders("KalshiRT"), Orders("KalshiRT")
    feed(orders, *steps[:cut])
    text = json.dumps(dump(orders))
    assert load(other, json.loads(text)) == []
    assert views(other) == views(orders)
    assert json.dumps(dump(other)) == text
    feed(orders, *steps[cut:])
    feed(other, *steps[cut:])
    assert views(other) == views(orders)
    assert rows(other) == model(steps)
    assert json.dumps(dump(other)) == json.dumps(dump(orders))
