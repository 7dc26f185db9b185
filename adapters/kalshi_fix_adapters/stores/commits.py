"""A thread that writes the commits of a store to a disk or a database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

from kalshi_fix_sansio.errors import StoreError


class Batch(Protocol):
    """The records that one commit writes."""

    def merge(self, later: Self) -> None:
        """Add the records of a later batch."""


B = TypeVar("B", bound=Batch)


class CommitThread(Generic[B]):
    """Writes batches, one after the other. Batches added during a write are merged into one, which is written
    next. If a write need not wait for a disk, the caller's thread does it, because passing the batch to the
    other thread would take longer.

    Its methods may be called from any thread. The thread is a daemon: a process that ends without `close`
    loses the batches that were not written yet, as in a crash.
    """

    def __init__(
        self,
        write: Callable[[B], None],
        on_commit: Callable[[], object],
        may_wait: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare the thread. It is started for the first batch that it must write.

        Args:
            write: makes a batch durable. If it raises an exception, the batch may or may not be durable, and
                no further batches are written.
            on_commit: called in the thread after each of the thread's writes, and by `fail`.
            may_wait: returns whether the next write might have to wait for a disk or a database.
        """
        self._write = write
        self._may_wait = may_wait
        self._on_commit = on_commit
        # Reentrant, because an interrupt may leave the lock held by the user's thread. That thread must be
        # able to acquire the lock again.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._writing: B | None = None
        self._queued: B | None = None
        self._closing = False
        self._durable = 0
        self.error: StoreError | None = None
        """The error after which no further batches are written; None if there is none."""
        self.is_reported: bool = False
        """Whether a caller has seen the error."""
        self.last_ticket: int = 0
        """The ticket of the last batch that was added."""

    @property
    def durable(self) -> int:
        """The ticket of the last durable batch. All earlier batches are durable too.

        Raises:
            StoreError: a write has failed, or `fail` was called.
        """
        self.raise_error()
        return self._durable

    def raise_error(self) -> None:
        """Raise the error of the failed write, if there is one."""
        if self.error is not None:
            self.is_reported = True
            raise self.error

    def add(self, batch: B) -> int:
        """Write a batch as soon as the earlier ones are durable; return its ticket.

        The caller must not change the batch afterwards.

        Raises:
            StoreError: an earlier batch could not be written, or the write of this batch in the caller's
                thread failed.
        """
        with self._changed:
            self.raise_error()
            idle = self._writing is None and self._queued is None
            if idle and not self._may_wait():
                self._write_now(batch)
                return self.last_ticket
            if self._queued is None:
                self._queued = batch
            else:
                self._queued.merge(batch)
            self.last_ticket += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kalshi-fix-store", daemon=True)
                self._thread.start()
            else:
                self._changed.notify_all()
            return self.last_ticket

    def add_unless_failed(self, batch: B) -> None:
        """Write a batch as `add` does, but do nothing if a write has failed before.

        Raises:
            StoreError: the write of this batch in the caller's thread failed.
        """
        with self._changed:
            if self.error is None:
                self.add(batch)

    def _write_now(self, batch: B) -> None:
        """Write a batch in the caller's thread."""
        self.last_ticket += 1
        # This error stays set if the write raises an exception other than StoreError, such as an interrupt,
        # because it is then unknown whether the batch is durable.
        self.error = StoreError("the store was interrupted while it was being written")
        try:
            self._write(batch)
        except StoreError as error:
            self.error = error
            self.raise_error()
        self._durable, self.error = self.last_ticket, None

    def pending(self) -> tuple[B, ...]:
        """Return the batches that were not durable when this was called, oldest first."""
        with self._changed:
            return tuple(batch for batch in (self._writing, self._queued) if batch is not None)

    def wait(self, ticket: int, timeout: float | None = None) -> bool:
        """Wait until the batch with a ticket is durable; return False if it is not durable after `timeout`
        seconds.

        Raises:
            StoreError: a write has failed, or `fail` was called, even if this batch is durable.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self.durable >= ticket, timeout)

    def fail(self, error: StoreError) -> None:
        """Write no more batches, because the store was lost. `durable` does not include a write that is in
        progress.
        """
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()
        self._on_commit()

    def close(self, timeout: float) -> bool:
        """End the thread once everything is written, or after a failure; return False if a write is still in
        progress after `timeout` seconds.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self._writing is None and (self._queued is None or self.error is not None), timeout
            )

    def _run(self) -> None:
        """Write the queued batches until an error occurs, or until `close` was called and none is left."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queued or self.error or self._closing)
                batch = self._writing = None if self.error else self._queued
                if batch is None:
                    return
                ticket, self._queued = self.last_ticket, None
            error = None
            try:
                self._write(batch)
            except StoreError as raised:
                error = raised
            except BaseException as raised:  # noqa: BLE001 - otherwise the batch's tickets would never be durable
                error = StoreError(f"the store failed internally ({type(raised).__name__}: {raised})")
                error.__cause__ = raised
            with self._changed:
                self._writing = None
                if error is not None:
                    self.error = self.error or error
                elif self.error is None:
                    self._durable = ticket
                self._changed.notify_all()
            self._on_commit()
