"""Clients without TLS behind the real stunnel on this machine.

Runs where stunnel is installed or `make stunnel` has fetched it; `STUNNEL_REQUIRED=1` makes a skip a failure.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kalshi_fix_adapters import blocking
from kalshi_fix_adapters.cli.sandbox import MARKETS, Sandbox
from kalshi_fix_adapters.errors import LogonFailedError
from kalshi_fix_adapters.plan import Options
from kalshi_fix_adapters.tls import Plaintext
from kalshi_fix_adapters.venue.identities import Authority
from kalshi_fix_sansio import ExecType, ExecutionReport, NewOrderSingle, OrdType, Side
from kalshi_fix_sansio.events import CloseReason
from tests.adapters.conftest import ME
from tests.adapters.peers import unused_port

LONG = 30.0
"""Seconds after which a test gives up waiting for what must come."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kalshi-fix-sansio"
CONFIGURATION = """
foreground = yes
pid =
debug = info
[venue]
client = yes
accept = 127.0.0.1:0
connect = {host}:{port}
CAfile = {ca}
verifyChain = yes
checkIP = {host}
"""
_BOUND = re.compile(r"bound to 127\.0\.0\.1:(\d+)")


@pytest.fixture(scope="module")
def binary() -> str:
    """The stunnel to run."""
    for candidate in ("stunnel4", "stunnel", str(CACHE / "stunnel" / "stunnel")):
        found = shutil.which(candidate)
        if found and not subprocess.run([found, "-version"], capture_output=True, check=False).returncode:
            return found
    reason = "stunnel is not on this machine; make stunnel fetches it"
    if os.environ.get("STUNNEL_REQUIRED"):
        pytest.fail(reason)
    pytest.skip(reason)


class Tunnel:
    """A running stunnel in client mode."""

    def __init__(self, binary: str, folder: Path, host: str, port: int, ca_pem: str) -> None:
        ca, configuration = folder / "ca.pem", folder / "stunnel.conf"
        ca.write_text(ca_pem)
        configuration.write_text(CONFIGURATION.format(host=host, port=port, ca=ca))
        self.process = subprocess.Popen([binary, str(configuration)], stderr=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.wait_for(_BOUND)[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait until stunnel writes this into its log."""
        said = ""
        while (line := self._lines.get(timeout=LONG)) is not None:
            said += line
            if found := pattern.search(line):
                return found
        pytest.fail(f"stunnel has ended: {said}")

    def stop(self) -> None:
        """End it, and wait for that."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextlib.contextmanager
def tunnel(binary: str, folder: Path, host: str, port: int, ca_pem: str) -> Iterator[Tunnel]:
    running = Tunnel(binary, folder, host, port, ca_pem)
    try:
        yield running
    finally:
        running.stop()


def options(sandbox: Sandbox, through: Tunnel) -> Options:
    return {
        **sandbox.options(ME, "prediction", "KalshiNR"),
        "host": "127.0.0.1",
        "port": through.port,
        "tls": Plaintext(),
    }


def order() -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=str(uuid4()),
        symbol=MARKETS["prediction"][0].rules.ticker,
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        price="0.01",
        order_qty=1,
    )


@pytest.fixture
def to_venue(binary: str, tmp_path: Path, sandbox: Sandbox) -> Iterator[Tunnel]:
    server = sandbox.server
    port = server.port("prediction", "KalshiNR")
    with tunnel(binary, tmp_path, server.host, port, sandbox.ca_pem) as running:
        yield running


def test_an_order_through_stunnel(sandbox: Sandbox, to_venue: Tunnel) -> None:
    placed = order()
    with blocking.order_entry(**options(sandbox, to_venue)) as client:
        client.send(placed)
        for message in client.messages(LONG):
            if isinstance(message, ExecutionReport) and message.exec_type == ExecType.NEW:
                assert message.cl_ord_id == placed.cl_ord_id
                break
        else:
            pytest.fail("no report came")
    assert client.ended is not None
    assert (client.ended.reason, client.ended.clean) == (CloseReason.LOGGED_OUT, True)


def test_stunnel_that_does_not_trust_the_venue(binary: str, tmp_path: Path, sandbox: Sandbox) -> None:
    server, stranger = sandbox.server, Authority().certificate_pem.decode()
    port = server.port("prediction", "KalshiNR")
    with tunnel(binary, tmp_path, server.host, port, stranger) as running:
        client = blocking.order_entry(**options(sandbox, running))
        with pytest.raises(LogonFailedError, match="closed the connection before it answered the Logon"):
            client.open()
        running.wait_for(re.compile("certificate verify failed"))


def test_stunnel_with_nothing_behind_it(binary: str, tmp_path: Path, sandbox: Sandbox) -> None:
    with tunnel(binary, tmp_path, "127.0.0.1", unused_port(), sandbox.ca_pem) as running:
        client = blocking.order_entry(**options(sandbox, running))
        with pytest.raises(LogonFailedError, match="closed the connection before it answered the Logon"):
            client.open()


def test_stunnel_that_dies(sandbox: Sandbox, to_venue: Tunnel) -> None:
    settings = {**options(sandbox, to_venue), "reconnect": None}
    with blocking.order_entry(**settings) as client:  # type: ignore[arg-type]
        to_venue.stop()
        list(client.events(LONG))
        assert client.ended is not None
        assert client.ended.reason is CloseReason.CONNECTION_LOST
