"""The command in a separate process, with pipes in place of a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO

from tests.adapters.cli.terminals import PATIENCE

COMMAND = ("-m", "kalshi_fix_adapters.cli")


class PipedProcess(subprocess.Popen[bytes]):
    """A process with three pipes."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]


@contextmanager
def started(
    *arguments: str, program: tuple[str, str] = COMMAND, environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[PipedProcess]:
    """Run the command with these arguments and additional environment variables, and kill it at the end."""
    # A test run that a shell started in the background ignores SIGINT, and one under `nohup` ignores SIGHUP;
    # their child processes would too.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    process = PipedProcess(
        [sys.executable, *program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )
    for number, handler in before.items():
        signal.signal(number, handler)
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    with process:
        yield process
        process.kill()
    watchdog.cancel()


def interrupt(process: PipedProcess, number: signal.Signals = signal.SIGINT) -> tuple[int, bytes]:
    """Interrupt the process and return its exit status and error output."""
    process.send_signal(number)
    text = process.stderr.read()
    return process.wait(PATIENCE), text


def lines_until(process: PipedProcess, text: str) -> list[str]:
    """Read the output up to the line that contains this text."""
    lines = []
    for data in process.stdout:
        line = data.decode().rstrip("\n")
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not printed: {lines}")
