"""Real processes, real files, real TLS: a client killed at any moment loses nothing.

`KILLS=2000 SEED=7 .venv/bin/python -m pytest tests/kill` runs longer, with another seed. In addition,
KILLS // 20 processes (10 by default) with a store in Postgres are killed.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kalshi_fix_adapters.config.stores import Sync, stores_at
from kalshi_fix_adapters.store_sqlite import SqliteStore, read_summary
from kalshi_fix_venue.identities import ClientKey
from tests.kill.process_series import ForkServer, ProcessSeries
from tests.kill.reconcile import reconcile
from tests.kill.rows import ROW_LIMIT
from tests.kill.runs import KillPoint, Run, planned_runs
from tests.kill.trader import Settings
from tests.postgres import Server

KILLS = int(os.environ.get("KILLS", "200"))
SEED = int(os.environ.get("SEED", "1"))
KILLS_FOR_ALL_POINTS = 60
"""Every kill point occurs within this many kills."""

RecordProperty = Callable[[str, object], None]
pytestmark = pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system lacks fork or waitid")


def kill(folder: Path, seed: int, sync: Sync, stores: str, kills: int) -> str:
    """Kill a client repeatedly, then compare its records with the venue's; return the totals."""
    runs = planned_runs(Random(seed))
    with ProcessSeries(folder, seed, sync, stores) as series:
        while series.kills.total < kills:
            series.run(next(runs))
        last = next(runs).number
        # The first process settles everything, so the second one has nothing to do.
        for number in (last, last + 1):
            series.run(Run(number=number, kill_point=KillPoint.NONE))
        factory = stores_at(stores)
        [name] = factory.names()
        totals = reconcile(folder, series.venue, factory.summary(name, rows=ROW_LIMIT))
    counts = series.kills
    assert counts.total < KILLS_FOR_ALL_POINTS or counts.by_trigger.keys() >= {*KillPoint} - {KillPoint.NONE}
    return f"{counts}; {totals}"


@pytest.mark.parametrize("sync", ["full", "normal"])
def test_a_client_killed_repeatedly_agrees_with_the_venue_on_every_fill(
    tmp_path: Path, sync: Sync, record_property: RecordProperty
) -> None:
    totals = kill(tmp_path, 2 * SEED + (sync == "normal"), sync, str(tmp_path / "stores"), (KILLS + 1) // 2)
    record_property("kills", f"sync={sync}: {totals}")


def test_a_client_with_a_store_in_postgres_also_agrees_with_the_venue(
    tmp_path: Path, server: Server, record_property: RecordProperty
) -> None:
    stores = f"{server.dsn(server.create_database())}&failover=none"
    totals = kill(tmp_path, SEED, "full", stores, KILLS // 20)
    record_property("kills", f"Postgres: {totals}")


class StoreCreation:
    """Repeatedly creates a store in a folder, with processes that are killed."""

    def __init__(self, folder: Path) -> None:
        key = ClientKey.generate(ed25519_key=True)
        (folder / "cells").write_bytes(bytes(16))
        self.folder = folder / "stores"
        values: dict[str, Any] = {
            "folder": str(folder),
            "seed": SEED,
            "sync": "full",
            "stores": str(self.folder),
            "key_id": key.key_id,
            "private_key": key.private_key_pem.decode(),
        }
        settings = Settings(**values)
        self._owner, self.path = settings.owner, settings.store
        self.fork_server = ForkServer(values, folder)
        self.kills = 0

    def attempt(self, kill_after: int = 0, *, microseconds: int | None = None) -> bool:
        """Start a process that creates the store and is killed after `kill_after` calls or `microseconds`;
        return whether it finished first."""
        fork_server = self.fork_server
        child = fork_server.fork(
            Run(number=1, kill_point=KillPoint.CALL if kill_after else KillPoint.NONE, kill_after=kill_after),
            only_store=True,
        )
        if microseconds is not None:
            select.select([fork_server.output], [], [], microseconds / 1e6)
            os.kill(child, signal.SIGKILL)
        fork_server.wait()
        code = fork_server.reap()
        assert code in {0, -signal.SIGKILL}, fork_server.errors.read_text()
        self.kills += code != 0
        return code == 0

    def check_file(self) -> None:
        """Check that the file is complete and the store empty, or that the file does not exist."""
        if self.path.exists():
            summary = read_summary(self.path)
            assert (summary.next_outgoing, summary.next_incoming, summary.kept) == (1, 1, 0)

    def check_store(self) -> None:
        """Check that the next process gets a new store, without leftovers of earlier attempts."""
        with SqliteStore(self.path, owner=self._owner) as store:
            assert (store.next_outgoing, store.next_incoming, store.open_requests()) == (1, 1, ())
        lock = self.path.with_name(self.path.name + ".lock")
        assert {*self.folder.iterdir()} == {self.path, lock}


def test_an_interrupted_store_creation_is_completed_by_the_next_process(
    tmp_path: Path, record_property: RecordProperty
) -> None:
    random, creation = Random(SEED), StoreCreation(tmp_path)
    kill_after = 1
    with creation.fork_server:
        while not creation.attempt(kill_after):
            creation.check_file()
            kill_after += random.randint(1, 40)
        creation.check_store()
        for _ in range(KILLS // 8):
            shutil.rmtree(creation.folder)
            while not creation.folder.exists():
                creation.attempt(microseconds=random.randrange(15_000))
            creation.check_file()
            creation.check_store()
    record_property("kills", f"while the store was created: {creation.kills} kills")
