"""The tables of a store file, the creation of a new file, and the checks of an existing file before use.

`user_version` is the version of the layout. A file with another version is refused and left unchanged,
because no other version has been released.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from itertools import takewhile
from pathlib import Path

import attrs

from kalshi_fix_adapters.store_sqlite.failures import START_OVER
from kalshi_fix_adapters.store_sqlite.mark import mark_path
from kalshi_fix_adapters.stores import rows
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest

APPLICATION_ID = int.from_bytes(b"kFIX", "big")
VERSION = 4

_TABLES = f"""
BEGIN;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE session (
    environment TEXT NOT NULL,
    product TEXT NOT NULL,
    sender_comp_id TEXT NOT NULL,
    target_comp_id TEXT NOT NULL,
    next_outgoing INTEGER NOT NULL,
    next_incoming INTEGER NOT NULL,
    oldest_kept INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    reset_unanswered INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    check_sum INTEGER NOT NULL
);
CREATE TABLE sent (
    seq_num INTEGER PRIMARY KEY,
    sent_at INTEGER NOT NULL,
    frame BLOB NOT NULL,
    check_sum INTEGER NOT NULL
);
CREATE TABLE request (
    key INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    msg_type TEXT NOT NULL,
    seq_num INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    uncertain INTEGER NOT NULL,
    frame BLOB NOT NULL,
    check_sum INTEGER NOT NULL
);
CREATE TABLE journal (key TEXT PRIMARY KEY, value TEXT NOT NULL, check_sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sent_request (
    number INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    msg_type TEXT NOT NULL,
    seq_num INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    check_sum INTEGER NOT NULL
);
"""
_EARLIER_KEYS = """
    CREATE TABLE IF NOT EXISTS earlier_key (
        sender_comp_id TEXT PRIMARY KEY,
        next_outgoing INTEGER NOT NULL,
        next_incoming INTEGER NOT NULL,
        reset_unanswered INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        check_sum INTEGER NOT NULL
    ) WITHOUT ROWID
"""
_REQUESTS = f"SELECT {rows.REQUEST_COLUMNS} FROM request ORDER BY key"
_INSERT_SESSION = "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT_SESSION = f"SELECT {rows.SESSION_COLUMNS} FROM session"
REPLACE_REQUEST = "INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
BUSY_SECONDS = 5.0
"""Maximum number of seconds that a commit or an inspection waits for another program that uses the file."""


def create(path: Path, owner: StoreOwner) -> None:
    """Create an empty store.

    The file gets its name only once it is complete and on the disk, so an empty file with this name is
    damaged rather than new.

    Raises:
        StoreError: the write-ahead log of a missing store file exists.
        sqlite3.Error, OSError: the file cannot be created.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(
            f"{path} is missing, but {log.name} next to it exists: restore {path.name}, or move "
            f"{log.name} away too and log on again with a reset"
        )
    # The `.mark` file of a store that was moved away does not apply to the new store.
    mark_path(path).unlink(missing_ok=True)
    new_path = path.with_name(path.name + ".new")
    for suffix in ("", "-wal", "-shm"):
        new_path.with_name(new_path.name + suffix).unlink(missing_ok=True)
    os.close(os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(new_path, isolation_level=None)) as database:
        # SQLite need not wait for the disk: no other process uses the file before `replace`, and `sync` below
        # waits.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_TABLES)
        database.execute(_INSERT_SESSION, (*rows.owner_row(owner), *rows.numbers_row(owner, rows.Numbers())))
        database.execute("COMMIT")
    # A closed database has no log, so the file is complete without the files next to it.
    sync(new_path)
    new_path.replace(path)
    sync(path.parent)


def connect(
    path: Path, mode: str, connection_class: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """Open an existing file. `mode` is "rw" or "ro", as defined by SQLite. Transactions are explicit."""
    database = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        factory=connection_class,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )
    # Text that is not UTF-8 is accepted here, because the checksum of the row detects the damage. The sqlite3
    # module would raise an error that contains the text.
    database.text_factory = _decode_text
    return database


def read_session(path: Path, database: sqlite3.Connection) -> tuple[StoreOwner, rows.Numbers]:
    """Return the owner of the store, and its numbers.

    Raises:
        StoreError: the file belongs to another program, or has a layout that this version does not support.
        DamagedRowError: the checksum of the row is wrong, or the row is missing.
        sqlite3.Error: the file is not a database, is damaged, or cannot be read.
    """
    application_id = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application_id != APPLICATION_ID:
        raise StoreError(
            f"{path} is empty or belongs to another program: choose another file; if it was a store, "
            f"{START_OVER}"
        )
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of kalshi-fix-sansio (layout {version}; this version "
            f"supports {VERSION}): update the library, or choose another file"
        )
    if version != VERSION:
        raise StoreError(f"{path} has unknown layout version {version}: {START_OVER}")
    return rows.session_of(database.execute(_SELECT_SESSION).fetchone())


def read_requests(database: sqlite3.Connection) -> list[OpenRequest]:
    """Return the open requests, in the order of their keys.

    Raises:
        DamagedRowError: the checksum of a request is wrong.
        sqlite3.Error: the requests cannot be read.
    """
    return list(map(rows.request_of, database.execute(_REQUESTS)))


def change_key(database: sqlite3.Connection, owner: StoreOwner) -> rows.Numbers:
    """Move a store to another API key, in one transaction; return its numbers.

    Sequence numbers and kept messages belong to one key. The numbers of the old key are kept in case the key
    is used again, but its messages are deleted. Open requests become uncertain, because the venue sends their
    answers to the old key. The user's rows are kept.

    Raises:
        DamagedRowError: the checksum of a row is wrong, or a row is missing. The file is unchanged.
        sqlite3.Error: the file is damaged, or cannot be written to. It is unchanged.
    """
    old, numbers = rows.session_of(database.execute(_SELECT_SESSION).fetchone())
    requests = [attrs.evolve(request, uncertain=True) for request in read_requests(database)]
    database.execute("BEGIN IMMEDIATE")
    database.execute(_EARLIER_KEYS)
    database.execute(
        "INSERT OR REPLACE INTO earlier_key VALUES (?, ?, ?, ?, ?, ?)", rows.earlier_key_row(old, numbers)
    )
    row = database.execute(
        f"SELECT {rows.EARLIER_KEY_COLUMNS} FROM earlier_key WHERE sender_comp_id = ?",
        (owner.sender_comp_id,),
    )
    numbers = rows.numbers_of_earlier_key(row.fetchone())
    database.executemany(REPLACE_REQUEST, list(map(rows.request_row, requests)))
    database.execute("DELETE FROM sent")
    database.execute("DELETE FROM session")
    database.execute(_INSERT_SESSION, (*rows.owner_row(owner), *rows.numbers_row(owner, numbers)))
    database.execute("COMMIT")
    return numbers


def check_rows(database: sqlite3.Connection) -> None:
    """Verify the checksums of the user's rows.

    Raises:
        DamagedRowError: the checksum of a row is wrong.
        sqlite3.Error: a row cannot be read.
    """
    for row in database.execute(f"SELECT {rows.JOURNAL_COLUMNS} FROM journal"):
        rows.journal_text(row)


def _decode_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, accessible by this user only. Each new name is synced to the
    disk, so the folders survive a loss of power.
    """
    missing = list(takewhile(lambda folder: not folder.is_dir(), (path, *path.parents)))
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of entries, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows writes new names to the disk at once, and does not allow a program to open a folder.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
