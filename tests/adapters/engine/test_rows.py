"""User rows with a store in memory, which can fail."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import pytest

from kalshi_fix_adapters.engine.rows import Rows
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import CloseReason, SessionEnded
from kalshi_fix_sansio.session import MemoryStore
from tests.adapters.engine.stage import Stage, only, opened, plan, report
from tests.helpers import order


class Store(MemoryStore):
    """A store that writes its rows with its commits, and can fail."""

    max_rows = max_row_bytes = 1000

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.recorded: dict[str, str | None] = {}
        self.written: list[tuple[dict[str, str | None], int]] = []
        """Rows, each with the sequence number that was committed with it."""
        self.row_sizes: Mapping[str, int] = {}

    def row(self, key: str) -> str | None:
        return None

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        self.recorded.update(rows)

    def advance_incoming(self, next_incoming: int) -> None:
        super().advance_incoming(next_incoming)
        self.begin_commit()

    def begin_commit(self) -> int:
        if self.is_full:
            raise StoreError("the disk is full")
        if self.recorded:
            self.written.append((self.recorded, self.next_incoming))
            self.recorded = {}
        return super().begin_commit()


def trading(store: Store) -> tuple[Stage, Rows]:
    stage = opened(plan("KalshiRT", store=store))
    return stage, Rows(stage.core.rows, nullcontext)


def test_rows_are_written_with_the_sequence_number_of_their_event() -> None:
    store = Store()
    stage, rows = trading(store)
    stage.venue_sends(report("a1"), report("a2"))
    for name in ("a1", "a2"):
        assert stage.core.take() is not None
        rows[name] = 1
        stage.core.send(order(f"other-{name}"))  # the commit for this order includes none of the event's rows
        stage.run()
    assert store.written == [({"a1": "1"}, 3)]
    stage.core.take()
    assert store.written == [({"a1": "1"}, 3), ({"a2": "1"}, 4)]


def test_rows_of_an_event_without_a_sequence_number_are_written_too() -> None:
    store = Store()
    stage, rows = trading(store)
    rows["a"] = 1
    stage.core.take()
    assert [rows for rows, _ in store.written] == [{"a": "1"}]


def test_a_commit_that_fails_is_raised_and_ends_the_session() -> None:
    store = Store()
    stage, rows = trading(store)
    stage.venue_sends(report("a1"), report("a2"))
    stage.core.take()
    rows["a1"] = 1
    store.is_full = True
    with pytest.raises(StoreError, match="the disk is full"):
        stage.core.take()
    stage.run()
    assert store.written == []
    assert only(stage.take(), SessionEnded).reason is CloseReason.STORE_FAILED


@pytest.mark.parametrize("clean", [True, False])
def test_leaving_writes_rows_only_if_it_confirms_their_event(clean: bool) -> None:
    store = Store()
    stage, rows = trading(store)
    stage.venue_sends(report("a1"))
    stage.core.take()
    rows["a1"] = 1
    stage.core.logout()
    stage.advance(1)
    stage.core.close(clean=clean)
    assert ({"a1": "1"} in [rows for rows, _ in store.written]) is clean
