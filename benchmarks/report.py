"""Results as JSON, as tables for a terminal and for a page, and compared with those of before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import attrs

from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import Result
from benchmarks.profiles import Stage
from benchmarks.targets import TARGETS, by_key

HERE = Path(__file__).parent
RESULTS, PROFILE = "results.json", "profile.json"
SLACK = 1.35
"""How much worse a ratio may be than the committed one before `make bench-quick` fails: a machine that others
use as well moves single ratios by a quarter."""
RATES = ("f: an order of", "i:", "n: an order")
"""How the cases begin where it matters how many there are in a second."""
SAME, WORSE = "as committed", "WORSE"


def load(folder: Path = HERE) -> list[Result]:
    """Read results."""
    return [Result(**entry) for entry in json.loads((folder / RESULTS).read_text(encoding="utf-8"))]


def load_profile(folder: Path = HERE) -> list[Stage]:
    """Read stages."""
    return [Stage(**entry) for entry in json.loads((folder / PROFILE).read_text(encoding="utf-8"))]


def save(results: Iterable[Result], folder: Path = HERE, *, keep: bool) -> None:
    """Write results; with `keep` those of former runs stay whose case was not measured."""
    former = by_key(load(folder)) if keep and (folder / RESULTS).exists() else {}
    fresh = by_key(results)
    cases = {case for case, _ in fresh}
    kept = {key: found for key, found in former.items() if key[0] not in cases}
    _write(folder / RESULTS, [attrs.asdict(found) for found in (kept | fresh).values()])


def save_profile(stages: Iterable[Stage], folder: Path = HERE) -> None:
    """Write stages."""
    _write(folder / PROFILE, [attrs.asdict(stage) for stage in stages])


def _write(path: Path, entries: list[dict[str, object]]) -> None:
    lines = ",\n".join(json.dumps({key: _rounded(value) for key, value in each.items()}) for each in entries)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, tuple):
        return [_rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value


def by_case(results: Sequence[Result]) -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """Yield each case with its rows: engine, best, median, how many times our own time."""
    keyed = by_key(results)
    for case, group in groupby(sorted(results, key=lambda each: each.case), lambda each: each.case):
        rows = []
        ours = keyed.get((case, OURS))
        for found in group:
            times = "" if ours is None or ours is found else f"{found.us_min / ours.us_min:.2f}"
            best, median = (_cell(case, value, found.unit) for value in (found.us_min, found.us_median))
            rows.append((found.engine, best, median, times))
        yield case, rows


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = ["| case | engine | best | median | times ours |", "|---|---|---:|---:|---:|"]
    for case, rows in by_case(results):
        lines += [f"| {case} | {' | '.join(row)} |" for row in rows]
    return lines


def printed(results: Sequence[Result]) -> list[str]:
    """Return the same for a terminal of 100 columns."""
    lines = []
    for case, rows in by_case(results):
        lines.append(f"{case:43} {'best':>20} {'median':>20} {'times ours':>11}")
        lines += [f"  {name:41} {best:>20} {median:>20} {times:>11}" for name, best, median, times in rows]
        lines.append("")
    return lines


def ratios(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    """Return what was to be reached: name, found, wanted, whether it was."""
    keyed = by_key(results)
    rows = []
    for target in TARGETS:
        ratio = target.ratio(keyed)
        if ratio is not None:
            mark = "reached" if target.is_reached(ratio) else "not reached"
            rows.append((target.name, f"{ratio:.2f}", target.bound, mark))
    return rows


def compare(results: Sequence[Result], committed: Sequence[Result]) -> tuple[list[str], list[str]]:
    """Compare ratios with the committed ones; return a line for each, and the names of those that are worse
    by more than the slack."""
    now, then, lines, worse = by_key(results), by_key(committed), [], []
    for target in TARGETS:
        found, known = target.ratio(now), target.ratio(then)
        if found is None or known is None:
            continue
        factor = known / found if target.at_least is not None else found / known
        if factor > SLACK:
            worse.append(target.name)
        mark = WORSE if factor > SLACK else SAME
        lines.append(f"{target.name:58} {found:7.2f}  committed {known:7.2f}  {mark}")
    return lines, worse


def shown(value: float, unit: str = "us") -> str:
    """Return a number with its unit."""
    if unit != "us":
        return f"{value:,.1f} {unit}"
    if value >= 5000:
        return f"{value / 1000:,.1f} ms"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f} µs"


def _cell(case: str, value: float, unit: str) -> str:
    """Return a number with its unit, where a rate is asked for with that too."""
    text = shown(value, unit)
    return f"{text}, {1e6 / value:,.0f}/s" if case.startswith(RATES) else text
