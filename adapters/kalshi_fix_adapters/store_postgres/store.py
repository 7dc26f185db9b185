"""A store in Postgres for one session."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, get_args

import attrs

from kalshi_fix_adapters.errors import StoreUnavailableError
from kalshi_fix_adapters.store_postgres.connection import converting_errors, describe_dsn
from kalshi_fix_adapters.store_postgres.database import Database, Failover
from kalshi_fix_adapters.stores.durable import CLOSE_TIMEOUT, DurableStore
from kalshi_fix_adapters.stores.lease import Lease, now
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.pending import PendingChanges
from kalshi_fix_adapters.stores.retention import Retention
from kalshi_fix_adapters.stores.rows import Numbers
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from kalshi_fix_sansio.session.store import MAX_KEPT_BYTES, MemoryStore, StoredMessage

LEASE: Final = 3.0
"""The default number of seconds after which another process may take over the store, if the lease is not
renewed.
"""
MAX_LEASE: Final = 86_400.0


class PostgresStore(DurableStore):
    """A `MessageStore` in Postgres: one account on one session, one process at a time on any host.

    The entire content is also held in memory, from which it is read. A thread writes the changes, as with
    `SqliteStore`. The process that has the store open holds a lease on it, and renews the lease with each
    commit. If the holder has not renewed its lease in time, another process can open the store. Opening it
    fences the previous holder: the database rejects all its later writes. A process that cannot renew its
    lease in time gives up before the lease ends.

    After a StoreError the outcome of the last commit is unknown, and the store can only be closed. Opening it
    again reads the content from the database.

    Args:
        dsn: the database in a form accepted by libpq, such as `postgresql://user@host/database`. The tables
            are in its schema `kalshi_fix`, and are created if they are missing.
        owner: the account and session of the sequence numbers.
        failover: which server may continue after a failure. "none": only the same server with the same disk;
            "synchronous": also a synchronous replica, which needs `synchronous_standby_names` on the server.
        lease: seconds after which another process may take over.
        max_age: messages that are older than the newest message by more than this are deleted.
        max_messages: maximum number of kept messages; the oldest are deleted.
        max_bytes: maximum total size of the kept messages; the oldest are deleted.
        max_rows: maximum number of the user's rows (`row`).
        max_row_bytes: maximum total size of the keys and texts of these rows, in bytes.

    Raises:
        StoreInUseError: another process holds the lease.
        KeyChangedError: the store is missing, but another store in the database may be the intended one.
        StoreError: the store belongs to another owner, is damaged, or cannot be read or written; or the
            server may lose commits, for example because `fsync` or `full_page_writes` is off.
        ConfigurationError: an option is invalid.
    """

    def __init__(
        self,
        dsn: str,
        *,
        owner: StoreOwner,
        failover: Failover,
        lease: float = LEASE,
        max_age: timedelta = timedelta(hours=72),
        max_messages: int = 100_000,
        max_bytes: int = MAX_KEPT_BYTES,
        max_rows: int = 100_000,
        max_row_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        if failover not in get_args(Failover):
            raise ConfigurationError(f"failover must be 'none' or 'synchronous', not {failover!r}")
        if not 0 < lease <= MAX_LEASE:
            raise ConfigurationError(f"lease must be above 0, and at most {MAX_LEASE:g} s, not {lease!r}")
        place = describe_dsn(dsn)
        super().__init__(
            place,
            owner,
            max_age,
            max_messages=max_messages,
            max_bytes=max_bytes,
            max_rows=max_rows,
            max_row_bytes=max_row_bytes,
        )
        self._max_ids = max_messages
        self._lease = Lease(lease, self._renew, self._handle_lease_loss)
        since = now()
        with converting_errors(place):
            self._database = Database(dsn, owner, failover, lease, place)
            self._lease.start(since)
            try:
                if (elapsed := now() - since) > lease / 2:  # a commit may have waited for a replica
                    raise StoreUnavailableError(
                        f"{place} answered after {elapsed:.1f} s, too late to keep a lease of {lease:g} s"
                    )
                self._numbers = self._database.numbers
                self._retention = Retention(max_age, max_messages, max_bytes)
                self._kept = MemoryStore(
                    next_outgoing=self._numbers.oldest_kept,
                    max_messages=max_messages,
                    max_bytes=max_bytes,
                    max_age=max_age,
                )
                for message in self._database.messages():
                    self._kept.record_sent(message.seq_num, message)
                self._kept.next_outgoing = self._numbers.next_outgoing
                self._requests = {request.key: request for request in self._database.requests()}
                self._rows = self._database.rows()
                self._row_sizes = {key: len(key.encode()) + len(text) for key, text in self._rows.items()}
                self._ids = {sent.request_id: sent for sent in self._database.sent_requests()}
            except BaseException:
                self._lease.close()
                self._database.release()
                raise

    @property
    def path(self) -> None:
        """None, because the store is not a file."""

    @property
    def durable(self) -> int:
        """The last ticket of `begin_commit` whose changes are in the database.

        Raises:
            StoreError: the changes could not be written, or the lease was lost.
        """
        self._lease.check()
        return super().durable

    @property
    def oldest_kept(self) -> int:
        """One more than the MsgSeqNum of the last dropped message."""
        return self._kept.oldest_kept

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Increase `next_outgoing`, which must equal `seq_num`, and keep the message unless it is None."""
        super().record_sent(seq_num, message)
        self._kept.record_sent(seq_num, message)

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1 and delete all messages, but not the open requests."""
        super().reset(unanswered=unanswered)
        self._kept.reset()

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Set both numbers, regardless of their previous values. If the outgoing number changes, all messages
        are deleted. Use this only if you know that the peer expects these numbers, and only while no session
        uses the store.

        Raises:
            ValueError: a number is below 1, or too large for a store.
        """
        is_changed = next_outgoing != self.next_outgoing
        super().renumber(next_outgoing, next_incoming)
        if is_changed:
            self._kept.renumber(next_outgoing, next_incoming)

    def _record_sent_request(self, sent: SentRequest) -> None:
        super()._record_sent_request(sent)
        self._ids.pop(sent.request_id, None)
        self._ids[sent.request_id] = sent
        while len(self._ids) > self._max_ids:
            del self._ids[next(iter(self._ids))]

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id, whether it was answered or not; None if there is none. A
        reset does not delete ids. At most `max_messages` ids are kept, and ids older than `max_age` may be
        missing.
        """
        self._check_usable()
        return self._ids.get(request_id)

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""
        self._check_usable()
        return self._kept.find(seq_num)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""
        self._check_usable()
        return self._kept.sent_between(begin, end)

    def row(self, key: str) -> str | None:
        """Return the text of a row; None if there is no such row."""
        self._check_usable()
        return self._rows.get(key)

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        """Store these texts by key with the next commit, and delete the rows whose text is None."""
        super().record_rows(rows)
        for key, text in rows.items():
            if text is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = text

    def _snapshot(self) -> Numbers:
        return attrs.evolve(self._numbers, oldest_kept=self._kept.oldest_kept, kept=self._kept.kept)

    def _write(self, pending: PendingChanges) -> None:
        since = now()
        with converting_errors(self._place):
            self._database.write(pending, self._retention)
        self._lease.record_renewal(since)

    def _renew(self) -> None:
        """Renew the lease with the next commit. So while a commit hangs, the lease is not renewed either."""
        self._commits.add_unless_failed(PendingChanges())

    def _handle_lease_loss(self) -> None:
        self._commits.fail(
            StoreError(f"{self._place} could not be written to in time, so another process may take it over")
        )

    def _release(self) -> None:
        self._lease.close()
        # End the lease in a thread, because the server may not answer. In that case, the lease expires later.
        releasing = threading.Thread(target=self._database.release, daemon=True)
        releasing.start()
        releasing.join(CLOSE_TIMEOUT)
