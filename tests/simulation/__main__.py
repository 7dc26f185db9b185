"""`python -m tests.simulation`: run many seeds on all processors, or replay one seed with its log."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from tests.simulation.draw import draw
from tests.simulation.report import Totals, failure
from tests.simulation.run import Result, run, run_seed
from tests.simulation.shrink import Shrinker

MAX_SHOWN = 3
"""Number of failures that are shrunk and shown; later ones are only counted."""
PROGRESS_INTERVAL = 10.0
"""Seconds between two lines of progress."""


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the output of the command


def _results(seeds: range, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=20)


def soak(seeds: range, jobs: int) -> Totals:
    """Run seeds and print the progress."""
    totals, begun = Totals(), time.monotonic()
    reported = begun
    for result in _results(seeds, jobs):
        totals.add(result)
        if result.rule:
            _print(f"seed {result.schedule.seed}: {result.rule}: {result.text.splitlines()[-1]}")
        if time.monotonic() - reported > PROGRESS_INTERVAL:
            reported = time.monotonic()
            _print(totals.progress(reported - begun))
    _print(totals.summary(time.monotonic() - begun))
    return totals


def explain(found: Result) -> None:
    """Shrink a failure and print everything about it."""
    shrunk = Shrinker(found.rule).shrink(found.schedule)
    again = run(shrunk, keep_log=True)
    _print(failure(found.schedule.seed, shrunk, again, again.log))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="number of seeds")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of processes")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run only this seed and show its log")
    options = parser.parse_args()
    if options.replay is not None:
        result = run(draw(options.replay), keep_log=True)
        _print(
            "\n".join(
                [
                    repr(result.schedule),
                    *result.log,
                    f"{result.rule}: {result.text}" if result.rule else "no violation",
                ]
            )
        )
        return 1 if result.rule else 0
    totals = soak(range(options.first, options.first + options.seeds), options.jobs)
    for found in sorted(totals.failures, key=lambda one: one.schedule.seed)[:MAX_SHOWN]:
        explain(found)
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
