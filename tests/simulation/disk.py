"""A durable store on a simulated disk. A change is first recorded, then committed, then synced.

A commit is durable immediately or some time later (`Disk.call_later`); changes recorded in the meantime share
the next commit. A crash loses changes that are only recorded. A power loss also loses commits that were not
synced: it drops a random one of them and all later ones. Changes on which no outgoing bytes depend are
committed but not synced, as in the SQLite store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.session import MemoryStore, OpenRequest, StoredMessage
from tests.simulation import bounds
from tests.simulation.orders import Key, keys_of

Entry = tuple[str, tuple[Any, ...]]
RETRY_INTERVAL = 0.1
"""Seconds after which a hanging commit is checked again."""
LAZY_CHANGES = frozenset({"advance", "settle", "forget"})
"""Changes whose loss only causes redelivery."""


class Disk:
    """The part of one side's store that survives a crash."""

    def __init__(self, *, synced: bool, keep: int, eager: bool = False) -> None:
        self.keep = keep
        self.eager = eager
        self.log: list[Entry] = []
        self.marks: list[int] = [0]
        """The length of `log` after each commit."""
        self.synced_at_once = synced
        self.synced_length = 0
        """Length of `log` that survives a power loss."""
        self.failure: str | None = None
        """The current failure of the disk."""
        self.max_commit_seconds = 0.0
        """The maximum duration of a commit."""
        self.call_later: Callable[[float, Callable[[], None]], None] | None = None
        """A function that calls a given function after some seconds, or None if commits take no time."""
        self.random = Random(keep)
        """Draws how much of a commit in progress survives a crash."""
        self.has_lost_commits = False
        """Whether a power loss lost changes that were reported as durable."""

    def write(self, entries: list[Entry]) -> None:
        self.log += entries
        self.marks.append(len(self.log))
        must_be_durable = any(name not in LAZY_CHANGES for name, _ in entries)
        if must_be_durable if self.synced_at_once else len(self.marks) % 8 == 0:
            self.synced_length = len(self.log)

    def lose_power(self, random: Random) -> None:
        """Keep the synced changes, and perhaps some of the commits after them."""
        lengths = [mark for mark in self.marks if mark >= self.synced_length]
        self.keep_first(random.choice(lengths or [self.synced_length]))

    def keep_first(self, length: int) -> None:
        """Keep this many changes at the beginning of the log."""
        self.has_lost_commits |= any(name not in LAZY_CHANGES for name, _ in self.log[length:])
        self.marks = [mark for mark in self.marks if mark <= length]
        del self.log[length:]

    def open(self) -> Any:
        """Return a store with the surviving changes, for the next process."""
        return DiskStore(self)

    def remove(self) -> None:
        """Do nothing; no file remains at the end of a run."""


class DiskStore(MemoryStore):
    """The store of one process on a Disk; unusable after a failure."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(
            max_messages=disk.keep,
            max_bytes=bounds.KEPT_BYTES_PER_MESSAGE * disk.keep,
            max_age=timedelta(hours=72),
        )
        self.kept_bytes = 0
        """Bytes of the kept messages."""
        self.read_count = 0
        """The number of messages read for resends since this was last set to 0."""
        self.epoch = 0
        """The number of resets of the sequence numbers."""
        self.durable_epoch = 0
        """The epoch of the durable changes, which is also the epoch of the bytes that a session releases."""
        self._disk = disk
        self._pending: list[Entry] = []
        self._begun = 0
        """The ticket of the most recent commit."""
        self._queued: list[Entry] = []
        """Changes that wait for the end of the commit in progress."""
        self._writing: list[Entry] = []
        """Changes in the commit in progress."""
        self._is_writing = False
        self._writing_ticket = 0
        self._has_ended = False
        """Whether the process has ended."""
        self._error: StoreError | None = None
        self._broken = False
        for name, arguments in disk.log:
            getattr(self, "_do_" + name)(*arguments)
        self.durable_epoch = self.epoch

    def _record(self, name: str, *arguments: Any) -> None:
        self._pending.append((name, arguments))
        getattr(self, "_do_" + name)(*arguments)

    def _check(self, failure: str) -> None:
        if self._broken or self._disk.failure == failure:
            self._broken = True
            raise StoreError(f"the simulated disk fails ({failure}); free space and start again")

    def close(self) -> None:
        """Release the file for the next process."""
        self._has_ended = True

    def crash(self, torn: Random | None) -> None:
        """End the process. The first changes of the commit in progress survive, up to a random one; with
        `torn`, this applies to all uncommitted changes, as in a store that writes lazily."""
        self._has_ended = True
        if torn is not None and not self._broken:
            left = self._writing + self._queued + self._pending
            self._disk.write(left[: torn.randrange(len(left) + 1)])
        elif self._writing:
            self._disk.write(self._writing[: self._disk.random.randrange(len(self._writing) + 1)])

    def lose_power(self, random: Random) -> None:
        """End the process because its machine loses power."""
        self._has_ended = True
        self._disk.lose_power(random)

    @property
    def has_lost_commits(self) -> bool:
        """Whether the disk has lost changes that it had committed."""
        return self._disk.has_lost_commits

    def peek_requests(self) -> set[Key]:
        """Return the open requests, even while the disk fails."""
        return set(keys_of(super().open_requests()))

    def keep_only(self, count: int) -> None:
        """Permanently forget all messages but the last `count`."""
        kept = list(self._messages.values())
        if len(kept) > count:
            time = kept[-count].sent_at if count else datetime.max.replace(tzinfo=UTC)
            self._record("forget", time)

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        self._record("sent", seq_num, message)

    def advance_incoming(self, next_incoming: int) -> None:
        self._check("advance")
        self._record("advance", next_incoming)
        if self._disk.eager and all(name in LAZY_CHANGES for name, _ in self._pending):
            self.begin_commit()

    def reset(self, *, unanswered: bool = False) -> None:
        self._record("reset", unanswered)

    def reset_answered(self) -> None:
        self._record("answered")

    def record_request(self, request: OpenRequest) -> None:
        self._record("request", request)

    def settle_requests(self, keys: Iterable[int]) -> None:
        self._record("settle", tuple(keys))

    def find(self, seq_num: int) -> StoredMessage | None:
        self._check("read")
        return super().find(seq_num)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        self._check("read")
        return self._read_counted(begin, end)

    def _read_counted(self, begin: int, end: int) -> Iterator[StoredMessage]:
        for message in super().sent_between(begin, end):
            self.read_count += 1
            yield message

    def open_requests(self) -> tuple[OpenRequest, ...]:
        self._check("read")
        return super().open_requests()

    @property
    def durable(self) -> int:
        if self._error is not None:
            raise self._error
        return self._durable

    @durable.setter
    def durable(self, value: int) -> None:
        self._durable = value

    def begin_commit(self) -> int:
        if self._error is not None:
            raise self._error
        if self._pending:
            self._commit_later()
        return self._begun

    def _commit_later(self) -> None:
        """Begin to commit the recorded changes, or add them to the next commit."""
        self._begun += 1
        self._queued += self._pending
        self._pending = []
        if not self._is_writing:
            self._begin_write()

    def _begin_write(self) -> None:
        self._writing, self._queued = self._queued, []
        self._writing_ticket = self._begun
        disk = self._disk
        if disk.call_later is None:
            self._write()
        else:
            self._is_writing = True
            disk.call_later(disk.random.uniform(0.0, disk.max_commit_seconds), self._complete)

    @property
    def _is_hanging(self) -> bool:
        return self._disk.failure == "hang"

    def _complete(self) -> None:
        """Complete the commit in progress, and begin the next one."""
        if self._has_ended:
            return
        if self._is_hanging:
            assert self._disk.call_later is not None
            self._disk.call_later(RETRY_INTERVAL, self._complete)
            return
        self._is_writing = False
        try:
            self._write()
        except StoreError as error:
            self._error = self._error or error
        else:
            if self._begun > self._writing_ticket and self._error is None:
                self._begin_write()
        self.on_commit()

    def _write(self) -> None:
        if self._disk.failure == "written":
            self._disk.write(self._writing)
            self._writing = []
            self._check("written")
        self._check("commit")
        self._disk.write(self._writing)
        self.durable_epoch += sum(name == "reset" for name, _ in self._writing)
        self._writing = []
        self.durable = self._writing_ticket

    # The changes, both when they are recorded and when they are replayed

    def _do_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        super().record_sent(seq_num, message)
        self._update_kept_bytes()

    def _do_forget(self, time: datetime) -> None:
        super().forget_before(time)
        self._update_kept_bytes()

    def _update_kept_bytes(self) -> None:
        """Recompute the number of kept bytes, because messages are forgotten by number, age and size."""
        self.kept_bytes = sum(len(message.frame) for message in self._messages.values())

    def _do_advance(self, next_incoming: int) -> None:
        super().advance_incoming(next_incoming)

    def _do_reset(self, unanswered: bool) -> None:
        self.epoch += 1
        super().reset(unanswered=unanswered)

    def _do_answered(self) -> None:
        super().reset_answered()

    def _do_request(self, request: OpenRequest) -> None:
        super().record_request(request)

    def _do_settle(self, keys: tuple[int, ...]) -> None:
        super().settle_requests(keys)
