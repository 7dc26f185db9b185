"""Output of the command: styled on a terminal, plain text in a pipe or with NO_COLOR."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final, Self, TextIO

import click
from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

Span = tuple[str, str]
"""A style (empty for none) and a part of a line."""
Line = tuple[Span, ...]

DEFAULT_WIDTH: Final = 80
"""The number of columns assumed for a terminal of unknown size."""
PLAIN_WIDTH = 1000
"""The number of columns for output that is not a terminal; no table needs more."""

MAX_TEXT_WIDTH: Final = 100
"""Maximum number of columns of running text, for readability."""

HIDDEN: Final = "<hidden>"
"""Replaces the value of a secret, such as a signature or a password."""
TRUNCATION_MARK = ">"
"""Marks the end of a truncated line."""

PROGRESS_SECONDS: Final = 0.5
"""Seconds between two progress lines, and before the first progress line."""
MIN_WIDTH: Final = 20
"""Minimum number of columns assumed for a terminal."""
_WORDS: Final = re.compile(r" *[^ ]+")


def plain(text: str) -> Line:
    """Return a line without style."""
    return (("", text),)


def printable(text: str) -> str:
    """Return the text with control characters escaped, so that text from outside cannot control the
    terminal.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def pluralize(number: int, noun: str) -> str:
    """Return a number and its noun, in the singular or plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def columns_of(stream: TextIO) -> int | None:
    """Return the number of columns of a stream; None if it is not a terminal."""
    if not stream.isatty():
        return None
    columns = _columns_from_environment()
    if columns is None:
        with contextlib.suppress(OSError, ValueError):
            columns = os.get_terminal_size(stream.fileno()).columns
    return max(MIN_WIDTH, columns or DEFAULT_WIDTH)


def _columns_from_environment() -> int | None:
    with contextlib.suppress(KeyError, ValueError):
        return max(MIN_WIDTH, int(os.environ["COLUMNS"]))
    return None


def print_stderr(text: str) -> None:
    """Print a message from the command on standard error, folded to the width of a terminal."""
    columns = columns_of(sys.stderr)
    for line in f"kalshi-fix: {text}".split("\n"):
        click.echo(line if columns is None else wrapped(line, columns), err=True)


@contextlib.contextmanager
def temporary_handler(handler: logging.Handler, logger_name: str = "kalshi_fix_adapters") -> Iterator[None]:
    """Pass the records of one of the library's loggers to a handler until the context ends. During this time,
    the logger's warnings are not printed, unless the program has configured another handler.
    """
    logger = logging.getLogger(logger_name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def without_log_lines() -> contextlib.AbstractContextManager[None]:
    """Do not print warnings from the library's logger, unless the program has configured a handler."""
    return temporary_handler(logging.NullHandler())


class StatusLine:
    """A progress line on standard error, which is overwritten by each new text."""

    def __init__(self) -> None:
        self._length = 0
        self._due = time.monotonic() + PROGRESS_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    @staticmethod
    def is_visible() -> bool:
        """Return whether standard error is a terminal."""
        return sys.stderr.isatty()

    def is_due(self) -> bool:
        """Return whether a progress line is due. If it is, the next line is due after `PROGRESS_SECONDS`."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + PROGRESS_SECONDS
        return True

    def show(self, text: str) -> None:
        """Print the text, if standard error is a terminal."""
        columns = columns_of(sys.stderr)
        if columns is None:
            return
        text = text[: columns - 1]
        # Overwrite the previous line with spaces, because the terminal may not support erase sequences.
        line = f"\r{text:<{self._length}}"
        # Set before writing, so that `clear` erases the line even if an interrupt occurs during the write.
        self._length = max(self._length, len(text))
        sys.stderr.write(line)
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._length:
            sys.stderr.write(f"\r{'':<{self._length}}\r")
            sys.stderr.flush()
            self._length = 0


def wrapped(text: str, width: int, *, indent: int | None = None) -> str:
    """Fold a text as `folded` does; return it with line breaks."""
    return "\n".join(
        "".join(part for _, part in folded_line) for folded_line in folded(plain(text), width, indent=indent)
    )


def folded(line: Line, width: int, *, indent: int | None = None) -> list[Line]:
    """Fold a line into lines of at most `width` columns, at spaces.

    A word that is longer than a line is not split, so that it can be copied.

    Args:
        line: the line to fold.
        width: number of columns.
        indent: indent of the continuation lines; the default is two columns more than the indent of the first
            line.
    """
    if sum(len(part) for _, part in line) <= width:
        return [line]
    text = "".join(part for _, part in line)
    if indent is None:
        indent = min(len(text) - len(text.lstrip(" ")) + 2, width // 2)
    lines: list[list[Span]] = [[]]
    room = width
    for style, word in _words(line):
        if len(word) > room and lines[-1]:
            lines.append([("", " " * indent)])
            room, word = width - indent, word.lstrip(" ")
        lines[-1].append((style, word))
        room -= len(word)
    return [tuple(spans) for spans in lines]


def _words(line: Line) -> Iterator[Span]:
    """Yield the words of a line, each with the spaces before it."""
    for style, part in line:
        end = 0
        for match in _WORDS.finditer(part):
            end = match.end()
            yield style, match[0]
        if end < len(part):
            yield style, part[end:]


class Screen:
    """A text stream that may be a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self.is_terminal: bool = self._stream.isatty()
        self.width: int = columns_of(self._stream) or PLAIN_WIDTH
        """Number of columns."""
        width = self.width if self.is_terminal else _columns_from_environment() or DEFAULT_WIDTH
        self.text_width: int = min(width, MAX_TEXT_WIDTH)
        """Number of columns of running text."""
        # With NO_COLOR alone, the console would keep bold and other styles.
        self._styled: bool = self.is_terminal and not os.environ.get("NO_COLOR")
        self._console = Console(
            file=self._stream,
            width=self.width,
            highlight=False,
            markup=False,
            color_system="auto" if self._styled else None,
        )

    def print_lines(self, lines: Sequence[Line], *, truncate: bool = False) -> None:
        """Print lines. On a terminal they are folded to its width or, with `truncate`, truncated."""
        if self.is_terminal:
            width = self.width
            if truncate:
                lines = [truncated(line, width) for line in lines]
            else:
                lines = [part for line in lines for part in folded(line, width)]
        if self._styled:
            self._console.print(styled(lines), soft_wrap=True)
        else:
            self._stream.write("".join("".join(part for _, part in line) + "\n" for line in lines))

    def print_text(self, lines: Sequence[str]) -> None:
        """Print lines unchanged, without style or folding, for programs and for copying."""
        self._stream.write("\n".join((*lines, "")))

    def print_table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None
    ) -> None:
        """Print a table of at most `width` columns; align columns of numbers to the right."""
        self.print_lines([(("bold", title),)])
        if self._styled and self._console.encoding.startswith("utf"):
            table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        else:
            table = Table(box=ASCII, padding=(0, 1, 0, 0) if self._styled else (0, 1))
        for index, column in enumerate(columns):
            numeric = all(_is_number(row[index]) for row in rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(printable(value) for value in row))
        self._console.print(table, width=None if width is None else min(width, self.width))

    def flush(self) -> None:
        """Flush the output."""
        self._stream.flush()


def styled(lines: Sequence[Line]) -> Text:
    """Return lines as a rich Text."""
    return Text("\n").join(Text.assemble(*((part, style) for style, part in line)) for line in lines)


def side_by_side(blocks: Sequence[Sequence[Line]], width: int) -> list[Line]:
    """Return blocks of lines side by side, padded to `width` columns except for the last block."""
    lines: list[Line] = []
    for *left, last in zip_longest(*blocks, fillvalue=()):
        spans: list[Span] = []
        for line in left:
            spans += (*line, ("", " " * (width - sum(len(part) for _, part in line))))
        lines.append((*spans, *last))
    return lines


def truncated(line: Line, width: int) -> Line:
    """Return a line truncated to `width` columns."""
    if sum(len(part) for _, part in line) <= width:
        return line
    spans: list[Span] = []
    room = width - 1
    for style, part in line:
        spans.append((style, part[:room]))
        room -= len(spans[-1][1])
    return (*spans, ("dim", TRUNCATION_MARK))


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).isdigit()
