"""The tables in a database, their migration, and the function that writes a commit."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import psycopg

from kalshi_fix_adapters.stores import rows
from kalshi_fix_sansio.errors import StoreError

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

FENCED_STATE: Final = "KF001"
"""The SQLSTATE of a write by a process whose store was taken over."""
UNSAFE_STATE: Final = "KF002"
"""The SQLSTATE of a write to a server whose settings may lose commits."""
_LOCK: Final = int.from_bytes(b"kFIX", "big")
"""The key of the advisory lock for migrations."""

READ_SESSION: Final = f"SELECT store, {rows.SESSION_COLUMNS} FROM kalshi_fix.session WHERE name = %s"
MESSAGES: Final = f"""
    SELECT {rows.MESSAGE_COLUMNS} FROM kalshi_fix.sent WHERE store = %s AND seq_num >= %s ORDER BY seq_num
"""
REQUESTS: Final = f"SELECT {rows.REQUEST_COLUMNS} FROM kalshi_fix.request WHERE store = %s ORDER BY key"
ROWS: Final = f"SELECT {rows.JOURNAL_COLUMNS} FROM kalshi_fix.journal WHERE store = %s ORDER BY key"
_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS kalshi_fix;
CREATE TABLE kalshi_fix.version (version integer NOT NULL);
INSERT INTO kalshi_fix.version VALUES (0);
CREATE TABLE kalshi_fix.session (
    store bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    fence bigint NOT NULL,
    leased_until timestamptz NOT NULL,
    holder text NOT NULL,
    environment text NOT NULL,
    product text NOT NULL,
    sender_comp_id text NOT NULL,
    target_comp_id text NOT NULL,
    next_outgoing bigint NOT NULL,
    next_incoming bigint NOT NULL,
    oldest_kept bigint NOT NULL,
    kept bigint NOT NULL,
    reset_unanswered bigint NOT NULL,
    generation bigint NOT NULL,
    check_sum bigint NOT NULL
);
CREATE TABLE kalshi_fix.sent (
    store bigint NOT NULL,
    seq_num bigint NOT NULL,
    sent_at bigint NOT NULL,
    frame bytea NOT NULL,
    check_sum bigint NOT NULL,
    PRIMARY KEY (store, seq_num)
);
CREATE TABLE kalshi_fix.request (
    store bigint NOT NULL,
    key bigint NOT NULL,
    request_id text NOT NULL,
    msg_type text NOT NULL,
    seq_num bigint NOT NULL,
    sent_at bigint NOT NULL,
    uncertain bigint NOT NULL,
    frame bytea NOT NULL,
    check_sum bigint NOT NULL,
    PRIMARY KEY (store, key)
);
CREATE TABLE kalshi_fix.sent_request (
    store bigint NOT NULL,
    request_id text NOT NULL,
    msg_type text NOT NULL,
    seq_num bigint NOT NULL,
    generation bigint NOT NULL,
    sent_at bigint NOT NULL,
    check_sum bigint NOT NULL,
    PRIMARY KEY (store, request_id)
);
CREATE INDEX ON kalshi_fix.sent_request (store, sent_at);
CREATE TABLE kalshi_fix.journal (
    store bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    check_sum bigint NOT NULL,
    PRIMARY KEY (store, key)
);
CREATE TABLE kalshi_fix.earlier_key (
    store bigint NOT NULL,
    sender_comp_id text NOT NULL,
    next_outgoing bigint NOT NULL,
    next_incoming bigint NOT NULL,
    reset_unanswered bigint NOT NULL,
    generation bigint NOT NULL,
    check_sum bigint NOT NULL,
    PRIMARY KEY (store, sender_comp_id)
);
"""
_CHECK_SERVER: Final = f"""
CREATE FUNCTION kalshi_fix.check_server(failover text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['fsync', 'full_page_writes'] LOOP
        IF current_setting(setting) <> 'on' THEN
            RAISE EXCEPTION '% is off, so a crash may lose commits', setting USING ERRCODE = '{UNSAFE_STATE}';
        END IF;
    END LOOP;
    IF failover = 'synchronous' AND current_setting('synchronous_standby_names') = '' THEN
        RAISE EXCEPTION 'synchronous_standby_names is empty, so a failover may lose commits'
            USING ERRCODE = '{UNSAFE_STATE}';
    END IF;
END $$;
"""
# A commit is one statement, so the row of the session is locked only while the server executes this
# statement. With several statements, a client that stops between two of them would keep the lock. The
# `synchronous_commit` setting ends with the transaction, so it is safe behind a connection pooler.
#
# `numbers` contains the new values of the session's columns, in the order of the UPDATE; NULL keeps a value.
# `restarts` deletes all sent messages; `clears` deletes those below the new `oldest_kept`.
# `settled` contains the keys of the requests that are no longer open, and `gone_rows` the keys of the rows to
# delete. Ids of requests sent before `ids_since`, and all but the newest `max_ids` ids, are deleted.
_WRITE: Final = f"""
CREATE FUNCTION kalshi_fix.write(
    of_store bigint, own_fence bigint, failover text, lease interval, numbers bigint[], restarts boolean,
    clears boolean,
    sent_nums bigint[], sent_times bigint[], sent_frames bytea[], sent_sums bigint[],
    settled bigint[],
    keys bigint[], ids text[], types text[], nums bigint[], times bigint[], uncertain bigint[],
    frames bytea[], sums bigint[],
    id_ids text[], id_types text[], id_nums bigint[], id_generations bigint[], id_times bigint[],
    id_sums bigint[], max_ids bigint, ids_since bigint,
    gone_rows text[], row_keys text[], row_values text[], row_sums bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM kalshi_fix.check_server(failover);
    UPDATE kalshi_fix.session SET
        leased_until = clock_timestamp() + lease,
        next_outgoing = coalesce(numbers[1], next_outgoing),
        next_incoming = coalesce(numbers[2], next_incoming),
        oldest_kept = coalesce(numbers[3], oldest_kept),
        kept = coalesce(numbers[4], kept),
        reset_unanswered = coalesce(numbers[5], reset_unanswered),
        generation = coalesce(numbers[6], generation),
        check_sum = coalesce(numbers[7], check_sum)
    WHERE store = of_store AND fence = own_fence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'fenced' USING ERRCODE = '{FENCED_STATE}';
    END IF;
    IF restarts THEN
        DELETE FROM kalshi_fix.sent WHERE store = of_store;
    END IF;
    INSERT INTO kalshi_fix.sent
    SELECT of_store, * FROM unnest(sent_nums, sent_times, sent_frames, sent_sums);
    IF clears THEN
        DELETE FROM kalshi_fix.sent WHERE store = of_store AND seq_num < numbers[3];
    END IF;
    DELETE FROM kalshi_fix.request WHERE store = of_store AND key = ANY (settled || keys);
    INSERT INTO kalshi_fix.request
    SELECT of_store, * FROM unnest(keys, ids, types, nums, times, uncertain, frames, sums);
    DELETE FROM kalshi_fix.sent_request WHERE store = of_store AND request_id = ANY (id_ids);
    INSERT INTO kalshi_fix.sent_request
    SELECT of_store, * FROM unnest(id_ids, id_types, id_nums, id_generations, id_times, id_sums);
    IF ids_since IS NOT NULL THEN
        DELETE FROM kalshi_fix.sent_request WHERE store = of_store AND sent_at < greatest(ids_since, (
            SELECT sent_at FROM kalshi_fix.sent_request WHERE store = of_store
            ORDER BY sent_at DESC OFFSET max_ids LIMIT 1
        ));
    END IF;
    DELETE FROM kalshi_fix.journal WHERE store = of_store AND key = ANY (gone_rows || row_keys);
    INSERT INTO kalshi_fix.journal SELECT of_store, * FROM unnest(row_keys, row_values, row_sums);
END $$;
"""
MIGRATIONS: Final = (_TABLES + _CHECK_SERVER + _WRITE,)
"""The statements that migrate each version to the next. Released statements are never changed."""
VERSION: Final = len(MIGRATIONS)


def migrate(connection: Connection, place: object) -> None:
    """Create the tables, or update them to the version of this library.

    Raises:
        StoreError: the tables have a newer version.
        psycopg.Error: the tables cannot be changed, and are unchanged.
    """
    if check_version(connection, place) == VERSION:
        return
    with connection.transaction():
        connection.execute("SELECT set_config('synchronous_commit', 'on', true)")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Another process may have migrated the tables in the meantime.
        for statements in MIGRATIONS[check_version(connection, place) :]:
            connection.execute(statements)
        connection.execute("UPDATE kalshi_fix.version SET version = %s", (VERSION,))


def check_version(connection: Connection, place: object) -> int:
    """Return the version of the tables; 0 if there are no tables.

    Raises:
        StoreError: the tables have a newer version than this library supports.
    """
    row = connection.execute("SELECT to_regclass('kalshi_fix.version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute("SELECT version FROM kalshi_fix.version").fetchone()
    version = 0 if row is None else int(row[0])
    if version > VERSION:
        raise StoreError(
            f"{place} was written by a newer version of kalshi-fix-sansio (tables {version}; this version "
            f"supports {VERSION}): update the library"
        )
    return version
