"""Changes to the API key: find the other stores in a database, and move a store to a new key."""

from __future__ import annotations

import shlex
from contextlib import closing
from urllib.parse import quote, urlencode

import attrs
import psycopg
from psycopg.conninfo import conninfo_to_dict

from kalshi_fix_adapters.errors import KeyChangedError
from kalshi_fix_adapters.store_postgres.connection import (
    acquire,
    connect,
    converting_errors,
    describe_dsn,
    durable_transaction,
)
from kalshi_fix_adapters.store_postgres.schema import REQUESTS, ROWS, Connection, check_version
from kalshi_fix_adapters.stores import rows
from kalshi_fix_adapters.stores.keys import explain_missing, moved_owner
from kalshi_fix_adapters.stores.owner import StoreOwner, store_name
from kalshi_fix_sansio.errors import StoreError

_STORES_OF_SESSION = """
    SELECT name FROM kalshi_fix.session WHERE environment = %s AND product = %s AND target_comp_id = %s
    ORDER BY leased_until DESC, name
"""
_EARLIER_KEY = f"""
    SELECT {rows.EARLIER_KEY_COLUMNS} FROM kalshi_fix.earlier_key WHERE store = %s AND sender_comp_id = %s
"""
_UPDATE_SESSION = f"""
    UPDATE kalshi_fix.session SET ({rows.SESSION_COLUMNS}) = (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    WHERE store = %s
"""
_LOCK_TIMEOUT = 5.0
"""Maximum number of seconds that a migration waits for a commit by another process."""


def store_exists(connection: Connection, place: object, dsn: str, owner: StoreOwner) -> bool:
    """Return whether this owner's store exists.

    Raises:
        KeyChangedError: the store is missing, but another store in the database may be the intended one:
            a store for another key or, if the owner has a named account, the store for this key.
    """
    cursor = connection.execute(_STORES_OF_SESSION, (owner.environment, owner.product, owner.target_comp_id))
    names = [name for (name,) in cursor]
    if store_name(owner) in names:
        return True
    if owner.account is None:
        others = names
    else:
        unnamed = store_name(attrs.evolve(owner, account=None))
        others = [name for name in names if name == unnamed]
    if others:
        migrate = f"{shlex.quote(_url_of(dsn))} --store {others[0]}"
        text, command = explain_missing(place, owner, others, migrate)
        raise KeyChangedError(text, tuple(others), command)
    return False


def change_key(
    connection: Connection, store: int, old: StoreOwner, numbers: rows.Numbers, owner: StoreOwner
) -> rows.Numbers:
    """Move a store to another API key, in the caller's transaction; return its numbers.

    Sequence numbers and kept messages belong to one key. The numbers of the old key are kept in case the key
    is used again, but its messages are deleted. Open requests become uncertain, because the venue sends their
    answers to the old key. The user's rows are kept.

    Raises:
        DamagedRowError: the checksum of a row is wrong.
    """
    connection.execute(
        "DELETE FROM kalshi_fix.earlier_key WHERE store = %s AND sender_comp_id = %s",
        (store, old.sender_comp_id),
    )
    connection.execute(
        "INSERT INTO kalshi_fix.earlier_key VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (store, *rows.earlier_key_row(old, numbers)),
    )
    row = connection.execute(_EARLIER_KEY, (store, owner.sender_comp_id)).fetchone()
    numbers = rows.numbers_of_earlier_key(row)
    for request in map(rows.request_of, connection.execute(REQUESTS, (store,)).fetchall()):
        *_, uncertain, _, checksum = rows.request_row(attrs.evolve(request, uncertain=True))
        connection.execute(
            "UPDATE kalshi_fix.request SET uncertain = %s, check_sum = %s WHERE store = %s AND key = %s",
            (uncertain, checksum, store, request.key),
        )
    connection.execute("DELETE FROM kalshi_fix.sent WHERE store = %s", (store,))
    connection.execute(_UPDATE_SESSION, (*rows.owner_row(owner), *rows.numbers_row(owner, numbers), store))
    return numbers


def migrate_store(dsn: str, name: str, *, key_id: str | None = None, account: str | None = None) -> str:
    """Move a store to another API key, or to a named account, in one transaction; return its new name.

    `store_sqlite.migrate_store` describes which data the store keeps.

    Raises:
        ConfigurationError: neither a key nor an account is given, or both are.
        StoreError: the store is missing, in use or damaged, or cannot be written, or the new name is taken.
    """
    place = describe_dsn(dsn)
    with converting_errors(place), closing(connect(dsn)) as connection:
        if not check_version(connection, place):
            raise StoreError(f"{place} has no store {name}")
        with durable_transaction(connection, place, _LOCK_TIMEOUT):
            connection.execute("SELECT kalshi_fix.check_server('none')")
            store, _, row = acquire(connection, place, name, 0)
            old_owner, numbers = rows.session_of(row)
            owner = moved_owner(old_owner, key_id=key_id, account=account)
            new_name = store_name(owner)
            if new_name == name:
                raise StoreError(f"store {name} already belongs to this key or account: nothing was changed")
            for _ in map(rows.journal_text, connection.execute(ROWS, (store,))):
                pass  # `journal_text` verifies the checksum of the row.
            if old_owner.sender_comp_id != owner.sender_comp_id:
                change_key(connection, store, old_owner, numbers, owner)
            try:
                connection.execute(
                    "UPDATE kalshi_fix.session SET name = %s WHERE store = %s", (new_name, store)
                )
            except psycopg.errors.UniqueViolation:
                raise StoreError(f"store {new_name} in {place} already exists: nothing was changed") from None
    return new_name


def _url_of(dsn: str) -> str:
    """Return a DSN as a URL without the password, which commands and logs must not contain."""
    parts = {name: value for name, value in conninfo_to_dict(dsn).items() if name != "password"}
    return f"postgresql://?{urlencode(parts, quote_via=quote)}"
