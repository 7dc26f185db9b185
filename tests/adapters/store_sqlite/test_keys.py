"""A new API key does not silently start with an empty store, and a store can be migrated to a new key."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import Mock

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
    store_path,
)
from kalshi_fix_adapters.store_sqlite.tables import connect
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.store_sqlite.stores import OWNER, execute
from tests.adapters.stores.keys import NEW_KEY, NEW_OWNER, ROTATED_OWNER, record_contents
from tests.helpers import KEY_ID


def create_store(folder: Path, owner: StoreOwner = OWNER) -> Path:
    """Create a store with a row, an open request and sequence numbers; return its path."""
    path = store_path(folder, owner)
    with SqliteStore(path, owner=owner) as store:
        record_contents(store)
    return path


def test_the_most_recently_written_store_is_proposed_for_migration(tmp_path: Path) -> None:
    paths = [
        create_store(tmp_path, attrs.evolve(OWNER, sender_comp_id=f"key-{number}")) for number in range(3)
    ]
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    for path in (paths[0], Path(f"{paths[1]}.mark")):
        os.utime(path, (2, 2) if path == paths[0] else (3, 3))
    with pytest.raises(KeyChangedError) as caught:
        find_store(tmp_path, NEW_OWNER)
    assert caught.value.stores == (paths[1], paths[0], paths[2])
    assert str(paths[1]) in caught.value.command


def test_other_files_and_a_missing_folder_are_not_stores_of_the_account(tmp_path: Path) -> None:
    (tmp_path / "demo-prediction-of-somebody-else-KalshiRT-1.sqlite3").touch()
    for folder in (tmp_path, tmp_path / "missing"):
        assert find_store(folder, NEW_OWNER) == store_path(folder, NEW_OWNER)
    # An account and a key with the same name have different stores.
    assert store_path(tmp_path, attrs.evolve(OWNER, account=KEY_ID)) != store_path(tmp_path, OWNER)


def test_a_store_named_after_an_account_has_a_mark_file_and_refuses_other_owners(tmp_path: Path) -> None:
    path = migrate_store(create_store(tmp_path), account="maker")
    assert Path(f"{path}.mark").exists()
    SqliteStore(path, owner=ROTATED_OWNER).close()
    for other in (attrs.evolve(ROTATED_OWNER, product="margin"), OWNER):
        with pytest.raises(StoreError, match="belongs to"):
            SqliteStore(path, owner=other)


def test_a_file_is_not_replaced_by_a_migration_and_a_damaged_one_is_not_migrated(tmp_path: Path) -> None:
    old = create_store(tmp_path)
    before = old.read_bytes()
    new = SqliteStore(store_path(tmp_path, NEW_OWNER), owner=NEW_OWNER)
    with new, pytest.raises(StoreError, match="is already in use by this process"):
        migrate_store(old, key_id=NEW_KEY)
    assert old.read_bytes() == before
    execute(old, "DELETE FROM session")
    with pytest.raises(StoreError, match="is damaged"):
        migrate_store(old, key_id=NEW_KEY)


def test_an_interrupted_migration_is_completed_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = create_store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "_rename", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            migrate_store(old, key_id=NEW_KEY)
    # Until the migration is completed, no client can start with either key.
    with pytest.raises(StoreError, match="belongs to"):
        SqliteStore(find_store(tmp_path, OWNER), owner=OWNER)
    with pytest.raises(KeyChangedError):
        find_store(tmp_path, NEW_OWNER)
    new = migrate_store(old, key_id=NEW_KEY)
    with SqliteStore(new, owner=NEW_OWNER) as store:
        assert (store.row("position"), store.next_outgoing) == ('"5"', 1)
    for again in (old, new):
        with pytest.raises(StoreError, match=r"there is no file|already belongs to this key"):
            migrate_store(again, key_id=NEW_KEY)


def test_a_store_that_is_being_read_keeps_its_name(tmp_path: Path) -> None:
    old = create_store(tmp_path)
    with closing(connect(old, "ro")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM session").fetchone()
        with pytest.raises(StoreError, match="is being read by another program"):
            migrate_store(old, key_id=NEW_KEY)
    assert migrate_store(old, key_id=NEW_KEY).exists()


def test_a_rotated_key_finds_its_rows_again(tmp_path: Path) -> None:
    """A client uses two keys of one owner in turn."""
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
