"""The simulated traders: the actions of a maker and of a taker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import (
    AccountId,
    AmendOrder,
    CancelAll,
    CancelCause,
    CancelOrder,
    Command,
    Exchange,
    PlaceOrder,
    TimeInForce,
)
from kalshi_fix_venue.flow.prices import FairPrice

_CANCEL_ALL_SHARE = 0.002
"""The share of a maker's actions in which it cancels all of its orders."""
_CANCEL_SHARE = 0.05
"""The share of a maker's updates to its open quotes in which it cancels the quote."""
_MIN_MOVE_DIVISOR = 4
"""A quote whose price is off by less than a step divided by this number keeps its price; the amend changes
its quantity only."""
_FRACTIONAL_SHARE = 0.1
"""The share of orders with a fractional quantity, where the market accepts them."""
_FULL_SKEW = 20
"""A maker whose position is this many times its largest order moves its prices by as many steps as it has
levels."""
_MAX_LIFETIME = 600
"""Maximum lifetime in seconds of a taker's resting order."""


@attrs.frozen
class Turn:
    """The information available to a trader when it acts."""

    exchange: Exchange
    random: Random
    new_id: Callable[[], str]
    """Generates order ids."""
    largest: int
    """Maximum quantity of an order, in contracts."""
    fair: FairPrice
    now: datetime

    def quantity(self) -> Decimal:
        """Draw the quantity of an order, in contracts."""
        contracts = Decimal(self.random.randint(1, self.largest))
        step = self.fair.rules.quantity_step
        if step < 1 and self.random.random() < _FRACTIONAL_SHARE:
            contracts -= step * self.random.randrange(1, int(1 / step))
        return contracts

    def position(self, account: AccountId) -> Decimal:
        """Return an account's position in the market, in contracts; negative for short."""
        return self.exchange.position(account, self.fair.rules.ticker).net


@attrs.define(eq=False)
class Trader:
    """One simulated trader on one product."""

    name: str
    requests: int = 0

    def account(self, fair: FairPrice) -> AccountId:
        """Return the account that pays for a market's orders."""
        return AccountId(self.name, shard=fair.rules.shard)

    def cl_ord_id(self) -> str:
        """Return a new, unused id for a request."""
        self.requests += 1
        return f"{self.name}-{self.requests}"

    def place(
        self, turn: Turn, side: Side, price: Decimal, time_in_force: TimeInForce, **attributes: Any
    ) -> PlaceOrder:
        """Return a new order; `attributes` are further attributes of `PlaceOrder`."""
        return PlaceOrder(
            order_id=turn.new_id(),
            cl_ord_id=self.cl_ord_id(),
            account=self.account(turn.fair),
            origin=self.name,
            market=turn.fair.rules.ticker,
            side=side,
            quantity=turn.quantity(),
            price=price,
            time_in_force=time_in_force,
            **attributes,
        )


@attrs.define(eq=False)
class Maker(Trader):
    """Keeps one order at each of its levels on both sides of the fair price."""

    levels: int = 1
    _quotes: dict[tuple[str, Side, int], tuple[str, ...]] = attrs.field(factory=dict)
    """By market, side and level, the ClOrdIDs that the order may have: first the ClOrdID of the last
    amend, then the previous ClOrdID, which is valid if the amend was refused. The order may have ended."""

    def act(self, turn: Turn) -> Command | None:
        """Update one of its quotes: place it, move it, change its quantity or cancel it."""
        if turn.random.random() < _CANCEL_ALL_SHARE:
            return CancelAll(origin=self.name, cause=CancelCause.MASS_CANCELED)
        side, level = turn.random.choice((Side.BUY, Side.SELL)), turn.random.randrange(self.levels)
        slot = (turn.fair.rules.ticker, side, level)
        price = turn.fair.offset_price(side, level + 0.5 + self._skew(turn, side))
        open_orders = (turn.exchange.find(self.name, cl_ord_id) for cl_ord_id in self._quotes.get(slot, ()))
        open_order = next((order for order in open_orders if order is not None), None)
        if open_order is None:
            if price is None:
                return None
            order = self.place(turn, side, price, TimeInForce.GOOD_TILL_CANCEL, post_only=True)
            self._quotes[slot] = (order.cl_ord_id,)
            return order
        request: dict[str, Any] = {
            "cl_ord_id": self.cl_ord_id(),
            "orig_cl_ord_id": open_order.cl_ord_id,
            "account": open_order.account,
            "origin": self.name,
            "market": open_order.market,
            "side": side,
        }
        if price is None or turn.random.random() < _CANCEL_SHARE:
            return CancelOrder(**request)
        if abs(price - open_order.price) * _MIN_MOVE_DIVISOR < turn.fair.step:
            price = open_order.price
        self._quotes[slot] = (request["cl_ord_id"], open_order.cl_ord_id)
        return AmendOrder(**request, quantity=open_order.filled_qty + turn.quantity(), price=price)

    def _skew(self, turn: Turn, side: Side) -> float:
        """Return how many steps to add to the distance from the fair price. The distance grows with the
        position, so the position does not grow without limit."""
        position_ratio = float(turn.position(self.account(turn.fair))) / (_FULL_SKEW * turn.largest)
        steps = max(-1.0, min(1.0, position_ratio)) * self.levels
        # Never negative: a maker does not take liquidity.
        return max(steps if side is Side.BUY else -steps, 0.0)


@attrs.define(eq=False)
class Taker(Trader):
    """Trades against resting orders near the fair price, and sometimes rests an order there."""

    def side(self, turn: Turn) -> Side:
        """Draw a side; the larger the position, the more likely is the side that reduces it."""
        position_ratio = float(turn.position(self.account(turn.fair))) / (_FULL_SKEW * turn.largest)
        buys = turn.random.random() < 0.5 - max(-0.5, min(0.5, position_ratio))
        return Side.BUY if buys else Side.SELL

    def act(self, turn: Turn, side: Side | None = None) -> Command | None:
        """Return an immediate-or-cancel or fill-or-kill order, or an order that rests near the fair price
        until it expires. With `side`, the order is always immediate-or-cancel.
        """
        chosen = self.side(turn) if side is None else side
        draw = turn.random.random()
        if side is not None or draw < 0.7:
            price = turn.fair.offset_price(chosen, -turn.random.randint(1, 3))
            time_in_force, expire_time = TimeInForce.IMMEDIATE_OR_CANCEL, None
        elif draw < 0.8:
            price = turn.fair.offset_price(chosen, -2)
            time_in_force, expire_time = TimeInForce.FILL_OR_KILL, None
        else:
            price = turn.fair.offset_price(chosen, turn.random.randint(0, 2))
            time_in_force = TimeInForce.GOOD_TILL_DATE
            expire_time = turn.now + timedelta(seconds=turn.random.randint(1, _MAX_LIFETIME))
        return (
            None if price is None else self.place(turn, chosen, price, time_in_force, expire_time=expire_time)
        )
