"""The file name of an owner's store."""

from __future__ import annotations

from pathlib import Path

from kalshi_fix_adapters.stores.owner import StoreOwner, store_name


def store_path(folder: str | Path, owner: StoreOwner) -> Path:
    """Return the path of this owner's store in a folder."""
    return Path(folder) / f"{store_name(owner)}.sqlite3"


def other_stores(folder: str | Path, owner: StoreOwner) -> list[Path]:
    """Return the stores in a folder that have this owner's environment, product and session type, but another
    name; the most recently written one is first.
    """
    name = store_path(folder, owner).name
    environment, product, _, session, _ = name.split("-")
    # In a glob pattern, `*` matches hyphens too, so the number of hyphens is compared.
    stores = [
        path
        for path in Path(folder).glob(f"{environment}-{product}-*-{session}-*.sqlite3")
        if path.name != name and path.name.count("-") == name.count("-")
    ]
    return sorted(stores, key=_last_write_time, reverse=True)


def _last_write_time(store: Path) -> float:
    """Return the time at which a store was last written to. Its log may be newer than the file."""
    files = (store, store.with_name(f"{store.name}-wal"), store.with_name(f"{store.name}.mark"))
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
