"""The round trips, the same for every client: one loop for those that wait, one for those that are awaited.

The clock starts with an order's values in hand, for all alike: who has types makes the order first.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import samples
from benchmarks.clients import trace

TRIPS, PIPELINED, WINDOW, WARM_UP = 600, 2000, 100, 150
TIMEOUT = 20.0
Measured = dict[str, Any]


def _orders(begin: int, count: int) -> list[dict[str, Any]]:
    return [samples.order_values(begin + number) for number in range(count)]


def drive(send: Callable[[dict[str, Any]], object], take: Callable[[], str | None]) -> Measured:
    """Send orders one by one, then many at a time; `take` returns the ClOrdID of the next report."""
    times, clock = [], time.perf_counter
    for number, values in enumerate(_orders(0, WARM_UP + TRIPS)):
        begin = clock()
        send(values)
        name = take()
        end = clock()
        assert name == values["cl_ord_id"]
        if number >= WARM_UP:
            times.append(end - begin)
        trace.trip(begin, end, keep=number >= WARM_UP)
    waiting = iter(_orders(WARM_UP + TRIPS, PIPELINED))
    begin = clock()
    for _, values in zip(range(WINDOW), waiting, strict=False):
        send(values)
    for _ in range(PIPELINED):
        take()
        if (following := next(waiting, None)) is not None:
            send(following)
    return _measured(times, clock() - begin)


async def drive_async(
    send: Callable[[dict[str, Any]], Awaitable[object]], take: Callable[[], Awaitable[str | None]]
) -> Measured:
    """Do the same with a client that is awaited."""
    times, clock = [], time.perf_counter
    for number, values in enumerate(_orders(0, WARM_UP + TRIPS)):
        begin = clock()
        await send(values)
        name = await take()
        end = clock()
        assert name == values["cl_ord_id"]
        if number >= WARM_UP:
            times.append(end - begin)
        trace.trip(begin, end, keep=number >= WARM_UP)
    waiting = iter(_orders(WARM_UP + TRIPS, PIPELINED))
    begin = clock()
    for _, values in zip(range(WINDOW), waiting, strict=False):
        await send(values)
    for _ in range(PIPELINED):
        await take()
        if (following := next(waiting, None)) is not None:
            await send(following)
    return _measured(times, clock() - begin)


def _measured(times: list[float], pipelined: float) -> Measured:
    return {"seconds": times, "each": pipelined / PIPELINED, "stages": trace.stages()}
