"""Requests that have no outcome and are missing from the loaded state are adopted and listed as uncertain."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    AcceptQuote,
    EventResendRequest,
    OrderGroupRequest,
    OrderGroupResponse,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
)
from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown
from kalshi_fix_sansio.trading import (
    Account,
    DropCopy,
    DropCopyReport,
    GroupState,
    OrderGroups,
    Orders,
    RfqCreator,
    RfqMaker,
    UncertainItems,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.groups.order_groups import MAX_LOST_REQUESTS
from tests.trading.order_flow import (
    NOON,
    OTHER,
    SYMBOL,
    cancel,
    change,
    dump,
    feed,
    kinds,
    load,
    logged_on,
    only,
    open_request,
    over_the_wire,
    place,
    refusal,
    reloaded,
    report,
    unanswered,
    unanswered_with_frame,
    views,
)

GROUP = "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11"
LATER_TIME = NOON + timedelta(seconds=30)


class Machines:
    """State machines for all types of requests, without any loaded state."""

    def __init__(self) -> None:
        self.orders, self.groups, self.drop_copy = Orders(), OrderGroups(), DropCopy("KalshiNR")
        self.maker, self.creator = RfqMaker(lambda _: None, lambda _: False, lambda: "id"), RfqCreator()
        self.all: list[Any] = [*vars(self).values()]
        self.uncertain = UncertainItems(*self.all)

    def apply(self, event: object) -> None:
        for item in self.drop_copy.apply(event, Instant(1.0, LATER_TIME)):
            self.orders.apply(item)
        self.groups.apply(event)
        self.maker.apply(event, LATER_TIME)
        self.creator.apply(event, LATER_TIME)

    def reloaded(self) -> Machines:
        """Return the state machines loaded from their dumps, as in another process."""
        found = Machines()
        for loaded, machine in zip(found.all, self.all, strict=True):
            load(loaded, dump(machine))
        return found

    def shown(self) -> list[str]:
        return list(map(str, self.uncertain))


REQUESTS: dict[str, tuple[Message, str]] = {
    "D": (place("a-1"), "order a-1: the venue may have it"),
    "G": (change("a-2", "a-1"), "request a-2: the outcome of an amend or a cancel is unknown"),
    "F": (cancel("a-3", "a-1"), "request a-3: the outcome of an amend or a cancel is unknown"),
    "q": (OrderMassCancelRequest(cl_ord_id="m-1"), "mass cancel m-1: the orders"),
    "UOG": (OrderGroupRequest.create(5), "1 new order group: the venue may have created it"),
    "UOG of a group": (OrderGroupRequest.reset(GROUP), f"order group {GROUP}: may have triggered"),
    "U1": (EventResendRequest(begin_exec_id="7;1"), "reports from 7;1: they have not been requested yet"),
    "R": (QuoteRequest.for_market(quote_req_id="r1", symbol=SYMBOL, order_qty=1), "request r1: the venue"),
    "S": (Quote(quote_id="q1", quote_req_id="R1", symbol=SYMBOL, bid_px="0.40"), "quote q1 on request R1"),
    "Z": (QuoteCancel(quote_id="q1", rfq_id="R1"), "cancel of quote q1: the quote may"),
    "U7": (QuoteConfirm(quote_id="q1", rfq_id="R1"), "quote q1: the outcome of the confirmation is unknown"),
    "UA": (AcceptQuote(quote_id="q1", rfq_id="R1", side="1", order_qty=3), "quote q1 on request R1: the out"),
    "UA without RfqId": (AcceptQuote(quote_id="q1", side="1"), "quote q1: the outcome of the acceptance"),
    "UE": (RFQCancel(quote_req_id="r1"), "cancel of request r1: the venue may have"),
    "UE by RfqId": (RFQCancel(rfq_id="R1"), "cancel of request R1: the venue may have"),
}  # fmt: skip


def test_every_kind_of_request_has_a_row() -> None:
    assert {name.split()[0] for name in REQUESTS} == {
        layout.msg_type for layout in DIALECT.messages.values() if layout.request
    }


@pytest.mark.parametrize("frame", ["intact", "damaged", "of another type"])
@pytest.mark.parametrize(("message", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_unknown_to_all_machines_is_one_uncertain_item(
    message: Message, expected: str, frame: str
) -> None:
    [request] = unanswered(message).requests
    other = next(each for each, _ in REQUESTS.values() if each.MSG_TYPE != message.MSG_TYPE)
    frames = {
        "intact": request.frame,
        "damaged": request.frame[:-3],
        "of another type": open_request(other).frame,
    }
    event = unanswered_with_frame(message, frames[frame])
    machines = Machines()
    machines.apply(event)
    [item] = machines.shown()
    if frame == "intact":
        assert item.startswith(expected)
    machines.apply(event)
    reloaded_machines = machines.reloaded()
    reloaded_machines.apply(event)
    assert machines.shown() == reloaded_machines.shown() == [item]
    for machine in reloaded_machines.all:
        for element in machine.uncertain():
            if element.unattributed is not None:
                machine.unattributed.resolve(element.unattributed)
                assert reloaded_machines.shown() == []


def test_a_request_of_one_machine_is_ignored_by_the_others() -> None:
    machines = Machines()
    machines.apply(unanswered(place("q1"), place("R1"), over_the_wire(place("x"))))
    assert [item.split(":")[0] for item in machines.shown()] == ["order q1", "order R1", "order x"]


# --- orders ---------------------------------------------------------------------------------------------


def test_an_adopted_order_is_settled_by_reports_like_any_other() -> None:
    applied, adopted = Orders("KalshiRT"), Orders("KalshiRT")
    sent = [place(), change("b", "a", "20"), cancel("c", "b"), OrderMassCancelRequest(cl_ord_id="m")]
    lost = unanswered(*sent)
    feed(applied, *sent, lost)
    feed(adopted, lost)
    assert views(adopted) == views(applied)
    assert [item.kind for item in adopted.uncertain()] == [item.kind for item in applied.uncertain()]
    assert len(list(adopted.uncertain())) == 4
    answers = [
        report("new", "1;1"),
        report("replaced", "1;2", cl_ord_id="b", orig_cl_ord_id="a", qty="20"),
        report("canceled", "1;3", cl_ord_id="c", orig_cl_ord_id="b"),
    ]
    for count, answer in enumerate(answers):
        for item in (applied, adopted):
            feed(item, DropCopyReport(answer) if count % 2 else answer, lost)
        assert views(adopted) == views(applied)
    assert not adopted.uncertain()


def test_reports_and_the_event_lead_to_the_same_state_in_every_sequence() -> None:
    lost = unanswered(place(alloc_account=5), change("b", "a", "20"))
    reports = [report("new", "1;1"), report("replaced", "1;2", cl_ord_id="b", orig_cl_ord_id="a", qty="20")]
    found = []
    for steps in permutations([lost, *reports]):
        orders = Orders("KalshiRT")
        feed(orders, *steps, lost)
        assert only(orders).placed is not None
        found.append((views(orders), list(orders.uncertain())))
    assert found == found[:1] * 6
    assert found[0][0][0]["account"] == Account(5)
    assert (found[0][0][0]["pending"], found[0][1]) == ([], [])


def test_a_mass_cancel_is_adopted_for_the_orders_that_were_live() -> None:
    before = Orders()
    feed(before, logged_on(), place(), report("new", "1;1"), place("b", symbol=OTHER))
    orders = reloaded(before)
    lost = unanswered(OrderMassCancelRequest(cl_ord_id="m"), at=LATER_TIME)
    feed(orders, lost, lost)
    [one] = orders.mass_cancels
    assert one.is_unknown
    assert one.since == LATER_TIME
    assert one.waiting == {1, 2}
    assert one.newest == {0: ExecKey(0, 1, 1)}
    feed(orders, DropCopyReport(report("canceled", "1;5")))
    orders.resolve(next(iter(orders.live())), is_open=False)
    assert (orders.mass_cancels, list(orders.uncertain())) == ([], [])


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (place(), report("new", "1;1")),
        (place(), report("replaced", "1;1", cl_ord_id="b", orig_cl_ord_id="a")),
        (place(), report("rejected", "1;1")),
        (change("a", "x"), report("replaced", "1;1", orig_cl_ord_id="x")),
        (cancel("a", "x"), report("canceled", "1;1", orig_cl_ord_id="x")),
        (cancel("a", "x"), report("rejected", "-1;-1")),
        (cancel("a", "x"), refusal("a", orig="x")),
        (
            OrderMassCancelRequest(cl_ord_id="a"),
            OrderMassCancelReport(cl_ord_id="a", order_id="o", mass_cancel_response="7"),
        ),
    ],
)  # fmt: skip
def test_an_answer_settles_an_unattributed_request(message: Message, answer: Message) -> None:
    orders = Orders("KalshiRT")
    orders.apply(unanswered_with_frame(message, b"?"))
    [unattributed] = orders.unattributed
    for other in (
        report("pending new", "-1;-1"),
        report("new", "1;1", "o9", "z"),
        report("rejected", "-1;-1", text="EXCHANGE_UNAVAILABLE"),
        refusal("a", text="EXCHANGE_UNAVAILABLE"),
    ):
        orders.apply(other)
    assert (list(orders.unattributed), unattributed.request_id) == ([unattributed], "a")
    assert kinds(orders.apply(MessageReceived(answer))) == []
    assert len(orders.unattributed) == 0
    orders.unattributed.resolve(unattributed)  # the answer arrived while the user looked up the outcome


# --- order groups ---------------------------------------------------------------------------------------


def test_a_group_request_in_flight_when_the_state_is_dumped_counts_once() -> None:
    for request in (OrderGroupRequest.create(5), OrderGroupRequest.delete(GROUP)):
        before = OrderGroups()
        before.learn(GROUP, limit=5)
        before.apply(request)
        groups = reloaded(before)
        for _ in range(2):
            shown = list(map(str, groups.uncertain()))
            assert len(shown) == 1
            assert groups.apply(unanswered(request)) == []
            assert list(map(str, groups.uncertain())) == shown
        # An equal request is a separate request.
        groups.learn(GROUP, limit=5)
        groups.apply(unanswered(request, at=LATER_TIME))
        assert (groups.lost_creates, groups[GROUP].state) == (
            (2, GroupState.ACTIVE) if request.order_group_id is None else (0, GroupState.UNKNOWN)
        )


@pytest.mark.parametrize("how", ["learn", "forget", "response"])
def test_a_request_in_flight_is_dropped_once_its_group_is_resolved(how: str) -> None:
    before = OrderGroups()
    before.learn(GROUP, limit=5)
    before.apply(OrderGroupRequest.trigger(GROUP))
    groups = reloaded(before)
    match how:
        case "learn":
            groups.learn(GROUP, limit=5)
        case "forget":
            groups.forget(GROUP)
        case _:
            groups.apply(over_the_wire(OrderGroupResponse(order_group_id=GROUP)))
    [update] = groups.apply(unanswered(OrderGroupRequest.trigger(GROUP)))
    assert update.group is groups[GROUP]
    assert groups[GROUP].state is GroupState.UNKNOWN


def test_an_answer_settles_a_create_of_the_previous_process() -> None:
    before = OrderGroups()
    before.apply(OrderGroupRequest.create(5))
    groups = reloaded(before)
    groups.apply(over_the_wire(OrderGroupResponse(order_group_id=GROUP, order_group_contracts_limit=5)))
    groups.apply(unanswered(OrderGroupRequest.create(5)))
    assert groups.lost_creates == 1


def test_a_group_request_in_flight_is_not_confused_with_one_of_the_previous_process() -> None:
    groups = OrderGroups()
    mine = OrderGroupRequest.create(7)
    groups.apply(mine)
    groups.apply(unanswered(OrderGroupRequest.create(5)))
    assert (groups.in_flight, groups.lost_creates) == (mine, 1)
    groups.apply(unanswered(mine, at=LATER_TIME))
    assert (groups.in_flight, groups.lost_creates) == (None, 2)


def test_requests_remembered_from_previous_processes_are_bounded() -> None:
    groups = OrderGroups()
    for limit in range(MAX_LOST_REQUESTS + 2):
        groups.apply(OrderGroupRequest.create(limit + 1))
        load(groups, groups.dump())
    assert len(groups.dump()["lost"]) == MAX_LOST_REQUESTS


def test_a_group_request_without_room_for_its_group_is_still_listed() -> None:
    groups = OrderGroups(max_groups=0)
    assert groups.apply(unanswered(OrderGroupRequest.reset(GROUP))) == []
    assert [item.about for item in groups.uncertain()] == ["order group request with MsgSeqNum 3"]


def test_fills_of_an_unknown_order_use_the_room_of_its_group() -> None:
    groups = OrderGroups()
    groups.learn(GROUP, limit=5)
    order = place("a", secondary_cl_ord_id=GROUP)
    event = unanswered(order, place("b"))
    first = event.requests[0]
    damaged = OutcomesUnknown((attrs.evolve(first, frame=b"", key=9, seq_num=9),), event.why)
    for item in (damaged, event, event):
        assert groups.apply(item) == []
    fill = report("trade", "1;1", cum="2", last=("2", "0.4"), transact_time=NOON)
    groups.apply(fill)
    assert groups.room(GROUP, NOON) == 3
    # An order that is already in the state is left unchanged.
    groups.apply(place("c", secondary_cl_ord_id=GROUP))
    groups.apply(unanswered(place("c", secondary_cl_ord_id="other"), at=LATER_TIME))
    groups.apply(report("trade", "1;2", "o2", "c", cum="1", last=("1", "0.4"), transact_time=NOON))
    assert groups.room(GROUP, NOON) == 2
