"""Writes a recording, as the observer of a client, or from bytes passed by a program with its own loop."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, Self

from kalshi_fix_adapters.logs.recording import MAGIC, MAX_CONNECTION, Kind, Recording, RecordingError, pack
from kalshi_fix_adapters.observe.log_file import LogFile, check_limits
from kalshi_fix_adapters.observe.observer import Direction, Observer
from kalshi_fix_adapters.observe.redact import without_secrets
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH, Frame, Framer
from kalshi_fix_sansio.session.states import State

MAX_BYTES: Final = 1024 * 1024 * 1024
BACKUPS: Final = 15

_log = logging.getLogger(__name__)


class Recorder(Observer):
    """Writes the bytes that a client receives, in the chunks in which they were read, and the messages that
    the client sends, without secrets. Each record has a time.

    Pass the recorder as `observer`. Records are appended to an existing file. If its last record is
    incomplete after a crash, this record is removed; other damage is kept and logged (`damaged`). File system
    errors never affect the session: records that cannot be written are counted, and a later record contains
    this count. Records are not buffered, so a crash of the process loses none. Only one client in one process
    may use a file at a time.
    """

    def __init__(
        self, path: str | Path, *, max_bytes: int | None = MAX_BYTES, backups: int = BACKUPS
    ) -> None:
        """Open the file.

        Args:
            path: the file; a new file is accessible to its owner only.
            max_bytes: size at which the file is renamed to `path.1`, and a new file begins; None for no
                limit.
            backups: the number of renamed files to keep; older files are deleted.

        Raises:
            ConfigurationError: the file cannot be written or is not a recording, or a limit is invalid.
        """
        check_limits(max_bytes, backups)
        self.path: Path = Path(path)
        self.truncated_bytes: int = 0
        """Size in bytes of the incomplete last record that was removed when the file was opened."""
        self.damaged: list[range] = []
        """The value of `Recording.damaged` for the file when it was opened."""
        self.lost: int = 0
        """Number of records that could not be written."""
        self._consecutive_lost = 0
        self._connection = 0
        self._framer: Framer | None = None
        """Parser of the sent bytes; None between two connections."""
        try:
            self._repair()
            self._file = LogFile(self.path, max_bytes, backups)
            if self._file.is_empty():
                self._file.append(MAGIC)
        except (OSError, RecordingError) as error:
            detail = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(
                f"the recording {self.path} cannot be written ({detail}); choose another path"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _repair(self) -> None:
        """Remove an incomplete record at the end of the file."""
        if not self.path.exists():
            return
        recording = Recording(self.path)
        for record in recording:
            self._connection = max(self._connection, record.connection)
        self.damaged = recording.damaged
        if recording.torn:
            self.truncated_bytes = recording.torn
            with self.path.open("r+b") as file:
                file.truncate(recording.complete_size)
            _log.warning(
                "the recording %s ended with an incomplete record of %s bytes, which was removed",
                self.path,
                self.truncated_bytes,
            )

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Record bytes sent or received."""
        with self._file.lock:
            if self._framer is None:
                self._connection = self._connection % MAX_CONNECTION + 1
                self._framer = Framer(max_body_length=MAX_BODY_LENGTH)
            if direction == "received":
                self._write(Kind.RECEIVED, data, now)
                return
            self._framer.feed(data)
            while (parsed := self._framer.next()) is not None:
                if isinstance(parsed, Frame):
                    self._write(Kind.SENT, without_secrets(parsed.data), now)

    def on_state(self, old: State, new: State, now: Instant) -> None:
        """Record the end of the connection when the new state is DISCONNECTED."""
        del old
        if new is State.DISCONNECTED:
            self.end(now)

    def end(self, now: Instant) -> None:
        """Record the end of the connection. A program with its own loop calls this."""
        with self._file.lock:
            if self._framer is not None:
                self._framer = None
                self._write(Kind.ENDED, b"", now)

    def close(self) -> None:
        """Close the file. A later record opens the file again."""
        with self._file.lock:
            self._file.close()

    def _write(self, kind: Kind, data: bytes, now: Instant) -> None:
        record = pack(now.utc, self._connection, kind, data)
        try:
            if self._file.exceeds_limit(len(record)):
                self._file.rotate()
            if self._consecutive_lost:
                detail = b"%d" % self._consecutive_lost
                record = pack(now.utc, self._connection, Kind.LOST, detail) + record
            # The first bytes of a file are written together with its first record. They cannot be written by
            # `rotate`, because the new file may not exist until a later record is written.
            if self._file.is_empty():
                record = MAGIC + record
            self._file.append(record)
        except OSError as error:
            if not self._consecutive_lost:
                _log.warning("the recording %s cannot be written (%s)", self.path, error.strerror)
            self.lost += 1
            self._consecutive_lost += 1
            return
        if self._consecutive_lost:
            missing = (
                "1 record is" if self._consecutive_lost == 1 else f"{self._consecutive_lost} records are"
            )
            _log.warning("the recording %s can be written again; %s missing from it", self.path, missing)
            self._consecutive_lost = 0
