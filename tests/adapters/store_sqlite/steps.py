"""Numbered steps that change a store. Each step is one commit, so after a crash the store must be in the
state after a whole number of steps. The memory store computes that state.

`python -m tests.adapters.store_sqlite.steps PATH SYNC` reads step numbers from its standard input. For each
of them it forks a child, which prints its process id and continues after that step. The child prints the
number of each step that it has finished, until it is killed. Then the program prints "killed".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from kalshi_fix_adapters.store_sqlite import SqliteStore
from kalshi_fix_sansio.session import MemoryStore
from tests.adapters.store_sqlite.stores import commit, contents, open_request, open_store, send

MAX_MESSAGES = 15


class MemoryRowStore(MemoryStore):
    """A memory store that also keeps the user's rows."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.rows: dict[str, str] = {}

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        kept = {**self.rows, **rows}
        self.rows = {key: text for key, text in kept.items() if text is not None}


def step(store: MemoryRowStore | SqliteStore, number: int) -> bool:
    """Run one step; return whether it must survive a power loss."""
    kind = number % 12
    row = f"row {number % 7}"
    store.record_rows({"steps": str(number), row: "." * (number * 53 % 900) if number % 3 else None})
    if kind == 11:
        store.advance_incoming(store.next_incoming + 3)
        commit(store)
        return False
    if kind == 10:
        store.settle_requests([number - 6, number - 3])
        store.advance_incoming(store.next_incoming + 1)
        commit(store)
        return False
    if kind == 9 and number % 5 == 0:
        store.reset(unanswered=True)
        store.record_sent(1, None)
    elif kind == 0:
        store.reset_answered()
        store.advance_incoming(store.next_incoming + 1)
    else:
        if kind == 5:
            store.record_sent(store.next_outgoing, None)
        if kind == 4 or kind == 7:
            store.record_request(open_request(number, store.next_outgoing))
        send(store, 1 + kind % 3, size=number * 37 % 700)
    commit(store)
    return True


def states() -> Iterator[tuple[Any, ...]]:
    """Yield the contents of a store after zero steps, one step, two steps and so on, with the user's rows
    last."""
    store = MemoryRowStore(max_messages=MAX_MESSAGES)
    yield (*contents(store), store.rows)
    for number in count(1):
        step(store, number)
        yield (*contents(store), store.rows)


def run(path: Path, sync: str, done: int) -> None:
    """Run the steps after step `done`, without end, and print the number of each finished step."""
    store = open_store(path, sync=sync, max_messages=MAX_MESSAGES)
    os.write(1, b"%d\n" % os.getpid())
    for number in count(done + 1):
        step(store, number)
        os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(Path(sys.argv[1]), sys.argv[2], int(line))
        os.waitpid(child, 0)
        os.write(1, b"killed\n")
