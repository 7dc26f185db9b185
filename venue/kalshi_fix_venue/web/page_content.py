"""The content of the web page as JSON values; amounts and quantities are decimal text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate, islice
from typing import Any, Final, TypeVar

from kalshi_fix_sansio import PRODUCTS, Side
from kalshi_fix_venue.exchange import Exchange
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import OrderTraded, TradePrinted
from kalshi_fix_venue.exchange.terms import opposite
from kalshi_fix_venue.operations import OPERATIONS
from kalshi_fix_venue.operations.faults import FAULTS
from kalshi_fix_venue.operations.status import belongs_to_venue
from kalshi_fix_venue.parameters import display_name, parameters
from kalshi_fix_venue.venue import VenueModel

MAX_MARKETS: Final = 100
MAX_LEVELS: Final = 10
"""Maximum number of levels on each side of the book."""
MAX_ROWS: Final = 30
"""Maximum number of rows of each other table."""
_MAX_SUMMED: Final = 1000
"""Maximum number of levels that are added up to find the quantity in front of an order."""
_T = TypeVar("_T")


def operations() -> list[dict[str, Any]]:
    """Return all operations of `kalshi-fix venue do` with their parameters."""
    return [
        {
            "name": name,
            "doc": " ".join((cls.__doc__ or "").split()),
            "is_fault": name in FAULTS,
            "parameters": [
                {
                    "name": display_name(each.name),
                    "doc": each.doc,
                    "word": each.kind.placeholder,
                    "choices": each.kind.choices,
                    "required": each.required,
                    "default": None if each.required or each.default is None else str(each.default),
                }
                for each in parameters(cls)
            ],
        }
        for name, cls in OPERATIONS.items()
    ]


def page_content(venue: VenueModel, market: str | None) -> dict[str, Any]:
    """Return markets, the book of one of them, and the clients' orders, positions, cash, trades and
    sessions. The cost does not grow with the number of trades so far."""
    markets: list[dict[str, Any]] = []
    tables: dict[str, list[dict[str, Any]]] = {"orders": [], "positions": [], "accounts": [], "trades": []}
    book: dict[str, Any] | None = None
    for product in PRODUCTS:
        exchange = venue.exchange(product)
        client_orders = exchange.open_orders(lambda owner: not belongs_to_venue(owner))
        if market is not None and market in exchange.markets:
            book = _book(exchange, market, client_orders)
        for ticker, each in islice(exchange.markets.items(), MAX_MARKETS - len(markets)):
            best = {side: exchange.levels(ticker, side)[:1] for side in Side}
            markets.append(
                {
                    "market": ticker,
                    "product": product,
                    "state": each.state.value,
                    "bid": str(best[Side.BUY][0][0]) if best[Side.BUY] else None,
                    "ask": str(best[Side.SELL][0][0]) if best[Side.SELL] else None,
                }
            )
        tables["orders"] += [_order(exchange, order) for order in _newest(client_orders)]
        for account in exchange.accounts():
            if belongs_to_venue(account.id.owner):
                continue
            owner = _name(account.id.owner, account.id.subaccount)
            identity = {"owner": owner, "product": product, "shard": account.id.shard}
            amounts = {"balance": str(account.balance), "available": str(account.available)}
            tables["accounts"].append(identity | amounts)
            for ticker, holding in account.holdings.items():
                if holding.position.net:
                    row = identity | {"market": ticker, "net": str(holding.position.net)}
                    tables["positions"].append(row)
        tables["trades"] += _trades(venue.recent_trades(product))
    tables["trades"].sort(key=lambda row: row["time"], reverse=True)
    return {
        "pauses": {product: venue.exchange(product).pause.value for product in PRODUCTS},
        "markets": markets,
        "book": book,
        **{name: rows[:MAX_ROWS] for name, rows in tables.items()},
        "sessions": venue.sessions(),
        "faults": venue.faults(),
        "failed_operations": venue.failed_operations,
    }


def _book(exchange: Exchange, market: str, client_orders: Iterable[OrderSnapshot]) -> dict[str, Any]:
    client_sizes: defaultdict[tuple[Side, Decimal], Decimal] = defaultdict(Decimal)
    for order in client_orders:
        if order.market == market:
            client_sizes[order.side, order.price] += order.leaves
    sides = {
        side.name.lower(): [
            [str(price), str(size), str(client_sizes.get((side, price), ""))]
            for price, size in exchange.levels(market, side)[:MAX_LEVELS]
        ]
        for side in Side
    }
    return {"market": market, **sides}


def _order(exchange: Exchange, order: OrderSnapshot) -> dict[str, Any]:
    levels = exchange.levels(order.market, order.side)[:_MAX_SUMMED]
    sums = zip((price for price, _ in levels), accumulate(size for _, size in levels), strict=True)
    return {
        "owner": _name(order.account.owner, order.account.subaccount),
        "id": order.cl_ord_id,
        "market": order.market,
        "side": order.side.name.lower(),
        "price": str(order.price),
        "leaves": str(order.leaves),
        "filled": str(order.filled_qty),
        # An opposite order that fills this order and all orders ahead of it.
        "trade": {
            "market": order.market,
            "side": opposite(order.side).name.lower(),
            "quantity": next((str(total) for price, total in sums if price == order.price), None),
            "price": str(order.price),
        },
    }


def _trades(outcomes: Iterable[TradePrinted | OrderTraded]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for each in outcomes:
        market = each.market if isinstance(each, TradePrinted) else each.order.market
        row = rows.setdefault(
            each.trade_id,
            {
                "time": each.time.isoformat(),
                "market": market,
                "price": str(each.price),
                "quantity": str(each.quantity),
                "aggressor": None,
                "own": [],
            },
        )
        if isinstance(each, TradePrinted):
            row["aggressor"] = None if each.aggressor is None else each.aggressor.name.lower()
        elif not belongs_to_venue(each.order.account.owner):
            owner = _name(each.order.account.owner, each.order.account.subaccount)
            row["own"].append(f"{owner} {'bought' if each.order.side is Side.BUY else 'sold'}")
    return _newest(list(rows.values()))


def _newest(rows: Sequence[_T]) -> list[_T]:
    """Return the last `MAX_ROWS` rows, in reverse order."""
    return list(reversed(rows[-MAX_ROWS:]))


def _name(owner: str, subaccount: int) -> str:
    return f"{owner}/{subaccount}" if subaccount else owner
