"""Events over a real server: restarts, late joiners, snapshots, fences, marks."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import attrs
import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus import Publisher
from kalshi_fix_adapters.bus_nats import Bus, Channel, Mark, connect, connection
from kalshi_fix_adapters.bus_nats.snapshots import write_snapshot
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import MessageReceived, MessagesLost, SequenceSkipped
from kalshi_fix_sansio.trading import BookState, OrderBooks
from tests.adapters.bus.client import Client
from tests.adapters.bus.stream import MARKET_DATA, REPORTS, delta, logged_on, numbers, report, snapshot
from tests.adapters.bus_nats.support import connected, publishing
from tests.nats import NatsServer


async def publish(bus: Bus, channel: Channel, *events: Any) -> Publisher:
    """Publish events, and wait until all are acknowledged."""
    async with publishing(bus, channel, *events) as (client, publisher):
        pass
    assert client.confirmed[-1] is events[-1]
    return publisher


async def take(events: Any, count: int) -> list[Any]:
    return [await anext(events) for _ in range(count)]


async def test_consumers_receive_events_equal_to_the_published_ones(server: NatsServer) -> None:
    async with connected(server) as bus:
        sent = [logged_on(), *map(report, range(1, 400)), MessagesLost(400, 410), report(411)]
        publisher = await publish(bus, REPORTS, *sent)
        found = await take(bus.events("demo.prediction.KalshiRT.desk"), len(sent))
        assert found == sent
        assert [each.frame for each in found if isinstance(each, MessageReceived)] == [
            each.frame for each in sent if isinstance(each, MessageReceived)
        ]
        assert publisher.published == publisher.acknowledged < len(sent)


async def test_a_damaged_message_is_reported_as_lost(server: NatsServer) -> None:
    async with connected(server) as bus:
        damaged = attrs.evolve(report(2), frame=report(2).frame[:-4] + b"999\x01")
        sent = [logged_on(), report(1), damaged, report(3)]
        await publish(bus, REPORTS, *sent)
        events = bus.events(REPORTS)
        assert await take(events, 4) == [sent[0], report(1), MessagesLost(2, 2), report(3)]
        assert events.unreadable == 1


async def test_no_event_is_lost_or_applied_twice_when_the_server_is_killed(server: NatsServer) -> None:
    async with connected(server) as bus:
        events = bus.events(REPORTS)
        async with publishing(bus, REPORTS, logged_on()) as (client, publisher):
            found: list[Any] = await take(events, 1)
            number = 1
            for _ in range(4):
                client.add(*map(report, range(number, number + 500)))
                number += 500
                found += await take(events, 100)
                server.kill()
                client.add(*map(report, range(number, number + 500)))
                number += 500
                server.start()
                found += await take(events, 900)
        assert numbers(found) == [*range(1, number)]
        assert client.confirmed[-1] is not None
        assert publisher.waiting == 0


async def test_a_frozen_server_delays_no_client_and_loses_nothing(server: NatsServer) -> None:
    async with connected(server) as bus:
        events = bus.events(REPORTS)
        async with publishing(bus, REPORTS, logged_on(), limit=50) as (client, publisher):
            await take(events, 1)
            server.freeze()
            client.add(*map(report, range(1, 200)))
            await client.wait_until_taken(52)
            # The logon was acknowledged before the freeze, 50 reports are in the queue, and the task that
            # waits for room in the queue holds another one.
            assert publisher.waiting == 50
            assert len(client.confirmed) == 1
            server.thaw()
            found = await take(events, 199)
        assert numbers(found) == [*range(1, 200)]


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_consumer_receives_the_messages_after_those_that_the_server_has_lost(
    server: NatsServer, resumed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure may lose acknowledged messages, whose sequence numbers in the stream are used again."""
    monkeypatch.setattr(connection, "TIMEOUT", 0.3)
    files, copy = server.folder / "jetstream", server.folder / "copy"
    async with connected(server) as bus:
        events = bus.events(REPORTS)
        async with publishing(bus, REPORTS, logged_on(), report(1)) as (client, _):
            found = await take(events, 2)
            server.kill()
            shutil.copytree(files, copy)
            server.start()
            for number in range(2, 9):
                client.add(report(number))
                found += await take(events, 1)
            await client.wait_until_confirmed(client.last)
            server.kill()
            shutil.rmtree(files)
            copy.rename(files)
            server.start()
            client.add(report(9))
            await client.wait_until_confirmed(client.last)
            if resumed:
                events = bus.events(REPORTS, mark=events.mark)
            found += await take(events, 1)
            client.add(report(10))
            found += await take(events, 1)
    assert numbers(found) == [*range(1, 11)]


async def test_repeated_messages_do_not_accumulate_while_the_server_is_frozen(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 0.05)
    async with connected(server) as bus:
        async with publishing(bus, MARKET_DATA, logged_on()) as (client, publisher):
            await client.wait_until_confirmed(client.last)
            server.freeze()
            # More than the buffers of the sockets can hold.
            client.add(*(snapshot(number, f"KX{number % 10}", 400) for number in range(1, 1001)))
            while publisher.redelivered < 50:  # noqa: ASYNC110 - the publisher's own state
                await asyncio.sleep(0)
            assert bus._link.client.pending_data_size < 2 * publisher.waiting_bytes
            server.thaw()
        assert publisher.waiting == 0


def state(books: Any) -> Any:
    """Return the state of the books, sorted, because messages of different lanes may arrive in any order."""
    dumped = books.dump()
    dumped["books"].sort(key=lambda book: book["symbol"])
    return dumped


def market_deltas(first: int, count: int) -> list[Any]:
    """Return deltas for ten markets; each delta adds a level."""
    return [
        delta(number, f"KX{number % 10}", price=f"0.{number % 9000 + 1:04}")
        for number in range(first, first + count)
    ]


async def test_a_late_consumer_builds_the_same_books_as_the_session(server: NatsServer) -> None:
    async with connected(server) as bus:
        expected = OrderBooks()
        opening = [logged_on(), *(snapshot(n + 1, f"KX{n}") for n in range(10))]
        for event in (*opening, *market_deltas(11, 1500)):
            expected.apply(event)
        async with publishing(bus, MARKET_DATA, *opening, *market_deltas(11, 1000)) as (client, _):
            early = bus.events(MARKET_DATA, machine=OrderBooks())
            await take(early, 1011)
            await write_snapshot(bus._link, MARKET_DATA, early._machine, early.mark)  # type: ignore[arg-type]
            client.add(*market_deltas(1011, 500))
        late = bus.events(MARKET_DATA, machine=OrderBooks())
        await take(late, 500)
        assert late.received < early.received
        assert state(late._machine) == state(expected)
        await take(early, 500)
        assert state(early._machine) == state(expected)


async def test_snapshots_larger_than_a_message_are_written_by_a_task_and_replaced() -> None:
    with NatsServer("max_payload: 8192") as server:
        async with connected(server) as bus:
            await publish(bus, MARKET_DATA, logged_on(), *(snapshot(n, f"KX{n}", 300) for n in range(1, 9)))
            task = asyncio.create_task(bus.keep_snapshots(MARKET_DATA, every=0.01))
            late = bus.events(MARKET_DATA, machine=OrderBooks())
            while not late.mark.sequence or late.received:
                late = bus.events(MARKET_DATA, machine=OrderBooks())
                await late.wait(0.05)
                while late._events:
                    late.take()
            task.cancel()
            books: Any = late._machine
            assert {len(book.bids) for book in books.values()} == {300}
            assert {book.state for book in books.values()} == {BookState.LIVE}


async def test_the_messages_of_a_superseded_publisher_are_discarded(server: NatsServer) -> None:
    async with connected(server) as bus:
        async with publishing(bus, REPORTS, logged_on(), report(1), report(2)) as (old, _):
            events = bus.events(REPORTS)
            found = await take(events, 3)
            # The successor received 2 again, because its predecessor had not confirmed it to the store.
            await publish(bus, REPORTS, logged_on(), report(2), report(3))
            old.add(report(3), report(4, "WRONG"))
        await publish(bus, REPORTS, logged_on(), report(4), report(5))
        found += await take(events, 5)
        assert numbers(found) == [1, 2, 3, 4, 5]
        assert not any(b"=WRONG" in event.frame for event in found if isinstance(event, MessageReceived))
        assert events.fenced in (1, 2)


@pytest.mark.parametrize("channel", [REPORTS, MARKET_DATA], ids=lambda channel: channel.session)
async def test_a_consumer_continues_from_any_mark(server: NatsServer, channel: Channel) -> None:
    async with connected(server) as bus:
        make = report if channel is REPORTS else lambda n: delta(n, f"KX{n % 3}")
        sent = [logged_on(), *map(make, range(1, 30)), MessagesLost(30, 31), *map(make, range(32, 40))]
        await publish(bus, channel, *sent)
        events = bus.events(channel)
        whole, marks = [], [Mark()]
        for _ in sent:
            whole.append(await anext(events))
            marks.append(Mark.load(json.loads(json.dumps(events.mark.dump()))))
        received = [each.frame if isinstance(each, MessageReceived) else each for each in whole]
        for index, mark in enumerate(marks[:-1]):
            again = bus.events(channel, mark=mark, decode=index % 2 == 0)
            expected = whole if index % 2 == 0 else received
            for position in range(index, len(whole)):
                assert await anext(again) == expected[position]
                assert again.mark.dump() == marks[position + 1].dump()
            await again.close()


async def test_a_mark_is_not_between_the_parts_of_a_message() -> None:
    with NatsServer("max_payload: 8192") as server:
        async with connected(server) as bus:
            sent = [logged_on(), delta(1, "KX"), snapshot(2, "KX", 300), delta(3, "KX")]
            await publish(bus, MARKET_DATA, *sent)
            events = bus.events(MARKET_DATA)
            await take(events, 2)
            mark = events.mark.dump()
            # The parts of the snapshot have been received, but its event has not been taken.
            assert await events.wait(1.0)
            assert events.mark.dump() == mark
            assert await take(bus.events(MARKET_DATA, mark=Mark.load(mark)), 2) == sent[2:]


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize(
    ("missing", "rest", "lost"),
    [
        ([delta(3, "KX")], [delta(4, "KX")], MessagesLost(3, 3)),
        # The logon and the first snapshot of a new session are missing.
        ([logged_on(), snapshot(1, "KX")], [delta(2, "KX")], MessagesLost(1, 1)),
        ([MessagesLost(3, 4)], [SequenceSkipped(5, 6, gap_fill=True)], MessagesLost(1, 2)),
        ([logged_on()], [SequenceSkipped(5, 6, gap_fill=True)], MessagesLost(1, 1)),
    ],
    ids=["message", "session", "event", "logon"],
)
async def test_a_consumer_is_notified_of_messages_that_the_stream_has_dropped(
    server: NatsServer, missing: list[Any], rest: list[Any], lost: Any, resumed: bool
) -> None:
    async with connected(server) as bus:
        events = bus.events(MARKET_DATA)
        opening = [logged_on(), snapshot(1, "KX"), delta(2, "KX")]
        async with publishing(bus, MARKET_DATA, *opening) as (client, _):
            await take(events, 3)
            client.add(*missing)
            await client.wait_until_confirmed(missing[-1])
            await bus._link.jetstream.purge_stream("KALSHI")
            client.add(*rest)
        if resumed:
            events = bus.events(MARKET_DATA, mark=events.mark)
        assert await take(events, 2) == [lost, *rest]


async def test_a_consumer_may_start_with_the_next_event(server: NatsServer) -> None:
    async with connected(server) as bus:
        await publish(bus, REPORTS, logged_on(), report(1))
        events = bus.events(REPORTS, start="new")
        assert not await events.wait(0.05)
        await publish(bus, REPORTS, logged_on(), report(2))
        found = await take(events, 2)
        assert found[-1].message.header.msg_seq_num == 2


async def test_configuration_errors_name_the_invalid_setting(server: NatsServer) -> None:
    async with connect(server.url) as bus:
        client: Any = Client(REPORTS)
        with pytest.raises(ConfigurationError, match=r"call Bus\.create once"):
            await bus.publish(client)
        await bus.create()
        await bus.create()
        with pytest.raises(ConfigurationError, match="other settings"):
            await bus.create(max_bytes=1)
        with pytest.raises(ConfigurationError, match="only for market data"):
            await bus.publish(client, at_limit="drop")
        with pytest.raises(ValueError, match="needs decoded messages"):
            bus.events(REPORTS, machine=OrderBooks(), decode=False)
        client.explicit_confirm = False
        with pytest.raises(ConfigurationError, match="explicit_confirm"):
            await bus.publish(client)
    with pytest.raises(ConfigurationError, match="only the bus may set pending_size"):
        async with connect(server.url, pending_size=1):
            pass
