"""The wire log: a plain file with one line for each message sent or received.

    2026-11-21 12:00:00.123456Z 1 connected to KalshiNR at fix.example:8228
    2026-11-21 12:00:00.131009Z 1 sent     8=FIXT.1.1|9=...|35=A|...|96=****...|10=123|
    2026-11-21 12:00:00.164230Z 1 received 8=FIXT.1.1|9=...|35=A|...|10=045|
    2026-11-21 12:00:09.000417Z 1 disconnected

Times are UTC; the number identifies the connection within the log. `kalshi-fix decode` reads the file.
Signatures and passwords are masked, and the mode of the file allows access for its owner only.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from kalshi_fix_adapters.observe.locks import Lock
from kalshi_fix_adapters.observe.log_file import LogFile, check_limits
from kalshi_fix_adapters.observe.observer import Direction
from kalshi_fix_adapters.observe.redact import Transcript
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH

MAX_BYTES = 64 * 1024 * 1024
"""The default size in bytes at which the file is rotated."""
BACKUPS = 5
"""The default number of rotated files to keep."""

_log = logging.getLogger("kalshi_fix_adapters.wire")


class WireLog:
    """A file for the messages of any number of connections, from any number of threads of one process.

    Messages are written at once, in the thread or event loop of their client, so put the file on a local
    disk. When a write fails, the error is logged once, the lost lines are counted, and the session continues.
    Once writes succeed again, the log continues with a line that contains the count.
    """

    def __init__(
        self, path: str | Path, *, max_bytes: int | None = MAX_BYTES, backups: int = BACKUPS
    ) -> None:
        """Open the log; append if the file exists.

        Args:
            path: the file; a new or existing one gets the mode 0600.
            max_bytes: size at which the file is renamed to `path.1` and a new one begins; None for no limit.
            backups: the number of rotated files to keep; `path.1` is the newest.

        Raises:
            ConfigurationError: the file cannot be written, or a limit is invalid.
        """
        check_limits(max_bytes, backups)
        self.path: Path = Path(path).absolute()
        """The current file."""
        self._open_connections: dict[int, str] = {}
        """The endpoint of each open connection, by number. A new file begins with a line for each of them."""
        self._connections = 0
        """Number of connections so far, which is also the number of the newest one."""
        self.lost: int = 0
        """Number of lines that could not be written so far."""
        self._consecutive_lost = 0
        """Number of lines lost since the last written line; the next line contains this number."""
        self._closed = False
        try:
            self._file = LogFile(self.path, max_bytes, backups)
        except OSError as error:
            raise ConfigurationError(
                f"the wire log {path} cannot be written ({error.strerror}); choose another path"
            ) from None

    def __repr__(self) -> str:
        return f"<WireLog {self.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def connect(
        self, endpoint: str, now: Instant, *, max_message_size: int = MAX_BODY_LENGTH
    ) -> WireLogConnection:
        """Write the line for a new connection; return the object that writes its messages.

        A message whose BodyLength exceeds `max_message_size` is logged without its content.
        """
        # Names given by users may contain line breaks, which could forge a line.
        endpoint = endpoint.encode("unicode_escape").decode("ascii")
        with self._file.lock:
            self._connections += 1
            number = self._connections
            self._open_connections[number] = endpoint
        self.write(number, [f"connected to {endpoint}"], now)
        return WireLogConnection(self, number, max_message_size)

    def disconnect(self, number: int, now: Instant) -> None:
        """Write the line for the end of a connection."""
        self.write(number, ["disconnected"], now)
        with self._file.lock:
            self._open_connections.pop(number, None)

    def write(self, number: int, lines: Sequence[str], now: Instant) -> None:
        """Write lines of a connection. File system errors are logged and never raised."""
        timestamp = stamp(now.utc)
        data = "".join(f"{timestamp} {number} {line}\n" for line in lines).encode("ascii")
        notes: list[str] = []
        with self._file.lock:
            if self._closed:
                self.lost += len(lines)
                return
            try:
                if self._file.exceeds_limit(len(data)):
                    self._rotate(timestamp, notes)
                self._append(data, timestamp, notes)
            except OSError as error:
                if not self._consecutive_lost:
                    notes.append(f"cannot be written ({error.strerror}); the session continues without it")
                self.lost += len(lines)
                self._consecutive_lost += len(lines)
        # Logged without holding the lock, because a user's logging handler may write to this wire log.
        for text in notes:
            _log.warning("the wire log %s %s", self.path, text)

    def close(self) -> None:
        """Close the file; lines written afterwards count as lost."""
        with self._file.lock:
            self._closed = True
            self._file.close()

    def _append(self, data: bytes, timestamp: str, notes: list[str]) -> None:
        if self._consecutive_lost:
            lost = self._consecutive_lost
            note = f"{timestamp} 0 incomplete log; lines missing here: {lost}\n"
            self._file.append(note.encode("ascii") + data)
            self._consecutive_lost = 0
            notes.append(
                f"can be written again; {lost} {'line is' if lost == 1 else 'lines are'} missing from it"
            )
        else:
            self._file.append(data)

    def _rotate(self, timestamp: str, notes: list[str]) -> None:
        try:
            self._file.rotate()
        except OSError as error:
            notes.append(f"cannot be rotated ({error.strerror}); it grows beyond its limit")
            return
        for number, endpoint in self._open_connections.items():
            self._append(
                f"{timestamp} {number} still connected to {endpoint}\n".encode("ascii"), timestamp, notes
            )


class WireLogConnection:
    """The lines of one connection in a wire log."""

    def __init__(self, log: WireLog, number: int, max_message_size: int) -> None:
        self._log = log
        self._number = number
        self._transcript: Transcript | None = Transcript(max_message_size)

    def record(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Write bytes that were sent or received, in chunks of any size."""
        if self._transcript is None:
            return
        lines = self._transcript.feed(direction, data, now)
        if lines:
            self._log.write(self._number, lines, now)

    def close(self, now: Instant) -> None:
        """End the connection; write incomplete messages too."""
        if self._transcript is not None:
            lines = self._transcript.end()
            self._transcript = None
            if lines:
                self._log.write(self._number, lines, now)
            self._log.disconnect(self._number, now)


_shared: dict[Path, tuple[WireLog, int]] = {}
"""The logs that clients share, by path, with the number of their clients."""
_shared_lock = Lock()
"""Guards `_shared`, because several threads may open and close clients."""


def open_shared(path: str | Path) -> WireLog:
    """Return the log at a path, which all clients with this path share; the last `close_shared` closes it.

    Two separate logs with the same path would both rotate the file.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    key = Path(path).absolute()
    with _shared_lock:
        log, users = _shared.get(key) or (WireLog(path), 0)
        _shared[key] = log, users + 1
    return log


def close_shared(log: WireLog) -> None:
    """Close a log that `open_shared` returned, unless another client uses it."""
    with _shared_lock:
        _, users = _shared.pop(log.path)
        if users > 1:
            _shared[log.path] = log, users - 1
        else:
            log.close()


def stamp(time: datetime) -> str:
    """Return a time in the format of the log."""
    # The first 26 characters are date and time; the offset after them is replaced by Z.
    return time.astimezone(UTC).isoformat(" ", "microseconds")[:26] + "Z"
