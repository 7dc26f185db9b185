"""Clients, servers and connections for the tests of the bus over NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus import Publisher
from kalshi_fix_adapters.bus_nats import Bus, Channel, Events, connect
from tests.adapters.bus.client import Client
from tests.nats import NatsServer


async def until_reported(events: Events, cl_ord_id: str) -> None:
    """Wait for the first report of an order."""
    async for event in events:
        if getattr(getattr(event, "message", None), "cl_ord_id", "") == cl_ord_id:
            return


@asynccontextmanager
async def publishing(
    bus: Bus, channel: Channel, *events: Any, **options: Any
) -> AsyncIterator[tuple[Client, Publisher]]:
    """Publish these events, and those that the body adds to the client, while the body runs. Then wait until
    all are acknowledged."""
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
