"""The mark: a file next to a store. It contains the sequence numbers that the store has reached, and is used
to detect lost commits.

Each frame of SQLite's write-ahead log has a checksum. At the first wrong checksum SQLite stops reading and
silently drops the rest. This is correct after a loss of power, but wrong after a bit flip, because committed
numbers would be used again. The mark, like the log, survives the end of the process. So a store whose numbers
are lower than those of its mark is damaged, or is an older copy. The mark also contains the numbers of the
last commit that survives a loss of power.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

from kalshi_fix_adapters.store_sqlite.failures import START_OVER
from kalshi_fix_adapters.stores.rows import Numbers
from kalshi_fix_sansio.errors import StoreError

_SIZE = 160
"""Size of a mark in bytes. All marks have the same size, so overwriting needs no disk space."""
_CLEARED_MARK = b"\n" * _SIZE


_SeqNums = tuple[int, int]
"""The numbers after a commit: `next_outgoing` and `next_incoming`."""
_NO_NUMBERS: _SeqNums = (0, 0)


def mark_path(store: Path) -> Path:
    """Return the path of the mark of a store."""
    return store.with_name(store.name + ".mark")


class Mark:
    """The mark of an open store."""

    def __init__(self, store: Path) -> None:
        self._path = mark_path(store)
        self._boot = _boot_id()
        self._durable = _parse(read_mark(store))[2]
        self._file: int | None = None

    def clear(self) -> None:
        """Delete the recorded numbers. Must be called before the numbers of the store are reset or set.

        Raises:
            OSError: the mark cannot be cleared. An old mark would make the store look damaged.
        """
        self._durable = _NO_NUMBERS
        descriptor = self._open()
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, _CLEARED_MARK)
        os.fsync(descriptor)

    def record(self, numbers: Numbers, *, durable: bool) -> None:
        """Record a commit, and whether it survives a loss of power."""
        reached = (numbers.next_outgoing, numbers.next_incoming)
        if durable:
            self._durable = reached
        text = " ".join(map(str, (self._boot or "-", *reached, *self._durable)))
        data = f"{text} {zlib.crc32(text.encode())}".encode().ljust(_SIZE)
        # The commit is safe without a mark, and a mark with lower numbers than the store is harmless. So
        # errors are ignored, and this method does not wait for the disk. After a loss of power the mark may
        # be incomplete; `_parse` then ignores it.
        with contextlib.suppress(OSError):
            descriptor = self._open()
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, data)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self._path, flags, 0o600)
        return self._file


def check_mark(store: Path, mark: bytes | None, numbers: Numbers) -> None:
    """Compare the numbers of a store with its mark. The mark (`read_mark`) must be read before the store.

    Raises:
        StoreError: the store has lost commits.
    """
    boot, reached, durable = _parse(mark)
    # Commits that were not synced to the disk may be lost when the system restarts. After a restart, the
    # store is compared only with the synced commits.
    outgoing, incoming = reached if boot and boot == _boot_id() else durable
    if numbers.next_outgoing < outgoing or numbers.next_incoming < incoming:
        raise StoreError(
            f"{store} is damaged, or an older copy: its next numbers are {numbers.next_outgoing} (outgoing) "
            f"and {numbers.next_incoming} (incoming), but it had already reached {outgoing} and {incoming}: "
            f"{START_OVER}"
        )


def read_mark(store: Path) -> bytes | None:
    """Return the bytes of the mark of a store; None if there is no mark, which is not an error."""
    try:
        with mark_path(store).open("rb") as file:
            return file.read(_SIZE)
    except OSError:
        return None


def _parse(mark: bytes | None) -> tuple[str, _SeqNums, _SeqNums]:
    """Return the boot id for which the mark is valid, the numbers reached, and the numbers synced to disk."""
    parts = (mark or b"").decode("latin-1").split()
    if len(parts) == 6 and parts[-1] == str(zlib.crc32(" ".join(parts[:-1]).encode())):
        outgoing, incoming, durable_outgoing, durable_incoming = map(int, parts[1:-1])
        return parts[0], (outgoing, incoming), (durable_outgoing, durable_incoming)
    return "", _NO_NUMBERS, _NO_NUMBERS  # incomplete after a loss of power, or cleared


def _boot_id() -> str:
    """Return the boot id of the system; empty if the system does not provide one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
