"""Kills from inside the client's process, at points that cannot be timed from outside."""

from __future__ import annotations

import os
import signal
import sys
import threading
from mmap import mmap
from types import FrameType
from typing import Any
from unittest.mock import patch

from kalshi_fix_adapters.stores.durable import DurableStore
from kalshi_fix_adapters.stores.pending import PendingChanges
from tests.kill.runs import Activity, KillPoint, Run, Stage


class KillCounter:
    """Counts the events of `Run.kill_point`, and raises SIGKILL at the event with number `Run.kill_after`.

    `cells` is memory shared with the test: the client's Stage and its Activity.
    """

    def __init__(self, run: Run, cells: mmap) -> None:
        self._kill_point = run.kill_point
        self._remaining = run.kill_after
        self._cells = cells

    def begin(self) -> None:
        """Start counting; earlier calls belong to the test, not to the client."""
        _watch_commits(self, self._cells)
        if self._kill_point is KillPoint.CALL:
            threading.setprofile(self._called)
            sys.setprofile(self._called)

    def count(self, kill_point: KillPoint) -> None:
        """Count one occurrence of this kill point."""
        if kill_point is self._kill_point:
            self._count()

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        self._count()

    def _count(self) -> None:
        self._remaining -= 1
        if self._remaining <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _watch_commits(kill_counter: KillCounter, cells: mmap) -> None:
    """Count the commits for which a message or a Logon waits."""
    for kind in DurableStore.__subclasses__():

        def watched(self: Any, pending: PendingChanges, write: Any = kind._write) -> None:
            waited_for = cells[1] == Activity.PLACING or cells[0] in (Stage.CONNECTING, Stage.RECOVERING)
            if waited_for:
                kill_counter.count(KillPoint.BEFORE_COMMIT)
            write(self, pending)
            if waited_for:
                if cells[1] == Activity.PLACING:
                    cells[1] = Activity.COMMITTED
                kill_counter.count(KillPoint.AFTER_COMMIT)

        patch.object(kind, "_write", watched).start()
