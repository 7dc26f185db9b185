"""Cancels of all orders of a session: answered, unanswered, and the outcome of their orders."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    MassCancelResponse,
    OrderMassCancelReport,
    OrderMassCancelRequest,
)
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    OutcomesUnknown,
    RejectReceived,
    Uncertainty,
)
from kalshi_fix_sansio.trading import (
    DropCopyRange,
    DropCopyReport,
    ExecKey,
    MassCancelState,
    OrderRequestError,
    Orders,
    OrderState,
    OrderUpdate,
    Remedy,
    UncertainOrderKind,
)
from tests.trading.order_flow import (
    ENDED,
    dump,
    feed,
    header,
    kinds,
    logged_on,
    open_request,
    over_the_wire,
    place,
    report,
)

State = MassCancelState
ACCEPTED = MassCancelResponse.ALL_ORDERS_CANCELLED


def answer(
    name: str = "m", response: MassCancelResponse | str = ACCEPTED, *, number: int = 2, **fields: Any
) -> MessageReceived:
    made = OrderMassCancelReport(cl_ord_id=name, order_id="op", mass_cancel_response=response, **fields)
    return MessageReceived(over_the_wire(made, number))


def mass_cancel_states(updates: list[OrderUpdate]) -> list[MassCancelState]:
    return [each.mass_cancel.state for each in updates if each.mass_cancel is not None]


def canceled(number: int) -> Any:
    return report("canceled", f"2;{number}", f"o{number}", f"c{number}")


@pytest.fixture
def orders() -> Orders:
    """Return two resting orders of this side, and one of another session."""
    orders = Orders()
    feed(orders, logged_on(), place("c1"), place("c2"))
    feed(orders, *(report("new", f"1;{number}", f"o{number}", f"c{number}") for number in (1, 2, 3)))
    return orders


def send(orders: Orders, name: str = "m") -> OrderMassCancelRequest:
    request = orders.cancel_all(name)
    assert mass_cancel_states(orders.apply(request)) == [State.SENT]
    return request


def test_a_mass_cancel_is_over_when_its_orders_have_ended(orders: Orders) -> None:
    request = send(orders)
    assert (request.cl_ord_id, request.mass_cancel_request_type) == ("m", "6")
    assert mass_cancel_states(feed(orders, answer())) == [State.ACCEPTED]
    assert mass_cancel_states(feed(orders, canceled(1))) == []
    assert orders.live()
    assert mass_cancel_states(feed(orders, canceled(2))) == [State.DONE]
    assert orders.mass_cancels == []
    assert not orders.uncertain()


def test_the_answer_may_follow_the_reports(orders: Orders) -> None:
    send(orders)
    feed(orders, canceled(2), canceled(1))
    [one] = orders.mass_cancels
    assert (one.state, one.waiting) == (State.SENT, set())
    assert mass_cancel_states(feed(orders, answer())) == [State.DONE]
    assert feed(orders, answer()) == []  # the same answer once more


def test_orders_sent_after_a_mass_cancel_are_not_affected(orders: Orders) -> None:
    send(orders)
    feed(orders, place("c4"), answer(), canceled(1))
    assert mass_cancel_states(feed(orders, canceled(2))) == [State.DONE]


@pytest.mark.parametrize("response", [MassCancelResponse.REJECTED, "9"])
def test_a_refused_mass_cancel_leaves_the_orders_unchanged(orders: Orders, response: str) -> None:
    send(orders)
    [update] = feed(orders, answer(response=response, mass_cancel_reject_reason=7))
    assert update.mass_cancel is not None
    assert (update.mass_cancel.state, update.mass_cancel.reason) == (State.REFUSED, "7")
    assert [order.state for order in orders] == [OrderState.OPEN] * 3
    assert orders.cancel_all("n").cl_ord_id == "n"
    # Without a reason.
    send(orders, "n")
    [update] = feed(orders, answer("n", response))
    assert update.mass_cancel is not None
    assert update.mass_cancel.reason == ""


@pytest.mark.parametrize(("text", "reason"), [("slow down", "slow down"), (None, "BusinessMessageReject")])
def test_a_reject_refuses_a_mass_cancel(orders: Orders, text: str | None, reason: str) -> None:
    request = send(orders)
    limit = BusinessRejectReason.RATE_LIMIT_EXCEEDED
    reject = BusinessMessageReject(ref_seq_num=3, ref_msg_type="q", business_reject_reason=limit, text=text)
    [update] = feed(orders, RejectReceived(reject, 3, request))
    assert update.mass_cancel is not None
    assert (update.mass_cancel.state, update.mass_cancel.reason) == (State.REFUSED, reason)
    assert feed(orders, RejectReceived(reject, 3, request)) == []


def test_only_one_mass_cancel_may_be_pending(orders: Orders) -> None:
    send(orders)
    with pytest.raises(OrderRequestError, match="m has no answer yet"):
        orders.cancel_all("n")
    feed(orders, answer())
    assert orders.cancel_all("n").cl_ord_id == "n"


def test_a_mass_cancel_that_send_refused_is_withdrawn(orders: Orders) -> None:
    request = send(orders)
    assert orders.withdraw(request) == []
    assert orders.withdraw(request) == []
    assert orders.mass_cancels == []


def test_an_unsolicited_answer_is_reported(orders: Orders) -> None:
    assert [kind.name for kind in kinds(feed(orders, answer("x")))] == ["UNKNOWN_REQUEST"]


def test_a_redelivered_mass_cancel_is_not_a_new_one(orders: Orders) -> None:
    request = orders.cancel_all("m")
    request.header = header(request)
    request.header.poss_dup_flag = True
    assert orders.apply(request) == []


@pytest.mark.parametrize("how", ["ended", "outcome", "refused"])
def test_an_unanswered_mass_cancel_is_uncertain_until_its_orders_have_ended(orders: Orders, how: str) -> None:
    request = send(orders)
    lost: dict[str, object] = {
        "ended": ENDED,
        "outcome": OutcomesUnknown((open_request(request),), Uncertainty.CONNECTION_ENDED),
        "refused": MessageRejected(answer().message, ()),
    }
    assert mass_cancel_states(feed(orders, lost[how])) == [State.UNKNOWN]
    *_, item = orders.uncertain()
    assert (item.kind, item.about) == (UncertainOrderKind.MASS_CANCEL_UNKNOWN, "mass cancel m")
    assert item.mass_cancel is not None
    assert item.remedies[0] is Remedy.DROP_COPY
    assert orders.copy_from() == {0: ExecKey(0, 1, 3)}
    assert orders.cancel_all("n").cl_ord_id == "n"
    assert mass_cancel_states(feed(orders, ENDED, logged_on())) == []
    assert mass_cancel_states(feed(orders, DropCopyReport(canceled(1)))) == []
    assert mass_cancel_states(feed(orders, DropCopyReport(canceled(2)))) == [State.DONE]
    assert orders.mass_cancels == []


def test_a_late_answer_counts(orders: Orders) -> None:
    send(orders)
    feed(orders, ENDED, logged_on())
    assert mass_cancel_states(feed(orders, answer())) == [State.ACCEPTED]
    assert UncertainOrderKind.MASS_CANCEL_UNKNOWN not in [each.kind for each in orders.uncertain()]


@pytest.mark.parametrize("accepted", [False, True])
def test_orders_open_in_drop_copy_were_missed_by_the_mass_cancel(orders: Orders, accepted: bool) -> None:
    send(orders)
    if accepted:
        feed(orders, answer())
    before = orders.epoch
    feed(orders, ENDED)
    feed(orders, DropCopyReport(canceled(1)))
    # A range requested earlier, or beginning too late, proves nothing.
    for covered in (
        DropCopyRange(0, ExecKey(0, 1, 1), before),
        DropCopyRange(0, ExecKey(0, 1, 4), orders.epoch),
    ):
        assert mass_cancel_states(feed(orders, covered)) == []
    assert mass_cancel_states(feed(orders, DropCopyRange(0, ExecKey(0, 1, 1), orders.epoch))) == [
        State.MISSED
    ]
    assert orders.mass_cancels == []
    assert not orders.uncertain()


def test_an_order_that_ends_is_no_longer_missed(orders: Orders) -> None:
    send(orders)
    feed(orders, ENDED)
    [first, second, _] = orders
    assert mass_cancel_states(orders.resolve(first, is_open=True)) == []
    feed(orders, DropCopyReport(canceled(1)))
    [one] = orders.mass_cancels
    assert (one.waiting, one.missed) == ({second.number}, set())
    assert mass_cancel_states(orders.resolve(second, is_open=False)) == [State.DONE]


def test_the_user_may_report_an_order_as_open(orders: Orders) -> None:
    send(orders)
    feed(orders, ENDED)
    [first, second, _] = orders
    orders.resolve(first, is_open=True)
    assert mass_cancel_states(orders.resolve(second, is_open=True)) == [State.MISSED]


def test_an_order_without_any_report_is_left_to_the_user() -> None:
    orders = Orders()
    feed(orders, logged_on(), place("c1"))
    send(orders)
    feed(orders, ENDED)
    [item] = [each for each in orders.uncertain() if each.kind is UncertainOrderKind.MASS_CANCEL_UNKNOWN]
    assert item.begin is None
    feed(
        orders,
        DropCopyReport(report("new", "1;1", "o1", "c1")),
        DropCopyRange(0, ExecKey(0, 1, 1), orders.epoch),
    )
    assert [each.kind for each in orders.uncertain()] == [UncertainOrderKind.MASS_CANCEL_UNKNOWN]
    [order] = orders
    assert mass_cancel_states(orders.resolve(order, is_open=True)) == [State.MISSED]


def test_a_withdrawn_order_is_no_longer_waited_for() -> None:
    orders = Orders()
    request = place("c1")
    feed(orders, logged_on(), request)
    send(orders)
    orders.withdraw(request)
    assert mass_cancel_states(feed(orders, answer())) == [State.DONE]


def test_a_mass_cancel_without_orders_causes_no_uncertainty(orders: Orders) -> None:
    feed(orders, canceled(1), canceled(2))
    send(orders)
    assert mass_cancel_states(feed(orders, ENDED)) == [State.DONE]


def test_two_mass_cancels_with_one_id_are_answered_in_order(orders: Orders) -> None:
    send(orders)
    feed(orders, ENDED, logged_on())
    send(orders)
    assert mass_cancel_states(feed(orders, answer(number=5))) == [State.ACCEPTED]
    assert [each.state for each in orders.mass_cancels] == [State.UNKNOWN, State.ACCEPTED]
    assert mass_cancel_states(feed(orders, answer(number=6))) == [State.ACCEPTED]


def test_a_dump_keeps_mass_cancels(orders: Orders) -> None:
    send(orders)
    feed(orders, answer(), place("c9"))
    feed(orders, ENDED, logged_on())
    send(orders, "n")
    [first, *_] = orders
    orders.resolve(first, is_open=True)
    text = json.dumps(dump(orders))
    other = Orders()
    assert mass_cancel_states(other.load(json.loads(text))) == [State.UNKNOWN]
    assert [(each.cl_ord_id, each.missed) for each in other.mass_cancels] == [("m", {1}), ("n", set())]
    other.apply(ENDED)
    assert json.loads(text)["orders"]["mass_cancels"][0] == dump(other)["orders"]["mass_cancels"][0]
    feed(
        other,
        DropCopyReport(canceled(1)),
        DropCopyReport(canceled(2)),
        DropCopyReport(report("canceled", "2;9", "o9", "c9")),
    )
    assert other.mass_cancels == []


def test_its_state_does_not_depend_on_order_and_duplicates_of_messages() -> None:
    event = {"answer": answer(), "first": canceled(1), "second": canceled(2)}
    for count in range(4):
        for names in permutations(event, count):
            orders = Orders()
            feed(orders, logged_on(), place("c1"), place("c2"))
            feed(orders, *(report("new", f"1;{number}", f"o{number}", f"c{number}") for number in (1, 2)))
            send(orders)
            for name in (*names, *names[::-1]):
                feed(orders, event[name])
            feed(orders, ENDED)
            # Once its orders have ended nothing is left to learn, whether it was answered or not.
            ended = {"first", "second"} <= {*names}
            expected = [] if ended else [State.ACCEPTED if "answer" in names else State.UNKNOWN]
            assert [each.state for each in orders.mass_cancels] == expected
            uncertain = [each.kind for each in orders.uncertain()].count(
                UncertainOrderKind.MASS_CANCEL_UNKNOWN
            )
            assert uncertain == expected.count(State.UNKNOWN)
