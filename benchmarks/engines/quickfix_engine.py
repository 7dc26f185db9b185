"""QuickFIX: C++ behind generated Python bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import quickfix

from benchmarks import samples
from benchmarks.measure import ROOT

NAME = "quickfix"
DICTIONARIES = ROOT / "src/kalshi_fix_sansio/dictionaries/prediction"


@cache
def _dictionaries() -> tuple[Any, Any]:
    session, application = (DICTIONARIES / name for name in ("FIXT11.xml", "FIX50SP2.xml"))
    return quickfix.DataDictionary(str(session)), quickfix.DataDictionary(str(application))


def read_report(data: bytes) -> tuple[Any, ...]:
    """Parse a report without a dictionary, checking BodyLength and CheckSum, and read 20 values.

    Without a dictionary, QuickFIX treats the fields of groups as plain fields.
    """
    get = quickfix.Message(data.decode("latin-1"), True).getField
    return tuple([get(tag) for tag in samples.TAGS])


def read_with_dictionary(data: bytes) -> tuple[Any, ...]:
    """Parse a report with the dictionaries of Kalshi's dialect and read 20 values, three of them in
    groups.
    """
    session, application = _dictionaries()
    message = quickfix.Message(data.decode("latin-1"), session, application, True)
    get = message.getField
    fee, change = quickfix.Group(136, 137), quickfix.Group(1703, 1704)
    message.getGroup(1, fee)
    message.getGroup(1, change)
    flat = [get(tag) for tag in samples.FLAT_TAGS]
    return (*flat, fee.getField(137), fee.getField(138), change.getField(1704))


def order_writer() -> Callable[[samples.Fields], bytes]:
    """Return a function that builds an order field by field, as QuickFIX requires, and encodes it."""
    headers = samples.order_header_fields()

    def write(fields: samples.Fields) -> bytes:
        message = quickfix.Message()
        header = message.getHeader()
        for tag, value in next(headers):
            header.setField(tag, value)
        for tag, value in fields:
            message.setField(tag, value)
        return _to_bytes(message)

    return write


def unnumbered_order(fields: samples.Fields) -> Any:
    """Return an order that is complete except for its MsgSeqNum and SendingTime."""
    message = quickfix.Message()
    for tag, value in ((8, "FIXT.1.1"), (35, "D"), (49, samples.KEY_ID), (56, samples.VENUE)):
        message.getHeader().setField(tag, value)
    for tag, value in fields:
        message.setField(tag, value)
    return message


def unnumbered_order_writer() -> Callable[[Any], bytes]:
    """Return a function that sets the MsgSeqNum and SendingTime of an `unnumbered_order`, and encodes it."""
    headers = samples.order_header_fields()

    def write(message: Any) -> bytes:
        header = message.getHeader()
        _, _, number, _, time, _ = next(headers)
        header.setField(*number)
        header.setField(*time)
        return _to_bytes(message)

    return write


def _to_bytes(message: Any) -> bytes:
    text: str = message.toString()
    return text.encode("latin-1")


def read_stream(batches: Iterable[list[str]]) -> Iterator[list[Any]]:
    """Parse messages that are already separated, because the bindings do not offer QuickFIX's own parser."""
    for texts in batches:
        yield [quickfix.Message(text, True) for text in texts]
