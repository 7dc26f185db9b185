"""How something is measured: in rounds that go round all contenders, so that what else the machine does
hits all of them alike."""

from __future__ import annotations

import gc
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import attrs

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
LEAST_BATCH_SECONDS = 0.01
"""A batch of calls is made long enough for the clock, and short enough to fall between interruptions."""


@attrs.frozen
class Contender:
    """One engine at one task."""

    case: str
    engine: str
    run: Callable[[], object]
    """Does the task once, or `per_call` times."""
    per_call: int = 1
    max_calls: int = 100_000
    """Calls in one batch at most; 1 for what takes long by itself."""
    prepare: Callable[[], object] | None = None
    """Called before each batch, outside of the time."""


def _tuple(values: Iterable[float]) -> tuple[float, ...]:
    """As JSON has a list instead."""
    return tuple(values)


@attrs.frozen
class Result:
    """What a contender took, in microseconds for one task."""

    case: str
    engine: str
    us_min: float
    us_median: float
    python: str
    machine: str
    unit: str = "us"
    """What the numbers are, where they are not microseconds: `MiB`."""
    rounds: tuple[float, ...] = attrs.field(default=(), converter=_tuple)
    """What each round gave, where ratios are taken round by round."""


def machine() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {len(names) or '?'} cores, {platform.system()}"


def result(case: str, engine: str, samples: Sequence[float], unit: str = "us") -> Result:
    """Make a result from samples."""
    return Result(
        case=case,
        engine=engine,
        us_min=min(samples),
        us_median=statistics.median(samples),
        python=platform.python_version(),
        machine=machine(),
        unit=unit,
    )


def over(act: Callable[[T], object], items: Iterable[T]) -> Callable[[], None]:
    """Return a function that does something with each of several items."""
    every = list(items)

    def run() -> None:
        for item in every:
            act(item)

    return run


def measure(contenders: Iterable[Contender], rounds: int = 9) -> list[Result]:
    """Measure all contenders in interleaved rounds."""
    entries = list(contenders)
    calls = [_calls(entry) for entry in entries]
    samples: list[list[float]] = [[] for _ in entries]
    enabled = gc.isenabled()
    for _ in range(rounds):
        for entry, number, found in zip(entries, calls, samples, strict=True):
            gc.collect()
            gc.disable()
            try:
                found.append(_batch(entry, number))
            finally:
                if enabled:
                    gc.enable()
    return [result(entry.case, entry.engine, found) for entry, found in zip(entries, samples, strict=True)]


def _calls(entry: Contender) -> int:
    """How many calls a batch takes to be long enough; warms up on the way."""
    number = 1
    while number < entry.max_calls:
        took = min(_batch(entry, number) for _ in range(2)) * number * entry.per_call / 1e6
        if took >= LEAST_BATCH_SECONDS:
            break
        number = min(number * 4 if took < LEAST_BATCH_SECONDS / 4 else number * 2, entry.max_calls)
    return number


def _batch(entry: Contender, number: int) -> float:
    if entry.prepare is not None:
        entry.prepare()
    run = entry.run
    calls = range(number)
    begin = time.perf_counter()
    for _ in calls:
        run()
    return (time.perf_counter() - begin) / number / entry.per_call * 1e6
