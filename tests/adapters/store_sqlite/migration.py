"""A store of layout 1, and a process that dies while it brings one up to date.

As a program, `python -m tests.adapters.store_sqlite.migration PATH`, it reads numbers from its standard
input; for each it forks a child that opens the store and kills itself at that step of SQLite's own machine,
counted over all statements, and then it prints how the child ended: "dead" or "done".
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from kalshi_fix_adapters.store_sqlite import SqliteStore
from tests.adapters.store_sqlite.stores import OWNER

LAYOUT_1 = Path(__file__).with_name("layout_1.sql")


def write_layout_1(path: Path) -> None:
    """Make a store such as the version before left it, in the midst of trading."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(LAYOUT_1.read_text())


class Dying(sqlite3.Connection):
    """Kills its process at one step."""

    steps_left: int

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        Dying.steps_left -= 1
        if not Dying.steps_left:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


class DyingStore(SqliteStore):
    connection_class = Dying


def die(path: Path, step: int) -> None:
    """Open the store, and die at this step; leave without a word to it where there are fewer."""
    Dying.steps_left = step
    DyingStore(path, owner=OWNER, sync="normal")
    os._exit(0)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            die(Path(sys.argv[1]), int(line))
        _, status = os.waitpid(child, 0)
        os.write(1, b"dead\n" if os.WIFSIGNALED(status) else b"done\n")
