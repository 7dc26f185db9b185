"""The state of an order after reports, refusals and the user's requests."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import attrs
import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    CollateralAmountType,
    ExecutionReport,
    ExecutionReportText,
    LogonFields,
    NewOrderSingle,
    OrdStatus,
    Party,
    Reject,
)
from kalshi_fix_sansio.dialect.base import Message, values_of
from kalshi_fix_sansio.events import CloseReason, MessageReceived, RejectReceived, SessionEnded
from kalshi_fix_sansio.trading import Account, DropCopyReport, Ending, Order, Orders, OrderState
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from tests.trading.order_flow import (
    BUY,
    OTHER,
    SELL,
    SESSION_ENDED,
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


def test_an_order_is_first_sent_then_open_then_done(orders: Orders) -> None:
    [update] = feed(orders, place())
    order = only(orders)
    assert (update.order, update.before, update.state_changed) == (order, None, True)
    assert read_attributes(order, "state leaves_qty order_id status") == (OrderState.SENT, 10, None, None)
    [update] = feed(orders, report("new", "1;1"))
    assert (update.order, update.before) == (order, OrderState.SENT)
    assert read_attributes(order, "state order_id shard status") == (OrderState.OPEN, "o1", 0, "0")
    [update] = feed(orders, report("trade", "1;2", cum="4", last=("4", "0.39"), fee="0.07"))
    assert [fill.quantity for fill in update.fills] == [4]
    assert read_attributes(order, "filled_qty cum_qty unreported_qty leaves_qty") == (4, 4, 0, 6)
    assert read_attributes(order, "average_price fees") == (Decimal("0.39"), Decimal("0.07"))
    feed(orders, report("filled", "1;3", cum="10", last=("6", "0.40"), fee="0.10"))
    assert read_attributes(order, "state ending leaves_qty") == (OrderState.DONE, Ending.FILLED, 0)
    assert order.average_price == Decimal("0.396")
    assert order.fees == Decimal("0.17")


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


def test_a_fill_counts_once_even_after_the_end_of_the_order(orders: Orders) -> None:
    trade = report("trade", "1;2", cum="4", last=("4", "0.40"))
    [update] = feed(orders, place(), report("canceled", "1;3", cum="4"))
    order = only(orders)
    assert read_attributes(order, "state unreported_qty filled_qty") == (OrderState.DONE, 4, 0)
    assert [item.kind.name for item in orders.uncertain()] == ["FILLS_UNREPORTED"]
    [update] = feed(orders, trade)
    assert read_attributes(order, "state unreported_qty") == (OrderState.DONE, 0)
    assert len(update.fills) == 1
    [update] = feed(orders, trade)
    assert read_attributes(order, "filled_qty") == (4,)
    assert not update.fills
    assert not orders.uncertain()


def test_only_reports_with_amounts_count_for_fees_and_balances(orders: Orders) -> None:
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


def test_the_newest_report_has_the_highest_key(orders: Orders) -> None:
    feed(orders, place(), change("b"), report("replaced", "1;9", cl_ord_id="b", qty="20", price="0.45"))
    order = only(orders)
    feed(orders, report("new", "1;2"))
    assert read_attributes(order, "cl_ord_id leaves_qty price") == ("b", 20, Decimal("0.45"))
    assert order.pending == []
    feed(orders, report("trade", "1;10", cl_ord_id="b", qty="20", cum="1", last=("1", "0.45"), price=None))
    assert read_attributes(order, "leaves_qty price") == (19, Decimal("0.45"))


def test_a_change_is_pending_until_it_is_answered(orders: Orders, order: Order) -> None:
    [update] = feed(orders, change("b", qty="12", price="0.41"))
    assert not update.state_changed
    [request] = order.pending
    assert (request.msg_type, request.price, request.quantity) == ("G", Decimal("0.41"), Decimal(12))
    assert orders.by_cl_ord_id("b") is order
    feed(orders, report("pending replace", "-1;-1", cl_ord_id="b", orig_cl_ord_id="a"))
    assert order.pending == [request]
    assert order.cl_ord_id == "a"
    [update] = feed(orders, report("replaced", "1;2", cl_ord_id="b", qty="12", price="0.41"))
    assert update.answered == [request]
    assert (order.pending, order.cl_ord_id, orders.by_cl_ord_id("b")) == ([], "b", order)


def test_a_refused_cancel_leaves_the_order_unchanged(orders: Orders, order: Order) -> None:
    feed(orders, cancel("c"))
    [update] = feed(orders, refusal("c"))
    assert (len(update.answered), order.pending, order.state) == (1, [], OrderState.OPEN)


def test_a_fill_does_not_settle_a_pending_cancel_with_the_id_of_its_order(
    orders: Orders, order: Order
) -> None:
    feed(orders, cancel("a"))
    feed(orders, report("trade", "1;2", cum="4", last=("4", "0.40")))
    assert len(order.pending) == 1
    feed(orders, report("canceled", "1;3", cum="4", orig_cl_ord_id="a"))
    assert order.pending == []


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
    # Nor does a report answer a request that was sent after it was received.
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


def test_origclordid_selects_which_of_two_changes_a_report_answers(orders: Orders, order: Order) -> None:
    feed(orders, change("b", "a", "20"), change("b", "b", "30"))
    feed(orders, report("trade", "1;2", cl_ord_id="b", qty="20", cum="4", last=("4", "0.40")))
    assert pending(order) == [30]  # A fill only shows that the order has a new ClOrdID.
    feed(orders, report("replaced", "1;2", cl_ord_id="b", orig_cl_ord_id="a", qty="20", cum="4"))
    assert pending(order) == [30]
    feed(orders, change("c", "b", "40"), refusal("b", orig="b"))
    assert pending(order) == [40]
    feed(orders, change("b", "c", "50"))
    feed(orders, report("replaced", "1;5", cl_ord_id="c", orig_cl_ord_id="b", qty="40"))
    # The remaining change was sent after the accepted amend, although the amend chains from its id.
    assert pending(order) == [50]


def test_a_change_back_to_an_earlier_clordid_waits_for_its_own_answer(orders: Orders) -> None:
    feed(orders, place(), change("b", "a", "20"), cancel("c", "b"), change("a", "b", "30"))
    order, fill = only(orders), report("trade", "1;2", cum="4", last=("4", "0.40"))
    feed(orders, report("new", "1;1"), fill)  # this report has the earlier ClOrdID
    assert pending(order) == [20, 0, 30]
    feed(orders, report("replaced", "1;3", cl_ord_id="b", orig_cl_ord_id="a", qty="20", cum="4"))
    assert pending(order) == [0, 30]
    # Another process changes the ClOrdID, too.
    feed(
        orders,
        DropCopyReport(fill),
        report("replaced", "1;4", cl_ord_id="x", orig_cl_ord_id="a", qty="5", cum="4"),
    )
    assert pending(order) == [0, 30]
    assert kinds(feed(orders, refusal("a", orig="b", number=3), refusal("c", orig="b", number=4))) == []
    assert pending(order) == []


def test_a_refusal_or_report_answers_the_request_of_its_kind(orders: Orders) -> None:
    order = amended(orders, "20")
    feed(orders, cancel("a"), refusal("a"))
    assert [request.msg_type for request in order.pending] == ["G"]
    feed(orders, cancel("a"), FIRST_REPORT)
    assert [request.msg_type for request in order.pending] == ["F"]


def test_a_reject_or_withdrawal_applies_to_the_amend_with_its_terms(orders: Orders) -> None:
    order = amended(orders, "20", "30", "40", "40")
    feed(orders, RejectReceived(Reject(ref_seq_num=4), 4, change("a", "a", "30")))
    assert pending(order) == [20, 40, 40]
    last = order.pending[-1]
    assert [update.answered for update in orders.withdraw(change("a", "a", "40"))] == [[last]]
    assert pending(order) == [20, 40]


def test_live_reports_answer_pending_requests_and_copies_uncertain_ones(orders: Orders) -> None:
    order = amended(orders, "20")
    feed(orders, logged_on(), SESSION_ENDED, logged_on(), change("a", "a", "30"))
    feed(orders, SECOND_REPORT)
    assert pending(order) == [20]
    feed(orders, change("a", "a", "40"), DropCopyReport(FIRST_REPORT))
    assert pending(order) == [40]


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


def test_a_report_without_a_key_determines_the_account_if_no_other_does(orders: Orders) -> None:
    feed(orders, place(), report("new", "?", alloc_account=7))
    other = reloaded(orders, "KalshiRT")
    assert only(orders).account == only(other).account == Account(7)
    feed(other, report("new", "1;1", alloc_account=8))
    assert only(other).account == Account(8)


def test_a_cancel_adds_an_order_without_any_report(orders: Orders) -> None:
    feed(orders, place(), report("canceled", "1;5", cl_ord_id="x", orig_cl_ord_id="a"))
    assert only(orders).state is OrderState.DONE


def test_the_end_of_an_order_answers_its_pending_requests(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), cancel("c"), change("d"))
    [update] = feed(orders, report("filled", "1;2", cum="10", last=("10", "0.40")))
    assert len(update.answered) == 2
    # The venue's answer to the cancel is still received, but has no effect.
    assert feed(orders, refusal("c", status=OrdStatus.FILLED)) == []
    assert feed(orders, refusal("d", order_id="NONE", status=OrdStatus.REJECTED)) == []
    # A cancel that is too late has no effect either.
    assert feed(orders, cancel("e")) == []


def test_a_clordid_may_be_reused_once_its_order_is_done(orders: Orders) -> None:
    feed(
        orders, place(), report("new", "1;1"), report("canceled", "1;2"), place(), report("new", "1;3", "o2")
    )
    first, second = orders
    assert (first.state, second.state) == (OrderState.DONE, OrderState.OPEN)
    assert orders.by_cl_ord_id("a") is second
    feed(orders, report("trade", "1;4", "o1", cum="4", last=("4", "0.40")))
    assert (first.filled_qty, second.filled_qty) == (Decimal(4), Decimal(0))


@pytest.mark.parametrize(
    "late",
    [report("trade", "1;2", cum="4", last=("4", "0.40")), report("rejected", "-1;-1", "o2")],
    ids=["fill of the first order", "refusal of the second order"],
)
@pytest.mark.parametrize(
    "first_answer", [None, report("rejected", "-1;-1", "o9", text=ExecutionReportText.EXCHANGE_UNAVAILABLE)]
)
def test_a_done_order_keeps_its_request_when_its_clordid_is_reused(
    orders: Orders, first_answer: object, late: ExecutionReport
) -> None:
    feed(orders, place(alloc_account=3), first_answer, report("ioc", "1;3", cum="6", last=("2", "0.40")))
    feed(orders, place(), late)
    assert [order.account.subaccount for order in orders] == [3, 0]


def test_orders_of_other_clients_are_adopted(orders: Orders) -> None:
    [update] = feed(
        orders,
        report("trade", "1;4;2", cum="4", last=("4", "0.40"), alloc_account=3),
    )
    order = only(orders)
    assert update.order is order
    assert order.placed is None
    assert read_attributes(order, "account shard state") == (Account(3), 2, OrderState.OPEN)
    feed(orders, cancel("c"))
    assert [request.cl_ord_id for request in order.pending] == ["c"]
    feed(orders, cancel("d", "other", order_id="o1"))
    assert len(order.pending) == 2


def test_the_customer_of_a_clearing_member_is_the_account(orders: Orders) -> None:
    customer = "550e8400-e29b-41d4-a716-446655440000_customer1"
    parties = [Party(party_id=customer, party_role=24), Party(party_id="desk", party_role=12)]
    feed(orders, report("new", "1;1", party_ids=parties))
    assert only(orders).account == Account(0, customer)


def test_a_rejected_order_is_done(orders: Orders) -> None:
    feed(orders, place(), report("rejected", "1;1", text="INSUFFICIENT_BALANCE"))
    order = only(orders)
    assert read_attributes(order, "state ending text") == (
        OrderState.DONE,
        Ending.REJECTED,
        "INSUFFICIENT_BALANCE",
    )
    assert order.leaves_qty == 0


def test_a_rejection_may_contain_the_id_of_the_conflicting_order(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), place())
    feed(orders, report("rejected", "1;2", text=ExecutionReportText.ORDER_ALREADY_EXISTS))
    first, second = orders
    assert (first.state, second.ending) == (OrderState.OPEN, Ending.REJECTED)


def test_a_rejection_may_refuse_a_change(orders: Orders, order: Order) -> None:
    feed(orders, change("b"))
    feed(orders, report("rejected", "1;2", "o1", "b"))
    assert (order.state, order.pending) == (OrderState.OPEN, [])


def test_rejections_of_foreign_orders_add_no_orders(orders: Orders) -> None:
    assert feed(orders, report("rejected", "1;2", "o7", "z")) == []
    assert len(orders) == 0


@pytest.mark.parametrize("msg_type", ["D", "G", "F"])
def test_a_request_may_be_refused_by_the_session(orders: Orders, msg_type: str) -> None:
    feed(orders, place(), report("new", "1;1"))
    sent = {"D": place("x"), "G": change("x"), "F": cancel("x")}[msg_type]
    feed(orders, sent)
    reject = BusinessMessageReject(
        ref_seq_num=3, ref_msg_type=msg_type, business_reject_reason=BusinessRejectReason.RATE_LIMIT_EXCEEDED
    )
    feed(orders, RejectReceived(reject, 3, sent))
    assert [order.state for order in orders.live()] == [OrderState.OPEN]
    assert not any(order.pending for order in orders)
    refused = orders.by_cl_ord_id("x")
    assert (refused is not None) is (msg_type == "D")
    if refused is not None:
        assert (refused.ending, refused.status, refused.text) == (Ending.REFUSED, None, "")
    assert feed(orders, RejectReceived(reject, 3, sent)) == []


def test_a_reject_of_an_unknown_request_is_reported(orders: Orders) -> None:
    feed(orders, place())
    updates = feed(orders, RejectReceived(Reject(ref_seq_num=3, ref_msg_type="D"), 3, None))
    assert [kind.name for kind in kinds(updates)] == ["UNKNOWN_REQUEST"]
    assert feed(orders, RejectReceived(Reject(ref_seq_num=3, ref_msg_type="V"), 3, None)) == []
    assert feed(orders, RejectReceived(Reject(ref_seq_num=3), 3, None)) == []


def test_an_unsent_request_is_withdrawn(orders: Orders) -> None:
    request = place()
    feed(orders, request)
    [update] = orders.withdraw(request)
    assert update.forgotten
    assert (len(orders), orders.by_cl_ord_id("a"), list(orders.live())) == (0, None, [])
    assert orders.withdraw(request) == []
    feed(orders, place(), report("new", "1;1"), cancel("c"))
    assert orders.withdraw(cancel("z")) == []
    assert orders.withdraw(Reject(ref_seq_num=1)) == []
    orders.withdraw(cancel("c"))
    assert only(orders).pending == []


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
    made = report("new", "1;1")
    made.header = None
    feed(orders, place(), made)
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


def test_withdrawing_one_of_two_orders_with_one_clordid_keeps_the_other(orders: Orders) -> None:
    second = place(qty="20")
    feed(orders, place(), second)
    orders.withdraw(second)
    order = only(orders)
    assert orders.by_cl_ord_id("a") is order
    assert order.leaves_qty == 10


def test_a_report_with_another_side_does_not_match_by_clordid(orders: Orders) -> None:
    feed(orders, place(side=SELL), report("new", "1;1"))
    assert [order.state for order in orders] == [OrderState.SENT, OrderState.OPEN]
