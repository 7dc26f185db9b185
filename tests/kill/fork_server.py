"""`python -m tests.kill.fork_server`: imports all modules once, and forks a client for each run it reads.

It has one thread. It prints the process id of each child, 0 when the child has died, and its exit code when
it has been reaped. The child is reaped only when another line is received, so no other process gets its id
while a signal may still be sent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from mmap import mmap
from typing import BinaryIO

from kalshi_fix_adapters.store_sqlite import SqliteStore
from tests.kill.kill_counter import KillCounter
from tests.kill.runs import Run, Stage
from tests.kill.trader import Settings, Trader


def _create_store(settings: Settings, run: Run, cells: mmap) -> None:
    """Open the store and close it again; the first call creates it."""
    cells[0] = Stage.STORE
    KillCounter(run, cells).begin()
    SqliteStore(settings.store, owner=settings.owner, sync=settings.sync).close()


def _run_child(settings: Settings, run: Run, cells: mmap, pipe: int, *, only_store: bool) -> None:
    """Run the client and never return."""
    status = 1
    try:
        if only_store:
            _create_store(settings, run, cells)
        else:
            Trader(settings, run, cells, pipe).run()
        status = 0
    except BaseException:  # noqa: BLE001 - it is reported, and this process ends
        sys.setprofile(None)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def serve(commands: BinaryIO, pipe: int) -> None:
    """Read the settings, then fork for each line."""
    settings = Settings(**json.loads(commands.readline()))
    with (settings.folder / "cells").open("r+b") as file:
        cells = mmap(file.fileno(), 0)
    assert threading.active_count() == 1, "a fork would leave the other threads behind"
    for line in commands:
        values = json.loads(line)
        only_store, run = values.pop("only_store"), Run.of(values)
        child = os.fork()
        if not child:
            _run_child(settings, run, cells, pipe, only_store=only_store)
        _print(child)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        _print(0)
        commands.readline()  # the request to reap the child
        _, status = os.waitpid(child, 0)
        _print(os.waitstatus_to_exitcode(status))


def _print(number: int) -> None:
    os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    serve(sys.stdin.buffer, int(sys.argv[1]) if len(sys.argv) > 1 else -1)
