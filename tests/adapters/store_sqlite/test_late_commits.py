"""Commits that the disk completes late: meanwhile the caller continues, and can read."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.store_sqlite import read_summary
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.stores import (
    FILE,
    kept_numbers,
    open_request,
    open_store,
    open_store_with,
    send,
    send_and_commit,
)

LONG_TIMEOUT = 30.0


class SlowDisk:
    """Holds back the end of a store's transactions."""

    def __init__(self, path: Path) -> None:
        self.commits = 0
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        disk = self

        class SlowConnection(sqlite3.Connection):
            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and not disk.gate.is_set():
                    disk.begun.release()
                    assert disk.gate.wait(LONG_TIMEOUT)
                disk.commits += sql == "COMMIT"
                return super().execute(sql, *arguments)

        self.store = open_store_with(SlowConnection, path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SlowDisk]:
    found = SlowDisk(tmp_path / FILE)
    yield found
    found.gate.set()
    found.store.close()


def begin_held_commit(disk: SlowDisk) -> int:
    """Begin a commit of all recorded changes and return its ticket; the disk does not complete it yet."""
    disk.gate.clear()
    ticket = disk.store.begin_commit()
    assert disk.begun.acquire(timeout=LONG_TIMEOUT)
    return ticket


def test_reads_and_records_do_not_wait_for_a_commit(disk: SlowDisk) -> None:
    store = disk.store
    send(store, 2)
    store.record_request(open_request(1))
    store.record_rows({"a": "1", "b": "2"})
    store.commit()
    send(store, 1)
    store.settle_requests([1])
    store.record_request(open_request(2))
    store.record_rows({"a": None, "c": "3"})
    ticket = begin_held_commit(disk)
    send(store, 1)
    store.advance_incoming(5)
    store.record_rows({"b": "4"})
    assert store.durable < ticket
    assert kept_numbers(store) == [1, 2, 3, 4]
    assert [store.find(number) is not None for number in (2, 3, 4, 5)] == [True, True, True, False]
    assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (5, 5, 1)
    assert store.open_requests() == (open_request(2),)
    assert ([store.row(key) for key in "abc"], store.row_sizes) == ([None, "4", "3"], {"b": 2, "c": 2})
    assert read_summary(store.path).next_outgoing == 3
    disk.gate.set()
    store.commit()
    assert kept_numbers(store) == [1, 2, 3, 4]
    assert read_summary(store.path).next_outgoing == 5


@pytest.mark.parametrize("reset_alone", [True, False])
def test_a_reset_that_is_not_durable_yet_applies_to_reads(disk: SlowDisk, reset_alone: bool) -> None:
    store = disk.store
    generation = store.generation
    send_and_commit(store, 3)
    store.reset()
    if not reset_alone:
        send(store, 1)
    begin_held_commit(disk)
    send(store, 2)
    assert kept_numbers(store) == ([1, 2] if reset_alone else [1, 2, 3])
    assert (store.oldest_kept, store.generation) == (1, generation + 1)
    disk.gate.set()
    store.commit()
    assert kept_numbers(store) == ([1, 2] if reset_alone else [1, 2, 3])


def test_all_changes_recorded_during_a_commit_are_one_transaction(disk: SlowDisk) -> None:
    store = disk.store
    send(store, 1)
    begin_held_commit(disk)
    before, tickets = disk.commits, []
    for number in range(50):
        send(store, 1)
        store.record_request(open_request(number))
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
    expected = (kept_numbers(store), store.open_requests(), store.generation, store.reset_unanswered)
    store.close()
    with open_store(store.path.parent) as again:
        assert (
            kept_numbers(again),
            again.open_requests(),
            again.generation,
            again.reset_unanswered,
        ) == expected


def test_a_store_whose_commit_hangs_cannot_be_closed_or_opened_again(
    disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = disk.store
    monkeypatch.setattr("kalshi_fix_adapters.stores.durable.CLOSE_TIMEOUT", 0.0)
    send(store, 1)
    begin_held_commit(disk)
    with pytest.raises(StoreError, match="a commit did not complete: check the disk"):
        store.close()
    with pytest.raises(StoreError, match="is already in use by this process"):
        open_store(store.path.parent)
    with pytest.raises(StoreError, match="is closed"):
        send(store, 1)
    disk.gate.set()
    assert store._commits.close(LONG_TIMEOUT)
    store._file.close()
    store._lock.release()


class LogMonitor:
    """Records the thread in which a store restarts its log, and holds back the merging of the log."""

    def __init__(self, path: Path) -> None:
        self.threads_by_log: dict[bytes, str] = {}
        """The thread of the first commit of each log, by the salts in its header."""
        self.merging = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        monitor, log = self, path.with_name(f"{path.name}-wal")

        class RecordingConnection(sqlite3.Connection):
            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
                if "wal_checkpoint" in sql and not monitor.gate.is_set():
                    monitor.merging.release()
                    assert monitor.gate.wait(LONG_TIMEOUT)
                found = super().execute(sql, *arguments)
                if sql == "COMMIT":
                    salts = log.read_bytes()[16:24]
                    monitor.threads_by_log.setdefault(salts, threading.current_thread().name)
                return found

        self.store = open_store_with(RecordingConnection, path, sync="normal")


def test_the_sending_thread_never_waits_for_the_log_to_be_merged(tmp_path: Path) -> None:
    monitor = LogMonitor(tmp_path / FILE)
    with monitor.store as store:
        # Writing the header of the first log waits for the disk, too.
        send_and_commit(store, 1)
        monitor.gate.clear()
        size, tickets = store.path.stat().st_size, []
        for _ in range(60):
            send(store, 1, size=100_000)
            tickets.append(store.begin_commit())
        assert monitor.merging.acquire(timeout=LONG_TIMEOUT)
        first = store.durable
        assert tickets[0] <= first < tickets[-1]
        assert store.path.stat().st_size == size
        assert len(kept_numbers(store)) == 61
        monitor.gate.set()
        store.commit()
        assert store.path.stat().st_size > size
        for _ in range(200):
            send(store, 1, size=100_000)
            store.begin_commit()
        store.commit()
        assert len(kept_numbers(store)) == 261
    assert len(monitor.threads_by_log) >= 3
    assert set(monitor.threads_by_log.values()) == {"kalshi-fix-store"}


def test_most_commits_without_a_wait_for_the_disk_need_no_thread(tmp_path: Path) -> None:
    with open_store(tmp_path, sync="normal") as store:
        send_and_commit(store, 1)
        for _ in range(100):
            send(store, 1)
            assert store.begin_commit() == store.durable


def test_a_log_that_another_program_reads_is_merged_later(tmp_path: Path) -> None:
    with open_store(tmp_path, sync="normal") as store:
        send_and_commit(store, 1)
        log = store.path.with_name(f"{FILE}-wal")
        with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM session").fetchone()
            for _ in range(60):
                send_and_commit(store, 1, size=100_000)
            assert log.stat().st_size > 5_000_000
            reader.execute("COMMIT")
        send_and_commit(store, 1)
        assert log.stat().st_size < 1_000_000
        assert len(kept_numbers(store)) == 62
