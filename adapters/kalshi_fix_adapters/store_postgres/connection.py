"""Connections to the database, their errors, and the takeover of a store."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from kalshi_fix_adapters.errors import StoreInUseError, StoreUnavailableError
from kalshi_fix_adapters.store_postgres.schema import FENCED_STATE, UNSAFE_STATE, Connection
from kalshi_fix_adapters.stores.rows import SESSION_COLUMNS, DamagedRowError, Row
from kalshi_fix_sansio.errors import StoreError

_CONNECT_TIMEOUT: Final = 5
"""Seconds to wait for a connection, unless the DSN sets `connect_timeout`."""

_ACQUIRE: Final = f"""
    UPDATE kalshi_fix.session
    SET fence = fence + 1, leased_until = clock_timestamp() + make_interval(secs => %s), holder = %s
    WHERE name = %s AND leased_until <= clock_timestamp() RETURNING store, fence, {SESSION_COLUMNS}
"""
_HOLDER: Final = """
    SELECT holder, extract(epoch FROM leased_until - clock_timestamp()) FROM kalshi_fix.session
    WHERE name = %s
"""


def describe_dsn(dsn: str) -> str:
    """Return the database and the host of a DSN as text, without the password.

    Raises:
        StoreError: the DSN is invalid. The error does not contain the DSN, which may contain a password.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise StoreError("the DSN is not valid: use the form postgresql://user@host/database") from None
    return f"database {parts.get('dbname') or '(default)'} at {parts.get('host') or '(default)'}"


def connect(dsn: str, **options: Any) -> Connection:
    """Connect without prepared statements, which do not work behind some connection poolers.

    Raises:
        psycopg.Error: the DSN is invalid, or the server cannot be reached or refuses the connection.
    """
    dsn_parameters = conninfo_to_dict(dsn)
    defaults: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "application_name": "kalshi-fix",
        "client_encoding": "utf8",
    }
    added = {name: value for name, value in (defaults | options).items() if name not in dsn_parameters}
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None, **added)


@contextlib.contextmanager
def converting_errors(place: object) -> Iterator[None]:
    """Convert errors from the database into a StoreError."""
    try:
        yield
    except psycopg.Error as error:
        raise to_store_error(place, error) from error
    except DamagedRowError as error:
        raise StoreError(
            f"{place} is damaged ({error}): look up what happened via drop copy or REST, then create a "
            "new store and log on with a reset"
        ) from error


def to_store_error(place: object, error: psycopg.Error) -> StoreError:
    """Return the StoreError for an error from the database."""
    text = " ".join(str(error).split())
    if error.sqlstate == FENCED_STATE:
        return StoreError(f"{place} was taken over by another process; nothing more is written")
    if error.sqlstate == UNSAFE_STATE:
        return StoreError(f"{place}: {text.partition(' CONTEXT:')[0]}")
    # Without a SQLSTATE, there is no connection. Class 08 means that PgBouncer has no connection to the
    # server. Class 53 means that the server lacks disk space, memory or a free connection; class 57 means
    # that it is starting, stopping or recovering.
    state = error.sqlstate or "08"
    unavailable = isinstance(error, psycopg.OperationalError) and state.startswith(("08", "53", "57"))
    error_class = StoreUnavailableError if unavailable else StoreError
    return error_class(f"{place} could not be read or written: {text}")


@contextlib.contextmanager
def durable_transaction(connection: Connection, place: object, seconds: float) -> Iterator[None]:
    """Run a transaction whose commit waits for the disk, and whose statements wait up to `seconds` for a
    lock.

    Raises:
        StoreInUseError: another process held a lock on the store for longer than `seconds`.
        psycopg.Error: the transaction failed for another reason; see `converting_errors`.
    """
    try:
        with connection.transaction():
            # Both settings end with the transaction, so they are safe behind a pooler.
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', true), set_config('lock_timeout', %s, true)",
                (f"{max(1, int(seconds * 1000))}ms",),
            )
            yield
    except psycopg.errors.LockNotAvailable:
        raise StoreInUseError(
            f"{place} is in use: a commit by another process did not finish within {seconds:g} s"
        ) from None


def acquire(connection: Connection, place: object, name: str, lease: float) -> tuple[int, int, Row]:
    """Acquire the lease of a store and fence its previous holder; return the store's primary key, the new
    fence, and the columns of `SESSION_COLUMNS`.

    Raises:
        StoreInUseError: another process holds the lease.
        StoreError: the store does not exist.
        psycopg.Error: a statement failed; see `converting_errors`.
    """
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    row = connection.execute(_ACQUIRE, (lease, holder, name)).fetchone()
    if row is not None:
        store, fence, *session = row
        return store, fence, tuple(session)
    row = connection.execute(_HOLDER, (name,)).fetchone()
    if row is None:
        raise StoreError(f"{place} has no store {name}")
    other_holder, remaining_lease = row
    raise StoreInUseError(
        f"store {name} in {place} is in use by {other_holder}, whose lease ends in {remaining_lease:.1f} s "
        "unless it is renewed"
    )
