"""Faults between the processes and a real server: lost connections, partitions, slow consumers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus_nats import Channel, Mark, connect, connection
from kalshi_fix_adapters.errors import ConnectionFailedError
from kalshi_fix_sansio.events import MessagesLost
from tests.adapters.bus.stream import MARKET_DATA, REPORTS, delta, logged_on, numbers, report
from tests.adapters.bus_nats.support import connected, publishing
from tests.adapters.bus_nats.test_events import publish, take
from tests.nats import NatsServer
from tests.relay import Relay


def connect_through(relay: Relay) -> Any:
    return connect(f"nats://127.0.0.1:{relay.port}", reconnect_time_wait=0.02)


@pytest.mark.parametrize("channel", [REPORTS, MARKET_DATA], ids=lambda channel: channel.session)
@pytest.mark.parametrize("absence", ["restarted", "slow"])
async def test_a_consumer_that_was_away_longer_than_the_retention_is_notified_of_the_loss(
    server: NatsServer, channel: Channel, absence: str
) -> None:
    make = report if channel is REPORTS else lambda number: delta(number, "KX")
    async with connected(server) as bus:
        await publish(bus, channel, logged_on(3), *map(make, range(1, 201)))
        events = bus.events(channel)
        found = await take(events, 150)
        if absence == "restarted":
            events = bus.events(channel, mark=Mark.load(events.mark.dump()))
            found = []
        await publish(bus, channel, logged_on(3, reset=False), *map(make, range(201, 211)))
        await bus._link.jetstream.purge_stream("KALSHI")
        events._fetched_at = -100.0  # the consumer continues after a long time
        await publish(bus, channel, logged_on(3, reset=False), *map(make, range(211, 221)))
        while len(numbers(found)) < 10 or numbers(found)[-1] != 220:
            found.append(await anext(events))
        assert sum(isinstance(event, MessagesLost) for event in found) == 1
        assert numbers(found)[-10:] == [*range(211, 221)]


async def test_messages_that_arrive_after_a_wait_are_returned_by_the_next_wait(server: NatsServer) -> None:
    """If each wait made a new request, none would succeed when every answer took longer than a wait."""

    with Relay(server.port) as relay:
        async with connected(server) as direct, connect_through(relay) as bus:
            events = bus.events(REPORTS)
            assert not await events.wait(0.05)
            pull = events._pull
            relay.hold("server")
            await publish(direct, REPORTS, logged_on(), *map(report, range(1, 101)))
            waiting = asyncio.create_task(events.wait(0.05))
            await asyncio.wait({waiting}, timeout=0.2)
            relay.release()
            assert not await waiting
            assert events._pull is pull is not None
            assert numbers(await take(events, 101)) == [*range(1, 101)]


async def test_a_message_lost_with_a_connection_is_fetched_again_automatically(server: NatsServer) -> None:
    with Relay(server.port) as relay:
        async with (
            connected(server) as bus,
            connect_through(relay) as other,
            publishing(bus, REPORTS, logged_on(), report(1)) as (client, _),
        ):
            events = other.events(REPORTS)
            await take(events, 2)
            client.add(last := report(2))
            await client.wait_until_confirmed(last)
            relay.swallow("server")
            task = asyncio.create_task(take(events, 1))
            await asyncio.to_thread(relay.wait, lambda: relay.swallowed > 0)
            relay.swallow()
            await asyncio.to_thread(relay.cut)
            assert await task == [last]


async def test_a_message_received_by_a_cancelled_call_is_delivered_by_the_next_call(
    server: NatsServer,
) -> None:
    async with connected(server) as bus:
        await publish(bus, REPORTS, logged_on(), report(1))
        events = bus.events(REPORTS)
        await events._subscribe()
        assert events._pull is not None
        fetched = asyncio.Event()
        fetch = events._pull.fetch

        async def fetch_slowly(*arguments: Any, **options: Any) -> Any:
            found = await fetch(*arguments, **options)
            fetched.set()
            await asyncio.sleep(60)
            return found

        events._pull.fetch = fetch_slowly  # type: ignore[method-assign]
        task = asyncio.create_task(events.wait(1.0))
        await fetched.wait()
        task.cancel()
        await asyncio.wait({task})
        # Nothing else is published.
        assert await take(events, 2) == [logged_on(), report(1)]


@pytest.mark.parametrize("who", ["publisher", "consumer"])
async def test_nothing_is_lost_or_repeated_over_a_network_that_pauses(
    server: NatsServer, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network first delays the server's answers, then drops the connections."""
    monkeypatch.setattr(connection, "TIMEOUT", 1.0)

    with Relay(server.port) as relay:
        async with connected(server) as direct, connect_through(relay) as paused:
            publishers, consumers = (paused, direct) if who == "publisher" else (direct, paused)
            events = consumers.events(REPORTS)
            async with publishing(publishers, REPORTS, logged_on()) as (client, publisher):
                await take(events, 1)
                # The consumer may have the event before the publisher has its acknowledgement.
                await client.wait_until_confirmed(client.last)
                relay.hold("server")
                client.add(*map(report, range(1, 101)))
                if who == "publisher":
                    # The messages are stored, but the publisher does not know it.
                    found = await take(events, 1)
                    while not publisher.redelivered:  # noqa: ASYNC110 - a counter of the publisher
                        await asyncio.sleep(0.01)
                    assert len(client.confirmed) == 1
                else:
                    found = []
                    await client.wait_until_confirmed(client.last)
                relay.release()
                await asyncio.to_thread(relay.cut)
                client.add(*map(report, range(101, 151)))
                found += await take(events, 150 - len(found))
                assert numbers(found) == [*range(1, 151)]
                await client.wait_until_confirmed(client.last)


async def test_a_slow_consumer_delays_no_publisher_and_misses_nothing(server: NatsServer) -> None:
    async with connected(server) as bus, connected(server) as other:
        slow = other.events(REPORTS)
        await publish(bus, REPORTS, logged_on())
        await take(slow, 1)
        # All events are acknowledged, and therefore confirmed, while the consumer takes none.
        await publish(bus, REPORTS, logged_on(1), *map(report, range(1, 3001)))
        found = await take(slow, 3001)
        assert numbers(found) == [*range(1, 3001)]
        assert slow.lag == 0


@pytest.mark.parametrize("cause", ["no server", "no permission"])
async def test_a_failed_connection_attempt_ends_in_time_with_a_typed_error(cause: str) -> None:
    with NatsServer("authorization { user: a, password: b }") as server:
        if cause == "no server":
            server.kill()
        with pytest.raises(ConnectionFailedError, match=r"no connection to a NATS server within 0\.3 s: "):
            async with connect(server.url, within=0.3, user="x", password="secret-word"):
                pass
