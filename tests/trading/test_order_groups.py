"""Order groups as requests, answers, fills and cuts leave them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    ExecutionReport,
    ExecutionReportText,
    NewOrderSingle,
    OrderGroupRequest,
    OrderGroupResponse,
)
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown, RejectReceived
from kalshi_fix_sansio.outcomes import OpenRequest, Uncertainty
from kalshi_fix_sansio.trading import GroupDiscrepancyKind, GroupState, GroupUpdate, OrderGroup, OrderGroups
from kalshi_fix_sansio.trading.order_groups import WINDOW
from kalshi_fix_sansio.trading.received import MAX_ID_SIZE
from tests.helpers import CODEC, raw
from tests.trading.order_flow import NOON, at, d, over_the_wire, place
from tests.trading.order_flow import report as reported

G, H = "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11", "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c12"
Kind = GroupDiscrepancyKind
LONG = "n" * (MAX_ID_SIZE + 1)


def state(group: OrderGroup) -> GroupState:
    """Its state now: a type checker does not know that it changes between two looks."""
    return group.state


def response(group_id: str = G, limit: int | None = None, *, seconds: float = 0, account: int = 0) -> Message:
    return over_the_wire(
        OrderGroupResponse(order_group_id=group_id, order_group_contracts_limit=limit, alloc_account=account),
        at=at(seconds),
    )


def order(cl_ord_id: str, group_id: str | None = G) -> NewOrderSingle:
    return place(cl_ord_id, secondary_cl_ord_id=group_id)


def report(cl_ord_id: str, exec_id: str, kind: str = "new", **more: Any) -> ExecutionReport:
    return reported(kind, exec_id, more.pop("order_id", f"order-{cl_ord_id}"), cl_ord_id, **more)


def fill(cl_ord_id: str, exec_id: str, quantity: str, seconds: float, **more: Any) -> ExecutionReport:
    values: dict[str, Any] = {"last": (quantity, "0.5"), "transact_time": at(seconds)}
    return report(cl_ord_id, exec_id, "trade", **(values | more))


def cancel(cl_ord_id: str, seconds: float) -> ExecutionReport:
    why = ExecutionReportText.ORDER_GROUP_CANCEL
    return report(cl_ord_id, "9;9", "canceled", text=why, transact_time=at(seconds))


def unknown(request: OrderGroupRequest) -> OutcomesUnknown:
    open_request = OpenRequest("7", request.MSG_TYPE, 7, NOON, b"", 1)
    return OutcomesUnknown((open_request,), Uncertainty.CONNECTION_ENDED)


def told(groups: OrderGroups, happened: object) -> GroupUpdate:
    """The update that something makes."""
    update = groups.apply(happened)
    assert update is not None
    return update


def create(groups: OrderGroups, group_id: str = G, limit: int = 10, **more: Any) -> OrderGroup:
    groups.apply(OrderGroupRequest.create(limit, **more))
    update = told(groups, response(group_id, limit, account=more.get("alloc_account", 0)))
    assert update.group is not None
    assert not update.discrepancies
    return update.group


def ask(
    groups: OrderGroups, request: OrderGroupRequest, limit: int | None = None, seconds: float = 0
) -> None:
    assert groups.apply(request) is None
    update = told(groups, response(request.order_group_id or "", limit, seconds=seconds))
    assert (update.request, update.discrepancies) == (request, [])


def kinds(groups: OrderGroups, happened: object) -> list[Kind]:
    return [each.kind for each in told(groups, happened).discrepancies]


@pytest.fixture
def groups() -> OrderGroups:
    return OrderGroups()


# Requests and answers


def test_the_answer_to_a_create_names_the_group(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(25, alloc_account=3)
    groups.apply(request)
    assert (groups.in_flight, len(groups)) == (request, 0)
    event = MessageReceived(response(G, 25, account=3), False, False, b"")
    update = told(groups, event)
    assert (update.group, update.request, groups.in_flight) == (groups[G], request, None)
    group = groups[G]
    assert (group.limit, group.alloc_account, group.state, group.orphan) == (25, 3, GroupState.ACTIVE, False)
    assert list(groups) == [G]


def test_while_a_request_has_no_answer_no_other_is_taken(groups: OrderGroups) -> None:
    group = create(groups)
    first = OrderGroupRequest.trigger(G)
    groups.apply(first)
    with pytest.raises(LocalProtocolError, match="no answer yet"):
        groups.apply(OrderGroupRequest.delete(G))
    assert groups.in_flight is first
    groups.apply(response(G))
    assert state(group) is GroupState.TRIGGERED


def test_each_action_does_what_it_says(groups: OrderGroups) -> None:
    group = create(groups)
    ask(groups, OrderGroupRequest.update(G, order_group_contracts_limit=40), 40)
    assert (group.limit, state(group)) == (40, GroupState.ACTIVE)
    ask(groups, OrderGroupRequest.trigger(G))
    assert (state(group), groups.room(G, NOON)) == (GroupState.TRIGGERED, d(0))
    ask(groups, OrderGroupRequest.reset(G))
    assert (state(group), groups.room(G, NOON)) == (GroupState.ACTIVE, d(40))
    ask(groups, OrderGroupRequest.delete(G))
    assert G not in groups


def test_a_request_that_send_refused_is_taken_back(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(10)
    groups.apply(request)
    groups.withdraw(OrderGroupRequest.create(10))  # another one
    assert groups.in_flight is request
    groups.withdraw(request)
    assert groups.in_flight is None


def test_a_refused_request_changes_nothing(groups: OrderGroups) -> None:
    group = create(groups)
    request = OrderGroupRequest.trigger(G)
    groups.apply(request)
    reject = BusinessMessageReject(
        ref_seq_num=2, ref_msg_type="UOG", business_reject_reason=BusinessRejectReason.OTHER
    )
    assert groups.apply(RejectReceived(reject, 1, order("a"))) is None
    update = told(groups, RejectReceived(reject, 2, request))
    assert (update.group, update.request) == (group, request)
    assert groups.in_flight is None
    assert state(group) is GroupState.ACTIVE


def test_a_limit_that_is_not_the_one_asked_for_is_told_and_holds(groups: OrderGroups) -> None:
    groups.apply(OrderGroupRequest.create(25))
    [found] = told(groups, response(G, 20)).discrepancies
    assert (found.kind, groups[G].limit) == (Kind.OTHER_LIMIT, 20)
    assert str(found) == f"order group {G}: {Kind.OTHER_LIMIT.value}: 20 and not 25"


def test_without_a_limit_in_the_answer_the_one_asked_for_holds_of_a_group_that_had_none(
    groups: OrderGroups,
) -> None:
    groups.apply(response(G))
    ask(groups, OrderGroupRequest.update(G, order_group_contracts_limit=7))
    assert groups[G].limit == 7
    ask(groups, OrderGroupRequest.update(G, order_group_contracts_limit=9))
    assert groups[G].limit == 7  # which the venue did not say


# What is not known


def test_a_create_of_unknown_outcome_may_have_made_a_group(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(10)
    groups.apply(request)
    update = told(groups, unknown(request))
    assert (update.group, update.request) == (None, request)
    assert (groups.lost_creates, groups.in_flight, len(groups)) == (1, None, 0)
    # Its answer after all.
    assert kinds(groups, response(G, 10)) == [Kind.ORPHAN]
    assert (groups.lost_creates, groups[G].orphan, groups[G].state) == (0, True, GroupState.UNKNOWN)


@pytest.mark.parametrize("action", ["trigger", "reset", "delete"])
def test_a_group_is_unknown_after_a_request_without_an_outcome(groups: OrderGroups, action: str) -> None:
    group = create(groups)
    request = getattr(OrderGroupRequest, action)(G)
    groups.apply(request)
    groups.apply(unknown(request))
    assert (group.state, groups.room(G, NOON)) == (GroupState.UNKNOWN, None)
    # Time does not tell, nor does an answer that names no request.
    groups.apply(response(G))
    assert groups.room(G, at(3600)) is None
    ask(groups, OrderGroupRequest.reset(G))
    assert groups.room(G, at(3600)) == 10


def test_an_unknown_outcome_about_a_group_that_is_not_kept_is_told(groups: OrderGroups) -> None:
    request = OrderGroupRequest.trigger(G)
    groups.apply(request)
    update = told(groups, unknown(request))
    assert (update.group, update.request) == (None, request)
    assert (len(groups), groups.lost_creates) == (0, 0)


def test_other_uncertain_requests_do_not_concern_it(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(10)
    assert groups.apply(unknown(request)) is None
    groups.apply(request)
    other = OutcomesUnknown((OpenRequest("a", "D", 7, NOON, b"", 1),), Uncertainty.RESTARTED)
    assert groups.apply(other) is None
    assert groups.in_flight is request


def test_what_another_source_says_is_learnt(groups: OrderGroups) -> None:
    groups.learn(G, limit=12, triggered=True)
    assert groups[G].state is GroupState.TRIGGERED
    group = groups.learn(G, limit=12)
    assert (state(group), groups.room(G, NOON)) == (GroupState.ACTIVE, d(12))
    groups.forget(G)
    groups.forget(G)
    assert len(groups) == 0


def test_a_response_to_nothing_is_an_orphan(groups: OrderGroups) -> None:
    assert kinds(groups, response(G, 10)) == [Kind.ORPHAN]
    assert kinds(groups, response(G, 12)) == []
    assert (groups[G].limit, groups.lost_creates) == (12, 0)


def test_a_response_about_another_group_is_not_the_answer(groups: OrderGroups) -> None:
    create(groups)
    request = OrderGroupRequest.trigger(G)
    groups.apply(request)
    assert kinds(groups, response(H)) == [Kind.ORPHAN]
    assert groups.in_flight is request


def test_the_answer_about_a_group_that_was_not_known_tells_of_it(groups: OrderGroups) -> None:
    ask(groups, OrderGroupRequest.trigger(G))
    assert (groups[G].state, groups[G].orphan) == (GroupState.TRIGGERED, True)
    ask(groups, OrderGroupRequest.update(H, order_group_contracts_limit=9), 9)
    assert (groups[H].state, groups[H].limit) == (GroupState.UNKNOWN, 9)
    ask(groups, OrderGroupRequest.delete(H))
    assert list(groups) == [G]


def test_a_response_that_cannot_be_read_is_told(groups: OrderGroups) -> None:
    groups.apply(OrderGroupRequest.create(10))
    assert kinds(groups, CODEC.decode(raw("35=UOH|34=2|"))) == [Kind.TOO_MANY]
    assert len(groups) == 0
    groups = OrderGroups()
    assert kinds(groups, response(LONG)) == [Kind.TOO_MANY]


# What fills


def test_room_is_the_limit_less_what_filled_within_the_window(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(report("a", "1;1"))
    update = told(groups, fill("a", "2;1", "2.5", 1))
    assert update.group is groups[G]
    groups.apply(fill("a", "3;1", "3", 4))
    assert groups.room(G, at(4)) == d("4.5")
    just_before, exactly = at(1) + WINDOW - timedelta(microseconds=1), at(1) + WINDOW
    assert groups.room(G, just_before) == d("4.5")
    assert groups.room(G, exactly) == d("7")
    assert groups.room(G, at(4) + WINDOW) == 10


def test_a_fill_counts_once_whatever_comes_again(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    assert groups.apply(fill("a", "2;1", "3", 1)) is not None
    assert groups.apply(fill("a", "2;1", "3", 1)) is None
    groups.room(G, at(60))
    groups.apply(fill("a", "2;1", "3", 1))
    assert groups.room(G, at(60)) == 10


def test_more_than_the_limit_leaves_no_room(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(fill("a", "2;1", "30", 1))
    assert groups.room(G, at(2)) == 0


def test_an_order_stays_in_its_group_when_it_is_replaced(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(report("a", "1;1"))
    groups.apply(fill("b", "2;1", "3", 1, order_id="order-a", orig_cl_ord_id="a"))
    assert groups.room(G, at(1)) == 7


def test_orders_of_no_group_or_of_one_that_is_gone_do_not_count(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a", None))
    groups.apply(order("b", H))
    assert groups.apply(fill("a", "2;1", "3", 1)) is None
    assert groups.apply(fill("b", "2;2", "3", 1)) is None
    assert groups.room(G, at(1)) == 10


def test_an_order_that_was_not_sent_is_forgotten(groups: OrderGroups) -> None:
    create(groups)
    withdrawn = order("a")
    groups.apply(withdrawn)
    groups.withdraw(withdrawn)
    assert groups.apply(fill("a", "2;1", "3", 1)) is None


def test_a_reset_forgets_what_filled_before_it_however_late_it_is_told(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(fill("a", "2;1", "3", 1))
    ask(groups, OrderGroupRequest.reset(G), seconds=5)
    groups.apply(fill("a", "2;2", "4", 5))
    groups.apply(fill("a", "2;3", "1", 6))
    assert groups.room(G, at(6)) == 9


@pytest.mark.parametrize(
    "more",
    [
        {"last_qty": None},
        {"last_qty": d(0)},
        {"exec_id": LONG},
        {"transact_time": None, "header": None},
    ],
)
def test_a_fill_that_cannot_be_read_leaves_more_room_than_there_is(
    groups: OrderGroups, more: dict[str, Any]
) -> None:
    create(groups)
    groups.apply(order("a"))
    unreadable = fill("a", "2;1", "3", 1)
    for name, value in more.items():
        setattr(unreadable, name, value)
    assert groups.apply(unreadable) is None
    assert groups.room(G, at(1)) == 10


def test_a_fill_without_a_time_of_its_own_happened_when_it_was_told(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(fill("a", "2;1", "3", 1, transact_time=None, at=at(2)))
    assert (groups.room(G, at(2)), groups.room(G, at(2) + WINDOW)) == (d(7), d(10))


def test_cancels_show_that_a_group_has_triggered(groups: OrderGroups) -> None:
    group = create(groups)
    groups.apply(order("a"))
    update = told(groups, cancel("a", 3))
    assert (update.group, group.state) == (group, GroupState.TRIGGERED)
    assert groups.apply(cancel("a", 3)) is None


def test_cancels_of_before_a_reset_show_nothing(groups: OrderGroups) -> None:
    group = create(groups)
    groups.apply(order("a"))
    ask(groups, OrderGroupRequest.reset(G), seconds=5)
    groups.apply(cancel("a", 3))
    assert state(group) is GroupState.ACTIVE
    groups.apply(report("a", "1;1"))
    groups.apply(cancel("a", 6))
    assert state(group) is GroupState.TRIGGERED


def test_cancels_by_a_deletion_are_no_trigger(groups: OrderGroups) -> None:
    group = create(groups)
    groups.apply(order("a"))
    groups.apply(OrderGroupRequest.delete(G))
    groups.apply(cancel("a", 3))
    assert state(group) is GroupState.ACTIVE


def test_what_does_not_concern_groups_does_nothing(groups: OrderGroups) -> None:
    assert groups.apply(object()) is None
    assert groups.apply(report("a", "1;1")) is None
    with pytest.raises(KeyError):
        groups.room(G, NOON)


# Bounds


def test_groups_are_bounded() -> None:
    groups = OrderGroups(max_groups=1)
    create(groups)
    with pytest.raises(LocalProtocolError, match="max_groups"):
        groups.apply(OrderGroupRequest.create(10))
    with pytest.raises(LocalProtocolError, match="max_groups"):
        groups.learn(H, limit=10)
    assert groups.in_flight is None
    assert kinds(groups, response(H)) == [Kind.TOO_MANY]
    assert list(groups) == [G]


def test_the_orders_remembered_are_bounded() -> None:
    groups = OrderGroups(max_orders=2)
    create(groups)
    for name in "abc":
        groups.apply(order(name))
    for number, name in enumerate("abc"):
        groups.apply(fill(name, f"2;{number}", "1", 1))
    assert groups.room(G, at(1)) == 8
    groups.apply(order("d"))
    groups.apply(fill("d", "3;1", "1", 1))
    groups.apply(fill("b", "3;2", "1", 1))
    assert groups.room(G, at(1)) == 7


def test_an_endless_order_id_is_not_kept(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(fill("a", "2;1", "3", 1, order_id=LONG))
    assert groups.apply(fill("b", "2;2", "3", 1, order_id=LONG)) is None
    assert groups.room(G, at(1)) == 7
    assert LONG not in json.dumps(groups.dump())


def test_the_fills_remembered_are_bounded_and_leave_more_room() -> None:
    groups = OrderGroups(max_fills=3)
    create(groups)
    groups.apply(order("a"))
    for number in range(6):
        groups.apply(fill("a", f"2;{number}", "1", number))
    assert groups.room(G, at(6)) == 7


# What the user keeps


def test_what_was_dumped_is_known_again_and_goes_on(groups: OrderGroups) -> None:
    create(groups)
    create(groups, H)
    groups.apply(order("a"))
    groups.apply(order("b", H))
    groups.apply(fill("a", "2;1", "2.50", 6))
    ask(groups, OrderGroupRequest.reset(H), seconds=5)
    again = OrderGroups()
    again.load(json.loads(json.dumps(groups.dump())))
    assert again.dump() == groups.dump()
    for each in (groups, again):
        each.apply(fill("a", "2;1", "2.50", 6))
        each.apply(fill("b", "2;2", "1", 4))
        assert (each.room(G, at(6)), each.room(H, at(6))) == (d("7.5"), d(10))


def test_a_request_in_flight_is_unknown_once_loaded(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(OrderGroupRequest.delete(G))
    again = OrderGroups()
    again.load(groups.dump())
    assert (again[G].state, again.in_flight) == (GroupState.UNKNOWN, None)
    groups.apply(response(G))
    groups.apply(OrderGroupRequest.create(5))
    again.load(groups.dump())
    assert (len(again), again.lost_creates) == (0, 1)


@pytest.mark.parametrize("dumped", [{}, {"version": 2}, {"version": 1}, {"version": 1, "groups": [{}]}])
def test_what_dump_did_not_give_is_refused_and_changes_nothing(
    groups: OrderGroups, dumped: dict[str, Any]
) -> None:
    create(groups)
    with pytest.raises(ValueError, match=r"version|not given by OrderGroups\.dump"):
        groups.load(dumped)
    assert list(groups) == [G]


# Against a slow model


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), min_size=1, max_size=12),
    st.data(),
)
def test_room_is_as_a_slow_model_has_it_whatever_comes_late_or_again(
    fills: list[tuple[int, int]], data: st.DataObject
) -> None:
    groups = OrderGroups()
    create(groups, limit=1000)
    groups.apply(order("a"))
    groups.apply(report("a", "1;1"))
    reports = [fill("a", f"{number};1", str(quantity), time) for number, (time, quantity) in enumerate(fills)]
    for each in data.draw(st.permutations(reports + reports)):
        groups.apply(each)
    now = data.draw(st.integers(max(time for time, _ in fills), 60))
    counted = sum(quantity for time, quantity in fills if at(time) + WINDOW > at(now))
    assert groups.room(G, at(now)) == 1000 - counted
