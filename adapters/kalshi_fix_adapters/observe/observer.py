"""The observer interface of a client: bytes, states, events and timings, as they occur.

    class Latencies(Observer):
        def on_timing(self, timing, now):
            if isinstance(timing, OrderTiming):
                histogram.record(timing.seconds)

    with order_entry(observer=Latencies()) as client:
        ...

Hooks run inside the client, in its event loop or in the thread that reads or writes, often with its lock
held. They must be quick, must not block and must not call the client. If a hook raises an exception, it is
logged, the observer is disabled, and the session continues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import attrs

from kalshi_fix_adapters.events import ClientEvent, GaveUp, ReadingPaused
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageRejected, MessagesLost, OrdersUnverified, OutcomesUnknown
from kalshi_fix_sansio.session.states import State

Direction = Literal["sent", "received"]
"""The direction of bytes, as seen from the client."""
OnWire = Callable[[Direction, bytes, Instant], object]
"""A function that is called with all bytes read or written, including signatures. It must be quick and must
not raise.
"""
ALERT_EVENTS: Final = (
    OutcomesUnknown,
    OrdersUnverified,
    MessagesLost,
    MessageRejected,
    ReadingPaused,
    GaveUp,
)
"""Events that should cause an alert; see docs/how-to/metrics.md."""


@attrs.frozen
class LogonTiming:
    """The duration of a logon, in seconds of the monotonic clock.

    Attributes:
        tcp: Duration of resolving the host and connecting.
        tls: Duration of the TLS handshake; 0 without TLS.
        logon: Time from the end of the handshake to the venue's answer to the Logon (LoggedOn).
    """

    tcp: float
    tls: float
    logon: float

    @property
    def total(self) -> float:
        """Total duration of the logon."""
        return self.tcp + self.tls + self.logon


@attrs.frozen
class HeartbeatTiming:
    """The time from a TestRequest (1) to the Heartbeat that answers it.

    Attributes:
        seconds: Duration, measured with the monotonic clock.
        test_req_id: TestReqID (112) of both.
    """

    seconds: float
    test_req_id: str


@attrs.frozen
class OrderTiming:
    """The time from a sent message with a ClOrdID (11) to the first report or reject with that id.

    Attributes:
        seconds: Duration, measured with the monotonic clock.
        cl_ord_id: ClOrdID (11) of both.
        request: Name of the sent message, such as NewOrderSingle.
        answer: The first answer, usually an ExecutionReport. Its ExecType is PENDING_NEW if the venue sends a
            pending report first.
    """

    seconds: float
    cl_ord_id: str
    request: str
    answer: Message


Timing = LogonTiming | HeartbeatTiming | OrderTiming


class Observer:
    """Base class of observers. Override the hooks you need; hooks that are not overridden take no time."""

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Handle bytes on the wire. Logons contain their signatures. One call may pass part of a message, or
        several messages.

        Sent bytes are reported when the session returns them, just before they are written.
        """

    def on_state(self, old: State, new: State, now: Instant) -> None:
        """Handle a change in the session's state.

        Every connection begins and ends with DISCONNECTED. Intermediate states while the session processes
        one input are left out.
        """

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        """Handle an event that was queued for your code: a session event, or a connection event such as
        Connecting."""

    def on_timing(self, timing: Timing, now: Instant) -> None:
        """Handle a measured duration."""
