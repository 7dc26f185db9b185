"""The other side of a test's trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from kalshi_fix_adapters.venue.exchange import (
    AccountId,
    CancelAll,
    CancelCause,
    CancelOrder,
    Exchange,
    OrderState,
    PlaceOrder,
    Side,
    TimeInForce,
)
from kalshi_fix_adapters.venue.exchange.orders import OrderSnapshot
from kalshi_fix_adapters.venue.exchange.outcomes import (
    OrderOutcome,
    OrderRejected,
    OrderTraded,
    Outcome,
    RequestRefused,
)
from kalshi_fix_adapters.venue.server import VenueServer
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio.clock import Instant

Number = Decimal | int | str
"""A price in dollars or a number of contracts, exactly: `"0.45"`, not 0.45."""
T = TypeVar("T")


class Trader:
    """An owner who trades at the exchange without a FIX session.

    Orders rest until they are cancelled, unless `time_in_force` says otherwise. Everybody concerned is told
    of them as of any other order: the market, the other side, the listeners of the owner. The calls return
    when it is done, and wait for no client.
    """

    def __init__(self, server: VenueServer, product: str, owner: str) -> None:
        self.owner = owner
        self.product = product
        self._server = server
        self._origin = f"trader {owner}"

    def buy(
        self,
        market: str,
        quantity: Number,
        price: Number,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        **more: Any,
    ) -> OrderSnapshot:
        """Place an order to buy (Yes); return it as it stands afterwards.

        Args:
            market: Symbol (55).
            quantity: contracts.
            price: dollars.
            time_in_force: how long it may rest.
            **more: further attributes of `PlaceOrder`, such as `post_only=True`.

        Raises:
            ValueError: the exchange rejects it, or a number is not exact.
        """
        return self._place(market, Side.BUY, quantity, price, time_in_force, more)

    def sell(
        self,
        market: str,
        quantity: Number,
        price: Number,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        **more: Any,
    ) -> OrderSnapshot:
        """Place an order to sell (buy No); as `buy`."""
        return self._place(market, Side.SELL, quantity, price, time_in_force, more)

    def fill(
        self, cl_ord_id: str, quantity: Number | None = None, *, owner: str = "me"
    ) -> tuple[OrderSnapshot, ...]:
        """Trade against an owner's open order at its price: all that is left of it, or so many contracts.

        What stands before it in the book is traded against first, as in any market. Returns this trader's
        orders that did it.

        Raises:
            LookupError: the owner has no such open order.
            ValueError: it was not filled, because the exchange rejects the orders (no money, a pause), or
                the order is this trader's own.
        """
        wanted = None if quantity is None else _exact(quantity)

        def act(venue: Venue, now: Instant) -> tuple[OrderSnapshot, ...]:
            exchange = venue.exchange(self.product)
            order = _open_order(exchange, owner, cl_ord_id)
            missing = order.leaves if wanted is None else wanted
            side = Side.SELL if order.side is Side.BUY else Side.BUY
            done: list[OrderSnapshot] = []
            while missing > 0:
                outcomes = self._execute(
                    venue, self._order(order.market, side, missing, order.price, _AT_ONCE, {}), now
                )
                trades = [each for each in outcomes if isinstance(each, OrderTraded)]
                if not trades:
                    raise ValueError(f"{cl_ord_id} of {owner} was not filled: nothing trades with it")
                done.append(_last(outcomes, self.owner))
                missing -= sum(
                    (each.quantity for each in trades if each.order.order_id == order.order_id), Decimal(0)
                )
            return tuple(done)

        return self._server.run(act)

    def cancel(self, order: OrderSnapshot) -> OrderSnapshot:
        """Cancel an order of this trader's; return it as it stands afterwards.

        Raises:
            LookupError: it is not open any more.
        """
        command = CancelOrder(
            cl_ord_id=f"cancel {order.cl_ord_id}",
            orig_cl_ord_id=order.cl_ord_id,
            account=order.account,
            origin=self._origin,
            market=order.market,
            side=order.side,
        )
        outcomes = self._server.execute(self.product, command)
        if any(isinstance(outcome, RequestRefused) for outcome in outcomes):
            raise LookupError(f"{self.owner} has no open order {order.cl_ord_id}")
        return _last(outcomes, self.owner)

    def cancel_all(self) -> None:
        """Cancel what rests of this trader's orders."""
        self._server.execute(self.product, CancelAll(origin=self._origin, cause=CancelCause.MASS_CANCELED))

    def _place(
        self,
        market: str,
        side: Side,
        quantity: Number,
        price: Number,
        time_in_force: TimeInForce,
        more: dict[str, Any],
    ) -> OrderSnapshot:
        command = self._order(market, side, _exact(quantity), _exact(price), time_in_force, more)
        return self._server.run(lambda venue, now: _last(self._execute(venue, command, now), self.owner))

    def _order(
        self,
        market: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        time_in_force: TimeInForce,
        more: dict[str, Any],
    ) -> Callable[[Venue], PlaceOrder]:
        return lambda venue: PlaceOrder(
            order_id=venue.new_id(),
            cl_ord_id=venue.new_id(),
            account=AccountId(self.owner, shard=venue.exchange(self.product).shard_of(market)),
            origin=self._origin,
            market=market,
            side=side,
            quantity=quantity,
            price=price,
            time_in_force=time_in_force,
            **more,
        )

    def _execute(self, venue: Venue, order: Callable[[Venue], PlaceOrder], now: Instant) -> Sequence[Outcome]:
        command = order(venue)
        outcomes = venue.execute(self.product, command, now)
        for outcome in outcomes:
            if isinstance(outcome, OrderRejected):
                raise ValueError(
                    f"the exchange rejects {self.owner}'s order, {command.side.name} {command.quantity} "
                    f"{command.market} at {command.price}: {outcome.cause.name}"
                )
        return outcomes


_AT_ONCE = TimeInForce.IMMEDIATE_OR_CANCEL


def _exact(number: Number) -> Decimal:
    if isinstance(number, float):
        raise ValueError(f"{number!r} is not exact; give a string such as '{number}'")
    return Decimal(number)


def _open_order(exchange: Exchange, owner: str, cl_ord_id: str) -> OrderSnapshot:
    order = exchange.find(owner, cl_ord_id)
    if order is None or order.state is not OrderState.OPEN:
        raise LookupError(f"{owner} has no open order {cl_ord_id}")
    return order


def _last(outcomes: Sequence[Outcome], owner: str) -> OrderSnapshot:
    """Return how an owner's order stood at last."""
    mine = [
        outcome.order
        for outcome in outcomes
        if isinstance(outcome, OrderOutcome) and outcome.order.account.owner == owner
    ]
    return mine[-1]
