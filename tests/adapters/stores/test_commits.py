"""Commits in a thread: their order, merged batches, failures."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from kalshi_fix_adapters.stores.commits import CommitThread
from kalshi_fix_sansio.errors import StoreError

LONG_TIMEOUT = 30.0


class Numbers:
    """A batch of numbers."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def merge(self, later: Numbers) -> None:
        self.numbers += later.numbers


class Disk:
    """Writes batches when a test allows it."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.error: BaseException | None = None
        self.begun = threading.Semaphore(0)
        self._allowed = threading.Semaphore(0)
        self.notified = threading.Semaphore(0)
        self.threaded = True
        """Whether the thread writes the batches, instead of the caller."""
        self.commits = CommitThread(self._write, self.notified.release, lambda: self.threaded)

    def _write(self, batch: Numbers) -> None:
        self.begun.release()
        assert self._allowed.acquire(timeout=LONG_TIMEOUT)
        if self.error is not None:
            raise self.error
        self.written.append(batch.numbers)

    def allow(self, writes: int = 1) -> None:
        self._allowed.release(writes)

    def wait_until_begun(self) -> None:
        """Wait until a write has begun."""
        assert self.begun.acquire(timeout=LONG_TIMEOUT)

    def wait_until_notified(self) -> None:
        """Wait for a call to `on_commit`."""
        assert self.notified.acquire(timeout=LONG_TIMEOUT)


@pytest.fixture
def disk() -> Iterator[Disk]:
    new_disk = Disk()
    yield new_disk
    new_disk.allow(100)
    with suppress(StoreError):
        new_disk.commits.wait(new_disk.commits.last_ticket, LONG_TIMEOUT)
    assert new_disk.commits.close(LONG_TIMEOUT)


def test_batches_added_during_a_write_share_the_next_write(disk: Disk) -> None:
    commits = disk.commits
    first = commits.add(Numbers(1))
    disk.wait_until_begun()
    others = [commits.add(Numbers(number)) for number in (2, 3, 4)]
    assert [batch.numbers for batch in commits.pending()] == [[1], [2, 3, 4]]
    assert (commits.durable, commits.last_ticket) == (0, others[-1])
    assert not commits.wait(first, timeout=0)
    disk.allow()
    assert commits.wait(first)
    disk.wait_until_notified()
    disk.wait_until_begun()
    assert commits.durable == first
    disk.allow()
    assert commits.wait(others[-1])
    assert (disk.written, commits.pending()) == ([[1], [2, 3, 4]], ())
    assert first < others[0] < others[1] < others[2] == commits.durable


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StoreError("the disk is full"), "the disk is full"),
        (MemoryError(), r"failed internally \(MemoryError"),
    ],
)
def test_a_failed_write_fails_every_later_ticket(disk: Disk, error: BaseException, text: str) -> None:
    commits = disk.commits
    disk.allow()
    done = commits.add(Numbers(1))
    assert commits.wait(done)
    disk.wait_until_notified()
    disk.error = error
    failed = commits.add(Numbers(2))
    disk.allow()
    disk.wait_until_notified()
    uses: list[Callable[[], object]] = [
        lambda: commits.durable,
        lambda: commits.wait(failed),
        lambda: commits.add(Numbers(3)),
    ]
    for use in uses:
        with pytest.raises(StoreError, match=text):
            use()
    assert disk.written == [[1]]
    assert re.search(text, str(commits.error))


def test_a_write_in_progress_when_the_store_is_lost_is_not_durable(disk: Disk) -> None:
    commits = disk.commits
    ticket = commits.add(Numbers(1))
    disk.wait_until_begun()
    commits.fail(StoreError("another process has taken over"))
    disk.wait_until_notified()
    disk.allow()
    disk.wait_until_notified()
    with pytest.raises(StoreError, match="taken over"):
        commits.wait(ticket)
    commits.fail(StoreError("again"))
    assert str(commits.error) == "another process has taken over"


def test_close_writes_everything_and_reports_a_write_that_does_not_end(disk: Disk) -> None:
    commits = disk.commits
    commits.add(Numbers(1))
    disk.wait_until_begun()
    commits.add(Numbers(2))
    assert not commits.close(timeout=0)
    disk.allow(2)
    assert commits.close(LONG_TIMEOUT)
    assert disk.written == [[1], [2]]


def test_a_batch_written_in_the_callers_thread_is_durable_at_once(disk: Disk) -> None:
    threads = threading.active_count()
    disk.threaded = False
    disk.allow(2)
    tickets = [disk.commits.add(Numbers(number)) for number in (1, 2)]
    assert (tickets, disk.commits.durable, disk.written) == ([1, 2], 2, [[1], [2]])
    assert threading.active_count() == threads


def test_a_batch_of_the_calling_thread_does_not_overtake_batches_of_the_writer_thread(disk: Disk) -> None:
    disk.commits.add(Numbers(1))
    disk.wait_until_begun()
    disk.threaded = False
    assert disk.commits.add(Numbers(2)) == 2
    assert (disk.commits.durable, disk.written) == (0, [])
    disk.allow(2)
    assert disk.commits.wait(2)
    disk.wait_until_notified()
    disk.wait_until_notified()
    disk.allow()
    assert disk.commits.add(Numbers(3)) == disk.commits.durable == 3
    assert disk.written == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("error", "text"),
    [(StoreError("the disk is full"), "the disk is full"), (KeyboardInterrupt(), "was interrupted while")],
)
def test_no_write_follows_a_failed_write_in_the_callers_thread(
    disk: Disk, error: BaseException, text: str
) -> None:
    disk.threaded = False
    disk.allow(2)
    disk.commits.add(Numbers(1))
    disk.error = error
    with pytest.raises(type(error)):
        disk.commits.add(Numbers(2))
    disk.error = None
    uses: list[Callable[[], object]] = [lambda: disk.commits.durable, lambda: disk.commits.add(Numbers(3))]
    for use in uses:
        with pytest.raises(StoreError, match=text):
            use()
    assert disk.written == [[1]]


def test_add_unless_failed_neither_writes_nor_raises_after_a_failure(disk: Disk) -> None:
    disk.threaded = False
    disk.allow(2)
    disk.commits.add_unless_failed(Numbers(1))
    disk.commits.fail(StoreError("the lease was lost"))
    disk.commits.add_unless_failed(Numbers(2))
    assert disk.written == [[1]]
    assert not disk.commits.is_reported


def test_an_unused_thread_is_never_started() -> None:
    threads = threading.active_count()
    assert Disk().commits.close(0)
    assert threading.active_count() == threads
