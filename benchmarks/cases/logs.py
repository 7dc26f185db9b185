"""Benchmarks: (l) decode a wire log into messages and lines, and (m) replay a recording into order books."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

from benchmarks import samples
from benchmarks.cases import stream
from benchmarks.measure import Contender, call_for_each
from kalshi_fix_adapters.cli.logs.decoding import Decoder, Form, OutputOptions
from kalshi_fix_adapters.logs import LogReader, read_log, replay
from kalshi_fix_adapters.logs.entries import chunks_of
from kalshi_fix_adapters.logs.recording import MAGIC, Kind, pack
from kalshi_fix_sansio.framing import Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import OrderBooks

LOG = "l: a wire log"
DECODE, READ_LOG, LINES, JSON = (
    "decode() alone",
    "read_log",
    "decode to one line per message",
    "decode --json",
)
RECORDING = "m: market data to books"
IN_MEMORY, REPLAY = "framing, decode() and book", "replay of a recording"
OTHER_FORMATS = {
    "in QuickFIX's format": (b"20260817-16:00:00.123456789 : ", b"\x01"),
    "with ^A": (b"2026-08-17 16:00:00.123456Z 1 received ", b"^A"),
    "with \\x01, in quotes": (b"2026-08-17 16:00:00,123 INFO [io-1] received b'", rb"\x01"),
    "from a log with one line per field": (b"2026-08-17 16:00:00.123 <-\n", b"\n"),
}
"""Log formats of other programs: the text before a message, and the separator of its fields."""
SIZE = 1_000_000


def logs(size: int = SIZE) -> list[Contender]:
    """Return contenders that read logs and recordings; each file contains about `size` bytes of messages."""
    return [*_reading_contenders(size), *_replay_contenders(size)]


def name_with_format(name: str, other_format: str) -> str:
    """Return the name of a task that reads a log in another program's format."""
    return f"{name}, {other_format}"


def _reading_contenders(size: int) -> Iterable[Contender]:
    frames = stream.numbered_reports(size)
    path = wire_log(size)
    runs: dict[str, Callable[[], None]] = {
        DECODE: call_for_each(CODEC.decode, frames),
        READ_LOG: partial(read, path),
        LINES: partial(decode_log, path, Form.BRIEF),
        JSON: partial(decode_log, path, Form.JSON),
    }
    for other_format, (before, separator) in OTHER_FORMATS.items():
        other = _write(b"".join(before + frame.replace(b"\x01", separator) + b"\n" for frame in frames))
        runs[name_with_format(READ_LOG, other_format)] = partial(read, other)
        runs[name_with_format(LINES, other_format)] = partial(decode_log, other, Form.BRIEF)
    for name, run in runs.items():
        yield Contender(LOG, name, run, len(frames), max_calls=4)


@cache
def wire_log(size: int = SIZE, times: int = 1) -> Path:
    """Write a wire log of this many bytes of reports, repeated `times` times; return its path."""
    line = b"2026-08-17 16:00:00.123456Z 1 received %b\n"
    return _write(
        b"".join(line % each.replace(b"\x01", b"|") for each in stream.numbered_reports(size)) * times
    )


def read(path: Path) -> None:
    """Read a log to its end."""
    for _ in read_log(path):
        pass


def decode_log(path: Path, form: Form) -> None:
    """Decode a log as `kalshi-fix decode` does, but discard the lines, so that writing is not measured."""
    decoder, reader = Decoder(OutputOptions(form)), LogReader()
    for chunk in chunks_of(path):
        "\n".join(decoder.decode_batch(reader.feed(chunk)).text)


def _replay_contenders(size: int) -> Iterable[Contender]:
    data = samples.first_snapshots()
    while sum(map(len, data)) < size:
        data += [samples.incremental_bytes(3, len(data) + number) for number in range(100)]
    chunks = stream.split_into_chunks(b"".join(data))
    times = (samples.NOON + timedelta(milliseconds=number) for number in range(len(chunks)))
    records = [pack(time, 1, Kind.RECEIVED, each) for time, each in zip(times, chunks, strict=True)]
    path = _write(MAGIC + b"".join(records))

    def in_memory() -> None:
        framer, books = Framer(), OrderBooks()
        for chunk in chunks:
            framer.feed(chunk)
            while (frame := framer.next()) is not None:
                books.apply(CODEC.decode(frame))  # type: ignore[arg-type]

    yield Contender(RECORDING, IN_MEMORY, in_memory, len(data), max_calls=4)
    yield Contender(RECORDING, REPLAY, lambda: replay(path, OrderBooks()), len(data), max_calls=4)


@cache
def _folder() -> Path:
    """Return a folder that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="kalshi-fix-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _write(data: bytes) -> Path:
    path = _folder() / f"{len([*_folder().iterdir()])}"
    path.write_bytes(data)
    return path
