"""Writing a recording: an observer of a client, or what a program with its own loop tells of its bytes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, Self

from kalshi_fix_adapters.observe.log_file import LogFile, check_limits
from kalshi_fix_adapters.observe.observer import Direction, Observer
from kalshi_fix_adapters.observe.redact import without_secrets
from kalshi_fix_adapters.recording.file import MAGIC, Kind, Recording, RecordingError, pack
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH, Frame, Framer
from kalshi_fix_sansio.session.states import State

MAX_BYTES: Final = 1024 * 1024 * 1024
BACKUPS: Final = 15

_log = logging.getLogger(__name__)


class Recorder(Observer):
    """Writes what one client receives, as it was read, with its time; and what it sends, without secrets.

    Pass it as `observer`. It writes at the end of a file that is there already, having cut off what a crash
    has left of a last record. What the file system does never harms the session: what cannot be written is
    counted, and told by a record once writing works again. Nothing is buffered, so a crash of the process
    loses nothing. One client, and one process, at a time.
    """

    def __init__(
        self, path: str | Path, *, max_bytes: int | None = MAX_BYTES, backups: int = BACKUPS
    ) -> None:
        """Open the file.

        Args:
            path: the file; a new one is for its owner alone.
            max_bytes: size at which it becomes `path.1`, and so on, and a new one begins; None for no limit.
            backups: how many of these are kept; the oldest goes.

        Raises:
            ConfigurationError: the file cannot be written or is something else, or a limit makes no sense.
        """
        check_limits(max_bytes, backups)
        self.path: Path = Path(path)
        self.cut: int = 0
        """Bytes of a torn record that were cut off when the file was opened."""
        self.lost: int = 0
        """Records that could not be written."""
        self._lost_in_a_row = 0
        self._connection = 0
        self._framer: Framer | None = None
        """Of what is sent: None between two connections."""
        try:
            size = self._mend()
            self._file = LogFile(self.path, max_bytes, backups)
            if not size:
                self._file.append(MAGIC)
        except (OSError, RecordingError) as error:
            told = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(
                f"the recording {self.path} cannot be written ({told}); choose another path"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _mend(self) -> int:
        """Cut off what is no whole record at the end of the file; return its size."""
        if not self.path.exists():
            return 0
        recording = Recording(self.path)
        for record in recording:
            self._connection = max(self._connection, record.connection)
        if recording.torn:
            self.cut = recording.torn
            with self.path.open("r+b") as file:
                file.truncate(recording.whole)
            _log.warning(
                "the recording %s ended in %s bytes of a torn record, now cut off", self.path, self.cut
            )
        return recording.whole

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Bytes pass."""
        with self._file.lock:
            if self._framer is None:
                self._connection += 1
                self._framer = Framer(max_body_length=MAX_BODY_LENGTH)
            if direction == "received":
                self._write(Kind.RECEIVED, data, now)
                return
            self._framer.feed(data)
            while (found := self._framer.next()) is not None:
                if isinstance(found, Frame):
                    self._write(Kind.SENT, without_secrets(found.data), now)

    def on_state(self, old: State, new: State, now: Instant) -> None:
        """The session's state has changed; the end of a connection is written down."""
        del old
        if new is State.DISCONNECTED:
            self.end(now)

    def end(self, now: Instant) -> None:
        """Note the end of the connection; a program with its own loop calls this."""
        with self._file.lock:
            if self._framer is not None:
                self._framer = None
                self._write(Kind.ENDED, b"", now)

    def close(self) -> None:
        """Close the file; what comes afterwards opens it again."""
        with self._file.lock:
            self._file.close()

    def _write(self, kind: Kind, data: bytes, now: Instant) -> None:
        record = pack(now.utc, self._connection, kind, data)
        try:
            if self._file.needs_room(len(record)):
                self._set_aside()
            if self._lost_in_a_row:
                told = b"%d" % self._lost_in_a_row
                record = pack(now.utc, self._connection, Kind.LOST, told) + record
            self._file.append(record)
        except OSError as error:
            if not self._lost_in_a_row:
                _log.warning("the recording %s cannot be written (%s)", self.path, error.strerror)
            self.lost += 1
            self._lost_in_a_row += 1
            return
        if self._lost_in_a_row:
            _log.warning("the recording %s is written again; it lacks %s", self.path, self._lost_in_a_row)
            self._lost_in_a_row = 0

    def _set_aside(self) -> None:
        self._file.set_aside()
        self._file.append(MAGIC)
