"""Orders as values that JSON has, and back: decimals and keys as text, moments in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.amounts import add, multiply_add
from kalshi_fix_sansio.trading.dumping import dump_time, load_key, load_time
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order import NO_KEY, Account, Fill, Order, PendingRequest, Placed, Said

_FLAGS: Final = ("cut", "denied", "seen_live", "presumed", "closed", "found")


def dump_fill(fill: Fill) -> list[Any]:
    """Return a fill as a row."""
    return [str(fill.key), *(_text(amount) for amount in fill[1:7]), fill.aggressor]


def load_fill(row: list[Any]) -> Fill:
    """Return a fill of a dump."""
    key, price, quantity, fee, *others, aggressor = row
    balance_change, long_qty, short_qty = others
    return Fill(
        load_key(key),
        Decimal(price),
        Decimal(quantity),
        Decimal(fee),
        _decimal(balance_change),
        _decimal(long_qty),
        _decimal(short_qty),
        aggressor,
    )


def dump_order(order: Order) -> dict[str, Any]:
    """Return an order with all that it was made of."""
    placed = order.placed
    return {
        "number": order.number,
        "symbol": order.symbol,
        "side": str(order.side),
        "account": list(order.account),
        "order_id": order.order_id,
        "placed": None
        if placed is None
        else {
            "number": placed.number,
            "cl_ord_id": placed.cl_ord_id,
            "price": str(placed.price),
            "quantity": str(placed.quantity),
            "account": list(placed.account),
            "ex_destination": placed.ex_destination,
            "after": [str(key) for key in placed.after],
            "unknown": placed.unknown,
            "since": dump_time(placed.since),
            "unsure": placed.unsure,
            "refused": placed.refused,
            "missing": placed.missing,
        },
        "pending": [
            {
                "msg_type": request.msg_type,
                "cl_ord_id": request.cl_ord_id,
                "orig_cl_ord_id": request.orig_cl_ord_id,
                "price": _text(request.price),
                "quantity": _text(request.quantity),
                "after": _key_text(request.after),
                "unknown": request.unknown,
                "since": dump_time(request.since),
            }
            for request in order.pending
        ],
        "fills": [dump_fill(fill) for fill in order.fills.values()],
        "told": str(order.told),
        "last": _dump_said(order.last),
        "end": _dump_said(order.end),
        "first_key": _key_text(order.first_key),
        "limit": None if order.limit is None else [str(order.limit[0]), str(order.limit[1])],
        "hole": _key_text(order.hole),
        "cut_key": _key_text(order.cut_key),
        "live_key": _key_text(order.live_key),
        "since": dump_time(order.since),
        **{name: getattr(order, name) for name in _FLAGS},
    }


def load_order(row: Mapping[str, Any]) -> Order:
    """Return an order of a dump."""
    order = Order(
        int(row["number"]), row["symbol"], _side(row["side"]), _account(row["account"]), row["order_id"]
    )
    placed = row["placed"]
    if placed is not None:
        order.placed = Placed(
            placed["number"],
            placed["cl_ord_id"],
            Decimal(placed["price"]),
            Decimal(placed["quantity"]),
            _account(placed["account"]),
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
            _decimal(each["price"]),
            _decimal(each["quantity"]),
            _key(each["after"]),
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
    order.first_key = _key(row["first_key"])
    limit = row["limit"]
    order.limit = None if limit is None else (load_key(limit[0]), Decimal(limit[1]))
    order.hole = _key(row["hole"])
    order.cut_key, order.live_key = _key(row["cut_key"]), _key(row["live_key"])
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
    return Said(_key(key) or NO_KEY, ends, Decimal(told), Decimal(leaves), status, cl_ord_id, text)


def _account(row: list[Any]) -> Account:
    subaccount, customer = row
    return Account(int(subaccount), customer)


def _side(text: str) -> Side | str:
    return Side(text) if text in {each.value for each in Side} else text


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _key_text(key: ExecKey | None) -> str | None:
    return None if key is None else str(key)


def _key(text: str | None) -> ExecKey | None:
    return None if text is None else load_key(text)
