"""Every Text (58) that the spec knows of execution reports (8) and cancel rejects (9), through real sessions.

A new Text of the spec fails here until a scenario below reaches it, or it stands in `ELSEWHERE` with the test
that does, or in `NOT_PRODUCED` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.venue.config import CustomerConfig
from kalshi_fix_adapters.venue.exchange import (
    MarketResult,
    MarketState,
    PauseState,
    SetMarketState,
    SetPause,
    SetSettlementBounds,
    prediction_market,
)
from kalshi_fix_sansio import (
    TEXTS,
    ExecInst,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderGroupRequest,
    SelfTradePreventionType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.base import Message
from tests.adapters.venue.desk import MARKET
from tests.adapters.venue.town import Client, Town, accounts, amend, customer, order

ROOT = Path(__file__).resolve().parents[3]
BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL
LIMITED, FLOORED = "KXLIMITED-26AUG20", "KXFLOORED-26AUG20"
MEMBER = "550e8400-e29b-41d4-a716-446655440000"
CAPPED, OTHERS = f"{MEMBER}_capped", "110e8400-e29b-41d4-a716-446655440000_x"
NOBODYS = "770e8400-e29b-41d4-a716-446655440002"
MARKETS = {
    "prediction": (
        prediction_market(MARKET),
        prediction_market(LIMITED, position_limit=Decimal(5)),
        prediction_market(FLOORED, sell_position_floor=Decimal(-5)),
    )
}
ACCOUNTS = accounts(
    ann={"customers": (CustomerConfig(party_id=CAPPED, balance=Decimal(1000), daily_cap=Decimal(10)),)},
    bob={"customers": (CustomerConfig(party_id=OTHERS, balance=Decimal(10)),)},
)


class Room:
    """Ann, who is told things, on two sessions, and Bob."""

    def __init__(self) -> None:
        self.town = Town(accounts=ACCOUNTS, markets=MARKETS)
        self.ann, self.bob = self.town.connect("ann"), self.town.connect("bob")
        self._capped: Client | None = None

    @property
    def capped(self) -> Client:
        """Ann's session with UseCapReservation."""
        if self._capped is None:
            self._capped = self.town.connect("ann-2", use_cap_reservation=True)
        return self._capped

    def buy(self, cl_ord_id: str, quantity: Any = 1, price: str = "0.40", **fields: Any) -> None:
        self.ann.send(order(cl_ord_id, BUY, quantity, price, **fields))

    def sell(self, cl_ord_id: str, quantity: Any = 1, price: str = "0.40", **fields: Any) -> None:
        self.ann.send(order(cl_ord_id, SELL, quantity, price, **fields))

    def other(self, side: Side, quantity: int = 1, price: str = "0.40") -> None:
        """Bob has an order in the book."""
        self.bob.send(order(f"b{len(self.bob.wire)}", side, quantity, price))

    def amend(self, orig: str, quantity: int, **fields: Any) -> None:
        self.ann.send(amended(orig, quantity, **fields))

    def told(self) -> list[Message]:
        return self.ann.take() + ([] if self._capped is None else self._capped.take())


def amended(orig: str, quantity: int, **fields: Any) -> OrderCancelReplaceRequest:
    return amend(fields.pop("cl_ord_id", f"{orig}-amended"), orig, quantity, **fields)


Scenario = Callable[[Room], None]
SCENARIOS: dict[tuple[str, str], Scenario] = {}


def report(text: str) -> Callable[[Scenario], Scenario]:
    """What brings an execution report with this Text."""
    return _reaches(ExecutionReport.MSG_TYPE, text)


def reject(text: str) -> Callable[[Scenario], Scenario]:
    """What brings a cancel reject with this Text."""
    return _reaches(OrderCancelReject.MSG_TYPE, text)


def _reaches(msg_type: str, text: str) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        assert (msg_type, text) not in SCENARIOS
        SCENARIOS[msg_type, text] = scenario
        return scenario

    return register


# New orders


@report("EXCHANGE_UNAVAILABLE")
def unavailable(room: Room) -> None:
    room.town.do("unavailable")
    room.buy("a1")


@report("INTERNAL_ERROR")
def internal(room: Room) -> None:
    room.town.do("reject", text="INTERNAL_ERROR")
    room.buy("a1")


@report("MARKET_ALREADY_CLOSED")
def closed(room: Room) -> None:
    room.town.execute(SetMarketState(MARKET, MarketState.DETERMINED, MarketResult.YES))
    room.buy("a1")


@report("MARKET_INACTIVE")
def inactive(room: Room) -> None:
    room.town.execute(SetMarketState(MARKET, MarketState.INACTIVE))
    room.buy("a1")


@report("MARKET_NOT_FOUND")
def no_market(room: Room) -> None:
    room.buy("a1", symbol="NO-SUCH")


@report("ORDER_ALREADY_EXISTS")
def twice(room: Room) -> None:
    room.buy("a1")
    room.buy("a1")


@report("EXCEEDED_ORDER_GROUP_RISK_LIMIT")
def triggered(room: Room) -> None:
    room.ann.send(OrderGroupRequest.create(5))
    (made,) = room.ann.take()
    group: str = made.order_group_id  # type: ignore[attr-defined]
    room.ann.send(OrderGroupRequest.trigger(group))
    room.ann.take()
    room.buy("a1", secondary_cl_ord_id=group)


@report("INSUFFICIENT_BALANCE")
def poor(room: Room) -> None:
    room.buy("a1", 10_000)


@report("EXCHANGE_PAUSED")
def exchange_paused(room: Room) -> None:
    room.town.execute(SetPause(PauseState.EXCHANGE_PAUSED))
    room.buy("a1")


@report("TRADING_PAUSED")
def trading_paused(room: Room) -> None:
    room.town.execute(SetPause(PauseState.TRADING_PAUSED))
    room.buy("a1")


@report("INVALID_ORDER")
def invalid(room: Room) -> None:
    room.buy("a1", price="0.405")


@report("ORDER_GROUP_NOT_FOUND")
def no_group(room: Room) -> None:
    room.buy("a1", secondary_cl_ord_id=NOBODYS)


@report("EXCEEDED_PER_MARKET_RISK_LIMIT")
def too_much(room: Room) -> None:
    room.buy("a1", 6, symbol=LIMITED)


@report("EXCEEDED_SELL_POSITION_FLOOR")
def too_short(room: Room) -> None:
    room.sell("a1", 6, symbol=FLOORED)


@report("CUSTOMER_ACCOUNT_NOT_FOUND")
def no_customer(room: Room) -> None:
    room.buy("a1", party_ids=customer(f"{MEMBER}_nobody"))


@report("PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT")
def anothers_customer(room: Room) -> None:
    room.buy("a1", party_ids=customer(OTHERS))


@report("EVENT_CONTRACT_DAILY_CAP_EXCEEDED")
def cap_exceeded(room: Room) -> None:
    room.capped.send(order("a1", BUY, 100, "0.40", party_ids=customer(CAPPED)))


@report("EVENT_CONTRACT_DAILY_CAP_NOT_FOUND")
def no_cap(room: Room) -> None:
    room.capped.send(order("a1", BUY, 1, "0.40"))


# Cancels by the exchange


@report("SELF_CROSS_ATTEMPT")
def self_cross(room: Room) -> None:
    room.sell("a1")
    room.buy("a2", time_in_force=FOK)


@report("SELF_CROSS_ATTEMPT_PARTIALLY_FILLED")
def self_cross_after_a_fill(room: Room) -> None:
    room.other(SELL, 1, "0.39")
    room.sell("a1")
    room.buy("a2", 2, time_in_force=FOK)


@report("FOK_INSUFFICIENT_VOLUME")
def too_little(room: Room) -> None:
    room.buy("a1", time_in_force=FOK)


@report("POST_ONLY_CROSS")
def crosses(room: Room) -> None:
    room.other(SELL)
    room.buy("a1", exec_inst=ExecInst.POST_ONLY)


@report("ORDER_GROUP_CANCEL")
def group_deleted(room: Room) -> None:
    room.ann.send(OrderGroupRequest.create(5))
    (made,) = room.ann.take()
    group: str = made.order_group_id  # type: ignore[attr-defined]
    room.buy("a1", secondary_cl_ord_id=group)
    room.ann.send(OrderGroupRequest.delete(group))


@report("TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION")
def taker_goes(room: Room) -> None:
    room.sell("a1")
    room.buy("a2")


@report("MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION")
def maker_goes(room: Room) -> None:
    room.sell("a1")
    room.buy("a2", self_trade_prevention_type=SelfTradePreventionType.MAKER)


@report("IMMEDIATE_OR_CANCELLED")
def nothing_there(room: Room) -> None:
    room.buy("a1", time_in_force=IOC)


@report("REDUCE_ONLY")
def nothing_to_reduce(room: Room) -> None:
    room.buy("a1", exec_inst=ExecInst.REDUCE_ONLY, time_in_force=IOC)


@report("SETTLEMENT_BOUNDS_CANCEL")
def out_of_bounds(room: Room) -> None:
    room.buy("a1")
    room.town.execute(SetSettlementBounds(MARKET, Decimal("0.50"), Decimal("0.60")))


# Amends


@reject("INVALID_AMEND_QTY_FOR_ORDER")
def below_filled(room: Room) -> None:
    room.other(SELL, 3)
    room.buy("a1", 5)
    room.amend("a1", 2)


@reject("CANNOT_UPDATE_FILLED_ORDER")
def filled(room: Room) -> None:
    room.other(SELL, 3)
    room.buy("a1", 3)
    room.amend("a1", 5)


@reject("SELF_CROSS_ATTEMPT")
def moved_onto_its_own(room: Room) -> None:
    room.sell("a1", price="0.50")
    room.buy("a2")
    room.amend("a2", 1, price="0.50")


@reject("INVALID_PRICE")
def off_tick(room: Room) -> None:
    room.buy("a1")
    room.amend("a1", 1, price="0.405")


@reject("MARKET_NOT_FOUND")
def amended_elsewhere(room: Room) -> None:
    room.buy("a1")
    room.amend("a1", 1, symbol="NO-SUCH")


@reject("ORDER_ALREADY_EXISTS")
def named_as_another(room: Room) -> None:
    room.buy("a1")
    room.buy("a2")
    room.amend("a1", 2, cl_ord_id="a2")


def placed(room: Room) -> str:
    """The OrderID of an order on the session with UseCapReservation."""
    room.capped.send(order("c1", BUY, 1, "0.40", party_ids=customer(CAPPED)))
    new = room.capped.take_only(ExecutionReport)
    return new.order_id


@reject("ORDER_AMEND_IN_PROGRESS")
def two_at_once(room: Room) -> None:
    order_id = placed(room)
    first = amended("c1", 2, order_id=order_id, party_ids=customer(CAPPED))
    second = amended("c1-amended", 3, order_id=order_id, party_ids=customer(CAPPED))
    for message in (first, second):
        room.capped.session.send(message, room.town.now)
    room.town.run()


@reject("ORDER_ATTRIBUTES_MISMATCH")
def another_side(room: Room) -> None:
    room.capped.send(amended("c1", 2, order_id=placed(room), side=SELL, party_ids=customer(CAPPED)))


@reject("EVENT_CONTRACT_DAILY_CAP_EXCEEDED")
def amended_beyond_the_cap(room: Room) -> None:
    room.capped.send(amended("c1", 100, order_id=placed(room), party_ids=customer(CAPPED)))


ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("8", "EXPIRED"): "tests/adapters/venue/rfq/test_creators.py::"
    "test_an_order_for_a_quote_that_is_over_is_stale",
}
"""What another test reaches."""
NOT_PRODUCED: Mapping[tuple[str, str], str] = {}
"""What the simulated venue does not say, with the reason."""
EVERY = [key for key in TEXTS if key[0] in (ExecutionReport.MSG_TYPE, OrderCancelReject.MSG_TYPE)]


def test_every_text_of_the_spec_is_reached_or_said_not_to_be() -> None:
    assert sorted([*SCENARIOS, *ELSEWHERE, *NOT_PRODUCED]) == sorted(EVERY)
    for name in ELSEWHERE.values():
        path, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text("utf-8")
    assert all(NOT_PRODUCED.values())


@pytest.mark.parametrize(("msg_type", "text"), SCENARIOS, ids=lambda part: part)
def test_a_text_comes_with_the_code_that_the_spec_says(msg_type: str, text: str) -> None:
    room = Room()
    SCENARIOS[msg_type, text](room)
    (found,) = (
        message
        for message in room.told()
        if (message.MSG_TYPE, getattr(message, "text", None)) == (msg_type, text)
    )
    code = TEXTS[msg_type, text].code
    if isinstance(found, OrderCancelReject):
        assert found.cxl_rej_reason == code
    else:
        assert isinstance(found, ExecutionReport)
        assert code == (found.ord_rej_reason if found.exec_type == ExecType.REJECTED else found.exec_type)
