"""Clients, servers and connections for the tests of the bus over NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus import Publisher
from kalshi_fix_adapters.bus_nats import Bus, Channel, Events, connect
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.stores import StoreOwner
from tests.adapters.bus.stream import REPORTS
from tests.nats import NatsServer


class Client:
    """A client that delivers prepared events, with the methods that `publisher` uses."""

    def __init__(self, channel: Channel, events: Iterable[Any] = ()) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.taken = 0
        self.confirmed: list[Any] = []
        self.changed = asyncio.Event()
        self.explicit_confirm = True
        self.numbers_are_durable = channel is REPORTS
        self.logged_on = None
        self.owner = StoreOwner(
            environment=channel.environment,
            product=channel.product,
            sender_comp_id="key",
            target_comp_id=channel.session,
            account=channel.account,
        )
        self.add(*events)

    def add(self, *events: Any) -> None:
        for event in events:
            self.queue.put_nowait(event)
            self.last = event

    def end(self) -> None:
        self.queue.put_nowait(None)

    async def receive(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as in real clients
        event = await self.queue.get()
        self.taken += 1
        self.changed.set()
        if event is None:
            raise SessionClosedError("closed", None)
        return event

    def confirm(self, event: Any) -> None:
        self.confirmed.append(event)
        self.changed.set()

    async def until_confirmed(self, event: Any) -> None:
        while not self.confirmed or self.confirmed[-1] is not event:
            self.changed.clear()
            await self.changed.wait()

    async def until_taken(self, count: int) -> None:
        while self.taken < count:
            self.changed.clear()
            await self.changed.wait()


async def until_reported(events: Events, cl_ord_id: str) -> None:
    """Wait for the first report of an order."""
    async for event in events:
        if getattr(getattr(event, "message", None), "cl_ord_id", "") == cl_ord_id:
            return


@asynccontextmanager
async def publishing(
    bus: Bus, channel: Channel, *events: Any, **options: Any
) -> AsyncIterator[tuple[Client, Publisher]]:
    """Publish events during the body, and those that the body adds; at its end, wait until all are
    acknowledged."""
    client: Any = Client(channel, events)
    publisher = await bus.publisher(client, **options)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publisher.run())
        yield client, publisher
        client.end()


@asynccontextmanager
async def connected(server: NatsServer, *, max_bytes: int = 1024**3, **options: Any) -> AsyncIterator[Bus]:
    async with connect(server.url, reconnect_time_wait=0.02, **options) as bus:
        await bus.create(max_bytes=max_bytes)
        yield bus
