"""What a client lets you see of its work: bytes, states, events and timings, as they happen.

    class Latencies(Observer):
        def on_timing(self, timing, now):
            if isinstance(timing, OrderTiming):
                histogram.record(timing.seconds)

    with order_entry(observer=Latencies()) as client:
        ...

Hooks run inside the client, in its event loop or in whichever thread reads or writes, often under its lock:
they must be quick, must not block and must not call the client. One that raises is logged, and its observer
is switched off; the session goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import attrs

from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session.states import State

Direction = Literal["sent", "received"]
"""Which way bytes pass, seen from the client."""
OnWire = Callable[[Direction, bytes, Instant], object]
"""Is told of all bytes as they pass, signatures included; it must be quick and must not raise."""


@explained
@attrs.frozen
class LogonTiming:
    """How long it took from the first packet to being logged on, in seconds of the monotonic clock."""

    tcp: float
    """To find the host's address and to connect."""
    tls: float
    """For the TLS handshake; 0 without TLS."""
    logon: float
    """From the end of the handshake to the venue's answer to the Logon (LoggedOn)."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.tcp + self.tls + self.logon


@explained
@attrs.frozen
class HeartbeatTiming:
    """How long a TestRequest (1) waited for its Heartbeat."""

    seconds: float
    """Of the monotonic clock."""
    test_req_id: str
    """TestReqID (112) of both."""


@explained
@attrs.frozen
class OrderTiming:
    """How long a message with a ClOrdID (11) waited for the first report or reject that names it."""

    seconds: float
    """Of the monotonic clock."""
    cl_ord_id: str
    """ClOrdID (11) of both."""
    request: str
    """What was sent, such as NewOrderSingle."""
    answer: Message
    """What came: mostly an ExecutionReport, the one with ExecType PENDING_NEW where the venue sends it."""


Timing = LogonTiming | HeartbeatTiming | OrderTiming


class Observer:
    """Override the hooks you want; the others do nothing, and cost nothing."""

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Bytes pass, as they are: Logons with their signatures, messages split and merged at will.

        What was sent is told when the session hands it over, just before it is written.
        """

    def on_state(self, old: State, new: State, now: Instant) -> None:
        """The session's state after something was done to it is another than before.

        Every connection begins and ends as DISCONNECTED. States that were passed through on the way are
        left out.
        """

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        """An event was put into the queue, where your code will find it: one of the session's, or of the
        client's own such as Connecting."""

    def on_timing(self, timing: Timing, now: Instant) -> None:
        """Something was measured."""
