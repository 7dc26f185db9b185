"""The status of a venue as JSON values; amounts and quantities are decimal text."""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio import PRODUCTS, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.exchange import Exchange
from kalshi_fix_venue.flow import is_trader
from kalshi_fix_venue.liquidity import LIQUIDITY, PARTICIPANT
from kalshi_fix_venue.operations.base import Operable, number_text

MAX_ORDERS = 1000
"""Maximum number of open orders listed per product, those of clients first. Orders beyond it are only
counted.
"""


def status_of(venue: Operable, now: Instant) -> dict[str, Any]:
    """Return each product's state, markets, accounts and open orders, and the venue's sessions, faults,
    backlog and failed scheduled operations."""
    sessions = venue.sessions()
    return {
        "text": f"{len(sessions)} {'session is' if len(sessions) == 1 else 'sessions are'} logged on",
        "products": {product: _product(venue, product) for product in PRODUCTS},
        "sessions": sessions,
        "faults": venue.faults(),
        "backlog": attrs.asdict(venue.backlog(now)),
        "failed_operations": [{"scheduled_step": each} for each in venue.failed_operations],
    }


def belongs_to_venue(owner: str) -> bool:
    """Return whether an owner belongs to the venue rather than to a client: the initial liquidity, the
    operator's participant, or a simulated trader."""
    return owner in {LIQUIDITY, PARTICIPANT} or is_trader(owner)


def _product(venue: Operable, product: str) -> dict[str, Any]:
    exchange = venue.exchange(product)
    orders = sorted(exchange.open_orders(), key=lambda order: belongs_to_venue(order.account.owner))
    return {
        "state": exchange.pause.value,
        "markets": {ticker: market.state.value for ticker, market in exchange.markets.items()},
        "prices": {
            ticker: {side.name.lower(): _best(exchange, ticker, side) for side in (Side.BUY, Side.SELL)}
            for ticker in exchange.markets
        },
        "accounts": [
            {
                "owner": account.id.owner,
                "subaccount": account.id.subaccount,
                "shard": account.id.shard,
                "balance": str(account.balance),
                "available": str(account.available),
                "positions": {
                    ticker: number_text(holding.position.net)
                    for ticker, holding in account.holdings.items()
                    if holding.position.net
                },
            }
            for account in exchange.accounts()
        ],
        "open_orders": len(orders),
        "orders": [
            {
                "owner": order.account.owner,
                "subaccount": order.account.subaccount,
                "shard": order.account.shard,
                "cl_ord_id": order.cl_ord_id,
                "order_id": order.order_id,
                "market": order.market,
                "side": order.side.name.lower(),
                "price": number_text(order.price, 2),
                "quantity": number_text(order.filled_qty + order.leaves),
                "leaves": number_text(order.leaves),
                "filled": number_text(order.filled_qty),
            }
            for order in orders[:MAX_ORDERS]
        ],
    }


def _best(exchange: Exchange, ticker: str, side: Side) -> str | None:
    levels = exchange.levels(ticker, side)
    return number_text(levels[0][0], 2) if levels else None
