"""The bus's tasks end when they are cancelled, even while an answer from the server arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus_nats import Bus
from tests.adapters.bus.client import Client
from tests.adapters.bus.stream import MARKET_DATA, NOON, delta, logged_on
from tests.adapters.bus.test_commands import order
from tests.adapters.bus_nats.support import connected
from tests.adapters.bus_nats.test_events import publish
from tests.adapters.conftest import LIMIT
from tests.nats import NatsServer

ITERATIONS = 10
"""Number of iterations of the event loop within which an answer reaches the task."""


def market_events() -> list[Any]:
    """Return events that the bus publishes one per message."""
    return [logged_on(), *(delta(number, f"KX{number % 2}") for number in range(1, 200))]


async def keep_publishing(bus: Bus) -> None:
    client: Any = Client(MARKET_DATA, market_events())
    await bus.publish(client)


async def keep_iterating(bus: Bus) -> None:
    async for _ in bus.events(MARKET_DATA):
        pass


async def keep_tailing(bus: Bus) -> None:
    async for _ in bus.tail("kalshi.>", since=NOON):
        pass


async def keep_sending(bus: Bus) -> None:
    while True:
        await bus.session(MARKET_DATA).send(order("x"))


async def keep_listing(bus: Bus) -> None:
    while True:
        await bus.publishers()


async def keep_snapshots(bus: Bus) -> None:
    await bus.keep_snapshots(MARKET_DATA, every=0.0)


@pytest.mark.parametrize(
    "use", [keep_publishing, keep_iterating, keep_tailing, keep_sending, keep_listing, keep_snapshots]
)
@pytest.mark.parametrize("answers", [3, 5])
async def test_a_task_ends_if_it_is_cancelled_when_an_answer_arrives(
    server: NatsServer, use: Any, answers: int
) -> None:
    async with connected(server) as bus:
        await publish(bus, MARKET_DATA, *market_events()[:50])
    for iterations in range(ITERATIONS):
        async with connected(server) as bus:
            task = asyncio.create_task(use(bus))
            await cancel_at(bus, task, answers, iterations)
            # If the task continues, the test fails before its time limit.
            await asyncio.wait({task}, timeout=LIMIT / 2)
            assert task.cancelled(), f"iterations after the answer: {iterations}"


async def cancel_at(bus: Bus, task: asyncio.Task[None], answers: int, iterations: int) -> None:
    """Cancel a task after its connection has received `answers` messages and the event loop has then run
    `iterations` iterations."""
    client: Any = bus._link.client
    process, done, left = client._process_msg, asyncio.Event(), answers
    loop = asyncio.get_running_loop()

    def wait(iterations: int) -> None:
        if iterations:
            loop.call_soon(wait, iterations - 1)
        else:
            task.cancel()
            done.set()

    async def count(*message: Any) -> None:
        nonlocal left
        await process(*message)
        left -= 1
        if not left:
            wait(iterations)

    client._process_msg = count
    await done.wait()
