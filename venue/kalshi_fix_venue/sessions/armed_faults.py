"""The armed faults of a venue: their times, and the connections and messages that they affect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any, TypeVar

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.deadlines import Deadlines
from kalshi_fix_venue.index import Index
from kalshi_fix_venue.operations.base import ConnectionIdentity, Fault
from kalshi_fix_venue.operations.faults import (
    Cut,
    Delay,
    Duplicate,
    Gap,
    Garble,
    LateHeartbeats,
    MessageFault,
    OccasionalFault,
    Silence,
    WrongCompIds,
)

MAX_ARMED = 1000
"""The maximum number of armed faults."""
BYTE_LEVEL_FAULTS = (Cut, Delay, LateHeartbeats, Silence, Gap, Garble, Duplicate, WrongCompIds)
"""Faults that require the inspection of bytes."""
F = TypeVar("F", bound=Fault)
S = TypeVar("S", bound=OccasionalFault)


@attrs.define(eq=False)
class ArmedFault:
    """An armed fault with its remaining count."""

    number: int
    fault: Fault
    begin: float
    """Time in seconds of `Instant.monotonic`."""
    end: float | None
    skip: int
    remaining: int | None
    """The number of times that it will still be applied; None for no limit."""

    def applies_to(self, identity: ConnectionIdentity, now: Instant) -> bool:
        """Return whether it is active and applies to a connection."""
        is_active = self.begin <= now.monotonic and (self.end is None or now.monotonic < self.end)
        return is_active and self.fault.applies_to(identity)

    def describe(self) -> dict[str, Any]:
        """Return its description as JSON values."""
        values = self.fault.values()
        text = ", ".join(f"{name} {value}" for name, value in values.items())
        return {"number": self.number, "fault": self.fault.NAME, "left": self.remaining, "with": text or "-"}


class ArmedFaults:
    """The armed faults. The random numbers for their `chance` are drawn from one seed, in order."""

    def __init__(self, draw_seed: Callable[[], int]) -> None:
        """Start without faults; `draw_seed` is called when the first fault with a chance is armed."""
        self._draw_seed = draw_seed
        self._random: Random | None = None
        self._armed: dict[int, ArmedFault] = {}
        self._by_kind: Index[type[Fault], ArmedFault] = Index()
        self._numbers = count(1)
        self._times: Deadlines[tuple[int, bool], float] = Deadlines()
        """Times at which faults begin and end. The key contains the number of the fault, and True for its
        end.
        """
        self.inspects_bytes: bool = False
        """Whether any armed fault is applied to the bytes of connections."""

    def __iter__(self) -> Iterator[ArmedFault]:
        """Iterate over the armed faults, oldest first."""
        return iter(tuple(self._armed.values()))

    def arm(self, fault: Fault, now: Instant) -> ArmedFault:
        """Arm a fault.

        Raises:
            ConfigurationError: too many faults are armed.
        """
        if len(self._armed) >= MAX_ARMED:
            raise ConfigurationError(f"{MAX_ARMED} faults are already armed; release some")
        begin = now.monotonic + fault.after
        end = None if fault.lasting is None else begin + fault.lasting
        skip, remaining = (
            (fault.skip, fault.times or None) if isinstance(fault, OccasionalFault) else (0, None)
        )
        # The seed is drawn only if a fault needs it, so faults without a chance do not change the venue's
        # ids.
        if isinstance(fault, OccasionalFault) and fault.chance < 1 and self._random is None:
            self._random = Random(self._draw_seed())  # noqa: S311 - not used for secrets
        armed = ArmedFault(next(self._numbers), fault, begin, end, skip, remaining)
        self._armed[armed.number] = armed
        self._by_kind.add(type(fault), armed)
        self._times.set((armed.number, False), begin)
        self._times.set((armed.number, True), end)
        self._update_inspects_bytes()
        return armed

    def disarm(self, armed: ArmedFault) -> None:
        """End a fault."""
        if self._armed.pop(armed.number, None) is not None:
            self._by_kind.discard(type(armed.fault), armed)
            self._times.set((armed.number, False), None)
            self._times.set((armed.number, True), None)
            self._update_inspects_bytes()

    def is_armed(self, kind: type[Fault]) -> bool:
        """Return whether a fault of a kind is armed."""
        return kind in self._by_kind

    def active(
        self, kind: type[F], identity: ConnectionIdentity, now: Instant, msg_type: str | None = None
    ) -> F | None:
        """Return the first fault of a kind that applies to a connection, and to a message if its type is
        given, without counting it as applied."""
        for armed in self._by_kind[kind]:
            fault: Any = armed.fault
            if armed.applies_to(identity, now) and (msg_type is None or fault.message in (None, msg_type)):
                return fault  # type: ignore[no-any-return]
        return None

    def trigger(
        self,
        kind: type[S],
        identity: ConnectionIdentity,
        now: Instant,
        msg_type: str | None = None,
        **conditions: object,
    ) -> S | None:
        """Return the fault of a kind that applies on this occasion, and count it as applied; or return None.

        The occasion is a message of `msg_type`, if given. Only faults whose attributes equal `conditions` are
        considered.
        """
        for armed in self._by_kind[kind]:
            fault: Any = armed.fault
            fits_type = (
                msg_type is None or not isinstance(fault, MessageFault) or fault.applies_to_type(msg_type)
            )
            if (
                not fits_type
                or not armed.applies_to(identity, now)
                or any(getattr(fault, name) != value for name, value in conditions.items())
            ):
                continue
            # Occasions are skipped before a random number is drawn: `skip` excludes the first ones, `chance`
            # selects among the rest.
            if armed.skip:
                armed.skip -= 1
                continue
            if fault.chance < 1 and (self._random is None or self._random.random() >= fault.chance):
                continue
            if armed.remaining is not None:
                armed.remaining -= 1
                if not armed.remaining:
                    self.disarm(armed)
            return fault  # type: ignore[no-any-return]
        return None

    def next_deadline(self) -> float | None:
        """Return the time at which the next fault begins or ends, in seconds of `Instant.monotonic`."""
        return self._times.first()

    def due(self, now: Instant) -> list[ArmedFault]:
        """Return the faults that have begun or ended since the last call."""
        changed: dict[int, ArmedFault] = {}
        while (key := self._times.pop(now.monotonic)) is not None:
            changed[key[0]] = self._armed[key[0]]
        return list(changed.values())

    def _update_inspects_bytes(self) -> None:
        self.inspects_bytes = any(kind in self._by_kind for kind in BYTE_LEVEL_FAULTS)
