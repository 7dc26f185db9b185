"""The stores in a database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, cast, get_args

import attrs

from kalshi_fix_adapters.store_postgres.connection import connect, converting_errors, describe_dsn
from kalshi_fix_adapters.store_postgres.database import Failover
from kalshi_fix_adapters.store_postgres.keys import migrate_store, store_exists
from kalshi_fix_adapters.store_postgres.schema import MESSAGES, READ_SESSION, REQUESTS, ROWS, check_version
from kalshi_fix_adapters.store_postgres.store import LEASE, PostgresStore
from kalshi_fix_adapters.stores.owner import StoreOwner, store_name
from kalshi_fix_adapters.stores.rows import journal_text, message_of, request_of, session_of
from kalshi_fix_adapters.stores.summary import StoreSummary, summarize
from kalshi_fix_sansio.errors import ConfigurationError, StoreError


@attrs.frozen
class PostgresDatabase:
    """A `StoreFactory` for the stores in a database.

    Attributes:
        dsn: The database; see `PostgresStore`.
        failover: Which server may continue after a failure; see `PostgresStore`. Only `open` needs this.
        lease: Seconds after which another process may take over a store.
    """

    dsn: str = attrs.field(repr=False)
    failover: Failover | None = None
    lease: float = LEASE

    def __str__(self) -> str:
        return describe_dsn(self.dsn)

    def open(self, owner: StoreOwner) -> PostgresStore:
        """Open an owner's store; create it if it does not exist.

        Raises:
            StoreInUseError: another process holds the store's lease.
            KeyChangedError: the store is missing, but another store in the database may be the intended one.
            StoreError: the store cannot be used.
            ConfigurationError: `failover` is missing or invalid, or `lease` is invalid.
        """
        if self.failover is None:
            raise ConfigurationError(
                "a store in Postgres needs failover='none' or failover='synchronous'; in a URL, add "
                "?failover=none"
            )
        return PostgresStore(self.dsn, owner=owner, failover=self.failover, lease=self.lease)

    def read(self, owner: StoreOwner) -> StoreSummary | None:
        """Return the content of an owner's store without opening it; None if there is no such store.

        Raises:
            StoreError: the store cannot be read.
            KeyChangedError: the store is missing, but another store in the database may be the intended one.
        """
        with converting_errors(self), closing(connect(self.dsn)) as connection:
            exists = check_version(connection, self) and store_exists(connection, self, self.dsn, owner)
        return self.summary(store_name(owner)) if exists else None

    def names(self) -> list[str]:
        """Return the names of the stores.

        Raises:
            StoreError: the database cannot be read.
        """
        with converting_errors(self), closing(connect(self.dsn)) as connection:
            if not check_version(connection, self):
                return []
            return [row[0] for row in connection.execute("SELECT name FROM kalshi_fix.session ORDER BY name")]

    def summary(
        self, name: str, *, rows: int = 0, on_progress: Callable[[], None] | None = None
    ) -> StoreSummary:
        """Return the content of a store, which may be in use, after verifying the checksums of its messages,
        requests and rows. `on_progress` is called before each of these three kinds is read.

        Raises:
            StoreError: the store does not exist, is damaged, or cannot be read.
        """
        with converting_errors(self), closing(connect(self.dsn)) as connection, connection.transaction():
            # All queries must see the same commit.
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = None
            if check_version(connection, self):
                row = connection.execute(READ_SESSION, (name,)).fetchone()
            if row is None:
                raise StoreError(f"{self} has no store {name}")
            store, *session = row
            owner, numbers = session_of(tuple(session))
            parts: list[list[Any]] = []
            for query, values, read in (
                (MESSAGES, (store, numbers.oldest_kept), message_of),
                (REQUESTS, (store,), request_of),
                (ROWS, (store,), lambda entry: (entry[0], journal_text(entry))),
            ):
                if on_progress is not None:
                    on_progress()
                parts.append(list(map(read, connection.execute(query, values))))
        messages, requests, journal = parts
        row_bytes = sum(len(key.encode()) + len(text) for key, text in journal)
        last_rows = journal[::-1][:rows]
        return summarize(
            owner, numbers, messages, requests, rows=len(journal), row_bytes=row_bytes, last_rows=last_rows
        )

    def migrate(self, name: str, *, key_id: str | None = None, account: str | None = None) -> str:
        """Move a store that is not in use to another API key, or to a named account; return its new name.

        Raises:
            ConfigurationError: neither a key nor an account is given, or both are.
            StoreError: the store is missing, in use or damaged, or cannot be written, or the new name is
                taken.
        """
        return migrate_store(self.dsn, name, key_id=key_id, account=account)


def stores_at(place: str, *, sync: object = None) -> PostgresDatabase:  # noqa: ARG001 - for files only
    """Return the stores of the database at a URL. The URL's parameters `failover` and `lease` are for this
    library; the others are passed to libpq.

    Raises:
        ConfigurationError: `failover` or `lease` is invalid.
    """
    address, _, query = place.partition("?")
    parameters = {"failover": "", "lease": str(LEASE)}
    others = []
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        if name in parameters:
            parameters[name] = value
        else:
            others.append(parameter)
    if parameters["failover"] not in ("", *get_args(Failover)):
        raise ConfigurationError(f"failover must be 'none' or 'synchronous', not {parameters['failover']!r}")
    try:
        lease = float(parameters["lease"])
    except ValueError:
        raise ConfigurationError(f"lease must be a number of seconds, not {parameters['lease']!r}") from None
    dsn = f"{address}?{'&'.join(others)}" if others else address
    return PostgresDatabase(dsn, cast("Failover | None", parameters["failover"] or None), lease)
