"""Mass cancels of a session's orders: answers, missing answers, and the outcomes of the orders."""

from __future__ import annotations

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
from tests.trading.histories.history import load as histories
from tests.trading.histories.history import steps
from tests.trading.order_flow import (
    SESSION_ENDED,
    dump,
    feed,
    header,
    kinds,
    load,
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
    message = OrderMassCancelReport(cl_ord_id=name, order_id="op", mass_cancel_response=response, **fields)
    return MessageReceived(over_the_wire(message, number))


def mass_cancel_states(updates: list[OrderUpdate]) -> list[MassCancelState]:
    return [update.mass_cancel.state for update in updates if update.mass_cancel is not None]


def canceled(number: int) -> Any:
    return report("canceled", f"2;{number}", f"o{number}", f"c{number}")


@pytest.fixture
def orders() -> Orders:
    """Return two resting orders of this session, and one of another session."""
    orders = Orders()
    feed(orders, logged_on(), place("c1"), place("c2"))
    feed(orders, *(report("new", f"1;{number}", f"o{number}", f"c{number}") for number in (1, 2, 3)))
    return orders


def send(orders: Orders, name: str = "m") -> OrderMassCancelRequest:
    request = orders.cancel_all(name)
    assert mass_cancel_states(orders.apply(request)) == [State.SENT]
    return request


@pytest.mark.parametrize("lines", [*histories("mass_cancels")])
def test_a_history_leads_to_the_expected_states(orders: Orders, lines: str) -> None:
    number, epoch_before_loss = 2, orders.epoch
    placed = {str(count): order for count, order in enumerate(orders, 1)}
    for step in steps(lines):
        words = [word for word in step if word not in State.__members__]
        expected = [MassCancelState[word] for word in step if word in State.__members__]
        updates: list[OrderUpdate] = []
        match words:
            case ["send"]:
                updates = orders.apply(orders.cancel_all("m"))
            case ["answer"]:
                number += 1
                updates = feed(orders, answer(number=number))
            case ["answer-again"]:
                assert feed(orders, answer(number=number)) == []
            case ["canceled", name]:
                updates = feed(orders, canceled(int(name)))
            case ["drop-copy", "canceled", name]:
                updates = feed(orders, DropCopyReport(canceled(int(name))))
            case ["place", name]:
                feed(orders, place(f"c{name}"))
            case ["withdraw-order", name]:
                orders.withdraw(place(f"c{name}"))
            case ["reconnect"]:
                epoch_before_loss = orders.epoch
                updates = [*feed(orders, SESSION_ENDED), *feed(orders, logged_on())]
            case ["drop-copy-range", event, *before_loss]:
                epoch = epoch_before_loss if before_loss else orders.epoch
                updates = feed(orders, DropCopyRange(0, ExecKey(0, 1, int(event)), epoch))
            case ["open" | "done" as state, name]:
                updates = orders.resolve(placed[name], is_open=state == "open")
            case ["withdraw"]:
                assert orders.withdraw(OrderMassCancelRequest(cl_ord_id="m")) == []
            case ["incomplete"]:
                assert [cancel.state for cancel in orders.mass_cancels] == expected
                continue
            case ["certain"]:
                assert (orders.mass_cancels, list(orders.uncertain())) == ([], [])
            case _:
                raise AssertionError(f"unknown step {step}")
        assert mass_cancel_states(updates) == expected


def test_an_answer_is_applied_only_to_a_matching_request(orders: Orders) -> None:
    request = send(orders)
    assert (request.cl_ord_id, request.mass_cancel_request_type) == ("m", "6")
    with pytest.raises(OrderRequestError, match="m has no answer yet"):
        orders.cancel_all("n")
    assert [kind.name for kind in kinds(feed(orders, answer("x")))] == ["UNKNOWN_REQUEST"]
    feed(orders, answer())
    assert orders.cancel_all("n").cl_ord_id == "n"


@pytest.mark.parametrize("response", [MassCancelResponse.REJECTED, "9"])
def test_a_refused_mass_cancel_leaves_the_orders_unchanged(orders: Orders, response: str) -> None:
    send(orders)
    [update] = feed(orders, answer(response=response, mass_cancel_reject_reason=7))
    assert update.mass_cancel is not None
    assert (update.mass_cancel.state, update.mass_cancel.reason) == (State.REFUSED, "7")
    assert [order.state for order in orders] == [OrderState.OPEN] * 3
    assert orders.cancel_all("n").cl_ord_id == "n"
    # The refusal has no reason.
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


def test_a_redelivered_mass_cancel_is_not_a_new_one(orders: Orders) -> None:
    request = orders.cancel_all("m")
    request.header = header(request)
    request.header.poss_dup_flag = True
    assert orders.apply(request) == []


@pytest.mark.parametrize("how", ["ended", "outcome", "refused"])
def test_an_unanswered_mass_cancel_is_uncertain_until_its_orders_have_ended(orders: Orders, how: str) -> None:
    request = send(orders)
    lost: dict[str, object] = {
        "ended": SESSION_ENDED,
        "outcome": OutcomesUnknown((open_request(request),), Uncertainty.CONNECTION_ENDED),
        "refused": MessageRejected(answer().message, ()),
    }
    assert mass_cancel_states(feed(orders, lost[how])) == [State.UNKNOWN]
    *_, item = orders.uncertain()
    assert (item.kind, item.about) == (UncertainOrderKind.MASS_CANCEL_UNKNOWN, "mass cancel m")
    assert item.mass_cancel is not None
    assert item.remedies[0] is Remedy.DROP_COPY
    assert orders.drop_copy_start() == {0: ExecKey(0, 1, 3)}
    assert orders.cancel_all("n").cl_ord_id == "n"
    assert mass_cancel_states(feed(orders, SESSION_ENDED, logged_on())) == []
    assert mass_cancel_states(feed(orders, DropCopyReport(canceled(1)))) == []
    assert mass_cancel_states(feed(orders, DropCopyReport(canceled(2)))) == [State.DONE]
    assert orders.mass_cancels == []


def test_the_user_must_resolve_a_mass_cancel_of_an_order_without_reports() -> None:
    orders = Orders()
    feed(orders, logged_on(), place("c1"))
    send(orders)
    feed(orders, SESSION_ENDED)
    [item] = [
        element for element in orders.uncertain() if element.kind is UncertainOrderKind.MASS_CANCEL_UNKNOWN
    ]
    assert item.begin is None
    feed(
        orders,
        DropCopyReport(report("new", "1;1", "o1", "c1")),
        DropCopyRange(0, ExecKey(0, 1, 1), orders.epoch),
    )
    assert [element.kind for element in orders.uncertain()] == [UncertainOrderKind.MASS_CANCEL_UNKNOWN]
    [order] = orders
    assert mass_cancel_states(orders.resolve(order, is_open=True)) == [State.MISSED]


def test_a_dump_keeps_mass_cancels(orders: Orders) -> None:
    send(orders)
    feed(orders, answer(), place("c9"))
    feed(orders, SESSION_ENDED, logged_on())
    send(orders, "n")
    [first, *_] = orders
    orders.resolve(first, is_open=True)
    dumped, other = dump(orders), Orders()
    assert mass_cancel_states(load(other, dumped)) == [State.UNKNOWN]
    assert [(cancel.cl_ord_id, cancel.missed) for cancel in other.mass_cancels] == [("m", {1}), ("n", set())]
    other.apply(SESSION_ENDED)
    assert dumped["orders"]["mass_cancels"]["open"][0] == dump(other)["orders"]["mass_cancels"]["open"][0]
    feed(
        other,
        DropCopyReport(canceled(1)),
        DropCopyReport(canceled(2)),
        DropCopyReport(report("canceled", "2;9", "o9", "c9")),
    )
    assert other.mass_cancels == []


def test_the_state_does_not_depend_on_the_sequence_of_messages_or_on_duplicates() -> None:
    event = {"answer": answer(), "first": canceled(1), "second": canceled(2)}
    for count in range(4):
        for names in permutations(event, count):
            orders = Orders()
            feed(orders, logged_on(), place("c1"), place("c2"))
            feed(orders, *(report("new", f"1;{number}", f"o{number}", f"c{number}") for number in (1, 2)))
            send(orders)
            for name in (*names, *names[::-1]):
                feed(orders, event[name])
            feed(orders, SESSION_ENDED)
            # Once its orders have ended, a mass cancel is complete, whether it was answered or not.
            ended = {"first", "second"} <= {*names}
            expected = [] if ended else [State.ACCEPTED if "answer" in names else State.UNKNOWN]
            assert [cancel.state for cancel in orders.mass_cancels] == expected
            uncertain = [item.kind for item in orders.uncertain()].count(
                UncertainOrderKind.MASS_CANCEL_UNKNOWN
            )
            assert uncertain == expected.count(State.UNKNOWN)
