"""UseCapReservation through real sessions: room under daily caps, and amends one at a time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    Logout,
    OrderCancelReject,
    OrderGroupRequest,
    OrdRejReason,
    Reject,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.config import CustomerConfig
from kalshi_fix_venue.exchange import prediction_market
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import (
    Client,
    VenueHarness,
    accounts,
    amend,
    cancel,
    customer,
    order,
    raw_logon,
)

BUY, SELL = Side.BUY, Side.SELL
MEMBER = "550e8400-e29b-41d4-a716-446655440000"
CAPPED, FREE = f"{MEMBER}_capped", f"{MEMBER}_free"
ACCOUNTS = accounts(
    ann={
        "customers": (
            CustomerConfig(party_id=CAPPED, balance=Decimal(1000), daily_cap=Decimal(10)),
            CustomerConfig(party_id=FREE, balance=Decimal(1000)),
        )
    }
)
FOR: dict[str, Any] = {"party_ids": customer(CAPPED)}
EXCEEDED = (OrdRejReason.ORDER_EXCEEDS_LIMIT, "EVENT_CONTRACT_DAILY_CAP_EXCEEDED")


class Capped:
    """Ann, whose session reserves room under daily caps, and Bob, who trades with her."""

    def __init__(self, **changes: Any) -> None:
        self.harness = VenueHarness(accounts=ACCOUNTS, **changes)
        self.ann = self.harness.connect("ann", use_cap_reservation=True)
        self.bob = self.harness.connect("bob")

    def buy(self, cl_ord_id: str, quantity: int, price: str = "0.50", **fields: Any) -> Any:
        """Return the last report that answers an order for the customer with the cap."""
        side = fields.pop("side", BUY)
        self.ann.send(order(cl_ord_id, side, quantity, price, **(FOR | fields)))
        return self.ann.take()[-1]

    def refusal(self, cl_ord_id: str, quantity: int, price: str = "0.50", **fields: Any) -> tuple[Any, Any]:
        report = self.buy(cl_ord_id, quantity, price, **fields)
        assert report.exec_type == ExecType.REJECTED
        return (report.ord_rej_reason, report.text)

    def amend(self, cl_ord_id: str, orig: str, order_id: str, quantity: int, **fields: Any) -> Any:
        self.ann.send(capped_amend(cl_ord_id, orig, order_id, quantity, **fields))
        return self.ann.take()[-1]

    def room(self) -> Decimal:
        cap = self.harness.venue.exchange("prediction").daily_cap(CAPPED)
        assert cap is not None
        return cap.limit - cap.reserved - cap.used


@pytest.fixture
def capped() -> Capped:
    return Capped()


def capped_amend(cl_ord_id: str, orig: str, order_id: str | None, quantity: int, **fields: Any) -> Message:
    return amend(cl_ord_id, orig, quantity, order_id=order_id, **(FOR | fields))


def test_orders_reserve_room_and_are_refused_beyond_it(capped: Capped) -> None:
    assert capped.buy("a1", 12).exec_type == ExecType.NEW  # 6 dollars of 10
    assert capped.refusal("a2", 9) == EXCEEDED
    assert capped.buy("a2", 8).exec_type == ExecType.NEW
    assert capped.room() == 0
    assert capped.refusal("a3", 1, "0.01") == EXCEEDED


def test_a_sale_needs_room_for_its_opening_cost(capped: Capped) -> None:
    assert capped.refusal("a1", 21, "0.50", side=SELL) == EXCEEDED
    assert capped.buy("a1", 12, "0.20", side=SELL).exec_type == ExecType.NEW
    assert capped.room() == Decimal("0.40")


def test_a_cancelled_order_releases_its_room(capped: Capped) -> None:
    capped.buy("a1", 20)
    capped.bob.send(order("b1", SELL, 5, "0.50"))
    capped.ann.take()
    capped.ann.send(cancel("a2", "a1", **FOR))
    assert capped.ann.take()[-1].exec_type == ExecType.CANCELED  # type: ignore[attr-defined]
    assert capped.room() == Decimal("7.50")  # A filled quantity stays used.
    assert capped.refusal("a3", 16) == EXCEEDED
    assert capped.buy("a3", 15).exec_type == ExecType.NEW


def test_a_fill_at_a_better_price_uses_its_actual_cost(capped: Capped) -> None:
    capped.bob.send(order("b1", SELL, 10, "0.20"))
    capped.buy("a1", 10, "0.50")
    assert capped.room() == 8


def test_the_day_begins_at_midnight_in_new_york(capped: Capped) -> None:
    capped.bob.send(order("b1", SELL, 20, "0.50", time_in_force=TimeInForce.GOOD_TILL_CANCEL))
    capped.buy("a1", 20)
    capped.harness.wait(13 * 3600 - 1)  # from 11:00 to 23:59:59
    assert capped.refusal("a2", 1) == EXCEEDED
    capped.harness.wait(1)
    assert capped.buy("a2", 20).exec_type == ExecType.NEW


def test_open_orders_keep_their_reservation_on_the_next_day(capped: Capped) -> None:
    capped.buy("a1", 20)
    capped.harness.wait(24 * 3600)
    assert capped.refusal("a2", 1) == EXCEEDED


def test_a_customer_without_a_cap_is_refused(capped: Capped) -> None:
    free = customer(FREE)
    expected = (OrdRejReason.UNKNOWN_ACCOUNT, "EVENT_CONTRACT_DAILY_CAP_NOT_FOUND")
    assert capped.refusal("a1", 1, party_ids=free) == expected
    assert capped.refusal("a1", 1, party_ids=[]) == expected


def test_other_sessions_do_not_reserve(capped: Capped) -> None:
    other = capped.harness.connect("ann-2")
    assert other.answer_to(order("o1", BUY, 100, "0.50", **FOR), ExecutionReport).exec_type == ExecType.NEW
    assert capped.room() == 10


def test_a_triggered_group_releases_the_room(capped: Capped) -> None:
    capped.ann.send(OrderGroupRequest.create(5))
    # Groups belong to the member's own account, so orders of a customer cannot join them.
    group = capped.ann.take()[-1].order_group_id  # type: ignore[attr-defined]
    refused = capped.buy("a1", 1, secondary_cl_ord_id=group)
    assert refused.text == "ORDER_GROUP_NOT_FOUND"
    assert capped.room() == 10


# --- amends ---------------------------------------------------------------------------------------------


def test_an_amend_reserves_the_additional_cost(capped: Capped) -> None:
    order_id = capped.buy("a1", 12).order_id
    refused = capped.amend("a2", "a1", order_id, 21)
    assert isinstance(refused, OrderCancelReject)
    assert (refused.cxl_rej_reason, refused.text) == (
        CxlRejReason.BROKER,
        "EVENT_CONTRACT_DAILY_CAP_EXCEEDED",
    )
    assert capped.room() == 4
    assert capped.amend("a2", "a1", order_id, 20).exec_type == ExecType.REPLACED
    assert capped.room() == 0
    assert capped.amend("a3", "a2", order_id, 10, price="0.40").exec_type == ExecType.REPLACED
    assert capped.room() == 6
    assert capped.amend("a4", "a3", order_id, 4).exec_type == ExecType.REPLACED
    assert capped.room() == Decimal("8.40")


def test_an_amend_that_needs_less_is_accepted_without_room(capped: Capped) -> None:
    order_id = capped.buy("a1", 20).order_id
    assert capped.amend("a2", "a1", order_id, 20, price="0.49").exec_type == ExecType.REPLACED


def test_an_amend_needs_the_order_id(capped: Capped) -> None:
    capped.buy("a1", 1)
    found = capped.ann.answer_to_raw(capped_amend("a2", "a1", None, 2), Reject)
    assert found.ref_tag_id == 37


def test_an_order_must_be_routed_by_its_symbol(capped: Capped) -> None:
    found = capped.ann.answer_to_raw(order("a1", BUY, 1, "0.50", ex_destination=0, **FOR), Reject)
    assert found.ref_tag_id == 100


@pytest.mark.parametrize("fields", [{"side": SELL}, {"symbol": "OTHER-MARKET"}])
def test_another_side_or_symbol_than_the_orders_is_a_mismatch(fields: dict[str, Any]) -> None:
    markets = (prediction_market(MARKET), prediction_market("OTHER-MARKET"))
    capped = Capped(markets={"prediction": markets})
    order_id = capped.buy("a1", 1).order_id
    refused = capped.amend("a2", "a1", order_id, 2, **fields)
    assert isinstance(refused, OrderCancelReject)
    expected = (CxlRejReason.UNKNOWN_ORDER, "ORDER_ATTRIBUTES_MISMATCH")
    assert (refused.cxl_rej_reason, refused.text) == expected
    wrong = capped.amend("a2", "a1", "no-such-id", 2, **fields)
    assert wrong.text == "ORDER_NOT_FOUND"


def two_amends(capped: Capped, client: Client, order_id: str) -> list[Any]:
    """Return the answers to two amends received in one piece."""
    for message in (capped_amend("a2", "a1", order_id, 2), capped_amend("a3", "a2", order_id, 3)):
        client.session.send(message, capped.harness.now)
    capped.harness.run()
    return client.take()


def test_a_second_amend_before_the_first_is_answered_is_refused(capped: Capped) -> None:
    order_id = capped.buy("a1", 1).order_id
    replaced, refused = two_amends(capped, capped.ann, order_id)
    assert replaced.exec_type == ExecType.REPLACED
    assert isinstance(refused, OrderCancelReject)
    assert (refused.cxl_rej_reason, refused.text) == (CxlRejReason.BROKER, "ORDER_AMEND_IN_PROGRESS")
    assert refused.order_id == order_id
    # The first one has been answered, although the clock has not advanced.
    assert capped.amend("a3", "a2", order_id, 3).exec_type == ExecType.REPLACED


def test_an_amend_with_a_delayed_answer_is_in_flight(capped: Capped) -> None:
    order_id = capped.buy("a1", 1).order_id
    capped.harness.do("delay", by="5")
    capped.ann.send(capped_amend("a2", "a1", order_id, 2))
    capped.harness.wait(4)
    capped.ann.send(capped_amend("a3", "a2", order_id, 3))
    capped.harness.wait(6)
    replaced, refused = capped.ann.take()
    assert isinstance(replaced, ExecutionReport)
    assert isinstance(refused, OrderCancelReject)
    assert refused.text == "ORDER_AMEND_IN_PROGRESS"


def test_amends_of_two_orders_are_independent(capped: Capped) -> None:
    first, second = capped.buy("a1", 1).order_id, capped.buy("b1", 1).order_id
    for message in (capped_amend("a2", "a1", first, 2), capped_amend("b2", "b1", second, 2)):
        capped.ann.session.send(message, capped.harness.now)
    capped.harness.run()
    assert [m.exec_type for m in capped.ann.take()] == [ExecType.REPLACED] * 2  # type: ignore[attr-defined]


def test_other_sessions_may_have_several_amends_in_flight(capped: Capped) -> None:
    other = capped.harness.connect("ann-2")
    other.send(order("a1", BUY, 1, "0.50", **FOR))
    order_id = other.take()[-1].order_id  # type: ignore[attr-defined]
    assert [m.exec_type for m in two_amends(capped, other, order_id)] == [ExecType.REPLACED] * 2


def test_a_lost_connection_leaves_no_amend_in_flight(capped: Capped) -> None:
    order_id = capped.buy("a1", 1).order_id
    capped.ann.session.send(capped_amend("a2", "a1", order_id, 2), capped.harness.now)
    capped.harness.venue.receive_data(capped.ann.conn, capped.ann.session.data_to_send(), capped.harness.now)
    capped.ann.drop()
    capped.ann = capped.harness.connect("ann", use_cap_reservation=True)
    assert capped.amend("a3", "a2", order_id, 3).exec_type == ExecType.REPLACED


# --- logon ----------------------------------------------------------------------------------------------


def test_only_clearing_members_reserve_caps() -> None:
    harness = VenueHarness(accounts=ACCOUNTS)
    _, reply = harness.begin(raw_logon("bob", use_cap_reservation=True))
    assert isinstance(reply, Logout)
    assert reply.text == "UseCapReservation is not allowed: it is for clearing members"


def test_cap_reservation_is_for_order_entry_on_prediction() -> None:
    for session_type, product, name in (("KalshiMD", "prediction", "ann"), ("KalshiNR", "margin", "perp")):
        logon = raw_logon(name, session_type, use_cap_reservation=True)
        _, reply = VenueHarness(accounts=ACCOUNTS).begin(logon, session_type, product)
        assert isinstance(reply, Logout)
        assert "UseCapReservation" in (reply.text or "")
