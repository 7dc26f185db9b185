"""kalshi-sdk: the other client for Kalshi's FIX API, based on pydantic. It requires Python 3.12."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kalshi.fix import codec
from kalshi.fix.enums import OrdType, SelfTradePreventionType, Side, TimeInForce
from kalshi.fix.messages import order_entry
from kalshi.fix.messages.dispatch import decode_app_message_strict
from kalshi.fix.orderbook import FixOrderBook

from benchmarks import samples

NAME = "kalshi-sdk"
Books = FixOrderBook
_values = samples.values_reader()


def decode(data: bytes) -> Any:
    """Decode a message into its typed model."""
    return decode_app_message_strict(codec.decode(data))


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report into its typed model and read 20 values."""
    return _values(decode(data))


def order(values: dict[str, Any]) -> Any:
    """Make an order."""
    typed = {
        "side": Side(values["side"]),
        "ord_type": OrdType(values["ord_type"]),
        "time_in_force": TimeInForce(values["time_in_force"]),
        "self_trade_prevention_type": SelfTradePreventionType(values["self_trade_prevention_type"]),
    }
    return order_entry.NewOrderSingle(**(values | typed))


def order_writer() -> Callable[[Any], bytes]:
    """Return a function that encodes an order as kalshi-sdk's session does."""
    headers = samples.order_header_fields()

    def write(message: Any) -> bytes:
        _, *head = next(headers)  # the codec writes BeginString
        data: bytes = codec.encode(head + message.to_body_fields())
        return data

    return write


def order_maker() -> Callable[[dict[str, Any]], bytes]:
    """Return a function that makes an order from plain values and encodes it."""
    write = order_writer()
    return lambda values: write(order(values))


def read_stream(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Split chunks into messages and decode them into typed models; yield the models of each chunk."""
    parser = codec.FixParser()
    for chunk in chunks:
        parser.append(chunk)
        yield [decode_app_message_strict(raw) for raw in parser.messages()]
