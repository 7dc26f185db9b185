"""kalshi-sdk: the other client for Kalshi's FIX, on pydantic. It wants Python 3.12."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kalshi.fix import codec
from kalshi.fix.enums import OrdType, SelfTradePreventionType, Side, TimeInForce
from kalshi.fix.messages import order_entry
from kalshi.fix.messages.dispatch import decode_app_message_strict
from kalshi.fix.orderbook import FixOrderBook

from benchmarks import samples
from benchmarks.engines.ours import sending_time

NAME = "kalshi-sdk"


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report to its typed model and read 20 values."""
    m: Any = decode_app_message_strict(codec.decode(data))
    return (
        m.order_id,
        m.cl_ord_id,
        m.exec_id,
        m.exec_type,
        m.ord_status,
        m.side,
        m.symbol,
        m.order_qty,
        m.leaves_qty,
        m.cum_qty,
        m.avg_px,
        m.price,
        m.last_px,
        m.last_qty,
        m.transact_time,
        m.trd_match_id,
        m.aggressor_indicator,
        m.misc_fees[0].misc_fee_amt,
        m.misc_fees[0].misc_fee_curr,
        m.collateral_amount_changes[0].collateral_amount_change,
    )


def order(values: dict[str, Any]) -> Any:
    """Make an order."""
    return order_entry.NewOrderSingle(
        cl_ord_id=values["cl_ord_id"],
        symbol=values["symbol"],
        side=Side(values["side"]),
        ord_type=OrdType(values["ord_type"]),
        order_qty=values["order_qty"],
        price=values["price"],
        time_in_force=TimeInForce(values["time_in_force"]),
        self_trade_prevention_type=SelfTradePreventionType(values["self_trade_prevention_type"]),
        cancel_order_on_pause=values["cancel_order_on_pause"],
        secondary_cl_ord_id=values["secondary_cl_ord_id"],
    )


def order_writer() -> Callable[[Any], bytes]:
    """Return a function that encodes an order as its session does."""
    times = [sending_time(moment) for moment in samples.moments()]
    numbers = iter(range(1000, 2**60))

    def write(message: Any) -> bytes:
        number = next(numbers)
        header = [
            (35, "D"),
            (49, samples.KEY_ID),
            (56, samples.VENUE),
            (34, str(number)),
            (52, times[number % 1000]),
        ]
        data: bytes = codec.encode(header + message.to_body_fields())
        return data

    return write


def order_maker() -> Callable[[dict[str, Any]], bytes]:
    """Return a function that makes an order from plain values and encodes it."""
    write = order_writer()
    return lambda values: write(order(values))


def read_stream(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Cut chunks into messages and decode them to typed models; yield those of each chunk."""
    parser = codec.FixParser()
    for chunk in chunks:
        parser.append(chunk)
        yield [decode_app_message_strict(raw) for raw in parser.messages()]


def decode(data: bytes) -> Any:
    """Decode a message to its typed model."""
    return decode_app_message_strict(codec.decode(data))


class Book:
    """Order books fed with bytes."""

    def __init__(self) -> None:
        self._books = FixOrderBook()

    def apply(self, data: bytes) -> None:
        """Decode a message and apply it."""
        self._books.apply(decode(data))

    def levels(self, symbol: str) -> list[tuple[str, str]]:
        """Return the bids, then the offers: price and size."""
        book = self._books.get(symbol)
        return [(str(level.price), str(level.size)) for side in (book.bids, book.offers) for level in side]
