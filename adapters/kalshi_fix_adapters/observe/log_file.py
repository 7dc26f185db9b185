"""A rotating log file that only its owner may read. Each write is complete or absent."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kalshi_fix_adapters.observe.locks import Lock
from kalshi_fix_sansio.errors import ConfigurationError

_MODE = 0o600
"""Accessible to the owner only, because the file shows accounts, orders and positions."""
# Without O_BINARY, Windows writes two bytes for each line ending, and the counted size would be wrong.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


def check_limits(max_bytes: int | None, backups: int) -> None:
    """Raise ConfigurationError if the limits of a file are invalid."""
    if max_bytes is not None and max_bytes < 1:
        raise ConfigurationError(f"max_bytes must be 1 or more, or None for no limit, not {max_bytes}")
    if backups < 0:
        raise ConfigurationError(f"backups must be 0 or more, not {backups}")


class LogFile:
    """An append-only file. It has the same limits as `WireLog`, and does not buffer."""

    def __init__(self, path: Path, max_bytes: int | None, backups: int) -> None:
        """Open the file.

        Raises:
            OSError: the file cannot be opened for writing.
        """
        self.path: Path = path.absolute()  # the program may change its working directory
        self.lock: Lock = Lock()
        """Callers must hold this lock while they write lines that belong together, because several threads
        may write.
        """
        self._max_bytes = max_bytes
        self._backups = backups
        self._rotate_at = max_bytes
        """Size in bytes at which the file is rotated: `max_bytes`, or more after a rotation has failed."""
        self._file: int | None = None
        """File descriptor; None while the file is closed."""
        self._size = 0
        """Size of the file in bytes, counted to save a system call for each line."""
        self._open()

    def is_empty(self) -> bool:
        """Return whether the file is empty, or absent.

        Raises:
            OSError: the file cannot be opened for writing.
        """
        self._open()
        return self._size == 0

    def exceeds_limit(self, size: int) -> bool:
        """Return whether this many more bytes would exceed the limit; False for an empty file."""
        return self._rotate_at is not None and self._size > 0 and self._rotate_at < self._size + size

    def append(self, data: bytes) -> None:
        """Append the data.

        Raises:
            OSError: the data could not be appended; a partial write is undone if possible.
        """
        file = self._open()
        start = self._size
        try:
            while data:
                written = os.write(file, data)
                self._size += written
                data = data[written:]
        except OSError:
            # The disk may fill up in the middle of a write. Remove the partial line, because the next line
            # would be appended to it.
            with contextlib.suppress(OSError):
                os.ftruncate(file, start)
                self._size = start
            raise

    def rotate(self) -> None:
        """Start a new file; rename the old file to `path.1`, and so on. Without backups, the old file is
        deleted.

        Raises:
            OSError: the rotation failed; the old file may grow by another `max_bytes`.
        """
        # Set before a failure is possible; otherwise each further line would try to rename again.
        self._rotate_at = None if self._max_bytes is None else self._size + self._max_bytes
        self.close()
        names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, self._backups + 1))]
        if self._backups == 0:
            self.path.unlink()
        # Rename from the oldest file, which is overwritten, to the newest, so that each new name is free.
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer.exists():
                newer.replace(older)
        self._open()
        self._rotate_at = self._max_bytes

    def close(self) -> None:
        """Close the file; `append` opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _open(self) -> int:
        if self._file is not None:
            return self._file
        if self.path.exists() and not self.path.is_file():
            raise OSError(0, "not a regular file")
        file = os.open(self.path, _FLAGS, _MODE)
        try:
            # `open` sets the mode only for a new file.
            if hasattr(os, "fchmod"):  # not on every system
                os.fchmod(file, _MODE)
            self._size = os.fstat(file).st_size
        except OSError:
            os.close(file)
            raise
        self._file = file
        return file
