"""The observer interface of a client: bytes, states, events and timings, as they occur.

    class Latencies(Observer):
        def on_timing(self, timing, now):
            if isinstance(timing, OrderTiming):
                histogram.record(timing.seconds)

    with order_entry(observer=Latencies()) as client:
        ...

Hooks run inside the client, in its event loop or in the thread that reads or writes, often under its lock:
they must be quick, must not block and must not call the client. If one raises, the exception is logged, its
observer is disabled, and the session continues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import attrs

from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.session.states import State

Direction = Literal["sent", "received"]
"""Which way bytes pass, seen from the client."""
OnWire = Callable[[Direction, bytes, Instant], object]
"""Receives all bytes as they are read or written, with signatures; it must be quick and must not raise."""


@attrs.frozen
class LogonTiming:
    """How long it took from the first packet to being logged on, in seconds of the monotonic clock.

    Attributes:
        tcp: To find the host's address and to connect.
        tls: For the TLS handshake; 0 without TLS.
        logon: From the end of the handshake to the venue's answer to the Logon (LoggedOn).
    """

    tcp: float
    tls: float
    logon: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.tcp + self.tls + self.logon


@attrs.frozen
class HeartbeatTiming:
    """How long a TestRequest (1) waited for its Heartbeat.

    Attributes:
        seconds: Of the monotonic clock.
        test_req_id: TestReqID (112) of both.
    """

    seconds: float
    test_req_id: str


@attrs.frozen
class OrderTiming:
    """How long a message with a ClOrdID (11) waited for the first report or reject that names it.

    Attributes:
        seconds: Of the monotonic clock.
        cl_ord_id: ClOrdID (11) of both.
        request: Name of the sent message, such as NewOrderSingle.
        answer: Name of the answer: usually an ExecutionReport, the one with ExecType PENDING_NEW where the
            venue sends it.
    """

    seconds: float
    cl_ord_id: str
    request: str
    answer: Message


Timing = LogonTiming | HeartbeatTiming | OrderTiming


class Observer:
    """Override the hooks you want; the others do nothing, and cost nothing."""

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Handle bytes of the wire: Logons contain their signatures, and messages may be split or merged.

        Sent bytes are reported when the session returns them, just before they are written.
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
