"""Reads the keys pressed during a live view. On Windows, or if the input is not a terminal, no keys are
read.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final, Self

if sys.platform != "win32":
    import termios
    import tty

_SEQUENCES: Final = {
    "up": (b"\x1b[A", b"\x1bOA", b"k"),
    "down": (b"\x1b[B", b"\x1bOB", b"j"),
    "page up": (b"\x1b[5~", b"b"),
    "page down": (b"\x1b[6~", b" "),
    "home": (b"\x1b[H", b"\x1bOH", b"g"),
    "q": (b"q",),
}
"""For each key, the byte sequences that terminals send for it or for a character with the same effect."""
_NAMES: Final = {sequence: name for name, sequences in _SEQUENCES.items() for sequence in sequences}
_SEQUENCES_LONGEST_FIRST: Final = sorted(_NAMES, key=len, reverse=True)


class KeyReader:
    """A context manager that reads keys one by one without echo. Ctrl-C still interrupts.

    The terminal is restored before a signal ends the process (SIGTERM, SIGHUP) or suspends it (Ctrl-Z).
    """

    def __init__(self) -> None:
        self._saved_mode: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self.must_suspend: bool = False
        """Whether Ctrl-Z was pressed, so `suspend` must be called."""

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            self._enter_key_mode()
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._handlers[number] = signal.signal(number, _exit)
            self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._on_suspend)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def pressed(self) -> Iterator[str]:
        """Yield the names of the keys that were pressed, without waiting."""
        if self._saved_mode is None:
            return
        descriptor = sys.stdin.fileno()
        while select.select([descriptor], [], [], 0)[0]:
            data = os.read(descriptor, 256)
            if not data:
                return
            while data:
                # Bytes that begin no known sequence are skipped one by one.
                sequence = next((key for key in _SEQUENCES_LONGEST_FIRST if data.startswith(key)), data[:1])
                data = data[len(sequence) :]
                if sequence in _NAMES:
                    yield _NAMES[sequence]

    def suspend(self) -> None:
        """Restore the terminal and suspend the process. When the process continues, set the terminal to key
        mode again.
        """
        if sys.platform != "win32":
            self.must_suspend = False
            self._restore()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._on_suspend)
            self._enter_key_mode()

    def _enter_key_mode(self) -> None:
        if sys.platform != "win32" and sys.stdin.isatty():
            # If the terminal is closed, or belongs to another process group, no keys can be read.
            with contextlib.suppress(termios.error, OSError):
                self._saved_mode = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)

    def _restore(self) -> None:
        if sys.platform != "win32" and self._saved_mode is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._saved_mode)
            self._saved_mode = None

    def _on_suspend(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.must_suspend = True


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)
