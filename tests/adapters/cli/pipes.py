"""The command in a process of its own, with pipes in place of a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.adapters.cli.terminals import PATIENCE


@contextmanager
def started(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command with these arguments, and these variables beside our own; it is killed in the end."""
    # A test run that a shell started in the background ignores SIGINT, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "kalshi_fix_adapters.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )
    signal.signal(signal.SIGINT, before)
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    with process:
        yield process
        process.kill()
    watchdog.cancel()
