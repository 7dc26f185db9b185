"""A new API key does not silently start with an empty store, and a store in a database can be moved to it."""

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
from tests.adapters.stores.keys import NAMED, NEW, NEW_KEY, fill, run
from tests.helpers import KEY_ID


@pytest.fixture
def place(dsn: str) -> PostgresDatabase:
    return PostgresDatabase(dsn, "none")


def test_the_most_recently_used_store_is_proposed_without_the_password(dsn: str) -> None:
    place = PostgresDatabase(dsn.replace("store@", "store:secret@"), "none")
    names = [fill(place, attrs.evolve(OWNER, sender_comp_id="key-1"))]
    names.insert(0, place.migrate(fill(place, NAMED), account="key-2"))
    with pytest.raises(KeyChangedError) as caught:
        place.open(NEW)
    assert caught.value.stores == tuple(names)
    assert f"--store {names[0]} " in caught.value.command
    assert "secret" not in str(caught.value)


def test_a_refused_migration_leaves_the_row_of_the_store_unchanged(
    place: PostgresDatabase, execute: Callable[[str], list[Any]]
) -> None:
    with pytest.raises(StoreError, match="has no store missing"):
        place.migrate("missing", account="maker")  # nor does it create tables
    old, session = fill(place), "SELECT name, fence, check_sum FROM kalshi_fix.session"
    before = execute(session)
    execute("UPDATE kalshi_fix.journal SET value = '\"6\"'")
    for name, key_id in (("missing", NEW_KEY), (old, KEY_ID), (old, NEW_KEY)):
        with pytest.raises(StoreError, match=r"has no store missing|already has this name|is damaged"):
            place.migrate(name, key_id=key_id)
    assert execute(session) == before


def test_the_command_shows_a_database(place: PostgresDatabase) -> None:
    assert run(place.dsn)[0] == 1
    old = fill(place)
    status, output = run(place.dsn)
    assert status == 0
    assert output.startswith(
        f"{old}\nKalshiRT as {KEY_ID} (demo, prediction)\n  next number to send         4\n"
    )
    assert run("--json", place.dsn)[0] == 0
    for wrong in (("--key-id", "a"), ("--store", old), ("--store", old, "--key-id", "a", "--account", "b")):
        assert run("migrate", place.dsn, *wrong)[0] == 2
    assert run("migrate", "file.sqlite3", "--store", old, "--key-id", "a")[0] == 2
    assert run("migrate", place.dsn, "--store", "missing", "--key-id", "a")[0] == 1
