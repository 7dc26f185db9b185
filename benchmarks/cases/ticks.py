"""Benchmarks: (t) tick to order over loopback: receive a book update, update the book, send an order."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from benchmarks.cases.loopback import (
    TLS,
    client_key,
    free_port,
    installed_clients,
    running,
    serving,
    title,
)
from benchmarks.clients.drive import MAX_TICKS
from benchmarks.clients.ours import POLLING
from benchmarks.measure import Result, awake_processors, result, run_in_turn

FIRST_TICKS = 1000
"""Number of ticks at the start that are reported separately, because they include one-time work."""
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
SYNCS = ("full", "normal")


@attrs.frozen
class Setting:
    """The settings of a run."""

    pause_ms: float = 5
    """Silence before each update, in milliseconds."""
    tls: bool = False
    sync: str | None = None
    """Durability of the order session's store; None without a store."""

    @property
    def name(self) -> str:
        """The name of the case."""
        store = "" if self.sync is None else f", SQLite {self.sync}"
        return f"t: tick to order, pauses of {self.pause_ms:g} ms{TLS if self.tls else ''}{store}"

    @property
    def count(self) -> int:
        """Number of ticks: fewer after long pauses."""
        return MAX_TICKS if self.pause_ms <= 5 else FIRST_TICKS + 500


STANDARD = Setting()
SETTINGS = (
    STANDARD,
    Setting(0.2),
    Setting(50),
    Setting(tls=True),
    *(Setting(sync=sync) for sync in SYNCS),
)


@awake_processors()
def ticks(rounds: int = 5) -> list[Result]:
    """Measure each client in each setting, in turn; each run has a fresh process and a fresh market.

    Only the standard setting, which has targets, is repeated."""
    own, sdk, quickfix = installed_clients()
    results = []
    for setting in SETTINGS:
        clients = own if setting.sync else [*own, *sdk, *([] if setting.tls else quickfix)]
        if setting is STANDARD:
            clients = [*clients, POLLING]
        measurements = run_in_turn(
            {name: partial(measure_ticks, name, setting) for name in clients},
            rounds if setting is STANDARD else 1,
        )
        for name, runs in measurements.items():
            figures_by_run = [figures(run) for run in runs]
            results += [
                result(
                    f"{setting.name}, {figure}",
                    title(name),
                    [run_figures[figure] for run_figures in figures_by_run],
                    by_round=True,
                )
                for figure in figures_by_run[0]
            ]
    return results


def figures(seconds: Sequence[float]) -> dict[str, float]:
    """Return percentiles and maximum of the later ticks, and p99 of the first ticks, in microseconds."""
    first, later = sorted(seconds[:FIRST_TICKS]), sorted(seconds[FIRST_TICKS:])
    result = {name: _percentile(later, quantile) for name, quantile in PERCENTILES.items()}
    result |= {"max": later[-1] * 1e6, "p99 of the first 1,000": _percentile(first, 0.99)}
    return result


def _percentile(ordered: Sequence[float], quantile: float) -> float:
    if quantile == 0.5:
        return statistics.median(ordered) * 1e6
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)] * 1e6


def measure_ticks(name: str, setting: Setting, count: int | None = None) -> list[float]:
    """Run one client in one setting. Return the number of seconds from each tick to the order that answers
    it, as measured by the market."""
    port = free_port()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        key, authority = Path(folder, "key.pem"), Path(folder, "authority.pem")
        client_key().write(key)
        tls = ["--authority", str(authority)] if setting.tls else []
        market = stack.enter_context(
            serving("market", port, setting.pause_ms / 1000, count or setting.count, *tls)
        )
        store = [] if setting.sync is None else ["--store", folder, "--sync", setting.sync]
        stack.enter_context(running("__main__", name, port, key, "--ticks", *tls, *store))
        seconds: list[float] = json.loads(market.readline())
    return seconds
