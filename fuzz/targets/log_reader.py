"""Fuzz target `log_reader`: arbitrary logs, in arbitrary chunks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from fuzz import wire
from fuzz.wire import KALSHI
from kalshi_fix_adapters.cli.logs.decoding import Decoder, Form, OutputOptions
from kalshi_fix_adapters.cli.logs.explain import explain
from kalshi_fix_adapters.logs.dates import DatedDecoder
from kalshi_fix_adapters.logs.fields import SEPARATORS
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_sansio.fuzzing import Choices

MAX_MESSAGE = 1024
_SEPARATORS: Final = (*SEPARATORS, b"\n", b"|\n", b"\r\n", b" \n\t")
_PREFIXES: Final = (
    b"",
    b"2026-08-21 12:00:00 sent ",
    b"[",
    b"8=FIXT.1.1",
    b"8=FIXT.1.1|9=5|",
    b"1",
    b"\n\n",
    b"note\n",
)
_SUFFIXES: Final = (b"\n", b"", b"]\n", b"\n\n", b" ...\n", b"\nnote\n", b"\\x7c\n")


class CarefulLogReader(LogReader):
    """A log reader without its fast path for complete messages."""

    def _take_complete(self, start: re.Match[bytes]) -> None:
        del start
        return


class CarefulDecoder(Decoder):
    """A decoder that explains every message."""

    def _formattable_message(self, logged: LoggedMessage) -> None:
        del logged
        return


# If a method were renamed in its class but not above, the fast path would be compared with itself.
assert hasattr(LogReader, "_take_complete")
assert hasattr(Decoder, "_formattable_message")


def check(data: bytes) -> None:
    """The messages found in a log do not depend on the chunks or on the fast path, each of them can be
    explained and is printed the same with and without the fast path, and the reader keeps at most one
    message.
    """
    choices = Choices(data)
    log = b""
    while choices.has_more and len(log) < 8 * MAX_MESSAGE:
        if choices.one_in(3):
            log += choices.chunk()
            continue
        message = wire.message(choices, KALSHI)[: 2 * MAX_MESSAGE]
        text = wire.damage(choices, message.replace(b"\x01", choices.pick(_SEPARATORS)))
        log += choices.pick(_PREFIXES) + text + choices.pick(_SUFFIXES)
    sizes = [1 + choices.below(40) for _ in range(1 + len(log) % 7)]
    check_invariant(log, sizes)


def check_invariant(log: bytes, sizes: Sequence[int], max_message: int = MAX_MESSAGE) -> list[LoggedMessage]:
    """Check the invariant for one log, in chunks whose sizes cycle through `sizes`; return its messages."""
    expected = read([log], max_message)
    assert read(wire.split_into_chunks(log, sizes), max_message) == expected, (
        "the messages depend on the chunks"
    )
    assert read([log], max_message, CarefulLogReader) == expected, "the messages depend on the fast path"
    line = 1
    for logged in expected:
        assert logged.frame.startswith(b"8=FIXT.1.1\x01")
        assert logged.frame.endswith(b"\x01")
        assert logged.line >= line
        line = logged.line
        explain(logged, DatedDecoder())
    for form in (Form.BRIEF, Form.JSON):
        fast, careful = Decoder(OutputOptions(form)), CarefulDecoder(OutputOptions(form))
        assert fast.decode_batch(expected) == careful.decode_batch(expected), "fast and careful output differ"
    return expected


def read(chunks: Sequence[bytes], max_message: int, kind: type[LogReader] = LogReader) -> list[LoggedMessage]:
    """Read a log that is passed in these chunks; check how much the reader keeps."""
    reader = kind(max_message)
    found: list[LoggedMessage] = []
    for chunk in chunks:
        found += reader.feed(chunk)
        kept = len(reader._buffer) - reader._at
        assert kept <= max_message + len(chunk) + 64, f"the reader keeps {kept} bytes"
    found += reader.close()
    return found
