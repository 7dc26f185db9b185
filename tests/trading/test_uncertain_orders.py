"""Uncertainty about orders lasts until a report, drop copy or the user resolves it."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import ExecutionReportText, OrdStatus, Reject
from kalshi_fix_sansio.events import (
    CloseReason,
    MessageRejected,
    MessagesLost,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.trading import (
    DropCopyRange,
    DropCopyReport,
    Ending,
    Order,
    Orders,
    OrderState,
    UncertainOrderKind,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from tests.trading.order_flow import (
    NOON,
    OTHER,
    SESSION_ENDED,
    cancel,
    change,
    feed,
    kinds,
    logged_on,
    only,
    open_request,
    place,
    raw_report,
    read_attributes,
    refusal,
    report,
    view,
    views,
)

UNAVAILABLE = ExecutionReportText.EXCHANGE_UNAVAILABLE
K1, K2, K9 = ExecKey(0, 1, 1), ExecKey(0, 1, 2), ExecKey(0, 1, 9)


@pytest.fixture
def orders() -> Orders:
    made = Orders()
    made.apply(logged_on())
    return made


def uncertain_items(orders: Orders) -> list[str]:
    return [item.kind.name for item in orders.uncertain()]


def covered(orders: Orders, begin: ExecKey = K1, **changes: object) -> DropCopyRange:
    values = {"shard": begin.shard, "begin": begin, "end": None, "epoch": orders.epoch}
    return DropCopyRange(**(values | changes))  # type: ignore[arg-type]


def test_a_disconnect_makes_open_orders_unverified_and_sent_ones_unknown(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), place("b"), place("c"), report("canceled", "1;2", "o3", "c"))
    [update] = feed(orders, SESSION_ENDED)
    states = [order.state for order in orders]
    assert states == [OrderState.UNVERIFIED, OrderState.UNKNOWN, OrderState.DONE]
    assert (update.order, update.lost_reports) == (None, True)
    assert [(item.kind, item.since) for item in orders.uncertain()] == [
        (UncertainOrderKind.ORDER_UNVERIFIED, NOON),
        (UncertainOrderKind.ORDER_UNKNOWN, NOON),
    ]


def test_a_loss_without_open_orders_is_not_reported(orders: Orders) -> None:
    feed(orders, place(), report("canceled", "1;1"))
    assert feed(orders, SESSION_ENDED) == []


def test_with_resend_a_disconnect_causes_no_uncertainty() -> None:
    orders = Orders("KalshiRT")
    feed(orders, logged_on(), place(), report("new", "1;1"), place("b"), cancel("c"), SESSION_ENDED)
    assert [order.state for order in orders] == [OrderState.OPEN, OrderState.SENT]
    assert feed(orders, logged_on(reset=False)) == []
    assert [update.lost_reports for update in feed(orders, logged_on(reset=True))] == [True]
    assert [order.state for order in orders] == [OrderState.UNVERIFIED, OrderState.UNKNOWN]


def test_an_unreported_session_end_is_noticed_at_the_next_logon(orders: Orders, order: Order) -> None:
    [update] = feed(orders, logged_on())
    assert update.lost_reports
    assert read_attributes(order, "state") == (OrderState.UNVERIFIED,)
    feed(orders, SESSION_ENDED, logged_on(), report("trade", "1;2", cum="4", last=("4", "0.40")))
    assert order.state is OrderState.OPEN


@pytest.mark.parametrize(
    "event",
    [
        MessagesLost(4, 7),
        SequenceSkipped(4, 7, gap_fill=False),
        MessageRejected(None, ()),
        MessageRejected(report("new", "1;2", "o2"), ()),
        MessageRejected(refusal("c"), ()),
        MessageRejected(report("trade", "1;2", cum="4", last=("4", "0.40")), ()),
    ],
)
def test_lost_messages_leave_orders_uncertain(event: object) -> None:
    orders = Orders("KalshiRT")
    feed(orders, place(), report("new", "1;1"), event)
    assert only(orders).state is OrderState.UNVERIFIED


@pytest.mark.parametrize(
    "event",
    [
        SequenceSkipped(4, 7, gap_fill=True),
        MessageRejected(None, (), will_be_resent=True),
        MessageRejected(place(), ()),
    ],
)
def test_redelivered_and_unrelated_messages_cause_no_uncertainty(event: object) -> None:
    orders = Orders("KalshiRT")
    feed(orders, place(), report("new", "1;1"))
    assert feed(orders, event) == []


def test_a_refused_message_makes_only_its_order_uncertain(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), report("new", "1;2", "o2", "b"))
    feed(orders, MessageRejected(report("canceled", "1;3"), ()))
    assert [order.state for order in orders] == [OrderState.UNVERIFIED, OrderState.OPEN]


def test_a_newer_live_report_verifies_an_order_and_an_old_one_does_not(orders: Orders, order: Order) -> None:
    feed(orders, report("trade", "1;2", cum="4", last=("4", "0.40")), SESSION_ENDED)
    feed(orders, logged_on(), report("trade", "1;2", cum="4", last=("4", "0.40")))
    assert order.state is OrderState.UNVERIFIED
    feed(orders, report("trade", "1;5", cum="7", last=("1", "0.40")))
    assert read_attributes(order, "state unreported_qty") == (OrderState.OPEN, 2)
    assert uncertain_items(orders) == ["FILLS_UNREPORTED"]


def test_a_copied_report_does_not_prove_that_no_later_one_exists(orders: Orders, order: Order) -> None:
    feed(orders, SESSION_ENDED, logged_on())
    feed(orders, DropCopyReport(report("trade", "1;5", cum="4", last=("4", "0.40"))))
    assert read_attributes(order, "state filled_qty leaves_qty") == (OrderState.UNVERIFIED, 4, 6)
    [update] = feed(orders, covered(orders))
    assert (update.before, order.state) == (OrderState.UNVERIFIED, OrderState.OPEN)
    feed(orders, SESSION_ENDED, DropCopyReport(report("canceled", "1;6", cum="4", cl_ord_id="x")))
    assert order.state is OrderState.DONE


def test_copies_may_be_in_cents_on_a_session_in_dollars(orders: Orders) -> None:
    copy = report("trade", "1;5", cum="4", last=("4", "39"), price="40")
    feed(orders, place(), DropCopyReport(copy, dollars=False))
    order = only(orders)
    assert f"{order.average_price} {order.price}" == "0.39 0.40"


def test_a_range_counts_for_its_shard_if_it_begins_early_enough_and_was_requested_after_the_loss(
    orders: Orders,
) -> None:
    early = covered(orders)
    feed(orders, place(), report("new", "1;2"), SESSION_ENDED)
    order = only(orders)
    for range_ in (
        early,
        covered(orders, K9),
        covered(orders, ExecKey(1, 1, 1)),
        covered(orders, end=K9),
        covered(orders, epoch=orders.epoch - 1),
    ):
        assert feed(orders, range_) == []
        assert order.state is OrderState.UNVERIFIED
    assert len(feed(orders, covered(orders, K2))) == 1
    assert order.state is OrderState.OPEN


def test_an_order_known_only_by_copies_is_open_once_its_range_is_covered(orders: Orders) -> None:
    feed(orders, DropCopyReport(report("new", "1;2")))
    order = only(orders)
    assert (order.state, uncertain_items(orders)) == (OrderState.UNVERIFIED, ["ORDER_UNVERIFIED"])
    feed(orders, covered(orders))
    assert order.state is OrderState.OPEN
    # It is also open once a live report mentions it.
    feed(orders, DropCopyReport(report("new", "1;3", "o2", "b")), report("trade", "1;4", "o2", "b", cum="1"))
    assert [item.state for item in orders] == [OrderState.OPEN] * 2


def test_an_unknown_order_missing_from_drop_copy_was_not_accepted(orders: Orders) -> None:
    feed(orders, report("new", "1;1"), place("b"), place("c", symbol=OTHER), place("d", ex_destination=0))
    feed(orders, place("e", ex_destination=-1, symbol=OTHER), SESSION_ENDED)
    b, c, d, e = list(orders)[1:]
    unverified = orders.epoch
    feed(
        orders, covered(orders, K2)
    )  # the range begins after the last report known when the orders were sent
    assert [order.state for order in (b, c, d)] == [OrderState.UNKNOWN] * 3
    feed(orders, covered(orders, epoch=unverified - 1))
    assert b.state is OrderState.UNKNOWN
    feed(orders, covered(orders))
    assert (b.ending, d.ending) == (Ending.MISSING, Ending.MISSING)
    # The shard of these orders is unknown.
    assert c.state is e.state is OrderState.UNKNOWN
    # A report overrides the conclusion drawn from a missing report.
    feed(orders, report("new", "1;9", "o9", "b"))
    assert read_attributes(b, "state") == (OrderState.OPEN,)


def test_an_order_sent_before_any_report_of_its_shard_stays_unknown(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1", "o2", "b"), SESSION_ENDED, covered(orders))
    [first, _] = orders
    assert first.state is OrderState.UNKNOWN


def test_an_exchange_unavailable_rejection_leaves_the_order_unknown(orders: Orders) -> None:
    feed(orders, place())
    [update] = feed(orders, report("rejected", "-1;-1", "o7", text=UNAVAILABLE))
    order = only(orders)
    assert (update.before, order.state) == (OrderState.SENT, OrderState.UNKNOWN)
    assert uncertain_items(orders) == ["ORDER_UNKNOWN"]
    feed(orders, report("rejected", "-1;-1", "o7", text=UNAVAILABLE))
    feed(orders, report("new", "1;1"))
    assert read_attributes(order, "state order_id") == (OrderState.OPEN, "o1")
    assert uncertain_items(orders) == []


def test_the_same_order_sent_again_does_not_settle_the_first(orders: Orders) -> None:
    unsure = report("rejected", "-1;-1", "o7", text=UNAVAILABLE)
    feed(orders, place(), unsure, place(), unsure, report("new", "1;5", "o2"))
    first, second = orders
    assert (first.state, second.state) == (OrderState.UNKNOWN, OrderState.OPEN)
    assert uncertain_items(orders) == ["ORDER_UNKNOWN"]
    # The venue accepted the first order after all, and it was done before the second arrived.
    feed(orders, report("ioc", "1;3", "o1", cum="10", last=("10", "0.40")))
    assert sorted((order.order_id or "", order.placed.number) for order in orders if order.placed) == [
        ("o1", 1),
        ("o2", 2),
    ]
    assert uncertain_items(orders) == []


@pytest.mark.parametrize(
    ("resolution", "answer", "expected"),
    [
        (None, report("rejected", "-1;-1"), "UNKNOWN DONE"),
        (None, RejectReceived(Reject(ref_seq_num=3), 3, place(qty="7")), "UNKNOWN DONE"),
        (None, report("new", "1;5"), "UNKNOWN OPEN"),
        (None, report("rejected", "-1;-1", text=UNAVAILABLE), "UNKNOWN UNKNOWN"),
        (DropCopyRange(0, K1, 99), report("new", "1;5"), "DONE OPEN"),
    ],
    ids=["duplicate", "refused", "accepted", "unavailable", "accepted after drop copy"],
)
def test_an_answer_belongs_to_the_order_that_still_expects_one(
    orders: Orders, resolution: object, answer: object, expected: str
) -> None:
    feed(orders, report("new", "1;1", "o0", "z"), place(qty="10"), SESSION_ENDED)
    feed(orders, logged_on(), resolution, place(qty="7"), answer)
    states = {int(order.placed.quantity): order.state.name for order in orders if order.placed}
    assert [states[10], states[7]] == expected.split()


@pytest.mark.parametrize(
    "newest", [report("new", "1;9", "o0", "z"), DropCopyReport(report("new", "1;9", "o0", "z"))]
)
def test_a_copy_older_than_an_order_belongs_to_an_earlier_order_with_its_clordid(
    orders: Orders, newest: object
) -> None:
    old = report("filled", "1;3", "o1", cum="10", last=("10", "0.40"))
    feed(orders, newest, place(), DropCopyReport(old), report("new", "1;10", "o2"))
    found = {order.order_id: (order.state.name, order.placed is not None) for order in orders}
    assert (found["o1"], found["o2"]) == (("DONE", False), ("OPEN", True))


def test_orders_without_a_report_keep_their_requests(orders: Orders) -> None:
    feed(orders, report("new", "1;1", "o0", "z"))
    feed(orders, place(qty="5"), SESSION_ENDED, logged_on(), place(qty="7"), cancel("c"), SESSION_ENDED)
    feed(orders, covered(orders, epoch=2), logged_on(), place(qty="9"), report("rejected", "-1;-1"))
    states = [(int(order.placed.quantity), order.state.name) for order in orders if order.placed]
    assert states == [(5, "DONE"), (7, "UNKNOWN"), (9, "DONE")]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_sequence_of_reports_about_two_orders_with_one_clordid_does_not_matter(swapped: bool) -> None:
    orders = Orders()
    reports = [report("rejected", "1;1", "o8"), report("new", "1;2", "o2")]
    feed(orders, place(qty="10"), place(qty="20"), *(reversed(reports) if swapped else reports))
    seen = {order.placed.quantity: order.state.name for order in orders if order.placed}
    assert seen == {10: "DONE", 20: "OPEN"}


@pytest.mark.parametrize("msg_type", ["8", "9"])
def test_an_exchange_unavailable_rejection_leaves_a_change_pending(
    orders: Orders, order: Order, msg_type: str
) -> None:
    feed(orders, change("b"))
    [request] = order.pending
    answer = report("rejected", "-1;-1", "o1", "b", text=UNAVAILABLE)
    feed(orders, answer if msg_type == "8" else refusal("b", text=UNAVAILABLE))
    assert (request.is_unknown, request.since, uncertain_items(orders)) == (True, NOON, ["REQUEST_UNKNOWN"])
    assert order.state is OrderState.OPEN
    feed(orders, covered(orders, K9))
    assert order.pending == [request]
    [update] = feed(orders, covered(orders))
    assert update.answered == [request]
    assert uncertain_items(orders) == []


def test_a_refusal_of_a_request_sent_twice_applies_to_the_pending_one(orders: Orders, order: Order) -> None:
    feed(orders, cancel("c"))
    feed(orders, refusal("c", text=UNAVAILABLE), cancel("c"))
    refused_twice = refusal("c", number=9)
    feed(orders, refused_twice)
    assert uncertain_items(orders) == ["REQUEST_UNKNOWN"]
    assert feed(orders, refused_twice) == []
    feed(orders, refusal("c", number=10))
    assert order.pending == []


def test_a_refusal_because_the_order_has_ended_makes_it_uncertain(orders: Orders, order: Order) -> None:
    feed(orders, cancel("c"), refusal("c", "NONE", status=OrdStatus.REJECTED))
    assert read_attributes(order, "state pending") == (OrderState.UNVERIFIED, [])
    feed(orders, report("filled", "1;2", cum="10", last=("10", "0.40")))
    assert order.state is OrderState.DONE


def test_requests_listed_without_an_outcome_are_unknown() -> None:
    orders = Orders("KalshiRT")
    sent = place("b"), change("d"), cancel("c"), cancel("z"), place("y")
    feed(orders, place(), report("new", "1;1"), *sent[:3])
    requests = tuple(map(open_request, sent))
    updates = feed(orders, OutcomesUnknown(requests, Uncertainty.RESTARTED))
    assert len(updates) == 3
    # Requests that had not been applied are adopted.
    assert uncertain_items(orders) == ["REQUEST_UNKNOWN"] * 3 + ["ORDER_UNKNOWN"] * 2
    before = views(orders)
    feed(orders, OutcomesUnknown(requests, Uncertainty.RESTARTED))
    assert views(orders) == before
    # Reports from drop copy may be old.
    feed(orders, DropCopyReport(report("new", "1;4", "o2", "b")))
    assert [order.state for order in orders] == [
        OrderState.OPEN,
        OrderState.UNVERIFIED,
        OrderState.UNKNOWN,
    ]


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiRT"])
def test_a_cancel_on_disconnect_is_only_presumed(session_type: str) -> None:
    orders = Orders(session_type)
    feed(orders, logged_on(cancel_orders_on_disconnect=True), place(), report("new", "1;1"), place("b"))
    feed(orders, DropCopyReport(report("new", "1;2", "o9", "z")))
    feed(orders, SessionEnded(CloseReason.LOGGED_OUT, "bye", clean=True))
    mine, sent, other = orders
    assert (mine.state, mine.cancel_expected) == (OrderState.UNVERIFIED, True)
    assert (sent.cancel_expected, other.cancel_expected) == (False, False)
    assert sent.state is (OrderState.UNKNOWN if session_type == "KalshiNR" else OrderState.SENT)
    feed(orders, logged_on(reset=False), report("trade", "1;3", cum="4", last=("4", "0.40")))
    assert (mine.state, mine.cancel_expected) == (OrderState.OPEN, False)
    feed(orders, SESSION_ENDED)
    assert not mine.cancel_expected
    feed(orders, DropCopyReport(report("canceled", "1;6", cum="4")))
    assert (mine.state, mine.cancel_expected) == (OrderState.DONE, False)


def test_the_user_may_resolve_an_uncertainty(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), cancel("c"), place("b"), SESSION_ENDED)
    first, second = orders
    [update] = orders.resolve(first, is_open=False)
    assert (first.ending, len(update.answered)) == (Ending.CLOSED, 1)
    orders.resolve(second, is_open=True)
    assert (second.state, uncertain_items(orders)) == (OrderState.OPEN, [])
    # An old report does not contradict the user; a new one does.
    feed(orders, logged_on(), report("new", "1;1"))
    assert first.ending is Ending.CLOSED
    feed(orders, report("trade", "1;4", cum="4", last=("4", "0.40")))
    assert read_attributes(first, "state ending") == (OrderState.OPEN, None)
    feed(orders, SESSION_ENDED)
    assert [order.state for order in orders] == [OrderState.UNVERIFIED, OrderState.UNKNOWN]
    orders.resolve(first, is_open=True)
    assert [order.state for order in orders] == [OrderState.OPEN, OrderState.UNKNOWN]


def test_a_resolved_order_keeps_pending_requests(orders: Orders, order: Order) -> None:
    feed(orders, cancel("c"), refusal("c", text=UNAVAILABLE), change("d"))
    orders.resolve(order, is_open=True)
    assert [request.cl_ord_id for request in order.pending] == ["d"]


def test_an_unreadable_report_makes_its_order_uncertain(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), report("new", "1;2", "o2", "b"))
    updates = feed(orders, raw_report(cum_qty=None))
    assert [kind.name for kind in kinds(updates)] == ["UNREADABLE"]
    assert [order.state for order in orders] == [OrderState.UNVERIFIED, OrderState.OPEN]
    feed(orders, raw_report(order_id=None))
    assert [order.state for order in orders] == [OrderState.UNVERIFIED] * 2


def test_an_unreadable_pending_report_has_no_effect(orders: Orders, order: Order) -> None:
    feed(orders, raw_report(cum_qty=None, exec_type="A"))
    assert order.state is OrderState.OPEN


def test_pending_reports_only_set_the_orderid(orders: Orders) -> None:
    feed(orders, place(), report("pending new", "-1;-1"))
    order = only(orders)
    assert read_attributes(order, "state order_id") == (OrderState.SENT, "o1")
    assert feed(orders, report("pending new", "-1;-1", "o2", "z")) == []
    feed(orders, SESSION_ENDED)
    assert read_attributes(order, "state") == (OrderState.UNKNOWN,)
    feed(orders, logged_on(), report("new", "1;1"))
    assert read_attributes(order, "state") == (OrderState.OPEN,)


def test_an_uncertainty_keeps_its_start_time(orders: Orders, order: Order) -> None:
    feed(orders, SESSION_ENDED)
    since = view(order), next(iter(orders.uncertain())).since
    feed(orders, logged_on(), Reject(ref_seq_num=1), SESSION_ENDED)
    assert (view(order), next(iter(orders.uncertain())).since) == since


def test_an_unreadable_report_does_not_affect_a_done_order(orders: Orders) -> None:
    feed(orders, place(), report("canceled", "1;1"), raw_report(cum_qty=None))
    assert only(orders).state is OrderState.DONE


def test_a_redelivered_answer_without_a_header_is_recognized(orders: Orders) -> None:
    answer = refusal("c")
    answer.header = None
    feed(orders, place(), report("new", "1;1"), cancel("c"), answer, cancel("c"))
    assert feed(orders, answer) == []


@pytest.mark.parametrize("text", ["", UNAVAILABLE])
def test_a_pending_order_may_be_rejected_or_stay_open(orders: Orders, text: str) -> None:
    pending = report("pending new", "-1;-1")
    feed(orders, place(), pending, report("rejected", "1;1", text=text or None), pending)
    order = only(orders)
    assert order.state is (OrderState.UNKNOWN if text else OrderState.DONE)
    assert order.order_id == ("o1" if text else None)


def test_withdrawing_a_request_does_not_remove_an_unknown_one(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"), cancel("c"), refusal("c", text=UNAVAILABLE))
    feed(orders, place("b"), report("rejected", "-1;-1", "o2", "b", text=UNAVAILABLE))
    before = uncertain_items(orders)
    for request in (cancel("c"), place("b")):
        feed(orders, request)
        orders.withdraw(request)
        orders.withdraw(request)
    assert uncertain_items(orders) == before == ["REQUEST_UNKNOWN", "ORDER_UNKNOWN"]


def test_a_cancel_sent_again_may_have_an_unknown_outcome_again(orders: Orders) -> None:
    feed(orders, place(), report("new", "1;1"))
    for number in (5, 6):
        feed(orders, cancel("c"), report("rejected", "-1;-1", "o1", "c", text=UNAVAILABLE, number=number))
    assert uncertain_items(orders) == ["REQUEST_UNKNOWN", "REQUEST_UNKNOWN"]
    feed(orders, report("canceled", "1;2", cl_ord_id="c", orig_cl_ord_id="a"))
    assert uncertain_items(orders) == []


def test_an_order_that_never_arrived_settles_its_cancel(orders: Orders) -> None:
    feed(orders, report("new", "1;1", "o0", "z"), place(), SESSION_ENDED)
    before = covered(orders)
    feed(orders, logged_on(), cancel("c"), SESSION_ENDED, before)
    assert uncertain_items(orders) == ["ORDER_UNVERIFIED"]


def test_a_refused_order_settles_its_cancel(orders: Orders) -> None:
    feed(orders, place(), cancel("c"), RejectReceived(Reject(ref_seq_num=3), 3, place()))
    feed(orders, OutcomesUnknown((open_request(cancel("c")),), Uncertainty.RESTARTED))
    assert uncertain_items(orders) == []


@pytest.mark.parametrize("how", ["copied", "covered", "resolved", "copied two"])
@pytest.mark.parametrize("text", [UNAVAILABLE, "NONE"])
def test_an_answer_received_after_drop_copy_has_settled_its_request_is_not_a_discrepancy(
    orders: Orders, order: Order, how: str, text: str
) -> None:
    feed(orders, change("b"))
    if how == "copied two":
        feed(orders, change("c", orig="b"))
        feed(orders, DropCopyReport(report("replaced", "1;3", cl_ord_id="c", orig_cl_ord_id="b", qty="20")))
    elif how == "copied":
        feed(orders, DropCopyReport(report("replaced", "1;2", cl_ord_id="b", orig_cl_ord_id="a", qty="20")))
    else:
        feed(orders, SESSION_ENDED)
        if how == "covered":
            feed(orders, covered(orders))
        else:
            orders.resolve(order, is_open=True)
    before = [order.state for order in orders]
    assert order.pending == []
    updates = feed(orders, refusal("b", text=text, number=5))
    assert [discrepancy for update in updates for discrepancy in update.discrepancies] == []
    assert [order.state for order in orders] == before
