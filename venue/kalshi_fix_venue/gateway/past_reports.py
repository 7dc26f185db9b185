"""History of the order events of the last few hours, retained for accounts with drop copy."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from kalshi_fix_venue.exchange import ExecId
from kalshi_fix_venue.exchange.outcomes import OrderOutcome, Outcome


@attrs.frozen
class PastEvents:
    """The events of one command for the orders of one account on one shard. They are retained together,
    because the report of one event depends on the next."""

    owner: str
    shard: int
    time: datetime
    outcomes: tuple[OrderOutcome, ...]

    @property
    def last(self) -> ExecId:
        """The id of the last event."""
        return self.outcomes[-1].exec_id


@attrs.define(eq=False)
class History:
    """The events of the orders of enabled owners, oldest first.

    Events older than `window` are dropped. If there are more than `max_events`, the oldest are dropped, too.
    """

    window: timedelta
    max_events: int
    enabled: set[str] = attrs.field(factory=set)
    """Owners whose events are retained. Events before an owner was enabled are not available."""
    _all: deque[PastEvents] = attrs.field(factory=deque)
    _by_account: dict[tuple[str, int], deque[PastEvents]] = attrs.field(factory=dict)
    """Events by owner and shard."""
    _forgotten: dict[int, ExecId] = attrs.field(factory=dict)
    """The id of the last dropped event, by shard."""
    _count: int = 0

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Retain the outcomes of a command."""
        events_by_account: dict[tuple[str, int], list[OrderOutcome]] = {}
        for outcome in outcomes:
            if isinstance(outcome, OrderOutcome) and outcome.order.account.owner in self.enabled:
                key = (outcome.order.account.owner, outcome.exec_id.shard)
                events_by_account.setdefault(key, []).append(outcome)
        for (owner, shard), events in events_by_account.items():
            entry = PastEvents(owner, shard, events[0].time, tuple(events))
            self._all.append(entry)
            self._by_account.setdefault((owner, shard), deque()).append(entry)
            self._count += len(events)
        if events_by_account:
            self.forget(self._all[-1].time)

    def forget(self, now: datetime) -> None:
        """Drop events beyond the age or size limit."""
        while self._all and (self._count > self.max_events or self._all[0].time < now - self.window):
            oldest = self._all.popleft()
            # The oldest event of all is also the oldest of its account.
            self._by_account[oldest.owner, oldest.shard].popleft()
            self._forgotten[oldest.shard] = max(oldest.last, self._forgotten.get(oldest.shard, oldest.last))
            self._count -= len(oldest.outcomes)

    def is_forgotten(self, begin: ExecId) -> bool:
        """Return whether this event or a later one may have been dropped."""
        last = self._forgotten.get(begin.shard)
        return last is not None and begin <= last

    def events_between(self, owner: str, begin: ExecId, end: ExecId) -> list[PastEvents]:
        """Return the entries with events from `begin` to `end` inclusive; the entries may also contain other
        events."""
        entries = self._by_account.get((owner, begin.shard), ())
        return [entry for entry in entries if entry.last >= begin and entry.outcomes[0].exec_id <= end]
