"""Digests of bytes and of a venue's state: equal digests mean equal contents."""

from __future__ import annotations

import hashlib
from typing import Any

from kalshi_fix_sansio import PRODUCTS, Side
from kalshi_fix_venue.venue import VenueModel

LENGTH = 16
"""Number of characters in a digest."""


def digest_of(data: bytes) -> str:
    """Return the digest of bytes."""
    return hashlib.sha256(data).hexdigest()[:LENGTH]


def state_digest(venue: VenueModel) -> str:
    """Return the digest of pauses, scheduled cancels, markets, books, accounts, open orders, order groups,
    daily caps, sessions, faults, and failed steps of the schedule."""
    state = [_product(venue, product) for product in PRODUCTS]
    listed = [[sorted(each.items()) for each in rows] for rows in (venue.sessions(), venue.faults())]
    return digest_of(repr([state, listed, venue.failed_operations]).encode())


def _product(venue: VenueModel, product: str) -> list[Any]:
    exchange = venue.exchange(product)
    return [
        exchange.pause,
        sorted(exchange.cancel_times.items()),
        [
            [ticker, market.state, market.result, market.settlement_price, market.bounds]
            + [list(exchange.levels(ticker, side)) for side in Side]
            for ticker, market in exchange.markets.items()
        ],
        [
            [account.id, account.balance, account.reserved]
            + [
                [ticker, holding.position.net, holding.position.entry_value]
                for ticker, holding in account.holdings.items()
            ]
            for account in exchange.accounts()
        ],
        exchange.open_orders(),
        [
            [group.id, group.account, group.limit, group.triggered, group.window.volume]
            for group in exchange.order_groups()
        ],
        [
            [customer, cap.reserved, cap.used, cap.day]
            for customer in exchange.customers
            if (cap := exchange.daily_cap(customer)) is not None
        ],
    ]
