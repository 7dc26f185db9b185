"""Which connection of a client is made next, and when: the first one, and those after a failure or a loss."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import attrs

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.config.reconnect import Cure, Failure, GiveUp, ReconnectPolicy, Wait
from kalshi_fix_adapters.engine.faults import Fault
from kalshi_fix_adapters.engine.logon_errors import cure_of, is_already_connected
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.events import ConnectFailed, Disconnected, Endpoint, GaveUp
from kalshi_fix_adapters.net.tls import Security
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import SessionEnded

OLD_CONNECTION = 2.0
"""HeartBtInts after which the venue must have given up a connection that is dead (the page on
authentication)."""


@attrs.frozen
class Attempt:
    """One connection to be made."""

    endpoint: Endpoint
    security: Security
    timeout: float
    """Seconds for all of it: name, TCP and TLS."""
    number: int
    """1 for the first one after the client was opened or a connection was lost."""


class Phase(Enum):
    """Where a client stands between its connections."""

    OVER = "over"
    """Not begun, or over until it is opened again."""
    WAITING = "waiting"
    """For the moment at which the next attempt is due."""
    CONNECTING = "connecting"
    """The adapter makes a transport."""
    CONNECTED = "connected"
    """It has one, whether its session is logged on or not."""


class Retries:
    """Counts failures and asks the policy."""

    def __init__(
        self, policy: ReconnectPolicy, heart_bt_int: int, random: Callable[[], float], now: Instant
    ) -> None:
        self.policy = policy
        self.due: float = now.monotonic
        """When the next attempt is due, monotonic."""
        self._expiry = OLD_CONNECTION * heart_bt_int
        """Seconds after which the venue gives up a connection that is dead."""
        self._random = random
        self._failures = 0
        """Failures in a row that count, since a logon that has lasted (`ReconnectPolicy.stable_after`)."""
        self._unclear = 0
        """Unclear failures in a row, without a logon between them."""
        self._fault: Fault | None = None
        """What ended the last connection that was logged on, if that is known to come again."""
        self._same = 0
        """Connections in a row that this fault has ended."""
        self._lost_at: float | None = None
        """When the last one that was logged on was lost, monotonic."""

    def lost(
        self, error: KalshiFixError, fault: Fault | None, logged_on_at: float, now: Instant
    ) -> Wait | GiveUp:
        """A connection that was logged on is over."""
        self._lost_at = now.monotonic
        # A logon that is lost at once does not begin the waits anew: a venue that takes every Logon and ends
        # every session would be called once a second for ever.
        stable = now.monotonic - logged_on_at >= self.policy.stable_after
        if stable:
            self._failures = 0
        self._unclear = 0
        # `failed` leaves the fault alone: attempts that fail between two connections do not make it another.
        if fault != self._fault or (stable and fault is not None and not fault.at_one_place):
            self._fault, self._same = fault, 0
        cure = cure_of(error)
        if fault is None or cure is not Cure.TIME:
            return self._decide(Failure(cure=cure, why=str(error)), now)
        why = f"{error}; {fault.advice}"
        verdict = self._decide(Failure(cure=Cure.SAME, why=why, times=self._same + 1), now)
        # What fails during the venue's maintenance is not counted, here and below.
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
        """Return the seconds for which the venue may still hold a connection of this API key; 0 unless it
        said so. The connection that this client has lost expires from its loss on. Any other one is somebody
        else's, and expires from now on at the earliest."""
        if not is_already_connected(error):
            return 0.0
        if self._lost_at is not None and self._lost_at + self._expiry > now.monotonic:
            return self._lost_at + self._expiry - now.monotonic
        return self._expiry


class Attempts:
    """Where a client stands between its connections. Its methods return the event that the user is to get, if
    there is one; the caller queues it."""

    def __init__(self, plan: ConnectionPlan, random: Callable[[], float], now: Instant) -> None:
        self.phase: Phase = Phase.OVER
        self.leaving: bool = False
        """Whether the user has asked for the end."""
        self.error: KalshiFixError | None = None
        """Why there will be no more, unless the user wanted that."""
        self._plan = plan
        self._retries = Retries(plan.reconnect or ReconnectPolicy(), plan.config.heart_bt_int, random, now)
        self._number = 0
        """Of the present attempt, or the last; 0 from its logon on."""
        self._stopped = False
        """Whether the user wants no other connection than the present one."""
        self._ever_logged_on = False
        """Whether a logon was completed; until then a failure is raised by `open`, unless
        `ReconnectPolicy.retry_first` says otherwise."""

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
        # A reset within the session tells LoggedOn again and finds 0 here: no attempt was made since.
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
