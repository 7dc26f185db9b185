"""The command on a pseudo-terminal, in a separate process or in this one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from kalshi_fix_adapters.cli.commands import commands

PATIENCE = 20.0
"""Seconds after which a test gives up; a passing test never waits this long."""
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ENTER_ALTERNATE_SCREEN, LEAVE_ALTERNATE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-bb", "-m", "kalshi_fix_adapters.cli", *sys.argv[1:]])
"""


def resize(descriptor: int, columns: int, rows: int) -> None:
    """Resize a terminal."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def plain(text: str) -> str:
    """Return the readable text of a terminal's output."""
    return SEQUENCE.sub("", text).replace("\r\n", "\n")


class Terminal:
    """The command in a process with a terminal of its own, of a given size; Ctrl-C interrupts the process."""

    def __init__(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        *,
        columns: int = 60,
        rows: int = 24,
        cwd: Path | None = None,
    ) -> None:
        self._master, self._slave = os.openpty()
        self.columns = columns
        self.resize(columns, rows)
        self._modes = termios.tcgetattr(self._slave)
        unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            cwd=cwd,
            env={**inherited, "TERM": "xterm-256color", **environ},
        )
        self.output = ""
        """All output so far."""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._slave)
        os.close(self._master)

    def resize(self, columns: int, rows: int) -> None:
        """Resize the terminal and notify its process."""
        self.columns = columns
        resize(self._master, columns, rows)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def expect(self, text: str) -> str:
        """Read until this text is in the output since the last call; return that output."""
        deadline = time.monotonic() + PATIENCE
        while text not in plain(self.output[self._seen :]):
            self._read(deadline, f"{text!r} was not printed")
        found = self.output[self._seen :]
        self._seen = len(self.output)
        return plain(found)

    def wait_for_exit(self) -> int:
        """Read until the process has ended and return its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            self._take(0.05)
            if time.monotonic() > deadline:
                pytest.fail(f"the process has not ended: {plain(self.output)[-3000:]}")
        while self._take(0.0):
            pass
        return self._process.returncode

    def status_after(self, keys: str) -> int:
        """Press keys that end the process; return its exit status."""
        self.type(keys)
        return self.wait_for_exit()

    def interrupt(self) -> None:
        """Press Ctrl-C at a prompt, and again if it had no effect: if Python was just about to wait for a
        line, it handles the signal only when the next signal arrives."""
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            self.type("\x03")
            retry_at = time.monotonic() + 2.0
            while self._process.poll() is None and time.monotonic() < retry_at:
                self._take(0.05)

    def _read(self, deadline: float, problem: str) -> None:
        has_ended = self._process.poll() is not None
        if not self._take(0.0 if has_ended else 1.0) and has_ended:
            pytest.fail(f"{problem}, and the process has ended: {plain(self.output)}")
        if time.monotonic() > deadline:
            pytest.fail(f"{problem}: {plain(self.output)[-3000:]}")

    def _take(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        self.output += os.read(self._master, 65536).decode(errors="replace")
        return True

    @property
    def has_original_modes(self) -> bool:
        """Whether the terminal has its original modes."""
        return termios.tcgetattr(self._slave) == self._modes

    def frames(self) -> list[list[str]]:
        """Return the screens that were drawn; each begins at the upper left corner."""
        screens = self.output.split("\x1b[H")[1:]
        return [[line.rstrip() for line in plain(screen).split("\n")] for screen in screens]


def run_on_terminal(
    monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], *, columns: int = 60
) -> tuple[int, str, str]:
    """Run the command in this process on a terminal; return its status, and its two outputs."""
    outputs: list[bytes] = [b"", b""]
    files: list[Any] = []
    readers = []

    def read(number: int, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(descriptor, 65536):
                outputs[number] += data

    masters = []
    for number in range(2):
        master, slave = os.openpty()
        masters.append(master)
        resize(slave, columns, 24)
        files.append(os.fdopen(slave, "w", encoding="utf-8"))
        readers.append(threading.Thread(target=read, args=(number, master)))
        readers[-1].start()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", files[0])
        patch.setattr(sys, "__stdout__", files[0])  # `shutil` asks this file for the size of the terminal
        patch.setattr(sys, "stderr", files[1])
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("COLUMNS", raising=False)
        try:
            commands.main(list(arguments), "kalshi-fix")
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            for file in files:
                file.close()
    for reader, master in zip(readers, masters, strict=True):
        reader.join()
        os.close(master)
    return status, outputs[0].decode(), outputs[1].decode()
