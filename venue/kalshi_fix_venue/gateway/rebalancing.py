"""Automatic rebalancing: the venue divides an owner's free cash among shards according to the owner's
percentages (Kalshi's page on sharding)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from kalshi_fix_sansio._generated.limits import REBALANCING_INTERVAL
from kalshi_fix_sansio.trading.money.fees import floor
from kalshi_fix_venue.exchange import AccountId, Command, Exchange, MoveCash
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.gateway.logins import Delivery, Result
from kalshi_fix_venue.gateway.timers import Timers

INTERVAL: Final = timedelta(seconds=REBALANCING_INTERVAL)
"""The interval of the checks."""
_PERCENT = Decimal(100)


class Rebalancing:
    """Transfers cash between the shards of primary accounts that have an allocation."""

    def __init__(
        self,
        exchange: Exchange,
        timers: Timers,
        execute: Callable[[Command, datetime], tuple[list[Delivery], Sequence[Outcome]]],
        allocations: Mapping[str, Mapping[int, Decimal]],
    ) -> None:
        """Rebalance each owner's cash to these percentages by shard, which add up to 100.

        `execute` runs a command on the exchange and returns the resulting reports and outcomes. These
        include reports about orders that expired since the last call, whose expiry is processed before the
        command.
        """
        self._exchange = exchange
        self._execute = execute
        self._timers = timers
        self._allocations = allocations
        self._has_begun = False

    def begin(self, now: datetime) -> None:
        """Start the checks, if they have not been started yet and an owner has an allocation."""
        if self._allocations and not self._has_begun:
            self._has_begun = True
            self._timers.schedule(now + INTERVAL, self._check)

    def _check(self, now: datetime) -> Result:
        deliveries: list[Delivery] = []
        for owner, allocation in self._allocations.items():
            for command in self._transfers(owner, allocation):
                deliveries += self._execute(command, now)[0]
        # Relative to now rather than to the planned time: a venue that was not called for a day checks once.
        self._timers.schedule(now + INTERVAL, self._check)
        return deliveries, ()

    def _transfers(self, owner: str, allocation: Mapping[int, Decimal]) -> list[MoveCash]:
        accounts = {shard: self._exchange.account(AccountId(owner, 0, shard)) for shard in allocation}
        free = {shard: account.available for shard, account in accounts.items()}
        total = sum(free.values(), Decimal(0))
        if total <= 0:
            return []
        surplus: dict[int, Decimal] = {}
        shortfall: dict[int, Decimal] = {}
        for shard, account in accounts.items():
            drift = free[shard] - total * allocation[shard] / _PERCENT
            # Rounded towards zero, so that a transfer exceeds neither the available cash nor the drift.
            if drift > 0:
                surplus[shard] = floor(drift, account.precision)
            else:
                shortfall[shard] = floor(-drift, account.precision)
        moves: list[MoveCash] = []
        for target, missing in shortfall.items():
            remaining = missing
            for source, spare in surplus.items():
                amount = min(remaining, spare)
                if amount:
                    moves.append(MoveCash(accounts[source].id, accounts[target].id, amount))
                    surplus[source] -= amount
                    remaining -= amount
        return moves
