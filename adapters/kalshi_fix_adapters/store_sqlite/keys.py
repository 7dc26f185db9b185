"""Changes to the API key: find the other stores in a folder, and move a store to a new key."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
from pathlib import Path

import attrs

from kalshi_fix_adapters.errors import KeyChangedError
from kalshi_fix_adapters.store_sqlite import tables
from kalshi_fix_adapters.store_sqlite.failures import converting_errors
from kalshi_fix_adapters.store_sqlite.lock import FileLock
from kalshi_fix_adapters.store_sqlite.mark import Mark, mark_path
from kalshi_fix_adapters.store_sqlite.owner import other_stores, store_path
from kalshi_fix_adapters.store_sqlite.summary import read_summary
from kalshi_fix_adapters.stores.keys import explain_missing, moved_owner
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_sansio.errors import StoreError


def find_store(folder: str | Path, owner: StoreOwner) -> Path:
    """Return the path of this owner's store in a folder. The store need not exist.

    Raises:
        KeyChangedError: the store is missing, but another store in the folder may be the intended one. For an
            owner without an account name this is a store of another key; for one with an account name, it is
            this key's store without an account name.
    """
    path = store_path(folder, owner)
    if path.exists():
        return path
    if owner.account is None:
        others = other_stores(folder, owner)
    else:
        unnamed = store_path(folder, attrs.evolve(owner, account=None))
        others = [unnamed] if unnamed.exists() else []
    if not others:
        return path
    names = [each.name for each in others]
    text, command = explain_missing(folder, owner, names, shlex.quote(str(others[0].absolute())))
    raise KeyChangedError(text, tuple(others), command)


def migrate_store(store: str | Path, *, key_id: str | None = None, account: str | None = None) -> Path:
    """Move a store to another API key, or to a named account; return its new path.

    The user's rows and the open requests are kept. After a move to another key the sequence numbers start at
    1, or continue from the last numbers of this key in the store, and the open requests become uncertain. A
    move to an account changes no numbers. The file is changed in one transaction and then renamed. If the
    call is interrupted between the two steps, no client opens the file, and a second call completes the move.

    Raises:
        ConfigurationError: neither a key nor an account is given, or both are.
        StoreError: the store is missing, in use or damaged, cannot be written, or already belongs to this
            key or account; or the new file already exists.
    """
    old = Path(store).resolve()
    owner = moved_owner(read_summary(old).owner, key_id=key_id, account=account)
    new = store_path(old.parent, owner)
    if new == old:
        raise StoreError(f"{old} already belongs to this key or account: nothing was changed")
    with contextlib.ExitStack() as locks:
        for path in (old, new):
            locks.callback(FileLock(path).release)
        if new.exists():
            raise StoreError(
                f"{new} already exists: nothing was changed; if it is not needed, move it away together with "
                "the files next to it"
            )
        with converting_errors(old):
            with contextlib.closing(tables.connect(old, "rw")) as database:
                _change_key(old, database, owner)
            _rename(old, new)
    return new


def _change_key(path: Path, database: sqlite3.Connection, owner: StoreOwner) -> None:
    current_owner, _ = tables.read_session(path, database)
    tables.check_rows(database)
    if current_owner.sender_comp_id != owner.sender_comp_id:
        # The mark is cleared before the transaction, as in `StoreFile.write`, because the new numbers may be
        # lower.
        with contextlib.closing(Mark(path)) as mark:
            mark.clear()
        tables.change_key(database, owner)
    # The write-ahead log must be empty before the rename, because SQLite derives its name from the name of
    # the file.
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rename(old: Path, new: Path) -> None:
    log = old.with_name(f"{old.name}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(f"{old} is being read by another program: end that program and run this again")
    mark_path(new).unlink(missing_ok=True)
    old.rename(new)
    with contextlib.suppress(FileNotFoundError):
        mark_path(old).rename(mark_path(new))
    tables.sync(new.parent)
