"""fixcore-engine: a FIX engine in Python, untyped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fixcore.message.message import Message

from benchmarks import samples
from benchmarks.engines.ours import sending_time

NAME = "fixcore"
_TAGS = (37, 11, 17, 150, 39, 54, 55, 38, 151, 14, 6, 44, 31, 32, 60, 880, 1057, 137, 138, 1704)


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report without dictionary and read 20 values as text."""
    get = Message.decode(data).get_field
    return tuple([get(tag) for tag in _TAGS])


def order_writer() -> Callable[[samples.Fields], bytes]:
    """Return a function that makes an order field by field and writes it."""
    times = [sending_time(moment) for moment in samples.moments()]
    numbers = iter(range(1000, 2**60))

    def write(fields: samples.Fields) -> bytes:
        number = next(numbers)
        message = Message()
        put = message.header.set
        put(8, "FIXT.1.1")
        put(35, "D")
        put(34, str(number))
        put(49, samples.KEY_ID)
        put(52, times[number % 1000])
        put(56, samples.VENUE)
        for tag, value in fields:
            message.set_field(tag, value)
        data: bytes = message.encode()
        return data

    return write
