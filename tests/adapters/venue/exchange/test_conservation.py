"""Random requests with everything that orders can have: nothing is lost, made or left behind."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import pytest

from kalshi_fix_adapters.venue.exchange import (
    AccountId,
    AmendOrder,
    CancelAll,
    CancelCause,
    CancelOrder,
    ChangeGroup,
    Command,
    Exchange,
    GroupAction,
    PlaceOrder,
    PrintBlockTrade,
    SelfTradePrevention,
    SetSettlementBounds,
    TimeInForce,
    prediction_market,
)
from kalshi_fix_adapters.venue.exchange.orders import OrderSnapshot
from kalshi_fix_adapters.venue.exchange.outcomes import (
    GroupChanged,
    OrderCanceled,
    OrderRejected,
    OrderTraded,
    Outcome,
)
from tests.adapters.venue.desk import BUY, EASTERN, SELL, START

MARKETS = ("KXA", "KXB")
CAPPED, FREE = "member_capped", "member_free"
ACCOUNTS = (
    AccountId("ann"),
    AccountId("ann", 1),
    AccountId("bob"),
    AccountId("cat"),
    AccountId("member"),
    AccountId("member", customer=CAPPED),
    AccountId("member", customer=FREE),
)
CASH = Decimal(12)
CAP = Decimal(40)


class Crowd:
    """Accounts that ask for anything, and what they were told."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ids = count(1)
        self.now = START
        self.exchange = Exchange(
            "prediction",
            [prediction_market(ticker) for ticker in MARKETS],
            dict.fromkeys(ACCOUNTS, CASH),
            zone=EASTERN,
            new_id=lambda: f"trade-{next(self.ids)}",
            daily_caps={CAPPED: CAP},
        )
        self.groups: list[tuple[str, AccountId]] = []
        self.happened: dict[str, int] = {}

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now += timedelta(milliseconds=self.random.choice((0, 1, 400, 3000)))
            before = {order.order_id: order for order in self.exchange.open_orders()}
            try:
                outcomes = self.exchange.apply(self._command(), self.now)
            except ValueError:
                self._note("refused to the operator")
                continue
            for outcome in outcomes:
                self._hear(outcome)
            self.check(before, outcomes)

    def _note(self, what: str) -> None:
        self.happened[what] = self.happened.get(what, 0) + 1

    def _hear(self, outcome: Outcome) -> None:
        match outcome:
            case OrderRejected():
                self._note(outcome.cause)
            case OrderCanceled():
                self._note(outcome.cause.name)
            case OrderTraded():
                self._note("block" if outcome.aggressor is None else "trade")
            case GroupChanged() if outcome.request.action is GroupAction.CREATE:
                self.groups.append((outcome.request.group_id, outcome.request.account))
            case GroupChanged() if outcome.request.action is GroupAction.DELETE:
                self.groups.remove((outcome.request.group_id, outcome.request.account))

    def _command(self) -> Command:
        pick = self.random.random()
        orders = self.exchange.open_orders()
        if pick < 0.62 or not orders:
            return self._order()
        order = self.random.choice(orders)
        if pick < 0.70:
            return CancelOrder(**self._about(order))
        if pick < 0.85:
            return AmendOrder(
                **self._about(order),
                quantity=order.filled + self._quantity(),
                price=self.random.choice((None, self._price())),
            )
        if pick < 0.94:
            return self._group()
        if pick < 0.98:
            buyer, seller = self.random.choices(ACCOUNTS, k=2)
            return PrintBlockTrade(
                market=self.random.choice(MARKETS),
                buyer=buyer,
                seller=seller,
                price=self._price(),
                quantity=self._quantity(),
            )
        if pick < 0.99:
            return SetSettlementBounds(self.random.choice(MARKETS), Decimal("0.02"), Decimal("0.98"))
        return CancelAll(origin=order.origin, cause=CancelCause.MASS_CANCELED)

    def _order(self) -> PlaceOrder:
        account = self.random.choice(ACCOUNTS)
        tif = self.random.choice(
            [TimeInForce.GOOD_TILL_CANCEL] * 4 + [TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL]
        )
        mine = [name for name, owner in self.groups if owner == account]
        kind = self.random.random()
        number = next(self.ids)
        return PlaceOrder(
            order_id=f"order-{number}",
            cl_ord_id=f"o{number}",
            account=account,
            origin=str(account),
            market=self.random.choice(MARKETS),
            side=self.random.choice((BUY, SELL)),
            quantity=self._quantity(),
            price=self._price(),
            time_in_force=tif,
            post_only=kind < 0.1 and tif is TimeInForce.GOOD_TILL_CANCEL,
            reduce_only=kind > 0.5 and tif is TimeInForce.IMMEDIATE_OR_CANCEL,
            self_trade_prevention=self.random.choice(list(SelfTradePrevention)),
            max_execution_cost=Decimal(3) if kind < 0.05 else None,
            group=self.random.choice(mine) if mine and kind < 0.8 else None,
            reserves_cap=account.customer == CAPPED,
        )

    def _group(self) -> ChangeGroup:
        if not self.groups or self.random.random() < 0.2:
            account = self.random.choice(ACCOUNTS)
            return ChangeGroup(
                action=GroupAction.CREATE,
                group_id=f"group-{next(self.ids)}",
                account=account,
                limit=self.random.randint(3, 20),
            )
        name, account = self.random.choice(self.groups)
        action = self.random.choice(
            [GroupAction.RESET] * 4 + [GroupAction.TRIGGER, GroupAction.UPDATE, GroupAction.DELETE]
        )
        limit = self.random.randint(1, 20) if action is GroupAction.UPDATE else None
        return ChangeGroup(action=action, group_id=name, account=account, limit=limit)

    def _about(self, order: OrderSnapshot) -> dict[str, Any]:
        return {
            "cl_ord_id": f"r{next(self.ids)}",
            "orig_cl_ord_id": order.cl_ord_id,
            "account": order.account,
            "origin": order.origin,
            "market": order.market,
            "side": order.side,
            "reserves_cap": order.account.customer == CAPPED,
            "order_id": order.order_id,
        }

    def _quantity(self) -> Decimal:
        return Decimal(self.random.randint(1, 900)) / 100

    def _price(self) -> Decimal:
        return Decimal(self.random.randint(40, 60)) / 100

    def check(self, before: dict[str, OrderSnapshot], outcomes: tuple[Outcome, ...]) -> None:
        accounts = self.exchange.accounts()
        held = Decimal(0)
        for ticker in MARKETS:
            nets = [account.holding(ticker).position.net for account in accounts]
            assert sum(nets) == 0
            held += sum((net for net in nets if net > 0), Decimal(0))
        # Each pair of contracts holds the one dollar that both sides have paid for it.
        assert sum((account.balance for account in accounts), self.exchange.fees_kept + held) == CASH * len(
            ACCOUNTS
        )
        orders = self.exchange.open_orders()
        for account in accounts:
            for ticker in MARKETS:
                for side in (BUY, SELL):
                    open_here = sum(
                        (
                            order.leaves
                            for order in orders
                            if (order.account, order.market, order.side) == (account.id, ticker, side)
                        ),
                        Decimal(0),
                    )
                    assert account.holding(ticker).working(side).quantity == open_here
        cap = self.exchange.daily_cap(CAPPED)
        assert cap is not None
        assert cap.reserved == sum(
            (
                order.leaves * (order.price if order.side is BUY else 1 - order.price)
                for order in orders
                if order.account.customer == CAPPED
            ),
            Decimal(0),
        )
        for ticker in MARKETS:
            for side in (BUY, SELL):
                resting = sum((o.leaves for o in orders if (o.market, o.side) == (ticker, side)), Decimal(0))
                assert sum((size for _, size in self.exchange.levels(ticker, side)), Decimal(0)) == resting
        # Whatever was open and is not any more was told of.
        told = {o.order.order_id for o in outcomes if isinstance(o, OrderCanceled | OrderTraded)}
        assert before.keys() - {order.order_id for order in orders} <= told


@pytest.mark.parametrize("seed", range(4))
def test_cash_positions_orders_and_caps_agree_after_every_command(seed: int) -> None:
    crowd = Crowd(seed)
    crowd.run(500)
    # All of it did happen, or the checks are of nothing.
    for what in (
        "trade",
        "block",
        "ORDER_GROUP",
        "REDUCE_ONLY",
        "EXCEEDED_ORDER_GROUP_RISK_LIMIT",
        "INSUFFICIENT_BALANCE",
    ):
        assert crowd.happened.get(what), crowd.happened
    for account in ACCOUNTS:
        crowd.exchange.apply(CancelAll(origin=str(account), cause=CancelCause.MASS_CANCELED), crowd.now)
    for held in crowd.exchange.accounts():
        assert held.reserved == 0
    cap = crowd.exchange.daily_cap(CAPPED)
    assert cap is not None
    assert cap.reserved == 0
    crowd.exchange.apply(
        CancelAll(origin="nobody", cause=CancelCause.MASS_CANCELED), crowd.now + timedelta(seconds=15)
    )
    assert not crowd.exchange._state.groups._fills
