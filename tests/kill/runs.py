"""The runs of a client's processes and the points at which they are killed, drawn at random from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from itertools import count, islice
from random import Random
from typing import Any, Self

import attrs


class KillPoint(StrEnum):
    """The points at which SIGKILL is raised. If the point is defined by a count, `Run.kill_after` is the
    count at which the signal is raised.
    """

    CALL = "at any call"
    """Counts calls and returns of functions in the client's code, in either thread, since it started."""
    WRITE = "while it writes"
    """Counts bytes forwarded to the venue; later bytes may be lost."""
    READ = "while it reads"
    """Counts bytes forwarded from the venue."""
    TIME = "at any time"
    """Counts microseconds since the client was forked."""
    LOGON = "with the Logon in transit"
    BEFORE_COMMIT = "before a commit"
    """Counts commits to the store for which outgoing bytes wait."""
    AFTER_COMMIT = "between commit and write"
    RECEIVED = "with an event just received"
    """Counts events received; the last event is not in the journal yet."""
    UNCONFIRMED = "with an unconfirmed event"
    """Counts events written to the journal; the last event is not confirmed."""
    UNKNOWN = "about to record an unknown outcome"
    GAP = "while it recovers missed messages"
    """Counts events since a gap was found."""
    IDLE = "while idle"
    """Counts microseconds since the client became idle."""
    NONE = "not at all"


class Stage(IntEnum):
    """The stage that the client's process has reached."""

    STARTING = 0
    STORE = 1
    CONNECTING = 2
    LOGON = 3
    RECOVERING = 4
    ESTABLISHED = 5


class Activity(IntEnum):
    """The current activity of the user's thread."""

    NOTHING = 0
    WAITING = 1
    PLACING = 2
    """The intention is in the journal."""
    COMMITTED = 3
    """The message is in the store, and may have been sent."""
    TAKING = 4
    """An event is in the journal and not confirmed."""


@attrs.frozen(kw_only=True)
class Run:
    """The plan of one process."""

    number: int
    kill_point: KillPoint
    kill_after: int = 0
    loses_bytes: bool = False
    """Whether bytes in transit are lost when the process dies."""
    cut_at: int = 0
    """Number of bytes to the venue until the connection is cut and the client reconnects; 0 for never."""
    orders: int = 0
    """The number of orders that the client sends before it waits for events."""
    trades: int = 0
    """The number of trades by another account before the client begins."""
    busy: bool = False
    """Whether another account also trades while the client logs on and its next messages are delayed."""

    def to_values(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "kill_point": KillPoint(values["kill_point"])})


_DECK = (
    *[KillPoint.CALL] * 6,
    *[KillPoint.WRITE] * 4,
    *[KillPoint.READ] * 4,
    *[KillPoint.TIME] * 2,
    *[KillPoint.IDLE] * 3,
    *[KillPoint.AFTER_COMMIT] * 2,
    *[KillPoint.RECEIVED] * 2,
    *[KillPoint.UNCONFIRMED] * 2,
    *[KillPoint.GAP] * 2,
    KillPoint.LOGON,
    KillPoint.BEFORE_COMMIT,
)
"""Kill points of one round of processes; the order within a round is random."""
_STORE_CREATION_CALLS = 1_500
"""Number of calls that creating the store takes; the first processes are killed during these."""
_FIRST_RUNS = 4
_LOGGED_ON_CALLS, _CALLS_PER_ORDER = 12_000, 7_000
_LOGGED_ON_WRITTEN, _WRITTEN_PER_ORDER = 1_100, 150
_LOGGED_ON_READ, _READ_PER_ORDER = 2_300, 400
"""Approximate numbers of calls, of bytes written and of bytes read: until the logon is complete (mostly for
TLS), and for each order with its reports.
"""


def planned_runs(random: Random) -> Iterator[Run]:
    """Yield runs that end in a kill."""
    numbers = count(1)
    for number in islice(numbers, _FIRST_RUNS):
        yield Run(
            number=number, kill_point=KillPoint.CALL, kill_after=random.randint(50, _STORE_CREATION_CALLS)
        )
    while True:
        for kill_point, number in zip(random.sample(_DECK, len(_DECK)), numbers, strict=False):
            yield _planned_run(number, kill_point, random)
            if kill_point is KillPoint.AFTER_COMMIT:
                # The messages were committed but not sent, so the venue requests them from the next process.
                yield _planned_run(next(numbers), KillPoint.UNKNOWN, random)


def _planned_run(number: int, kill_point: KillPoint, random: Random) -> Run:
    orders = random.randrange(1, 16)
    return Run(
        number=number,
        kill_point=kill_point,
        kill_after=_draw_kill_after(kill_point, orders, random),
        loses_bytes=random.random() < 0.5,
        cut_at=random.randrange(500, 3000) if random.random() < 0.1 else 0,
        orders=orders,
        trades=_trades(kill_point, random),
        busy=random.random() < 0.5,
    )


def _draw_kill_after(kill_point: KillPoint, orders: int, random: Random) -> int:
    match kill_point:
        case KillPoint.CALL:
            return _early_or_late(_LOGGED_ON_CALLS, _CALLS_PER_ORDER * orders, random)
        case KillPoint.WRITE:
            return _early_or_late(_LOGGED_ON_WRITTEN, _WRITTEN_PER_ORDER * orders, random)
        case KillPoint.READ:
            return _early_or_late(_LOGGED_ON_READ, _READ_PER_ORDER * orders, random)
        case KillPoint.TIME:
            return random.randrange(80_000)
        case KillPoint.BEFORE_COMMIT | KillPoint.AFTER_COMMIT:
            return random.randint(1, orders)
        case KillPoint.RECEIVED | KillPoint.UNCONFIRMED:
            return random.randint(1, 2 + orders)
        case KillPoint.GAP:
            return random.randint(1, 5)
        case KillPoint.IDLE:
            return random.randrange(5_000)
        case _:
            return 1


def _early_or_late(logged_on: int, more: int, random: Random) -> int:
    """Return a count that is reached either before the logon or while trading."""
    return random.randint(1, logged_on) if random.random() < 0.3 else logged_on + random.randrange(more)


def _trades(kill_point: KillPoint, random: Random) -> int:
    if random.random() < 0.02:
        return 150
    return random.randrange(8, 20) if kill_point is KillPoint.GAP else random.choice((0, 1, 2, 3, 5, 8))
