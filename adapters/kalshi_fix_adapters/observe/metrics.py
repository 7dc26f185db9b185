"""An observer that exports metrics to Prometheus. It needs the extra `metrics`."""

from __future__ import annotations

from typing import Final

from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.observe.observer import (
    ALARMING,
    HeartbeatTiming,
    LogonTiming,
    Observer,
    OrderTiming,
    Timing,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.session.states import State

try:
    from prometheus_client import Counter, Gauge, Histogram
except ModuleNotFoundError:
    raise ConfigurationError(
        "metrics need prometheus-client: pip install 'kalshi-fix-sansio[metrics]'"
    ) from None

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Upper bounds of the histograms in seconds."""

# Labels have few values each: a ClOrdID would create a time series per order.
_UP = Gauge("fix_up", "1 while the session is established", ["session"])
_EVENTS = Counter("fix_events", "Events emitted by the client", ["session", "event"])
_ANSWER = Histogram(
    "fix_answer_seconds", "From send to the first answer", ["session", "request"], buckets=BUCKETS
)
_ROUND_TRIP = Histogram("fix_round_trip_seconds", "TestRequest to Heartbeat", ["session"], buckets=BUCKETS)
_LOGON = Histogram("fix_logon_seconds", "Duration of a logon", ["session", "stage"], buckets=BUCKETS)


class PrometheusMetrics(Observer):
    """Metrics of one client, in the default registry of prometheus-client.

    They are labelled `session` with the name that you give the client.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        _UP.labels(session).set(0)  # exists from the start, so alerts see a failing first logon
        for kind in ALARMING:  # Prometheus sees no increase in a counter that starts at 1
            _EVENTS.labels(session, kind.__name__)

    def on_state(self, old: State, new: State, now: Instant) -> None:
        """Set `fix_up`."""
        del old, now
        _UP.labels(self._session).set(new is State.ESTABLISHED)

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        """Count the event by its type."""
        del now
        _EVENTS.labels(self._session, type(event).__name__).inc()

    def on_timing(self, timing: Timing, now: Instant) -> None:
        """Add the duration to its histogram."""
        del now
        match timing:
            case OrderTiming():
                _ANSWER.labels(self._session, timing.request).observe(timing.seconds)
            case HeartbeatTiming():
                _ROUND_TRIP.labels(self._session).observe(timing.seconds)
            case LogonTiming():
                for stage in ("tcp", "tls", "logon"):
                    _LOGON.labels(self._session, stage).observe(getattr(timing, stage))
