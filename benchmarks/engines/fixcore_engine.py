"""fixcore-engine, an untyped FIX engine in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fixcore.message.message import Message

from benchmarks import samples

NAME = "fixcore"


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report without a dictionary and read 20 values as text."""
    get = Message.decode(data).get_field
    return tuple([get(tag) for tag in samples.TAGS])


def order_writer() -> Callable[[samples.Fields], bytes]:
    """Return a function that builds an order field by field and encodes it."""
    headers = samples.order_header_fields()

    def write(fields: samples.Fields) -> bytes:
        message = Message()
        put = message.header.set
        for tag, value in next(headers):
            put(tag, value)
        for tag, value in fields:
            message.set_field(tag, value)
        data: bytes = message.encode()
        return data

    return write
