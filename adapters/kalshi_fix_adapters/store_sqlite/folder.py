"""A folder with one store file for each owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import attrs

from kalshi_fix_adapters.store_sqlite.keys import find_store, migrate_store
from kalshi_fix_adapters.store_sqlite.store import SqliteStore, Sync
from kalshi_fix_adapters.store_sqlite.summary import read_summary
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.summary import StoreSummary


@attrs.frozen
class SqliteFolder:
    """A `StoreFactory` for the files in a folder.

    Attributes:
        folder: The folder, which is created with the first store.
        sync: The durability of the stores, see `SqliteStore`.
    """

    folder: Path = attrs.field(converter=Path)
    sync: Sync = attrs.field(default="full", validator=attrs.validators.in_(get_args(Sync)))

    def __str__(self) -> str:
        return str(self.folder)

    def open(self, owner: StoreOwner) -> SqliteStore:
        """Open an owner's store; create it if it does not exist.

        Raises:
            StoreError: the store cannot be used.
            KeyChangedError: the store is missing, but another store in the folder may be the intended one.
        """
        return SqliteStore(find_store(self.folder, owner), owner=owner, sync=self.sync)

    def read(self, owner: StoreOwner) -> StoreSummary | None:
        """Return the content of an owner's store without opening it; None if there is no such store.

        Raises:
            StoreError: the store cannot be read.
            KeyChangedError: the store is missing, but another store in the folder may be the intended one.
        """
        path = find_store(self.folder, owner)
        return read_summary(path) if path.exists() else None

    def names(self) -> list[str]:
        """Return the names of the files."""
        return sorted(path.name for path in self.folder.glob("*.sqlite3"))

    def summary(
        self, name: str, *, rows: int = 0, on_progress: Callable[[], None] | None = None
    ) -> StoreSummary:
        """Return the content of a file, as `read_summary` does.

        Raises:
            StoreError: the store cannot be read.
        """
        return read_summary(self.folder / name, rows=rows, on_progress=on_progress)

    def migrate(self, name: str, *, key_id: str | None = None, account: str | None = None) -> str:
        """Move a store to another API key, or to a named account, as `migrate_store` does; return its new
        name.

        Raises:
            ConfigurationError: neither a key nor an account is given, or both are.
            StoreError: the store is missing, in use or damaged, or cannot be written, or the new name is
                taken.
        """
        return migrate_store(self.folder / name, key_id=key_id, account=account).name


def stores_at(location: str, *, sync: Sync) -> SqliteFolder:
    """Return the stores in a folder, which may be given as `sqlite://FOLDER`.

    Raises:
        ValueError: `sync` is invalid.
    """
    return SqliteFolder(location.removeprefix("sqlite://"), sync)
