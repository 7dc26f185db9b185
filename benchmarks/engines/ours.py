"""This library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from benchmarks import samples
from kalshi_fix_sansio import Message, NewOrderSingle, encode
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import OrderBooks

NAME = "kalshi-fix-sansio"


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report and read 20 of its values."""
    m: Any = CODEC.decode(data)
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


def order_writer() -> Callable[[NewOrderSingle], bytes]:
    """Return a function that encodes an order, each time under another number and time."""
    headers = samples.order_headers()
    return lambda order: encode(order, next(headers))


def order_maker() -> Callable[[dict[str, Any]], bytes]:
    """Return a function that makes an order and its header from plain values, and encodes them."""
    moments = samples.moments()
    numbers = iter(range(1000, 2**60))

    def make(values: dict[str, Any]) -> bytes:
        number = next(numbers)
        header = samples.header("D", number, moments[number % 1000], to_venue=True)
        return encode(NewOrderSingle(**values), header)

    return make


def read_stream(chunks: Iterable[bytes]) -> Iterator[list[Message]]:
    """Cut chunks into messages and decode them; yield those of each chunk."""
    framer, decode = Framer(), CODEC.decode
    for chunk in chunks:
        framer.feed(chunk)
        messages = []
        while (found := framer.next()) is not None:
            assert isinstance(found, Frame)
            messages.append(decode(found))
        yield messages


class Book:
    """Order books fed with bytes."""

    def __init__(self) -> None:
        self._books = OrderBooks()

    def apply(self, data: bytes) -> None:
        """Decode a message and apply it."""
        self._books.apply(CODEC.decode(data))

    def levels(self, symbol: str) -> list[tuple[str, str]]:
        """Return the bids, then the offers: price and size."""
        book = self._books[symbol]
        return [(str(level.price), str(level.size)) for side in (book.bids, book.offers) for level in side]


def sending_time(moment: datetime) -> str:
    """Return a moment as FIX has it."""
    return f"{moment:%Y%m%d-%H:%M:%S}.{moment.microsecond // 1000:03d}"
