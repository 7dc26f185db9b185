"""When to connect again, as a rule that does no I/O: failures and times go in, a wait or an end comes out.

Full jitter: a wait is drawn evenly between nothing and a bound that doubles with every failure in a row, so
that clients which were cut off together do not come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

import attrs

from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.errors import ConfigurationError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DOUBLINGS = 30
"""Times that the bound doubles at the most: 34 years, from one second. After 1,024 a float would overflow."""


class Cure(Enum):
    """What would make an attempt that failed succeed."""

    TIME = "time"
    """Time alone, as far as can be said."""
    ACTION = "action"
    """Somebody has to do something first."""
    UNCLEAR = "unclear"
    """Nothing is known that speaks for time; it is tried some times."""
    SAME = "same"
    """Time, but not if the very same thing has ended the connections before this one."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Maintenance(Value):
    """A weekly window in which the venue may drop sessions and refuse logons for unclear reasons."""

    weekday: int = 3
    """0 is Monday."""
    begin: time = time(3)
    """Local time in `zone`, inclusive."""
    end: time = time(5)
    """Local time in `zone`, exclusive."""
    zone: str = "America/New_York"
    """Name of the time zone."""

    def __str__(self) -> str:
        days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        return f"{days[self.weekday]} {self.begin:%H:%M} to {self.end:%H:%M} {self.zone}"

    def contains(self, moment: datetime) -> bool:
        """Say whether a moment is inside; never, where this machine has no time zone database."""
        zone = _zone(self.zone)
        if zone is None:
            return False
        local = moment.astimezone(zone)
        return local.weekday() == self.weekday and self.begin <= local.time() < self.end


@cache
def _zone(name: str) -> ZoneInfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Failure(Value):
    """What happened, as far as it matters for the next attempt."""

    cure: Cure
    why: str
    """One sentence for people."""
    at_least: float = 0.0
    """Seconds before which another attempt cannot succeed."""
    times: int = 1
    """How many in a row have been unclear, or the same, with this one; those during maintenance do not
    count."""


@attrs.frozen(eq=False, repr=False)
class Wait(Value):
    """Try again after so many seconds."""

    seconds: float
    note: str = ""
    """Why the wait is not the usual one; empty if it is."""
    counts: bool = True
    """Whether the failure counts towards `ReconnectPolicy.attempts`."""


@attrs.frozen(eq=False, repr=False)
class GiveUp(Value):
    """Do not try again."""

    reason: str


def _at_least_one(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    del instance
    if value < 1:
        raise ConfigurationError(f"{attribute.name} must be at least 1, not {value!r}")


def _seconds(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    del instance
    if not value > 0:
        raise ConfigurationError(f"{attribute.name} must be above 0 seconds, not {value!r}")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReconnectPolicy(Value):
    """Whether and when a client that has lost its connection tries again. All times are in seconds."""

    initial: float = attrs.field(default=1.0, validator=_seconds)
    """Bound of the wait after the first failure; it doubles with each further one in a row."""
    cap: float = attrs.field(default=60.0, validator=_seconds)
    """What the bound never exceeds."""
    attempts: int | None = None
    """How many attempts in a row may fail before the client gives up; None: any number. Those during
    maintenance do not count."""
    unclear_attempts: int = attrs.field(default=8, validator=_at_least_one)
    """How many attempts in a row have to fail in ways that say neither that time cures it nor that it does
    not (a refusal with an unknown Text), for the client to give up."""
    same_failures: int = attrs.field(default=3, validator=_at_least_one)
    """How many connections in a row the very same fault has to end, such as a message that is too large, for
    the client to give up. A breach of the protocol that comes after `stable_after` counts anew."""
    retry_first: bool = False
    """Whether the connection that is made on opening the client is tried again too, instead of raising."""
    stable_after: float = attrs.field(default=60.0, validator=_seconds)
    """How long a logon must have lasted for the waits to begin at `initial` again."""
    maintenance: Maintenance | None = attrs.field(factory=Maintenance)
    """When to be patient: attempts come at the pace of `cap`, and none of them counts. Default:
    Kalshi's, Thursday 03:00 to 05:00 in New York."""

    def decide(
        self, failure: Failure, *, failures: int, now: datetime, random: Callable[[], float]
    ) -> Wait | GiveUp:
        """Say what to do after a failure.

        Args:
            failure: what happened.
            failures: how many there have been in a row that count, with this one.
            now: the time, with its zone.
            random: draws from 0 up to, but not including, 1.
        """
        if failure.cure is Cure.ACTION:
            return GiveUp(failure.why)
        # Before the limits: during maintenance no failure counts, and none ends the client.
        if self.maintenance is not None and self.maintenance.contains(now):
            # Between half of the cap and all of it: hours may have to be passed, and clients spread all the
            # same.
            wait = max(failure.at_least, self.cap * (0.5 + 0.5 * random()))
            return Wait(wait, f"the venue may be in maintenance ({self.maintenance})", counts=False)
        limits = {Cure.UNCLEAR: self.unclear_attempts, Cure.SAME: self.same_failures}
        if failure.times >= limits.get(failure.cure, failure.times + 1):
            return GiveUp(f"{failure.times} in a row have failed in this way: {failure.why}")
        if self.attempts is not None and failures > self.attempts:
            return GiveUp(f"{self.attempts} attempts in a row have failed; the last: {failure.why}")
        # Full jitter, as the module says.
        bound = min(self.cap, self.initial * 2.0 ** min(failures - 1, _DOUBLINGS))
        wait = random() * bound
        if failure.at_least > wait:
            return Wait(
                failure.at_least + random() * self.initial,
                "the old connection must time out at the venue first",
            )
        return Wait(wait)
