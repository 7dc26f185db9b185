"""Error texts for a store file, each with a remedy."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kalshi_fix_adapters.stores.rows import DamagedRowError
from kalshi_fix_sansio.errors import StoreError

START_OVER = (
    "move it away together with the files next to it (-wal, -shm), log on again with a reset, and look up "
    "earlier activity via drop copy or REST; do not restore an old copy, because its numbers have been used"
)

_EXPLANATIONS = {
    sqlite3.SQLITE_FULL: "could not be written; the disk is full: free space and open the store again",
    sqlite3.SQLITE_READONLY: "is not writable: give this user write permission for the file and its folder",
    sqlite3.SQLITE_PERM: "is not writable: give this user write permission for the file and its folder",
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened: give this user read and write permission for the file and its folder"
    ),
    sqlite3.SQLITE_IOERR: (
        "could not be read or written: check the disk and the file size limit, and open the store again"
    ),
    sqlite3.SQLITE_BUSY: "is being written to by another program: stop that program and open the store again",
    sqlite3.SQLITE_LOCKED: (
        "is being written to by another program: stop that program and open the store again"
    ),
    sqlite3.SQLITE_PROTOCOL: "is being opened by too many programs at once: open the store again",
    sqlite3.SQLITE_NOMEM: "could not be read or written for lack of memory: open the store again",
    sqlite3.SQLITE_NOTADB: (
        f"is not a store, or its header is damaged: choose another file, or {START_OVER}"
    ),
}


FILE_ERRORS = (sqlite3.Error, OSError, UnicodeDecodeError, DamagedRowError)
"""Exceptions raised by file access. UnicodeDecodeError occurs when SQLite reports a damaged name."""


@contextlib.contextmanager
def converting_errors(path: Path) -> Iterator[None]:
    """Convert errors that SQLite or the operating system reports for this file into a StoreError."""
    try:
        yield
    except FILE_ERRORS as error:
        raise to_store_error(path, error) from error


def to_store_error(path: Path, error: BaseException) -> StoreError:
    """Return the StoreError for an error that SQLite or the operating system reported for this file."""
    if isinstance(error, OSError):
        return StoreError(
            f"{path} cannot be opened ({error.strerror}): give this user write permission for its folder"
        )
    code: int | None = getattr(error, "sqlite_errorcode", None)
    explanation = _EXPLANATIONS.get(code & 0xFF) if code is not None else None
    if explanation is None:
        explanation = f"is damaged: {START_OVER}"
    return StoreError(f"{path} {explanation} ({error})")
