"""Which connection of a client is made next, and when: the first one, and those after a failure or a loss."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import attrs

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.faults import Fault
from kalshi_fix_adapters.engine.retries import Retries
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.events import ConnectFailed, Disconnected, GaveUp
from kalshi_fix_adapters.net.endpoint import Endpoint
from kalshi_fix_adapters.net.tls import Security
from kalshi_fix_adapters.reconnect import GiveUp, ReconnectPolicy
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import SessionEnded


@attrs.frozen
class Attempt:
    """One connection to be made."""

    endpoint: Endpoint
    security: Security
    timeout: float
    """Seconds for TCP and TLS together."""
    number: int
    """1 for the first one after the client was opened or a connection was lost."""


class Phase(Enum):
    """Where a client stands between its connections."""

    OVER = "over"
    """Not begun, or over for good."""
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Attempts:
    """Where a client stands between its connections. It says what the user is to be told; others tell it."""

    def __init__(self, plan: ConnectionPlan, random: Callable[[], float], now: Instant) -> None:
        self.phase = Phase.OVER
        self.leaving = False
        """Whether the user has asked for the end."""
        self.error: KalshiFixError | None = None
        """Why there will be no more, unless the user wanted that."""
        self._plan = plan
        self._retries = Retries(plan.reconnect or ReconnectPolicy(), plan.config.heart_bt_int, random, now)
        self._number = 0
        self._stopped = False
        self._ever_logged_on = False

    @property
    def due(self) -> float:
        """When the next attempt is due, monotonic, if one is waited for."""
        return self._retries.due

    def next(self) -> Attempt:
        """Begin the one that is waited for."""
        self.phase = Phase.CONNECTING
        self._number += 1
        plan = self._plan
        return Attempt(plan.endpoint, plan.security, plan.timeout, self._number)

    def logged_on(self) -> bool:
        """A logon is complete; say whether it is the connection's first, and not a reset within it."""
        first, self._number = self._number > 0, 0
        self._ever_logged_on = True
        return first

    def leave(self) -> None:
        """The user wants the end: no more attempts."""
        self.leaving = True
        self._give_up_waiting()

    def stop(self) -> None:
        """The user wants no other connection than the present one."""
        self._stopped = True
        self._give_up_waiting()

    def _give_up_waiting(self) -> None:
        if self.phase is Phase.WAITING:
            self.phase = Phase.OVER

    def failed(self, error: KalshiFixError | None, now: Instant) -> ConnectFailed | GaveUp | None:
        """One came to nothing; no error if the user has left meanwhile."""
        policy = self._plan.reconnect
        if error is None or self.leaving:
            self.phase = Phase.OVER
        elif policy is None or self._stopped or not (self._ever_logged_on or policy.retry_first):
            self.error = error
            self.phase = Phase.OVER
        else:
            verdict = self._retries.failed(error, now)
            if isinstance(verdict, GiveUp):
                return self._give_up(error, verdict)
            self.phase = Phase.WAITING
            return ConnectFailed(error, verdict.seconds, verdict.note)
        return None

    def lost(
        self, ended: SessionEnded, fault: Fault | None, logged_on_at: float, now: Instant
    ) -> Disconnected | GaveUp | None:
        """A connection that was logged on is over."""
        if self.leaving or self._stopped or self._plan.reconnect is None:
            self.phase = Phase.OVER
            return None
        text = f"the session ended: {ended.text}"
        error = SessionClosedError(f"{text}; {ended.advice}" if ended.advice else text, ended)
        verdict = self._retries.lost(error, fault, logged_on_at, now)
        if isinstance(verdict, GiveUp):
            return self._give_up(error, verdict)
        self.phase = Phase.WAITING
        return Disconnected(ended, verdict.seconds, verdict.note)

    def _give_up(self, error: KalshiFixError, verdict: GiveUp) -> GaveUp:
        self.error = error
        self.phase = Phase.OVER
        return GaveUp(error, verdict.reason)
