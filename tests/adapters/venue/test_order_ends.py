"""Orders that end at once: reduce-only, those that meet their own, and those outside of settlement bounds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_adapters.venue import exchange
from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import AccountId, SetSettlementBounds
from kalshi_fix_sansio import (
    ExecInst,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    Reject,
    SelfTradePreventionType,
    Side,
    TimeInForce,
)
from tests.adapters.venue.desk import MARKET
from tests.adapters.venue.gateway.gateway_desk import GatewayDesk, reports
from tests.adapters.venue.town import Client, Town, accounts, amend, order

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL


def reducing(cl_ord_id: str, side: Side, quantity: Any, price: str, **fields: Any) -> NewOrderSingle:
    values: dict[str, Any] = {"exec_inst": ExecInst.REDUCE_ONLY, "time_in_force": IOC}
    return order(cl_ord_id, side, quantity, price, **(values | fields))


def send(client: Client, message: Any) -> list[str]:
    """What its sender is told, in words."""
    client.send(message)
    return told(client)


def told(client: Client) -> list[str]:
    return [word(message) for message in client.take()]


def word(report: Any) -> str:
    assert isinstance(report, ExecutionReport), report
    if report.exec_type == ExecType.TRADE:
        return f"{report.cl_ord_id} fills {report.last_qty}"
    return f"{report.cl_ord_id} {ExecType(report.exec_type).name} {report.text}"


class Pair:
    """Ann, who is long 10 YES, and Bob, who trades with her."""

    def __init__(self, balance: int = 1000, **changes: Any) -> None:
        self.town = Town(accounts=accounts(ann={"balance": Decimal(balance)}), **changes)
        self.one, self.other = self.town.connect("ann"), self.town.connect("bob")
        self.other.send(order("b0", SELL, 10, "0.40"))
        self.one.send(order("a0", BUY, 10, "0.40"))
        self.one.take()
        self.other.take()

    def net(self) -> Decimal:
        return self.town.venue.exchange("prediction").position(AccountId("ann"), MARKET).net

    def bids(self) -> tuple[tuple[Decimal, Decimal], ...]:
        return self.town.venue.exchange("prediction").levels(MARKET, exchange.Side.BUY)


@pytest.fixture
def pair() -> Pair:
    return Pair()


# Reduce only


def test_what_goes_beyond_the_position_is_cancelled(pair: Pair) -> None:
    pair.other.send(order("b1", BUY, 20, "0.40"))
    assert send(pair.one, reducing("a1", SELL, 15, "0.40")) == ["a1 fills 10.00", "a1 CANCELED REDUCE_ONLY"]
    assert pair.net() == 0
    assert pair.bids() == ((Decimal("0.40"), Decimal(10)),)


def test_without_a_position_to_reduce_it_is_cancelled(pair: Pair) -> None:
    pair.other.send(order("b1", SELL, 20, "0.40"))
    assert send(pair.one, reducing("a1", BUY, 1, "0.40")) == ["a1 CANCELED REDUCE_ONLY"]
    assert pair.net() == 10


def test_what_finds_nothing_to_trade_with_ends_as_an_ioc_order(pair: Pair) -> None:
    assert send(pair.one, reducing("a1", SELL, 15, "0.41")) == ["a1 CANCELED IMMEDIATE_OR_CANCELLED"]
    pair.other.send(order("b1", BUY, 3, "0.40"))
    assert send(pair.one, reducing("a2", SELL, 15, "0.40")) == ["a2 fills 3.00"]


def test_it_needs_no_balance_for_what_it_cannot_trade() -> None:
    pair = Pair(balance=10)
    pair.other.send(order("b1", BUY, 20, "0.01"))
    # 990 contracts more would cost 980.10 dollars.
    assert send(pair.one, order("a1", SELL, 1000, "0.01")) == ["a1 REJECTED INSUFFICIENT_BALANCE"]
    ended = send(pair.one, reducing("a2", SELL, 1000, "0.01"))
    assert ended == ["a2 fills 10.00", "a2 CANCELED REDUCE_ONLY"]
    account = pair.town.venue.exchange("prediction").account(AccountId("ann"))
    assert account.reserved == 0
    assert account.balance > 5


@pytest.mark.parametrize("tif", [None, TimeInForce.DAY, TimeInForce.GOOD_TILL_CANCEL, FOK])
def test_on_prediction_it_is_ioc(pair: Pair, tif: TimeInForce | None) -> None:
    message = reducing("a1", SELL, 1, "0.40", time_in_force=tif)
    assert rejected_tag(pair, message) == 59


def test_it_does_not_accept_a_quote(pair: Pair) -> None:
    message = reducing("a1", SELL, 1, "0.40", quote_id="770e8400-e29b-41d4-a716-446655440002")
    assert rejected_tag(pair, message) == 117


def rejected_tag(pair: Pair, message: NewOrderSingle) -> int | None:
    (found,) = pair.one.raw(message)
    assert isinstance(found, Reject), found
    return found.ref_tag_id


@pytest.mark.parametrize(
    ("tif", "quantity", "ends"),
    [
        (IOC, 6, ["Trade 4.00", "Canceled REDUCE_ONLY"]),
        (FOK, 4, ["Trade 4.00"]),
        (FOK, 6, ["Canceled REDUCE_ONLY"]),
        (TimeInForce.DAY, 4, ["Rejected INVALID_ORDER"]),
    ],
)
def test_on_margin_it_is_ioc_or_fok(tif: TimeInForce, quantity: int, ends: list[str]) -> None:
    desk = GatewayDesk("margin")
    ann, bob = desk.login("ann"), desk.login("bob")
    desk.send(bob, desk.order("b0", SELL, 4, "19"))
    desk.send(ann, desk.order("a0", BUY, 4, "19"))
    desk.send(bob, desk.order("b1", BUY, 9, "19"))
    message = desk.order("a1", SELL, quantity, "19", exec_inst=ExecInst.REDUCE_ONLY, time_in_force=tif)
    told = [
        f"{ExecType(r.exec_type).name.title()} {r.last_qty or r.text}"
        for r in reports(desk.send(ann, message), ann)
    ]
    assert told == ends


# Fill or kill that meets its own trader


def test_a_fill_or_kill_order_that_meets_its_own_is_cancelled(pair: Pair) -> None:
    send(pair.one, order("a1", SELL, 5, "0.50"))
    assert send(pair.one, order("a2", BUY, 5, "0.50", time_in_force=FOK)) == [
        "a2 CANCELED SELF_CROSS_ATTEMPT"
    ]


def test_what_it_traded_before_stays(pair: Pair) -> None:
    pair.other.send(order("b1", SELL, 2, "0.49"))
    send(pair.one, order("a1", SELL, 5, "0.50"))
    assert send(pair.one, order("a2", BUY, 5, "0.50", time_in_force=FOK)) == [
        "a2 fills 2.00",
        "a2 CANCELED SELF_CROSS_ATTEMPT_PARTIALLY_FILLED",
    ]
    assert pair.net() == 12


def test_with_the_other_prevention_the_resting_order_goes_and_the_rest_ends(pair: Pair) -> None:
    pair.other.send(order("b1", SELL, 2, "0.49"))
    send(pair.one, order("a1", SELL, 1, "0.50"))
    maker = SelfTradePreventionType.MAKER
    ended = send(pair.one, order("a2", BUY, 5, "0.50", time_in_force=FOK, self_trade_prevention_type=maker))
    assert ended == ["a2 fills 2.00", "a1 CANCELED MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"]
    assert pair.net() == 12


def test_without_an_order_of_its_own_it_still_fills_whole_or_not_at_all(pair: Pair) -> None:
    pair.other.send(order("b1", SELL, 2, "0.49"))
    ended = send(pair.one, order("a2", BUY, 5, "0.50", time_in_force=FOK))
    assert ended == ["a2 CANCELED FOK_INSUFFICIENT_VOLUME"]
    # An order of its own that it would not have reached does not matter.
    send(pair.one, order("a3", SELL, 5, "0.60"))
    assert send(pair.one, order("a4", BUY, 2, "0.60", time_in_force=FOK)) == ["a4 fills 2.00"]


def test_its_end_can_be_told_as_that_of_other_orders() -> None:
    pair = Pair(assumptions=Assumptions(fill_or_kill_tells_self_cross=False))
    send(pair.one, order("a1", SELL, 5, "0.50"))
    ended = send(pair.one, order("a2", BUY, 5, "0.50", time_in_force=FOK))
    assert ended == ["a2 CANCELED TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"]


def test_other_orders_tell_it_by_the_prevention(pair: Pair) -> None:
    send(pair.one, order("a1", SELL, 5, "0.50"))
    for tif in (IOC, TimeInForce.GOOD_TILL_CANCEL, TimeInForce.DAY):
        ended = send(pair.one, order("a2", BUY, 5, "0.50", time_in_force=tif))
        assert ended == ["a2 CANCELED TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"]


# Settlement bounds


def bounds(pair: Pair, lowest: str, highest: str) -> None:
    command = SetSettlementBounds(MARKET, Decimal(lowest), Decimal(highest))
    pair.town.execute(command)


def test_orders_outside_of_the_bounds_of_settlement_are_cancelled(pair: Pair) -> None:
    for name, price in (("a1", "0.19"), ("a2", "0.20"), ("a3", "0.30")):
        send(pair.one, order(name, BUY, 1, price))
    bounds(pair, "0.20", "0.80")
    assert told(pair.one) == ["a1 CANCELED SETTLEMENT_BOUNDS_CANCEL"]
    assert send(pair.one, order("a4", SELL, 1, "0.81")) == ["a4 CANCELED SETTLEMENT_BOUNDS_CANCEL"]
    assert send(pair.one, order("a5", SELL, 1, "0.80")) == ["a5 NEW None"]
    moved = amend("a6", "a5", 1, price="0.81", side=SELL)
    assert send(pair.one, moved) == ["a6 REPLACED None", "a6 CANCELED SETTLEMENT_BOUNDS_CANCEL"]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (SetSettlementBounds("NO-SUCH", Decimal(0), Decimal(1)), "no market NO-SUCH"),
        (SetSettlementBounds(MARKET, Decimal("0.5"), Decimal("0.4")), "above the highest"),
    ],
)
def test_bounds_that_cannot_be_change_nothing(pair: Pair, command: SetSettlementBounds, problem: str) -> None:
    send(pair.one, order("a1", BUY, 1, "0.10"))
    with pytest.raises(ValueError, match=problem):
        pair.town.execute(command)
    assert told(pair.one) == []
