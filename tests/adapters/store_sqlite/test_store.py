"""The public behaviour of the durable store: names, owners, retention, one process at a time, errors.

`test_model` checks that the store returns the recorded data, even after a restart.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import attrs
import pytest

from kalshi_fix_adapters.store_sqlite import SqliteStore, lock, read_summary, store_path
from kalshi_fix_adapters.store_sqlite.file import StoreFile
from kalshi_fix_adapters.stores.pending import PendingChanges
from kalshi_fix_adapters.stores.retention import Retention
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from tests.adapters.store_sqlite.power_loss import Files
from tests.adapters.store_sqlite.stores import (
    FILE,
    OWNER,
    ROOT,
    execute,
    kept_numbers,
    open_request,
    open_store,
    run_python,
    send,
    send_and_commit,
    stored_message,
)

# --- files and owners


def test_each_owner_has_a_file_with_a_plain_name(tmp_path: Path) -> None:
    path = store_path(tmp_path, OWNER)
    assert path == store_path(str(tmp_path), OWNER)
    assert path.parent == tmp_path
    assert path.name.startswith("demo-prediction-3a6b0c1e_52d5_4d06_9d3e_0a4f3d1c9b77-KalshiRT-")
    others = [
        attrs.evolve(OWNER, environment="production"),
        attrs.evolve(OWNER, product="margin"),
        attrs.evolve(OWNER, target_comp_id="KalshiPT"),
        attrs.evolve(OWNER, target_comp_id="kalshirt"),
        attrs.evolve(OWNER, sender_comp_id="../../etc/passwd\0"),
        attrs.evolve(OWNER, sender_comp_id="../../etc/passwd "),
        attrs.evolve(OWNER, sender_comp_id="x" * 300),
        attrs.evolve(OWNER, sender_comp_id="x" * 301),
    ]
    names = {store_path(tmp_path, owner).name for owner in others}
    assert len(names) == len(others)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+\.sqlite3", name) for name in names)
    assert max(map(len, names)) < 150


def test_new_files_are_readable_only_by_their_user(tmp_path: Path) -> None:
    path = store_path(tmp_path / "new" / "stores", OWNER)
    with open_store(path) as store:
        send_and_commit(store, 1)
        modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 5
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_of_another_session_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    other = attrs.evolve(OWNER, target_comp_id="KalshiPT", environment="production")
    with pytest.raises(StoreError) as refused:
        SqliteStore(tmp_path / FILE, owner=other)
    assert f"belongs to {OWNER}, not to {other}" in str(refused.value)
    assert str(OWNER) == "KalshiRT as 3a6b0c1e-52d5-4d06-9d3e-0a4f3d1c9b77 (demo, prediction)"
    open_store(tmp_path).close()


@pytest.mark.parametrize(
    "options", [{"sync": "off"}, {"max_messages": -1}, {"max_bytes": -1}, {"max_age": timedelta(seconds=-1)}]
)
def test_invalid_settings_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must"):
        open_store(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="this system does not allow such names")
def test_a_store_file_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "of [me]?mode=memory#%41*" / "a [b]?c=d#%25*"
    for _ in range(2):
        with open_store(path) as store:
            send(store, 1)
    assert read_summary(path).kept == 2


# --- recording, committing, closing


def test_a_resend_continues_while_messages_are_recorded_and_committed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        send_and_commit(store, 100)
        send(store, 2)
        resent = store.sent_between(1, 103)
        numbers = [next(resent).seq_num for _ in range(50)]
        store.commit()
        send(store, 3)
        numbers += [message.seq_num for message in resent]
        assert numbers == list(range(1, 104))


def test_incoming_numbers_are_written_immediately_or_with_a_pending_commit(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.advance_incoming(5)
        store._commits.wait(store._commits.last_ticket)
        assert read_summary(store.path).next_incoming == 5
        send(store, 1)
        store.advance_incoming(6)
        assert read_summary(store.path).next_incoming == 5
        store.commit()
        assert read_summary(store.path).next_incoming == 6
        store.settle_requests([7])
        store.advance_incoming(6)
        store.advance_incoming(3)
        store._commits.wait(store._commits.last_ticket)
        assert (store.next_incoming, read_summary(store.path).next_incoming) == (6, 6)


def test_closing_commits_and_may_be_repeated(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    send(store, 1)
    store.close()
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, f"{FILE}.lock", f"{FILE}.mark"]
    for use in (store.commit, store.open_requests, lambda: store.find(1), lambda: store.record_sent(2, None)):
        with pytest.raises(StoreError, match="is closed"):
            use()
    assert store.next_outgoing == 2
    with open_store(tmp_path) as store:
        assert kept_numbers(store) == [1]


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**70])
def test_numbers_beyond_the_range_of_the_file_are_refused(tmp_path: Path, number: int) -> None:
    with open_store(tmp_path) as store:
        send_and_commit(store, 1)
        assert store.find(number) is None
        assert list(store.sent_between(1, number)) == [stored_message(1, 1)]
        store.advance_incoming(2**63 - 1)
    with open_store(tmp_path) as store:
        assert store.next_incoming == 2**63 - 1
        store.reset()
        with pytest.raises(StoreError, match="is too large"):
            store.advance_incoming(max(number, 2**63))


def test_the_last_number_of_the_file_cannot_be_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.stores.durable.MAX_NUMBER", 3)
    with open_store(tmp_path) as store:
        send_and_commit(store, 2)
        with pytest.raises(StoreError, match="no numbers beyond 3"):
            store.record_sent(3, None)


def test_a_number_is_never_recorded_twice(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        send_and_commit(store, 3)
        with pytest.raises(StoreError, match="number 3 cannot be used: the next number is 4"):
            store.record_sent(3, None)
        with pytest.raises(StoreError, match="close this store and open it again"):
            store.commit()
    with open_store(tmp_path) as store:
        assert store.next_outgoing == 4


def test_the_store_cannot_be_used_after_a_commit_fails_internally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as store:
        send_and_commit(store, 1)
        send(store, 1)
        with monkeypatch.context() as patched:
            patched.setattr("kalshi_fix_adapters.stores.rows.numbers_row", Mock(side_effect=MemoryError))
            with pytest.raises(StoreError, match="failed internally"):
                store.commit()
        with pytest.raises(StoreError, match="MemoryError"):
            store.commit()
    with open_store(tmp_path) as store:
        assert kept_numbers(store) == [1]


# --- retention


def test_messages_beyond_the_byte_limit_are_forgotten_at_a_commit_even_after_a_restart(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path, max_bytes=300) as store:
        send_and_commit(store, 5, size=100)
        assert (kept_numbers(store), store.oldest_kept) == ([3, 4, 5], 3)
        send_and_commit(store, 1, size=101)
        assert kept_numbers(store) == [5, 6]
    with open_store(tmp_path, max_bytes=300) as store:
        send_and_commit(store, 1, size=99)
        assert kept_numbers(store) == [5, 6, 7]
        send_and_commit(store, 1, size=20)
        assert kept_numbers(store) == [6, 7, 8]
        send_and_commit(store, 1, size=301)
        assert (kept_numbers(store), store.oldest_kept) == ([], 10)
        store.reset()
        send_and_commit(store, 4, size=100)
        assert kept_numbers(store) == [2, 3, 4]


def test_large_messages_are_removed_from_the_file_soon_after_they_are_forgotten(tmp_path: Path) -> None:
    with open_store(tmp_path, sync="normal", max_bytes=1_000_000) as store:
        for _ in range(40):
            send_and_commit(store, 1, size=200_000)
        [size] = execute(store.path, "SELECT SUM(LENGTH(frame)) FROM sent")
        assert kept_numbers(store) == [36, 37, 38, 39, 40]
        assert size <= 2_100_000


def test_the_file_stays_small_over_many_messages(tmp_path: Path) -> None:
    def size() -> int:
        return sum(path.stat().st_size for path in tmp_path.iterdir())

    with open_store(tmp_path, sync="normal", max_messages=1000) as store:
        sizes, database_sizes = [], []
        for _ in range(20):
            for _ in range(100):
                send(store, 100, size=60)
                store.record_request(open_request(store.next_outgoing))
                store.settle_requests([store.next_outgoing - 1000])
                store.commit()
            sizes.append(size())
            database_sizes.append(store.path.stat().st_size)
        assert store.next_outgoing == 200_001
        assert len(kept_numbers(store)) == 1000
    assert max(sizes) < 6_000_000
    assert max(database_sizes) <= 400_000
    assert size() < 600_000


def test_forgotten_messages_are_removed_from_the_file_even_after_a_reset(tmp_path: Path) -> None:
    with open_store(tmp_path, sync="normal", max_messages=10) as store:
        for count in (3000, 2000):
            for _ in range(count // 10):
                send_and_commit(store, 10)
            [rows] = execute(store.path, "SELECT count(*) FROM sent")
            assert rows < 300
            store.reset()


def test_expired_rows_do_not_accumulate_over_many_processes(tmp_path: Path) -> None:
    for _ in range(5):
        with open_store(tmp_path, sync="normal", max_messages=10) as store:
            send_and_commit(store, 200)
            assert execute(store.path, "SELECT count(*) FROM sent") <= [10 + 256]


# --- one process at a time


def retention() -> Retention:
    return Retention(timedelta(1), 10, 1000)


OPENING_PROGRAM = """
import sys
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.stores import open_store
from pathlib import Path
try:
    open_store(Path(sys.argv[1])).close()
except StoreError as error:
    print(error)
"""


def test_a_second_process_is_refused_with_the_id_of_the_first(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        text = run_python(OPENING_PROGRAM, store.path)
        assert text.startswith(f"{store.path} is in use by process {os.getpid()}:")
    assert run_python(OPENING_PROGRAM, store.path) == ""


def test_a_second_store_in_the_same_process_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with open_store(tmp_path):
        with pytest.raises(StoreError, match="is already in use by this process"):
            open_store(tmp_path / "link")
        (tmp_path / f"{FILE}.lock").write_text("nonsense")
        with pytest.raises(StoreError, match="is in use by another process"):
            open_store(tmp_path)
    open_store(tmp_path).close()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed on this system")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_stops_writing_when_its_lock_file_was_removed(tmp_path: Path, replaced: bool) -> None:
    store = open_store(tmp_path)
    send_and_commit(store, 1)
    (tmp_path / f"{FILE}.lock").unlink()
    if replaced:
        with open_store(tmp_path) as second:
            send(second, 1)
    send(store, 1)
    with pytest.raises(StoreError, match="was removed or replaced while this store was open"):
        store.commit()
    with pytest.raises(StoreError, match="was removed or replaced"):
        send(store, 1)
    store.close()
    with open_store(tmp_path) as again:
        assert again.next_outgoing == 2 + replaced


def test_numbers_changed_by_another_process_are_not_overwritten(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    # This is what happens if the lock file is removed between the check and the commit.
    with closing(StoreFile(store.path, OWNER, wait_for_disk=False)) as file:
        pending = PendingChanges()
        pending.numbers = attrs.evolve(file.numbers, next_outgoing=2)
        file.write(pending, retention())
    send(store, 1)
    with pytest.raises(StoreError, match="was written by another process"):
        store.commit()
    with pytest.raises(StoreError, match="was written by another process"):
        send(store, 1)
    assert read_summary(store.path).next_outgoing == 2
    execute(store.path, "UPDATE session SET next_outgoing = next_outgoing")  # the file is not locked
    store.close()
    assert read_summary(store.path).kept == 0


def test_a_lock_file_removed_during_locking_is_locked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire, path = lock._acquire, tmp_path / f"{FILE}.lock"

    def remove_and_acquire(descriptor: int) -> None:
        monkeypatch.setattr(lock, "_acquire", acquire)
        path.unlink()
        acquire(descriptor)

    monkeypatch.setattr(lock, "_acquire", remove_and_acquire)
    with open_store(tmp_path) as store:
        send_and_commit(store, 1)
        with pytest.raises(StoreError, match="is already in use by this process"):
            open_store(tmp_path)


FORKING_PROGRAM = """
import os, sys
from pathlib import Path
from kalshi_fix_sansio.errors import StoreError
from tests.adapters.store_sqlite.stores import kept_numbers, open_store, send, send_and_commit

store = open_store(Path(sys.argv[1]), sync="normal")
send(store, 2)
store.commit()
send(store, 1)
ready, go = os.pipe(), os.pipe()
child = os.fork()
if not child:
    for use in (store.commit, store.open_requests, lambda: store.find(1), lambda: send(store, 1)):
        try:
            use()
        except StoreError as error:
            assert "before a fork" in str(error), error
        else:
            os._exit(1)
    store.close()
    del store
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.read(ready[0], 1)
store.commit()
send(store, 1)
assert kept_numbers(store) == [1, 2, 3, 4]
store.close()
# The child is still alive, but holds no lock.
with open_store(Path(sys.argv[1])) as store:
    assert kept_numbers(store) == [1, 2, 3, 4]
os.write(go[1], b"x")
assert os.waitpid(child, 0)[1] == 0
"""

ORPHAN_PROGRAM = """
import os, sys
from pathlib import Path
from tests.adapters.store_sqlite.stores import open_store, send

store = open_store(Path(sys.argv[1]))
send(store, 1)
store.commit()
if not os.fork():
    os.write(1, b"forked")
    os.close(1)
    os.close(2)
    os.read(0, 1)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_cannot_use_the_store_and_does_not_disturb_its_parent(tmp_path: Path) -> None:
    run_python(FORKING_PROGRAM, tmp_path)
    with open_store(tmp_path) as store:
        assert kept_numbers(store) == [1, 2, 3, 4]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_that_outlives_its_parent_releases_the_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHAN_PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.wait(60) == 0
        assert process.stdout is not None
        # The child releases the file as soon as it runs, which may be after its parent has ended.
        assert process.stdout.read() == b"forked"
        with open_store(tmp_path) as store:
            assert kept_numbers(store) == [1]


# --- user rows, renumbering


def test_rows_are_written_with_the_next_commit(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.record_rows({"a": "1", "ä": "2", "gone": "3"})
        store.record_rows({"gone": None, "never": None})
        assert [store.row(key) for key in ("a", "ä", "gone", "other")] == ["1", "2", None, None]
        assert store.row_sizes == {"a": 2, "ä": 3}
        before = Files.read(store.path)
        store.advance_incoming(5)
        store.commit()
        after = Files.read(store.path)
    with open_store(before.write(tmp_path / "before")) as store:
        assert (store.row_sizes, store.next_incoming) == ({}, 1)
    with open_store(after.write(tmp_path / "after")) as store:
        assert (store.row_sizes, store.next_incoming) == ({"a": 2, "ä": 3}, 5)
        store.reset()
        store.record_rows({"a": None})
        store.commit()
        assert (store.row("a"), store.row("ä"), store.row_sizes) == (None, "2", {"ä": 3})


def test_a_damaged_row_raises_an_error(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.record_rows({"a": "1", "b": "2"})
    execute(tmp_path / FILE, "UPDATE journal SET value = '7' WHERE key = 'a'")
    with open_store(tmp_path) as store:
        assert store.row("b") == "2"
        with pytest.raises(StoreError, match="is damaged"):
            store.row("a")
        with pytest.raises(StoreError, match="close this store"):
            store.record_rows({"a": "1"})


@pytest.mark.parametrize("wrong", [0, -1, 2**63])
def test_invalid_numbers_are_refused_and_change_nothing(tmp_path: Path, wrong: int) -> None:
    with open_store(tmp_path) as store:
        send(store, 2)
        for numbers in ((wrong, 1), (1, wrong)):
            with pytest.raises(ValueError, match="must be from 1 to"):
                store.renumber(*numbers)
        assert (store.next_outgoing, store.next_incoming) == (3, 1)
    with open_store(tmp_path) as store:
        store.renumber(2**63 - 1, 2**63 - 1)
    with open_store(tmp_path) as store:
        assert (store.next_outgoing, store.next_incoming) == (2**63 - 1, 2**63 - 1)
