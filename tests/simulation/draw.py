"""Draws a schedule from a seed. Each schedule contains only a few kinds of faults, so its run tests these
kinds thoroughly.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from tests.simulation.bounds import MAX_MESSAGE
from tests.simulation.schedule import Fault, Kind, Schedule, Side

SESSIONS = ("KalshiRT",) * 5 + ("KalshiPT", "KalshiNR", "KalshiNR", "KalshiRFQ", "KalshiMD")
WEIGHTS = {
    Kind.POWER: 0.5,
    Kind.CLOCK: 0.5,
    Kind.ABORT: 0.5,
    Kind.RESTART: 0.5,
    Kind.PROBE: 0.5,
    Kind.CRASH: 3.0,
}
"""Relative frequency of the kinds of faults in a run; other kinds have weight 1."""
SQLITE_SHARE = 0.1
STANDBY_SHARE = 0.2
"""Of the runs without SQLite, the share with a standby."""
UNSYNCED_SHARE = 0.05
"""Share of runs in which commits are not synced."""

DrawFunction = Callable[[Random, int], tuple[float, int]]
"""A function that draws the duration of a fault in seconds, and `Fault.number`, for a given HeartBtInt."""

_VENUE_FAULTS = frozenset({Kind.MAINTENANCE, Kind.REFUSE, Kind.PAUSE, Kind.UNSURE})
_CLIENT_FAULTS = frozenset({Kind.RESTART, Kind.FLOOD, Kind.REUSE})
_TAKEOVER_FAULTS: dict[Kind, DrawFunction] = {
    Kind.ISOLATE: lambda r, _: (r.uniform(0.5, r.choice([6, 60])), 0),
    Kind.FREEZE: lambda r, _: (r.uniform(0.5, r.choice([6, 60])), r.randrange(2)),
    Kind.SUSPEND: lambda r, _: (r.uniform(0.5, r.choice([6, 60])), r.randrange(2)),
    Kind.CRASH: lambda r, _: (r.choice([0.0, 5.0, 30.0]), r.randrange(7)),
    Kind.DISK: lambda r, _: (r.uniform(0.5, 20), 4),
}
"""Faults of the primary after which a standby may take over."""

_DRAW_BY_KIND: dict[Kind, DrawFunction] = {
    Kind.DELAY: lambda r, _: (r.uniform(1, 30), r.randrange(50, 4000)),
    Kind.SPLIT: lambda r, _: (r.uniform(1, 30), r.choice([1, 3, 10, 50])),
    Kind.MERGE: lambda r, _: (r.uniform(1, 30), r.randrange(100, 3000)),
    Kind.STALL: lambda r, beat: (r.uniform(0.1, 3.5 * beat), 0),
    Kind.CUT: lambda r, _: (0.0, r.randrange(1, r.choice([20, 200, 2000]))),
    Kind.VANISH: lambda r, _: (0.0, 0),
    Kind.GARBAGE: lambda r, _: (0.0, r.randrange(1, 10**6)),
    Kind.FLIP: lambda r, _: (0.0, r.randrange(1, 10**6)),
    Kind.REPEAT: lambda r, _: (0.0, r.randrange(1, 10**6)),
    Kind.STALE: lambda r, _: (r.uniform(10, 200), 0),
    Kind.NAME: lambda r, _: (r.uniform(1, 60), r.randrange(2)),
    Kind.FULL: lambda r, beat: (r.uniform(0.5, 3 * beat), r.choice([1, 50, 300, 1000])),
    Kind.CRASH: lambda r, _: (r.choice([0.0, 0.2, 1.0, 5.0, 30.0]), r.randrange(28)),
    Kind.POWER: lambda r, _: (r.uniform(1, 60), r.randrange(1, 10**6)),
    Kind.FREEZE: lambda r, beat: (r.uniform(0.1, r.choice([3 * beat, 60])), r.randrange(2)),
    Kind.SUSPEND: lambda r, beat: (r.uniform(0.1, r.choice([3 * beat, 60, 3600])), r.randrange(2)),
    Kind.SLOW: lambda r, beat: (r.uniform(0.5, 2 * beat), r.choice([0, 10, 200, 1000])),
    Kind.DISK: lambda r, _: (r.uniform(0.1, 20), r.randrange(5)),
    Kind.STEP: lambda r, _: (0.0, r.randrange(-6000, 6000)),
    Kind.CLOCK: lambda r, _: (r.uniform(1, 40), r.choice([-1, 1]) * r.randrange(60, 7200)),
    Kind.MAINTENANCE: lambda r, _: (r.uniform(1, 60), r.randrange(2)),
    Kind.REFUSE: lambda r, _: (r.uniform(1, 40), r.randrange(3)),
    Kind.FORGET: lambda r, _: (0.0, r.choice([0, 0, 1, 3, 10])),
    Kind.RESET: lambda r, _: (0.0, 0),
    Kind.RESTART: lambda r, _: (0.0, 0),
    Kind.LOGOUT: lambda r, _: (0.0, 0),
    Kind.ABORT: lambda r, _: (0.0, 0),
    Kind.BURST: lambda r, _: (0.0, r.choice([5, 20, 50])),
    Kind.HUGE: lambda r, _: (0.0, r.choice([1000, 3000, MAX_MESSAGE - r.randrange(600), 5000, 7000])),
    Kind.FLOOD: lambda r, _: (0.0, r.choice([2, 3, 10, 50])),
    Kind.REUSE: lambda r, _: (0.0, r.randrange(2)),
    Kind.UNSURE: lambda r, _: (r.uniform(1, 60), 0),
    Kind.PAUSE: lambda r, _: (r.uniform(1, 30), 0),
    Kind.PROBE: lambda r, _: (0.0, 0),
}


def draw(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    random = Random(seed * 7919 + 13)
    beat = random.choice([3, 5, 10, 30])
    calm_from = random.choice([30.0, 60.0, 120.0, 200.0])
    kinds = list(_DRAW_BY_KIND)
    weights = [WEIGHTS.get(kind, 1.0) for kind in kinds]
    chosen = random.choices(kinds, weights, k=random.randrange(1, 7))
    when = _storm(random, calm_from) if random.random() < 0.5 else lambda: random.uniform(0.0, calm_from)
    faults = [_fault(random, random.choice(chosen), beat, when()) for _ in range(random.randrange(1, 15))]
    schedule = Schedule(
        seed=seed,
        session=random.choice(SESSIONS),
        heart_bt_int=beat,
        calm_from=calm_from,
        orders=random.choice([0, 10, 30]),
        reports=random.choice([0, 10, 30, 60]),
        explicit=random.random() < 0.6,
        pace=random.choice([0.0, 0.0, 0.0, 0.1, 1.0]),
        resend_orders=random.random() < 0.3,
        next_expected=random.random() < 0.25,
        strict=random.random() < 0.7,
        like_quickfix=random.random() < 0.15,
        keep=random.choice([5, 30, 1000, 1000]),
        page=random.choice([1, 600, 2048, 256 * 1024]),
        sqlite=random.random() < SQLITE_SHARE,
        eager=random.random() < 0.5,
        synced=random.random() >= UNSYNCED_SHARE,
        max_commit_seconds=random.choice([0.0, 0.0, 0.005, 0.05, 0.5]),
        faults=tuple(faults),
    )
    if not schedule.sqlite and random.random() < STANDBY_SHARE:
        faults += [_fault_of_primary(random, beat, when()) for _ in range(random.randrange(1, 6))]
        schedule = attrs.evolve(schedule, standby=True)
    return attrs.evolve(schedule, faults=tuple(sorted(faults, key=lambda fault: fault.at)))


def _storm(random: Random, calm_from: float) -> Callable[[], float]:
    """Return a function that draws times close to one another, so faults overlap."""
    center, width = random.uniform(0.0, calm_from), random.choice([0.3, 3.0, 15.0])
    return lambda: min(max(random.gauss(center, width), 0.0), calm_from)


def _fault_of_primary(random: Random, beat: int, at: float) -> Fault:
    kind = random.choice(list(_TAKEOVER_FAULTS))
    seconds, number = _TAKEOVER_FAULTS[kind](random, beat)
    return Fault(round(at, 3), kind, Side.CLIENT, round(seconds, 3), number)


def _fault(random: Random, kind: Kind, beat: int, at: float) -> Fault:
    seconds, number = _DRAW_BY_KIND[kind](random, beat)
    side = Side.VENUE if kind in _VENUE_FAULTS else random.choice(list(Side))
    side = Side.CLIENT if kind in _CLIENT_FAULTS else side
    return Fault(round(at, 3), kind, side, round(seconds, 3), number)
