"""One list of the uncertain items of all state machines."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from kalshi_fix_sansio import (
    MarketSettlementReport,
    NewOrderSingle,
    OrderGroupRequest,
    OrderGroupResponse,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import MessageReceived, OpenRequest, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.trading import (
    Cash,
    DropCopy,
    ExecKey,
    OrderGroups,
    Orders,
    Positions,
    Remedy,
    RfqCreator,
    RfqMaker,
    Settlements,
    UncertainItem,
    UncertainItems,
)
from kalshi_fix_sansio.trading.common.uncertain_items import WINDOW
from tests.trading.order_flow import NOON, SESSION_ENDED, feed, logged_on, over_the_wire, place, report


def lose_group_request(groups: OrderGroups, request: OrderGroupRequest) -> None:
    groups.apply(request)
    lost = OpenRequest("3", request.MSG_TYPE, 3, NOON, b"", 3)
    groups.apply(OutcomesUnknown((lost,), Uncertainty.CONNECTION_ENDED))


def test_an_item_contains_its_subject_time_and_remedies() -> None:
    item = UncertainItem(
        what="where it is", about="order a", since=NOON, remedies=(Remedy.DROP_COPY, Remedy.REST)
    )
    assert str(item) == "order a: where it is (since 2026-11-21 12:00:00 UTC); resolve via drop copy or REST"
    assert str(UncertainItem(what="where it is", about="order a")) == "order a: where it is; resolve via REST"


def test_no_item_is_uncertain_at_first() -> None:
    maker = RfqMaker(lambda _: None, lambda _: False, lambda: "id")
    traded = (Orders(), Positions(), Cash(), DropCopy())
    uncertain_items = UncertainItems(*traded, OrderGroups(), Settlements(), maker, RfqCreator())
    assert (len(uncertain_items), list(uncertain_items)) == (0, [])
    assert uncertain_items.by_remedy(NOON) == {remedy: [] for remedy in Remedy}


def test_items_of_all_machines_are_listed_oldest_first() -> None:
    orders, drop_copy, groups, settlements = Orders(), DropCopy(), OrderGroups(), Settlements()
    positions, cash = Positions(), Cash()
    uncertain_items = UncertainItems(orders, positions, cash, drop_copy, groups, settlements)
    feed(orders, logged_on(), place(), report("new", "1;1"), SESSION_ENDED)
    drop_copy.request(orders.drop_copy_start(), orders.epoch, Instant(1, NOON + timedelta(minutes=1)))
    lose_group_request(groups, OrderGroupRequest(order_group_action="1", order_group_contracts_limit=5))
    page = MarketSettlementReport(
        market_settlement_report_id="s1",
        symbol="M",
        clearing_business_date=date(2026, 11, 20),
        market_result="yes",
        settlement_price="100",
        last_fragment=False,
    )
    settlements.apply(over_the_wire(page, at=NOON - timedelta(minutes=1)))
    for update in feed(
        Orders(), report("trade", "1;2", cum="4", last=("4", "0.40"), long_qty=9, short_qty=0)
    ):
        positions.apply(update)
        cash.apply(update)
    first, *others = map(str, uncertain_items)
    assert first.startswith(
        "settlement of M on 2026-11-20: the settlement is incomplete: 1 page was received (since 2026-11-21"
    )
    assert others == [
        (
            "order a: it may have been filled or cancelled (since 2026-11-21 12:00:00 UTC); "
            "resolve via drop copy or REST"
        ),
        (
            "reports from 1;1: they have not been requested yet (since 2026-11-21 12:01:00 UTC); "
            "resolve via drop copy or REST"
        ),
        (
            "KXHIGHNY-26NOV21-T55: the position is 4 according to its fills, but 9 according to the venue; "
            "resolve via REST"
        ),
        "balance of account 0 on shard 0: the balance change of 1 fill is unknown; resolve via REST",
        "1 new order group: the venue may have created it; resolve via REST",
    ]
    assert len(uncertain_items) == 6
    found = {remedy: len(each) for remedy, each in uncertain_items.by_remedy(NOON).items()}
    assert found == {Remedy.DROP_COPY: 2, Remedy.REQUEST: 0, Remedy.REST: 4}
    # Drop copy has no reports older than its window.
    found = {remedy: len(each) for remedy, each in uncertain_items.by_remedy(NOON + WINDOW).items()}
    assert found == {Remedy.DROP_COPY: 1, Remedy.REQUEST: 0, Remedy.REST: 5}


def test_after_the_window_an_item_that_only_drop_copy_resolves_needs_the_rest_api() -> None:
    class Machine:
        def uncertain(self) -> list[UncertainItem]:
            return [UncertainItem(what="it", about="x", since=NOON, remedies=(Remedy.DROP_COPY,))]

    uncertain_items = UncertainItems(Machine())
    assert len(uncertain_items.by_remedy(NOON + WINDOW)[Remedy.REST]) == 1


def test_reports_beyond_the_drop_copy_window_do_not_block_recovery() -> None:
    orders = Orders()
    feed(orders, logged_on(), report("new", "1;1"), SESSION_ENDED, logged_on())
    feed(orders, report("new", "1;5", "o2", "b"), SESSION_ENDED)
    assert orders.drop_copy_start() == {0: ExecKey(0, 1, 1)}
    assert orders.drop_copy_start({0: ExecKey(0, 1, 1)}) == {0: ExecKey(0, 1, 5)}
    assert orders.drop_copy_start({0: ExecKey(0, 1, 5), 1: ExecKey(1, 1, 1)}) == {}


def test_an_order_without_any_report_needs_the_rest_api() -> None:
    orders = Orders()
    feed(orders, logged_on(), place(), SESSION_ENDED)
    [item] = orders.uncertain()
    assert (item.about, item.begin, item.remedies) == ("order a", None, (Remedy.REST,))


def test_an_item_about_a_request_names_its_order() -> None:
    orders = Orders()
    feed(orders, logged_on(), place(), report("new", "1;1"))
    [order] = orders
    feed(orders, orders.cancel(order, "b"), SESSION_ENDED)
    assert [item.about for item in orders.uncertain()] == ["order a", "request b about order a"]


def test_the_time_of_an_item_about_a_group_survives_a_dump() -> None:
    groups = OrderGroups()
    group = "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11"
    groups.learn(group, limit=5)
    lose_group_request(groups, OrderGroupRequest(order_group_action="2", order_group_id=group))
    groups.apply(NewOrderSingle(cl_ord_id="x", symbol="M", side="1", order_qty=1, price="0.4"))
    other = OrderGroups()
    other.load(groups.dump())
    for element in (groups, other):
        [item] = element.uncertain()
        assert (item.about, item.since) == (f"order group {group}", NOON)
    # An unsolicited group is as old as the message that reported it.
    orphan = OrderGroupResponse(order_group_id=group[:-1] + "2")
    groups.apply(MessageReceived(over_the_wire(orphan, at=NOON + timedelta(hours=1))))
    assert [element.since for element in groups.uncertain()] == [NOON, NOON + timedelta(hours=1)]


def test_items_refused_for_lack_of_room_are_uncertain() -> None:
    positions, cash = Positions(max_positions=0), Cash(max_balances=0)
    for update in feed(Orders(), report("trade", "1;2", cum="4", last=("4", "0.40"))):
        positions.apply(update)
        cash.apply(update)
    assert [str(item) for item in UncertainItems(positions, cash)] == [
        "1 fill: the effect on positions is not tracked, because max_positions was reached; resolve via REST",
        (
            "1 fill or payout: the effect on balances is not tracked, because max_balances was reached; "
            "resolve via REST"
        ),
    ]
    assert cash.refused == Decimal(1)
