"""A store in a SQLite file for one session."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

import attrs

from kalshi_fix_adapters.store_sqlite.failures import FILE_ERRORS, converting_errors, to_store_error
from kalshi_fix_adapters.store_sqlite.file import StoreFile
from kalshi_fix_adapters.store_sqlite.lock import FileLock
from kalshi_fix_adapters.store_sqlite.tables import make_folder
from kalshi_fix_adapters.stores.durable import DurableStore
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.pending import PendingChanges
from kalshi_fix_adapters.stores.retention import Retention
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from kalshi_fix_sansio.session.store import MAX_KEPT_BYTES, StoredMessage

Sync = Literal["full", "normal"]
"""Durability of a commit: "full" survives a loss of power, "normal" only a crash of the process."""


class SqliteStore(DurableStore):
    """A `MessageStore` in a file: one account on one session, one process at a time.

    Changes are kept in memory until `begin_commit`. With `sync="full"` the store's thread writes them as one
    transaction. Changes recorded during this transaction are combined in the next one, and so share one wait
    for the disk. With `sync="normal"` most changes are durable when `begin_commit` returns. The thread writes
    only the commits that may wait for the disk, because they merge the log into the file or begin a new log.
    Incoming numbers are committed immediately, or together with other changes that already require a commit.
    Different threads may use the store one after the other, but not at the same time. A forked child must not
    use the store.

    After a StoreError the store can only be closed. After that, the file can be opened again.

    Args:
        path: the file. A missing file or folder is created, readable by this user only. `store_path` returns
            a separate path for each owner.
        owner: the account and session of the sequence numbers.
        sync: when a commit is durable. "full": once it is on the disk, so a number is never used twice, not
            even after a loss of power. "normal": once it was passed to the operating system. Such a commit
            survives a crash of the process, but a loss of power may revert the last commits.
        max_age: messages that are older than the newest message by more than this are deleted.
        max_messages: maximum number of kept messages; the oldest are deleted.
        max_bytes: maximum total size of the kept messages; the oldest are deleted.
        max_rows: maximum number of the user's rows (`row`).
        max_row_bytes: maximum total size of the keys and texts of these rows, in bytes.

    Raises:
        StoreError: the file is in use, belongs to another owner, is not a store, is damaged, or cannot be
            written.
        ConfigurationError: `sync` or a limit is invalid.
    """

    connection_class: ClassVar[type[sqlite3.Connection]] = sqlite3.Connection

    def __init__(
        self,
        path: str | Path,
        *,
        owner: StoreOwner,
        sync: Sync = "full",
        max_age: timedelta = timedelta(hours=72),
        max_messages: int = 100_000,
        max_bytes: int = MAX_KEPT_BYTES,
        max_rows: int = 100_000,
        max_row_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        if sync not in ("full", "normal"):
            raise ConfigurationError(f"sync must be 'full' or 'normal', not {sync!r}")
        self.path: Path = Path(path).resolve()
        """The path of the file."""
        super().__init__(
            self.path,
            owner,
            max_age,
            max_messages=max_messages,
            max_bytes=max_bytes,
            max_rows=max_rows,
            max_row_bytes=max_row_bytes,
        )
        # Not `converting_errors`: an interrupt at its end would leave the lock held.
        try:
            make_folder(self.path.parent)
            self._lock = FileLock(self.path)
        except OSError as error:
            raise to_store_error(self.path, error) from error
        try:
            self._file = StoreFile(
                self.path, owner, wait_for_disk=sync == "full", connection_class=self.connection_class
            )
        except BaseException as error:
            self._lock.release()
            if isinstance(error, FILE_ERRORS):
                raise to_store_error(self.path, error) from error
            raise
        self._numbers = attrs.evolve(self._file.numbers)
        self._requests = self._file.requests
        self._row_sizes = self._file.row_sizes
        # Only writes to the file change `oldest_kept` and `kept`, so these are read from `_file.numbers`, not
        # from `_numbers`.
        self._retention = Retention(max_age, max_messages, max_bytes, self._file.kept_bytes)

    @property
    def oldest_kept(self) -> int:
        """One more than the MsgSeqNum of the last dropped message. It may increase with each commit, because
        commits drop expired messages.
        """
        restarts_at = self._collect_unwritten().restarts_at
        return self._file.numbers.oldest_kept if restarts_at is None else restarts_at

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id, whether it was answered or not; None if there is none. A
        reset or a change of key does not delete ids. They are kept for `max_age`, and up to `max_messages` of
        them (sometimes 256 more).
        """
        self._check_usable()
        pending = self._collect_unwritten()
        if request_id in pending.sent_requests:
            return pending.sent_requests[request_id]
        with self._reading():
            return self._file.sent_request(request_id)

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""
        return next(iter(self._next_between(seq_num, seq_num)), None)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""
        while messages := self._next_between(begin, end):
            yield from messages
            begin = messages[-1].seq_num + 1

    def row(self, key: str) -> str | None:
        """Return the text of a row; None if there is no such row."""
        self._check_usable()
        pending = self._collect_unwritten()
        if key in pending.rows:
            return pending.rows[key]
        with self._reading():
            return self._file.row(key) if key in self._row_sizes else None

    def _may_wait(self) -> bool:
        """Return whether the next commit may wait for the disk."""
        return self._file.may_wait

    def _write(self, pending: PendingChanges) -> None:
        """Write changes to the file: in the commit thread or, if the write does not wait for the disk, in the
        caller's thread.
        """
        with converting_errors(self.path):
            self._lock.check()
            self._file.write(pending, self._retention)

    def _release(self) -> None:
        self._file.close()
        self._lock.release()

    def _collect_unwritten(self) -> PendingChanges:
        """Return all changes that may still be missing from the file.

        Call this before reading the file. If a commit completes between the two steps, its changes are then
        found twice; if the file were read first, they could be missed.
        """
        unwritten = PendingChanges()
        for pending in (*self._commits.pending(), self._pending):
            unwritten.merge(pending)
        return unwritten

    def _next_between(self, begin: int, end: int) -> list[StoredMessage]:
        """Return some messages from `begin` to `end` inclusive, starting with the first; an empty list if
        there are none.
        """
        self._check_usable()
        begin, end = max(begin, self.oldest_kept), min(end, self._numbers.next_outgoing - 1)
        if begin > end:
            return []
        pending = self._collect_unwritten()
        with self._reading():
            messages = [] if pending.restarts_at is not None else self._file.messages(begin, end)
        # Pending messages have higher numbers than all messages in the file, so they are last.
        return messages or list(pending.sent_between(begin, end))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Read the file; after an error, raise StoreError and mark this store as unusable."""
        try:
            with converting_errors(self.path):
                yield
        except StoreError as error:
            self._unusable = str(error)
            raise
