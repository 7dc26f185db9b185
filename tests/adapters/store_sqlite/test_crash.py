"""The durable store after its process was killed or its machine lost power at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import IO, Any

import pytest

from kalshi_fix_adapters.store_sqlite import read_summary
from tests.adapters.store_sqlite.power_loss import Disk
from tests.adapters.store_sqlite.steps import MAX_MESSAGES, states, step
from tests.adapters.store_sqlite.stores import FILE, OWNER, ROOT, contents, execute, open_store

State = tuple[Any, ...]


class History:
    """The contents of a store after each number of steps."""

    def __init__(self) -> None:
        self._states = states()
        self._known: list[State] = []

    def after(self, number: int) -> State:
        while len(self._known) <= number:
            self._known.append(next(self._states))
        return self._known[number]

    def steps_to(self, state: State, first: int, last: int) -> int:
        """Return the number of steps between `first` and `last` after which the store has this state."""
        [number] = [number for number in range(first, last + 1) if self.after(number) == state]
        return number


def reopened_state(path: Path) -> State:
    """Return the contents of a store when it is opened again."""
    with open_store(path, sync="normal", max_messages=MAX_MESSAGES) as store:
        return (*contents(store), {key: store.row(key) for key in store.row_sizes})


def summary_of_file(path: Path) -> State:
    """Return the summary of a file, which is read without opening the store for use."""
    seen = read_summary(path)
    ends = (seen.oldest, seen.newest)
    numbers = (seen.next_outgoing, seen.next_incoming, seen.oldest_kept, seen.reset_unanswered)
    return (*numbers, seen.kept, *ends, seen.open_requests)


def summary_of_state(state: State) -> State:
    """Return the summary of a state."""
    *numbers, messages, requests, _ = state
    ends = (messages[0], messages[-1]) if messages else (None, None)
    return (*numbers, len(messages), *ends, requests)


# --- the process is killed


@contextmanager
def writing(path: Path, sync: str) -> Iterator[Callable[[int], tuple[int, IO[str]]]]:
    """Yield a function that takes the number of steps already done, and starts a process that does the
    following ones. The function returns the process id and the stream of the steps that the process reports.
    """
    command = [sys.executable, "-m", "tests.adapters.store_sqlite.steps", str(path), sync]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        reported = process.stdout

        def start(done: int) -> tuple[int, IO[str]]:
            print(done, file=process.stdin, flush=True)
            return int(reported.readline()), reported

        yield start
        process.stdin.close()


@pytest.mark.parametrize("sync", ["full", "normal"])
def test_every_step_that_a_killed_process_reported_is_in_the_store(tmp_path: Path, sync: str) -> None:
    random, history, done, path = Random(4), History(), 0, tmp_path / FILE
    with writing(path, sync) as start:
        for kill in range(40):
            pid, reported = start(done)
            lines = [reported.readline() for _ in range(random.randrange(1, 60))]
            os.kill(pid, signal.SIGKILL)
            lines += iter(reported.readline, "killed\n")
            last = int(lines[-1])
            if kill % 2:
                done = history.steps_to(reopened_state(path), last, last + 1)
            else:  # reading the summary leaves the file unchanged for the next process
                [done] = [
                    n for n in (last, last + 1) if summary_of_state(history.after(n)) == summary_of_file(path)
                ]
    assert done > 400


def test_reading_a_store_that_is_being_written_returns_a_consistent_snapshot(tmp_path: Path) -> None:
    history, path = History(), tmp_path / FILE
    with writing(path, "normal") as start:
        pid, reported = start(0)
        seen = []
        for _ in range(50):
            reported.readline()
            seen.append(summary_of_file(path))
        os.kill(pid, signal.SIGKILL)
        *_, last = iter(reported.readline, "killed\n")
    expected = [summary_of_state(history.after(number)) for number in range(int(last) + 2)]
    assert all(item in expected for item in seen)


# --- the machine loses power


def create_with_small_pages(path: Path) -> None:
    """Create an empty store with pages of 512 bytes, so a test can try every byte of a commit."""
    open_store(path).close()
    execute(
        path, "PRAGMA journal_mode = DELETE", "PRAGMA page_size = 512", "VACUUM", "PRAGMA journal_mode = WAL"
    )


@pytest.mark.parametrize(
    "rest", [b"", bytes(600), bytes(range(256)) * 3], ids=["shorter", "zeros", "garbage"]
)
def test_a_commit_truncated_at_any_byte_is_complete_or_absent(tmp_path: Path, rest: bytes) -> None:
    history, disk = History(), Disk(tmp_path / FILE)
    create_with_small_pages(disk.path)
    torn = tmp_path / "torn" / FILE
    with disk.open(OWNER, sync="full", max_messages=MAX_MESSAGES) as store:
        for number in range(1, 5):
            step(store, number)
            files = disk.files()
            assert disk.synced == len(files.log)
            if number not in (3, 4):  # one message; then two messages and a request
                continue
            before, after = (summary_of_state(history.after(done)) for done in (number - 1, number))
            seen, expected = [], []
            for length in range(disk.synced_before, disk.synced):
                cut = files.with_truncated_log(length, rest)
                cut.write(torn)
                seen.append(summary_of_file(torn))
                # If `rest` happens to begin with the bytes that were cut off, the commit is complete.
                expected.append(after if cut.log.startswith(files.log[: disk.synced]) else before)
            assert seen == expected
            files.with_truncated_log(disk.synced, rest).write(torn)
            assert summary_of_file(torn) == after


@pytest.mark.parametrize("sync", ["full", "normal"])
def test_after_a_power_loss_all_synced_data_is_present(tmp_path: Path, sync: str) -> None:
    random, history = Random(5), History()
    disk = Disk(tmp_path / FILE, checkpoint_pages=20)
    torn = tmp_path / "torn" / FILE
    safe = lost = 0
    with disk.open(OWNER, sync=sync, max_messages=MAX_MESSAGES) as store:
        for number in range(1, 150):
            commits = disk.commits
            must_be_durable = step(store, number)
            assert disk.commits == commits + 1
            if disk.restarted:  # the log is restarted only when the database contains all of it
                safe = number - 1
            disk.within_last_commit(random).write(torn)
            history.steps_to(reopened_state(torn), safe, number)
            if disk.all_synced:
                safe = number
            assert disk.all_synced or not must_be_durable or sync == "normal"
            disk.after_power_loss(random).write(torn)
            lost += number - history.steps_to(reopened_state(torn), safe, number)
    assert disk.restarts > 5
    # With "full", the only change that may be lost is the record of which messages from the peer were handled
    # since the last send, because no sent bytes depend on it.
    assert 0 < lost < 40 if sync == "full" else lost > 100


def test_a_checkpoint_torn_by_a_power_loss_loses_nothing(tmp_path: Path) -> None:
    random, history = Random(6), History()
    disk = Disk(tmp_path / FILE, checkpoint_pages=20)
    torn = tmp_path / "torn" / FILE
    checkpoints = 0
    with disk.open(OWNER, sync="normal", max_messages=MAX_MESSAGES) as store:
        for number in range(1, 120):
            merged = disk.merged
            step(store, number)
            if disk.merged is merged or disk.merged.database == disk.unmerged.database:
                continue
            checkpoints += 1
            for _ in range(10):
                disk.within_checkpoint(random).write(torn)
                assert reopened_state(torn) == history.after(number - 1)
    assert checkpoints > 5
