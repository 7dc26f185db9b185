"""The lives of a client's processes and how they end, drawn at random from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from itertools import count, islice
from random import Random
from typing import Any, Self

import attrs


class Death(StrEnum):
    """The event at which SIGKILL is raised; `Life.at` is the count."""

    CALL = "at any call"
    """Counts calls and returns of functions in the client's code, in either thread, since it began."""
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
    HANDED = "with an event just received"
    """Counts events received; the last event is not in the journal yet."""
    TAKEN = "with an unconfirmed event"
    """Counts events written to the journal; the last event is not confirmed."""
    UNKNOWN = "about to record an unknown outcome"
    GAP = "while it recovers missed messages"
    """Counts events since a gap was found."""
    IDLE = "while idle"
    """Counts microseconds since the client was idle."""
    NONE = "not at all"


class Stage(IntEnum):
    """The state of the session when its process died."""

    STARTING = 0
    STORE = 1
    CONNECTING = 2
    LOGON = 3
    RECOVERING = 4
    ESTABLISHED = 5


class Doing(IntEnum):
    """The current call of the user's thread."""

    NOTHING = 0
    WAITING = 1
    PLACING = 2
    """The intention is in the journal."""
    COMMITTED = 3
    """The message is in the store, and may have been sent."""
    TAKING = 4
    """An event is in the journal and not confirmed."""


@attrs.frozen(kw_only=True)
class Life:
    """One process."""

    number: int
    death: Death
    at: int = 0
    loses: bool = False
    """Whether bytes in transit are lost when the process dies."""
    cut_at: int = 0
    """Bytes towards the venue after which the connection is closed and the client reconnects; 0 for never."""
    orders: int = 0
    """The number of orders that the client sends before it waits for events."""
    trades: int = 0
    """The number of trades of another account before the client begins."""
    busy: bool = False
    """Whether another account also trades while the client logs on and its next messages are delayed."""

    def to_values(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "death": Death(values["death"])})


_DECK = (
    *[Death.CALL] * 6,
    *[Death.WRITE] * 4,
    *[Death.READ] * 4,
    *[Death.TIME] * 2,
    *[Death.IDLE] * 3,
    *[Death.AFTER_COMMIT] * 2,
    *[Death.HANDED] * 2,
    *[Death.TAKEN] * 2,
    *[Death.GAP] * 2,
    Death.LOGON,
    Death.BEFORE_COMMIT,
)
"""Every sequence of as many processes contains each of these deaths."""
_MAKING_STORE = 1_500
"""Number of calls that creating the store takes; the first processes die during these."""
_FIRST = 4
_LOGGED_ON_CALLS, _CALLS_PER_ORDER = 12_000, 7_000
_LOGGED_ON_WRITTEN, _WRITTEN_PER_ORDER = 1_100, 150
_LOGGED_ON_READ, _READ_PER_ORDER = 2_300, 400
"""Approximate number of calls for a logon (most of them for TLS), and for an order with its reports."""


def lives(random: Random) -> Iterator[Life]:
    """Yield lives that end in a kill."""
    numbers = count(1)
    for number in islice(numbers, _FIRST):
        yield Life(number=number, death=Death.CALL, at=random.randint(50, _MAKING_STORE))
    while True:
        for death, number in zip(random.sample(_DECK, len(_DECK)), numbers, strict=False):
            yield _life(number, death, random)
            if death is Death.AFTER_COMMIT:
                # The venue requests a resend of the messages whose commit is lost here.
                yield _life(next(numbers), Death.UNKNOWN, random)


def _life(number: int, death: Death, random: Random) -> Life:
    orders = random.randrange(1, 16)
    return Life(
        number=number,
        death=death,
        at=_moment(death, orders, random),
        loses=random.random() < 0.5,
        cut_at=random.randrange(500, 3000) if random.random() < 0.1 else 0,
        orders=orders,
        trades=_trades(death, random),
        busy=random.random() < 0.5,
    )


def _moment(death: Death, orders: int, random: Random) -> int:
    match death:
        case Death.CALL:
            return _early_or_late(_LOGGED_ON_CALLS, _CALLS_PER_ORDER * orders, random)
        case Death.WRITE:
            return _early_or_late(_LOGGED_ON_WRITTEN, _WRITTEN_PER_ORDER * orders, random)
        case Death.READ:
            return _early_or_late(_LOGGED_ON_READ, _READ_PER_ORDER * orders, random)
        case Death.TIME:
            return random.randrange(80_000)
        case Death.BEFORE_COMMIT | Death.AFTER_COMMIT:
            return random.randint(1, orders)
        case Death.HANDED | Death.TAKEN:
            return random.randint(1, 2 + orders)
        case Death.GAP:
            return random.randint(1, 5)
        case Death.IDLE:
            return random.randrange(5_000)
        case _:
            return 1


def _early_or_late(logged_on: int, more: int, random: Random) -> int:
    """Return a count that is reached either before the logon or while trading."""
    return random.randint(1, logged_on) if random.random() < 0.3 else logged_on + random.randrange(more)


def _trades(death: Death, random: Random) -> int:
    if random.random() < 0.02:
        return 150
    return random.randrange(8, 20) if death is Death.GAP else random.choice((0, 1, 2, 3, 5, 8))
