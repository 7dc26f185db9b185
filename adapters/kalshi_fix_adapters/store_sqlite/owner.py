"""The name of an owner's file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from kalshi_fix_adapters.stores.owner import StoreOwner

_NOT_PLAIN = re.compile("[^A-Za-z0-9_]+")
_LONGEST_PART = 40


def store_path(folder: str | Path, owner: StoreOwner) -> Path:
    """Return the path of this owner's store in a folder. It is named by the account, or by the key without
    one.

    The name is unique and readable. The digest at its end distinguishes owners whose names differ only in
    case, or in characters that are not allowed in a file name.
    """
    name = owner.sender_comp_id if owner.account is None else owner.account
    values = (owner.environment, owner.product, name, owner.target_comp_id)
    parts = [_NOT_PLAIN.sub("_", value)[:_LONGEST_PART] for value in values]
    # An account may have the name of a key.
    kind = () if owner.account is None else ("account",)
    digest = hashlib.sha256("\0".join((*values, *kind)).encode()).hexdigest()[:12]
    return Path(folder) / "-".join((*parts, f"{digest}.sqlite3"))


def other_stores(folder: str | Path, owner: StoreOwner) -> list[Path]:
    """Return the stores of a folder that have this owner's environment, product and session type, and
    another name; the most recently written one first."""
    name = store_path(folder, owner).name
    environment, product, _, session, _ = name.split("-")
    found = [
        path
        for path in Path(folder).glob(f"{environment}-{product}-*-{session}-*.sqlite3")
        if path.name != name and path.name.count("-") == name.count("-")
    ]
    return sorted(found, key=_written, reverse=True)


def _written(store: Path) -> float:
    """Return when a store was last written: its log may be newer than the file."""
    files = (store, store.with_name(f"{store.name}-wal"), store.with_name(f"{store.name}.mark"))
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
