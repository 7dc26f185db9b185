"""Stores that a client opens itself: from a folder, a URL or the user's factory."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.config.stores import BACKENDS, is_url, stores_at
from kalshi_fix_adapters.store_sqlite import SqliteFolder, SqliteStore
from kalshi_fix_adapters.stores import StoreFactory
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from kalshi_fix_sansio.session import MemoryStore
from tests.adapters.store_sqlite.stores import OWNER, send


def test_stores_are_located_by_a_folder_or_a_url(tmp_path: Path) -> None:
    assert stores_at(tmp_path, sync="normal") == SqliteFolder(tmp_path, "normal")
    assert stores_at(f"sqlite://{tmp_path}") == SqliteFolder(tmp_path, "full")
    assert is_url("sqlite:///a")
    assert not any(is_url(location) for location in ("a/b", "C:/a", Path("/a")))
    with pytest.raises(
        ConfigurationError, match="no store for URLs that begin with oracle://; use sqlite"
    ) as caught:
        stores_at("oracle://scott:tiger@host")
    assert "tiger" not in str(caught.value)


@pytest.mark.parametrize("scheme", BACKENDS)
def test_every_backend_is_a_factory(scheme: str, tmp_path: Path) -> None:
    if scheme == "postgresql":
        pytest.importorskip("psycopg", reason="stores in Postgres need psycopg")
    assert isinstance(stores_at(f"{scheme}://{tmp_path}"), StoreFactory)


def test_a_store_is_not_a_factory(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "x", owner=OWNER) as store:
        assert not isinstance(store, StoreFactory)
    assert not isinstance(MemoryStore(), StoreFactory)


def test_a_folder_opens_reads_and_lists_its_stores(tmp_path: Path) -> None:
    folder, other = SqliteFolder(tmp_path / "new"), attrs.evolve(OWNER, target_comp_id="KalshiPT")
    assert (folder.read(OWNER), folder.names()) == (None, [])
    with folder.open(OWNER) as store:
        send(store, 2)
        generation = store.generation
        with pytest.raises(StoreError, match="in use by"):
            folder.open(OWNER)
    with folder.open(other) as store:
        before = store.generation
        store.reset()
    with folder.open(OWNER) as store:  # reopened
        assert (store.next_outgoing, store.generation) == (3, generation)
    assert len(folder.names()) == 2
    found = {summary.owner: summary for summary in map(folder.summary, folder.names())}
    assert found == {OWNER: folder.read(OWNER), other: folder.read(other)}
    assert (found[OWNER].next_outgoing, found[other].generation) == (3, before + 1)
