"""`python -m benchmarks`: measure, print, compare, write what the documentation shows."""

from __future__ import annotations

import argparse
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks import charts, pages, report, sizes
from benchmarks.cases import (
    books,
    codec,
    following,
    logs,
    loopback,
    process,
    shapes,
    starting,
    store,
    stream,
    venue,
)
from benchmarks.engines.present import missing
from benchmarks.measure import Contender, Result, machine, measure
from benchmarks.profiles import every

ROUNDS, QUICK_ROUNDS = 15, 5
CODEC_CASES: dict[str, Callable[[], list[Contender]]] = {
    "a": codec.reading,
    "b": codec.writing,
    "c": stream.streaming,
    "e": books.market_data,
    "k": following.orders,
    "l": logs.logs,
    "s": shapes.many_shapes,
}
OTHER_CASES: dict[str, Callable[[int], list[Result]]] = {
    "f": lambda rounds: loopback.round_trips(min(rounds, 9)),
    "g": lambda rounds: [*process.importing(min(rounds, 7)), *starting.starting(min(rounds, 9))],
    "h": lambda _: process.million(),
    "i": lambda rounds: store.storing(min(rounds, 9)),
    "j": lambda rounds: process.generating(min(rounds, 5)),
    "n": lambda rounds: venue.orders(min(rounds, 9)),
    "sizes": lambda rounds: sizes.by_size(min(rounds, 7)),
}
STAGES = "stages"


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the codec's cases, compared with results.json")
    parser.add_argument(
        "--cases", default="", help=f"only these, such as a,b,f or {STAGES} for the profile (c has d in it)"
    )
    parser.add_argument("--rounds", type=int, help="how often to go round, fewer for a trial")
    parser.add_argument("--into", type=Path, help="write to this folder, and leave the tree as it is")
    parser.add_argument("--docs", action="store_true", help="measure nothing: write charts and pages again")
    arguments = parser.parse_args()
    # QuickFIX's generated bindings lack an attribute that newer Pythons ask for.
    warnings.filterwarnings(
        "ignore", message="builtin type .* has no __module__", category=DeprecationWarning
    )
    folder = arguments.into or report.HERE
    if arguments.docs:
        return _write_docs(folder, arguments.into)
    print(f"Python {platform.python_version()}, {machine()}")
    if absent := missing():
        print(f"not installed, and left out: {', '.join(absent)}")
    results = _measure(arguments)
    print("\n".join(report.printed(results)))
    for name, found, wanted, mark in report.ratios(results):
        print(f"{name:58} {found:>7}  {wanted:12}  {mark}")
    if arguments.quick:
        return _compare(results)
    folder.mkdir(parents=True, exist_ok=True)
    if results:
        report.save(results, folder, keep=bool(arguments.cases))
    _write_docs(folder, arguments.into)
    return 0


def _measure(arguments: argparse.Namespace) -> list[Result]:
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    everything = {*CODEC_CASES, *(() if arguments.quick else (*OTHER_CASES, STAGES))}
    names = set(filter(None, arguments.cases.split(","))) or everything
    contenders = [each for name, make in CODEC_CASES.items() if name in names for each in make()]
    results = measure(contenders, rounds)
    for name, run in OTHER_CASES.items():
        if name in names:
            print(f"measuring {name} ...", flush=True)
            results += run(rounds)
    if STAGES in names:
        print("taking every case apart ...", flush=True)
        folder = arguments.into or report.HERE
        folder.mkdir(parents=True, exist_ok=True)
        report.save_profile(every.stages(rounds), folder)
    return results


def _write_docs(folder: Path, into: Path | None) -> int:
    results = report.load(_having(folder, report.RESULTS))
    profile = report.load_profile(_having(folder, report.PROFILE))
    charts.write(results, into or charts.FOLDER)
    pages.write(results, profile, into or pages.DOCS)
    silent = pages.unexplained(results, pages.PROSE.read_text(encoding="utf-8"))
    if silent:
        print(f"\nnot reached, and no paragraph in {pages.PROSE.name} says why: {', '.join(silent)}")
        print("write them and run: make bench-docs")
    return 1 if silent else 0


def _having(folder: Path, name: str) -> Path:
    """Return the folder, or that of the committed file if this one was not measured."""
    return folder if (folder / name).exists() else report.HERE


def _compare(results: list[Result]) -> int:
    lines, worse = report.compare(results, report.load())
    print("\n".join(["", *lines]))
    if not worse:
        print(f"\nNo ratio is worse than the committed one by more than {report.SLACK:g} times.")
        return 0
    print(
        f"\nWorse by more than {report.SLACK:g} times: {'; '.join(worse)}.\n"
        "Run it again when nothing else runs. If it stays, find what made it slower:\n"
        "  make bench BENCH_ARGS='--cases stages --into /tmp/trial'   takes every case apart\n"
        "or say in the change why it is worth it, and commit the results of make bench."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
