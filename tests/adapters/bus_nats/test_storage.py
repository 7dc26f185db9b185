"""JetStream with full storage: events wait in the publisher, and orders are still sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from nats.js.errors import BadRequestError

from kalshi_fix_adapters.asyncio import order_entry
from kalshi_fix_adapters.bus_nats import Bus, Sent, connect, connection
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.testing import Venue
from tests.adapters.bus_nats.support import connected, until_reported
from tests.adapters.bus_nats.test_commands import NAME, valid_order
from tests.nats import NatsServer
from tests.small_disk import small_disk


@contextmanager
def small_server() -> Iterator[NatsServer]:
    """Run a server with a disk of 4 MiB."""
    with NatsServer() as server:
        server.kill()
        folder = server.folder / "jetstream"
        folder.mkdir(exist_ok=True)
        with small_disk(folder, megabytes=4):
            server.start()
            yield server
            server.kill()


@asynccontextmanager
async def full_disk(server: NatsServer, bus: Bus) -> AsyncIterator[None]:
    filler = server.folder / "jetstream" / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(64 * 1024)):
            pass
    yield
    filler.unlink()
    # After server 2.9.10 has written only part of a message, it no longer serves the connection that sent
    # the message, so the server must be restarted.
    server.kill()
    server.start()


@asynccontextmanager
async def full_account(server: NatsServer, bus: Bus) -> AsyncIterator[None]:
    jetstream = bus._link.jetstream
    await jetstream.add_stream(name="FILLER", subjects=["filler"])
    with suppress(BadRequestError):
        while True:
            await jetstream.publish("filler", bytes(16 * 1024))
    yield
    await jetstream.delete_stream("FILLER")


LIMITED_ACCOUNT = """
accounts { A { jetstream { max_file: 2MB }, users: [{user: a, password: a}] } }
no_auth_user: a
"""


@pytest.mark.parametrize("full", [full_disk, full_account])
async def test_full_storage_delays_events_but_not_orders(
    full: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 0.3)
    with (
        small_server() if full is full_disk else NatsServer(LIMITED_ACCOUNT) as server,
        Venue() as venue,
    ):
        options: Any = {**venue.options(), "store": tmp_path, "account": "desk", "explicit_confirm": True}
        async with (
            connected(server, max_bytes=1024**2) as bus,
            connected(server, max_bytes=1024**2) as commands,
            order_entry(**options) as client,
            asyncio.TaskGroup() as tasks,
        ):
            publisher = await bus.publisher(client)
            running = [tasks.create_task(publisher.run()), tasks.create_task(commands.serve(client))]
            session, events = commands.session(NAME), commands.events(NAME)
            while not isinstance(await session.send(valid_order("s1")), Sent):
                pass
            await until_reported(events, "s1")
            async with full(server, bus):
                number = 1
                # The first reports may fit in the last page of a file.
                while publisher.redelivered < 3:
                    number += 1
                    assert isinstance(await session.send(valid_order(f"s{number}")), Sent)
                assert publisher.waiting
            await until_reported(events, f"s{number}")
            for task in running:
                task.cancel()
    warned = [record for record in caplog.records if "did not acknowledge" in record.message]
    # At least three attempts were made, but not every attempt logs a warning.
    assert 1 <= len(warned) < 3


async def test_the_error_for_a_stream_too_large_for_the_server_names_the_option() -> None:
    with NatsServer(LIMITED_ACCOUNT) as server:
        async with connect(server.url) as bus:
            with pytest.raises(ConfigurationError, match="max_bytes"):
                await bus.create(max_bytes=1024**3)
