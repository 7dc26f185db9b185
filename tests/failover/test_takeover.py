"""Takeovers of a session by another process: the ways in which the primary can end, and the behaviour of both
processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.example_programs import TIMEOUT, ExampleEnvironment, Script

PROGRAM = "standby.py"


@contextmanager
def pair(hosts: ExampleEnvironment) -> Iterator[tuple[Script, Script]]:
    """Run the program twice: the first process is the primary and has used MsgSeqNum 1, the second is the
    standby and waits."""
    with hosts.run(PROGRAM) as primary:
        primary.expect("primary; next MsgSeqNum 2")
        with hosts.run(PROGRAM) as standby:
            standby.expect("standby:", f"in use by process {primary.process.pid}")
            yield primary, standby


@pytest.mark.parametrize(
    ("stop_signal", "status", "first_number"),
    [
        (signal.SIGKILL, -signal.SIGKILL, 3),  # one more Logon
        (signal.SIGTERM, 0, 4),  # a Logout and a Logon
        (signal.SIGINT, 130, 4),
    ],
    ids=["killed", "terminated", "interrupted"],
)
def test_the_standby_takes_over_and_the_former_primary_becomes_the_standby(
    hosts: ExampleEnvironment, stop_signal: signal.Signals, status: int, first_number: int
) -> None:
    with pair(hosts) as (primary, standby):
        primary.process.send_signal(stop_signal)
        exit_status = primary.process.wait(TIMEOUT)
        assert exit_status in {status, -stop_signal}
        standby.expect(f"primary; next MsgSeqNum {first_number}")
        with hosts.run(PROGRAM) as restarted:
            restarted.expect("standby:", f"in use by process {standby.process.pid}")


def test_the_systemd_unit_is_valid() -> None:
    if not any(Path(folder, "systemd-analyze").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("systemd-analyze is not installed")
    unit = Path(__file__).resolve().parents[2] / "examples" / "kalshi-fix.service"
    result = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    # The example's program is not installed on this machine.
    problems = [line for line in result.stderr.splitlines() if "is not executable" not in line]
    assert problems == []
