"""A series of client processes with one store, against one venue."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Self

import attrs

from kalshi_fix_adapters.config.stores import Sync
from tests.kill.relay import TO_CLIENT, TO_VENUE, Relay
from tests.kill.runs import Activity, KillPoint, Run, Stage
from tests.kill.trader import IDLE, MAX_WAIT
from tests.kill.venue import TradingVenue

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 1.0
"""Seconds after which a process is killed if its planned kill has not happened."""
BUSY_TRADES = 10
"""The number of trades by another account while a client logs on."""


@attrs.define
class Kills:
    """Counts of kills: how each was triggered, and the activity of the process at that time."""

    by_trigger: Counter[str] = attrs.field(factory=Counter)
    by_activity: Counter[str] = attrs.field(factory=Counter)

    @property
    def total(self) -> int:
        return self.by_trigger.total()

    def __str__(self) -> str:
        triggers = ", ".join(f"{count} {name}" for name, count in self.by_trigger.most_common())
        activities = ", ".join(f"{count} {name}" for name, count in self.by_activity.most_common())
        return f"{self.total} kills ({triggers}; activity: {activities})"


class ForkServer:
    """The process that forks clients."""

    def __init__(self, settings: dict[str, Any], folder: Path, pipe: int | None = None) -> None:
        pipes = [] if pipe is None else [pipe]
        self.errors = folder / "errors"
        with self.errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kill.fork_server", *map(str, pipes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=pipes,
                cwd=ROOT,
                bufsize=0,
            )
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        self._write(settings)

    def fork(self, run: Run, *, only_store: bool = False) -> int:
        """Fork a client and return its process id."""
        self._write({**run.to_values(), "only_store": only_store})
        return self._read_number()

    def reap(self) -> int:
        """Reap a child that has died and return its exit code."""
        self._write({})
        return self._read_number()

    def wait(self) -> None:
        """Wait until the child has died."""
        assert self._read_number() == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the process has ended, which happens after its last child has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(MAX_WAIT)
        self._process.stdout.close()

    def _write(self, values: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(values).encode() + b"\n")

    def _read_number(self) -> int:
        """Read one line and no byte beyond it, so `select` still reports the next line as readable."""
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.output, 1)
            assert byte, f"the fork server has ended: {self.errors.read_text()}"
            line += byte
        return int(line)


class ProcessSeries:
    """Client processes that run one after the other, with one store, and a relay to the venue."""

    def __init__(self, folder: Path, seed: int, sync: Sync, stores: str) -> None:
        self.folder = folder
        self.random = Random(seed)
        self.kills = Kills()
        self.cuts = 0
        self.venue = TradingVenue(Random(seed))
        self._cells = folder / "cells"
        """File that the client maps into memory. Its first two bytes are the client's stage and activity."""
        self._cells.write_bytes(bytes(16))
        self._seed = seed
        self._sync: Sync = sync
        self.stores = stores

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as resources:
            venue = resources.enter_context(self.venue)
            self._relay = resources.enter_context(Relay(venue.port))
            self._pipe, pipe = os.pipe()
            resources.callback(os.close, self._pipe)
            settings = {
                "folder": str(self.folder),
                "seed": self._seed,
                "sync": self._sync,
                "stores": self.stores,
                "port": self._relay.port,
                "ca": venue.ca,
                "key_id": venue.key.key_id,
                "private_key": venue.key.private_key_pem.decode(),
            }
            self.fork_server = resources.enter_context(ForkServer(settings, self.folder, pipe))
            os.close(pipe)
            os.set_blocking(self._pipe, False)
            self._relay.watch(self._pipe, self._read_progress)
            self._relay.watch(self.fork_server.output, self._child_died)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._resources:
            if error is not None:
                (self.folder / "wire").write_text(self.venue.record.wire())
                if not self._child_is_dead:
                    os.kill(self._child, signal.SIGKILL)

    _child = 0
    _child_is_dead = True
    _child_was_killed = False
    _killed_late = False
    """Whether the current process was killed late, because its planned kill did not happen."""
    _trade_is_due = False
    """Whether another account still has to trade while the client logs on."""
    _logons = 0
    _kill_at: float | None = None
    _give_up_at = 0.0

    def run(self, run: Run) -> None:
        """Run one process from start to end."""
        for _ in range(run.trades):
            self.venue.trade()
        self._run, self._child_was_killed = run, False
        self._cells.write_bytes(bytes(16))
        self._relay.reset()
        self._set_relay(run)
        self._child, self._child_is_dead = self.fork_server.fork(run), False
        begun = time.monotonic()
        will_be_killed = run.kill_point is not KillPoint.NONE
        self._killed_late, self._trade_is_due, self._logons = False, run.busy, self.venue.record.logons
        self._kill_at = begun + run.kill_after / 1e6 if run.kill_point is KillPoint.TIME else None
        self._give_up_at = begun + PATIENCE if will_be_killed else begun + MAX_WAIT
        while not self._child_is_dead:
            self._step()
        code = self.fork_server.reap()
        # Wait until the venue has noticed the end of the connection: otherwise it would refuse the next
        # client as a second connection.
        while self._relay.connected:
            self._relay.step(MAX_WAIT)
            assert time.monotonic() < begun + MAX_WAIT
        assert code == (-signal.SIGKILL if will_be_killed else 0), (
            run,
            code,
            self.fork_server.errors.read_text(),
        )
        if will_be_killed:
            self.kills.by_trigger["late" if self._killed_late else run.kill_point] += 1
            self.kills.by_activity[self._activity()] += 1

    def _step(self) -> None:
        now = time.monotonic()
        due = self._give_up_at if self._kill_at is None else self._kill_at
        if now >= due:
            assert self._run.kill_point is not KillPoint.NONE, self._activity()
            assert not self._child_was_killed
            self._killed_late = self._kill_at is None
            self._kill()
            return
        if self._trade_is_due and not self._child_was_killed and self.venue.record.logons > self._logons:
            self._trade_during_recovery()
        else:
            self._relay.step(max(0.0, due - now))

    def _trade_during_recovery(self) -> None:
        """Trade as soon as the client is logged on. The client's next message, even a ResendRequest, reaches
        the venue only after these trades."""
        self._trade_is_due = False
        self._relay.hold()
        for _ in range(BUSY_TRADES):
            self.venue.trade()
            self._relay.step(0.0)
        self._relay.resume()

    def _set_relay(self, run: Run) -> None:
        if run.kill_point is KillPoint.WRITE:
            self._relay.call_after(TO_VENUE, run.kill_after, self._kill)
        elif run.kill_point is KillPoint.READ:
            self._relay.call_after(TO_CLIENT, run.kill_after, self._kill)
        elif run.cut_at:
            self._relay.call_after(TO_VENUE, run.cut_at, self._cut)

    def _kill(self) -> bool:
        if not self._child_is_dead:
            self._child_was_killed = True
            self._kill_at = time.monotonic() + MAX_WAIT  # from now on the loop only waits for the exit
            os.kill(self._child, signal.SIGKILL)
            if self._run.loses_bytes:
                self._relay.drop_all()
        return self._run.loses_bytes

    def _cut(self) -> bool:
        self.cuts += 1
        self._relay.cut()
        return True

    def _read_progress(self) -> None:
        """Read the client's progress from its pipe, and sometimes trade with the client."""
        progress = os.read(self._pipe, 4096)
        if self._child_is_dead or self._child_was_killed or self._run.kill_point is KillPoint.NONE:
            return
        if IDLE in progress:
            if self._run.kill_point is KillPoint.IDLE:
                self._kill_at = time.monotonic() + self._run.kill_after / 1e6
            for _ in range(self.random.randrange(1, 4)):
                self.venue.trade()
        elif self.random.random() < 0.1:
            self.venue.trade()

    def _child_died(self) -> None:
        self.fork_server.wait()
        self._child_is_dead = True

    def _activity(self) -> str:
        stage, activity = self._cells.read_bytes()[:2]
        if stage != Stage.ESTABLISHED:
            return Stage(stage).name.lower()
        return Activity(activity).name.lower()
