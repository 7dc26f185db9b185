"""A store that two hosts share, like one in Postgres: the holder of the lease writes, and a takeover fences
the former holder.

The lease is that of `PostgresStore` (`Lease`), in virtual time. Every commit renews it; if there are no
changes, an empty commit does. The server completes a commit some time later, even if the process that began
the commit has ended."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from kalshi_fix_adapters.stores.lease import Lease
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.session import StoredMessage
from tests.simulation.disk import RETRY_INTERVAL, Disk, DiskStore, Entry
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE = 3.0


class SharedDisk(Disk):
    """The server's side of the shared store."""

    def __init__(self, world: World, *, keep: int, eager: bool) -> None:
        super().__init__(synced=True, keep=keep, eager=eager)
        self.world = world
        self.fence = 0
        """The number of takeovers of the store."""
        self._leased_until = 0.0
        self._holder: SharedStore | None = None
        self.isolated: set[int] = set()
        """Hosts that currently cannot reach the server."""

    def open(self, host: int = 0) -> SharedStore | None:
        """Take over the store for a host. Return None if another process holds the lease, the host cannot
        reach the server, the server cannot commit, or the answer to its commit is lost.
        """
        now = self.world.now
        if host in self.isolated:
            return None
        if now < self._leased_until:
            since = None if self._holder is None else self._holder.writing_since
            if since is not None and now > since + LEASE:
                raise Violation(
                    "late takeover",
                    f"the holder's commit has hung since {since}, but its lease has not ended",
                )
            return None
        if self.failure in {"commit", "read", "hang"}:
            return None
        self.fence += 1
        self.renew()
        # "written": the server commits the takeover, but its answer is lost.
        self._holder = None if self.failure == "written" else SharedStore(self, host)
        return self._holder

    def write(self, entries: list[Entry]) -> None:
        super().write(entries)
        self.renew()

    def renew(self) -> None:
        """Extend the lease."""
        self._leased_until = self.world.now + LEASE

    def release(self) -> None:
        """End the lease."""
        self._leased_until = self.world.now


class SharedStore(DiskStore):
    """The store of one process on one host."""

    _disk: SharedDisk

    def __init__(self, disk: SharedDisk, host: int) -> None:
        super().__init__(disk)
        self.host = host
        self._fence = disk.fence
        self._requested_at = self._clock()
        self.writing_since: float | None = None
        """The virtual time at which the commit in progress began."""
        self.lease = Lease(LEASE, self._renew, self._lose, self._clock)
        self.lease.record_renewal(self._requested_at)

    def _clock(self) -> float:
        world = self._disk.world
        return world.hosts[self.host].since_boot(world.now)

    def _renew(self) -> None:
        """Renew the lease with the next commit."""
        if self._error is None:
            self._commit_later()

    def _lose(self) -> None:
        self._error = self._error or StoreError("the store could not be written in time")
        self._disk.world.at(self._disk.world.now, self._report_loss)

    def _report_loss(self) -> None:
        self.on_commit()

    def crash(self, torn: Random | None) -> None:
        """End the process. The server still completes the commit in progress."""
        self._has_ended = True

    def lose_power(self, random: Random) -> None:
        """End the process with its host. The server runs on another host and keeps its power."""
        self._has_ended = True

    @property
    def has_failed(self) -> bool:
        """Whether the store can only be closed."""
        return self._error is not None

    def release_lease(self) -> None:
        """End the lease, if the server can be reached and no commit is in progress."""
        if not self._is_writing and not self._is_hanging and self._fence == self._disk.fence:
            self._disk.release()

    @property
    def durable(self) -> int:
        self.lease.check()
        return super().durable

    @durable.setter
    def durable(self, value: int) -> None:
        self._durable = value

    @property
    def _is_hanging(self) -> bool:
        return super()._is_hanging or self.host in self._disk.isolated

    def _begin_write(self) -> None:
        self._requested_at, self.writing_since = self._clock(), self._disk.world.now
        super()._begin_write()

    def _complete(self) -> None:
        if not self._has_ended:
            super()._complete()
        elif self._is_hanging:
            self._disk.world.at(self._disk.world.now + RETRY_INTERVAL, self._complete)
        else:
            with suppress(StoreError):
                self._write()

    def _write(self) -> None:
        self.writing_since = None
        self._check_fence()
        super()._write()
        self.lease.record_renewal(self._requested_at)

    def _check_fence(self) -> None:
        if self._fence != self._disk.fence:
            raise StoreError("the store was taken over by another process")

    def _do_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        if seq_num != self.next_outgoing:
            raise Violation("overwritten", f"{seq_num} was sent after {self.next_outgoing - 1}")
        super()._do_sent(seq_num, message)
