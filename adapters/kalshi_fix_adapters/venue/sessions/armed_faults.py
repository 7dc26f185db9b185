"""The faults of a venue that are armed: which there are, when they begin and end, whom they strike."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any, TypeVar

import attrs

from kalshi_fix_adapters.venue.operations.base import Fault, Who
from kalshi_fix_adapters.venue.operations.faults import (
    Cut,
    Delay,
    Duplicate,
    Gap,
    Garble,
    LateHeartbeats,
    MessageStrike,
    Silence,
    Strike,
    WrongCompIds,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError

MAX_ARMED = 1000
"""Faults that are armed at once."""
ON_THE_WIRE = (Cut, Delay, LateHeartbeats, Silence, Gap, Garble, Duplicate, WrongCompIds)
"""Faults that bytes have to be looked at for."""
F = TypeVar("F", bound=Fault)
S = TypeVar("S", bound=Strike)


@attrs.define(eq=False)
class Armed:
    """A fault and what is left of it."""

    number: int
    fault: Fault
    begins: float
    """In seconds of `Instant.monotonic`."""
    ends: float | None
    skip: int
    left: int | None
    """How often it will strike; None for any number."""

    def holds(self, who: Who, now: Instant) -> bool:
        """Say whether it has begun, has not ended, and concerns a connection."""
        begun = self.begins <= now.monotonic and (self.ends is None or now.monotonic < self.ends)
        return begun and self.fault.concerns(who)

    def told(self) -> dict[str, Any]:
        """Return what it is, in what JSON can hold."""
        values = self.fault.values()
        said = ", ".join(f"{name} {value}" for name, value in values.items())
        return {"number": self.number, "fault": self.fault.NAME, "left": self.left, "with": said or "-"}


class ArmedFaults:
    """The faults that are armed. What is drawn for their `chance` is drawn from one seed, in order."""

    def __init__(self, draw_seed: Callable[[], int]) -> None:
        """Begin without any; `draw_seed` is called when the first fault with a chance is armed."""
        self._draw_seed = draw_seed
        self._random: Random | None = None
        self._armed: dict[int, Armed] = {}
        self._by_kind: dict[type[Fault], dict[int, Armed]] = {}
        self._numbers = count(1)
        self._times: list[tuple[float, int]] = []
        """A heap of beginnings and ends, with the number of the fault."""
        self.touch_bytes: bool = False
        """Whether there is a fault that bytes have to be looked at for."""

    def __iter__(self) -> Iterator[Armed]:
        """Iterate over what is armed, oldest first."""
        return iter(tuple(self._armed.values()))

    def __bool__(self) -> bool:
        """Say whether anything is armed."""
        return bool(self._armed)

    def arm(self, fault: Fault, now: Instant) -> Armed:
        """Take a fault.

        Raises:
            ConfigurationError: there are too many.
        """
        if len(self._armed) >= MAX_ARMED:
            raise ConfigurationError(f"{MAX_ARMED} faults are armed already; release some")
        begins = now.monotonic + fault.after
        ends = None if fault.lasting is None else begins + fault.lasting
        skip, left = (fault.skip, fault.times or None) if isinstance(fault, Strike) else (0, None)
        # Only now: a venue without such a fault draws the same ids as one that knows of none.
        if isinstance(fault, Strike) and fault.chance < 1 and self._random is None:
            self._random = Random(self._draw_seed())  # noqa: S311 - nothing secret is drawn from it
        armed = Armed(next(self._numbers), fault, begins, ends, skip, left)
        self._armed[armed.number] = armed
        self._by_kind.setdefault(type(fault), {})[armed.number] = armed
        for time in (begins, ends):
            if time is not None:
                heapq.heappush(self._times, (time, armed.number))
        self._note()
        return armed

    def disarm(self, armed: Armed) -> None:
        """End a fault."""
        if self._armed.pop(armed.number, None) is not None:
            of_kind = self._by_kind[type(armed.fault)]
            del of_kind[armed.number]
            if not of_kind:
                del self._by_kind[type(armed.fault)]
            self._note()

    def has(self, kind: type[Fault]) -> bool:
        """Say whether a fault of a kind is armed."""
        return kind in self._by_kind

    def active(self, kind: type[F], who: Who, now: Instant, msg_type: str | None = None) -> F | None:
        """Return the first fault of a kind that holds for a connection, and for a message if its type is
        given; this uses up nothing."""
        for armed in self._by_kind.get(kind, {}).values():
            fault: Any = armed.fault
            if armed.holds(who, now) and (msg_type is None or fault.message in (None, msg_type)):
                return fault  # type: ignore[no-any-return]
        return None

    def strike(
        self, kind: type[S], who: Who, now: Instant, msg_type: str | None = None, **wanted: object
    ) -> S | None:
        """Return the fault of a kind that strikes on this occasion, if one does, and count it.

        The occasion is a message of a type, if one is given, and concerns faults with these attributes.
        """
        # A copy, since a fault that strikes for the last time is disarmed in the loop.
        for armed in tuple(self._by_kind.get(kind, {}).values()):
            fault: Any = armed.fault
            about = msg_type is None or not isinstance(fault, MessageStrike) or fault.is_about(msg_type)
            if (
                not about
                or not armed.holds(who, now)
                or any(getattr(fault, name) != value for name, value in wanted.items())
            ):
                continue
            # Occasions are counted before chance is drawn: `skip` says which ones, `chance` which of the
            # rest.
            if armed.skip:
                armed.skip -= 1
                continue
            if fault.chance < 1 and (self._random is None or self._random.random() >= fault.chance):
                continue
            if armed.left is not None:
                armed.left -= 1
                if not armed.left:
                    self.disarm(armed)
            return fault  # type: ignore[no-any-return]
        return None

    def next_deadline(self) -> float | None:
        """Return when the next fault begins or ends, in seconds of `Instant.monotonic`."""
        while self._times and self._times[0][1] not in self._armed:
            heapq.heappop(self._times)
        return self._times[0][0] if self._times else None

    def due(self, now: Instant) -> list[Armed]:
        """Return the faults that have begun or ended by now, and were not returned for that before."""
        found: dict[int, Armed] = {}
        while (deadline := self.next_deadline()) is not None and deadline <= now.monotonic:
            number = heapq.heappop(self._times)[1]
            found[number] = self._armed[number]
        return list(found.values())

    def _note(self) -> None:
        self.touch_bytes = any(kind in self._by_kind for kind in ON_THE_WIRE)
