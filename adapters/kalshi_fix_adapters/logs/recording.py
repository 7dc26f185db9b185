"""A recording: bytes of the wire with their time, in records with checksums.

A file begins with `MAGIC`. A record is its head (`HEAD`: size of the data, CRC-32 of all that follows it,
microseconds since 1970 in UTC, number of the connection, kind) and its data. Numbers are little-endian.

After a damaged record, the reader searches for the next complete one and continues there. It prefers a record
at the end position in the damaged head, so bytes inside the damaged record that look like a record are not
read as one, unless the checksum shows that only the size in the head is wrong.
"""

from __future__ import annotations

import logging
import os
import re
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
_SUM_FROM: Final = 8
"""Offset in a head at which the checksummed part begins."""
MAX_DATA: Final = 16 * 1024 * 1024
"""Maximum size of a record's data in bytes."""
MAX_CONNECTION: Final = 2**32 - 1
"""Highest number of a connection; the next one is 1 again."""
MAX_DAMAGED: Final = 1_000
"""Maximum number of damaged ranges listed for a file."""
_CHUNK: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIMES: Final = range(
    (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND + 1,
)
"""Microseconds since 1970 that a datetime can hold."""
_SEARCH_BASE, _SEARCH_RATIO = 64 * 1024 * 1024, 16
"""A search may read and checksum this many bytes, and this many more for each byte of the file before its
position: otherwise heads with wrong sizes could make it quadratic."""
_HEAD_PATTERN: Final = re.compile(
    rb"(?=...[\x00\x01]....(?:.......\x00)(?!\x00\x00\x00\x00)....[\x00-\x03])", re.DOTALL
)
"""A possible head of a record: a size up to `MAX_DATA`, a time after 1970, a connection, a kind."""

_log = logging.getLogger(__name__)


class RecordingError(AdapterError):
    """The file is not a recording, or has a version that this library does not know."""


class Kind(IntEnum):
    """The kind of a record.

    Attributes:
        RECEIVED: Bytes were received, as they were read.
        SENT: A message was sent; signatures and passwords are replaced by `*`.
        ENDED: The connection ended.
        LOST: Some records before this one could not be written; the data is their number in digits.
    """

    RECEIVED = 0
    SENT = 1
    ENDED = 2
    LOST = 3


@attrs.frozen
class Record:
    """One record.

    Attributes:
        time: UTC, with microseconds.
        connection: Number of the connection in this recording, from 1 on.
        kind: The kind of the record.
        data: Bytes of the wire, or other data, depending on `kind`.
    """

    time: datetime
    connection: int
    kind: Kind
    data: bytes = attrs.field(repr=False)


_KINDS: Final = tuple(Kind)


def pack(time: datetime, connection: int, kind: Kind, data: bytes) -> bytes:
    """Return a record in its file format."""
    since = (time - _EPOCH) // _MICROSECOND
    summed = HEAD.pack(0, 0, since, connection, kind)[_SUM_FROM:]
    return HEAD.pack(len(data), crc32(data, crc32(summed)), since, connection, kind) + data


class _Reader:
    """The bytes of a file by position, up to its size at opening; only a part is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self._buffer = b""
        self._base = 0
        self.spent = 0
        """Number of bytes read or checksummed by searches."""
        self._is_last = False
        """Whether a search has found that no complete record follows."""

    def window(self, at: int, count: int) -> tuple[bytes, int]:
        """Return a buffer with `count` bytes from `at`, fewer at the end of the file, and the offset of `at`
        in it."""
        if at < self._base or min(at + count, self.size) > self._base + len(self._buffer):
            self._file.seek(at)
            self._buffer, self._base = self._file.read(max(_CHUNK, count)), at
            self.spent += len(self._buffer)
            # The file was truncated meanwhile.
            if len(self._buffer) < min(count, self.size - at):
                self.size = at + len(self._buffer)
        return self._buffer, at - self._base

    def begins_a_recording(self) -> bool:
        """Return whether the file is a recording of this version. If its first bytes are damaged, it is one
        if a complete record follows. A shorter file may be the beginning of one."""
        begin = self.window(0, len(MAGIC))[0][: len(MAGIC)]
        if MAGIC.startswith(begin):
            return True
        # The last byte is the version.
        return begin[:-1] != MAGIC[:-1] and self.end_of(len(MAGIC)) is not None

    def head(self, at: int) -> tuple[int, int, bool]:
        """Return the end and the checksum in the head at a position, and whether its values are possible. The
        end is 0 if there is no head, or if the record would be too large."""
        buffer, place = self.window(at, HEAD.size)
        if place + HEAD.size > len(buffer):
            return 0, 0, False
        length, total, microseconds, _, kind = HEAD.unpack_from(buffer, place)
        end = at + HEAD.size + length if length <= MAX_DATA else 0
        return end, total, end > 0 and microseconds in _TIMES and kind < len(_KINDS)

    def end_of(self, at: int) -> int | None:
        """Return the end of the record at a position; None if there is no complete one."""
        limit = _SEARCH_BASE + _SEARCH_RATIO * at
        if self.spent > limit:
            return None
        end, total, possible = self.head(at)
        if not possible or end > self.size or self.spent + end - at > limit:
            return None
        self.spent += end - at
        return end if self.sum(at, end) == total else None

    def sum(self, at: int, end: int) -> int:
        """Return the checksum of a record from `at` to `end`."""
        buffer, place = self.window(at, end - at)
        return crc32(buffer[place + _SUM_FROM : place + end - at])

    def search(self, damaged: int) -> int | None:
        """Return the position of the next complete record after the start of a damaged one; None if there is
        none."""
        end, total, _ = self.head(damaged)
        # The size in a damaged head is right if the next record, or the end of the file, is at that position.
        intact = end == self.size or (0 < end < self.size and self.end_of(end) is not None)
        summed, running = damaged + _SUM_FROM, 0
        at, stop = damaged + 1, end if intact else 0 if self._is_last else self.size
        while at + HEAD.size <= stop:
            buffer, place = self.window(at, HEAD.size)
            if len(buffer) - place < HEAD.size:
                break  # the file was shortened meanwhile
            for found in _HEAD_PATTERN.finditer(buffer, place, place + stop - at):
                start = at + found.start() - place
                if self.end_of(start) is None:
                    continue
                if not intact:
                    return start
                if start < damaged + HEAD.size:
                    continue
                # Part of the damaged record, unless the damaged record ends here with a correct checksum.
                while summed < start:
                    piece, offset = self.window(summed, min(_CHUNK, start - summed))
                    part = piece[offset : offset + start - summed]
                    running, summed = crc32(part, running), summed + len(part)
                if running == total:
                    return start
            at += len(buffer) - place - HEAD.size + 1
        if intact:
            return end
        self._is_last = True
        return self._end_by_sum(damaged, total) if end > self.size else None

    def _end_by_sum(self, at: int, total: int) -> int | None:
        """Return the end of a record whose size is wrong: the position at which its checksum is correct."""
        buffer, place = self.window(at, self.size - at)
        running = crc32(buffer[place + _SUM_FROM : place + HEAD.size])
        for end in range(place + HEAD.size, place + self.size - at + 1):
            if running == total:
                return at + end - place
            running = crc32(buffer[end : end + 1], running)
        return None

    def is_torn(self, at: int) -> bool:
        """Return whether the incomplete record at a position is one whose rest was never written."""
        end, _, possible = self.head(at)
        return self.size - at < HEAD.size or (possible and end > self.size)


class Recording:
    """Reads a recording from its beginning, record by record, in little memory. One iteration at a time.

    Damaged records are skipped, and the complete ones after them are read: `damaged` lists the skipped
    ranges, and a warning is logged.
    """

    def __init__(self, path: str | Path) -> None:
        """Store the path; the file is opened when the iteration begins."""
        self.path: Path = Path(path)
        self.whole: int = 0
        """Size of the file without the incomplete record at its end, known once all records are read."""
        self.torn: int = 0
        """Size of the incomplete record that a crash left at the end; 0 until all records are read."""
        self.damaged: list[range] = []
        """Positions of the damaged bytes that were left out so far, the first `MAX_DAMAGED` ranges."""
        self.damaged_bytes: int = 0
        """Bytes in all damaged ranges so far."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records.

        Raises:
            RecordingError: this is not a recording.
            OSError: the file cannot be read.
        """
        self.whole = self.torn = self.damaged_bytes = 0
        self.damaged = []
        with self.path.open("rb") as file:
            reader = _Reader(file)
            at = self._begin(reader)
            head_size, unpack = HEAD.size, HEAD.unpack_from
            while at < reader.size:
                buffer, place = reader.window(at, head_size)
                first, size = at, len(buffer)
                while place + head_size <= size:
                    length, total, microseconds, connection, kind = unpack(buffer, place)
                    begin = place + head_size
                    end = begin + length
                    if end > size:
                        break
                    # The checksum covers the bytes after itself.
                    if (
                        crc32(buffer[place + _SUM_FROM : end]) != total
                        or length > MAX_DATA
                        or microseconds not in _TIMES
                        or kind >= len(_KINDS)
                    ):
                        reader.spent += length
                        break
                    at += head_size + length
                    place = end
                    time = _EPOCH + timedelta(microseconds=microseconds)
                    yield Record(time, connection, _KINDS[kind], buffer[begin:end])
                if at > first or reader.end_of(at) is not None:
                    continue  # with the rest of the file, or with more of it in memory
                found = reader.search(at)
                if found is None and reader.is_torn(at):
                    self.torn = reader.size - at
                    break
                found = found or reader.size
                self._note_damage(at, found)
                at = found
            self.whole = reader.size - self.torn

    def _begin(self, reader: _Reader) -> int:
        """Return the position of the first record."""
        if not reader.begins_a_recording():
            raise RecordingError(f"{self.path} is not a recording of this version")
        begin = reader.window(0, len(MAGIC))[0][: len(MAGIC)]
        if len(begin) < len(MAGIC):
            self.torn = len(begin)
            return reader.size
        if begin != MAGIC:
            self._note_damage(0, len(MAGIC))
        return len(MAGIC)

    def _note_damage(self, begin: int, end: int) -> None:
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


def is_recording(path: str | Path) -> bool:
    """Return whether a file is a recording; one that is shorter than `MAGIC` is not.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        reader = _Reader(file)
        return reader.size >= len(MAGIC) and reader.begins_a_recording()
