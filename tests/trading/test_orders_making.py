"""The next request about an order has the ids and values that the venue expects, and is valid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio import LogonFields, NewOrderSingle, Party, TimeInForce
from kalshi_fix_sansio.dialect.base import Message, values_of
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.trading import Order, OrderRequestError, Orders, OrderState, QuoteTerms
from tests.trading.order_flow import (
    BUY,
    NOON,
    SELL,
    SESSION_ENDED,
    SYMBOL,
    cancel,
    change,
    feed,
    logged_on,
    only,
    over_the_wire,
    place,
    refusal,
    report,
)


def values(message: Message) -> dict[str, object]:
    """Return the fields that are set, after encoding and decoding."""
    found = values_of(over_the_wire(message))
    found.pop("ord_type", None)
    return found


def open_order(orders: Orders, **fields: Any) -> Order:
    feed(orders, place(**fields), report("new", "1;1"))
    return only(orders)


def test_a_new_order_has_its_price_in_the_unit_of_the_session(orders: Orders) -> None:
    made = orders.new("a", SYMBOL, BUY, 10, "0.4050", time_in_force=TimeInForce.GOOD_TILL_CANCEL)
    assert isinstance(made, NewOrderSingle)
    assert made.price == Decimal("0.4050")
    assert made.time_in_force is TimeInForce.GOOD_TILL_CANCEL
    cents = Orders(logon=LogonFields())
    assert cents.new("a", SYMBOL, SELL, 10, "0.40").price == 40
    with pytest.raises(OrderRequestError, match=r"whole number of cents.*log on with UseDollars") as caught:
        cents.new("a", SYMBOL, SELL, 10, "0.405")
    assert caught.value.order is None


@pytest.mark.parametrize("dollars", [True, False])
def test_floats_are_refused(dollars: bool) -> None:
    orders = Orders(logon=LogonFields(use_dollars=dollars))
    order = open_order(orders, price="0.40" if dollars else "40")
    wrong: Any = 0.5
    made: list[Callable[[], object]] = [
        lambda: NewOrderSingle(cl_ord_id="b", symbol=SYMBOL, side=BUY, order_qty=10, price=wrong),
        lambda: orders.new("b", SYMBOL, BUY, 10, wrong),
        lambda: orders.new("b", SYMBOL, BUY, wrong, "0.40"),
        lambda: orders.replace(order, "b", price=wrong),
        lambda: orders.replace(order, "b", leaves_qty=wrong),
        lambda: QuoteTerms(bid=wrong),
        lambda: QuoteTerms(offer=wrong),
    ]
    for item in made:
        with pytest.raises(TypeError, match="a float is not exact: give a Decimal, an int or a string"):
            item()


def test_building_a_request_does_not_record_it_as_sent(orders: Orders) -> None:
    orders.new("a", SYMBOL, BUY, 10, "0.40")
    assert len(orders) == 0


def test_the_clordid_of_an_open_order_is_refused(orders: Orders) -> None:
    order = open_order(orders)
    with pytest.raises(OrderRequestError, match="ClOrdID a belongs to an order that is open") as caught:
        orders.new("a", SYMBOL, BUY, 10, "0.40")
    assert caught.value.order is order
    assert isinstance(caught.value, LocalProtocolError)
    feed(orders, report("canceled", "1;2"))
    orders.new("a", SYMBOL, BUY, 10, "0.40")


def test_a_clordid_with_an_unknown_outcome_may_be_sent_again(orders: Orders) -> None:
    feed(orders, logged_on(), place(), SESSION_ENDED)
    assert only(orders).state is OrderState.UNKNOWN
    orders.new("a", SYMBOL, BUY, 10, "0.40")


def test_the_order_qty_of_an_amend_is_the_filled_quantity_plus_the_requested_open_quantity(
    orders: Orders,
) -> None:
    order = open_order(orders, ex_destination=1, alloc_account=3)
    feed(orders, report("trade", "1;2", cum="4", last=("4", "0.40")))
    assert values(orders.replace(order, "b", price="0.41", leaves_qty=5)) == {
        "cl_ord_id": "b",
        "order_id": "o1",
        "orig_cl_ord_id": "a",
        "order_qty": Decimal(9),
        "price": Decimal("0.41"),
        "side": BUY,
        "symbol": SYMBOL,
        "alloc_account": 3,
        "ex_destination": 1,
    }
    kept = orders.replace(order, "b", time_in_force=TimeInForce.GOOD_TILL_DATE, expire_time=NOON)
    assert (kept.order_qty, kept.price, kept.expire_time) == (Decimal(10), None, NOON)
    assert orders.replace(order, "b", leaves_qty="0").order_qty == 4


def test_the_reported_cum_qty_counts_before_its_fills_arrive(orders: Orders) -> None:
    order = open_order(orders)
    feed(orders, report("trade", "1;5", cum="7", last=("1", "0.40")))
    assert orders.replace(order, "b", leaves_qty=3).order_qty == 10


def test_a_fill_without_a_valid_key_does_not_increase_the_order_qty_of_an_amend(orders: Orders) -> None:
    feed(orders, report("new", "1;1"), report("trade", "junk", cum="4", last=("4", "0.40")))
    assert orders.replace(only(orders), "b", price="0.41").order_qty == 10
    feed(orders, place("c"), report("trade", "junk", "o2", "c", cum="4", last=("4", "0.40")))
    assert orders.replace(list(orders)[1], "d", price="0.41").order_qty == 10


def test_a_cancel_uses_the_venues_order_ids(orders: Orders) -> None:
    customer = "550e8400-e29b-41d4-a716-446655440000_customer1"
    order = open_order(orders, party_ids=[Party(party_id=customer, party_role=24)])
    feed(orders, change("b"), report("replaced", "1;2", cl_ord_id="b", qty="20"))
    made = values(orders.cancel(order, "c"))
    assert made.pop("party_ids") == [Party(party_id=customer, party_role=24)]
    assert made == {
        "cl_ord_id": "c",
        "order_id": "o1",
        "orig_cl_ord_id": "b",
        "side": BUY,
        "symbol": SYMBOL,
    }


def test_a_request_chains_from_the_amend_in_flight(orders: Orders) -> None:
    order = open_order(orders)
    feed(orders, change("b", qty="15"), cancel("x", "b"))
    made = orders.replace(order, "c", price="0.42")
    assert (made.orig_cl_ord_id, made.order_qty) == ("b", Decimal(15))
    assert orders.cancel(order, "d").orig_cl_ord_id == "b"
    # A new request does not chain from one whose delivery is uncertain.
    feed(orders, refusal("b", text="EXCHANGE_UNAVAILABLE"))
    assert orders.cancel(order, "d").orig_cl_ord_id == "a"


def test_an_unacknowledged_order_may_be_cancelled(orders: Orders) -> None:
    feed(orders, place())
    made = orders.cancel(only(orders), "c")
    assert (made.order_id, made.orig_cl_ord_id) == (None, "a")


def test_an_order_of_another_program_is_cancelled_using_its_reports(orders: Orders) -> None:
    feed(orders, report("new", "1;1", alloc_account=2, expire_time=NOON + timedelta(1)))
    made = orders.cancel(only(orders), "c")
    assert (made.order_id, made.alloc_account, made.ex_destination) == ("o1", 2, None)


def test_a_done_order_cannot_be_changed(orders: Orders) -> None:
    order = open_order(orders)
    feed(orders, report("filled", "1;2", cum="10", last=("10", "0.40")))
    with pytest.raises(OrderRequestError, match="order a is done: filled"):
        orders.cancel(order, "c")
    with pytest.raises(OrderRequestError, match="order a is done: filled"):
        orders.replace(order, "c", leaves_qty=3)


def test_with_cap_reservation_only_one_amend_may_be_in_flight() -> None:
    orders = Orders(logon=LogonFields(use_dollars=True, use_cap_reservation=True))
    feed(orders, place(), report("pending new", "-1;-1"))
    order = only(orders)
    with pytest.raises(OrderRequestError, match="order a has no New report yet"):
        orders.replace(order, "b", leaves_qty=3)
    feed(orders, report("new", "1;1"), cancel("c"))
    made = orders.replace(order, "b", leaves_qty=3)
    assert made.order_id == "o1"
    feed(orders, made)
    with pytest.raises(OrderRequestError, match="a change to order a is pending"):
        orders.replace(order, "d", leaves_qty=4)
    orders.cancel(order, "e")
    feed(orders, refusal("b"))
    orders.replace(order, "d", leaves_qty=4)
