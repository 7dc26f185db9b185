"""The messages of a log, each with its time, direction and connection."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import IO, Final, Literal

import attrs

from kalshi_fix_adapters.logs.dates import AsOf, DatedDecoder
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.errors import DecodeError

CHUNK: Final = 128 * 1024
"""Maximum number of bytes read at once."""
Direction = Literal["sent", "received"]
"""The direction of a message, as seen by the program that wrote the log."""
_WIRE_LOG_PREFIX: Final = re.compile(rb"(.{19}\.[0-9]{6}Z) ([0-9]{1,9}) (sent|received) +")
"""The text before a message in this library's wire log."""
_TIME: Final = re.compile(
    rb"(?<![0-9])([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})[-T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,][0-9]+)?"
)
_DIRECTIONS: Final[dict[bytes, Direction]] = {
    **dict.fromkeys((b"sent", b"send", b"sending", b"out", b"outgoing", b"->", b">>"), "sent"),
    **dict.fromkeys((b"received", b"recv", b"receiving", b"in", b"incoming", b"<-", b"<<"), "received"),
}
_WORD: Final = re.compile(rb"[a-z]+|->|>>|<-|<<")


@attrs.frozen
class LogEntry:
    """One message of a log.

    Attributes:
        line: Number of the line on which the message begins, counted from 1.
        time: The time before the message on its line, interpreted as UTC; None if there is no date and time.
        direction: `sent` or `received`, according to the words before the message on its line; None without
            such words.
        connection: Number of the connection in a wire log; None in other logs.
        frame: The fields in wire format, with SOH after each. For a damaged message, the fields that were
            found.
        message: The decoded message; None if `frame` is not one complete message.
        problems: The problems of the message, except those that depend on the product or session type; empty
            for a valid message.
        truncated: Whether the message was truncated because it did not end within 2 MiB.
    """

    line: int
    time: datetime | None
    direction: Direction | None
    connection: int | None
    frame: bytes
    message: Message | None
    problems: tuple[Problem, ...]
    truncated: bool


def read_log(log: str | Path | IO[bytes], *, as_of: AsOf = None) -> Iterator[LogEntry]:
    """Yield the FIX messages of a log. Little memory is needed, regardless of the size of the log.

    Any log is accepted. Fields may be separated by SOH or a replacement (`|`, `^A`, `<SOH>`, an escape). Any
    text may surround the messages, and a message may span several lines. A damaged message is yielded with
    its problems.

    Args:
        log: the path of a file, which is decompressed if its name ends with .gz, or a binary file that is
            open for reading.
        as_of: the date of the dialect for decoding and checking; `latest` for today's dialect, None for the
            date in each message's SendingTime.

    Raises:
        OSError: the file cannot be read, is not a gzip file although its name ends with .gz, or has a wrong
            checksum.
        EOFError: a gzip file is truncated; the messages before the end have been yielded.
        zlib.error: the compressed data of a gzip file is damaged.
    """
    reader, decoder = LogReader(), DatedDecoder(as_of)
    for data in chunks_of(log):
        # All messages of a chunk are extracted before the first is decoded. Alternating between the two steps
        # takes a quarter longer, because the code of neither step stays in the processor's caches.
        yield from map(entry_of, list(reader.feed(data)), repeat(decoder))
    yield from map(entry_of, reader.close(), repeat(decoder))


def chunks_of(log: str | Path | IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a log in chunks; `log` is as in `read_log`."""
    if not isinstance(log, str | Path):
        yield from _chunks(log)
        return
    path = Path(log)
    if path.suffix == ".gz":
        with gzip.open(path) as compressed:
            yield from _chunks(compressed)
    else:
        with path.open("rb") as file:
            yield from _chunks(file)


def _chunks(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    # On a pipe, `read1` returns the available bytes without waiting for a complete chunk.
    read = getattr(file, "read1", file.read)
    while data := read(CHUNK):
        yield data


def entry_of(logged: LoggedMessage, decoder: DatedDecoder) -> LogEntry:
    """Decode a frame found by `LogReader`."""
    message: Message | None
    frame = logged.frame
    try:
        message, problems = decoder.check(frame)
    except DecodeError:
        decoder.select(frame)
        message, problems = None, decoder.codec.inspect(frame).problems
    time, direction, connection = parse_origin(logged.prefix)
    return LogEntry(logged.line, time, direction, connection, frame, message, problems, logged.truncated)


def parse_origin(text: bytes) -> tuple[datetime | None, Direction | None, int | None]:
    """Return the time, direction and connection that the text before a message on its line contains; each
    is None if it is missing.
    """
    prefix = _WIRE_LOG_PREFIX.fullmatch(text)
    if prefix is not None:
        try:
            time = datetime.fromisoformat(prefix[1].decode("ascii"))
        except ValueError:
            time = None
        return time, _DIRECTIONS[prefix[3]], int(prefix[2])
    time_match = _TIME.search(text)
    if time_match is None:
        return None, _direction(text), None
    other_text = text[: time_match.start()] + b" " + text[time_match.end() :]
    return _time(time_match), _direction(other_text), None


def _direction(text: bytes) -> Direction | None:
    directions = [_DIRECTIONS[word] for word in _WORD.findall(text.lower()) if word in _DIRECTIONS]
    # The last matching word is used, because a name earlier on the line may contain such a word.
    return directions[-1] if directions else None


def _time(match: re.Match[bytes]) -> datetime | None:
    try:
        return datetime.fromisoformat(match[0].decode("ascii")).replace(tzinfo=UTC)
    except ValueError:
        return None
