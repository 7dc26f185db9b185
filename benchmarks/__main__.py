"""`python -m benchmarks`: measure, print, compare."""

from __future__ import annotations

import argparse
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks import charts, profiles, report, sizes
from benchmarks.cases import books, codec, loopback, process, store, stream
from benchmarks.engines.present import missing
from benchmarks.measure import Contender, Result, machine, measure

ROUNDS, QUICK_ROUNDS = 15, 5
CODEC_CASES: dict[str, Callable[[], list[Contender]]] = {
    "a": codec.reading,
    "b": codec.writing,
    "c": stream.streaming,
    "e": books.market_data,
}
OTHER_CASES: dict[str, Callable[[], list[Result]]] = {
    "f": loopback.round_trips,
    "g": lambda: process.importing(7),
    "h": process.million,
    "i": lambda: store.storing(9),
    "j": lambda: process.generating(3),
    "sizes": sizes.by_size,
}


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the codec's cases, compared with results.json")
    parser.add_argument("--cases", default="", help="only these, such as a,b,f (c has d in it)")
    parser.add_argument("--profile", action="store_true", help="where the time goes, case by case")
    parser.add_argument("--results", type=Path, default=report.RESULTS, help="where results are kept")
    arguments = parser.parse_args()
    # QuickFIX's generated bindings lack an attribute that newer Pythons ask for.
    warnings.filterwarnings(
        "ignore", message="builtin type .* has no __module__", category=DeprecationWarning
    )
    print(f"Python {platform.python_version()}, {machine()}")
    if absent := missing():
        print(f"not installed, left out: {', '.join(absent)}")
    if arguments.profile:
        print("\n".join(profiles.stages()))
        return 0
    wanted = set(filter(None, arguments.cases.split(",")))
    names = wanted or {*CODEC_CASES, *(() if arguments.quick else OTHER_CASES)}
    contenders = [each for name, make in CODEC_CASES.items() if name in names for each in make()]
    results = measure(contenders, QUICK_ROUNDS if arguments.quick else ROUNDS)
    for name, run in OTHER_CASES.items():
        if name in names:
            results += run()
    print("\n".join([*report.table(results), "", *report.ratios(results)]))
    if arguments.quick:
        lines, fine = report.compare(results, report.load(arguments.results))
        print("\n".join(["", *lines]))
        return 0 if fine else 1
    report.save(results, arguments.results)
    if arguments.results == report.RESULTS:
        charts.write(report.load(arguments.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
