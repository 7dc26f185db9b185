"""(a) A report to values, and (b) an order to bytes."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks import samples
from benchmarks.canonical import canonical, fields, require_equal
from benchmarks.engines import ours
from benchmarks.engines.present import engine
from benchmarks.measure import Contender
from kalshi_fix_sansio import EncodeError, decode_strict
from kalshi_fix_sansio.messages import CODEC

READ, WRITE, MAKE = "a: report to 20 values", "b: order to bytes", "b: values to order to bytes"
READ_DICTIONARY = "quickfix, dictionary"


def reading() -> list[Contender]:
    """Contenders that parse a report and read 20 values of it. They have seen it before, not its bytes only:
    all shapes are warm."""
    data = samples.report_bytes()
    for _ in range(4):
        ours.read_report(data)
    readers: dict[str, Any] = {ours.NAME: lambda: ours.read_report(data)}
    if (quickfix := engine("quickfix_engine")) is not None:
        readers[quickfix.NAME] = lambda: quickfix.read_flat(data)
        readers[READ_DICTIONARY] = lambda: quickfix.read_with_dictionary(data)
    for name in ("kalshi_sdk", "fixcore_engine", "simplefix_engine"):
        if (found := engine(name)) is not None:
            readers[found.NAME] = partial(found.read_report, data)
    if (msgspec := engine("msgspec_engine")) is not None:
        readers[msgspec.NAME] = msgspec.report_reader()
    require_equal("a report", {name: canonical(read()) for name, read in readers.items()})
    return [Contender(READ, name, read) for name, read in readers.items()]


def writing() -> list[Contender]:
    """Contenders that write an order; the typed ones hold it ready, and those that make it from values."""
    writers = {(WRITE, ours.NAME): ours.order_writer(), (MAKE, ours.NAME): ours.order_maker()}
    for name in ("quickfix_engine", "fixcore_engine", "simplefix_engine"):
        if (found := engine(name)) is not None:
            writers[WRITE, found.NAME] = found.order_writer()
            writers[MAKE, found.NAME] = found.order_writer()
    if (sdk := engine("kalshi_sdk")) is not None:
        writers[WRITE, sdk.NAME] = sdk.order_writer()
        writers[MAKE, sdk.NAME] = sdk.order_writer(anew=True)
    require_equal("an order", {f"{name}, {case}": fields(run()) for (case, name), run in writers.items()})
    for run in writers.values():
        decode_strict(run())
    _require_checks()
    return [Contender(case, name, run) for (case, name), run in writers.items()]


def _require_checks() -> None:
    """See that what is measured refuses what has no form."""
    header = next(samples.order_headers())
    for attribute, value in (("symbol", "a\x0138=9"), ("symbol", ""), ("price", 0.5), ("symbol", None)):
        order: Any = samples.order()
        setattr(order, attribute, value)
        try:
            CODEC.encode(order, header)
        except EncodeError:
            continue
        raise AssertionError(f"{attribute}={value!r} was encoded")
