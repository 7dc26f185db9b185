"""Ctrl-C while a blocking client connects ends the attempt at once, in every stage of connecting.

The signals are real, and every connection timeout is days long, so only the interrupt can end an attempt.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator

import pytest

from kalshi_fix_venue.identities import ClientKey
from tests.adapters.cli.pipes import PipedProcess, started
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.net.peers import full_backlog, keep_silent, listening, unused_port

KEY = ClientKey.generate(ed25519_key=True)
ENVIRON = {"KALSHI_KEY_ID": KEY.key_id, "KALSHI_PRIVATE_KEY": KEY.private_key_pem.decode()}
LOG_ON = """
import socket, sys, threading
from kalshi_fix_adapters.blocking import io_thread, transport
from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.net.tls import Plaintext, Tls

stage, port = sys.argv[1], int(sys.argv[2])

def announced(function):
    def announce(*args, **options):
        print("waiting", flush=True)
        return function(*args, **options)
    return announce

if stage == "resolve":
    original = socket.getaddrinfo
    def hang(host, *args, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            return original(host, *args, flags=flags, **options)
        print("waiting", flush=True)
        threading.Event().wait()
    socket.getaddrinfo = hang
elif stage == "logon":
    transport.Transport = announced(transport.Transport)
else:
    wait = io_thread._CancellableWait
    wait.until_ready = announced(wait.until_ready)
client = order_entry(
    host="venue.invalid" if stage == "resolve" else "127.0.0.1",
    port=port,
    tls=Plaintext() if stage == "logon" else Tls(),
    timeout=1e6,
    reconnect=ReconnectPolicy(retry_first=True, maintenance=None),
)
try:
    client.open()
except KeyboardInterrupt:
    left = [thread.name for thread in threading.enumerate() if thread.name == "kalshi-fix"]
    print("interrupted", left, flush=True)
"""


@contextlib.contextmanager
def unanswered_stage(stage: str) -> Iterator[int]:
    """Yield a port on which this stage of connecting never ends."""
    if stage == "resolve":  # the name is never resolved
        yield unused_port()
        return
    with full_backlog() if stage == "connect" else listening(keep_silent) as port:
        yield port


@pytest.mark.parametrize("stage", ["resolve", "connect", "handshake", "logon"])
def test_an_interrupt_ends_a_connection_attempt(stage: str) -> None:
    with (
        unanswered_stage(stage) as port,
        started(stage, str(port), program=("-c", LOG_ON), environ=ENVIRON) as process,
    ):
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=TIMEOUT)
        assert output.splitlines()[-1] == b"interrupted []"
        assert b"Traceback" not in errors
        assert process.returncode == 0


def test_an_interrupt_ends_the_doctor() -> None:
    processes: list[PipedProcess] = []

    def interrupt(connection: socket.socket) -> None:
        assert connection.recv(1)  # the handshake has begun
        processes[0].send_signal(signal.SIGINT)
        keep_silent(connection)

    with listening(interrupt) as port:
        arguments = ("doctor", "--host", "127.0.0.1", "--port", str(port), "--timeout", "1000000")
        with started(*arguments, environ=ENVIRON) as process:
            processes.append(process)
            output, errors = process.communicate(timeout=TIMEOUT)
            assert output.splitlines()[-1].startswith(b"address")
            assert not errors
            assert process.returncode == 130
