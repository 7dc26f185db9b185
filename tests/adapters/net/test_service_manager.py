"""Reports to a service manager, read from its socket as systemd does."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalshi_fix_adapters import blocking
from kalshi_fix_adapters.net.service_manager import ServiceManager
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.support import NO_DELAY, options

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
TIMEOUT = 30.0


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(TIMEOUT)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        yield receiver


def test_a_standby_reports_its_state(sandbox: Sandbox, tmp_path: Path, reports: socket.socket) -> None:
    chosen = options(sandbox, "KalshiRT", store=tmp_path / "stores", reset_seq_num=True, reconnect=NO_DELAY)
    with blocking.order_entry(retransmission=True, **chosen) as other:
        waiting = blocking.order_entry(retransmission=True, **chosen).standby(
            every=0.01, on_wait=lambda _: other.logout()
        )
        other._entered = False  # so `logout` closes the store, as leaving the context would
        with waiting:
            pass
    states = [reports.recv(4096).decode() for _ in range(4)]
    assert states[0] == "READY=1"
    assert states[1].startswith("STATUS=standby: ")
    assert "is already in use by this process" in states[1]
    assert states[2:] == ["STATUS=primary", "STOPPING=1"]


def test_the_watchdog_is_fed_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, reports: socket.socket
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000")
    manager = ServiceManager()
    manager.start_watchdog()
    assert [reports.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    manager.stop_watchdog()
    manager.notify("a\nb")
    while (received := reports.recv(100)) == b"WATCHDOG=1":
        pass
    assert received == b"a b"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "1000", "NOTIFY_SOCKET": ""},
    ],
)
def test_without_a_watchdog_no_keep_alives_are_sent(
    monkeypatch: pytest.MonkeyPatch, reports: socket.socket, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    manager = ServiceManager()
    manager.start_watchdog()
    manager.notify("READY=1")
    reports.setblocking(False)
    if environment.get("NOTIFY_SOCKET") != "":
        assert reports.recv(100) == b"READY=1"
    with pytest.raises(BlockingIOError):
        reports.recv(100)


def test_the_absence_of_the_service_managers_socket_is_ignored(
    monkeypatch: pytest.MonkeyPatch, reports: socket.socket
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    monkeypatch.setenv("NOTIFY_SOCKET", "@no-such-name")
    manager = ServiceManager()
    manager.start_watchdog()
    manager.notify("READY=1")
    manager.stop_watchdog()
