"""Writing a recording, as an observer of a client or with the bytes of a program with its own loop."""

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
    """Writes the bytes one client receives, as read and with their time, and its sent messages without
    secrets.

    Pass it as `observer`. It appends to an existing file after removing an incomplete last record, which a
    crash leaves; damage elsewhere is kept and logged (`damaged`). File system errors never affect the
    session: records that cannot be written are counted, and a record reports the count once writing works
    again. Records are not buffered, so a crash of the process loses none. One client, and one process, at a
    time.
    """

    def __init__(
        self, path: str | Path, *, max_bytes: int | None = MAX_BYTES, backups: int = BACKUPS
    ) -> None:
        """Open the file.

        Args:
            path: the file; a new one is accessible to its owner only.
            max_bytes: size at which it is renamed to `path.1`, and so on, and a new one begins; None for no
                limit.
            backups: the number of renamed files to keep; the oldest is deleted.

        Raises:
            ConfigurationError: the file cannot be written or is not a recording, or a limit is invalid.
        """
        check_limits(max_bytes, backups)
        self.path: Path = Path(path)
        self.truncated_bytes: int = 0
        """Size in bytes of an incomplete last record that was removed when the file was opened."""
        self.damaged: list[range] = []
        """Positions of damaged bytes in the file when it was opened, as `Recording.damaged` lists them."""
        self.lost: int = 0
        """Number of records that could not be written."""
        self._lost_in_a_row = 0
        self._connection = 0
        self._framer: Framer | None = None
        """Parser of the sent bytes; None between two connections."""
        try:
            size = self._mend()
            self._file = LogFile(self.path, max_bytes, backups)
            if not size:
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

    def _mend(self) -> int:
        """Cut off an incomplete record at the end of the file; return its size."""
        if not self.path.exists():
            return 0
        recording = Recording(self.path)
        for record in recording:
            self._connection = max(self._connection, record.connection)
        self.damaged = recording.damaged
        if recording.torn:
            self.truncated_bytes = recording.torn
            with self.path.open("r+b") as file:
                file.truncate(recording.whole)
            _log.warning(
                "the recording %s ended in %s bytes of an incomplete record, which were removed",
                self.path,
                self.truncated_bytes,
            )
        return recording.whole

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
            while (found := self._framer.next()) is not None:
                if isinstance(found, Frame):
                    self._write(Kind.SENT, without_secrets(found.data), now)

    def on_state(self, old: State, new: State, now: Instant) -> None:
        """Record the end of a connection when the session's state changes to it."""
        del old
        if new is State.DISCONNECTED:
            self.end(now)

    def end(self, now: Instant) -> None:
        """Record the end of the connection; called by programs with their own loop."""
        with self._file.lock:
            if self._framer is not None:
                self._framer = None
                self._write(Kind.ENDED, b"", now)

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        with self._file.lock:
            self._file.close()

    def _write(self, kind: Kind, data: bytes, now: Instant) -> None:
        record = pack(now.utc, self._connection, kind, data)
        try:
            if self._file.exceeds_limit(len(record)):
                self._rotate()
            if self._lost_in_a_row:
                detail = b"%d" % self._lost_in_a_row
                record = pack(now.utc, self._connection, Kind.LOST, detail) + record
            self._file.append(record)
        except OSError as error:
            if not self._lost_in_a_row:
                _log.warning("the recording %s cannot be written (%s)", self.path, error.strerror)
            self.lost += 1
            self._lost_in_a_row += 1
            return
        if self._lost_in_a_row:
            _log.warning(
                "the recording %s can be written again; %s are missing from it",
                self.path,
                self._lost_in_a_row,
            )
            self._lost_in_a_row = 0

    def _rotate(self) -> None:
        self._file.rotate()
        self._file.append(MAGIC)
