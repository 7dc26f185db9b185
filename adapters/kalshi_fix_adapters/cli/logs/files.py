"""The sources of a log: files (which may be compressed, or still being written), recordings, and standard
input.
"""

from __future__ import annotations

import os
import re
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from kalshi_fix_adapters.cli.kit.terminal import StatusLine
from kalshi_fix_adapters.logs.entries import chunks_of
from kalshi_fix_adapters.logs.fields import SEPARATORS
from kalshi_fix_adapters.logs.recording import Kind, Recording, is_recording
from kalshi_fix_adapters.observe.observer import Direction
from kalshi_fix_adapters.observe.redact import Transcript
from kalshi_fix_adapters.observe.wire_log import stamp
from kalshi_fix_sansio.clock import Instant

STDIN: Final = "-"
_OTHER_VERSION: Final = re.compile(
    rb"8=(FIX\.[0-9]\.[0-9](?:SP[0-9])?)(?:%b)" % b"|".join(map(re.escape, SEPARATORS))
)
_DIRECTIONS: Final[Mapping[Kind, Direction]] = {Kind.RECEIVED: "received", Kind.SENT: "sent"}
_MAX_BEGIN_STRING_SIZE: Final = 20
_MEGABYTE: Final = 1_000_000


class UnreadableError(Exception):
    """The log cannot be read; the text contains the reason."""


def chunks(name: str, wait: Callable[[], None] | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file in chunks.

    With `wait`, bytes that are added later are yielded too. `wait` is called whenever there are no new bytes.

    Raises:
        UnreadableError: the file cannot be read, or is compressed and truncated.
    """
    try:
        if name == STDIN:
            yield from chunks_of(sys.stdin.buffer)
        elif wait is not None:
            yield from _follow(Path(name), wait)
        elif Path(name).is_file() and is_recording(name):
            yield from _recording_lines(name)
        else:
            yield from chunks_of(name)
    except BrokenPipeError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        text = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{name} cannot be read: {text}") from None


def _recording_lines(name: str) -> Iterator[bytes]:
    """Yield a recording as the lines of a wire log."""
    connections: dict[int, Transcript] = {}
    for record in Recording(name):
        if record.kind is Kind.LOST:
            continue
        if record.kind is Kind.ENDED:
            lines = connections.pop(record.connection, Transcript()).end()
        else:
            transcript = connections.setdefault(record.connection, Transcript())
            now = Instant(record.time.timestamp(), record.time)
            lines = transcript.feed(_DIRECTIONS[record.kind], record.data, now)
        yield "".join(f"{stamp(record.time)} {record.connection} {line}\n" for line in lines).encode(
            "latin-1"
        )


def _follow(path: Path, wait: Callable[[], None]) -> Iterator[bytes]:
    """Yield the content of a growing file. If the file is replaced or truncated, continue with the new
    content from its start.
    """
    while True:
        with path.open("rb") as file:
            while True:
                yield from chunks_of(file)
                if _was_replaced(path, file):
                    # Bytes may have been written to the old file just before it was renamed.
                    yield from chunks_of(file)
                    break
                wait()


def _was_replaced(path: Path, file: IO[bytes]) -> bool:
    opened = os.fstat(file.fileno())
    if opened.st_size < file.tell():
        return True
    try:
        current = path.stat()
    except FileNotFoundError:
        return False  # renamed, and the new file does not exist yet
    return (current.st_ino, current.st_dev) != (opened.st_ino, opened.st_dev)


class OtherVersionCounter:
    """Counts messages in other versions of FIX, which are not shown."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def watch(self, log: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a log unchanged, and count the messages of other versions in them."""
        rest = b""
        for chunk in log:
            yield chunk
            # This search is faster than the regular expression, and most logs contain no other version.
            data = rest + chunk
            if data.find(b"8=FIX.") >= 0:
                for match in _OTHER_VERSION.finditer(data):
                    if match.end() > len(rest):
                        self._counts[match[1].decode()] += 1
            # A BeginString may be split between two chunks.
            rest = data[-_MAX_BEGIN_STRING_SIZE:]

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each other version that was found."""
        for version, count in sorted(self._counts.items()):
            verb, be = ("message uses", "is") if count == 1 else ("messages use", "are")
            yield f"{count:,} {verb} {version} instead of Kalshi's FIXT.1.1, and {be} not shown"


class Progress(StatusLine):
    """Shows the progress of reading a large file on a terminal."""

    def __init__(self, name: str, *, shown: bool) -> None:
        super().__init__()
        self._shown = shown and self.is_visible()
        self._name = name
        self._size = 0
        if self._shown and name != STDIN and not name.endswith(".gz"):
            try:
                self._size = Path(name).stat().st_size
            except OSError:
                self._shown = False  # the reader of the file reports the error

    def watch(self, log: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a log unchanged, and show the progress."""
        if not self._shown:
            yield from log
            return
        bytes_read, started = 0, time.monotonic()
        for chunk in log:
            yield chunk
            bytes_read += len(chunk)
            if self.is_due():
                self._show_progress(bytes_read, bytes_read / (time.monotonic() - started))

    def _show_progress(self, bytes_read: int, speed: float) -> None:
        if self._size:
            text = f"{bytes_read / self._size:4.0%} of {self._size / _MEGABYTE:,.0f} MB"
        else:
            text = f"{bytes_read / _MEGABYTE:,.0f} MB"
        self.show(f"{Path(self._name).name[:24]}: {text}, {speed / _MEGABYTE:.0f} MB/s")
