"""Takeovers of a session by another process: how the primary ends, and what either of them does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.engine.standby import LOST
from tests.example_programs import PATIENCE, Place, Script
from tests.postgres import Server, execute_at

PROGRAM = "standby.py"
FENCE = "SELECT fence FROM kalshi_fix.session"


@contextmanager
def pair(hosts: Place) -> Iterator[tuple[Script, Script]]:
    """Run the program twice: the first is the primary, and has used number 1; the second waits."""
    with hosts.run(PROGRAM) as primary:
        primary.expect("primary from 2")
        with hosts.run(PROGRAM) as standby:
            standby.expect("standby:", f"in use by process {primary.process.pid}")
            yield primary, standby


def fence(hosts: Place) -> int:
    [(found,)] = execute_at(hosts.environ["STORE"].partition("&")[0], FENCE)
    return int(found)


@pytest.mark.parametrize(
    ("ends_by", "status", "first"),
    [
        (signal.SIGKILL, -signal.SIGKILL, 3),  # a Logon more
        (signal.SIGTERM, 0, 4),  # a Logout and a Logon
        (signal.SIGINT, 130, 4),
    ],
    ids=["killed", "terminated", "interrupted"],
)
def test_the_standby_takes_over_and_the_former_primary_becomes_the_standby(
    hosts: Place, ends_by: signal.Signals, status: int, first: int
) -> None:
    with pair(hosts) as (primary, standby):
        primary.process.send_signal(ends_by)
        ended = primary.process.wait(PATIENCE)
        assert ended in {status, -ends_by}
        standby.expect(f"primary from {first}")
        with hosts.run(PROGRAM) as again:
            again.expect("standby:", f"in use by process {standby.process.pid}")


def test_a_process_that_was_stopped_ends_when_it_wakes_after_a_takeover(hosts: Place) -> None:
    with pair(hosts) as (primary, standby):
        before = fence(hosts)
        primary.process.send_signal(signal.SIGSTOP)
        while fence(hosts) == before:
            assert standby.process.poll() is None
        # The venue still has the connection of the stopped process.
        primary.process.send_signal(signal.SIGCONT)
        assert primary.process.wait(PATIENCE) == LOST
        standby.expect("primary from")


def test_a_watchdog_kills_a_process_that_was_stopped(hosts: Place, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0.5)
        watched = attrs.evolve(
            hosts,
            environ={**hosts.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"},
        )
        with watched.run(PROGRAM) as primary:
            primary.expect("primary from 2")
            with hosts.run(PROGRAM) as standby:
                standby.expect("standby:")
                primary.process.send_signal(signal.SIGSTOP)
                # What systemd does with WatchdogSec and WatchdogSignal.
                with contextlib.suppress(TimeoutError):
                    while manager.recv(4096):
                        pass
                primary.process.kill()
                standby.expect("primary from 3")


def test_a_primary_without_its_database_ends_and_both_wait_for_it(hosts: Place, server: Server) -> None:
    with pair(hosts) as (primary, standby):
        server.control("-m", "immediate", "-w", "stop")
        assert primary.process.wait(PATIENCE) == LOST
        standby.expect("standby:", "could not be read or written")
        server.start()
        standby.expect("primary from")


def test_the_unit_is_valid() -> None:
    if not any(Path(folder, "systemd-analyze").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("systemd-analyze is not installed")
    unit = Path(__file__).resolve().parents[2] / "examples" / "kalshi-fix.service"
    found = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    # The program of the example is not installed here.
    problems = [line for line in found.stderr.splitlines() if "is not executable" not in line]
    assert problems == []
