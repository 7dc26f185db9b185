"""User rows that a store cannot commit. `conformance/test_rows.py` tests rows with every client."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import pytest

from kalshi_fix_adapters.engine.rows import Rows
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import CloseReason, SessionEnded
from tests.adapters.engine.stage import FailingStore, only, open_stage, plan, report


class Store(FailingStore):
    """A store that accepts rows, and begins a commit for each confirmation, as durable stores do."""

    max_rows = max_row_bytes = 1000

    def __init__(self) -> None:
        super().__init__()
        self.row_sizes: Mapping[str, int] = {}

    def row(self, key: str) -> str | None:
        return None

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        pass

    def advance_incoming(self, next_incoming: int) -> None:
        super().advance_incoming(next_incoming)
        self.begin_commit()


def test_a_failed_commit_raises_an_error_and_ends_the_session() -> None:
    store = Store()
    stage = open_stage(plan("KalshiRT", store=store))
    stage.venue_sends(report("a1"), report("a2"))
    stage.core.take()
    Rows(stage.core.rows, nullcontext)["a1"] = 1
    store.failing_method = "begin_commit"
    with pytest.raises(StoreError, match="the disk is full"):
        stage.core.take()
    stage.run()
    assert only(stage.take(), SessionEnded).reason is CloseReason.STORE_FAILED
