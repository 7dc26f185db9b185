"""Ctrl-C while a blocking client connects: it ends at once, whatever is waited for.

The signals are real, and the deadline of each connection is days away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.adapters.conformance.loops import LONG
from tests.adapters.net.peers import full_backlog, keep_silent, listening
from tests.helpers import KEY_ID

PEM = (
    ed25519.Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
LOG_ON = """
import socket, sys, threading
from kalshi_fix_adapters.blocking import background, transport
from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.net.tls import Plaintext, Tls

stage, port = sys.argv[1], int(sys.argv[2])

def told(function):
    def tell(*args, **options):
        print("waiting", flush=True)
        return function(*args, **options)
    return tell

if stage == "resolve":
    found = socket.getaddrinfo
    def hang(host, *args, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            return found(host, *args, flags=flags, **options)
        print("waiting", flush=True)
        threading.Event().wait()
    socket.getaddrinfo = hang
elif stage == "logon":
    transport.Transport = told(transport.Transport)
else:
    waits = background._WaitsWhileWanted
    waits.until_ready = told(waits.until_ready)
client = order_entry(
    host="venue.invalid" if stage == "resolve" else "127.0.0.1",
    port=port,
    tls=Plaintext() if stage == "logon" else Tls(),
    timeout=1e6,
    reconnect=ReconnectPolicy(retry_first=True),
)
try:
    client.open()
except KeyboardInterrupt:
    left = [thread.name for thread in threading.enumerate() if thread.name == "kalshi-fix"]
    print("interrupted", left, flush=True)
"""
COMMAND = "import sys; from kalshi_fix_adapters.cli import main; main()"


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process with an API key, in which Ctrl-C works."""
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KALSHI_KEY_ID": KEY_ID, "KALSHI_PRIVATE_KEY": PEM},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def nobody_answers(stage: str) -> Iterator[int]:
    """A port where that stage never ends."""
    with full_backlog() if stage == "connect" else listening(keep_silent) as port:
        yield port


@pytest.mark.parametrize("stage", ["resolve", "connect", "handshake", "logon"])
def test_an_interrupt_ends_a_connection_that_is_being_made(stage: str) -> None:
    with nobody_answers(stage) as port, running(LOG_ON, stage, str(port)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=LONG)
        assert output.splitlines()[-1] == "interrupted []"
        assert "Traceback" not in errors
        assert process.returncode == 0


def test_an_interrupt_ends_the_doctor() -> None:
    accepted: list[subprocess.Popen[str]] = []

    def interrupt(connection: socket.socket) -> None:
        assert connection.recv(1)  # the handshake has begun
        accepted[0].send_signal(signal.SIGINT)
        keep_silent(connection)

    with listening(interrupt) as port:
        arguments = ("doctor", "--host", "127.0.0.1", "--port", str(port), "--timeout", "1000000")
        with running(COMMAND, *arguments) as process:
            accepted.append(process)
            output, errors = process.communicate(timeout=LONG)
            assert output.splitlines()[-1].startswith("address")
            assert not errors
            assert process.returncode == 130
