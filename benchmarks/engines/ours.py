"""This library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from benchmarks import samples
from kalshi_fix_sansio import Message, NewOrderSingle, encode
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import OrderBooks

NAME = "kalshi-fix-sansio"
Books = OrderBooks
decode = CODEC.decode
_values = samples.values_reader()


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report and read 20 of its values."""
    return _values(CODEC.decode(data))


def order_writer() -> Callable[[NewOrderSingle], bytes]:
    """Return a function that encodes an order, each time with a different number and time."""
    headers = samples.order_headers()
    return lambda order: encode(order, next(headers))


def order_maker() -> Callable[[dict[str, Any]], bytes]:
    """Return a function that makes an order and its header from plain values, and encodes them."""
    times = samples.burst_times()
    numbers = count(1000)

    def make(values: dict[str, Any]) -> bytes:
        number = next(numbers)
        header = samples.header("D", number, times[number % 1000], to_venue=True)
        return encode(NewOrderSingle(**values), header)

    return make


def read_stream(chunks: Iterable[bytes]) -> Iterator[list[Message]]:
    """Split chunks into messages and decode them; yield the messages of each chunk."""
    framer, decode = Framer(), CODEC.decode
    for chunk in chunks:
        framer.feed(chunk)
        messages = []
        while (frame := framer.next()) is not None:
            assert isinstance(frame, Frame)
            messages.append(decode(frame))
        yield messages
