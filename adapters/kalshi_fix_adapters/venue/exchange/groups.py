"""Order groups: how many contracts of a group's orders filled within the last 15 seconds (Kalshi's pages
on order groups)."""

from __future__ import annotations

from collections import Counter, deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from kalshi_fix_adapters.venue.exchange.orders import ZERO
from kalshi_fix_adapters.venue.exchange.terms import PREDICTION, AccountId
from kalshi_fix_sansio._generated.layouts.fields import ORDER_GROUP_CONTRACTS_LIMIT
from kalshi_fix_sansio._generated.limits import ORDER_GROUP_WINDOW, ORDER_GROUPS

ROLLING: Final = timedelta(seconds=ORDER_GROUP_WINDOW)
"""How long a fill counts."""
CONTRACTS_LIMITS: Final = range(
    ORDER_GROUP_CONTRACTS_LIMIT.minimum or 0, (ORDER_GROUP_CONTRACTS_LIMIT.maximum or 0) + 1
)
"""The limits a group can have (OrderGroupContractsLimit)."""
_RESOLUTION: Final = timedelta(milliseconds=1)
"""Fills of one group that are less than this apart count as one, so that memory is bounded in time."""


@attrs.define(eq=False)
class _Window:
    """What has filled of a group since it was last reset, as far as it still counts."""

    volume: Decimal = ZERO
    last: _Fill | None = None


@attrs.define(eq=False)
class _Fill:
    window: _Window
    time: datetime
    quantity: Decimal


@attrs.define(eq=False)
class OrderGroup:
    """One group. It belongs to an account, and so to one shard."""

    id: str
    account: AccountId
    limit: int
    """Contracts that may fill within the window."""
    triggered: bool = False
    """Whether it takes no orders until it is reset."""
    window: _Window = attrs.field(factory=_Window)

    @property
    def exceeded(self) -> bool:
        """Whether more has filled within the window than the limit allows."""
        return self.window.volume > self.limit

    def reset(self) -> None:
        """Take orders again, with nothing filled so far."""
        # A new window, and not an empty one: fills of before are still in the queue of all fills, and go on
        # leaving the old one.
        self.triggered = False
        self.window = _Window()


@attrs.define(eq=False)
class OrderGroups:
    """All groups of an exchange, and the fills that still count."""

    most: int = ORDER_GROUPS[PREDICTION]
    """How many one owner can have."""
    _by_id: dict[str, OrderGroup] = attrs.field(factory=dict)
    _owned: Counter[str] = attrs.field(factory=Counter)
    _fills: deque[_Fill] = attrs.field(factory=deque)
    """Of all groups, the oldest first."""
    _exceeded: dict[str, OrderGroup] = attrs.field(factory=dict)
    """Groups whose limit a fill has exceeded, and which have not been triggered for it yet."""

    def find(self, group_id: str | None, account: AccountId) -> OrderGroup | None:
        """Return a group, if this account owns it."""
        group = self._by_id.get(group_id or "")
        return group if group is not None and group.account == account else None

    def all(self) -> tuple[OrderGroup, ...]:
        """Return all groups, oldest first."""
        return tuple(self._by_id.values())

    def is_full(self, owner: str) -> bool:
        """Say whether an owner can have no more groups."""
        return self._owned[owner] >= self.most

    def add(self, group: OrderGroup) -> None:
        """Take in a new group."""
        self._by_id[group.id] = group
        self._owned[group.account.owner] += 1

    def remove(self, group: OrderGroup) -> None:
        """Forget a group."""
        del self._by_id[group.id]
        self._owned[group.account.owner] -= 1

    def count(self, group_id: str, quantity: Decimal, now: datetime) -> None:
        """Count a fill of an order of a group."""
        group = self._by_id[group_id]
        window = group.window
        window.volume += quantity
        if window.last is not None and now - window.last.time < _RESOLUTION:
            window.last.quantity += quantity
        else:
            window.last = _Fill(window, now, quantity)
            self._fills.append(window.last)
        # Noted here and not acted on: the order that fills is in the midst of matching (see
        # `matching.match`).
        if group.exceeded and not group.triggered:
            self._exceeded[group_id] = group

    def pop_exceeded(self) -> OrderGroup | None:
        """Return a group that is to be triggered for what has filled, the first one first, or None."""
        if not self._exceeded:
            return None
        return self._exceeded.pop(next(iter(self._exceeded)))

    def advance(self, now: datetime) -> None:
        """Let fills that are as old as the window is long count no more."""
        while self._fills and self._fills[0].time + ROLLING <= now:
            fill = self._fills.popleft()
            fill.window.volume -= fill.quantity
            if fill.window.last is fill:
                fill.window.last = None
