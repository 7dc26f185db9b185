"""Order groups through real sessions: the five actions, the rolling 15 seconds, and whose group it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import PauseState, SetPause, margin_market, prediction_market
from kalshi_fix_adapters.venue.exchange.groups import OrderGroups
from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    ExecType,
    ExecutionReport,
    OrderGroupAction,
    OrderGroupRequest,
    OrderGroupResponse,
    Reject,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated.limits import ORDER_GROUPS
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.events import RejectReceived
from tests.adapters.venue.desk import MARKET, PERP
from tests.adapters.venue.town import Client, Town, accounts, amend, cancel, order
from tests.helpers import TAGS

BUY, SELL = Side.BUY, Side.SELL
NOBODYS = "770e8400-e29b-41d4-a716-446655440002"
CRYPTO = "KXBTC-26AUG20"
"""A market on shard 2."""
CREATE, RESET, DELETE, TRIGGER, UPDATE = (
    OrderGroupAction.CREATE,
    OrderGroupAction.RESET,
    OrderGroupAction.DELETE,
    OrderGroupAction.TRIGGER,
    OrderGroupAction.UPDATE,
)
MARKETS = {
    "prediction": (prediction_market(MARKET), prediction_market(CRYPTO, shard=2)),
    "margin": (margin_market(PERP),),
}
ACCOUNTS = accounts(
    ann={"subaccounts": {2: Decimal(100)}, "on_shards": {2: {0: Decimal(100)}}},
    bob={"on_shards": {2: {0: Decimal(100)}}},
)


class Groups:
    """Ann, who has order groups, and Bob, who trades with her."""

    def __init__(self, session_type: str = "KalshiNR", **assumptions: Any) -> None:
        self.town = Town(markets=MARKETS, accounts=ACCOUNTS, assumptions=Assumptions(**assumptions))
        self.ann = self.town.connect("ann", session_type)
        self.bob = self.town.connect("bob")

    def create(self, limit: int = 10, **fields: Any) -> str:
        return self.ask(OrderGroupRequest.create(limit, **fields)).order_group_id

    def ask(self, request: OrderGroupRequest) -> OrderGroupResponse:
        """What answers a request that does nothing to orders."""
        return self.ann.answer_to(request, OrderGroupResponse)

    def refusal(self, request: OrderGroupRequest, client: Client | None = None) -> tuple[object, ...]:
        client = client or self.ann
        client.send(request)
        (event,) = (event for event in client.events if isinstance(event, RejectReceived))
        client.events.clear()
        found = event.reject
        assert isinstance(found, BusinessMessageReject)
        assert found.ref_msg_type == "UOG"
        assert found.business_reject_ref_id == request.order_group_id
        return (found.business_reject_reason, found.text)

    def place(self, cl_ord_id: str, group: str, quantity: Any = 5, price: str = "0.40", **fields: Any) -> str:
        """Ann buys; what she is told, in a word."""
        return " ".join(self.do(order(cl_ord_id, BUY, quantity, price, secondary_cl_ord_id=group, **fields)))

    def sell(self, quantity: Any, price: str = "0.40", **fields: Any) -> list[str]:
        """Bob sells to her; what both are told."""
        name = f"b{len(self.bob.wire)}"
        fields.setdefault("time_in_force", TimeInForce.IMMEDIATE_OR_CANCEL)
        self.bob.send(order(name, SELL, quantity, price, **fields))
        return self.told() + words(self.bob.take())

    def do(self, message: Message) -> list[str]:
        """What Ann is told of what she sends."""
        self.ann.send(message)
        return self.told()

    def told(self) -> list[str]:
        return words(self.ann.take())


@pytest.fixture
def groups() -> Groups:
    return Groups()


def words(messages: list[Message]) -> list[str]:
    return [word(message) for message in messages]


def word(message: Message) -> str:
    if isinstance(message, OrderGroupResponse):
        return "done"
    assert isinstance(message, ExecutionReport), message
    name = "b" if message.cl_ord_id.startswith("b") else message.cl_ord_id
    match message.exec_type:
        case ExecType.NEW:
            return f"{name} new"
        case ExecType.TRADE:
            return f"{name} fills {message.last_qty.normalize() if message.last_qty else 0:f}"
        case ExecType.REJECTED:
            return f"{name} {message.ord_rej_reason} {message.text}"
        case _:
            return f"{name} {message.exec_type} {message.text}"


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiRT"])
def test_the_exchange_names_a_group_and_repeats_its_limit(session_type: str) -> None:
    groups = Groups(session_type)
    made = groups.ask(OrderGroupRequest.create(1_000_000))
    assert (made.order_group_contracts_limit, made.alloc_account) == (1_000_000, 0)
    assert len(made.order_group_id) == 36
    again = groups.ask(OrderGroupRequest.create(1, alloc_account=2))
    assert (again.order_group_contracts_limit, again.alloc_account) == (1, 2)
    assert again.order_group_id != made.order_group_id
    changed = groups.ask(OrderGroupRequest.update(made.order_group_id, order_group_contracts_limit=7))
    assert (changed.order_group_id, changed.order_group_contracts_limit) == (made.order_group_id, 7)


@pytest.mark.parametrize(
    "make", [OrderGroupRequest.reset, OrderGroupRequest.trigger, OrderGroupRequest.delete]
)
def test_only_create_and_update_repeat_the_limit(groups: Groups, make: Any) -> None:
    group = groups.create(10)
    done = groups.ask(make(group))
    assert (done.order_group_id, done.order_group_contracts_limit, done.alloc_account) == (group, None, 0)


def test_a_group_on_margin(town: Town) -> None:
    perp = town.connect("perp", product="margin")
    group = perp.answer_to(OrderGroupRequest.create(5), OrderGroupResponse).order_group_id
    placed = order("a1", BUY, 1, "19.5000", symbol=PERP, secondary_cl_ord_id=group)
    perp.send(placed)
    assert words(perp.take()) == ["a1 new"]
    perp.send(OrderGroupRequest.trigger(group))
    assert words(perp.take()) == ["done", "a1 4 ORDER_GROUP_CANCEL"]


# The limit


def test_the_fill_that_exceeds_the_limit_triggers_and_one_that_reaches_it_does_not(groups: Groups) -> None:
    group = groups.create(10)
    assert groups.place("a1", group, 20) == "a1 new"
    assert groups.place("a2", group, 5, "0.30") == "a2 new"
    assert groups.sell(10) == ["a1 fills 10", "b fills 10"]
    assert groups.sell("0.01") == [
        "a1 fills 0.01",
        "a1 4 ORDER_GROUP_CANCEL",
        "a2 4 ORDER_GROUP_CANCEL",
        "b fills 0.01",
    ]


def test_orders_outside_of_the_group_neither_count_nor_end(groups: Groups) -> None:
    group, other = groups.create(3), groups.create(3)
    assert groups.do(order("free", BUY, 50, "0.41")) == ["free new"]
    groups.place("a1", group, 20)
    groups.place("o1", other, 20, "0.30")
    assert groups.sell(50, "0.41") == ["free fills 50", "b fills 50"]
    assert groups.sell(4) == ["a1 fills 4", "a1 4 ORDER_GROUP_CANCEL", "b fills 4"]
    assert groups.place("o2", other) == "o2 new"


def test_fills_of_takers_count_and_end_the_rest_of_the_taker(groups: Groups) -> None:
    group = groups.create(10)
    for quantity in (6, 6, 6):
        groups.sell(quantity, time_in_force=TimeInForce.GOOD_TILL_CANCEL)
    assert groups.place("a1", group, 18) == "a1 fills 6 a1 fills 6 a1 4 ORDER_GROUP_CANCEL"
    assert groups.place("a2", group) == "a2 3 EXCEEDED_ORDER_GROUP_RISK_LIMIT"


@pytest.mark.parametrize(
    ("between_trades", "last"), [(True, ["a3 4 ORDER_GROUP_CANCEL"]), (False, ["a3 fills 5", "b fills 5"])]
)
def test_what_an_incoming_order_has_not_reached_yet_is_cancelled_if_triggering_does_not_wait_for_it(
    between_trades: bool, last: list[str]
) -> None:
    groups = Groups(order_groups_trigger_between_trades=between_trades)
    group = groups.create(7)
    for name, price in (("a1", "0.42"), ("a2", "0.41"), ("a3", "0.40")):
        groups.place(name, group, 5, price)
    assert groups.sell(15) == ["a1 fills 5", "a2 fills 5", last[0], "b fills 5", "b fills 5", *last[1:]]


def test_an_order_that_fills_whole_or_not_at_all_fills_whole(groups: Groups) -> None:
    group = groups.create(7)
    for name, price in (("a1", "0.42"), ("a2", "0.41"), ("a3", "0.40")):
        groups.place(name, group, 5, price)
    whole = groups.sell(12, time_in_force=TimeInForce.FILL_OR_KILL)
    assert whole == [
        "a1 fills 5",
        "a2 fills 5",
        "a3 fills 2",
        "a3 4 ORDER_GROUP_CANCEL",
        "b fills 5",
        "b fills 5",
        "b fills 2",
    ]


@pytest.mark.parametrize(("seconds", "triggers"), [(14.999, True), (15, False), (15.001, False)])
def test_a_fill_counts_for_fifteen_seconds(groups: Groups, seconds: float, triggers: bool) -> None:
    group = groups.create(10)
    groups.place("a1", group, 100)
    groups.sell(10)
    groups.town.wait(seconds)
    told = groups.sell(1)
    assert ("a1 4 ORDER_GROUP_CANCEL" in told) is triggers


def test_the_window_rolls(groups: Groups) -> None:
    group = groups.create(10)
    groups.place("a1", group, 1000)
    for _ in range(12):  # 5 every 5 seconds, 15 in all within 15 seconds if both ends counted
        assert "a1 4 ORDER_GROUP_CANCEL" not in groups.sell("3.33")
        groups.town.wait(5)
    assert "a1 4 ORDER_GROUP_CANCEL" not in groups.sell("3.34")
    assert "a1 4 ORDER_GROUP_CANCEL" in groups.sell("0.01")


def test_the_window_holds_one_entry_for_each_millisecond_with_fills() -> None:
    counted = Groups()
    group = counted.create(1_000_000)
    counted.place("a1", group, 1000)
    for _ in range(50):
        counted.sell("0.01")
    exchange = counted.town.venue.exchange("prediction")
    groups: OrderGroups = exchange._state.groups
    assert len(groups._fills) == 1
    counted.town.wait(0.001)
    counted.sell("0.01")
    assert [fill.quantity for fill in groups._fills] == [Decimal("0.50"), Decimal("0.01")]
    counted.town.wait(14.999)
    counted.sell("0.01")
    assert [fill.quantity for fill in groups._fills] == [Decimal("0.01"), Decimal("0.01")]


# Actions


def test_a_triggered_group_takes_no_orders_until_it_is_reset(groups: Groups) -> None:
    group = groups.create(10)
    groups.place("a1", group, 20)
    groups.sell(11)
    assert groups.place("a2", group) == "a2 3 EXCEEDED_ORDER_GROUP_RISK_LIMIT"
    groups.town.wait(60)
    assert groups.place("a2", group) == "a2 3 EXCEEDED_ORDER_GROUP_RISK_LIMIT"
    groups.ask(OrderGroupRequest.reset(group))
    assert groups.place("a2", group) == "a2 new"


def test_a_reset_forgets_what_has_filled(groups: Groups) -> None:
    group = groups.create(10)
    groups.place("a1", group, 100)
    groups.sell(10)
    groups.ask(OrderGroupRequest.reset(group))
    assert groups.sell(10) == ["a1 fills 10", "b fills 10"]
    groups.town.wait(14)
    # What filled before the reset leaves the window now, and takes nothing away from what came after it.
    groups.town.wait(0.999)
    assert "a1 4 ORDER_GROUP_CANCEL" in groups.sell(1)


def test_trigger_cancels_whatever_has_filled(groups: Groups) -> None:
    group = groups.create(1_000_000)
    groups.place("a1", group)
    groups.place("a2", group, 5, "0.39")
    assert groups.do(OrderGroupRequest.trigger(group)) == [
        "done",
        "a1 4 ORDER_GROUP_CANCEL",
        "a2 4 ORDER_GROUP_CANCEL",
    ]
    assert groups.place("a3", group) == "a3 3 EXCEEDED_ORDER_GROUP_RISK_LIMIT"
    assert groups.do(OrderGroupRequest.trigger(group)) == ["done"]


def test_an_update_below_what_has_filled_triggers(groups: Groups) -> None:
    group = groups.create(100)
    groups.place("a1", group, 50)
    groups.sell(10)
    groups.ask(OrderGroupRequest.update(group, order_group_contracts_limit=10))
    assert groups.do(OrderGroupRequest.update(group, order_group_contracts_limit=9)) == [
        "done",
        "a1 4 ORDER_GROUP_CANCEL",
    ]
    assert groups.place("a2", group) == "a2 3 EXCEEDED_ORDER_GROUP_RISK_LIMIT"
    # More room alone does not let it take orders again.
    groups.ask(OrderGroupRequest.update(group, order_group_contracts_limit=1000))
    assert groups.place("a2", group) == "a2 3 EXCEEDED_ORDER_GROUP_RISK_LIMIT"


def test_an_update_after_fifteen_seconds_does_not_trigger(groups: Groups) -> None:
    group = groups.create(100)
    groups.place("a1", group, 50)
    groups.sell(10)
    groups.town.wait(15)
    groups.ask(OrderGroupRequest.update(group, order_group_contracts_limit=9))
    assert groups.place("a2", group) == "a2 new"


def test_delete_cancels_its_orders_and_nobody_knows_it_after(groups: Groups) -> None:
    group = groups.create()
    groups.place("a1", group)
    assert groups.do(OrderGroupRequest.delete(group)) == ["done", "a1 4 ORDER_GROUP_CANCEL"]
    assert groups.place("a2", group) == "a2 11 ORDER_GROUP_NOT_FOUND"
    unknown = (BusinessRejectReason.UNKNOWN_ID, "ORDER_GROUP_NOT_FOUND")
    for make in (OrderGroupRequest.delete, OrderGroupRequest.reset, OrderGroupRequest.trigger):
        assert groups.refusal(make(group)) == unknown


def test_orders_of_a_group_can_be_amended_and_stay_in_it(groups: Groups) -> None:
    group = groups.create(10)
    groups.place("a1", group, 5)
    assert groups.do(amend("a2", "a1", 20, price="0.45")) == ["a2 5 None"]
    assert groups.sell(11, "0.45") == ["a2 fills 11", "a2 4 ORDER_GROUP_CANCEL", "b fills 11"]


def test_what_left_the_group_is_not_cancelled_again(groups: Groups) -> None:
    group = groups.create(10)
    groups.place("a1", group, 5)
    groups.place("a2", group, 5, "0.39")
    groups.do(cancel("c", "a1"))
    assert groups.do(OrderGroupRequest.trigger(group)) == ["done", "a2 4 ORDER_GROUP_CANCEL"]


# Whose group it is


def test_a_group_belongs_to_its_subaccount(groups: Groups) -> None:
    second = groups.create(alloc_account=2)
    unknown = (BusinessRejectReason.UNKNOWN_ID, "ORDER_GROUP_NOT_FOUND")
    requests = [
        OrderGroupRequest.reset(second),
        OrderGroupRequest.trigger(second),
        OrderGroupRequest.delete(second),
        OrderGroupRequest.update(second, order_group_contracts_limit=5),
    ]
    for request in requests:
        assert groups.refusal(request) == unknown
    assert groups.place("a1", second) == "a1 11 ORDER_GROUP_NOT_FOUND"
    assert groups.place("a1", second, alloc_account=2) == "a1 new"
    for request in (requests[0], requests[3], requests[1], requests[2]):
        groups.ann.send(attrs.evolve(request, alloc_account=2))
        found = groups.ann.take()[0]
        assert isinstance(found, OrderGroupResponse)
        assert found.alloc_account == 2


def test_a_group_of_the_primary_account_is_none_of_a_subaccount(groups: Groups) -> None:
    first = groups.create()
    assert groups.place("a1", first, alloc_account=2) == "a1 11 ORDER_GROUP_NOT_FOUND"
    assert groups.refusal(OrderGroupRequest.reset(first, alloc_account=2))[1] == "ORDER_GROUP_NOT_FOUND"


def test_a_group_belongs_to_its_shard(groups: Groups) -> None:
    here, there = groups.create(), groups.create(ex_destination=2)
    assert groups.place("a1", there) == "a1 11 ORDER_GROUP_NOT_FOUND"
    assert groups.place("a1", here, symbol=CRYPTO) == "a1 11 ORDER_GROUP_NOT_FOUND"
    assert groups.place("a1", there, symbol=CRYPTO) == "a1 new"
    assert groups.refusal(OrderGroupRequest.trigger(there))[1] == "ORDER_GROUP_NOT_FOUND"
    assert groups.refusal(OrderGroupRequest.trigger(here, ex_destination=2))[1] == "ORDER_GROUP_NOT_FOUND"
    assert groups.do(OrderGroupRequest.trigger(there, ex_destination=2)) == [
        "done",
        "a1 4 ORDER_GROUP_CANCEL",
    ]


def test_a_group_belongs_to_its_owner(groups: Groups) -> None:
    group = groups.create()
    assert groups.refusal(OrderGroupRequest.delete(group), groups.bob)[1] == "ORDER_GROUP_NOT_FOUND"
    # Any key of the owner may.
    other = groups.town.connect("ann-2", "KalshiRT")
    assert other.answer_to(OrderGroupRequest.reset(group), OrderGroupResponse).order_group_id == group


def test_cancelled_orders_are_reported_to_the_session_that_placed_them(groups: Groups) -> None:
    group = groups.create()
    groups.place("a1", group)
    other = groups.town.connect("ann-2")
    other.send(OrderGroupRequest.trigger(group))
    assert words(other.take()) == ["done"]
    assert groups.told() == ["a1 4 ORDER_GROUP_CANCEL"]


# Refusals


def test_an_unknown_group_is_refused_in_orders_and_requests(groups: Groups) -> None:
    assert groups.place("a1", NOBODYS) == "a1 11 ORDER_GROUP_NOT_FOUND"
    expected = (BusinessRejectReason.UNKNOWN_ID, "ORDER_GROUP_NOT_FOUND")
    assert groups.refusal(OrderGroupRequest.trigger(NOBODYS)) == expected
    found = groups.refusal(OrderGroupRequest.reset(NOBODYS, alloc_account=63))
    assert found == (BusinessRejectReason.UNKNOWN_ID, "CUSTOMER_ACCOUNT_NOT_FOUND")


NAME, LIMIT = TAGS["OrderGroupID"], TAGS["OrderGroupContractsLimit"]


@pytest.mark.parametrize(
    ("fields", "tag"),
    [
        ({"order_group_action": RESET, "order_group_id": "group-1"}, NAME),
        ({"order_group_action": RESET, "order_group_id": NOBODYS + "0"}, NAME),
        ({"order_group_action": RESET}, NAME),
        ({"order_group_action": CREATE, "order_group_id": NOBODYS, "order_group_contracts_limit": 5}, NAME),
        ({"order_group_action": CREATE}, LIMIT),
        ({"order_group_action": CREATE, "order_group_contracts_limit": 0}, LIMIT),
        ({"order_group_action": CREATE, "order_group_contracts_limit": 1_000_001}, LIMIT),
        ({"order_group_action": CREATE, "order_group_contracts_limit": -1}, LIMIT),
        ({"order_group_action": UPDATE, "order_group_id": NOBODYS}, LIMIT),
        ({"order_group_action": CREATE, "order_group_contracts_limit": 5, "alloc_account": 64}, 79),
    ],
)
def test_what_is_malformed_is_rejected(groups: Groups, fields: dict[str, Any], tag: int) -> None:
    found = groups.ann.answer_to_raw(OrderGroupRequest(**fields), Reject)
    assert (found.ref_tag_id, found.ref_msg_type) == (tag, "UOG")


def test_an_action_that_there_is_not_is_refused(groups: Groups) -> None:
    found = groups.ann.answer_to_raw(OrderGroupRequest(order_group_action=9), BusinessMessageReject)
    assert found.text == "OrderGroupAction 9 is not supported"


def test_who_may_not_trade_may_not_change_groups(groups: Groups) -> None:
    reader = groups.town.connect("ann-reader")
    assert groups.refusal(OrderGroupRequest.create(5), reader)[0] == BusinessRejectReason.NOT_AUTHORIZED
    listener = groups.town.connect("ann-2", listener_session=True)
    assert groups.refusal(OrderGroupRequest.create(5), listener)[0] == BusinessRejectReason.NOT_AUTHORIZED


def test_an_exchange_that_takes_no_cancels_changes_no_groups(groups: Groups) -> None:
    group = groups.create()
    groups.place("a1", group)
    groups.town.execute(SetPause(PauseState.TRADING_PAUSED))
    groups.ask(OrderGroupRequest.reset(group))
    groups.town.execute(SetPause(PauseState.EXCHANGE_PAUSED))
    expected = (BusinessRejectReason.APPLICATION_NOT_AVAILABLE, "EXCHANGE_PAUSED")
    assert groups.refusal(OrderGroupRequest.trigger(group)) == expected
    groups.town.execute(SetPause(PauseState.OPEN))
    assert groups.do(OrderGroupRequest.trigger(group)) == ["done", "a1 4 ORDER_GROUP_CANCEL"]


def test_groups_can_go_on_while_the_exchange_is_paused() -> None:
    groups = Groups(exchange_pause_stops_order_groups=False)
    group = groups.create()
    groups.place("a1", group)
    groups.town.execute(SetPause(PauseState.EXCHANGE_PAUSED))
    assert groups.do(OrderGroupRequest.trigger(group)) == ["done", "a1 4 ORDER_GROUP_CANCEL"]


def test_an_owner_can_have_so_many_groups_and_no_more(groups: Groups) -> None:
    assert groups.town.venue.exchange("prediction")._state.groups.most == ORDER_GROUPS["prediction"]
    assert groups.town.venue.exchange("margin")._state.groups.most == ORDER_GROUPS["margin"]
    groups.town.venue.exchange("prediction")._state.groups.most = 3
    first = groups.create()
    groups.create()
    groups.create(alloc_account=2)  # they count for the owner, whatever the account
    expected = (BusinessRejectReason.OTHER, "TOO_MANY_ORDER_GROUPS")
    assert groups.refusal(OrderGroupRequest.create(5)) == expected
    groups.bob.send(OrderGroupRequest.create(5))
    groups.bob.take_only(OrderGroupResponse)
    groups.ask(OrderGroupRequest.delete(first))
    groups.create()
