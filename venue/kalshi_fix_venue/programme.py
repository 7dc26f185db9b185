"""What a venue does by itself once it begins: orders that rest, and operations at their times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.operations.base import Operation


@attrs.frozen(kw_only=True)
class Resting:
    """Orders of nobody in particular that rest around a price at the beginning."""

    product: str
    ticker: str
    middle: Decimal
    """Dollars."""
    spacing: Decimal
    """Dollars between two prices."""
    levels: int
    """Prices on each side."""
    largest: int
    """Contracts at one price, at most."""


@attrs.frozen(kw_only=True)
class Held:
    """What an account holds at the beginning. The other side is that of the account of resting orders."""

    product: str
    owner: str
    ticker: str
    quantity: Decimal
    """Contracts; negative for short (NO)."""
    price: Decimal
    """Dollars a contract at which it was opened."""


@attrs.frozen(kw_only=True)
class Step:
    """An operation at its time."""

    after: float
    """Seconds since the venue began."""
    operation: Operation


@attrs.frozen(kw_only=True)
class Programme:
    """What is to happen without anybody's asking."""

    held: tuple[Held, ...] = ()
    resting: tuple[Resting, ...] = ()
    steps: tuple[Step, ...] = ()
    """In any order. Those of the same time happen in theirs."""


class Agenda:
    """The steps of a programme that are still to come."""

    def __init__(self, programme: Programme) -> None:
        """Hold the steps back until `begin`."""
        self._steps = deque(sorted(programme.steps, key=lambda step: step.after))
        self._begun: float | None = None

    def begin(self, now: Instant) -> None:
        """Let the time of the steps count from now."""
        self._begun = now.monotonic

    def next_deadline(self) -> float | None:
        """Return when the next one is due, in seconds of `Instant.monotonic`."""
        if self._begun is None or not self._steps:
            return None
        return self._begun + self._steps[0].after

    def due(self, now: Instant) -> Iterator[Operation]:
        """Yield what is due, in order, each once."""
        while (deadline := self.next_deadline()) is not None and deadline <= now.monotonic:
            yield self._steps.popleft().operation
