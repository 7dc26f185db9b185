"""The processes of benchmark case p: market data over a NATS server. Each prints JSON.

python -m benchmarks.clients.bus costs URL ENTRIES COUNT ROUNDS    decode(), a publisher and consumers in turn
python -m benchmarks.clients.bus publish URL COUNT RATE            a publisher of updates at this rate
python -m benchmarks.clients.bus follow URL COUNT MODE             a consumer, `raw` or `books`

A consumer prints `listening` before its JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from benchmarks import samples
from kalshi_fix_adapters.bus_nats import Bus, Channel, connect
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.stores import StoreOwner
from kalshi_fix_sansio import Logon, decode, encode
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from kalshi_fix_sansio.trading import BookState, OrderBooks

CHANNEL = Channel("demo", "prediction", "KalshiMD", "benchmark")
WAIT = 3.0
"""Seconds without a message after which a consumer ends."""
STREAM_BYTES = 1024**3


class Source:
    """A fake client, which returns prepared events without delay, or at a fixed rate per second."""

    explicit_confirm = True
    numbers_are_durable = False
    logged_on = LoggedOn(Logon(encrypt_method=0, heart_bt_int=30), 30, True, MappingProxyType({}))
    owner = StoreOwner(
        environment=CHANNEL.environment,
        product=CHANNEL.product,
        sender_comp_id="key",
        target_comp_id=CHANNEL.session,
        account=CHANNEL.account,
    )

    def __init__(self, events: Iterator[MessageReceived], rate: int = 0) -> None:
        self._events, self._rate = events, rate
        self._started, self._taken = time.monotonic(), 0

    async def receive(self, timeout: float | None = None) -> MessageReceived:  # noqa: ARG002, ASYNC109 - the clients' signature
        """Return the next event when it is due."""
        if self._rate:
            delay = self._started + self._taken / self._rate - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            self._taken += 1
        event = next(self._events, None)
        if event is None:
            raise SessionClosedError("all events were taken", None)
        return event

    def confirm(self, event: object) -> None:
        """Do nothing: the events are not stored."""


def frames(count: int, entries: int) -> list[bytes]:
    """Return snapshots of all markets, and updates to them."""
    opening = [samples.snapshot(samples.LEVELS, number) for number in range(len(samples.MARKETS))]
    updates = [samples.incremental(entries, number) for number in range(samples.COUNT)]
    messages = [*opening, *(updates[number % samples.COUNT] for number in range(count - len(opening)))]
    return [
        encode(message, samples.header(message.msg_type, 2 + number, samples.NOON))
        for number, message in enumerate(messages)
    ]


def _received_events(data: Sequence[bytes]) -> Iterator[MessageReceived]:
    return (MessageReceived(decode(frame), frame=frame) for frame in data)


async def costs(bus: Bus, entries: int, count: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU time per message in each round, in microseconds, by task."""
    data = frames(count, entries)
    events = [*_received_events(data)]
    consumers = [bus.events(CHANNEL), bus.events(CHANNEL, decode=False)]
    times: dict[str, list[float]] = {"decode": [], "publisher": [], "consumer": [], "raw": []}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        timestamps = [time.process_time()]
        for frame in data:
            decode(frame)
        timestamps.append(time.process_time())
        source: Any = Source(iter(events))
        await bus.publish(source)
        timestamps.append(time.process_time())
        for consumer in consumers:
            for _ in range(count):
                await anext(consumer)
            timestamps.append(time.process_time())
        for name, (begin, end) in zip(times, pairwise(timestamps), strict=True):
            times[name].append((end - begin) / count * 1e6)
    return times


async def publish(bus: Bus, count: int, rate: int) -> dict[str, float]:
    """Publish updates at a rate; return the end time, the CPU time per message, and the batch size."""
    events = [*_received_events(frames(count, 1))]
    gc.freeze()
    started = time.process_time()
    source: Any = Source(iter(events), rate)
    publisher = await bus.publisher(source)
    await publisher.run()
    us = (time.process_time() - started) / count * 1e6
    return {"end": time.monotonic(), "us": us, "batch": count / publisher.published}


async def follow(bus: Bus, count: int, mode: str) -> dict[str, float]:
    """Receive the updates; return the number received, the time of the last one, and the CPU time per update.

    The number is 0 if a book is not live at the end.
    """
    books = OrderBooks() if mode == "books" else None
    events = bus.events(CHANNEL, start="new", machine=books, decode=books is not None)
    await events.wait(0.1)
    print("listening", flush=True)
    while not await events.wait(WAIT):
        pass
    received, last, started = 0, 0.0, time.process_time()
    while received < count and await events.wait(WAIT):
        # A MessagesLost event is not counted as a message.
        received += isinstance(events.take(), bytes | MessageReceived)
        last = time.monotonic()
    us = (time.process_time() - started) / count * 1e6
    if books is not None and {each.state for each in books.values()} != {BookState.LIVE}:
        received = 0
    return {"received": received, "last": last, "us": us}


async def main(command: str, url: str, *options: str) -> None:
    """Run the command."""
    async with connect(url) as bus:
        await bus.create(max_bytes=STREAM_BYTES)
        if command == "costs":
            figures: object = await costs(bus, *map(int, options))
        elif command == "publish":
            figures = await publish(bus, *map(int, options))
        else:
            figures = await follow(bus, int(options[0]), options[1])
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
