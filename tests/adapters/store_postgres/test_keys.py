"""A new API key does not silently start without its rows, and a store in a database can be moved to it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

pytest.importorskip("psycopg", reason="stores in Postgres need psycopg (extra postgres)")

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.errors import KeyChangedError
from kalshi_fix_adapters.store_postgres import PostgresDatabase, StoreInUseError
from kalshi_fix_adapters.stores import StoreOwner
from kalshi_fix_adapters.stores.owner import store_name
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from tests.adapters.store_sqlite.stores import OWNER, asked, contents, kept, send
from tests.helpers import KEY_ID

NEW_KEY = "9d3c6b0c-1111-4d06-9d3e-0a4f3d1c9b77"
NEW = attrs.evolve(OWNER, sender_comp_id=NEW_KEY)
NAMED = attrs.evolve(OWNER, account="maker")
ROTATED = attrs.evolve(NAMED, sender_comp_id=NEW_KEY)


@pytest.fixture
def place(dsn: str) -> PostgresDatabase:
    return PostgresDatabase(dsn, "none")


def fill(place: PostgresDatabase, owner: StoreOwner = OWNER) -> str:
    """Create a store with a row, an open request and numbers; return its name."""
    with place.open(owner) as store:
        send(store, 3)
        store.record_request(asked(1, 3))
        store.record_rows({"position": '"5"'})
        store.advance_incoming(9)
    return store_name(owner)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["store", *arguments])
    return result.exit_code, result.output


def test_a_new_key_beside_the_store_of_another_is_an_error_with_the_command(place: PostgresDatabase) -> None:
    old = fill(place)
    with pytest.raises(KeyChangedError, match=r"has no store of KalshiRT as 9d3c6b0c.*run: "):
        place.read(NEW)
    with pytest.raises(KeyChangedError, match=r"has no store of KalshiRT as 9d3c6b0c.*run: ") as caught:
        place.open(NEW)
    assert caught.value.stores == (old,)
    # Stores of other environments, products and session types do not count.
    for other in ({"environment": "production"}, {"product": "margin"}, {"target_comp_id": "KalshiPT"}):
        place.open(attrs.evolve(NEW, **other)).close()
    place.open(ROTATED).close()
    program, command, *arguments = shlex.split(caught.value.command)
    assert (program, command, arguments[-2:]) == ("kalshi-fix", "store", ["--key-id", NEW_KEY])
    status, output = run(*arguments)
    assert (status, output) == (
        0,
        f"{store_name(NEW)} has 1 user rows and 1 open requests, for {NEW}\n",
    )
    with place.open(NEW) as store:
        assert (store.row("position"), store.open_requests()) == ('"5"', (asked(1, 3, uncertain=True),))
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept, kept(store)) == (1, 1, 1, [])
        send(store, 2)
    # Back again: the numbers belong to a key.
    assert place.migrate(store_name(NEW), key_id=KEY_ID) == old
    with place.open(OWNER) as store:
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept, kept(store)) == (4, 9, 4, [])


def test_the_most_recently_used_store_is_proposed_and_no_password(dsn: str) -> None:
    place = PostgresDatabase(dsn.replace("store@", "store:secret@"), "none")
    names = [fill(place, attrs.evolve(OWNER, sender_comp_id="key-1"))]
    names.insert(0, place.migrate(fill(place, NAMED), account="key-2"))
    with pytest.raises(KeyChangedError) as caught:
        place.open(NEW)
    assert caught.value.stores == tuple(names)
    assert f"--store {names[0]} " in caught.value.command
    assert "secret" not in str(caught.value)


def test_a_named_account_keeps_its_contents_and_its_name_when_the_key_changes(
    place: PostgresDatabase,
) -> None:
    old = fill(place)
    with pytest.raises(KeyChangedError, match="has no store 'maker' for"):
        place.open(NAMED)
    with place.open(OWNER) as store:
        before = contents(store)
    assert place.migrate(old, account="maker") == store_name(NAMED)
    with place.open(NAMED) as store:
        assert (contents(store), store.row("position")) == (before, '"5"')
    with place.open(ROTATED) as store:
        assert (store.row("position"), store.next_outgoing, store.next_incoming) == ('"5"', 1, 1)
        assert store.open_requests() == (asked(1, 3, uncertain=True),)
        send(store, 7)
    summary = place.read(NAMED)
    assert summary is not None
    assert summary.owner.sender_comp_id == NEW_KEY
    with place.open(NAMED) as store:
        assert (store.next_outgoing, store.next_incoming) == (4, 9)
    with place.open(ROTATED) as store:
        assert store.next_outgoing == 8


def test_a_migration_changes_nothing_where_it_is_refused(
    place: PostgresDatabase, execute: Callable[[str], list[Any]]
) -> None:
    with pytest.raises(StoreError, match="has no store missing"):
        place.migrate("missing", account="maker")  # nor tables
    old = fill(place)
    session = "SELECT name, fence, check_sum FROM kalshi_fix.session"
    before = execute(session)
    with pytest.raises(StoreError, match="has no store missing"):
        place.migrate("missing", account="maker")
    for key_id, account in ((None, None), (NEW_KEY, "maker")):
        with pytest.raises(ConfigurationError, match="give either"):
            place.migrate(old, key_id=key_id, account=account)
    with pytest.raises(StoreError, match="already has this name"):
        place.migrate(old, key_id=KEY_ID)
    execute("UPDATE kalshi_fix.journal SET value = '\"6\"'")
    with pytest.raises(StoreError, match="is damaged"):
        place.migrate(old, key_id=NEW_KEY)
    execute("UPDATE kalshi_fix.journal SET value = '\"5\"'")
    assert execute(session) == before
    with place.open(OWNER), pytest.raises(StoreInUseError):
        place.migrate(old, key_id=NEW_KEY)
    old = place.migrate(old, account="other")
    fill(place, NAMED)
    with pytest.raises(StoreError, match="exists already: nothing was changed"):
        place.migrate(old, account="maker")


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
