"""Order groups against a slow model of the venue: reports and answers are lost, delayed, redelivered and
reordered."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import OrderGroupRequest, OrderGroupResponse
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import DropCopyReport, GroupState, OrderGroups
from kalshi_fix_sansio.trading.groups.order_group import WINDOW
from tests.trading.order_flow import at, over_the_wire, place, reloaded, report
from tests.trading.slow_groups import GROUP, Program

FAULTS: dict[str, dict[str, Any]] = {
    "repeated": {"repeated": True},
    "unordered": {"unordered": True},
    "lossy": {"lossy": True},
    "all faults": {"lossy": True, "unordered": True, "repeated": True},
    "with another program": {"foreign": True},
    "with another program and all faults": {
        "lossy": True,
        "unordered": True,
        "repeated": True,
        "foreign": True,
    },
}


def started(seed: int, **faults: Any) -> Program:
    program = Program(Random(seed), **faults)
    program.start(program.random.randint(1, 20), WINDOW)
    return program


@settings(max_examples=100)
@given(st.integers(0, 100_000), st.integers(1, 60))
def test_the_state_and_the_remaining_contracts_are_exact_if_every_message_arrives(
    seed: int, steps: int
) -> None:
    program = started(seed)
    for _ in range(steps):
        program.step()
        program.check_exactly()


@pytest.mark.parametrize("name", FAULTS)
@settings(max_examples=100)
@given(seed=st.integers(0, 100_000), steps=st.integers(1, 60))
def test_every_certain_state_is_correct(name: str, seed: int, steps: int) -> None:
    program = started(seed, **FAULTS[name])
    for _ in range(steps):
        program.step()
        program.check()
    program.settle()
    program.check()
    program.groups = reloaded(program.groups)
    program.is_logged_on = False
    program.reset()
    assert program.group.state is GroupState.ACTIVE


def reports(times: list[tuple[int, int, int]]) -> list[Any]:
    """Return reports about orders of the group. Each tuple contains a time in half seconds, a kind, and a
    number of contracts.
    """
    result = []
    for number, (time, kind, quantity) in enumerate(times):
        when: dict[str, Any] = {"at": at(time / 2), "transact_time": at(time / 2)}
        key, name = f"{number + 1};1", "ab"[number % 2]
        if kind == 0:
            result.append(report("new", key, f"o-{name}", name, **when))
        elif kind == 1:
            result.append(report("canceled", key, f"o-{name}", name, text="ORDER_GROUP_CANCEL", **when))
        else:
            result.append(report("trade", key, f"o-{name}", name, last=(str(quantity), "0.40"), **when))
    return result


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 140), st.integers(0, 5), st.integers(1, 9)), max_size=14),
    st.integers(4, 20),
    st.data(),
)
def test_every_arrival_order_leads_to_the_same_state(
    times: list[tuple[int, int, int]], limit: int, data: st.DataObject
) -> None:
    in_order = reports(times)
    arrivals = [in_order, data.draw(st.permutations(in_order + in_order[:3]))]
    one, other = (state_after(arrival, limit) for arrival in arrivals)
    assert one == other


def state_after(arrival: list[Any], limit: int) -> tuple[GroupState, datetime | None]:
    groups = OrderGroups()
    groups.apply(OrderGroupRequest.create(limit))
    groups.apply(over_the_wire(OrderGroupResponse(order_group_id=GROUP, order_group_contracts_limit=limit)))
    for name in "ab":
        groups.apply(place(name, secondary_cl_ord_id=GROUP))
    for item in arrival:
        groups.apply(MessageReceived(item) if item.exec_id[0] in "135" else DropCopyReport(item))
    return groups[GROUP].state, groups[GROUP].since
