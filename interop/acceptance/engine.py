"""The programs under test, each in a separate process."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import sample
from typing import Protocol

from interop.acceptance.player import STEP_TIMEOUT

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMP_ID, PEER_COMP_ID = "ISLD", "TW"
"""CompIDs of the engine and of the player in the definitions."""


class Engine(Protocol):
    """A running program that exchanges messages with the player over a socket."""

    def connect(self) -> socket.socket:
        """Return the next connection."""

    def close(self) -> None:
        """End the program."""


class AcceptorEngine:
    """examples/fixt_acceptor.py: it listens on a port that it prints; the player connects."""

    def __init__(self, *options: str) -> None:
        self._process = _start("fixt_acceptor.py", "--port", "0", *options)
        assert self._process.stdout is not None
        text = self._process.stdout.readline().decode()
        self._port = int(text.rsplit(maxsplit=1)[-1])

    def connect(self) -> socket.socket:
        """Connect to the program."""
        return socket.create_connection(("127.0.0.1", self._port), STEP_TIMEOUT)

    def close(self) -> None:
        """End the program."""
        _end(self._process)


class InitiatorEngine:
    """examples/fixt_initiator.py: the player listens; the program connects and reconnects."""

    def __init__(self, heart_bt_int: str, *options: str) -> None:
        # The socket is bound but not listening, so `connect` can listen on its port. The port is below
        # the ephemeral port range: the system could assign a port in that range to another program, too,
        # because of SO_REUSEADDR.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for self._port in sample(range(20_000, 32_000), 100):
            with suppress(OSError):
                self._reserved.bind(("127.0.0.1", self._port))
                break
        arguments = ("--host", "127.0.0.1", "--port", str(self._port), "--heartbeat", heart_bt_int)
        self._process = _start("fixt_initiator.py", *arguments, *options)

    def connect(self) -> socket.socket:
        """Accept one connection, then stop listening: a further one would wait until it timed out."""
        with socket.create_server(("127.0.0.1", self._port)) as listener:
            listener.settimeout(3 * STEP_TIMEOUT)
            return listener.accept()[0]

    def close(self) -> None:
        """End the program."""
        _end(self._process)
        self._reserved.close()


def _start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    names = ("--comp-id", COMP_ID, "--peer-comp-id", PEER_COMP_ID)
    command = [sys.executable, str(EXAMPLES / program), *arguments, *names]
    # The first run of an example generates its dialect, which takes longer than a definition's timeout.
    subprocess.run([sys.executable, "-c", "import fixt.dialect"], cwd=EXAMPLES, check=True)
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate(timeout=STEP_TIMEOUT)
