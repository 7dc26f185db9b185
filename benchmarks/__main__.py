"""Measure all cases, print and compare the results, and write the charts and tables for the documentation."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks import charts, pages, report
from benchmarks.cases import (
    books,
    bus,
    codec,
    logs,
    loopback,
    process,
    shapes,
    sizes,
    store,
    stream,
    ticks,
    tracking,
    venue,
)
from benchmarks.engines import missing
from benchmarks.measure import Contender, Result, machine, measure, python_build

ROUNDS, QUICK_ROUNDS = 15, 5
CODEC_CASES: dict[str, Callable[[], list[Contender]]] = {
    "a": codec.decoding_contenders,
    "b": codec.encoding_contenders,
    "c": stream.stream_contenders,
    "e": books.market_data,
    "k": tracking.orders,
    "l": logs.logs,
    "s": shapes.many_shapes,
}
OTHER_CASES: dict[str, Callable[[], list[Result]]] = {
    "f": loopback.round_trips,
    "g": lambda: [*process.measure_imports(), *process.measure_starts()],
    "h": process.measure_million_messages,
    "i": store.measure_stores,
    "n": venue.orders,
    "o": process.measure_first_orders,
    "p": bus.over_nats,
    "sizes": sizes.measure_sizes,
    "t": ticks.ticks,
}


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="measure only the codec's cases, and compare with results.json"
    )
    parser.add_argument("--cases", default="", help="measure only these cases, such as a,b,f (c includes d)")
    parser.add_argument(
        "--into",
        type=Path,
        dest="target",
        metavar="FOLDER",
        help="write to this folder, and leave the working tree unchanged",
    )
    parser.add_argument("--docs", action="store_true", help="write charts and pages again from saved results")
    arguments = parser.parse_args()
    # QuickFIX's generated bindings lack an attribute that newer Pythons require.
    warnings.filterwarnings(
        "ignore", message="builtin type .* has no __module__", category=DeprecationWarning
    )
    folder = arguments.target or report.HERE
    if arguments.docs:
        return _write_docs(folder, arguments.target)
    print(f"Python {python_build()}, {machine()}")
    if absent := missing():
        print(f"not installed, and skipped: {', '.join(absent)}")
    folder.mkdir(parents=True, exist_ok=True)
    results = _measure(set(filter(None, arguments.cases.split(","))), quick=arguments.quick)
    print("\n".join(report.table(results)))
    for name, ratio, bound, mark in report.ratios(results):
        print(f"{name:58} {ratio:>7}  {bound:12}  {mark}")
    if arguments.quick:
        return _compare(results)
    if results:
        report.save(results, folder, keep=bool(arguments.cases))
    _write_docs(folder, arguments.target)
    return 0


def _measure(names: set[str], *, quick: bool) -> list[Result]:
    """Measure the cases with these names, or all cases if there are no names."""
    names = names or {*CODEC_CASES, *(() if quick else OTHER_CASES)}
    contenders = [each for name, make in CODEC_CASES.items() if name in names for each in make()]
    results = measure(contenders, QUICK_ROUNDS if quick else ROUNDS)
    for name, run in OTHER_CASES.items():
        if name in names:
            print(f"measuring {name} ...", flush=True)
            results += run()
    return results


def _write_docs(folder: Path, target: Path | None) -> int:
    # If the folder has no results, the committed ones are used.
    results = report.load(folder if (folder / report.RESULTS).exists() else report.HERE)
    charts.write(results, target or charts.FOLDER)
    pages.write(results, target or pages.DOCS)
    unexplained = pages.unexplained(results, pages.PROSE.read_text(encoding="utf-8"))
    if unexplained:
        print(f"\ntargets missed and not explained in {pages.PROSE.name}: {', '.join(unexplained)}")
        print("write the paragraphs, and run: make bench-docs")
    return 1 if unexplained else 0


def _compare(results: list[Result]) -> int:
    lines, worse = report.compare(results, report.load())
    print("\n".join(["", *lines]))
    if not worse:
        print(f"\nNo ratio is worse than the committed one by a factor of more than {report.SLACK:g}.")
        return 0
    print(
        f"\nWorse by a factor of more than {report.SLACK:g}: {'; '.join(worse)}.\n"
        "Run the command again when no other program is running. If it is still worse, find the cause,\n"
        "or justify it in the commit message, and commit the results of make bench."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
