"""A store that is filled under one API key, and the command that moves it to another key."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.store_sqlite import SqliteFolder
from kalshi_fix_adapters.stores import StoreOwner
from kalshi_fix_adapters.stores.owner import store_name
from tests.adapters.store_sqlite.stores import OWNER, open_request, send

NEW_KEY = "9d3c6b0c-1111-4d06-9d3e-0a4f3d1c9b77"
NEW_OWNER = attrs.evolve(OWNER, sender_comp_id=NEW_KEY)
NAMED_OWNER = attrs.evolve(OWNER, account="maker")
ROTATED_OWNER = attrs.evolve(NAMED_OWNER, sender_comp_id=NEW_KEY)

Stores: TypeAlias = Any
"""A `SqliteFolder` or a `PostgresDatabase`."""


def name_of(stores: Stores, owner: StoreOwner) -> str:
    return store_name(owner) + (".sqlite3" if isinstance(stores, SqliteFolder) else "")


def record_contents(store: Any) -> None:
    """Record a row, an open request and sequence numbers."""
    send(store, 3)
    store.record_request(open_request(1, 3))
    store.record_rows({"position": '"5"'})
    store.advance_incoming(9)


def fill(stores: Stores, owner: StoreOwner = OWNER) -> str:
    """Create a store with a row, an open request and sequence numbers; return its name."""
    with stores.open(owner) as store:
        record_contents(store)
    return name_of(stores, owner)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["store", *arguments])
    return result.exit_code, result.output
