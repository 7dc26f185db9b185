"""A recording: received bytes and sent messages with their times, in records with checksums.

A file begins with `MAGIC`. A record consists of its head (`HEAD`) and its data. The head contains these
little-endian numbers: the size of the data, the CRC-32 of everything after this checksum, the microseconds
since 1970 in UTC, the number of the connection, and the kind.

After a damaged record, the reader continues with the next complete record. The data of the damaged record may
contain bytes that look like a record. Therefore the reader first determines where the damaged record ends:

- The size in the damaged head gives a position. If a complete record or the end of the file follows there,
  the damaged record ends at this position.
- Exception: a complete record begins before this position, and the checksum in the damaged head is correct
  for the bytes before that record. Then only the size is wrong, and the damaged record ends where that record
  begins.
- Otherwise the damaged record ends at the next bytes that are a complete record.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final
from zlib import crc32

import attrs

from kalshi_fix_adapters.errors import AdapterError

MAGIC: Final = b"KFIXREC1"
HEAD: Final = Struct("<IIqIB")
_SUM_START: Final = 8
"""Offset in a record at which the checksummed part begins."""
MAX_DATA: Final = 16 * 1024 * 1024
"""Maximum size of a record's data in bytes."""
MAX_CONNECTION: Final = 2**32 - 1
"""Highest connection number. The next connection has number 1 again."""
MAX_DAMAGED: Final = 1_000
"""Maximum number of damaged ranges listed for a file."""
_CHUNK: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIMES: Final = range(
    (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND + 1,
)
"""The range of microseconds since 1970 that a datetime can represent."""
_SEARCH_BASE, _SEARCH_RATIO = 64 * 1024 * 1024, 16
"""All searches together may read and checksum `_SEARCH_BASE` bytes, plus `_SEARCH_RATIO` bytes for each byte
before the current position. Without this limit, heads with wrong sizes could make the time quadratic.
"""
_HEAD_PATTERN: Final = re.compile(
    rb"(?=...[\x00\x01]....(?:.......\x00)(?!\x00\x00\x00\x00)....[\x00-\x03])", re.DOTALL
)
"""A possible head of a record: a size up to `MAX_DATA`, a time after 1970, a connection other than 0, and a
kind.
"""

_log = logging.getLogger(__name__)


class RecordingError(AdapterError):
    """The file is not a recording, or was written by another version of this library."""


class Kind(IntEnum):
    """The kind of a record.

    Attributes:
        RECEIVED: Received bytes, in the chunks in which they were read.
        SENT: A sent message; signatures and passwords are replaced by `*`.
        ENDED: The end of the connection.
        LOST: Before this record, records could not be written. The data is their number in decimal digits.
    """

    RECEIVED = 0
    SENT = 1
    ENDED = 2
    LOST = 3


@attrs.frozen
class Record:
    """One record.

    Attributes:
        time: The time in UTC, with microseconds.
        connection: Number of the connection in this recording, counted from 1.
        kind: The kind of the record.
        data: Bytes received or sent, or other data, depending on `kind`.
    """

    time: datetime
    connection: int
    kind: Kind
    data: bytes = attrs.field(repr=False)


_KINDS: Final = tuple(Kind)


def pack(time: datetime, connection: int, kind: Kind, data: bytes) -> bytes:
    """Return a record in its file format."""
    microseconds = (time - _EPOCH) // _MICROSECOND
    head_part = HEAD.pack(0, 0, microseconds, connection, kind)[_SUM_START:]
    return HEAD.pack(len(data), crc32(data, crc32(head_part)), microseconds, connection, kind) + data


class _Reader:
    """Access to the bytes of a file by position, up to the size that the file had when it was opened. Only a
    part of the file is in memory.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self._buffer = b""
        self._base = 0
        self.spent = 0
        """Number of bytes that searches have read or checksummed."""
        self._no_record_follows = False
        """Whether a search has found that no complete record follows."""

    def window(self, position: int, count: int) -> tuple[bytes, int]:
        """Return a buffer that contains `count` bytes from `position` on (fewer at the end of the file), and
        the offset of `position` in this buffer.
        """
        if position < self._base or min(position + count, self.size) > self._base + len(self._buffer):
            self._file.seek(position)
            self._buffer, self._base = self._file.read(max(_CHUNK, count)), position
            self.spent += len(self._buffer)
            # Fewer bytes than expected: the file was truncated in the meantime.
            if len(self._buffer) < min(count, self.size - position):
                self.size = position + len(self._buffer)
        return self._buffer, position - self._base

    def has_recording_start(self) -> bool:
        """Return whether the file is a recording of this version. If its first bytes are damaged, a complete
        record must follow. A file shorter than `MAGIC` may be the beginning of a recording.
        """
        first_bytes = self.window(0, len(MAGIC))[0][: len(MAGIC)]
        if MAGIC.startswith(first_bytes):
            return True
        # The last byte is the version.
        return first_bytes[:-1] != MAGIC[:-1] and self.record_end(len(MAGIC)) is not None

    def head(self, position: int) -> tuple[int, int, bool]:
        """Return the end position and the checksum according to the head at a position, and whether the
        values of the head are valid. The end position is 0 if there is no head, or if the record would be
        too large.
        """
        buffer, index = self.window(position, HEAD.size)
        if index + HEAD.size > len(buffer):
            return 0, 0, False
        length, checksum, microseconds, _, kind = HEAD.unpack_from(buffer, index)
        end = position + HEAD.size + length if length <= MAX_DATA else 0
        return end, checksum, end > 0 and microseconds in _TIMES and kind < len(_KINDS)

    def record_end(self, position: int) -> int | None:
        """Return the end of the record at a position; None if there is no complete record."""
        limit = _SEARCH_BASE + _SEARCH_RATIO * position
        if self.spent > limit:
            return None
        end, checksum, is_head_valid = self.head(position)
        if not is_head_valid or end > self.size or self.spent + end - position > limit:
            return None
        self.spent += end - position
        return end if self.checksum(position, end) == checksum else None

    def checksum(self, position: int, end: int) -> int:
        """Return the checksum of a record from `position` to `end`."""
        buffer, index = self.window(position, end - position)
        return crc32(buffer[index + _SUM_START : index + end - position])

    def search(self, damaged: int) -> int | None:
        """Return the position at which reading continues after a damaged record (see the module docstring).
        Return None if no complete record follows and the end of the damaged record is unknown.
        """
        end, checksum, _ = self.head(damaged)
        # The size in the damaged head is correct if the next record, or the end of the file, is at the
        # resulting position.
        is_size_correct = end == self.size or (0 < end < self.size and self.record_end(end) is not None)
        checksum_position, running_checksum = damaged + _SUM_START, 0
        if is_size_correct:
            stop = end
        elif self._no_record_follows:
            stop = 0  # another search would find nothing
        else:
            stop = self.size
        position = damaged + 1
        while position + HEAD.size <= stop:
            buffer, index = self.window(position, HEAD.size)
            if len(buffer) - index < HEAD.size:
                break  # the file was truncated in the meantime
            for match in _HEAD_PATTERN.finditer(buffer, index, index + stop - position):
                start = position + match.start() - index
                if self.record_end(start) is None:
                    continue
                if not is_size_correct:
                    return start
                if start < damaged + HEAD.size:
                    continue
                # The match is part of the damaged record's data, unless the checksum is correct for a record
                # that ends at `start`.
                while checksum_position < start:
                    chunk, offset = self.window(checksum_position, min(_CHUNK, start - checksum_position))
                    part = chunk[offset : offset + start - checksum_position]
                    running_checksum, checksum_position = (
                        crc32(part, running_checksum),
                        checksum_position + len(part),
                    )
                if running_checksum == checksum:
                    return start
            position += len(buffer) - index - HEAD.size + 1
        if is_size_correct:
            return end
        self._no_record_follows = True
        return self._end_by_checksum(damaged, checksum) if end > self.size else None

    def _end_by_checksum(self, position: int, checksum: int) -> int | None:
        """Return the end of a record with a wrong size: the position for which the checksum is correct. None
        if there is none.
        """
        buffer, index = self.window(position, self.size - position)
        running_checksum = crc32(buffer[index + _SUM_START : index + HEAD.size])
        for end in range(index + HEAD.size, index + self.size - position + 1):
            if running_checksum == checksum:
                return position + end - index
            running_checksum = crc32(buffer[end : end + 1], running_checksum)
        return None

    def is_torn(self, position: int) -> bool:
        """Return whether the record at a position is incomplete because its end was never written."""
        end, _, is_head_valid = self.head(position)
        return self.size - position < HEAD.size or (is_head_valid and end > self.size)


class Recording:
    """Reads a recording record by record, using little memory. Only one iteration is possible at a time. A
    file whose name ends with .gz is decompressed into a temporary file.

    Damaged records are skipped, and reading continues with the next complete record. `damaged` lists the
    skipped ranges, and a warning is logged.
    """

    def __init__(self, path: str | Path) -> None:
        """Store the path; the file is opened when the iteration begins."""
        self.path: Path = Path(path)
        self.complete_size: int = 0
        """Size of the file without an incomplete record at its end, set once all records have been read."""
        self.torn: int = 0
        """Size of the incomplete record that a crash left at the end; 0 until all records are read."""
        self.damaged: list[range] = []
        """Positions of the damaged bytes that were skipped so far; only the first `MAX_DAMAGED` ranges."""
        self.damaged_bytes: int = 0
        """Number of bytes in all damaged ranges so far."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records.

        Raises:
            RecordingError: the file is not a recording.
            OSError, EOFError, zlib.error: the file cannot be read or decompressed.
        """
        self.complete_size = self.torn = self.damaged_bytes = 0
        self.damaged = []
        with _open_decompressed(self.path) as file:
            reader = _Reader(file)
            position = self._first_record(reader)
            head_size, unpack = HEAD.size, HEAD.unpack_from
            while position < reader.size:
                buffer, index = reader.window(position, head_size)
                first_position, buffer_size = position, len(buffer)
                while index + head_size <= buffer_size:
                    length, checksum, microseconds, connection, kind = unpack(buffer, index)
                    begin = index + head_size
                    end = begin + length
                    if end > buffer_size:
                        break
                    # The checksum covers the bytes after itself.
                    if (
                        crc32(buffer[index + _SUM_START : end]) != checksum
                        or length > MAX_DATA
                        or microseconds not in _TIMES
                        or kind >= len(_KINDS)
                    ):
                        reader.spent += length
                        break
                    position += head_size + length
                    index = end
                    time = _EPOCH + timedelta(microseconds=microseconds)
                    yield Record(time, connection, _KINDS[kind], buffer[begin:end])
                if position > first_position or reader.record_end(position) is not None:
                    continue  # continue with the next part of the file
                next_record = reader.search(position)
                if next_record is None and reader.is_torn(position):
                    self.torn = reader.size - position
                    break
                next_record = next_record or reader.size
                self._record_damage(position, next_record)
                position = next_record
            self.complete_size = reader.size - self.torn

    def _first_record(self, reader: _Reader) -> int:
        """Return the position of the first record."""
        if not reader.has_recording_start():
            raise RecordingError(f"{self.path} is not a recording of this version")
        first_bytes = reader.window(0, len(MAGIC))[0][: len(MAGIC)]
        if len(first_bytes) < len(MAGIC):
            self.torn = len(first_bytes)
            return reader.size
        if first_bytes != MAGIC:
            self._record_damage(0, len(MAGIC))
        return len(MAGIC)

    def _record_damage(self, begin: int, end: int) -> None:
        if not self.damaged_bytes:
            _log.warning(
                "the recording %s is damaged from byte %s to byte %s; later complete records are read",
                self.path,
                begin,
                end,
            )
        self.damaged_bytes += end - begin
        if len(self.damaged) < MAX_DAMAGED:
            self.damaged.append(range(begin, end))


@contextlib.contextmanager
def _open_decompressed(path: Path) -> Iterator[BinaryIO]:
    """Open a file; if its name ends with .gz, decompress it into a temporary file."""
    with path.open("rb") as file:
        if path.suffix != ".gz":
            yield file
            return
        # `_Reader` also moves backwards, which is slow in a compressed file.
        with gzip.open(file) as packed, tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(packed, unpacked)
            unpacked.flush()
            yield unpacked


def is_recording(path: str | Path) -> bool:
    """Return whether a file is a recording; False for a file that is shorter than `MAGIC`. If the name ends
    with .gz, the first bytes must be intact.

    Raises:
        OSError, EOFError, zlib.error: the file cannot be read or decompressed.
    """
    if Path(path).suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read(len(MAGIC)) == MAGIC
    with Path(path).open("rb") as file:
        reader = _Reader(file)
        return reader.size >= len(MAGIC) and reader.has_recording_start()
