"""Orders from other processes over a real server: answers, deadlines, takeovers, permissions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.asyncio import Client, order_entry
from kalshi_fix_adapters.bus.commands import decode_answer, encode_command
from kalshi_fix_adapters.bus_nats import Bus, Refusal, Refused, Sent, Unknown, connect
from kalshi_fix_adapters.bus_nats.link import DEADLINE, command_subject
from kalshi_fix_adapters.bus_nats.publishing import channel_of
from kalshi_fix_sansio import NewOrderSingle, OrderMassCancelRequest, decode
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_venue.testing import Venue
from tests.adapters.bus.test_commands import order
from tests.adapters.bus_nats.support import connected, until_reported
from tests.nats import NatsServer
from tests.relay import Relay


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with Venue() as running:
        yield running


def valid_order(name: str, **changes: Any) -> NewOrderSingle:
    return order(name, symbol="KXHIGHNY-26DEC31-B50", **changes)


@asynccontextmanager
async def serving(bus: Bus, venue: Venue, folder: Path, check: Any = None) -> AsyncIterator[Client]:
    """Serve commands with a client while the body runs; the subscription exists when the body starts."""
    async with order_entry(**venue.options(), store=folder) as client:
        before = await read_fence(bus, client)
        task = asyncio.create_task(bus.serve(client, check=check))
        while await read_fence(bus, client) == before and not task.done():
            pass
        # NATS handles the messages of a connection in order: after this round trip the subscription exists.
        await bus._link.client.flush()
        yield client
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def served(server: NatsServer, venue: Venue, folder: Path) -> AsyncIterator[tuple[Client, Bus]]:
    """Yield a client that serves commands, and the bus of another process."""
    async with (
        connected(server) as bus,
        connected(server) as other,
        serving(bus, venue, folder) as client,
    ):
        yield client, other


async def read_fence(bus: Bus, client: Client) -> int:
    try:
        return await bus._link.read_fence(channel_of(client), "server")
    except Exception:  # noqa: BLE001 - there is no fence yet
        return 0


async def test_an_order_from_another_process_is_sent_once(
    server: NatsServer, venue: Venue, tmp_path: Path
) -> None:
    async with connected(server) as bus, connected(server) as other:
        async with serving(bus, venue, tmp_path) as client:
            session = other.session(str(channel_of(client)))
            first = await session.send(valid_order("a1"))
            assert first == Sent(client.numbers.next_outgoing - 1)
            assert await session.send(valid_order("a1")) == Sent(first.number, known=True)
            bad = await session.send(valid_order("a2", price="-1"))
            assert isinstance(bad, Refused)
            report = await client.receive(5)
            while not hasattr(report, "message"):
                report = await client.receive(5)
        # A successor on the same store, as after a takeover.
        async with serving(bus, venue, tmp_path) as client:
            assert await session.send(valid_order("a1")) == Sent(first.number, known=True)


async def test_the_check_refuses_orders_and_nothing_is_sent_without_a_serving_process(
    server: NatsServer, venue: Venue, tmp_path: Path
) -> None:
    async with connected(server) as bus:
        nowhere = await bus.session("demo.prediction.KalshiNR.nobody").send(valid_order("b0"))
        assert nowhere == Refused("no process has ever answered commands for demo.prediction.KalshiNR.nobody")
        async with serving(bus, venue, tmp_path, lambda message: Refusal("not now")) as client:
            session = bus.session(channel_of(client))
            assert await session.send(valid_order("b1")) == Refused("not now")
        assert await session.send(valid_order("b1")) == Refused(
            f"no process answers commands for {session.channel} now"
        )
        with pytest.raises(ValueError, match="at most 30 seconds"):
            await session.send(valid_order("b1"), within=31)


async def test_serving_needs_a_store_that_keeps_the_ids(server: NatsServer, venue: Venue) -> None:
    async with connected(server) as bus, order_entry(**venue.options()) as client:
        with pytest.raises(LocalProtocolError, match="no ids of sent requests"):
            await bus.serve(client)


async def test_an_order_passed_to_send_while_disconnected_is_not_sent_later(
    server: NatsServer, venue: Venue, tmp_path: Path
) -> None:
    async with served(server, venue, tmp_path) as (client, other):
        session = other.session(channel_of(client))
        assert isinstance(await session.send(valid_order("c1")), Sent)
        lost = asyncio.Event()

        async def disconnected() -> None:
            lost.set()

        other._link.client._disconnected_cb = disconnected
        server.kill()
        await lost.wait()
        found = await session.send(valid_order("c2"))
        assert isinstance(found, Refused)
        server.start()
        while isinstance(answer := await session.send(valid_order("c3"), within=0.2), Refused):
            pass
        while isinstance(answer, Unknown):
            answer = await session.send(valid_order("c3"), within=0.2)
        assert isinstance(answer, Sent)
        assert client.sent_request("c2") is None


@pytest.mark.parametrize("within", [0.01, 20.0], ids=["after its deadline", "before its deadline"])
async def test_a_reconnection_sends_no_order_that_was_passed_to_send_while_disconnected(
    server: NatsServer, venue: Venue, tmp_path: Path, within: float
) -> None:
    with Relay(server.port) as relay:
        async with (
            connected(server) as bus,
            serving(bus, venue, tmp_path) as client,
            connect(f"nats://127.0.0.1:{relay.port}", reconnect_time_wait=0.02) as other,
        ):
            commands = await bus._link.client.subscribe("kalshi-commands.>")
            session = other.session(channel_of(client))
            assert isinstance(await session.send(valid_order("r1")), Sent)
            await asyncio.to_thread(relay.stop_listening)
            nats_client: Any = other._link.client
            while nats_client.is_connected:  # noqa: ASYNC110 - the client's own state
                await asyncio.sleep(0)
            before = time.time()
            assert isinstance(await session.send(valid_order("r2"), within=within), Refused)
            # With the shorter timeout, the connection is restored after the deadline.
            while within < 1 and time.time() < before + within:  # noqa: ASYNC110 - waits for the clock
                await asyncio.sleep(0)
            relay.listen()
            while not nats_client.is_connected:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert isinstance(await session.send(valid_order("r3")), Sent)
            messages: list[Any] = [decode(item.data) async for item in pending_messages(commands)]
            assert [message.cl_ord_id for message in messages] == ["r1", "r3"]
            assert client.sent_request("r2") is None


async def pending_messages(subscription: Any) -> AsyncIterator[Any]:
    """Yield the messages that have arrived for a subscription."""
    while subscription.pending_msgs:
        yield await subscription.next_msg()


@pytest.mark.parametrize(
    "reply", ["kalshi.demo.prediction.KalshiNR.desk.8.KX", "$JS.API.STREAM.PURGE.KALSHI", ""]
)
async def test_answers_go_only_to_inboxes_and_omit_the_headers_of_the_command(
    server: NatsServer, venue: Venue, tmp_path: Path, reply: str
) -> None:
    async with served(server, venue, tmp_path) as (client, other):
        subject = command_subject(channel_of(client), await read_fence(other, client), "D")
        headers = {DEADLINE: repr(time.time() + 5), "Nats-Rollup": "all"}
        everything = await other._link.client.subscribe(">")
        nats_client = other._link.client
        await nats_client.publish(subject, encode_command(valid_order("x1")), reply=reply, headers=headers)
        answer = await nats_client.request(
            subject, encode_command(valid_order("x2")), timeout=5, headers=headers
        )
        assert answer.headers is None
        assert isinstance(decode_answer(answer.data), Sent)
        seen = [message.subject async for message in pending_messages(everything)]
        assert reply not in seen
        assert client.sent_request("x1") is None


async def test_an_order_that_arrives_after_its_deadline_is_refused(
    server: NatsServer, venue: Venue, tmp_path: Path
) -> None:
    async with served(server, venue, tmp_path) as (client, other):
        session = other.session(channel_of(client))
        assert isinstance(await session.send(valid_order("d1")), Sent)
        server.freeze()
        found = await session.send(valid_order("d2"), within=0.05)
        assert isinstance(found, Unknown)
        server.thaw()
        # The broker delivers d2 before d3, so it has delivered d2 once d3 is answered with Sent.
        answer: Any = found
        while not isinstance(answer, Sent):
            answer = await session.send(valid_order("d3"), within=2)
        assert client.sent_request("d2") is None


async def test_a_suspended_process_that_resumes_after_a_takeover_gets_no_commands(
    server: NatsServer, venue: Venue, tmp_path: Path
) -> None:
    async with (
        connected(server) as bus,
        connected(server) as standby,
        serving(bus, venue, tmp_path / "1") as client,
    ):
        session = standby.session(channel_of(client))
        assert isinstance(await session.send(valid_order("e1")), Sent)
        # The other process takes over the role, as a standby does once it holds the store's lease.
        successor = await standby._link.new_fence(channel_of(client), "server")
        subject = command_subject(channel_of(client), successor, "*")
        subscription = await standby._link.client.subscribe(subject)
        session._fence = None
        assert isinstance(await session.send(valid_order("e2"), within=0.2), Unknown)
        assert DEADLINE in ((await subscription.next_msg(1)).headers or {})
        assert client.sent_request("e2") is None


CONFIG = (Path(__file__).parents[3] / "docs" / "how-to" / "nats.conf").read_text("utf-8")
"""The accounts and permissions that docs/how-to/session-process.md shows."""
NAME = "demo.prediction.KalshiNR.desk"


async def test_the_documented_permissions_decide_who_may_send(venue: Venue, tmp_path: Path) -> None:
    with NatsServer(CONFIG) as server:

        def login(user: str) -> Any:
            return connect(server.url, user=user, password=user)

        async with login("operator") as operator:
            await operator.create(max_bytes=1024**3)
        options: Any = {**venue.options(), "store": tmp_path, "account": "desk", "explicit_confirm": True}
        async with login("session") as bus, order_entry(**options) as client, asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(bus.serve(client))
            publishing = tasks.create_task(bus.publish(client))
            async with login("strategy") as strategy, login("risk") as risk, login("recorder") as recorder:
                session = strategy.session(NAME)
                while not isinstance(await session.send(valid_order("p1")), Sent):
                    pass
                # Every login receives the report.
                for reader in (strategy, risk, recorder):
                    await until_reported(reader.events(NAME), "p1")
                # `risk` may send cancels only, and `recorder` may send nothing.
                cancel = OrderMassCancelRequest(cl_ord_id="p2", mass_cancel_request_type="6")
                assert isinstance(await recorder.session(NAME).send(valid_order("p3"), within=0.3), Unknown)
                assert isinstance(await recorder.session(NAME).send(cancel, within=0.3), Unknown)
                assert isinstance(await risk.session(NAME).send(valid_order("p4"), within=0.3), Unknown)
                found = await risk.session(NAME).send(cancel)
                assert isinstance(found, Sent | Refused)
                assert [client.sent_request(name) for name in ("p3", "p4")] == [None, None]
                # Nor may any of them publish events in the name of the session.
                forged = recorder._link.jetstream.publish(f"kalshi.{NAME}.8.KX", b"", timeout=0.3)
                with pytest.raises(TimeoutError):
                    await forged
                with pytest.raises(TimeoutError):
                    await strategy._link.new_fence(channel_of(client), "server")
            serving.cancel()
            publishing.cancel()
