"""Read and write results as JSON, format them as tables, and compare them with an earlier run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import Result
from benchmarks.targets import by_key, measured_ratios

HERE = Path(__file__).parent
RESULTS = "results.json"
SLACK = 1.35
"""Factor by which a ratio may be worse than the committed one before `make bench-quick` fails. On a shared
machine, individual ratios vary by a quarter.
"""
RATES = ("f: order with", "i:", "n: an order")
"""Prefixes of the cases for which the rate per second is shown too."""
SAME, WORSE = "as committed", "WORSE"


def load(folder: Path = HERE) -> list[Result]:
    """Read results."""
    return [Result(**entry) for entry in json.loads((folder / RESULTS).read_text(encoding="utf-8"))]


def save(results: Iterable[Result], folder: Path = HERE, *, keep: bool) -> None:
    """Write results; with `keep`, earlier results of cases that were not measured are kept."""
    earlier = by_key(load(folder)) if keep and (folder / RESULTS).exists() else {}
    fresh = by_key(results)
    cases = {case for case, _ in fresh}
    kept = {key: found for key, found in earlier.items() if key[0] not in cases}
    entries = [attrs.asdict(found) for found in (kept | fresh).values()]
    lines = ",\n".join(json.dumps({key: _rounded(value) for key, value in each.items()}) for each in entries)
    (folder / RESULTS).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, tuple):
        return [_rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a Markdown table: best, median and the multiple of our time, for each engine."""
    keyed = by_key(results)
    lines = ["| case | engine | best | median | times ours |", "|---|---|---:|---:|---:|"]
    for found in sorted(results, key=lambda each: each.case):
        ours = keyed.get((found.case, OURS))
        times = "" if ours is None or ours is found else f"{found.us_min / ours.us_min:.2f}"
        best, median = (_cell(found.case, value, found.unit) for value in (found.us_min, found.us_median))
        lines.append(f"| {found.case} | {found.engine} | {best} | {median} | {times} |")
    return lines


def ratios(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    """Return the targets: name, measured ratio, bound, and whether the bound was met."""
    return [
        (target.name, f"{ratio:.2f}", target.bound, "reached" if target.is_reached(ratio) else "not reached")
        for target, ratio in measured_ratios(results).items()
    ]


def compare(results: Sequence[Result], committed: Sequence[Result]) -> tuple[list[str], list[str]]:
    """Compare ratios with the committed ones. Return a line for each ratio, and the names of the ratios that
    are worse by a factor of more than `SLACK`.
    """
    current, earlier, lines, worse = measured_ratios(results), measured_ratios(committed), [], []
    for target, ratio in current.items():
        if (previous := earlier.get(target)) is None:
            continue
        factor = previous / ratio if target.at_least is not None else ratio / previous
        if factor > SLACK:
            worse.append(target.name)
        mark = WORSE if factor > SLACK else SAME
        lines.append(f"{target.name:58} {ratio:7.2f}  committed {previous:7.2f}  {mark}")
    return lines, worse


def format_value(value: float, unit: str = "us") -> str:
    """Return a number with its unit."""
    if unit != "us":
        return f"{value:,.{1 if value < 1000 else 0}f} {unit}"
    if value >= 5000:
        return f"{value / 1000:,.1f} ms"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f} µs"


def _cell(case: str, value: float, unit: str) -> str:
    """Return a number with its unit, and the rate for cases in `RATES`."""
    text = format_value(value, unit)
    return f"{text}, {1e6 / value:,.0f}/s" if case.startswith(RATES) else text
