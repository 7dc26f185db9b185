"""Scheduled activity of a venue: initial resting orders and positions, and operations at given times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.operations.base import Operation


@attrs.frozen(kw_only=True)
class InitialOrders:
    """Anonymous orders that rest around a price from the beginning."""

    product: str
    ticker: str
    middle: Decimal
    """Dollars."""
    spacing: Decimal
    """Dollars between neighbouring prices."""
    levels: int
    """Number of prices on each side."""
    largest: int
    """Maximum number of contracts at one price."""


@attrs.frozen(kw_only=True)
class InitialPosition:
    """An initial position. The counterparty is the account of the resting orders."""

    product: str
    owner: str
    ticker: str
    quantity: Decimal
    """Contracts; negative for short (NO)."""
    price: Decimal
    """Opening price in dollars per contract."""


@attrs.frozen(kw_only=True)
class Step:
    """A scheduled operation."""

    after: float
    """Seconds since the venue began."""
    operation: Operation


@attrs.frozen(kw_only=True)
class Schedule:
    """The activity of a venue that no client requests."""

    positions: tuple[InitialPosition, ...] = ()
    """Positions that accounts have at the start."""
    orders: tuple[InitialOrders, ...] = ()
    """Orders that rest in the books at the start."""
    steps: tuple[Step, ...] = ()
    """Operations with their times, in any order; those with the same time run in the order given."""


class Agenda:
    """The steps of a schedule that have not been performed yet."""

    def __init__(self, schedule: Schedule) -> None:
        """Create an agenda that performs no step until `begin` is called."""
        self._steps = deque(sorted(schedule.steps, key=lambda step: step.after))
        self._start: float | None = None

    def begin(self, now: Instant) -> None:
        """Record the time from which the steps are scheduled."""
        self._start = now.monotonic

    def next_deadline(self) -> float | None:
        """Return when the next step is due, in seconds of `Instant.monotonic`; None before `begin` or after
        the last step."""
        if self._start is None or not self._steps:
            return None
        return self._start + self._steps[0].after

    def pop_due(self, now: Instant) -> Iterator[Operation]:
        """Yield the operations that are due, in order, each once."""
        while (deadline := self.next_deadline()) is not None and deadline <= now.monotonic:
            yield self._steps.popleft().operation
