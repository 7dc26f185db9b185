"""A recording: bytes of the wire with their time, record by record, each of which says whether it is whole.

A file begins with `MAGIC`. A record is its head (`HEAD`: size of the data, CRC-32 of all that follows it,
microseconds since 1970 in UTC, number of the connection, kind) and its data. Numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import Final
from zlib import crc32

import attrs

from kalshi_fix_adapters.errors import AdapterError
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.fast_init import fast_init

MAGIC: Final = b"KFIXREC1"
HEAD: Final = Struct("<IIqIB")
_SUM_FROM: Final = 8
"""Where what the sum is taken of begins in a head."""
MAX_DATA: Final = 16 * 1024 * 1024
"""Bytes of the largest record."""
_CHUNK: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class RecordingError(AdapterError):
    """The file is no recording, or of a version that this library does not know."""


@explained
class Kind(IntEnum):
    """What a record tells."""

    RECEIVED = 0
    """Bytes came, as they were read."""
    SENT = 1
    """A message was sent; signatures and passwords are replaced by `*`."""
    ENDED = 2
    """The connection ended."""
    LOST = 3
    """Some records before this one could not be written; the data says how many, in digits."""


@explained
@attrs.frozen
class Record:
    """One record."""

    time: datetime
    """UTC, with microseconds."""
    connection: int
    """Number of the connection in this recording, from 1 on."""
    kind: Kind
    """What it tells."""
    data: bytes = attrs.field(repr=False)
    """Bytes of the wire; what else they are depends on `kind`."""


_record = fast_init(Record)
_KINDS: Final = tuple(Kind)


def pack(time: datetime, connection: int, kind: Kind, data: bytes) -> bytes:
    """Return a record as it stands in a file."""
    since = (time - _EPOCH) // _MICROSECOND
    summed = HEAD.pack(0, 0, since, connection, kind)[_SUM_FROM:]
    return HEAD.pack(len(data), crc32(data, crc32(summed)), since, connection, kind) + data


class Recording:
    """Reads a recording from its beginning, record by record, in little memory. One iteration at a time."""

    def __init__(self, path: str | Path) -> None:
        """Take the file; it is opened when records are asked for."""
        self.path: Path = Path(path)
        self.whole: int = 0
        """Bytes that were read as whole records so far, `MAGIC` included."""
        self.torn: int = 0
        """Bytes behind the last whole record, once all are read: a crash has torn the end off, or damaged
        what follows."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records.

        Raises:
            RecordingError: this is no recording.
            OSError: the file cannot be read.
        """
        self.whole = self.torn = 0
        with self.path.open("rb") as file:
            magic = file.read(len(MAGIC))
            if not MAGIC.startswith(magic):
                raise RecordingError(f"{self.path} is no recording of this version")
            buffer, at = b"", 0
            self.whole = len(magic) if magic == MAGIC else 0
            head_size, unpack = HEAD.size, HEAD.unpack_from
            while data := file.read(_CHUNK):
                buffer = buffer[at:] + data
                at, size = 0, len(buffer)
                while at + head_size <= size:
                    length, total, microseconds, connection, kind = unpack(buffer, at)
                    begin = at + head_size
                    end = begin + length
                    if length > MAX_DATA:
                        self._tear(file.seek(0, 2))
                        return
                    if end > size:
                        break
                    # The sum is of what follows itself.
                    if crc32(buffer[at + _SUM_FROM : end]) != total or kind >= len(_KINDS):
                        self._tear(file.seek(0, 2))
                        return
                    at = end
                    self.whole += head_size + length
                    time = _EPOCH + timedelta(microseconds=microseconds)
                    yield _record(time, connection, _KINDS[kind], buffer[begin:end])
            self._tear(file.tell())

    def _tear(self, size: int) -> None:
        self.torn = size - self.whole


def is_recording(path: str | Path) -> bool:
    """Say whether a file begins like a recording.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
