"""simplefix: tags and values, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import simplefix

from benchmarks import samples
from benchmarks.engines.ours import sending_time

NAME = "simplefix"
_TAGS = (37, 11, 17, 150, 39, 54, 55, 38, 151, 14, 6, 44, 31, 32, 60, 880, 1057, 137, 138, 1704)


def read_report(data: bytes) -> tuple[Any, ...]:
    """Parse a report and read 20 values as text."""
    parser = simplefix.FixParser()
    parser.append_buffer(data)
    get = parser.get_message().get
    return tuple([get(tag).decode() for tag in _TAGS])


def order_writer() -> Callable[[samples.Fields], bytes]:
    """Return a function that makes an order field by field and writes it."""
    times = [sending_time(moment) for moment in samples.moments()]
    numbers = iter(range(1000, 2**60))

    def write(fields: samples.Fields) -> bytes:
        number = next(numbers)
        message = simplefix.FixMessage()
        add = message.append_pair
        add(8, "FIXT.1.1")
        add(35, "D")
        add(34, str(number))
        add(49, samples.KEY_ID)
        add(52, times[number % 1000])
        add(56, samples.VENUE)
        for tag, value in fields:
            add(tag, value)
        data: bytes = message.encode()
        return data

    return write


def read_stream(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Cut chunks into messages; yield those of each chunk."""
    parser = simplefix.FixParser()
    for chunk in chunks:
        parser.append_buffer(chunk)
        messages = []
        while (message := parser.get_message()) is not None:
            messages.append(message)
        yield messages
