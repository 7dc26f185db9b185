"""Price-time matching of one incoming order against a book, with self-trade prevention."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.book import Book
from kalshi_fix_adapters.venue.exchange.fees import FeeSchedule
from kalshi_fix_adapters.venue.exchange.money import Collateral
from kalshi_fix_adapters.venue.exchange.orders import ZERO, Order
from kalshi_fix_adapters.venue.exchange.state import Batch, ExchangeState
from kalshi_fix_adapters.venue.exchange.terms import CancelCause, SelfTradePrevention, Side, TimeInForce


@attrs.frozen
class Preview:
    """What an order would trade at once."""

    quantity: Decimal
    fills: tuple[tuple[Decimal, Decimal], ...]
    """Price and quantity of each."""
    meets_own: bool
    """Whether it would meet an order of its trader before it is filled."""

    def cost(self, collateral: Collateral, side: Side) -> Decimal:
        """Return the dollars it takes to open all of it."""
        return sum((quantity * collateral.opening(side, price) for price, quantity in self.fills), ZERO)

    def fees(self, schedule: FeeSchedule) -> Decimal:
        """Return the trade fees of all of it, not rounded to the member's precision."""
        return sum((schedule.fee(price, quantity, aggressor=True) for price, quantity in self.fills), ZERO)


def crosses(book: Book, order: Order) -> bool:
    """Say whether the order would trade, or meet an order of its owner, at once."""
    best = book.side(order.side.opposite).best()
    return best is not None and order.crosses(best.price)


def preview(book: Book, order: Order) -> Preview:
    """Return what the order would trade at once, changing nothing."""
    fills: list[tuple[Decimal, Decimal]] = []
    wanted, own = order.leaves, False
    for maker in _makers(book, order):
        if not wanted:
            break
        if maker.account.trader == order.account.trader:
            own = True
            if order.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS:
                break
            continue
        quantity = min(wanted, maker.leaves)
        fills.append((maker.price, quantity))
        wanted -= quantity
    return Preview(order.leaves - wanted, tuple(fills), own)


def meets_own(book: Book, order: Order, price: Decimal) -> bool:
    """Say whether the order, at another price, could trade with one of the same owner."""
    for level in book.side(order.side.opposite):
        if (level.price > price) if order.side is Side.BUY else (level.price < price):
            return False
        if any(maker.account.trader == order.account.trader for maker in level.orders.values()):
            return True
    return False


def match(state: ExchangeState, batch: Batch, taker: Order, most: Decimal | None = None) -> bool:
    """Trade the order against its book for as long as prices cross, up to `most` contracts if given.

    Returns whether it was stopped by an order of its own owner (self-trade prevention
    type 1); with type 2 that order is cancelled and matching goes on.
    """
    # An order that trades whole or not at all must find what it was promised: what it makes trigger does so
    # when the command is done.
    at_once = state.assumptions.order_groups_trigger_between_trades and not (
        taker.time_in_force is TimeInForce.FILL_OR_KILL or taker.max_execution_cost is not None
    )
    makers = state.markets[taker.market].book.side(taker.side.opposite)
    unwanted = ZERO if most is None else max(ZERO, taker.leaves - most)
    while taker.leaves > unwanted:
        level = makers.best()
        if level is None or not taker.crosses(level.price):
            break
        # The oldest: time priority within the level. It is looked up anew after each trade, since a group
        # that triggers in between may have taken orders and levels away.
        maker = next(iter(level.orders.values()))
        if maker.account.trader != taker.account.trader:
            state.trade(batch, taker, maker, min(taker.leaves - unwanted, maker.leaves))
            if at_once:
                state.trigger_exceeded(batch)
        elif taker.self_trade_prevention is SelfTradePrevention.MAKER:
            state.cancel(batch, maker, CancelCause.SELF_TRADE_MAKER)
        else:
            return True
    return False


def _makers(book: Book, order: Order) -> Iterator[Order]:
    for level in book.side(order.side.opposite):
        if not order.crosses(level.price):
            return
        yield from level.orders.values()
