"""How a client lives and dies, drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from itertools import count, islice
from random import Random
from typing import Any, Self

import attrs


class Death(StrEnum):
    """When SIGKILL strikes; `Life.at` counts."""

    CALL = "at any call"
    """In the client's code: calls and returns of functions, in either thread, since it began."""
    WRITE = "while it writes"
    """On the way to the venue: bytes that have passed; the rest may get lost."""
    READ = "while it reads"
    """On the way from the venue: bytes that have passed."""
    TIME = "at any time"
    """Microseconds since it was forked."""
    LOGON = "with the Logon on its way"
    BEFORE_COMMIT = "before a commit"
    """Commits to the store that something waits for to leave."""
    AFTER_COMMIT = "between commit and write"
    HANDED = "with an event just handed out"
    """Events; the last of them is not even in the journal."""
    TAKEN = "with an event in hand"
    """Events written to the journal; the last of them is not confirmed."""
    UNKNOWN = "about to note an unknown outcome"
    GAP = "while it gets what it missed"
    """Events since a gap was found."""
    IDLE = "while idle"
    """Microseconds since it had nothing to do."""
    NONE = "not at all"


class Stage(IntEnum):
    """Where a process was when it died."""

    STARTING = 0
    STORE = 1
    CONNECTING = 2
    LOGON = 3
    RECOVERING = 4
    ESTABLISHED = 5


class Doing(IntEnum):
    """What its user was doing, beside the client's own thread."""

    NOTHING = 0
    WAITING = 1
    PLACING = 2
    """The intention is written down."""
    COMMITTED = 3
    """The message is in the store, and may be on its way."""
    TAKING = 4
    """An event is in the journal and not confirmed."""


@attrs.frozen(kw_only=True)
class Life:
    """One process."""

    number: int
    death: Death
    at: int = 0
    loses: bool = False
    """Whether what is under way when it dies is lost."""
    cut_at: int = 0
    """Bytes towards the venue after which the connection is cut; it connects again. 0 for never."""
    orders: int = 0
    """How many it sends before it waits for what happens."""
    trades: int = 0
    """How many times somebody trades before it begins."""
    busy: bool = False
    """Whether somebody trades while it logs on, too, and what it says then comes late."""

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
"""Every so many lives have all of these deaths."""
_MAKING_STORE = 1_500
"""Calls that it takes to make the store; the first lives end among them."""
_FIRST = 4
_LOGGED_ON_CALLS, _CALLS_PER_ORDER = 12_000, 7_000
_LOGGED_ON_WRITTEN, _WRITTEN_PER_ORDER = 1_100, 150
_LOGGED_ON_READ, _READ_PER_ORDER = 2_300, 400
"""About what it takes to log on (most of it for TLS), and what an order takes with its reports."""


def lives(random: Random) -> Iterator[Life]:
    """Yield lives that end in a violent death."""
    numbers = count(1)
    for number in islice(numbers, _FIRST):
        yield Life(number=number, death=Death.CALL, at=random.randint(50, _MAKING_STORE))
    while True:
        for death, number in zip(random.sample(_DECK, len(_DECK)), numbers, strict=False):
            yield _life(number, death, random)
            if death is Death.AFTER_COMMIT:
                # What was not written then is what the venue asks for next.
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
    """Before the logon, or while trading."""
    return random.randint(1, logged_on) if random.random() < 0.3 else logged_on + random.randrange(more)


def _trades(death: Death, random: Random) -> int:
    if random.random() < 0.02:
        return 150
    return random.randrange(8, 20) if death is Death.GAP else random.choice((0, 1, 2, 3, 5, 8))
