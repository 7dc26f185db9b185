"""A new API key does not silently start with an empty store, and a store in a database can be moved to the
new key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

pytest.importorskip("psycopg", reason="stores in Postgres need psycopg (extra postgres)")

from kalshi_fix_adapters.errors import KeyChangedError
from kalshi_fix_adapters.store_postgres import PostgresDatabase
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.stores import OWNER
from tests.adapters.stores.keys import NAMED_OWNER, NEW_KEY, NEW_OWNER, fill, run
from tests.helpers import KEY_ID


@pytest.fixture
def stores(dsn: str) -> PostgresDatabase:
    return PostgresDatabase(dsn, "none")


def test_the_most_recently_used_store_is_suggested_without_the_password(dsn: str) -> None:
    stores = PostgresDatabase(dsn.replace("store@", "store:secret@"), "none")
    names = [fill(stores, attrs.evolve(OWNER, sender_comp_id="key-1"))]
    names.insert(0, stores.migrate(fill(stores, NAMED_OWNER), account="key-2"))
    with pytest.raises(KeyChangedError) as caught:
        stores.open(NEW_OWNER)
    assert caught.value.stores == tuple(names)
    assert f"--store {names[0]} " in caught.value.command
    assert "secret" not in str(caught.value)


def test_a_refused_migration_leaves_the_stores_row_unchanged(
    stores: PostgresDatabase, execute: Callable[[str], list[Any]]
) -> None:
    with pytest.raises(StoreError, match="has no store missing"):
        stores.migrate("missing", account="maker")  # before the tables exist
    old, session = fill(stores), "SELECT name, fence, check_sum FROM kalshi_fix.session"
    before = execute(session)
    execute("UPDATE kalshi_fix.journal SET value = '\"6\"'")
    for name, key_id in (("missing", NEW_KEY), (old, KEY_ID), (old, NEW_KEY)):
        with pytest.raises(StoreError, match=r"has no store missing|already belongs to this key|is damaged"):
            stores.migrate(name, key_id=key_id)
    assert execute(session) == before


def test_the_store_command_reads_a_database_and_refuses_invalid_migrations(stores: PostgresDatabase) -> None:
    assert run(stores.dsn)[0] == 1
    old = fill(stores)
    status, output = run(stores.dsn)
    assert status == 0
    assert output.startswith(
        f"{old}\nKalshiRT as {KEY_ID} (demo, prediction)\n  next number to send         4\n"
    )
    assert run("--json", stores.dsn)[0] == 0
    for wrong in (("--key-id", "a"), ("--store", old), ("--store", old, "--key-id", "a", "--account", "b")):
        assert run("migrate", stores.dsn, *wrong)[0] == 2
    assert run("migrate", "file.sqlite3", "--store", old, "--key-id", "a")[0] == 2
    assert run("migrate", stores.dsn, "--store", "missing", "--key-id", "a")[0] == 1
