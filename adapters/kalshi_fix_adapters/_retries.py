"""The reconnection of one client: what has failed in a row, and when the next attempt is due."""

from __future__ import annotations

from collections.abc import Callable

from kalshi_fix_adapters.reconnect import Failure, GiveUp, ReconnectPolicy, Wait
from kalshi_fix_adapters.refusals import cure_of, is_already_connected
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
        self._lost_at: float | None = None

    def lost(self, error: KalshiFixError, logged_on_at: float, now: Instant) -> Wait | GiveUp:
        """A connection that was logged on is over."""
        self._lost_at = now.monotonic
        if now.monotonic - logged_on_at >= self.policy.stable_after:
            self._failures = 0
        return self.failed(error, now)

    def failed(self, error: KalshiFixError, now: Instant) -> Wait | GiveUp:
        """An attempt has failed."""
        failure = Failure(cure=cure_of(error), why=str(error), at_least=self._at_least(error, now))
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
