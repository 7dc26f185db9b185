"""What is not known, over all machines: since when, and how to find out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, Protocol

import attrs

from kalshi_fix_sansio._generated import SESSION_TYPES
from kalshi_fix_sansio.classes.explained import explained

WINDOW: Final = timedelta(hours=SESSION_TYPES["KalshiDC"].past_reports_hours or 0)
"""How far back drop copy reaches."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@explained
class Remedy(Enum):
    """How to find out."""

    DROP_COPY = "drop copy"
    """`DropCopy`, on KalshiDC or KalshiNR: it tells what came of orders, within its window."""
    REQUEST = "another request"
    """The session can be asked again: see the machine that tells the doubt."""
    REST = "REST"
    """The venue's other interface; what it says is told to the machine (`resolve`, `learn`)."""


@explained
@attrs.frozen(kw_only=True, eq=False)
class Doubt:
    """Something that is not known, and that no message to be expected will tell."""

    what: str
    """What is not known, for people."""
    about: str
    """Of what: the id of an order, a group, a quote; a market; a range of reports."""
    since: datetime | None = None
    """UTC: the last moment at which it was known, as the venue's messages date it; None if that is not
    known."""
    remedies: tuple[Remedy, ...] = (Remedy.REST,)
    """How to find out, the best way first."""

    def __str__(self) -> str:
        since = "" if self.since is None else f" since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.about}: {self.what}{since}; ask {', or '.join(each.value for each in self.remedies)}"


class Doubtful(Protocol):
    """A machine that can say what it does not know."""

    def doubts(self) -> Sequence[Doubt]:
        """Return what is not known, and will not be told by itself."""
        ...


class Doubts:
    """One list of what is not known, over any number of machines. It keeps nothing: it asks them."""

    __slots__ = ("_machines",)

    def __init__(self, *machines: Doubtful) -> None:
        """Ask these machines: `Orders`, `Positions`, `Cash`, `DropCopy` and whatever has `doubts`."""
        self._machines = machines

    def __iter__(self) -> Iterator[Doubt]:
        found = [doubt for machine in self._machines for doubt in machine.doubts()]
        return iter(sorted(found, key=_since))

    def __len__(self) -> int:
        return sum(len(machine.doubts()) for machine in self._machines)

    def by_remedy(self, now: datetime) -> dict[Remedy, list[Doubt]]:
        """Return the doubts by the best way to find out that is left, the oldest first.

        Args:
            now: the time, aware: drop copy no longer reaches back to what is older than its window.
        """
        found: dict[Remedy, list[Doubt]] = {each: [] for each in Remedy}
        for doubt in self:
            late = doubt.since is not None and doubt.since <= now - WINDOW
            left = [each for each in doubt.remedies if not (late and each is Remedy.DROP_COPY)]
            found[left[0] if left else Remedy.REST].append(doubt)
        return found


def _since(doubt: Doubt) -> datetime:
    return doubt.since or _NEVER
