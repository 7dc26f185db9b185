"""Clients without TLS that connect through a real stunnel on this machine.

Runs where stunnel is installed or `make stunnel` has fetched it; `STUNNEL_REQUIRED=1` turns a skip into a
failure.
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

import pytest

from kalshi_fix_adapters.errors import ConnectionFailedError, LogonFailedError
from kalshi_fix_sansio.events import CloseReason, SessionEnded
from kalshi_fix_venue.identities import Authority
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import NewClient, place_order, wait_for_event
from tests.adapters.net.peers import unused_port
from tests.programs import skip_unless_required

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
_BOUND_LINE = re.compile(r"bound to 127\.0\.0\.1:(\d+)")


@pytest.fixture(scope="module")
def binary() -> str:
    """Return the path of the stunnel executable."""
    paths = map(shutil.which, ("stunnel4", "stunnel", str(CACHE / "stunnel" / "stunnel")))
    found = [
        path for path in paths if path and not subprocess.call([path, "-version"], stderr=subprocess.DEVNULL)
    ]
    if not found:
        skip_unless_required("STUNNEL", "stunnel is not installed; run make stunnel to fetch it")
    return found[0]


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
        self.port = int(self.wait_for(_BOUND_LINE)[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait for a line in stunnel's log that matches the pattern; return the match."""
        text = ""
        while (line := self._lines.get(timeout=TIMEOUT)) is not None:
            text += line
            if found := pattern.search(line):
                return found
        pytest.fail(f"stunnel has ended: {text}")

    def stop(self) -> None:
        """Kill stunnel, and wait for its exit."""
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


@pytest.fixture
def to_venue(binary: str, tmp_path: Path, sandbox: Sandbox) -> Iterator[Tunnel]:
    server = sandbox.server
    port = server.port("prediction", "KalshiNR")
    with tunnel(binary, tmp_path, server.host, port, sandbox.ca_pem) as running:
        yield running


async def test_an_order_is_acknowledged_through_stunnel(
    plaintext_client: NewClient, to_venue: Tunnel
) -> None:
    async with plaintext_client(port=to_venue.port) as client:
        await place_order(client)
    assert (client.ended.reason, client.ended.clean) == (CloseReason.LOGGED_OUT, True)


async def assert_refused(plaintext_client: NewClient, running: Tunnel) -> None:
    """Assert that a client cannot log on through this tunnel, and reports as much as it can know about the
    cause."""
    # A connection reset may arrive before the client first reads.
    text = "closed the connection before it answered the Logon|cannot be reached"
    with pytest.raises((LogonFailedError, ConnectionFailedError), match=text):
        async with plaintext_client(port=running.port):
            pytest.fail("the client has connected")


async def test_a_venue_that_stunnel_does_not_trust_is_reported_as_a_failed_connection(
    plaintext_client: NewClient, binary: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    server, other_ca_pem = sandbox.server, Authority().certificate_pem.decode()
    port = server.port("prediction", "KalshiNR")
    with tunnel(binary, tmp_path, server.host, port, other_ca_pem) as running:
        await assert_refused(plaintext_client, running)
        running.wait_for(re.compile("certificate verify failed"))


async def test_stunnel_without_a_server_is_reported_as_a_failed_connection(
    plaintext_client: NewClient, binary: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    with tunnel(binary, tmp_path, "127.0.0.1", unused_port(), sandbox.ca_pem) as running:
        await assert_refused(plaintext_client, running)


async def test_the_exit_of_stunnel_is_reported_as_a_disconnect(
    plaintext_client: NewClient, to_venue: Tunnel
) -> None:
    async with plaintext_client(port=to_venue.port) as client:
        to_venue.stop()
        ended = await wait_for_event(client, SessionEnded)
        assert ended.reason is CloseReason.CONNECTION_LOST
