"""Order groups after requests, answers, fills and disconnects."""

from __future__ import annotations

from datetime import datetime, timedelta
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
from kalshi_fix_sansio.clock import BEGINNING, END
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    MessagesLost,
    OpenRequest,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    Uncertainty,
)
from kalshi_fix_sansio.trading import GroupDiscrepancyKind, GroupState, GroupUpdate, OrderGroup, OrderGroups
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from kalshi_fix_sansio.trading.common.uncertain_items import Remedy
from kalshi_fix_sansio.trading.groups.order_group import MAX_LIMITS, WINDOW
from kalshi_fix_sansio.trading.orders.uncertain_orders import DropCopyReport
from tests.helpers import CODEC, raw
from tests.trading.histories.history import load, steps
from tests.trading.order_flow import (
    NOON,
    SESSION_ENDED,
    at,
    d,
    dump,
    header,
    logged_on,
    over_the_wire,
    place,
    reloaded,
)
from tests.trading.order_flow import report as reported

G, H = "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11", "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c12"
Kind = GroupDiscrepancyKind
LONG_ID = "n" * (MAX_ID_SIZE + 1)


def state(group: OrderGroup) -> GroupState:
    """Return the current state. (A type checker does not expect an attribute to change between reads.)"""
    return group.state


def response(group_id: str = G, limit: int | None = None, *, seconds: float = 0, account: int = 0) -> Message:
    return over_the_wire(
        OrderGroupResponse(order_group_id=group_id, order_group_contracts_limit=limit, alloc_account=account),
        at=at(seconds),
    )


def order(cl_ord_id: str, group_id: str | None = G) -> NewOrderSingle:
    return place(cl_ord_id, secondary_cl_ord_id=group_id)


def report(cl_ord_id: str, exec_id: str, kind: str = "new", **more: Any) -> ExecutionReport:
    values: dict[str, Any] = {"at": more.get("transact_time") or NOON}
    return reported(kind, exec_id, more.pop("order_id", f"order-{cl_ord_id}"), cl_ord_id, **(values | more))


def fill(cl_ord_id: str, exec_id: str, quantity: str, seconds: float, **more: Any) -> ExecutionReport:
    values: dict[str, Any] = {"kind": "trade", "last": (quantity, "0.5"), "transact_time": at(seconds)}
    return report(cl_ord_id, exec_id, **(values | more))


def cancel(cl_ord_id: str, seconds: float, **more: Any) -> ExecutionReport:
    why = ExecutionReportText.ORDER_GROUP_CANCEL
    return report(cl_ord_id, "9;9", "canceled", **({"text": why, "transact_time": at(seconds)} | more))


def refusal(
    cl_ord_id: str, seconds: float, why: str = ExecutionReportText.EXCEEDED_ORDER_GROUP_RISK_LIMIT
) -> ExecutionReport:
    return report(cl_ord_id, "9;9", "rejected", text=why, transact_time=at(seconds))


def reject() -> BusinessMessageReject:
    return BusinessMessageReject(
        ref_seq_num=2, ref_msg_type="UOG", business_reject_reason=BusinessRejectReason.OTHER
    )


def unknown(request: OrderGroupRequest) -> OutcomesUnknown:
    open_request = OpenRequest("7", request.MSG_TYPE, 7, NOON, b"", 1)
    return OutcomesUnknown((open_request,), Uncertainty.CONNECTION_ENDED)


def apply_one(groups: OrderGroups, event: object) -> GroupUpdate:
    """Apply an event or request that causes a single update, and return the update."""
    [update] = groups.apply(event)
    return update


def create(groups: OrderGroups, group_id: str = G, limit: int = 10, **more: Any) -> OrderGroup:
    groups.apply(OrderGroupRequest.create(limit, **more))
    update = apply_one(groups, response(group_id, limit, account=more.get("alloc_account", 0)))
    assert update.group is not None
    assert not update.discrepancies
    return update.group


def apply_with_answer(
    groups: OrderGroups, request: OrderGroupRequest, limit: int | None = None, seconds: float = 0
) -> None:
    assert groups.apply(request) == []
    update = apply_one(groups, response(request.order_group_id or "", limit, seconds=seconds))
    assert (update.request, update.discrepancies) == (request, [])


def kinds(groups: OrderGroups, event: object) -> list[Kind]:
    return [discrepancy.kind for discrepancy in apply_one(groups, event).discrepancies]


@pytest.fixture
def groups() -> OrderGroups:
    return OrderGroups()


# --- requests and answers -------------------------------------------------------------------------------


def test_the_answer_to_a_create_contains_the_group_id(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(25, alloc_account=3)
    groups.apply(request)
    assert (groups.in_flight, len(groups)) == (request, 0)
    event = MessageReceived(response(G, 25, account=3), False, False, b"")
    update = apply_one(groups, event)
    assert (update.group, update.request, groups.in_flight) == (groups[G], request, None)
    group = groups[G]
    assert (group.limit, group.alloc_account, group.state, group.orphan) == (25, 3, GroupState.ACTIVE, False)
    assert list(groups) == [G]


def test_no_other_request_is_accepted_while_one_is_unanswered(groups: OrderGroups) -> None:
    group = create(groups)
    first = OrderGroupRequest.trigger(G)
    groups.apply(first)
    with pytest.raises(LocalProtocolError, match="no answer yet"):
        groups.apply(OrderGroupRequest.delete(G))
    assert groups.in_flight is first
    groups.apply(response(G))
    assert state(group) is GroupState.TRIGGERED


def test_a_request_refused_by_send_is_withdrawn(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(10)
    groups.apply(request)
    groups.withdraw(OrderGroupRequest.create(10))  # another request
    assert groups.in_flight is request
    groups.withdraw(request)
    assert groups.in_flight is None


def test_a_refused_request_changes_nothing(groups: OrderGroups) -> None:
    group = create(groups)
    request = OrderGroupRequest.trigger(G)
    groups.apply(request)
    assert groups.apply(RejectReceived(reject(), 1, order("a"))) == []
    assert groups.apply(RejectReceived(reject(), 2, OrderGroupRequest.trigger(H))) == []
    update = apply_one(groups, RejectReceived(reject(), 2, over_the_wire(request)))
    assert (update.group, update.request) == (group, request)
    assert groups.in_flight is None
    assert state(group) is GroupState.ACTIVE


def test_a_limit_other_than_the_requested_one_is_reported_and_applied(groups: OrderGroups) -> None:
    groups.apply(OrderGroupRequest.create(25))
    [found] = apply_one(groups, response(G, 20)).discrepancies
    assert (found.kind, groups[G].limit) == (Kind.OTHER_LIMIT, 20)
    assert str(found) == f"order group {G}: {Kind.OTHER_LIMIT.value}: 20 instead of 25"


# --- uncertainty ----------------------------------------------------------------------------------------


def test_a_create_with_an_unknown_outcome_may_have_created_a_group(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(10)
    groups.apply(request)
    update = apply_one(groups, unknown(request))
    assert (update.group, update.request) == (None, request)
    assert (groups.lost_creates, groups.in_flight, len(groups)) == (1, None, 0)
    # The delayed answer is received.
    assert kinds(groups, response(G, 10)) == [Kind.ORPHAN]
    assert (groups.lost_creates, groups[G].orphan, groups[G].state) == (0, True, GroupState.UNKNOWN)


def test_an_unknown_outcome_of_a_request_about_an_unknown_group_is_reported(groups: OrderGroups) -> None:
    request = OrderGroupRequest.trigger(G)
    groups.apply(request)
    update = apply_one(groups, unknown(request))
    assert (update.group, update.request) == (groups[G], request)
    assert (groups[G].state, groups[G].orphan, groups[G].limit) == (GroupState.UNKNOWN, True, None)
    assert groups.lost_creates == 0


def test_other_uncertain_requests_do_not_affect_groups(groups: OrderGroups) -> None:
    request = OrderGroupRequest.create(10)
    assert groups.apply(unknown(request)) == []
    groups.apply(request)
    other = OutcomesUnknown((OpenRequest("a", "D", 7, NOON, b"", 1),), Uncertainty.RESTARTED)
    assert groups.apply(other) == []
    assert groups.in_flight is request


def test_an_unsolicited_response_is_an_orphan(groups: OrderGroups) -> None:
    assert kinds(groups, response(G, 10)) == [Kind.ORPHAN]
    for _ in range(2):
        assert groups.apply(response(G, 12)) == []
    assert (groups[G].limit, groups.lost_creates) == (12, 0)


def test_a_response_about_another_group_is_not_the_answer(groups: OrderGroups) -> None:
    create(groups)
    request = OrderGroupRequest.trigger(G)
    groups.apply(request)
    assert kinds(groups, response(H)) == [Kind.ORPHAN]
    assert groups.in_flight is request


def test_an_answer_about_an_unknown_group_adds_it(groups: OrderGroups) -> None:
    apply_with_answer(groups, OrderGroupRequest.trigger(G))
    assert (groups[G].state, groups[G].orphan) == (GroupState.TRIGGERED, True)
    apply_with_answer(groups, OrderGroupRequest.update(H, order_group_contracts_limit=9), 9)
    assert (groups[H].state, groups[H].limit) == (GroupState.UNKNOWN, 9)
    apply_with_answer(groups, OrderGroupRequest.delete(H))
    assert list(groups) == [G]


def test_an_unreadable_response_is_reported(groups: OrderGroups) -> None:
    groups.apply(OrderGroupRequest.create(10))
    assert kinds(groups, CODEC.decode(raw("35=UOH|34=2|"))) == [Kind.TOO_MANY]
    assert len(groups) == 0
    groups = OrderGroups()
    assert kinds(groups, response(LONG_ID)) == [Kind.TOO_MANY]


# --- fills ----------------------------------------------------------------------------------------------


def test_room_is_the_limit_minus_the_fills_within_the_window(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(report("a", "1;1"))
    update = apply_one(groups, fill("a", "2;1", "2.5", 1))
    assert update.group is groups[G]
    groups.apply(fill("a", "3;1", "3", 4))
    assert groups.room(G, at(4)) == d("4.5")
    just_before, exactly = at(1) + WINDOW - timedelta(microseconds=1), at(1) + WINDOW
    assert groups.room(G, just_before) == d("4.5")
    assert groups.room(G, exactly) == d("7")
    assert groups.room(G, at(4) + WINDOW) == 10


def test_an_order_that_was_not_sent_is_dropped(groups: OrderGroups) -> None:
    create(groups)
    withdrawn = order("a")
    groups.apply(withdrawn)
    groups.withdraw(withdrawn)
    assert groups.apply(fill("a", "2;1", "3", 1)) == []


@pytest.mark.parametrize(
    "more",
    [
        {"last_qty": None},
        {"last_qty": d(0)},
        {"last_qty": d(-1)},
        {"exec_id": LONG_ID},
        {"transact_time": None, "header": None},
        {"transact_time": BEGINNING},
    ],
)
def test_after_an_unreadable_fill_a_group_may_have_triggered(
    groups: OrderGroups, more: dict[str, Any]
) -> None:
    group = create(groups)
    groups.apply(order("a"))
    unreadable = fill("a", "2;1", "3", 1)
    for name, value in more.items():
        setattr(unreadable, name, value)
    assert apply_one(groups, unreadable).state_changed
    assert (state(group), groups.room(G, at(1))) == (GroupState.UNKNOWN, None)
    groups.apply(report("b", "3;1", transact_time=at(1)))  # an order without a group
    groups.apply(order("c"))
    groups.apply(report("c", "4;1", transact_time=at(1) + WINDOW))
    assert state(group) is GroupState.ACTIVE


def test_only_the_last_limits_are_remembered(groups: OrderGroups) -> None:
    group = create(groups)
    groups.apply(order("a"))
    for number in range(2 * MAX_LIMITS):
        apply_with_answer(
            groups, OrderGroupRequest.update(G, order_group_contracts_limit=10 + number % 2), seconds=number
        )
        apply_with_answer(
            groups,
            OrderGroupRequest.update(G, order_group_contracts_limit=11 - number % 2),
            11 - number % 2,
            seconds=number,
        )
    assert len(group._limits) <= MAX_LIMITS
    groups.apply(fill("a", "2;1", "1", 2 * MAX_LIMITS - 3))
    assert state(group) is GroupState.ACTIVE
    groups.apply(DropCopyReport(fill("a", "2;0", "1", MAX_LIMITS)))
    assert state(group) is GroupState.UNKNOWN


def test_limits_of_updates_without_a_known_outcome_are_bounded(groups: OrderGroups) -> None:
    group = create(groups)
    for number in range(2 * MAX_LIMITS):
        groups.apply(OrderGroupRequest.update(G, order_group_contracts_limit=10 + number))
        lost = OpenRequest(str(number), OrderGroupRequest.MSG_TYPE, number, at(number), b"", number)
        groups.apply(OutcomesUnknown((lost,), Uncertainty.CONNECTION_ENDED))
    assert len(group._limits) == MAX_LIMITS
    assert None in group.limits_at(at(2 * MAX_LIMITS))  # one of the dropped limits may be in force


def test_a_cancel_may_precede_an_answer_whose_time_is_unknown() -> None:
    groups = OrderGroups()
    create(groups)
    groups.load(OrderGroups().dump() | {"groups": groups.dump()["groups"]})
    assert groups.apply(OrderGroupRequest.reset(G)) == []
    groups.apply(OrderGroupResponse(order_group_id=G))
    assert (state(groups[G]), groups[G].reset_at) == (GroupState.ACTIVE, None)
    groups.apply(order("a"))
    groups.apply(cancel("a", 3))
    assert state(groups[G]) is GroupState.UNKNOWN


def test_messages_unrelated_to_groups_have_no_effect(groups: OrderGroups) -> None:
    assert groups.apply(object()) == []
    assert groups.apply(report("a", "1;1")) == []
    with pytest.raises(KeyError):
        groups.room(G, NOON)


# --- histories of one group -----------------------------------------------------------------------------


def in_seconds(time: str) -> float:
    """Convert fifteenths of the window to seconds."""
    return round(float(time) * WINDOW.total_seconds() / 15, 3)


def report_in_step(words: list[str], seconds: float) -> ExecutionReport:
    """Return the report that a step describes."""
    match words:
        case ["fill", name, exec_id, contracts]:
            return fill(name, exec_id, contracts, seconds)
        case ["fill-after-replace", name, original, contracts]:
            return fill(
                name, "2;1", contracts, seconds, order_id=f"order-{original}", orig_cl_ord_id=original
            )
        case ["without-transact-time", "fill", name, contracts]:
            return fill(name, "2;1", contracts, 0, transact_time=None, at=at(seconds))
        case ["without-transact-time", "canceled", name]:
            return cancel(name, 0, transact_time=None)
        case ["canceled", name]:
            return cancel(name, seconds)
        case ["rejected", name, *text]:
            return refusal(name, seconds, *map(ExecutionReportText, text))
        case ["unrelated-report"]:
            return report("of no group", "1;1", at=at(seconds))
    [accepted, name] = words
    assert accepted == "accepted"
    return report(name, "3;1", transact_time=at(seconds))


def group_request(action: str, limit: list[str]) -> OrderGroupRequest:
    more = {"order_group_contracts_limit": int(limit[0])} if limit else {}
    request: OrderGroupRequest = getattr(OrderGroupRequest, action)(G, **more)
    return request


def perform(groups: OrderGroups, words: list[str], seconds: float) -> list[GroupUpdate]:
    """Perform a step; return its updates."""
    match words:
        case ["order", name, *group]:
            return groups.apply(order(name, *({"H": H, "-": None}[item] for item in group)))
        case ["drop-copy", *words]:
            return groups.apply(DropCopyReport(report_in_step(words, seconds)))
        case ["outcome-unknown", action, *limit]:
            groups.apply(group_request(action, limit))
            return groups.apply(unknown(group_request(action, limit)))
        case ["send", action]:
            return groups.apply(group_request(action, []))
        case ["reject-received"]:
            return groups.apply(RejectReceived(reject(), 2, groups.in_flight))
        case ["answer"]:
            return groups.apply(response(G, seconds=seconds))
        case ["update", limit, "without-limit"]:
            apply_with_answer(groups, group_request("update", [limit]), seconds=seconds)
        case ["update" | "reset" | "trigger" | "delete" as action, *limit]:
            request = group_request(action, limit)
            assert groups.apply(request) == []
            found = groups.apply(response(G, request.order_group_contracts_limit, seconds=seconds))
            assert [(item.request, item.discrepancies) for item in found] == [(request, [])]
            return found
        case ["learn", limit, *triggered]:
            groups.learn(G, limit=None if limit == "-" else int(limit), triggered=bool(triggered))
        case ["forget"]:
            groups.forget(G)
        case ["disconnect"]:
            return groups.apply(SESSION_ENDED)
        case ["logon", *options]:
            event = logged_on(reset=options != ["reset=no"])
            event.logon.header = header(event.logon, at=at(seconds))
            return groups.apply(event)
        case _:
            return groups.apply(report_in_step(words, seconds))
    return []


def check(groups: OrderGroups, words: list[str], seconds: float, updates: list[GroupUpdate]) -> bool:
    """Check a step that is an expectation; return False for any other step."""
    match words:
        case ["room", room]:
            assert groups.room(G, at(seconds)) == (None if room == "-" else d(room))
        case ["limit", limit]:
            assert groups[G].limit == int(limit)
        case ["since", time]:
            since = at(in_seconds(time))
            assert groups[G].since == since
            assert [(item.since, item.remedies) for item in groups.uncertain()] == [
                (since, (Remedy.REST, Remedy.REQUEST))
            ]
        case ["absent"]:
            assert G not in groups
        case ["certain"]:
            assert groups.uncertain() == []
        case ["no-update"]:
            assert updates == []
        case ["state-changed"]:
            assert [(update.group, update.state_changed) for update in updates] == [(groups[G], True)]
        case [name] if name in GroupState.__members__:
            assert groups[G].state is GroupState[name]
        case _:
            return False
    return True


@pytest.mark.parametrize("lines", [*load("order_groups")])
def test_a_history_leads_to_the_expected_states(lines: str) -> None:
    groups = OrderGroups("KalshiRT" if "reset=no" in lines else "KalshiNR")
    create(groups)
    updates: list[GroupUpdate] = []
    for words in steps(lines):
        seconds = in_seconds(words.pop()[1:]) if words[-1].startswith("@") else 0
        if not check(groups, words, seconds, updates):
            updates = perform(groups, words, seconds)


# --- bounds ---------------------------------------------------------------------------------------------


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


def test_remembered_orders_are_bounded_and_groups_of_dropped_orders_may_have_triggered() -> None:
    groups = OrderGroups(max_orders=2)
    create(groups)
    for name in "abc":
        assert groups[G].state is GroupState.ACTIVE
        groups.apply(order(name))
    assert groups[G].state is GroupState.UNKNOWN
    groups.forget(G)
    groups.apply(order("d"))  # The dropped order belongs to a forgotten group.


def test_only_the_last_ended_orders_are_remembered() -> None:
    groups = OrderGroups(max_orders=2)
    create(groups)
    for number, name in enumerate("abcd"):
        groups.apply(order(name))
        groups.apply(fill(name, f"2;{number}", "1", 1, kind="filled", cum="1"))
    groups.apply(fill("b", "1;9", "1", 1))
    assert groups.room(G, at(1)) == 6
    groups.apply(fill("c", "1;9", "1", 1))
    assert groups.room(G, at(1)) == 5


def test_an_oversized_order_id_is_not_kept(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(order("a"))
    groups.apply(fill("a", "2;1", "3", 1, order_id=LONG_ID))
    assert groups.apply(fill("b", "2;2", "3", 1, order_id=LONG_ID)) == []
    assert groups.room(G, at(1)) == 7
    assert LONG_ID not in str(groups.dump())


def test_remembered_fills_are_bounded_and_groups_of_dropped_fills_may_have_triggered() -> None:
    groups = OrderGroups(max_fills=3)
    group = create(groups)
    groups.apply(order("a"))
    for number in range(4):
        assert state(group) is GroupState.ACTIVE
        groups.apply(fill("a", f"2;{number}", "1", number))
    assert (state(group), len(group._fills)) == (GroupState.UNKNOWN, 3)
    apply_with_answer(groups, OrderGroupRequest.reset(G), seconds=6)
    assert groups.room(G, at(6)) == 10


def test_fills_are_forgotten_as_windows_pass(groups: OrderGroups) -> None:
    group = create(groups, limit=1_000)
    groups.apply(order("a"))
    for number in range(300):
        groups.apply(fill("a", f"2;{number}", "1", number))
    assert len(group._fills) == 2 * WINDOW.seconds
    assert groups.room(G, at(299)) == 1_000 - WINDOW.seconds
    groups.apply(fill("a", "3;1", "1", 299 + 1.5 * WINDOW.seconds))
    assert groups.room(G, at(299 + 1.5 * WINDOW.seconds)) == 999


# --- losses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lost",
    [
        SESSION_ENDED,
        MessagesLost(2, 3),
        SequenceSkipped(2, 3, gap_fill=False),
        logged_on(),
        MessageRejected(None, ()),
        "report",
    ],
)
def test_with_missing_reports_the_groups_of_open_orders_may_have_triggered(
    groups: OrderGroups, lost: Any
) -> None:
    groups.apply(logged_on())
    group, idle = create(groups), create(groups, H)
    groups.apply(order("a"))
    groups.apply(order("h", H))
    groups.apply(fill("h", "1;1", "1", 1, kind="filled"))
    if lost == "report":
        lost = MessageRejected(report("a", "2;1"), ())
    update = apply_one(groups, lost)
    assert (update.group, update.before, state(group)) == (group, GroupState.ACTIVE, GroupState.UNKNOWN)
    assert (idle.state, groups.room(G, at(1))) == (GroupState.ACTIVE, None)
    assert group.since == at(1)
    if lost is SESSION_ENDED:
        assert groups.apply(MessagesLost(2, 3)) == []
        assert groups.apply(logged_on()) == []
    apply_with_answer(groups, OrderGroupRequest.reset(G), seconds=5)
    assert (state(group), groups.uncertain()) == (GroupState.ACTIVE, [])


@pytest.mark.parametrize(
    "event",
    [
        SequenceSkipped(2, 3, gap_fill=True),
        MessageRejected(None, (), will_be_resent=True),
        MessageRejected(response(), ()),
        MessageRejected(report("z", "2;1"), ()),
    ],
)
def test_without_missing_reports_no_group_is_uncertain(groups: OrderGroups, event: object) -> None:
    group = create(groups)
    groups.apply(order("a"))
    assert groups.apply(event) == []
    assert state(group) is GroupState.ACTIVE


def test_a_report_without_a_header_uses_its_own_time(groups: OrderGroups) -> None:
    group = create(groups)
    groups.apply(order("a"))
    for exec_id in ("2;1", "2;2"):
        bare = fill("a", exec_id, "6", 1)
        bare.header = None
        groups.apply(bare)
    assert state(group) is GroupState.TRIGGERED
    apply_with_answer(groups, OrderGroupRequest.reset(G), seconds=2)
    groups.apply(cancel("a", 0.5))
    assert (state(group), group.since) == (GroupState.ACTIVE, None)


@pytest.mark.parametrize("time", [BEGINNING, BEGINNING + timedelta(seconds=1), END])
def test_extreme_times_are_decoded_and_dumped(groups: OrderGroups, time: datetime) -> None:
    create(groups, limit=1)
    groups.apply(order("a"))
    for exec_id in ("1;1", "1;2"):
        extreme = fill("a", exec_id, "1", 1)
        extreme.transact_time = time
        groups.apply(extreme)
    assert groups[G].state in (GroupState.UNKNOWN, GroupState.TRIGGERED)
    groups.room(G, time)
    assert dump(reloaded(groups)) == dump(groups)
    apply_with_answer(groups, OrderGroupRequest.reset(G), seconds=2)
    groups.apply(fill("a", "2;1", "2", 3))
    assert groups[G].state is GroupState.TRIGGERED  # An extreme time does not make the report look old.


# --- dumps ----------------------------------------------------------------------------------------------


def test_a_loaded_dump_restores_the_state_and_continues(groups: OrderGroups) -> None:
    create(groups)
    create(groups, H)
    groups.apply(order("a"))
    groups.apply(order("b", H))
    groups.apply(fill("a", "2;1", "2.50", 6))
    apply_with_answer(groups, OrderGroupRequest.reset(H), seconds=5)
    other = reloaded(groups)
    assert dump(other) == dump(groups)
    for item in (groups, other):
        item.apply(fill("a", "2;1", "2.50", 6))
        item.apply(fill("b", "2;2", "1", 4))
        assert (item.room(G, at(6)), item.room(H, at(6))) == (d("7.5"), d(10))


def test_a_request_in_flight_has_an_unknown_outcome_after_loading(groups: OrderGroups) -> None:
    create(groups)
    groups.apply(OrderGroupRequest.delete(G))
    other = reloaded(groups)
    assert (other[G].state, other.in_flight) == (GroupState.UNKNOWN, None)
    assert [str(item.about) for item in other.uncertain()] == [f"order group {G}"]
    groups.apply(response(G))
    groups.apply(OrderGroupRequest.create(5))
    other = reloaded(groups)
    assert (len(other), other.lost_creates) == (0, 1)


def test_after_a_crash_reports_about_open_orders_may_be_missing(groups: OrderGroups) -> None:
    groups.apply(logged_on())
    create(groups)
    create(groups, H)
    groups.apply(order("a"))
    assert [group.state for group in reloaded(groups).values()] == [GroupState.UNKNOWN, GroupState.ACTIVE]


# --- against a slow model -------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), min_size=1, max_size=12),
    st.data(),
)
def test_room_agrees_with_a_slow_model_for_late_and_duplicate_reports(
    fills: list[tuple[int, int]], data: st.DataObject
) -> None:
    groups = OrderGroups()
    create(groups, limit=1000)
    groups.apply(order("a"))
    groups.apply(report("a", "1;1"))
    reports = [fill("a", f"{number};1", str(quantity), time) for number, (time, quantity) in enumerate(fills)]
    for item in data.draw(st.permutations(reports + reports)):
        groups.apply(item)
    now = data.draw(st.integers(max(time for time, _ in fills), 60))
    counted = sum(quantity for time, quantity in fills if at(time) + WINDOW > at(now))
    assert groups.room(G, at(now)) == 1000 - counted
