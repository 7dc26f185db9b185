"""Measures the latency of logons, TestRequests and orders from the calls that a client makes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from kalshi_fix_adapters.observe.observer import HeartbeatTiming, LogonTiming, OrderTiming, Timing
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import HeartbeatReceived, LoggedOn, MessageReceived, RejectReceived

MAX_WAITING = 10_000
"""Maximum number of unanswered orders, and of unanswered TestRequests, that are kept. If there are more, the
oldest is dropped."""
_T = TypeVar("_T")


class Timings:
    """The start times of the durations being measured, in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._connect_began = 0.0
        """Time at which the attempt to connect began."""
        self._tcp_connected_at = 0.0
        """Time at which TCP was connected."""
        self._connected_at: float | None = None
        """Time at which the transport was connected; None after its logon was measured."""
        self._orders: OrderedDict[str, tuple[float, str]] = OrderedDict()
        """Time and message name of each sent request, by ClOrdID (11). They are kept when a connection is
        lost, because the answer may be received on the next connection.
        """
        self._tests: OrderedDict[str, float] = OrderedDict()
        """Time at which each TestRequest of this connection was sent, by TestReqID (112)."""

    def connecting(self, now: float) -> None:
        """Record the start of an attempt to connect."""
        self._connect_began = self._tcp_connected_at = now
        self._connected_at = None
        self._tests.clear()

    def tcp_connected(self, now: float) -> None:
        """Record that TCP is connected, before TLS."""
        self._tcp_connected_at = now

    def connected(self, now: float, *, secured: bool) -> None:
        """Record that the transport is connected."""
        self._connected_at = now
        # Without TLS, TCP is connected at the same time, and an adapter may not have called `tcp_connected`.
        if not secured:
            self._tcp_connected_at = now

    def sent(self, message: Message, now: float) -> None:
        """Record a user's message that the session has accepted."""
        # Not every message has a ClOrdID.
        cl_ord_id = getattr(message, "cl_ord_id", None)
        if cl_ord_id:
            _add(self._orders, cl_ord_id, (now, message.NAME))

    def test_request_sent(self, test_req_id: str, now: float) -> None:
        """Record a TestRequest that was sent."""
        _add(self._tests, test_req_id, now)

    def event(self, event: object, now: float) -> Timing | None:
        """Return the timing that an event completes, if any."""
        if isinstance(event, MessageReceived):
            return self._order_timing(event.message, event.message, now) if self._orders else None
        if isinstance(event, RejectReceived):
            return None if event.sent is None else self._order_timing(event.sent, event.reject, now)
        if isinstance(event, HeartbeatReceived):
            started = self._tests.pop(event.test_req_id, None)
            return None if started is None else HeartbeatTiming(now - started, event.test_req_id)
        if isinstance(event, LoggedOn) and self._connected_at is not None:
            timing = LogonTiming(
                self._tcp_connected_at - self._connect_began,
                self._connected_at - self._tcp_connected_at,
                now - self._connected_at,
            )
            self._connected_at = None  # a reset within the session emits LoggedOn again
            return timing
        return None

    def _order_timing(self, request: Message, answer: Message, now: float) -> OrderTiming | None:
        cl_ord_id = getattr(request, "cl_ord_id", None)
        sent = self._orders.pop(cl_ord_id, None) if cl_ord_id else None
        return None if sent is None else OrderTiming(now - sent[0], str(cl_ord_id), sent[1], answer)


def _add(waiting: OrderedDict[str, _T], key: str, value: _T) -> None:
    waiting[key] = value
    if len(waiting) > MAX_WAITING:
        waiting.popitem(last=False)
