"""The mark file next to a store: committed changes are never lost silently."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from kalshi_fix_adapters.store_sqlite import SqliteStore, mark, read_summary
from kalshi_fix_adapters.store_sqlite.mark import mark_path
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.power_loss import log_of
from tests.adapters.store_sqlite.stores import FILE, open_store, open_store_with, send, send_and_commit

LOG_HEADER, FRAME_HEADER, PAGE = 32, 24, 4096


def store_of_killed_process(tmp_path: Path, *, sync: str = "full") -> Path:
    """Return the path of a store as left by a process that was killed after some commits."""
    original, left = tmp_path / "original", tmp_path / "left"
    original.mkdir()
    left.mkdir()
    with open_store(original, sync=sync) as store:
        send(store, 5)
    store = open_store(original, sync=sync)
    for number in range(1, 9):
        send_and_commit(store, 1, size=200)
        store.advance_incoming(number + 1)
        store.commit()
    for file in original.iterdir():
        shutil.copy(file, left)
    store.close()
    return left / FILE


def numbers(store: SqliteStore) -> tuple[int, int]:
    return store.next_outgoing, store.next_incoming


def restart_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a restart of the system after the store was written, as after a power loss."""
    monkeypatch.setattr(mark, "_boot_id", lambda: "another")


@pytest.mark.parametrize("sync", ["full", "normal"])
def test_a_flipped_bit_in_the_log_never_lowers_a_number_silently(tmp_path: Path, sync: str) -> None:
    path = store_of_killed_process(tmp_path, sync=sync)
    files = {file: file.read_bytes() for file in path.parent.iterdir()}
    log = files[log_of(path)]
    refused = 0
    for begin in range(LOG_HEADER, len(log), FRAME_HEADER + PAGE):
        for position in (begin + 5, begin + 20, begin + FRAME_HEADER + 100):
            for file, data in files.items():
                file.unlink(missing_ok=True)
                file.write_bytes(data)
            damaged = bytearray(log)
            damaged[position] ^= 1
            log_of(path).write_bytes(damaged)
            log_of(path).with_name(path.name + "-shm").unlink()
            try:
                store = open_store(path, sync=sync)
            except StoreError:
                refused += 1
            else:
                with store:
                    assert numbers(store) == (14, 9)
    assert refused >= 8


def test_a_missing_log_and_an_older_copy_are_detected(tmp_path: Path) -> None:
    path = store_of_killed_process(tmp_path)
    log_of(path).unlink()
    for read in (open_store, read_summary):
        with pytest.raises(StoreError, match=r"an older copy: its next numbers are 6 .* 14 and 9"):
            read(path)


def test_a_power_loss_reverts_only_unsynced_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store_of_killed_process(tmp_path)
    restart_system(monkeypatch)
    log = log_of(path).read_bytes()
    # The commit of the last number from the venue did not wait for the disk; those of sent numbers did.
    log_of(path).write_bytes(log[: -(FRAME_HEADER + PAGE)])
    with open_store(path) as store:
        assert numbers(store) == (14, 8)


def test_a_power_loss_that_reverted_synced_changes_is_reported_as_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_of_killed_process(tmp_path)
    restart_system(monkeypatch)
    log_of(path).unlink()
    with pytest.raises(StoreError, match="it had already reached 14 and 8"):
        open_store(path)


def test_with_sync_normal_a_power_loss_may_revert_any_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_of_killed_process(tmp_path, sync="normal")
    restart_system(monkeypatch)
    log_of(path).unlink()
    with open_store(path, sync="normal") as store:
        assert numbers(store) == (6, 1)


@pytest.mark.parametrize("target", [None, (3, 5), (21, 4), (90, 1)])
def test_a_crash_while_numbers_are_reset_or_set_is_not_reported_as_damage(
    tmp_path: Path, target: tuple[int, int] | None
) -> None:
    interrupted = []
    outgoing, incoming = target or (1, 1)
    for step in range(1, 40):
        folder = tmp_path / str(step)
        folder.mkdir()
        with open_store(folder) as store:
            send(store, 20)
            store.advance_incoming(9)

        class InterruptedConnection(sqlite3.Connection):
            left = step

            def execute(self, *args: object) -> sqlite3.Cursor:
                type(self).left -= 1
                if type(self).left == 0:
                    raise KeyboardInterrupt
                return super().execute(*args)  # type: ignore[arg-type]

        try:
            store = open_store_with(InterruptedConnection, folder / FILE)
            if target is None:
                store.reset()
            else:
                store.renumber(*target)
            store.commit()
            send_and_commit(store, 1)
            store.close()
        except (KeyboardInterrupt, StoreError):  # in `__init__`, or in the thread for commits
            interrupted.append(step)
        else:
            break
        store.close()
        with open_store(folder) as store:
            assert numbers(store) in {(21, 9), (outgoing, incoming), (outgoing + 1, incoming)}
    assert len(interrupted) > 3


@pytest.mark.parametrize("content", [None, b"", b"garbage", b"\xff" * 160, b"- 99 99 99 99 1"])
def test_without_a_valid_mark_a_store_opens_and_gets_a_new_one(tmp_path: Path, content: bytes | None) -> None:
    path = store_of_killed_process(tmp_path)
    mark_path(path).unlink()
    if content is not None:
        mark_path(path).write_bytes(content)
    with open_store(path) as store:
        assert numbers(store) == (14, 9)
        send(store, 1)
    path.write_bytes(b"")
    with pytest.raises(StoreError):
        open_store(path)


def test_a_new_store_is_not_compared_with_one_that_was_removed(tmp_path: Path) -> None:
    path = store_of_killed_process(tmp_path)
    for file in (path, log_of(path), path.with_name(path.name + "-shm")):
        file.unlink()
    with open_store(path) as store:
        assert numbers(store) == (1, 1)


def test_an_unwritable_mark_does_not_prevent_opening(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with open_store(path) as store:
        mark_path(path).mkdir()
        send_and_commit(store, 3)
    with open_store(path) as store:
        assert numbers(store) == (4, 1)
        store.reset()
        # An old mark that cannot be removed, however, would make later commits look like damage.
        with pytest.raises(StoreError):
            store.commit()


def test_new_folders_are_synced_before_their_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not report the name of an open file")
    open_store(tmp_path / "a" / "b" / "c" / FILE).close()
    folders = [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    assert synced[:3] == folders
