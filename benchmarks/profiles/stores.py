"""Stages of an order whose number is durable before it leaves (i)."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.cases import store
from benchmarks.cases.stream import established
from benchmarks.profiles import Stage, with_rest
from benchmarks.profiles.stopwatch import Stopwatch
from kalshi_fix_adapters.store_sqlite import SqliteStore

BEGIN, INSERT, UPDATE, COMMIT = "BEGIN", "INSERT of the message", "UPDATE of the numbers", "COMMIT"
_STATEMENTS = {"BEGIN": BEGIN, "INSERT": INSERT, "UPDATE": UPDATE, "COMMIT": COMMIT}


def stages(count: int = 2000) -> list[Stage]:
    """Measure each sync setting, SQLite's calls timed where they are made."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for sync in store.SYNCS:
            found += _sync(sync, Path(folder), count)
    return found


def _sync(sync: store.Sync, folder: Path, count: int) -> list[Stage]:
    watch = Stopwatch()
    case = f"{store.STORE}, sqlite, sync={sync}"
    with SqliteStore(folder / f"{sync}.sqlite3", owner=store.OWNER, sync=sync) as kept:
        session = established(name="KalshiRT", store=kept)
        orders = [samples.order(number) for number in range(count)]
        kept._file._database = _Database(kept._file._database, watch)  # type: ignore[assignment]
        post = watch.timed("session: rules checked, order encoded, recorded", session.send)
        begin = time.perf_counter()
        for order in orders:
            post(order, store.NOW)
            assert session.data_to_send()
        whole = time.perf_counter() - begin
    spent = {name: seconds / count * 1e6 for name, seconds in watch.spent.items()}
    found = [Stage(case, "all", whole / count * 1e6, "whole")]
    found += [Stage(case, name, us) for name, us in spent.items()]
    if sync == "full":
        found.append(Stage(case, "4 KiB appended to a file and fdatasync", _waiting(folder, count), "scale"))
    return with_rest(found, "rows and their check sums, what to forget, calls")


class _Database:
    """A connection whose statements are timed by what they do."""

    def __init__(self, database: sqlite3.Connection, watch: Stopwatch) -> None:
        self._database = database
        self._by_kind = {kind: watch.timed(stage, database.execute) for kind, stage in _STATEMENTS.items()}
        self.executemany = watch.timed(INSERT, database.executemany)

    def execute(self, statement: str, *values: Any) -> Any:
        kind = statement.split(None, 1)[0]
        return self._by_kind.get(kind, self._database.execute)(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def _waiting(folder: Path, count: int) -> float:
    """Return what the disk alone takes, in microseconds."""
    data = bytes(4096)
    with (folder / "plain").open("wb", buffering=0) as file:
        begin = time.perf_counter()
        for _ in range(count):
            file.write(data)
            os.fdatasync(file.fileno())
        return (time.perf_counter() - begin) / count * 1e6
