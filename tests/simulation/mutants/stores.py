"""Stores and disks that break their guarantees, and sessions that do not wait for them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.session import Session
from kalshi_fix_sansio.session import ledger as ledger_module
from kalshi_fix_sansio.session.ledger import Ledger
from kalshi_fix_sansio.session.outbound import Outbound
from tests.simulation.disk import Disk, DiskStore
from tests.simulation.disk_shared import SharedStore
from tests.simulation.mutants.patching import caught_by, do_nothing, replace, replace_every, wrap


def _nothing_to_commit(*_: object, **__: object) -> int:
    return 0


def _pretend_to_commit(store: DiskStore) -> None:
    store._writing = []
    store.durable = store._writing_ticket


def _release_at_once(release: Any, outbound: Outbound, ticket: int, durable: int) -> Any:
    return release(outbound, ticket, max(ticket, durable))


def _wait_forever(release: Any, outbound: Outbound, ticket: int, durable: int) -> Any:
    data = release(outbound, ticket, durable)
    outbound._timers.commit_at = None
    return data


def _lose_synced_changes(disk: Disk, random: object) -> None:
    del disk.log[len(disk.log) // 2 :]
    disk.marks = [mark for mark in disk.marks if mark <= len(disk.log)]


def _renew_during_hanging_commit(store: SharedStore) -> None:
    if not store._is_hanging or store._disk.failure == "hang":
        store._disk.renew()
        store.lease.record_renewal(store._clock())


def _confirm_at_once(hand_out: Any, session: Session) -> Any:
    events, ledger = hand_out(session), session._core.ledger
    reached = ledger.mark
    if ledger._numbers_agree and reached > ledger.store.next_incoming and not ledger.broken:
        with suppress(StoreError):
            ledger.store.advance_incoming(reached)
        ledger._unsaved_confirmations = True
    return events


def _begin_too_low(begin: Any, ledger: Ledger, store: Any) -> None:
    begin(ledger, store)
    ledger.expected = max(1, ledger.expected - 3)


MUTANTS = {
    "a store that drops a commit": caught_by(
        replace_every(7, DiskStore, "_write", _pretend_to_commit), "left early", "number reused"
    ),
    "a disk that syncs less than it reports": caught_by(
        replace(Disk, "lose_power", _lose_synced_changes), "left early", "number reused", "forgotten"
    ),
    "a store that drops an order": caught_by(
        replace_every(3, DiskStore, "record_request", do_nothing), "forgotten"
    ),
    "a session that commits too late": caught_by(
        replace(Ledger, "begin_commit", _nothing_to_commit), "left early", "number reused"
    ),
    "a release before the commit is durable": caught_by(
        wrap(Outbound, "release", _release_at_once), "left early", "number reused"
    ),
    "a commit that may take any amount of time": caught_by(
        wrap(Outbound, "release", _wait_forever), "late heartbeat"
    ),
    "a shared store without a fence": caught_by(
        replace(SharedStore, "_check_fence", do_nothing), "overwritten", "number reused", "left early"
    ),
    "a lease that is renewed while a commit hangs": caught_by(
        replace(SharedStore, "_renew", _renew_during_hanging_commit), "late takeover"
    ),
    "a primary that continues after its lease": caught_by(
        replace(SharedStore, "_lose", do_nothing), "two primaries"
    ),
    "a session that confirms events when it returns them": caught_by(
        wrap(Session, "events", _confirm_at_once), "silent loss"
    ),
    "a session that never confirms": caught_by(replace(Ledger, "advance", do_nothing), "behind"),
    "a session that begins before the confirmed number": caught_by(
        wrap(Ledger, "__init__", _begin_too_low), "repeated"
    ),
    "a reset that is not reported after a crash": caught_by(
        replace(ledger_module, "_has_confirmed_no_message", lambda _: False), "unannounced"
    ),
}
