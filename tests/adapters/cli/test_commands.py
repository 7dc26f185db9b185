from __future__ import annotations

import builtins
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kalshi_fix_adapters.cli import main
from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.testing import Sandbox
from kalshi_fix_adapters.venue.identities import Authority, ClientKey
from tests.adapters.net.peers import hang_up, keep_silent, listening, unused_port

OWNER = "you"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox((OWNER,)) as running:
        yield running


@pytest.fixture
def environ(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """What `kalshi-fix venue` tells to export."""
    folder = tmp_path / "venue"
    found: dict[str, str] = {}
    for product, files in sandbox.write_files(folder, OWNER).items():
        prefix = {"prediction": "KALSHI", "margin": "KALSHI_PERPS"}[product]
        key_id, path = files[0]
        found |= {
            f"{prefix}_KEY_ID": key_id,
            f"{prefix}_PRIVATE_KEY_PATH": str(path),
            f"{prefix}_FIX_ENDPOINTS": sandbox.endpoints(product),
            f"{prefix}_FIX_CA_FILE": str(Sandbox.ca_path(folder)),
        }
    return found


def doctor(environ: dict[str, Any], *args: str) -> Result:
    """Run the command; a variable that is None is not set."""
    return CliRunner().invoke(commands, ["doctor", *args], env=environ)


def steps(result: Result) -> dict[str, str]:
    """What the doctor says of each step, without details."""
    return {line[:11].rstrip(): line[13:20].rstrip() for line in result.stdout.splitlines()}


def failed(step: str, result: Result) -> str:
    """The one sentence about the step that failed, which is the last one that was tried."""
    *before, (last, verdict) = steps(result).items()
    assert (last, verdict) == (step, "FAILED")
    assert "FAILED" not in dict(before).values()
    result.stdout_bytes = b""
    return refused(result)


def refused(result: Result) -> str:
    """The one sentence of a command that failed."""
    assert result.exit_code == 1
    assert result.stdout == ""
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("kalshi-fix: ")
    return sentence


# --- doctor


def test_the_doctor_says_of_each_step_that_it_worked(environ: dict[str, str]) -> None:
    result = doctor(environ)
    assert (result.exit_code, result.stderr) == (0, "")
    names = ("key", "address", "TCP", "TLS", "certificate", "logon", "clock", "logout")
    assert steps(result) == dict.fromkeys(names, "ok")
    assert f"{environ['KALSHI_KEY_ID']}, for KalshiNR prediction at 127.0.0.1:" in result.stdout
    assert "HeartBtInt 30 seconds" in result.stdout
    result = doctor(environ, "--product", "margin", "--session", "KalshiMD")
    assert "KalshiMD margin" in result.stdout


def test_doctor_with_a_pinned_certificate(environ: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    port = str(sandbox.server.port("prediction", "KalshiNR"))
    elsewhere = ("--host", "127.0.0.1", "--port", port)
    assert "is not the pinned one" in failed("certificate", doctor(environ, *elsewhere, "--pin", "00" * 32))
    fingerprint = re.search(
        r"SHA-256 is ([0-9a-f]{64})", doctor(environ, *elsewhere, "--pin", "00" * 32).stderr
    )
    assert fingerprint is not None
    assert doctor(environ, *elsewhere, "--pin", fingerprint[1]).exit_code == 0
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().issue().certificate_pem)
    assert "is not the pinned one" in failed("certificate", doctor(environ, "--pin", str(other)))


def test_doctor_with_a_wrong_key_file(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "no-key.pem"
    sentence = failed("key", doctor(environ | {"KALSHI_PRIVATE_KEY_PATH": str(path)}))
    assert f"{path} cannot be read" in sentence
    path.touch(0o600)
    path.write_text("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n")
    assert "public key" in failed("key", doctor(environ | {"KALSHI_PRIVATE_KEY_PATH": str(path)}))
    path.write_text("nothing")
    assert "not a PEM private key" in failed("key", doctor(environ | {"KALSHI_PRIVATE_KEY_PATH": str(path)}))


def test_doctor_with_a_key_that_does_not_match(environ: dict[str, str]) -> None:
    stranger = ClientKey.generate(ed25519_key=True).private_key_pem.decode()
    sentence = failed(
        "logon", doctor({**environ, "KALSHI_PRIVATE_KEY_PATH": None, "KALSHI_PRIVATE_KEY": stranger})
    )
    assert "check that the private key belongs to this API key id" in sentence


def test_doctor_without_a_key(environ: dict[str, str]) -> None:
    assert "KALSHI_KEY_ID is not set" in failed("key", doctor({**environ, "KALSHI_KEY_ID": None}))


def test_doctor_to_a_host_that_cannot_be_reached(environ: dict[str, str]) -> None:
    assert "refused the connection" in failed(
        "TCP", doctor(environ, "--host", "127.0.0.1", "--port", str(unused_port()))
    )
    assert "has no known address" in failed("address", doctor(environ, "--host", "venue.invalid"))


def test_doctor_to_a_venue_whose_certificate_does_not_verify(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(Authority().certificate_pem)
    assert "does not verify" in failed("certificate", doctor(environ, "--ca-file", str(path)))
    assert "does not exist" in failed("TCP", doctor(environ, "--ca-file", str(tmp_path / "none.pem")))
    assert "is not for venue.example" in failed(
        "certificate",
        doctor(environ, "--ca-file", environ["KALSHI_FIX_CA_FILE"], "--server-name", "venue.example"),
    )


def test_doctor_that_the_venue_refuses(environ: dict[str, str], sandbox: Sandbox) -> None:
    port = str(sandbox.server.port("prediction", "KalshiMD"))
    assert "TargetCompID" in failed("logon", doctor(environ, "--port", port))


def test_doctor_to_something_that_is_no_venue(environ: dict[str, str]) -> None:
    for handler, said in ((keep_silent, "did not answer the Logon"), (hang_up, "closed the connection")):
        with listening(handler) as port:
            elsewhere = ("--host", "127.0.0.1", "--port", str(port), "--plaintext", "--timeout", "0.3")
            assert said in failed("logon", doctor(environ, *elsewhere))


def test_doctor_to_production_is_not_mixed_with_the_simulated_venue(environ: dict[str, str]) -> None:
    assert "KALSHI_FIX_ENDPOINTS points elsewhere" in failed(
        "key", doctor(environ, "--environment", "production")
    )


def test_doctor_takes_either_tls_or_plaintext(environ: dict[str, str]) -> None:
    result = doctor(environ, "--plaintext", "--pin", "00" * 32)
    assert result.exit_code == 2
    assert "--plaintext goes without" in result.stderr


# --- venue


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    folder = tmp_path / "sandbox"
    command = [sys.executable, "-m", "kalshi_fix_adapters.cli", "venue", "--folder", str(folder)]
    # A test run that a shell started in the background ignores SIGINT, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, before)
        yield process, folder
        process.kill()


SLOW_TO_STOP = """
import asyncio
from kalshi_fix_adapters.cli import main
from kalshi_fix_adapters.venue.server import VenueServer

async def stop(server):
    print("stopping", flush=True)
    await asyncio.Event().wait()

VenueServer.stop = stop
main()
"""


def test_a_second_interrupt_ends_the_venue_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    command = [sys.executable, "-c", SLOW_TO_STOP, "venue", "--folder", str(folder)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith("export KALSHI_PRIVATE_KEY_PATH_2="):
                break
        process.send_signal(signal.SIGINT)
        assert any(line == "stopping\n" for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        said = process.stderr.read()
    assert said == ""
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_venue_serves_what_it_prints_until_it_is_stopped(
    venue: tuple[subprocess.Popen[str], Path], stop: signal.Signals, status: int
) -> None:
    process, folder = venue
    assert process.stdout is not None
    assert process.stderr is not None
    printed = []
    for line in process.stdout:
        printed.append(line.rstrip())
        if line.startswith("export KALSHI_PERPS_PRIVATE_KEY_PATH_2="):
            break
    exports = [line for line in printed if line.startswith("export ")]
    assert f"source {folder / 'env.sh'}" in printed
    assert [
        line for line in (folder / "env.sh").read_text().splitlines() if line.startswith("export ")
    ] == exports
    environ = dict(line.removeprefix("export ").split("=", 1) for line in exports)
    for product in ("prediction", "margin"):
        result = doctor(environ, "--product", product)
        assert result.exit_code == 0, result.stderr
    process.send_signal(stop)
    assert process.wait(30) == status
    assert process.stderr.read() == ""
    assert list(folder.iterdir()) == []


def test_venue_does_not_overwrite_files(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    result = CliRunner().invoke(commands, ["venue", "--folder", str(tmp_path)])
    assert "ca.pem exists already" in refused(result)


def test_venue_cannot_listen_where_another_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        arguments = ["venue", "--folder", str(tmp_path / "new"), "--first-port", port]
        assert "in use" in refused(CliRunner().invoke(commands, arguments))


# --- the command itself


def test_the_command_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_click(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith(("click", "kalshi_fix_adapters.cli.commands")):
            raise ModuleNotFoundError(name="click")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_click)
    with pytest.raises(SystemExit, match=re.escape("kalshi-fix-sansio[cli]")):
        main()


def test_help_names_every_command() -> None:
    listed = CliRunner().invoke(commands, ["--help"]).stdout
    for name in ("decode", "demo", "doctor", "venue"):
        assert re.search(rf"^  {name} ", listed, re.MULTILINE)


# --- demo


def run_demo(**changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kalshi_fix_adapters.cli", "demo"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **changes},
    )


def test_the_demo_tells_what_happens() -> None:
    result = run_demo(COLUMNS="20")
    assert (result.returncode, result.stderr) == (0, "")
    told = result.stdout
    assert "\x1b" not in told
    assert told.isascii()
    assert max(len(line) for line in told.splitlines()) <= 110
    for said in (
        "you -> KalshiNR: Logon (A)",
        "KalshiMD -> you: MarketDataSnapshotFullRefresh (W)",
        "them -> KalshiNR: NewOrderSingle (D)",
        "Price 0.44 dollars",
        "ExecType TRADE, OrdStatus PARTIALLY_FILLED",
        "RawData <hidden>",
        "MDEntryPx 19.4800 dollars",
    ):
        assert said in told, said
    assert "dollars or cents" not in told
    orders, fills = told[told.index("Orders (contracts") :].split("Fills (contracts")
    assert re.search(r"prediction \| you +\| first-amended \| BUY .*\| +5\.00 \| 0\.00 \| CANCELED", orders)
    assert re.search(r"margin +\| you +\| perp +\| BUY .*\| +3\.00 \| 0\.00 \| FILLED", orders)
    assert len(re.findall(r"^\| (?:prediction|margin)", fills, re.MULTILINE)) == 4


def test_the_demo_is_plain_for_any_encoding() -> None:
    assert run_demo(PYTHONIOENCODING="ascii").returncode == 0
