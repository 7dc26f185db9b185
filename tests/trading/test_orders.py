"""The state of an order: reports in every arrival order, and unusual arguments. histories/orders.yaml tests
all other cases."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import attrs
import pytest

from kalshi_fix_sansio import (
    CollateralAmountType,
    LogonFields,
    NewOrderSingle,
    Party,
    Reject,
)
from kalshi_fix_sansio.dialect.base import Message, values_of
from kalshi_fix_sansio.events import CloseReason, MessageReceived, RejectReceived, SessionEnded
from kalshi_fix_sansio.trading import Account, DropCopyReport, Order, Orders, OrderState
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from tests.trading.order_flow import (
    BUY,
    OTHER,
    SELL,
    SYMBOL,
    cancel,
    change,
    d,
    dump,
    feed,
    header,
    kinds,
    load,
    logged_on,
    only,
    place,
    read_attributes,
    refusal,
    reloaded,
    report,
)


def test_an_order_is_found_by_its_ids_symbol_and_side(orders: Orders) -> None:
    feed(orders, place(), place("b", side=SELL), report("new", "1;1"), place("c", symbol=OTHER))
    first, second, third = orders
    assert len(orders) == 3
    assert orders.by_order_id("o1") is orders.by_cl_ord_id("a") is first
    assert orders.by_order_id("o2") is orders.by_cl_ord_id("z") is None
    assert list(orders.live()) == [first, second, third]
    assert list(orders.live(SYMBOL)) == [first, second]
    assert list(orders.live(side=BUY)) == [first, third]
    assert list(orders.live(SYMBOL, SELL)) == [second]
    assert list(orders.working(SYMBOL)) == [first]
    feed(orders, report("canceled", "1;2"))
    assert not orders.live(SYMBOL, BUY)
    assert not orders.working()


def test_fee_entries_without_an_amount_and_other_balance_changes_are_ignored(orders: Orders) -> None:
    trade = report("trade", "1;2", cum="4", last=("4", "0.40"), fee="0.03", balance="-1.63")
    [fee], [change] = trade.misc_fees, trade.collateral_amount_changes
    unreadable = attrs.evolve(fee, misc_fee_amt="1")
    unreadable.misc_fee_amt = None  # type: ignore[assignment] # like one that could not be read
    other = attrs.evolve(change, collateral_amount_type=CollateralAmountType.PAYOUT)
    trade.misc_fees = [unreadable, fee, attrs.evolve(fee, misc_fee_amt="-0.01")]
    trade.collateral_amount_changes = [other, change, attrs.evolve(change, collateral_amount_change="0.5")]
    [update] = feed(orders, trade)
    [fill] = update.fills
    assert (fill.fee, fill.balance_change) == (Decimal("0.02"), Decimal("-1.13"))
    trade.exec_id, trade.collateral_amount_changes = "1;3", [other]
    [update] = feed(orders, trade)
    assert update.fills[0].balance_change is None
    assert only(orders).fees == Decimal("0.04")


def amended(orders: Orders, *quantities: str) -> Order:
    """Return an open order with several pending changes that keep its ClOrdID."""
    feed(orders, place(), report("new", "1;1"), *(change("a", "a", quantity) for quantity in quantities))
    return only(orders)


def pending(order: Order) -> list[int]:
    return [int(request.quantity or 0) for request in order.pending]


FIRST_REPORT = report("replaced", "1;2", qty="20", orig_cl_ord_id="a")
SECOND_REPORT = report("replaced", "1;3", qty="30", orig_cl_ord_id="a")


@pytest.mark.parametrize("loaded", [False, True])
def test_each_report_answers_one_of_the_amends_under_one_clordid(orders: Orders, loaded: bool) -> None:
    order = amended(orders, "20", "30")
    if loaded:
        load(orders, dump(orders))
        order = only(orders)
    [update] = feed(orders, FIRST_REPORT)
    assert [request.quantity for request in update.answered] == [20]
    assert (pending(order), order.leaves_qty) == ([30], d(20))
    # When the report is redelivered by the session, by drop copy or in another process, it answers no other
    # request.
    for item in (orders, reloaded(orders)):
        feed(item, FIRST_REPORT, DropCopyReport(FIRST_REPORT))
        assert pending(only(item)) == [30]
    feed(orders, SECOND_REPORT, FIRST_REPORT, SECOND_REPORT)
    assert pending(order) == []
    assert order.leaves_qty == 30
    # A request that was sent after the reports were received is not answered by their redelivery.
    feed(orders, change("a", "a", "40"), FIRST_REPORT, SECOND_REPORT)
    assert pending(order) == [40]


@pytest.mark.parametrize("answers", list(permutations((FIRST_REPORT, refusal("a", number=7), SECOND_REPORT))))
def test_answers_to_amends_under_one_clordid_lead_to_the_same_state_in_every_sequence(
    orders: Orders, answers: tuple[Message, ...]
) -> None:
    order = amended(orders, "20", "25", "30", "35")
    for left, answer in zip(([25, 30, 35], [30, 35], [35]), answers, strict=True):
        feed(orders, answer, answer)
        assert pending(order) == left
    assert order.leaves_qty == 30


def test_the_account_is_taken_from_the_newest_report_that_contains_one(orders: Orders) -> None:
    customer = [Party(party_id="c1", party_role=24)]
    reports = [
        report("new", "1;1", alloc_account=1),
        report("trade", "1;2", cum="4", last=("4", "0.40"), party_ids=customer),
        report("trade", "1;3", cum="5", last=("1", "0.40"), party_ids=[Party(party_id="c2", party_role=11)]),
        report("trade", "1;4", cum="6", last=("1", "0.40")),
    ]
    for permuted in permutations(reports):
        orders = Orders()
        feed(orders, *permuted)
        assert only(orders).account == Account(0, "c1")
    feed(orders, report("new", "?", alloc_account=7))
    assert only(orders).account == Account(0, "c1")
    [update] = feed(orders, report("trade", "1;5", cum="7", last=("1", "0.40"), alloc_account=0))
    assert (only(orders).account, update.moved_from) == (Account(), Account(0, "c1"))
    assert feed(Orders(), reports[1])[0].moved == []
    assert sorted(fill.quantity for fill in update.moved) == [1, 1, 4]


def test_two_reports_with_one_key_give_the_same_account_and_price_in_every_sequence() -> None:
    found = set()
    both = [
        report("new", "1;1", alloc_account=account, price=price)
        for account, price in ((1, "0.4"), (2, "0.5"))
    ]
    for permuted in permutations(both):
        orders = Orders()
        feed(orders, *permuted)
        found.add((only(orders).account, only(orders).price))
    assert found == {(Account(2), Decimal("0.5"))}


def test_a_reject_of_an_unknown_request_is_reported(orders: Orders) -> None:
    feed(orders, place())
    updates = feed(orders, RejectReceived(Reject(ref_seq_num=3, ref_msg_type="D"), 3, None))
    assert [kind.name for kind in kinds(updates)] == ["UNKNOWN_REQUEST"]
    assert feed(orders, RejectReceived(Reject(ref_seq_num=3, ref_msg_type="V"), 3, None)) == []
    assert feed(orders, RejectReceived(Reject(ref_seq_num=3), 3, None)) == []


def test_prices_in_cents_are_converted_to_dollars() -> None:
    for orders in (Orders(logon=LogonFields()), Orders()):
        feed(orders, logged_on(use_dollars=False))
        assert not orders.dollars
        feed(orders, place(price="40"), report("new", "1;1", price="40"), change("b", price="41"))
        feed(orders, report("trade", "1;2", price="40", cum="4", last=("4", "39.5"), fee="0.07"))
        order = only(orders)
        assert read_attributes(order, "price average_price") == (Decimal("0.40"), Decimal("0.395"))
        assert order.pending[0].price == Decimal("0.41")
        assert order.fees == Decimal("0.07")
    assert Orders(product="margin", logon={}).dollars
    assert not Orders(logon={}).dollars


def test_a_message_applied_twice_from_a_log_has_one_effect(orders: Orders) -> None:
    for item in (place(), cancel("c"), change("d")):
        feed(orders, item)
        item.header = attrs.evolve(header(item), poss_dup_flag=True)
        assert feed(orders, item) == []
    assert len(only(orders).pending) == 2


def test_a_report_without_a_header_is_applied(orders: Orders) -> None:
    new_report = report("new", "1;1")
    new_report.header = None
    feed(orders, place(), new_report)
    assert read_attributes(only(orders), "state order_id") == (OrderState.OPEN, "o1")


def test_other_objects_have_no_effect(orders: Orders) -> None:
    reject = Reject(ref_seq_num=1)
    assert feed(orders, "text", None, reject, MessageReceived(reject), MessageReceived(place()), 7) == []
    assert orders.newest == {}
    feed(orders, place(), report("new", "1;1"), report("new", "1;7;2", "o2"))
    assert orders.newest == {0: ExecKey(0, 1, 1), 2: ExecKey(2, 1, 7)}
    shown = "Order(a, o1, KXHIGHNY-26NOV21-T55, open, 0 filled, 10 remaining at 0.40 dollars)"
    assert repr(next(iter(orders))) == shown


def test_subclasses_of_requests_and_events_are_accepted(orders: Orders) -> None:
    class Mine(NewOrderSingle):
        """A user-defined subclass of an order."""

    class End(SessionEnded):
        """A user-defined subclass of an event."""

    request = place()
    feed(orders, Mine(**values_of(request)), report("new", "1;1"))
    assert only(orders).placed is not None
    feed(orders, End(CloseReason.CONNECTION_LOST, "gone", clean=False))
    assert only(orders).state is OrderState.UNVERIFIED
