"""Every deadline of a session, which of them count in which state, and which SendingTimes (52) are right.

Deadlines are seconds of `Instant.monotonic`. FIXT 1.1 session layer: "Heartbeats", "Test request processing".

"Message validation": SendingTime must be close to the reader's clock. That finds a clock that is wrong, and
messages of another time. It does not find a reader that was late: an event loop that was held up, a process
that was stopped, a computer that slept. So the caller must call regularly (`Timers.call_due`), and after a
gap between its calls, by either clock, messages sent during the gap may be as old as that. Everything else is
still refused: messages older than the gap, messages ahead of the clock, and, once a fresh message was read,
every late one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_sansio.clock import BEGINNING, END, Instant
from kalshi_fix_sansio.session.states import State

SILENCE_FACTOR = 1.2
"""HeartBtInt plus "some reasonable transmission time", for which FIX suggests 20 percent."""
COMMIT_SHARE = 0.5
"""The largest share of HeartBtInt that a commit may take: a Heartbeat waits for one, and the peer for it."""
NEVER: Final = math.inf


@attrs.define
class Timers:
    """When things happened last, and when something is due."""

    answer_patience: float
    """How many times HeartBtInt the answer to a TestRequest may take."""
    heart_bt_int: float = 0.0
    """As agreed; 0 while there are no heartbeats."""
    last_sent: float = 0.0
    """When the last message was queued for the transport."""
    last_received: float = 0.0
    """When the last complete message was received."""
    call_at: float = NEVER
    """Time at which the caller must pass the time even if no other deadline is due: a longer gap between its
    calls means that it was blocked."""
    reading_paused: bool = False
    """Whether the caller has paused reading; silence is then no sign of a dead peer."""
    probed_at: float | None = None
    """When a TestRequest was sent because of silence, while it is unanswered."""
    logon_at: float | None = None
    """When the Logon handshake, or the answer to a reset, has taken too long."""
    logout_at: float | None = None
    """When the answer to a Logout has taken too long."""
    resend_at: float | None = None
    """When the resend that this side waits for has stalled."""
    commit_limit: float = NEVER
    """Maximum age in seconds of a message whose record is not durable."""
    commit_at: float | None = None
    """When a commit of the store has taken too long; None while no message waits for one."""
    page_at: float | None = None
    """When the resend that this side serves continues; None while what it produced is not yet written."""

    def start(self, heart_bt_int: float, now: float) -> None:
        """Start heartbeats and the watch over the peer's."""
        self.heart_bt_int = heart_bt_int
        if heart_bt_int:
            self.commit_limit = min(self.commit_limit, heart_bt_int * COMMIT_SHARE)
        self.last_received = now
        self.probed_at = None

    def logon_due(self) -> float | None:
        """When the Logon handshake has taken too long."""
        return self.logon_at

    def logout_due(self) -> float | None:
        """When the answer to a Logout has taken too long."""
        return self.logout_at

    def resend_due(self) -> float | None:
        """When a resend has made no progress for too long."""
        return None if self.reading_paused else self.resend_at

    def call_due(self) -> float | None:
        """When the next call is required although no other deadline is due."""
        return None if self.call_at == NEVER else self.call_at

    def commit_due(self) -> float | None:
        """When a commit of the store has taken too long."""
        return self.commit_at

    def page_due(self) -> float | None:
        """Time at which the next part of a resend is due."""
        return self.page_at

    def heartbeat_due(self) -> float | None:
        """When this side has been silent for HeartBtInt."""
        return self.last_sent + self.heart_bt_int if self.heart_bt_int else None

    def silence_due(self) -> float | None:
        """When the peer has been silent for HeartBtInt and a fifth; then, when its answer to a TestRequest
        has taken too long."""
        if not self.heart_bt_int or self.reading_paused:
            return None
        if self.probed_at is not None:
            return self.probed_at + self.heart_bt_int * self.answer_patience
        return self.last_received + self.heart_bt_int * SILENCE_FACTOR

    def next_deadline(self, state: State) -> float | None:
        """When the first of the deadlines that count in this state is due; None if there is none."""
        first = None
        for rule in RUNNING[state]:
            due = rule(self)
            if due is not None and (first is None or due < first):
                first = due
        return first


Rule = Callable[[Timers], float | None]
"""Returns the time of a deadline, or None."""
_HANDSHAKE: tuple[Rule, ...] = (Timers.commit_due, Timers.logon_due)
_LOGGED_ON: tuple[Rule, ...] = (
    Timers.commit_due,
    Timers.silence_due,
    Timers.heartbeat_due,
    Timers.page_due,
    Timers.call_due,
)

RUNNING: Mapping[State, tuple[Rule, ...]] = MappingProxyType(
    {
        State.DISCONNECTED: (),
        State.AWAITING_LOGON: _HANDSHAKE,
        State.LOGON_RECEIVED: _HANDSHAKE,
        # An initiator excuses a Logon that waited here unread; an acceptor excuses none (`Handshake`).
        State.LOGON_SENT: (*_HANDSHAKE, Timers.call_due),
        State.ESTABLISHED: _LOGGED_ON,
        State.RECOVERING: (*_LOGGED_ON, Timers.resend_due),
        State.RESETTING: (*_LOGGED_ON, Timers.logon_due),
        State.LOGOUT_SENT: (Timers.commit_due, Timers.logout_due, Timers.page_due, Timers.call_due),
        State.ENDING: (Timers.commit_due, Timers.logout_due),
        State.CLOSED: (),
    }
)
"""Which deadlines count in which state, in the order in which they are dealt with: a store that has failed
first, since no message can be sent any more; silence before the heartbeat, because its TestRequest replaces
one. Once a Logout was sent there are no heartbeats any more, and its own deadline ends the session.
"""


SHORTEST_CALL = 1.0
"""Shortest interval of the required calls, in seconds; usually a third of the tolerance."""


class SendingTimes:
    """The bounds for SendingTime."""

    __slots__ = (
        "_call_within",
        "_grace",
        "_since",
        "_timers",
        "_tolerance",
        "_until",
        "catching_up",
        "earliest",
        "latest",
    )

    def __init__(self, tolerance: float | None, timers: Timers) -> None:
        self.earliest: datetime = BEGINNING
        self.latest: datetime = END
        """A SendingTime between these is right, as of the caller's last call."""
        self.catching_up: bool = False
        """Whether messages read now may have waited here; until a recent one is read."""
        self._since, self._until = BEGINNING, END
        """Between these moments a message was sent that may have waited here."""
        self._timers = timers
        self._tolerance = None if tolerance is None else timedelta(seconds=tolerance)
        self._call_within = NEVER if tolerance is None else max(SHORTEST_CALL, tolerance / 3)
        self._grace = self._call_within / 2
        """The largest delay of a call that does not count as held up."""

    def note_call(self, now: Instant) -> bool:
        """Record a call of the caller; return whether it was held up.

        A wall clock that advances by more than the tolerance while the monotonic clock does not counts too:
        the computer slept.
        """
        tolerance = self._tolerance
        if tolerance is None:
            return False
        timers, utc, monotonic = self._timers, now.utc, now.monotonic
        # `latest` is the last call by the wall clock, plus the tolerance. Each clock may miss what the other
        # shows: the monotonic one may stop while a computer sleeps, the other one may be set back.
        held_up = monotonic > timers.call_at + self._grace or utc > self.latest
        if held_up:
            # How long ago the last call was, by each clock. What left right before it may be late by the
            # tolerance as well, as at any other time.
            by_monotonic = timedelta(seconds=monotonic - timers.call_at + self._call_within)
            by_utc = utc - self.latest + tolerance
            self.catch_up(utc - max(by_monotonic, by_utc) - tolerance, utc)
        timers.call_at = monotonic + self._call_within
        self.earliest, self.latest = utc - tolerance, utc + tolerance
        return held_up

    def catch_up(self, since: datetime = BEGINNING, until: datetime = END) -> None:
        """Expect messages that waited here unread and were sent between these times."""
        # Messages that waited earlier may not all be read yet.
        if self.catching_up:
            since, until = min(since, self._since), max(until, self._until)
        self.catching_up = True
        self._since, self._until = since, until

    def catch_up_with(self, waited: float, now: Instant) -> None:
        """Expect messages that have waited here for this many seconds, and were not late before."""
        if self._tolerance is not None:
            self.catch_up(now.utc - timedelta(seconds=waited) - self._tolerance, now.utc)

    def has_read(self, sending_time: datetime | None) -> None:
        """Record that a message was read: if it is recent, no later message has waited."""
        if sending_time is not None and sending_time >= self.earliest:
            self.catching_up = False

    def may_have_waited(self, sending_time: datetime) -> bool:
        """Return whether a message is late, possibly because it waited here."""
        return (
            self.catching_up and sending_time < self.earliest and self._since <= sending_time <= self._until
        )
