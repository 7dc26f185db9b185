"""A disk that loses unsynced data: the possible contents of a store's files after a power loss.

SQLite writes a commit as frames at the end of the log (`-wal`) and, with `synchronous = FULL`, waits until
they are on the disk. Occasionally, when the whole log is on the disk, it copies the pages of the log into the
database (a checkpoint), waits for that too, and restarts the log at its beginning. So the log is safe up to
some length; any part of the later writes may be on the disk, with arbitrary bytes everywhere else.

`Disk` determines that length by watching the store's statements and reading the index of the log. It can
truncate, mix and damage the files as they are now, or as they were before the last commit, and write them to
another folder, as a restarted machine would find them. (Reading a file releases SQLite's own locks on it in
this process, which does not matter here: no other process uses it.)
"""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from random import Random
from typing import Any

import attrs

from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner

SECTOR = 512
_LOG_HEADER, _FRAME_HEADER = 32, 24
_INDEX = struct.Struct("=14x HI12x 8s56xI")
"""The fields at the start of the log's index (`-shm`): the page size, the number of frames in the log, the
salts that distinguish it from the previous log, and how many frames a checkpoint has copied into the
database."""


@attrs.frozen
class Files:
    """A database and its log, as bytes."""

    database: bytes = attrs.field(repr=False)
    log: bytes = attrs.field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Files:
        """Read the current files, as a killed process leaves them."""
        log = log_of(path)
        return cls(path.read_bytes(), log.read_bytes() if log.exists() else b"")

    def write(self, path: Path) -> Path:
        """Write the files to this path, so a store can be opened there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, data in ((path, self.database), (log_of(path), self.log)):
            # Some file systems wait for the disk only when an existing file is overwritten.
            target.unlink(missing_ok=True)
            target.write_bytes(data)
        return path

    def with_truncated_log(self, length: int, rest: bytes = b"") -> Files:
        """Return the files with only the first `length` bytes of the log, followed by `rest`."""
        return attrs.evolve(self, log=self.log[:length] + rest)


def log_of(path: Path) -> Path:
    """Return the path of a database's log."""
    return path.with_name(path.name + "-wal")


def mix_sectors(old: bytes, new: bytes, random: Random, begin: int = 0) -> bytes:
    """Return the result of writing `new` over `old` if some of the sectors from `begin` on do not reach the
    disk. Those contain the old bytes, or zeros where there were none. The write may also end at any byte."""
    mixed = bytearray(new)
    for first in range(begin, len(new), SECTOR):
        if random.random() < 0.5:
            end = min(first + SECTOR, len(new))
            mixed[first:end] = old[first:end].ljust(end - first, b"\0")
    if random.random() < 0.5:
        del mixed[random.randrange(begin, len(new) + 1) :]
        mixed += old[len(mixed) :]
    return bytes(mixed)


class Disk:
    """The disk that contains one store.

    Args:
        path: the store's file.
        checkpoint_pages: the number of pages in the log at which SQLite makes a checkpoint; its default is
            1000.
        remember: whether to keep a copy of the files as they were before each commit, which takes time.
    """

    def __init__(self, path: Path, *, checkpoint_pages: int | None = None, remember: bool = True) -> None:
        self.path = path
        self.synced = 0
        """The length of the part of the log that is on the disk."""
        self.commits = 0
        self.restarts = 0
        """How many times the log was restarted."""
        self.before = Files(b"", b"")
        """The files before the last commit."""
        self.unmerged = self.merged = Files(b"", b"")
        """The files before and after the last checkpoint that a store with `sync="normal"` made."""
        self.synced_before = 0
        """The value of `synced` before the last commit."""
        self.restarted = False
        """Whether the last commit restarted the log."""
        self._checkpoint_pages = checkpoint_pages
        self._remember = remember
        self._waits_for_disk = False
        self._salts = b""
        self._end = 0

    def open(self, owner: StoreOwner, **options: Any) -> SqliteStore:
        """Open the store and watch it. The files left by an earlier process count as being on the disk."""
        disk = self

        class WatchedConnection(_ObservedConnection):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self.disk = disk
                if disk._checkpoint_pages is not None:
                    self.execute(f"PRAGMA wal_autocheckpoint = {disk._checkpoint_pages}")

        class WatchedStore(SqliteStore):
            connection_class = WatchedConnection

        store = WatchedStore(self.path, owner=owner, **options)
        if self._checkpoint_pages is not None:
            store._file._log_limit = self._checkpoint_pages * 4096
        self._read_index()
        self.synced = self._end
        self.restarts, self.restarted = 0, False
        return store

    @property
    def all_synced(self) -> bool:
        """Whether every commit is on the disk."""
        return self.synced == self._end

    def files(self) -> Files:
        """Return the current files, which the next process finds if this one is killed."""
        return Files.read(self.path)

    def after_power_loss(self, random: Random) -> Files:
        """Return the files as they may be if the power fails now, between commits."""
        files = self.files()
        end = random.randrange(self.synced, max(self._end, self.synced) + 1)
        rest = random.choice((b"", bytes(random.randrange(5000)), random.randbytes(random.randrange(5000))))
        return files.with_truncated_log(end, rest)

    def within_last_commit(self, random: Random) -> Files:
        """Return the files as they may be if the power failed while the last commit was being written, but
        before the checkpoint that it may have ended with."""
        if self.restarted and random.random() < 0.1:
            return self.before
        # SQLite syncs the header of a restarted log before it writes frames.
        begin = _LOG_HEADER if self.restarted else self.synced_before
        return attrs.evolve(self.before, log=mix_sectors(self.before.log, self.files().log, random, begin))

    def within_checkpoint(self, random: Random) -> Files:
        """Return the files as they may be if the power failed during the last checkpoint that a store with
        `sync="normal"` made. It begins when the whole log is on the disk."""
        database = mix_sectors(self.unmerged.database, self.merged.database, random)
        return attrs.evolve(self.unmerged, database=database)

    def _before(self, statement: str) -> None:
        if statement == "COMMIT" and self._remember:
            self.before = self.files()
        elif statement.startswith("PRAGMA wal_checkpoint") and self._remember:
            self.unmerged = self.files()

    def _after(self, statement: str) -> None:
        if statement.startswith("PRAGMA synchronous"):
            self._waits_for_disk = statement.endswith("FULL")
        elif statement.startswith("PRAGMA wal_checkpoint") and self._remember:
            self.merged = self.files()
        elif statement == "COMMIT":
            self.commits += 1
            self.synced_before = self.synced
            self._read_index()

    def _read_index(self) -> None:
        """Determine the length of the log, and how much of it is on the disk. After a restart of the log, the
        database contains everything that was in the previous log."""
        with self.path.with_name(self.path.name + "-shm").open("rb") as index:
            page_size, frames, salts, copied = _INDEX.unpack(index.read(_INDEX.size))
        frame = _FRAME_HEADER + page_size
        self.restarted = salts != self._salts
        if self.restarted:
            self.restarts += 1
            self.synced = _LOG_HEADER
        self._salts = salts
        self._end = _LOG_HEADER + frames * frame
        # A checkpoint syncs the log before it copies.
        self.synced = self._end if self._waits_for_disk else max(self.synced, _LOG_HEADER + copied * frame)


class _ObservedConnection(sqlite3.Connection):
    """Notifies a disk of the statements that decide which data is on it."""

    disk: Disk

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self.disk._before(sql)
        cursor = super().execute(sql, *arguments)
        self.disk._after(sql)
        return cursor
