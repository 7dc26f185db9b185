"""Commits that the disk does not complete at once: the caller continues, reads included."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.store_sqlite import SqliteStore, read_summary
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.stores import FILE, OWNER, asked, kept, opened, send

LONG = 30.0


class SlowDisk:
    """Holds a store's transactions back at their end."""

    def __init__(self, path: Path) -> None:
        self.commits = 0
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        disk = self

        class Slow(sqlite3.Connection):
            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and not disk.gate.is_set():
                    disk.begun.release()
                    assert disk.gate.wait(LONG)
                disk.commits += sql == "COMMIT"
                return super().execute(sql, *arguments)

        class SlowStore(SqliteStore):
            connection_class = Slow

        self.store = SlowStore(path, owner=OWNER)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SlowDisk]:
    found = SlowDisk(tmp_path / FILE)
    yield found
    found.gate.set()
    found.store.close()


def hold(disk: SlowDisk) -> int:
    """Begin a commit of everything recorded, which is not completed; return its ticket."""
    disk.gate.clear()
    ticket = disk.store.begin_commit()
    assert disk.begun.acquire(timeout=LONG)
    return ticket


def test_reads_and_records_do_not_wait_for_a_commit(disk: SlowDisk) -> None:
    store = disk.store
    send(store, 2)
    store.record_request(asked(1))
    store.record_rows({"a": "1", "b": "2"})
    store.commit()
    send(store, 1)
    store.settle_requests([1])
    store.record_request(asked(2))
    store.record_rows({"a": None, "c": "3"})
    ticket = hold(disk)
    send(store, 1)
    store.advance_incoming(5)
    store.record_rows({"b": "4"})
    assert store.durable < ticket
    assert kept(store) == [1, 2, 3, 4]
    assert [store.find(number) is not None for number in (2, 3, 4, 5)] == [True, True, True, False]
    assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (5, 5, 1)
    assert store.open_requests() == (asked(2),)
    assert ([store.row(key) for key in "abc"], store.row_sizes) == ([None, "4", "3"], {"b": 2, "c": 2})
    assert read_summary(store.path).next_outgoing == 3
    disk.gate.set()
    store.commit()
    assert kept(store) == [1, 2, 3, 4]
    assert read_summary(store.path).next_outgoing == 5


@pytest.mark.parametrize("first", [True, False])
def test_a_reset_that_is_not_durable_yet_applies_to_reads(disk: SlowDisk, first: bool) -> None:
    store = disk.store
    send(store, 3)
    store.commit()
    store.reset()
    if not first:
        send(store, 1)
    hold(disk)
    send(store, 2)
    assert (kept(store), store.oldest_kept, store.generation) == ([1, 2] if first else [1, 2, 3], 1, 1)
    disk.gate.set()
    store.commit()
    assert kept(store) == ([1, 2] if first else [1, 2, 3])


def test_all_that_is_recorded_during_a_commit_is_one_transaction(disk: SlowDisk) -> None:
    store = disk.store
    send(store, 1)
    hold(disk)
    before, tickets = disk.commits, []
    for number in range(50):
        send(store, 1)
        store.record_request(asked(number))
        if number % 7 == 0:
            store.settle_requests([number - 1])
        if number == 30:
            store.reset(unanswered=True)
        tickets.append(store.begin_commit())
    disk.gate.set()
    store.commit()
    assert disk.commits == before + 2
    assert tickets == sorted(set(tickets))
    assert store.durable == tickets[-1]
    with_all = (kept(store), store.open_requests(), store.generation, store.reset_unanswered)
    store.close()
    with opened(store.path.parent) as again:
        assert (kept(again), again.open_requests(), again.generation, again.reset_unanswered) == with_all


def test_a_store_whose_commit_hangs_cannot_be_closed_or_opened_again(
    disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = disk.store
    monkeypatch.setattr("kalshi_fix_adapters.store_sqlite.store.CLOSING", 0.0)
    send(store, 1)
    hold(disk)
    with pytest.raises(StoreError, match="the disk has not completed a commit: look whether it is failing"):
        store.close()
    with pytest.raises(StoreError, match="is in use by this process"):
        opened(store.path.parent)
    with pytest.raises(StoreError, match="is closed"):
        send(store, 1)
    disk.gate.set()
    assert store._commits.close(LONG)
    store._file.close()
    store._lock.release()
