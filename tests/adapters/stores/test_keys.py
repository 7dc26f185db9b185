"""A new API key does not silently start with an empty store, and a store can be moved to the new key: in a
folder and in a database."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.errors import KeyChangedError, StoreInUseError
from kalshi_fix_adapters.store_sqlite import SqliteFolder
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from tests.adapters.store_sqlite.stores import (
    OWNER,
    contents,
    execute,
    kept_numbers,
    open_request,
    send,
    send_and_commit,
)
from tests.adapters.stores.keys import (
    NAMED_OWNER,
    NEW_KEY,
    NEW_OWNER,
    ROTATED_OWNER,
    Stores,
    fill,
    name_of,
    run,
)
from tests.helpers import KEY_ID
from tests.postgres import execute_at


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    if request.param == "sqlite":
        return SqliteFolder(tmp_path)
    dsn = request.getfixturevalue("dsn")
    from kalshi_fix_adapters.store_postgres import PostgresDatabase

    return PostgresDatabase(dsn, "none")


@pytest.fixture
def change(stores: Stores) -> Callable[[str], object]:
    """Return a function that runs a statement in the only store, as another program would; {} is the prefix
    of the table names."""

    def run(statement: str) -> object:
        if isinstance(stores, SqliteFolder):
            [name] = stores.names()
            return execute(stores.folder / name, statement.format(""))
        return execute_at(stores.dsn, statement.format("kalshi_fix."))

    return run


def names(error: KeyChangedError) -> list[str]:
    return [Path(store).name for store in error.stores]


@pytest.mark.parametrize("use", ["read", "open"])
def test_a_new_key_next_to_the_store_of_another_key_is_an_error_that_names_the_command(
    stores: Stores, use: str
) -> None:
    old = fill(stores)
    with pytest.raises(KeyChangedError, match=r"has no store for KalshiRT as 9d3c6b0c.*run: ") as caught:
        getattr(stores, use)(NEW_OWNER)
    assert names(caught.value) == [old]
    assert caught.value.command in str(caught.value)
    program, command, *arguments = shlex.split(caught.value.command)
    assert (program, command, arguments[-2:]) == ("kalshi-fix", "store", ["--key-id", NEW_KEY])
    status, output = run(*arguments)
    assert status == 0
    assert output.endswith(
        f"{name_of(stores, NEW_OWNER)} contains 1 user row and 1 open request, and belongs to {NEW_OWNER}\n"
    )
    assert stores.read(NEW_OWNER).owner == NEW_OWNER


@pytest.mark.parametrize(
    "other",
    [
        *({"environment": "production"}, {"product": "margin"}, {"target_comp_id": "KalshiPT"}),
        {"account": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_accounts_environments_products_and_session_types_have_separate_stores(
    stores: Stores, other: dict[str, str]
) -> None:
    fill(stores)
    stores.open(attrs.evolve(NEW_OWNER, **other)).close()
    assert len(stores.names()) == 2


def test_a_migrated_store_has_its_rows_and_requests_and_the_numbers_of_the_key(stores: Stores) -> None:
    old = fill(stores)
    new = stores.migrate(old, key_id=NEW_KEY)
    assert (new, stores.names()) == (name_of(stores, NEW_OWNER), [new])
    with stores.open(NEW_OWNER) as store:
        assert (store.row("position"), store.open_requests()) == (
            '"5"',
            (open_request(1, 3, uncertain=True),),
        )
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (1, 1, 1)
        assert kept_numbers(store) == []
        send(store, 2)
    assert stores.migrate(new, key_id=KEY_ID) == old
    with stores.open(OWNER) as store:
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (4, 9, 4)
        assert kept_numbers(store) == []
        assert store.row("position") == '"5"'
        send_and_commit(store, 1)
        assert kept_numbers(store) == [4]


def test_a_named_account_keeps_its_contents_and_its_name_when_the_key_changes(stores: Stores) -> None:
    old = fill(stores)
    with pytest.raises(KeyChangedError, match="has no store 'maker' for") as caught:
        stores.open(NAMED_OWNER)
    assert caught.value.command.endswith("--account maker")
    with stores.open(OWNER) as store:
        before = contents(store)
    assert stores.migrate(old, account="maker") == name_of(stores, NAMED_OWNER)
    with stores.open(NAMED_OWNER) as store:
        assert (contents(store), store.row("position")) == (before, '"5"')
    with stores.open(ROTATED_OWNER) as store:
        assert (store.row("position"), store.next_outgoing, store.next_incoming) == ('"5"', 1, 1)
        assert store.open_requests() == (open_request(1, 3, uncertain=True),)
        send(store, 7)
    assert stores.read(NAMED_OWNER).owner.sender_comp_id == NEW_KEY
    with stores.open(NAMED_OWNER) as store:
        assert (store.next_outgoing, store.next_incoming) == (4, 9)
    with stores.open(ROTATED_OWNER) as store:
        assert store.next_outgoing == 8


def test_the_generations_of_two_keys_and_of_a_replaced_store_differ(stores: Stores, tmp_path: Path) -> None:
    """The numbers of each generation begin at 1, and consumers of the bus take repeated numbers within a
    generation for duplicates.
    """
    generations = []
    for owner in (NAMED_OWNER, ROTATED_OWNER, NAMED_OWNER):
        with stores.open(owner) as store:
            generations.append(store.generation)
    with SqliteFolder(tmp_path / "replacement").open(NAMED_OWNER) as store:
        generations.append(store.generation)
    first, second, again, replaced = generations
    assert first == again < second < replaced


def test_damaged_numbers_of_an_earlier_key_are_not_used(
    stores: Stores, change: Callable[[str], object]
) -> None:
    fill(stores, NAMED_OWNER)
    stores.open(ROTATED_OWNER).close()
    change("UPDATE {}earlier_key SET next_outgoing = 3")
    with pytest.raises(StoreError, match="is damaged"):
        stores.open(NAMED_OWNER)
    stores.open(ROTATED_OWNER).close()


def test_a_refused_migration_changes_nothing(stores: Stores) -> None:
    with pytest.raises(StoreError, match=r"has no store missing|there is no file"):
        stores.migrate("missing", account="maker")
    old = fill(stores)
    before = stores.summary(old)
    for key_id, account in ((None, None), (NEW_KEY, "maker")):
        with pytest.raises(ConfigurationError, match="give either"):
            stores.migrate(old, key_id=key_id, account=account)
    with pytest.raises(StoreError, match="already belongs to this key"):
        stores.migrate(old, key_id=KEY_ID)
    with stores.open(OWNER), pytest.raises(StoreInUseError):
        stores.migrate(old, key_id=NEW_KEY)
    assert (stores.names(), stores.summary(old)) == ([old], before)
    old = stores.migrate(old, account="other")
    new = fill(stores, NAMED_OWNER)
    with pytest.raises(StoreError, match="already exists: nothing was changed"):
        stores.migrate(old, account="maker")
    assert (sorted(stores.names()), stores.summary(old)) == (sorted([old, new]), before)


@pytest.mark.parametrize(
    "damage", ["UPDATE {}journal SET value = '\"6\"'", "UPDATE {}request SET seq_num = 1"]
)
def test_a_damaged_store_is_not_migrated(
    stores: Stores, change: Callable[[str], object], damage: str
) -> None:
    old = fill(stores)
    change(damage)
    with pytest.raises(StoreError, match="is damaged"):
        stores.migrate(old, key_id=NEW_KEY)
    assert stores.names() == [old]
