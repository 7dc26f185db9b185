"""The observer for Prometheus; the test of the docs page on metrics runs it against the simulated venue."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

from prometheus_client import REGISTRY

from kalshi_fix_adapters.events import ReadingPaused
from kalshi_fix_adapters.observe.dispatch import Dispatcher
from kalshi_fix_adapters.observe.metrics import PrometheusMetrics, export_bus
from kalshi_fix_adapters.observe.observer import ALERT_EVENTS, HeartbeatTiming, LogonTiming
from kalshi_fix_sansio.session.states import State
from tests.helpers import Clock


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_alerts_are_counted_from_zero_and_labelled_with_the_clients_name() -> None:
    clock = Clock()
    one, two = PrometheusMetrics("one"), PrometheusMetrics("two")
    for kind in ALERT_EVENTS:
        assert value("fix_events_total", session="one", event=kind.__name__) == 0
    assert value("fix_up", session="one") == 0
    observers = Dispatcher("KalshiNR prediction", one)
    observers.report_event(ReadingPaused(5), clock.now)
    one.on_state(State.LOGON_SENT, State.ESTABLISHED, clock.now)
    assert value("fix_events_total", session="one", event="ReadingPaused") == 1
    assert value("fix_events_total", session="two", event="ReadingPaused") == 0
    assert (value("fix_up", session="one"), value("fix_up", session="two")) == (1, 0)
    one.on_state(State.ESTABLISHED, State.DISCONNECTED, clock.now)
    assert value("fix_up", session="one") == 0
    two.on_timing(HeartbeatTiming(0.004, "T1"), clock.now)
    two.on_timing(LogonTiming(0.5, 0.25, 2.0), clock.now)
    assert value("fix_round_trip_seconds_sum", session="two") == 0.004
    assert value("fix_round_trip_seconds_bucket", session="two", le="0.0025") == 0
    assert value("fix_round_trip_seconds_bucket", session="two", le="0.005") == 1
    stages = {
        stage: value("fix_logon_seconds_sum", session="two", stage=stage) for stage in ("tcp", "tls", "logon")
    }
    assert stages == {"tcp": 0.5, "tls": 0.25, "logon": 2.0}


def test_without_prometheus_client_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None; "
        "import kalshi_fix_adapters.blocking; import kalshi_fix_adapters.observe.metrics"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = process.stderr.splitlines()[-1]
    assert last.endswith("metrics need prometheus-client: pip install 'kalshi-fix-sansio[metrics]'")


def test_the_attributes_of_bus_publishers_and_consumers_are_exported_as_metrics() -> None:
    def exported(metric: str, name: str) -> float | None:
        return REGISTRY.get_sample_value(f"fix_bus_{metric}", {"channel": "c", "name": name})

    assert exported("lag", "reader") is None
    publisher = SimpleNamespace(published=3, acknowledged=2, redelivered=1, waiting=5, dropped=0)
    reader = SimpleNamespace(received=4, redelivered=0, fenced=0, unreadable=0, lag=7)
    export_bus("c", "desk", publisher)
    export_bus("c", "reader", reader)
    for name, found in [("desk", publisher), ("reader", reader)]:
        for attribute, expected in vars(found).items():
            total = "" if attribute in ("waiting", "lag") else "_total"
            assert exported(f"{attribute}{total}", name) == expected
    publisher.acknowledged = 3
    assert exported("acknowledged_total", "desk") == 3
    assert exported("lag", "desk") is None
    assert exported("published_total", "reader") is None
