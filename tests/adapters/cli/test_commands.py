from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from kalshi_fix_adapters.cli.sessions.system_clock import Synchronization
from kalshi_fix_venue.identities import Authority, ClientKey
from kalshi_fix_venue.server import all_ports
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.pipes import interrupt, lines_until, started
from tests.adapters.cli.runner import invoke
from tests.adapters.net.peers import hang_up, keep_silent, listening

SYNCHRONIZATION = "kalshi_fix_adapters.cli.sessions.doctor.read_synchronization"
UNREGISTERED_KEY = ClientKey.generate(ed25519_key=True).private_key_pem.decode()
"""A private key that no API key uses."""


def doctor(environ: dict[str, Any], *args: object, status: int = 0) -> Result:
    """Run the command; a variable with the value None is unset."""
    return invoke("doctor", *args, environ=environ, status=status)


def steps(result: Result) -> dict[str, str]:
    """Return the doctor's result for each step, without details."""
    return {line[:11].rstrip(): line[13:20].rstrip() for line in result.stdout.splitlines()}


def failure_of(step: str, result: Result) -> str:
    """Return the sentence about the failed step, which must be the last step."""
    *before, (last, verdict) = steps(result).items()
    assert (last, verdict) == (step, "FAILED")
    assert "FAILED" not in dict(before).values()
    result.stdout_bytes = b""
    return error_of(result)


def error_of(result: Result) -> str:
    """Return the error of a failed command, which must be a single sentence."""
    assert result.stdout == ""
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("kalshi-fix: ")
    return sentence


# --- doctor


def test_the_doctor_reports_each_successful_step(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SYNCHRONIZATION, lambda: Synchronization(True, 0.125))
    result = doctor(environ)
    assert result.stderr == ""
    names = ("key", "NTP", "address", "TCP", "TLS", "certificate", "logon", "clock", "logout")
    assert steps(result) == dict.fromkeys(names, "ok")
    assert f"{environ['KALSHI_KEY_ID']}, for KalshiNR prediction at 127.0.0.1:" in result.stdout
    assert "synchronized, at most 0.125 s off" in result.stdout
    assert "HeartBtInt 30 seconds" in result.stdout
    result = doctor(environ, "--product", "margin", "--session", "KalshiMD")
    assert "KalshiMD margin" in result.stdout


@pytest.mark.parametrize(
    ("found", "verdict", "text"),
    [
        (Synchronization(False, 16.0), "warning", "the clock is not synchronized; run chrony or"),
        (None, "unknown", "this system does not report whether its clock is synchronized"),
    ],
)
def test_an_unsynchronized_clock_is_a_warning_and_not_a_failure(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    found: Synchronization | None,
    verdict: str,
    text: str,
) -> None:
    monkeypatch.setattr(SYNCHRONIZATION, lambda: found)
    result = doctor(environ)
    assert (steps(result)["NTP"], steps(result)["logout"]) == (verdict, "ok")
    assert text in result.stdout


def test_doctor_accepts_only_the_pinned_certificate(environ: dict[str, str], sandbox: Sandbox) -> None:
    port = str(sandbox.server.port("prediction", "KalshiNR"))
    address_options = ("--host", "127.0.0.1", "--port", port)
    refused = doctor(environ, *address_options, "--pin", "00" * 32, status=1)
    fingerprint = re.search(r"SHA-256 is ([0-9a-f]{64})", refused.stderr)
    assert fingerprint is not None
    assert "is not the pinned one" in failure_of("certificate", refused)
    doctor(environ, *address_options, "--pin", fingerprint[1])


@pytest.mark.parametrize(
    ("step", "changes", "arguments", "text"),
    [
        ("key", {"KALSHI_PRIVATE_KEY_PATH": "missing.pem"}, [], "missing.pem cannot be read"),
        ("key", {"KALSHI_KEY_ID": None}, [], "KALSHI_KEY_ID is not set"),
        ("key", {}, ["--environment", "production"], "KALSHI_FIX_ENDPOINTS is set"),
        ("address", {}, ["--host", "venue.invalid"], "has no known address"),
        ("TCP", {}, ["--host", "127.0.0.1", "--port", "1"], "refused the connection"),
        ("TCP", {}, ["--ca-file", "missing.pem"], "does not exist"),
        ("certificate", {}, ["--ca-file", "other.pem"], "could not be verified"),
        (
            "certificate",
            {},
            ["--ca-file", "venue/ca.pem", "--server-name", "venue.example"],
            "is not for venue.example",
        ),
        ("certificate", {}, ["--pin", "other.pem"], "is not the pinned one"),
        (
            "logon",
            {"KALSHI_PRIVATE_KEY_PATH": None, "KALSHI_PRIVATE_KEY": UNREGISTERED_KEY},
            [],
            "Invalid signature",
        ),
    ],
)
def test_doctor_reports_which_step_failed_and_why(
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    changes: dict[str, str | None],
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.pem").write_bytes(Authority().certificate_pem)
    assert text in failure_of(step, doctor(environ | changes, *arguments, status=1))


def test_doctor_reports_a_refusal_by_the_venue(environ: dict[str, str], sandbox: Sandbox) -> None:
    port = str(sandbox.server.port("prediction", "KalshiMD"))
    assert "TargetCompID" in failure_of("logon", doctor(environ, "--port", port, status=1))


def test_doctor_reports_a_peer_that_is_not_a_venue(environ: dict[str, str]) -> None:
    for handler, text in ((keep_silent, "did not answer the Logon"), (hang_up, "closed the connection")):
        with listening(handler) as port:
            address_options = ("--host", "127.0.0.1", "--port", str(port), "--plaintext", "--timeout", "0.3")
            assert text in failure_of("logon", doctor(environ, *address_options, status=1))


# --- venue


SLOW_TO_STOP = """
import asyncio, sys
from kalshi_fix_adapters.cli import main
from kalshi_fix_venue.server import VenueServer

stop_at_once = VenueServer.stop

async def stop(server):
    if sys.exception() is not None:  # the default ports are in use, so the venue starts again on others
        await stop_at_once(server)
        return
    print("stopping", flush=True)
    await asyncio.Event().wait()

VenueServer.stop = stop
main()
"""
"""A program whose venue never finishes stopping."""


def test_a_second_interrupt_ends_the_venue_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    with started("venue", "--folder", str(folder), program=("-c", SLOW_TO_STOP)) as process:
        lines_until(process, "export KALSHI_PRIVATE_KEY_PATH_2=")
        process.send_signal(signal.SIGINT)
        lines_until(process, "stopping")
        assert interrupt(process) == (130, b"")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_venue_serves_the_printed_ports_until_it_is_stopped(
    tmp_path: Path, stop: signal.Signals, status: int
) -> None:
    folder = tmp_path / "my sandbox"
    with started("venue", "--folder", str(folder)) as process:
        printed = lines_until(process, "export KALSHI_PERPS_PRIVATE_KEY_PATH_4=")
        exports = [line for line in printed if line.startswith("export ")]
        assert f"source '{folder / 'env.sh'}'" in printed
        assert [
            line for line in (folder / "env.sh").read_text().splitlines() if line.startswith("export ")
        ] == exports
        environ = dict(shlex.split(line)[1].split("=", 1) for line in exports)
        for product in ("prediction", "margin"):
            doctor(environ, "--product", product)
        assert interrupt(process, stop) == (status, b"")
    assert list(folder.iterdir()) == []


def test_venue_env_finds_the_folder_that_the_venue_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("KALSHI_FIX_VENUE_FOLDER", str(tmp_path / "previous"))
    assert "no venue is running" in error_of(invoke("venue", "env", status=1))
    with started("venue", environ={"TMPDIR": str(tmp_path)}) as process:
        lines_until(process, "export KALSHI_FIX_VENUE_FOLDER=")
        [folder] = tmp_path.iterdir()
        if os.name == "posix":
            assert folder.stat().st_mode & 0o777 == 0o700
        for arguments in ((), ("--folder", str(folder))):
            assert invoke("venue", "env", *arguments).stdout == f"{folder / 'env.sh'}\n"


@pytest.mark.skipif(os.name != "posix", reason="this system has no POSIX permissions")
def test_venue_does_not_put_files_into_a_folder_that_others_can_write_to(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    text = error_of(invoke("venue", "--folder", folder, status=1))
    assert "can be written by other users (mode 777" in text
    assert list(folder.iterdir()) == []


def test_venue_cannot_listen_on_ports_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = invoke("venue", "--folder", tmp_path / "new", "--first-port", port, status=1)
        assert "in use" in error_of(result)


USUAL_PORTS = """
import sys
from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_venue.cli import venue
venue.FIRST_PORT = int(sys.argv.pop(1))
commands()
"""


def free_ports() -> int:
    """Return the first of enough consecutive free ports for a venue, below the ephemeral port range."""
    for first in range(20_000, 30_000, 100):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in range(len(all_ports())):
                stack.enter_context(socket.create_server(("127.0.0.1", first + number)))
            return first
    raise AssertionError("no free ports")


def test_venue_uses_free_ports_if_its_usual_ports_are_in_use(tmp_path: Path) -> None:
    first = free_ports()
    endpoints = []
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            options = ["--folder", str(tmp_path / name), "--input-log", str(tmp_path / f"{name}.log")]
            process = stack.enter_context(started(str(first), "venue", *options, program=("-c", USUAL_PORTS)))
            stack.callback(interrupt, process)
            printed = lines_until(process, "KALSHI_FIX_ENDPOINTS=")
            endpoints.append(printed[-1])
            assert any("KXHIGHNY-26DEC31-B50 | prediction |   0.01" in line for line in printed), printed
    assert f"KalshiNR=127.0.0.1:{first}," in endpoints[0]
    assert f":{first}," not in endpoints[1]
    for name in ("one", "two"):
        invoke("venue", "replay", tmp_path / f"{name}.log")


# --- demo


def test_the_demo_explains_each_step() -> None:
    command = [sys.executable, "-m", "kalshi_fix_adapters.cli", "demo"]
    environ = os.environ | {"COLUMNS": "20"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert (result.returncode, result.stderr) == (0, "")
    output = result.stdout
    assert "\x1b" not in output
    assert output.isascii()
    assert max(len(line) for line in output.splitlines()) <= 110
    for text in (
        "you -> KalshiNR: Logon (A)",
        "KalshiMD -> you: MarketDataSnapshotFullRefresh (W)",
        "them -> KalshiNR: NewOrderSingle (D)",
        "Price=0.44 dollars",
        "ExecType=TRADE OrdStatus=PARTIALLY_FILLED",
        "RawData=<hidden>",
        "MDEntryPx=19.4800 dollars",
    ):
        assert text in output, text
    assert "dollars or cents" not in output
    orders, fills = output[output.index("Orders (contracts") :].split("Fills (contracts")
    assert re.search(r"prediction \| you +\| first-amended \| BUY .*\| +5\.00 \| 0\.00 \| CANCELED", orders)
    assert re.search(r"margin +\| you +\| perp +\| BUY .*\| +3\.00 \| 0\.00 \| FILLED", orders)
    assert len(re.findall(r"^\| (?:prediction|margin)", fills, re.MULTILINE)) == 4
