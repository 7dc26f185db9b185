"""The messages of a log one by one, with what the log tells of each: when, which way, on which connection."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Literal

import attrs

from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.fast_init import fast_init
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.problems import Problem

CHUNK: Final = 128 * 1024
"""Bytes read at once."""
Direction = Literal["sent", "received"]
"""Which way a message went, as far as its line says: seen from whoever wrote the log."""
_OWN: Final = re.compile(rb"(.{19}\.[0-9]{6}Z)( ([0-9]{1,9}) (sent|received) +)")
"""A line of this library's wire log."""
_OWN_SECONDS, _OWN_TIME = len("2026-11-21 12:00:00"), len("2026-11-21 12:00:00.123456Z")
MAX_KNOWN: Final = 1024
"""Connections of a wire log, and other texts around the time, that are known at sight; then all of them are
forgotten."""
_TIME: Final = re.compile(
    rb"(?<![0-9])([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})[-T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,][0-9]+)?"
)
_WAYS: Final[dict[bytes, Direction]] = {
    b"sent": "sent",
    b"send": "sent",
    b"sending": "sent",
    b"out": "sent",
    b"outgoing": "sent",
    b"->": "sent",
    b">>": "sent",
    b"received": "received",
    b"recv": "received",
    b"receiving": "received",
    b"in": "received",
    b"incoming": "received",
    b"<-": "received",
    b"<<": "received",
}
_WORD: Final = re.compile(rb"[a-z]+|->|>>|<-|<<")


@explained
@attrs.frozen
class LogEntry:
    """One message of a log."""

    line: int
    """Line on which it begins, from 1 on."""
    time: datetime | None
    """When the log says that it passed, taken as UTC; None if no date and time stand before it on its
    line."""
    direction: Direction | None
    """`sent` or `received`, by the words before it on its line; None if there are none."""
    connection: int | None
    """Which connection of a wire log; None in other logs."""
    frame: bytes
    """Its fields as they were on the wire, or what is left of them, with SOH after each."""
    message: Message | None
    """The message; None if these bytes are not one whole message."""
    problems: tuple[Problem, ...]
    """What is wrong with it, whatever the product and session type; empty for a sound message."""
    cut: bool
    """Whether it did not end within 2 MiB, and was given up."""


# One is made for each message of a log.
_log_entry = fast_init(LogEntry)
_frame = fast_init(Frame)


def read_log(log: str | Path | IO[bytes]) -> Iterator[LogEntry]:
    """Yield the FIX messages of a log, one after the other, in little memory whatever its size.

    Any log that has them: with SOH or what stands for it (`|`, `^A`, `<SOH>`, an escape) between fields,
    anything around them, on one line or several.
    A damaged message is yielded with its problems.

    Args:
        log: a file by its path, unpacked if its name ends with .gz, or one that is open for reading bytes.

    Raises:
        OSError: the file cannot be read, or is no gzip file.
        EOFError: a gzip file ends too early; what it holds has been yielded.
    """
    reader = LogReader()
    for data in pieces_of(log):
        # All of a piece are cut out before the first is decoded: one after the other takes a quarter longer,
        # for neither then finds its code in the processor's caches.
        yield from map(entry_of, list(reader.feed(data)))
    yield from map(entry_of, reader.close())


def pieces_of(log: str | Path | IO[bytes]) -> Iterator[bytes]:
    """Yield what is in a log, as `read_log` takes it, piece by piece."""
    if not isinstance(log, str | Path):
        yield from _pieces(log)
        return
    path = Path(log)
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            yield from _pieces(packed)
    else:
        with path.open("rb") as file:
            yield from _pieces(file)


def _pieces(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data


def entry_of(found: LoggedMessage) -> LogEntry:
    """Decode what a `LogReader` has found."""
    message: Message | None
    frame = found.frame
    try:
        # A Frame is taken for whole without another look.
        message, problems = CODEC.check(_frame(frame) if found.sound else frame)
    except DecodeError:
        message, problems = None, CODEC.inspect(frame).problems
    time, direction, connection = told(found.before)
    return _log_entry(found.line, time, direction, connection, frame, message, problems, found.cut)


_connections: Final[dict[bytes, tuple[Direction, int]]] = {}
"""Direction and connection by what stands behind the time in a line of a wire log: without it, what a line
tells takes twice as long."""
_ways: Final[dict[tuple[bytes, bytes], Direction | None]] = {}
"""Direction by what stands before and behind the time in another log."""


def told(before: bytes) -> tuple[datetime | None, Direction | None, int | None]:
    """Return time, direction and connection, as far as a line tells them before its message."""
    known = _connections.get(before[_OWN_TIME:])
    if known is not None and _has_own_time(before):
        try:
            return datetime.fromisoformat(before[:_OWN_TIME].decode("ascii")), *known
        except ValueError:
            pass
    own = _OWN.fullmatch(before)
    if own is not None:
        if len(_connections) >= MAX_KNOWN:
            _connections.clear()
        direction, connection = _connections[own[2]] = _WAYS[own[4]], int(own[3])
        try:
            time = datetime.fromisoformat(own[1].decode("ascii"))
        except ValueError:
            time = None
        return time, direction, connection
    found = _TIME.search(before)
    if found is None:
        return None, _way(before), None
    return _time(found), _way_around(before[: found.start()], before[found.end() :]), None


def own_line(before: bytes) -> tuple[bytes, Direction, int] | None:
    """Return date and time to the second, direction and connection if a line begins as in a wire log of this
    library does, and its connection is known; whether there is such a date, `told` says."""
    known = _connections.get(before[_OWN_TIME:])
    if known is None or not _has_own_time(before) or not before[_OWN_SECONDS + 1 : _OWN_TIME - 1].isdigit():
        return None
    return before[:_OWN_SECONDS], *known


def _has_own_time(before: bytes) -> bool:
    # What is a time, and has these at their places, is one of a wire log.
    return before.startswith(b".", _OWN_SECONDS) and before.startswith(b"Z", _OWN_TIME - 1)


def _way_around(head: bytes, tail: bytes) -> Direction | None:
    key = head, tail
    try:
        return _ways[key]
    except KeyError:
        pass
    if len(_ways) >= MAX_KNOWN:
        _ways.clear()
    way = _ways[key] = _way(b" ".join(key))
    return way


def _way(before: bytes) -> Direction | None:
    ways = [_WAYS[word] for word in _WORD.findall(before.lower()) if word in _WAYS]
    # The one that stands next to the message: a name may be such a word, too.
    return ways[-1] if ways else None


def _time(found: re.Match[bytes]) -> datetime | None:
    try:
        return datetime.fromisoformat(found[0].decode("ascii")).replace(tzinfo=UTC)
    except ValueError:
        return None
