"""Price-time matching of one incoming order against a book, with self-trade prevention."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.book import Book
from kalshi_fix_venue.exchange.orders import ZERO, Order
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import CancelCause, SelfTradePrevention, TimeInForce, opposite


@attrs.frozen
class Preview:
    """The immediate trades of an order that has not been placed."""

    quantity: Decimal
    fills: tuple[tuple[Decimal, Decimal], ...]
    """Price and quantity of each trade."""
    would_self_cross: bool
    """Whether the order would meet one of the same trader before being completely filled."""


def crosses(book: Book, order: Order) -> bool:
    """Return whether the order would immediately trade, or meet an order of the same trader."""
    best = book.side(opposite(order.side)).best()
    return best is not None and order.crosses(best.price)


def preview(book: Book, order: Order) -> Preview:
    """Return the immediate trades of an order without executing them."""
    fills: list[tuple[Decimal, Decimal]] = []
    remaining, meets_own_order = order.leaves, False
    for maker in _makers(book, order.side, order.price):
        if not remaining:
            break
        if maker.account.trader == order.account.trader:
            meets_own_order = True
            if order.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS:
                break
            continue
        quantity = min(remaining, maker.leaves)
        fills.append((maker.price, quantity))
        remaining -= quantity
    return Preview(order.leaves - remaining, tuple(fills), meets_own_order)


def would_self_cross(book: Book, order: Order, price: Decimal) -> bool:
    """Return whether the order, at another price, could trade with an order of the same trader."""
    makers = _makers(book, order.side, price)
    return any(maker.account.trader == order.account.trader for maker in makers)


def match(state: ExchangeState, batch: Batch, taker: Order, maximum: Decimal | None = None) -> bool:
    """Trade the order against its book while prices cross, up to `maximum` contracts if given.

    Return whether an order of the same trader has stopped the matching (self-trade prevention type 1). With
    type 2, that order is cancelled, and the matching continues.
    """
    # An all-or-nothing order was checked against the current book, so its fills must not remove other orders.
    # If they trigger an order group, the group's orders are cancelled only at the end of the command.
    may_trigger_groups = not (
        taker.time_in_force is TimeInForce.FILL_OR_KILL or taker.max_execution_cost is not None
    )
    makers = state.markets[taker.market].book.side(opposite(taker.side))
    remainder = ZERO if maximum is None else max(ZERO, taker.leaves - maximum)
    while taker.leaves > remainder:
        level = makers.best()
        if level is None or not taker.crosses(level.price):
            break
        # The oldest order has time priority within the level. It is looked up again after each trade, because
        # a group that was triggered in between may have removed orders and levels.
        maker = next(iter(level.orders.values()))
        if maker.account.trader != taker.account.trader:
            state.trade(batch, taker, maker, min(taker.leaves - remainder, maker.leaves))
            if may_trigger_groups:
                state.trigger_exceeded(batch)
        elif taker.self_trade_prevention is SelfTradePrevention.MAKER:
            state.cancel(batch, maker, CancelCause.SELF_TRADE_MAKER)
        else:
            return True
    return False


def _makers(book: Book, side: Side, limit: Decimal) -> Iterator[Order]:
    """Iterate over the resting orders that an order with this side and price would meet, best first."""
    for level in book.side(opposite(side)):
        if level.price > limit if side is Side.BUY else level.price < limit:
            return
        yield from level.orders.values()
