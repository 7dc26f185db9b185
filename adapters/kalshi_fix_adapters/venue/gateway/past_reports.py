"""What happened to orders in the last hours, kept for accounts that may ask for it again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from kalshi_fix_adapters.venue.exchange import ExecId
from kalshi_fix_adapters.venue.exchange.outcomes import OrderOutcome, Outcome

Place = tuple[int, int]
"""Where an event stands among those of its shard: clock and event of its ExecId."""


def place(exec_id: ExecId) -> Place:
    """Return where an event stands among those of its shard."""
    return exec_id.clock, exec_id.event


@attrs.frozen
class PastEvents:
    """What one command did to the orders of one account on one shard. It is kept whole, since how one event
    is reported depends on the next."""

    owner: str
    shard: int
    time: datetime
    outcomes: tuple[OrderOutcome, ...]

    @property
    def last(self) -> Place:
        """The last of the events."""
        return place(self.outcomes[-1].exec_id)


@attrs.define(eq=False)
class History:
    """The events of the accounts that are enabled, oldest first.

    It is bounded: what is older than `window` is forgotten and, beyond `most` events, the oldest are.
    """

    window: timedelta
    most: int
    enabled: set[str] = attrs.field(factory=set)
    """Owners whose events are kept. What happened before an owner was enabled is not known."""
    _all: deque[PastEvents] = attrs.field(factory=deque)
    _by_account: dict[tuple[str, int], deque[PastEvents]] = attrs.field(factory=dict)
    """By owner and shard."""
    _forgotten: dict[int, Place] = attrs.field(factory=dict)
    """The last event of each shard that was kept and is no more."""
    _count: int = 0

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what a command did."""
        found: dict[tuple[str, int], list[OrderOutcome]] = {}
        for outcome in outcomes:
            if isinstance(outcome, OrderOutcome) and outcome.order.account.owner in self.enabled:
                key = (outcome.order.account.owner, outcome.exec_id.shard)
                found.setdefault(key, []).append(outcome)
        for (owner, shard), events in found.items():
            past = PastEvents(owner, shard, events[0].time, tuple(events))
            self._all.append(past)
            self._by_account.setdefault((owner, shard), deque()).append(past)
            self._count += len(events)
        if found:
            self.forget(self._all[-1].time)

    def forget(self, now: datetime) -> None:
        """Forget what is too old or too much."""
        while self._all and (self._count > self.most or self._all[0].time < now - self.window):
            oldest = self._all.popleft()
            # The oldest of all is the oldest of its account, too.
            self._by_account[oldest.owner, oldest.shard].popleft()
            self._forgotten[oldest.shard] = max(oldest.last, self._forgotten.get(oldest.shard, oldest.last))
            self._count -= len(oldest.outcomes)

    def is_forgotten(self, shard: int, begin: Place) -> bool:
        """Say whether events from this one on may have been forgotten."""
        return begin <= self._forgotten.get(shard, (-1, 0))

    def between(self, owner: str, shard: int, begin: Place, end: Place) -> list[PastEvents]:
        """Return what has events from `begin` to `end` inclusive; it may have others beside."""
        kept = self._by_account.get((owner, shard), ())
        return [past for past in kept if past.last >= begin and place(past.outcomes[0].exec_id) <= end]
