"""What was to be reached, as ratios within one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping

import attrs

from benchmarks.cases import books, codec, following, logs, loopback, process, shapes, starting, stream, venue
from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import Result

Key = tuple[str, str]
"""Case and engine."""


@attrs.frozen
class Target:
    """A ratio of two results that is to be at least, or at most, something."""

    key: str
    """Its name in `not_reached.md`."""
    name: str
    above: tuple[Key, ...]
    """Results that are added up above the line."""
    below: tuple[Key, ...]
    at_least: float | None = None
    at_most: float | None = None

    def ratio(self, results: Mapping[Key, Result]) -> float | None:
        """Return the ratio, None if something was not measured.

        Where the rounds are known it is the median of their ratios, otherwise that of the best times.
        """
        if any(key not in results for key in (*self.above, *self.below)):
            return None
        above, below = ([results[key] for key in keys] for keys in (self.above, self.below))
        if all(found.rounds for found in (*above, *below)):
            over, under = (_by_round(found) for found in (above, below))
            return statistics.median(one / other for one, other in zip(over, under, strict=True))
        return sum(map(value, above)) / sum(map(value, below))

    def is_reached(self, ratio: float) -> bool:
        """Say whether a ratio is good enough."""
        if self.at_least is not None and ratio < self.at_least:
            return False
        return self.at_most is None or ratio <= self.at_most

    @property
    def bound(self) -> str:
        """The bound for people."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


def value(found: Result) -> float:
    """Return the number that counts: the median of a round trip, the best of everything else."""
    return found.us_median if found.case.startswith("f:") else found.us_min


def _by_round(results: Iterable[Result]) -> list[float]:
    """Add results up, round by round."""
    return [sum(values) for values in zip(*(found.rounds for found in results), strict=True)]


def _faster(key: str, case: str, engine: str, times: float) -> Target:
    return Target(key, f"{case}: {engine} / ours", ((case, engine),), ((case, OURS),), at_least=times)


def _trips(engine: str, *times: float) -> Iterator[Target]:
    case = loopback.MEDIAN
    for client, wanted in zip(loopback.ADAPTERS, times, strict=True):
        name = f"{case}: {engine} / our {client}"
        ours = ((case, loopback.ours(client)),)
        yield Target(f"f/{engine}/{client}", name, ((case, engine),), ours, at_least=wanted)


def _over_bare() -> Iterator[Target]:
    """What a client takes beyond its session in the same loop."""
    case = loopback.MEDIAN
    for client, bare in zip(loopback.ADAPTERS, (loopback.BARE, *loopback.FLOORS), strict=True):
        name = f"{case}: our {client} / {bare}"
        ours, floor = (((case, loopback.ours(each)),) for each in (client, bare))
        yield Target(f"f/bare/{client}", name, ours, floor, at_most=1.15)


def _of_shapes() -> Iterator[Target]:
    one = ((shapes.SHAPES, "1"),)
    for count, times in ((13, 2), (32, 2), (256, 5)):
        name = f"s: report, {count} shapes / 1 shape"
        yield Target(f"s/{count}", name, ((shapes.SHAPES, str(count)),), one, at_most=times)
    mixed, alone = ((shapes.MIX, shapes.MIXED),), ((shapes.MIX, shapes.SORTED),)
    yield Target("s/mix", f"{shapes.MIX}: {shapes.MIXED} / {shapes.SORTED}", mixed, alone, at_most=1.5)
    for kind in shapes.KINDS:
        case = shapes.title(kind)
        known, new, first = (((case, engine),) for engine in (shapes.COMPILED, shapes.CAREFUL, shapes.FIRST))
        yield Target(f"s/new/{kind}", f"{case}, never seen / by its decoder", new, known, at_most=14)
        yield Target(f"s/first/{kind}", f"{case}, first five / by its decoder", first, known, at_most=200)


_PARTS = ((stream.STREAM, OURS),), ((stream.FRAMING, OURS), (stream.DECODING, OURS))
TARGETS = (
    Target(
        "a/msgspec",
        f"{codec.READ}: ours / msgspec",
        ((codec.READ, OURS),),
        ((codec.READ, "msgspec (JSON)"),),
        at_most=2.5,
    ),
    _faster("a/quickfix", codec.READ, "quickfix", 3),
    _faster("a/quickfix-dictionary", codec.READ, codec.READ_DICTIONARY, 4),
    _faster("a/kalshi-sdk", codec.READ, "kalshi-sdk", 9),
    _faster("b/quickfix", codec.WRITE, "quickfix", 9),
    _faster("b/kalshi-sdk", codec.WRITE, "kalshi-sdk", 5.5),
    Target("c/parts", "c: stream / framing + decoding", *_PARTS, at_most=1.2),
    Target(
        "d/stream",
        "d: session / stream",
        ((stream.SESSION, OURS),),
        ((stream.STREAM, OURS),),
        at_most=1.2,
    ),
    *(
        _faster(f"{key}/kalshi-sdk", books.title(kind, books.BOOK), "kalshi-sdk", 6)
        for key, kind in zip(("e1", "e3", "e40"), books.KINDS, strict=True)
    ),
    *_of_shapes(),
    *_trips(loopback.QUICKFIX, 1, 1, 1),
    *_trips(loopback.SDK, 1.3, 1.2, 1.1),
    *_over_bare(),
    *(
        Target(
            key,
            f"g: {name} / {starting.OTHERS.format(name)}",
            ((starting.START, name),),
            ((starting.START, starting.OTHERS.format(name)),),
            at_most=most,
        )
        for key, name, most in (("g/core", starting.CORE, 2.4), ("g/client", starting.CLIENT, 2.5))
    ),
    Target(
        "g/version",
        "g: --version / a process that imports the core",
        ((starting.START, starting.VERSION),),
        ((starting.START, starting.CORE),),
        at_most=1,
    ),
    Target(
        "n/flat",
        f"{venue.ORDER}: 1,000 sessions / 10",
        ((venue.ORDER, venue.named(1000)),),
        ((venue.ORDER, venue.named(10)),),
        at_most=1.3,
    ),
    Target(
        "k/following",
        "k: decoding reports and following orders / decoding alone",
        ((following.FOLLOWING, OURS),),
        ((following.FOLLOWING, following.DECODING),),
        at_most=3,
    ),
    *(
        Target(key, f"l: {name} / decode()", ((logs.LOG, name),), ((logs.LOG, logs.DECODE),), at_most=most)
        for key, name, most in (
            ("l/read_log", logs.READ_LOG, 4),
            ("l/lines", logs.LINES, 4),
            ("l/json", logs.JSON, 8),
            *((f"l/read_log/{number}", name, 4) for number, name in enumerate(logs.others(logs.READ_LOG), 1)),
            *((f"l/lines/{number}", name, 6) for number, name in enumerate(logs.others(logs.LINES), 1)),
        )
    ),
    Target(
        "m/replay",
        "m: replay / framing, decode() and book",
        ((logs.RECORDING, logs.REPLAY),),
        ((logs.RECORDING, logs.IN_MEMORY),),
        at_most=1.3,
    ),
    Target(
        "h/memory",
        "h: memory at the end / after the first twentieth",
        ((process.MILLION, process.MILLION_END),),
        ((process.MILLION, process.MILLION_WARM),),
        at_most=1.05,
    ),
)


def by_key(results: Iterable[Result]) -> dict[Key, Result]:
    """Index results by case and engine."""
    return {(found.case, found.engine): found for found in results}


def missed(results: Iterable[Result]) -> list[Target]:
    """Return the targets that were measured and not reached."""
    keyed = by_key(results)
    ratios = ((target, target.ratio(keyed)) for target in TARGETS)
    return [target for target, ratio in ratios if ratio is not None and not target.is_reached(ratio)]
