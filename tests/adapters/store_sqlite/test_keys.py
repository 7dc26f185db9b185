"""A new API key does not silently start without its rows, and a store can be migrated to a new key."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.errors import KeyChangedError
from kalshi_fix_adapters.store_sqlite import (
    SqliteStore,
    StoreOwner,
    find_store,
    keys,
    migrate_store,
    read_summary,
    store_path,
)
from kalshi_fix_adapters.store_sqlite.tables import connect
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.store_sqlite.stores import OWNER, asked, contents, execute, kept, send
from tests.helpers import KEY_ID

NEW_KEY = "9d3c6b0c-1111-4d06-9d3e-0a4f3d1c9b77"
NEW = attrs.evolve(OWNER, sender_comp_id=NEW_KEY)
NAMED = attrs.evolve(OWNER, account="maker")


def fill(folder: Path, owner: StoreOwner = OWNER) -> Path:
    """Create a store with a row, an open request and numbers in a folder."""
    path = store_path(folder, owner)
    with SqliteStore(path, owner=owner) as store:
        send(store, 3)
        store.record_request(asked(1, 3))
        store.record_rows({"position": '"5"'})
        store.advance_incoming(9)
    return path


def test_a_new_key_next_to_the_store_of_another_is_an_error_with_the_command(tmp_path: Path) -> None:
    old = fill(tmp_path)
    with pytest.raises(KeyChangedError, match=r"has no store of KalshiRT as 9d3c6b0c.*run: ") as caught:
        find_store(tmp_path, NEW)
    assert caught.value.stores == (old,)
    assert caught.value.command == f"kalshi-fix store migrate {old} --key-id {NEW_KEY}"
    assert caught.value.command in str(caught.value)
    assert find_store(tmp_path, OWNER) == old
    # An empty store next to it is created only under an account name.
    assert find_store(tmp_path, attrs.evolve(NEW, account="other")).exists() is False


@pytest.mark.parametrize(
    "other",
    [{"environment": "production"}, {"product": "margin"}, {"target_comp_id": "KalshiPT"}],
    ids=lambda change: next(iter(change)),
)
def test_stores_of_another_environment_product_or_session_type_do_not_count(
    other: dict[str, str], tmp_path: Path
) -> None:
    fill(tmp_path)
    (tmp_path / "demo-prediction-of-somebody-else-KalshiRT-1.sqlite3").touch()
    owner = attrs.evolve(NEW, **other)
    assert find_store(tmp_path, owner) == store_path(tmp_path, owner)
    assert find_store(tmp_path / "missing", NEW) == store_path(tmp_path / "missing", NEW)


def test_the_most_recently_written_store_is_proposed_for_migration(tmp_path: Path) -> None:
    paths = [fill(tmp_path, attrs.evolve(OWNER, sender_comp_id=f"key-{number}")) for number in range(3)]
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    for path in (paths[0], Path(f"{paths[1]}.mark")):
        os.utime(path, (2, 2) if path == paths[0] else (3, 3))
    with pytest.raises(KeyChangedError) as caught:
        find_store(tmp_path, NEW)
    assert caught.value.stores == (paths[1], paths[0], paths[2])
    assert str(paths[1]) in caught.value.command


def test_a_named_account_does_not_begin_next_to_the_store_of_its_key(tmp_path: Path) -> None:
    old = fill(tmp_path)
    with pytest.raises(KeyChangedError, match="has no store 'maker' for") as caught:
        find_store(tmp_path, NAMED)
    assert caught.value.command == f"kalshi-fix store migrate {old} --account maker"
    # The name of an account is not that of a key.
    assert store_path(tmp_path, attrs.evolve(OWNER, account=KEY_ID)) != old


def test_a_migrated_store_has_rows_and_requests_and_the_first_numbers(tmp_path: Path) -> None:
    old = fill(tmp_path)
    new = migrate_store(old, key_id=NEW_KEY)
    assert new == find_store(tmp_path, NEW)
    assert not old.exists()
    with SqliteStore(new, owner=NEW) as store:
        assert (store.row("position"), store.open_requests()) == ('"5"', (asked(1, 3, uncertain=True),))
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept, kept(store)) == (1, 1, 1, [])
        send(store, 2)
    # Back again: the numbers belong to a key.
    assert migrate_store(new, key_id=KEY_ID) == old
    with SqliteStore(old, owner=OWNER) as store:
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept, kept(store)) == (4, 9, 4, [])
        assert store.row("position") == '"5"'
        send(store, 1)
        store.commit()
        assert kept(store) == [4]


def test_naming_a_store_keeps_its_contents(tmp_path: Path) -> None:
    old = fill(tmp_path)
    with SqliteStore(old, owner=OWNER) as store:
        before = contents(store)
    new = migrate_store(old, account="maker")
    assert (new, old.exists()) == (find_store(tmp_path, NAMED), False)
    assert Path(f"{new}.mark").exists()
    with SqliteStore(new, owner=NAMED) as store:
        assert contents(store) == before
        assert store.row("position") == '"5"'


def test_a_named_store_stays_the_same_when_the_key_changes(tmp_path: Path) -> None:
    path = fill(tmp_path, NAMED)
    rotated = attrs.evolve(NAMED, sender_comp_id=NEW_KEY)
    assert find_store(tmp_path, rotated) == path
    with SqliteStore(path, owner=rotated) as store:
        assert (store.row("position"), store.next_outgoing, store.next_incoming) == ('"5"', 1, 1)
        assert store.open_requests() == (asked(1, 3, uncertain=True),)
        send(store, 7)
    assert read_summary(path).owner.sender_comp_id == NEW_KEY
    with SqliteStore(path, owner=NAMED) as store:
        assert (store.next_outgoing, store.next_incoming) == (4, 9)
    with SqliteStore(path, owner=rotated) as store:
        assert store.next_outgoing == 8
    with pytest.raises(StoreError, match="belongs to"):
        SqliteStore(path, owner=attrs.evolve(rotated, product="margin"))
    with pytest.raises(StoreError, match="belongs to"):
        SqliteStore(path, owner=OWNER)


def test_an_interrupted_migration_is_completed_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fill(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "_rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            migrate_store(old, key_id=NEW_KEY)
    # Neither key can start without it.
    with pytest.raises(StoreError, match="belongs to"):
        SqliteStore(find_store(tmp_path, OWNER), owner=OWNER)
    with pytest.raises(KeyChangedError):
        find_store(tmp_path, NEW)
    new = migrate_store(old, key_id=NEW_KEY)
    with SqliteStore(new, owner=NEW) as store:
        assert (store.row("position"), store.next_outgoing) == ('"5"', 1)
    for again in (old, new):
        with pytest.raises(StoreError, match=r"there is no file|already has this name"):
            migrate_store(again, key_id=NEW_KEY)


def test_a_migration_changes_nothing_where_it_is_refused(tmp_path: Path) -> None:
    old = fill(tmp_path)
    before = old.read_bytes()
    for key_id, account in ((None, None), (NEW_KEY, "maker")):
        with pytest.raises(ConfigurationError, match="give either"):
            migrate_store(old, key_id=key_id, account=account)
    with SqliteStore(old, owner=OWNER), pytest.raises(StoreError, match="is in use by this process"):
        migrate_store(old, key_id=NEW_KEY)
    new = fill(tmp_path, NEW)
    with SqliteStore(new, owner=NEW), pytest.raises(StoreError, match="is in use by this process"):
        migrate_store(old, key_id=NEW_KEY)
    with pytest.raises(StoreError, match="exists already: nothing was changed"):
        migrate_store(old, key_id=NEW_KEY)
    assert old.read_bytes() == before


@pytest.mark.parametrize(
    "damage", ["UPDATE journal SET value = '\"6\"'", "UPDATE request SET seq_num = 1", "DELETE FROM session"]
)
def test_a_damaged_store_is_not_migrated(damage: str, tmp_path: Path) -> None:
    old = fill(tmp_path)
    execute(old, damage)
    with pytest.raises(StoreError, match="is damaged"):
        migrate_store(old, key_id=NEW_KEY)
    assert not store_path(tmp_path, NEW).exists()


def test_a_store_that_is_being_read_keeps_its_name(tmp_path: Path) -> None:
    old = fill(tmp_path)
    with closing(connect(old, "ro")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM session").fetchone()
        with pytest.raises(StoreError, match="is being read by another program"):
            migrate_store(old, key_id=NEW_KEY)
    assert migrate_store(old, key_id=NEW_KEY).exists()


def test_numbers_of_an_earlier_key_that_are_damaged_are_not_used(tmp_path: Path) -> None:
    path = fill(tmp_path, NAMED)
    rotated = attrs.evolve(NAMED, sender_comp_id=NEW_KEY)
    SqliteStore(path, owner=rotated).close()
    execute(path, "UPDATE earlier_key SET next_outgoing = 3")
    with pytest.raises(StoreError, match="is damaged"):
        SqliteStore(path, owner=NAMED)
    SqliteStore(path, owner=rotated).close()


def test_a_rotated_key_finds_its_rows_again(tmp_path: Path) -> None:
    """Two keys of one owner, with a client."""
    with Sandbox(("me",)) as venue:
        first: Any = {**venue.options("me", "prediction", "KalshiRT", key=0), "store": tmp_path}
        second: Any = {**venue.options("me", "prediction", "KalshiRT", key=1), "store": tmp_path}
        with order_entry(**first, retransmission=True) as client:
            client.rows["position"] = "5"
        with pytest.raises(KeyChangedError) as caught, order_entry(**second, retransmission=True):
            pass
        with pytest.raises(KeyChangedError):
            _ = order_entry(**second, retransmission=True).numbers
        migrate_store(caught.value.stores[0], account="me")
        first["account"] = second["account"] = "me"
        for options in (first, second, first):
            with order_entry(**options, retransmission=True) as client:
                assert client.rows["position"] == "5"
