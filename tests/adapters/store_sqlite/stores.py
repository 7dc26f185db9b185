"""Helpers for the tests of the durable store."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner
from kalshi_fix_adapters.stores.durable import DurableStore
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session import MessageStore, StoredMessage
from tests.helpers import KEY_ID, START

OWNER = StoreOwner(environment="demo", product="prediction", sender_comp_id=KEY_ID, target_comp_id="KalshiRT")
FILE = "store.sqlite3"
ROOT = Path(__file__).resolve().parents[3]
"""The folder from which programs import the modules of the tests."""


def stored_message(number: int, seconds: float = 0, size: int = 0) -> StoredMessage:
    """Return a sent message of at least this size."""
    frame = b"frame %d\x01\x00\xff" % number
    return StoredMessage(
        number, START + timedelta(seconds=seconds, microseconds=number), frame.ljust(size, b".")
    )


def open_request(key: int, number: int = 1, *, uncertain: bool = False) -> OpenRequest:
    """Return a request sent with this number. Its id is one of three, selected by `key`."""
    sent_at = START + timedelta(seconds=number)
    return OpenRequest(f"order-{key % 3}", "D", number, sent_at, b"request %d" % number, key, uncertain)


def send(store: MessageStore, count: int, *, size: int = 0) -> None:
    """Record messages with the next numbers, one second apart."""
    for number in range(store.next_outgoing, store.next_outgoing + count):
        store.record_sent(number, stored_message(number, number, size))


def send_and_commit(store: MessageStore, count: int, *, size: int = 0) -> None:
    """Record messages as `send` does, and wait until they are durable."""
    send(store, count, size=size)
    commit(store)


def kept_numbers(store: MessageStore) -> list[int]:
    """Return the numbers of all messages kept."""
    return [message.seq_num for message in store.sent_between(1, store.next_outgoing)]


def commit(store: MessageStore) -> None:
    """Make everything recorded durable, and wait for it."""
    if isinstance(store, DurableStore):
        store.commit()
    else:
        assert store.begin_commit() <= store.durable


def contents(store: MessageStore) -> tuple[Any, ...]:
    """Return the whole state of a store."""
    return (
        store.next_outgoing,
        store.next_incoming,
        store.oldest_kept,
        store.reset_unanswered,
        tuple(store.sent_between(1, store.next_outgoing)),
        store.open_requests(),
    )


def open_store(path: Path, **options: Any) -> SqliteStore:
    """Open OWNER's store in a file; if `path` is a folder, in its file FILE."""
    return SqliteStore(path / FILE if path.is_dir() else path, owner=OWNER, **options)


def open_store_with(connection: type[sqlite3.Connection], path: Path, **options: Any) -> SqliteStore:
    """Open OWNER's store in this file with a connection class whose behaviour a test controls."""

    class Store(SqliteStore):
        connection_class = connection

    return Store(path, owner=OWNER, **options)


def execute(path: Path, *statements: str) -> list[Any]:
    """Run SQL statements on a file, as another program would; return the first row of the last statement."""
    row: tuple[Any, ...] | None = None
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            row = database.execute(statement).fetchone()
    return list(row or ())


def run_python(program: str, *arguments: str | Path) -> str:
    """Run a program in another process; return its output."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
