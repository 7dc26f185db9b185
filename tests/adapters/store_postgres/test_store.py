"""The Postgres store with a real server: it returns the committed records, and a fenced holder never
writes again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

pytest.importorskip("psycopg", reason="stores in Postgres need psycopg (extra postgres)")

from kalshi_fix_adapters.config.stores import stores_at
from kalshi_fix_adapters.errors import StoreUnavailableError
from kalshi_fix_adapters.store_postgres import PostgresDatabase, PostgresStore, StoreInUseError
from kalshi_fix_adapters.store_postgres.connection import to_store_error
from kalshi_fix_adapters.stores.lease import Lease, now
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from tests.adapters.store_sqlite.stores import (
    OWNER,
    contents,
    kept_numbers,
    open_request,
    send,
    send_and_commit,
)
from tests.postgres import Server, execute_at

Execute = Callable[[str], list[Any]]
TIMEOUT = 600.0
"""A timeout or lease longer than any test."""
END_LEASE = "UPDATE kalshi_fix.session SET leased_until = '-infinity'"


def open_store(dsn: str, **options: Any) -> PostgresStore:
    return PostgresStore(dsn, owner=OWNER, **{"failover": "none", "lease": TIMEOUT, **options})


def commit_one_by_one(store: PostgresStore, count: int) -> None:
    for _ in range(count):
        send_and_commit(store, 1)


def test_a_reopened_store_has_the_committed_records(direct_or_pooled_dsn: str) -> None:
    dsn = direct_or_pooled_dsn
    with open_store(dsn) as store:
        send(store, 5)
        store.record_sent(6, None)
        store.advance_incoming(9)
        store.record_request(open_request(3, 6))
        store.record_request(open_request(4, 2, uncertain=True))
        store.settle_requests([4])
        store.record_rows({"a": '{"x":1}', "b": "2", "c": "3"})
        store.commit()
        store.record_rows({"b": None, "c": "4"})
        before = contents(store)
    with open_store(dsn) as store:
        assert contents(store) == before
        assert (store.row("a"), store.row("b"), store.row("c")) == ('{"x":1}', None, "4")
        assert store.row_sizes == {"a": 8, "c": 2}
        found = store.sent_request("order-0")
        assert found is not None
        assert (found.seq_num, found.generation) == (6, store.generation)
        store.reset(unanswered=True)
        send(store, 2)
        before = contents(store)
    with open_store(dsn) as store:
        assert contents(store) == before
        assert (store.generation, store.reset_unanswered) == (found.generation + 1, True)
        assert kept_numbers(store) == [1, 2]
        store.renumber(10, 20)
    with open_store(dsn) as store:
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (10, 20, 10)


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"max_messages": 3}, 3), ({"max_bytes": 100}, 4), ({"max_age": timedelta(seconds=4)}, 4)],
)
def test_old_messages_and_ids_are_deleted(
    dsn: str, execute: Execute, options: dict[str, Any], kept: int
) -> None:
    with open_store(dsn, **options) as store:
        for key in range(600):
            store.record_request(attrs.evolve(open_request(key, key + 1), request_id=f"id-{key}"))
            send(store, 1, size=25)
        store.commit()
        assert kept_numbers(store) == list(range(601 - kept, 601))
    with open_store(dsn, **options) as store:
        assert kept_numbers(store) == list(range(601 - kept, 601))
    assert execute("SELECT min(seq_num) FROM kalshi_fix.sent") == [(601 - kept,)]


def test_a_store_in_use_is_refused_until_it_is_closed(dsn: str) -> None:
    with open_store(dsn), pytest.raises(StoreInUseError, match=r"is in use by process \d+ on .* ends in \d+"):
        open_store(dsn)
    open_store(dsn).close()


def test_a_fenced_writer_never_writes_again(direct_or_pooled_dsn: str, execute: Execute) -> None:
    dsn = direct_or_pooled_dsn
    old = open_store(dsn)
    send_and_commit(old, 2)
    execute(END_LEASE)
    with open_store(dsn) as new:
        send(new, 1)
        send(old, 3)
        old.record_rows({"old": "1"})
        ticket = old.begin_commit()
        with pytest.raises(StoreError, match="was taken over by another process; nothing more is written"):
            old._commits.wait(ticket)
        with pytest.raises(StoreError, match="taken over"):
            old.record_sent(6, None)
        old.close()  # does not end the lease of the new holder
        new.commit()
        with pytest.raises(StoreInUseError):
            open_store(dsn)
    with open_store(dsn) as store:
        assert (kept_numbers(store), store.row("old")) == ([1, 2, 3], None)


def test_a_lost_lease_ends_the_store_before_another_thread_notices(dsn: str) -> None:
    store = open_store(dsn)
    noticed: list[bool] = []
    store.on_commit = lambda: noticed.append(True)
    assert store.durable == 0
    store._lease.record_renewal(now() - TIMEOUT)
    with pytest.raises(StoreError, match="could not be written to in time"):
        assert store.durable
    assert noticed == [True]
    store.close()


def test_a_lease_is_renewed_while_the_store_is_idle(dsn: str, execute: Execute) -> None:
    renewed = threading.Event()
    with open_store(dsn, lease=2.0) as store:
        leased = "SELECT leased_until FROM kalshi_fix.session"
        [before] = execute(leased)
        store.on_commit = renewed.set
        assert renewed.wait(TIMEOUT)
        assert execute(leased)[0] > before
        assert (store.next_outgoing, store.next_incoming) == (1, 1)


def test_the_loss_of_a_lease_is_reported_once() -> None:
    lost = threading.Semaphore(0)
    lease = Lease(0.2, lambda: None, lost.release)
    lease.start(now())
    assert lost.acquire(timeout=TIMEOUT)
    lease.check()
    lease._thread.join(TIMEOUT)
    assert not lost.acquire(blocking=False)


def test_the_lease_is_not_renewed_while_a_commit_hangs(dsn: str, server: Server) -> None:
    store = open_store(dsn, lease=1.0)
    failed = threading.Event()
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(dsn) as other:
        other.execute("SELECT * FROM kalshi_fix.session FOR UPDATE")
        send(store, 1)
        store.on_commit = failed.set
        store.begin_commit()
        assert failed.wait(TIMEOUT)
        with pytest.raises(StoreError, match="could not be written to in time"):
            assert store.durable
    store.close()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_commits_is_refused_at_any_time(
    server: Server, dsn: str, setting: str
) -> None:
    store = open_store(dsn)
    server.configure(setting, "off")
    try:
        with pytest.raises(StoreError, match=f"{setting} is off"):
            open_store(dsn)
        with pytest.raises(StoreError, match=f"{setting} is off"):
            commit_one_by_one(store, 10_000)  # until the server process has reloaded its settings
    finally:
        server.configure(setting, "on")
    store.close()


@pytest.mark.parametrize(
    ("name", "is_unavailable"),
    [
        ("OperationalError", True),  # no connection, so no SQLSTATE
        ("ProtocolViolation", True),  # PgBouncer's error while it has no connection to the server
        ("DiskFull", True),
        ("CannotConnectNow", True),
        ("UndefinedTable", False),
    ],
)
def test_only_transient_errors_become_store_unavailable_errors(name: str, is_unavailable: bool) -> None:
    import psycopg

    error = getattr(psycopg.errors, name, None) or getattr(psycopg, name)
    found = to_store_error("place", error("text"))
    assert isinstance(found, StoreUnavailableError) is is_unavailable


def test_invalid_options_are_refused(dsn: str) -> None:
    with pytest.raises(StoreError, match="synchronous_standby_names is empty"):
        open_store(dsn, failover="synchronous")
    leases = [{"lease": lease} for lease in (0.0, float("nan"), float("inf"), 1e7)]
    invalid: list[dict[str, Any]] = [{"failover": "async"}, {"max_rows": -1}, *leases]
    for options in invalid:
        with pytest.raises(ConfigurationError, match="must"):
            open_store(dsn, **options)
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://a:secret@host:x?y")
    assert "secret" not in str(caught.value)


def test_commits_wait_for_the_disk_whatever_the_settings_of_the_database(
    database: str, direct_or_pooled_dsn: str, execute: Execute
) -> None:
    execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    open_store(direct_or_pooled_dsn).close()
    execute("""
        CREATE TABLE seen (value text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER note AFTER UPDATE ON kalshi_fix.session DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION note();
    """)
    with open_store(direct_or_pooled_dsn) as store:
        commit_one_by_one(store, 5)
        assert execute("SELECT DISTINCT value FROM seen") == [("on",)]
    # The setting ends with each transaction, so it does not affect other users of the connection.
    assert execute_at(direct_or_pooled_dsn, "SHOW synchronous_commit") == [("off",)]


@pytest.mark.parametrize(("level", "text"), [("EXCEPTION", "refused"), ("WARNING", "01000 refused")])
def test_a_commit_that_fails_or_warns_ends_the_store(
    dsn: str, execute: Execute, level: str, text: str
) -> None:
    store = open_store(dsn)
    execute(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE {level} 'refused'; RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON kalshi_fix.sent DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse();
    """)
    send(store, 1)
    with pytest.raises(StoreError, match=text):
        store.commit()
    store.close()  # ends the lease, because the connection still works
    with open_store(dsn) as store:  # the database determines the outcome
        assert store.next_outgoing == (1 if level == "EXCEPTION" else 2)


def test_cancelling_the_wait_for_a_replica_ends_the_store(dsn: str, server: Server, execute: Execute) -> None:
    store = open_store(dsn)
    server.configure("synchronous_standby_names", "missing")
    try:
        send(store, 1)
        ticket = store.begin_commit()
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        while not execute(cancel):
            pass
        with pytest.raises(
            StoreError, match=r"committed with a warning.* 01000 canceling wait for synchronous"
        ):
            store._commits.wait(ticket)
    finally:
        server.configure("synchronous_standby_names", "")
    store.close()
    with open_store(dsn) as store:
        assert store.next_outgoing == 2


def test_a_takeover_does_not_wait_long_for_a_commit_in_progress(dsn: str, execute: Execute) -> None:
    import psycopg

    open_store(dsn).close()
    with psycopg.connect(dsn) as other:
        other.execute("SELECT * FROM kalshi_fix.session FOR UPDATE")
        with pytest.raises(StoreInUseError, match=r"another process did not finish within 0\.1 s"):
            open_store(dsn, lease=0.1)
    open_store(dsn).close()


def test_a_store_can_be_closed_while_its_server_does_not_answer(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.store_postgres.store.CLOSE_TIMEOUT", 0.01)
    store = open_store(dsn)
    may_answer = threading.Event()
    release = store._database.release
    monkeypatch.setattr(store._database, "release", lambda: may_answer.wait(TIMEOUT) and release())
    store.close()
    with pytest.raises(StoreInUseError):
        open_store(dsn)
    may_answer.set()


def test_a_lost_connection_ends_the_store(dsn: str, execute: Execute) -> None:
    store = open_store(dsn)
    execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kalshi-fix'")
    send(store, 1)
    with pytest.raises(StoreError, match="could not be read or written"):
        store.commit()
    with pytest.raises(StoreError, match="could not be read or written"):
        assert store.durable
    store.close()


def test_a_newer_version_and_damaged_data_are_errors(dsn: str, execute: Execute) -> None:
    with open_store(dsn) as store:
        send(store, 1)
    execute("UPDATE kalshi_fix.sent SET sent_at = sent_at + 1")
    with pytest.raises(StoreError, match="is damaged"):
        open_store(dsn)
    execute("UPDATE kalshi_fix.version SET version = 99")
    for read in (open_store, lambda dsn: PostgresDatabase(dsn).names()):
        with pytest.raises(StoreError, match="newer version"):
            read(dsn)


def test_a_database_lists_and_summarizes_its_stores(dsn: str) -> None:
    stores = stores_at(f"{dsn}&failover=none&lease={TIMEOUT}")
    assert (stores.names(), stores.read(OWNER)) == ([], None)
    with pytest.raises(ConfigurationError, match="failover"):
        PostgresDatabase(dsn).open(OWNER)
    with stores.open(OWNER) as store:  # type: ignore[attr-defined]
        send(store, 3)
        store.record_request(open_request(1, 3))
        store.record_rows({"a": "1", "b": "2"})
        store.commit()
        [name] = stores.names()
        summary = stores.summary(name, rows=1)
    assert (summary.owner, summary.next_outgoing, summary.kept, summary.rows) == (OWNER, 4, 3, 2)
    assert summary.last_rows == (("b", "2"),)
    assert summary.open_requests == (open_request(1, 3),)
    assert summary == stores.summary(name, rows=1)
