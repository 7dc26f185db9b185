"""The policy that decides, without I/O, whether and when to reconnect after a failure.

It uses full jitter: a wait is drawn uniformly between zero and a limit that doubles with every consecutive
failure. So clients that were disconnected together do not reconnect together.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

import attrs

from kalshi_fix_sansio._generated.limits import MAINTENANCE_WINDOW
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.errors import ConfigurationError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MAX_DOUBLINGS = 30
"""Maximum number of doublings; from one second, this gives 34 years. After 1,024 doublings a float would
overflow.
"""


class Resolution(Enum):
    """The condition under which the next attempt can succeed."""

    TIME = "time"
    """The next attempt can succeed after some time."""
    ACTION = "action"
    """The next attempt can succeed only after an action by the user."""
    UNCLEAR = "unclear"
    """The condition is unknown, so the client makes a limited number of attempts."""
    REPEATED = "repeated"
    """The same fault has ended several connections in a row. The next attempt can succeed after some time,
    but the client gives up after `same_failures` of them.
    """


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Maintenance(Value):
    """A weekly window in which the venue may drop sessions and refuse logons for unclear reasons.

    Attributes:
        weekday: Day of the week; 0 is Monday.
        begin: Start of the window as local time in `zone`, inclusive.
        end: End of the window as local time in `zone`, exclusive.
        zone: Name of the time zone.
    """

    weekday: int = MAINTENANCE_WINDOW["weekday"]
    begin: time = time(MAINTENANCE_WINDOW["begin"])
    end: time = time(MAINTENANCE_WINDOW["end"])
    zone: str = "America/New_York"

    def __str__(self) -> str:
        days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        return f"{days[self.weekday]} {self.begin:%H:%M} to {self.end:%H:%M} {self.zone}"

    def contains(self, at: datetime) -> bool:
        """Return whether a time is in the window; False if this machine has no time zone database."""
        zone = _zone(self.zone)
        if zone is None:
            return False
        local = at.astimezone(zone)
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
    """A failed attempt or a lost connection.

    Attributes:
        why: The reason, for display.
        min_wait: Number of seconds during which another attempt cannot succeed.
        key_in_use: Whether the venue refused the logon because the API key has another connection.
        times: Number of consecutive failures of this kind, including this one; failures during maintenance do
            not count.
    """

    resolution: Resolution
    why: str
    min_wait: float = 0.0
    key_in_use: bool = False
    times: int = 1


@attrs.frozen(eq=False, repr=False)
class Wait(Value):
    """The decision to try again after `seconds`.

    Attributes:
        note: Reason why the wait differs from the usual one; empty if it does not.
        counts: Whether the failure counts towards `ReconnectPolicy.attempts`.
    """

    seconds: float
    note: str = ""
    counts: bool = True


@attrs.frozen(eq=False, repr=False)
class GiveUp(Value):
    """The decision not to try again."""

    reason: str


def _check_at_least_one(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    del instance
    if value < 1:
        raise ConfigurationError(f"{attribute.name} must be at least 1, not {value!r}")


def _check_seconds(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    del instance
    if not value > 0:
        raise ConfigurationError(f"{attribute.name} must be above 0 seconds, not {value!r}")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReconnectPolicy(Value):
    """Whether and when a client reconnects. All times are in seconds.

    Attributes:
        initial: Limit of the wait after the first failure; it doubles with each consecutive failure.
        cap: Maximum of this limit.
        attempts: Number of consecutive failed attempts to reconnect after which the client gives up; None for
            no limit. Failures during maintenance do not count.
        unclear_attempts: Number of consecutive failures of unclear cause (such as a refusal with an unknown
            Text) after which the client gives up.
        same_failures: Number of consecutive connections ended by the same fault, such as a message that is
            too large, after which the client gives up. A protocol violation on a connection that has lasted
            for `stable_after` restarts the count.
        retry_first: Whether opening the client retries a failed first connection instead of raising.
        stable_after: If a session has lasted this long, the next wait is limited by `initial` again.
        key_in_use: Time between attempts while the venue reports that the API key has another connection. For
            example, a standby uses 0.2, to log on soon after the other client disconnects. These attempts do
            not count. If None, the client waits until the venue must have noticed the loss of an old
            connection.
        maintenance: A window in which attempts are made at intervals of about `cap` and do not count.
            Default: the venue's weekly maintenance, or None if the environment variables set addresses to use
            instead of Kalshi's.
    """

    initial: float = attrs.field(default=1.0, validator=_check_seconds)
    cap: float = attrs.field(default=60.0, validator=_check_seconds)
    attempts: int | None = None
    unclear_attempts: int = attrs.field(default=8, validator=_check_at_least_one)
    same_failures: int = attrs.field(default=3, validator=_check_at_least_one)
    retry_first: bool = False
    stable_after: float = attrs.field(default=60.0, validator=_check_seconds)
    key_in_use: float | None = attrs.field(default=None, validator=attrs.validators.optional(_check_seconds))
    maintenance: Maintenance | None = attrs.field(factory=Maintenance)

    def decide(
        self, failure: Failure, *, failures: int, now: datetime, random: Callable[[], float]
    ) -> Wait | GiveUp:
        """Return the wait after a failure, or the decision to give up.

        Args:
            failure: the failure.
            failures: the number of consecutive failures that count, including this one.
            now: the current time, timezone-aware.
            random: returns a random number from 0 up to, but not including, 1.
        """
        if failure.resolution is Resolution.ACTION:
            return GiveUp(failure.why)
        # Checked before the limits, because failures during maintenance do not count and never make
        # the client give up.
        if self.maintenance is not None and self.maintenance.contains(now):
            # Between half of `cap` and `cap`, because maintenance may take hours, but clients must not all
            # reconnect at the same time.
            wait = max(failure.min_wait, self.cap * (0.5 + 0.5 * random()))
            return Wait(wait, f"the venue may be in maintenance ({self.maintenance})", counts=False)
        if failure.key_in_use and self.key_in_use is not None:
            return Wait(self.key_in_use, "another connection uses the API key", counts=False)
        limits = {Resolution.UNCLEAR: self.unclear_attempts, Resolution.REPEATED: self.same_failures}
        limit = limits.get(failure.resolution)
        if limit is not None and failure.times >= limit:
            return GiveUp(f"{_failed_attempts_text(failure.times)} in this way: {failure.why}")
        if self.attempts is not None and failures > self.attempts:
            return GiveUp(f"{_failed_attempts_text(self.attempts)}; last failure: {failure.why}")
        # Full jitter: see the module docstring.
        bound = min(self.cap, self.initial * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        wait = random() * bound
        if failure.min_wait > wait:
            return Wait(
                failure.min_wait + random() * self.initial,
                "the old connection must time out at the venue first",
            )
        return Wait(wait)


def _failed_attempts_text(number: int) -> str:
    return "1 attempt has failed" if number == 1 else f"{number} consecutive attempts have failed"
