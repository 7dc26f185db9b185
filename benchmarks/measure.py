"""Measurement in rounds that run all contenders in turn, so other load on the machine affects all equally."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import attrs

K = TypeVar("K")
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
MIN_BATCH_SECONDS = 0.01
"""Minimum duration of a batch: far above the clock's resolution, but below the time between interruptions."""
_PROCESS_SECONDS = 600
_LATENCY_REQUEST = "/dev/cpu_dma_latency"


@attrs.frozen
class Contender:
    """One engine that performs one task."""

    case: str
    engine: str
    run: Callable[[], object]
    """Performs the task once, or `per_call` times."""
    per_call: int = 1
    max_calls: int = 100_000
    """Maximum number of calls in one batch; 1 for a slow call."""
    prepare: Callable[[], object] | None = None
    """Called before each batch; its time is not measured."""


def _tuple(values: Iterable[float]) -> tuple[float, ...]:
    """Convert the list loaded from JSON to a tuple."""
    return tuple(values)


@attrs.frozen
class Result:
    """The time of a contender in microseconds per task, or its memory in MiB (see `unit`)."""

    case: str
    engine: str
    us_min: float
    us_median: float
    python: str
    machine: str
    unit: str = "us"
    """Unit of the numbers: `us` (microseconds) or `MiB`."""
    rounds: tuple[float, ...] = attrs.field(default=(), converter=_tuple)
    """The figure of each round, if ratios are calculated round by round; otherwise empty."""


def machine() -> str:
    """Return the name of the processor, with the number of cores and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {len(names) or '?'} cores, {platform.system()}"


def python_build() -> str:
    """Return the version, compiler and flags of this Python, which change figures by up to a fifth."""
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    enabled = [flag for flag in ("--enable-optimizations", "--with-lto") if flag in flags]
    return f"{platform.python_version()} ({', '.join([platform.python_compiler(), *enabled])})"


def result(
    case: str, engine: str, samples: Sequence[float], unit: str = "us", *, by_round: bool = False
) -> Result:
    """Make a result from the samples of all rounds; with `by_round`, the result keeps the samples."""
    return Result(
        case=case,
        engine=engine,
        us_min=min(samples),
        us_median=statistics.median(samples),
        python=python_build(),
        machine=machine(),
        unit=unit,
        rounds=samples if by_round else (),
    )


def call_for_each(act: Callable[[T], object], items: Iterable[T]) -> Callable[[], None]:
    """Return a function that calls `act` with each of the items."""
    all_items = list(items)

    def run() -> None:
        for item in all_items:
            act(item)

    return run


def measure(contenders: Iterable[Contender], rounds: int = 9) -> list[Result]:
    """Measure all contenders in interleaved rounds."""
    entries = list(contenders)
    call_counts = [_calls_per_batch(entry) for entry in entries]
    samples: list[list[float]] = [[] for _ in entries]
    enabled = gc.isenabled()
    for _ in range(rounds):
        for entry, call_count, times in zip(entries, call_counts, samples, strict=True):
            gc.collect()
            gc.disable()
            try:
                times.append(_time_batch(entry, call_count))
            finally:
                if enabled:
                    gc.enable()
    return [result(entry.case, entry.engine, times) for entry, times in zip(entries, samples, strict=True)]


def _calls_per_batch(entry: Contender) -> int:
    """Return the number of calls that make a batch long enough. Finding it also warms up the caches."""
    number = 1
    while number < entry.max_calls:
        seconds = min(_time_batch(entry, number) for _ in range(2)) * number * entry.per_call / 1e6
        if seconds >= MIN_BATCH_SECONDS:
            break
        number = min(number * 4 if seconds < MIN_BATCH_SECONDS / 4 else number * 2, entry.max_calls)
    return number


def _time_batch(entry: Contender, number: int) -> float:
    """Run a batch of `number` calls; return the time of one task in microseconds."""
    if entry.prepare is not None:
        entry.prepare()
    run = entry.run
    calls = range(number)
    begin = time.perf_counter()
    for _ in calls:
        run()
    return (time.perf_counter() - begin) / number / entry.per_call * 1e6


def run_in_turn(runs: Mapping[K, Callable[[], T]], rounds: int) -> dict[K, list[T]]:
    """Call functions that return measurements, each once per round, starting with a different one each round.

    Returns:
        For each function, its results, round by round.
    """
    results: dict[K, list[T]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            results[name].append(runs[name]())
    return results


@contextmanager
def awake_processors() -> Iterator[None]:
    """Keep idle processors from halting, as on a trading host. This requires Linux and root privileges;
    without them, print a warning.

    The request ends when the file is closed. Source: "PM Quality Of Service Interface" in the documentation
    of Linux, section "From user space".
    """
    try:
        request = os.open(_LATENCY_REQUEST, os.O_WRONLY)
    except OSError as error:
        print(f"warning: idle processors may halt, which increases tail latencies: {error}", file=sys.stderr)
        yield
        return
    try:
        os.write(request, bytes(4))  # the accepted latency in microseconds
        yield
    finally:
        os.close(request)


def run_python(*arguments: str) -> str:
    """Run Python in a fresh process; return its output.

    The process keeps compiled files, as on a user's machine. Without them it would compile all
    sources each time.
    """
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=variables,
        timeout=_PROCESS_SECONDS,
    ).stdout
