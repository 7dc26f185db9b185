"""Reads a log in several processes. The log is split at the ends of messages, so each part is read as it
would be in the complete log.

Splitting at the end of a message is correct because a message always begins at `8=FIXT.1.1`, and a reader
keeps no state about a message that it has yielded. If no message ends near the end of a part, the reader of
this part continues with the next part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import attrs

from kalshi_fix_adapters.logs.dates import AsOf, DatedDecoder
from kalshi_fix_adapters.logs.entries import LogEntry, chunks_of, entry_of
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader, position_after

if TYPE_CHECKING:
    from concurrent.futures import Future

PART_SIZE: Final = 2 * 1024 * 1024
"""Approximate size of a part in bytes."""
_SEARCHED_BYTES: Final = 64 * 1024
"""Number of bytes at the end of a part that are searched for a position at which to split."""
_PARTS_AHEAD: Final = 2
"""Number of parts that wait for a process, in addition to the parts that are being processed."""

_T = TypeVar("_T")
Work = Callable[[Iterable[LoggedMessage]], _T]


def map_log(
    function: Callable[[LogEntry], _T | None],
    log: str | Path | IO[bytes],
    *,
    processes: int = 2,
    as_of: AsOf = None,
) -> Iterator[_T]:
    """Call a function with each message of a log, in several processes. Yield the results other than None, in
    the order of the log.

    The processes are spawned, so the function must be importable, and a script must call `map_log` under `if
    __name__ == "__main__"`. Results are transferred between processes. Transferring a complete `LogEntry`
    takes as much time as reading it.

    Args:
        function: called with each message.
        log: as in `read_log`.
        processes: the number of additional processes.
        as_of: as in `read_log`.

    Raises:
        OSError, EOFError, zlib.error: as raised by `read_log`. Exceptions from the function are raised too.
    """
    work: Work[list[_T]] = _CallForEach(function, as_of)
    for results in in_processes(work, chunks_of(log), processes):
        yield from results


@attrs.frozen
class _CallForEach:
    """Work that calls a function with each message of a part."""

    function: Callable[[LogEntry], Any]
    as_of: AsOf

    def __call__(self, messages: Iterable[LoggedMessage]) -> list[Any]:
        decoder = DatedDecoder(self.as_of)
        results = (self.function(entry_of(message, decoder)) for message in messages)
        return [result for result in results if result is not None]


def in_processes(work: Work[_T], chunks: Iterable[bytes], processes: int) -> Iterator[_T]:
    """Yield the results of `work` for the messages of each part of a log, in the order of the log."""
    # Imported here, because reading a log in one process does not need these modules.
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing import get_context

    running: deque[Future[tuple[_T, LogReader]]] = deque()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            reader: LogReader | Future[tuple[_T, LogReader]] = LogReader()
            for part in _parts(chunks):
                if isinstance(reader, Future):
                    reader = reader.result()[1]
                running.append(
                    pool.submit(_read, work, reader, part.data, close=part.next_reader is not None)
                )
                reader = running[-1] if part.next_reader is None else part.next_reader
                if len(running) >= processes + _PARTS_AHEAD:
                    yield running.popleft().result()[0]
            while running:
                yield running.popleft().result()[0]
        finally:
            for future in running:
                future.cancel()


def _read(work: Work[_T], reader: LogReader, data: bytes, *, close: bool) -> tuple[_T, LogReader]:
    messages = list(reader.feed(data))
    if close:
        messages += reader.close()
    return work(messages), reader


@attrs.frozen
class _Part:
    data: bytes
    next_reader: LogReader | None
    """The reader for the next part; None if the reader of this part continues with the next part."""


def _parts(chunks: Iterable[bytes]) -> Iterator[_Part]:
    line, before, buffer = 1, b"", bytearray()
    for chunk in chunks:
        buffer += chunk
        if len(buffer) < PART_SIZE:
            continue
        end = _end_of_message(buffer)
        data = bytes(buffer[:end])
        line, before = position_after(line, before, data)
        yield _Part(data, None if end is None else LogReader(line=line, prefix=before))
        del buffer[:end]
    yield _Part(bytes(buffer), LogReader())


def _end_of_message(data: bytearray) -> int | None:
    """Return the end of a message near the end of the data; None if no end is found."""
    start = max(0, len(data) - _SEARCHED_BYTES)
    reader = LogReader()
    for number, message in enumerate(reader.feed(bytes(data[start:]))):
        # The first message found is not used. It may start at the first byte of this section, and the byte
        # before that may be a digit: `8=FIXT.1.1` then belongs to another field, as in `58=FIXT.1.1`. A
        # truncated message is not used either, because the rest of it follows.
        if number and not message.truncated:
            return start + reader.position
    return None
