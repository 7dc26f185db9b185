"""kalshi-sdk: the other client for Kalshi's FIX, on pydantic. It wants Python 3.12."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def order() -> Any:
    """Return the order."""
    return order_entry.NewOrderSingle(
        cl_ord_id=samples.ORDER_VALUES["cl_ord_id"],
        symbol=samples.SYMBOL,
        side=Side("1"),
        ord_type=OrdType("2"),
        order_qty="10",
        price="0.7525",
        time_in_force=TimeInForce("1"),
        self_trade_prevention_type=SelfTradePreventionType(2),
        cancel_order_on_pause=True,
        secondary_cl_ord_id="group-1",
    )


def order_writer(*, anew: bool = False) -> Callable[[], bytes]:
    """Return a function that encodes the order as its session does; with `anew` made each time."""
    made = order()
    times = [sending_time(moment) for moment in samples.moments()]
    numbers = iter(range(1000, 2**60))

    def write() -> bytes:
        number = next(numbers)
        message = order() if anew else made
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


def read_stream(chunks: Iterable[bytes]) -> list[Any]:
    """Cut chunks into messages and decode them to typed models."""
    parser, messages = codec.FixParser(), []
    for chunk in chunks:
        parser.append(chunk)
        messages += [decode_app_message_strict(raw) for raw in parser.messages()]
    return messages


class Book:
    """An order book fed with bytes."""

    def __init__(self, snapshot: bytes) -> None:
        self._book = FixOrderBook()
        self.apply(snapshot)

    def apply(self, data: bytes) -> None:
        """Decode a message and apply it."""
        self._book.apply(decode_app_message_strict(codec.decode(data)))

    def levels(self) -> dict[str, str]:
        """Return the bids, price to size."""
        book = self._book.get(samples.SYMBOL)
        return {str(level.price): str(level.size) for level in book.bids}
