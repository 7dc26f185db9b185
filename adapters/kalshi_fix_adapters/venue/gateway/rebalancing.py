"""Automatic rebalancing: the venue keeps an owner's free cash divided among shards as the owner has asked for
(the page on sharding)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from kalshi_fix_adapters.venue.exchange import AccountId, Command, Exchange, MoveCash
from kalshi_fix_adapters.venue.exchange.fees import floor
from kalshi_fix_adapters.venue.exchange.outcomes import Outcome
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Result
from kalshi_fix_adapters.venue.gateway.timers import Timers

INTERVAL: Final = timedelta(seconds=10)
"""How often it is looked at."""
_PERCENT = Decimal(100)


class Rebalancing:
    """Moves cash of primary accounts that have an allocation."""

    def __init__(
        self,
        exchange: Exchange,
        timers: Timers,
        execute: Callable[[Command, datetime], tuple[list[Delivery], Sequence[Outcome]]],
        allocations: Mapping[str, Mapping[int, Decimal]],
    ) -> None:
        """Take the percentages by shard of each owner who has asked for it; they add up to 100.

        `execute` does something at the exchange and tells those concerned: orders may expire first.
        """
        self._exchange = exchange
        self._execute = execute
        self._timers = timers
        self._allocations = allocations
        self._begun = False

    def begin(self, now: datetime) -> None:
        """Begin, if that has not been done and anybody has asked for it."""
        if self._allocations and not self._begun:
            self._begun = True
            self._timers.at(now + INTERVAL, self._look)

    def _look(self, now: datetime) -> Result:
        deliveries: list[Delivery] = []
        for owner, allocation in self._allocations.items():
            for command in self._transfers(owner, allocation):
                deliveries += self._execute(command, now)[0]
        # Not after the time that was planned: a venue that was not called for a day looks once.
        self._timers.at(now + INTERVAL, self._look)
        return deliveries, ()

    def _transfers(self, owner: str, allocation: Mapping[int, Decimal]) -> list[MoveCash]:
        accounts = {shard: self._exchange.account(AccountId(owner, 0, shard)) for shard in allocation}
        free = {shard: account.available for shard, account in accounts.items()}
        total = sum(free.values(), Decimal(0))
        if total <= 0:
            return []
        surplus: dict[int, Decimal] = {}
        wanted: dict[int, Decimal] = {}
        for shard, account in accounts.items():
            drift = free[shard] - total * allocation[shard] / _PERCENT
            # Rounded towards nothing: what is moved is there, and no more than is wanted.
            if drift > 0:
                surplus[shard] = floor(drift, account.precision)
            else:
                wanted[shard] = floor(-drift, account.precision)
        moves: list[MoveCash] = []
        for target, missing in wanted.items():
            left = missing
            for source, spare in surplus.items():
                amount = min(left, spare)
                if amount:
                    moves.append(MoveCash(accounts[source].id, accounts[target].id, amount))
                    surplus[source] -= amount
                    left -= amount
        return moves
