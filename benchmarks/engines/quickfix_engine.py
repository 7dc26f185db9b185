"""QuickFIX: C++ behind generated Python bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import quickfix

from benchmarks import samples
from benchmarks.engines.ours import sending_time

NAME = "quickfix"
DICTIONARIES = Path(__file__).resolve().parents[2] / "src/kalshi_fix_sansio/dictionaries/prediction"
_TAGS = (37, 11, 17, 150, 39, 54, 55, 38, 151, 14, 6, 44, 31, 32, 60, 880, 1057)


@cache
def _dictionaries() -> tuple[Any, Any]:
    session, application = (DICTIONARIES / name for name in ("FIXT11.xml", "FIX50SP2.xml"))
    return quickfix.DataDictionary(str(session)), quickfix.DataDictionary(str(application))


def read_flat(data: bytes) -> tuple[Any, ...]:
    """Parse a report without dictionary, checks of length and sum on, and read 20 values; without a
    dictionary entries of groups are fields like others."""
    get = quickfix.Message(data.decode("latin-1"), True).getField
    return (*[get(tag) for tag in _TAGS], get(137), get(138), get(1704))


def read_with_dictionary(data: bytes) -> tuple[Any, ...]:
    """Parse a report with the dictionaries of this dialect and read 20 values, two of them in groups."""
    session, application = _dictionaries()
    message = quickfix.Message(data.decode("latin-1"), session, application, True)
    get = message.getField
    fee, change = quickfix.Group(136, 137), quickfix.Group(1703, 1704)
    message.getGroup(1, fee)
    message.getGroup(1, change)
    return (*[get(tag) for tag in _TAGS], fee.getField(137), fee.getField(138), change.getField(1704))


def order_writer() -> Callable[[samples.Fields], bytes]:
    """Return a function that makes an order field by field, as there is no other way, and writes it."""
    times = [sending_time(moment) for moment in samples.moments()]
    numbers = iter(range(1000, 2**60))

    def write(fields: samples.Fields) -> bytes:
        number = next(numbers)
        message = quickfix.Message()
        header = message.getHeader()
        header.setField(8, "FIXT.1.1")
        header.setField(35, "D")
        header.setField(34, str(number))
        header.setField(49, samples.KEY_ID)
        header.setField(52, times[number % 1000])
        header.setField(56, samples.VENUE)
        for tag, value in fields:
            message.setField(tag, value)
        text: str = message.toString()
        return text.encode("latin-1")

    return write


def ready(fields: samples.Fields) -> Any:
    """Make an order of which only number and time are missing."""
    message = quickfix.Message()
    for tag, value in ((8, "FIXT.1.1"), (35, "D"), (49, samples.KEY_ID), (56, samples.VENUE)):
        message.getHeader().setField(tag, value)
    for tag, value in fields:
        message.setField(tag, value)
    return message


def ready_writer() -> Callable[[Any], bytes]:
    """Return a function that numbers and writes an order that was made before."""
    times = [sending_time(moment) for moment in samples.moments()]
    numbers = iter(range(1000, 2**60))

    def write(message: Any) -> bytes:
        number = next(numbers)
        header = message.getHeader()
        header.setField(34, str(number))
        header.setField(52, times[number % 1000])
        text: str = message.toString()
        return text.encode("latin-1")

    return write


def read_stream(batches: Iterable[list[str]]) -> Iterator[list[Any]]:
    """Parse messages that were cut out already: the bindings do not offer QuickFIX's own parser."""
    for texts in batches:
        yield [quickfix.Message(text, True) for text in texts]
