"""The connection attempts of a client: the first attempt, and those after a failure or a connection loss."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import attrs

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.config.reconnect import Failure, GiveUp, ReconnectPolicy, Resolution, Wait
from kalshi_fix_adapters.engine.faults import Fault
from kalshi_fix_adapters.engine.logon_errors import is_already_connected, resolution_of
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.events import ConnectFailed, Disconnected, Endpoint, GaveUp
from kalshi_fix_adapters.net.tls import Security
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import SessionEnded

DEAD_CONNECTION_INTERVALS = 2.0
"""Time within which the venue drops a dead connection, in multiples of HeartBtInt (Kalshi's page on
authentication).
"""


@attrs.frozen
class Attempt:
    """A connection that the adapter must make."""

    endpoint: Endpoint
    security: Security
    timeout: float
    """Seconds for name resolution, TCP and TLS together."""
    number: int
    """Number of the attempt; 1 for the first after the client was opened or a connection was lost."""


class Phase(Enum):
    """The connection phase of a client."""

    INACTIVE = "inactive"
    """Not opened yet, or ended and not opened again."""
    WAITING = "waiting"
    """Waiting for the time of the next attempt."""
    CONNECTING = "connecting"
    """The adapter is opening a transport."""
    CONNECTED = "connected"
    """The adapter has a transport, whether its session is logged on or not."""


class Retries:
    """Counts failures and applies the reconnect policy."""

    def __init__(
        self, policy: ReconnectPolicy, heart_bt_int: int, random: Callable[[], float], now: Instant
    ) -> None:
        self.policy = policy
        self.due: float = now.monotonic
        """Monotonic time of the next attempt."""
        self._expiry = DEAD_CONNECTION_INTERVALS * heart_bt_int
        """Time in seconds within which the venue drops a dead connection."""
        self._random = random
        self._failures = 0
        """Number of counted failures since the last stable logon (`ReconnectPolicy.stable_after`)."""
        self._unclear_failures = 0
        """Number of unclear failures since the last logon."""
        self._fault: Fault | None = None
        """The fault that ended the last logged-on connection, if it may recur."""
        self._recurrences = 0
        """Number of consecutive connections that this fault has ended."""
        self._lost_at: float | None = None
        """Monotonic time at which the last logged-on connection was lost."""

    def record_loss(
        self, error: KalshiFixError, fault: Fault | None, logged_on_at: float, now: Instant
    ) -> Wait | GiveUp:
        """Record the loss of a logged-on connection, and return the decision on whether to reconnect."""
        self._lost_at = now.monotonic
        # A connection that is lost right after its logon does not reset the backoff. If it did, and a venue
        # accepted each Logon but then ended the session, the client would reconnect every second forever.
        stable = now.monotonic - logged_on_at >= self.policy.stable_after
        if stable:
            self._failures = 0
        self._unclear_failures = 0
        # `record_failure` does not clear the fault, so failed attempts between two connections do not restart
        # the count.
        if fault != self._fault or (stable and fault is not None and not fault.identifies_message):
            self._fault, self._recurrences = fault, 0
        resolution = resolution_of(error)
        if fault is None or resolution is not Resolution.TIME:
            return self._decide(Failure(resolution=resolution, why=str(error)), now)
        why = f"{error}; {fault.advice}"
        verdict = self._decide(
            Failure(resolution=Resolution.REPEATED, why=why, times=self._recurrences + 1), now
        )
        # Here and below, failures during the venue's maintenance are not counted.
        self._recurrences += isinstance(verdict, Wait) and verdict.counts
        return verdict

    def record_failure(self, error: KalshiFixError, now: Instant) -> Wait | GiveUp:
        """Record a failed attempt, and return the decision on whether to try again."""
        resolution, min_wait = resolution_of(error), self._seconds_until_key_is_free(error, now)
        verdict = self._decide(
            Failure(
                resolution=resolution,
                why=str(error),
                min_wait=min_wait,
                key_in_use=min_wait > 0,
                times=self._unclear_failures + 1,
            ),
            now,
        )
        self._unclear_failures += (
            resolution is Resolution.UNCLEAR and isinstance(verdict, Wait) and verdict.counts
        )
        return verdict

    def _decide(self, failure: Failure, now: Instant) -> Wait | GiveUp:
        verdict = self.policy.decide(failure, failures=self._failures + 1, now=now.utc, random=self._random)
        if isinstance(verdict, Wait):
            self._failures += verdict.counts
            self.due = now.monotonic + verdict.seconds
        return verdict

    def _seconds_until_key_is_free(self, error: KalshiFixError, now: Instant) -> float:
        """Return the number of seconds after which the venue may accept another connection with this API key;
        0 unless the error reports that the key already has a connection.

        If this client lost a connection recently, the time is measured from that loss. Otherwise another
        client has the connection, and the time is measured from now.
        """
        if not is_already_connected(error):
            return 0.0
        if self._lost_at is not None and self._lost_at + self._expiry > now.monotonic:
            return self._lost_at + self._expiry - now.monotonic
        return self._expiry


class Attempts:
    """The connection phase of a client, and the outcome of its attempts.

    Methods return the resulting event, if any, which the caller queues.
    """

    def __init__(self, plan: ConnectionPlan, random: Callable[[], float], now: Instant) -> None:
        self.phase: Phase = Phase.INACTIVE
        self.logging_out: bool = False
        """Whether the user has requested a logout."""
        self.error: KalshiFixError | None = None
        """Error after which no further attempts are made; None if no error ended them, as after a logout."""
        self._plan = plan
        self._retries = Retries(plan.reconnect or ReconnectPolicy(), plan.config.heart_bt_int, random, now)
        self._number = 0
        """Number of the current or last attempt; 0 after a logon."""
        self._stopped = False
        """Whether the user requested that no connection be made after the current one."""
        self._ever_logged_on = False
        """Whether a logon was completed. Before the first one, a failed attempt ends the client and `open`
        raises the error, unless `ReconnectPolicy.retry_first` is set.
        """

    @property
    def due(self) -> float:
        """Monotonic time of the next attempt, while waiting for one."""
        return self._retries.due

    def next(self) -> Attempt:
        """Begin the pending attempt."""
        self.phase = Phase.CONNECTING
        self._number += 1
        plan = self._plan
        return Attempt(plan.endpoint, plan.security, plan.timeout, self._number)

    def record_logon(self) -> bool:
        """Record a LoggedOn; return whether it is this connection's first, rather than that of a reset."""
        # A reset within the session emits LoggedOn again; `_number` is then 0, because no attempt has been
        # made since the first LoggedOn.
        is_first, self._number = self._number > 0, 0
        self._ever_logged_on = True
        return is_first

    def begin_logout(self) -> None:
        """Make no further attempts, because the user is logging out."""
        self.logging_out = True
        self._give_up_waiting()

    def stop(self) -> None:
        """Make no connection after the current one."""
        self._stopped = True
        self._give_up_waiting()

    def _give_up_waiting(self) -> None:
        if self.phase is Phase.WAITING:
            self.phase = Phase.INACTIVE

    def record_failure(self, error: KalshiFixError | None, now: Instant) -> ConnectFailed | GaveUp | None:
        """Record a failed attempt; `error` is None if the user has logged out in the meantime."""
        policy = self._plan.reconnect
        if error is None or self.logging_out:
            self.phase = Phase.INACTIVE
        elif policy is None or self._stopped or not (self._ever_logged_on or policy.retry_first):
            self.error = error
            self.phase = Phase.INACTIVE
        else:
            verdict = self._retries.record_failure(error, now)
            if isinstance(verdict, GiveUp):
                return self._give_up(error, verdict)
            self.phase = Phase.WAITING
            return ConnectFailed(error, verdict.seconds, verdict.note)
        return None

    def record_loss(
        self, ended: SessionEnded, fault: Fault | None, logged_on_at: float, now: Instant
    ) -> Disconnected | GaveUp | None:
        """Record the loss of a logged-on connection."""
        if self.logging_out or self._stopped or self._plan.reconnect is None:
            self.phase = Phase.INACTIVE
            return None
        text = f"the session ended: {ended.text}"
        error = SessionClosedError(f"{text}; {ended.advice}" if ended.advice else text, ended)
        verdict = self._retries.record_loss(error, fault, logged_on_at, now)
        if isinstance(verdict, GiveUp):
            return self._give_up(error, verdict)
        self.phase = Phase.WAITING
        return Disconnected(ended, verdict.seconds, verdict.note)

    def _give_up(self, error: KalshiFixError, verdict: GiveUp) -> GaveUp:
        self.error = error
        self.phase = Phase.INACTIVE
        return GaveUp(error, verdict.reason)
