"""The connection to a store's row and messages: taking it over, reading it once, writing commits."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import attrs
import psycopg
from psycopg.conninfo import conninfo_to_dict

from kalshi_fix_adapters.store_postgres.schema import FENCED, UNSAFE, Connection, migrate
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.pending import Pending
from kalshi_fix_adapters.stores.rows import (
    DamagedRowError,
    Numbers,
    Row,
    journal_row,
    journal_text,
    message_of,
    message_row,
    microseconds,
    numbers_row,
    owner_row,
    request_of,
    request_row,
    sent_request_of,
    sent_request_row,
    session_of,
)
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage

Failover = Literal["none", "synchronous"]
"""What happens to the database when its server dies: "none": the same server comes back with its disk;
"synchronous": a synchronous replica may take its place."""
_CONNECTING: Final = 5
"""Seconds to wait for a connection, unless the DSN sets `connect_timeout`."""
_AHEAD: Final = 256
"""Numbers of expired messages or ids that are deleted at once."""

_SESSION: Final = """
    environment, product, sender_comp_id, target_comp_id,
    next_outgoing, next_incoming, oldest_kept, kept, reset_unanswered, generation, check_sum
"""
_CREATE: Final = f"""
    INSERT INTO kalshi_fix.session (name, fence, leased_until, holder, {_SESSION})
    VALUES (%s, 0, '-infinity', '', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING
"""
_TAKE: Final = f"""
    UPDATE kalshi_fix.session
    SET fence = fence + 1, leased_until = clock_timestamp() + make_interval(secs => %s), holder = %s
    WHERE name = %s AND leased_until <= clock_timestamp() RETURNING store, fence, {_SESSION}
"""
_HOLDER: Final = """
    SELECT holder, extract(epoch FROM leased_until - clock_timestamp()) FROM kalshi_fix.session
    WHERE name = %s
"""
READ: Final = f"SELECT store, {_SESSION} FROM kalshi_fix.session WHERE name = %s"
MESSAGES: Final = """
    SELECT seq_num, sent_at, frame, check_sum FROM kalshi_fix.sent
    WHERE store = %s AND seq_num >= %s ORDER BY seq_num
"""
REQUESTS: Final = """
    SELECT key, request_id, msg_type, seq_num, sent_at, uncertain, frame, check_sum FROM kalshi_fix.request
    WHERE store = %s ORDER BY key
"""
ROWS: Final = "SELECT key, value, check_sum FROM kalshi_fix.journal WHERE store = %s ORDER BY key"
_IDS: Final = """
    SELECT request_id, msg_type, seq_num, generation, sent_at, check_sum FROM kalshi_fix.sent_request
    WHERE store = %s ORDER BY sent_at
"""
_RELEASE: Final = """
    UPDATE kalshi_fix.session SET leased_until = '-infinity' WHERE store = %s AND fence = %s
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


class StoreInUseError(StoreError):
    """Another process holds the lease of the store."""


def place_of(dsn: str) -> str:
    """Return the host and the database of a DSN, without its password.

    Raises:
        StoreError: it is not a DSN. It is not shown.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise StoreError("the DSN is not valid: give postgresql://user@host/database") from None
    return f"database {parts.get('dbname') or '(default)'} at {parts.get('host') or '(default)'}"


def connect(dsn: str, **options: Any) -> Connection:
    """Connect without prepared statements, which poolers do not keep."""
    found = conninfo_to_dict(dsn)
    options = {"connect_timeout": _CONNECTING, "application_name": "kalshi-fix", **options}
    added = {name: value for name, value in options.items() if name not in found}
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None, **added)


@contextlib.contextmanager
def errors_of(place: object) -> Iterator[None]:
    """Convert errors of the database into a StoreError."""
    try:
        yield
    except psycopg.Error as error:
        raise explain(place, error) from error
    except DamagedRowError as error:
        raise StoreError(
            f"{place} is damaged ({error}): look up what happened by drop copy or REST, then log on with a "
            "reset from a new store"
        ) from error


def explain(place: object, error: psycopg.Error) -> StoreError:
    """Return the StoreError for an error of the database."""
    text = " ".join(str(error).split())
    if error.sqlstate == FENCED:
        return StoreError(f"{place} was taken over by another process; nothing more is written")
    if error.sqlstate == UNSAFE:
        return StoreError(f"{place}: {text.partition(' CONTEXT:')[0]}")
    return StoreError(f"{place} could not be read or written: {text}")


class Database:
    """A store's part of a database, taken over from its previous holder.

    Raises:
        StoreInUseError: another process has the lease.
        StoreError: it belongs to another owner or a newer version, or the server is not safe.
        psycopg.Error: it cannot be read, as from every method.
    """

    def __init__(
        self, dsn: str, name: str, owner: StoreOwner, failover: Failover, lease: float, place: str
    ) -> None:
        self._owner = owner
        self._failover = failover
        self._lease = lease
        self._place = place
        self._warnings: list[str] = []
        self._cleared = self._new_ids = 0
        # Without it a write over a broken network would wait for minutes.
        self._connection = connect(dsn, tcp_user_timeout=max(1, int(lease * 1000)))
        try:
            self._connection.add_notice_handler(self._note_warning)
            row = self._connection.execute("SELECT pg_is_in_recovery(), current_setting('server_encoding')")
            is_replica, encoding = row.fetchone() or (None, None)
            if is_replica or encoding != "UTF8":
                raise StoreError(
                    f"{place} is a replica: connect to the primary server"
                    if is_replica
                    else f"{place} has the encoding {encoding}: create a database with UTF8"
                )
            migrate(self._connection, place)
            self.numbers: Numbers
            self._store, self._fence, self.numbers = self._take(name)
        except BaseException:
            self._connection.close()
            raise

    def _take(self, name: str) -> tuple[int, int, Numbers]:
        """Take the lease, and fence the previous holder."""
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        connection = self._connection
        with connection.transaction():
            connection.execute("SELECT set_config('synchronous_commit', 'on', true)")
            # A commit of the previous holder may be under way, and has the row locked.
            connection.execute(
                "SELECT set_config('lock_timeout', %s, true)", (f"{max(1, int(self._lease * 1000))}ms",)
            )
            connection.execute("SELECT kalshi_fix.check_server(%s)", (self._failover,))
            connection.execute(_CREATE, (name, *owner_row(self._owner), *numbers_row(self._owner, Numbers())))
            row = connection.execute(_TAKE, (self._lease, holder, name)).fetchone()
            if row is None:
                held = connection.execute(_HOLDER, (name,)).fetchone() or ("another process", 0)
                raise StoreInUseError(
                    f"store {name} in {self._place} is in use by {held[0]}, whose lease ends in "
                    f"{held[1]:.1f} s unless it is renewed"
                )
            store, fence, *session = row
            found, numbers = session_of(tuple(session))
            if found != attrs.evolve(self._owner, account=None):
                raise StoreError(f"store {name} in {self._place} belongs to {found}, not to {self._owner}")
        self._check_warnings()
        self._cleared = numbers.oldest_kept
        return store, fence, numbers

    def messages(self) -> Iterator[StoredMessage]:
        """Return the messages kept, in order."""
        return map(message_of, self._connection.execute(MESSAGES, (self._store, self.numbers.oldest_kept)))

    def requests(self) -> Iterator[OpenRequest]:
        """Return the open requests, in the order of their keys."""
        return map(request_of, self._connection.execute(REQUESTS, (self._store,)))

    def rows(self) -> dict[str, str]:
        """Return the user's rows."""
        return {row[0]: journal_text(row) for row in self._connection.execute(ROWS, (self._store,))}

    def sent_requests(self) -> Iterator[SentRequest]:
        """Return the ids of sent requests, oldest first."""
        return map(sent_request_of, self._connection.execute(_IDS, (self._store,)))

    def write(self, pending: Pending, max_ids: int, max_age: int) -> None:
        """Write the recorded changes and renew the lease, in one transaction and one round trip.

        Args:
            pending: the changes; without any, only the lease is renewed.
            max_ids: maximum number of ids of sent requests.
            max_age: their maximum age in microseconds.

        Raises:
            StoreError: the transaction may be durable on this server only.
        """
        numbers = pending.numbers
        ids = list(map(sent_request_row, pending.sent_requests.values()))
        clears = numbers is not None and numbers.oldest_kept - self._cleared >= _AHEAD
        self._new_ids += len(ids)
        ids_since = None
        if self._new_ids >= _AHEAD:
            ids_since = max(microseconds(sent.sent_at) for sent in pending.sent_requests.values()) - max_age
        texts = [journal_row(key, text) for key, text in pending.rows.items() if text is not None]
        self._connection.execute(
            _WRITE,
            (
                self._store,
                self._fence,
                self._failover,
                self._lease,
                None if numbers is None else list(numbers_row(self._owner, numbers)),
                pending.restarts_at is not None,
                clears,
                *_columns(4, [message_row(number, message) for number, message in pending.sent.items()]),
                list(pending.settled),
                *_columns(8, map(request_row, pending.requests.values())),
                *_columns(6, ids),
                max_ids,
                ids_since,
                [key for key, text in pending.rows.items() if text is None],
                *_columns(3, texts),
            ),
        )
        self._check_warnings()
        if numbers is not None and (clears or pending.restarts_at is not None):
            self._cleared = numbers.oldest_kept
        if ids_since is not None:
            self._new_ids = 0

    def release(self) -> None:
        """End the lease, so another process need not wait for it."""
        with contextlib.suppress(psycopg.Error):
            self._connection.execute(_RELEASE, (self._store, self._fence))
        self.close()

    def close(self) -> None:
        """Close the connection, and leave the lease to end by itself."""
        self._connection.close()

    def _note_warning(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self._warnings.append(f"{diagnostic.sqlstate} {diagnostic.message_primary}")

    def _check_warnings(self) -> None:
        """Raise if a commit may not be on the synchronous replica: the server reports this by a warning."""
        if self._warnings:
            raise StoreError(
                f"{self._place} has committed with a warning, so the commit may be lost in a failover: "
                f"{'; '.join(self._warnings)}"
            )


def _columns(count: int, rows: Iterable[Row]) -> list[list[Any]]:
    """Return rows as an array for each column."""
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(count)]
