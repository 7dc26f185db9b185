"""An observer that exports metrics to Prometheus. Requires the extra `metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.observe.observer import (
    ALERT_EVENTS,
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
    from prometheus_client import REGISTRY, Counter, Gauge, Histogram
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError:
    raise ConfigurationError(
        "metrics need prometheus-client: pip install 'kalshi-fix-sansio[metrics]'"
    ) from None

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Upper limits of the histogram buckets, in seconds."""

# Each label has few possible values: a ClOrdID as a label, for example, would create a time series for each
# order.
_UP = Gauge("fix_up", "1 while the session is established", ["session"])
_EVENTS = Counter("fix_events", "Events emitted by the client", ["session", "event"])
_ANSWER = Histogram(
    "fix_answer_seconds",
    "Time from sending a request to its first answer",
    ["session", "request"],
    buckets=BUCKETS,
)
_ROUND_TRIP = Histogram(
    "fix_round_trip_seconds", "Time from a TestRequest to its Heartbeat", ["session"], buckets=BUCKETS
)
_LOGON = Histogram("fix_logon_seconds", "Duration of a logon", ["session", "stage"], buckets=BUCKETS)


class PrometheusMetrics(Observer):
    """Metrics of one client, in the default registry of prometheus-client.

    The label `session` contains the name that you pass in.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        _UP.labels(session).set(0)  # set before the first logon, so that an alert also covers its failure
        # Start at 0, because Prometheus sees no increase in a counter that starts at 1.
        for kind in ALERT_EVENTS:
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


_BUS: Final = (
    (CounterMetricFamily, "published", "Messages that were published to the bus"),
    (CounterMetricFamily, "acknowledged", "Messages that the server has acknowledged"),
    (
        CounterMetricFamily,
        "dropped",
        "Market data messages dropped because too many events were waiting",
    ),
    (CounterMetricFamily, "received", "Messages that a consumer has received"),
    (CounterMetricFamily, "redelivered", "Attempts to publish a message again, or messages received again"),
    (CounterMetricFamily, "fenced", "Messages from a publisher that another publisher had replaced"),
    (CounterMetricFamily, "unreadable", "Messages that this library did not write"),
    (GaugeMetricFamily, "waiting", "Events that the server has not acknowledged yet"),
    (GaugeMetricFamily, "waiting_bytes", "Total size in bytes of the unacknowledged events"),
    (GaugeMetricFamily, "lag", "Messages that a consumer has not received yet"),
)
"""The attributes of publishers and consumers that are exported as metrics."""


class _BusMetrics(Collector):
    """Reads the attributes when Prometheus collects metrics, so that publishing is not slowed down."""

    def __init__(self) -> None:
        self.sources: dict[tuple[str, str], object] = {}
        REGISTRY.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that at least one source has."""
        for family, name, text in _BUS:
            metric = family(f"fix_bus_{name}", text, labels=["channel", "name"])
            for labels, source in [*self.sources.items()]:
                if hasattr(source, name):
                    metric.add_metric(labels, getattr(source, name))
            if metric.samples:
                yield metric


_BUS_METRICS: Final = _BusMetrics()


def export_bus(channel: str, name: str, source: object) -> None:
    """Export the metrics of a publisher or an iterator over events to the default registry, as `fix_bus_...`.

    Args:
        channel: the label `channel`.
        name: the label `name`, such as the name of your program. A later source replaces an
            earlier one with the same channel and name.
        source: the result of `Bus.publisher` or `Bus.events`.
    """
    _BUS_METRICS.sources[channel, name] = source
