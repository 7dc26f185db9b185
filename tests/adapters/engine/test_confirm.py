"""Confirmation of events with `confirm`, while several may be in progress."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.engine.rows import Rows
from kalshi_fix_adapters.events import Connecting
from kalshi_fix_adapters.store_sqlite import SqliteFolder, SqliteStore
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.session import MemoryStore
from tests.adapters.engine.stage import Stage, only, open_stage, plan, report
from tests.helpers import of_type


def explicit_client(**changes: Any) -> tuple[Stage, MemoryStore]:
    """Return a client that confirms explicitly, and has confirmed its logon."""
    store = MemoryStore()
    stage = open_stage(plan("KalshiRT", store=store, explicit_confirm=True, **changes))
    stage.core.confirm(stage.core._unconfirmed[-1])
    return stage, store


def messages(stage: Stage, *names: str) -> list[MessageReceived]:
    """Send reports from the venue, and return the events that the client takes."""
    stage.venue_sends(*map(report, names))
    return of_type(stage.take(), MessageReceived)


def test_confirming_an_event_confirms_all_events_taken_before_it() -> None:
    stage, store = explicit_client()
    first, second, third = messages(stage, "a1", "a2", "a3")
    assert store.next_incoming == 2
    stage.core.confirm(second)
    assert store.next_incoming == 4
    # This event is already confirmed.
    stage.core.confirm(first)
    stage.core.confirm(second)
    assert store.next_incoming == 4
    stage.core.confirm(third)
    assert store.next_incoming == 5


def test_several_events_and_the_rows_are_confirmed_in_one_commit(tmp_path: Path) -> None:
    # With "normal", each commit is in the file at once.
    folder = SqliteFolder(tmp_path, sync="normal")
    stage = open_stage(plan("KalshiRT", store=folder, explicit_confirm=True))
    stage.core.confirm(stage.core._unconfirmed[-1])
    *_, last = messages(stage, "a1", "a2", "a3")
    Rows(stage.core.rows, nullcontext)["fills"] = 3
    store = stage.core.sequence._opened_store
    assert isinstance(store, SqliteStore)
    store.commit()
    begun = store.begin_commit()
    stage.core.confirm(last)
    assert (store.next_incoming, store.begin_commit()) == (5, begun + 1)
    stage.leave()


def test_confirming_an_event_without_a_number_confirms_no_message() -> None:
    stage, store = explicit_client()
    messages(stage, "a1")
    stage.cut(wait=5)
    assert stage.core.is_logged_on
    events = stage.take()
    stage.core.confirm(only(events, Connecting))
    assert store.next_incoming == 2
    # Messages of an earlier connection are confirmed on the session that continues it.
    stage.core.confirm(events[-1])
    assert store.next_incoming == stage.core.sequence.numbers.next_incoming


def test_unconfirmed_events_stay_unconfirmed_when_the_client_is_closed() -> None:
    stage, store = explicit_client()
    first, _ = messages(stage, "a1", "a2")
    stage.core.confirm(first)
    stage.leave()
    assert store.next_incoming == 3


def test_unconfirmed_events_are_bounded() -> None:
    stage, _ = explicit_client(queue_limit=5)
    stage.venue_sends(*map(report, ("a1", "a2", "a3", "a4", "a5", "a6")))
    while len(stage.core._unconfirmed) < 5:
        assert stage.core.take() is not None
    with pytest.raises(LocalProtocolError, match="5 events are not confirmed; confirm some first"):
        stage.core.take()
    stage.core.confirm(stage.core._unconfirmed[0])
    assert stage.core.take() is not None


def test_without_explicit_confirm_an_event_can_be_confirmed_before_the_next_is_taken() -> None:
    store = MemoryStore()
    stage = open_stage(plan("KalshiRT", store=store))
    stage.venue_sends(report("a1"), report("a2"))
    first = stage.core.take()
    assert first is not None
    assert store.next_incoming == 2
    stage.core.confirm(first)
    assert store.next_incoming == 3
    assert stage.core.take() is not None
    assert store.next_incoming == 3
