"""The target ratios of `make bench`. All results of a ratio are from the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from benchmarks.measure import Result

Key = tuple[str, str]
"""Case and engine."""


@attrs.frozen
class Target:
    """A ratio of two results with a lower or upper bound."""

    key: str
    """Identifies the target in `not_reached.md`."""
    name: str
    numerator: tuple[Key, ...]
    """Results whose sum is the numerator of the ratio."""
    denominator: tuple[Key, ...]
    """Results whose sum is the denominator of the ratio."""
    at_least: float | None = None
    at_most: float | None = None

    def ratio(self, results: Mapping[Key, Result]) -> float | None:
        """Return the ratio; None if a result is missing.

        If the rounds of all results are known, this is the median of the rounds' ratios. Otherwise it is
        calculated from `value` of each result.
        """
        if any(key not in results for key in (*self.numerator, *self.denominator)):
            return None
        numerator, denominator = (
            [results[key] for key in keys] for keys in (self.numerator, self.denominator)
        )
        if all(each.rounds for each in (*numerator, *denominator)):
            numerators, denominators = (
                map(sum, zip(*(each.rounds for each in side), strict=True))
                for side in (numerator, denominator)
            )
            return statistics.median(one / other for one, other in zip(numerators, denominators, strict=True))
        return sum(map(value, numerator)) / sum(map(value, denominator))

    def is_reached(self, ratio: float) -> bool:
        """Return whether a ratio meets the bound."""
        if self.at_least is not None and ratio < self.at_least:
            return False
        return self.at_most is None or ratio <= self.at_most

    @property
    def bound(self) -> str:
        """The bound, for display."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


def value(result: Result) -> float:
    """Return the number used in ratios: the median of round trips and ticks, the best time of other cases."""
    return result.us_median if result.case.startswith(("f:", "t:")) else result.us_min


def _read(line: str) -> Target:
    key, name, numerator, denominator, bound = (cell.strip() for cell in line.strip("| \n").split(" | "))
    word, _, number = bound.rpartition(" ")
    return Target(key, name, _keys(numerator), _keys(denominator), **{word.replace(" ", "_"): float(number)})


def _keys(text: str) -> tuple[Key, ...]:
    pairs = (each.partition(" @ ") for each in text.split(" + "))
    return tuple((case, engine) for case, _, engine in pairs)


_TABLE = Path(__file__).with_name("targets.md").read_text(encoding="utf-8")
TARGETS = tuple(_read(line) for line in _TABLE.partition("|---|\n")[2].splitlines())
"""The rows of `targets.md`."""


def by_key(results: Iterable[Result]) -> dict[Key, Result]:
    """Index results by case and engine."""
    return {(each.case, each.engine): each for each in results}


def measured_ratios(results: Iterable[Result]) -> dict[Target, float]:
    """Return the ratio of each target that was measured."""
    keyed = by_key(results)
    ratios = ((target, target.ratio(keyed)) for target in TARGETS)
    return {target: ratio for target, ratio in ratios if ratio is not None}


def missed_targets(results: Iterable[Result]) -> list[Target]:
    """Return the targets that were measured and not reached."""
    return [target for target, ratio in measured_ratios(results).items() if not target.is_reached(ratio)]
