"""What was to be reached, as ratios within one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from benchmarks.cases import books, codec, loopback, process, stream
from benchmarks.measure import Result

OURS = "kalshi-fix-sansio"
Key = tuple[str, str]
"""Case and engine."""


@attrs.frozen
class Target:
    """A ratio of two results that is to be at least, or at most, something."""

    name: str
    above: tuple[Key, ...]
    """Results that are added up above the line."""
    below: tuple[Key, ...]
    at_least: float | None = None
    at_most: float | None = None
    median: bool = False

    def ratio(self, results: Mapping[Key, Result]) -> float | None:
        """Return the ratio, None if something was not measured."""
        if any(key not in results for key in (*self.above, *self.below)):
            return None
        above, below = (sum(self._value(results[key]) for key in keys) for keys in (self.above, self.below))
        return above / below

    def is_reached(self, ratio: float) -> bool:
        """Say whether a ratio is good enough."""
        if self.at_least is not None and ratio < self.at_least:
            return False
        return self.at_most is None or ratio <= self.at_most

    @property
    def bound(self) -> str:
        """The bound for people."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"

    def _value(self, found: Result) -> float:
        return found.us_median if self.median else found.us_min


def _faster(case: str, engine: str, times: float) -> Target:
    return Target(f"{case}: {engine} / ours", ((case, engine),), ((case, OURS),), at_least=times)


TARGETS = (
    Target(
        f"{codec.READ}: ours / msgspec",
        ((codec.READ, OURS),),
        ((codec.READ, "msgspec (JSON)"),),
        at_most=2.5,
    ),
    _faster(codec.READ, "quickfix", 3),
    _faster(codec.READ, codec.READ_DICTIONARY, 4),
    _faster(codec.READ, "kalshi-sdk", 9),
    _faster(codec.WRITE, "quickfix", 9),
    _faster(codec.WRITE, "kalshi-sdk", 12),
    Target(
        "c: stream / framing + decoding",
        ((stream.STREAM, OURS),),
        ((stream.FRAMING, OURS), (stream.DECODING, OURS)),
        at_most=1.2,
    ),
    Target("d: session / stream", ((stream.SESSION, OURS),), ((stream.STREAM, OURS),), at_most=1.5),
    *(_faster(books.title(kind, books.BOOK), "kalshi-sdk", 6) for kind in books.KINDS),
    *(
        Target(
            f"{loopback.MEDIAN}: quickfix / our {engine}",
            ((loopback.MEDIAN, "quickfix"),),
            ((loopback.MEDIAN, loopback.ours(engine)),),
            at_least=1,
            median=True,
        )
        for engine in loopback.ADAPTERS
    ),
    *(
        Target(
            f"{loopback.MEDIAN}: kalshi-sdk / our {engine}",
            ((loopback.MEDIAN, "kalshi-sdk"),),
            ((loopback.MEDIAN, loopback.ours(engine)),),
            at_least=2,
            median=True,
        )
        for engine in loopback.ADAPTERS
    ),
    Target(
        "h: memory at the end / at the start",
        ((process.MILLION, process.MILLION_END),),
        ((process.MILLION, process.MILLION_START),),
        at_most=1.05,
    ),
)


def by_key(results: Iterable[Result]) -> dict[Key, Result]:
    """Index results by case and engine."""
    return {(found.case, found.engine): found for found in results}
