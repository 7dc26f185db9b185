"""`kalshi-fix bus`, and `watch` over the bus, with a real NATS server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from kalshi_fix_adapters.bus_nats import Bus
from kalshi_fix_sansio.trading import OrderBooks
from tests.adapters.bus.client import Client
from tests.adapters.bus.stream import MARKET_DATA, REPORTS, delta, logged_on, report, snapshot
from tests.adapters.bus_nats.support import connected
from tests.adapters.cli.pipes import interrupt, lines_until, started
from tests.adapters.cli.runner import invoke
from tests.nats import NatsServer

PERMISSIONS = Path(__file__).parents[3] / "docs" / "how-to" / "nats.conf"
MARKET = "KXA"
BOOKS = [logged_on(), snapshot(2, MARKET, levels=3), delta(3, MARKET), delta(4, "KXB")]
ORDERS = [logged_on(1), report(2), report(3, "KXB")]


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as running:
        publish(running, MARKET_DATA, BOOKS)
        publish(running, REPORTS, ORDERS)
        yield running


def on_bus(server: NatsServer, action: Callable[[Any], Awaitable[Any]], **options: str) -> Any:
    """Call a function with a connection to the server, and return its result."""

    async def main() -> Any:
        async with connected(server, **options) as bus:  # type: ignore[arg-type]
            return await action(bus)

    return asyncio.run(main())


def publish(server: NatsServer, channel: Any, events: list[Any]) -> None:
    """Publish events, and wait until the server has acknowledged them."""

    async def action(bus: Any) -> None:
        client = Client(channel, events)
        client.end()
        await bus.publish(client)

    on_bus(server, action)


async def until_waiting(bus: Any) -> None:
    """Wait until a consumer waits for messages; the server has then confirmed its creation."""
    while not any(each.is_waiting for each in await bus.consumers()):
        pass


def run(server: NatsServer | str, *arguments: object, status: int = 0) -> Result:
    url = server if isinstance(server, str) else server.url
    return invoke(*arguments, environ={"KALSHI_FIX_BUS": url}, status=status)


def steps(result: Result) -> list[tuple[str, str]]:
    """Return the name and the verdict of each step."""
    return [(line[:11].rstrip(), line[13:20].rstrip()) for line in result.stdout.splitlines()]


# --- tail


def test_tail_prints_messages_as_decode_does_and_events_with_their_names(server: NatsServer) -> None:
    result = run(server, "bus", "tail", "--once")
    assert result.stderr == ""
    found = [re.sub(r"^\S+ \S+ ", "", line) for line in result.stdout.splitlines()]
    assert [line[:50] for line in sorted(found)] == [
        '- LoggedOn {"class":"LoggedOn","fields":{"logon":{'[:50],
        '- LoggedOn {"class":"LoggedOn","fields":{"logon":{'[:50],
        "< #2 ExecutionReport ClOrdID=2 ExecType=NEW OrdStat"[:50],
        "< #2 MarketDataSnapshotFullRefresh Symbol=KXA NoMDEn"[:50],
        "< #3 ExecutionReport ClOrdID=3 ExecType=NEW OrdStat"[:50],
        "< #3 MarketDataIncrementalRefresh NoMDEntries=1 [MDU"[:50],
        "< #4 MarketDataIncrementalRefresh NoMDEntries=1 [MDU"[:50],
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((str(REPORTS),), ["ExecutionReport", "ExecutionReport", "LoggedOn"]),
        ((f"{REPORTS.prefix}.*.KXB",), ["ExecutionReport"]),
        (("--type", "X", "--symbol", "KXB"), ["MarketDataIncrementalRefresh"]),
        (("--since", "2020-01-01", "--id", "3"), ["ExecutionReport"]),
        (("--since", "2099-01-01"), []),
        (("kalshi.production.>",), []),
    ],
)
def test_tail_selects_by_subject_field_and_time(
    server: NatsServer, arguments: tuple[str, ...], names: list[str]
) -> None:
    result = run(server, "bus", "tail", *arguments, "--once", "--json", status=0 if names else 3)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted(line.get("name", line.get("event")) for line in lines) == names
    assert all(line["time"] for line in lines)


def test_tail_joins_the_parts_of_a_large_message() -> None:
    with NatsServer("max_payload: 8192") as small:
        publish(small, MARKET_DATA, [snapshot(2, MARKET, levels=1_000)])
        result = run(small, "bus", "tail", "--once", "--json")
    [line] = result.stdout.splitlines()
    assert json.loads(line)["fields"]["NoMDEntries"][-1]["MDEntryPx"] == "0.1000"


@pytest.mark.parametrize("since", [["--since", "2020-01-01"], []], ids=["since", "new"])
def test_tail_waits_for_new_messages_across_a_restart_of_the_server(since: list[str]) -> None:
    with NatsServer() as server:
        publish(server, REPORTS, ORDERS)
        with started("bus", "tail", *since, "--server", server.url) as tail:
            if since:
                lines_until(tail, "#3 ExecutionReport")
            else:
                on_bus(server, until_waiting)
            server.kill()
            server.start()
            publish(server, REPORTS, [logged_on(2), report(2, "KXNEW")])
            lines = lines_until(tail, "KXNEW")
            assert sum("ExecutionReport" in line for line in lines) == 1
            assert interrupt(tail) == (130, b"")


def test_a_message_from_another_program_is_reported() -> None:
    async def intrude(bus: Any) -> None:
        await bus._link.client.publish("kalshi.x", b"else")
        await bus._link.client.flush()

    with NatsServer() as server:
        on_bus(server, intrude)
        result = run(server, "bus", "tail", "--once", status=3)
    assert "message 1 on kalshi.x was not written by this library" in result.stderr


# --- lag


def test_lag_shows_publishers_and_consumers() -> None:
    with NatsServer() as server:
        publish(server, MARKET_DATA, BOOKS)

        async def consume(bus: Any) -> Result:
            await bus.events(MARKET_DATA).wait(1)
            await bus._link.jetstream.pull_subscribe("kalshi.>", stream="KALSHI", durable="lagging")
            return await asyncio.to_thread(run, server, "bus", "lag")

        result = on_bus(server, consume)
    assert result.stderr == ""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in result.stdout.splitlines()]
    by_name = {row[0]: row[1:] for row in rows if row}
    assert [int(by_name[str(MARKET_DATA)][0]) >= 0, float(by_name[str(MARKET_DATA)][1]) > 0] == [True, True]
    assert by_name["lagging"][:2] == ["kalshi.>", "3"]
    [reader] = [row for name, row in by_name.items() if " on " in name]
    assert reader[:2] == [f"{MARKET_DATA.prefix}.>", "0"]


# --- check

SUCCESSFUL_STEPS = [
    (name, "ok") for name in ("server", "stream", "permissions", "clock", "retention", "publisher")
]


@pytest.mark.parametrize("role", ["reader", "sender", "session"])
def test_check_reports_each_successful_step(server: NatsServer, role: str) -> None:
    result = run(server, "bus", "check", "--role", role)
    assert result.stderr == ""
    assert steps(result) == [*SUCCESSFUL_STEPS, ("publisher", "ok")]
    assert "may read events, publish events, send commands, answer commands" in result.stdout
    # A check publishes no messages, so the number is the same for each role.
    assert "; 6 messages" in result.stdout


@pytest.mark.parametrize(
    ("user", "role", "text"),
    [
        ("recorder", "reader", "may read events on demo"),
        ("recorder", "sender", "must be allowed to send commands"),
        ("strategy", "session", "must be allowed to publish events and answer commands"),
        ("session", "reader", "must be allowed to read events"),
        ("operator", "session", "may read events, publish events, send commands, answer commands"),
    ],
)
def test_check_tests_the_permissions_of_a_role(user: str, role: str, text: str) -> None:
    with NatsServer(PERMISSIONS.read_text("utf-8")) as server:
        on_bus(server, Bus.stream, user="operator", password="operator")
        url = server.url.replace("//", f"//{user}:{user}@")
        arguments = ("bus", "check", "--role", role, "--channel", "demo.prediction.KalshiNR.desk")
        result = run(url, *arguments, status=0 if text.startswith("may") else 1)
    shown = result.stdout + result.stderr
    assert text in shown
    assert f"{user}:{user}" not in shown
    assert (("permissions", "ok") in steps(result)) is text.startswith("may")


@pytest.mark.parametrize(
    ("damage", "step", "text"),
    [
        (None, "stream", "call Bus.create once"),
        (lambda jetstream: jetstream.delete_key_value("KALSHI"), "stream", "call Bus.create once"),
        (
            lambda jetstream: jetstream.add_stream(name="ALL", subjects=["kalshi-commands.>"]),
            *("permissions", "a stream stores kalshi-commands.>"),
        ),
    ],
)
def test_check_fails_at_the_faulty_step(damage: Any, step: str, text: str) -> None:
    with NatsServer() as server:
        if damage is not None:
            on_bus(server, lambda bus: damage(bus._link.jetstream))
        result = run(server, "bus", "check", status=1)
    assert steps(result)[-1] == (step, "FAILED")
    assert text in result.stderr


def test_check_needs_jetstream_and_a_server() -> None:
    with NatsServer("accounts { DESK { users = [{user: desk, password: desk}] } }") as server:
        result = run(server.url.replace("//", "//desk:desk@"), "bus", "check", status=1)
    assert steps(result) == [("server", "ok"), ("stream", "FAILED")]
    assert "the server has no JetStream" in result.stderr
    result = run(server.url.replace("//", "//me:secret@"), "bus", "check", "--timeout", 0.2, status=1)
    assert steps(result) == [("server", "FAILED")]
    assert "no connection to nats://127.0.0.1" in result.stderr
    assert "secret" not in result.stderr


def test_check_warns_about_publishers_and_limits_that_lose_events() -> None:
    with NatsServer() as server:
        publish(server, MARKET_DATA, BOOKS)

        async def prepare(bus: Any) -> None:
            await bus.publisher(Client(MARKET_DATA))
            await bus.publisher(Client(REPORTS))
            found = await bus._link.jetstream.stream_info("KALSHI")
            await bus._link.jetstream.update_stream(found.config, max_bytes=found.state.bytes)

        on_bus(server, prepare)
        result = run(server, "bus", "check")
    assert steps(result)[-3:] == [
        ("retention", "warning"),
        ("publisher", "warning"),
        ("publisher", "warning"),
    ]
    assert "the size limit drops messages before they reach this age" in result.stdout
    assert "not from the newest publisher" in result.stdout
    assert "the stream has no message" in result.stdout


# --- watch


def test_watch_shows_books_from_the_bus_once(server: NatsServer) -> None:
    result = run(server, "watch", MARKET, "--bus", MARKET_DATA, "--once")
    assert result.stderr == ""
    assert "5      0.35" in result.stdout
    result = run(server, "watch", "KXZ", "--bus", MARKET_DATA, "--once", "--timeout", 0.5, status=1)
    assert "KXZ" in result.stdout
    result = run(server, "watch", "KXZ", "--bus", "KalshiMD", "--once", status=1)
    assert "not <environment>.<product>.<session>.<account>" in result.stderr


def test_watch_starts_from_the_snapshot_and_follows_across_a_restart_of_the_server() -> None:
    with NatsServer() as server:
        publish(server, MARKET_DATA, BOOKS)

        async def keep(bus: Any) -> None:
            keeper = asyncio.create_task(bus.keep_snapshots(MARKET_DATA, every=0.01))
            books = OrderBooks()
            while MARKET not in books:  # from the snapshot alone
                events = bus.events(MARKET_DATA, machine=books, start="new")
                await events.wait(0.1)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await bus._link.jetstream.purge_stream("KALSHI")

        on_bus(server, keep)
        arguments = (MARKET, "KXB", "--bus", str(MARKET_DATA), "--server", server.url)
        with started("watch", *arguments) as watch:
            assert "0.35x5" in lines_until(watch, MARKET)[-1]
            more = [logged_on(), snapshot(2, "KXOTHER"), snapshot(3, MARKET), delta(4, MARKET, price="0.41")]
            publish(server, MARKET_DATA, more)
            assert "KXOTHER" not in "".join(lines_until(watch, f"{MARKET} 0.41x5"))
            server.kill()
            lines_until(watch, "connection lost")
            server.start()
            lines_until(watch, "connected")
            publish(server, MARKET_DATA, [logged_on(), snapshot(2, "KXB")])
            lines_until(watch, "KXB 0.0001x1")
            assert interrupt(watch) == (130, b"")
