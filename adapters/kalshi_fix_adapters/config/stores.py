"""Finds the stores at a location, which is a folder or the URL of another kind of store."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Final, Literal, cast

from kalshi_fix_adapters.stores.factory import StoreFactory
from kalshi_fix_sansio.errors import ConfigurationError

Sync = Literal["full", "normal"]
BACKENDS: Final = {
    "sqlite": "kalshi_fix_adapters.store_sqlite.folder",
    "postgresql": "kalshi_fix_adapters.store_postgres.factory",
}
"""For each URL scheme, the module whose `stores_at(location, sync=...)` returns the StoreFactory. The module
is imported when it is first used, so clients without such a store do not load its library.
"""
_SCHEME: Final = re.compile("([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def is_url(location: str | Path) -> bool:
    """Return whether a location is a URL rather than a folder."""
    return _SCHEME.match(str(location)) is not None


def stores_at(location: str | Path, *, sync: Sync = "full") -> StoreFactory:
    """Return the factory that opens the stores at a location.

    Args:
        location: a folder of SQLite files, or a URL, such as `sqlite:///var/lib/stores` or
            `postgresql://user@host/database?failover=none`.
        sync: the durability of SQLite files.

    Raises:
        ConfigurationError: there is no kind of store for the URL's scheme. The text does not contain the URL,
            because the URL may contain a password.
    """
    match = _SCHEME.match(str(location))
    scheme = "sqlite" if match is None else match[1].lower()
    if scheme not in BACKENDS:
        raise ConfigurationError(
            f"there is no store for URLs that begin with {scheme}://; use {' or '.join(BACKENDS)}, or "
            "a folder"
        )
    return cast("StoreFactory", import_module(BACKENDS[scheme]).stores_at(str(location), sync=sync))
