"""simplefix: tags and values only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import simplefix

from benchmarks import samples

NAME = "simplefix"


def read_report(data: bytes) -> tuple[Any, ...]:
    """Parse a report and read 20 values as text."""
    parser = simplefix.FixParser()
    parser.append_buffer(data)
    get = parser.get_message().get
    return tuple([get(tag).decode() for tag in samples.TAGS])


def order_writer() -> Callable[[samples.Fields], bytes]:
    """Return a function that builds an order field by field and encodes it."""
    headers = samples.order_header_fields()

    def write(fields: samples.Fields) -> bytes:
        message = simplefix.FixMessage()
        add = message.append_pair
        for tag, value in next(headers):
            add(tag, value)
        for tag, value in fields:
            add(tag, value)
        data: bytes = message.encode()
        return data

    return write


def read_stream(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Split chunks into messages; yield the messages of each chunk."""
    parser = simplefix.FixParser()
    for chunk in chunks:
        parser.append_buffer(chunk)
        messages = []
        while (message := parser.get_message()) is not None:
            messages.append(message)
        yield messages
