"""What a venue's state is, in a few letters: two venues with the same digest are in the same state."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kalshi_fix_adapters.venue.exchange import Side
from kalshi_fix_adapters.venue.journal.values import to_plain
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio import PRODUCTS

LENGTH = 16
"""Letters of a digest."""


def digest_of(data: bytes) -> str:
    """Return the digest of bytes."""
    return hashlib.sha256(data).hexdigest()[:LENGTH]


def state_digest(venue: Venue) -> str:
    """Return the digest of markets, books, accounts, open orders, order groups, daily caps, sessions
    and faults."""
    state: dict[str, Any] = {"products": [_product(venue, product) for product in PRODUCTS]}
    state["sessions"] = [sorted(each.items()) for each in venue.sessions()]
    state["faults"] = [sorted(each.items()) for each in venue.faults()]
    state["not done"] = venue.not_done
    return digest_of(json.dumps(state, default=str).encode())


def _product(venue: Venue, product: str) -> list[Any]:
    exchange = venue.exchange(product)
    return [
        exchange.pause.name,
        sorted((ticker, str(moment)) for ticker, moment in exchange.clearings.items()),
        [
            [ticker, market.state.name, str(market.result), str(market.settlement_price), str(market.bounds)]
            + [[str(price), str(size)] for side in Side for price, size in exchange.levels(ticker, side)]
            for ticker, market in exchange.markets.items()
        ],
        [
            [str(account.id), str(account.balance), str(account.reserved)]
            + [
                [ticker, str(holding.position.net), str(holding.position.entry_value)]
                for ticker, holding in account.holdings.items()
            ]
            for account in exchange.accounts()
        ],
        [to_plain(order) for order in exchange.open_orders()],
        [
            [group.id, str(group.account), group.limit, group.triggered, str(group.window.volume)]
            for group in exchange.order_groups()
        ],
        [
            [customer, str(cap.reserved), str(cap.used), str(cap.day)]
            for customer in exchange.customers
            if (cap := exchange.daily_cap(customer)) is not None
        ],
    ]
