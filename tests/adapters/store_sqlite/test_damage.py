"""Files that are not stores, are damaged or cannot be written cause an error with advice, never wrong
sequence numbers.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import Mock

import pytest

from kalshi_fix_adapters.store_sqlite import SqliteStore, read_summary
from kalshi_fix_adapters.store_sqlite.tables import VERSION
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.power_loss import log_of
from tests.adapters.store_sqlite.stores import (
    FILE,
    OWNER,
    contents,
    execute,
    kept_numbers,
    open_request,
    open_store,
    open_store_with,
    run_python,
    send,
    send_and_commit,
)


def open_error(path: Path) -> str:
    """Return the text of the error that opening this file raises; reading it must raise the same error."""
    with pytest.raises(StoreError) as opening:
        open_store(path)
    if path.exists():
        with pytest.raises(StoreError) as reading:
            read_summary(path)
        assert str(reading.value) == str(opening.value)
    # A failed open does not keep the lock: the second attempt fails with the same error.
    with pytest.raises(StoreError) as again:
        open_store(path)
    assert str(again.value) == str(opening.value)
    return str(opening.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a closed store with messages on several pages."""
    with open_store(tmp_path) as store:
        send(store, 40, size=300)
        store.advance_incoming(17)
        store.record_request(open_request(1, 7))
        store.record_request(open_request(2, 8))
    return tmp_path / FILE


# --- files that are not our stores


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text("35=A" * 2000)
    assert "is not a store, or its header is damaged" in open_error(path)
    assert path.read_text() == "35=A" * 2000


def test_an_empty_file_and_the_database_of_another_program_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert "is empty or belongs to another program" in open_error(tmp_path / FILE)
    execute(tmp_path / FILE, "CREATE TABLE session (a)", "PRAGMA user_version = 1")
    assert "is empty or belongs to another program" in open_error(tmp_path / FILE)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (VERSION + 1, "written by a newer version"),
        (0, "has unknown layout version 0"),
        (VERSION - 1, f"has unknown layout version {VERSION - 1}"),
    ],
)
def test_stores_with_other_layouts_are_refused(path: Path, version: int, text: str) -> None:
    execute(path, f"PRAGMA user_version = {version}")
    assert text in open_error(path)


def test_a_missing_file_and_a_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no file"):
        read_summary(tmp_path / FILE)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / FILE / "inside").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(tmp_path / FILE, owner=OWNER)
    with pytest.raises(StoreError, match="there is no file"):
        read_summary(tmp_path / FILE)


# --- damaged stores


def test_a_log_without_its_database_is_refused(path: Path) -> None:
    log_of(path).write_bytes(b"x")
    path.unlink()
    assert f"is missing, but {FILE}-wal next to it exists" in open_error(path)
    log_of(path).write_bytes(b"")
    open_store(path).close()


def test_an_interrupted_creation_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", Mock(side_effect=OSError(errno.EIO, "Input/output error")))
        assert "(Input/output error)" in open_error(tmp_path / FILE)
    assert {item.name for item in tmp_path.iterdir()} == {f"{FILE}.new", f"{FILE}.lock"}
    open_store(tmp_path).close()
    assert {item.name for item in tmp_path.iterdir()} == {FILE, f"{FILE}.lock"}


def is_detected(path: Path, data: bytes, truth: tuple[Any, ...]) -> bool:
    """Return whether damage is detected when the whole store is read; if not, all values must be correct."""
    path.unlink()
    path.write_bytes(data)
    try:
        with open_store(path) as store:
            *numbers, messages, requests = contents(store)
    except StoreError as error:
        return "log on again with a reset" in str(error)
    assert tuple(numbers) == truth[:4]
    assert set(messages) <= set(truth[4])
    assert set(requests) <= set(truth[5])
    return False


def test_a_truncated_file_is_detected(path: Path) -> None:
    whole = path.read_bytes()
    with open_store(path) as store:
        truth = contents(store)
    assert all(is_detected(path, whole[:length], truth) for length in range(0, len(whole), 500))
    assert not is_detected(path, whole, truth)


def test_a_store_never_returns_wrong_numbers_or_messages_after_a_byte_has_changed(path: Path) -> None:
    random, whole = Random(3), path.read_bytes()
    with open_store(path) as store:
        truth = contents(store)
    detected = 0
    for _ in range(600):
        data = bytearray(whole)
        data[random.randrange(len(data))] ^= random.randrange(1, 256)
        detected += is_detected(path, bytes(data), truth)
    assert detected > 180  # the other changes affect unused bytes


def test_a_changed_message_is_not_returned(path: Path) -> None:
    execute(path, "UPDATE sent SET frame = 'x' || frame WHERE seq_num = 20")
    with open_store(path) as store:
        assert store.find(19)
        with pytest.raises(StoreError, match=r"is damaged.*a checksum is wrong"):
            store.find(20)
        with pytest.raises(StoreError, match="close this store"):
            store.find(19)
    with open_store(path) as store, pytest.raises(StoreError, match="is damaged"):
        kept_numbers(store)
    with open_store(path, max_messages=40) as store:
        send_and_commit(store, 1)


@pytest.mark.parametrize(
    ("statement", "output"),
    [
        ("UPDATE session SET next_outgoing = 1", "a checksum is wrong"),
        ("DELETE FROM session", "its numbers are missing"),
        ("DROP TABLE session", "no such table"),
    ],
)
def test_changed_numbers_are_detected(path: Path, statement: str, output: str) -> None:
    execute(path, statement)
    text = open_error(path)
    assert "is damaged" in text
    assert output in text


def test_changed_requests_are_detected(path: Path) -> None:
    execute(path, "UPDATE request SET request_id = 'order-3' WHERE request_id = 'order-2'")
    assert "a checksum is wrong" in open_error(path)
    with pytest.raises(StoreError, match="a checksum is wrong"):
        read_summary(path)


def test_missing_messages_are_detected(path: Path) -> None:
    execute(path, "DELETE FROM sent")
    with open_store(path, max_messages=1) as store:
        send(store, 5)
        with pytest.raises(StoreError, match="messages are missing"):
            store.commit()


def test_reading_a_summary_checks_the_whole_file(path: Path) -> None:
    data = bytearray(path.read_bytes())
    page = data.rindex(b"frame 20")
    data[page - page % 4096 : page - page % 4096 + 100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        read_summary(path)


# --- files that cannot be written


def opened_after(statement: str, path: Path) -> SqliteStore:
    """Open a store whose database first executes this statement."""

    class Connection(sqlite3.Connection):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            super().execute(statement)

    return open_store_with(Connection, path)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("PRAGMA max_page_count = 12", "the disk is full: free space"),
        ("PRAGMA query_only = ON", "is not writable"),
    ],
)
def test_a_full_or_read_only_disk_is_an_error(path: Path, statement: str, text: str) -> None:
    store = opened_after(statement, path)
    send(store, 100, size=500)
    with pytest.raises(StoreError, match=text):
        store.commit()
    for use in (
        store.commit,
        store.open_requests,
        lambda: send(store, 1),
        lambda: store.advance_incoming(99),
    ):
        with pytest.raises(StoreError, match=text):
            use()
    store.close()
    with open_store(path) as store:
        assert (store.next_outgoing, len(kept_numbers(store)), store.next_incoming) == (41, 40, 17)


def test_a_failed_last_commit_raises_an_error_and_releases_the_file(path: Path) -> None:
    with (
        pytest.raises(StoreError, match="is not writable"),
        opened_after("PRAGMA query_only = ON", path) as store,
    ):
        send(store, 1)
    with open_store(path) as store:
        assert store.next_outgoing == 41


def test_a_file_locked_by_another_program_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.store_sqlite.tables.BUSY_SECONDS", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, open_store(path) as store:
        other.execute("BEGIN IMMEDIATE")
        send(store, 1)
        with pytest.raises(StoreError, match="is being written to by another program"):
            store.commit()


LIMITED_PROGRAM = """
import resource, sys
from pathlib import Path
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.stores import open_store, send, send_and_commit

store = open_store(Path(sys.argv[1]), sync="normal")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    while True:
        send_and_commit(store, 1, size=100)
        committed = store.next_outgoing
except StoreError as error:
    print(committed, error)
store.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no file size limits")
@pytest.mark.parametrize("limit", [40_000, 300_001, 5_000_000])
def test_a_file_size_limit_is_an_error(tmp_path: Path, limit: int) -> None:
    committed, text = run_python(LIMITED_PROGRAM, tmp_path, str(limit)).split(" ", 1)
    assert "check the disk and the file size limit" in text
    with open_store(tmp_path) as store:
        assert store.next_outgoing in (int(committed), int(committed) + 1)
        assert len(kept_numbers(store)) == store.next_outgoing - 1


def not_a_folder(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / FILE


def lock_is_a_folder(folder: Path) -> Path:
    (folder / f"{FILE}.lock").mkdir()
    return folder / FILE


@pytest.mark.parametrize("make_path", [not_a_folder, lock_is_a_folder])
def test_an_unwritable_path_is_an_error(tmp_path: Path, make_path: Callable[[Path], Path]) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened.*give this user write permission"):
        SqliteStore(make_path(tmp_path), owner=OWNER)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="this user may write everywhere")
def test_a_read_only_folder_is_an_error(path: Path) -> None:
    path.with_name(f"{FILE}.lock").unlink()
    path.parent.chmod(0o500)
    try:
        for use in (open_store, read_summary):
            with pytest.raises(StoreError, match="write permission"):
                use(path)
    finally:
        path.parent.chmod(0o700)


def test_a_file_system_without_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_locks = Mock(side_effect=OSError(errno.ENOLCK, "No locks available"))
    monkeypatch.setattr("kalshi_fix_adapters.store_sqlite.lock._acquire", no_locks)
    with pytest.raises(StoreError, match=r"cannot be locked \(No locks available\)"):
        open_store(tmp_path)


def test_a_file_system_without_shared_memory_is_an_error(path: Path) -> None:
    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("journal_mode = WAL", "journal_mode = DELETE"), *arguments)

    with pytest.raises(StoreError, match="cannot have a write-ahead log"):
        open_store_with(Connection, path)
    open_store(path).close()
