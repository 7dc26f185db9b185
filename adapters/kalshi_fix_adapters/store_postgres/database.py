"""Access to one store in a database: the takeover, the initial read, and the commits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import psycopg

from kalshi_fix_adapters.errors import StoreUnavailableError
from kalshi_fix_adapters.store_postgres.connection import acquire, connect, durable_transaction
from kalshi_fix_adapters.store_postgres.keys import change_key, store_exists
from kalshi_fix_adapters.store_postgres.schema import MESSAGES, REQUESTS, ROWS, migrate
from kalshi_fix_adapters.stores import rows
from kalshi_fix_adapters.stores.keys import key_changed
from kalshi_fix_adapters.stores.owner import StoreOwner, store_name
from kalshi_fix_adapters.stores.pending import PendingChanges
from kalshi_fix_adapters.stores.retention import Retention
from kalshi_fix_adapters.stores.rows import Numbers, Row
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage

Failover = Literal["none", "synchronous"]
"""Which server may continue after a failure of the database server. "none": only the same server with the
same disk; "synchronous": also a synchronous replica.
"""
_CREATE: Final = f"""
    INSERT INTO kalshi_fix.session (name, fence, leased_until, holder, {rows.SESSION_COLUMNS})
    VALUES (%s, 0, '-infinity', '', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING
"""
_SENT_REQUESTS: Final = f"""
    SELECT {rows.SENT_REQUEST_COLUMNS} FROM kalshi_fix.sent_request WHERE store = %s ORDER BY sent_at
"""
_RELEASE: Final = """
    UPDATE kalshi_fix.session SET leased_until = clock_timestamp() WHERE store = %s AND fence = %s
"""
_WRITE: Final = """
    SELECT kalshi_fix.write(
        %s, %s, %s, make_interval(secs => %s), %s::bigint[], %s, %s,
        %s::bigint[], %s::bigint[], %b::bytea[], %s::bigint[],
        %s::bigint[],
        %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
        %b::bytea[], %s::bigint[],
        %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s, %s,
        %s::text[], %s::text[], %s::text[], %s::bigint[]
    )
"""


class Database:
    """One store in a database, taken over from its previous holder.

    Raises:
        StoreInUseError: another process has the lease.
        KeyChangedError: the store is missing, but another store in the database may be the intended one.
        StoreUnavailableError: the server is a replica.
        StoreError: the store belongs to another owner, a newer version of the library has written the tables,
            the encoding of the database is not UTF8, or the server may lose commits.
        DamagedRowError: a checksum is wrong. The methods that read rows may also raise this.
        psycopg.Error: the database cannot be read. Every method except `release` may also raise this.
    """

    def __init__(self, dsn: str, owner: StoreOwner, failover: Failover, lease: float, place: str) -> None:
        self._owner = owner
        self._failover = failover
        self._lease = lease
        self._place = place
        self._warnings: list[str] = []
        # Without these options, it would take minutes for a write, or for the wait for an answer, to fail on
        # a broken network.
        timeout_ms = max(1, int(lease * 1000))
        self._connection = connect(dsn, tcp_user_timeout=timeout_ms, keepalives_idle=1, keepalives_interval=1)
        try:
            self._connection.add_notice_handler(self._record_warning)
            cursor = self._connection.execute(
                "SELECT pg_is_in_recovery(), current_setting('server_encoding')"
            )
            is_replica, encoding = cursor.fetchone() or (None, None)
            if is_replica:
                # This error lets a standby process try again, because the replica may be promoted later.
                raise StoreUnavailableError(f"{place} is a replica: connect to the primary server")
            if encoding != "UTF8":
                raise StoreError(f"{place} uses the encoding {encoding}: create a database that uses UTF8")
            migrate(self._connection, place)
            self.numbers: Numbers
            self._store, self._fence, self.numbers = self._acquire(dsn)
        except BaseException:
            self._connection.close()
            raise

    def _acquire(self, dsn: str) -> tuple[int, int, Numbers]:
        """Acquire the lease, and fence the previous holder."""
        connection, owner, name = self._connection, self._owner, store_name(self._owner)
        with durable_transaction(connection, self._place, self._lease):
            connection.execute("SELECT kalshi_fix.check_server(%s)", (self._failover,))
            if not store_exists(connection, self._place, dsn, owner):
                connection.execute(
                    _CREATE, (name, *rows.owner_row(owner), *rows.numbers_row(owner, Numbers()))
                )
            store, fence, row = acquire(connection, self._place, name, self._lease)
            stored_owner, numbers = rows.session_of(row)
            changed = key_changed(owner, stored_owner)
            if changed is None:
                raise StoreError(f"store {name} in {self._place} belongs to {stored_owner}, not to {owner}")
            if changed:
                numbers = change_key(connection, store, stored_owner, numbers, owner)
        self._check_warnings()
        return store, fence, numbers

    def messages(self) -> Iterator[StoredMessage]:
        """Return the messages that are kept for resend, in order."""
        return map(
            rows.message_of, self._connection.execute(MESSAGES, (self._store, self.numbers.oldest_kept))
        )

    def requests(self) -> Iterator[OpenRequest]:
        """Return the open requests, in the order of their keys."""
        return map(rows.request_of, self._connection.execute(REQUESTS, (self._store,)))

    def rows(self) -> dict[str, str]:
        """Return the user's rows."""
        return {row[0]: rows.journal_text(row) for row in self._connection.execute(ROWS, (self._store,))}

    def sent_requests(self) -> Iterator[SentRequest]:
        """Return the sent requests, oldest first."""
        return map(rows.sent_request_of, self._connection.execute(_SENT_REQUESTS, (self._store,)))

    def write(self, pending: PendingChanges, retention: Retention) -> None:
        """Write the recorded changes and renew the lease, in one transaction and one round trip.

        Args:
            pending: the changes. If there are none, only the lease is renewed.
            retention: decides which rows of expired messages and ids to delete.

        Raises:
            StoreError: the transaction may be durable only on this server, not on the replica.
        """
        numbers, sent_requests = pending.numbers, pending.sent_requests.values()
        is_restart = pending.restarts_at is not None
        if is_restart:
            retention.restart()
        texts = [rows.journal_row(key, text) for key, text in pending.rows.items() if text is not None]
        self._connection.execute(
            _WRITE,
            (
                self._store,
                self._fence,
                self._failover,
                self._lease,
                None if numbers is None else list(rows.numbers_row(self._owner, numbers)),
                is_restart,
                numbers is not None and retention.must_delete_rows(numbers.oldest_kept),
                *_columns(4, [rows.message_row(number, message) for number, message in pending.sent.items()]),
                list(pending.settled),
                *_columns(8, map(rows.request_row, pending.requests.values())),
                *_columns(6, map(rows.sent_request_row, sent_requests)),
                retention.max_messages,
                retention.record_ids(sent_requests),
                [key for key, text in pending.rows.items() if text is None],
                *_columns(3, texts),
            ),
        )
        self._check_warnings()

    def release(self) -> None:
        """End the lease, so that another process need not wait for its expiry, and close the connection."""
        with contextlib.suppress(psycopg.Error):
            self._connection.execute(_RELEASE, (self._store, self._fence))
        self._connection.close()

    def _record_warning(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self._warnings.append(f"{diagnostic.sqlstate} {diagnostic.message_primary}")

    def _check_warnings(self) -> None:
        """Raise StoreError if the server has warned that a commit may be missing on the synchronous
        replica.
        """
        if self._warnings:
            raise StoreError(
                f"{self._place} has committed with a warning, so the commit may be lost in a failover: "
                f"{'; '.join(self._warnings)}"
            )


def _columns(count: int, rows: Iterable[Row]) -> list[list[Any]]:
    """Return one array for each of the `count` columns of the rows."""
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(count)]
