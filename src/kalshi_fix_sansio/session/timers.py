"""The deadlines of a session, by state, and the accepted range of SendingTime (52).

Deadlines are seconds of `Instant.monotonic`. FIXT 1.1 session layer: "Heartbeats", "Test request processing".

FIXT 1.1 session layer, "Message validation": SendingTime must be close to the reader's clock. The check
detects wrong clocks and stale messages. But it would also reject valid messages that are read late because
the reader was blocked, for example by a long computation in the event loop, a stopped process or a suspended
computer. The caller must therefore call the session regularly (`CALL_DUE`). If too much time passes between
two calls, by either clock, the session accepts messages that were sent in that time, until it reads the first
recent message. Messages that are older still, or ahead of the clock, are rejected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_sansio.clock import BEGINNING, END, Instant
from kalshi_fix_sansio.session.states import State

SILENCE_FACTOR = 1.2
"""Silence after which a TestRequest is sent, as a multiple of HeartBtInt: FIX requires HeartBtInt plus "some
reasonable transmission time", and suggests 20 percent."""
COMMIT_SHARE = 0.5
"""Maximum duration of a commit, as a share of HeartBtInt. It is limited because a Heartbeat is sent only
after its commit.
"""
NEVER: Final = math.inf


@attrs.define
class Timers:
    """Times of the last messages, and deadlines."""

    max_answer_wait: float
    """Maximum time for the answer to a TestRequest, as a multiple of HeartBtInt."""
    heart_bt_int: float = 0.0
    """HeartBtInt of the Logon; 0 while there are no heartbeats."""
    last_sent: float = 0.0
    """Time at which the last message was queued for the transport."""
    last_received: float = 0.0
    """Time at which the last complete message was received."""
    call_at: float = NEVER
    """Time by which the caller must call the session again, even if no other deadline is due. A caller
    that misses it by more than a grace period counts as blocked.
    """
    reading_paused: bool = False
    """Whether the caller has paused reading; silence then does not indicate a dead peer."""
    probed_at: float | None = None
    """Time at which the unanswered TestRequest was sent because of silence; None if there is none."""
    logon_at: float | None = None
    """Deadline for the Logon handshake, or for the answer to a reset."""
    logout_at: float | None = None
    """Deadline for the answer to a Logout."""
    resend_at: float | None = None
    """Deadline for progress of the resend that this side waits for."""
    commit_limit: float = NEVER
    """Maximum age in seconds of a message whose record is not durable."""
    commit_at: float | None = None
    """Deadline for the store's commit; None while no message waits for one."""
    resumed_at: float = -NEVER
    """The time at which the caller last resumed after it was blocked. The age of a waiting message is
    measured from this time at the earliest.
    """
    page_at: float | None = None
    """Time at which the next page of the resend to the peer is produced; None until the previous page is
    written.
    """

    def start(self, heart_bt_int: float, now: float) -> None:
        """Start this side's Heartbeats, and the check that the peer is not silent."""
        self.heart_bt_int = heart_bt_int
        if heart_bt_int:
            self.commit_limit = min(self.commit_limit, heart_bt_int * COMMIT_SHARE)
        self.last_received = now
        self.probed_at = None

    def resend_due(self) -> float | None:
        """Return the deadline for progress of a resend; None while reading is paused."""
        return None if self.reading_paused else self.resend_at

    def reset_due(self) -> float | None:
        """Return the deadline for the answer to a reset; None while reading is paused."""
        return None if self.reading_paused else self.logon_at

    def heartbeat_due(self) -> float | None:
        """Return the time at which this side must send a Heartbeat."""
        return self.last_sent + self.heart_bt_int if self.heart_bt_int else None

    def silence_due(self) -> float | None:
        """Return the time at which to send a TestRequest to a silent peer or, once it was sent, the deadline
        for the answer.
        """
        if not self.heart_bt_int or self.reading_paused:
            return None
        if self.probed_at is not None:
            return self.probed_at + self.heart_bt_int * self.max_answer_wait
        return self.last_received + self.heart_bt_int * SILENCE_FACTOR

    def next_deadline(self, state: State) -> float | None:
        """Return the earliest deadline that applies in this state; None if there is none."""
        first = NEVER
        for deadline in DEADLINES_BY_STATE[state]:
            due = deadline(self)
            if due is not None and due < first:
                first = due
        return None if first == NEVER else first


Deadline = Callable[[Timers], float | None]
"""A function that returns the time of a deadline, or None."""
# `attrgetter` is faster than a method, and a client evaluates `next_deadline` after every message.
LOGON_DUE: Deadline = attrgetter("logon_at")
LOGOUT_DUE: Deadline = attrgetter("logout_at")
COMMIT_DUE: Deadline = attrgetter("commit_at")
PAGE_DUE: Deadline = attrgetter("page_at")
CALL_DUE: Deadline = attrgetter("call_at")
_HANDSHAKE: tuple[Deadline, ...] = (COMMIT_DUE, LOGON_DUE)
_LOGGED_ON: tuple[Deadline, ...] = (COMMIT_DUE, Timers.silence_due, Timers.heartbeat_due, PAGE_DUE, CALL_DUE)

DEADLINES_BY_STATE: Mapping[State, tuple[Deadline, ...]] = MappingProxyType(
    {
        State.DISCONNECTED: (),
        State.AWAITING_LOGON: _HANDSHAKE,
        State.LOGON_RECEIVED: _HANDSHAKE,
        # An initiator that was blocked accepts an old answer, so it needs `CALL_DUE` to detect the pause. An
        # acceptor never accepts an old Logon (`Handshake`), so it does not need this deadline.
        State.LOGON_SENT: (*_HANDSHAKE, CALL_DUE),
        State.ESTABLISHED: _LOGGED_ON,
        State.RECOVERING: (*_LOGGED_ON, Timers.resend_due),
        State.RESETTING: (*_LOGGED_ON, Timers.reset_due),
        State.LOGOUT_SENT: (COMMIT_DUE, LOGOUT_DUE, PAGE_DUE, CALL_DUE),
        State.ENDING: (COMMIT_DUE, LOGOUT_DUE),
        State.CLOSED: (),
    }
)
"""The deadlines that apply in each state, in the order in which they are handled. A late commit is first,
because it prevents all sending. Silence is before the Heartbeat, because a TestRequest replaces a Heartbeat.
After a Logout, no Heartbeats are sent, and the session ends at the deadline for the answer.
"""


MIN_CALL_INTERVAL = 1.0
"""The caller must call the session again within a third of the tolerance, or within this number of seconds if
that is longer.
"""


class SendingTimes:
    """The accepted range of SendingTime."""

    def __init__(self, tolerance: float | None, timers: Timers) -> None:
        self.earliest: datetime = BEGINNING
        self.latest: datetime = END
        """The range of SendingTimes that were within the tolerance at the caller's last call."""
        self.catching_up: bool = False
        """Whether the messages read now may have waited to be read. False again once a recent message is
        read.
        """
        self._since, self._until = BEGINNING, END
        """The range of SendingTimes of the messages that may have waited to be read."""
        self._timers = timers
        self._tolerance = None if tolerance is None else timedelta(seconds=tolerance)
        self._call_interval = NEVER if tolerance is None else max(MIN_CALL_INTERVAL, tolerance / 3)
        self._grace = self._call_interval / 2
        """Maximum delay of a call, in seconds, before the caller counts as blocked."""

    def record_call(self, now: Instant) -> bool:
        """Record a call; return whether the caller was blocked since the last call.

        The caller also counts as blocked if only the wall clock has advanced by more than the tolerance, as
        when the computer was suspended.
        """
        tolerance = self._tolerance
        if tolerance is None:
            return False
        timers, utc, monotonic = self._timers, now.utc, now.monotonic
        # `latest` is the time of the last call by the wall clock, plus the tolerance. Either clock may miss a
        # pause: the monotonic clock may stop while a computer is suspended, and the wall clock may be set
        # back.
        was_blocked = monotonic > timers.call_at + self._grace or utc > self.latest
        if was_blocked:
            # Time since the last call, by each clock. The range begins earlier by the tolerance, because a
            # message that arrived just after that call may have been sent that much earlier.
            monotonic_pause = timedelta(seconds=monotonic - timers.call_at + self._call_interval)
            utc_pause = utc - self.latest + tolerance
            self.catch_up(utc - max(monotonic_pause, utc_pause) - tolerance, utc)
            # The store may have been suspended too, or have completed the commit unnoticed.
            timers.resumed_at = monotonic
            if timers.commit_at is not None:
                timers.commit_at = monotonic + timers.commit_limit
        timers.call_at = monotonic + self._call_interval
        self.earliest, self.latest = utc - tolerance, utc + tolerance
        return was_blocked

    def catch_up(self, since: datetime = BEGINNING, until: datetime = END) -> None:
        """Expect messages that were sent between these times and have not been read yet."""
        # Some messages from an earlier pause may not have been read yet.
        if self.catching_up:
            since, until = min(since, self._since), max(until, self._until)
        self.catching_up = True
        self._since, self._until = since, until

    def catch_up_with(self, waited: float, now: Instant) -> None:
        """Expect messages that arrived in time but are read this many seconds later."""
        if self._tolerance is not None:
            self.catch_up(now.utc - timedelta(seconds=waited) - self._tolerance, now.utc)

    def record_read(self, sending_time: datetime | None) -> None:
        """Record that a message was read. If it is recent, no older message can have waited behind it."""
        if sending_time is not None and sending_time >= self.earliest:
            self.catching_up = False

    def may_have_waited(self, sending_time: datetime) -> bool:
        """Return whether a message may be too old only because it was read late."""
        return (
            self.catching_up and sending_time < self.earliest and self._since <= sending_time <= self._until
        )
