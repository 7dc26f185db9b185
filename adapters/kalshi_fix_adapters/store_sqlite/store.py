"""The store of a session in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from os import getpid
from pathlib import Path
from typing import ClassVar, Literal, NoReturn, Self

import attrs

from kalshi_fix_adapters.store_sqlite.failures import FILE_ERRORS, explain
from kalshi_fix_adapters.store_sqlite.file import StoreFile
from kalshi_fix_adapters.store_sqlite.lock import FileLock
from kalshi_fix_adapters.store_sqlite.pending import Pending
from kalshi_fix_adapters.store_sqlite.retention import Retention
from kalshi_fix_adapters.store_sqlite.rows import LARGEST_NUMBER, Numbers
from kalshi_fix_adapters.store_sqlite.tables import make_folder
from kalshi_fix_adapters.stores.commits import CommitThread
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import MAX_KEPT_BYTES, StoredMessage

Sync = Literal["full", "normal"]
"""Durability of a commit: "full" survives a loss of power, "normal" a crash of the process."""
CLOSING = 5.0
"""Seconds that `close` waits for a commit that the disk does not complete."""


def _do_nothing() -> None:
    """Be the `on_commit` of a store without a user."""


class SqliteStore:
    """A `MessageStore` in a file: one account on one session, one process at a time.

    Changes are kept in memory until `begin_commit`. With `sync="full"` a thread of the store writes them as
    one transaction; all that is recorded meanwhile shares the next one, and so one wait for the disk. With
    `sync="normal"` most are durable when `begin_commit` returns; the thread writes those that begin a new
    log, which waits for the disk. Incoming numbers are committed at once
    unless other changes await a commit. Different threads may use the store one after the other, but not at
    the same time, and not in a forked child.

    After a StoreError the store can only be closed, and the file opened again.

    Args:
        path: the file; it and its folder are created if missing, readable by this user only.
            `store_path` returns one for each owner.
        owner: the account and session of the sequence numbers.
        sync: "full": a commit is durable once it is on the disk, so not even a loss of power causes a
            number to be used twice. "normal": once it was passed to the operating system, which survives a
            crash of the process; a loss of power may revert the last commits.
        max_age: messages older than this are deleted, except the newest.
        max_messages: beyond this number the oldest messages are deleted.
        max_bytes: beyond this many bytes of messages the oldest are deleted.
        max_rows: maximum number of rows of the user (`row`).
        max_row_bytes: maximum number of bytes of their keys and texts.

    Raises:
        StoreError: the file is in use, of another owner, of another kind, damaged, or cannot be written.
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
        if max_age < timedelta(0) or min(max_messages, max_bytes, max_rows, max_row_bytes) < 0:
            raise ConfigurationError("max_age and the other limits must not be negative")
        self._owner = owner
        self.max_rows: int = max_rows
        self.max_row_bytes: int = max_row_bytes
        self._pid = getpid()
        self._unusable = ""
        self._closed = False
        self._pending = Pending()
        self.on_commit: Callable[[], object] = _do_nothing
        self._commits = CommitThread(self._write, self._notify, lambda: self._file.may_wait)
        self._path = Path(path).resolve()
        try:
            make_folder(self._path.parent)
            self._lock = FileLock(self._path)
        except OSError as error:
            raise explain(self._path, error) from error
        try:
            self._file = StoreFile(
                self._path, owner, wait_for_disk=sync == "full", connection_class=self.connection_class
            )
        except BaseException as error:
            self._lock.release()
            if isinstance(error, FILE_ERRORS):
                raise explain(self._path, error) from error
            raise
        self._numbers = attrs.evolve(self._file.numbers)
        """With the uncommitted changes. Those of the kept messages are `_file`'s."""
        self._retention = Retention(
            max_age, max_messages, max_bytes, self._numbers.oldest_kept, self._file.kept_bytes
        )

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._path

    @property
    def owner(self) -> StoreOwner:
        """The owner of the numbers."""
        return self._owner

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message to be sent."""
        return self._numbers.next_outgoing

    @property
    def next_incoming(self) -> int:
        """The lowest MsgSeqNum of the peer whose message the user has not confirmed."""
        return self._numbers.next_incoming

    @property
    def oldest_kept(self) -> int:
        """The lowest number whose sent message is known; messages are deleted at a commit."""
        restarts_at = self._unwritten().restarts_at
        return self._file.numbers.oldest_kept if restarts_at is None else restarts_at

    @property
    def generation(self) -> int:
        """The number of resets since the file was created, for each key."""
        return self._numbers.generation

    @property
    def durable(self) -> int:
        """The last ticket of `begin_commit` whose changes are written, with the durability of `sync`.

        Raises:
            StoreError: they could not be written.
        """
        return self._commits.durable

    @property
    def reset_unanswered(self) -> bool:
        """Whether a reset was sent that the peer has not answered: the next logon has to reset as well."""
        return self._numbers.reset_unanswered

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Use up `seq_num` (the value of `next_outgoing`), and keep the message unless it is None."""
        self._check_usable()
        if seq_num != self._numbers.next_outgoing:
            self._give_up(f"number {seq_num} was to be taken, but {self._numbers.next_outgoing} comes next")
        if seq_num >= LARGEST_NUMBER:
            self._give_up(f"there are no numbers beyond {LARGEST_NUMBER}: log on again with a reset")
        self._numbers.next_outgoing = seq_num + 1
        self._pending.take(seq_num, message)

    def advance_incoming(self, next_incoming: int) -> None:
        """All messages before this number have been processed. Only `reset` decreases it."""
        self._check_usable()
        if next_incoming <= self._numbers.next_incoming:
            return
        if next_incoming > LARGEST_NUMBER:
            self._give_up(f"the peer's number {next_incoming} is too large: log on again with a reset")
        self._numbers.next_incoming = next_incoming
        self._pending.is_empty = False
        # If bytes wait to be sent, the commit that they need includes this.
        if not self._pending.must_last:
            self.begin_commit()

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1 and delete all messages, but not the open requests."""
        self._check_usable()
        self._numbers = Numbers(reset_unanswered=unanswered, generation=self._numbers.generation + 1)
        self._pending.restart(oldest_kept=1)

    def reset_answered(self) -> None:
        """Record that the peer has confirmed the reset."""
        self._check_usable()
        self._numbers.reset_unanswered = False
        # Losing this would cause another reset, and the loss of the messages that the peer has sent since.
        self._pending.is_empty, self._pending.must_last = False, True

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Set both numbers, regardless of the previous ones. If the outgoing number changes, all messages are
        deleted. Only for a user who knows that the peer expects these numbers, and while no session uses the
        store.

        Raises:
            ValueError: a number is below 1, or too large for the file.
        """
        self._check_usable()
        if min(next_outgoing, next_incoming) < 1 or max(next_outgoing, next_incoming) > LARGEST_NUMBER:
            raise ValueError(f"sequence numbers start at 1 and end at {LARGEST_NUMBER}")
        if next_outgoing != self._numbers.next_outgoing:
            self._numbers = Numbers(next_outgoing, generation=self._numbers.generation + 1)
            self._pending.restart(oldest_kept=next_outgoing)
        self._numbers.next_incoming = next_incoming
        self._numbers.reset_unanswered = False
        self._pending.renumber()

    def record_request(self, request: OpenRequest) -> None:
        """Keep a request with an unknown outcome; one with the same `key` is replaced."""
        self._check_usable()
        self._pending.record_request(request)
        # Otherwise it was sent before, and its record is replaced because more is known.
        if request.seq_num + 1 == self._numbers.next_outgoing:
            self._pending.note_sent(
                SentRequest(
                    request.request_id, request.msg_type, request.seq_num, self.generation, request.sent_at
                )
            )

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id, whether it is answered or not. Ids are kept through
        resets and changes of the key, for `max_age` and up to `max_messages` of them (and 256 more)."""
        self._check_usable()
        pending = self._unwritten()
        if request_id in pending.sent_requests:
            return pending.sent_requests[request_id]
        try:
            return self._file.sent_request(request_id)
        except FILE_ERRORS as error:
            self._give_up(error)

    def settle_requests(self, keys: Iterable[int]) -> None:
        """Delete requests whose outcome is known, or was reported to the user as unknown."""
        self._check_usable()
        self._pending.settle(keys)

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""
        return next(iter(self._some_between(seq_num, seq_num)), None)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""
        while some := self._some_between(begin, end):
            yield from some
            begin = some[-1].seq_num + 1

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Return the requests that were recorded and not settled, in the order of their keys."""
        self._check_usable()
        pending = self._unwritten()
        try:
            written = self._file.requests()
        except FILE_ERRORS as error:
            self._give_up(error)
        found = {request.key: request for request in written if request.key not in pending.settled}
        found |= pending.requests
        return tuple(found[key] for key in sorted(found))

    # Rows of the user

    @property
    def row_sizes(self) -> dict[str, int]:
        """The size in bytes of each row including its key, by key."""
        pending = self._unwritten()
        sizes = dict(self._file.row_sizes)
        pending.resize(sizes)
        return sizes

    def row(self, key: str) -> str | None:
        """Return the text of a row; None if there is none."""
        self._check_usable()
        pending = self._unwritten()
        if key in pending.rows:
            return pending.rows[key]
        try:
            return self._file.row(key) if key in self._file.row_sizes else None
        except FILE_ERRORS as error:
            self._give_up(error)

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        """Store texts by key, and delete rows whose text is None, with the next commit."""
        self._check_usable()
        self._pending.note(rows)

    def begin_commit(self) -> int:
        """Begin to write the recorded changes, and return their ticket: see `durable`."""
        self._check_usable()
        pending = self._pending
        if pending.is_empty:
            return self._commits.begun
        pending.numbers = attrs.evolve(self._numbers)
        self._pending = Pending()
        return self._commits.add(pending)

    def commit(self) -> None:
        """Write the recorded changes and wait until they are durable, for a program without a session.

        Raises:
            StoreError: they could not be written. Earlier commits are safe.
        """
        self._commits.wait(self.begin_commit())

    def _notify(self) -> None:
        self.on_commit()

    def _write(self, pending: Pending) -> None:
        """Write changes to the file, in the thread for commits unless it waits for no disk."""
        try:
            self._lock.check()
            self._file.write(pending, self._retention)
        except FILE_ERRORS as error:
            raise explain(self._path, error) from error

    def _unwritten(self) -> Pending:
        """Return all changes that may not be in the file.

        Called before the file is read: a commit that completes in between is found in both.
        """
        found = Pending()
        for each in (*self._commits.waiting(), self._pending):
            found.merge(each)
        return found

    def close(self) -> None:
        """Commit the recorded changes and release the file. Calling it again has no effect.

        Raises:
            StoreError: the last commit failed; the file is closed nevertheless. Or it was not completed
                within `CLOSING` seconds: the file stays locked until this process ends.
        """
        if self._closed:
            return
        self._closed = True
        if getpid() != self._pid:
            return  # The parent's file and lock; a child must not touch them.
        try:
            # Otherwise a caller knows already that the last commits are lost.
            if not self._unusable and not self._commits.is_reported:
                self._commits.raise_error()
                self._commits.wait(self.begin_commit(), CLOSING)
        finally:
            self._unusable = self._unusable or f"{self._path} is closed"
            if not self._commits.close(CLOSING):
                raise StoreError(
                    f"{self._path} could not be closed, because the disk has not completed a commit: look "
                    "whether it is failing, and end this process before the file is opened again"
                )
            self._file.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _some_between(self, begin: int, end: int) -> list[StoredMessage]:
        """Return the first messages from `begin` to `end` inclusive; none if there are none."""
        self._check_usable()
        begin, end = max(begin, self.oldest_kept), min(end, self._numbers.next_outgoing - 1)
        if begin > end:
            return []
        pending = self._unwritten()
        try:
            found = [] if pending.restarts_at is not None else self._file.messages(begin, end)
        except FILE_ERRORS as error:
            self._give_up(error)
        # Pending messages have higher numbers than all messages in the file, so they are last.
        return found or list(pending.sent_between(begin, end))

    def _check_usable(self) -> None:
        unusable = self._unusable or self._commits.error
        if unusable:
            self._commits.is_reported = True
            raise StoreError(f"{unusable} (close this store and open the file again)")
        if getpid() != self._pid:
            raise StoreError(
                f"{self._path} was opened by process {self._pid}, before a fork: open a store in the process "
                "that uses it"
            )

    def _give_up(self, why: str | sqlite3.Error | OSError | UnicodeDecodeError) -> NoReturn:
        """End the use of this store."""
        error = StoreError(f"{self._path}: {why}") if isinstance(why, str) else explain(self._path, why)
        self._unusable = str(error)
        raise error from (None if isinstance(why, str) else why)
