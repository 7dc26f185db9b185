"""Results as a table, as JSON, and as ratios with what was to be reached."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from benchmarks.measure import Result
from benchmarks.targets import OURS, TARGETS, by_key

RESULTS = Path(__file__).parent / "results.json"
SLACK = 1.35
"""How much worse a ratio may be than the committed one before `make bench-quick` fails: a machine that others
use as well moves single ratios by a quarter."""


def load(path: Path = RESULTS) -> list[Result]:
    """Read results."""
    return [Result(**entry) for entry in json.loads(path.read_text())]


def save(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write results, those of former runs kept that were not measured again."""
    former = by_key(load(path)) if path.exists() else {}
    merged = list((former | by_key(results)).values())
    lines = ",\n".join(json.dumps(attrs.asdict(_rounded(found))) for found in merged)
    path.write_text(f"[\n{lines}\n]\n")


def _rounded(found: Result) -> Result:
    return attrs.evolve(found, us_min=round(found.us_min, 3), us_median=round(found.us_median, 3))


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a Markdown table, with how many times our own time each takes."""
    keyed = by_key(results)
    lines = ["| case | engine | best | median | times ours |", "|---|---|---:|---:|---:|"]
    for found in sorted(results, key=lambda each: each.case):
        ours = keyed.get((found.case, OURS))
        times = "" if ours is None or ours is found else f"{found.us_min / ours.us_min:.2f}"
        best, median = (_shown(value, found.unit) for value in (found.us_min, found.us_median))
        lines.append(f"| {found.case} | {found.engine} | {best} | {median} | {times} |")
    return lines


def ratios(results: Sequence[Result]) -> list[str]:
    """Return the lines of a Markdown table of what was to be reached."""
    keyed = by_key(results)
    lines = ["| ratio | found | wanted | |", "|---|---:|---:|---|"]
    for target in TARGETS:
        ratio = target.ratio(keyed)
        if ratio is not None:
            mark = "reached" if target.is_reached(ratio) else "not reached"
            lines.append(f"| {target.name} | {ratio:.2f} | {target.bound} | {mark} |")
    return lines


def compare(results: Sequence[Result], committed: Sequence[Result]) -> tuple[list[str], bool]:
    """Compare ratios with the committed ones; say also whether none is worse by more than the slack."""
    now, then, lines, fine = by_key(results), by_key(committed), [], True
    for target in TARGETS:
        found, known = target.ratio(now), target.ratio(then)
        if found is None or known is None:
            continue
        worse = known / found if target.at_least is not None else found / known
        mark = "worse" if worse > SLACK else "as committed"
        fine = fine and worse <= SLACK
        lines.append(f"{target.name:64} {found:7.2f}   committed {known:7.2f}   {mark}")
    return lines, fine


def _shown(value: float, unit: str) -> str:
    if unit != "us":
        return f"{value:,.1f} {unit}"
    if value >= 100_000:
        return f"{value / 1000:,.0f} ms"
    return f"{value:,.2f} µs" if value < 1000 else f"{value:,.0f} µs"
