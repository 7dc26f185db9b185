"""The publisher with a broker that acknowledges late, twice or never: order, bounds, confirmation."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from kalshi_fix_adapters.bus import OutgoingMessage, Receiver
from kalshi_fix_adapters.bus.event_json import encode_event
from kalshi_fix_adapters.bus.publisher import NotAcknowledged, Publisher
from kalshi_fix_sansio.events import MessagesLost
from tests.adapters.bus.client import Client
from tests.adapters.bus.stream import MARKET_DATA, REPORTS, apply, batcher, delta, logged_on, report


class Broker:
    """Stores messages, and acknowledges them when a test allows it."""

    def __init__(self) -> None:
        self.stored: list[OutgoingMessage] = []
        self.up = asyncio.Event()
        self.up.set()
        self.tried = asyncio.Event()
        self.random: Random | None = None

    async def publish(self, message: OutgoingMessage) -> None:
        self.tried.set()
        await self.up.wait()
        choice = self.random.choice(["lost", "late", "stored", "stored"]) if self.random else "stored"
        await asyncio.sleep(0)
        if choice != "lost":
            self.stored.append(message)
        if choice != "stored":
            raise NotAcknowledged


async def until_idle() -> None:
    """Let the other tasks run until they only wait for each other."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("channel", [MARKET_DATA, REPORTS], ids=lambda channel: channel.session)
async def test_every_event_is_applied_once_however_the_broker_acknowledges(seed: int, channel: Any) -> None:
    numbers = range(1, 40)
    messages = [delta(n, f"KX{n % 5}") if channel is MARKET_DATA else report(n) for n in numbers]
    events = [logged_on(), *messages]
    client, broker = Client(channel, events), Broker()
    client.end()
    broker.random = Random(seed)
    publisher = Publisher(client, batcher(channel), broker.publish, limit=7, retry=0)
    await publisher.run()
    found = apply(Receiver(), broker.stored)
    # Buckets may overtake each other.
    assert len(found) == len(events)
    assert all(event in found for event in events)
    assert client.confirmed[-1] is events[-1]
    assert (publisher.waiting, publisher.published) == (0, publisher.acknowledged)


FIVE: Any = [logged_on(), *map(report, range(1, 5))]
FIVE_BYTES = len(encode_event(FIVE[0])) + sum(len(item.frame) for item in FIVE[1:])


@pytest.mark.parametrize("max_bytes", [10_000, 100], ids=["whole", "in parts"])
@pytest.mark.parametrize(
    ("limits", "waiting"),
    [
        ({"limit": 5}, 5),
        ({"limit_bytes": FIVE_BYTES}, 5),
        ({"limit_bytes": FIVE_BYTES + 1}, 6),
        # An event above the limit is published when no other event waits.
        ({"limit_bytes": 1}, 1),
    ],
    ids=["events", "bytes", "one byte more", "less than one event"],
)
async def test_without_acknowledgements_no_event_is_confirmed_and_the_number_taken_is_bounded(
    limits: dict[str, Any], waiting: int, max_bytes: int
) -> None:
    client, broker = Client(REPORTS, [*FIVE, *map(report, range(5, 100))]), Broker()
    client.end()
    broker.up.clear()
    publisher = Publisher(client, batcher(REPORTS, max_bytes=max_bytes), broker.publish, **limits)
    task = asyncio.create_task(publisher.run())
    await until_idle()
    # The task that waits for room has taken one more event.
    assert (client.taken, client.confirmed, publisher.waiting) == (waiting + 1, [], waiting)
    assert publisher.is_full
    broker.up.set()
    await task
    assert client.confirmed[-1] is client.last
    assert (publisher.waiting, publisher.waiting_bytes) == (0, 0)


@pytest.mark.parametrize(
    "limits", [{"limit": 5}, {"limit_bytes": 5 * len(delta(1, "KX").frame)}], ids=["events", "bytes"]
)
async def test_market_data_is_dropped_with_a_gap_if_dropping_is_enabled(limits: dict[str, Any]) -> None:
    client, broker = Client(MARKET_DATA, (delta(n, "KX") for n in range(1, 20))), Broker()
    broker.up.clear()
    publisher = Publisher(client, batcher(), broker.publish, at_limit="drop", **limits)
    task = asyncio.create_task(publisher.run())
    await until_idle()
    assert (publisher.waiting, publisher.dropped) == (5, 14)
    assert client.confirmed[-1] is client.last
    broker.up.set()
    await until_idle()
    client.add(delta(20, "KX"))
    client.end()
    await task
    found = apply(Receiver(), broker.stored)
    assert MessagesLost(6, 19) in found
    assert len(found) == 7


async def test_an_error_from_the_broker_is_raised_unchanged() -> None:
    async def refuse(message: OutgoingMessage) -> None:
        raise PermissionError(message.subject)

    client = Client(REPORTS, [report(1)])
    with pytest.raises(PermissionError):
        await Publisher(client, batcher(REPORTS), refuse).run()
    assert client.confirmed == []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that skips the time during which all tasks sleep."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


HOUR = 3600.0


@pytest.mark.parametrize(
    ("lost", "delay", "confirmed", "redelivered"),
    [(0, HOUR / 10, True, 0), (1, 2.0, True, 4), (10**6, 2.0, False, 1714)],
    ids=["late", "on the second attempt", "never"],
)
def test_messages_are_redelivered_until_they_are_acknowledged(
    lost: int, delay: float, confirmed: bool, redelivered: int
) -> None:
    """The test lasts one virtual hour. The broker stores every delivery, but loses the first `lost`
    acknowledgements of a message and delays the rest."""
    events, stored = [*map(report, range(1, 5))], list[OutgoingMessage]()
    client = Client(REPORTS, events)

    async def publish(message: OutgoingMessage) -> None:
        stored.append(message)
        await asyncio.sleep(delay)
        if stored.count(message) <= lost:
            raise NotAcknowledged

    async def main() -> None:
        publisher = Publisher(client, batcher(REPORTS, max_bytes=len(report(1).frame)), publish)
        task = asyncio.create_task(publisher.run())
        await asyncio.wait({task}, timeout=HOUR)
        assert client.confirmed[-1:] == (events[-1:] if confirmed else [])
        assert publisher.redelivered == redelivered
        # A message that is never acknowledged delays the messages after it.
        assert apply(Receiver(), stored) == (events if confirmed else events[:1])
        task.cancel()
        await asyncio.wait({task})

    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
