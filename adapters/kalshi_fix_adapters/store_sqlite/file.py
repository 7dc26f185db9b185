"""The open file of a store: its queries, and the transaction that writes a commit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import attrs

from kalshi_fix_adapters.store_sqlite import tables
from kalshi_fix_adapters.store_sqlite.mark import Mark, check_mark, read_mark
from kalshi_fix_adapters.stores import rows
from kalshi_fix_adapters.stores.keys import key_changed
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.pending import PendingChanges
from kalshi_fix_adapters.stores.retention import Retention
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage

_LOG_LIMIT = 4 * 1024 * 1024
"""Size in bytes beyond which the write-ahead log is merged into the file and restarted."""
_MAX_PER_QUERY = 64
"""Maximum number of messages that one query reads for a resend."""

_FIND_MESSAGES = f"""
    SELECT {rows.MESSAGE_COLUMNS} FROM sent WHERE seq_num BETWEEN ? AND ? ORDER BY seq_num LIMIT ?
"""
_KEPT_BYTES = "SELECT COALESCE(SUM(LENGTH(frame)), 0) FROM sent WHERE seq_num >= ?"
_INSERT_MESSAGE = "INSERT INTO sent VALUES (?, ?, ?, ?)"
_SIZES = "SELECT seq_num, sent_at, LENGTH(frame) FROM sent WHERE seq_num >= ? ORDER BY seq_num LIMIT ?"
_DELETE_MESSAGES_BELOW = "DELETE FROM sent WHERE seq_num < ?"
_DELETE_REQUEST = "DELETE FROM request WHERE key = ?"
_REPLACE_ROW = "INSERT OR REPLACE INTO journal VALUES (?, ?, ?)"
_DELETE_ROW = "DELETE FROM journal WHERE key = ?"
_FIND_ROW = f"SELECT {rows.JOURNAL_COLUMNS} FROM journal WHERE key = ?"
_REPLACE_ID = f"INSERT OR REPLACE INTO sent_request ({rows.SENT_REQUEST_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_FIND_ID = f"SELECT {rows.SENT_REQUEST_COLUMNS} FROM sent_request WHERE request_id = ?"
_DELETE_EXCESS_IDS = "DELETE FROM sent_request WHERE number <= (SELECT MAX(number) FROM sent_request) - ?"
_DELETE_OLD_IDS = """
    DELETE FROM sent_request
    WHERE number < (SELECT number FROM sent_request WHERE sent_at >= ? ORDER BY number LIMIT 1)
"""
_ROW_SIZES = "SELECT key, LENGTH(CAST(key AS BLOB)) + LENGTH(value) FROM journal"
_UPDATE_NUMBERS = f"""
    UPDATE session SET ({rows.NUMBER_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?)
    WHERE ({rows.NUMBER_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?)
"""


class StoreFile:
    """The SQLite database of a store, opened for its owner, and created if it is missing.

    With `wait_for_disk`, every commit that must survive a loss of power waits for the disk. Otherwise only a
    commit that merges the log into the file, or begins a new log, waits (`may_wait`).

    Raises:
        StoreError: the file belongs to another owner, is not a store, or cannot be created.
        sqlite3.Error: the file cannot be read. Every method may raise this.
    """

    def __init__(
        self,
        path: Path,
        owner: StoreOwner,
        *,
        wait_for_disk: bool,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        if not path.exists():
            tables.create(path, owner)
        self._owner = owner
        mark = read_mark(path)
        self._database = tables.connect(path, "rw", connection_class)
        """The connection for `write`, which may wait for the disk. Reads use `_reader`, so they do not
        wait.
        """
        try:
            self.numbers: rows.Numbers
            found, self.numbers = tables.read_session(path, self._database)
            # None if the file belongs to another owner, True if to another API key of this owner.
            changed = key_changed(owner, found)
            if changed is None:
                raise StoreError(
                    f"{path} belongs to {found}, not to {owner}: use one file for each, as store_path does"
                )
            check_mark(path, mark, self.numbers)
            # On macOS fsync leaves data in the cache of the drive; other systems ignore this setting.
            self._database.execute("PRAGMA fullfsync = ON")
            self._database.execute("PRAGMA cell_size_check = ON")
            if wait_for_disk:
                self._database.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")
            else:
                # By default, SQLite may merge the log in any commit. Here, `write` merges it when `may_wait`
                # is set. With a limit of 0, a restarted log is truncated to its content, so that `write` can
                # measure the log.
                self._database.execute("PRAGMA wal_autocheckpoint = 0")
                self._database.execute("PRAGMA journal_size_limit = 0")
            if self._database.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                raise StoreError(f"{path} cannot have a write-ahead log: put it on a local disk")
            cursor = self._database.execute(_KEPT_BYTES, (self.numbers.oldest_kept,))
            self.kept_bytes: int = cursor.fetchone()[0]
            """Total size of the kept messages in bytes when the file was opened."""
            self._mark = Mark(path)
            if changed:
                # The mark is cleared before the transaction, as in `write`, because the new numbers may be
                # lower.
                self._mark.clear()
                self.numbers = tables.change_key(self._database, owner)
                self.kept_bytes = 0
            self.requests: dict[int, OpenRequest] = {
                request.key: request for request in tables.read_requests(self._database)
            }
            """The open requests, by key, when the file was opened."""
            self.row_sizes: dict[str, int] = dict(self._database.execute(_ROW_SIZES))
            """Sizes of the user's rows in bytes, by key, when the file was opened."""
            self._reader = tables.connect(path, "ro", connection_class)
        except BaseException:
            self._database.close()
            raise
        self._path = path
        self._log_path = path.with_name(path.name + "-wal")
        self._wait_for_disk = wait_for_disk
        self._log_limit = _LOG_LIMIT
        self.may_wait: bool = True
        """Whether the next `write` may wait for the disk. Always True with `wait_for_disk`. Otherwise it is
        True when the log must be merged, or when the log is new, because SQLite flushes the header of a new
        log to the disk.
        """
        self._row = rows.numbers_row(owner, self.numbers)
        """The row of numbers that this object last read from the file or wrote to it."""
        self._is_synchronous: bool | None = None
        """Whether SQLite's current setting makes each commit wait for the disk; None before the first commit.
        """

    def messages(self, begin: int, end: int) -> list[StoredMessage]:
        """Return the first messages from `begin` to `end` inclusive, at most `_MAX_PER_QUERY`, in order."""
        cursor = self._reader.execute(_FIND_MESSAGES, (begin, end, _MAX_PER_QUERY))
        return [rows.message_of(row) for row in cursor.fetchall()]

    def row(self, key: str) -> str:
        """Return the text of one of the user's rows, which must exist."""
        return rows.journal_text(self._reader.execute(_FIND_ROW, (key,)).fetchone())

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id."""
        row = self._reader.execute(_FIND_ID, (request_id,)).fetchone()
        return None if row is None else rows.sent_request_of(row)

    def write(self, pending: PendingChanges, retention: Retention) -> None:
        """Write the recorded changes and delete expired messages, in one transaction.

        Raises:
            StoreError: another program has written to the file. The changes were not written.
            DamagedRowError: messages that should be kept are missing.
            OSError: the mark or the size of the write-ahead log cannot be read or written.
        """
        database, current = self._database, self.numbers
        wait_for_disk = self._wait_for_disk and pending.must_be_durable
        if self.may_wait and not self._wait_for_disk:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        numbers = attrs.evolve(pending.numbers or current, oldest_kept=current.oldest_kept, kept=current.kept)
        # The mark is cleared before the transaction. Otherwise, if the process died after the transaction, a
        # mark with the old, higher numbers would make the file look damaged.
        if pending.renumbered:
            self._mark.clear()
        if wait_for_disk is not self._is_synchronous:
            # SQLite accepts this setting only between transactions. It applies to all later transactions.
            database.execute(f"PRAGMA synchronous = {'FULL' if wait_for_disk else 'NORMAL'}")
            self._is_synchronous = wait_for_disk
        # After an exception below, no ROLLBACK is needed, because the store can then only be closed, and
        # closing it rolls back.
        database.execute("BEGIN IMMEDIATE")
        # Delete the messages sent before the reset; the messages sent after it are inserted below.
        if pending.restarts_at is not None:
            numbers.oldest_kept, numbers.kept = pending.restarts_at, 0
            retention.restart()
            database.execute("DELETE FROM sent")
        if pending.sent:
            sent = [rows.message_row(seq_num, message) for seq_num, message in pending.sent.items()]
            database.executemany(_INSERT_MESSAGE, sent)
            for message in pending.sent.values():
                retention.apply(numbers, rows.microseconds(message.sent_at), len(message.frame), self._sizes)
        if retention.must_delete_rows(numbers.oldest_kept):
            database.execute(_DELETE_MESSAGES_BELOW, (numbers.oldest_kept,))
        if pending.settled:
            keys = [(key,) for key in pending.settled]
            database.executemany(_DELETE_REQUEST, keys)
        if pending.requests:
            requests = list(map(rows.request_row, pending.requests.values()))
            database.executemany(tables.REPLACE_REQUEST, requests)
        if pending.sent_requests:
            ids = pending.sent_requests.values()
            database.executemany(_REPLACE_ID, list(map(rows.sent_request_row, ids)))
            since = retention.record_ids(ids)
            if since is not None:
                database.execute(_DELETE_EXCESS_IDS, (retention.max_messages,))
                database.execute(_DELETE_OLD_IDS, (since,))
        if pending.rows:
            database.executemany(_DELETE_ROW, [(key,) for key, text in pending.rows.items() if text is None])
            texts = [rows.journal_row(key, text) for key, text in pending.rows.items() if text is not None]
            database.executemany(_REPLACE_ROW, texts)
        row = rows.numbers_row(self._owner, numbers)
        if database.execute(_UPDATE_NUMBERS, (*row, *self._row)).rowcount != 1:
            database.execute("ROLLBACK")
            raise StoreError(
                f"{self._path} was written by another process while this one had it open; nothing more is "
                "written: end the other process, then open the store again"
            )
        database.execute("COMMIT")
        self._row, self.numbers = row, numbers
        if not self._wait_for_disk:
            # Another program that reads the file may have prevented the merge of the log. The next commit
            # then tries again.
            self.may_wait = self._log_path.stat().st_size > self._log_limit
        # The mark is written after the commit. If the process died before the commit, a newer mark would make
        # the file look damaged.
        self._mark.record(numbers, durable=wait_for_disk)

    def _sizes(self, begin: int, count: int) -> sqlite3.Cursor:
        """Return the number, time and size of each of the first `count` messages from `begin`."""
        return self._database.execute(_SIZES, (begin, count))

    def close(self) -> None:
        """Close the file; SQLite merges the log into it."""
        self._mark.close()
        self._reader.close()
        self._database.close()
