"""Inspection of a store's file, even while a session in another process has it open."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kalshi_fix_adapters.store_sqlite.failures import FILE_ERRORS, to_store_error
from kalshi_fix_adapters.store_sqlite.mark import check_mark, read_mark
from kalshi_fix_adapters.store_sqlite.tables import connect, read_requests, read_session
from kalshi_fix_adapters.stores.rows import (
    JOURNAL_COLUMNS,
    MESSAGE_COLUMNS,
    DamagedRowError,
    journal_text,
    message_of,
)
from kalshi_fix_adapters.stores.summary import StoreSummary, summarize
from kalshi_fix_sansio.errors import StoreError

_FIRST_OR_LAST_MESSAGE = (
    f"SELECT {MESSAGE_COLUMNS} FROM sent WHERE seq_num >= ? ORDER BY seq_num {{}} LIMIT 1"
)
_COUNT_ROWS = "SELECT COUNT(*), IFNULL(SUM(LENGTH(CAST(key AS BLOB)) + LENGTH(value)), 0) FROM journal"
_LAST_ROWS = f"SELECT {JOURNAL_COLUMNS} FROM journal ORDER BY key DESC LIMIT ?"
_INSTRUCTIONS_PER_CALL: Final = 1_000_000
"""Instructions of SQLite's virtual machine between two calls to `on_progress`; they take a few hundredths of
a second.
"""


def read_summary(
    path: str | Path, *, rows: int = 0, on_progress: Callable[[], None] | None = None
) -> StoreSummary:
    """Read the content of a store, and check the whole file for damage.

    A session that has the file open is not affected, and the file is not changed.

    Args:
        path: the file.
        rows: the maximum number of the user's rows to read; the last ones by key are read.
        on_progress: called repeatedly while the file is read and checked, which takes seconds for a large
            file. It must not raise exceptions.

    Raises:
        StoreError: the file does not exist, is not a store, is damaged or an older copy, or cannot be read.
        KeyboardInterrupt: Ctrl-C was pressed during a call to `on_progress`.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise StoreError(f"there is no file {path}")
    try:
        mark = read_mark(path)
        with contextlib.closing(connect(path, "ro")) as database:
            # One transaction, so that all queries see the same commit.
            database.execute("BEGIN")
            if on_progress is not None:
                database.set_progress_handler(on_progress, _INSTRUCTIONS_PER_CALL)
            return _read(path, mark, database, rows)
    except FILE_ERRORS as error:
        # SQLite reports an interrupt this way when Python handles Ctrl-C in `on_progress`.
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None
        raise to_store_error(path, error) from error


def _read(path: Path, mark: bytes | None, database: sqlite3.Connection, rows: int) -> StoreSummary:
    owner, numbers = read_session(path, database)
    if read_mark(path) == mark:  # otherwise another process is writing to the store
        check_mark(path, mark, numbers)
    [problem] = database.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise DamagedRowError(problem)
    first_and_last = [
        message_of(row)
        for order in ("ASC", "DESC")
        for row in database.execute(_FIRST_OR_LAST_MESSAGE.format(order), (numbers.oldest_kept,))
    ]
    count, size = database.execute(_COUNT_ROWS).fetchone()
    last = [(row[0], journal_text(row)) for row in database.execute(_LAST_ROWS, (rows,))]
    requests = read_requests(database)
    return summarize(owner, numbers, first_and_last, requests, rows=count, row_bytes=size, last_rows=last)
