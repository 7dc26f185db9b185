"""Every deadline of a session, and which of them count in which state.

All times are seconds of `Instant.monotonic`. FIXT 1.1 session layer: "Heartbeats", "Test request processing".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_sansio.session.states import State

SILENCE_FACTOR = 1.2
"""HeartBtInt plus "some reasonable transmission time", for which FIX suggests 20 percent."""
_ESTABLISHED: Final = State.ESTABLISHED
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
    """When the last whole message came."""
    call_at: float = NEVER
    """When the caller is to bring the time though nothing else is due, so that a long gap between its calls
    shows that it was held up."""
    reading_paused: bool = False
    """Whether the caller does not read for now; what does not come then says nothing about the peer."""
    probed_at: float | None = None
    """When a TestRequest was sent because nothing came, while it is unanswered."""
    logon_at: float | None = None
    """When the Logon handshake, or the answer to a reset, has taken too long."""
    logout_at: float | None = None
    """When the answer to a Logout has taken too long."""
    resend_at: float | None = None
    """When the resend that this side waits for has stalled."""
    page_at: float | None = None
    """When the resend that this side serves goes on; None while what it produced is not yet written."""

    def start(self, heart_bt_int: float, now: float) -> None:
        """Start heartbeats and the watch over the peer's."""
        self.heart_bt_int = heart_bt_int
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
        """When the caller is to come, though nothing else is due."""
        return None if self.call_at == NEVER else self.call_at

    def page_due(self) -> float | None:
        """When the next part of a resend is to be produced."""
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
        if (
            state is _ESTABLISHED
            and self.heart_bt_int
            and self.probed_at is None
            and self.page_at is None
            and not self.reading_paused
        ):
            # Asked for each message, so this says at once what the rules of `RUNNING` say for this state, by
            # which a report takes 10 % longer: whoever changes one changes both.
            silence = self.last_received + self.heart_bt_int * SILENCE_FACTOR
            heartbeat = self.last_sent + self.heart_bt_int
            first = heartbeat if heartbeat < silence else silence  # noqa: FURB136 - min() takes five times as long
            return first if first < self.call_at else self.call_at  # noqa: FURB136
        return min((due for rule in RUNNING[state] if (due := rule(self)) is not None), default=None)


Rule = Callable[[Timers], float | None]
"""Says when something is due, or None."""
_HANDSHAKE: tuple[Rule, ...] = (Timers.logon_due,)
_LOGGED_ON: tuple[Rule, ...] = (
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
        State.LOGOUT_SENT: (Timers.logout_due, Timers.page_due, Timers.call_due),
        State.ENDING: (Timers.logout_due,),
        State.CLOSED: (),
    }
)
"""Which deadlines count in which state, in the order in which they are dealt with: silence before the
heartbeat, because its TestRequest stands for one. Once a Logout has left there are no heartbeats any more,
and its own deadline ends the session."""
