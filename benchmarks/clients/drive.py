"""The round trips that every client makes, and the values of its orders.

The values of an order are prepared before the clock starts. An engine with message classes creates the
message object within the measured time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from benchmarks import samples

TRIPS, PIPELINED, WINDOW, WARM_UP = 600, 2000, 100, 150
"""Numbers of single round trips that are measured, of pipelined orders, of pipelined orders in flight, and of
round trips before the measurement.
"""
TIMEOUT = 20.0
MAX_TICKS = 4000
"""Maximum number of ticks in a run."""
Measurements = dict[str, Any]


async def drive(
    send: Callable[[dict[str, Any]], Awaitable[object]], take: Callable[[], Awaitable[str | None]]
) -> Measurements:
    """Send orders one by one, then many at a time; `take` returns the ClOrdID of the next report."""
    times, clock = [], time.perf_counter
    for number, values in enumerate(_orders(0, WARM_UP + TRIPS)):
        start = clock()
        await send(values)
        cl_ord_id = await take()
        end = clock()
        assert cl_ord_id == values["cl_ord_id"]
        if number >= WARM_UP:
            times.append(end - start)
    remaining = iter(_orders(WARM_UP + TRIPS, PIPELINED))
    start = clock()
    for _, values in zip(range(WINDOW), remaining, strict=False):
        await send(values)
    for _ in range(PIPELINED):
        await take()
        if (next_values := next(remaining, None)) is not None:
            await send(next_values)
    return {"seconds": times, "seconds_per_pipelined_order": (clock() - start) / PIPELINED}


def tick_orders() -> Iterator[dict[str, Any]]:
    """Return the values of the orders that answer ticks, all prepared by this call."""
    return iter(_orders(0, MAX_TICKS))


def _orders(start: int, count: int) -> list[dict[str, Any]]:
    return [samples.order_values(start + number) for number in range(count)]


def to_coroutine(act: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Wrap a blocking function in a coroutine function."""

    async def run(*values: Any) -> Any:
        return act(*values)

    return run


def run_synchronously(coroutine: Coroutine[Any, Any, Measurements]) -> Measurements:
    """Run a coroutine that only awaits wrapped blocking functions and never suspends; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        measurements: Measurements = end.value
        return measurements
    raise AssertionError("the coroutine waits for an event loop")
