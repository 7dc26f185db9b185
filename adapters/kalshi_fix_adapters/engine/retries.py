"""The reconnection of one client: what has failed in a row, and when the next attempt is due."""

from __future__ import annotations

from collections.abc import Callable

from kalshi_fix_adapters.engine.faults import Fault
from kalshi_fix_adapters.engine.logon_errors import cure_of, is_already_connected
from kalshi_fix_adapters.reconnect import Cure, Failure, GiveUp, ReconnectPolicy, Wait
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError

OLD_CONNECTION = 2.0
"""HeartBtInts after which the venue must have given up a connection that is dead (the page on
authentication)."""


class Retries:
    """Counts failures and asks the policy."""

    def __init__(
        self, policy: ReconnectPolicy, heart_bt_int: int, random: Callable[[], float], now: Instant
    ) -> None:
        self.policy = policy
        self.due = now.monotonic
        """When the next attempt is due, monotonic."""
        self._expiry = OLD_CONNECTION * heart_bt_int
        self._random = random
        self._failures = 0
        self._unclear = 0
        """Unclear failures in a row, without a logon between them."""
        self._fault: Fault | None = None
        self._same = 0
        """Connections in a row that this fault has ended."""
        self._lost_at: float | None = None

    def lost(
        self, error: KalshiFixError, fault: Fault | None, logged_on_at: float, now: Instant
    ) -> Wait | GiveUp:
        """A connection that was logged on is over."""
        self._lost_at = now.monotonic
        stable = now.monotonic - logged_on_at >= self.policy.stable_after
        if stable:
            self._failures = 0
        self._unclear = 0
        if fault != self._fault or (stable and fault is not None and not fault.at_one_place):
            self._fault, self._same = fault, 0
        cure = cure_of(error)
        if fault is None or cure is not Cure.TIME:
            return self._decide(Failure(cure=cure, why=str(error)), now)
        why = f"{error}; {fault.advice}"
        verdict = self._decide(Failure(cure=Cure.SAME, why=why, times=self._same + 1), now)
        self._same += isinstance(verdict, Wait) and verdict.counts
        return verdict

    def failed(self, error: KalshiFixError, now: Instant) -> Wait | GiveUp:
        """An attempt has failed."""
        cure, at_least = cure_of(error), self._at_least(error, now)
        verdict = self._decide(
            Failure(cure=cure, why=str(error), at_least=at_least, times=self._unclear + 1), now
        )
        self._unclear += cure is Cure.UNCLEAR and isinstance(verdict, Wait) and verdict.counts
        return verdict

    def _decide(self, failure: Failure, now: Instant) -> Wait | GiveUp:
        verdict = self.policy.decide(failure, failures=self._failures + 1, now=now.utc, random=self._random)
        if isinstance(verdict, Wait):
            self._failures += verdict.counts
            self.due = now.monotonic + verdict.seconds
        return verdict

    def _at_least(self, error: KalshiFixError, now: Instant) -> float:
        """Return how long the venue still knows a connection of this key: the last one of this client, or one
        of somebody else's that dies at this moment at the earliest."""
        if not is_already_connected(error):
            return 0.0
        if self._lost_at is not None and self._lost_at + self._expiry > now.monotonic:
            return self._lost_at + self._expiry - now.monotonic
        return self._expiry
