"""Orders as values that JSON has, and back: decimals and keys as text, moments in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.amounts import add, multiply_add
from kalshi_fix_sansio.trading.dumping import (
    dump_fields,
    dump_text,
    dump_time,
    load_key,
    load_number,
    load_optional_key,
    load_time,
)
from kalshi_fix_sansio.trading.order import NO_KEY, Account, Fill, Order, PendingRequest, Placed, Said

_FLAGS: Final = ("cut", "denied", "seen_live", "presumed", "closed", "found")


def load_account(row: list[Any]) -> Account:
    """Return an account of a dump."""
    subaccount, customer = row
    return Account(int(subaccount), customer)


def dump_fill(fill: Fill) -> list[Any]:
    """Return a fill as a row."""
    return [str(fill.key), *(dump_text(amount) for amount in fill[1:7]), fill.aggressor]


def load_fill(row: list[Any]) -> Fill:
    """Return a fill of a dump."""
    key, price, quantity, fee, *others, aggressor = row
    balance_change, long_qty, short_qty = others
    return Fill(
        load_key(key),
        Decimal(price),
        Decimal(quantity),
        Decimal(fee),
        load_number(balance_change),
        load_number(long_qty),
        load_number(short_qty),
        aggressor,
    )


def dump_order(order: Order) -> dict[str, Any]:
    """Return an order with all that it was made of."""
    return {
        "number": order.number,
        "symbol": order.symbol,
        "side": str(order.side),
        "account": list(order.account),
        "order_id": order.order_id,
        "placed": None if order.placed is None else dump_fields(order.placed),
        "pending": list(map(dump_fields, order.pending)),
        "fills": [dump_fill(fill) for fill in order.fills.values()],
        "told": str(order.told),
        "last": _dump_said(order.last),
        "end": _dump_said(order.end),
        "first_key": dump_text(order.first_key),
        "limit": None if order.limit is None else [str(order.limit[0]), str(order.limit[1])],
        "hole": dump_text(order.hole),
        "cut_key": dump_text(order.cut_key),
        "live_key": dump_text(order.live_key),
        "since": dump_time(order.since),
        **{name: getattr(order, name) for name in _FLAGS},
    }


def load_order(row: Mapping[str, Any]) -> Order:
    """Return an order of a dump."""
    order = Order(
        int(row["number"]), row["symbol"], _side(row["side"]), load_account(row["account"]), row["order_id"]
    )
    placed = row["placed"]
    if placed is not None:
        order.placed = Placed(
            placed["number"],
            placed["cl_ord_id"],
            Decimal(placed["price"]),
            Decimal(placed["quantity"]),
            load_account(placed["account"]),
            placed["ex_destination"],
            tuple(load_key(key) for key in placed["after"]),
            placed["unknown"],
            load_time(placed["since"]),
            placed["unsure"],
            placed["refused"],
            placed["missing"],
        )
    order.pending = [
        PendingRequest(
            each["msg_type"],
            each["cl_ord_id"],
            each["orig_cl_ord_id"],
            load_number(each["price"]),
            load_number(each["quantity"]),
            load_optional_key(each["after"]),
            each["unknown"],
            load_time(each["since"]),
        )
        for each in row["pending"]
    ]
    for fill in map(load_fill, row["fills"]):
        order.fills[fill.key] = fill
        order.filled = add(order.filled, fill.quantity)
        order.value = multiply_add(fill.price, fill.quantity, order.value)
        order.fees = add(order.fees, fill.fee)
    order.told = Decimal(row["told"])
    order.last, order.end = _load_said(row["last"]), _load_said(row["end"])
    order.first_key = load_optional_key(row["first_key"])
    limit = row["limit"]
    order.limit = None if limit is None else (load_key(limit[0]), Decimal(limit[1]))
    order.hole = load_optional_key(row["hole"])
    order.cut_key, order.live_key = load_optional_key(row["cut_key"]), load_optional_key(row["live_key"])
    order.since = load_time(row["since"])
    for name in _FLAGS:
        setattr(order, name, row[name])
    return order


def _dump_said(said: Said | None) -> list[Any] | None:
    if said is None:
        return None
    key = None if said.key == NO_KEY else str(said.key)
    return [key, said.ends, str(said.told), str(said.leaves), *said[4:]]


def _load_said(row: list[Any] | None) -> Said | None:
    if row is None:
        return None
    key, ends, told, leaves, status, cl_ord_id, text = row
    key = load_optional_key(key) or NO_KEY
    return Said(key, ends, Decimal(told), Decimal(leaves), status, cl_ord_id, text)


def _side(text: str) -> Side | str:
    return Side(text) if text in {each.value for each in Side} else text
