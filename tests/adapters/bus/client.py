"""A fake client for tests of bus publishers, which receive and confirm its events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from kalshi_fix_adapters.bus import Channel
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.stores import StoreOwner
from tests.adapters.bus.stream import REPORTS


class Client:
    """A client that delivers prepared events, with the methods that a publisher uses."""

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

    async def wait_until_confirmed(self, event: Any) -> None:
        while not self.confirmed or self.confirmed[-1] is not event:
            self.changed.clear()
            await self.changed.wait()

    async def wait_until_taken(self, count: int) -> None:
        while self.taken < count:
            self.changed.clear()
            await self.changed.wait()
