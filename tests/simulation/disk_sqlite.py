"""The SQLite store on a disk that loses unsynced data, compared with the simulated store at every step.

Every change is applied to both. After a crash or a power loss the file is opened again. Its content must
then equal the state of the simulated store after the last durable change, or after a later change.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import Any

from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session import StoredMessage
from tests.adapters.store_sqlite import power_loss
from tests.simulation import bounds
from tests.simulation.disk import Disk, DiskStore, Entry
from tests.simulation.orders import Key
from tests.simulation.violation import Violation

OWNER = StoreOwner(environment="demo", product="prediction", sender_comp_id="key", target_comp_id="KalshiRT")
_MEMORY = Path("/dev/shm")


class SqliteDisk(Disk):
    """The files of one side's store, and their expected content."""

    def __init__(self, *, synced: bool, keep: int) -> None:
        super().__init__(synced=synced, keep=keep)
        self.folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.incarnation = 0
        self.remains: power_loss.Files | None = None
        """The files that the previous process left behind."""
        self.initial_log_length = 0
        """The length of the log when the current process started."""
        self.power_lost = False
        """Whether the previous process ended with a power loss."""
        self.uncommitted: list[Entry] = []
        """Changes that the previous process had recorded but not committed."""

    def open(self) -> MirroredStore:
        self.incarnation += 1
        path = self.folder / f"{self.incarnation}.sqlite3"
        if self.remains is not None:
            self.remains.write(path)
        limits = {"max_messages": self.keep, "max_bytes": bounds.KEPT_BYTES_PER_MESSAGE * self.keep}
        real = power_loss.Disk(path, checkpoint_pages=8, remember=False)
        store = real.open(OWNER, sync="full" if self.synced_at_once else "normal", **limits)
        if self.remains is not None:
            failure, self.failure = self.failure, None
            self._find(store)
            self.failure = failure
        return MirroredStore(self, DiskStore(self), store, real)

    def _find(self, store: SqliteStore) -> None:
        """Determine how many of the changes the file contains."""
        promised = len(self.log)
        if self.power_lost:
            promised = self.synced_length if self.synced_at_once else self.initial_log_length
        entries = self.log + self.uncommitted
        found = None
        for length in range(len(entries), promised - 1, -1):
            self.log = entries[:length]
            if _state(DiskStore(self)) == _state(store):
                found = length
                break
        if found is None:
            raise Violation("store", f"the file contains {_state(store)!r}, which the store never contained")
        self.log = entries
        self.keep_first(found)
        self.marks.append(found)
        self.synced_length = self.initial_log_length = found

    def remove(self) -> None:
        rmtree(self.folder)


def _state(store: Any) -> tuple[object, ...]:
    """Return the state on which two stores must agree."""
    return (
        store.next_outgoing,
        store.next_incoming,
        store.reset_unanswered,
        store.open_requests(),
        [(message.seq_num, message.frame) for message in store.sent_between(1, store.next_outgoing)],
    )


class MirroredStore:
    """A SQLite store and its model."""

    def __init__(
        self, disk: SqliteDisk, model: DiskStore, real: SqliteStore, power_disk: power_loss.Disk
    ) -> None:
        self._disk = disk
        self._model = model
        self._real = real
        self._power_disk = power_disk
        self.read_count = 0
        self.durable = 0
        self.on_commit: Callable[[], object] = lambda: None
        _fail_like_disk(real, disk)

    # Called by the session

    generation = property(attrgetter("_real.generation"))
    next_outgoing = property(attrgetter("_real.next_outgoing"))
    next_incoming = property(attrgetter("_real.next_incoming"))
    oldest_kept = property(attrgetter("_real.oldest_kept"))
    reset_unanswered = property(attrgetter("_real.reset_unanswered"))

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        self._real.record_sent(seq_num, message)
        self._model.record_sent(seq_num, message)

    def advance_incoming(self, next_incoming: int) -> None:
        try:
            self._model.advance_incoming(next_incoming)
        except StoreError as error:
            # Otherwise the next commit would succeed in the file only.
            self._real._unusable = str(error)
            raise
        self._real.advance_incoming(next_incoming)
        self._real._commits.wait(self._real._commits.last_ticket)

    def reset(self, *, unanswered: bool = False) -> None:
        self._real.reset(unanswered=unanswered)
        self._model.reset(unanswered=unanswered)

    def reset_answered(self) -> None:
        self._real.reset_answered()
        self._model.reset_answered()

    def record_request(self, request: OpenRequest) -> None:
        self._real.record_request(request)
        self._model.record_request(request)

    def settle_requests(self, keys: Iterable[int]) -> None:
        settled = tuple(keys)
        self._real.settle_requests(settled)
        self._model.settle_requests(settled)

    def find(self, seq_num: int) -> StoredMessage | None:
        found = self._real.find(seq_num)
        if found is not None and found != self._model.find(seq_num):
            raise Violation("store", f"{seq_num} is {found!r}")
        return found

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        for message in self._real.sent_between(begin, end):
            self.read_count += 1
            yield message

    def open_requests(self) -> tuple[OpenRequest, ...]:
        found = self._real.open_requests()
        if found != self._model.open_requests():
            raise Violation("store", f"the open requests are {found!r}")
        return found

    def begin_commit(self) -> int:
        """Commit and wait, because a run must not depend on threads."""
        self._real.commit()
        self._model.begin_commit()
        return self.durable

    # Called by the world

    epoch = property(attrgetter("_model.epoch"))
    durable_epoch = property(attrgetter("_model.durable_epoch"))
    has_lost_commits = property(attrgetter("_disk.has_lost_commits"))
    _messages = property(attrgetter("_model._messages"))
    kept_bytes = property(attrgetter("_model.kept_bytes"))

    def peek_requests(self) -> set[Key]:
        return self._model.peek_requests()

    def keep_only(self, count: int) -> None:
        """Do nothing; the SQLite store drops messages only by their count, size and age."""

    def crash(self, torn: Random | None) -> None:
        self._abandon(self._power_disk.files(), power_lost=False)

    def lose_power(self, random: Random) -> None:
        self._abandon(self._power_disk.after_power_loss(random), power_lost=True)

    def _abandon(self, remains: power_loss.Files, *, power_lost: bool) -> None:
        self._disk.remains, self._disk.power_lost = remains, power_lost
        self._disk.uncommitted = list(self._model._pending)
        self.close()

    def close(self) -> None:
        """Close the file without executing another statement."""
        self._real._unusable = self._real._unusable or "the process is gone"
        self._real.close()


def _fail_like_disk(store: SqliteStore, disk: SqliteDisk) -> None:
    """Make the database fail where the simulated disk fails."""
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def failing(execute: Any, sql: str, *arguments: Any) -> sqlite3.Cursor:
        failure = disk.failure
        if (failure == "commit" and sql == "COMMIT") or (failure == "read" and "SELECT" in sql):
            raise full
        cursor: sqlite3.Cursor = execute(sql, *arguments)
        if failure == "written" and sql == "COMMIT":
            raise full
        return cursor

    databases: Any = (store._file._database, store._file._reader)
    for database in databases:
        database.execute = partial(failing, database.execute)
