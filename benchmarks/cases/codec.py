"""Benchmarks: (a) read the values of a report, and (b) write the bytes of an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import samples
from benchmarks.canonical import canonical, fields, require_equal
from benchmarks.engines import installed, ours
from benchmarks.measure import Contender, call_for_each
from kalshi_fix_sansio import EncodeError, decode_strict
from kalshi_fix_sansio.messages import CODEC

READ, WRITE, MAKE = "a: report to 20 values", "b: order to bytes", "b: values to order to bytes"
READ_DICTIONARY, WRITE_REUSED = "quickfix, dictionary", "quickfix, reused message"
Task = tuple[Callable[[Any], Any], Sequence[Any]]
"""A function, and the items that it is called with, one after another."""


def decoding_contenders(count: int = samples.COUNT) -> list[Contender]:
    """Return contenders that parse reports and read 20 values from each."""
    wire = [samples.report_bytes(number) for number in range(count)]
    readers: dict[str, Task] = {ours.NAME: (ours.read_report, wire)}
    for quickfix in installed(["quickfix_engine"]):
        readers[READ_DICTIONARY] = quickfix.read_with_dictionary, wire
    for engine in installed(["quickfix_engine", "kalshi_sdk", "fixcore_engine", "simplefix_engine"]):
        readers[engine.NAME] = engine.read_report, wire
    for msgspec in installed(["msgspec_engine"]):
        readers[msgspec.NAME] = msgspec.read_report, [msgspec.report_json(number) for number in range(count)]
    require_equal(
        "reports",
        {name: [canonical(read(item)) for item in items] for name, (read, items) in readers.items()},
    )
    return [Contender(READ, name, call_for_each(*task), count) for name, task in readers.items()]


def encoding_contenders(count: int = samples.COUNT) -> list[Contender]:
    """Return contenders that write orders.

    Engines with typed messages, and QuickFIX, can encode an order that already exists. For these engines,
    building an order from values is measured separately. The others always build a message field by field.
    """
    values = [samples.order_values(number) for number in range(count)]
    texts = [samples.order_fields(each) for each in values]
    writers: dict[tuple[str, str], Task] = {
        (WRITE, ours.NAME): (ours.order_writer(), [samples.order(number) for number in range(count)]),
        (MAKE, ours.NAME): (ours.order_maker(), values),
    }
    for sdk in installed(["kalshi_sdk"]):
        writers[WRITE, sdk.NAME] = sdk.order_writer(), [sdk.order(each) for each in values]
        writers[MAKE, sdk.NAME] = sdk.order_maker(), values
    for engine in installed(["quickfix_engine", "fixcore_engine", "simplefix_engine"]):
        for case in (WRITE, MAKE):
            writers[case, engine.NAME] = engine.order_writer(), texts
    for quickfix in installed(["quickfix_engine"]):
        writers[WRITE, WRITE_REUSED] = (
            quickfix.unnumbered_order_writer(),
            [quickfix.unnumbered_order(each) for each in texts],
        )
    encoded = {key: [write(item) for item in items] for key, (write, items) in writers.items()}
    require_equal(
        "orders", {f"{name}, {case}": [*map(fields, messages)] for (case, name), messages in encoded.items()}
    )
    for data in encoded[WRITE, ours.NAME]:
        decode_strict(data)
    _check_rejections()
    return [Contender(case, name, call_for_each(*task), count) for (case, name), task in writers.items()]


def _check_rejections() -> None:
    """Raise AssertionError unless the measured encoder rejects values that have no valid wire form."""
    header = next(samples.order_headers())
    for attribute, value in (("symbol", "a\x0138=9"), ("symbol", ""), ("price", 0.5), ("symbol", None)):
        order: Any = samples.order()
        setattr(order, attribute, value)
        try:
            CODEC.encode(order, header)
        except EncodeError:
            continue
        raise AssertionError(f"{attribute}={value!r} was encoded")
