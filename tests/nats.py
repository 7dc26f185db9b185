"""Real NATS servers, from the package of the Linux distribution.

Tests that use them are skipped unless both this package (`make nats` installs it) and nats-py are installed;
`NATS_REQUIRED=1` turns a skip into a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.programs import skip_unless_required

PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


class NatsServer:
    """A server with JetStream in a temporary folder, which can be killed, suspended and started again.

    The port stays the same.
    """

    def __init__(self, config: str = "") -> None:
        if importlib.util.find_spec("nats") is None:
            skip_unless_required("NATS", "the bus needs nats-py (extra nats)")
        if PROGRAM is None:
            skip_unless_required("NATS", "no NATS server is installed; make nats installs it")
        self.folder = Path(tempfile.mkdtemp(prefix="nats-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (self.folder / "nats.conf").write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.folder}" }}\n{config}'
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "-c", str(self.folder / "nats.conf")], stdout=log, stderr=log
            )
        while True:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                continue
            return

    def kill(self) -> None:
        """Kill the server, as in a crash."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Suspend the server without ending its connections, as if the network were lost."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # until all threads of the server have stopped

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
