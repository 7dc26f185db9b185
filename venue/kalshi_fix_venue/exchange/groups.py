"""Order groups: limits on the contracts that a group's orders fill within a window (Kalshi's pages on
order groups)."""

from __future__ import annotations

from collections import Counter, deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from kalshi_fix_sansio._generated.layouts.fields import ORDER_GROUP_CONTRACTS_LIMIT
from kalshi_fix_sansio._generated.limits import ORDER_GROUP_WINDOW, ORDER_GROUPS
from kalshi_fix_venue.exchange.orders import ZERO
from kalshi_fix_venue.exchange.terms import PREDICTION, AccountId

WINDOW_LENGTH: Final = timedelta(seconds=ORDER_GROUP_WINDOW)
"""The length of the window in which fills are counted."""
CONTRACTS_LIMITS: Final = range(
    ORDER_GROUP_CONTRACTS_LIMIT.minimum or 0, (ORDER_GROUP_CONTRACTS_LIMIT.maximum or 0) + 1
)
"""Valid limits of a group (OrderGroupContractsLimit)."""
_RESOLUTION: Final = timedelta(milliseconds=1)
"""Fills of one group at intervals shorter than this are merged, which limits the memory used."""


@attrs.define(eq=False)
class _Window:
    """The fills of a group within the window since its last reset."""

    volume: Decimal = ZERO
    last: _Fill | None = None


@attrs.define(eq=False)
class _Fill:
    window: _Window
    time: datetime
    quantity: Decimal


@attrs.define(eq=False)
class OrderGroup:
    """One order group of an account, and thus of one shard."""

    id: str
    account: AccountId
    limit: int
    """Maximum number of contracts that may fill within the window."""
    triggered: bool = False
    """Whether it refuses orders until it is reset."""
    window: _Window = attrs.field(factory=_Window)

    @property
    def is_exceeded(self) -> bool:
        """Whether the fills within the window exceed the limit."""
        return self.window.volume > self.limit

    def reset(self) -> None:
        """Accept orders again, with no fills counted."""
        # The old window is replaced, not cleared: earlier fills are still in the queue of all fills,
        # and are later subtracted from the old window.
        self.triggered = False
        self.window = _Window()


@attrs.define(eq=False)
class OrderGroups:
    """All groups of an exchange, and the fills within their windows."""

    maximum: int = ORDER_GROUPS[PREDICTION]
    """Maximum number of groups of one owner."""
    _by_id: dict[str, OrderGroup] = attrs.field(factory=dict)
    _count_by_owner: Counter[str] = attrs.field(factory=Counter)
    _fills: deque[_Fill] = attrs.field(factory=deque)
    """The fills of all groups, oldest first."""
    _exceeded: dict[str, OrderGroup] = attrs.field(factory=dict)
    """Groups whose limit is exceeded and that have not been triggered yet."""

    def find(self, group_id: str | None, account: AccountId) -> OrderGroup | None:
        """Return a group if this account owns it, else None."""
        group = self._by_id.get(group_id or "")
        return group if group is not None and group.account == account else None

    def all(self) -> tuple[OrderGroup, ...]:
        """Return all groups, oldest first."""
        return tuple(self._by_id.values())

    def is_full(self, owner: str) -> bool:
        """Return whether an owner has the maximum number of groups."""
        return self._count_by_owner[owner] >= self.maximum

    def add(self, group: OrderGroup) -> None:
        """Add a new group."""
        self._by_id[group.id] = group
        self._count_by_owner[group.account.owner] += 1

    def remove(self, group: OrderGroup) -> None:
        """Remove a group."""
        del self._by_id[group.id]
        self._count_by_owner[group.account.owner] -= 1

    def record_fill(self, group_id: str, quantity: Decimal, now: datetime) -> None:
        """Add a fill of a group's order to the group's window."""
        group = self._by_id[group_id]
        window = group.window
        window.volume += quantity
        if window.last is not None and now - window.last.time < _RESOLUTION:
            window.last.quantity += quantity
        else:
            window.last = _Fill(window, now, quantity)
            self._fills.append(window.last)
        # Only recorded here: the order is still being matched (see `matching.match`), so the group is
        # triggered later.
        if group.is_exceeded and not group.triggered:
            self._exceeded[group_id] = group

    def pop_exceeded(self) -> OrderGroup | None:
        """Return the next group to trigger, or None. Groups are returned in the order in which they exceeded
        their limits."""
        if not self._exceeded:
            return None
        return self._exceeded.pop(next(iter(self._exceeded)))

    def advance(self, now: datetime) -> None:
        """Drop fills that have left the window."""
        while self._fills and self._fills[0].time + WINDOW_LENGTH <= now:
            fill = self._fills.popleft()
            fill.window.volume -= fill.quantity
            if fill.window.last is fill:
                fill.window.last = None
