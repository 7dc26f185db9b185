"""`Knowledge` about an order: the table of transitions in the docs agrees with the implementation."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from kalshi_fix_sansio import ExecutionReportText, OrdStatus
from kalshi_fix_sansio.events import MessagesLost
from kalshi_fix_sansio.trading import DropCopyRange, ExecKey, Orders, OrderState
from kalshi_fix_sansio.trading.orders.knowledge import CLEAR, RESOLUTIONS, Knowledge, KnowledgeKind
from tests.trading.order_flow import (
    NOON,
    SESSION_ENDED,
    at,
    cancel,
    feed,
    logged_on,
    only,
    place,
    refusal,
    report,
)

K4, K5, K6 = ExecKey(0, 1, 4), ExecKey(0, 1, 5), ExecKey(0, 1, 6)
KINDS = list(KnowledgeKind)
PAGE = Path(__file__).parents[2] / "docs" / "orders.md"


def table() -> list[list[str]]:
    """Return the rows of the table: the kind before, then the kind after each event."""
    [*_, text] = PAGE.read_text(encoding="utf-8").split("| `kind` | reports may be missing |")
    rows = text.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def refuse_cancel_of_ended_order(orders: Orders) -> None:
    feed(orders, cancel("c"), refusal("c", "NONE", status=OrdStatus.REJECTED, number=orders.epoch + 10))


SETUPS: dict[str, Callable[[Orders], object]] = {
    "CLEAR": lambda orders: None,
    "LOSS": lambda orders: feed(orders, MessagesLost(1, 2)),
    "NOT_AT_VENUE": refuse_cancel_of_ended_order,
    "RESOLVED_OPEN": lambda orders: orders.resolve(only(orders), is_open=True),
    "RESOLVED_DONE": lambda orders: orders.resolve(only(orders), is_open=False),
}
"""By kind, a function after which the knowledge about the only order has this kind."""
UNAVAILABLE_REPORT = report("rejected", "-1;-1", text=ExecutionReportText.EXCHANGE_UNAVAILABLE, number=9)
EVENTS: list[list[Callable[[Orders], object]]] = [
    [lambda orders: feed(orders, MessagesLost(3, 4))],
    [lambda orders: feed(orders, UNAVAILABLE_REPORT)],
    [refuse_cancel_of_ended_order],
    [
        lambda orders: feed(orders, report("new", "1;6")),
        lambda orders: feed(orders, report("new", "1;5")),
    ],
    [
        lambda orders: feed(orders, DropCopyRange(0, K4, orders.epoch)),
        lambda orders: feed(orders, DropCopyRange(0, K4, orders.epoch - 1)),
        lambda orders: feed(orders, DropCopyRange(0, K6, orders.epoch)),
    ],
    [
        lambda orders: orders.resolve(only(orders), is_open=True),
        lambda orders: orders.resolve(only(orders), is_open=False),
    ],
]
"""The events in the table's columns, with all their variants."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("column", range(len(EVENTS)))
def test_every_transition_is_in_the_docs(kind: KnowledgeKind, column: int) -> None:
    [row] = [row for row in table() if row[0] == f"`{kind.name}`"]
    after = []
    for event in EVENTS[column]:
        orders = Orders()
        feed(orders, logged_on(), place())
        if event is not EVENTS[1][0]:  # Only an order without a report waits for an answer.
            feed(orders, report("new", "1;5"))
        SETUPS[kind.name](orders)
        assert only(orders).knowledge.kind is kind
        event(orders)
        after.append(only(orders).knowledge.kind.name)
        # `state` and `ending` implement the rule about ended orders independently.
        assert (only(orders).state is OrderState.DONE) is only(orders).is_done
    assert set(re.findall("`([A-Z_]+)`", row[column + 1])) == set(after)


def test_the_docs_have_a_row_for_each_kind_and_a_column_for_each_event() -> None:
    assert [row[0] for row in table()] == [f"`{kind.name}`" for kind in KINDS]
    assert {len(row) for row in table()} == {len(EVENTS) + 1}


LOST = Knowledge(KnowledgeKind.LOSS, 2, NOON, K5, K5, cancel_expected=True)
LOST_WITHOUT_REPORT = Knowledge(KnowledgeKind.LOSS, 2)
LATER_TIME = at(5)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (CLEAR.record_loss(2, NOON, K5, K4), Knowledge(KnowledgeKind.LOSS, 2, NOON, K5, K4)),
        (LOST.record_loss(3, LATER_TIME, K6, K6), attrs.evolve(LOST, epoch=3, floor=K6)),
        (CLEAR.leave_unanswered(2, NOON), Knowledge(KnowledgeKind.LOSS, 2, NOON)),
        (
            LOST.leave_unanswered(3, LATER_TIME),
            Knowledge(KnowledgeKind.LOSS, 3, NOON, cancel_expected=True),
        ),
        (LOST_WITHOUT_REPORT.leave_unanswered(3, LATER_TIME), Knowledge(KnowledgeKind.LOSS, 3, LATER_TIME)),
        (CLEAR.record_absence(2, NOON, K5), Knowledge(KnowledgeKind.NOT_AT_VENUE, 2, NOON, K5)),
        (
            LOST.record_absence(3, LATER_TIME, K6),
            attrs.evolve(LOST, kind=KnowledgeKind.NOT_AT_VENUE, epoch=3),
        ),
        (
            LOST_WITHOUT_REPORT.record_absence(3, LATER_TIME, K6),
            Knowledge(KnowledgeKind.NOT_AT_VENUE, 3, LATER_TIME, K6),
        ),
        (RESOLUTIONS[True].record_absence(2, NOON, K5), Knowledge(KnowledgeKind.NOT_AT_VENUE, 2, NOON, K5)),
        (LOST_WITHOUT_REPORT.record_coverage(2, K4, K4), CLEAR),
        (LOST_WITHOUT_REPORT.record_coverage(2, K4, None), LOST_WITHOUT_REPORT),
        (LOST_WITHOUT_REPORT.record_coverage(2, K4, ExecKey(1, 1, 9)), LOST_WITHOUT_REPORT),
        (LOST.record_coverage(2, K5, K5), CLEAR),
        (LOST.expect_cancel(), LOST),
        (LOST_WITHOUT_REPORT.expect_cancel(), attrs.evolve(LOST_WITHOUT_REPORT, cancel_expected=True)),
        (CLEAR.expect_cancel(), CLEAR),
    ],
)
def test_an_event_leads_to_the_expected_knowledge(found: Knowledge, expected: Knowledge) -> None:
    assert found == expected


def test_a_cancel_is_no_longer_expected_once_the_uncertainty_has_ended() -> None:
    orders = Orders()
    feed(orders, logged_on(cancel_orders_on_disconnect=True), place(), report("new", "1;5"), SESSION_ENDED)
    assert only(orders).cancel_expected
    feed(orders, logged_on(cancel_orders_on_disconnect=True), report("new", "1;6"))
    refuse_cancel_of_ended_order(orders)
    assert (only(orders).state, only(orders).cancel_expected) == (OrderState.UNVERIFIED, False)
    [uncertain] = [item for item in orders.uncertain() if item.order is only(orders)]
    assert uncertain.begin == K6
