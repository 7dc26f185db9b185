"""A new API key does not silently start with an empty store, and a store can be moved to it: in a folder and
in a database."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.errors import KeyChangedError, StoreInUseError
from kalshi_fix_adapters.store_sqlite import SqliteFolder
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from tests.adapters.store_sqlite.stores import OWNER, asked, contents, execute, kept, send
from tests.adapters.stores.keys import NAMED, NEW, NEW_KEY, ROTATED, Place, fill, name_of, run
from tests.helpers import KEY_ID
from tests.postgres import execute_at


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return SqliteFolder(tmp_path)
    dsn = request.getfixturevalue("dsn")
    from kalshi_fix_adapters.store_postgres import PostgresDatabase

    return PostgresDatabase(dsn, "none")


@pytest.fixture
def change(place: Place) -> Callable[[str], object]:
    """Return a function that runs a statement in the only store, as another program would; {} is the prefix
    of the tables."""

    def run(statement: str) -> object:
        if isinstance(place, SqliteFolder):
            [name] = place.names()
            return execute(place.folder / name, statement.format(""))
        return execute_at(place.dsn, statement.format("kalshi_fix."))

    return run


def names(error: KeyChangedError) -> list[str]:
    return [Path(store).name for store in error.stores]


@pytest.mark.parametrize("use", ["read", "open"])
def test_a_new_key_next_to_the_store_of_another_key_is_an_error_that_names_the_command(
    place: Place, use: str
) -> None:
    old = fill(place)
    with pytest.raises(KeyChangedError, match=r"has no store of KalshiRT as 9d3c6b0c.*run: ") as caught:
        getattr(place, use)(NEW)
    assert names(caught.value) == [old]
    assert caught.value.command in str(caught.value)
    program, command, *arguments = shlex.split(caught.value.command)
    assert (program, command, arguments[-2:]) == ("kalshi-fix", "store", ["--key-id", NEW_KEY])
    status, output = run(*arguments)
    assert status == 0
    assert output.endswith(f"{name_of(place, NEW)} has 1 user rows and 1 open requests, for {NEW}\n")
    assert place.read(NEW).owner == NEW


@pytest.mark.parametrize(
    "other",
    [
        *({"environment": "production"}, {"product": "margin"}, {"target_comp_id": "KalshiPT"}),
        {"account": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_accounts_environments_products_and_session_types_have_separate_stores(
    place: Place, other: dict[str, str]
) -> None:
    fill(place)
    place.open(attrs.evolve(NEW, **other)).close()
    assert len(place.names()) == 2


def test_a_migrated_store_has_its_rows_and_requests_and_the_numbers_of_the_key(place: Place) -> None:
    old = fill(place)
    new = place.migrate(old, key_id=NEW_KEY)
    assert (new, place.names()) == (name_of(place, NEW), [new])
    with place.open(NEW) as store:
        assert (store.row("position"), store.open_requests()) == ('"5"', (asked(1, 3, uncertain=True),))
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept, kept(store)) == (1, 1, 1, [])
        send(store, 2)
    assert place.migrate(new, key_id=KEY_ID) == old
    with place.open(OWNER) as store:
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept, kept(store)) == (4, 9, 4, [])
        assert store.row("position") == '"5"'
        send(store, 1)
        store.commit()
        assert kept(store) == [4]


def test_a_named_account_keeps_its_contents_and_its_name_when_the_key_changes(place: Place) -> None:
    old = fill(place)
    with pytest.raises(KeyChangedError, match="has no store 'maker' for") as caught:
        place.open(NAMED)
    assert caught.value.command.endswith("--account maker")
    with place.open(OWNER) as store:
        before = contents(store)
    assert place.migrate(old, account="maker") == name_of(place, NAMED)
    with place.open(NAMED) as store:
        assert (contents(store), store.row("position")) == (before, '"5"')
    with place.open(ROTATED) as store:
        assert (store.row("position"), store.next_outgoing, store.next_incoming) == ('"5"', 1, 1)
        assert store.open_requests() == (asked(1, 3, uncertain=True),)
        send(store, 7)
    assert place.read(NAMED).owner.sender_comp_id == NEW_KEY
    with place.open(NAMED) as store:
        assert (store.next_outgoing, store.next_incoming) == (4, 9)
    with place.open(ROTATED) as store:
        assert store.next_outgoing == 8


def test_damaged_numbers_of_an_earlier_key_are_not_used(
    place: Place, change: Callable[[str], object]
) -> None:
    fill(place, NAMED)
    place.open(ROTATED).close()
    change("UPDATE {}earlier_key SET next_outgoing = 3")
    with pytest.raises(StoreError, match="is damaged"):
        place.open(NAMED)
    place.open(ROTATED).close()


def test_a_refused_migration_changes_nothing(place: Place) -> None:
    with pytest.raises(StoreError, match=r"has no store missing|there is no file"):
        place.migrate("missing", account="maker")
    old = fill(place)
    before = place.summary(old)
    for key_id, account in ((None, None), (NEW_KEY, "maker")):
        with pytest.raises(ConfigurationError, match="give either"):
            place.migrate(old, key_id=key_id, account=account)
    with pytest.raises(StoreError, match="already has this name"):
        place.migrate(old, key_id=KEY_ID)
    with place.open(OWNER), pytest.raises(StoreInUseError):
        place.migrate(old, key_id=NEW_KEY)
    assert (place.names(), place.summary(old)) == ([old], before)
    old = place.migrate(old, account="other")
    new = fill(place, NAMED)
    with pytest.raises(StoreError, match="exists already: nothing was changed"):
        place.migrate(old, account="maker")
    assert (sorted(place.names()), place.summary(old)) == (sorted([old, new]), before)


@pytest.mark.parametrize(
    "damage", ["UPDATE {}journal SET value = '\"6\"'", "UPDATE {}request SET seq_num = 1"]
)
def test_a_damaged_store_is_not_migrated(place: Place, change: Callable[[str], object], damage: str) -> None:
    old = fill(place)
    change(damage)
    with pytest.raises(StoreError, match="is damaged"):
        place.migrate(old, key_id=NEW_KEY)
    assert place.names() == [old]
