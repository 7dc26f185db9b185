"""The initial resting orders of a venue, without which a new user would see empty books."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import AccountId, MarketRules, PlaceOrder, TimeInForce

_SMALLEST = 10
"""Minimum number of contracts of each order, enough to fill a user's small first order completely."""
LIQUIDITY = "liquidity"
"""Owner of the account of these orders."""
PARTICIPANT = "participant"
"""Owner of the account that trades on the operator's command."""


def liquidity_orders(
    rules: MarketRules,
    middle: Decimal,
    random: Random,
    new_id: Callable[[], str],
    *,
    levels: int = 5,
    spacing: Decimal | None = None,
    largest: int = 100,
) -> tuple[PlaceOrder, ...]:
    """Return resting orders on both sides of a middle price in dollars, the best ones first.

    Each side has up to `levels` prices, `spacing` dollars apart (default: the market's tick). Prices that the
    market does not accept are left out. Each order has 10 to `largest` contracts, or exactly `largest` if
    that is less than 10. The orders belong to the account `LIQUIDITY`; their fills are not reported.
    """
    step = rules.tick if spacing is None else spacing
    smallest = min(_SMALLEST, largest)
    return tuple(
        PlaceOrder(
            order_id=new_id(),
            cl_ord_id=new_id(),
            account=AccountId(LIQUIDITY, shard=rules.shard),
            origin=LIQUIDITY,
            market=rules.ticker,
            side=side,
            quantity=Decimal(random.randint(smallest, largest)),
            price=price,
            time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        )
        for level in range(1, levels + 1)
        for side, price in ((Side.BUY, middle - level * step), (Side.SELL, middle + level * step))
        if rules.accepts_price(price)
    )
